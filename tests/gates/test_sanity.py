# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-test sanity, all of its tests, without an ignore file."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.gates import collection_copy


def test_sanity(tmp_path: Path) -> None:
    collection = collection_copy.copy_collection(tmp_path)
    done = subprocess.run(
        ["ansible-test", "sanity", "--local", "--color", "no", "--python", collection_copy.python_version()],
        cwd=collection, env=collection_copy.ansible_test_environment(),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=840,
    )  # fmt: skip
    assert done.returncode == 0, f"ansible-test sanity\n{done.stdout[-6000:]}\n{done.stderr[-12000:]}"


def test_nothing_is_ignored() -> None:
    assert list((collection_copy.ROOT / "tests" / "sanity").glob("ignore-*.txt")) == []
