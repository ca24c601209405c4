# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which containers may have written a log line lately, by the Pods the cluster knows.

Pure functions over Pod objects. This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import parse_time

Pod = dict[str, t.Any]
# Kubelet marks the Pods it runs from files with this; their log folder carries this value instead of the Pod's uid.
MIRROR_ANNOTATION = "kubernetes.io/config.mirror"


class Key(t.NamedTuple):
    """What identifies a container's log: the labels of its stream."""

    namespace: str
    pod: str
    container: str

    def __str__(self) -> str:
        return f"{self.pod}/{self.container}"


class Container(t.NamedTuple):
    """A container that runs, or ended within the window.

    :param labels: the Pod's labels. :param static: run by the kubelet from a file (kube-apiserver and its like).
    :param started: Unix time, None when not told. :param ended: Unix time, None while it runs.
    """

    key: Key
    node: str
    labels: t.Mapping[str, str]
    static: bool
    started: float | None
    ended: float | None

    def lifetime(self, now: float) -> float:
        """Seconds it has run; endless when its start is not told."""
        if self.started is None:
            return float("inf")
        return (now if self.ended is None else self.ended) - self.started


def _statuses(pod: Pod) -> list[dict[str, t.Any]]:
    """Statuses of the containers and of the sidecars, which Kubernetes lists among the init containers."""
    status = pod.get("status") or {}
    spec = pod.get("spec") or {}
    sidecars = {c["name"] for c in spec.get("initContainers") or [] if c.get("restartPolicy") == "Always"}
    init = [s for s in status.get("initContainerStatuses") or [] if s.get("name") in sidecars]
    return [*(status.get("containerStatuses") or []), *init]


def writers(pods: t.Iterable[Pod], now: float, window: float) -> list[Container]:
    """Return the containers that run, or ended within C(window) seconds before C(now), sorted by their key.

    Containers that wait (image pull, crash back-off) count when their last run ended within the window: what they
    wrote is still at the kubelet.
    """
    found: list[Container] = []
    for pod in pods:
        meta = pod.get("metadata") or {}
        node = (pod.get("spec") or {}).get("nodeName") or ""
        if not node:
            continue
        for status in _statuses(pod):
            state = status.get("state") or {}
            running = state.get("running")
            ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated")
            if running is not None:
                started, end = parse_time(running.get("startedAt")), None
            elif ended is not None:
                started, end = parse_time(ended.get("startedAt")), parse_time(ended.get("finishedAt"))
                if end is None or end < now - window:
                    continue
            else:
                continue
            found.append(
                Container(
                    Key(meta.get("namespace") or "default", meta.get("name") or "", status.get("name") or ""),
                    node,
                    meta.get("labels") or {},
                    MIRROR_ANNOTATION in (meta.get("annotations") or {}),
                    started,
                    end,
                )
            )
    return sorted(found, key=lambda container: container.key)


def by_cell(containers: t.Iterable[Container]) -> dict[tuple[str, str], list[Container]]:
    """Group by (namespace, node): what one agent reads of one namespace, the unit a verdict can trust.

    A busy Pod on one node proves nothing about the agent of another node.
    """
    cells: dict[tuple[str, str], list[Container]] = {}
    for container in containers:
        cells.setdefault((container.key.namespace, container.node), []).append(container)
    return cells
