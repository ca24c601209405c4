# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builders of what the logs verdict reads: Pods, nodes, DaemonSets, readings. Times are seconds before NOW."""

from __future__ import annotations

from typing import Any

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_kubelet as kubelet
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_metrics import Reading
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_namespaces import Rules, Seen
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_pods import Container, Key
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_streams import DEFAULT_SOURCES
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import rfc3339

NOW = 1_795_450_000.0
RULES = Rules(("namespace", "pod", "container", "app", "tier"), DEFAULT_SOURCES, 600.0, 120.0)


def ago(seconds: float) -> str:
    """RFC 3339 time so many seconds before NOW."""
    return rfc3339(NOW - seconds)


def pod(
    name: str = "trino-0",
    namespace: str = "data-platform",
    node: str = "n1",
    state: dict[str, Any] | None = None,
    last: dict[str, Any] | None = None,
    container: str = "main",
    **metadata: Any,
) -> dict[str, Any]:
    """A Pod of one container, running for an hour unless said otherwise."""
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", **metadata},
        "spec": {"nodeName": node, "containers": [{"name": container}]},
        "status": {
            "phase": "Running",
            "containerStatuses": [
                {
                    "name": container,
                    "state": state or {"running": {"startedAt": ago(3600)}},
                    "lastState": {"terminated": last} if last else {},
                }
            ],
        },
    }


def container(
    name: str = "trino-0",
    namespace: str = "data-platform",
    node: str = "n1",
    labels: dict[str, str] | None = None,
    inner: str = "main",
    static: bool = False,
    started: float = 3600,
    ended: float | None = None,
) -> Container:
    """A container that began `started` seconds ago, and ended `ended` seconds ago unless it runs."""
    return Container(
        Key(namespace, name, inner), node, labels or {}, static, NOW - started, None if ended is None else NOW - ended
    )


def stream(
    name: str = "trino-0", namespace: str = "data-platform", inner: str = "main", **labels: str
) -> dict[str, str]:
    """The labels of a container's stream."""
    return {"namespace": namespace, "pod": name, "container": inner, **labels}


def wrote(seconds: float) -> kubelet.Line:
    """The kubelet has a line of so many seconds ago."""
    return kubelet.Line(kubelet.WROTE, NOW - seconds)


SILENT = kubelet.Line(kubelet.SILENT)
FORBIDDEN = kubelet.Line(kubelet.UNREADABLE, None, 'User "reader" cannot get resource "pods/log"', True)


def seen(
    window: dict[Key, int] | None = None,
    lag: dict[Key, int] | None = None,
    streams: list[dict[str, str]] | None = None,
    lines: dict[Key, kubelet.Line] | None = None,
    newest: dict[Key, float | None] | None = None,
) -> Seen:
    """What Loki and the kubelets say; `newest` in seconds ago."""
    by_namespace: dict[str, list[dict[str, str]]] = {}
    for item in streams or []:
        by_namespace.setdefault(item.get("namespace", ""), []).append(item)
    at = {key: None if age is None else NOW - age for key, age in (newest or {}).items()}
    return Seen(window or {}, lag or {}, by_namespace, lines or {}, at)


def node(
    name: str = "n1",
    taints: list[dict[str, str]] | None = None,
    labels: dict[str, str] | None = None,
    ready: bool = True,
    cordoned: bool = False,
) -> dict[str, Any]:
    """A node."""
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/os": "linux", **(labels or {})}},
        "spec": {"taints": taints or [], **({"unschedulable": True} if cordoned else {})},
        "status": {"conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}]},
    }


def daemonset(
    name: str = "promtail", namespace: str = "monitoring", image: str = "docker.io/grafana/promtail:3.6.4", **spec: Any
) -> dict[str, Any]:
    """The agent's DaemonSet, with tolerations or selectors as given."""
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": "ds", "creationTimestamp": ago(7200)},
        "spec": {"template": {"spec": {"containers": [{"name": "agent", "image": image}], **spec}}},
    }


def agent_pod(
    node_name: str, ready: bool = True, age: float = 3600, state: dict[str, Any] | None = None, **status: Any
) -> dict[str, Any]:
    """A Pod of the agent's DaemonSet on a node."""
    return {
        "metadata": {
            "name": f"promtail-{node_name}",
            "namespace": "monitoring",
            "creationTimestamp": ago(age),
            "ownerReferences": [{"kind": "DaemonSet", "uid": "ds", "controller": True}],
        },
        "spec": {"nodeName": node_name, "containers": [{"name": "agent"}]},
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [{"name": "agent", "state": state or {"running": {}}, **status}],
        },
    }


def reading(at: float, started: float, **metrics: dict[str, float]) -> Reading:
    """A page read `at` seconds before NOW of a process that began `started` seconds before NOW.

    Each metric is {"label=value": number}.
    """
    page = {
        name: {
            tuple(sorted(tuple(pair.split("=", 1)) for pair in text.split(",") if pair)): value
            for text, value in series.items()
        }
        for name, series in metrics.items()
    }
    page["process_start_time_seconds"] = {(): NOW - started}
    return Reading("monitoring/promtail-n1", NOW - at, page)
