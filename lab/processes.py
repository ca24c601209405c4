# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes as /proc tells them. Nothing is ever found, or ended, by its name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from .errors import RESTART, LabError
from .run import MARK


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when it is gone.

    Together with the number it names a process for good: numbers come back.
    """
    try:
        # The name, in parentheses, may hold anything; numbers follow it (proc(5): field 3 is the state, 22 the start).
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def marked() -> list[int]:
    """Processes that the lab started and what they started: run.MARK is in their environment."""
    wanted = f"{MARK}=1".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int(entry.name) != os.getpid() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def end_marked(seconds: float = 30) -> None:
    """End what is left of the lab's processes."""
    deadline = time.monotonic() + seconds
    while left := marked():
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if time.monotonic() > deadline:
            raise LabError(f"these processes of the lab do not end: {left}: {RESTART}")
        time.sleep(0.1)
