# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What an error of a rule means, and what to write instead. This module util is PRIVATE to the collection.

Source of the texts: Prometheus, promql/engine.go, promql/parser and rules/alerting.go, rules/recording.go.
"""

from __future__ import annotations

import difflib
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql import (
    Binary,
    PromqlError,
    parse,
    walk,
)

# https://prometheus.io/docs/prometheus/latest/querying/functions/, those that people misspell.
FUNCTIONS = re.findall(
    r"[a-z0-9_]+",
    """
    abs absent absent_over_time acos asin atan avg_over_time ceil changes clamp clamp_max clamp_min cos
    count_over_time day_of_month day_of_week day_of_year days_in_month deg delta deriv
    double_exponential_smoothing exp floor histogram_avg histogram_count histogram_fraction histogram_quantile
    histogram_stddev histogram_sum hour idelta increase info irate label_join label_replace last_over_time ln
    log10 log2 mad_over_time max_over_time min_over_time minute month pi predict_linear present_over_time
    quantile_over_time rad rate resets round scalar sgn sin sort sort_by_label sort_by_label_desc sort_desc sqrt
    stddev_over_time stdvar_over_time sum_over_time tan time timestamp vector year
    """,
)
_RENAMED = {"holt_winters": "double_exponential_smoothing"}
_MATCH_GROUP = re.compile(
    r"found duplicate series for the match group (?P<group>\{.*?\}) on the (?P<side>left|right) hand-side of the "
    r"operation: \[(?P<one>\{.*?\}), (?P<other>\{.*?\})\]",
    re.DOTALL,
)
_PAIR = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"')


class Explained(t.NamedTuple):
    """C(code) of the cause, what is wrong, and what to do; C(line) ends the fix."""

    code: str
    message: str
    advice: str
    line: str


def labels_of(text: str) -> dict[str, str]:
    """The labels in a printed label set."""
    return dict(_PAIR.findall(text))


def explain(name: str, query: str, error: str, look: str) -> Explained:
    """What the error of a rule means.

    :param error: C(lastError), or the reason for which the operator rejected the rule.
    :param look: the command that shows the rule as it was applied.
    """
    for pattern, how in _KNOWN:
        found = pattern.search(error)
        if found:
            explained = how(name, query, error, found)
            return explained if explained.line else explained._replace(line=look)
    return Explained(
        "rule_error",
        f"{name} cannot be evaluated: {_short(error)}.",
        "Correct the rule where it comes from; this is what was applied",
        look,
    )


def _short(text: str, limit: int = 300) -> str:
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= limit else line[:limit] + "..."


def _operation(query: str, side: str) -> str:
    """The operator and matching of the first operation between two vectors, as it is written."""
    try:
        node = parse(query)
    except PromqlError:
        return ""
    for item in walk(node):
        if isinstance(item, Binary) and item.matching is not None:
            return f"{item.op} {item.matching[0]} ({', '.join(item.matching[1])})"
    return ""


def _many_to_many(name: str, query: str, error: str, _found: re.Match[str]) -> Explained:
    detail = _MATCH_GROUP.search(error)
    if detail is None:
        return Explained(
            "rule_many_to_many",
            f"{name}: both sides of an operation have several series with the same matching labels.",
            "Make one side unique by aggregating it by the labels that match",
            "expr: A * on (namespace, pod) group_left () max by (namespace, pod) (B)",
        )
    one, other = labels_of(detail["one"]), labels_of(detail["other"])
    group = labels_of(detail["group"])
    different = sorted(key for key in {*one, *other} if one.get(key) != other.get(key))
    told = ", ".join(
        f"{key} ({' and '.join(sorted([one.get(key, 'none'), other.get(key, 'none')]))})" for key in different
    )
    metric = one.get("__name__") or other.get("__name__") or "the series"
    place = f" {_operation(query, detail['side'])}".rstrip()
    sources = [key for key in ("job", "service", "instance", "endpoint") if key in different]
    hint = f": {metric} is told by two sources" if sources else ""
    matching = ", ".join(sorted(group)) or "job"
    return Explained(
        "rule_many_to_many",
        f"{name}: the {detail['side']} side of{place or ' an operation'} has two series for {detail['group']}, which "
        f"differ in {told}{hint}.",
        f"Keep one source of {metric}, or make the {detail['side']} side unique",
        f"expr: max by ({matching}) ({metric if metric != 'the series' else 'A'})",
    )


def _many_to_one(name: str, query: str, _error: str, _found: re.Match[str]) -> Explained:
    place = _operation(query, "")
    return Explained(
        "rule_many_to_one",
        f"{name}: several series on one side{f' of {place}' if place else ''} match one on the other, which has to be "
        "said.",
        "Say which side has several with group_left (the left one) or group_right",
        "expr: A / on (namespace) group_left () B",
    )


def _not_unique(name: str, _query: str, _error: str, _found: re.Match[str]) -> Explained:
    return Explained(
        "rule_many_to_one",
        f"{name}: group_left or group_right copies labels that do not tell the results apart.",
        "Add labels to on () until each result is unique",
        "expr: A / on (namespace, pod) group_left () B",
    )


def _same_labels(name: str, _query: str, error: str, _found: re.Match[str]) -> Explained:
    rules_own = "after applying" in error
    why = (
        "the rule's own labels overwrite the ones in which its results differ"
        if rules_own
        else "a function dropped the names that told its series apart"
    )
    return Explained(
        "rule_duplicate_result",
        f"{name}: two results have the same labels, because {why}.",
        "Aggregate by the labels that matter, so that each result is unique",
        "expr: sum by (job) (rate(A[5m]) or rate(B[5m]))",
    )


def _unknown_function(name: str, _query: str, _error: str, found: re.Match[str]) -> Explained:
    wrong = found.group(1)
    near = _RENAMED.get(wrong) or next(iter(difflib.get_close_matches(wrong, FUNCTIONS, 1, 0.6)), "")
    return Explained(
        "rule_unknown_function",
        f"{name}: this Prometheus knows no function {wrong}{f'; {near} is the nearest' if near else ''}.",
        f"Write {near or 'a function that this version has'} where the rule comes from; this is what was applied",
        "",
    )


def _syntax(name: str, _query: str, error: str, found: re.Match[str]) -> Explained:
    return Explained(
        "rule_syntax",
        f"{name} is not PromQL: {_short(error[found.start() :], 200)}.",
        "Correct the rule where it comes from; this is what was applied",
        "",
    )


def _limit(name: str, _query: str, _error: str, found: re.Match[str]) -> Explained:
    return Explained(
        "rule_limit_exceeded",
        f"{name}: the limit of its group is {found.group(1)} and it has {found.group(2)}, so none of them counts.",
        "Aggregate, so that fewer remain, or raise the limit of the group",
        f"limit: {int(found.group(2)) * 2}",
    )


def _expensive(name: str, _query: str, error: str, _found: re.Match[str]) -> Explained:
    what = (
        "takes longer than a query may" if "time" in error or "deadline" in error else "loads more samples than allowed"
    )
    return Explained(
        "rule_query_too_expensive",
        f"{name} {what}: {_short(error, 160)}.",
        "Shorten its range, narrow its selectors, or record its parts in rules of their own; this is what was applied",
        "",
    )


_KNOWN: tuple[tuple[re.Pattern[str], t.Callable[..., Explained]], ...] = (
    (re.compile(r"many-to-many matching not allowed|found duplicate series for the match group"), _many_to_many),
    (re.compile(r"many-to-one matching must be explicit"), _many_to_one),
    (re.compile(r"grouping labels must ensure unique matches"), _not_unique),
    (re.compile(r"same labelset|duplicate labelset|duplicate series"), _same_labels),
    (re.compile(r"unknown function with name \"?([A-Za-z_0-9]+)"), _unknown_function),
    (re.compile(r"parse error|could not parse expression"), _syntax),
    (re.compile(r"exceeded limit of (\d+) with (\d+)"), _limit),
    (re.compile(r"timed out|too many samples|deadline exceeded|context canceled"), _expensive),
)
