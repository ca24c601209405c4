# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of PromQL: it takes what Prometheus takes, tells what an expression needs, and never crashes."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _packs, _rules_files
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _promql as promql
from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql import Matcher, Selector
from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql_reach import (
    missing,
    needed,
    result_labels,
)
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[3]


def shipped() -> list[str]:
    """Every expression of packs, role and the chart's stand-in."""
    packs = _packs.load()
    found = [alert["expr"] for kind in packs.kinds() for alert in packs.own(kind).get("alerts", {}).values()]
    found += [item["expr"] for kind in packs.kinds() for item in packs.own(kind).get("health", [])]
    found += [alert["expr"] for alert in _rules_files.alerts().values()]
    filled = [
        text.replace("$selector", 'job="x"').replace("$threshold", "0.5").replace("$min_targets", "2") for text in found
    ]
    filled = [re.sub(r"\$(page|ticket)_\w+", "1", text) for text in filled]
    for path in sorted((ROOT / "lab/charts/kube-prometheus-stack/files/rules").glob("*.yaml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            filled += [rule["expr"] for rule in group["rules"]]
    return filled


@pytest.mark.parametrize("text", shipped())
def test_every_shipped_expression_is_read(text: str) -> None:
    assert promql.selectors(promql.parse(text)) or "vector(1)" in text


EQUAL = [
    ("sum(rate(x[5m])) by (job)", "sum by (job) (rate(x[300s]))"),
    ("sum by (b, a) (x)", "SUM BY (a, b,) (x)"),
    ("x{a='1'}", 'x {\n a = "1", # the first\n}'),
    ('{__name__="x"}', "x{}"),
    ('{"x", a="1"}', 'x{a="1"}'),
    ("x > 1000", "x > 1e3"),
    ("x > 0x10", "x > 16"),
    ("x offset 1h", "x offset 60m"),
    ("-1", "- 1"),
    ("a + b * c", "a + (b * c)"),
    ("a ^ b ^ c", "a ^ (b ^ c)"),
    ("a or b and c", "a or (b and c)"),
    ("a - b - c", "(a - b) - c"),
    (r'x{a="\\d"}', r"x{a=`\d`}"),
    (r'x{a="\x41\u0042\103"}', 'x{a="ABC"}'),
    ("x == bool on (a) group_left (b) y", "x ==bool on(a)group_left(b) y"),
    ("max_over_time(x[1h:])", "max_over_time( x [ 1h : ] )"),
    ("x @ end() offset 5m", "x offset 5m @ end()"),
    ("sum(x)", "sum by () (x)"),
    ("NaN", "nan"),
    ("1h30m", "5400"),
    ('x{b="2",a="1"}', 'x{a="1",b="2",a="1"}'),
]
DIFFERENT = [
    ("a + b", "b + a"),
    ("(a + b) * c", "a + b * c"),
    ("-2 ^ 2", "(-2) ^ 2"),
    ("x offset 5m", "x"),
    ("sum by (a) (x)", "sum without (a) (x)"),
    ("sum(x)", "sum without () (x)"),
    ('x{a="1"}', 'x{a!="1"}'),
    ("x and on (a) y", "x and ignoring (a) y"),
    ("rate(x[5m])", "rate(x[5m:])"),
    ("x > bool 1", "x > 1"),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_spelling_does_not_count(one: str, other: str) -> None:
    assert promql.parse(one) == promql.parse(other)
    assert promql.same(one, other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_meaning_counts(one: str, other: str) -> None:
    assert promql.parse(one) != promql.parse(other)
    assert not promql.same(one, other)


REFUSED = [
    "",
    "x +",
    "x{",
    "x{a=1}",
    "x{a}",
    "sum(",
    "sum by job (x)",
    "x[5m",
    "x[5]m",
    "(x))",
    "x[5m][5m]",
    "1 offset 5m",
    "x > bool",
    "a + bool b",
    '"unclosed',
    'x{a="\\q"}',
    "x # only",
    "$selector",
    "((((",
    "f(x,,y)",
]


@pytest.mark.parametrize("text", [one for one in REFUSED if one != "x # only"])
def test_what_is_no_promql_is_refused_with_the_place(text: str) -> None:
    with pytest.raises(promql.PromqlError, match="."):
        promql.parse(text)


def test_an_expression_may_be_deep_but_not_endless() -> None:
    assert promql.parse("(" * 50 + "x" + ")" * 50) == promql.parse("x")
    with pytest.raises(promql.PromqlError, match="deeply"):
        promql.parse("(" * 5000 + "x" + ")" * 5000)


def test_a_colon_in_brackets_is_no_part_of_a_name() -> None:
    node = promql.parse("max_over_time(job:up:sum[1h:5m])")
    assert isinstance(node, promql.Call)
    assert node.args[0] == promql.Subquery(promql.parse("job:up:sum"), 3600.0, 300.0)


def test_numbers_in_letters() -> None:
    assert promql.parse("Inf") == promql.Number(math.inf)
    assert promql.parse("+Inf") == promql.Number(math.inf)
    assert isinstance(promql.parse("inf{}"), Selector)


def test_a_selector_prints_as_it_is_written() -> None:
    assert str(promql.parse('up{job="x",pod=~"a.*"}')) == 'up{job="x", pod=~"a.*"}'
    assert str(promql.parse('{__name__=~"a|b"}')) == '{__name__=~"a|b"}'
    assert str(promql.parse('{"a.b"}')) == '{__name__="a.b"}'


@settings(max_examples=500)
@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        promql.parse(text)
    except promql.PromqlError as error:
        assert str(error)


WORDS = """
sum by (a) ( ) x{a="1"} [5m] [1h:] + - * / ^ == bool on (b) group_left and or unless 5 1e3 offset 5m @ end() rate absent
"text" , { } # topk(3,
"""
PIECES = st.sampled_from([*re.findall(r"\S+", WORDS), "\n"])


@settings(max_examples=800)
@given(st.lists(PIECES, max_size=25))
def test_any_sequence_of_its_own_words_is_read_or_refused(pieces: list[str]) -> None:
    text = " ".join(pieces)
    try:
        node = promql.parse(text)
    except promql.PromqlError:
        return
    missing(node, lambda _selector: False)
    result_labels(node)


def names(selectors: tuple[Selector, ...] | list[Selector]) -> list[str | None]:
    return [one.metric for one in selectors]


NEEDS = [
    ("a", ["a"]),
    ("a > 1", ["a"]),
    ("a / b > 1", ["a", "b"]),
    ("a and b", ["a", "b"]),
    ("a unless b", ["a"]),
    ("a or b", ["a", "b"]),
    ("a or vector(0)", []),
    ("absent(a)", []),
    ("a == 0 or absent(a)", []),
    ("absent_over_time(a[5m])", []),
    ("absent(a) and b", ["b"]),
    ("sum(rate(a[5m])) / sum(rate(b[5m]))", ["a", "b"]),
    ("a > scalar(b)", ["b", "a"]),
    ("topk(scalar(b), a)", ["b", "a"]),
    ("histogram_quantile(0.9, sum by (le) (rate(a[5m])))", ["a"]),
    ("max_over_time((a > 0)[1h:])", ["a"]),
    ("vector(1)", []),
    ("time() - a > 5", ["a"]),
    ("hour() > 5", []),
    ("-a", ["a"]),
    ("a + fill(0) b", ["a", "b"]),
    ("a + fill_right(0) b", ["a"]),
    ("a + fill_left(0) b", ["b"]),
]


@pytest.mark.parametrize(("text", "wanted"), NEEDS)
def test_what_an_expression_needs(text: str, wanted: list[str]) -> None:
    gone = missing(promql.parse(text), lambda _selector: False)
    assert sorted(str(name) for name in names(gone)) == sorted(wanted)


def test_one_living_side_of_or_is_enough() -> None:
    node = promql.parse("a or b")
    assert names(missing(node, lambda one: one.metric == "b")) == []
    assert names(needed(node)) == ["a", "b"]


def test_the_right_side_of_unless_is_not_asked_for_at_the_end() -> None:
    assert missing(promql.parse("a unless b"), lambda one: one.metric == "a") == ()


LABELS = [
    ("sum by (job, pod) (x)", {"job", "pod"}),
    ("sum(x)", set()),
    ("x", None),
    ("rate(x[5m])", None),
    ("sum by (job) (x) / sum by (job) (y) > 0.5", {"job"}),
    ("1 - avg by (instance) (x)", {"instance"}),
    ("absent(up{job='x', pod=~'a'})", {"job"}),
    ("max by (job) (up) == 0 or absent(up{job='x'})", {"job"}),
    ("sum by (a) (x) or y", None),
    ("sum by (a) (x) and y", {"a"}),
    ("sum by (a) (x) * on (a) group_left (b) y", {"a", "b"}),
    ("topk(3, sum by (a) (x))", {"a"}),
    ("topk by (z) (3, x)", None),
    ("count by (job) (count_values by (job) ('v', x))", {"job"}),
    ("count_values by (job) ('v', x)", {"job", "v"}),
    ("histogram_quantile(0.9, sum by (le, job) (x))", {"job"}),
    ("label_replace(sum by (a) (x), 'b', '$1', 'a', '(.*)')", {"a", "b"}),
    ("vector(1)", set()),
    ("sum without (pod) (x)", None),
    ("x * on (a, b) y", {"a", "b"}),
    ("time() - max by (job) (x)", {"job"}),
]


@pytest.mark.parametrize(("text", "wanted"), LABELS)
def test_labels_of_the_result(text: str, wanted: set[str] | None) -> None:
    found = result_labels(promql.parse(text))
    assert found == (None if wanted is None else frozenset(wanted))


def test_a_matcher_escapes_its_value() -> None:
    assert str(Matcher("a", "=~", 'x"\\d\n')) == 'a=~"x\\"\\\\d\\n"'
