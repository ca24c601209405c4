# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting and ending a real program on loopback; waiting for a condition, never for a time."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any


def free_port() -> int:
    """A port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """Poll until the condition holds and return what it returned."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:g} s: {what}")


def status(url: str) -> int:
    """HTTP status of a GET, 0 when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as exc:
        return exc.code
    except OSError:
        return 0


class Program:
    """A started program; `log` is what it printed."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        self.log = log
        self._out = log.open("wb")
        self._process = subprocess.Popen(arguments, stdout=self._out, stderr=subprocess.STDOUT)

    def stop(self) -> None:
        """End it, kindly first."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._out.close()
