# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make lab` and its companions on this machine: bring the native lab up, take it down, tell how it is."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import charts, cluster, debian, images, node, ownership, preflight, processes, programs, sample
from .cluster import storage
from .errors import LabError
from .paths import BIN, CHECKOUT, KUBECONFIG, LOGS, STATE
from .progress import say, step


def up() -> None:
    """A Ready cluster with every image and the sample platform; does only what is missing."""
    preflight.check_root("lab")
    with ownership.lock():
        changed = not running()
        if changed:
            ownership.refuse_foreign("replace")
            # Not of a lab that runs: what it takes is no longer available, and nothing more is asked for.
            preflight.check(cold=not _programs_built())
            _start()
        elif _adopt():
            say("this lab was another checkout's, with the same pins: adopted")
        recycled = storage.recycle()
        if recycled:
            say(f"volumes emptied for new claims: {', '.join(recycled)}")
        changed |= bool(recycled)
        # Beside the cluster and not in it: what the playbooks install.
        changed |= charts.prepare(STATE / "share" / "prometheus-operator-crd", STATE / "charts")
        changed |= sample.apply()
    state = "is ready" if changed else "was ready, nothing changed"
    say(f"the lab {state}: KUBECONFIG={KUBECONFIG} PATH={BIN}:$PATH")


def running() -> bool:
    """Whether a complete lab with the pins of this checkout runs."""
    current = ownership.owner()
    return current is not None and node.pid() is not None and current["pins"] == ownership.pins()


def build() -> None:
    """Install what is missing and fill the cache, so that the next `up` only starts things."""
    preflight.check_root("lab")
    with ownership.lock():
        unpacked = all(debian.target(image.debian).exists() for image in images.images() if image.debian)
        built = _programs_built()
        if not (unpacked and built):
            preflight.check(cold=not built)
        say(f"programs: {_build()}/bin")


def _programs_built() -> bool:
    return all(programs.built(module) for module in programs.modules())


def _build() -> Path:
    preflight.install_packages()
    folder = programs.build_all()
    for image in images.images():
        if image.debian:
            debian.unpacked(image.debian)
    return folder


def _start() -> None:
    wanted = images.images()
    folder = _build()
    if STATE.exists() or processes.marked():
        with step("removing what is left of an earlier lab"):
            node.stop()
    node.remember()
    for name in ("bin", "share"):
        (STATE / name).symlink_to(folder / name)
    cluster.configure(wanted)
    with step("starting the node"):
        node.start()
        node.wait_for("containerd", _containerd_answers, 30)
    first = cluster.needed_first(wanted)
    cluster.import_images(first, folder, "importing Kubernetes' images")
    # kubeadm mostly waits.
    with ThreadPoolExecutor(1) as beside:
        rest = beside.submit(cluster.import_images, [image for image in wanted if image not in first], folder)
        cluster.initialise()
        storage.create()
    rest.result()
    cluster.mark(CHECKOUT)
    ownership.claim()


def _containerd_answers() -> bool:
    try:
        node.inside(["ctr", "version"], doing="asking containerd")
    except LabError:
        return False
    return True


def _adopt() -> bool:
    current = ownership.owner()
    if current is None or current["checkout"] == str(CHECKOUT):
        return False
    ownership.claim()
    cluster.mark(CHECKOUT)
    return True


def down() -> None:
    """Remove everything of the lab but the cache, whatever state it is in."""
    preflight.check_root("lab-down")
    with ownership.lock():
        ownership.refuse_foreign("remove")
        if not STATE.exists() and not processes.marked():
            say("no lab on this machine, nothing to remove")
            return
        with step("removing the lab, the data of its volumes too"):
            node.stop()
    say("the cache of built programs stays; remove it with: rm -rf ~/.cache/dataplatform-monitoring")


def status() -> None:
    """Whose lab, what runs, what is not ready. Raises LabError when there is no running lab."""
    preflight.check_root("lab-status")
    current = ownership.owner()
    if current is None:
        raise LabError("no lab on this machine: start one with `make lab`")
    dead = "the lab's node is not running (a crash, or the machine restarted): `make lab` starts it anew"
    if node.pid() is None:
        raise LabError(dead)
    try:
        processes = node.supervisor("status")
    except LabError as exc:
        # Killed a moment ago: its first process is still there, but nothing listens any more.
        if "refused connection" in str(exc) or "no such file" in str(exc):
            raise LabError(dead) from exc
        raise
    say(f"native lab of {current['checkout']}, {'pins as here' if running() else 'other pins than here'}")
    say(processes.rstrip())
    listing = json.loads(cluster.kubectl("get", "pods", "--all-namespaces", "--output=json", doing="reading Pods"))
    ready = [pod for pod in listing["items"] if sample.ready(pod)]
    say(f"{len(ready)} of {len(listing['items'])} Pods ready")
    for pod in listing["items"]:
        if pod not in ready:
            say(f"  not ready: {pod['metadata']['namespace']}/{pod['metadata']['name']}, {pod['status'].get('phase')}")
    say(f"KUBECONFIG={KUBECONFIG}")


def logs() -> None:
    """Where the logs are, and the last lines of each."""
    preflight.check_root("lab")
    if not LOGS.is_dir():
        raise LabError("no lab on this machine: start one with `make lab`")
    for file in sorted(LOGS.glob("*.log")):
        lines = file.read_text(errors="replace").splitlines()[-15:]
        say(f"== {file}")
        for line in lines:
            say(line[: shutil.get_terminal_size((200, 20)).columns])
