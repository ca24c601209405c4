# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""galaxy-importer, which Galaxy runs over every upload, has nothing to say about the artifact.

Its ansible-lint is left out: stage `lint` asks the same of the same files, and more.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gates import collection_copy

#: Its pins contradict those of the other tools, so that it lives in an environment of its own.
IMPORTER = ("galaxy-importer==0.4.44", "ansible-core==2.19.*")


@pytest.fixture(scope="module")
def importer() -> Path:
    """The environment's bin, kept between runs until the pins change."""
    folder = (
        collection_copy.CACHE / "galaxy-importer" / "-".join(pin.split("=")[-1] for pin in IMPORTER).replace("*", "x")
    )
    if not (folder / "ready").exists():
        shutil.rmtree(folder.parent, ignore_errors=True)
        uv = str(Path(sys.prefix) / "bin" / "uv")
        for command in (
            [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
            [uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *IMPORTER],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
            assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr[-4000:]}"
        (folder / "ready").touch()
    # ansible-doc wants the documentation fragments of what the collection depends on.
    (purelib,) = (folder / "lib").glob("python3.*/site-packages")
    beside = purelib / "ansible_collections" / "kubernetes"
    beside.mkdir(parents=True, exist_ok=True)
    (beside / "core").unlink(missing_ok=True)
    (beside / "core").symlink_to(Path(sys.prefix) / "collections" / "ansible_collections" / "kubernetes" / "core")
    return folder / "bin"


def test_the_importer_is_content(importer: Path, tmp_path: Path) -> None:
    archive = collection_copy.build_artifact(tmp_path)
    path = os.pathsep.join([str(importer), os.environ["PATH"]])
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    environment["GALAXY_IMPORTER_RUN_ANSIBLE_LINT"] = "false"
    done = subprocess.run(
        [str(importer / "python"), "-m", "galaxy_importer.main", str(archive)],
        cwd=tmp_path, env={**environment, "PATH": path, "VIRTUAL_ENV": str(importer.parent)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-6000:]
    assert "Importer processing completed successfully" in said, said[-6000:]
    remarks = [line for line in said.splitlines() if line.startswith(("WARNING", "ERROR"))]
    assert not remarks, "\n".join(remarks)
