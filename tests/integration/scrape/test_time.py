# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real Prometheus says while things change, and what the verdict makes of it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import DirectApi
from ansible_collections.dataplatform.monitoring.plugins.module_utils._prometheus import query
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_relabel import first_drop

from tests.integration.programs import free_port, wait_for
from tests.integration.scrape.conftest import METRICS, Exporter, PrometheusServer

HEALTH = [{"expr": "pg_up{$selector}", "equals": 1, "means": "the database answers"}]


@pytest.fixture(scope="module")
def one(exporter: Callable[..., Exporter]) -> Exporter:
    """An exporter whose answer the tests change."""
    return exporter()


@pytest.fixture(scope="module")
def server(prometheus: Callable[..., PrometheusServer], one: Exporter) -> PrometheusServer:
    """A Prometheus that scrapes it, for long enough to call it steady."""
    started = prometheus([one.job("demo")])
    _steady(started)
    return started


def _value(server: PrometheusServer, expr: str) -> float | None:
    found = query(DirectApi(server.url), expr)
    return found[0]["value"] if found else None


def _steady(server: PrometheusServer, samples: int = 6) -> None:
    wait_for(lambda: _value(server, f'sum_over_time(up{{job="demo"}}[{samples}s])') == samples, "up several times")


def first(outcome: Any) -> dict[str, Any]:
    return outcome.judgements[0].check


def codes(check: dict[str, Any]) -> list[str]:
    return [cause["code"] for cause in _checks.all_causes(check)]


def test_steady_is_ok_at_once(server: PrometheusServer) -> None:
    outcome = server.judge({"name": "demo", "must_have": ["demo_metric_3"], "min_samples": 20, "health": HEALTH})
    assert first(outcome)["status"] == "ok", first(outcome)
    assert outcome.rounds == 1 and outcome.waited < 2


def test_up_but_not_healthy(server: PrometheusServer, one: Exporter) -> None:
    one.answer["body"] = METRICS.replace("pg_up 1", "pg_up 0")
    wait_for(lambda: _value(server, "pg_up") == 0, "pg_up 0")
    check = first(server.judge({"name": "demo", "health": HEALTH}))
    one.answer["body"] = METRICS
    assert codes(check) == ["not_healthy"]
    assert f"{one.address} has 0" in check["cause"]["message"]


def test_up_but_without_what_it_must_have(server: PrometheusServer) -> None:
    check = first(server.judge({"name": "demo", "must_have": ["demo_metrics_3"], "min_samples": 500}))
    assert codes(check) == ["must_have_missing", "too_few_samples"]
    assert "the nearest there are demo_metric_" in check["cause"]["message"]
    assert "gave 21 samples" in check["other_causes"][0]["message"]


def test_a_bad_expression_is_unknown(server: PrometheusServer) -> None:
    check = first(server.judge({"name": "demo", "health": [{"expr": "pg_up{{", "equals": 1}]}))
    assert check["status"] == "unknown"
    assert codes(check) == ["server_error"]


def test_repaired_while_the_verdict_looks(server: PrometheusServer, one: Exporter) -> None:
    one.answer["status"] = 500
    wait_for(lambda: _value(server, 'sum_over_time(up{job="demo"}[3s])') == 0, "down")
    one.answer["status"] = 200
    check = first(server.judge({"name": "demo"}))
    assert check["status"] == "ok", check
    assert "was down until" in check["notes"][0]


def test_flapping(server: PrometheusServer, one: Exporter) -> None:
    for _ in range(2):
        one.answer["status"] = 500
        wait_for(lambda: _value(server, 'up{job="demo"}') == 0, "down")
        one.answer["status"] = 200
        wait_for(lambda: _value(server, 'up{job="demo"}') == 1, "up")
    _steady(server, 3)
    check = first(server.judge({"name": "demo"}))
    assert check["observed"] == "1 target up"
    assert codes(check) == ["flapping"]


def test_a_configuration_that_cannot_be_loaded(server: PrometheusServer, one: Exporter) -> None:
    server.write([one.job("demo"), {"job_name": "new", "relabel_configs": [{"action": "nonsense"}]}])
    assert server.reload() == 500
    check = first(server.judge({"name": "new"}))
    assert codes(check)[0] == "reload_failed"


def test_vanished(server: PrometheusServer, one: Exporter) -> None:
    server.write([one.job("other")])
    assert server.reload() == 200
    check = first(server.judge({"name": "demo"}))
    assert codes(check) == ["no_such_job", "target_vanished"]
    assert f"({one.address})" in check["other_causes"][0]["message"]


def test_scraped_twice(prometheus: Callable[..., PrometheusServer], exporter: Callable[..., Exporter]) -> None:
    twin = exporter()
    server = prometheus([twin.job("one"), twin.job("two")])
    outcome = server.judge({"name": "one"}, total=2)
    check = first(outcome)
    assert codes(check) == ["scraped_twice"]
    assert "scrape job one and scrape job two" in check["cause"]["message"]
    # The same URL twice is one target.
    assert outcome.judgements[1].check["observed"] == "1 up"


def test_never_scraped_is_unknown_within_the_deadline(
    prometheus: Callable[..., PrometheusServer], exporter: Callable[..., Exporter]
) -> None:
    slow = exporter().job("slow", scrape_interval="1h")
    server = prometheus([slow])
    api = DirectApi(server.url)
    wait_for(lambda: api.get_json("/api/v1/targets")["data"]["activeTargets"], "discovered")
    begin = time.monotonic()
    outcome = server.judge({"name": "slow"}, timeout=4)
    assert time.monotonic() - begin < 5
    check = first(outcome)
    # A scrape in the first four seconds of an hour is possible, and then it was seen up once only.
    assert (check["status"], codes(check)) == ("unknown", ["not_scraped_yet"])


def test_a_prometheus_that_is_not_there_is_unknown() -> None:
    server = object.__new__(PrometheusServer)
    server.url = f"http://127.0.0.1:{free_port()}"
    begin = time.monotonic()
    check = first(server.judge({"name": "demo"}, timeout=3))
    assert time.monotonic() - begin < 4
    assert (check["status"], codes(check)) == ("unknown", ["server_unreachable"])
    assert "connection refused" in check["cause"]["message"]


def test_a_server_that_is_no_prometheus(exporter: Callable[..., Exporter]) -> None:
    server = object.__new__(PrometheusServer)
    server.url = f"http://{exporter(body='<html>', type='text/html').address}"
    check = first(server.judge({"name": "demo"}, timeout=2))
    assert (check["status"], codes(check)) == ("unknown", ["server_error"])


# --- our relabeling against the server's own --------------------------------------------------------------------------


ACTIONS = [
    "keep",
    "drop",
    "replace",
    "replace",
    "hashmod",
    "labelmap",
    "keepequal",
    "dropequal",
    "lowercase",
    "uppercase",
]


def _rules(rng: random.Random) -> list[dict[str, Any]]:
    """Rules over few labels and values, so that they meet."""
    labels = ["__meta_a", "__meta_b", "__tmp_c", "__param_x"]
    regexes = ["x", "y|z", "(.*)", ".+", "(x)(.*)", "x;y", "[xy]+", "", "__meta_(.+)", "a.*"]
    rules = []
    for _ in range(rng.randint(1, 5)):
        action = rng.choice(ACTIONS)
        source, target = rng.sample(labels, rng.randint(1, 2)), rng.choice(labels)
        if action in ("keep", "drop"):
            rule = {"source_labels": source, "regex": rng.choice(regexes)}
        elif action == "replace":
            replacement = rng.choice(["$1", "${1}y", "k", "", "$$", "$2$1"])
            rule = {
                "source_labels": source,
                "regex": rng.choice(regexes),
                "target_label": target,
                "replacement": replacement,
            }
        elif action == "hashmod":
            rule = {"source_labels": source, "target_label": target, "modulus": rng.randint(1, 7)}
        elif action == "labelmap":
            rule = {"regex": rng.choice(["__meta_(.+)", "__(.+)_a"]), "replacement": rng.choice(["$1", "__tmp_$1"])}
        else:
            rule = {"source_labels": source, "target_label": target}
        rules.append({"action": action, **rule})
    return rules


def test_relabeling_is_the_servers(prometheus: Callable[..., PrometheusServer]) -> None:
    """Which rule drops a target, by the server's word (relabel_steps) and by ours for servers without it."""
    rng = random.Random(7)  # noqa: S311 - reproducible on purpose
    pools = {f"job{i}": _rules(rng) for i in range(60)}
    nobody = [{"targets": [f"127.0.0.1:{free_port()}"]}]
    jobs = [{"job_name": name, "relabel_configs": rules, "static_configs": nobody} for name, rules in pools.items()]
    api = DirectApi(prometheus(jobs).url)
    wait_for(lambda: len(api.get_json("/api/v1/scrape_pools")["data"]["scrapePools"]) == len(jobs), "every pool")
    differences = []
    for name, rules in pools.items():
        for _ in range(5):
            labels = {
                key: rng.choice(["x", "y", "z", "Xy"])
                for key in ("__meta_a", "__meta_b", "__tmp_c")
                if rng.random() < 0.7
            }
            params = [("scrapePool", name), ("labels", _json(labels))]
            steps = api.get_json("/api/v1/targets/relabel_steps", params)["data"]["steps"]
            theirs = next((i for i, step in enumerate(steps) if not step["keep"]), None)
            if first_drop(rules, labels) != theirs:
                differences.append((rules, labels, theirs, first_drop(rules, labels)))
    assert differences == []


def _json(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'"{key}":"{value}"' for key, value in labels.items()) + "}"
