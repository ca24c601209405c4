# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict contract: a red check has a cause, an exception hides one fault only, nothing judged is never good."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _causes, _checks

TODAY = datetime.date(2026, 11, 23)
DOWN = {"code": "server_unreachable", "message": "trino is down.", "fix": "start it"}
SLOW = {"code": "server_error", "message": "trino is slow.", "fix": "wait"}
EXCEPTION = {"name": "trino", "reason": "rebuilt", "owner": "ann", "until": "2026-12-31"}


def red(name="trino", causes=(DOWN,)):
    return _checks.failed(name, "1 up", "0 up", list(causes))


def test_a_failure_without_a_cause_cannot_be_built():
    with pytest.raises(ValueError, match="'trino' failed without a cause"):
        _checks.failed("trino", "1", "0", [])
    with pytest.raises(ValueError, match="unknown without a cause"):
        _checks.unknown("trino", "1", "0", [])


def test_an_undocumented_code_is_refused():
    with pytest.raises(KeyError, match="no_such_code"):
        _causes.cause("no_such_code", "m", "f")


def test_nothing_judged_fails():
    assert _checks.must_fail([])
    assert _checks.first_line([]).startswith("Nothing was judged")


@pytest.mark.parametrize(
    ("check", "fails"),
    [
        (_checks.ok("a", "1", "1"), False),
        (_checks.not_applicable("a", "1", "optional"), False),
        (red(), True),
        (_checks.unknown("a", "1", "?", [SLOW]), True),
    ],
)
def test_which_statuses_fail(check, fails):
    assert _checks.must_fail([check]) is fails


def test_first_line_names_check_cause_and_fix():
    line = _checks.first_line([_checks.ok("a", "1", "1"), red(), red("superset")])
    assert line == "2 failed of 3 checks. trino: trino is down. Fix: start it Also: superset."


def test_an_exception_accepts_and_says_so():
    checks, notes = _checks.accept([red()], [EXCEPTION], TODAY)
    assert checks[0]["status"] == "accepted"
    assert checks[0]["notes"] == ["accepted until 2026-12-31 by ann: rebuilt"]
    assert notes == []


def test_an_expired_exception_leaves_it_red():
    checks, notes = _checks.accept([red()], [{**EXCEPTION, "until": "2026-11-22"}], TODAY)
    assert checks[0]["status"] == "failed"
    assert "ended on 2026-11-22" in checks[0]["notes"][0] and "ended on 2026-11-22" in notes[0]


def test_an_exception_for_one_fault_does_not_hide_a_second():
    item = {**EXCEPTION, "code": "server_unreachable"}
    assert _checks.accept([red()], [item], TODAY)[0][0]["status"] == "accepted"
    assert _checks.accept([red(causes=(DOWN, SLOW))], [item], TODAY)[0][0]["status"] == "failed"


@pytest.mark.parametrize(
    ("item", "note"),
    [
        ("trino", "is not a mapping"),
        ({"name": "trino"}, "lacks reason, owner, until"),
        ({**EXCEPTION, "until": "soon"}, "'soon' is not a date"),
    ],
)
def test_a_malformed_exception_is_told_and_without_effect(item, note):
    checks, notes = _checks.accept([red()], [item], TODAY)
    assert checks[0]["status"] == "failed"
    assert note in notes[0]


def test_an_exception_without_use_is_told():
    checks, notes = _checks.accept([_checks.ok("trino", "1", "1")], [EXCEPTION], TODAY)
    assert checks[0]["status"] == "ok"
    assert notes == ["acceptance of 'trino' is not needed any more: remove it"]
