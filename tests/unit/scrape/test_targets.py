# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets that are there: down, flapping, scraped twice, up but not healthy, and not known yet."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_fixes import fix_line
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import FOREVER, Finding

from tests.unit.scrape.builders import (
    INTERVAL,
    NOW,
    World,
    at,
    endpoint_slice,
    service,
    steady,
    target,
    unready,
    value,
)
from tests.unit.scrape.test_diagnosis import codes, red

PG_UP = 'pg_up{job="trino"}'


@pytest.fixture
def world() -> World:
    return World()


# --- down -------------------------------------------------------------------------------------------------------------

GET, GETS = (f'Get "{scheme}://10.0.0.1:9000/metrics": ' for scheme in ("http", "https"))
VERIFY = GETS + "tls: failed to verify certificate: x509: certificate "
# (lastError as Prometheus 3.14 and Go 1.26 write it, code, what the fix says)
ERRORS = [
    ('Get "http://x.data.svc:9000/metrics": dial tcp: lookup x.data.svc on 10.96.0.10:53: no such host',
     "target_down_dns", "kubectl -n data get service x"),
    (GET + "dial tcp: lookup x on 10.96.0.10:53: read udp: i/o timeout",
     "target_down_dns", "getent hosts x"),
    (GET + "dial tcp 10.0.0.1:9000: connect: connection refused",
     "target_down_refused", "kubectl -n data logs trino-0 -c trino --tail=50"),
    (GET + "dial tcp 10.0.0.1:9000: connect: no route to host",
     "target_down_unreachable", "kubectl -n data logs trino-0"),
    (GET + "context deadline exceeded",
     "target_down_timeout", 'scrapeTimeout: "20s"'),
    (GET + "dial tcp 10.0.0.1:9000: i/o timeout",
     "target_down_timeout", "kubectl -n data get networkpolicies"),
    (GETS + "http: server gave HTTP response to HTTPS client",
     "target_down_tls", "scheme: http}"),
    (VERIFY + "signed by unknown authority",
     "target_down_tls", "tlsConfig: {ca: {secret: {name: trino-ca, key: ca.crt}}}"),
    (VERIFY + "is valid for trino.example, not 10.0.0.1",
     "target_down_tls", "tlsConfig: {serverName: trino.example}"),
    (GETS + "remote error: tls: certificate required",
     "target_down_tls", "cert: {secret: {name: trino-client, key: tls.crt}}"),
    (GETS + "x509: certificate has expired or is not yet valid",
     "target_down_tls", "openssl s_client"),
    ("server returned HTTP status 401 Unauthorized", "target_down_unauthorized", "basicAuth: {username: {name:"),
    ("server returned HTTP status 403 Forbidden", "target_down_unauthorized", "basicAuth"),
    ("server returned HTTP status 404 Not Found", "target_down_not_found", "path: /actuator/prometheus"),
    ("server returned HTTP status 500 Internal Server Error", "target_down_server_error", "kubectl -n data logs"),
    ("server returned HTTP status 400 Bad Request", "target_down_http", "scheme: https"),
    ("server returned HTTP status 429 Too Many Requests", "target_down_http", "curl -sS -i --max-time 10 http://"),
    (GET + "EOF", "target_down_closed", "kubectl -n data logs"),
    ("unable to read authorization credentials file /x: no such file", "target_down_credentials", "get secrets"),
    ('received unsupported Content-Type "text/html" and no fallback_scrape_protocol specified for target',
     "not_metrics", "path: /actuator/prometheus"),
    ("non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target",
     "not_metrics", 'spec: {fallbackScrapeProtocol: PrometheusText0.0.4}'),
    ('expected a valid start token, got "<" ("INVALID") while parsing: "<"', "not_metrics", "path:"),
    ("sample limit exceeded", "sample_limit", "spec: {sampleLimit: 20000}"),
    ("body size limit exceeded", "scrape_limit", "spec: {bodySizeLimit: \"50MB\"}"),
    ("label_limit exceeded (metric: x, number of labels: 9, limit: 3)", "scrape_limit", "spec: {labelLimit: 500}"),
    ("something nobody has seen", "target_down", "curl"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "code", "words"), ERRORS)
def test_down(world: World, error: str, code: str, words: str) -> None:
    world.down(error)
    judgement = world.judge()
    red(judgement, code, "10.0.0.1:9000 (Pod trino-0)", words)
    assert judgement.findings[0].patience == 0.0
    assert judgement.check["observed"].startswith("0 targets up, 1 down: 10.0.0.1:9000 (Pod trino-0)")


def test_refused_credentials_name_the_secret(world: World) -> None:
    secret = {"username": {"name": "trino-auth", "key": "u"}, "password": {"name": "trino-auth", "key": "p"}}
    world.change(basicAuth=secret)
    world.down("server returned HTTP status 401 Unauthorized")
    red(world.judge(), "target_down_unauthorized", "kubectl -n monitoring get secret trino-auth")


@pytest.mark.parametrize(
    ("port", "words"),
    [
        ("10257", "- --bind-address=0.0.0.0"),
        ("10259", "- --bind-address=0.0.0.0"),
        ("2381", "- --listen-metrics-urls=http://0.0.0.0:2381"),
        ("10249", 'metricsBindAddress: "0.0.0.0:10249"'),
    ],
)
def test_control_plane_on_the_loopback_address(world: World, port: str, words: str) -> None:
    world.kubernetes = False
    url = f"http://10.0.0.1:{port}/metrics"
    world.server.targets = [target(url, "scheduler", "kube-scheduler")]
    world.down(f'Get "{url}": dial tcp 10.0.0.1:{port}: connect: connection refused')
    cause = red(world.judge(monitor=None, job="kube-scheduler"), "control_plane_loopback", "listens on 127.0.0.1 only")
    assert fix_line(cause["fix"]) == words


def test_alike_errors_are_one_cause_and_different_ones_are_all_told() -> None:
    world = World(3)
    for index in range(2):
        world.down(f'Get "http://10.0.0.{index + 1}:9000/metrics": dial tcp: connect: connection refused', index)
    world.down("server returned HTTP status 500 Internal Server Error", 2)
    judgement = world.judge()
    assert codes(judgement) == ["target_down_refused", "target_down_server_error"]
    assert "10.0.0.1:9000 (Pod trino-0), 10.0.0.2:9000 (Pod trino-1) is down" in judgement.check["cause"]["message"]


def test_down_before_the_verdict_began_may_be_repaired_already(world: World) -> None:
    world.down("connect: connection refused", lastScrape=at(20))
    assert world.judge(started=NOW - 5).findings[0].patience == FOREVER
    assert world.judge(started=NOW - 25).findings[0].patience == 0.0


def test_a_target_that_has_just_started_may_come_up(world: World) -> None:
    world.down("connect: connection refused")
    world.server.past["http://10.0.0.1:9000/metrics"] = steady(0.0, minutes=1)
    assert world.judge().findings[0].patience == FOREVER


def test_a_pod_in_a_rollout_is_not_known_and_waited_for(world: World) -> None:
    """Pods that are not ready are targets too: that is no fault yet."""
    unready(world.pods[0], 30)
    world.down("connect: connection refused")
    judgement = world.judge()
    red(judgement, "pod_not_ready", "container trino runs but is not ready", "logs trino-0 -c trino", status="unknown")
    assert judgement.findings[0].patience == FOREVER


@pytest.mark.parametrize(
    ("seconds", "state", "restarts", "words"),
    [
        (
            60,
            {"waiting": {"reason": "CrashLoopBackOff"}},
            5,
            "CrashLoopBackOff (last exit code 137, OOMKilled), 5 restarts",
        ),
        (60, {"running": {}}, 3, "container trino runs but is not ready, 3 restarts"),
        (900, {"running": {}}, 0, "container trino runs but is not ready"),
    ],
)
def test_a_pod_that_crashes_or_hangs_is_a_fault(
    world: World, seconds: float, state: dict, restarts: int, words: str
) -> None:
    unready(world.pods[0], seconds, state, restarts)
    world.down("connect: connection refused")
    red(world.judge(), "pod_not_ready", words)


# --- not known yet ----------------------------------------------------------------------------------------------------


def test_never_scraped_is_unknown(world: World) -> None:
    world.target.update(health="unknown", lastScrape="0001-01-01T00:00:00Z")
    judgement = world.judge()
    red(judgement, "not_scraped_yet", "was not scraped yet", "timeout: 120", status="unknown")
    assert judgement.findings[0].patience == FOREVER


def test_up_under_the_configuration_of_before_is_unknown(world: World) -> None:
    """Stale green: the last scrape was made before the configuration was loaded."""
    world.monitor["metadata"]["managedFields"] = [{"time": at(60)}]
    world.server.config_time = NOW - 5
    world.target["lastScrape"] = at(10)
    red(world.judge(), "not_scraped_yet", "since the configuration", status="unknown")


def test_a_reload_of_rules_alone_says_nothing_about_the_target(world: World) -> None:
    world.server.config_time = NOW - 5
    world.target["lastScrape"] = at(10)
    assert world.judge().check["status"] == "ok", "neither monitor nor Prometheus was changed for an hour"


def test_targets_of_before_are_still_scraped_until_discovery_has_spoken(world: World) -> None:
    world.monitor["metadata"]["managedFields"] = [{"time": at(60)}]
    world.server.config_time = NOW - 3
    world.target["lastScrape"] = at(1)
    red(world.judge(), "not_scraped_yet", "since the configuration", status="unknown")


def test_up_once_is_not_up(world: World) -> None:
    world.server.past["http://10.0.0.1:9000/metrics"] = [(NOW - 10, 1.0)]
    red(world.judge(), "not_scraped_yet", "only once", status="unknown")


def test_the_next_news_come_with_the_targets_next_scrape(world: World) -> None:
    world.target.update(health="unknown", lastScrape=at(10), scrapeInterval="1m")
    news = world.judge().next_news
    assert news is not None and 50 <= news - NOW <= 61


# --- past -------------------------------------------------------------------------------------------------------------


def samples(*values: float) -> list[tuple[float, float]]:
    return [(NOW - INTERVAL * (len(values) - 1 - i), v) for i, v in enumerate(values)]


def test_flapping(world: World) -> None:
    world.server.past["http://10.0.0.1:9000/metrics"] = samples(1, 1, 1, 1, 0, 1, 1, 0, 1, 1)
    red(world.judge(), "flapping", "went down 2 times", "describe pod trino-0")


def test_one_fall_that_is_over_is_a_note(world: World) -> None:
    world.server.past["http://10.0.0.1:9000/metrics"] = samples(1, 1, 1, 1, 1, 0, 0, 1, 1)
    judgement = world.judge()
    assert judgement.check["status"] == "ok"
    assert "was down until" in judgement.check["notes"][0]


def test_up_again_but_only_once_is_unknown(world: World) -> None:
    world.server.past["http://10.0.0.1:9000/metrics"] = samples(1, 1, 1, 1, 0, 0, 1)
    red(world.judge(), "not_scraped_yet", status="unknown")


def test_falls_of_more_than_five_quiet_minutes_ago_are_forgiven(world: World) -> None:
    world.server.past["http://10.0.0.1:9000/metrics"] = samples(1, 0, 1, 0, *[1] * 12)
    assert world.judge().check["status"] == "ok"


# --- twice ------------------------------------------------------------------------------------------------------------


def test_scraped_by_two_monitors_names_both(world: World) -> None:
    other = copy.deepcopy(world.target)
    other["scrapePool"] = "serviceMonitor/data/trino-of-the-chart/0"
    world.server.targets.append(other)
    cause = red(
        world.judge(), "scraped_twice", "ServiceMonitor monitoring/trino", "ServiceMonitor data/trino-of-the-chart"
    )
    assert fix_line(cause["fix"]) == "adopt: true"


def test_two_services_that_both_match_satisfy_no_count(world: World) -> None:
    headless = service("trino-headless", labels={"app": "trino"}, metrics=9000)
    headless["spec"]["selector"] = {"app": "trino"}
    world.services.append(headless)
    world.slices.append(endpoint_slice(headless, world.pods))
    twin = copy.deepcopy(world.target)
    world.target["labels"]["service"] = "trino"
    twin["labels"]["service"] = "trino-headless"
    world.server.targets.append(twin)
    judgement = world.judge()
    cause = red(judgement, "more_targets", "through the Services trino, trino-headless")
    assert fix_line(cause["fix"]) == (
        "endpoints: [{port: metrics, relabelings: "
        "[{action: keep, sourceLabels: [__meta_kubernetes_service_name], regex: trino}]}]"
    )
    assert judgement.check["observed"] == "1 target up"
    assert len(judgement.up_urls) == 1


def test_two_endpoints_of_one_monitor_for_the_same_port(world: World) -> None:
    again = copy.deepcopy(world.expectation["endpoints"][0])
    world.expectation["endpoints"].append(again)
    world.monitor["spec"]["endpoints"].append(copy.deepcopy(again))
    world.load()
    twin = copy.deepcopy(world.target)
    twin["scrapePool"] = "serviceMonitor/monitoring/trino/1"
    world.server.targets.append(twin)
    cause = red(world.judge(), "more_targets", "by the endpoints")
    assert fix_line(cause["fix"]) == "endpoints: [{port: metrics}]"


# --- health -----------------------------------------------------------------------------------------------------------

HEALTH = [{"expr": "pg_up{$selector}", "equals": 1, "means": "the database answers", "fix": "kubectl get pods"}]


def test_healthy_when_the_pack_says_so(world: World) -> None:
    world.server.values[PG_UP] = [value(1.0, instance="10.0.0.1:9187")]
    assert world.judge(health=HEALTH).check["status"] == "ok"


def test_up_but_not_healthy_names_instance_and_value(world: World) -> None:
    """The classic green lie: the exporter is up, the database is not."""
    world.server.values[PG_UP] = [value(1.0, instance="a:1"), value(0.0, instance="10.0.0.1:9187", pod="exporter-1")]
    cause = red(
        world.judge(health=HEALTH),
        "not_healthy",
        "must be 1 (the database answers)",
        "10.0.0.1:9187 (Pod exporter-1) has 0",
    )
    assert cause["fix"] == "Find out why not: kubectl get pods"


@pytest.mark.parametrize("broken", [0.0, float("nan"), float("inf")])
def test_nan_and_infinity_are_not_healthy(world: World, broken: float) -> None:
    world.server.values[PG_UP] = [value(broken, instance="a:1")]
    red(
        world.judge(health=[{"expr": "pg_up{$selector}", "min": 1, "max": 5}]),
        "not_healthy",
        "at least 1 and at most 5",
    )


def test_health_without_a_value_is_not_good(world: World) -> None:
    red(world.judge(health=HEALTH), "not_healthy", "has no value")


def test_an_expression_that_prometheus_refuses_is_unknown(world: World) -> None:
    world.server.values[PG_UP] = Finding("server_error", "parse error", "Try: promtool --help", 0.0, False)
    assert world.judge(health=HEALTH).check["status"] == "unknown"


def test_the_exporters_database_is_looked_at(world: World) -> None:
    """The cause is the database that does not run, and the fix starts it."""
    database = service("postgresql", sql=5432)
    world.services.append(database)
    world.workloads = [
        {
            "kind": "StatefulSet",
            "metadata": {"name": "postgresql", "namespace": "data"},
            "spec": {"replicas": 0, "template": {"metadata": {"labels": {"app": "postgresql"}}}},
        }
    ]
    world.server.values[PG_UP] = [value(0.0, instance="a:1")]
    judgement = world.judge(health=HEALTH, exporter={"host": "postgresql.data.svc"})
    cause = red(judgement, "no_ready_endpoints", "Service data/postgresql, which the exporter asks")
    assert fix_line(cause["fix"]) == "kubectl -n data scale statefulset postgresql --replicas=1"
    assert codes(judgement) == ["no_ready_endpoints", "not_healthy"]


def test_the_exporters_database_has_another_name(world: World) -> None:
    world.server.values[PG_UP] = [value(0.0, instance="a:1")]
    judgement = world.judge(health=HEALTH, exporter={"host": "postgres.data.svc"})
    red(judgement, "no_service_matches", "has no Service postgres; there is minio, trino")


@pytest.mark.parametrize(
    "error", ["context deadline exceeded", "server returned HTTP status 500 Internal Server Error"]
)
def test_an_exporter_that_hangs_without_its_database(world: World, error: str) -> None:
    database = service("postgresql", sql=5432)
    world.services.append(database)
    world.down(error)
    judgement = world.judge(exporter={"host": "postgresql.data.svc", "port": 5432})
    red(judgement, "no_ready_endpoints", "Service data/postgresql, which the exporter asks, has no Pod")
    assert codes(judgement)[1].startswith("target_down_")


def test_a_target_that_was_well_and_hangs_now_is_not_slow(world: World) -> None:
    world.down("context deadline exceeded")
    world.server.past["http://10.0.0.1:9000/metrics"] = samples(*[1] * 15, 0, 0)
    red(world.judge(), "target_down_timeout", "It answered until lately", "kubectl -n data logs trino-0")


def test_a_database_outside_the_cluster_is_not_looked_for(world: World) -> None:
    world.server.values[PG_UP] = [value(0.0, instance="a:1")]
    assert codes(world.judge(health=HEALTH, exporter={"host": "db.example.com"})) == ["not_healthy"]


def test_metrics_that_must_be_there(world: World) -> None:
    world.server.metrics["trino"] = ["trino_running_queries", "trino_memory_pool", "up"]
    judgement = world.judge(must_have=["trino_memory_pool", "trino_running_query"])
    red(
        judgement,
        "must_have_missing",
        "without trino_running_query (job trino)",
        "the nearest there are trino_running_queries",
    )
    assert world.judge(must_have=["trino_memory_pool", "a|up"]).check["status"] == "ok"


def test_too_few_samples(world: World) -> None:
    """200 with three series is no success."""
    world.server.samples["http://10.0.0.1:9000/metrics"] = 3.0
    red(world.judge(min_samples=20), "too_few_samples", "10.0.0.1:9000 (Pod trino-0) gave 3 samples", "at least 20")
    assert world.judge(min_samples=3).check["status"] == "ok"


def test_health_is_confirmed_by_a_scrape_of_this_verdict(world: World) -> None:
    world.server.values[PG_UP] = [value(0.0, instance="a:1")]
    world.target["lastScrape"] = at(20)
    assert world.judge(started=NOW - 5, health=HEALTH).findings[0].patience == FOREVER
    assert world.judge(started=NOW - 25, health=HEALTH).findings[0].patience == 0.0


def test_health_of_a_target_that_is_down_is_not_asked(world: World) -> None:
    world.down("connect: connection refused")
    assert codes(world.judge(health=HEALTH, must_have=["x"], min_samples=5)) == ["target_down_refused"]


def test_the_observation_is_in_the_details(world: World) -> None:
    world.down("connect: connection refused")
    row = world.judge().check["details"]["targets"][0]
    assert (row["url"], row["health"], row["error"]) == (
        "http://10.0.0.1:9000/metrics",
        "down",
        "connect: connection refused",
    )
