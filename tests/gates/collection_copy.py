# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection elsewhere than in the checkout: copied where tools insist on a path, packed, installed."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dataplatform-monitoring"

#: Stands in for the get-pip script that ansible-test would fetch from a server of its own: the interpreter's bundled
#: pip does the same. A process of its own, because ensurepip leaves settings behind that forbid any other download.
GET_PIP = """\
import subprocess, sys
subprocess.run([sys.executable, "-m", "ensurepip"], check=True)
arguments = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
subprocess.run([sys.executable, "-m", "pip", "install", *arguments], check=True)
"""


def tracked_files() -> list[Path]:
    """What git has or would take, as it lies in the work tree, relative to the checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    return [Path(name) for name in sorted(set(listed)) if name and (ROOT / name).is_file()]


def packed(name: Path, ignored: list[str]) -> bool:
    """Whether `ansible-galaxy collection build` takes this file: no pattern matches it or a folder above it."""
    paths = [path.as_posix() for path in (name, *name.parents) if path != Path()]
    return not any(fnmatch.fnmatch(path, pattern) for path in paths for pattern in ignored)


def copy_collection(parent: Path) -> Path:
    """Copy what users get to parent/ansible_collections/dataplatform/monitoring and return that folder.

    Tests and lab stay behind, as in the artifact: ansible-test's rules are those of plugins, and a Helm template is no
    YAML whatever its name. ruff, yamllint and ansible-lint see them where they are.
    """
    target = parent / "ansible_collections" / "dataplatform" / "monitoring"
    shutil.rmtree(target, ignore_errors=True)
    ignored = yaml.safe_load((ROOT / "galaxy.yml").read_text())["build_ignore"]
    for name in tracked_files():
        if packed(name, ignored) or name == Path("tests/config.yml"):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
    # Its documentation fragments; ansible-test looks nowhere but beside the collection.
    needed = Path("ansible_collections") / "kubernetes" / "core"
    if not (parent / needed).exists():
        shutil.copytree(Path(sys.prefix) / "collections" / needed, parent / needed)
    return target


def build_artifact(folder: Path) -> Path:
    """Pack the collection as for Galaxy; returns the archive, which lies in `folder`."""
    _galaxy("build", "--output-path", str(folder))
    (archive,) = folder.glob("dataplatform-monitoring-*.tar.gz")
    return archive


def install_artifact(archive: Path, folder: Path) -> Path:
    """Install the archive below `folder`, which is empty; returns where it lies. Nothing that it needs comes along."""
    # --force: the checkout, which the environment links to, counts as installed already.
    _galaxy("install", str(archive), "--offline", "--no-deps", "--force", "-p", str(folder))
    return folder / "ansible_collections" / "dataplatform" / "monitoring"


def _galaxy(*words: str) -> None:
    command = ["ansible-galaxy", "collection", *words]
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"


def ansible_test_home(venv: Path) -> Path:
    """A home for this environment's ansible-test, kept between runs: its environments, and the stand-in for get-pip."""
    (installed,) = (venv / "lib").glob("python3.*/site-packages/ansible_core-*.dist-info")
    home = CACHE / f"ansible-test-{installed.name.split('-')[1].removesuffix('.dist')}"
    requirements = installed.parent / "ansible_test" / "_internal" / "python_requirements.py"
    (pip,) = set(re.findall(r"pip='([0-9.]+)'", requirements.read_text()))
    stand_in = home / ".ansible" / "test" / "cache" / f"get_pip_{pip.replace('.', '_')}.py"
    stand_in.parent.mkdir(parents=True, exist_ok=True)
    stand_in.write_text(GET_PIP)
    return home


def ansible_test_environment(venv: Path = Path(sys.prefix)) -> dict[str, str]:
    """The environment for ansible-test; its HOME is not the user's, whose pip settings still hold."""
    environment = {**os.environ, "HOME": str(ansible_test_home(venv))}
    environment.pop("ANSIBLE_COLLECTIONS_PATH", None)
    for settings in (Path.home() / ".config/pip/pip.conf", Path.home() / ".pip/pip.conf"):
        if "PIP_CONFIG_FILE" not in os.environ and settings.exists():
            environment["PIP_CONFIG_FILE"] = str(settings)
    return environment


def python_version() -> str:
    """As ansible-test wants it named."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"
