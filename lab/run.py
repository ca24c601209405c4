# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running other programs: one way, so that every failure names the program and its last words."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import ANEW, LabError

#: In the environment of every process the lab starts, and of all their children. `down` finds leftovers by it, so that
#: nothing is ever ended because of its name.
MARK = "DATAPLATFORM_MONITORING_LAB"


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a child: ours, marked, plus `extra`."""
    return {**os.environ, MARK: "1", "LC_ALL": "C.UTF-8", **(extra or {})}


def last_words(text: str, lines: int = 6) -> str:
    """The end of a program's error output, on one line, each thing once."""
    # kubectl says in klog's format (E1123 17:20:52.387428 ...) what it says in plain words at the end.
    said = [line.strip() for line in text.splitlines() if line.strip()]
    plain = [line for line in said if not re.match(r"[EIW]\d{4} \d\d:", line)]
    kept = list(dict.fromkeys(plain or said))[-lines:]
    return " | ".join(kept) or "it said nothing"


def run(
    command: Sequence[str | Path],
    *,
    doing: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    timeout: float | None = 600,
    remedy: str = ANEW,
) -> str:
    """Run to the end and return standard output. `timeout` in seconds.

    Raises LabError, starting with `doing` and ending with `remedy`, when the program is missing, fails or takes too
    long.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, env=environment(env), cwd=cwd, input=stdin or "", text=True, capture_output=True,
            timeout=timeout, check=False,
        )  # fmt: skip
    except FileNotFoundError as missing:
        raise LabError(f"{doing}: {words[0]} is not installed: put it in PATH") from missing
    except subprocess.TimeoutExpired as late:
        raise LabError(f"{doing}: {words[0]} did not end within {timeout:.0f} s: {remedy}") from late
    if done.returncode != 0:
        said = last_words(done.stderr or done.stdout)
        raise LabError(f"{doing}: {words[0]} ended with {done.returncode}: {said}: {remedy}")
    return done.stdout
