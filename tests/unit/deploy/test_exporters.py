# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects of an exporter."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _exporters as exporters

SELECTOR = {"app.kubernetes.io/name": "postgres-exporter", "app.kubernetes.io/instance": "postgresql"}
ENTRY = {
    "name": "postgresql",
    "kind": "postgresql",
    "state": "present",
    "exporter": {
        "name": "postgresql-exporter",
        "namespace": "monitoring",
        "image": "quay.io/prometheuscommunity/postgres-exporter:v0.20.1",
        "port": 9187,
        "port_name": "metrics",
        "args": ["--collector.stat_statements"],
        "env": [
            {"name": "DATA_SOURCE_URI", "value": "db.svc:5432/postgres?sslmode=disable"},
            {"name": "DATA_SOURCE_PASS", "valueFrom": {"secretKeyRef": {"name": "s", "key": "password"}}},
        ],
        "selector": SELECTOR,
        "labels": {**SELECTOR, "app": "postgres-exporter"},
        "resources": {},
    },
}
CATALOGUE = {"entries": [ENTRY, {"name": "trino", "kind": "trino", "state": "present", "exporter": None}]}


def by_kind(**settings):
    return {item["kind"]: item for item in exporters.exporter_objects(CATALOGUE, settings)}


def test_three_objects_that_find_each_other():
    objects = by_kind()
    assert set(objects) == {"Deployment", "Service", "NetworkPolicy"}
    template = objects["Deployment"]["spec"]["template"]
    labels = template["metadata"]["labels"]
    for selector in (
        objects["Deployment"]["spec"]["selector"]["matchLabels"],
        objects["Service"]["spec"]["selector"],
        objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    assert objects["Service"]["spec"]["ports"][0]["targetPort"] == template["spec"]["containers"][0]["ports"][0]["name"]


def test_nothing_it_does_not_need():
    pod = by_kind()["Deployment"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert container["readinessProbe"]
    assert container["livenessProbe"]


def test_credentials_are_references():
    env = by_kind()["Deployment"]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert env[1] == {"name": "DATA_SOURCE_PASS", "valueFrom": {"secretKeyRef": {"name": "s", "key": "password"}}}


def test_settings_reach_the_pod():
    settings = {
        "resources": {"requests": {"cpu": "10m"}},
        "registry": "registry.example:5000",
        "pull_secrets": ["pull"],
        "node_selector": {"disk": "ssd"},
        "network_policy": False,
    }
    objects = by_kind(**settings)
    pod = objects["Deployment"]["spec"]["template"]["spec"]
    assert "NetworkPolicy" not in objects
    assert pod["containers"][0]["image"] == "registry.example:5000/prometheuscommunity/postgres-exporter:v0.20.1"
    assert pod["containers"][0]["resources"] == {"requests": {"cpu": "10m"}}
    assert pod["imagePullSecrets"] == [{"name": "pull"}]
    assert pod["nodeSelector"] == {"disk": "ssd"}


@pytest.mark.parametrize(
    ("image", "wanted"),
    [("danielqsj/kafka-exporter:v1", "r/danielqsj/kafka-exporter:v1"), ("localhost:5000/a:1", "r/a:1")],
)
def test_registry_replaces_a_registry_only(image, wanted):
    catalogue = copy.deepcopy(CATALOGUE)
    catalogue["entries"][0]["exporter"]["image"] = image
    deployment = exporters.exporter_objects(catalogue, {"registry": "r"})[0]
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == wanted


def test_only_what_is_present_and_asked_for():
    assert exporters.exporter_objects(CATALOGUE, {"kinds": ["kafka"]}) == []
    skipped = {"entries": [{**ENTRY, "state": "pending"}]}
    assert exporters.exporter_workloads(skipped, {}) == []
    assert exporters.exporter_workloads(CATALOGUE, {}) == [
        {"kind": "Deployment", "name": "postgresql-exporter", "namespace": "monitoring"}
    ]


def annotations(**settings):
    entry = copy.deepcopy(ENTRY)
    entry["exporter"]["credentials_secret"] = "s"
    (deployment, *_rest) = exporters.exporter_objects({"entries": [entry]}, settings)
    return deployment["spec"]["template"]["metadata"].get("annotations", {})


def test_a_changed_secret_replaces_the_pods_and_reveals_nothing():
    before, after = (annotations(secret_versions={"monitoring/s": f"uid/{number}"}) for number in (7, 8))
    assert before != after
    assert before == annotations(secret_versions={"monitoring/s": "uid/7"})
    assert annotations(secret_versions={"monitoring/other": "uid/9"}) == annotations() == {}
