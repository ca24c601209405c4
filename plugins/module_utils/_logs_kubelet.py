# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the kubelet knows of a container's log: the truth that Loki is held against.

Silence is not a fault. A container is missing in Loki only when the kubelet holds a line that the agent has had
time to send and Loki does not have. This module util is PRIVATE to the collection; pure but for C(read_line).
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError, ApiForbidden
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_pods import Container, Key, by_cell
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import parse_time

SILENT, WROTE, UNREADABLE, GONE = "silent", "wrote", "unreadable", "gone"


class Line(t.NamedTuple):
    """The kubelet's answer for one container.

    :param state: C(wrote), C(silent) (no line in the time asked for), C(unreadable), C(gone) (no such Pod any more).
    :param at: Unix time of the line that must be in Loki; None without one.
    :param error: why it is unreadable. :param forbidden: the reason is a missing permission.
    """

    state: str
    at: float | None = None
    error: str = ""
    forbidden: bool = False


def parse_log(body: bytes, last: bool = True) -> float | None:
    """Return the Unix time of the last (or first) line of C(pods/log?timestamps=true), None when there is no line.

    Lines that do not begin with a timestamp (a line cut by limitBytes, the kubelet's own error text) are passed over.
    """
    lines = body.decode("utf-8", errors="replace").splitlines()
    for line in reversed(lines) if last else lines:
        stamp = parse_time(line.split(" ", 1)[0])
        if stamp is not None:
            return stamp
    return None


def choose(
    containers: t.Sequence[Container],
    in_window: t.Collection[Key],
    in_lag: t.Collection[Key],
    per_cell: int,
    total: int,
) -> tuple[list[Container], int]:
    """Choose the containers to ask the kubelet about.

    Not asked: containers with a line in Loki younger than the tolerance; they are proven. First in each cell come
    those without any line in the window, then those whose newest line is older than the tolerance; of both, one Pod
    after the other before a second container of the same Pod. Cells take turns, so that the total limit never spends
    itself on one namespace.

    :param in_window: containers with a line in the window. :param in_lag: those with a line within the tolerance.
    :param per_cell: most containers of one node and namespace. :param total: most in all.
    :returns: the chosen ones, and how many more would have been worth asking.
    """
    queues: list[list[Container]] = []
    left = 0
    for members in by_cell(containers).values():
        seen: dict[str, int] = {}
        ranked: list[tuple[bool, int, Key, Container]] = []
        for container in members:
            if container.key in in_lag:
                continue
            turn = seen.get(container.key.pod, 0)
            seen[container.key.pod] = turn + 1
            ranked.append((container.key in in_window, turn, container.key, container))
        ranked.sort(key=lambda item: item[:3])
        queues.append([item[3] for item in ranked[:per_cell]])
        left += max(len(ranked) - per_cell, 0)
    chosen: list[Container] = []
    for turn in range(max((len(queue) for queue in queues), default=0)):
        chosen.extend(queue[turn] for queue in queues if turn < len(queue))
    left += max(len(chosen) - total, 0)
    return chosen[:total], left


class LogReader(t.Protocol):
    """Reads C(pods/log): implemented over the Kubernetes API, and by a function in tests."""

    def __call__(self, key: Key, **params: str) -> bytes | None: ...


def read_line(read: LogReader, container: Container, now: float, window: float, lag: float) -> Line:
    """Ask the kubelet for the newest line that the agent has had time to send.

    The very last line settles it when it is older than C(lag). A busy container's last line is always young, and
    proves nothing about an agent that died five minutes ago: then the first line since twice the tolerance is asked
    for, which is old enough unless the container only just began to write.

    :param now: Unix time of the cluster. :param window: seconds; no more than Loki is old. :param lag: seconds the
        agent may take.
    """
    try:
        last = _since(read, container, window, tailLines="1")
        if last is None:
            return Line(GONE)
        newest = parse_log(last)
        if newest is None or newest < now - window:
            return Line(SILENT)
        if newest <= now - lag:
            return Line(WROTE, newest)
        # limitBytes cuts at the end, so that this is the beginning of the span, whatever the container writes.
        first = _since(read, container, min(window, 2 * lag), limitBytes="4096")
        oldest = parse_log(first, last=False) if first else None
        return Line(WROTE, oldest if oldest is not None else newest)
    except ApiForbidden as exc:
        return Line(UNREADABLE, None, str(exc), forbidden=True)
    except ApiError as exc:
        return Line(UNREADABLE, None, str(exc))


def _since(read: LogReader, container: Container, seconds: float, **params: str) -> bytes | None:
    return read(container.key, timestamps="true", sinceSeconds=str(max(int(seconds), 1)), **params)
