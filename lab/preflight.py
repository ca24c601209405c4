# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the machine must be like, checked before anything is started: each fault is one line with its remedy."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from . import images, node
from .errors import LabError
from .node import configuration
from .paths import CACHE, STATE
from .progress import step
from .run import run

GIB = 1024**3

#: Measured: the cluster, day 1 and the sample platform take 3 GiB; linking the largest program takes 2 GiB.
MEMORY = 6 * GIB
#: Measured: 14 GiB of modules and compiled packages in Go's caches, 2 GiB of programs.
DISK_COLD = 20 * GIB
#: Images, volumes, logs.
DISK_WARM = 8 * GIB


#: What `ip route` puts before the destination of a route that is not plainly unicast: ip-route(8).
ROUTE_TYPES = (
    "unicast", "local", "broadcast", "multicast", "anycast", "nat", "throw", "unreachable", "prohibit", "blackhole",
)  # fmt: skip


@dataclass(frozen=True)
class Need:
    """A file that must exist, and the Debian package it comes from."""

    package: str
    files: tuple[str, ...]

    def present(self) -> bool:
        """Whether any of the files is there (a bare name is looked up in PATH)."""
        return any(Path(file).exists() if "/" in file else shutil.which(file, path=SEARCH) for file in self.files)


SEARCH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"

APT = "`make lab` again when apt-get works"

NEEDS = (
    Need("ca-certificates", (str(images.CERTIFICATES),)),
    Need("conntrack", ("conntrack",)),
    Need("containerd", ("containerd",)),
    Need("containernetworking-plugins", tuple(str(folder / "ptp") for folder in configuration.CNI_PROGRAMS)),
    Need("busybox-static", tuple(map(str, images.BUSYBOX))),
    # Not for the lab: the runbooks, which are tried on it, call them.
    Need("curl", ("curl",)),
    Need("jq", ("jq",)),
    Need("iproute2", ("ip",)),
    Need("mmdebstrap", ("mmdebstrap",)),
    Need("mount", ("mount",)),
    Need("nftables", ("nft",)),
    Need("runc", ("runc",)),
    Need("util-linux", ("unshare",)),
)


def check_root(command: str) -> None:
    """Raise LabError when this is not root."""
    if os.geteuid() != 0:
        raise LabError(f"the lab needs root (namespaces, mounts, containerd): run `sudo make {command}`")


def check(cold: bool) -> None:
    """Raise LabError for the first thing that is not as it must be. `cold`: programs are still to be built."""
    if platform.system() != "Linux" or images.architecture() not in images.ARCHITECTURES.values():
        raise LabError(f"the lab runs on Linux on {' or '.join(images.ARCHITECTURES)}, this is {platform.platform()}: "
                       "set KUBECONFIG to a cluster instead")  # fmt: skip
    check_memory(Path("/proc/meminfo").read_text())
    for folder, needed, remedy in (
        (CACHE, DISK_COLD if cold else GIB, "free some, or set XDG_CACHE_HOME to a larger disk"),
        (STATE, DISK_WARM, "free some"),
    ):
        check_disk(folder, needed, remedy)
    check_networks(run(["ip", "-4", "route", "show", "table", "all"], doing="reading routes"))


def check_memory(meminfo: str) -> None:
    """Raise LabError when too little memory is available. `meminfo` is the text of /proc/meminfo."""
    fields = dict(line.split(":", 1) for line in meminfo.splitlines())
    available = int(fields["MemAvailable"].split()[0]) * 1024
    if available < MEMORY:
        raise LabError(f"too little memory: {available / GIB:.1f} GiB available, the lab needs {MEMORY / GIB:.0f}: "
                       "end other programs or take a larger machine")  # fmt: skip


def check_disk(folder: Path, needed: int, remedy: str) -> None:
    """Raise LabError when the disk that holds, or will hold, `folder` has less than `needed` bytes left."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        found = f"{free / GIB:.1f} GiB free for {folder}"
        raise LabError(f"too little disk: {found}, the lab needs {needed / GIB:.0f}: {remedy}")


def check_networks(routes: str) -> None:
    """Raise LabError when this machine already routes into the lab's networks. `routes` is what `ip route` prints."""
    ours = [ip_network(network) for network in node.NETWORKS]
    for line in routes.splitlines():
        words = line.split()
        if not words or words[0] == "nexthop":
            continue
        destination = words[1] if words[0] in ROUTE_TYPES else words[0]
        if destination == "default" or f"dev {node.LINK}" in line or words[0] == "unreachable":
            continue
        network = ip_network(destination)
        for mine in ours:
            if network.overlaps(mine):
                raise LabError(f"the lab's network {mine} is taken by the route `{line.strip()}`: remove it first")


def install_packages() -> None:
    """Install the Debian packages that are missing, and say which. They stay installed."""
    missing = [need.package for need in NEEDS if not need.present()]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise LabError(f"there is no apt-get: install what is in Debian's packages {', '.join(missing)}")
    with step(f"installing Debian packages, which stay installed: {', '.join(missing)}"):
        # Debian starts a service as soon as it is installed, unless told that the machine is not to run any.
        quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        run(["apt-get", "update", "--quiet"], doing="apt-get update", env=quiet, remedy=APT)
        run(["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *missing],
            doing=f"apt-get install {' '.join(missing)}", env=quiet, timeout=1800, remedy=APT)  # fmt: skip
