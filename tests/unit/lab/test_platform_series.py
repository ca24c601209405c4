# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers of the stand-ins over time, their text form, and what the servers answer."""

from __future__ import annotations

import http.client
import json
import random
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from lab.platform import elasticsearch, series, stand_in

PLATFORM = Path(__file__).resolve().parents[3] / "lab/platform"
PRODUCTS = yaml.safe_load((PLATFORM / "metrics.yml").read_text())
BEHAVIOUR = yaml.safe_load((PLATFORM / "behaviour.yml").read_text())


def values(name: str, metric: dict[str, Any], now: float) -> dict[str, float]:
    """Sample name and labels -> value, of a product that started at 0."""
    return {f"{one}{labels}": value for one, labels, value in series.samples(name, metric, series.Moment(0, now))}


@pytest.mark.parametrize("product", PRODUCTS)
def test_counters_never_fall(product: str) -> None:
    for name, metric in PRODUCTS[product]["metrics"].items():
        if metric["type"] not in ("counter", "histogram"):
            continue
        for now in range(0, 1200, 37):
            before, after = values(name, metric, now), values(name, metric, now + 30)
            assert all(after[sample] >= before[sample] >= 0 for sample in before), name


def test_waves_stay_within_their_bounds_and_move() -> None:
    seen = [series.number("x", {}, {"wave": [2, 9]}, series.Moment(0, now)) for now in range(0, 600, 5)]
    assert min(seen) >= 2 and max(seen) <= 9 and len(set(seen)) > 3
    assert all(isinstance(value, int) for value in seen)


def test_a_counter_grows_by_its_rate_in_the_long_run() -> None:
    assert series.number("x_total", {}, {"rate": 2}, series.Moment(0, 60000)) == pytest.approx(120000, rel=0.01)


def test_times_count_from_start_and_from_now() -> None:
    at = series.Moment(1000, 5000)
    assert series.number("x", {}, {"in": 60}, at) == 1060
    assert series.number("x", {}, {"now": 0}, at) == 5000


def test_buckets_are_cumulative_and_end_at_the_count() -> None:
    metric = {"type": "histogram", "buckets": [0.1, 1], "value": {"mean": 0.5, "rate": 2}}
    told = {
        f"{name}{labels.get('le', '')}": value
        for name, labels, value in series.samples("x", metric, series.Moment(0, 500))
    }
    assert 0 < told["x_bucket0.1"] < told["x_bucket1"] <= told["x_bucket+Inf"] == told["x_count"]
    assert told["x_sum"] == told["x_count"] * 0.5


def test_quantiles_rise() -> None:
    metric = {"type": "summary", "quantiles": [0.5, 0.99], "value": {"mean": 10, "rate": 1}}
    low, high, *_ = (value for _, _, value in series.samples("x", metric, series.Moment(0, 60)))
    assert 0 < low < high


def test_text_escapes_labels() -> None:
    metrics = {"x": {"type": "gauge", "labels": {"path": ['a"b\\c\nd']}, "value": 1}}
    assert series.exposition(metrics, series.Moment(0, 0)) == '# TYPE x gauge\nx{path="a\\"b\\\\c\\nd"} 1\n'


@pytest.mark.parametrize("product", BEHAVIOUR)
def test_every_product_answers_and_logs(product: str) -> None:
    behaviour = BEHAVIOUR[product]
    server = stand_in.Product(PRODUCTS.get(product, {}).get("metrics", {}), behaviour, started=0)
    for path in ["/-/ready", *behaviour.get("metrics", []), *behaviour.get("pages", {})]:
        assert server.answer(path, {}, now=60).status == 200
    with pytest.raises(KeyError):
        server.answer("/nothing-here", {}, now=60)
    for one in behaviour.get("logs", {}).get("lines", []):
        assert stand_in.line({"lines": [one]}, random.Random(1), now=60)  # noqa: S311


def test_control_changes_values_and_pages() -> None:
    server = stand_in.Product(PRODUCTS["vault"]["metrics"], BEHAVIOUR["vault"], started=0)
    server.control = {
        "metrics": {"vault_core_unsealed": 0, "vault_core_active": None},
        "pages": {"/v1/sys/health": {"status": 503}},
    }
    text = server.answer("/v1/sys/metrics", {}, now=60).body
    assert 'vault_core_unsealed{cluster="vault-cluster-lab"} 0\n' in text
    assert "vault_core_active" not in text
    assert server.answer("/v1/sys/health", {}, now=60).status == 503


def test_metrics_can_be_asked_for_by_name() -> None:
    server = stand_in.Product(PRODUCTS["trino"]["metrics"], BEHAVIOUR["trino"], started=0)
    text = server.answer("/metrics", {"name[]": ["trino_execution_name_QueryManager_QueuedQueries"]}, now=60).body
    assert [line.split("{")[0] for line in text.splitlines()[1:]] == ["trino_execution_name_QueryManager_QueuedQueries"]


def test_elasticsearch_says_what_its_metrics_are_made_of() -> None:
    metrics = PRODUCTS["elasticsearch"]["metrics"]
    pages = elasticsearch.pages(metrics, series.Moment(0, 600), {})
    node = pages["/_nodes/_local/stats"]["nodes"]["stand-in"]
    assert pages["/_cluster/health"]["status"] == "yellow"
    assert node["jvm"]["mem"]["heap_used_in_bytes"] <= node["jvm"]["mem"]["heap_max_in_bytes"]
    # seconds in the exporter's metric, milliseconds in the API
    seconds = series.number(
        "elasticsearch_indices_search_query_time_seconds", {}, {"rate": 0.16}, series.Moment(0, 600)
    )
    assert node["indices"]["search"]["query_time_in_millis"] == pytest.approx(1000 * seconds, abs=1)
    assert json.dumps(pages)


def test_elasticsearch_can_be_red() -> None:
    pages = elasticsearch.pages(
        PRODUCTS["elasticsearch"]["metrics"], series.Moment(0, 60), {"elasticsearch_cluster_health_status": -1}
    )
    assert pages["/_cluster/health"]["status"] == "red"


def test_control_is_set_and_reset_over_http_also_in_chunks() -> None:
    server = stand_in.Server(
        ("127.0.0.1", 0), stand_in.Product(PRODUCTS["vault"]["metrics"], BEHAVIOUR["vault"], started=0)
    )
    Thread(target=server.serve_forever, daemon=True).start()
    control = {"pages": {"/v1/sys/health": {"status": 503}}}
    try:
        for chunked in (False, True):
            body = json.dumps(control).encode()
            # an iterator has no length, so that http.client sends it in chunks as the API server's proxy does
            assert _ask(server, "POST", "/control", iter([body]) if chunked else body) == 200
            assert server.product.control == control
            assert _ask(server, "GET", "/v1/sys/health") == 503
            assert _ask(server, "DELETE", "/control") == 200
            assert _ask(server, "GET", "/v1/sys/health") == 200
        assert _ask(server, "GET", "/nothing-here") == 404
        assert _ask(server, "POST", "/v1/sys/health", b"{}") == 405
    finally:
        server.shutdown()
        server.server_close()


def _ask(server: stand_in.Server, method: str, path: str, body: Any = None) -> int:
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=5)
    try:
        connection.request(method, path, body)
        return connection.getresponse().status
    finally:
        connection.close()
