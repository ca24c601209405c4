# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether a workload has reached the generation that was asked for, and what its Pods wait for.

This module util is PRIVATE to the collection. Pure functions over objects as the API returns them. The rules for
Deployments, StatefulSets and DaemonSets are kubectl's (k8s.io/kubectl pkg/polymorphichelpers/rollout_status.go).
"""

from __future__ import annotations

import typing as t

Object = dict[str, t.Any]

API_VERSIONS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Prometheus": "monitoring.coreos.com/v1",
    "Alertmanager": "monitoring.coreos.com/v1",
}


def _observed(item: Object) -> bool:
    wanted = (item.get("metadata") or {}).get("generation", 0)
    return int((item.get("status") or {}).get("observedGeneration") or 0) >= int(wanted or 0)


def _deployment(item: Object) -> str:
    wanted = int((item.get("spec") or {}).get("replicas", 1))
    status = item.get("status") or {}
    updated, available = int(status.get("updatedReplicas") or 0), int(status.get("availableReplicas") or 0)
    for condition in status.get("conditions") or []:
        if condition.get("type") == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return f"gave up: {condition.get('message')}"
    if updated < wanted:
        return f"{updated} of {wanted} replicas updated"
    if int(status.get("replicas") or 0) > updated:
        return f"{int(status['replicas']) - updated} old replicas still running"
    return "" if available >= updated else f"{available} of {updated} replicas available"


def _stateful_set(item: Object) -> str:
    spec, status = item.get("spec") or {}, item.get("status") or {}
    wanted = int(spec.get("replicas", 1))
    ready = int(status.get("readyReplicas") or 0)
    if ready < wanted:
        return f"{ready} of {wanted} replicas ready"
    if (spec.get("updateStrategy") or {}).get("type") == "OnDelete":
        return ""
    if status.get("updateRevision") and status.get("updateRevision") != status.get("currentRevision"):
        return f"{int(status.get('updatedReplicas') or 0)} of {wanted} replicas updated"
    return ""


def _daemon_set(item: Object) -> str:
    status = item.get("status") or {}
    wanted = int(status.get("desiredNumberScheduled") or 0)
    if not wanted:
        return "no node takes its Pods: look at its nodeSelector, affinity and tolerations"
    updated, available = int(status.get("updatedNumberScheduled") or 0), int(status.get("numberAvailable") or 0)
    if updated < wanted and (item.get("spec", {}).get("updateStrategy") or {}).get("type") != "OnDelete":
        return f"{updated} of {wanted} nodes updated"
    return "" if available >= wanted else f"available on {available} of {wanted} nodes"


def _operator_managed(item: Object) -> str:
    """Reconciled and Available, both of the generation asked for; then every replica updated."""
    generation = int((item.get("metadata") or {}).get("generation") or 0)
    status = item.get("status") or {}
    conditions = {condition.get("type"): condition for condition in status.get("conditions") or []}
    for kind in ("Reconciled", "Available"):
        condition = conditions.get(kind)
        if condition is None:
            return f"the operator has not reported {kind} yet"
        if int(condition.get("observedGeneration") or 0) < generation:
            return f"{kind} is of generation {condition.get('observedGeneration') or 0}, wanted {generation}"
        if condition.get("status") != "True":
            words = " ".join(str(condition[key]) for key in ("reason", "message") if condition.get(key))
            return f"{kind} is {condition.get('status')}: {words}".rstrip(": ")
    if int(status.get("updatedReplicas") or 0) < int(status.get("replicas") or 0):
        return f"{int(status.get('updatedReplicas') or 0)} of {status['replicas']} replicas updated"
    return ""


_RULES: dict[str, t.Callable[[Object], str]] = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Prometheus": _operator_managed,
    "Alertmanager": _operator_managed,
}


def waiting_for(item: Object | None) -> str:
    """What keeps a workload from being ready, empty when nothing does."""
    if item is None:
        return "it does not exist"
    if item["kind"] not in ("Prometheus", "Alertmanager") and not _observed(item):
        return "its controller has not seen the change yet"
    return _RULES[item["kind"]](item)


def hopeless(text: str) -> bool:
    """True when waiting longer changes nothing."""
    return text.startswith("gave up:")


def pod_selector(item: Object | None, kind: str, name: str) -> str:
    """The label selector of a workload's Pods, empty when it cannot be told."""
    if kind in ("Prometheus", "Alertmanager"):
        return f"app.kubernetes.io/name={kind.lower()},operator.prometheus.io/name={name}"
    labels = (((item or {}).get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def pod_troubles(pods: t.Sequence[Object]) -> list[str]:
    """One line per Pod that is not ready, in the words of the scheduler or the kubelet."""
    lines = []
    for pod in pods:
        status = pod.get("status") or {}
        conditions = {condition.get("type"): condition for condition in status.get("conditions") or []}
        if (conditions.get("Ready") or {}).get("status") == "True" or status.get("phase") == "Succeeded":
            continue
        name = (pod.get("metadata") or {}).get("name")
        scheduled = conditions.get("PodScheduled") or {}
        if scheduled.get("status") == "False":
            lines.append(f"Pod {name} is not scheduled: {scheduled.get('message') or scheduled.get('reason')}")
            continue
        words = [
            word
            for state in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
            if (word := _container_trouble(state))
        ]
        lines.append(f"Pod {name}: {'; '.join(words) or 'not ready, phase ' + str(status.get('phase'))}")
    return lines


def _container_trouble(status: Object) -> str:
    if status.get("ready"):
        return ""
    name = status.get("name")
    state = status.get("state") or {}
    waiting, ended = state.get("waiting") or {}, (status.get("lastState") or {}).get("terminated") or {}
    if waiting:
        text = f"{name} {waiting.get('reason')}"
        if waiting.get("message"):
            text += f" ({str(waiting['message'])[:200]})"
        if ended:
            text += f", last exit code {ended.get('exitCode')} ({ended.get('reason')})"
        return text
    if state.get("terminated"):
        code = state["terminated"].get("exitCode")
        return f"{name} ended with exit code {code}" if code else ""
    return f"{name} runs but is not ready"
