# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A healthy world is good; broken in one place, the verdict names that place, and the fix can be pasted."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_fixes import fix_line
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import FOREVER, Finding, Judgement

from tests.unit.scrape.builders import (
    NOW,
    Prometheus,
    World,
    at,
    endpoint_slice,
    pod,
    service,
    steady,
    target,
    unready,
    value,
)
from tests.unit.scrape.pasting import pastable


def codes(judgement: Judgement) -> list[str]:
    return [cause["code"] for cause in _checks.all_causes(judgement.check)]


def red(judgement: Judgement, code: str, *words: str, status: str = "failed") -> dict[str, str]:
    """The first cause, after asserting code and words; every fix of the check must be pastable."""
    check = judgement.check
    assert check["status"] == status, check
    assert check["cause"]["code"] == code, check
    for word in words:
        assert word in check["cause"]["message"] + " | " + check["cause"]["fix"], check["cause"]
    for cause in _checks.all_causes(check):
        pastable(cause["fix"])
    return check["cause"]


@pytest.fixture
def world() -> World:
    return World()


# --- good -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pods", [1, 3])
def test_healthy_is_ok(pods: int) -> None:
    judgement = World(pods).judge()
    assert judgement.check["status"] == "ok"
    assert judgement.check["expected"] == judgement.check["observed"] == f"{pods} target{'s' * (pods > 1)} up"
    assert len(judgement.up_urls) == pods


def test_skipped_and_pending_do_not_apply(world: World) -> None:
    skipped = world.judge(state="skipped", reason="no Service matched when day 1 ran")
    assert (skipped.check["status"], skipped.check["observed"]) == (
        "not_applicable",
        "no Service matched when day 1 ran",
    )
    pending = world.judge(state="pending")
    assert (pending.check["status"], pending.check["observed"]) == ("not_applicable", "comes with day 2")


def test_adopted_is_judged_by_the_targets_of_whoever_scrapes_it(world: World) -> None:
    world.monitors = []
    for item in world.server.targets:
        item["labels"]["job"] = "somebody-elses"
    judgement = world.judge(state="adopted", monitor=None, job=None)
    assert judgement.check["status"] == "ok"
    assert judgement.check["details"]["jobs"] == ["somebody-elses"]


def test_adopted_and_scraped_by_nobody(world: World) -> None:
    world.server.targets = []
    red(
        world.judge(state="adopted", monitor=None, job=None),
        "no_such_job",
        "the labels of the selector",
        "adopt: false",
    )


# --- monitor to configuration -----------------------------------------------------------------------------------------


def test_no_monitor(world: World) -> None:
    world.monitor["metadata"]["name"] = "trino1"
    world.server.jobs, world.server.targets = {}, []
    cause = red(world.judge(), "no_monitor", "ServiceMonitor monitoring/trino does not exist", "the nearest is trino1")
    assert fix_line(cause["fix"]) == "ansible-playbook dataplatform.monitoring.day1"


def test_no_prometheus(world: World) -> None:
    world.prometheuses, world.server.jobs, world.server.targets = [], {}, []
    red(world.judge(), "no_prometheus", "no Prometheus object")


def test_not_selected_by_label_when_others_are(world: World) -> None:
    world.prometheus["spec"]["serviceMonitorSelector"] = {"matchLabels": {"release": "kps"}}
    peer = copy.deepcopy(world.monitor)
    peer["metadata"].update(name="other", labels={"release": "kps"})
    world.monitors.append(peer)
    world.server.jobs, world.server.targets = {}, []
    cause = red(world.judge(), "monitor_not_selected", "monitoring/main", "release=kps is missing")
    assert fix_line(cause["fix"]) == "kubectl -n monitoring label servicemonitor trino release=kps --overwrite"


def test_not_selected_because_the_selector_was_narrowed(world: World) -> None:
    peer = copy.deepcopy(world.monitor)
    peer["metadata"]["name"] = "other"
    world.monitors.append(peer)
    world.prometheus["spec"]["serviceMonitorSelector"] = {"matchLabels": {"team": "x"}}
    world.server.jobs, world.server.targets = {}, []
    cause = red(world.judge(), "monitor_not_selected", "team=x is missing")
    assert fix_line(cause["fix"]).endswith("""-p '{"spec":{"serviceMonitorSelector":{"matchLabels":null}}}'""")


def test_selector_that_is_not_set_selects_nothing(world: World) -> None:
    del world.prometheus["spec"]["serviceMonitorSelector"]
    world.server.jobs, world.server.targets = {}, []
    red(world.judge(), "monitor_not_selected", "serviceMonitorSelector is not set")


def test_not_selected_by_namespace_label(world: World) -> None:
    world.prometheus["spec"]["serviceMonitorNamespaceSelector"] = {"matchLabels": {"scrape": "yes"}}
    world.server.jobs, world.server.targets = {}, []
    cause = red(world.judge(), "monitor_not_selected", "on namespace monitoring scrape=yes is missing")
    assert fix_line(cause["fix"]) == "kubectl label namespace monitoring scrape=yes --overwrite"


def test_namespace_selector_that_is_not_set_selects_its_own_only(world: World) -> None:
    del world.prometheus["spec"]["serviceMonitorNamespaceSelector"]
    assert world.judge().check["status"] == "ok"
    world.prometheus["metadata"]["namespace"] = "elsewhere"
    world.server.pod = ("elsewhere", "prometheus-main-0")
    world.server.jobs, world.server.targets = {}, []
    red(world.judge(), "monitor_not_selected", "selects only its own namespace elsewhere")


def test_selected_by_another_prometheus_than_the_one_asked(world: World) -> None:
    other = copy.deepcopy(world.prometheus)
    other["metadata"]["name"] = "other"
    world.prometheuses.append(other)
    world.prometheus["spec"]["serviceMonitorSelector"] = {"matchLabels": {"a": "b"}}
    world.server.jobs, world.server.targets = {}, []
    red(world.judge(), "monitor_not_selected", "selected by monitoring/other, which is not the one asked")


def test_operator_does_not_look_at_the_namespace(world: World) -> None:
    world.operator["spec"]["template"]["spec"]["containers"][0]["args"] = ["--namespaces=data,default"]
    world.server.jobs, world.server.targets = {}, []
    red(world.judge(), "monitor_not_selected", "--namespaces=data,default")


def test_rejected_by_event(world: World) -> None:
    world.server.jobs, world.server.targets = {}, []
    world.events = [
        {
            "involvedObject": {"kind": "ServiceMonitor", "name": "trino"},
            "reason": "InvalidConfiguration",
            "lastTimestamp": at(60),
            "message": '"monitoring/trino" was rejected due to invalid configuration: endpoints[0]: basicAuth: '
            'unable to get secret "trino-auth": secrets "trino-auth" not found',
        }
    ]
    red(world.judge(), "monitor_rejected", 'secrets "trino-auth" not found')


def test_an_event_from_before_the_change_does_not_count(world: World) -> None:
    test_event = {
        "involvedObject": {"kind": "ServiceMonitor", "name": "trino"},
        "reason": "InvalidConfiguration",
        "lastTimestamp": at(600),
        "message": "old",
    }
    world.events = [test_event]
    world.monitor["metadata"]["managedFields"] = [{"time": at(30)}]
    world.server.jobs, world.server.targets = {}, []
    assert red(world.judge(), "config_not_loaded")


def test_rejected_by_status(world: World) -> None:
    world.server.jobs, world.server.targets = {}, []
    condition = {"type": "Accepted", "status": "False", "message": "bad relabeling", "observedGeneration": 1}
    world.monitor["status"] = {"bindings": [{"name": "main", "conditions": [condition]}]}
    red(world.judge(), "monitor_rejected", "bad relabeling")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scrapeTimeout": "60s"}, "scrapeTimeout 60s is longer than the interval 30s"),
        ({"relabelings": [{"action": "hashmod", "targetLabel": "x"}]}, "relabelings[0]: hashmod needs a modulus"),
        ({"relabelings": [{"action": "replace", "replacement": "x"}]}, "replace needs a targetLabel"),
        ({"metricRelabelings": [{"action": "drop", "regex": "a("}]}, "metricRelabelings[0]: regex a( does not compile"),
    ],
)
def test_rejected_by_the_operators_own_rules(world: World, change: dict[str, Any], words: str) -> None:
    """Somebody broke the live monitor: the fix gives it the catalogue's endpoints back."""
    world.monitor["spec"]["endpoints"][0].update(change)
    world.server.jobs, world.server.targets = {}, []
    red(world.judge(), "monitor_rejected", words, "endpoints of the catalogue back", "kubectl -n monitoring patch")


def test_rejected_for_an_unknown_scrape_class(world: World) -> None:
    world.monitor["spec"]["scrapeClass"] = "tls"
    world.server.jobs, world.server.targets = {}, []
    red(world.judge(), "monitor_rejected", 'scrapeClass "tls"')


def test_paused(world: World) -> None:
    world.prometheus["spec"]["paused"] = True
    assert world.judge().check["status"] == "ok"
    world.server.jobs, world.server.targets = {}, []
    cause = red(world.judge(), "prometheus_paused", "is paused")
    assert '{"spec":{"paused":false}}' in cause["fix"]


@pytest.mark.parametrize("how", ["none", "scaled", "crashing"])
def test_operator_not_running(world: World, how: str) -> None:
    world.server.jobs, world.server.targets = {}, []
    words = {"none": "no Deployment runs", "scaled": "asks for 0 replicas", "crashing": "CrashLoopBackOff"}[how]
    if how == "none":
        world.operator = None
    elif how == "scaled":
        world.operator["spec"]["replicas"], world.operator_pods = 0, []
    else:
        unready(world.operator_pods[0], 60, {"waiting": {"reason": "CrashLoopBackOff"}}, 4)
    red(world.judge(), "operator_not_running", words)


def test_not_reconciled(world: World) -> None:
    world.server.jobs, world.server.targets = {}, []
    world.prometheus["status"]["conditions"] = [
        {"type": "Reconciled", "status": "False", "message": "bad storage class"}
    ]
    red(world.judge(), "prometheus_not_reconciled", "bad storage class")


def test_reload_failed(world: World) -> None:
    world.server.jobs, world.server.targets, world.server.reload_ok = {}, [], False
    red(world.judge(), "reload_failed", "keeps the old one", "logs prometheus-main-0 -c prometheus")


def test_a_failed_reload_that_does_not_concern_the_entry_is_not_its_fault(world: World) -> None:
    world.server.reload_ok = False
    assert world.judge().check["status"] == "ok"


def test_config_not_loaded_is_waited_for_only_while_it_may_come(world: World) -> None:
    world.server.jobs, world.server.targets = {}, []
    world.monitor["metadata"]["creationTimestamp"] = world.prometheus["metadata"]["creationTimestamp"] = at(20)
    judgement = world.judge()
    red(judgement, "config_not_loaded", "serviceMonitor/monitoring/trino/0", "changed 20s ago")
    assert judgement.findings[0].patience == FOREVER
    world.monitor["metadata"]["creationTimestamp"] = world.prometheus["metadata"]["creationTimestamp"] = at(2000)
    assert world.judge().findings[0].patience < 60


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"port": "http"}, "port metrics instead of http"),
        ({"path": "/other"}, "path /metrics instead of /other"),
        ({"scheme": "https"}, "scheme http instead of https"),
        ({"interval": "15s"}, "interval 30s instead of 15s"),
        ({"params": {"name[]": ["a"]}}, "params"),
        ({"basicAuth": {"username": {"name": "s", "key": "u"}}}, "basicAuth is missing"),
        ({"relabelings": [{"targetLabel": "a", "replacement": "b"}]}, "relabelings[0]"),
        (
            {"metricRelabelings": [{"action": "drop", "sourceLabels": ["__name__"], "regex": "x.*"}]},
            "metricRelabelings[0]",
        ),
    ],
)
def test_targets_of_an_older_configuration_prove_nothing(world: World, change: dict[str, Any], words: str) -> None:
    """The green lie right after an apply: Prometheus still runs what was there before."""
    world.expectation["endpoints"][0].update(copy.deepcopy(change))
    world.monitor["spec"]["endpoints"][0].update(copy.deepcopy(change))
    red(world.judge(), "config_stale", words)


def test_a_rule_that_was_taken_out_of_the_monitor_still_runs(world: World) -> None:
    world.server.jobs["serviceMonitor/monitoring/trino/0"]["relabel_configs"].append(
        {"action": "drop", "source_labels": ["__meta_kubernetes_pod_name"], "regex": "x"}
    )
    red(world.judge(), "config_stale", "still has drop __meta_kubernetes_pod_name =~ x")


def test_rules_of_a_scrape_class_are_no_difference(world: World) -> None:
    world.prometheus["spec"]["scrapeClasses"] = [{"name": "default", "default": True}]
    job = world.server.jobs["serviceMonitor/monitoring/trino/0"]
    job["relabel_configs"].append({"action": "drop", "source_labels": ["__meta_kubernetes_pod_name"], "regex": "x"})
    job["authorization"] = {"credentials": "<secret>"}
    assert world.judge().check["status"] == "ok"


# --- Services, ports, Pods --------------------------------------------------------------------------------------------


def test_no_service_matches_names_the_nearest_and_the_difference(world: World) -> None:
    world.service["metadata"]["labels"] = {"app.kubernetes.io/name": "trino"}
    world.server.targets = []
    cause = red(world.judge(), "no_service_matches", "The nearest is Service data/trino", "app=trino is missing")
    assert fix_line(cause["fix"]) == "selector: {app.kubernetes.io/name: trino}"


def test_no_service_at_all(world: World) -> None:
    world.services, world.server.targets = [], []
    red(world.judge(), "no_service_matches", "no Service at all")


def test_a_part_of_the_stack_itself_is_installed_again(world: World) -> None:
    world.services, world.server.targets = [], []
    world.monitor["spec"]["namespaceSelector"] = {}
    world.load()
    world.server.targets = []
    red(world.judge(namespaces=["monitoring"]), "no_service_matches", "ansible-playbook dataplatform.monitoring.day1")


def test_exporter_missing(world: World) -> None:
    world.services, world.server.targets = [service("minio", http=9000)], []
    red(world.judge(exporter={"host": "postgresql.data.svc"}), "exporter_missing", "The exporter of trino is not there")


def test_no_such_port_names_those_there(world: World) -> None:
    world.service["spec"]["ports"][0]["name"] = "jmx-metrics"
    world.slices = [endpoint_slice(world.service, world.pods)]
    world.server.targets = []
    cause = red(world.judge(), "no_such_port", "no", "jmx-metrics (9000), http (8080)")
    assert fix_line(cause["fix"]) == "endpoints: [{port: jmx-metrics}]"


def test_the_port_in_the_fix_keeps_the_rest_of_the_endpoint(world: World) -> None:
    world.change(path="/v1/metrics", interval="15s")
    world.service["spec"]["ports"][0]["name"] = "prom"
    world.server.targets = []
    cause = red(world.judge(), "no_such_port")
    assert fix_line(cause["fix"]) == 'endpoints: [{path: /v1/metrics, interval: "15s", port: prom}]'


def test_port_is_number(world: World) -> None:
    world.change(port="8080")
    world.server.targets = []
    cause = red(world.judge(), "port_is_number", '"8080", a number in quotes', "metrics (9000), http (8080)")
    assert fix_line(cause["fix"]) == "endpoints: [{port: http}]"


def test_a_number_that_somebody_put_into_the_live_monitor(world: World) -> None:
    world.monitor["spec"]["endpoints"][0]["port"] = "8081"
    world.load()
    world.server.targets = []
    cause = red(world.judge(), "port_is_number", '"8081"')
    line = fix_line(cause["fix"])
    assert (
        line.startswith("kubectl -n monitoring patch servicemonitor trino --type merge -p ")
        and '"port":"metrics"' in line
    )


def test_a_number_that_only_the_containers_declare(world: World) -> None:
    world.pods[0]["spec"]["containers"][0]["ports"].append({"containerPort": 8081})
    world.change(port="8081")
    world.server.targets = []
    assert fix_line(red(world.judge(), "port_is_number")["fix"]) == "endpoints: [{targetPort: 8081}]"


def test_target_port_needs_a_declared_container_port(world: World) -> None:
    world.change(port=None, targetPort=7777)
    world.server.targets = []
    red(world.judge(), "no_such_port", "No container behind Service data/trino declares port 7777", "metrics (9000)")


def test_target_port_that_is_declared_is_fine(world: World) -> None:
    world.change(port=None, targetPort=9000)
    assert world.judge().check["status"] == "ok"


def test_no_ready_endpoints_tells_the_pods_trouble(world: World) -> None:
    unready(world.pods[0], 300, {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}})
    world.pods[0]["status"]["phase"] = "Pending"
    world.server.targets = []
    red(world.judge(), "no_ready_endpoints", "Pod trino-0 container trino waits: ImagePullBackOff: no such image")


def test_unschedulable(world: World) -> None:
    world.pods[0]["status"] = {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}],
    }
    world.server.targets = []
    red(world.judge(), "no_ready_endpoints", "cannot be scheduled: 0/1 nodes are available", "describe pod trino-0")


def test_scaled_to_zero(world: World) -> None:
    world.pods, world.slices, world.server.targets = [], [endpoint_slice(world.service, [])], []
    world.workloads = [
        {
            "kind": "StatefulSet",
            "metadata": {"name": "trino", "namespace": "data"},
            "spec": {"replicas": 0, "template": {"metadata": {"labels": {"app": "trino"}}}},
        }
    ]
    cause = red(world.judge(), "no_ready_endpoints", "StatefulSet data/trino asks for 0 replicas")
    assert fix_line(cause["fix"]) == "kubectl -n data scale statefulset trino --replicas=1"


def test_a_workload_that_may_not_create_pods(world: World) -> None:
    world.pods, world.slices, world.server.targets = [], [endpoint_slice(world.service, [])], []
    world.workloads = [
        {
            "kind": "Deployment",
            "metadata": {"name": "trino", "namespace": "data"},
            "spec": {"replicas": 1, "template": {"metadata": {"labels": {"app": "trino"}}}},
            "status": {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "violates PodSecurity"}]},
        }
    ]
    red(world.judge(), "no_ready_endpoints", "has no Pod: violates PodSecurity")


def test_service_that_selects_no_pod(world: World) -> None:
    world.service["spec"]["selector"] = {"app": "trinoo"}
    world.slices, world.server.targets = [endpoint_slice(world.service, [])], []
    red(world.judge(), "no_ready_endpoints", "has the labels app=trinoo")


def test_external_name(world: World) -> None:
    world.service["spec"].update(type="ExternalName")
    world.slices, world.server.targets = [], []
    red(world.judge(), "no_ready_endpoints", "ExternalName")


def test_several_causes_at_once_are_all_told(world: World) -> None:
    world.prometheus["spec"]["serviceMonitorSelector"] = {"matchLabels": {"release": "kps"}}
    world.service["spec"]["ports"][0]["name"] = "jmx"
    world.server.jobs, world.server.targets = {}, []
    judgement = world.judge()
    assert codes(judgement) == ["monitor_not_selected", "no_such_port"]


# --- PodMonitor -------------------------------------------------------------------------------------------------------


@pytest.fixture
def pod_world() -> World:
    world = World()
    spec = world.monitor["spec"]
    spec["podMetricsEndpoints"] = spec.pop("endpoints")
    world.monitor["kind"] = "PodMonitor"
    world.expectation["monitor"]["kind"] = "PodMonitor"
    world.services = []
    world.load()
    return world


def test_pod_monitor_is_ok_without_a_service(pod_world: World) -> None:
    assert pod_world.judge().check["status"] == "ok"


def test_no_pod_matches(pod_world: World) -> None:
    pod_world.pods[0]["metadata"]["labels"] = {"app": "trino-worker"}
    pod_world.server.targets = []
    cause = red(pod_world.judge(), "no_pod_matches", "app is trino-worker, not trino")
    assert fix_line(cause["fix"]) == "selector: {app: trino-worker}"


def test_pod_monitor_port(pod_world: World) -> None:
    pod_world.change(port="9000")
    pod_world.server.targets = []
    cause = red(pod_world.judge(), "port_is_number", "declares port 9000; declared: http (8080), metrics (9000)")
    assert fix_line(cause["fix"]) == "endpoints: [{port: metrics}]"


# --- discovery and relabeling -----------------------------------------------------------------------------------------


def test_prometheus_may_not_discover(world: World) -> None:
    world.server.targets = []
    world.refused = {"endpointslices"}
    cause = red(
        world.judge(),
        "prometheus_rbac",
        "ServiceAccount monitoring/prometheus",
        "list endpointslices in namespace data",
    )
    assert "--resource=endpointslices.discovery.k8s.io" in cause["fix"]
    assert "--serviceaccount=monitoring:prometheus" in cause["fix"]


def test_not_discovered_without_a_known_reason(world: World) -> None:
    world.server.targets = []
    red(world.judge(), "not_discovered", "discovers nothing there, although Pod trino-0 is to be found")


@pytest.mark.parametrize("steps", [True, False], ids=["server's word", "evaluated"])
def test_dropped_by_a_rule_of_the_catalogue(world: World, steps: bool) -> None:
    rule = {"action": "drop", "sourceLabels": ["__meta_kubernetes_pod_name"], "regex": "trino-.*"}
    relabelings = [*world.expectation["endpoints"][0]["relabelings"], rule]
    world.change(relabelings=relabelings)
    world.server.steps = steps
    pool = world.server.targets[0]["scrapePool"]
    world.server.dropped = {pool: [world.server.targets[0]["discoveredLabels"] | _meta()]}
    world.server.targets = []
    cause = red(world.judge(), "dropped_by_relabeling", "relabelings[1]", "drop __meta_kubernetes_pod_name =~ trino-.*")
    assert fix_line(cause["fix"]) == "endpoints: [{port: metrics}]"


def _meta() -> dict[str, str]:
    return {
        "__meta_kubernetes_service_label_app": "trino",
        "__meta_kubernetes_service_labelpresent_app": "true",
        "__meta_kubernetes_endpointslice_port_name": "metrics",
        "__meta_kubernetes_pod_phase": "Running",
    }


def test_dropped_by_a_rule_that_somebody_added(world: World) -> None:
    rule = {"action": "keep", "sourceLabels": ["__meta_kubernetes_pod_label_scrape"], "regex": "yes"}
    world.monitor["spec"]["endpoints"][0]["relabelings"].append(rule)
    world.load()
    pool = world.server.targets[0]["scrapePool"]
    world.server.dropped = {pool: [world.server.targets[0]["discoveredLabels"] | _meta()]}
    world.server.targets = []
    cause = red(world.judge(), "dropped_by_relabeling", "Somebody added that rule")
    assert '[{"op":"remove","path":"/spec/endpoints/0/relabelings/1"}]' in cause["fix"]


def test_dropped_by_a_rule_of_the_prometheus_object(world: World) -> None:
    world.prometheus["spec"]["scrapeClasses"] = [{"name": "x", "default": True}]
    pool = world.server.targets[0]["scrapePool"]
    world.server.jobs[pool]["relabel_configs"].append(
        {"action": "keep", "source_labels": ["__meta_kubernetes_namespace"], "regex": "prod"}
    )
    world.server.dropped = {pool: [world.server.targets[0]["discoveredLabels"] | _meta()]}
    world.server.targets = []
    red(world.judge(), "dropped_by_relabeling", "by rule 6 of serviceMonitor/monitoring/trino/0: keep")


def test_a_target_of_a_shard_that_does_not_answer(world: World) -> None:
    pool = world.server.targets[0]["scrapePool"]
    world.server.jobs[pool]["relabel_configs"].append(
        {"action": "keep", "source_labels": ["__tmp_hash"], "regex": "1", "separator": ";"}
    )
    world.server.dropped = {pool: [world.server.targets[0]["discoveredLabels"] | _meta()]}
    world.server.targets = []
    red(world.judge(), "dropped_by_relabeling", "another shard of Prometheus monitoring/main", "get pods -l")


def test_one_of_three_is_not_green() -> None:
    """min_targets is only a floor; what must be there are the running Pods behind the Service."""
    world = World(3)
    world.server.targets = world.server.targets[:1]
    judgement = world.judge(min_targets=1)
    red(judgement, "fewer_targets", "Pod trino-1, Pod trino-2")
    assert (judgement.check["expected"], judgement.check["observed"]) == ("3 targets up", "1 target up")


def test_a_new_pod_is_waited_for() -> None:
    world = World(2)
    world.pods[1]["status"]["conditions"][0]["lastTransitionTime"] = at(10)
    world.server.targets = world.server.targets[:1]
    assert world.judge().findings[0].patience == FOREVER


def test_a_pod_that_leaves_is_not_expected() -> None:
    world = World(2)
    world.pods[1]["metadata"]["deletionTimestamp"] = at(5)
    world.down("dial tcp 10.0.0.2:9000: connect: connection refused", 1)
    judgement = world.judge()
    assert judgement.check["status"] == "ok"
    assert judgement.check["expected"] == "1 target up"


def test_min_targets_counts_different_urls(world: World) -> None:
    red(world.judge(min_targets=2), "fewer_targets", "1 different targets are up, at least 2", "min_targets: 1")


def test_vanished_tells_since_when(world: World) -> None:
    world.services, world.server.targets = [], []
    world.server.seen = {"trino": [value(NOW - 700, pod="trino-0", namespace="data")]}
    judgement = world.judge()
    assert codes(judgement) == ["no_service_matches", "target_vanished"]
    assert "2027-01-15 07:48:20Z (trino-0)" in judgement.check["other_causes"][0]["message"]


# --- replicas and shards ----------------------------------------------------------------------------------------------


def test_shards_are_one_view() -> None:
    """One Pod of a sharded Prometheus sees a part of the targets."""
    world = World(2)
    world.servers = [Prometheus(), Prometheus("prometheus-main-shard-1-0")]
    world.load()
    world.servers[0].targets, world.servers[1].targets = world.servers[0].targets[:1], world.servers[1].targets[1:]
    judgement = world.judge()
    assert judgement.check["status"] == "ok", judgement.check
    assert judgement.check["observed"] == "2 targets up"


def test_replicas_that_disagree() -> None:
    world = World(2)
    world.servers = [Prometheus(), Prometheus("prometheus-main-1")]
    world.load()
    world.servers[1].targets[1].update(health="down", lastError="context deadline exceeded")
    world.servers[1].past["http://10.0.0.2:9000/metrics"] = steady(0.0)
    judgement = world.judge()
    assert codes(judgement) == ["target_down_timeout", "replicas_disagree"]
    assert judgement.check["cause"]["message"].startswith("On monitoring/prometheus-main-1: 10.0.0.2:9000")
    assert "monitoring/prometheus-main-1 lacks 10.0.0.2:9000/metrics" in judgement.check["other_causes"][0]["message"]


def test_what_all_replicas_say_is_said_once() -> None:
    world = World()
    world.servers = [Prometheus(), Prometheus("prometheus-main-1")]
    world.load()
    world.down("connect: connection refused")
    judgement = world.judge()
    assert codes(judgement) == ["target_down_refused"]
    assert not judgement.check["cause"]["message"].startswith("On ")


def test_a_replica_with_an_older_configuration_is_named() -> None:
    world = World()
    world.servers = [Prometheus(), Prometheus("prometheus-main-1")]
    world.load()
    world.servers[1].jobs, world.servers[1].targets = {}, []
    judgement = world.judge()
    assert "config_not_loaded" in codes(judgement)
    assert "on monitoring/prometheus-main-1" in judgement.check["cause"]["message"]


def test_a_server_that_cannot_be_asked_makes_it_unknown(world: World) -> None:
    world.server.problem = Finding("server_unreachable", "refused", "See: kubectl get pods -A", FOREVER, False)
    judgement = world.judge()
    assert judgement.check["status"] == "unknown"
    assert judgement.check["observed"] == "Prometheus could not be asked"


def test_what_kubernetes_tells_is_told_without_prometheus(world: World) -> None:
    world.server.problem = Finding("server_unreachable", "refused", "See: kubectl get pods -A", FOREVER, False)
    world.service["spec"]["ports"][0]["name"] = "jmx"
    judgement = world.judge()
    assert judgement.check["status"] == "failed"
    assert codes(judgement) == ["no_such_port", "server_unreachable"]


@pytest.mark.parametrize("fact", ["monitors", "prometheuses", "objects", "history"])
def test_what_may_not_be_read_is_unknown_not_good(world: World, fact: str) -> None:
    world.denied[fact] = Finding(
        "access_forbidden", f"{fact} is forbidden", "See: kubectl auth can-i --list", 0.0, False
    )
    judgement = world.judge()
    assert judgement.check["status"] == "unknown"
    assert codes(judgement)[0] == "access_forbidden"


def test_job_only_without_kubernetes(world: World) -> None:
    world.kubernetes = False
    assert world.judge(monitor=None, state="present").check["status"] == "ok"
    world.server.targets = []
    red(world.judge(monitor=None), "no_such_job", "cannot be told without the Kubernetes API", "job_name: trino")


def test_the_nearest_job_is_named(world: World) -> None:
    world.kubernetes = False
    for item in world.server.targets:
        item["labels"]["job"] = "trino-coordinator"
    red(world.judge(monitor=None), "no_such_job", "the nearest job is trino-coordinator", "job: trino-coordinator")


def test_wrong_job(world: World) -> None:
    world.target["labels"]["job"] = "trino-svc"
    red(world.judge(), "wrong_job", "job=trino-svc instead of trino")


def test_probe_objects_are_known_by_their_pool(world: World) -> None:
    world.monitor["kind"] = "Probe"
    world.monitor["spec"] = {"prober": {"url": "blackbox"}}
    world.expectation.update(monitor={"kind": "Probe", "namespace": "monitoring", "name": "trino"}, endpoints=[])
    world.server.jobs = {"probe/monitoring/trino": {"job_name": "probe/monitoring/trino"}}
    world.server.targets = [target("http://blackbox/probe?target=x", "probe/monitoring/trino")]
    assert world.judge().check["status"] == "ok"


def test_endpoints_without_a_pod_count(world: World) -> None:
    """A node, or an endpoint that somebody wrote by hand."""
    entry = world.slices[0]["endpoints"][0]
    entry["targetRef"] = {"kind": "Node", "name": "n1"}
    world.pods = []
    assert world.judge().check["status"] == "ok"
    world.server.targets = []
    red(world.judge(), "not_discovered", "10.0.0.1:9000")


def test_pods_of_another_namespace_with_the_same_label_do_not_matter(world: World) -> None:
    world.pods.append(pod("trino-9", "10.0.0.99", "other", metrics=9000))
    assert world.judge().check["expected"] == "1 target up"
