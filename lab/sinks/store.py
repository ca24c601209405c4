# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a sink got, and how it behaves now."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any

#: Messages kept; what is older is forgotten.
KEPT = 200

#: Failure modes, as POST /mode knows them. 500-then-ok takes `times`, slow takes `seconds`.
MODES = ("ok", "403", "404", "429", "500", "500-then-ok", "slow", "refuse")


class Store:
    """Messages and mode of one sink, for several threads."""

    def __init__(self, sink: str) -> None:
        self.sink = sink
        self._lock = threading.Condition()
        self._accepted: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._rejected: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._counts = {"accepted": 0, "rejected": 0}
        self._mode = "ok"
        self._left = 0
        self._seconds = 60.0

    @property
    def mode(self) -> str:
        return self._mode

    def switch(self, wanted: Any) -> str:
        """Take `{"mode": ...}`. Raises ValueError for what is no mode."""
        if not isinstance(wanted, dict) or wanted.get("mode") not in MODES:
            raise ValueError(f'write {{"mode": "{"|".join(MODES)}"}}')
        with self._lock:
            self._mode = wanted["mode"]
            self._left = int(wanted.get("times", 2))
            self._seconds = float(wanted.get("seconds", 60))
            self._lock.notify_all()
        return self._mode

    def failure(self) -> str | None:
        """The mode that the next message meets: 403, 404, 429, 500, or None. Waits here while the sink is slow."""
        with self._lock:
            mode = self._mode
            if mode == "500-then-ok":
                if self._left <= 0:
                    return None
                self._left -= 1
                return "500"
            # Those that wait would be in the way of the messages after a switch.
            self._lock.wait_for(lambda: self._mode != "slow", self._seconds)
        return mode if mode in ("403", "404", "429", "500") else None

    def accept(self, message: dict[str, Any]) -> None:
        """Keep a message that the sender was told is accepted."""
        self._keep(self._accepted, "accepted", message)

    def reject(self, status: int, reason: str, message: dict[str, Any] | None = None) -> None:
        """Keep that something was refused, and why."""
        self._keep(self._rejected, "rejected", {"status": status, "reason": reason, **(message or {})})

    def _keep(self, where: deque[dict[str, Any]], kind: str, message: dict[str, Any]) -> None:
        now = time.time()
        stamp = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
        with self._lock:
            where.append({"at": round(now, 3), "received": stamp, **message})
            self._counts[kind] += 1
        print(json.dumps({"time": stamp, "sink": self.sink, kind: message}), flush=True)

    def show(self) -> dict[str, Any]:
        """Everything, oldest first."""
        with self._lock:
            return {
                "sink": self.sink,
                "mode": self._mode,
                **self._counts,
                "messages": list(self._accepted),
                "refused": list(self._rejected),
            }

    def clear(self) -> None:
        """Forget the messages; the counts stay."""
        with self._lock:
            self._accepted.clear()
            self._rejected.clear()
