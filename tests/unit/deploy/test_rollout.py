# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a workload is where it was asked to be."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _rollout as rollout


def item(kind, spec=None, status=None, generation=2):
    return {
        "kind": kind,
        "metadata": {"name": "x", "generation": generation},
        "spec": spec or {},
        "status": status or {},
    }


def operator(reconciled="True", available="True", generation=2, **status):
    conditions = [
        {"type": "Reconciled", "status": reconciled, "observedGeneration": generation, "reason": "R", "message": "m"},
        {"type": "Available", "status": available, "observedGeneration": generation, "reason": "NoPodReady"},
    ]
    return item("Prometheus", status={"conditions": conditions, "replicas": 1, "updatedReplicas": 1, **status})


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        (None, "it does not exist"),
        (item("Deployment", {"replicas": 1}, {"observedGeneration": 1}), "its controller has not seen the change yet"),
        (
            item("Deployment", {"replicas": 2}, {"observedGeneration": 2, "updatedReplicas": 1}),
            "1 of 2 replicas updated",
        ),
        (
            item(
                "Deployment", {}, {"observedGeneration": 2, "updatedReplicas": 1, "replicas": 2, "availableReplicas": 1}
            ),
            "1 old replicas still running",
        ),
        (
            item("Deployment", {}, {"observedGeneration": 2, "updatedReplicas": 1, "replicas": 1}),
            "0 of 1 replicas available",
        ),
        (
            item(
                "Deployment", {}, {"observedGeneration": 2, "updatedReplicas": 1, "replicas": 1, "availableReplicas": 1}
            ),
            "",
        ),
        (item("StatefulSet", {"replicas": 1}, {"observedGeneration": 2}), "0 of 1 replicas ready"),
        (
            item(
                "StatefulSet",
                {"replicas": 1},
                {"observedGeneration": 2, "readyReplicas": 1, "updateRevision": "b", "currentRevision": "a"},
            ),
            "0 of 1 replicas updated",
        ),
        (
            item(
                "DaemonSet",
                {},
                {
                    "observedGeneration": 2,
                    "desiredNumberScheduled": 3,
                    "updatedNumberScheduled": 3,
                    "numberAvailable": 2,
                },
            ),
            "available on 2 of 3 nodes",
        ),
        (operator(), ""),
        (operator(generation=1), "Reconciled is of generation 1, wanted 2"),
        (operator(reconciled="False"), "Reconciled is False: R m"),
        (operator(available="Degraded"), "Available is Degraded: NoPodReady"),
        (operator(updatedReplicas=0), "0 of 1 replicas updated"),
        (item("Alertmanager"), "the operator has not reported Reconciled yet"),
    ],
)
def test_waiting_for(thing, text):
    assert rollout.waiting_for(thing) == text


def test_a_daemon_set_without_nodes_is_not_ready():
    assert "no node takes" in rollout.waiting_for(item("DaemonSet", {}, {"observedGeneration": 2}))


def test_given_up():
    condition = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    thing = item("Deployment", {}, {"observedGeneration": 2, "conditions": [condition]})
    assert rollout.hopeless(rollout.waiting_for(thing))


def test_pod_troubles_in_the_cluster_s_words():
    pods = [
        {"metadata": {"name": "ready"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}},
        {
            "metadata": {"name": "big"},
            "status": {
                "phase": "Pending",
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "message": "0/1 nodes: Insufficient memory."}
                ],
            },
        },
        {
            "metadata": {"name": "crash"},
            "status": {
                "phase": "Running",
                "containerStatuses": [
                    {
                        "name": "loki",
                        "ready": False,
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
                    },
                    {"name": "fine", "ready": True},
                ],
            },
        },
    ]
    assert rollout.pod_troubles(pods) == [
        "Pod big is not scheduled: 0/1 nodes: Insufficient memory.",
        "Pod crash: loki CrashLoopBackOff, last exit code 1 (Error)",
    ]


def test_pod_selector():
    thing = {"spec": {"selector": {"matchLabels": {"b": "2", "a": "1"}}}}
    assert rollout.pod_selector(thing, "Deployment", "x") == "a=1,b=2"
    assert rollout.pod_selector(None, "Prometheus", "p").endswith("operator.prometheus.io/name=p")
