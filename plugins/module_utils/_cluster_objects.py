# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Kubernetes objects, reduced to what catalogue and preflights need. This module util is PRIVATE to the collection.

Pure functions over plain data, as the API lists it.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import typing as t
import zlib

Object = dict[str, t.Any]

# k8s.io/apimachinery pkg/api/resource: suffixes of a quantity
_QUANTITY = re.compile(r"^([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$")
_FACTORS = {
    "": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
# Where a monitor's endpoints are in its CRD.
ENDPOINTS = {"servicemonitors": "endpoints", "podmonitors": "podMetricsEndpoints"}


def quantity(text: t.Any) -> float:
    """A Kubernetes quantity in its base unit (cores, bytes); 0 for what is none."""
    match = _QUANTITY.match(str(text or "").strip())
    return float(match[1]) * _FACTORS[match[2] or ""] if match else 0.0


def service(obj: Object) -> Object:
    """Name, labels, type, ports and selector of a Service."""
    meta, spec = obj["metadata"], obj.get("spec") or {}
    return {
        "namespace": meta["namespace"],
        "name": meta["name"],
        "labels": meta.get("labels") or {},
        "type": spec.get("type", "ClusterIP"),
        "ports": [
            {"name": port.get("name"), "port": port["port"], "targetPort": port.get("targetPort", port["port"])}
            for port in spec.get("ports") or []
        ],
        "selector": spec.get("selector") or {},
    }


def pod(obj: Object) -> Object:
    """Name, labels, phase, readiness, owner, node, requests and declared ports of a Pod."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    owners = meta.get("ownerReferences") or []
    owner = next((one for one in owners if one.get("controller")), owners[0] if owners else {})
    conditions = {one.get("type"): one.get("status") for one in status.get("conditions") or []}
    return {
        "namespace": meta["namespace"],
        "name": meta["name"],
        "labels": meta.get("labels") or {},
        "phase": status.get("phase"),
        "ready": conditions.get("Ready") == "True",
        "owner_kind": owner.get("kind"),
        "node": spec.get("nodeName"),
        "requested": _amounts(requested(spec, "cpu"), requested(spec, "memory")),
        "ports": [
            {"container": box["name"], "name": port.get("name"), "containerPort": port["containerPort"]}
            for box in [*(spec.get("containers") or []), *_sidecars(spec)]
            for port in box.get("ports") or []
        ],
    }


def storage_class(obj: Object) -> Object:
    """Name, provisioner, and whether it is the default."""
    notes = obj["metadata"].get("annotations") or {}
    return {
        "name": obj["metadata"]["name"],
        "default": notes.get(_DEFAULT_CLASS) == "true",
        "provisioner": obj.get("provisioner"),
    }


def nodes(objects: t.Iterable[Object], pods: t.Iterable[Object] | None) -> list[Object]:
    """What each node has to give, and what the Pods on it request; cores and bytes.

    :param pods: whole Pod objects; without them C(requested) is None.
    """
    used: dict[str, tuple[float, float]] = {}
    for one in pods or ():
        node = (one.get("spec") or {}).get("nodeName")
        if node and (one.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
            cpu, memory = used.get(node, (0.0, 0.0))
            used[node] = (cpu + requested(one["spec"], "cpu"), memory + requested(one["spec"], "memory"))
    found = []
    for obj in objects:
        name, spec, status = obj["metadata"]["name"], obj.get("spec") or {}, obj.get("status") or {}
        conditions = {one.get("type"): one.get("status") for one in status.get("conditions") or []}
        cpu, memory = used.get(name, (0.0, 0.0))
        found.append(
            {
                "name": name,
                "allocatable": _amounts(*(quantity((status.get("allocatable") or {}).get(k)) for k in _RESOURCES)),
                "requested": _amounts(cpu, memory) if pods is not None else None,
                "taints": [
                    {key: taint[key] for key in ("key", "value", "effect") if taint.get(key)}
                    for taint in spec.get("taints") or []
                ],
                "schedulable": not spec.get("unschedulable", False),
                "ready": conditions.get("Ready") == "True",
            }
        )
    return found


_RESOURCES = ("cpu", "memory")


def _amounts(cpu: float, memory: float) -> Object:
    return {"cpu": round(cpu, 3), "memory": int(memory)}


def requested(spec: Object, resource: str) -> float:
    """What the scheduler sets aside for a Pod (kubernetes/kubernetes pkg/api/v1/resource PodRequests).

    The larger of what runs together (containers and sidecars) and of each init container with the sidecars before it.
    """

    def ask(box: Object) -> float:
        return quantity(((box.get("resources") or {}).get("requests") or {}).get(resource))

    sidecars, peak = 0.0, 0.0
    for box in spec.get("initContainers") or []:
        if box.get("restartPolicy") == "Always":
            sidecars += ask(box)
            peak = max(peak, sidecars)
        else:
            peak = max(peak, sidecars + ask(box))
    together = sidecars + sum(ask(box) for box in spec.get("containers") or [])
    return max(together, peak) + quantity((spec.get("overhead") or {}).get(resource))


def _sidecars(spec: Object) -> list[Object]:
    return [box for box in spec.get("initContainers") or [] if box.get("restartPolicy") == "Always"]


def monitor_crd(obj: Object, plural: str) -> Object:
    """Served version, the operator's version, and the schema of one endpoint, without prose."""
    versions = [one for one in (obj.get("spec") or {}).get("versions") or [] if one.get("served")]
    chosen = next((one for one in versions if one.get("storage")), versions[0] if versions else {})
    notes = obj["metadata"].get("annotations") or {}
    found: Object = {
        "version": chosen.get("name"),
        "operator_version": notes.get("operator.prometheus.io/version"),
    }
    schema = (chosen.get("schema") or {}).get("openAPIV3Schema") or {}
    for step in ("spec", ENDPOINTS.get(plural, "")):
        schema = (schema.get("properties") or {}).get(step) or {}
    if schema.get("items"):
        found["endpoint_schema"] = without_prose(schema["items"])
    return found


def without_prose(schema: t.Any) -> t.Any:
    """A schema without its descriptions: a tenth of the size."""
    if isinstance(schema, list):
        return [without_prose(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, value in schema.items():
        if key == "description" and isinstance(value, str):
            continue
        # Names of properties are no keywords: one of them may be called description.
        names = key == "properties" and isinstance(value, dict)
        kept[key] = {name: without_prose(item) for name, item in value.items()} if names else without_prose(value)
    return kept


def releases(secrets: t.Iterable[Object]) -> list[Object]:
    """The newest revision of each Helm release, by the labels that Helm puts on its Secrets; the chart is not there."""
    newest: dict[tuple[str, str], tuple[int, Object]] = {}
    for secret in secrets:
        meta = secret["metadata"]
        labels = meta.get("labels") or {}
        if not labels.get("name") or not str(labels.get("version", "")).isdigit():
            continue
        key, revision = (meta["namespace"], labels["name"]), int(labels["version"])
        if key not in newest or newest[key][0] < revision:
            newest[key] = (
                revision,
                {
                    "name": labels["name"], "namespace": meta["namespace"], "revision": revision,
                    "status": labels.get("status"), "chart": None, "secret": meta["name"],
                },
            )  # fmt: skip
    return [newest[key][1] for key in sorted(newest)]


def chart_of(secret: Object) -> str | None:
    """NAME-VERSION of the chart in a Helm release Secret; its values are not looked at. None when it is unreadable."""
    try:
        packed = base64.b64decode(base64.b64decode((secret.get("data") or {}).get("release") or ""))
        meta = json.loads(gzip.decompress(packed))["chart"]["metadata"]
        return f"{meta['name']}-{meta['version']}"
    except (ValueError, KeyError, TypeError, OSError, EOFError, zlib.error):
        return None
