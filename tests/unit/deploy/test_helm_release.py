# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Helm release as data."""

from __future__ import annotations

import base64
import gzip
import json

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _helm_release as release
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

MANIFEST = """
---
# Source: chart/templates/a.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {date: 2024-04-01, sign: =, "yes": "no"}
---
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: other}
data: {password: aHVudGVyMg==}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: c}
rules: []
---
apiVersion: batch/v1
kind: Job
metadata: {name: hook, annotations: {helm.sh/hook: pre-install}}
---
apiVersion: v1
kind: ConfigMapList
items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: listed}}]
"""


def test_objects_have_namespaces_and_no_hooks():
    found = release.objects(MANIFEST, "monitoring")
    assert [release.label(item) for item in found] == [
        "ConfigMap monitoring/a",
        "Secret other/s",
        "ClusterRole c",
        "ConfigMap monitoring/listed",
    ]


def test_scalars_are_read_as_helm_reads_them():
    data = release.objects(MANIFEST, "monitoring")[0]["data"]
    assert data == {"date": "2024-04-01", "sign": "=", "yes": "no"}


def test_no_yaml_is_told():
    with pytest.raises(ConfigError, match="not valid YAML"):
        release.objects("a: b: c", "monitoring")


def test_diff_hides_secret_values_and_still_shows_the_change():
    before = release.objects(MANIFEST, "monitoring")
    after = release.objects(MANIFEST.replace("aHVudGVyMg==", "b3RoZXI="), "monitoring")
    (entry,) = release.diff(before, after)
    assert entry["before_header"] == "Secret other/s"
    assert "aHVudGVyMg" not in entry["before"] + entry["after"]
    assert entry["before"] != entry["after"]


def test_changes_names_objects():
    before = release.objects(MANIFEST, "monitoring")
    after = [*before[1:], {"kind": "Service", "metadata": {"name": "new"}}]
    after[0] = {**after[0], "data": {}}
    assert release.changes(before, after) == {
        "created": ["Service new"],
        "changed": ["Secret other/s"],
        "removed": ["ConfigMap monitoring/a"],
    }


def deployment(**spec):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "labels": {"a": "b"}},
        "spec": spec,
    }


def prometheus(**spec):
    return {"apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus", "metadata": {"name": "p"}, "spec": spec}


@pytest.mark.parametrize(
    ("wanted", "live", "paths"),
    [
        (deployment(replicas=1), None, ["(absent)"]),
        (deployment(replicas=1), deployment(replicas=1, strategy={"type": "RollingUpdate"}), []),
        (deployment(replicas=1), deployment(replicas=2), ["spec.replicas"]),
        (deployment(strategy={}), deployment(strategy={"type": "RollingUpdate"}), []),
        (deployment(paused=False), deployment(), []),
        (deployment(paused=False), deployment(paused=True), ["spec.paused"]),
        (deployment(port="8080"), deployment(port=8080), []),
        (
            deployment(resources={"limits": {"cpu": "1000m", "memory": "1024Mi"}}),
            deployment(resources={"limits": {"cpu": "1", "memory": "1Gi"}}),
            [],
        ),
        (
            deployment(resources={"limits": {"cpu": "2"}}),
            deployment(resources={"limits": {"cpu": "1"}}),
            ["spec.resources.limits.cpu"],
        ),
        (deployment(args=["--a"]), deployment(args=["--a", "--b"]), ["spec.args"]),
        (deployment(args=["--a"]), deployment(args=["--b"]), ["spec.args[0]"]),
        (deployment(nothing=None), deployment(), []),
        (
            prometheus(serviceMonitorSelector={}),
            prometheus(serviceMonitorSelector={"matchLabels": {"a": "b"}}),
            ["spec.serviceMonitorSelector"],
        ),
        (prometheus(retention="30d"), prometheus(retention="30d", portName="web"), []),
        (prometheus(retention="30d"), prometheus(retention="30d", paused=True), ["spec.paused"]),
        (
            prometheus(retention="30d"),
            prometheus(retention="30d", ruleNamespaceSelector={"matchLabels": {"a": "b"}}),
            ["spec.ruleNamespaceSelector"],
        ),
    ],
)
def test_drift(wanted, live, paths):
    assert [one.path for one in release.drift(wanted, live)] == paths


def test_drift_of_labels():
    live = deployment()
    live["metadata"] = {"name": "d", "labels": {"a": "x"}}
    assert [one.path for one in release.drift(deployment(), live)] == ["metadata.labels.a"]


def test_drift_is_shown_alone():
    wanted = deployment(replicas=1, paused=False)
    found = release.drift_diff(wanted, release.drift(wanted, deployment(replicas=0)))
    assert found["before"] == '{\n  "spec.replicas": 0\n}\n'
    assert found["after"] == '{\n  "spec.replicas": 1\n}\n'


def test_drift_of_a_secret_shows_no_value():
    wanted = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"k": "aHVudGVyMg=="}}
    found = release.drift_diff(wanted, release.drift(wanted, {**wanted, "data": {"k": "b3RoZXI="}}))
    assert found["before"] != found["after"]
    assert "aHVudGVyMg" not in str(found)
    assert "b3RoZXI" not in str(found)


def test_a_vanished_object_is_shown_whole():
    found = release.drift_diff(deployment(replicas=1), release.drift(deployment(replicas=1), None))
    assert found["before"] == ""
    assert '"replicas": 1' in found["after"]


def test_repaired_keeps_identity_and_drops_additions():
    wanted = prometheus(serviceMonitorSelector={})
    live = prometheus(serviceMonitorSelector={"matchLabels": {"a": "b"}}, paused=True)
    live["metadata"] = {"name": "p", "uid": "1", "resourceVersion": "7", "labels": {"x": "y"}, "managedFields": []}
    body = release.repaired(wanted, live)
    assert body["spec"] == {"serviceMonitorSelector": {}}
    assert body["metadata"] == {"name": "p", "uid": "1", "resourceVersion": "7", "labels": {"x": "y"}}


def test_chart_version_without_build_metadata():
    text = "apiVersion: v2\nname: loki\nversion: '18.11.0+x' # pinned\ndependencies:\n  - name: x\n    version: 1\n"
    assert release.chart_version(text) == "18.11.0"
    assert release.chart_version("name: loki") == ""


def test_literal_credentials_in_values_are_hidden():
    values = {
        "grafana": {"adminPassword": "hunter2", "admin": {"passwordKey": "admin-password", "existingSecret": "s"}},
        "s3": [{"secretAccessKey": "AKIA", "accessKeyId": "${AWS_KEY}", "endpoint": "minio:9000"}],
        "replicas": 2,
    }
    assert release.masked_values(values) == {
        "grafana": {"adminPassword": "(hidden)", "admin": {"passwordKey": "admin-password", "existingSecret": "s"}},
        "s3": [{"secretAccessKey": "(hidden)", "accessKeyId": "${AWS_KEY}", "endpoint": "minio:9000"}],
        "replicas": 2,
    }


def secret(version, status="deployed", **config):
    release = {
        "chart": {"metadata": {"name": "loki", "version": "18.11.0"}},
        "info": {"status": status},
        "config": config,
        "manifest": "a: 1",
    }
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()
    return {"metadata": {"labels": {"version": str(version)}}, "data": {"release": packed}}


def test_the_newest_revision_counts():
    found = release.stored([secret(9, a=1), secret(10, status="failed", a=2), secret(2)])
    assert found == release.Stored("loki-18.11.0", "failed", {"a": 2}, "a: 1")


@pytest.mark.parametrize("secrets", [[], [{"metadata": {}, "data": {"release": "!"}}], [{"metadata": {}}]])
def test_a_release_that_cannot_be_read_is_none(secrets):
    assert release.stored(secrets) is None


@pytest.mark.parametrize(
    ("ref", "version", "text", "wanted"),
    [
        ("oci://ghcr.io/x/charts/loki", "18.11.0", "", "loki-18.11.0"),
        ("grafana/alloy", "1.11.1", "", "alloy-1.11.1"),
        ("/charts/loki", "1.0.0", "name: loki\nversion: 18.11.0+x", "loki-18.11.0+x"),
        ("/charts/loki", "", "name: loki", ""),
        ("oci://ghcr.io/x/charts/loki", "^18", "", ""),
        ("oci://ghcr.io/x/charts/loki", "", "", ""),
        ("/charts/loki-18.11.0.tgz", "18.11.0", "", ""),
    ],
)
def test_wanted_chart(ref, version, text, wanted):
    assert release.wanted_chart(ref, version, text) == wanted
