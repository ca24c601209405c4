# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a board says: panels, queries and variables, from Grafana's JSON. This module util is PRIVATE to the collection.

Source of the form: Grafana, docs/sources/dashboards/build-dashboards/view-dashboard-json-model, kinds/dashboard; boards
of the schema before version 16 keep their panels in C(rows), and row panels that are collapsed keep them inside.
"""

from __future__ import annotations

import dataclasses
import typing as t

Json = dict[str, t.Any]
# They show no query of their own.
_WITHOUT_QUERIES = frozenset({"row", "text", "dashlist", "news", "alertlist", "annolist", "welcome", "gettingstarted"})
_TITLES_OF_EMPTY = "(untitled)"


class BoardError(ValueError):
    """The JSON is no board that can be judged; C(code) is the cause's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclasses.dataclass(frozen=True)
class Target:
    """One query of a panel, before variables are put in.

    C(step) is its own least interval as it is written. C(absent_until) says what must happen before its metric exists.
    """

    ref: str
    expr: str
    datasource: t.Any = None
    instant: bool = False
    range: bool = True
    hidden: bool = False
    legend: str = ""
    step: str = ""
    factor: int = 1
    absent_until: str = ""


@dataclasses.dataclass(frozen=True)
class Panel:
    """C(empty_reason) says why no data is good; C(metric_optional) that not even the metric needs to exist.

    C(skipped) says why a panel has nothing to judge. C(repeats) names the variables by which it, or its row, repeats.
    """

    id: int
    title: str
    type: str
    targets: tuple[Target, ...] = ()
    datasource: t.Any = None
    unit: str = ""
    thresholds: tuple[tuple[float | None, str], ...] = ()
    interval: str = ""
    max_points: int | None = None
    width: int = 12
    time_from: str = ""
    time_shift: str = ""
    repeats: tuple[str, ...] = ()
    empty_reason: str = ""
    metric_optional: bool = False
    skipped: str = ""


@dataclasses.dataclass(frozen=True)
class Variable:
    """A template variable. C(current) is what was saved as its value, None when nothing was."""

    name: str
    type: str
    query: t.Any = ""
    regex: str = ""
    include_all: bool = False
    multi: bool = False
    all_value: str = ""
    current: t.Any = None
    hidden: bool = False
    datasource: t.Any = None
    sort: int = 0
    auto_count: int = 30
    auto_min: str = "10s"


@dataclasses.dataclass(frozen=True)
class Board:
    """C(source) is where it comes from, as a person would name it."""

    uid: str
    title: str
    folder: str
    source: str
    variables: tuple[Variable, ...] = ()
    panels: tuple[Panel, ...] = ()
    time_from: str = "now-6h"
    time_to: str = "now"


def read_board(given: t.Any, source: str, folder: str = "") -> Board:
    """A board from its JSON, also as Grafana's API and as Kubernetes objects wrap it.

    :raises BoardError: it is none, or of a schema that is not judged.
    """
    data, folder = _unwrap(given, folder)
    if "elements" in data and "panels" not in data:
        raise BoardError(
            "dashboard_schema_unknown",
            f"{source} is written in schema v2 (elements and layout), which is not judged.",
        )
    if not isinstance(data.get("panels", []), list) or not ({"panels", "rows", "templating", "title"} & set(data)):
        raise BoardError("dashboard_unreadable", f"{source} is no dashboard: it has neither title nor panels.")
    time = _dict(data.get("time"))
    title = str(data.get("title") or data.get("uid") or source)
    variables = [_variable(item) for item in _dicts(_dict(data.get("templating")).get("list"))]
    return Board(
        str(data.get("uid") or ""),
        title,
        folder,
        source,
        tuple(variables),
        tuple(_panels(data)),
        str(time.get("from") or "now-6h"),
        str(time.get("to") or "now"),
    )


def _unwrap(given: t.Any, folder: str) -> tuple[Json, str]:
    if not isinstance(given, dict):
        raise BoardError("dashboard_unreadable", f"a dashboard is a JSON object, not {type(given).__name__}.")
    if isinstance(given.get("dashboard"), dict):
        return given["dashboard"], str(_dict(given.get("meta")).get("folderTitle") or folder)
    if isinstance(given.get("board"), dict):
        return given["board"], str(given.get("folder") or folder)
    if str(given.get("apiVersion", "")).startswith("dashboard.grafana.app/") and isinstance(given.get("spec"), dict):
        return given["spec"], folder
    return given, folder


def _dict(given: t.Any) -> Json:
    """What should be a mapping; boards are written by hand too."""
    return given if isinstance(given, dict) else {}


def _number(given: t.Any, otherwise: int) -> int:
    """A positive whole number, also one that is written as text."""
    text = str(given) if isinstance(given, (int, str)) and not isinstance(given, bool) else ""
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else otherwise


def _dicts(given: t.Any) -> list[Json]:
    return [item for item in given or [] if isinstance(item, dict)] if isinstance(given, list) else []


def _panels(data: Json) -> t.Iterator[Panel]:
    """Every panel with those inside of rows; a row that is open is followed by its panels, which it repeats."""
    row_repeat: tuple[str, ...] = ()
    for item in _dicts(data.get("panels")):
        if item.get("type") == "row":
            row_repeat = _repeats(item)
            for inner in _dicts(item.get("panels")):
                yield _panel(inner, row_repeat)
        else:
            yield _panel(item, row_repeat)
    for row in _dicts(data.get("rows")):
        for inner in _dicts(row.get("panels")):
            yield _panel(inner, _repeats(row))


def _repeats(item: Json) -> tuple[str, ...]:
    return (str(item["repeat"]),) if item.get("repeat") else ()


def _panel(item: Json, outer: tuple[str, ...]) -> Panel:
    kind = str(item.get("type") or "")
    targets = tuple(_target(one, number) for number, one in enumerate(_dicts(item.get("targets"))))
    skipped = ""
    if kind in _WITHOUT_QUERIES:
        skipped, targets = f"a panel of type {kind} has no query", ()
    elif not targets and item.get("libraryPanel"):
        library = _dict(item["libraryPanel"])
        name = library.get("name") or library.get("uid") or ""
        skipped = f"the library panel {name} is kept in Grafana, and is not judged"
    elif not any(target.expr for target in targets):
        skipped = "it has no query"
    defaults = _dict(_dict(item.get("fieldConfig")).get("defaults"))
    reason, optional = _may_be_empty(item.get("mayBeEmpty"))
    width = _number(_dict(item.get("gridPos")).get("w"), 0) or _number(item.get("span"), 6) * 2
    return Panel(
        _number(item.get("id"), 0),
        str(item.get("title") or _TITLES_OF_EMPTY),
        kind,
        targets,
        item.get("datasource"),
        str(defaults.get("unit") or ""),
        tuple(_thresholds(defaults)),
        str(item.get("interval") or ""),
        _number(item.get("maxDataPoints"), 0) or None,
        width,
        str(item.get("timeFrom") or ""),
        str(item.get("timeShift") or ""),
        (*outer, *_repeats(item)),
        reason,
        optional,
        skipped,
    )


def _may_be_empty(given: t.Any) -> tuple[str, bool]:
    """A text is the reason; a mapping has C(reason), and C(metric: optional) where not even the metric must exist."""
    if isinstance(given, dict):
        return str(given.get("reason") or "no reason is given"), given.get("metric") == "optional"
    if given is True:
        return "no reason is given", False
    return (str(given), False) if given else ("", False)


def _thresholds(defaults: Json) -> t.Iterator[tuple[float | None, str]]:
    for step in _dicts(_dict(defaults.get("thresholds")).get("steps")):
        value = step.get("value")
        yield (float(value) if isinstance(value, (int, float)) else None, str(step.get("color") or ""))


def _target(item: Json, number: int) -> Target:
    instant, ranged = item.get("instant") is True, item.get("range") is True
    # Loki's way of saying it
    if str(item.get("queryType")) in ("instant", "range"):
        instant, ranged = item["queryType"] == "instant", item["queryType"] == "range"
    return Target(
        str(item.get("refId") or chr(65 + number % 26)),
        str(item.get("expr") or "").strip(),
        item.get("datasource"),
        instant,
        ranged or not instant,
        item.get("hide") is True,
        str(item.get("legendFormat") or ""),
        str(item.get("interval") or item.get("step") or ""),
        _number(item.get("intervalFactor"), 1),
        str(item.get("absentUntil") or ""),
    )


def _variable(item: Json) -> Variable:
    value = _dict(item.get("current")).get("value")
    return Variable(
        str(item.get("name") or ""),
        str(item.get("type") or "query"),
        item.get("query") if item.get("query") is not None else item.get("definition") or "",
        str(item.get("regex") or ""),
        item.get("includeAll") is True,
        item.get("multi") is True,
        str(item.get("allValue") or ""),
        value if value not in ("", [], None) else None,
        item.get("hide") == 2,
        item.get("datasource"),
        _number(item.get("sort"), 0),
        _number(item.get("auto_count"), 30),
        str(item.get("auto_min") or "10s"),
    )
