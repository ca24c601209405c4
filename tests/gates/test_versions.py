# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same gates on every other ansible-core and Python that the collection promises, with the interpreters found here.

The environment of the checkout is ansible-core 2.19 on whatever Python there is; the other stages use it, so that 2.19
always runs. A newer one runs on one Python, so that each Python has had the unit tests. An interpreter that is missing
skips its case, which is printed at the end.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.gates import collection_copy
from tests.gates.collection_copy import CACHE, ROOT

HERE = collection_copy.python_version()
#: ansible-core, the package that brings kubernetes.core with it, and the Python they are tried on.
VERSIONS = {"2.19": ("ansible==12.*", "3.11"), "2.20": ("ansible==13.*", "3.12"), "2.21": ("ansible==14.*", "3.13")}
OTHERS = [core for core, (_package, python) in VERSIONS.items() if (core, python) != ("2.19", HERE)]


def interpreter(version: str) -> Path | None:
    """A Python of this version that starts: on the PATH, or one of pyenv's."""
    name = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [shutil.which(name), *sorted(pyenv.glob(f"{version}.*/bin/{name}"))]
    for path in filter(None, found):
        tried = subprocess.run([path, "-c", "import ensurepip, venv"], capture_output=True, check=False)
        if tried.returncode == 0:
            return Path(path)
    return None


def environment(core: str) -> Path:
    """An environment as .venv, but with this ansible-core; kept between runs until the pins change."""
    package, version = VERSIONS[core]
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} here: ansible-core {core} was not tried on it")
    pins = (ROOT / "requirements-dev.txt").read_bytes()
    folder = CACHE / "versions" / f"{core}-{hashlib.sha256(pins).hexdigest()[:12]}"
    if not (folder / "ready").exists():
        for old in folder.parent.glob(f"{core}-*"):
            shutil.rmtree(old)
        folder.mkdir(parents=True)
        overrides = folder / "overrides.txt"
        overrides.write_text(f"ansible-core=={core}.*\n{package}\n")
        uv = str(Path(sys.prefix) / "bin" / "uv")
        for command in (
            [uv, "venv", "--quiet", "--python", str(python), str(folder / "venv")],
            [uv, "pip", "install", "--quiet", "--python", str(folder / "venv" / "bin" / "python"),
             "--overrides", str(overrides), "-r", str(ROOT / "requirements-dev.txt")],
        ):  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
            assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr[-4000:]}"
        (folder / "ready").touch()
    return folder / "venv"


def collections(venv: Path) -> Path:
    """The folder that holds the environment's ansible_collections; the checkout is linked into it."""
    (purelib,) = (venv / "lib").glob("python3.*/site-packages")
    link = purelib / "ansible_collections" / "dataplatform" / "monitoring"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink() or link.resolve() != ROOT:
        link.unlink(missing_ok=True)
        link.symlink_to(ROOT)
    return purelib


def _gate(*command: str, folder: Path, environ: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environ,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=840,
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-6000:]}\n{done.stderr[-12000:]}"


def _environ(venv: Path) -> dict[str, str]:
    environ = {**os.environ, "PATH": os.pathsep.join([str(venv / "bin"), os.environ["PATH"]]), "VIRTUAL_ENV": str(venv)}
    environ["ANSIBLE_COLLECTIONS_PATH"] = str(collections(venv))
    return environ


def test_the_environment_of_the_checkout_is_the_oldest() -> None:
    """Every other stage runs on it."""
    assert metadata.version("ansible-core").startswith("2.19.")


def test_every_core_and_every_python_is_tried() -> None:
    assert {"2.19", *OTHERS} == set(VERSIONS)
    assert {HERE, *(VERSIONS[core][1] for core in OTHERS)} >= {"3.11", "3.12", "3.13"}


@pytest.mark.parametrize("core", OTHERS)
def test_units(core: str) -> None:
    """The unit tests, with this ansible-core and its Python."""
    venv = environment(core)
    _gate(
        str(venv / "bin" / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--stages=unit",
        folder=ROOT, environ=_environ(venv),
    )  # fmt: skip


@pytest.mark.parametrize("core", OTHERS)
def test_sanity(core: str, tmp_path: Path) -> None:
    """ansible-test sanity without an ignore file, with this ansible-core and its Python.

    pylint, two thirds of its time, reads the code and not ansible-core: it has its say in stage `sanity`.
    """
    venv = environment(core)
    collection = collection_copy.copy_collection(tmp_path)
    environ = collection_copy.ansible_test_environment(venv)
    environ["PATH"] = _environ(venv)["PATH"]
    _gate(
        str(venv / "bin" / "ansible-test"), "sanity", "--local", "--color", "no", "--skip-test", "pylint",
        "--python", VERSIONS[core][1],
        folder=collection, environ=environ,
    )  # fmt: skip


@pytest.mark.parametrize("core", OTHERS)
def test_playbooks_are_understood(core: str, tmp_path: Path) -> None:
    """Every playbook, role and filter loads with this ansible-core."""
    venv = environment(core)
    for playbook in sorted((ROOT / "playbooks").glob("*.yml")):
        _gate(
            str(venv / "bin" / "ansible-playbook"), "--syntax-check", "-i", "inventories/example", str(playbook),
            folder=ROOT, environ=_environ(venv),
        )  # fmt: skip
