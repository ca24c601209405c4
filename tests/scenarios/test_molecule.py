# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every Molecule scenario that can run here, on the lab."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.lab_fixture import Lab

ROOT = Path(__file__).resolve().parents[2]
#: `lab` first: it installs; `default` then finds a finished cluster and must change nothing.
SCENARIOS = ("lab", "default")


def molecule(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run molecule as a user would, with the shared configuration."""
    return subprocess.run(
        ["molecule", "-c", "molecule/config.yml", *arguments],
        cwd=ROOT, env={**environment, "MOLECULE_GLOB": "molecule/*/molecule.yml", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=840,
    )  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str, lab: Lab) -> None:
    environment = lab.environment(INVENTORY="inventories/lab")
    done = molecule("test", "--scenario-name", scenario, environment=environment)
    assert done.returncode == 0, f"molecule test -s {scenario}\n{done.stdout[-12000:]}\n{done.stderr[-6000:]}"


def test_every_scenario_is_run_or_known() -> None:
    found = {path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")}
    assert found == set(SCENARIOS)


def test_the_default_scenario_makes_and_removes_no_cluster() -> None:
    settings = yaml.safe_load((ROOT / "molecule" / "default" / "molecule.yml").read_text())
    shared = yaml.safe_load((ROOT / "molecule" / "config.yml").read_text())
    sequence = settings.get("scenario", shared["scenario"])["test_sequence"]
    assert not {"create", "destroy", "prepare"} & set(sequence)
    assert [path.name for path in (ROOT / "molecule" / "default").iterdir()] == ["molecule.yml"]
