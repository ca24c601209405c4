# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The state of the watched services at one moment, small enough to be kept in a ConfigMap.

Pure functions over Kubernetes objects. A snapshot is plain data (JSON):
C({taken, nodes: {name: ...}, workloads: {"Kind/ns/name": ...}, pods: {"ns/name": ...},
members: {check: {pods: [...], workloads: [...]}}}).
Pods that a Job owns are left out: they come and go by design. This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import parse_time

Object = dict[str, t.Any]
Snapshot = dict[str, t.Any]

_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")
# The labels under which controllers tell which revision of the template a Pod was made from.
_HASHES = ("pod-template-hash", "controller-revision-hash")


class Objects(t.NamedTuple):
    """What is read from the cluster. C(workloads): Deployments, StatefulSets, DaemonSets and bare ReplicaSets."""

    pods: list[Object]
    nodes: list[Object]
    workloads: list[Object]
    replica_sets: list[Object]
    services: list[Object]


class Expectation(t.NamedTuple):
    """One watched service: C(selector) is of Services, or of Pods where no Service has it; C(service) names one.

    C(namespace) alone means every Pod of it that no other expectation has.
    """

    name: str
    namespace: str
    selector: t.Mapping[str, str]
    service: str = ""
    rest: bool = False


def take(objects: Objects, expectations: t.Sequence[Expectation], now: float) -> Snapshot:
    """Return the snapshot of the watched Pods, their workloads, and all nodes."""
    owners = _owners(objects.replica_sets)
    pods: dict[str, Object] = {}
    pod_labels: dict[str, t.Mapping[str, str]] = {}
    for pod in objects.pods:
        owner = _owner(pod, owners)
        if owner.startswith("Job/"):
            continue
        pods[key_of(pod)] = _pod(pod, owner)
        pod_labels[key_of(pod)] = pod["metadata"].get("labels") or {}
    workloads: dict[str, Object] = {}
    templates: dict[str, t.Mapping[str, str]] = {}
    for item in objects.workloads:
        if any(ref.get("controller") for ref in item["metadata"].get("ownerReferences") or []):
            continue
        name = f"{item.get('kind')}/{key_of(item)}"
        workloads[name] = _workload(item)
        templates[name] = ((item["spec"].get("template") or {}).get("metadata") or {}).get("labels") or {}
    members: dict[str, dict[str, list[str]]] = {}
    taken: set[str] = set()
    # What an expectation names is its own; a namespace as a whole gets what is left.
    for expectation in sorted(expectations, key=lambda item: item.rest):
        selectors = _selectors(expectation, objects.services, pod_labels)
        chosen = {
            "pods": _chosen(expectation, selectors, pod_labels, lambda name: name.split("/")[0]),
            "workloads": _chosen(expectation, selectors, templates, lambda name: name.split("/")[1]),
        }
        chosen["workloads"] = sorted(
            {
                *chosen["workloads"],
                *(pods[name]["owner"] for name in chosen["pods"] if pods[name]["owner"] in workloads),
            }
        )
        if expectation.rest:
            chosen = {kind: [name for name in names if name not in taken] for kind, names in chosen.items()}
        taken.update(*chosen.values())
        members[expectation.name] = chosen
    return {
        "taken": now,
        "nodes": {node["metadata"]["name"]: _node(node) for node in objects.nodes},
        "workloads": {name: value for name, value in sorted(workloads.items()) if name in taken},
        "pods": {name: value for name, value in sorted(pods.items()) if name in taken},
        "members": members,
    }


def key_of(item: Object) -> str:
    """Return C(namespace/name)."""
    return f"{item['metadata'].get('namespace', '')}/{item['metadata'].get('name', '')}"


def _selectors(
    expectation: Expectation, services: t.Sequence[Object], pod_labels: t.Mapping[str, t.Mapping[str, str]]
) -> list[t.Mapping[str, str]]:
    """Return the selectors of Pods that an expectation stands for: its Services', or its own when those find none."""
    found = [
        service["spec"]["selector"]
        for service in services
        if service["metadata"].get("namespace") == expectation.namespace
        and (service.get("spec") or {}).get("selector")
        and _meant(expectation, service)
    ]
    here = [labels for name, labels in pod_labels.items() if name.startswith(expectation.namespace + "/")]
    if expectation.selector and not any(_subset(wanted, have) for wanted in found for have in here):
        found.append(expectation.selector)
    return found


def _chosen(
    expectation: Expectation,
    selectors: t.Sequence[t.Mapping[str, str]],
    labels: t.Mapping[str, t.Mapping[str, str]],
    namespace_of: t.Callable[[str], str],
) -> list[str]:
    return sorted(
        name
        for name, have in labels.items()
        if namespace_of(name) == expectation.namespace
        and (expectation.rest or any(_subset(wanted, have) for wanted in selectors))
    )


def _meant(expectation: Expectation, service: Object) -> bool:
    meta = service["metadata"]
    if expectation.service:
        # A host as the catalogue knows it: name, name.namespace, name.namespace.svc, with or without the domain.
        parts = expectation.service.split(":")[0].split(".")
        return parts[0] == meta.get("name") and (len(parts) < 2 or parts[1] == meta.get("namespace"))
    return bool(expectation.selector) and _subset(expectation.selector, meta.get("labels") or {})


def _subset(wanted: t.Mapping[str, str], have: t.Mapping[str, str]) -> bool:
    return all(have.get(name) == value for name, value in wanted.items())


def _owners(replica_sets: t.Sequence[Object]) -> dict[str, str]:
    """Map the uid of a ReplicaSet to the Deployment above it."""
    found = {}
    for item in replica_sets:
        for ref in item["metadata"].get("ownerReferences") or []:
            if ref.get("controller"):
                found[item["metadata"]["uid"]] = f"{ref['kind']}/{item['metadata']['namespace']}/{ref['name']}"
    return found


def _owner(pod: Object, replica_sets: t.Mapping[str, str]) -> str:
    """Return C(Kind/namespace/name) of the workload above a Pod, empty for a bare Pod.

    A static Pod is owned by its Node; it counts as bare, the kubelet makes it anew under the same name.
    """
    for ref in pod["metadata"].get("ownerReferences") or []:
        if not ref.get("controller") or ref.get("kind") == "Node":
            continue
        return replica_sets.get(ref.get("uid", "")) or f"{ref['kind']}/{pod['metadata'].get('namespace')}/{ref['name']}"
    return ""


def _pod(pod: Object, owner: str) -> Object:
    meta, status = pod["metadata"], pod.get("status") or {}
    condition = next((c for c in status.get("conditions") or [] if c.get("type") == "Ready"), {})
    labels = meta.get("labels") or {}
    return {
        "uid": meta.get("uid", ""),
        "owner": owner,
        "node": (pod.get("spec") or {}).get("nodeName", ""),
        "created": parse_time(meta.get("creationTimestamp")),
        "hash": next((labels[name] for name in _HASHES if labels.get(name)), ""),
        "phase": status.get("phase", ""),
        "reason": status.get("reason", ""),
        "message": str(status.get("message") or "")[:200],
        "going": bool(meta.get("deletionTimestamp")),
        "ready": condition.get("status") == "True",
        "since": parse_time(condition.get("lastTransitionTime")),
        "containers": {item["name"]: _container(item) for item in status.get("containerStatuses") or []},
    }


def _container(status: Object) -> Object:
    state, last = status.get("state") or {}, (status.get("lastState") or {}).get("terminated") or {}
    ended = state.get("terminated") or last
    return {
        "restarts": int(status.get("restartCount") or 0),
        "ready": bool(status.get("ready")),
        "waiting": (state.get("waiting") or {}).get("reason", ""),
        "started": parse_time((state.get("running") or {}).get("startedAt")),
        "ended": parse_time(ended.get("finishedAt")),
        "reason": ended.get("reason", ""),
        "exit": ended.get("exitCode"),
    }


def _workload(item: Object) -> Object:
    meta, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    if item.get("kind") == "DaemonSet":
        desired, ready = status.get("desiredNumberScheduled"), status.get("numberReady")
        updated = status.get("updatedNumberScheduled")
    else:
        desired, ready, updated = spec.get("replicas", 1), status.get("readyReplicas"), status.get("updatedReplicas")
    return {
        "uid": meta.get("uid", ""),
        "generation": int(meta.get("generation") or 0),
        "observed": int(status.get("observedGeneration") or 0),
        "desired": int(desired or 0),
        "ready": int(ready or 0),
        "updated": int(updated or 0),
    }


def _node(node: Object) -> Object:
    status = node.get("status") or {}
    conditions = {c.get("type"): c for c in status.get("conditions") or []}
    ready = conditions.get("Ready", {})
    return {
        "ready": ready.get("status") == "True",
        "since": parse_time(ready.get("lastTransitionTime")),
        "pressure": sorted(name for name in _PRESSURES if conditions.get(name, {}).get("status") == "True"),
        "boot": (status.get("nodeInfo") or {}).get("bootID", ""),
        "cordoned": bool((node.get("spec") or {}).get("unschedulable")),
    }
