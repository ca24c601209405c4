# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Panels drawn small: values with units, paths made of numbers alone, gaps, thresholds, and a spike that survives."""

from __future__ import annotations

import math
import re

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _report_sketch, _report_units
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.873, "percentunit", "87.3 %"), (87.3, "percent", "87.3 %"), (0, "percentunit", "0 %"),
        (1536, "bytes", "1.5 KiB"), (1.2e9, "decbytes", "1.2 GB"), (2e6, "Bps", "2 MB/s"), (1024, "binBps", "1 KiB/s"),
        (0.00042, "s", "420 µs"), (0.25, "s", "250 ms"), (42, "s", "42 s"), (160, "s", "2 m 40 s"), (5, "ms", "5 ms"),
        (86400, "dtdurations", "1 d"), (0, "s", "0 s"), (7.25, "d", "7 d 6 h"), (340, "reqps", "340 req/s"),
        (15400, "rowsps", "15.4 k rows/s"), (1234567, "short", "1.23 M"), (12, "", "12"), (1, "bool_yes_no", "yes"),
        (0, "bool_on_off", "off"), (3, "suffix:tables", "3 tables"),
        (1795460861000, "dateTimeAsIso", "2026-11-23 19:07"),
        (5, "parsecs", "5 parsecs"), (math.nan, "s", "–"), (math.inf, "short", "–"), (None, "s", "–"), ("x", "s", "–"),
        ("0.5", "percentunit", "50 %"), (-0.34, "percentunit", "-34 %"), (1e30, "dateTimeAsIso", "1e+30"),
        (3, "mbytes", "3 MiB"),
        (0.00001, "short", "1e-05"), (99999, "none", "99999"), (123456, "none", "123 k"),
    ],
)  # fmt: skip
def test_units(value, unit, text):
    assert _report_units.value(value, unit) == text


@given(st.floats(), st.text(max_size=12))
def test_any_value_with_any_unit_is_words(value, unit):
    assert isinstance(_report_units.value(value, unit), str)


def panel(*series, **more):
    made = [{"name": f"s{index}", "points": points} for index, points in enumerate(series)]
    return {"title": "T", "type": "timeseries", "unit": "short", "series": made, **more}


def ramp(count=60, factor=1.0):
    return [[1000 + 60 * step, step * factor] for step in range(count)]


def test_the_highest_value_is_told_with_its_series():
    found = _report_sketch.sketch(panel(ramp(), ramp(factor=2)))
    assert (found["value"], found["series"]) == ("118", "s1, of 2")
    assert len(found["lines"]) == 2 and found["area"] == ""


def test_a_single_series_has_an_area_and_no_needless_name():
    found = _report_sketch.sketch(panel(ramp()))
    assert found["area"].endswith(f"V{_report_sketch.HEIGHT}H0Z")
    assert _report_sketch.sketch({**panel(ramp()), "title": "s0"})["series"] == ""


def test_a_gap_is_not_bridged_and_no_number_is_no_point():
    points = [[1, 1], [2, "NaN"], [3, None], [4, 2], [5, 3], [6, float("inf")], [7, 1]]
    (line,) = _report_sketch.sketch(panel(points))["lines"]
    assert line.count("M") == 3 and "h1" in line


def test_a_spike_survives_thinning():
    points = ramp(600, 0.0)
    points[333][1] = 100.0
    thin = _report_sketch.thinned(_report_sketch.points({"points": points}))
    assert len(thin) <= _report_sketch.POINTS and max(value for _at, value in thin) == 100.0


def test_points_may_be_text():
    text = {"points": "[[1, 2], [2, NaN], [3, 4]]"}
    assert _report_sketch.points(text) == [(1.0, 2.0), (2.0, None), (3.0, 4.0)]
    assert _report_sketch.points({"points": "no JSON"}) == _report_sketch.points({"points": "7"}) == []


def test_near_thresholds_are_drawn_and_far_ones_are_not():
    steps = [{"color": "green", "value": None}, {"color": "red", "value": 70}, {"color": "red", "value": 9000}]
    assert len(_report_sketch.sketch(panel(ramp(), thresholds=steps))["limits"]) == 1
    assert len(_report_sketch.sketch(panel(ramp(), thresholds={"steps": steps}))["limits"]) == 1
    assert len(_report_sketch.sketch(panel(ramp(), thresholds=[70, "x", None]))["limits"]) == 1


@pytest.mark.parametrize("kind", ["table", "bargauge", "stat", "gauge"])
def test_what_compares_now_is_ranked(kind):
    found = _report_sketch.sketch(panel(ramp(), ramp(factor=2), ramp(factor=0.5), ramp(factor=0.1), type=kind))
    assert [(row["name"], row["share"]) for row in found["rows"]] == [("s1", 1.0), ("s0", 0.5), ("s2", 0.25)]
    assert found["lines"] == []


def test_a_series_without_legend_is_named_by_its_values():
    assert _report_sketch.name_of({"name": '{namespace="a", pod="b-0", note="x\\"y"}'}) == 'a b-0 x\\"y'
    assert _report_sketch.name_of({"name": "{}"}) == "{}"
    assert _report_sketch.name_of({"name": "p95"}) == "p95"


def test_one_number_is_a_number():
    found = _report_sketch.sketch(panel([[1, 41]], type="stat"))
    assert (found["value"], found["rows"], found["lines"]) == ("41", [], [])


@pytest.mark.parametrize("series", [[], None, [{}], ["x"], [{"points": None}], [{"points": [1, [2], "ab", [None, 3]]}]])
def test_nothing_to_draw_is_nothing(series):
    found = _report_sketch.sketch({"title": "T", "series": series})
    assert (found["value"], found["lines"], found["rows"]) == ("", [], [])


@given(
    st.lists(
        st.lists(st.tuples(st.floats(0, 2e9), st.floats() | st.none() | st.text(max_size=3)), max_size=80), max_size=9
    )
)
def test_a_path_is_made_of_numbers_alone_and_stays_in_its_box(series):
    found = _report_sketch.sketch(panel(*[[list(point) for point in line] for line in series]))
    for path in [*found["lines"], found["area"]]:
        assert re.fullmatch(r"[MlhVHZ0-9 -]*", path)
    assert len(found["lines"]) <= _report_sketch.SERIES
    for path in found["lines"]:
        x = y = 0
        for kind, a, b in re.findall(r"([Ml])(-?\d+) ?(-?\d+)", path):
            x, y = (int(a), int(b)) if kind == "M" else (x + int(a), y + int(b))
            assert 0 <= x <= _report_sketch.WIDTH and 0 <= y <= _report_sketch.HEIGHT


def test_the_span_of_all():
    assert _report_sketch.span([{"panels": [panel(ramp(60)), panel(ramp(10))]}]) == 59 * 60
    assert _report_sketch.span([{"panels": []}]) == 0
