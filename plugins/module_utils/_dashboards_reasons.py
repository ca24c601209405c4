# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Why a query of a panel gives nothing, in PromQL. This module util is PRIVATE to the collection.

First what it selects: a metric, its identity, a value. Where all of that is there, the smallest part of the expression
that is empty although what it works on is not.
"""

from __future__ import annotations

import difflib
import json
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_ask import Asker, Reply, Request
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_model import Board, Panel, Target
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_queries import Query, from_variable
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_sources import Source
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_variables import Ask
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql import (
    Binary,
    Call,
    Matcher,
    Node,
    Number,
    Selector,
    children,
    walk,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql_reach import missing
from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql_text import operator_of, text_of
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_reach import Reading
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_series import Answer, Presence, Series

# Worst first: what can never be comes before what may still come.
_ORDER = (
    Presence.NO_SUCH_METRIC,
    Presence.NO_SUCH_IDENTITY,
    Presence.NOT_TOGETHER,
    Presence.PAST,
    Presence.NO_SUCH_VALUE,
)
# What is younger than this may not have enough samples for a range yet.
YOUNG = 300.0
_MOST_VALUES = 6
# Over which samples are counted, to know how often something is scraped.
_COUNTED = 600.0
# Selectors asked for at once, and how often the server may fail to answer before it is left alone.
_AT_ONCE = 64
_MOST_FAILURES = 2
_PROMETHEUS = Source("prometheus", "prometheus", "prometheus")
_COMPARISONS = frozenset({"==", "!=", "<", ">", "<=", ">="})


class Reason(t.NamedTuple):
    """Why a query gives nothing. C(wait): it may still come by itself; C(variable): whose value is in the way."""

    code: str
    text: str
    fix: str
    wait: bool = False
    variable: str = ""


class Recorded(t.NamedTuple):
    """A recording rule: its group, its expression, and whether it was ever evaluated."""

    group: str
    query: str
    evaluated: bool


class Reasons:
    """Explains empty answers of one Prometheus.

    :param recorded: recording rules by the metric that they make.
    """

    def __init__(self, api: Api, series: Series, asker: Asker, recorded: t.Mapping[str, Recorded]) -> None:
        self._api = api
        self._series = series
        self._asker = asker
        self._recorded = recorded
        self._reading = Reading()
        self._mute = 0

    def prepare(self, exprs: t.Iterable[str]) -> None:
        """Ask for everything that these expressions select, at once.

        A selector that the server cannot answer for counts as there: that its panel is empty is known all the same.
        """
        wanted = self._reading.selectors(exprs)
        for begin in range(0, len(wanted), _AT_ONCE):
            self._ask(wanted[begin : begin + _AT_ONCE])

    def _ask(self, wanted: t.Sequence[Selector]) -> None:
        if self._mute < _MOST_FAILURES and self._asker.deadline.left() > 0:
            try:
                self._series.ask(wanted)
            except ApiError:
                self._mute += 1
        for one in wanted:
            self._series.answers.setdefault(one.matchers, Answer(Presence.THERE))

    def explain(self, board: Board, panel: Panel, query: Query, reply: Reply) -> Reason:
        """The reason for an answer without a number that could be drawn."""
        request = t.cast(Request, query.request)
        node = self._reading.node(request.expr)
        if node is None:
            fix = f"Ask for its parts: {self._api.by_hand('/api/v1/query', [('query', request.expr)])}"
            return Reason("panel_result_empty", "it has a form that cannot be taken apart here", fix)
        gone = dict.fromkeys(missing(node, lambda one: self._series.answer(one).presence is Presence.THERE))
        if gone:
            worst = min(gone, key=lambda one: _ORDER.index(self._series.answer(one).presence))
            return self._selects_nothing(board, panel, query, worst, self._series.answer(worst))
        if reply.found:
            return self._not_finite(board, panel, request)
        return self._computed_empty(board, panel, query, request, node)

    def covered(self, expr: str) -> list[Binary]:
        """Where an expression falls back on a number: C(or vector(0)), C(or 0 * something)."""
        node = self._reading.node(expr) if " or " in " ".join(expr.split()) else None
        found = (one for one in walk(node) if isinstance(one, Binary)) if node is not None else ()
        return [one for one in found if one.op == "or" and _is_constant(one.right)]

    def hidden(self, expr: str) -> Selector | None:
        """A metric that does not exist, where C(or) with a number makes the panel show something all the same."""
        for one in self.covered(expr):
            for selector in missing(one.left, lambda it: not self._series.answer(it).dead):
                if self._series.answer(selector).presence is Presence.NO_SUCH_METRIC:
                    return selector
        return None

    def metric_missing(self, expr: str) -> Selector | None:
        """A selector whose very metric does not exist, and without which the expression gives nothing."""
        node = self._reading.node(expr)
        if node is None:
            return None
        gone = missing(node, lambda one: self._series.answer(one).presence is Presence.THERE)
        dead = (one for one in gone if self._series.answer(one).presence is Presence.NO_SUCH_METRIC)
        return next(dead, None)

    def of_selector(self, text: str) -> tuple[Selector, Answer] | None:
        """What is known of a selector that stands by itself, None when it is none."""
        node = self._reading.node(text) if text else None
        if not isinstance(node, Selector):
            return None
        self._ask([node])
        return node, self._series.answer(node)

    def about(self, selector: Selector, target: Target) -> Reason:
        """The reason of one selector that selects nothing."""
        return self._metric(selector, self._series.answer(selector), target)

    # --- what is selected ---

    def _selects_nothing(self, board: Board, panel: Panel, query: Query, selector: Selector, answer: Answer) -> Reason:
        target, request = query.target, t.cast(Request, query.request)
        if answer.presence is Presence.NO_SUCH_METRIC:
            return self._metric(selector, answer, target)
        # what is written out is in the way whatever is chosen
        wrong = sorted(answer.matchers, key=lambda one: bool(from_variable(target, one.name)))
        if any(not from_variable(target, one.name) for one in wrong):
            wrong = [one for one in wrong if not from_variable(target, one.name)]
        variable = from_variable(target, wrong[0].name) if wrong else ""
        whose = f" (from the variable {variable})" if variable else ""
        kept = bool(wrong) and bool(answer.matchers) and wrong[0] == answer.matchers[0]
        near = f"; nearest: {', '.join(answer.near)}" if answer.near and kept else ""
        shown = " and ".join(str(one) for one in wrong)
        of = selector.metric or "series"
        if answer.presence is Presence.NO_SUCH_IDENTITY:
            text = f"no {of} has {shown}{whose}{near}"
            fix = self._better_value(selector, wrong[0], answer.near if kept else (), target)
            return Reason("panel_label_missing", text, fix, variable=variable)
        if answer.presence is Presence.NOT_TOGETHER:
            text = f"no series is {selector}, though each of its labels exists"
            fix = f"See what there is: {self._values(selector, wrong[-1])}"
            return Reason("panel_selects_nothing", text, fix)
        if answer.presence is Presence.PAST:
            text = f"{selector} has had no sample for 24 hours"
            return Reason("panel_series_ended", text, f"See whether its target is up: {self._up(selector)}")
        if all(one.name == "__name__" for one in wrong):
            text = f"{of} comes with the first thing that it tells, and there was none so far"
            return Reason("panel_value_missing", text, may_be_empty_line(board, panel))
        there = self._there(selector, wrong[0], request) if not near else ()
        close = answer.near if kept else ()
        if there:
            shown_values = ", ".join(there[:_MOST_VALUES]) + (" and more" if len(there) > _MOST_VALUES else "")
            near = f"; there is {shown_values}"
            close = tuple(one for one in there if wrong[0].op == "=" and _same_number(one, wrong[0].value))
        text = f"no {of} has had {shown}{whose} so far{near}"
        if close:
            fix = self._better_value(selector, wrong[0], close, target)
            return Reason("panel_value_missing", text, fix, variable=variable)
        return Reason("panel_value_missing", text, may_be_empty_line(board, panel), variable=variable)

    def _there(self, selector: Selector, wrong: Matcher, request: Request) -> tuple[str, ...]:
        """The values that a label has where everything else of a selector is fulfilled."""
        others = [str(one) for one in selector.matchers if one != wrong]
        match = "{" + ",".join(others) + "}" if others else ""
        ask = Ask(_PROMETHEUS, "values", wrong.name, match, request.start, request.end)
        return self._asker.options(ask).values

    def _metric(self, selector: Selector, answer: Answer, target: Target) -> Reason:
        name = selector.metric or " and ".join(str(one) for one in answer.matchers)
        rule = self._recorded.get(name)
        if rule is not None:
            wait = not rule.evaluated
            text = (
                f"{name} is recorded by group {rule.group}, which {'was not evaluated yet' if wait else 'gives none'}"
            )
            fix = f"See what the rule asks for: {self._api.by_hand('/api/v1/query', [('query', rule.query)])}"
            return Reason("panel_metric_missing", text, fix, wait)
        near = f"; nearest: {', '.join(answer.near)}" if answer.near else ""
        text = f"there is no metric {name}{near}"
        if selector.metric and ":" in name and not any(":" in one for one in answer.near):
            text = f"there is no metric {name}, which is named as recording rules are, and no rule makes it"
            rules = self._api.by_hand("/api/v1/rules", [("type", "record")])
            return Reason("panel_metric_missing", text, f"Have the rule loaded that makes it; these are: {rules}")
        if selector.metric and answer.near and alike(name, answer.near[0]):
            better = renamed(target.expr, name, answer.near[0])
            if better != target.expr:
                return Reason("panel_metric_missing", text, f"Ask for a metric that exists: expr: {_yaml(better)}")
        names = self._api.by_hand("/api/v1/label/__name__/values")
        return Reason("panel_metric_missing", text, f"Have it scraped, or ask for a metric that exists: {names}")

    def _better_value(self, selector: Selector, wrong: Matcher, near: t.Sequence[str], target: Target) -> str:
        written = json.dumps(wrong.value, ensure_ascii=False)
        if near and target.expr.count(written) == 1:
            better = target.expr.replace(written, json.dumps(near[0], ensure_ascii=False))
            return f"Ask for a value that exists: expr: {_yaml(better)}"
        return f"See which values there are: {self._values(selector, wrong)}"

    def _values(self, selector: Selector, matcher: Matcher) -> str:
        params = [("match[]", selector.metric)] if selector.metric else []
        return self._api.by_hand(f"/api/v1/label/{matcher.name}/values", params)

    def _up(self, selector: Selector) -> str:
        kept = [one for one in selector.matchers if one.name in ("job", "namespace", "instance")]
        return self._api.by_hand("/api/v1/query", [("query", f"up{{{','.join(map(str, kept))}}}" if kept else "up")])

    # --- what is computed ---

    def _not_finite(self, board: Board, panel: Panel, request: Request) -> Reason:
        text = "it gives only NaN or infinity, as a division by zero does"
        return Reason("panel_not_finite", text, may_be_empty_line(board, panel))

    def _computed_empty(self, board: Board, panel: Panel, query: Query, request: Request, node: Node) -> Reason:
        for selector in dict.fromkeys(one for one in walk(node) if isinstance(one, Selector)):
            reason = self._not_now(selector, request, node)
            if reason is not None:
                return reason
        culprit = self._culprit(node, request)
        fix = may_be_empty_line(board, panel)
        if isinstance(culprit, Binary):
            return Reason("panel_result_empty", self._operation(culprit), fix)
        if isinstance(culprit, Call) and any(isinstance(one, Selector) and one.range for one in culprit.args):
            selector = next(one for one in culprit.args if isinstance(one, Selector) and one.range)
            return self._too_few(board, panel, query.target, request, culprit.name, selector)
        return Reason("panel_result_empty", f"{text_of(culprit)} gives nothing, though what it asks for exists", fix)

    def _too_few(
        self, board: Board, panel: Panel, target: Target, request: Request, name: str, selector: Selector
    ) -> Reason:
        """A range that holds less than two samples, most often because it is scraped less often than Grafana thinks."""
        length = t.cast(float, selector.range)
        text = f"{name}() has too few samples within {length:g} s"
        plain = text_of(Selector(selector.matchers))
        counted = request._replace(expr=f"max(count_over_time({plain}[{_COUNTED:.0f}s]))", instant=True)
        reply = self._asker.replies([counted])[counted]
        samples = reply.series[0][1][0][1] if reply.series and reply.series[0][1] else 0.0
        every = _COUNTED / samples if samples else 0.0
        if every * 2 <= length or not every:
            return Reason("panel_result_empty", text, may_be_empty_line(board, panel))
        text += f", and is scraped every {every:.0f} s only"
        if "__rate_interval" in target.expr:
            return Reason("panel_result_empty", text, f"Say so in the query: interval: {every:.0f}s")
        return Reason("panel_result_empty", text, f"Let the range hold four samples: [{every * 4:.0f}s]")

    def _not_now(self, selector: Selector, request: Request, node: Node) -> Reason | None:
        """A series of the last day that is not in the panel's range, or too young for it."""
        if not self._needs(node, selector):
            return None
        plain = text_of(Selector(selector.matchers))
        within = request._replace(expr=f"count({plain})")
        now = within._replace(instant=True)
        before = now._replace(expr=f"count({plain} offset {YOUNG:.0f}s)")
        answers = self._asker.replies([within, now, before])
        if any(reply.fault for reply in answers.values()):
            return None
        if not answers[within].found and not answers[now].found:
            text = f"{plain} has no sample within the time that the panel shows, and had some within 24 hours"
            return Reason("panel_series_ended", text, f"See whether its target is up: {self._up(selector)}")
        if selector.range is not None and answers[now].found and not answers[before].found:
            text = f"{plain} is younger than {YOUNG / 60:g} minutes"
            fix = f"Look again in some minutes: {self._api.by_hand('/api/v1/query', [('query', plain)])}"
            return Reason("panel_too_young", text, fix, wait=True)
        return None

    def _needs(self, node: Node, selector: Selector) -> bool:
        return selector in missing(node, lambda one: one != selector)

    def _culprit(self, node: Node, request: Request) -> Node:
        """Downwards as long as a part is empty too."""
        while True:
            below = [one for one in children(node) if not isinstance(one, Number) and _is_vector(one)]
            try:
                requests = {one: request._replace(expr=text_of(one)) for one in below}
            except ValueError:
                return node
            answers = self._asker.replies(requests.values())
            empty = [one for one in below if not answers[requests[one]].found and not answers[requests[one]].fault]
            if not empty or (isinstance(node, Binary) and node.op == "or" and len(empty) < 2):
                return node
            node = empty[0]

    def _operation(self, node: Binary) -> str:
        try:
            shown = operator_of(node)
        except ValueError:
            shown = node.op
        if node.op in _COMPARISONS and isinstance(node.right, Number):
            return f"no series is {shown} {text_of(node.right)}"
        if node.op == "unless":
            return "every series on the left of unless is also on its right"
        return f"both sides of {shown} have series, and none of the left matches one of the right"


def _is_constant(node: Node) -> bool:
    """Whether its value does not depend on what is measured."""
    if isinstance(node, Binary) and node.op == "*" and any(_is_zero(one) for one in (node.left, node.right)):
        return True
    return not any(isinstance(one, Selector) for one in walk(node))


def _is_zero(node: Node) -> bool:
    return isinstance(node, Number) and node.value == 0


def _is_vector(node: Node) -> bool:
    """Whether a part can be asked for by itself: a range can not."""
    if isinstance(node, Selector):
        return node.range is None
    return type(node).__name__ not in ("Subquery", "Text")


def alike(name: str, other: str) -> bool:
    """Whether one metric's name is likely meant by the other: to resemble it is not enough to put it in its place."""
    if difflib.SequenceMatcher(None, name, other).ratio() >= 0.92:
        return True
    words, others = name.split("_"), other.split("_")
    # the same but for a word at the end: _total, _seconds
    return abs(len(words) - len(others)) == 1 and words[: len(others)] == others[: len(words)]


def renamed(text: str, name: str, other: str) -> str:
    """The text with one metric in place of another."""
    return re.sub(rf"(?<![\w:]){re.escape(name)}(?![\w:])", other, text)


def may_be_empty_line(board: Board, panel: Panel) -> str:
    """The fix of a panel that is empty as long as all is well."""
    title, name = json.dumps(board.title, ensure_ascii=False), json.dumps(panel.title, ensure_ascii=False)
    line = f"may_be_empty: [{{board: {title}, panel: {name}, reason: empty as long as all is well}}]"
    return f"If no data is good there, say so: {line}"


def _same_number(one: str, other: str) -> bool:
    """Whether two labels are the same number, as C(le="1") and C(le="1.0") are."""
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def _yaml(text: str) -> str:
    """A text on one line of YAML."""
    return json.dumps(" ".join(text.split()), ensure_ascii=False)
