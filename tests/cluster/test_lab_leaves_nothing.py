# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab leaves the machine as it found it: after `down`, after a crash at any point, and after `up` over a crash.

What stays by promise is made beforehand (`build`): Debian packages, and the cache.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lab_fixture import Lab

ROOT = Path(__file__).resolve().parent.parent.parent
STATE = Path("/var/lib/dataplatform-monitoring-lab")

#: Places where programs of the lab, and what they are made of, have ever written anything.
PLACES = ("/etc", "/opt", "/run", "/srv", "/tmp", "/usr/libexec", "/usr/local", "/var", str(Path.home()))

#: What other programs of the machine write at any time, the gates that run beside among them; the caches, which stay by
#: promise; this checkout.
OTHERS = (
    "/run/systemd", "/run/log", "/tmp/pytest-of-", "/var/cache", "/var/lib/apt", "/var/lib/systemd", "/var/log/journal",
    str(Path.home() / ".ansible"), str(Path.home() / ".cache"), str(Path.home() / "go"), str(ROOT),
)  # fmt: skip

#: Counters and random numbers, which change by themselves.
RESTLESS = (
    "fs.dentry-state", "fs.file-nr", "fs.inode-nr", "fs.inode-state", "fs.aio-nr", "fs.quota", "kernel.ns_last_pid",
    "kernel.pty.nr", "kernel.random.", "net.netfilter.nf_conntrack_count",
)  # fmt: skip


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def environment(process: Path) -> bytes:
    """A process's environment; of those that are closed even to root, none."""
    try:
        return (process / "environ").read_bytes()
    except PermissionError:
        return b""


def processes() -> set[str]:
    """Processes whose parent is gone, as those of a stopped lab would be; what others run just now has its parent."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:120]
            marked = b"DATAPLATFORM_MONITORING_LAB=" in environment(entry)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] != "Z" and command and (fields[1] == "1" or marked):
            found.add(f"{entry.name} {command}")
    return found


def mounts() -> set[str]:
    """Mount point, propagation, file system, source; not the numbers, which are nobody's business."""
    lines = set()
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        words = line.split()
        end = words.index("-")
        propagation = " ".join(word.partition(":")[0] for word in words[6:end])
        lines.add(f"{words[4]} {words[3]} [{propagation}] {words[end + 1]} {words[end + 2]}")
    return lines


def sysctls() -> set[str]:
    lines = output("/sbin/sysctl", "--all").splitlines()
    return {line for line in lines if not line.startswith(RESTLESS)}


def files() -> set[str]:
    found = set()
    for place in PLACES:
        for folder, folders, names in os.walk(place):
            folders[:] = [name for name in folders if not f"{folder}/{name}".startswith(OTHERS)]
            found |= {f"{folder}/{name}" for name in (*folders, *names) if not f"{folder}/{name}".startswith(OTHERS)}
    return found


def links() -> set[str]:
    return {line.split(" state ")[0].partition(": ")[2] for line in output("ip", "-oneline", "link").splitlines()}


def routes() -> set[str]:
    lines = [*output("ip", "route", "show", "table", "all").splitlines(), *output("ip", "-6", "route").splitlines()]
    return {line.partition(" expires ")[0] for line in lines}


QUESTIONS: dict[str, Callable[[], set[str]]] = {
    "processes": processes,
    "mounts and their propagation": mounts,
    "links": links,
    "addresses": lambda: {line.partition(" valid_lft")[0] for line in output("ip", "-oneline", "address").splitlines()},
    "routes": routes,
    "nft tables": lambda: set(output("nft", "list", "tables").splitlines()),
    "sysctls": sysctls,
    "control groups": lambda: {str(path) for path in Path("/sys/fs/cgroup").rglob("*") if path.is_dir()},
    "files": files,
}


def snapshot() -> dict[str, set[str]]:
    return {name: ask() for name, ask in QUESTIONS.items()}


def difference(before: dict[str, set[str]], after: dict[str, set[str]]) -> dict[str, Any]:
    """What appeared and what vanished, by question. A process that ended is nobody's fault."""
    found = {}
    for name in before:
        appeared = sorted(after[name] - before[name])
        vanished = sorted(before[name] - after[name]) if name != "processes" else []
        if appeared or vanished:
            found[name] = {"appeared": appeared, "vanished": vanished}
    return found


def lab(word: str) -> str:
    """Run one lab command to its end; its output."""
    done = subprocess.run(
        [sys.executable, "-m", "lab", word], cwd=ROOT, capture_output=True, text=True, check=False, timeout=840
    )
    assert done.returncode == 0, f"lab {word}: {done.stdout}{done.stderr}"
    return done.stdout


def started_until(condition: Callable[[], bool], seconds: float = 300) -> subprocess.Popen[bytes]:
    """Start `lab up` and return as soon as the condition holds."""
    up = subprocess.Popen([sys.executable, "-m", "lab", "up"], cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + seconds
    while not condition():
        assert up.poll() is None, "`lab up` ended before the moment to kill it came"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return up


@pytest.fixture(scope="module")
def before(lab_keeper: object) -> dict[str, set[str]]:
    """The machine without a lab, once. What the last test leaves is the next stage's, or put back by the session."""
    lab("build")
    lab("down")
    return snapshot()


MOMENTS: dict[str, Callable[[], bool]] = {
    "the node starts": (STATE / "before.json").exists,
    "images are imported": (STATE / "images.json").exists,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_down_after_a_kill_while(moment: str, before: dict[str, set[str]]) -> None:
    up = started_until(MOMENTS[moment])
    os.kill(up.pid, signal.SIGKILL)
    up.wait()
    lab("down")
    assert difference(before, snapshot()) == {}


def test_down_after_a_crash_of_the_node_too(before: dict[str, set[str]]) -> None:
    up = started_until((STATE / "node" / "etc" / "kubernetes" / "manifests" / "etcd.yaml").exists)
    for process in (up.pid, json.loads((STATE / "node.json").read_text())["pid"]):
        os.kill(process, signal.SIGKILL)
    up.wait()
    lab("down")
    assert difference(before, snapshot()) == {}


def test_up_after_a_crash_starts_anew_and_up_again_changes_nothing(before: dict[str, set[str]]) -> None:
    up = started_until((STATE / "images.json").exists)
    os.kill(up.pid, signal.SIGKILL)
    up.wait()
    assert "is ready" in lab("up")
    began = time.monotonic()
    assert "was ready, nothing changed" in lab("up")
    assert time.monotonic() - began < 15
    assert "lab of" in lab("status")


def test_down_of_a_running_lab_with_pods_and_volumes(before: dict[str, set[str]]) -> None:
    """The one that the test before brought up."""
    lab("up")
    lab("down")
    assert difference(before, snapshot()) == {}
    assert "nothing to remove" in lab("down")


#: Run in a Pod: what came of it, and the seconds that took. The address is of a network for documentation (RFC 5737).
OUT = """
import json, socket, time
told = []
for call in (lambda: socket.create_connection(("192.0.2.1", 443), 20), lambda: socket.getaddrinfo("example.com", 443)):
    began = time.monotonic()
    try:
        call()
        told.append("reached")
    except OSError as error:
        told.append(type(error).__name__)
    told.append(time.monotonic() - began)
print(json.dumps(told))
"""


def test_nothing_outside_is_reached_from_the_lab_and_nobody_waits_for_it(lab: Lab) -> None:
    """By address there is no route, by name nobody to ask. A silent firewall would take the whole timeout."""
    told = lab.kubectl("exec", "-n", "data-platform", "deployment/trino", "--", "python3", "-c", OUT).stdout
    by_address, seconds, by_name, more = json.loads(told)
    assert (by_address, by_name) == ("OSError", "gaierror"), told
    assert seconds < 5 and more < 5, told
