# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""applyset where controllers are at work: what they add to objects is no difference, and what is deleted goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset import ApplySet, Options
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube

from tests.integration.programs import wait_for
from tests.lab_fixture import Lab
from tests.unit.applyset.samples import config_map, rule, secret

NAMESPACE = "t-applyset-lab"
PAUSE = "registry.k8s.io/pause:3.10.2"
LABELS = {"app": "t-applyset"}


def _object(api_version: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "web", "namespace": NAMESPACE}, **fields}


def _workload(kind: str, image: str = PAUSE, **spec: Any) -> dict[str, Any]:
    requests = {"requests": {"cpu": "1m", "memory": "4Mi"}}
    pod = {"containers": [{"name": "c", "image": image, "resources": requests}], "terminationGracePeriodSeconds": 0}
    template = {"metadata": {"labels": {**LABELS, "kind": kind.lower()}}, "spec": pod}
    selector = {"matchLabels": {**LABELS, "kind": kind.lower()}}
    return _object("apps/v1", kind, spec={"selector": selector, "template": template, **spec})


def _objects(image: str = PAUSE) -> list[dict[str, Any]]:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    monitor = {"selector": {"matchLabels": LABELS}, "endpoints": [{"port": "http"}]}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        _workload("Deployment", image),
        _workload("DaemonSet"),
        _workload("StatefulSet", serviceName="web"),
        _object("v1", "Service", spec={"selector": LABELS, "ports": [{"name": "http", "port": 80}]}),
        _object("v1", "ServiceAccount"),
        _object("v1", "PersistentVolumeClaim", spec=claim),
        _object("policy/v1", "PodDisruptionBudget", spec={"minAvailable": 1, "selector": {"matchLabels": LABELS}}),
        _object("monitoring.coreos.com/v1", "ServiceMonitor", spec=monitor),
        {**rule("web", "Down"), "metadata": {"name": "web", "namespace": NAMESPACE}},
        config_map("web", namespace=NAMESPACE),
        secret("web", namespace=NAMESPACE),
    ]


@pytest.fixture
def clean(lab: Lab) -> Iterator[Lab]:
    delete = ("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s")
    lab.kubectl(*delete)
    yield lab
    lab.kubectl(*delete)


def test_what_controllers_add_is_no_difference(clean: Lab) -> None:
    kube = Kube({"kubeconfig": str(clean.kubeconfig)})

    def apply(objects: list[Any], **options: Any) -> dict[str, Any]:
        return ApplySet(kube, Options("lab", NAMESPACE, objects, **options)).run()

    foretold = apply(_objects(), check_mode=True)
    done = apply(_objects())
    assert done["created"] == foretold["created"]
    clean.kubectl("rollout", "status", "deployment/web", "daemonset/web", "statefulset/web", "-n", NAMESPACE)
    again = apply(_objects())
    assert (again["changed"], again["notes"]) == (False, [])

    # A hand edit is set back, a Pod template is rolled out, both are told.
    clean.kubectl("scale", "statefulset/web", "--replicas=0", "-n", NAMESPACE)
    clean.kubectl("label", "service/web", "app.kubernetes.io/managed-by=me", "--overwrite", "-n", NAMESPACE)
    changed = apply(_objects(image="registry.k8s.io/pause:other"))
    assert set(changed["updated"]) == {f"Deployment {NAMESPACE}/web", f"Service {NAMESPACE}/web"}
    assert f"Service {NAMESPACE}/web: takes fields back from kubectl-label." in changed["notes"]

    gone = apply([], state="absent")
    assert set(gone["kept"]) == {
        f"{kind}/web".replace("/", f" {NAMESPACE}/") for kind in ("Secret", "PersistentVolumeClaim")
    } | {f"Namespace {NAMESPACE}"}
    wait_for(lambda: not clean.kubectl("get", "pods", "-n", NAMESPACE, "-o", "name").stdout, "all Pods are gone")
    assert apply([], state="absent")["changed"] is False
    apply(
        [],
        state="absent",
        allow_removal=[f"{kind}/web" for kind in ("Secret", "PersistentVolumeClaim")] + [f"Namespace/{NAMESPACE}"],
    )
    clean.kubectl("wait", "--for=delete", f"namespace/{NAMESPACE}", "--timeout=120s")
    assert apply([], state="absent")["msg"] == "ApplySet lab: nothing there"
