# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the tests on the lab tell what a play may touch from what is somebody else's."""

from __future__ import annotations

from typing import Any

from tests.cluster.plays import Snapshot


def item(name: str, manager: str, owner: str = "", kind: str = "ConfigMap", **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "monitoring", "uid": f"uid-{name}", "managedFields": [{"manager": manager}]}
    if owner:
        metadata["ownerReferences"] = [{"uid": f"uid-{owner}"}]
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **fields}


CLUSTER = [
    item("ours", "dataplatform.monitoring", data={"a": "1"}),
    item("its-child", "operator", owner="ours"),
    item("its-grandchild", "kube-controller-manager", owner="its-child"),
    item("of-a-release", "helm"),
    item("dataplatform-monitoring-verdict", "dataplatform.monitoring"),
    item("dataplatform-monitoring-baseline", "OpenAPI-Generator"),
    item("sh.helm.release.v1.loki.v1", "Helm", kind="Secret", type="helm.sh/release.v1"),
    item("theirs", "kubectl-create", data={"a": "1"}),
    item("their-child", "kube-controller-manager", owner="theirs"),
    item("a-pod", "kubelet", kind="Pod"),
    item("the-lock", "dataplatform.monitoring", kind="Lease"),
]
THEIRS = ["v1 ConfigMap monitoring/their-child", "v1 ConfigMap monitoring/theirs"]


def test_everything_is_ours_or_strange_or_a_controllers_work() -> None:
    seen = Snapshot(CLUSTER)
    assert sorted(seen.ours) == [
        "v1 ConfigMap monitoring/of-a-release",
        "v1 ConfigMap monitoring/ours",
        "v1 Secret monitoring/sh.helm.release.v1.loki.v1",
    ]
    assert sorted(seen.strangers) == THEIRS


def test_a_stranger_is_touched_when_it_is_gone_made_anew_written_or_taken() -> None:
    before = Snapshot(CLUSTER)
    theirs = next(one for one in CLUSTER if one["metadata"]["name"] == "theirs")
    anew = {**theirs, "metadata": {**theirs["metadata"], "uid": "another"}}
    written = {**theirs, "data": {"a": "2"}}
    taken = item("theirs", "dataplatform.monitoring", data={"a": "1"})
    for after in ([], [anew], [written], [taken]):
        rest = [one for one in CLUSTER if one is not theirs]
        assert THEIRS[1] in Snapshot([*rest, *after]).touched_strangers(before)
    restless = {**theirs, "status": {"seen": "now"}, "metadata": {**theirs["metadata"], "resourceVersion": "9"}}
    new = item("new", "kubectl-create")
    assert Snapshot([restless if one is theirs else one for one in [*CLUSTER, new]]).touched_strangers(before) == []
