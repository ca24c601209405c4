# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Galaxy would get, installed into an empty path, plays day 1."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.gates import collection_copy
from tests.lab_fixture import ROOT, Lab


def test_the_artifact_plays_day_1(lab: Lab, tmp_path: Path) -> None:
    """Beside it only kubernetes.core: the checkout must not be found instead."""
    home = collection_copy.install_artifact(collection_copy.build_artifact(tmp_path), tmp_path / "collections")
    beside = tmp_path / "collections" / "ansible_collections" / "kubernetes"
    beside.mkdir()
    (beside / "core").symlink_to(Path(sys.prefix) / "collections" / "ansible_collections" / "kubernetes" / "core")
    environment = lab.environment(
        ANSIBLE_COLLECTIONS_PATH=str(tmp_path / "collections"), ANSIBLE_COLLECTIONS_SCAN_SYS_PATH="false"
    )
    inventory = os.path.relpath(ROOT / "inventories" / "lab", tmp_path)
    done = subprocess.run(
        ["ansible-playbook", "-i", inventory, "-e", f"monitoring_evidence_dir={tmp_path}/evidence",
         "-vv", "dataplatform.monitoring.day1"],
        cwd=tmp_path, env=environment,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-8000:]}\n{done.stderr[-4000:]}"
    assert f"{home}/roles/" in done.stdout
    assert str(ROOT / "roles") not in done.stdout
    assert list(tmp_path.glob("evidence/lab/*-day1/verdict.json"))
