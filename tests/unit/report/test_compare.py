# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What got better or worse: only of what both runs judged, and never a crash over an old document."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks, _report, _report_compare

CAUSE = {"code": "server_error", "message": "m", "fix": "f"}


def check(name, status):
    return {**_checks.ok(name, "1", "1"), "status": status, "cause": CAUSE if status in ("failed", "unknown") else None}


def doc(stamp="2026-11-23T19:00:00Z", slos=None, **verdicts):
    made = [
        {"name": name, "checks": [check(*pair) for pair in checks.items()], "notes": []}
        for name, checks in verdicts.items()
    ]
    return _report.document("verify", "lab", stamp, made, slos=slos)


def compared(now, before):
    return _report_compare.compare(doc(scrape=now), doc("2026-11-23T18:00:00Z", scrape=before))


@pytest.mark.parametrize(
    ("before", "now", "kind"),
    [
        ("ok", "failed", "worse"), ("ok", "unknown", "worse"), ("unknown", "failed", "worse"),
        ("ok", "accepted", "worse"),
        ("accepted", "failed", "worse"), ("not_applicable", "failed", "worse"),
        ("failed", "ok", "better"), ("failed", "unknown", "better"), ("accepted", "ok", "better"),
        ("ok", "not_applicable", "changed"), ("not_applicable", "ok", "changed"),
    ],
)  # fmt: skip
def test_steps(before, now, kind):
    found = compared({"x": now}, {"x": before})
    assert found[kind] == [{"name": "scrape/x", "before": before, "now": now}]
    assert _report_compare.differs(found) and found["same"] == 0


def test_new_gone_same_and_still_red():
    found = compared({"a": "ok", "b": "failed", "c": "unknown"}, {"b": "failed", "c": "unknown", "d": "ok"})
    assert (found["new"], found["gone"], found["same"]) == (["scrape/a"], ["scrape/d"], 2)
    assert found["still"] == ["scrape/b", "scrape/c"]
    assert _report_compare.line(found) == ("since verify of 2026-11-23T18:00:00Z: 2 red as before, 1 new, 1 gone")


def test_nothing_changed():
    found = compared({"a": "ok"}, {"a": "ok"})
    assert not _report_compare.differs(found)
    assert _report_compare.line(found).endswith("nothing changed")


def test_a_verdict_that_was_not_asked_for_is_not_gone():
    found = _report_compare.compare(doc(scrape={"a": "ok"}, slo={"s": "ok"}), doc(scrape={"a": "ok"}, logs={"l": "ok"}))
    assert (found["new"], found["gone"]) == ([], [])
    assert (found["only_now"], found["only_before"]) == (["slo"], ["logs"])


def test_budgets_that_moved_the_worst_first():
    def slos(**left):
        return [{"slo": name, "budget_left": value} for name, value in left.items()]

    now = doc(slos=slos(a=0.5, b=0.2, c=0.899, d=None, e=1), slo={"a": "ok"})
    before = doc(slos=slos(a=0.4, b=0.9, c=0.9, d=0.3, f=1), slo={"a": "ok"})
    assert [
        (item["name"], item["before"], item["now"]) for item in _report_compare.compare(now, before)["budgets"]
    ] == [
        ("b", 0.9, 0.2),
        ("a", 0.4, 0.5),
    ]


@pytest.mark.parametrize(
    "before",
    [
        None, [], "x", {}, {"cluster": "lab"}, {"cluster": "lab", "verdicts": None},
        {"cluster": "lab", "verdicts": [1]}, {"cluster": "lab", "verdicts": [{"name": "scrape"}]},
        {"cluster": "lab", "verdicts": [{"name": "logs", "checks": []}]},
        {**doc(scrape={"a": "ok"}), "cluster": "other"},
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_passed_over(before):
    assert not _report_compare.comparable(doc(scrape={"a": "ok"}), before)


def test_a_damaged_document_is_read_as_far_as_it_goes():
    before = {"cluster": "lab", "verdicts": [{"name": "scrape", "checks": [1, {"name": "a", "status": "purple"}, {}]}]}
    now = doc(scrape={"a": "ok"})
    assert _report_compare.comparable(now, before)
    assert _report_compare.compare(now, before)["new"] == ["scrape/a"]
