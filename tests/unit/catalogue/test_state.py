# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Present, skipped, pending, adopted: decided when deploying, remembered, and told."""

from __future__ import annotations

import json

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _catalogue_state

LATER = "2026-12-01T00:00:00Z"


def trino_service(kit):
    return kit.service("data-platform", "trino", {"app": "trino"}, ("metrics", 8081))


def only(result):
    (entry,) = result["entries"]
    return entry


def remember(result):
    """What cluster_info would read back from the ConfigMap."""
    return json.loads(_catalogue_state.decisions(result)["data"]["decisions.json"])


def test_an_entry_that_is_not_optional_is_present_even_when_it_is_absent(kit):
    entry = only(kit.resolve(kit.trino()))
    assert (entry["state"], entry["reason"], entry["since"]) == ("present", "", kit.now)


def test_an_optional_entry_that_is_there_is_present(kit):
    entry = only(kit.resolve(kit.trino(optional=True), cluster=kit.cluster(trino_service(kit))))
    assert entry["state"] == "present"


def test_an_optional_entry_that_is_absent_is_skipped_with_the_reason(kit):
    result = kit.resolve(kit.trino(optional=True))
    entry = only(result)
    assert entry["state"] == "skipped"
    assert entry["reason"] == "optional, and no Service in data-platform has the labels app=trino"
    assert entry["endpoints"] == []
    assert result["faults"] == []


def test_an_optional_entry_in_a_namespace_that_is_absent_is_skipped_too(kit):
    result = kit.resolve(kit.trino(optional=True, namespace="nowhere"))
    assert (only(result)["state"], result["faults"]) == ("skipped", [])


def test_was_present_is_gone_stays_expected(kit):
    entry = kit.trino(optional=True)
    first = kit.resolve(entry, cluster=kit.cluster(trino_service(kit)))
    second = kit.resolve(entry, cluster=kit.cluster(remembered=remember(first)), now=LATER)
    assert (only(second)["state"], only(second)["since"]) == ("present", kit.now)
    assert second["notes"][0] == (
        f"trino: was present since {kit.now} and is gone (no Service in data-platform has the labels app=trino): "
        "it stays expected. If it was removed on purpose, take the entry out, "
        "or run once with catalogue_forget: [trino]."
    )


def test_a_decision_can_be_forgotten(kit):
    entry = kit.trino(optional=True)
    first = kit.resolve(entry, cluster=kit.cluster(trino_service(kit)))
    again = kit.resolve(entry, cluster=kit.cluster(remembered=remember(first)), forget=["trino"], now=LATER)
    assert (only(again)["state"], only(again)["since"]) == ("skipped", LATER)


def test_what_was_skipped_and_has_come_is_present(kit):
    entry = kit.trino(optional=True)
    first = kit.resolve(entry)
    world = kit.cluster(trino_service(kit), remembered=remember(first))
    second = only(kit.resolve(entry, cluster=world, now=LATER))
    assert (second["state"], second["since"]) == ("present", LATER)


def test_when_services_cannot_be_read_the_last_decision_holds(kit):
    entry = kit.trino(optional=True)
    first = kit.resolve(entry)
    blind = {**kit.cluster(remembered=remember(first)), "services": None}
    second = only(kit.resolve(entry, cluster=blind, now=LATER))
    assert (second["state"], second["since"]) == ("skipped", kit.now)
    assert second["reason"] == f"optional, and absent when it was last looked for ({kit.now})"
    never_seen = only(kit.resolve(entry, cluster={**kit.cluster(), "services": None}))
    assert never_seen["state"] == "present"


@pytest.mark.parametrize("remembered", [None, [], "x", {"trino": 7}, {"trino": {"state": 7, "since": None}}])
def test_damaged_memory_is_no_memory(kit, remembered):
    entry = only(kit.resolve(kit.trino(optional=True), cluster=kit.cluster(remembered=remembered)))
    assert (entry["state"], entry["since"]) == ("skipped", kit.now)


def test_equal_decisions_give_an_equal_object(kit):
    entries = (kit.trino(), kit.postgresql(), {"name": "kubelet", "kind": "kubelet"})
    first = kit.resolve(*entries)
    second = kit.resolve(*entries, cluster=kit.cluster(remembered=remember(first)), now=LATER)
    assert _catalogue_state.decisions(first) == _catalogue_state.decisions(second)


def test_the_object_of_the_decisions(kit):
    found = _catalogue_state.decisions(kit.resolve(kit.trino()))
    assert (found["apiVersion"], found["kind"]) == ("v1", "ConfigMap")
    assert found["metadata"] == {
        "name": "dataplatform-monitoring-catalogue",
        "namespace": "monitoring",
        "labels": {"app.kubernetes.io/managed-by": "dataplatform.monitoring"},
    }
    assert json.loads(found["data"]["decisions.json"]) == {
        "trino": {"state": "present", "since": kit.now, "kind": "trino", "namespace": "data-platform"}
    }


def test_adopted(kit):
    entry = only(kit.resolve({"name": "coredns", "kind": "coredns", "adopt": True}))
    assert (entry["state"], entry["job"], entry["monitor"]) == ("adopted", "coredns", None)
    assert entry["reason"] == "somebody else's monitor scrapes this"


def test_the_job_of_an_adopted_monitor_may_be_unknown(kit):
    entry = only(kit.resolve(kit.trino(adopt=True, endpoints=...)))
    assert entry["job"] is None
    # the verdict reads the job from the live target and fills in the token then
    assert "$selector" in entry["health"][0]["expr"]
    named = only(kit.resolve(kit.trino(adopt=True, endpoints=..., job="trino-metrics")))
    assert '{job="trino-metrics"}' in named["alerts"]["ServiceDown"]["expr"]


def test_an_exporter_is_pending_until_it_is_deployed(kit):
    entry = only(kit.resolve(kit.postgresql()))
    assert entry["state"] == "pending"
    assert entry["reason"] == "its exporter is not deployed yet; it comes with day 2 (role exporters)"


@pytest.mark.parametrize(
    ("exporters", "state"), [(True, "present"), (["postgresql"], "present"), (["kafka"], "pending")]
)
def test_an_exporter_that_this_play_deploys_is_present(kit, exporters, state):
    assert only(kit.resolve(kit.postgresql(), exporters=exporters))["state"] == state


def test_an_exporter_that_is_there_is_present(kit):
    there = kit.service("monitoring", "postgresql-exporter", {}, ("metrics", 9187))
    assert only(kit.resolve(kit.postgresql(), cluster=kit.cluster(there)))["state"] == "present"


def test_an_exporter_that_was_there_and_is_gone_stays_expected(kit):
    first = kit.resolve(kit.postgresql(), exporters=True)
    second = kit.resolve(kit.postgresql(), cluster=kit.cluster(remembered=remember(first)))
    assert only(second)["state"] == "present"


def test_an_optional_exporter_looks_for_its_service(kit):
    entry = kit.postgresql(optional=True)
    absent = only(kit.resolve(entry, exporters=True))
    assert (absent["state"], absent["reason"]) == (
        "skipped",
        "optional, and there is no Service data-platform/postgresql",
    )
    there = kit.service("data-platform", "postgresql", {}, ("db", 5432))
    assert only(kit.resolve(entry, cluster=kit.cluster(there), exporters=True))["state"] == "present"


@pytest.mark.parametrize(
    ("host", "service"),
    [
        ("postgresql.data-platform.svc", ("data-platform", "postgresql")),
        ("postgresql.data-platform.svc.cluster.local", ("data-platform", "postgresql")),
        ("postgresql.data-platform", ("data-platform", "postgresql")),
        ("postgresql", None),
        ("db.example.org", None),
        ("10.0.0.7", None),
    ],
)
def test_which_hosts_are_services_of_the_cluster(kit, host, service):
    from ansible_collections.dataplatform.monitoring.plugins.module_utils import _catalogue_exporters

    assert _catalogue_exporters.target_service({"host": host}) == service


def test_an_exporter_whose_host_is_not_there_is_noted(kit):
    there = kit.service("data-platform", "postgres", {}, ("db", 5432))
    assert kit.resolve(kit.postgresql(), cluster=kit.cluster(there), exporters=True)["notes"] == [
        "postgresql: exporter.host: there is no Service data-platform/postgresql (did you mean postgres?)."
    ]
    assert kit.resolve(kit.postgresql(), exporters=True)["notes"] == [
        "postgresql: exporter.host: there is no Service data-platform/postgresql (nor any other)."
    ]


def test_an_optional_database_outside_the_cluster_counts_as_there(kit):
    exporter = {"host": "db.example.org", "credentials_secret": "s"}
    entry = kit.postgresql(optional=True, exporter=exporter)
    assert only(kit.resolve(entry, exporters=True))["state"] == "present"


def test_an_optional_pod_monitor_looks_for_pods(kit):
    entry = kit.trino(optional=True, monitor="PodMonitor")
    absent = only(kit.resolve(entry, cluster=kit.cluster(trino_service(kit))))
    assert absent["reason"] == "optional, and no Pod in data-platform has the labels app=trino"
    pod = kit.pod("data-platform", "trino-0", {"app": "trino"}, ("metrics", 8081))
    assert only(kit.resolve(entry, cluster=kit.cluster(pod)))["state"] == "present"


def test_a_namespace_that_does_not_exist_is_a_fault(kit):
    assert kit.resolve(kit.trino(namespace="data-platfrom"))["faults"] == [
        "trino: namespace: the cluster has no namespace data-platfrom; "
        "did you mean data-platform? (or set optional: true if it may be absent)."
    ]
    assert kit.resolve(kit.trino(monitor_namespace="elsewhere"))["faults"] == [
        "trino: monitor_namespace: the cluster has no namespace elsewhere; "
        "there are: data-platform, kube-system, monitoring, vault (or set optional: true if it may be absent)."
    ]


def test_the_monitoring_namespace_need_not_exist_yet(kit):
    world = kit.cluster(namespaces=["data-platform"])
    assert kit.resolve(kit.postgresql(), cluster=world, exporters=True)["faults"] == []


def test_without_kubernetes_an_entry_is_a_job(kit):
    entry = only(kit.resolve({"name": "db", "job": "postgres", "min_targets": 3}, kubernetes=False))
    assert (entry["job"], entry["state"], entry["monitor"], entry["min_targets"]) == ("postgres", "adopted", None, 3)
    assert entry["reason"] == "Prometheus runs without Kubernetes: its own configuration scrapes this"
    assert only(kit.resolve({"name": "db"}, kubernetes=False))["job"] == "db"
