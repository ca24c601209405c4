# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Agents that do not run, labels that are not what was promised, accounts that may not read.

The lab's own agent is left alone: the verdict is told to look at others, in namespaces of their own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _argspec, _logs_options
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_verdict import judge_logs

from tests.lab_fixture import KUBECONFIG, Lab

from .conftest import causes, named

SPACE, RESTRICTED, QUOTA = "t-logs", "t-logs-restricted", "t-logs-quota"
IMAGE = "docker.io/library/busybox:1.35"
AGENT = "agent_on_every_node"
LOKI = {"namespace": "monitoring", "service": "loki"}
# DaemonSet -> (namespace, what its Pods are beside a container that sleeps)
AGENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "refused": (RESTRICTED, {"volumes": [{"name": "logs", "hostPath": {"path": "/var/log/pods"}}]}),
    "no-quota": (QUOTA, {}),
    "elsewhere": (SPACE, {"nodeSelector": {"t-logs": "other"}}),
    "crashing": (SPACE, {"command": ["sh", "-c", "exit 1"]}),
    "no-image": (SPACE, {"image": "localhost/absent:1"}),
    "too-big": (SPACE, {"resources": {"requests": {"cpu": "1000"}}}),
}


def agent(name: str) -> dict[str, Any]:
    """A DaemonSet that stands in for a log agent."""
    namespace, more = AGENTS[name]
    inner = {key: value for key, value in more.items() if key in ("command", "image", "resources")}
    outer = {key: value for key, value in more.items() if key not in inner}
    main = {"name": "main", "image": IMAGE, "command": ["sleep", "3600"], "imagePullPolicy": "Never", **inner}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [main], **outer}
    template = {"metadata": {"labels": {"agent": name}}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"agent": name}}, "template": template},
    }


def objects() -> list[dict[str, Any]]:
    level = {"pod-security.kubernetes.io/enforce": "restricted"}
    found: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": level if restricted else {}}}
        for name, restricted in ((SPACE, False), (RESTRICTED, True), (QUOTA, False))
    ]
    found.append(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "none", "namespace": QUOTA},
            "spec": {"hard": {"pods": "0"}},
        }
    )
    talk = "while true; do echo talking; sleep 1; done"
    talker = {"name": "main", "image": IMAGE, "command": ["sh", "-c", talk], "imagePullPolicy": "Never"}
    found.append(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "talker", "namespace": SPACE, "labels": {"app": "talker", "team": "a"}},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [talker]},
        }
    )
    found.append({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader", "namespace": SPACE}})
    return found + [agent(name) for name in AGENTS]


def judge(**given: Any) -> list[dict[str, Any]]:
    """Run verify_logs' verdict on the lab."""
    specs = {**_argspec.CONNECTION_SPEC, **_argspec.VERDICT_SPEC, **_logs_options.SPEC, **_argspec.kube_auth_spec()}
    params = {name: spec.get("default") for name, spec in specs.items()}
    params.update({"kubeconfig": str(KUBECONFIG), "timeout": 2, "observe": 0, **LOKI, **given})
    return judge_logs(params)[0]


def until(name: str, code: str, seconds: float = 120, **given: Any) -> dict[str, str]:
    """Judge until the check has that cause alone, and return it."""
    end = time.monotonic() + seconds
    while True:
        check = named(judge(**given), name)
        found = causes(check)
        if [cause["code"] for cause in found] == [code]:
            return found[0]
        assert time.monotonic() < end, f"{name} is {check['status']} with {found}"
        time.sleep(1)


@pytest.fixture(scope="module")
def place(lab: Lab) -> Iterator[Lab]:
    namespaces = (SPACE, RESTRICTED, QUOTA)
    lab.kubectl("delete", "namespace", *namespaces, "--ignore-not-found")
    try:
        lab.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects()))
        lab.kubectl("-n", SPACE, "wait", "--for=condition=Ready", "pod/talker", "--timeout=60s")
        yield lab
    finally:
        lab.kubectl("delete", "namespace", *namespaces, "--wait=false", "--ignore-not-found")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("refused", "agent_pod_security"),
        ("no-quota", "agent_pod_refused"),
        ("elsewhere", "agent_node_selector"),
        ("crashing", "agent_pod_not_ready"),
        ("no-image", "agent_image"),
        ("too-big", "agent_pod_pending"),
        ("absent", "agent_missing"),
    ],
)
def test_why_an_agent_is_not_on_the_node(place: Lab, name: str, code: str) -> None:
    namespace = AGENTS[name][0] if name in AGENTS else SPACE
    until(AGENT, code, agent={"namespace": namespace, "name": name})


def test_a_taint_that_the_agent_does_not_tolerate(place: Lab) -> None:
    """For a moment only, and with an effect that leaves running Pods alone."""
    node = place.kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}").stdout
    place.kubectl("taint", "node", node, "t-logs=x:NoSchedule")
    try:
        cause = until(AGENT, "agent_untolerated_taint", agent={"namespace": SPACE, "name": "elsewhere"})
    finally:
        place.kubectl("taint", "node", node, "t-logs-")
    assert "does not tolerate t-logs=x:NoSchedule" in cause["message"]


def test_a_promised_label_that_no_stream_has(place: Lab) -> None:
    cause = until(f"namespace {SPACE}", "stream_label_missing", labels=["namespace", "pod", "container", "team"])
    assert cause["fix"].endswith("{source_labels: [__meta_kubernetes_pod_label_team], target_label: team}")


def test_a_label_that_is_made_from_something_else(place: Lab) -> None:
    until(f"namespace {SPACE}", "stream_label_wrong", labels=["app"], label_sources={"app": ["team"]})


def test_a_retention_that_is_not_what_was_promised(place: Lab) -> None:
    until("retention", "retention_period_differs", retention="24h")


def test_a_loki_that_does_not_exist(place: Lab) -> None:
    until("loki_ready", "loki_unreachable", service="loky")


# What the account of the run may read, least first
RULES = [
    {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "list"]},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["pods/proxy"], "verbs": ["get"]},
]
PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}


def test_what_the_account_may_not_read_is_unknown_with_the_remedy(place: Lab) -> None:
    """Without Pods nothing is known; without pods/log silence cannot be told from loss."""
    token = place.kubectl("-n", SPACE, "create", "token", "reader").stdout.strip()
    config = yaml.safe_load(KUBECONFIG.read_text())
    host = config["clusters"][0]["cluster"]["server"]
    account = {"kubeconfig": None, "host": host, "api_key": token, "validate_certs": False}
    user = f"system:serviceaccount:{SPACE}:reader"

    def allow(*rules: dict[str, Any]) -> None:
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "t-logs"}}
        place.kubectl("apply", "-f", "-", stdin=yaml.safe_dump({**role, "rules": list(rules)}))

    allow(*RULES)
    place.kubectl("create", "clusterrolebinding", "t-logs", "--clusterrole=t-logs", f"--serviceaccount={SPACE}:reader")
    try:
        cause = until(AGENT, "pods_unreadable", **account)
        assert cause["fix"].endswith(f"--clusterrole=view --user={user}")
        allow(*RULES, PODS)
        until(AGENT, "access_forbidden", **account)
        # The namespace quiet never writes: nobody but the kubelet can say so.
        cause = until("namespace quiet", "kubelet_log_unreadable", **account)
        assert cause["fix"].endswith(f"--user={user}")
    finally:
        place.kubectl("delete", "clusterrolebinding", "t-logs", "--ignore-not-found")
        place.kubectl("delete", "clusterrole", "t-logs", "--ignore-not-found")
