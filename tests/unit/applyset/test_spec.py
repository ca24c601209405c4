# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The set's labels and annotations are kubectl's."""

from __future__ import annotations

import base64
import hashlib

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _applyset_spec as spec

from tests.unit.applyset.samples import config_map


def test_the_identity_is_the_formula_of_kep_3659():
    digest = hashlib.sha256(b"dataplatform-monitoring-demo.monitoring.ConfigMap.").digest()
    expected = f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1"
    assert spec.set_id("demo", "monitoring") == expected
    assert len(expected) <= 63


def test_the_parent_records_kinds_and_other_namespaces_and_reads_back():
    obj = spec.parent(
        "demo",
        "monitoring",
        ["Secret", "ConfigMap", "Secret", "Role.rbac.authorization.k8s.io"],
        ["b", "monitoring", "a", ""],
    )
    notes = obj["metadata"]["annotations"]
    assert notes["applyset.kubernetes.io/contains-group-kinds"] == "ConfigMap,Role.rbac.authorization.k8s.io,Secret"
    assert notes["applyset.kubernetes.io/additional-namespaces"] == "a,b"
    assert notes["applyset.kubernetes.io/tooling"] == "dataplatform.monitoring/v1"
    recorded = spec.read_parent(obj)
    assert recorded.tool == "dataplatform.monitoring"
    assert recorded.group_kinds == {"ConfigMap", "Role.rbac.authorization.k8s.io", "Secret"}
    assert recorded.namespaces == {"a", "b", "monitoring"}


def test_no_parent_records_nothing():
    assert spec.read_parent(None) == spec.Recorded("", frozenset(), frozenset())


def test_a_member_carries_the_label_and_keeps_its_own():
    obj = config_map(labels={"app.kubernetes.io/managed-by": "me", "app.kubernetes.io/part-of": "x"})
    member = spec.as_member(obj, "applyset-1-v1")
    assert member["metadata"]["labels"] == {**obj["metadata"]["labels"], spec.PART_OF_LABEL: "applyset-1-v1"}
    assert spec.PART_OF_LABEL not in obj["metadata"]["labels"]
    marked = spec.as_member(config_map(), "i", create_only=True)["metadata"]
    assert marked["annotations"] == {spec.CREATE_ONLY: "true"}
    assert marked["labels"]["app.kubernetes.io/managed-by"] == "dataplatform.monitoring"
