# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The provider for a cluster somebody else made: KUBECONFIG names it, nothing is started, stopped or put into it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .errors import LabError
from .paths import BIN
from .progress import say
from .run import run


def _kubectl(*words: str) -> str:
    program = shutil.which("kubectl", path=f"{BIN}:{os.environ.get('PATH', '')}")
    if program is None:
        raise LabError("kubectl is not installed: put it in PATH")
    file = os.environ["KUBECONFIG"]
    if not Path(file).is_file():
        raise LabError(f"KUBECONFIG={file} is no file: set it to a cluster's file, or unset it to use the lab")
    doing = f"asking the cluster of KUBECONFIG={file}"
    remedy = "see that it answers (`kubectl cluster-info`), or unset KUBECONFIG to use the lab"
    return run([program, "--request-timeout=10s", *words], doing=doing, remedy=remedy)


def up() -> None:
    """Say which cluster it is, once it has answered."""
    if not os.environ.get("KUBECONFIG"):
        raise LabError("LAB_PROVIDER=existing needs a cluster: set KUBECONFIG to its file")
    nodes = _kubectl("get", "nodes", "--output=name").split()
    context = _kubectl("config", "current-context").strip()
    say(f"using the cluster of context {context} ({len(nodes)} nodes); nothing was started")


def down() -> None:
    """Nothing of ours to remove."""
    say("the cluster of KUBECONFIG is not the lab's: left as it is")


def status() -> None:
    """As up: it only asks."""
    up()


def build() -> None:
    """Nothing to build."""
    up()


def logs() -> None:
    """Logs of somebody else's cluster are not here."""
    raise LabError("the cluster of KUBECONFIG keeps its own logs: use kubectl logs")
