# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small cluster to take snapshots of: change it between two and compare. Times are seconds after START."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _workloads_compare as compare
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import rfc3339
from ansible_collections.dataplatform.monitoring.plugins.module_utils._workloads_snapshot import (
    Expectation,
    Objects,
    take,
)

START = 1_795_450_000.0
NS = "data-platform"
TRINO = Expectation("trino", NS, {"app": "trino"})


def at(seconds: float) -> str:
    """RFC 3339 time so many seconds after START."""
    return rfc3339(START + seconds)


def pod(name: str, owner: dict[str, str] | None = None, node: str = "n1", **labels: str) -> dict[str, Any]:
    """A Pod that has been Ready for an hour when the baseline is taken."""
    reference = [{**owner, "controller": True}] if owner else []
    return {
        "metadata": {
            "name": name,
            "namespace": NS,
            "uid": f"uid-{name}",
            "creationTimestamp": at(-3600),
            "labels": labels,
            "ownerReferences": reference,
        },
        "spec": {"nodeName": node},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": at(-3590)}],
            "containerStatuses": [
                {"name": "main", "ready": True, "restartCount": 0, "state": {"running": {"startedAt": at(-3600)}}}
            ],
        },
    }


def node(name: str) -> dict[str, Any]:
    """A healthy node."""
    return {
        "metadata": {"name": name},
        "spec": {},
        "status": {
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": at(-9000)}],
            "nodeInfo": {"bootID": f"boot-{name}"},
        },
    }


class Cluster:
    """Deployment trino (two Pods, a Service), StatefulSet postgresql (one), a Job's Pod and a bare one, two nodes."""

    def __init__(self) -> None:
        replica_set = {"kind": "ReplicaSet", "name": "trino-abc", "uid": "rs-abc"}
        job, stateful = {"kind": "Job", "name": "backup", "uid": "j"}, {"kind": "StatefulSet", "name": "pg", "uid": "s"}
        labels = {"app": "trino", "pod-template-hash": "abc"}
        self.pods = {
            "trino-1": pod("trino-1", replica_set, **labels),
            "trino-2": pod("trino-2", replica_set, node="n2", **labels),
            "pg-0": pod("pg-0", stateful, app="pg", **{"controller-revision-hash": "pg-1"}),
            "backup-x": pod("backup-x", job, app="trino"),
            "bare": pod("bare", app="bare"),
        }
        self.nodes = {name: node(name) for name in ("n1", "n2")}
        self.workloads = {
            "trino": self._workload("Deployment", "trino", 2, {"app": "trino"}),
            "pg": self._workload("StatefulSet", "pg", 1, {"app": "pg"}),
        }
        self.replica_sets = [
            {
                "metadata": {
                    "name": "trino-abc",
                    "namespace": NS,
                    "uid": "rs-abc",
                    "ownerReferences": [{"kind": "Deployment", "name": "trino", "controller": True}],
                },
            }
        ]
        self.services = [
            {
                "metadata": {"name": "trino", "namespace": NS, "labels": {"app": "trino"}},
                "spec": {"selector": {"app": "trino"}},
            },
            {"metadata": {"name": "postgresql", "namespace": NS}, "spec": {"selector": {"app": "pg"}}},
        ]

    @staticmethod
    def _workload(kind: str, name: str, replicas: int, labels: dict[str, str]) -> dict[str, Any]:
        status = {"readyReplicas": replicas, "updatedReplicas": replicas, "observedGeneration": 1}
        return {
            "kind": kind,
            "metadata": {"name": name, "namespace": NS, "uid": f"w-{name}", "generation": 1},
            "spec": {"replicas": replicas, "template": {"metadata": {"labels": labels}}},
            "status": status,
        }

    def objects(self) -> Objects:
        """What the module would read."""
        return Objects(
            list(self.pods.values()),
            list(self.nodes.values()),
            list(self.workloads.values()),
            self.replica_sets,
            self.services,
        )

    def snapshot(self, *expectations: Expectation, seconds: float = 0) -> dict[str, Any]:
        """The snapshot at a time; of trino unless said otherwise."""
        return take(copy.deepcopy(self.objects()), expectations or (TRINO,), START + seconds)

    # What may happen

    def restart(self, name: str, reason: str = "Error", code: int = 1, seconds: float = 300) -> None:
        """A container ends and is started again."""
        (status,) = self.pods[name]["status"]["containerStatuses"]
        status["restartCount"] += 1
        status["lastState"] = {"terminated": {"reason": reason, "exitCode": code, "finishedAt": at(seconds)}}
        status["state"] = {"running": {"startedAt": at(seconds + 1)}}
        self.ready(name, True, seconds + 5)

    def ready(self, name: str, value: bool, seconds: float = 300, waiting: str = "") -> None:
        """Readiness changes."""
        status = self.pods[name]["status"]
        status["conditions"] = [{"type": "Ready", "status": str(value), "lastTransitionTime": at(seconds)}]
        status["containerStatuses"][0]["ready"] = value
        if waiting:
            status["containerStatuses"][0]["state"] = {"waiting": {"reason": waiting}}

    def replace(self, old: str, new: str, node_name: str = "n1", template: str = "abc", seconds: float = 300) -> None:
        """A Pod goes and another one comes."""
        item = copy.deepcopy(self.pods.pop(old))
        item["metadata"].update(name=new, uid=f"uid-{new}-{seconds}", creationTimestamp=at(seconds))
        for label in ("pod-template-hash", "controller-revision-hash"):
            if label in item["metadata"]["labels"]:
                item["metadata"]["labels"][label] = template
        item["spec"]["nodeName"] = node_name
        self.pods[new] = item
        self.ready(new, True, seconds + 10)

    def roll_out(self, name: str, ready: int | None = None, **spec: Any) -> None:
        """Somebody changes a workload."""
        workload = self.workloads[name]
        workload["metadata"]["generation"] += 1
        workload["status"]["observedGeneration"] = workload["metadata"]["generation"]
        workload["spec"].update(spec)
        if ready is not None:
            workload["status"]["readyReplicas"] = ready


def changed(
    before: dict[str, Any], after: dict[str, Any], events: compare.Events = compare.NO_EVENTS, name: str = "trino"
) -> tuple[list[str], list[str]]:
    """Codes and notes of what happened to one service."""
    change = compare.compare(name, before, after, events)
    return [item["code"] for item in change.causes], change.notes
