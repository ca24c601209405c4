# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes of a service that is well, one that is not, one that is gone, and one that nobody makes.

In a namespace of their own, made by the lab's own prober, and judged by the module as verify.yml does it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.filter.catalogue import (
    catalogue_monitors,
    catalogue_resolve,
    scrape_expectations,
)

from tests.lab_fixture import BIN, Lab

from .conftest import causes, named

NAMESPACE = "t-probes"
ADDRESS = f"http://web.{NAMESPACE}.svc:8000"


def entry(name: str, url: str) -> dict[str, Any]:
    return {
        "name": f"t-{name}",
        "namespace": NAMESPACE,
        "selector": {"app": "web"},
        "endpoints": [{"port": "http", "path": f"/{name}"}],
        "probe": {"url": url, "interval": "5s"},
    }


ENTRIES = [
    entry("well", f"{ADDRESS}/metrics"),
    entry("teapot", f"{ADDRESS}/teapot"),
    entry("gone", f"http://gone.{NAMESPACE}.svc:8000/"),
    entry("empty", f"http://empty.{NAMESPACE}.svc:8000/"),
    entry("nobody", f"{ADDRESS}/metrics"),
]


def service(name: str, app: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": app}},
        "spec": {"selector": {"app": app}, "ports": [{"name": "http", "port": 8000}]},
    }


def objects(monitors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    script = (Path(__file__).parent / "server.py").read_text()
    meta = {"name": "web", "namespace": NAMESPACE, "labels": {"app": "web"}}
    pod = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "volumes": [{"name": "server", "configMap": {"name": "server"}}],
        "containers": [
            {
                "name": "web",
                "image": "docker.io/dataplatform-monitoring/stand-in:1",
                "args": ["/srv/server.py"],
                "ports": [{"name": "http", "containerPort": 8000}],
                "readinessProbe": {"httpGet": {"path": "/metrics", "port": "http"}, "periodSeconds": 2},
                "resources": {"requests": {"cpu": "5m", "memory": "24Mi"}, "limits": {"memory": "64Mi"}},
                "volumeMounts": [{"name": "server", "mountPath": "/srv"}],
            }
        ],
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "server", "namespace": NAMESPACE},
            "data": {"server.py": script},
        },
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod},
        service("web", "web"),
        service("empty", "none"),
        *monitors,
    ]


@pytest.fixture(scope="module")
def verdict(day2: Lab) -> Iterator[dict[str, Any]]:
    """What verify_scrape_targets says about them."""
    catalogue = catalogue_resolve(ENTRIES, namespace="monitoring", exporters=True)
    probes = [one for one in catalogue_monitors(catalogue) if one["kind"] == "Probe"]
    for probe in probes:
        if probe["metadata"]["name"] == "t-nobody":
            probe["spec"]["prober"]["url"] = f"prober.{NAMESPACE}.svc:9115"
    expectations = [one for one in scrape_expectations(catalogue) if one["kind"] == "probe"]
    listed = {"apiVersion": "v1", "kind": "List", "items": objects(probes)}
    try:
        day2.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(listed))
        day2.kubectl("-n", NAMESPACE, "wait", "--for=condition=Ready", "pod/web", "--timeout=120s")
        options = {
            "namespace": "monitoring",
            "service": "kube-prometheus-stack-prometheus",
            "expectations": expectations,
            "unscraped": False,
            "timeout": 180,
            "report_only": True,
        }
        done = day2._run(
            ["ansible", "localhost", "-m", "dataplatform.monitoring.verify_scrape_targets", "-a", json.dumps(options)],
            check=False,
            timeout=300,
            ANSIBLE_STDOUT_CALLBACK="ansible.builtin.minimal",
            ANSIBLE_LOCALHOST_WARNING="false",
        )
        assert "{" in done.stdout, done.stdout + done.stderr
        yield json.loads(done.stdout[done.stdout.index("{") : done.stdout.rindex("}") + 1])
    finally:
        day2.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true", check=False)


@pytest.fixture(scope="module")
def day2(marked: Lab) -> Lab:
    """Day 2 is on it: the prober runs."""
    if marked.kubectl("-n", "monitoring", "get", "deployment", "blackbox-exporter", check=False).returncode:
        marked.playbook("day2")
    return marked


def red(verdict: dict[str, Any], name: str) -> list[dict[str, str]]:
    check = named(verdict["checks"], f"t-{name}-probe")
    assert check["status"] == "failed", check
    return causes(check)


def test_a_service_that_answers_is_well(verdict: dict[str, Any]) -> None:
    check = named(verdict["checks"], "t-well-probe")
    assert (check["status"], check["observed"]) == ("ok", "it does"), check


def test_another_status_is_named_and_the_fix_shows_the_probe(verdict: dict[str, Any], day2: Lab) -> None:
    (cause,) = red(verdict, "teapot")
    assert (cause["code"], "Status 418" in cause["message"]) == ("probe_failed", True), cause
    command = cause["fix"].partition(": ")[2]
    done = day2._run(["/bin/sh", "-c", command.replace("kubectl", str(BIN / "kubectl"), 1)], check=True, timeout=60)
    assert "418" in done.stdout, done.stdout[:2000]
    assert "probe_success 0" in done.stdout


def test_an_address_without_a_service(verdict: dict[str, Any]) -> None:
    # A name that nobody has takes so long to look up that the scrape may end before; that is told too.
    first, *others = red(verdict, "gone")
    assert first["code"] == "no_service_matches" and "probe_failed" in [cause["code"] for cause in others], others
    assert f"namespace {NAMESPACE} has no Service gone" in first["message"]


def test_a_service_without_pods(verdict: dict[str, Any]) -> None:
    first, *others = red(verdict, "empty")
    assert first["code"] == "no_ready_endpoints" and "probe_failed" in [cause["code"] for cause in others], others


def test_nobody_makes_the_probe(verdict: dict[str, Any]) -> None:
    (cause,) = red(verdict, "nobody")
    assert cause["code"] == "prober_missing", cause
    assert f"Service {NAMESPACE}/prober" in cause["message"]
