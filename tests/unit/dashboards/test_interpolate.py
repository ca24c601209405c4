# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables in texts, ranges and steps: as Grafana would put them in."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _dashboards_intervals as intervals
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_interpolate import (
    Value,
    interpolate,
    names_in,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_model import Board, Panel, Target

SCOPE = {
    "one": Value("one", "a.b"),
    "picked": Value("picked", "a.b", pattern=True),
    "many": Value("many", ("a.b", "c|d", "e"), pattern=True, text="All"),
    "single": Value("single", ("a.b",), pattern=True),
    "none": Value("none", (), pattern=True),
    "all": Value("all", ("x", "y"), pattern=True, literal=".*"),
    "chained": Value("chained", ("x",), pattern=True, literal="$one-.*"),
    "quote": Value("quote", 'it\'s "x"\\y'),
    "when": Value("when", "1700000000123"),
    "loop": Value("loop", "x", literal="$loop"),
}
CASES = [
    ("$one", "a.b"),
    ("${one}", "a.b"),
    ("[[one]]", "a.b"),
    ("x$one.y", "xa.b.y"),
    ("$onesie ${unknown} [[nope]]", "$onesie ${unknown} [[nope]]"),
    ("$picked", r"a\\.b"),
    ("$many", r"(a\\.b|c\\|d|e)"),
    ("$single", r"a\\.b"),
    ("$none", "()"),
    ("$all", ".*"),
    ("$chained", "a.b-.*"),
    ("${many:regex}", r"(a\.b|c\|d|e)"),
    ("${single:regex}", r"a\.b"),
    ("${many:pipe}", "a.b|c|d|e"),
    ("[[many:pipe]]", "a.b|c|d|e"),
    ("${many:csv}", "a.b,c|d,e"),
    ("${many:raw}", "a.b,c|d,e"),
    ("${many:json}", '["a.b","c|d","e"]'),
    ("${one:json}", "a.b"),
    ("${many:glob}", "{a.b,c|d,e}"),
    ("${single:glob}", "a.b"),
    ("${many:nonsense}", "{a.b,c|d,e}"),
    ("${many:distributed}", "a.b,many=c|d,many=e"),
    ("${many:doublequote}", '"a.b","c|d","e"'),
    ("${many:singlequote}", "'a.b','c|d','e'"),
    ("${quote:singlequote}", "'it\\'s \"x\"\\y'"),
    ("${quote:sqlstring}", "'it''s \"x\"\\y'"),
    ("${many:percentencode}", "%7Ba.b%2Cc%7Cd%2Ce%7D"),
    ("${many:uriencode}", "%7Ba.b,c%7Cd,e%7D"),
    ("${many:queryparam}", "var-many=a.b&var-many=c%7Cd&var-many=e"),
    ("${many:lucene}", '("a.b" OR "c\\|d" OR "e")'),
    ("${many:join:;}", "a.b;c|d;e"),
    ("${many:html}", "a.b, c|d, e"),
    ("${many:text}", "All"),
    ("${all:text}", "x + y"),
    ("${when:date}", "2023-11-14T22:13:20.123Z"),
    ("${when:date:seconds}", "1700000000"),
    ("${when:date:ms}", "1700000000123"),
    ("${one:date}", "NaN"),
    ("$quote", 'it\\\\\'s "x"\\\\y'),
    ("$loop", "$loop"),
]


@pytest.mark.parametrize(("text", "wanted"), CASES)
def test_as_prometheus_wants_it(text: str, wanted: str) -> None:
    assert interpolate(text, SCOPE) == wanted


def test_loki_has_no_parentheses_and_plain_text_no_escapes() -> None:
    assert interpolate("$many", SCOPE, "loki") == r"a\\.b|c\\|d|e"
    assert interpolate("$picked", SCOPE, "loki") == r"a\\.b"
    assert interpolate("$one", SCOPE, "loki") == "a.b"
    assert interpolate("$many", SCOPE, "text") == "{a.b,c|d,e}"


def test_names() -> None:
    assert names_in("$a ${b:csv} [[c]] ${d.text} $a $1x") == ["a", "b", "c", "d", "1x"]


NOW = 1_700_000_000.0
MOMENTS = [
    ("now", False, NOW),
    ("now-6h", False, NOW - 21_600),
    ("now+1m", False, NOW + 60),
    ("now/h", False, NOW // 3600 * 3600),
    ("now/h", True, NOW // 3600 * 3600 + 3599.999),
    ("now-1d/d", False, 1_699_833_600.0),
    ("now/w", False, 1_699_833_600.0),
    ("now/M", False, 1_698_796_800.0),
    ("now/M", True, 1_701_388_799.999),
    ("now/y", False, 1_672_531_200.0),
    ("now/y", True, 1_704_067_199.999),
    ("2023-11-14T00:00:00Z", False, 1_699_920_000.0),
    ("2023-11-14T00:00:00", False, 1_699_920_000.0),
    ("1699920000000", False, 1_699_920_000.0),
    ("rubbish", False, NOW),
]


@pytest.mark.parametrize(("text", "end", "wanted"), MOMENTS)
def test_moments(text: str, end: bool, wanted: float) -> None:
    assert intervals.instant(text, NOW, end) == pytest.approx(wanted)


def panel(**more: object) -> Panel:
    return Panel(1, "P", "timeseries", **more)


def test_the_range_of_a_panel_that_has_its_own() -> None:
    board = Board("u", "T", "", "here", time_from="now-1h")
    assert intervals.span_of(board, panel(), NOW) == (NOW - 3600, NOW)
    assert intervals.span_of(board, panel(time_from="6h"), NOW) == (NOW - 21_600, NOW)
    assert intervals.span_of(board, panel(time_shift="1d"), NOW) == (NOW - 90_000, NOW - 86_400)


def test_a_range_that_ends_in_the_future_ends_now() -> None:
    board = Board("u", "T", "", "here", time_from="now/d", time_to="now/d")
    found = intervals.span_of(board, None, NOW)
    assert found.end == NOW
    assert found.start == NOW // 86_400 * 86_400


STEPS = [
    # hours, panel, target, scrape interval of the datasource -> step, rate interval
    (1, {}, {}, None, 15, 60),
    (1, {}, {}, 30.0, 30, 120),
    (1, {"interval": "1m"}, {}, 30.0, 60, 120),
    (1, {"interval": ">2m"}, {}, 30.0, 120, 150),
    (24, {"max_points": 100}, {}, 15.0, 900, 915),
    (1, {}, {"step": "1m"}, 15.0, 60, 240),
    (1, {}, {"factor": 2}, 15.0, 30, 60),
    (1, {}, {"step": "$__rate_interval"}, 15.0, 60, 60),
    (24 * 365, {"max_points": 20_000}, {}, 15.0, 3600, 1815),
]


@pytest.mark.parametrize(("hours", "of_panel", "of_target", "scrape", "step", "rate"), STEPS)
def test_steps(hours: int, of_panel: dict, of_target: dict, scrape: float | None, step: float, rate: float) -> None:
    span = intervals.Span(NOW - hours * 3600, NOW)
    found = intervals.steps(panel(**of_panel), Target("A", "up", **of_target), span, scrape)
    assert found == (step, rate)


def test_durations() -> None:
    assert [intervals.seconds(one) for one in ("30s", "1h30m", ">10s", "500ms", "1M", "x", "")] == [
        30,
        5400,
        10,
        0.5,
        2_592_000,
        None,
        None,
    ]
    assert [intervals.text_of(one) for one in (60, 90, 0.5, 86_400, 0)] == ["1m", "90s", "500ms", "1d", "1ms"]
