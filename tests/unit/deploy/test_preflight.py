# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the roles refuse before they change anything: each in one sentence with place and remedy."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _preflight,
    _preflight_loki,
    _preflight_stack,
)

CLUSTER: dict[str, Any] = {
    "version": "v1.36.3",
    "storage_classes": [{"name": "local", "default": True}],
    "releases": [],
    "permissions": [{"verb": "create", "resource": "namespaces", "allowed": True}],
    "secrets": {},
    "nodes": [
        {
            "name": "one",
            "schedulable": True,
            "taints": [],
            "allocatable": {"cpu": "2", "memory": "8Gi"},
            "requested": {"cpu": "500m", "memory": "1Gi"},
        }
    ],
}


def asking(cpu: str = "500m", memory: str = "2Gi", replicas: int = 1, **spec: Any) -> dict[str, Any]:
    """The chart's values, as far as the room on the nodes is concerned."""
    resources = {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": "4", "memory": "64Gi"}}
    return {"prometheus": {"prometheusSpec": {"replicas": replicas, "resources": resources, **spec}}}


def stack(**changed):
    settings = {
        "role": "prometheus_operator",
        "given": ["prometheus_operator_values"],
        "known": ["prometheus_operator_values", "prometheus_operator_prometheus_retention"],
        "helm": "v3.21.4+g1",
        "namespace": "monitoring",
        "release": "kube-prometheus-stack",
        "cluster": {**CLUSTER, **changed.pop("cluster", {})},
        "chart_ref": "oci://ghcr.io/prometheus-community/charts/kube-prometheus-stack",
        "charts": [{"ref": "oci://x/kps", "version": "88.5.3", "yaml": "", "release": "kube-prometheus-stack"}],
        "values": {},
        "retention": "30d",
        "retention_size": "50GB",
        "storage_class": "",
        "volumes": {"prometheus_operator_prometheus_storage_size": "100Gi"},
        "all_values": asking(),
        "prometheus": "kube-prometheus-stack-prometheus",
        "grafana_secret": "",
        "thanos_secret": "",
        "thanos_key": "objstore.yml",
    }
    return _preflight_stack.refuse({**settings, **changed})


def loki(**changed):
    settings = {
        "role": "loki",
        "given": [],
        "known": [],
        "helm": "v3.21.4",
        "namespace": "monitoring",
        "cluster": CLUSTER,
        "chart_ref": "oci://ghcr.io/grafana-community/helm-charts/loki",
        "charts": [{"ref": "x", "version": "18.11.0", "release": "loki", "prefix": "loki"}],
        "values": {},
        "all_values": {"singleBinary": {"replicas": 1, "resources": {"requests": {"memory": "512Mi"}}}},
        "release": "loki",
        "limits": {"ingestion_rate_mb": 10},
        "agent_values": {},
        "storage": "filesystem",
        "storage_class": "",
        "storage_size": "100Gi",
        "replicas": 1,
        "retention": "744h",
        "s3": {},
        "s3_keys": ["bucket", "credentials_secret"],
    }
    return _preflight_loki.refuse({**settings, **changed})


def installed(labels: dict[str, str], cpu: float, memory: float) -> dict[str, Any]:
    """A cluster with both releases, and one Pod with these labels that holds some of what its node has given."""
    pod = {
        "namespace": "monitoring",
        "labels": labels,
        "phase": "Running",
        "node": "one",
        "requested": {"cpu": cpu, "memory": memory},
    }
    releases = [{"name": name, "namespace": "monitoring"} for name in ("kube-prometheus-stack", "loki")]
    return {**CLUSTER, "releases": releases, "pods": [pod]}


PROMETHEUS = {"operator.prometheus.io/name": "kube-prometheus-stack-prometheus", "more": "x"}
LOKI = {"app.kubernetes.io/instance": "loki", "app.kubernetes.io/component": "single-binary"}


def test_an_installed_release_has_the_room_that_it_holds_and_what_is_left():
    # 1.5 CPU are left beside the Pod's own 0.5.
    held = installed(PROMETHEUS, 0.5, 2**30)
    assert stack(cluster=held, all_values=asking("2", "8Gi")) == []
    (fault,) = stack(cluster=held, all_values=asking("2100m", "8Gi"))
    assert "asks for 2.1 CPU and 8Gi memory, but the node with most room, one, has 2 and 8Gi left" in fault
    (fault,) = stack(cluster=held, all_values=asking("1", "5Gi", replicas=2))
    assert "beside the first 1" in fault


def test_an_installed_release_whose_pods_are_not_known_is_not_judged():
    assert stack(cluster=installed({"prometheus": "another"}, 1, 1), all_values=asking("64")) == []


def test_loki_needs_room_too():
    asked = {"singleBinary": {"replicas": 2, "resources": {"requests": {"cpu": "1"}}}}
    s3 = {"storage": "s3", "s3": {"bucket": "b", "credentials_secret": "c"}, "replicas": 2}
    keys = {"secrets": {"monitoring/c": ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]}}
    (fault,) = loki(all_values=asked, **s3, cluster={**CLUSTER, **keys})
    assert fault.startswith("loki_resources: Loki asks for 1 CPU and 0 memory for each of 2 Pods, but beside the first")
    values = {"singleBinary": {"resources": asked["singleBinary"]["resources"]}}
    (fault,) = loki(all_values=asked, values=values, **s3, cluster={**CLUSTER, **keys})
    assert fault.startswith("loki_values.singleBinary.resources: ")
    assert loki(all_values=asked, **s3, cluster={**installed(LOKI, 1, 0), **keys}) == []


def test_what_can_work_is_not_refused():
    assert stack() == []
    assert loki() == []


@pytest.mark.parametrize(
    ("changed", "place", "remedy"),
    [
        (
            {"given": ["prometheus_operator_valuse"]},
            "prometheus_operator_valuse",
            "Did you mean prometheus_operator_values",
        ),
        ({"helm": ""}, "helm cannot be run", "monitoring_helm_binary"),
        ({"helm": "v3.9.0+g7"}, "too old", "3.13 or newer"),
        ({"cluster": {"version": "v1.24.9"}}, "Kubernetes v1.24.9", "Upgrade the cluster"),
        (
            {
                "cluster": {
                    "permissions": [{"verb": "create", "resource": "clusterroles", "group": "rbac", "allowed": False}]
                }
            },
            "may not: create clusterroles.rbac",
            "Bind a ClusterRole",
        ),
        ({"cluster": {"storage_classes": []}}, "prometheus_operator_storage_class is empty", "The cluster has none"),
        ({"storage_class": "fast"}, "no StorageClass is named fast", "There are: local"),
        ({"all_values": asking("2", "2Gi")}, "asks for 2 CPU", "one, has 1.5 and 7Gi left"),
        ({"all_values": asking("1", "8Gi")}, "8Gi memory", "Lower the requests or add a node"),
        (
            {"all_values": asking("1", replicas=2)},
            "for each of 2 Pods, but beside the first 1, the node",
            "has 500m and 5Gi left",
        ),
        ({"all_values": asking("500m", shards=2, replicas=2)}, "for each of 4 Pods", "beside the first 3"),
        ({"all_values": asking(resources={"limits": {"memory": "9Gi"}})}, "9Gi memory", "add a node"),
        (
            {
                "values": {"prometheus": {"prometheusSpec": {"resources": {"requests": {"memory": "9Gi"}}}}},
                "all_values": asking("1", "9Gi"),
            },
            "prometheus_operator_values.prometheus.prometheusSpec.resources: ",
            "Lower the requests",
        ),
        (
            {"cluster": {"nodes": [{**CLUSTER["nodes"][0], "taints": [{"effect": "NoSchedule"}]}]}},
            "no node is schedulable",
            "add tolerations",
        ),
        (
            {
                "cluster": {
                    "releases": [
                        {"name": "kube-prometheus-stack", "namespace": "monitoring", "status": "pending-upgrade"}
                    ]
                }
            },
            "pending-upgrade",
            "helm rollback kube-prometheus-stack -n monitoring",
        ),
        (
            {
                "cluster": {
                    "releases": [
                        {"name": "kube-prometheus-stack", "namespace": "monitoring", "status": "pending-install"}
                    ]
                }
            },
            "pending-install",
            "helm uninstall kube-prometheus-stack -n monitoring",
        ),
        (
            {"charts": [{"ref": "/c", "version": "88.5.3", "yaml": "version: 88.0.0", "release": "r"}]},
            "the chart in /c is version 88.0.0",
            "prometheus_operator_chart_version: 88.0.0",
        ),
        (
            {"chart_ref": "stable/prometheus-operator"},
            "stable/prometheus-operator is no longer",
            "kube-prometheus-stack",
        ),
        ({"retention_size": "50Gi"}, "prometheus_operator_prometheus_retention_size: '50Gi'", "Write 50GiB."),
        (
            {
                "retention": "15d",
                "slos": [
                    {"service": "trino", "window": "28d"},
                    {"service": "minio", "window": "20d"},
                    {"service": "vault", "window": "7d"},
                    {"service": ""},
                ],
            },
            "trino, minio: slo.window would never be full, for samples are kept for 15d.",
            "prometheus_operator_prometheus_retention: 33d",
        ),
        (
            {
                "values": {"prometheus": {"prometheusSpec": {"retention": "7d"}}},
                "slos": [{"service": "trino", "window": "7d"}],
            },
            "kept for 7d",
            "retention: 12d",
        ),
        ({"retention": "30 days"}, "prometheus_operator_prometheus_retention: '30 days'", "30d"),
        (
            {"volumes": {"prometheus_operator_prometheus_storage_size": "100"}},
            "prometheus_operator_prometheus_storage_size: '100'",
            "100Gi",
        ),
        ({"grafana_secret": "mine"}, "there is no Secret mine", "--from-literal=admin-user=..."),
        (
            {"grafana_secret": "mine", "cluster": {"secrets": {"monitoring/mine": ["admin-user"]}}},
            "lacks the key admin-password",
            "it has admin-user",
        ),
        ({"thanos_secret": "s3"}, "prometheus_operator_thanos_objstore_secret: there is no Secret s3", "objstore.yml="),
    ],
)
def test_stack_refusals(changed, place, remedy):
    (fault,) = stack(**changed)
    assert place in fault
    assert remedy in fault


@pytest.mark.parametrize(
    ("values", "place", "remedy"),
    [
        (
            {"grafana": {"adminPassword": "ChangeMe123"}},
            "grafana.adminPassword",
            "prometheus_operator_grafana_admin_secret",
        ),
        ({"prometheus": {"prometheusSpec": {"retentionSize": "50Gi"}}}, "retentionSize: '50Gi'", "Write 50GiB."),
        (
            {"prometheus-node-exporter": {"enabled": True}},
            "prometheus-node-exporter.enabled",
            "prometheus_operator_node_exporter_enabled: true",
        ),
        (
            {"kube-state-metrics": {"enabled": False}},
            "kube-state-metrics.enabled",
            "prometheus_operator_kube_state_metrics_enabled: false",
        ),
        ({"fullnameOverride": "kps"}, "fullnameOverride", "prometheus_operator_release_name"),
        ({"alertmanager": {"config": {"route": {}}}}, "alertmanager.config", "alertmanager.yaml"),
        ({"alertmanager": {"alertmanagerSpec": {"configSecret": "x"}}}, "configSecret", "alertmanager.yaml"),
    ],
)
def test_pasted_into_the_stack_s_values(values, place, remedy):
    (fault,) = stack(values=values)
    assert place in fault
    assert remedy in fault
    assert "ChangeMe123" not in fault


def test_an_installed_release_has_its_room_already():
    releases = [{"name": "kube-prometheus-stack", "namespace": "monitoring", "status": "deployed"}]
    assert stack(cluster={"releases": releases}, requests={"cpu": "2", "memory": "2Gi"}) == []


def test_what_could_not_be_read_is_not_judged():
    unread = {"nodes": None, "storage_classes": None, "releases": None, "secrets": None, "permissions": None}
    assert stack(cluster=unread, grafana_secret="mine") == []


def test_build_metadata_of_a_chart_is_no_other_version():
    assert stack(charts=[{"ref": "/c", "version": "88.5.3", "yaml": "version: 88.5.3+standin", "release": "r"}]) == []


PLAN_JOB = {
    "job_name": "kubernetes-pods",
    "kubernetes_sd_configs": [{"role": "pod"}],
    "relabel_configs": [{"source_labels": ["__meta_kubernetes_pod_label_app"], "target_label": "app"}],
}
TEXT_JOB = """
- job_name: good
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs:
    {{- toYaml .Values.config.snippets.common | nindent 4 }}
- job_name: bad
  kubernetes_sd_configs: [{role: pod}]
"""


@pytest.mark.parametrize(
    ("changed", "place", "remedy"),
    [
        (
            {"chart_ref": "grafana/loki-stack"},
            "loki_chart_ref: grafana/loki-stack",
            "grafana-community/helm-charts/loki",
        ),
        (
            {"values": {"loki": {"persistence": {"enabled": True}}}},
            "loki_values.loki.persistence",
            "loki_storage_size: 100Gi",
        ),
        ({"values": {"persistence": {"size": "1Gi"}}}, "loki_values.persistence", "loki_storage_size"),
        (
            {"values": {"loki": {"config": {"auth_enabled": False}}}},
            "loki_values.loki.config as a map",
            "one level higher",
        ),
        (
            {"values": {"loki": {"limits_config": {"enforce_metric_name": False}}}},
            "loki_values.loki.limits_config.enforce_metric_name",
            "Remove it",
        ),
        ({"limits": {"enforce_metric_name": False}}, "loki_limits.enforce_metric_name", "Remove it"),
        ({"values": {"promtail": {"enabled": True}}}, "loki_values.promtail", "loki_agent: promtail"),
        (
            {"values": {"deploymentMode": "singlebinary"}},
            "deploymentMode: with 'singlebinary'",
            "Did you mean SingleBinary",
        ),
        (
            {"agent_values": {"config": {"scrape_configs": [PLAN_JOB]}}},
            "loki_agent_values.config.scrape_configs[0]: scrape job kubernetes-pods sets no __path__",
            "/var/log/pods/*$1/*.log",
        ),
        (
            {"agent_values": {"config": {"snippets": {"scrapeConfigs": TEXT_JOB}}}},
            "loki_agent_values.config.snippets.scrapeConfigs: scrape job bad",
            "extraRelabelConfigs",
        ),
        (
            {"agent_values": {"config": {"positions": {"filename": "/tmp/positions.yaml"}}}},
            "loki_agent_values.config.positions.filename",
            "loki_agent_positions_path",
        ),
        ({"replicas": 2}, "loki_replicas: 2 Pods cannot share", "loki_storage: s3"),
        (
            {"storage": "s3", "s3": {"credentials_secret": "s"}, "cluster": {**CLUSTER, "secrets": None}},
            "loki_s3.bucket is missing",
            "name the bucket",
        ),
        (
            {"storage": "s3", "s3": {"bucket": "b", "credentials_secret": "s"}},
            "there is no Secret s",
            "AWS_ACCESS_KEY_ID",
        ),
        (
            {
                "storage": "s3",
                "s3": {"bucket": "b", "credentials_secret": "s", "key": 1},
                "cluster": {**CLUSTER, "secrets": None},
            },
            "loki_s3.key is no setting",
            "There are: bucket, credentials_secret",
        ),
        ({"retention": "12h"}, "loki_retention: '12h'", "from 24h"),
        ({"storage_size": "ten"}, "loki_storage_size: 'ten'", "100Gi"),
    ],
)
def test_loki_refusals(changed, place, remedy):
    (fault,) = loki(**changed)
    assert place in fault
    assert remedy in fault


def test_exporters_refuse_a_missing_secret_and_a_missing_key():
    settings = {
        "given": ["exporters_kind"],
        "known": ["exporters_kinds"],
        "cluster": {"secrets": {"monitoring/b": ["username"]}},
        "secrets": [
            {"entry": "one", "namespace": "monitoring", "name": "a", "keys": ["password"]},
            {"entry": "two", "namespace": "monitoring", "name": "b", "keys": ["password", "username"]},
        ],
    }
    unknown, absent, incomplete = _preflight.exporters(settings)
    assert "Did you mean exporters_kinds?" in unknown
    assert "one: exporter.credentials_secret: there is no Secret a" in absent
    assert "two: exporter.credentials_secret: Secret monitoring/b lacks the key password" in incomplete
