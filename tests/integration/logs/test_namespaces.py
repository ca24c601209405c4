# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces held against the kubelet, with a real Loki and a real Promtail behind a small Kubernetes API."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import rfc3339

from tests.integration.logs.cluster import Cluster
from tests.integration.logs.conftest import Judged, LokiServer, PromtailAgent
from tests.integration.programs import free_port, wait_for

Judge = Callable[..., Judged]
LOKI = {"namespace": "monitoring", "service": "loki"}
NAME = "namespace data-platform"


@pytest.fixture
def place(cluster: Cluster, start: Callable[..., Any]) -> tuple[Cluster, LokiServer]:
    """The cluster with a Loki of its own, so that no other test's lines are in it."""
    server = start(LokiServer).ready()
    cluster.loki(server.url)
    cluster.agent()
    return cluster, server


def push(server: LokiServer, pod: str, age: float = 2.0, **labels: str) -> None:
    """Lines of a Pod of namespace data-platform, as the agent would send them.

    They are two seconds old: the cluster's clock is read from an HTTP header, in whole seconds.
    """
    assert server.push(3, age, namespace="data-platform", pod=pod, container="main", **labels) == 204


def test_everything_is_proven_through_the_kubernetes_api(place: tuple[Cluster, LokiServer], judge: Judge) -> None:
    cluster, server = place
    cluster.pod("trino", app="trino", tier="query")
    cluster.pod("idle", namespace="quiet")
    push(server, "trino", app="trino", tier="query")
    found = judge(cluster, **LOKI, retention="744h")
    assert found.red() == []
    assert found[NAME]["observed"] == "3 lines in 10m, 1 of 1 containers in Loki"
    assert found["namespace quiet"]["notes"] == ["nothing was written within 10m; that is not a fault"]
    assert list(found.checks) == [
        "loki_ready",
        "agent_on_every_node",
        NAME,
        "namespace monitoring",
        "namespace quiet",
        "discarded",
        "newest_line",
        "retention",
    ]


def test_a_dead_pod_beside_a_chatty_one(place: tuple[Cluster, LokiServer], judge: Judge) -> None:
    cluster, server = place
    for name in ("chatty", "dead"):
        cluster.pod(name)
    push(server, "chatty")
    cluster.wrote("dead", 300, 500)
    found = judge(cluster, **LOKI)
    assert found.codes(NAME) == ["logs_missing"]
    assert "(dead/main)" in found[NAME]["cause"]["message"]


def test_an_agent_that_stopped_five_minutes_ago(place: tuple[Cluster, LokiServer], judge: Judge) -> None:
    """The busy Pod's last line is always young; what counts is the line that had time to arrive."""
    cluster, server = place
    cluster.pod("busy")
    push(server, "busy", age=300)
    cluster.wrote("busy", *range(0, 600, 2))
    assert judge(cluster, **LOKI).codes(NAME) == ["logs_late"]


def test_lines_that_are_only_just_written_are_waited_for(place: tuple[Cluster, LokiServer], judge: Judge) -> None:
    cluster, server = place
    cluster.pod("new")
    cluster.wrote("new", 2)
    push(server, "other")
    found = judge(cluster, **LOKI, timeout=2)
    assert (found[NAME]["status"], found.codes(NAME)) == ("unknown", ["logs_too_young"])
    push(server, "new")
    assert judge(cluster, **LOKI).red() == []


def test_what_was_sent_to_a_loki_before_this_one_is_not_missing(
    place: tuple[Cluster, LokiServer], judge: Judge
) -> None:
    cluster, server = place
    service = cluster.single["/api/v1/namespaces/monitoring/services/loki"]
    service["metadata"]["creationTimestamp"] = rfc3339(time.time() - 200)
    push(server, "other")
    cluster.pod("before")
    cluster.wrote("before", 400)
    assert judge(cluster, **LOKI)[NAME]["status"] == "ok"
    cluster.wrote("before", 400, 150)
    assert judge(cluster, **LOKI).codes(NAME) == ["logs_missing"]


def test_promised_labels(place: tuple[Cluster, LokiServer], judge: Judge) -> None:
    cluster, server = place
    cluster.pod("trino", app="trino", tier="query")
    push(server, "trino", app="presto")
    assert found_codes(judge(cluster, **LOKI)) == ["stream_label_wrong", "stream_label_missing"]


def found_codes(found: Judged) -> list[str]:
    return found.codes(NAME)


def test_a_kubelet_that_may_not_be_read(place: tuple[Cluster, LokiServer], judge: Judge) -> None:
    cluster, server = place
    cluster.pod("proven")
    cluster.pod("dark", namespace="dark")
    push(server, "proven")
    cluster.forbidden.add("/log")
    found = judge(cluster, **LOKI)
    assert found[NAME]["status"] == "ok"
    assert found.codes("namespace dark") == ["kubelet_log_unreadable"]
    assert found["namespace dark"]["cause"]["fix"].endswith("--user=reader")
    assert sum(path.endswith("/log") for path in cluster.asked) == 1, "a missing permission is not asked for again"


def test_pods_that_may_not_be_read(place: tuple[Cluster, LokiServer], judge: Judge) -> None:
    cluster, server = place
    push(server, "x")
    cluster.forbidden.add("/api/v1/pods")
    found = judge(cluster, **LOKI)
    assert found.codes("namespaces") == found.codes("agent_on_every_node") == ["pods_unreadable"]


def test_nodes_that_may_not_be_read(place: tuple[Cluster, LokiServer], judge: Judge) -> None:
    cluster, server = place
    push(server, "x")
    cluster.forbidden.add("/api/v1/nodes")
    assert judge(cluster, **LOKI).codes("agent_on_every_node") == ["access_forbidden"]


def test_expected_and_excluded_namespaces_are_listed(place: tuple[Cluster, LokiServer], judge: Judge) -> None:
    cluster, server = place
    push(server, "x")
    cluster.pod("p", namespace="scratch")
    found = judge(cluster, **LOKI, expectations=[{"namespace": "vault"}], exclude_namespaces=["scratch"])
    assert found["namespace vault"]["status"] == found["namespace scratch"]["status"] == "not_applicable"


def test_no_agent(place: tuple[Cluster, LokiServer], judge: Judge) -> None:
    cluster, server = place
    push(server, "x")
    cluster.objects["/apis/apps/v1/daemonsets"].clear()
    cluster.pod("p")
    cluster.wrote("p", 300)
    found = judge(cluster, **LOKI, agent={"namespace": "monitoring", "name": "promtail"})
    assert found.codes("agent_on_every_node") == found.codes(NAME) == ["agent_missing"]


def test_pod_security_stands_in_the_events_only(place: tuple[Cluster, LokiServer], judge: Judge) -> None:
    cluster, server = place
    push(server, "x")
    pods = cluster.objects["/api/v1/pods"]
    pods[:] = [item for item in pods if item["metadata"]["name"] != "promtail-n1"]
    cluster.objects["/api/v1/namespaces/monitoring/events"].append(
        {
            "involvedObject": {"kind": "DaemonSet", "name": "promtail"},
            "reason": "FailedCreate",
            "message": 'pods "promtail-x" is forbidden: violates PodSecurity "restricted:latest"',
        }
    )
    assert judge(cluster, **LOKI).codes("agent_on_every_node") == ["agent_pod_security"]


@pytest.mark.parametrize("limit", [1, 3])
def test_more_containers_than_loki_returns_series(
    cluster: Cluster, start: Callable[..., Any], judge: Judge, limit: int
) -> None:
    """max_query_series is 500 by default; the count is then split by namespace, then read from the index."""
    server = start(LokiServer, limits_config={"max_query_series": limit, "retention_period": "744h"}).ready()
    cluster.loki(server.url)
    cluster.agent()
    for index in range(3):
        cluster.pod(f"p{index}")
        push(server, f"p{index}")
    server.push(1, 2.0, namespace="other", pod="q", container="main")
    cluster.pod("q", namespace="other")
    found = wait_for(lambda: (seen := judge(cluster, **LOKI)).red() == [] and seen, "all namespaces")
    assert "3 of 3 containers in Loki" in found[NAME]["observed"]


def test_a_loki_that_is_gone(cluster: Cluster, judge: Judge) -> None:
    cluster.agent()
    cluster.pod("p")
    found = judge(cluster, **LOKI)
    assert found.codes("loki_ready") == ["loki_unreachable"]
    assert "Service monitoring/loki does not exist" in found["loki_ready"]["cause"]["message"]
    assert found[NAME]["cause"]["code"] == "loki_unreachable"
    assert found["agent_on_every_node"]["status"] == "ok", "what can be judged is judged"


def test_a_loki_without_a_ready_pod_is_asked_all_the_same(place: tuple[Cluster, LokiServer], judge: Judge) -> None:
    """Not ready, its Service has no endpoint; its Pod still tells why."""
    cluster, server = place
    push(server, "x")
    (part,) = cluster.objects["/apis/discovery.k8s.io/v1/namespaces/monitoring/endpointslices"]
    part["endpoints"][0]["conditions"]["ready"] = False
    service = cluster.single["/api/v1/namespaces/monitoring/services/loki"]
    service["spec"]["selector"] = {"app": "loki"}
    service["spec"]["ports"][0]["targetPort"] = "http-metrics"
    item = cluster.pod("loki-0", namespace="monitoring")
    item["spec"]["containers"][0]["ports"] = [{"name": "http-metrics", "containerPort": 3100}]
    cluster.objects["/api/v1/namespaces/monitoring/pods"] = [item]
    assert judge(cluster, **LOKI)["loki_ready"]["status"] == "ok"
    item["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    item["status"]["containerStatuses"][0]["lastState"] = {"terminated": {"reason": "Error", "exitCode": 1}}
    found = judge(cluster, **LOKI)
    assert "loki-0 CrashLoopBackOff, last run ended with Error (code 1)" in found["loki_ready"]["cause"]["message"]


# A real Promtail


def scrape(folder: Path, name: str = "pods", with_path: bool = True) -> dict[str, Any]:
    """A scrape job of one file, with the labels of a Pod; without a path as people paste it."""
    labels = {"namespace": "data-platform", "pod": name, "container": "main"}
    if with_path:
        labels["__path__"] = str(folder / "*.log")
    return {"job_name": name, "static_configs": [{"targets": ["localhost"], "labels": labels}]}


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    (tmp_path / "0.log").write_text("".join(f"line {i}\n" for i in range(20)))
    return tmp_path


def test_a_promtail_that_works(
    place: tuple[Cluster, LokiServer], start: Callable[..., Any], judge: Judge, logs: Path
) -> None:
    cluster, server = place
    agent = start(PromtailAgent, server.url, [scrape(logs)])
    cluster.backends["promtail-n1:3101"] = agent.url
    cluster.pod("pods")
    found = wait_for(lambda: (seen := judge(cluster, **LOKI))[NAME]["details"]["arrived"] and seen, "its lines")
    assert found.red() == []


def test_a_promtail_without_files(
    place: tuple[Cluster, LokiServer], start: Callable[..., Any], judge: Judge, tmp_path: Path
) -> None:
    cluster, server = place
    push(server, "x")
    agent = start(PromtailAgent, server.url, [scrape(tmp_path / "nothing")])
    cluster.backends["promtail-n1:3101"] = agent.url
    wait_for(lambda: "promtail_files_active_total 0" in _page(agent), "its counters")
    assert judge(cluster, **LOKI).codes("agent_on_every_node") == ["agent_no_files"]


def _page(agent: PromtailAgent) -> str:
    try:
        return agent.page()
    except OSError:
        return ""


@pytest.mark.parametrize(
    ("options", "limits", "code"),
    [
        ({"auth_enabled": True}, {}, "agent_without_tenant"),
        ({}, {"ingestion_rate_mb": 0.000001, "ingestion_burst_size_mb": 0.000001}, "agent_rate_limited"),
    ],
)
def test_a_promtail_that_is_refused(
    cluster: Cluster,
    start: Callable[..., Any],
    judge: Judge,
    logs: Path,
    options: dict[str, Any],
    limits: dict[str, Any],
    code: str,
) -> None:
    server = start(LokiServer, limits_config={"retention_period": "744h", **limits}, **options).ready()
    cluster.loki(server.url)
    agent = start(PromtailAgent, server.url, [scrape(logs)], backoff_config={"max_period": "1s"})
    cluster.agent(agent.url)
    cluster.pod("pods")
    cluster.wrote("pods", 300)
    tenant = "platform" if options else ""
    found = wait_for(
        lambda: code in (seen := judge(cluster, **LOKI, tenant=tenant)).codes("agent_on_every_node") and seen, code
    )
    # Nothing arrived from anywhere: the namespace says it by the agent's own complaint.
    assert found.codes(NAME)[0] == found["agent_on_every_node"]["cause"]["code"]


def test_a_promtail_that_cannot_connect(
    place: tuple[Cluster, LokiServer], start: Callable[..., Any], judge: Judge, logs: Path
) -> None:
    cluster, server = place
    push(server, "x")
    agent = start(PromtailAgent, f"http://127.0.0.1:{free_port()}", [scrape(logs)], backoff_config={"max_period": "1s"})
    cluster.backends["promtail-n1:3101"] = agent.url
    found = wait_for(
        lambda: (seen := judge(cluster, **LOKI)).codes("agent_on_every_node") == ["agent_cannot_send"] and seen,
        "its complaint",
    )
    assert "its connections fail" in found["agent_on_every_node"]["cause"]["message"]


def test_a_promtail_that_gives_up_lines(cluster: Cluster, start: Callable[..., Any], judge: Judge, logs: Path) -> None:
    limits = {"ingestion_rate_mb": 0.000001, "ingestion_burst_size_mb": 0.000001, "retention_period": "744h"}
    server = start(LokiServer, limits_config=limits).ready()
    cluster.loki(server.url)
    agent = start(
        PromtailAgent,
        server.url,
        [scrape(logs)],
        backoff_config={"min_period": "50ms", "max_period": "50ms", "max_retries": 1},
    )
    cluster.agent(agent.url)
    wait_for(lambda: "agent_dropped_lines" in judge(cluster, **LOKI).codes("agent_on_every_node"), "dropped lines")


def test_an_agents_page_that_is_not_to_be_had_is_a_note(place: tuple[Cluster, LokiServer], judge: Judge) -> None:
    cluster, server = place
    push(server, "x")
    found = judge(cluster, **LOKI)
    assert found["agent_on_every_node"]["status"] == "ok"
    assert any("the agents' own counters were not read" in note for note in found.notes)


def test_a_verdict_takes_seconds_at_most(place: tuple[Cluster, LokiServer], judge: Judge) -> None:
    cluster, server = place
    for index in range(60):
        cluster.pod(f"p{index:02}", namespace=f"ns{index % 6}")
        server.push(1, 2.0, namespace=f"ns{index % 6}", pod=f"p{index:02}", container="main")
    began = time.monotonic()
    assert judge(cluster, **LOKI, retention="744h").red() == []
    assert time.monotonic() - began < 5
