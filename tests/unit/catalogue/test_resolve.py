# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry + pack: what wins, what is filled in, and what is derived from it."""

from __future__ import annotations

import copy

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _endpoint_schema,
    _expectations,
    _monitors,
    _packs,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import tokens_in


def only(result):
    (entry,) = result["entries"]
    return entry


def only_monitor(result, **more):
    (found,) = _monitors.monitors(result, **more)
    return found


def test_the_monitor_of_the_plan(kit):
    assert only_monitor(kit.resolve(kit.trino(drop=[]))) == {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": {
            "name": "trino",
            "namespace": "data-platform",
            "labels": {
                "app.kubernetes.io/managed-by": "dataplatform.monitoring",
                "dataplatform.monitoring/entry": "trino",
            },
        },
        "spec": {
            "selector": {"matchLabels": {"app": "trino"}},
            "namespaceSelector": {"matchNames": ["data-platform"]},
            "endpoints": [
                {
                    "port": "metrics",
                    "relabelings": [{"action": "replace", "targetLabel": "job", "replacement": "trino"}],
                }
            ],
        },
    }


def test_the_monitor_of_an_exporter_lies_where_the_exporter_is(kit):
    found = only_monitor(kit.resolve(kit.postgresql(), exporters=True))
    assert found["metadata"]["namespace"] == "monitoring"
    assert found["spec"]["namespaceSelector"] == {"matchNames": ["monitoring"]}
    assert found["spec"]["selector"] == {
        "matchLabels": {
            "app.kubernetes.io/name": "postgres-exporter",
            "app.kubernetes.io/instance": "postgresql",
        }
    }
    assert found["spec"]["endpoints"][0]["port"] == "metrics"


def test_only_entries_that_are_present_have_a_monitor(kit):
    result = kit.resolve(kit.trino(optional=True), kit.postgresql(), {"name": "kubelet", "kind": "kubelet"})
    assert [entry["state"] for entry in result["entries"]] == ["skipped", "pending", "adopted"]
    assert _monitors.monitors(result) == []


def test_own_rules_stay_and_the_job_comes_last(kit):
    keep = {"sourceLabels": ["__meta_kubernetes_pod_label_role"], "regex": "worker", "action": "keep"}
    mine = {"sourceLabels": ["__name__"], "regex": "x", "action": "drop"}
    endpoint = {"port": "metrics", "relabelings": [keep], "metricRelabelings": [mine]}
    found = only_monitor(kit.resolve(kit.trino(endpoints=[endpoint], drop=["a_.*", "b"])))["spec"]["endpoints"][0]
    assert found["relabelings"] == [keep, {"action": "replace", "targetLabel": "job", "replacement": "trino"}]
    assert found["metricRelabelings"] == [
        mine,
        {"action": "drop", "sourceLabels": ["__name__"], "regex": "a_.*|b"},
    ]


def test_labels_spec_and_namespace_of_the_monitor(kit):
    entry = kit.trino(labels={"release": "mine", "x": "y"}, spec={"sampleLimit": 5000}, monitor_namespace="monitoring")
    found = only_monitor(kit.resolve(entry, monitor_labels={"release": "kps"}))
    assert found["metadata"]["labels"]["release"] == "mine"
    assert found["metadata"]["labels"]["x"] == "y"
    assert found["metadata"]["namespace"] == "monitoring"
    assert found["spec"]["sampleLimit"] == 5000
    assert found["spec"]["namespaceSelector"] == {"matchNames": ["data-platform"]}


def test_a_pod_monitor(kit):
    found = only_monitor(kit.resolve(kit.trino(monitor="PodMonitor")))
    assert (found["kind"], "podMetricsEndpoints" in found["spec"], "endpoints" in found["spec"]) == (
        "PodMonitor",
        True,
        False,
    )


def test_a_scrape_config_for_what_lies_outside(kit):
    entry = {"name": "nas", "targets": ["10.0.0.7:9100"], "endpoints": [{"path": "/m", "interval": "1m"}]}
    found = only_monitor(kit.resolve(entry))
    assert (found["apiVersion"], found["kind"]) == ("monitoring.coreos.com/v1alpha1", "ScrapeConfig")
    assert found["metadata"]["namespace"] == "monitoring"
    assert found["spec"] == {
        "jobName": "nas",
        "staticConfigs": [{"targets": ["10.0.0.7:9100"]}],
        "metricsPath": "/m",
        "scrapeInterval": "1m",
        "relabelings": [{"action": "replace", "targetLabel": "job", "replacement": "nas"}],
    }


def test_a_scrape_config_without_endpoints_sets_the_job_all_the_same(kit):
    found = only_monitor(kit.resolve({"name": "nas", "targets": ["10.0.0.7:9100"]}))
    assert found["spec"]["relabelings"][0]["replacement"] == "nas"


def test_a_scrape_config_takes_the_path_of_its_pack(kit):
    found = only_monitor(kit.resolve({"name": "minio", "kind": "minio", "targets": ["10.0.0.7:9000"]}))
    assert found["spec"]["metricsPath"] == "/minio/v2/metrics/cluster"


def test_a_probe_is_made_when_there_is_a_prober(kit):
    service = kit.service("data-platform", "trino", {"app": "trino"}, ("http", 8080), ("metrics", 8081))
    result = kit.resolve(kit.trino(), cluster=kit.cluster(service))
    assert [one["kind"] for one in _monitors.monitors(result)] == ["ServiceMonitor"]
    probe = _monitors.monitors(result, prober_url="blackbox.monitoring.svc:9115")[1]
    assert probe["spec"] == {
        "jobName": "trino-probe",
        "prober": {"url": "blackbox.monitoring.svc:9115"},
        "module": "http_2xx",
        "targets": {
            "staticConfig": {
                "static": ["http://trino.data-platform.svc:8080/v1/info"],
                "labels": {"service": "trino"},
            }
        },
    }


def test_a_probe_can_be_switched_off(kit):
    assert only(kit.resolve(kit.trino(probe={"enabled": False})))["probe"] is None


def test_the_entry_wins_over_the_pack_and_the_users_pack_over_ours(kit):
    packs = {"trino": {"min_samples": 77, "selector": {"app": "mine"}, "drop": []}}
    entry = kit.trino(selector=..., must_have=["up"])
    found = only(kit.resolve(entry, packs=packs))
    assert found["selector"] == {"matchLabels": {"app": "mine", "app.kubernetes.io/name": "trino"}}
    assert (found["min_samples"], found["drop"], found["must_have"]) == (77, [], ["up"])


def test_a_selector_of_the_entry_replaces_the_packs(kit):
    full = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "x", "operator": "Exists"}]}
    assert only(kit.resolve(kit.trino(selector=full)))["selector"] == full


def test_severity_and_least_targets_reach_the_alerts(kit):
    entry = kit.trino(severity="warning", min_targets=3)
    alerts = only(kit.resolve(entry))["alerts"]
    assert alerts["ServiceDown"]["severity"] == "warning"
    assert alerts["ServiceDown"]["expr"] == 'max by (job) (up{job="trino"}) == 0 or absent(up{job="trino"})'
    assert alerts["ServiceTargetsMissing"]["expr"] == 'count by (job) (up{job="trino"}) < 3'
    # $labels and $value are Prometheus' own
    assert alerts["ServiceTargetsMissing"]["description"] == "{{ $labels.job }} has {{ $value }} target(s); 3 expected."


def test_alerts_are_overridden_one_key_at_a_time(kit):
    entry = kit.trino(
        alerts={"TrinoQueueLong": {"threshold": 7, "for": "1h"}, "TrinoQueriesFailing": {"enabled": False}}
    )
    found = only(kit.resolve(entry))
    queue = found["alerts"]["TrinoQueueLong"]
    assert queue["expr"].endswith("> 7") and queue["for"] == "1h"
    assert "the limit is 7" in queue["description"]
    assert "TrinoQueriesFailing" not in found["alerts"]
    assert found["alerts_disabled"] == ["TrinoQueriesFailing"]
    assert found["alerts"]["TrinoInsufficientResources"]["expr"].endswith("> 0.01")


def test_health_and_fix_are_ready_to_use(kit):
    found = only(kit.resolve(kit.postgresql(), exporters=True))
    assert found["health"][0]["expr"] == 'pg_up{job="postgresql"}'
    assert found["health"][0]["fix"] == (
        "kubectl -n monitoring logs -l "
        "'app.kubernetes.io/name=postgres-exporter,app.kubernetes.io/instance=postgresql' --tail=20"
    )
    trino = only(kit.resolve(kit.trino()))
    assert trino["health"][0]["fix"].startswith("kubectl -n data-platform get pods")


def test_no_token_is_left_in_what_people_read(kit):
    for entry in kit.resolve(*kit.example(), exporters=True)["entries"]:
        texts = [item["fix"] + item["means"] for item in entry["health"]]
        texts += [alert["summary"] + alert["description"] for alert in entry["alerts"].values()]
        assert set().union(*(tokens_in(text) for text in texts)) <= {"labels", "value"}
        expressions = [item["expr"] for item in [*entry["health"], *entry["alerts"].values()]]
        assert [one for one in expressions if "$" in one] == []


def test_the_exporter_of_postgresql(kit):
    exporter = {
        "host": "pg.data-platform.svc",
        "database": "a b&c",
        "sslmode": "require",
        "credentials_secret": "s",
        "credentials_keys": {"password": "pw"},
        "args": ["--collector.stat_statements"],
        "image": {"tag": "v0.17.1"},
    }
    found = only(kit.resolve(kit.postgresql(exporter=exporter), exporters=True))["exporter"]
    assert found["name"] == "postgresql-exporter"
    assert found["image"] == "quay.io/prometheuscommunity/postgres-exporter:v0.17.1"
    assert found["env"] == [
        {"name": "DATA_SOURCE_URI", "value": "pg.data-platform.svc:5432/a%20b%26c?sslmode=require&connect_timeout=3"},
        {"name": "DATA_SOURCE_USER", "valueFrom": {"secretKeyRef": {"name": "s", "key": "username"}}},
        {"name": "DATA_SOURCE_PASS", "valueFrom": {"secretKeyRef": {"name": "s", "key": "pw"}}},
    ]
    assert found["secret_keys"] == ["pw", "username"]
    assert found["args"] == ["--collector.stat_statements"]
    assert found["selector"].items() <= found["labels"].items()


def test_an_exporter_without_credentials_has_none(kit):
    entry = {"name": "kafka", "kind": "kafka", "exporter": {"host": "kafka.data-platform.svc"}}
    found = only(kit.resolve(entry, exporters=True))["exporter"]
    assert found["args"] == ["--kafka.server=kafka.data-platform.svc:9092", "--kafka.version=2.0.0"]
    assert (found["env"], found["secret_keys"], found["credentials_secret"]) == ([], [], None)


def test_a_digest_pins_the_image(kit):
    digest = "sha256:" + "0" * 64
    exporter = {"host": "h", "credentials_secret": "s", "image": {"digest": digest}}
    found = only(kit.resolve(kit.postgresql(exporter=exporter), exporters=True))["exporter"]
    assert found["image"] == f"quay.io/prometheuscommunity/postgres-exporter:v0.20.1@{digest}"


def test_expectations_say_the_same_as_the_monitors(kit):
    result = kit.resolve(*kit.example(), exporters=True)
    expected = _expectations.scrape_expectations(result)
    assert [one["name"] for one in expected] == [entry["name"] for entry in kit.example()]
    made = {
        (one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]): one for one in _monitors.monitors(result)
    }
    for one in expected:
        if one["state"] == "present":
            monitor = made[(one["monitor"]["kind"], one["monitor"]["namespace"], one["monitor"]["name"])]
            assert monitor["spec"].get("endpoints", one["endpoints"]) == one["endpoints"]
            assert monitor["spec"]["selector"] == one["selector"]
            assert monitor["spec"]["namespaceSelector"]["matchNames"] == one["namespaces"]
            assert one["job"] == one["name"]


def test_an_expectation_in_full(kit):
    (one,) = _expectations.scrape_expectations(kit.resolve(kit.trino(drop=[])))
    assert sorted(one) == [
        "endpoints", "exporter", "health", "job", "kind", "min_samples", "min_targets", "monitor", "must_have", "name",
        "namespaces", "reason", "selector", "state",
    ]  # fmt: skip
    assert one["monitor"] == {"kind": "ServiceMonitor", "namespace": "data-platform", "name": "trino"}


def test_log_expectations(kit):
    result = kit.resolve(
        kit.trino(),
        kit.trino(name="quiet", namespace="vault", logs=False),
        kit.trino(name="gone", namespace="kube-system", optional=True),
        kit.postgresql(),
    )
    assert _expectations.log_expectations(result) == [
        {"namespace": "data-platform", "entries": ["trino", "postgresql"]}
    ]


def test_workload_expectations(kit):
    result = kit.resolve(kit.trino(), kit.postgresql(), kit.trino(name="gone", optional=True, selector={"a": "b"}))
    assert _expectations.workload_expectations(result) == [
        {
            "name": "trino",
            "namespace": "data-platform",
            "selector": {"app": "trino"},
            "service": None,
        },
        {
            "name": "postgresql",
            "namespace": "data-platform",
            "selector": {},
            "service": "postgresql.data-platform.svc",
        },
    ]


def test_names_are_unique_and_endpoints_fit_the_crd(kit):
    found = _monitors.monitors(kit.resolve(*kit.example(), exporters=True))
    keys = [(one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]) for one in found]
    assert len(set(keys)) == len(keys) > 5
    for monitor in found:
        for endpoint in monitor["spec"].get("endpoints", []):
            assert _endpoint_schema.check(endpoint, kit.crd()) == []


def test_nothing_that_is_given_is_changed(kit):
    entries, world = kit.example(), kit.cluster(kit.service("data-platform", "t", {"app": "trino"}, ("metrics", 1)))
    before = copy.deepcopy((entries, world))
    packs = copy.deepcopy({kind: _packs.read_shipped(kind) for kind in _packs.shipped_kinds()})
    result = kit.resolve(*entries, cluster=world, exporters=True)
    _monitors.monitors(result, prober_url="x:1")
    assert (entries, world) == before
    assert {kind: _packs.read_shipped(kind) for kind in _packs.shipped_kinds()} == packs
