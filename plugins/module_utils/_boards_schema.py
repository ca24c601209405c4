# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What panel data and board files may say; roles/dashboards/README.md tells it. This module util is PRIVATE.

Panels are written in packs and entries (C(panels)), which are about one product, and in roles/dashboards/files, which
are about none. Both are the same data.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _boards_style as style
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _slo_burn
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import tokens_in
from ansible_collections.dataplatform.monitoring.plugins.module_utils._endpoint_schema import Problem, check, suggest

Panel: t.TypeAlias = "dict[str, t.Any]"

# Type of a panel -> its width of 24 and its height, in Grafana's grid
TYPES: dict[str, tuple[int, int]] = {
    "timeseries": (8, 8),
    "stat": (4, 4),
    "bargauge": (8, 8),
    "table": (12, 8),
    "logs": (24, 10),
    "state-timeline": (12, 8),
}
# Burn rates at which alerts on error budgets fire: they depend on the objectives' windows
BURN_RATES = tuple(pair.name for pair in _slo_burn.PAIRS)
# What must be true of an entry, for panels and rows made once per entry; of any entry, for all others.
CONDITIONS = ("business", "health", "logs", "probe", "slo")
# What resolution fills in, and what is filled in for each entry in a board's own file.
TOKENS = frozenset(
    {
        "errors",
        "health",
        "job",
        "logs_selector",
        "min_targets",
        "name",
        "namespace",
        "probe_job",
        "selector",
        "severity",
        "slo_window_hours",
        "target_namespace",
        "team",
    }
)
# https://grafana.com/docs/grafana/latest/dashboards/variables/add-template-variables/#global-variables
GRAFANA_TOKENS = frozenset({"__auto", "__interval", "__range", "__rate_interval"})

_TEXT = {"type": "string", "minLength": 1}
_MEANING = {"type": "string", "enum": sorted(style.MEANINGS)}
# A for the first, B for the second, ...
_MOST_QUERIES = 16
_COLUMN_KEYS = frozenset({"title", "unit", "mapping", "width", "alert", "decimals"})
_CONDITION = {"type": "string", "enum": list(CONDITIONS)}
_KINDS = {"x-types": ["string", "array"]}
_QUERY: dict[str, t.Any] = {
    "type": "object",
    "required": ["expr"],
    "properties": {
        "expr": _TEXT,
        "legend": _TEXT,
        "means": _MEANING,
        # once for every entry, joined by `or`
        "each": _CONDITION,
        # what must happen before its metric exists, as in alerts
        "absent_until": _TEXT,
    },
}
PANEL: dict[str, t.Any] = {
    "type": "object",
    "required": ["title", "description"],
    "properties": {
        "title": _TEXT,
        "description": {**_TEXT, "x-missing": "say in a sentence what good looks like"},
        "board": {"type": "string"},
        "row": _TEXT,
        "type": {"type": "string", "enum": list(TYPES)},
        "unit": {"type": "string", "x-check": "unit"},
        "expr": _TEXT,
        "legend": _TEXT,
        "means": _MEANING,
        "each": _CONDITION,
        "absent_until": _TEXT,
        "queries": {"type": "array", "minItems": 1, "x-check": "queries", "items": _QUERY},
        "source": {"type": "string", "enum": ["prometheus", "loki"]},
        "alert": _TEXT,
        "alerts": {"type": "array", "minItems": 1, "items": _TEXT},
        "thresholds": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["is"],
                # a number, or the burn rate at which a pair of windows alerts
                "properties": {"above": {"x-types": ["number", "string"]}, "below": {"type": "number"}, "is": _MEANING},
            },
        },
        "target": {"type": "number"},
        "mapping": {"type": "string", "enum": sorted(style.MAPPINGS)},
        "columns": {"type": "object", "x-check": "columns", "x-kubernetes-preserve-unknown-fields": True},
        "sort": _TEXT,
        "may_be_empty": {**_TEXT, "x-remedy": "say why nothing to show is good"},
        "show": {"type": "string", "enum": sorted(style.CALCULATIONS)},
        "stack": {"type": "boolean"},
        "min": {"type": "number"},
        "max": {"type": "number"},
        "decimals": {"type": "integer", "minimum": 0},
        "width": {"type": "integer", "minimum": 2, "maximum": 24},
        "height": {"type": "integer", "minimum": 2, "maximum": 30},
        "needs": _KINDS,
        "without": _KINDS,
        "when": _CONDITION,
        "link": {"type": "string"},
    },
}
_ROW: dict[str, t.Any] = {
    "type": "object",
    "required": ["title"],
    "properties": {
        "title": _TEXT,
        # once for every entry
        "each": {"type": "string", "enum": ["entry", *CONDITIONS]},
        "when": _CONDITION,
        "needs": _KINDS,
        "panels": {"type": "array", "items": PANEL},
    },
}
BOARD: dict[str, t.Any] = {
    "type": "object",
    "required": ["key", "title", "description", "rows"],
    "properties": {
        "key": {"type": "string", "pattern": "^[a-z][a-z0-9-]{1,24}$"},
        "title": _TEXT,
        "description": _TEXT,
        "from": {"type": "string", "pattern": "^now-[0-9]+[mhdw]$"},
        "variables": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "label", "query"],
                "properties": {"name": _TEXT, "label": _TEXT, "query": _TEXT},
            },
        },
        "rows": {"type": "array", "items": _ROW},
        # whose namespaces "All" means: those of the entries on the board, or every one
        "namespaces": {"type": "string", "enum": ["all", "entries"]},
        # rows of shared.yml, below everything else
        "shared": {"type": "array", "items": _TEXT},
    },
}


def _unit(value: t.Any, path: str) -> list[Problem]:
    if not isinstance(value, str) or style.known_unit(value):
        return []
    return [Problem(path, f"{value} is no unit that Grafana knows", suggest(value, style.UNITS, "units"))]


def _columns(value: t.Any, path: str) -> list[Problem]:
    faults = []
    for name, column in value.items() if isinstance(value, dict) else ():
        if isinstance(column, str):
            continue
        where = f"{path}.{name}"
        if not isinstance(column, dict) or not isinstance(column.get("title"), str):
            faults.append(Problem(where, "must be a title, or a mapping with one", f"write {name}: {name.title()}"))
            continue
        for key in set(column) - _COLUMN_KEYS:
            faults.append(Problem(f"{where}.{key}", "unknown key", suggest(key, _COLUMN_KEYS, "keys")))
        faults += _unit(column.get("unit"), f"{where}.unit")
    return faults


def _queries(value: t.Any, path: str) -> list[Problem]:
    if isinstance(value, list) and len(value) > _MOST_QUERIES:
        return [Problem(path, f"{len(value)} queries", f"a panel takes {_MOST_QUERIES}; make two panels of it")]
    return []


_CHECKS = {"unit": _unit, "columns": _columns, "queries": _queries}


def kinds(value: t.Any) -> list[str]:
    """C(needs) and C(without): one kind or several."""
    return [value] if isinstance(value, str) else list(value or ())


def _problems(panel: t.Any, boards: t.Collection[str], *, own_board: bool) -> list[Problem]:
    found = check(panel, PANEL, "", _CHECKS)
    if not isinstance(panel, dict) or found:
        return found
    if ("expr" in panel) == ("queries" in panel):
        found.append(Problem("expr", "must be given once", "write expr, or queries with several of them, not both"))
    if "unit" not in panel and panel.get("type") not in ("logs", "table"):
        found.append(Problem("unit", "is missing", "a number without a unit tells nobody anything; short is one too"))
    if own_board and "board" not in panel:
        found.append(Problem("board", "is missing", suggest("", boards, "boards")))
    for key in ("board", "link"):
        if key in panel and panel[key] not in boards:
            found.append(Problem(key, f"there is no board {panel[key]}", suggest(panel[key], boards, "boards")))
    for number, threshold in enumerate(panel.get("thresholds") or ()):
        if ("above" in threshold) == ("below" in threshold):
            found.append(Problem(f"thresholds[{number}]", "needs above or below", "write {above: 0.8, is: warning}"))
        elif isinstance(threshold.get("above"), str) and threshold["above"] not in BURN_RATES:
            remedy = suggest(threshold["above"], BURN_RATES, "write a number, or")
            found.append(Problem(f"thresholds[{number}].above", f"{threshold['above']} is no burn rate", remedy))
    if "thresholds" in panel and ("alert" in panel or "alerts" in panel):
        found.append(Problem("thresholds", "an alert has them already", "remove thresholds, or the alert"))
    known = TOKENS | GRAFANA_TOKENS
    for path, expr in expressions(panel):
        for token in sorted(tokens_in(expr) - known):
            remedy = f"{suggest(token, known, 'tokens')} A variable of the board is written ${{{token}}}"
            found.append(Problem(path, f"${token} is not a token", remedy))
    return found


def expressions(panel: Panel) -> list[tuple[str, str]]:
    """Path and text of every query of a panel."""
    if "expr" in panel:
        return [("expr", panel["expr"])]
    return [(f"queries[{number}].expr", query["expr"]) for number, query in enumerate(panel.get("queries") or ())]


def faults(panels: t.Any, where: str, boards: t.Collection[str], *, own_board: bool = True) -> list[str]:
    """One sentence per fault of a list of panels; C(where) says whose they are ("pack trino")."""
    if not isinstance(panels, list):
        return [f"{where}: panels: must be a list; write panels: [{{title: ..., expr: ...}}]."]
    found = []
    for number, panel in enumerate(panels):
        title = panel.get("title") if isinstance(panel, dict) else None
        name = f"panel {title!r}" if isinstance(title, str) else f"panels[{number}]"
        for problem in _problems(panel, boards, own_board=own_board):
            at = f" {problem.path}:" if problem.path else ""
            found.append(_sentence(f"{where}: {name}:{at} {problem.what}; {problem.remedy}"))
    return found


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."


def board_faults(board: t.Any, where: str, boards: t.Collection[str]) -> list[str]:
    """One sentence per fault of a board's file."""
    found = [
        _sentence(f"{where}: {problem.path}: {problem.what}; {problem.remedy}")
        for problem in check(board, {**BOARD, "properties": {**BOARD["properties"], "rows": {"type": "array"}}}, "")
    ]
    if found:
        return found
    for row in board["rows"]:
        plain_row = {key: value for key, value in row.items() if key != "panels"} if isinstance(row, dict) else row
        for problem in check(plain_row, _ROW, ""):
            found.append(_sentence(f"{where}: row {plain_row!r}: {problem.path}: {problem.what}; {problem.remedy}"))
        if isinstance(row, dict):
            found += faults(row.get("panels") or [], f"{where}: row {row.get('title')}", boards, own_board=False)
    return found
