# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people and machines are told: every red check with cause and fix; a verdict not given is unknown."""

from __future__ import annotations

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
    assert why in verdict["checks"][0]["cause"]["message"]
    assert _report.document("verify", "lab", "now", [verdict])["failed"] is True


def test_the_table_tells_every_cause_and_keeps_the_command_whole():
    text = "\n".join(line for line, _colour in _report.table("T", [_report.collect("scrape", BAD)], 80))
    assert "scrape/doris: FAILED" in text
    assert "server_unreachable: Nothing listens." in text and "server_error" in text
    assert "kubectl -n x rollout restart deploy/y" in text
    assert text.endswith("1 check: 1 FAILED")


def test_a_note_that_checks_share_is_told_once():
    checks = [_checks.ok(name, "1", "1", notes=["same", f"own of {name}"]) for name in ("a", "b")]
    text = [line for line, _colour in _report.table("T", [{"name": "v", "checks": checks, "notes": []}])]
    assert [line for line in text if line.startswith("note")] == [
        "note  v (2 checks): same",
        "note  v/a: own of a",
        "note  v/b: own of b",
    ]


def test_all_green_says_so():
    lines = _report.table("T", [_report.collect("scrape", GOOD)])
    assert lines[-1] == ("1 check: 1 ok", "green")


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
