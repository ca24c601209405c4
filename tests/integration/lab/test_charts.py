# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in charts as Helm renders them: names, labels and ports that the collection relies on, and refusals."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import charts
from tests.lab_fixture import BIN

OPERATOR: dict[str, Any] = {
    "prometheus": {
        "prometheusSpec": {
            "retention": "30d",
            "retentionSize": "50GB",
            "externalLabels": {"cluster": "lab"},
            "walCompression": False,
            "serviceMonitorSelectorNilUsesHelmValues": False,
            "storageSpec": {"volumeClaimTemplate": {"spec": {"resources": {"requests": {"storage": "100Gi"}}}}},
        }
    },
    "alertmanager": {"alertmanagerSpec": {"useExistingSecret": True, "secrets": ["alertmanager-receivers"]}},
    "grafana": {
        "admin": {"existingSecret": "admin"},
        "persistence": {"enabled": True},
        "additionalDataSources": [{"name": "Loki", "type": "loki", "url": "http://loki.monitoring.svc:3100"}],
    },
    "prometheusOperator": {"featureGates": {"StatusForConfigurationResources": True}},
}
LOKI: dict[str, Any] = {
    "loki": {"storage": {"type": "filesystem"}, "useTestSchema": True, "limits_config": {"ingestion_rate_mb": 10}},
    "singleBinary": {"replicas": 1},
    **{name: {"replicas": 0} for name in ("read", "write", "backend")},
    **{name: {"enabled": False} for name in ("gateway", "chunksCache", "resultsCache", "lokiCanary", "test")},
    "sidecar": {"rules": {"enabled": False}},
}
S3 = {
    "type": "s3",
    "bucketNames": {"chunks": "chunks", "ruler": "ruler"},
    "s3": {"endpoint": "http://minio:9000", "accessKeyId": "${KEY}", "s3ForcePathStyle": True},
}

Objects = dict[tuple[str, str], dict[str, Any]]


def helm(chart: str, values: dict[str, Any], release: str = "") -> subprocess.CompletedProcess[str]:
    command = [
        BIN / "helm",
        "template",
        release or chart,
        charts.SOURCE / chart,
        "--namespace=monitoring",
        "--values=-",
    ]
    return subprocess.run(command, input=yaml.safe_dump(values), capture_output=True, text=True, check=False)


def render(chart: str, values: dict[str, Any], release: str = "") -> Objects:
    """(kind, name) -> object."""
    result = helm(chart, values, release)
    assert result.returncode == 0, result.stderr
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(result.stdout) if one}


@pytest.fixture(scope="module")
def operator() -> Objects:
    return render("kube-prometheus-stack", OPERATOR)


class TestOperator:
    @pytest.mark.parametrize(
        ("name", "port"),
        [
            ("kube-prometheus-stack-prometheus", {"http-web": 9090, "reloader-web": 8080}),
            ("kube-prometheus-stack-alertmanager", {"http-web": 9093, "reloader-web": 8080}),
            ("kube-prometheus-stack-operator", {"http": 8080}),
            ("kube-prometheus-stack-grafana", {"http-web": 80}),
            ("kube-prometheus-stack-kube-state-metrics", {"http": 8080}),
            ("kube-prometheus-stack-prometheus-node-exporter", {"http-metrics": 9100}),
            ("kube-prometheus-stack-kube-etcd", {"http-metrics": 2381}),
            ("kube-prometheus-stack-kube-scheduler", {"http-metrics": 10259}),
            ("kube-prometheus-stack-kube-controller-manager", {"http-metrics": 10257}),
            ("kube-prometheus-stack-kube-proxy", {"http-metrics": 10249}),
            ("kube-prometheus-stack-coredns", {"http-metrics": 9153}),
        ],
    )
    def test_services_have_upstreams_names_and_ports(self, operator: Objects, name: str, port: dict[str, int]) -> None:
        ports = operator["Service", name]["spec"]["ports"]
        assert {one["name"]: one["port"] for one in ports} == port

    def test_each_service_has_a_monitor_that_selects_it(self, operator: Objects) -> None:
        services = {name: one for (kind, name), one in operator.items() if kind == "Service"}
        # Grafana's has no Pod behind it.
        for name in services.keys() - {"kube-prometheus-stack-grafana"}:
            wanted = operator["ServiceMonitor", name]["spec"]["selector"]["matchLabels"]
            labels = services[name]["metadata"]["labels"]
            assert wanted.items() <= labels.items(), name

    def test_every_monitor_and_rule_bears_the_release(self, operator: Objects) -> None:
        for (kind, _), one in operator.items():
            if kind in ("ServiceMonitor", "PrometheusRule"):
                assert one["metadata"]["labels"]["release"] == "kube-prometheus-stack"

    def test_the_spec_goes_through(self, operator: Objects) -> None:
        spec = operator["Prometheus", "kube-prometheus-stack-prometheus"]["spec"]
        assert (spec["retention"], spec["retentionSize"], spec["walCompression"]) == ("30d", "50GB", False)
        assert spec["storage"]["volumeClaimTemplate"]["spec"]["resources"]["requests"]["storage"] == "100Gi"
        assert spec["serviceMonitorSelector"] == {}
        # left at upstream's default: the release's own only
        assert spec["ruleSelector"] == {"matchLabels": {"release": "kube-prometheus-stack"}}

    def test_an_existing_configuration_is_not_replaced(self, operator: Objects) -> None:
        assert ("Secret", "alertmanager-kube-prometheus-stack-alertmanager") not in operator
        without = render("kube-prometheus-stack", {"alertmanager": {"config": {"route": {"receiver": "a"}}}})
        secret = without["Secret", "alertmanager-kube-prometheus-stack-alertmanager"]
        config = yaml.safe_load(secret["stringData"]["alertmanager.yaml"])
        # upstream's trap: a map is merged, so the default's routes are still there
        assert config["route"]["receiver"] == "a" and config["route"]["routes"][0]["receiver"] == "null"

    def test_datasources(self, operator: Objects) -> None:
        found = operator["ConfigMap", "kube-prometheus-stack-grafana-datasource"]
        assert found["metadata"]["labels"]["grafana_datasource"] == "1"
        names = [one["name"] for one in yaml.safe_load(found["data"]["datasource.yaml"])["datasources"]]
        assert names == ["Prometheus", "Alertmanager", "Loki"]

    def test_grafana_has_a_claim_and_no_pod(self, operator: Objects) -> None:
        assert ("PersistentVolumeClaim", "kube-prometheus-stack-grafana") in operator
        assert ("Deployment", "kube-prometheus-stack-grafana") not in operator

    def test_a_disabled_alert_is_left_out(self) -> None:
        objects = render("kube-prometheus-stack", {"defaultRules": {"disabled": {"TargetDown": True}}})
        rules = objects["PrometheusRule", "kube-prometheus-stack-general.rules"]["spec"]["groups"][0]["rules"]
        assert [rule["alert"] for rule in rules] == ["Watchdog", "InfoInhibitor"]

    def test_a_part_outside_the_cluster_gets_endpoints_of_its_own(self) -> None:
        objects = render("kube-prometheus-stack", {"kubeProxy": {"endpoints": ["10.0.0.1"]}})
        assert "selector" not in objects["Service", "kube-prometheus-stack-kube-proxy"]["spec"]
        subsets = objects["Endpoints", "kube-prometheus-stack-kube-proxy"]["subsets"]
        assert subsets[0]["addresses"] == [{"ip": "10.0.0.1"}]

    @pytest.mark.parametrize(
        ("release", "values", "name"),
        [
            ("prometheus-operator", {}, "prometheus-operator-kube-p-prometheus"),
            ("monitoring", {}, "monitoring-kube-prometheus-prometheus"),
            ("monitoring", {"fullnameOverride": "kps", "cleanPrometheusOperatorObjectNames": True}, "kps"),
        ],
    )
    def test_names_of_other_releases(self, release: str, values: dict[str, Any], name: str) -> None:
        objects = render("kube-prometheus-stack", values, release)
        assert ("Prometheus", name) in objects
        assert ("Service", f"{release}-grafana") in objects


class TestLoki:
    def test_objects(self) -> None:
        objects = render("loki", LOKI)
        assert {name for kind, name in objects if kind == "Service"} == {"loki", "loki-headless", "loki-memberlist"}
        config = yaml.safe_load(objects["ConfigMap", "loki"]["data"]["config.yaml"])
        assert config["auth_enabled"] is True
        assert config["limits_config"]["ingestion_rate_mb"] == 10
        assert config["common"]["storage"] == {
            "filesystem": {"chunks_directory": "/var/loki/chunks", "rules_directory": "/var/loki/rules"}
        }
        # Nothing in the lab asks for an address outside the machine.
        assert config["analytics"] == {"reporting_enabled": False}

    def test_object_storage_and_overrides(self) -> None:
        loki = {**LOKI["loki"], "storage": S3, "structuredConfig": {"ingester": {"max_chunk_age": "1h"}}}
        objects = render("loki", {**LOKI, "loki": loki})
        config = yaml.safe_load(objects["ConfigMap", "loki"]["data"]["config.yaml"])
        assert config["common"]["storage"]["s3"] == {
            "bucketnames": "chunks",
            "endpoint": "http://minio:9000",
            "access_key_id": "${KEY}",
            "s3forcepathstyle": True,
        }
        assert config["ingester"] == {"max_chunk_age": "1h", "wal": {"flush_on_shutdown": True}}


class TestPromtail:
    def test_objects(self) -> None:
        relabel = {"source_labels": ["__meta_kubernetes_pod_label_tier"], "target_label": "tier"}
        values = {
            "config": {"clients": [{"url": "http://loki:3100"}], "snippets": {"extraRelabelConfigs": [relabel]}},
            "serviceMonitor": {"enabled": True},
        }
        objects = render("promtail", values)
        config = yaml.safe_load(objects["Secret", "promtail"]["stringData"]["promtail.yaml"])
        assert config["clients"] == [{"url": "http://loki:3100"}]
        assert config["positions"] == {"filename": "/run/promtail/positions.yaml"}
        assert config["scrape_configs"][0]["relabel_configs"][-1] == relabel
        assert objects["Service", "promtail-metrics"]["spec"]["ports"][0]["port"] == 3101
        pod = objects["DaemonSet", "promtail"]["spec"]["template"]["spec"]
        assert any("control-plane" in one["key"] for one in pod["tolerations"])


@pytest.mark.parametrize(
    ("chart", "values", "words"),
    [
        ("kube-prometheus-stack", {"thanosRuler": {"enabled": True}}, "thanosRuler.enabled"),
        ("kube-prometheus-stack", {"crds": {"upgradeJob": {"enabled": True}}}, "crds.upgradeJob.enabled"),
        ("kube-prometheus-stack", {"prometheus": {"prometheusSpec": {"retentoin": "1d"}}}, "'retentoin' not allowed"),
        ("loki", {}, "gateway.enabled"),
        ("loki", {**LOKI, "loki": {"storage": {"type": "filesystem"}}}, "loki.schemaConfig is required"),
        ("loki", {**LOKI, "singleBinary": {"replicas": 2}}, "more than one needs object storage"),
        ("promtail", {"daemonset": {"enabled": False}}, "daemonset.enabled"),
    ],
)
def test_what_a_stand_in_cannot_do_is_refused(chart: str, values: dict[str, Any], words: str) -> None:
    result = helm(chart, values)
    assert result.returncode != 0
    assert words in result.stderr


def test_definitions_are_part_of_the_assembled_chart(tmp_path: Path) -> None:
    charts.prepare(BIN.parent / "share" / "prometheus-operator-crd", tmp_path)
    command = [BIN / "helm", "show", "crds", tmp_path / "kube-prometheus-stack"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.count("\nkind: CustomResourceDefinition") == 10
