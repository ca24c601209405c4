# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects of a cluster, reduced to what is needed, and the look at it over real HTTP."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _cluster_objects as objects
from ansible_collections.dataplatform.monitoring.plugins.module_utils._cluster_info import PARTS, ClusterInfo
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiForbidden, ApiUnreachable
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.applyset.fake_api import FakeApi


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", 0.5),
        ("2", 2),
        ("1.5", 1.5),
        ("2Gi", 2 * 2**30),
        ("100k", 1e5),
        ("1e3", 1e3),
        (None, 0),
        ("x", 0),
        (3, 3),
    ],
)
def test_quantities(text, value):
    assert objects.quantity(text) == value


def _box(name: str = "c", cpu: str = "100m", **more: Any) -> dict[str, Any]:
    return {"name": name, "resources": {"requests": {"cpu": cpu, "memory": "1Gi"}}, **more}


def test_what_a_pod_requests_is_what_the_scheduler_sets_aside():
    assert objects.requested({"containers": [_box(), _box()]}, "cpu") == pytest.approx(0.2)
    init = {"containers": [_box()], "initContainers": [_box(cpu="500m")]}
    assert objects.requested(init, "cpu") == pytest.approx(0.5)
    sidecar = _box(cpu="200m", restartPolicy="Always")
    both = {"containers": [_box()], "initContainers": [sidecar, _box(cpu="500m")], "overhead": {"cpu": "10m"}}
    assert objects.requested(both, "cpu") == pytest.approx(0.71)
    after = {"containers": [_box()], "initContainers": [_box(cpu="150m"), sidecar]}
    assert objects.requested(after, "cpu") == pytest.approx(0.3)


@given(st.lists(st.integers(0, 900)), st.lists(st.tuples(st.integers(0, 900), st.booleans())))
def test_a_pod_never_requests_less_than_what_runs_together(containers, inits):
    spec = {
        "containers": [_box(cpu=f"{n}m") for n in containers],
        "initContainers": [_box(cpu=f"{n}m", **({"restartPolicy": "Always"} if s else {})) for n, s in inits],
    }
    together = sum(containers) + sum(n for n, s in inits if s)
    assert objects.requested(spec, "cpu") >= together / 1000 - 1e-9
    assert objects.requested(spec, "cpu") <= (together + max([n for n, _ in inits], default=0)) / 1000 + 1e-9


def _pod(name: str, node: str | None = "n1", phase: str = "Running", **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "apps", "labels": {"app": "x"}, **more},
        "spec": {"nodeName": node, "containers": [_box(ports=[{"containerPort": 8080, "name": "metrics"}])]},
        "status": {"phase": phase, "conditions": [{"type": "Ready", "status": "True"}]},
    }  # fmt: skip


def test_nodes_count_pods_that_still_run():
    node = {
        "metadata": {"name": "n1"},
        "spec": {"taints": [{"key": "a", "effect": "NoSchedule", "timeAdded": "x"}], "unschedulable": True},
        "status": {
            "allocatable": {"cpu": "1900m", "memory": "3Gi"},
            "conditions": [{"type": "Ready", "status": "False"}],
        },
    }
    pods = [_pod("a"), _pod("b", phase="Succeeded"), _pod("c", node=None), _pod("d", node="n2")]
    assert objects.nodes([node], pods) == [
        {
            "name": "n1", "allocatable": {"cpu": 1.9, "memory": 3 * 2**30}, "requested": {"cpu": 0.1, "memory": 2**30},
            "taints": [{"key": "a", "effect": "NoSchedule"}], "schedulable": False, "ready": False,
        }
    ]  # fmt: skip
    assert objects.nodes([node], None)[0]["requested"] is None


def test_pods_and_services():
    owner = {"ownerReferences": [{"kind": "Node"}, {"kind": "ReplicaSet", "controller": True}]}
    assert objects.pod(_pod("a", **owner)) == {
        "namespace": "apps", "name": "a", "labels": {"app": "x"}, "phase": "Running", "ready": True,
        "owner_kind": "ReplicaSet", "node": "n1", "requested": {"cpu": 0.1, "memory": 2**30},
        "ports": [{"container": "c", "name": "metrics", "containerPort": 8080}],
    }  # fmt: skip
    service = {"metadata": {"name": "s", "namespace": "a"}, "spec": {"ports": [{"port": 80}]}}
    assert objects.service(service) == {
        "namespace": "a", "name": "s", "labels": {}, "type": "ClusterIP", "selector": {},
        "ports": [{"name": None, "port": 80, "targetPort": 80}],
    }  # fmt: skip


def _crd() -> dict[str, Any]:
    endpoint = {
        "type": "object", "description": "prose",
        "properties": {"port": {"type": "string", "description": "prose"}, "description": {"type": "string"}},
    }  # fmt: skip
    spec = {"properties": {"endpoints": {"type": "array", "items": endpoint}}}
    schema = {"openAPIV3Schema": {"properties": {"spec": spec}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {
            "name": "servicemonitors.monitoring.coreos.com",
            "annotations": {"operator.prometheus.io/version": "0.93.0"},
        },
        "spec": {
            "group": "monitoring.coreos.com", "scope": "Namespaced",
            "names": {"kind": "ServiceMonitor", "plural": "servicemonitors"},
            "versions": [
                {"name": "v1beta1", "served": True, "storage": False},
                {"name": "v1", "served": True, "storage": True, "schema": schema},
            ],
        },
    }  # fmt: skip


def test_the_schema_of_an_endpoint_without_its_prose():
    found = objects.monitor_crd(_crd(), "servicemonitors")
    assert found == {
        "version": "v1", "operator_version": "0.93.0",
        "endpoint_schema": {
            "type": "object", "properties": {"port": {"type": "string"}, "description": {"type": "string"}},
        },
    }  # fmt: skip
    assert objects.monitor_crd({"metadata": {}, "spec": {}}, "servicemonitors")["version"] is None


def _release(name: str, revision: int, status: str = "deployed", namespace: str = "monitoring") -> dict[str, Any]:
    chart = {"chart": {"metadata": {"name": name, "version": "1.2.3"}}, "config": {"password": "hunter22-hunter22"}}
    packed = base64.b64encode(gzip.compress(json.dumps(chart).encode()))
    labels = {"owner": "helm", "name": name, "version": str(revision), "status": status}
    return {
        "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {"name": f"sh.helm.release.v1.{name}.v{revision}", "namespace": namespace, "labels": labels},
        "data": {"release": base64.b64encode(packed).decode()},
    }  # fmt: skip


def test_the_newest_revision_of_each_release():
    listed = [_release("loki", 9), _release("loki", 10, "pending-upgrade"), _release("loki", 2, namespace="b")]
    found = objects.releases([*listed, {"metadata": {"name": "x", "namespace": "y"}}])
    assert [(r["namespace"], r["revision"], r["status"]) for r in found] == [
        ("b", 2, "deployed"), ("monitoring", 10, "pending-upgrade"),
    ]  # fmt: skip
    assert objects.chart_of(listed[0]) == "loki-1.2.3"
    assert objects.chart_of({"data": {"release": "bm90aGluZw=="}}) is None
    assert objects.chart_of({}) is None


@pytest.fixture
def fake() -> FakeApi:
    api = FakeApi()
    api.kinds["v1"]["Node"] = ("nodes", False)
    for name in ("monitoring", "apps"):
        api.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    api.add(_crd())
    api.add(_pod("a"))
    api.add(_release("loki", 1))
    api.add(_release("other", 1, namespace="apps"))
    api.add({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": {"allocatable": {"cpu": "2"}}})
    return api


@pytest.fixture
def look(fake):
    server = fake.serve()
    kube = fake.connect(server)
    yield lambda **options: ClusterInfo(kube, "monitoring", **options).run()
    server.shutdown()
    server.server_close()


def test_one_look(fake, look):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pg", "namespace": "apps"}}
    fake.add({**secret, "data": {"user": "eA==", "password": "aHVudGVyMjI="}})
    memory = {"trino": {"state": "present", "since": "2026-01-02"}}
    fake.add(
        {
            "apiVersion": "v1", "kind": "ConfigMap", "data": {"decisions.json": json.dumps(memory)},
            "metadata": {"name": "dataplatform-monitoring-catalogue", "namespace": "monitoring"},
        }
    )  # fmt: skip
    for name in ("dataplatform-monitoring-rules", "someone-elses"):
        labels = {"applyset.kubernetes.io/id": "x"}
        meta = {"name": name, "namespace": "monitoring", "labels": labels}
        fake.add({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    cluster, notes = look(secrets=["apps/pg", "absent", "apps/none"])
    assert set(cluster) == {*PARTS, "secret_versions"}
    assert cluster["sets"] == ["rules"]
    assert notes == []
    assert cluster["version"] == "v1.36.3"
    assert cluster["namespaces"] == ["apps", "monitoring"]
    assert cluster["secrets"] == {"apps/pg": ["password", "user"]}
    assert list(cluster["secret_versions"]) == ["apps/pg"]
    assert cluster["remembered"] == memory
    assert cluster["crds"]["servicemonitors"]["endpoint_schema"]["properties"]["port"] == {"type": "string"}
    assert cluster["nodes"][0]["requested"] == {"cpu": 0.1, "memory": 2**30}
    assert [(r["name"], r["chart"]) for r in cluster["releases"]] == [("other", None), ("loki", "loki-1.2.3")]
    assert "hunter22" not in str(cluster) and "aHVudGVyMjI" not in str(cluster)
    assert all(call.method == "GET" for call in fake.calls)


def test_only_what_is_asked_for(fake, look):
    fake.calls.clear()
    assert look(gather=["namespaces"]) == ({"namespaces": ["apps", "monitoring"]}, [])
    assert [call.path for call in fake.calls] == ["/api/v1/namespaces"]


def test_an_empty_cluster(fake, look):
    fake.store.clear()
    fake.kinds = {version: kinds for version, kinds in fake.kinds.items() if "coreos" not in version}
    cluster, notes = look()
    assert cluster["crds"] == {} and cluster["remembered"] == {} and cluster["releases"] == [] and notes == []


def test_what_may_not_be_read_is_null_with_a_note(fake, look):
    said = 'pods is forbidden: User "reader" cannot list resource "pods" in API group "" at the cluster scope'
    fake.refuse("GET", "/pods$", 403, said)
    fake.refuse("GET", "^/api/v1/secrets$", 403, 'User "reader" cannot list resource "secrets"')
    fake.refuse("GET", "/customresourcedefinitions/", 403, "no CRDs for you")
    cluster, notes = look()
    assert cluster["pods"] is None
    assert cluster["nodes"][0]["requested"] is None
    assert [release["name"] for release in cluster["releases"]] == ["loki"]
    assert cluster["crds"]["servicemonitors"] == {"version": "v1"}
    assert any(note.startswith("pods could not be read") and said in note for note in notes)
    assert any("only those of namespace monitoring" in note for note in notes)
    assert any("endpoint schema of servicemonitors" in note for note in notes)


def test_credentials_that_are_not_valid_at_all(fake, look):
    fake.refuse("GET", "/pods$", 401, "Unauthorized")
    with pytest.raises(ApiForbidden, match="Unauthorized"):
        look()


def test_no_connection_is_an_error(fake):
    server = fake.serve()
    kube = fake.connect(server)
    server.shutdown()
    server.server_close()
    with pytest.raises(ApiUnreachable):
        ClusterInfo(kube, "monitoring").run()


def test_decisions_that_cannot_be_read_are_taken_as_none(fake, look):
    meta = {"name": "dataplatform-monitoring-catalogue", "namespace": "monitoring"}
    fake.add({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"decisions.json": "{"}})
    cluster, notes = look(gather=["remembered"])
    assert cluster == {"remembered": {}}
    assert "is not a JSON object" in notes[0]


def test_permissions(fake, look):
    fake.kinds["authorization.k8s.io/v1"] = {"SelfSubjectAccessReview": ("selfsubjectaccessreviews", False)}
    asked: list[Any] = []

    def answer(call, *_rest):
        asked.append(call.body["spec"]["resourceAttributes"])
        return 201, {"status": {"allowed": call.body["spec"]["resourceAttributes"]["verb"] == "get"}}

    fake._post = answer
    cluster, _notes = look(
        gather=["permissions"],
        can=[
            {"verb": "get", "resource": "pods", "group": ""},
            {"verb": "create", "resource": "services/proxy", "namespace": "a"},
        ],
    )
    assert asked == [
        {"verb": "get", "resource": "pods"},
        {"verb": "create", "resource": "services", "subresource": "proxy", "namespace": "a"},
    ]
    assert cluster["permissions"] == [
        {"verb": "get", "group": "", "resource": "pods", "namespace": "", "allowed": True},
        {"verb": "create", "group": "", "resource": "services/proxy", "namespace": "a", "allowed": False},
    ]
