# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way in which one target can be wrong, all at once on the lab, each in an entry of its own.

They lie in a namespace of their own and are judged by verify.yml, so that the lab's platform stays well. One run tells
all: Prometheus needs its half minute only once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.filter.catalogue import catalogue_monitors, catalogue_resolve

from .conftest import Bench, Verdict, causes

NAMESPACE = "t-faults"
PAGE = {"app": "web"}
FAST = {"interval": "5s", "scrapeTimeout": "3s"}


def page(path: str, **more: Any) -> dict[str, Any]:
    return {"port": "http", "path": path, **FAST, **more}


def entry(name: str, *endpoints: dict[str, Any], **more: Any) -> dict[str, Any]:
    where = {} if "targets" in more or "adopt" in more else {"selector": PAGE}
    found = {"name": name, "kind": "generic", "namespace": NAMESPACE, **where, **more}
    return {**found, "endpoints": list(endpoints)} if endpoints else found


DROP = {"action": "drop", "sourceLabels": ["__meta_kubernetes_namespace"], "regex": NAMESPACE}
# (code, words of its message or fix, entry). The entry's name is the code's, unless two entries make it.
FAULTS: list[tuple[str, str, dict[str, Any]]] = [
    ("no_monitor", "does not exist", entry("no-monitor", page("/no-monitor"))),
    ("no_service_matches", "app=wbe", entry("no-service", page("/metrics"), selector={"app": "wbe"})),
    ("no_such_port", "http", entry("no-port", {"port": "htpp", **FAST})),
    ("no_ready_endpoints", "empty", entry("no-pod", page("/metrics"), selector={"app": "empty"})),
    ("no_pod_matches", "app=nobody", entry("no-pod-monitor", page("/metrics"), monitor="PodMonitor",
                                           selector={"app": "nobody"})),
    ("monitor_rejected", "absent", entry("rejected", page(
        "/rejected", authorization={"credentials": {"name": "absent", "key": "token"}}))),
    ("dropped_by_relabeling", "drop", entry("dropped", page("/metrics", relabelings=[DROP]))),
    ("wrong_job", "instead of wrong-job", entry("wrong-job", page("/wrong-job"))),
    ("scraped_twice", "stranger", entry("twice", page("/twice"))),
    ("target_down_refused", "refused", entry("refused", {"port": "refused", **FAST})),
    ("target_down_closed", "", entry("closed", {"port": "closed", **FAST})),
    ("target_down_timeout", "", entry("slow", page("/slow", scrapeTimeout="1s"))),
    ("target_down_tls", "", entry("tls", page("/tls", scheme="https"))),
    ("target_down_unauthorized", "401", entry("denied", page("/denied"))),
    ("target_down_not_found", "404", entry("missing", page("/missing"))),
    ("target_down_server_error", "500", entry("broken", page("/broken"))),
    ("target_down_http", "418", entry("teapot", page("/teapot"))),
    ("target_down_dns", "nothing.invalid", entry("dns", targets=["nothing.invalid:80"], monitor="ScrapeConfig")),
    ("target_down_unreachable", "", entry("unreachable", targets=["10.244.200.200:80"], monitor="ScrapeConfig")),
    ("not_metrics", "text/html", entry("html", page("/html"))),
    ("sample_limit", "sampleLimit", entry("big", page("/big"), spec={"sampleLimit": 50})),
    ("scrape_limit", "", entry("long", page("/long"), spec={"bodySizeLimit": "100B"})),
    ("must_have_missing", "t_absent", entry("must-have", page("/must-have"), must_have=["t_absent"])),
    ("not_healthy", "t_up", entry("unhealthy", page("/unhealthy"), health=[
        {"expr": "t_up{$selector}", "equals": 1, "means": "it is well", "fix": "kubectl get pods"}])),
    ("too_few_samples", "1000", entry("few-samples", page("/few"), min_samples=1000)),
    ("fewer_targets", "2", entry("fewer", page("/fewer"), min_targets=2)),
    ("no_such_job", "t-nothing", entry("no-job", adopt=True, job="t-nothing")),
    ("pod_not_ready", "unready", entry("unready", {"port": "refused", **FAST}, selector={"app": "unready"})),
    ("exporter_missing", "t-exporter", {"name": "exporter", "kind": "t-product", "namespace": NAMESPACE,
                                        "exporter": {"host": f"web.{NAMESPACE}.svc"}}),
]  # fmt: skip
# A product whose exporter nobody has deployed.
PACKS = {"t-product": {"description": "A product of this test.", "exporter": {
    "name": "t-exporter", "image": {"repository": "t", "tag": "1"}, "port": 9999}}}  # fmt: skip
WELL = entry("well", page("/metrics"), must_have=["t_requests_total"])


def _pod(app: str, ready_path: str) -> dict[str, Any]:
    ports = {"http": 8000, "closed": 8001, "refused": 8002}
    container = {
        "name": "web",
        "image": "docker.io/dataplatform-monitoring/stand-in:1",
        "args": ["/srv/server.py"],
        "ports": [{"name": name, "containerPort": port} for name, port in ports.items()],
        "readinessProbe": {"httpGet": {"path": ready_path, "port": "http"}, "periodSeconds": 2},
        "resources": {"requests": {"cpu": "5m", "memory": "24Mi"}, "limits": {"memory": "64Mi"}},
        "volumeMounts": [{"name": "server", "mountPath": "/srv"}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": app, "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": {"app": app}},
            "template": {
                "metadata": {"labels": {"app": app}},
                "spec": {
                    "automountServiceAccountToken": False,
                    "terminationGracePeriodSeconds": 0,
                    "containers": [container],
                    "volumes": [{"name": "server", "configMap": {"name": "server"}}],
                },
            },
        },
    }


def _service(app: str) -> dict[str, Any]:
    ports = [{"name": name, "port": port} for name, port in (("http", 8000), ("closed", 8001), ("refused", 8002))]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": app, "namespace": NAMESPACE, "labels": {"app": app}},
        "spec": {"selector": {"app": app}, "ports": ports},
    }


def _objects() -> list[dict[str, Any]]:
    script = (Path(__file__).parent / "server.py").read_text()
    server = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "server", "namespace": NAMESPACE}}
    objects = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {**server, "data": {"server.py": script}},
        _pod("web", "/metrics"),
        _pod("unready", "/missing"),
        *[_service(app) for app in ("web", "empty", "unready")],
    ]
    entries = [WELL, *[fault for _code, _words, fault in FAULTS]]
    catalogue = catalogue_resolve(entries, PACKS, namespace="monitoring", exporters=True)
    for monitor in catalogue_monitors(catalogue):
        if monitor["metadata"]["name"] == "no-monitor":
            continue
        if monitor["metadata"]["name"] == "wrong-job":
            for endpoint in monitor["spec"]["endpoints"]:
                endpoint.pop("relabelings", None)
        if monitor["metadata"]["name"] == "twice":
            objects.append({**monitor, "metadata": {"name": "stranger", "namespace": NAMESPACE}})
        objects.append(monitor)
    return objects


@pytest.fixture(scope="module")
def verdict(alerting: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Verdict]:
    """The last verdict: every fault was told by then, or the time was up."""
    folder = tmp_path_factory.mktemp("causes")
    bench = Bench(alerting, folder)
    listed = _objects()
    alerting.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": listed}))
    services = folder / "services.json"
    entries = [WELL, *[fault for _code, _words, fault in FAULTS]]
    settings = {"monitoring_services": entries, "monitoring_min_targets_total": 0, "monitoring_verify_timeout": 60}
    services.write_text(json.dumps({**settings, "catalogue_exporters": True, "catalogue_packs": PACKS}))
    try:
        end = time.monotonic() + 240
        while True:
            found = bench.play("verify", "-e", f"@{services}")
            told = {(f"scrape/{fault['name']}", code) for code, _words, fault in FAULTS}
            missing = {(place, code) for place, code in told if code not in found.red().get(place, [])}
            if not missing or time.monotonic() > end:
                break
        yield found
    finally:
        outside = [item for item in listed if item["metadata"].get("namespace", NAMESPACE) != NAMESPACE]
        doomed = json.dumps({"apiVersion": "v1", "kind": "List", "items": outside})
        alerting.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=doomed)
        alerting.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s")


@pytest.mark.parametrize(
    ("code", "words", "name"),
    [pytest.param(code, words, fault["name"], id=fault["name"]) for code, words, fault in FAULTS],
)
def test_the_cause_is_told(verdict: Verdict, code: str, words: str, name: str) -> None:
    check = verdict.check(f"scrape/{name}")
    found = [cause for cause in causes(check) if cause["code"] == code]
    assert found, f"{name}: {check['observed']}, causes {[cause['code'] for cause in causes(check)]}"
    assert words in f"{found[0]['message']} {found[0]['fix']}"
    assert found[0]["fix"]


def test_a_target_that_is_well_is_ok(verdict: Verdict) -> None:
    assert verdict.check("scrape/well")["status"] == "ok"
