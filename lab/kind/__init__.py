# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The provider for a machine with Docker: a cluster of kind, with upstream's images, and the same sample platform.

It keeps its kubeconfig and programs where the native lab does, so that nothing else needs to know which of them runs.
"""

from __future__ import annotations

import json
import shutil
import subprocess

from .. import cluster, golang, ownership, preflight, programs, sample
from ..errors import BUILD_ON, LabError
from ..paths import BIN, CACHE, CHECKOUT, KUBECONFIG, LAB, LOGS, STATE
from ..platform import secrets
from ..progress import say, step
from ..run import run
from ..sinks import receivers

NAME = "dataplatform-monitoring-lab"
#: Its own default decides which Kubernetes the node runs.
PIN = "sigs.k8s.io/kind@v0.33.0"
#: What the stand-ins and the sinks run in; the native lab makes an image of that name from the same Debian packages.
STAND_IN = "docker.io/dataplatform-monitoring/stand-in:1"
#: The platform with the images that a registry has.
PARTS = {"kind/platform": secrets.ensure, "sinks": receivers.ensure}
#: What `up` and the playbooks call; taken from the PATH, or built as for the native lab, and nothing else of it.
PROGRAMS = ("kubectl", "helm")
#: Written last: a cluster without it is half made.
COMPLETE = STATE / "kind"


def has_docker() -> bool:
    """Whether a Docker daemon answers; a client alone does not count."""
    if shutil.which("docker") is None:
        return False
    try:
        return subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=30).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def up() -> None:
    """A Ready cluster with the sample platform; does only what is missing."""
    preflight.check_root("lab")
    with ownership.lock():
        kind = _prepare()
        changed = NAME not in clusters(run([kind, "get", "clusters"], doing="asking kind"))
        if changed:
            with step("kind create cluster"):
                run(
                    [kind, "create", "cluster", "--name", NAME, "--config", LAB / "kind" / "cluster.yaml",
                     "--kubeconfig", KUBECONFIG, "--wait", "180s"],
                    doing="kind create cluster",
                )  # fmt: skip
        if changed or not COMPLETE.exists():
            with step(f"loading {STAND_IN}"):
                run([kind, "load", "docker-image", STAND_IN, "--name", NAME], doing=f"loading {STAND_IN}")
            cluster.mark(CHECKOUT, provider="kind")
            COMPLETE.touch()
        changed |= sample.apply(PARTS)
    state = "is ready" if changed else "was ready, nothing changed"
    say(f"the lab {state} (kind): KUBECONFIG={KUBECONFIG} PATH={BIN}:$PATH")


def build() -> None:
    """Programs and the one image of our own; the node's image comes with the first `up`."""
    preflight.check_root("lab")
    with ownership.lock():
        _prepare()


def down() -> None:
    """Delete the cluster with everything in it; images stay with Docker."""
    preflight.check_root("lab-down")
    with ownership.lock():
        if NAME in clusters(run([_kind(), "get", "clusters"], doing="asking kind")):
            with step("removing the lab, the data of its volumes too"):
                run([_kind(), "delete", "cluster", "--name", NAME], doing="kind delete cluster")
        shutil.rmtree(STATE, ignore_errors=True)


def status() -> None:
    """What is not ready. Raises LabError when there is no lab."""
    preflight.check_root("lab-status")
    if not COMPLETE.exists():
        raise LabError("no lab on this machine: start one with `make lab`")
    listing = json.loads(cluster.kubectl("get", "pods", "--all-namespaces", "--output=json", doing="reading Pods"))
    waiting = [pod for pod in listing["items"] if not sample.ready(pod)]
    say(f"kind cluster {NAME}: {len(listing['items']) - len(waiting)} of {len(listing['items'])} Pods ready")
    for pod in waiting:
        say(f"  not ready: {pod['metadata']['namespace']}/{pod['metadata']['name']}, {pod['status'].get('phase')}")
    say(f"KUBECONFIG={KUBECONFIG}")


def logs() -> None:
    """Everything kind can collect of its node."""
    preflight.check_root("lab")
    run([_kind(), "export", "logs", LOGS, "--name", NAME], doing="kind export logs")
    say(f"the logs of the node are in {LOGS}")


def clusters(output: str) -> set[str]:
    """The names that `kind get clusters` prints."""
    return {line.strip() for line in output.splitlines() if line.strip() and not line.startswith("No kind clusters")}


def _prepare() -> str:
    """What is needed before there is a cluster: Docker, programs, our image. Returns the program kind."""
    if not has_docker():
        raise LabError("LAB_PROVIDER=kind needs Docker: start it (`docker info` tells), or set LAB_PROVIDER=native")
    if ownership.owner() is not None:
        raise LabError("the lab without Docker is set up here: remove it with LAB_PROVIDER=native make lab-down")
    BIN.mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        if not (BIN / name).exists():
            found = shutil.which(name) or programs.build_only(*PROGRAMS) / name
            (BIN / name).symlink_to(found)
    with step(f"building {STAND_IN}"):
        run(["docker", "build", "--quiet", "--tag", STAND_IN, LAB / "kind"], doing=f"building {STAND_IN}")
    return _kind()


def _kind() -> str:
    """The pinned kind, built into the cache once."""
    folder = CACHE / "kind" / PIN.partition("@")[2]
    if not (folder / "kind").exists():
        with step(f"building {PIN}"):
            run([golang.find(), "install", PIN], doing=f"building {PIN}", env={"GOBIN": str(folder)}, remedy=BUILD_ON)
    return str(folder / "kind")
