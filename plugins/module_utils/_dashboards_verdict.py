# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What was found of each panel, and the check of a board. This module util is PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import fnmatch
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_ask import Reply
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_model import Board, Panel
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_queries import Query, Scene
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_sketch import series_of
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

DATA, EMPTY_OK, EMPTY, ERROR, NO_QUERY = "data", "empty_ok", "empty", "error", "no_query"
# Causes by which a panel is not known to be broken.
OPEN = frozenset({"panel_too_young", "dashboards_not_finished", "server_unreachable", "server_error"})
_MOST_NOTES = 12


class Excuse(t.NamedTuple):
    """An item of the option may_be_empty: globs of the board's title or uid, and of the panel's title."""

    board: str
    panel: str
    reason: str
    optional: bool

    @classmethod
    def parse(cls, item: t.Any, index: int) -> Excuse:
        """:raises ConfigError: no reason, or a key that is not known."""
        where = f"may_be_empty[{index}]"
        if not isinstance(item, dict) or not item.get("reason"):
            raise ConfigError(f'{where} needs a reason: {{board: "*", panel: "Errors*", reason: no errors is good}}')
        unknown = sorted(set(item) - {"board", "panel", "reason", "metric"})
        if unknown or item.get("metric", "required") not in ("required", "optional"):
            raise ConfigError(f"{where}: keys are board, panel, reason and metric (required or optional).")
        return cls(
            str(item.get("board") or "*"),
            str(item.get("panel") or "*"),
            str(item["reason"]),
            item.get("metric") == "optional",
        )

    def covers(self, board: Board, panel: Panel) -> bool:
        """Whether it is meant; a title that is written out counts too, whatever characters it has."""
        names = (board.title, board.uid)
        of_board = self.board in names or any(fnmatch.fnmatchcase(one, self.board) for one in names)
        return of_board and (self.panel == panel.title or fnmatch.fnmatchcase(panel.title, self.panel))


@dataclasses.dataclass
class Seen:
    """What one panel gave in one scene. C(status) is data, empty, error, no_query or open (not known)."""

    scene: Scene
    answers: list[tuple[Query, Reply | None]]

    @property
    def status(self) -> str:
        replies = [reply for _query, reply in self.answers if reply is not None]
        if any(query.fault for query, _reply in self.answers) or any(
            one.fault in ("refused", "slow") for one in replies
        ):
            return ERROR
        if any(one.finite for one in replies):
            return DATA
        if any(one.fault for one in replies):
            return "open"
        return EMPTY if replies else NO_QUERY

    def first(self, wanted: t.Callable[[Query, Reply | None], bool]) -> tuple[Query, Reply | None]:
        """The first answer of a kind."""
        return next((query, reply) for query, reply in self.answers if wanted(query, reply))


@dataclasses.dataclass
class PanelVerdict:
    """The verdict of one panel. C(variable) is the one whose value is in the way."""

    panel: Panel
    status: str
    reason: str = ""
    cause: dict[str, str] | None = None
    wait: bool = False
    notes: list[str] = dataclasses.field(default_factory=list)
    seen: Seen | None = None
    variable: str = ""

    def result(self, sketches: bool) -> dict[str, t.Any]:
        """The panel as the result C(boards) has it."""
        one = self.panel
        shown: dict[str, t.Any] = {
            "id": one.id,
            "title": one.title,
            "type": one.type,
            "unit": one.unit,
            "status": self.status,
            "reason": self.reason,
            "thresholds": [{"value": value, "color": color} for value, color in one.thresholds],
        }
        if sketches:
            shown["series"] = series_of(self.seen.answers) if self.seen is not None else []
        return shown


@dataclasses.dataclass
class BoardVerdict:
    """The verdict of a board: its panels, and causes that are no single panel's."""

    board: Board
    panels: list[PanelVerdict]
    causes: list[dict[str, str]] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    wait: bool = False

    def check(self, name: str) -> _checks.Check:
        """The check of the board."""
        judged = [one for one in self.panels if one.status != NO_QUERY]
        good = [one for one in judged if one.status == DATA]
        allowed = [one for one in judged if one.status == EMPTY_OK]
        expected = "every panel has data" if judged else "nothing to ask"
        observed = f"{len(good)} of {len(judged)} panels have data"
        if allowed:
            observed += f", {len(allowed)} may be empty"
        errors = [one for one in judged if one.status == ERROR]
        if errors:
            observed += f", {len(errors)} with an error"
        if not judged:
            observed = "no panel with a query that is judged"
        causes = list(self.causes)
        for one in judged:
            if one.cause is not None and one.cause not in causes:
                causes.append(one.cause)
        causes.sort(key=lambda one: one["code"] in OPEN)
        notes = [*self.notes, *(note for one in self.panels for note in one.notes)]
        if len(notes) > _MOST_NOTES:
            notes = [*notes[:_MOST_NOTES], f"and {len(notes) - _MOST_NOTES} more notes"]
        details = {
            "uid": self.board.uid,
            "folder": self.board.folder,
            "source": self.board.source,
            "empty": [one.panel.title for one in judged if one.status == EMPTY],
            "error": [one.panel.title for one in errors],
        }
        if not causes:
            return _checks.ok(name, expected, observed, notes, details)
        if all(one["code"] in OPEN for one in causes):
            return _checks.unknown(name, expected, observed, causes, notes, details)
        return _checks.failed(name, expected, observed, causes, notes, details)

    def result(self, sketches: bool) -> dict[str, t.Any]:
        """The board as the result C(boards) has it."""
        return {
            "uid": self.board.uid,
            "title": self.board.title,
            "folder": self.board.folder,
            "panels": [one.result(sketches) for one in self.panels],
        }


def unfinished(panel: Panel, reply: Reply, source: str) -> dict[str, str]:
    """The cause of a panel that could not be asked."""
    if reply.fault == "late":
        told = f"There was no time left to ask what panel {panel.title} asks."
        return cause("dashboards_not_finished", told, "Give the verdict more time: timeout: 300")
    return cause(
        "server_unreachable",
        f"What panel {panel.title} asks could not be asked: {reply.error}",
        f"See whether {source} runs and is ready: kubectl get pods -A",
    )


def names_of(boards: t.Sequence[Board]) -> list[str]:
    """A name for the check of each board: its title, with the folder or the uid where titles are the same."""
    titles = [one.title for one in boards]
    names: list[str] = []
    for one in boards:
        name = one.title
        if titles.count(one.title) > 1:
            name = f"{one.title} ({one.folder or one.uid or one.source})"
        while name in names:
            name = f"{name} ({one.uid or one.source})" if not name.endswith(f"({one.uid})") else f"{name} again"
        names.append(name)
    return names
