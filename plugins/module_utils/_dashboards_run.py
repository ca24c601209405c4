# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One look at all boards: what every panel asks, what came back, and why nothing did.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import concurrent.futures
import json
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_ask import Asker, Reply
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_blame import (
    blame_variables,
    error_of_query,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_logs import LogReasons
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_model import Board, Panel
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_others import Others
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_queries import (
    Query,
    Scene,
    queries_of,
    scenes_of,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_reasons import Reason, Reasons
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_sources import Sources
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_verdict import (
    DATA,
    EMPTY,
    EMPTY_OK,
    ERROR,
    NO_QUERY,
    BoardVerdict,
    Excuse,
    PanelVerdict,
    Seen,
    unfinished,
)

_EXPLAINERS = 4


class Run:
    """Judges boards.

    :param own: uids of boards that are ours: each of their queries asks for a metric that exists, or says until when
        it does not.
    :param now: the server's clock, Unix seconds. :param young: the server began so short a time ago that what is not
        there may still come. :param reasons: explains Prometheus; :param log_reasons: Loki, where there is one.
    """

    def __init__(
        self,
        boards: t.Sequence[Board],
        sources: Sources,
        asker: Asker,
        now: float,
        reasons: Reasons,
        log_reasons: LogReasons | None = None,
        excuses: t.Sequence[Excuse] = (),
        young: bool = False,
        own: t.Collection[str] = (),
    ) -> None:
        self._boards = boards
        self._sources = sources
        self._asker = asker
        self._now = now
        self._reasons = reasons
        self._log_reasons = log_reasons
        self._excuses = excuses
        self._young = young
        self._own = frozenset(own)
        self._others = Others(sources, asker, now)

    def judge(self) -> list[BoardVerdict]:
        """Every board, in order.

        :raises ApiError: what explains an empty panel cannot be asked.
        """
        scenes = self._asker.together(self._scenes, self._boards)
        plans = self._asker.together(self._plan, zip(self._boards, scenes, strict=True))
        wanted = [query.request for plan in plans for one in plan for _scene, queries in one for query in queries]
        replies = self._asker.replies(request for request in wanted if request is not None)
        seen = [
            [
                [
                    Seen(scene, [(one, replies[one.request] if one.request else None) for one in queries])
                    for scene, queries in panel
                ]
                for panel in plan
            ]
            for plan in plans
        ]
        self._prepare(seen)
        # in threads of their own: what explains an empty panel is asked for in those of the asker
        with concurrent.futures.ThreadPoolExecutor(_EXPLAINERS) as pool:
            return list(pool.map(self._board, self._boards, scenes, seen))

    def _scenes(self, board: Board) -> list[Scene]:
        return scenes_of(board, self._sources, self._asker.options, self._now)

    def _plan(self, item: tuple[Board, list[Scene]]) -> list[list[tuple[Scene, list[Query]]]]:
        board, scenes = item
        return [
            [(scene, queries_of(scene, panel, self._sources, self._asker.apis, self._now)) for scene in scenes]
            if not panel.skipped
            else []
            for panel in board.panels
        ]

    def _prepare(self, seen: t.Sequence[t.Sequence[t.Sequence[Seen]]]) -> None:
        """What empty answers, and numbers in place of a metric, select is asked for at once."""
        exprs = []
        for board in seen:
            for panel in board:
                for one in panel:
                    for query, reply in one.answers:
                        if query.request is None or reply is None or query.request.kind != "prometheus":
                            continue
                        if (not reply.finite and not reply.fault) or self._reasons.covered(query.request.expr):
                            exprs.append(query.request.expr)
        self._reasons.prepare(exprs)

    # --- a board ---

    def _board(self, board: Board, scenes: t.Sequence[Scene], seen: t.Sequence[t.Sequence[Seen]]) -> BoardVerdict:
        panels = [self._panel(board, panel, seen[number]) for number, panel in enumerate(board.panels)]
        causes, notes = blame_variables(board, scenes[0], panels, self._reasons, self._sources, self._asker)
        return BoardVerdict(board, panels, causes, notes, any(one.wait for one in panels))

    def _panel(self, board: Board, panel: Panel, seen: t.Sequence[Seen]) -> PanelVerdict:
        if panel.skipped or not seen:
            return PanelVerdict(panel, NO_QUERY, panel.skipped)
        first = seen[0]
        for one in seen:
            if one.status == ERROR:
                return self._error(board, panel, one)
        if first.status == NO_QUERY:
            skipped = [query.skipped for query, _reply in first.answers if query.skipped]
            return PanelVerdict(panel, NO_QUERY, skipped[0] if skipped else "it has no query")
        unasked = [one for one in seen if one.status == "open"]
        if unasked:
            query, reply = unasked[0].first(lambda _query, reply: reply is not None and bool(reply.fault))
            source = query.source.name if query.source else "the server"
            told = unfinished(panel, t.cast(Reply, reply), source)
            return PanelVerdict(panel, EMPTY, told["message"], told, seen=unasked[0])
        if first.status == DATA:
            dead = [one for one in seen[1:] if one.status == EMPTY]
            return self._all_empty(board, panel, first, dead[0]) if dead else self._data(board, panel, first)
        alive = next((one for one in seen[1:] if one.status == DATA), None)
        # no value helps a panel whose metrics do not exist
        if alive is None and self._never(first) is None:
            alive = self._others.alive(first, panel)
        if alive is not None:
            found = PanelVerdict(panel, DATA, seen=alive)
            if not self._excuse(board, panel):
                found.notes.append(_elsewhere(panel, first, alive))
            return found
        return self._empty(board, panel, first)

    def _error(self, board: Board, panel: Panel, seen: Seen) -> PanelVerdict:
        query, reply = seen.first(
            lambda query, reply: bool(query.fault) or (reply is not None and reply.fault in ("refused", "slow"))
        )
        told = error_of_query(panel, query, reply, seen.scene, self._sources, self._asker)
        return PanelVerdict(panel, ERROR, told["message"], told, seen=seen)

    def _data(self, board: Board, panel: Panel, seen: Seen) -> PanelVerdict:
        """A panel with data, unless it shows a number in place of a metric, or is ours and half dead."""
        found = PanelVerdict(panel, DATA, seen=seen)
        excuse = self._excuse(board, panel)
        for query, reply in seen.answers:
            if query.request is None or reply is None or query.request.kind != "prometheus" or reply.fault:
                continue
            expr = query.request.expr
            gone = self._reasons.hidden(expr) if reply.finite else self._reasons.metric_missing(expr)
            if gone is None:
                continue
            reason = self._reasons.about(gone, query.target)
            if query.target.absent_until:
                found.notes.append(f"{_name(panel, query)}: {gone.metric} comes when {query.target.absent_until}")
            elif excuse is not None and excuse[1]:
                continue
            elif reply.finite:
                text = f"Panel {_name(panel, query)} shows a number although {reason.text}."
                self._dead(found, cause("panel_constant_hides_nothing", text, reason.fix), reason)
            elif board.uid in self._own:
                text = f"Panel {_name(panel, query)} is empty: {reason.text}."
                self._dead(found, cause(reason.code, text, reason.fix), reason)
            else:
                found.notes.append(f"query {query.target.ref} of {panel.title} is empty: {reason.text}")
        return found

    def _dead(self, found: PanelVerdict, told: dict[str, str], reason: Reason) -> None:
        """A panel one of whose queries can never show anything; the first of them is told."""
        if found.cause is None:
            found.cause, found.status, found.reason = told, EMPTY, reason.text
            found.wait = self._young or reason.wait

    def _all_empty(self, board: Board, panel: Panel, first: Seen, everything: Seen) -> PanelVerdict:
        """Data with the values that the board opens with, and none with All."""
        query, reply = everything.first(lambda _query, reply: reply is not None)
        reason = self._why(board, panel, query, t.cast(Reply, reply))
        text = f"Panel {_name(panel, query)} is empty with {everything.scene.label}: {reason.text}."
        fix = reason.fix
        for name in everything.scene.chosen:
            better = re.sub(rf'(?<!!)=\s*"(\$\{{?{name}\}}?)"', r'=~"\1"', query.target.expr)
            if better != query.target.expr:
                fix = f"All is a pattern, match it as one: expr: {_quoted(better)}"
        return PanelVerdict(panel, EMPTY, reason.text, cause("panel_all_empty", text, fix), seen=first)

    def _empty(self, board: Board, panel: Panel, seen: Seen) -> PanelVerdict:
        excuse = self._excuse(board, panel)
        query, reply = seen.first(lambda _query, reply: reply is not None)
        until = self._until(seen)
        if until:
            return PanelVerdict(panel, EMPTY_OK, f"nothing to show until {until}", seen=seen)
        if excuse is not None:
            reason, optional = excuse
            gone = None if optional else self._never(seen)
            if gone is None:
                return PanelVerdict(panel, EMPTY_OK, reason, seen=seen)
            query, why = gone
            text = f"Panel {_name(panel, query)} may be empty, but {why.text}: nobody would see it die."
            return PanelVerdict(
                panel, EMPTY, why.text, cause(why.code, text, why.fix), self._young or why.wait, seen=seen
            )
        why = self._why(board, panel, query, t.cast(Reply, reply))
        told = cause(why.code, f"Panel {_name(panel, query)} is empty: {why.text}.", why.fix)
        return PanelVerdict(panel, EMPTY, why.text, told, self._young or why.wait, seen=seen, variable=why.variable)

    def _until(self, seen: Seen) -> str:
        """What must happen first, where every query asks for a metric that comes only then."""
        asked = [query for query, reply in seen.answers if query.request is not None and reply is not None]
        for query in asked:
            expr = query.request.expr if query.request is not None and query.request.kind == "prometheus" else ""
            if not query.target.absent_until or self._reasons.metric_missing(expr) is None:
                return ""
        return asked[0].target.absent_until

    def _never(self, seen: Seen) -> tuple[Query, Reason] | None:
        """What an empty panel asks for that does not exist at all, when that is true of every query of it."""
        found: tuple[Query, Reason] | None = None
        for query, reply in seen.answers:
            if query.request is None or reply is None:
                continue
            reason = None
            if query.request.kind == "prometheus":
                selector = self._reasons.metric_missing(query.request.expr)
                reason = self._reasons.about(selector, query.target) if selector is not None else None
            elif self._log_reasons is not None:
                reason = self._log_reasons.never(query)
            if reason is None:
                return None
            found = found or (query, reason)
        return found

    def _why(self, board: Board, panel: Panel, query: Query, reply: Reply) -> Reason:
        if query.request is not None and query.request.kind == "loki" and self._log_reasons is not None:
            return self._log_reasons.explain(board, panel, query)
        return self._reasons.explain(board, panel, query, reply)

    def _excuse(self, board: Board, panel: Panel) -> tuple[str, bool] | None:
        """The reason why the panel may be empty, and whether its metric may be missing."""
        for one in self._excuses:
            if one.covers(board, panel):
                return one.reason, one.optional
        return (panel.empty_reason, panel.metric_optional) if panel.empty_reason else None


def _name(panel: Panel, query: Query) -> str:
    """A panel, and which of its queries when it has several."""
    several = sum(bool(one.expr) for one in panel.targets) > 1
    return f"{panel.title} (query {query.target.ref})" if several else panel.title


def _elsewhere(panel: Panel, first: Seen, alive: Seen) -> str:
    values = first.scene.resolver.scope
    opens = ", ".join(
        f"{name} = {values[name].text or values[name].value}" for name in alive.scene.chosen if name in values
    )
    return f"{panel.title} is empty with {opens}, and has data with {alive.scene.label}"


def _quoted(text: str) -> str:
    return json.dumps(" ".join(text.split()), ensure_ascii=False)
