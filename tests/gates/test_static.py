# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What needs no cluster and seconds: style, licences, changelog."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# antsibull-changelog finds out which collection it is in from its path.
COLLECTION = Path(sys.prefix) / "collections" / "ansible_collections" / "dataplatform" / "monitoring"

GATES = {
    "ruff": (["ruff", "check", "."], ROOT),
    "yamllint": (["yamllint", "--strict", "."], ROOT),
    "licences": (["reuse", "lint", "--lines"], ROOT),
    "changelog": (["antsibull-changelog", "lint"], COLLECTION),
}


@pytest.mark.parametrize("gate", GATES)
def test_gate(gate: str) -> None:
    command, folder = GATES[gate]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
