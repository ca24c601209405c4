# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can happen to services while somebody deploys: one baseline, everything at once, one verdict."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _argspec, _workloads_compare
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _workloads_verdict as workloads

from tests.lab_fixture import KUBECONFIG, Lab

from .conftest import causes, named

SPACE = "t-workloads"
IMAGE = "docker.io/library/busybox:1.35"
WAIT = "touch /tmp/ready; while [ ! -f /tmp/go ]; do sleep 0.2; done; "
READY = {"exec": {"command": ["test", "-f", "/tmp/ready"]}, "periodSeconds": 1, "failureThreshold": 1}
ABSENT = {
    "spec": {
        "strategy": {"type": "Recreate", "rollingUpdate": None},
        "template": {
            "spec": {"containers": [{"name": "main", "image": "localhost/absent:1", "imagePullPolicy": "Never"}]}
        },
    }
}
# name -> (what the container does once /tmp/go is there, how many replicas; 0 for a bare Pod)
SERVICES = {
    "bare": ("exit 0", 0),
    "crash": ("exit 3", 1),
    "memory": ("tail /dev/zero", 1),
    "lost": ("exit 0", 1),
    "interrupted": ("exit 0", 1),
    "replaced": ("exit 0", 1),
    "rolled": ("exit 0", 1),
    "stuck": ("exit 0", 1),
    "gone": ("exit 0", 1),
    "calm": ("exit 0", 1),
}


def objects() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, (end, replicas) in SERVICES.items():
        spec = {
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "main",
                    "image": IMAGE,
                    "command": ["sh", "-c", WAIT + end],
                    "readinessProbe": READY,
                    "resources": {"limits": {"memory": "32Mi"}},
                }
            ],
        }
        meta = {"name": name, "namespace": SPACE, "labels": {"app": name}}
        if replicas:
            template = {"metadata": {"labels": {"app": name}}, "spec": spec}
            body = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
            found.append({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": body})
        else:
            found.append({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    return found


def run(**given: Any) -> list[dict[str, Any]]:
    """Run verify_workloads' verdict on the lab."""
    specs = {**_argspec.VERDICT_SPEC, **workloads.SPEC, **_argspec.kube_auth_spec()}
    params = {name: spec.get("default") for name, spec in specs.items()}
    expectations = [{"name": name, "namespace": SPACE, "selector": {"app": name}} for name in SERVICES]
    params.update(kubeconfig=str(KUBECONFIG), namespace=SPACE, expectations=expectations, timeout=3, **given)
    return workloads.judge_workloads(params, False)[0]


@pytest.fixture(scope="module")
def place(lab: Lab) -> Iterator[Lab]:
    """The services, all Ready."""
    lab.kubectl("delete", "namespace", SPACE, "--ignore-not-found")
    lab.kubectl("create", "namespace", SPACE)
    try:
        lab.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects()))
        lab.kubectl("-n", SPACE, "wait", "--for=condition=Ready", "pod", "--all", "--timeout=120s")
        yield lab
    finally:
        lab.kubectl("delete", "namespace", SPACE, "--wait=false")


def until(condition: Callable[[], Any], what: str, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(1)


@pytest.fixture(scope="module")
def verdict(place: Lab) -> list[dict[str, Any]]:
    """The verdict after everything happened."""
    assert {cause["code"] for check in run() for cause in causes(check)} == {"baseline_missing"}
    (taken,) = run(state="baseline", run_id="t1")
    assert taken["status"] == "ok"
    began = time.time()

    def kubectl(*words: str) -> str:
        return place.kubectl("-n", SPACE, *words).stdout

    def touch(name: str, command: str) -> None:
        kind = "pod" if SERVICES[name][1] == 0 else "deployment"
        kubectl("exec", f"{kind}/{name}", "--", "sh", "-c", command)

    kubectl("delete", "pod", "bare")
    kubectl("delete", "pod", "-l", "app=replaced")
    kubectl("delete", "deployment", "gone")
    kubectl("rollout", "restart", "deployment/rolled")
    kubectl("patch", "deployment", "stuck", "-p", json.dumps(ABSENT))
    for name in ("crash", "memory"):
        touch(name, "touch /tmp/go")
    for name in ("lost", "interrupted"):
        touch(name, "rm /tmp/ready")
    until(lambda: "False" in kubectl("get", "pod", "-l", "app=interrupted", "-o", _CONDITIONS), "readiness is lost")
    # Ready again so long after the baseline that it cannot be the same moment.
    until(lambda: time.time() > began + _workloads_compare.BLUR + 1, "another moment than the baseline's")
    touch("interrupted", "touch /tmp/ready")
    kubectl("rollout", "status", "deployment/rolled", "--timeout=60s")
    for name in ("crash", "memory", "replaced", "interrupted"):
        until(
            lambda name=name: kubectl("get", "deployment", name, "-o", "jsonpath={.status.readyReplicas}") == "1", name
        )
    until(
        lambda: kubectl("get", "pod", "-l", "app=stuck", "-o", _WAITING) == "ErrImageNeverPull", "an image is missing"
    )
    return run(run_id="t1", close=True)


_CONDITIONS = 'jsonpath={.items[0].status.conditions[?(@.type=="Ready")].status}'
_WAITING = "jsonpath={.items[0].status.containerStatuses[0].state.waiting.reason}"


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("bare", ["pod_gone"]),
        ("crash", ["container_restarted"]),
        ("memory", ["container_oom_killed"]),
        ("lost", ["readiness_lost", "replicas_missing"]),
        ("interrupted", ["readiness_interrupted"]),
        ("replaced", ["pod_replaced"]),
        ("rolled", []),
        ("stuck", ["rollout_unfinished"]),
        ("gone", ["workload_gone"]),
        ("calm", []),
    ],
)
def test_what_happened_is_named(verdict: list[dict[str, Any]], name: str, codes: list[str]) -> None:
    check = named(verdict, name)
    assert [cause["code"] for cause in causes(check)] == codes
    assert check["status"] == ("failed" if codes else "ok")
    if name == "rolled":
        assert "was changed by somebody else during the run" in check["notes"][0]


def test_the_node_stayed_well(verdict: list[dict[str, Any]]) -> None:
    assert named(verdict, "nodes")["status"] == "ok"


def test_the_closed_verdict_is_repeated_and_what_broke_since_is_added(
    verdict: list[dict[str, Any]], place: Lab
) -> None:
    assert named(run(), "crash")["cause"]["code"] == "container_restarted"
    assert named(run(), "calm")["status"] == "ok"
    place.kubectl("-n", SPACE, "exec", "deployment/calm", "--", "rm", "/tmp/ready")
    until(lambda: named(run(), "calm")["status"] == "failed", "calm is not Ready")
    assert named(run(), "calm")["cause"]["code"] == "not_ready_now"


def test_a_baseline_that_nobody_closed(verdict: list[dict[str, Any]]) -> None:
    run(state="baseline", run_id="t2")

    def told() -> set[str]:
        return {cause["code"] for check in run(max_baseline_age="1s") for cause in causes(check)}

    until(lambda: told() == {"baseline_stale"}, "it is older than a second")
