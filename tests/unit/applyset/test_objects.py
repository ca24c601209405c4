# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Local checks: everything that is wrong is told with object, field and remedy, before a cluster is asked."""

from __future__ import annotations

import copy
import datetime

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_objects import (
    BUILTIN,
    Key,
    Resource,
    check_objects,
    check_scope,
    key_of,
    rank,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.applyset.samples import config_map, monitor, secret


def _wrong(obj: object) -> str:
    _good, problems = check_objects([obj])
    return "\n".join(problem.text() for problem in problems)


def test_a_good_object_is_left_as_it_is():
    good, problems = check_objects([config_map(), monitor()])
    assert problems == []
    assert good == [config_map(), monitor()]


def test_what_only_the_server_writes_is_dropped():
    dumped = {**config_map(creationTimestamp=None, uid="u", resourceVersion="7", generation=1), "status": {"x": 1}}
    assert check_objects([dumped]) == ([config_map()], [])


def test_the_given_object_is_not_changed():
    given_object = secret()
    before = copy.deepcopy(given_object)
    check_objects([given_object])
    assert given_object == before


def test_plain_text_of_a_secret_becomes_data_so_that_a_key_can_be_removed_later():
    good, problems = check_objects([{**secret(a="x"), "data": {"b": "eQ=="}}])
    assert problems == []
    assert good[0]["data"] == {"a": "eA==", "b": "eQ=="}
    assert "stringData" not in good[0]


@pytest.mark.parametrize(
    ("obj", "told"),
    [
        ("apiVersion: v1", "object 1: is a str, not a mapping. Give text through the option manifests."),
        ({"kind": "ConfigMap", "metadata": {}}, "object 1 (ConfigMap)"),
        ({"kind": "ConfigMap", "metadata": {"name": "a"}}, "apiVersion: is missing. Add apiVersion"),
        ({"apiVersion": "v1", "metadata": {"name": "a"}}, "kind: is missing"),
        ({"apiVersion": "v1", "kind": "ConfigMap"}, "metadata: is missing"),
        (config_map(name=""), "metadata.name: is missing or not a string"),
        (config_map(name="Upper"), "ConfigMap monitoring/Upper, metadata.name: 'Upper' is not a valid name"),
        (config_map(name="a" * 254), "is not a valid name"),
        (config_map(namespace="a.b"), "metadata.namespace: 'a.b' is not a valid namespace"),
        ({**config_map(), "metadata": {"name": "a"}}, "metadata.namespace: is missing. Add it; there is no default."),
        ({**config_map(), "metadata": {"generateName": "a-"}}, "can never be found again"),
        (config_map(labels={"a": 1}), 'metadata.labels[a]: 1 is not a string. Quote it: "1"'),
        (config_map(labels={"a": True}), 'Quote it: "true"'),
        (config_map(labels={"a": "x" * 64}), "is not a valid label value"),
        (config_map(labels={"a b": "x"}), "'a b' is not a valid key"),
        (config_map(labels=["a"]), "metadata.labels: is not a mapping"),
        (config_map(annotations={"a": None}), "metadata.annotations[a]: None is not a string"),
        (config_map(data={"port": 8080}), "ConfigMap monitoring/a, data[port]: is a number, not a string. Quote it."),
        (config_map(data={"x y": "a"}), "data[x y]: is not a valid key"),
        (
            config_map(data={"when": datetime.date(2026, 1, 2)}),
            "data.when: is a date, which JSON cannot carry. Quote it",
        ),
        (config_map(data={"x": [{"y": float("nan")}]}), "data.x[0].y: is not a finite number"),
        ({**secret(), "data": {"a": "plain text!"}}, "data[a]: is not base64. Put plain text under stringData."),
        ({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": []}, "Give its items instead"),
        (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "namespace": "b"}},
            "is 'b', but the kind belongs to no namespace. Remove it.",
        ),
    ],
)
def test_a_bad_object_is_refused_with_place_and_remedy(obj, told):
    assert told in _wrong(obj)


def test_names_that_only_rbac_allows():
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "system:A_b"}}
    assert check_objects([role])[1] == []
    assert "cannot be part of a path" in _wrong({**role, "metadata": {"name": "a/b"}})


def test_the_same_object_twice_is_refused_whatever_its_version():
    old = {**monitor(), "apiVersion": "monitoring.coreos.com/v1alpha1"}
    _good, problems = check_objects([monitor(), config_map(), old])
    assert [problem.text() for problem in problems] == [
        "ServiceMonitor monitoring/m: is listed twice (as number 1 and 3). Keep one of them."
    ]


def test_all_problems_of_all_objects_are_told_at_once():
    _good, problems = check_objects([config_map(data={"a": 1, "b": 2}), config_map(name="X"), 7])
    assert len(problems) == 4


def test_the_scope_of_a_discovered_kind():
    assert check_scope(monitor(), True) == []
    assert "there is no default" in check_scope({**monitor(), "metadata": {"name": "m"}}, True)[0].text()
    assert "belongs to no namespace" in check_scope(monitor(), False)[0].text()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.binary(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_nothing_that_can_be_given_crashes_the_checks(value):
    for obj in (
        value,
        {"apiVersion": value, "kind": "A", "metadata": value},
        config_map(data=value),
        config_map(labels=value),
    ):
        good, problems = check_objects([obj])
        assert good or problems
        assert all(problem.message and problem.object for problem in problems)


def test_order_namespaces_and_crds_first_unknown_kinds_last():
    kinds = [
        "ServiceMonitor",
        "ConfigMap",
        "Role",
        "RoleBinding",
        "CustomResourceDefinition",
        "Namespace",
        "Deployment",
    ]
    assert sorted(kinds, key=rank) == [
        "Namespace", "CustomResourceDefinition", "Role", "RoleBinding", "ConfigMap", "Deployment", "ServiceMonitor",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("resource", "namespace", "name", "path"),
    [
        (Resource("v1", "ConfigMap", "configmaps", True), "a", "b", "/api/v1/namespaces/a/configmaps/b"),
        (Resource("v1", "ConfigMap", "configmaps", True), "", "", "/api/v1/configmaps"),
        (Resource("v1", "Namespace", "namespaces", False), "", "a", "/api/v1/namespaces/a"),
        (Resource("apps/v1", "Deployment", "deployments", True), "a", "", "/apis/apps/v1/namespaces/a/deployments"),
        (
            Resource("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", False), "", "a:b c",
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/a:b%20c",
        ),
    ],
)  # fmt: skip
def test_paths(resource, namespace, name, path):
    assert resource.path(namespace, name) == path


def test_keys():
    assert str(key_of(config_map())) == "ConfigMap monitoring/a"
    assert key_of(monitor()).group_kind == "ServiceMonitor.monitoring.coreos.com"
    assert key_of(config_map()).group_kind == "ConfigMap"
    assert str(Key("", "Namespace", "", "x")) == "Namespace x"


def test_builtin_kinds_are_written_right():
    assert all(version == "v1" or "/" in version for version in BUILTIN)
    assert all(plural == plural.lower() for kinds in BUILTIN.values() for plural, _ in kinds.values())
