# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which Services, ports and addresses a monitor means, and what is nearest when it means none.

This module util is PRIVATE to the collection. Pure functions over Kubernetes objects. How Prometheus makes targets of
them: prometheus discovery/kubernetes/{endpoints,endpointslice,pod}.go, prometheus-operator pkg/prometheus/promcfg.go.
"""

from __future__ import annotations

import difflib
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import selects
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import Labels, Object
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_pods import is_running, name_of, uid_of


class Address(t.NamedTuple):
    """One address that a monitor should lead Prometheus to.

    :param address: C(ip:port). :param pod: the Pod behind it, None for an address without one (a node).
    """

    address: str
    namespace: str
    service: str
    pod: Object | None


def labels_of(item: Object) -> dict[str, str]:
    """Labels of an object."""
    return (item.get("metadata") or {}).get("labels") or {}


def namespace_of(item: Object) -> str:
    """Namespace of an object."""
    return str((item.get("metadata") or {}).get("namespace") or "default")


def place(item: Object) -> str:
    """C(namespace/name)."""
    return f"{namespace_of(item)}/{name_of(item)}"


def differences(selector: Object, labels: Labels) -> list[str]:
    """What a selector asks for that the labels do not have, one phrase each."""
    found = []
    for key, value in (selector.get("matchLabels") or {}).items():
        if key not in labels:
            found.append(f"{key}={value} is missing")
        elif labels[key] != value:
            found.append(f"{key} is {labels[key]}, not {value}")
    for rule in selector.get("matchExpressions") or []:
        if not selects({"matchExpressions": [rule]}, labels):
            key, values = rule.get("key"), "|".join(rule.get("values") or [])
            there = f"{key} is {labels[key]}" if key in labels else f"{key} is missing"
            found.append(f"{there}, wanted {rule.get('operator')} {values}".rstrip())
    return found


def nearest(selector: Object, hint: str, items: t.Sequence[Object]) -> Object | None:
    """The object whose labels come nearest to a selector; among equals the one whose name is nearest to C(hint).

    None when nothing is near: no label key in common and no similar name.
    """

    def score(item: Object) -> tuple[int, int, float]:
        labels = labels_of(item)
        wanted = selector.get("matchLabels") or {}
        equal = sum(labels.get(key) == value for key, value in wanted.items())
        # A value under another key (app -> app.kubernetes.io/name) is the usual mistake.
        moved = sum(value in labels.values() for value in wanted.values())
        alike = max(
            difflib.SequenceMatcher(None, word, other).ratio()
            for word in [hint, *map(str, wanted.values())]
            for other in [name_of(item), *map(str, labels.values())]
        )
        return equal, moved, alike

    ranked = sorted(items, key=score, reverse=True)
    if not ranked:
        return None
    best = score(ranked[0])
    return ranked[0] if best[0] or best[1] or best[2] >= 0.6 else None


def port_names(service: Object) -> list[str]:
    """The ports of a Service as a person reads them: C(http (8080))."""
    return [f"{port.get('name') or '(unnamed)'} ({port.get('port')})" for port in ports_of(service)]


def ports_of(service: Object) -> list[Object]:
    """The ports of a Service."""
    return (service.get("spec") or {}).get("ports") or []


def container_ports(pod: Object) -> list[tuple[str, int]]:
    """Declared container ports of a Pod as (name or "", number)."""
    spec = pod.get("spec") or {}
    containers = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    return [(port.get("name") or "", port.get("containerPort")) for c in containers for port in c.get("ports") or []]


def full_match(pattern: t.Any, text: str) -> bool:
    """The operator puts a port into a relabeling rule as a regular expression; almost always it is a plain name."""
    if str(pattern) == text:
        return True
    try:
        return re.fullmatch(str(pattern), text) is not None
    except re.error:
        return False


def target_port(endpoint: Object) -> int | str | None:
    """The container port that an endpoint of a monitor names, None when it names a Service port or nothing."""
    if endpoint.get("port"):
        return None
    return endpoint.get("portNumber") or endpoint.get("targetPort")


def declares(pod: Object, wanted: int | str) -> list[int]:
    """Numbers of the container ports of a Pod that C(targetPort) or C(portNumber) means."""
    if isinstance(wanted, int):
        return [number for _name, number in container_ports(pod) if number == wanted]
    return [number for name, number in container_ports(pod) if name and full_match(wanted, name)]


def services_with_port(
    endpoint: Object, services: t.Sequence[Object], pods: t.Mapping[str, Object], slices: t.Sequence[Object]
) -> list[Object]:
    """Those of the selected Services that offer the port of an endpoint.

    :param pods: Pods by UID. :param slices: every EndpointSlice of the namespaces concerned.
    """
    wanted = target_port(endpoint)
    if wanted is None:
        name = endpoint.get("port")
        if not name:
            return list(services)
        return [s for s in services if any(full_match(name, port.get("name") or "") for port in ports_of(s))]
    return [s for s in services if any(declares(pod, wanted) for pod in pods_behind(s, slices, pods))]


def slices_of(service: Object, slices: t.Sequence[Object]) -> list[Object]:
    """The EndpointSlices of a Service."""
    return [
        item
        for item in slices
        if labels_of(item).get("kubernetes.io/service-name") == name_of(service)
        and namespace_of(item) == namespace_of(service)
    ]


def pods_behind(service: Object, slices: t.Sequence[Object], pods: t.Mapping[str, Object]) -> list[Object]:
    """The Pods that the EndpointSlices of a Service refer to, whatever their state."""
    found: dict[str, Object] = {}
    for item in slices_of(service, slices):
        for endpoint in item.get("endpoints") or []:
            uid = (endpoint.get("targetRef") or {}).get("uid") or ""
            if uid in pods:
                found[uid] = pods[uid]
    return list(found.values())


def selected_pods(service: Object, pods: t.Iterable[Object]) -> list[Object]:
    """The Pods that a Service's own selector means; none for a Service without selector."""
    selector = (service.get("spec") or {}).get("selector") or {}
    if not selector:
        return []
    return [
        pod
        for pod in pods
        if namespace_of(pod) == namespace_of(service) and selects({"matchLabels": selector}, labels_of(pod))
    ]


def addresses(
    endpoint: Object, services: t.Sequence[Object], slices: t.Sequence[Object], pods: t.Mapping[str, Object]
) -> list[Address]:
    """Where an endpoint of a ServiceMonitor must lead: entries of EndpointSlices whose Pod runs and is not leaving.

    Each C(ip:port) once, though several Services may list it. An entry without a Pod (a node, hand-made) counts.
    """
    wanted = target_port(endpoint)
    found: dict[str, Address] = {}
    for service in services:
        for item in slices_of(service, slices):
            for entry in item.get("endpoints") or []:
                reference = entry.get("targetRef") or {}
                pod = pods.get(reference.get("uid") or "")
                if reference.get("kind") == "Pod" and (pod is None or not is_running(pod)):
                    continue
                if (entry.get("conditions") or {}).get("terminating"):
                    continue
                for number in _numbers(endpoint, wanted, item, pod):
                    for ip in (entry.get("addresses") or [])[:1]:
                        text = join(ip, number)
                        found.setdefault(text, Address(text, namespace_of(service), name_of(service), pod))
    return list(found.values())


def _numbers(endpoint: Object, wanted: int | str | None, item: Object, pod: Object | None) -> list[int]:
    if wanted is not None:
        return declares(pod, wanted) if pod else []
    ports = [port for port in item.get("ports") or [] if port.get("port")]
    if endpoint.get("port"):
        ports = [port for port in ports if full_match(endpoint["port"], port.get("name") or "")]
    return [port["port"] for port in ports]


def pod_addresses(endpoint: Object, selected: t.Sequence[Object]) -> list[Address]:
    """Where an endpoint of a PodMonitor must lead: declared container ports of the running Pods it selects."""
    found: dict[str, Address] = {}
    wanted = endpoint.get("port") or target_port(endpoint)
    for pod in selected:
        ip = (pod.get("status") or {}).get("podIP")
        if not ip or not is_running(pod):
            continue
        numbers = declares(pod, wanted) if wanted else [number for _name, number in container_ports(pod)]
        for number in numbers:
            text = join(ip, number)
            found.setdefault(text, Address(text, namespace_of(pod), "", pod))
    return list(found.values())


def join(ip: str, port: int) -> str:
    """C(ip:port), as Prometheus writes it."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def by_uid(pods: t.Iterable[Object]) -> dict[str, Object]:
    """Pods by UID."""
    return {uid_of(pod): pod for pod in pods}
