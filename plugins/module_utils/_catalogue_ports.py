# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A port number is what people write; a ServiceMonitor wants a name or a declared container port.

Order: a Service port with that number (its name; or its targetPort when it has no name), then a container port
with that number that is declared (targetPort), then a Service port that leads to it (its name), else a refusal
that says what is there. ``port`` in the CRD is a text: a number is rejected by the API server, and the same number
in quotes is accepted and matches nothing (prometheus-operator, Documentation/platform/troubleshooting.md).
This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import selects
from ansible_collections.dataplatform.monitoring.plugins.module_utils._endpoint_schema import suggest

Objects = list[dict[str, Any]]


class Resolved(NamedTuple):
    """``endpoint`` as the CRD wants it; ``fault`` (what, remedy) when it cannot be; ``note`` when it may not work."""

    endpoint: dict[str, Any]
    fault: tuple[str, str] | None = None
    note: str | None = None


def matching(objects: Any, namespaces: Iterable[str], selector: Mapping[str, Any]) -> Objects:
    """Those of ``objects`` (with namespace and labels) that lie in ``namespaces`` and match ``selector``."""
    wanted = set(namespaces)
    return [one for one in objects or () if one.get("namespace") in wanted and selects(selector, one.get("labels"))]


def pods_behind(services: Objects, pods: Any) -> Objects:
    """Pods that any of ``services`` selects. A Service without selector selects none."""
    found = []
    for pod in pods or ():
        for service in services:
            labels = service.get("selector") or {}
            if (
                labels
                and service["namespace"] == pod["namespace"]
                and selects({"matchLabels": labels}, pod.get("labels"))
            ):
                found.append(pod)
                break
    return found


def _ports(services: Objects) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{one['namespace']}/{one['name']}", port) for one in services for port in one.get("ports") or ()]


def describe(services: Objects, pods: Objects) -> str:
    """The ports that are there, as a person would list them."""
    parts = []
    for service in services:
        shown = (
            ", ".join(f"{port.get('name') or '(no name)'} {port.get('port')}" for port in service.get("ports") or ())
            or "no ports"
        )
        parts.append(f"Service {service['namespace']}/{service['name']} has {shown}")
    declared = sorted(
        {
            (port.get("name") or "(no name)", port.get("containerPort"))
            for pod in pods
            for port in pod.get("ports") or ()
        },
        key=str,
    )
    if declared:
        parts.append("its Pods declare " + ", ".join(f"{name} {number}" for name, number in declared))
    return "; ".join(parts)


def _replace(endpoint: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """The same endpoint with its port said differently, at the same place."""
    return {(key if name == "port" else name): (value if name == "port" else item) for name, item in endpoint.items()}


def resolve_service_port(endpoint: Mapping[str, Any], services: Objects, pods: Objects) -> Resolved:
    """One endpoint of a ServiceMonitor that selects ``services`` (at least one), with ``pods`` behind them."""
    port = endpoint.get("port")
    if isinstance(port, str):
        names = sorted({one.get("name") for _owner, one in _ports(services) if one.get("name")})
        if port in names:
            return Resolved(dict(endpoint))
        return Resolved(
            dict(endpoint),
            note=f"no port is named {port} ({suggest(port, names, 'the names are')}): {describe(services, pods)}",
        )
    if port is None:
        target = endpoint.get("targetPort")
        if _declared(target, pods):
            return Resolved(dict(endpoint))
        why = f"no Pod declares the container port {target}, and targetPort matches declared ones only"
        return Resolved(dict(endpoint), note=f"{why}: {describe([], pods) or 'its Pods declare none'}")
    with_number = [(owner, one) for owner, one in _ports(services) if one.get("port") == port]
    if with_number:
        return _by_service_port(endpoint, with_number, pods)
    if any(one.get("containerPort") == port for pod in pods for one in pod.get("ports") or ()):
        return Resolved(_replace(endpoint, "targetPort", port))
    leading = [(owner, one) for owner, one in _ports(services) if one.get("targetPort") == port and one.get("name")]
    if leading:
        return _by_service_port(endpoint, leading, pods)
    return Resolved(
        _replace(endpoint, "targetPort", port),
        fault=(
            f"no Service port and no declared container port is {port}: {describe(services, pods)}",
            _remedy(services),
        ),
    )


def _by_service_port(endpoint: Mapping[str, Any], found: list[tuple[str, dict[str, Any]]], pods: Objects) -> Resolved:
    number = endpoint["port"]
    names = {one.get("name") or "" for _owner, one in found}
    if len(names) == 1 and "" not in names:
        return Resolved(_replace(endpoint, "port", names.pop()))
    # a Service port without a name, or several Services that name it differently: what they lead to may be one
    targets = {one.get("targetPort", one.get("port")) for _owner, one in found}
    if len(targets) > 1:
        listed = ", ".join(f"{owner} calls it {one.get('name') or '(no name)'}" for owner, one in found)
        what = f"{number} is not the same port everywhere: {listed}"
        fault = (what, "narrow the selector to one Service, or write one endpoint per name")
        return Resolved(_replace(endpoint, "targetPort", number), fault=fault)
    target = targets.pop()
    if _declared(target, pods):
        return Resolved(_replace(endpoint, "targetPort", target))
    which = "no name" if names == {""} else "several names"
    what = f"the Service port {number} has {which}, and no Pod declares the container port {target} that it leads to"
    return Resolved(
        _replace(endpoint, "targetPort", target),
        fault=(f"{what}: {describe([], pods) or 'its Pods declare none'}", "name the Service's port"),
    )


def _remedy(services: Objects) -> str:
    names = [one.get("name") for _owner, one in _ports(services) if one.get("name")]
    if len(names) == 1:
        return f"write port: {names[0]}"
    return "write the name of one of them, or declare the container port"


def _declared(target: Any, pods: Objects) -> bool:
    """Whether a Pod declares the container port (name or number). Without Pods nothing speaks against it."""
    declared = [
        value for pod in pods for one in pod.get("ports") or () for value in (one.get("name"), one["containerPort"])
    ]
    return not pods or target in declared


def resolve_pod_port(endpoint: Mapping[str, Any], pods: Objects) -> Resolved:
    """One endpoint of a PodMonitor that selects ``pods`` (at least one); ``port`` is a container port's name."""
    port = endpoint.get("port")
    declared = [one for pod in pods for one in pod.get("ports") or ()]
    names = sorted({one.get("name") for one in declared if one.get("name")})
    if isinstance(port, str):
        if port in names:
            return Resolved(dict(endpoint))
        return Resolved(
            dict(endpoint), note=f"no container port is named {port} ({suggest(port, names, 'the names are')})"
        )
    if port is None:
        return Resolved(dict(endpoint))
    found = {one.get("name") for one in declared if one.get("containerPort") == port}
    if not found:
        return Resolved(
            _replace(endpoint, "portNumber", port),
            fault=(
                f"no container port is {port}: {describe([], pods) or 'the Pods declare none'}",
                "declare it, or write the name of one that is there",
            ),
        )
    name = found.pop() if len(found) == 1 else None
    return Resolved(_replace(endpoint, "port", name) if name else _replace(endpoint, "portNumber", port))
