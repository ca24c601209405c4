# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The workflow of the public forge: it runs what make runs, and what root leaves reaches those who are not root."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
JOBS: dict[str, list[dict[str, Any]]] = {name: job["steps"] for name, job in WORKFLOW["jobs"].items()}


@pytest.mark.parametrize("job", JOBS)
def test_root_keeps_the_path_and_the_cache_of_the_runner(job: str) -> None:
    commands = [step["run"] for step in JOBS[job] if "sudo" in step.get("run", "") and "chown" not in step["run"]]
    assert commands
    for command in commands:
        kept = re.search(r"--preserve-env=(\S+)", command)[1].split(",")
        assert {"PATH", "XDG_CACHE_HOME"} <= set(kept)


@pytest.mark.parametrize("job", JOBS)
def test_what_root_made_is_handed_over_before_it_is_kept(job: str) -> None:
    """The cache is saved after the last step."""
    (handed,) = [index for index, step in enumerate(JOBS[job]) if "chown" in step.get("run", "")]
    assert JOBS[job][handed]["if"] == "always()"
    assert JOBS[job][handed]["run"] == 'sudo chown -R "$USER" . "$XDG_CACHE_HOME"'
    (kept,) = [index for index, step in enumerate(JOBS[job]) if "upload-artifact" in step.get("uses", "")]
    made = max(index for index, step in enumerate(JOBS[job]) if "--preserve-env" in step.get("run", ""))
    assert made < handed < kept
    assert JOBS[job][kept]["with"]["path"] == "evidence"


def test_what_is_cached_lies_where_it_is_looked_for() -> None:
    cache = WORKFLOW["env"]["XDG_CACHE_HOME"]
    (step,) = [step for step in JOBS["test"] if "actions/cache" in step.get("uses", "")]
    assert step["with"]["path"].split() == [f"{cache}/dataplatform-monitoring", f"{cache}/uv"]


def test_kind_is_molecules_own_run_of_its_scenario() -> None:
    (command,) = [step["run"] for step in JOBS["kind"] if "make " in step.get("run", "")]
    done = subprocess.run(
        ["make", "-n", *command.partition("make ")[2].split()],
        cwd=ROOT, env={**os.environ, "MAKEFLAGS": ""}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "molecule -c molecule/config.yml test -s kind" in done.stdout
    assert "MOLECULE_GLOB='molecule/*/molecule.yml'" in done.stdout
