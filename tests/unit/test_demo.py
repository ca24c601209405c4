# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`'s own words, with an ansible-playbook that only pretends."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = """#!/bin/sh
# -i INVENTORY playbooks/NAME.yml
name=$(basename "$3" .yml)
echo "played $name on $2 with $KUBECONFIG"
[ -z "$ANSIBLE_LOG_PATH" ] || echo "lab : ok=9 changed=$CHANGED unreachable=0 failed=0" >>"$ANSIBLE_LOG_PATH"
[ "$name" != "$FAILS" ] || exit 2
mkdir -p "evidence/lab/20260102T000000Z-$name"
cp verdict.json "evidence/lab/20260102T000000Z-$name/"
"""
PYTHON = """#!/bin/sh
case "$*" in
  "-m lab up") echo "the lab is up" ;;
  .ci/context.py) echo "  context mine" ;;
  *) exec {python} "$@" ;;
esac
"""


def check(name: str, observed: str) -> dict[str, Any]:
    return {"name": name, "status": "ok", "expected": "", "observed": observed, "cause": None}


VERDICT = {
    "cluster": "lab",
    "verdicts": [
        {"name": "rules", "checks": [check("trino", "12 of 12 rules healthy"), check("vault", "3 of 3 rules healthy")]},
        {"name": "routing", "checks": [check("critical pages", "pagerduty, email")]},
        {"name": "delivery", "checks": [check("email", "notified after 5.2 s by every replica")]},
    ],
}


class Demo:
    """A checkout with nothing but the demo in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / ".venv" / "bin").mkdir(parents=True)
        (folder / ".ci").mkdir()
        for name in ("demo", "told.py"):
            shutil.copy(ROOT / ".ci" / name, folder / ".ci")
        for name, text in {"ansible-playbook": PLAYBOOK, "python": PYTHON.format(python=sys.executable)}.items():
            (folder / ".venv" / "bin" / name).write_text(text)
            (folder / ".venv" / "bin" / name).chmod(0o755)
        (folder / "verdict.json").write_text(json.dumps(VERDICT))
        # Of another day: no evidence of this run.
        old = folder / "evidence" / "old" / "20250101T000000Z-day2"
        old.mkdir(parents=True)
        os.utime(old, (0, 0))

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if name not in ("KUBECONFIG", "INVENTORY", "YES")}
        return subprocess.run(
            [self.folder / ".ci" / "demo"], env={**clean, "CHANGED": "0", "FAILS": "", **environment},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    return Demo(tmp_path)


@pytest.mark.parametrize(("changed", "told"), [("0", "The days changed nothing"), ("4", "The days are done")])
def test_its_last_lines_say_what_was_proved(demo: Demo, changed: str, told: str) -> None:
    done = demo.run(CHANGED=changed)
    assert done.returncode == 0, done.stderr
    played = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("played")]
    assert played == ["day1", "day2", "day3", "verify"]
    *_rest, cluster, routing, delivery, rules, last = done.stdout.splitlines()
    assert cluster == "lab:"
    assert routing == "  routing   ok  critical pages: pagerduty, email"
    assert delivery == "  delivery  ok  email: notified after 5.2 s by every replica"
    assert rules == "  rules     healthy 15 of 15"
    assert last.startswith(f"{told}; everything expected is there and healthy (cluster ")
    assert last.endswith("Evidence: evidence/lab/20260102T000000Z-verify")


@pytest.mark.parametrize(("name", "words"), [("day2", "day 2 failed"), ("verify", "the verdict, read-only failed")])
def test_what_fails_ends_it(demo: Demo, name: str, words: str) -> None:
    done = demo.run(FAILS=name)
    assert done.returncode == 1
    assert words in done.stderr and done.stderr.rstrip().endswith("again: make demo")
    assert "healthy" not in done.stdout


def test_a_cluster_of_ones_own_needs_an_inventory(demo: Demo) -> None:
    done = demo.run(KUBECONFIG=str(demo.folder / "mine"))
    assert done.returncode == 2
    assert "INVENTORY=DIR" in done.stderr and "played" not in done.stdout


def test_a_cluster_of_ones_own_is_changed_by_consent_alone(demo: Demo) -> None:
    mine = {"KUBECONFIG": str(demo.folder / "mine"), "INVENTORY": "my/inventory"}
    asked = demo.run(**mine)
    assert asked.returncode == 1
    assert "context mine" in asked.stdout and "nothing was changed" in asked.stderr and "played" not in asked.stdout
    done = demo.run(**mine, YES="1")
    assert done.returncode == 0
    assert f"played day1 on my/inventory with {mine['KUBECONFIG']}" in done.stdout
    assert "the lab is up" not in done.stdout
