# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-test sanity, all of its tests and without an ignore file, and antsibull's check of the documentation."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.gates import collection_copy


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy at the path that both tools insist on."""
    return collection_copy.copy_collection(tmp_path_factory.mktemp("sanity"))


def _gate(*command: str, folder: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=840,
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-6000:]}\n{done.stderr[-12000:]}"


def test_sanity(collection: Path) -> None:
    _gate(
        "ansible-test", "sanity", "--local", "--color", "no", "--python", collection_copy.python_version(),
        folder=collection, environment=collection_copy.ansible_test_environment(),
    )  # fmt: skip


def test_documentation(collection: Path) -> None:
    """Every plugin and role is documented, in markup that refers to options and plugins that exist.

    Only the copies beside the collection are looked at: of the one in .venv, which git ignores, antsibull-docs would
    copy nothing, and it depends on where the checkout lies which one it finds first.
    """
    only = {"ANSIBLE_COLLECTIONS_PATH": str(collection.parents[2]), "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false"}
    # It leaves its log in the home.
    only["HOME"] = str(collection.parents[2])
    _gate(
        "antsibull-docs", "lint-collection-docs", "--plugin-docs", "--skip-rstcheck",
        "--validate-collection-refs", "self", ".",
        folder=collection, environment={**os.environ, **only},
    )  # fmt: skip


def test_reference_is_written_without_a_complaint(tmp_path: Path) -> None:
    """As `make reference` does."""
    _gate(
        "antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error",
        "--output-format", "simplified-rst", "--no-indexes", "--dest-dir", str(tmp_path), "dataplatform.monitoring",
        # Its log lies in the home.
        folder=collection_copy.ROOT, environment={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    modules = {path.stem for path in (collection_copy.ROOT / "plugins" / "modules").glob("*.py")}
    assert modules <= {path.stem.removesuffix("_module") for path in tmp_path.glob("*_module.rst")}
    roles = {path.name for path in (collection_copy.ROOT / "roles").iterdir() if path.is_dir()}
    assert roles <= {path.stem.removesuffix("_role") for path in tmp_path.glob("*_role.rst")}


def test_nothing_is_ignored() -> None:
    assert list((collection_copy.ROOT / "tests" / "sanity").glob("ignore-*.txt")) == []
