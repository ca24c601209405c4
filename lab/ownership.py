# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One lab a machine: a lock against two commands at once, and the name of the checkout that a lab belongs to."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import images, node, programs
from .cluster import storage
from .errors import LabError
from .paths import CHECKOUT, LAB, LOCK, STATE

OWNER = STATE / "owner.json"


@contextmanager
def lock() -> Iterator[None]:
    """Hold the machine-wide lock. Raises LabError, naming who holds it, instead of waiting for minutes."""
    while True:
        file = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            holder = LOCK.read_text().strip() or "another process"
            os.close(file)
            raise LabError(f"another lab command is at work ({holder}): wait for it, or end it") from busy
        # The one who held it before may have removed the file that was locked here.
        if LOCK.exists() and os.fstat(file).st_ino == LOCK.stat().st_ino:
            break
        os.close(file)
    try:
        os.truncate(file, 0)
        os.pwrite(file, f"process {os.getpid()} of {CHECKOUT}\n".encode(), 0)
        yield
    finally:
        LOCK.unlink(missing_ok=True)
        os.close(file)


def pins() -> str:
    """A hash of everything that decides what a cluster is made of: a lab with another one is another lab."""
    digest = hashlib.sha256("".join(module.key() for module in programs.modules()).encode())
    digest.update(repr([images.images(), storage.names(), node.FOLDERS, node.ADDRESS, node.POD_NETWORK]).encode())
    for folder in ("node", "cluster", "debian"):
        for file in sorted((LAB / folder).rglob("*")):
            # How the lab is brought up may change without the lab being another one.
            if file.is_file() and file.suffix not in (".py", ".pyc"):
                digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def owner() -> dict[str, str] | None:
    """Checkout and pins of the lab that is set up; None when there is none, or a half-made one."""
    return json.loads(OWNER.read_text()) if OWNER.exists() else None


def claim() -> None:
    """Write down that the lab is complete, and whose it is."""
    unfinished = OWNER.with_suffix(".unfinished")
    unfinished.write_text(json.dumps({"checkout": str(CHECKOUT), "pins": pins()}))
    unfinished.rename(OWNER)


def refuse_foreign(what: str) -> None:
    """Raise LabError when a running lab is another checkout's and the user did not say by name that it may go."""
    current = owner()
    if current is None or current["checkout"] == str(CHECKOUT) or node.pid() is None:
        return
    theirs = current["checkout"]
    if Path(theirs).exists() and os.environ.get("LAB_CLEAR") != theirs:
        raise LabError(f"the lab on this machine belongs to {theirs}: to {what} it, set LAB_CLEAR={theirs}")
