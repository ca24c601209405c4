# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every alert fires in its case and stays silent in the other: promtool evaluates the rules as they are deployed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.promtool.generate import alerts_of, suites

SUITES = {one.name: one for one in suites()}
ALERTS = [(kind, name) for kind in SUITES for name in alerts_of(kind)]
# vector(1) has no silent case: that it never stops is its use.
ALWAYS = {"Watchdog"}


@pytest.fixture(scope="session")
def promtool() -> str:
    """promtool's path; the lab builds it."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed: the lab brings it")
    return found


@pytest.mark.parametrize(("kind", "name"), ALERTS)
def test_every_alert_has_a_case_that_fires_and_one_that_does_not(kind: str, name: str) -> None:
    cases = alerts_of(kind)[name].get("tests", [])
    assert [case for case in cases if case.get("fires") is not None], "no case fires"
    assert name in ALWAYS or [case for case in cases if case.get("fires") is None], "no case is silent"


@pytest.mark.parametrize("kind", SUITES)
def test_promtool_agrees(kind: str, promtool: str, tmp_path: Path) -> None:
    one = SUITES[kind]
    (tmp_path / f"{kind}.rules.json").write_text(json.dumps(one.rules))
    tests = tmp_path / f"{kind}.tests.json"
    tests.write_text(json.dumps(one.tests))
    check = subprocess.run(
        [promtool, "check", "rules", str(tmp_path / f"{kind}.rules.json")], capture_output=True, text=True
    )
    assert check.returncode == 0, check.stdout + check.stderr
    done = subprocess.run([promtool, "test", "rules", str(tests)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_expectation_is_noticed(promtool: str, tmp_path: Path) -> None:
    """The tests can fail: a case that is turned around does."""
    one = SUITES["generic"]
    turned = json.loads(json.dumps(one.tests))
    turned["tests"][0]["alert_rule_test"][0]["exp_alerts"] = []
    (tmp_path / "generic.rules.json").write_text(json.dumps(one.rules))
    (tmp_path / "tests.json").write_text(json.dumps(turned))
    done = subprocess.run([promtool, "test", "rules", str(tmp_path / "tests.json")], capture_output=True, text=True)
    assert done.returncode == 1
    assert "ServiceDown" in done.stdout + done.stderr
