# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the logs verdict reads from the Kubernetes API: Pods, nodes, the agent, and the kubelets' own logs.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_agent, _logs_metrics, _logs_sending
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import (
    ApiError,
    ApiUnreachable,
    ConfigError,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube, status_error
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_kubelet import LogReader
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_loki import server_time
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_pods import Key
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import parse_time
from ansible_collections.dataplatform.monitoring.plugins.module_utils._servers import replicas, service_port

Object = dict[str, t.Any]


def cluster_time(kube: Kube) -> float | None:
    """Return the Unix time of the API server's clock: what Pods and Events are stamped with."""
    return server_time(kube.raw("GET", "/version"))


def made(kube: Kube, path: str) -> float | None:
    """Return when an object was made (Unix time), None when it is not there or may not be read."""
    try:
        return parse_time(((kube.get(path) or {}).get("metadata") or {}).get("creationTimestamp"))
    except ApiError:
        return None


def log_reader(kube: Kube, query_timeout: float) -> LogReader:
    """Return the function that reads C(pods/log)."""

    def read(key: Key, **params: str) -> bytes | None:
        path = f"/api/v1/namespaces/{key.namespace}/pods/{key.pod}/log"
        response = kube.raw("GET", path, [("container", key.container), *params.items()], timeout=query_timeout)
        if response.status == 404:
            return None
        # A container that has not started, or whose last run was removed, has no line; that is no error of ours.
        if response.status == 400 and (b"waiting to start" in response.body or b"not found" in response.body):
            return b""
        if response.status >= 400:
            raise status_error(response, f"reading the log of {key.namespace}/{key.pod}")
        return response.body

    return read


def loki_apis(params: t.Mapping[str, t.Any], kube: Kube | None) -> list[Api]:
    """Return Loki's replicas, those included that run without being ready: their /ready says why.

    :raises ConfigError: the Service does not exist. :raises ApiUnreachable: no Pod of it runs; the message says why.
    """
    try:
        return replicas(params, kube)
    except ApiUnreachable:
        if kube is None or not params.get("service"):
            raise
    namespace, name = params["namespace"], params["service"]
    service = kube.get(f"/api/v1/namespaces/{namespace}/services/{name}") or {}
    chosen = service.get("spec", {}).get("selector") or {}
    pods = kube.list(
        f"/api/v1/namespaces/{namespace}/pods", label_selector=",".join(f"{k}={v}" for k, v in chosen.items())
    )
    if not chosen or not pods:
        raise ApiUnreachable(f"Service {namespace}/{name} has no Pod behind it.")
    target = service_port(service, params.get("port")).get("targetPort")
    found: list[Api] = []
    for pod in sorted(pods, key=lambda item: item["metadata"]["name"]):
        number = _container_port(pod, target)
        if number and any(s.get("state", {}).get("running") for s in _container_statuses(pod)):
            prefix = params.get("path_prefix") or ""
            found.append(
                kube.proxy(namespace, "pods", pod["metadata"]["name"], number, params.get("scheme") or "http", prefix)
            )
    if not found:
        raise ApiUnreachable(f"No Pod of Service {namespace}/{name} runs: {'; '.join(pod_state(pod) for pod in pods)}.")
    return found


def _container_statuses(pod: Object) -> list[Object]:
    return (pod.get("status") or {}).get("containerStatuses") or []


def _container_port(pod: Object, target: t.Any) -> int | None:
    if isinstance(target, int):
        return target
    for container in pod.get("spec", {}).get("containers") or []:
        for port in container.get("ports") or []:
            if port.get("name") == target:
                return port.get("containerPort")
    return None


def pod_state(pod: Object) -> str:
    """Say in a few words why a Pod does not run."""
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    for item in _container_statuses(pod):
        waiting = (item.get("state") or {}).get("waiting")
        if waiting:
            last = (item.get("lastState") or {}).get("terminated") or {}
            ended = f", last run ended with {last.get('reason')} (code {last.get('exitCode')})" if last else ""
            return f"{name} {waiting.get('reason', 'waiting')}{ended}"
    for condition in status.get("conditions") or []:
        if condition.get("status") == "False" and condition.get("message"):
            return f"{name} {status.get('phase', '')}: {condition['message']}"
    return f"{name} {status.get('phase', 'unknown')}"


def agent_events(kube: Kube, daemonset: Object) -> tuple[list[Object], Object | None]:
    """Return the Events of a DaemonSet and its Namespace; what may not be read is left out."""
    namespace = daemonset["metadata"]["namespace"]
    events: list[Object] = []
    space: Object | None = None
    try:
        events = kube.list(
            f"/api/v1/namespaces/{namespace}/events",
            field_selector=f"involvedObject.kind=DaemonSet,involvedObject.name={daemonset['metadata']['name']}",
        )
        space = kube.get(f"/api/v1/namespaces/{namespace}")
    except ApiError:
        return events, space
    return events, space


def agent_page(kube: Kube, pod: Object, query_timeout: float) -> _logs_metrics.Page:
    """Read an agent's own counters through the proxy.

    :raises ConfigError: its container declares no port. :raises ApiError: it does not answer.
    """
    meta = pod["metadata"]
    ports = [
        port
        for container in pod.get("spec", {}).get("containers") or []
        for port in container.get("ports") or []
        if port.get("protocol", "TCP") == "TCP"
    ]
    named = [port for port in ports if str(port.get("name", "")).startswith("http")] or ports
    if not named:
        raise ConfigError(f"agent Pod {meta['name']} declares no port")
    api = kube.proxy(meta["namespace"], "pods", meta["name"], named[0]["containerPort"])
    response = api.get("/metrics", (), query_timeout)
    if response.status != 200:
        raise ApiError(f"/metrics of agent Pod {meta['name']} answered {response.status}", response.status)
    return _logs_metrics.parse_page(response.text(), _logs_sending.WANTED)


def agent_log(kube: Kube, pod: Object, query_timeout: float) -> str:
    """Read the end of an agent's own log of the last quarter of an hour; empty when it cannot be read."""
    meta = pod["metadata"]
    name = (pod.get("spec", {}).get("containers") or [{}])[0].get("name", "")
    key = Key(meta["namespace"], meta["name"], name)
    try:
        body = log_reader(kube, query_timeout)(key, sinceSeconds="900", tailLines="200")
    except ApiError:
        return ""
    return (body or b"").decode("utf-8", errors="replace")


def agent_kind(daemonset: Object | None) -> str:
    """Return C(alloy) where the agent is Alloy, else C(promtail), whose rules are YAML."""
    return "alloy" if daemonset is not None and "alloy" in _logs_agent.images(daemonset) else "promtail"
