# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a tired person sees: green in a line, who was told, and what is red last, with cause and fix."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _checks,
    _criteria,
    _report,
    _report_compare,
    _report_terminal,
)

CAUSE = {"code": "server_unreachable", "message": "Nothing listens.", "fix": "kubectl -n x rollout restart deploy/y"}
GOOD = {"name": "scrape", "checks": [_checks.ok(f"entry {n}", "1 up", "1 up") for n in range(30)], "notes": []}
BAD = {
    "name": "logs",
    "checks": [_checks.failed("doris", "1 up", "0 up", [CAUSE, {**CAUSE, "code": "server_error"}])],
    "notes": [],
}
ROUTING = {"name": "routing", "checks": [_checks.ok("critical", "pagerduty, email", "pagerduty, email")], "notes": []}
DELIVERY = {
    "name": "delivery",
    "checks": [
        _checks.ok("email", "the message arrives", "arrived after 5.2 s"),
        _checks.not_applicable("cluster", "replicas form one cluster", "there is one replica by design"),
    ],
    "notes": [],
}
RULES = {
    "name": "rules",
    "checks": [_checks.ok("trino", "10 rules loaded", "10 of 10"), _checks.ok("minio", "9 rules loaded", "9 of 9")],
    "notes": [],
}


def lines_of(*verdicts, width=120, **options):
    return [line for line, _colour in _report_terminal.table("T", verdicts, width, **options)]


def test_a_green_verdict_is_one_line_and_every_check_with_v():
    assert [line for line in lines_of(GOOD) if "entry" in line] == []
    assert "  scrape   30 ok" in lines_of(GOOD)
    assert len([line for line in lines_of(GOOD, every=True) if "entry" in line]) == 30


def test_who_is_told_and_what_arrived_is_always_there():
    text = "\n".join(lines_of(GOOD, RULES, ROUTING, DELIVERY))
    assert "rules healthy 19 of 19" in text
    assert "ok  critical  pagerduty, email" in text
    assert "arrived after 5.2 s" in text and "there is one replica by design" in text


def test_what_is_red_comes_last_with_cause_and_whole_command():
    lines = lines_of(BAD, GOOD, width=80)
    text = "\n".join(lines)
    assert "1. logs/doris: FAILED" in text
    assert "   saw   0 up; expected 1 up" in text
    assert "server_unreachable: Nothing listens." in text and "server_error" in text
    assert "kubectl -n x rollout restart deploy/y" in text
    assert lines[-1] == "31 checks: 30 ok, 1 FAILED"
    assert text.index("30 ok") < text.index("1. logs/doris")


def test_the_count_is_coloured_by_the_verdict():
    assert _report_terminal.table("T", [BAD])[-1] == ("1 check: 1 FAILED", "red")
    assert _report_terminal.table("T", [GOOD])[-1] == ("30 checks: 30 ok", "green")


def test_of_many_faults_the_worst_are_told_whole():
    checks = [_checks.failed(f"e{n}", "1", "0", [{**CAUSE, "message": f"No {n}."}]) for n in range(30)]
    many = {"name": "scrape", "checks": checks, "notes": []}
    text = "\n".join(lines_of(many))
    assert text.count("   fix   ") == 8
    assert "30. scrape/e29: FAILED (server_unreachable)" in text and "Cause and fix of the last 22 causes" in text
    assert "\n".join(lines_of(many, every=True)).count("   fix   ") == 30


def test_a_note_that_checks_share_is_told_once():
    checks = [_checks.ok(name, "1", "1", notes=["same", f"own of {name}"]) for name in ("a", "b")]
    text = lines_of({"name": "v", "checks": checks, "notes": []})
    assert [line for line in text if line.startswith("note")] == [
        "note  v (2 checks): same",
        "note  v/a: own of a",
        "note  v/b: own of b",
    ]


def test_many_notes_are_counted():
    checks = [_checks.ok(str(n), "1", "1", notes=[f"note {n}"]) for n in range(40)]
    verdict = {"name": "v", "checks": checks, "notes": []}
    assert [line for line in lines_of(verdict) if line.startswith("note  and")] == ["note  and 32 more"]
    assert len([line for line in lines_of(verdict, every=True) if line.startswith("note")]) == 40


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_criteria_are_one_table(width):
    criteria = _criteria.criteria([GOOD, ROUTING])
    lines = lines_of(GOOD, ROUTING, width=width, criteria=criteria)
    assert [line for line in lines if "Promtail running on all nodes" in line]
    assert max(len(line) for line in lines) <= width
    assert lines[-1].endswith("1 of 10 success criteria met")
    assert any("not yet" in line for line in lines)


def test_the_run_before_is_told():
    before = _report.document("verify", "lab", "2026-11-23T18:00:00Z", [{**BAD, "checks": GOOD["checks"]}])
    now = _report.document("verify", "lab", "2026-11-23T19:00:00Z", [BAD])
    before["verdicts"][0]["checks"] = [_checks.ok("doris", "1 up", "1 up")]
    lines = lines_of(BAD, comparison=_report_compare.compare(now, before))
    assert "Since verify of 2026-11-23T18:00:00Z: 1 worse" in lines
    assert "  worse   logs/doris: ok -> failed" in lines


def test_a_terminal_is_not_written_to_by_a_cluster():
    hostile = "\x1b[2J\x1b]0;owned\x07 up\u202egnp\x9b31m\ud800"
    cause = {"code": "server_error", "message": hostile, "fix": hostile}
    bad = {
        "name": hostile,
        "checks": [_checks.failed(hostile, hostile, hostile, [cause], [hostile])],
        "notes": [hostile],
    }
    text = "\n".join(lines_of(bad, every=True, criteria=_criteria.criteria([bad])))
    assert [char for char in text if ord(char) < 32 and char != "\n" or 0x7F <= ord(char) < 0xA0] == []
    assert "\u202e" not in text and "␛[2J" in text
    text.encode("utf-8")
