# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the agent on every node it should be on, and if not, why?"""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_agent as agent
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_nodes as nodes

from tests.unit.logs.build import NOW, agent_pod, ago, daemonset, node

CONTROL_PLANE = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}


def judge(node_list: list[dict], pods: list[dict], **spec: Any) -> agent.Agent:
    return agent.judge(daemonset(**spec), node_list, pods, NOW)


def codes(found: agent.Agent) -> list[str]:
    return [item["code"] for item in found.causes]


def test_on_every_node() -> None:
    found = judge([node("n1"), node("n2")], [agent_pod("n1"), agent_pod("n2")])
    assert (sorted(found.running), found.nodes, found.causes) == (["n1", "n2"], ["n1", "n2"], [])


def test_other_peoples_pods_do_not_count() -> None:
    stranger = agent_pod("n1")
    stranger["metadata"]["ownerReferences"][0]["uid"] = "other"
    assert codes(judge([node("n1")], [stranger])) == ["agent_pod_absent"]


def test_pods_that_are_being_removed_do_not_count() -> None:
    going = agent_pod("n1")
    going["metadata"]["deletionTimestamp"] = ago(1)
    assert codes(judge([node("n1")], [going])) == ["agent_pod_absent"]


def test_an_untolerated_taint_is_its_own_cause_with_a_command() -> None:
    found = judge([node("cp", [CONTROL_PLANE])], [])
    assert codes(found) == ["agent_untolerated_taint"]
    assert "node-role.kubernetes.io/control-plane:NoSchedule of node cp" in found.causes[0]["message"]
    patch = json.loads(shlex.split(found.causes[0]["fix"].split("for now: ")[1])[-1])
    assert patch == [
        {
            "op": "add",
            "path": "/spec/template/spec/tolerations",
            "value": [{**CONTROL_PLANE, "operator": "Exists"}],
        }
    ]


def test_the_command_adds_to_tolerations_that_are_there() -> None:
    found = judge([node("cp", [CONTROL_PLANE])], [], tolerations=[{"key": "x", "operator": "Exists"}])
    assert '"path": "/spec/template/spec/tolerations/-"' in found.causes[0]["fix"]


@pytest.mark.parametrize(
    ("toleration", "covered"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "a", "operator": "Exists"}, True),
        ({"key": "a", "operator": "Equal", "value": "v", "effect": "NoSchedule"}, True),
        ({"key": "a", "value": "v"}, True),
        ({"key": "a", "value": "w"}, False),
        ({"key": "b", "operator": "Exists"}, False),
        ({"key": "a", "operator": "Exists", "effect": "NoExecute"}, False),
        ({}, False),
    ],
)
def test_tolerations(toleration: dict[str, str], covered: bool) -> None:
    taint = {"key": "a", "value": "v", "effect": "NoSchedule"}
    assert nodes.tolerates(toleration, taint) is covered


def test_taints_that_every_daemonset_tolerates_are_no_excuse() -> None:
    """The controller adds those itself; without a Pod something else is wrong."""
    taints = [
        {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"},
        {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"},
        {"key": "soft", "effect": "PreferNoSchedule"},
    ]
    assert codes(judge([node("n1", taints)], [])) == ["agent_pod_absent"]


def test_network_unavailable_is_tolerated_on_the_hosts_network_only() -> None:
    taint = {"key": "node.kubernetes.io/network-unavailable", "effect": "NoSchedule"}
    assert nodes.untolerated(node("n1", [taint]), {}) == [taint]
    assert nodes.untolerated(node("n1", [taint]), {"hostNetwork": True}) == []


def affinity(*expressions: dict[str, Any]) -> dict[str, Any]:
    terms = {"nodeSelectorTerms": [{"matchExpressions": list(expressions)}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"nodeSelector": {"disk": "ssd"}}, "nodeSelector disk=ssd"),
        ({"affinity": affinity({"key": "disk", "operator": "In", "values": ["ssd"]})}, "disk In ssd"),
        ({"affinity": affinity({"key": "disk", "operator": "Exists"})}, "disk Exists"),
        ({"affinity": affinity({"key": "zone", "operator": "DoesNotExist"})}, "zone DoesNotExist"),
        ({"affinity": affinity({"key": "zone", "operator": "NotIn", "values": ["a"]})}, "zone NotIn a"),
        ({"affinity": affinity({"key": "cores", "operator": "Gt", "values": ["16"]})}, "cores Gt 16"),
        ({"affinity": affinity({"key": "cores", "operator": "Lt", "values": ["4"]})}, "cores Lt 4"),
        ({"affinity": affinity({"key": "zone", "operator": "Gt", "values": ["4"]})}, "zone Gt 4"),
    ],
)
def test_a_selector_that_leaves_a_node_out(spec: dict[str, Any], said: str) -> None:
    found = judge([node("n1", labels={"zone": "a", "cores": "8"})], [], **spec)
    assert codes(found) == ["agent_node_selector"]
    assert said in found.causes[0]["message"]


def test_selectors_that_match() -> None:
    spec = {
        "nodeSelector": {"zone": "a"},
        "affinity": affinity(
            {"key": "zone", "operator": "In", "values": ["a", "b"]}, {"key": "cores", "operator": "Gt", "values": ["4"]}
        ),
    }
    assert nodes.not_selected_by(node("n1", labels={"zone": "a", "cores": "8"}), spec) is None


def test_windows_serverless_and_cordoned_nodes_are_notes() -> None:
    windows = node("win", labels={"kubernetes.io/os": "windows"})
    fargate = node("fargate-1", labels={"eks.amazonaws.com/compute-type": "fargate"})
    found = judge([windows, fargate, node("off", cordoned=True)], [], nodeSelector={"kubernetes.io/os": "linux"})
    assert (found.nodes, found.causes) == ([], [])
    assert len(found.notes) == 3


def test_a_cordoned_node_with_an_agent_is_judged_like_any_other() -> None:
    """The DaemonSet controller tolerates the cordon."""
    found = judge([node("n1", cordoned=True)], [agent_pod("n1", ready=False)])
    assert codes(found) == ["agent_pod_not_ready"]


def test_a_node_that_is_not_ready() -> None:
    assert codes(judge([node("n1", ready=False)], [agent_pod("n1", ready=False)])) == ["agent_node_not_ready"]


def test_a_crash_is_told_with_how_it_ended() -> None:
    state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}
    pod = agent_pod("n1", ready=False, state=state, lastState={"terminated": {"reason": "Error", "exitCode": 1}})
    found = judge([node("n1")], [pod])
    assert codes(found) == ["agent_pod_not_ready"]
    assert "CrashLoopBackOff last run ended with Error (code 1)" in found.causes[0]["message"]
    assert not found.settling


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "ErrImageNeverPull"])
def test_an_image_that_cannot_be_had_is_not_waited_for(reason: str) -> None:
    state = {"waiting": {"reason": reason, "message": "not found"}}
    found = judge([node("n1")], [agent_pod("n1", ready=False, state=state, age=5)])
    assert (codes(found), found.settling) == (["agent_image"], False)


def test_a_young_pod_is_waited_for() -> None:
    state = {"waiting": {"reason": "ContainerCreating"}}
    assert judge([node("n1")], [agent_pod("n1", ready=False, state=state, age=5)]).settling
    assert not judge([node("n1")], [agent_pod("n1", ready=False, state=state, age=500)]).settling


def test_a_pod_that_does_not_fit() -> None:
    pod = agent_pod("n1", ready=False)
    pod["spec"] = {
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "values": ["n1"]}]}]
                }
            }
        }
    }
    pod["status"] = {"conditions": [{"type": "PodScheduled", "status": "False", "message": "Insufficient memory."}]}
    found = judge([node("n1")], [pod])
    assert codes(found) == ["agent_pod_pending"]
    assert "Insufficient memory." in found.causes[0]["message"]


def test_one_cause_for_many_nodes_names_them() -> None:
    found = judge([node(f"cp-{i}", [CONTROL_PLANE]) for i in range(8)], [])
    assert codes(found) == ["agent_untolerated_taint"]
    assert found.causes[0]["message"].endswith("The same on cp-1, cp-2, cp-3, cp-4, cp-5 and 2 more.")
    assert len(found.causes_by_node) == 8


def test_different_causes_are_all_told() -> None:
    found = judge([node("cp", [CONTROL_PLANE]), node("n1"), node("n2", ready=False)], [agent_pod("n1")])
    assert codes(found) == ["agent_untolerated_taint", "agent_node_not_ready"]


def event(message: str, reason: str = "FailedCreate", age: float = 60, name: str = "promtail") -> dict[str, Any]:
    return {
        "reason": reason,
        "message": message,
        "lastTimestamp": ago(age),
        "involvedObject": {"kind": "DaemonSet", "name": name},
    }


RESTRICTED = 'pods "promtail-" is forbidden: violates PodSecurity "restricted:latest": hostPath volumes (volume "pods")'


def test_pod_security_is_only_told_by_an_event() -> None:
    (found,) = agent.refusals(daemonset(), [event(RESTRICTED), event("other", reason="SuccessfulCreate")], None)
    assert found["code"] == "agent_pod_security"
    assert found["fix"].endswith(
        "kubectl label namespace monitoring pod-security.kubernetes.io/enforce=privileged --overwrite"
    )


def test_an_expired_event_is_replaced_by_the_namespaces_level() -> None:
    space = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}
    (found,) = agent.refusals(daemonset(), [], space)
    assert found["code"] == "agent_pod_security"
    assert agent.refusals(daemonset(), [], {"metadata": {"labels": {}}}) == []


def test_other_refusals_are_quoted_the_newest_first() -> None:
    events = [event("exceeded quota: a", age=600), event("exceeded quota: b", age=10), event(RESTRICTED, name="other")]
    (found,) = agent.refusals(daemonset(), events, None)
    assert (found["code"], "exceeded quota: b" in found["message"]) == ("agent_pod_refused", True)


def test_a_refusal_takes_the_place_of_mere_absence() -> None:
    found = judge([node("n1"), node("n2", [CONTROL_PLANE])], [])
    (refusal,) = agent.refusals(daemonset(), [event(RESTRICTED)], None)
    assert codes(agent.explain(found, refusal)) == ["agent_pod_security", "agent_untolerated_taint"]


def test_the_agent_is_found_by_name_or_by_its_image() -> None:
    exporter = daemonset("node-exporter", image="quay.io/prometheus/node-exporter:v1.12.1")
    promtail = daemonset(image="docker.io/grafana/promtail:3.6.4@sha256:0123")
    alloy = daemonset("logs", "obs", "localhost:5000/grafana/alloy")
    everything = [exporter, promtail, alloy]
    assert agent.find(everything, "monitoring", "promtail") is promtail
    assert agent.find(everything, "", "") is alloy
    assert agent.find(everything, "monitoring", "") is promtail
    assert agent.find(everything, "monitoring", "alloy") is None
    assert agent.find([exporter], "", "") is None


def test_a_missing_agent_is_told_with_what_there_is() -> None:
    found = agent.missing([daemonset("fluentd")], "monitoring", "promtail")
    assert found["code"] == "agent_missing"
    assert "DaemonSets there are: monitoring/fluentd" in found["message"]
    assert "no DaemonSet at all" in agent.missing([], "", "")["message"]
    rerun = "ansible-playbook -i inventory.yml dataplatform.monitoring.day1"
    assert agent.missing([], "", "", rerun)["fix"].endswith(f"to install: {rerun}")
