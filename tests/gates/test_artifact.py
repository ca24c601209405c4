# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `ansible-galaxy collection build` packs: the collection and nothing else, and it works where it is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.gates import collection_copy

ROOT = Path(__file__).resolve().parents[2]
PACKED = {"CHANGELOG.rst", "COPYING", "LICENSES", "README.md", "changelogs", "docs", "inventories", "meta", "playbooks"}
PACKED |= {"plugins", "roles", "FILES.json", "MANIFEST.json"}
MOST_BYTES = 2_000_000


def _run(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built archive."""
    return collection_copy.build_artifact(tmp_path_factory.mktemp("artifact"))


@pytest.fixture(scope="module")
def installed(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty path into which the archive was installed; kubernetes.core comes from the environment."""
    folder = tmp_path_factory.mktemp("installed")
    collection_copy.install_artifact(artifact, folder)
    return folder


def test_the_artifact_holds_the_collection_and_nothing_else(artifact: Path) -> None:
    with tarfile.open(artifact) as archive:
        names = archive.getnames()
    assert {name.split("/")[0] for name in names} <= PACKED
    assert [name for name in names if name.endswith((".pyc", ".tar.gz", ".retry")) or "__pycache__" in name] == []
    assert [name for name in names if name.startswith(("inventories/lab", "inventories/kind"))] == []
    assert artifact.stat().st_size < MOST_BYTES


def test_every_module_is_documented_where_it_is_installed(installed: Path) -> None:
    path = os.pathsep.join([str(installed), str(Path(sys.prefix) / "collections")])
    folder = installed / "ansible_collections" / "dataplatform" / "monitoring" / "plugins" / "modules"
    modules = [f"dataplatform.monitoring.{file.stem}" for file in sorted(folder.glob("*.py"))]
    told = json.loads(_run("ansible-doc", "--json", *modules, ANSIBLE_COLLECTIONS_PATH=path))
    assert sorted(told) == modules
    assert {str(Path(entry["doc"]["filename"]).parent) for entry in told.values()} == {str(folder)}


def test_playbooks_run_by_name_where_they_are_installed(installed: Path) -> None:
    """Roles, filters and playbooks are found by their full names, without the checkout."""
    path = os.pathsep.join([str(installed), str(Path(sys.prefix) / "collections")])
    folder = installed / "ansible_collections" / "dataplatform" / "monitoring" / "playbooks"
    playbooks = [f"dataplatform.monitoring.{file.stem}" for file in sorted(folder.glob("*.yml"))]
    assert "dataplatform.monitoring.day1" in playbooks
    for playbook in playbooks:
        _run("ansible-playbook", "--syntax-check", "-i", "localhost,", playbook, ANSIBLE_COLLECTIONS_PATH=path)
