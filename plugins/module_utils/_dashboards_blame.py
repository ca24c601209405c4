# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Faults that are not of one query's metrics: variables, datasources, refused queries. This module util is PRIVATE."""

from __future__ import annotations

import difflib
import json
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_ask import Asker, Reply
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_interpolate import names_in
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_model import Board, Panel
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_queries import (
    Query,
    Scene,
    used_by,
    used_by_variable,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_reasons import (
    Reasons,
    alike,
    renamed,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_sources import (
    Sources,
    reference_line,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_variables import (
    Resolved,
    query_text,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_verdict import PanelVerdict
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_errors import FUNCTIONS, explain
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_series import Presence

# What a variable without values can do to a panel.
_BLAMED = frozenset(
    {
        "datasource_missing",
        "panel_all_empty",
        "panel_label_missing",
        "panel_query_error",
        "panel_selects_nothing",
        "panel_stream_missing",
        "panel_value_missing",
    }
)
# Where no matcher tells whose value it is.
_UNCLEAR = frozenset({"datasource_missing", "panel_query_error", "panel_all_empty"})
_MATCHING = frozenset({"rule_many_to_many", "rule_many_to_one", "rule_duplicate_result"})
_MOST_NAMES = 5


class Why(t.NamedTuple):
    """Why a variable is empty. C(metric): its very metric does not exist; C(fix) ends in a command or a line."""

    text: str
    fix: str
    metric: bool = False


def blame_variables(
    board: Board,
    scene: Scene,
    panels: t.Sequence[PanelVerdict],
    reasons: Reasons,
    sources: Sources,
    asker: Asker,
) -> tuple[list[dict[str, str]], list[str]]:
    """Causes of variables that cannot be filled, told once instead of for each panel, and notes about harmless ones.

    A variable without values is a fault where a panel is dead for it, or where its very metric does not exist and a
    person would choose among nothing. A label that nobody sets is none: boards for many clusters work with one.
    """
    causes: list[dict[str, str]] = []
    notes: list[str] = []
    blamed: set[str] = set()
    for resolved in scene.resolver.done.values():
        variable = resolved.variable
        if not resolved.fault or set(names_in(query_text(variable))) & blamed:
            continue
        dead = [one for one in panels if _is_for(one, board, variable.name)]
        why = _why(resolved, reasons, sources, asker)
        if resolved.fault == "empty" and not dead and not (why.metric and not variable.hidden):
            # a variable that is hidden, or is All alone, is how boards for many clusters are made
            alone = variable.include_all and bool(variable.all_value)
            if why.metric or not (variable.hidden or alone):
                notes.append(f"The variable {variable.name} has no values: {why.text}")
            continue
        blamed.add(variable.name)
        titles = [one.panel.title for one in dead]
        code = {"query": "variable_query_error", "datasource": "datasource_missing"}.get(
            resolved.fault, "variable_without_values"
        )
        what = "cannot be asked for its values" if code != "variable_without_values" else "has no values"
        lost = f" Dead for it: {_names(titles)}." if titles else ""
        causes.append(cause(code, f"The variable {variable.name} {what}: {why.text}.{lost}", why.fix))
        for one in dead:
            one.cause = None
            one.reason = f"the variable {variable.name} {what}"
    return causes, notes


def _is_for(one: PanelVerdict, board: Board, name: str) -> bool:
    """Whether a panel is dead for want of a variable's values."""
    if one.cause is None or one.cause["code"] not in _BLAMED or name not in used_by(board, one.panel):
        return False
    if one.variable:
        return name == one.variable or name in used_by_variable(board, one.variable)
    return one.cause["code"] in _UNCLEAR


def _names(titles: t.Sequence[str]) -> str:
    shown = ", ".join(titles[:_MOST_NAMES])
    return shown if len(titles) <= _MOST_NAMES else f"{shown} and {len(titles) - _MOST_NAMES} more"


def _why(resolved: Resolved, reasons: Reasons, sources: Sources, asker: Asker) -> Why:
    """Why a variable has no values."""
    variable, ask = resolved.variable, resolved.ask
    if resolved.fault == "datasource":
        there = sources.of_kind("prometheus") or sources.there
        return Why(resolved.said, f"Name one that there is: {reference_line(there[0] if there else None)}")
    if ask is None:
        return Why(resolved.said, "Name a type of datasource that there is: query: prometheus")
    kind = ask.source.kind
    prefix = "/loki" if kind == "loki" else ""
    params = [("query" if kind == "loki" else "match[]", ask.match)] if ask.match and ask.how == "values" else []
    look = f"Say which server to ask: {kind}: {{url: http://localhost}}"
    if kind in asker.apis:
        look = f"See which labels there are: {asker.apis[kind].by_hand(prefix + '/api/v1/labels', params)}"
    if resolved.said:
        return Why(resolved.said, look)
    nothing = f"{resolved.query} finds nothing"
    found = reasons.of_selector(ask.match) if kind == "prometheus" and ask.how in ("values", "series") else None
    if found is None:
        return Why(nothing, look)
    selector, answer = found
    near = f"; nearest: {', '.join(answer.near)}" if answer.near else ""
    if answer.presence is Presence.NO_SUCH_METRIC:
        name = selector.metric or ask.match
        text = f"{nothing}, there is no metric {name}{near}"
        written = query_text(variable)
        if selector.metric and answer.near and alike(name, answer.near[0]):
            better = renamed(written, name, answer.near[0])
            if better != written:
                fix = f"Ask for a metric that exists: query: {json.dumps(better, ensure_ascii=False)}"
                return Why(text, fix, True)
        names = asker.apis[kind].by_hand("/api/v1/label/__name__/values")
        return Why(text, f"Have it scraped, or ask for a metric that exists: {names}", True)
    if answer.presence is Presence.THERE:
        return Why(f"{nothing}, no {selector.metric or 'series'} has the label {ask.label}", look)
    wrong = " and ".join(str(one) for one in answer.matchers)
    if not wrong:
        return Why(nothing, look)
    params = [("match[]", selector.metric)] if selector.metric else []
    hand = asker.apis[kind].by_hand(f"/api/v1/label/{answer.matchers[0].name}/values", params)
    text = f"{nothing}, no {selector.metric or 'series'} has {wrong}{near}"
    return Why(text, f"See which values there are: {hand}")


def error_of_query(
    panel: Panel, query: Query, reply: Reply | None, scene: Scene, sources: Sources, asker: Asker
) -> dict[str, str]:
    """The cause of a query that is refused, takes too long, or asks a datasource that is not there."""
    several = sum(bool(one.expr) for one in panel.targets) > 1
    name = f"{panel.title} (query {query.target.ref})" if several else panel.title
    if query.fault or reply is None or query.request is None:
        there = sources.of_kind("prometheus") or sources.there
        fix = f"Name one that there is: {reference_line(there[0] if there else None)}"
        return cause("datasource_missing", f"Panel {name}: {query.fault}.", fix)
    request = query.request
    with_all = f" with {scene.label}" if scene.chosen else ""
    if reply.fault == "slow":
        told = f"Panel {name}{with_all}: {reply.error}"
        return cause("panel_query_slow", told, "Ask for less, or allow it more time: query_timeout: 30")
    prefix = "/loki" if request.kind == "loki" else ""
    hand = asker.apis[request.kind].by_hand(f"{prefix}/api/v1/query", [("query", request.expr)])
    told = f"Panel {name}{with_all} is refused: {reply.error.rstrip('.')}."
    if request.kind == "prometheus":
        known = explain(name, request.expr, reply.error, hand)
        if known.code in _MATCHING:
            return cause("panel_query_error", told, f"{known.advice}: {known.line}")
        wrong = re.search(r'unknown function with name "(\w+)"', reply.error)
        near = difflib.get_close_matches(wrong[1], FUNCTIONS, 1, 0.6) if wrong else []
        if wrong and near:
            better = re.sub(rf"\b{wrong[1]}\b", near[0], query.target.expr)
            line = json.dumps(" ".join(better.split()), ensure_ascii=False)
            return cause("panel_query_error", told, f"Write a function that there is: expr: {line}")
    return cause("panel_query_error", told, f"Correct the query; this asks it by hand: {hand}")
