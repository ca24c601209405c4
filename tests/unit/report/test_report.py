# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people and machines are told: every red check with cause and fix; a verdict not given is unknown."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks, _report
from hypothesis import given
from hypothesis import strategies as st

CAUSE = {"code": "server_unreachable", "message": "Nothing listens.", "fix": "kubectl -n x rollout restart deploy/y"}
GOOD = {"checks": [_checks.ok("trino", "1 up", "1 up")], "notes": []}
BAD = {"checks": [_checks.failed("doris", "1 up", "0 up", [CAUSE, {**CAUSE, "code": "server_error"}])]}


@pytest.mark.parametrize(
    ("result", "why"),
    [
        ({"skipped": True, "skip_reason": "Conditional result was False"}, "its task was skipped"),
        ({"failed": True, "msg": "Traceback\n x"}, "its task ended with: Traceback x"),
        ({"unreachable": True, "msg": "no route"}, "no route"),
        ({}, "its task left no result"),
        (None, "its task left no result"),
        ({"checks": []}, "its task left no result"),
        ({"checks": "ok"}, "its task left no result"),
    ],
)
def test_a_verdict_that_was_not_given_is_unknown(result, why):
    verdict = _report.collect("logs", result)
    assert [check["status"] for check in verdict["checks"]] == ["unknown"]
    assert verdict["checks"][0]["cause"]["code"] == "verdict_missing"
    assert why in verdict["checks"][0]["cause"]["message"]
    assert _report.document("verify", "lab", "now", [verdict])["failed"] is True


def test_junit_counts_and_types():
    root = ET.fromstring(  # noqa: S314 - our own text
        _report.junit("verify", "lab", "now", [_report.collect("scrape", BAD), _report.collect("logs", None)])
    )
    suites = {suite.get("name"): suite for suite in root}
    assert (suites["scrape"].get("failures"), suites["logs"].get("errors")) == ("1", "1")
    failure = suites["scrape"].find("testcase/failure")
    assert failure.get("type") == "server_unreachable" and "fix: kubectl" in failure.text


@given(st.text())
def test_junit_is_well_formed_whatever_a_server_sends(text):
    check = _checks.failed(text, text, text, [{"code": "server_error", "message": text, "fix": text}])
    ET.fromstring(  # noqa: S314 - our own text
        _report.junit("p", "c", "now", [{"name": "s", "checks": [check], "notes": []}])
    )


def test_the_digest_names_what_is_red():
    doc = _report.document("verify", "lab", "now", [_report.collect("scrape", BAD), _report.collect("logs", GOOD)])
    digest = _report.digest(doc)
    assert digest["red"] == [{"name": "scrape/doris", "status": "failed", "cause": "server_unreachable"}]
    assert digest["summary"]["total"] == 2


def test_what_is_red_is_told_in_order_of_severity():
    red = [
        _checks.unknown("delivery/email", "1", "?", [CAUSE]),
        _checks.failed("dashboards/Kafka", "1", "0", [CAUSE]),
        _checks.failed("something of one's own", "1", "0", [CAUSE]),
        _checks.failed("scrape/doris", "1", "0", [CAUSE]),
        _checks.ok("logs/x", "1", "1"),
        _checks.failed("delivery/slack", "1", "0", [CAUSE]),
    ]
    assert [check["name"] for check in _report.red_checks(red)] == [
        "delivery/slack",
        "scrape/doris",
        "dashboards/Kafka",
        "something of one's own",
        "delivery/email",
    ]


def test_one_fault_that_many_checks_have_is_told_once():
    other = {**CAUSE, "message": "Another."}
    red = [_checks.failed(f"scrape/{name}", "1", "0", [CAUSE]) for name in "ab"]
    red += [_checks.failed("scrape/c", "1", "0", [other]), _checks.unknown("scrape/d", "1", "0", [CAUSE])]
    found = _report.findings(red)
    assert [finding["names"] for finding in found] == [["scrape/a", "scrape/b"], ["scrape/c"], ["scrape/d"]]


def test_causes_of_one_code_with_one_fix_stand_together():
    one, two, other = ({**CAUSE, "message": "One."}, {**CAUSE, "message": "Two."}, {**CAUSE, "fix": "else"})
    assert [(entry["messages"], entry["fix"]) for entry in _report.remedies([one, other, two])] == [
        (["One.", "Two."], CAUSE["fix"]),
        (["Nothing listens."], "else"),
    ]


def test_the_message_of_the_task_names_the_worst_with_its_fix():
    checks = _report.all_checks([_report.collect("scrape", BAD), _report.collect("logs", None)])
    line = _report.first_line(checks)
    assert line.startswith("2 checks: 1 FAILED, 1 unknown. scrape/doris: Nothing listens. Fix: kubectl -n x")
    assert line.endswith("deploy/y (also red: logs/logs)")
    assert _report.first_line(_report.all_checks([_report.collect("logs", GOOD)])) == "1 check: 1 ok"


def test_the_document_keeps_boards_without_their_points():
    panel = {"id": 1, "title": "QPS", "status": "data", "series": [{"name": "a", "points": [[1, 2]]}]}
    doc = _report.document(
        "verify", "lab", "now", [_report.collect("logs", GOOD)],
        slos=[{"slo": "trino-availability"}], boards=[{"uid": "u", "title": "T", "panels": [panel]}],
        timeline=[{"name": "scrape", "seconds": 1.0, "share": 1.0}], criteria=[],
    )  # fmt: skip
    assert doc["boards"] == [{"uid": "u", "title": "T", "panels": [{"id": 1, "title": "QPS", "status": "data"}]}]
    assert doc["slos"] and doc["timeline"] and doc["criteria"] == []
    assert {"slos", "boards", "timeline", "criteria"}.isdisjoint(
        _report.document("day1", "lab", "now", [_report.collect("logs", GOOD)])
    )
    assert panel["series"]


def test_the_digest_stays_small():
    checks = [_checks.failed(f"check {number}", "x" * 500, "y" * 500, [CAUSE]) for number in range(5000)]
    boards = [{"title": str(number), "panels": [{"reason": "z" * 1000}]} for number in range(100)]
    doc = _report.document("verify", "lab", "now", [{"name": "scrape", "checks": checks, "notes": []}], boards=boards)
    doc["criteria"] = [{"criterion": "c", "status": "ok", "evidence": "e"}, {"criterion": "d", "status": "failed"}]
    digest = _report.digest(doc)
    assert len(json.dumps(digest)) < 16_000
    assert digest["criteria"] == {"met": 1, "total": 2}
