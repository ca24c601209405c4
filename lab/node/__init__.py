# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The node: this machine's files seen from namespaces of their own (mounts, processes, network, host name), with a
supervisor in them as process 1.

When process 1 ends, the kernel ends every process, mount, interface, route, nft table and network setting inside. That
is what makes `down` complete, also after a crash. Standard tools do it: unshare, nsenter, ip.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .. import processes
from ..errors import ANEW, RESTART, LabError
from ..paths import BIN, LAB, LOGS, STATE
from ..run import environment, run

NAME = "lab"
LINK = "dpm-lab"
HOST_ADDRESS = "10.243.0.1"
ADDRESS = "10.243.0.2"
POD_NETWORK = "10.244.0.0/16"
#: What kube-controller-manager gives the first node.
NODE_POD_NETWORK = "10.244.0.0/24"
SERVICE_NETWORK = "10.96.0.0/16"
#: All that the lab addresses; while there is a lab, none of it is routed anywhere else.
NETWORKS = (POD_NETWORK, SERVICE_NETWORK, "10.243.0.0/30")

#: Paths that Kubernetes and what runs on it have fixed; in the node each is a folder below STATE/node.
FOLDERS = (
    "/etc/cni", "/etc/kubernetes", "/run/containerd", "/run/netns", "/usr/libexec/kubernetes", "/var/lib/cni",
    "/var/lib/etcd", "/var/lib/kubelet", "/var/log/containers", "/var/log/pods",
)  # fmt: skip

#: Settings of the whole machine that kubelet changes (its protectKernelDefaults lists them); put back by `down`.
SYSCTLS = (
    "kernel/keys/root_maxbytes", "kernel/keys/root_maxkeys", "kernel/panic", "kernel/panic_on_oops",
    "vm/overcommit_memory", "vm/panic_on_oom",
)  # fmt: skip
RECORD = STATE / "node.json"
BEFORE = STATE / "before.json"
SUPERVISOR_SOCKET = STATE / "node" / "supervisor.sock"


def pid() -> int | None:
    """Process 1 of the running node, as this machine numbers it; None when there is none."""
    if not RECORD.exists():
        return None
    record = json.loads(RECORD.read_text())
    return record["pid"] if processes.start_time(record["pid"]) == record["start"] else None


def inside(command: Sequence[str | Path], *, doing: str, stdin: str | None = None, timeout: float = 300) -> str:
    """Run a program in the node and return its output; as run.run()."""
    return run([*entering(), *command], doing=doing, stdin=stdin, timeout=timeout)


def entering() -> list[str]:
    """What to put before a command so that it runs in the node."""
    current = pid()
    if current is None:
        raise LabError("the lab is not running: start it with `make lab`")
    path = f"{BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return ["nsenter", "--target", str(current), "--mount", "--pid", "--net", "--uts", "env", f"PATH={path}"]


def start() -> None:
    """Make the namespaces, start process 1, connect it to this machine."""
    remember()
    made = STATE / "node"
    for folder in (made, LOGS):
        folder.mkdir(parents=True, exist_ok=True)
    (made / "folders").write_text("".join(f"{folder}\n" for folder in FOLDERS))
    for folder in FOLDERS:
        Path(folder).mkdir(parents=True, exist_ok=True)
    with (LOGS / "node.log").open("ab") as log:
        outer = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--net", "--uts", "--propagation", "private", "--fork", "--kill-child",
             "--mount-proc", LAB / "node" / "init.sh", STATE, sys.executable, NAME],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True,
            env=environment({"PATH": f"{BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}),
        )  # fmt: skip
    wait_for("process 1 of the node", lambda: processes.children(outer.pid) or outer.poll() is not None, 20)
    first = processes.children(outer.pid)
    if not first:
        raise LabError(f"the node did not start: see {LOGS}/node.log; {ANEW}")
    RECORD.write_text(json.dumps({"pid": first[0], "start": processes.start_time(first[0])}))
    _connect(first[0])
    wait_for(f"the supervisor (see {LOGS}/node.log)", SUPERVISOR_SOCKET.exists, 20)


def remember() -> None:
    """Write down, once, what `down` has to put back. A crashed start has written it already: what is there is kept."""
    if BEFORE.exists():
        return
    # Volumes are open to every user id in their Pods; on this machine they are root's.
    STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
    missing = []
    for folder in map(Path, FOLDERS):
        missing += [str(path) for path in (folder, *folder.parents) if not path.exists() and str(path) not in missing]
    before = {
        "sysctls": {name: Path("/proc/sys", name).read_text().strip() for name in SYSCTLS},
        # Deepest first, the order in which they can be removed.
        "missing_folders": sorted(missing, key=len, reverse=True),
    }
    unfinished = BEFORE.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(before, indent=1))
    unfinished.rename(BEFORE)


def stop() -> None:
    """End the node and undo what it changed on this machine. Works on whatever is left of one."""
    current = pid()
    if current is not None:
        os.kill(current, signal.SIGKILL)
        wait_for("the node's processes to end", lambda: processes.start_time(current) is None, 60, RESTART)
    processes.end_marked()
    _disconnect()
    _remove_control_groups()
    if BEFORE.exists():
        before = json.loads(BEFORE.read_text())
        for name, value in before["sysctls"].items():
            setting = Path("/proc/sys", name)
            if setting.read_text().strip() != value:
                setting.write_text(value)
        for folder in map(Path, before["missing_folders"]):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
    # Kept to the end: as long as it exists, so does the record of what is to be undone.
    shutil.rmtree(STATE, ignore_errors=True)
    if STATE.exists():
        shutil.rmtree(STATE)


def supervisor(*words: str) -> str:
    """`supervisorctl WORDS` for the node's supervisor."""
    return run(
        [sys.executable, "-m", "supervisor.supervisorctl", "-c", STATE / "node" / "supervisord.conf", *words],
        doing=f"supervisorctl {' '.join(words)}",
    )


def wait_for(what: str, condition: Callable[[], object], seconds: float, remedy: str = ANEW) -> None:
    """Until `condition()` is true. Raises LabError naming `what` and `remedy` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"waited {seconds:.0f} s in vain for {what}: {remedy}")
        time.sleep(0.1)


def _connect(node: int) -> None:
    """A cable between this machine and the node, and the routes to Pods and Services.

    The `unreachable` ones rank below them and stay when the node dies: what is addressed to a Pod never leaves the
    machine.
    """
    for network in NETWORKS:
        run(["ip", "route", "replace", "unreachable", network, "metric", "9999"], doing="adding a route")
    in_node = ["nsenter", "--target", str(node), "--net", "ip"]
    for command in (
        ["ip", "link", "add", LINK, "type", "veth", "peer", "name", "eth0", "netns", str(node)],
        # A host that wants IPv6 addresses on every link would make this one speak on its own.
        ["ip", "link", "set", LINK, "addrgenmode", "none"],
        ["ip", "address", "add", f"{HOST_ADDRESS}/30", "dev", LINK],
        ["ip", "link", "set", LINK, "up"],
        [*in_node, "address", "add", f"{ADDRESS}/30", "dev", "eth0"],
        [*in_node, "link", "set", "eth0", "up"],
        ["ip", "route", "add", POD_NETWORK, "via", ADDRESS],
        ["ip", "route", "add", SERVICE_NETWORK, "via", ADDRESS],
        # The node itself has no route to anywhere else: what runs in the lab reaches the lab, and this machine.
        [*in_node, "route", "add", "unreachable", "default", "metric", "9999"],
    ):
        run(command, doing="connecting the node")


def _disconnect() -> None:
    wait_for(f"the link {LINK} to go", _link_gone, 30, f"`ip link delete {LINK}`, then `make lab-down`")
    routes = run(["ip", "route", "show", "type", "unreachable"], doing="reading routes")
    for network in NETWORKS:
        if network in routes:
            run(["ip", "route", "delete", "unreachable", network, "metric", "9999"], doing="removing a route")


def _link_gone() -> bool:
    """The kernel takes the cable away with the network at its other end, unless somebody else's process is in there."""
    link = Path("/sys/class/net", LINK)
    if link.exists():
        # It may go by itself just now, which makes this fail.
        subprocess.run(["ip", "link", "delete", LINK], capture_output=True, check=False)
    return not link.exists()


def _remove_control_groups() -> None:
    """kubelet's groups of Pods; empty by now, and removable only from the innermost outwards."""
    for top in [Path("/sys/fs/cgroup/kubepods"), *Path("/sys/fs/cgroup").glob("*/kubepods")]:
        if top.is_dir():
            for folder in sorted((path for path in top.rglob("*") if path.is_dir()), key=lambda p: -len(p.parts)):
                folder.rmdir()
            top.rmdir()
