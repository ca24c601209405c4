# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether a DaemonSet may run on a node, as the DaemonSet controller decides it.

Pure functions over Node and DaemonSet objects. Source of the rules: Kubernetes, pkg/controller/daemon (nodeShouldRun,
AddOrUpdateDaemonPodTolerations) and component-helpers/scheduling. This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

Node = dict[str, t.Any]
Taint = dict[str, t.Any]

# The controller adds these to every DaemonSet's Pods; a node with nothing worse is one the agent belongs on.
_ADDED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
# Nodes that are an interface to something else and cannot run a DaemonSet at all.
_SERVERLESS = {
    "eks.amazonaws.com/compute-type": "fargate",
    "type": "virtual-kubelet",
    "kubernetes.azure.com/mode": "virtual",
}


def node_name(node: Node) -> str:
    """Name of a Node object."""
    return str((node.get("metadata") or {}).get("name", ""))


def serverless(node: Node) -> bool:
    """Whether the node stands for a serverless service, where DaemonSets never run."""
    labels = (node.get("metadata") or {}).get("labels") or {}
    return any(labels.get(label) == value for label, value in _SERVERLESS.items())


def cordoned(node: Node) -> bool:
    """Whether somebody took the node out of scheduling."""
    return bool((node.get("spec") or {}).get("unschedulable"))


def ready(node: Node) -> bool:
    """Whether the node's kubelet reports Ready."""
    conditions = (node.get("status") or {}).get("conditions") or []
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def tolerates(toleration: t.Mapping[str, t.Any], taint: Taint) -> bool:
    """Whether one toleration covers one taint."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def untolerated(node: Node, pod_spec: t.Mapping[str, t.Any]) -> list[Taint]:
    """Return the node's taints that keep Pods of this template away."""
    tolerations = [
        *(pod_spec.get("tolerations") or []),
        *({"key": key, "operator": "Exists", "effect": effect} for key, effect in _ADDED),
    ]
    if pod_spec.get("hostNetwork"):
        tolerations.append(
            {"key": "node.kubernetes.io/network-unavailable", "operator": "Exists", "effect": "NoSchedule"}
        )
    return [
        taint
        for taint in (node.get("spec") or {}).get("taints") or []
        if taint.get("effect") in ("NoSchedule", "NoExecute") and not any(tolerates(tol, taint) for tol in tolerations)
    ]


def taint_text(taint: Taint) -> str:
    """Write a taint as kubectl does: key=value:effect."""
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key', '')}{value}:{taint.get('effect', '')}"


def toleration_for(taint: Taint) -> dict[str, str]:
    """Return the narrowest toleration that covers a taint, whatever its value."""
    return {"key": str(taint.get("key", "")), "operator": "Exists", "effect": str(taint.get("effect", ""))}


def not_selected_by(node: Node, pod_spec: t.Mapping[str, t.Any]) -> str | None:
    """Say which node selector or required affinity keeps the template off this node; None when none does."""
    labels = (node.get("metadata") or {}).get("labels") or {}
    for name, value in (pod_spec.get("nodeSelector") or {}).items():
        if labels.get(name) != value:
            return f"nodeSelector {name}={value}"
    required = (
        ((pod_spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
            "requiredDuringSchedulingIgnoredDuringExecution"
        )
        or {}
    ).get("nodeSelectorTerms")
    if required and not any(_term(term, labels, node_name(node)) for term in required):
        return "required nodeAffinity " + " or ".join(_term_text(term) for term in required)
    return None


def os_differs(node: Node, pod_spec: t.Mapping[str, t.Any]) -> bool:
    """Whether the template asks for another operating system than the node's: a Windows node is not a fault."""
    wanted = (pod_spec.get("nodeSelector") or {}).get("kubernetes.io/os") or (pod_spec.get("os") or {}).get("name")
    have = ((node.get("metadata") or {}).get("labels") or {}).get("kubernetes.io/os")
    return bool(wanted and have and wanted != have)


def _term(term: t.Mapping[str, t.Any], labels: t.Mapping[str, str], name: str) -> bool:
    expressions = [(labels, item) for item in term.get("matchExpressions") or []]
    expressions += [({"metadata.name": name}, item) for item in term.get("matchFields") or []]
    # An empty term selects nothing.
    return bool(expressions) and all(_expression(source, item) for source, item in expressions)


def _expression(labels: t.Mapping[str, str], item: t.Mapping[str, t.Any]) -> bool:
    have = labels.get(item.get("key", ""))
    values = item.get("values") or []
    operator = item.get("operator")
    if operator == "In":
        return have in values
    if operator == "NotIn":
        return have not in values
    if operator == "Exists":
        return have is not None
    if operator == "DoesNotExist":
        return have is None
    if operator in ("Gt", "Lt") and have is not None and values:
        try:
            return int(have) > int(values[0]) if operator == "Gt" else int(have) < int(values[0])
        except ValueError:
            return False
    return False


def _term_text(term: t.Mapping[str, t.Any]) -> str:
    items = [*(term.get("matchExpressions") or []), *(term.get("matchFields") or [])]
    return " and ".join(
        f"{item.get('key')} {item.get('operator')} {','.join(item.get('values') or [])}".strip() for item in items
    )
