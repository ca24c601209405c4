# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Progress for people: what is done, n of m, time elapsed. One changing line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

#: Seconds between two lines about the same step where lines cannot be rewritten (a CI log).
PLAIN_INTERVAL = 20.0


def elapsed(seconds: float) -> str:
    """Seconds as people say them: `8s`, `2m05s`."""
    whole = int(seconds)
    return f"{whole}s" if whole < 60 else f"{whole // 60}m{whole % 60:02d}s"


class Step:
    """One thing that takes long enough to be watched."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._start = time.monotonic()
        self._terminal = sys.stdout.isatty()
        self._last_plain = 0.0
        self._result = "done"

    def update(self, done: int, total: int, unit: str = "") -> None:
        """Say how far it is; cheap enough to call for every item."""
        self._show(f"{self.what}: {done} of {total}{' ' + unit if unit else ''}")

    def note(self, detail: str) -> None:
        """Say what is going on where it cannot be counted."""
        self._show(f"{self.what}: {detail}")

    def result(self, text: str) -> None:
        """The words to end with instead of `done`."""
        self._result = text

    def _show(self, text: str) -> None:
        now = time.monotonic()
        line = f"  {text}, {elapsed(now - self._start)}"
        if self._terminal:
            sys.stdout.write(f"\r\x1b[K{line}")
            sys.stdout.flush()
        elif now - max(self._last_plain, self._start) >= PLAIN_INTERVAL:
            self._last_plain = now
            print(line, flush=True)

    def finish(self, failed: bool = False) -> None:
        """Leave one line that stays."""
        took = elapsed(time.monotonic() - self._start)
        clear = "\r\x1b[K" if self._terminal else ""
        print(f"{clear}{self.what}: {'FAILED' if failed else self._result}, {took}", flush=True)


@contextmanager
def step(what: str) -> Iterator[Step]:
    """Run a block as a step; its last line tells how it ended and how long it took."""
    current = Step(what)
    try:
        yield current
    except BaseException:
        current.finish(failed=True)
        raise
    current.finish()


def say(line: str) -> None:
    """A plain line between steps."""
    print(line, flush=True)
