# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logs verdict against a real Loki: readiness, tenants, discarded lines, retention."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.logs.conftest import Judged, LokiServer
from tests.integration.programs import free_port, wait_for

Judge = Callable[..., Judged]


def newest(server: LokiServer, judge: Judge, **given: Any) -> Judged:
    """Judge until a pushed line is seen: a push is visible at once, a fresh ring may take a moment."""
    return wait_for(
        lambda: (found := judge(url=server.url, **given))["newest_line"]["status"] == "ok" and found, "a line in Loki"
    )


def test_nobody_answers(judge: Judge) -> None:
    found = judge(url=f"http://127.0.0.1:{free_port()}", timeout=1)
    assert found.codes("loki_ready") == ["loki_unreachable"]
    assert "connection refused" in found["loki_ready"]["cause"]["message"]
    assert found["retention"]["status"] == found["discarded"]["status"] == "unknown"


def test_a_fresh_ingester_is_waited_for(start: Callable[..., Any], judge: Judge) -> None:
    server = start(LokiServer, ingester={"lifecycler": {"min_ready_duration": "8s", "final_sleep": "0s"}})
    wait_for(lambda: _body(server.url), "Loki listening")
    impatient = judge(url=server.url, timeout=1)
    assert impatient["loki_ready"]["status"] == "unknown"
    assert impatient.codes("loki_ready") == ["loki_starting"]
    began = time.monotonic()
    assert judge(url=server.url)["loki_ready"]["status"] == "ok"
    assert time.monotonic() - began < 20


def _body(url: str) -> str:
    try:
        with urllib.request.urlopen(f"{url}/ready", timeout=2) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as exc:
        return exc.read().decode()
    except OSError:
        return ""


def test_an_empty_loki_says_so(start: Callable[..., Any], judge: Judge) -> None:
    found = judge(url=start(LokiServer).ready().url)
    assert found["loki_ready"]["status"] == "ok"
    assert found.codes("newest_line") == ["loki_empty"]


def test_all_is_well(loki: LokiServer, judge: Judge) -> None:
    assert loki.push(5, namespace="a", pod="p", container="c") == 204
    found = newest(loki, judge, retention="744h")
    assert found.red() == []
    assert found["retention"]["observed"].startswith("configured 744h")
    assert found["discarded"]["observed"].startswith("none in ")
    assert found["agent_on_every_node"]["status"] == found["namespaces"]["status"] == "not_applicable"


@pytest.fixture(scope="module")
def tenants(start_for_all: Callable[..., Any]) -> LokiServer:
    server = start_for_all(LokiServer, auth_enabled=True).ready()
    assert server.push(3, tenant="platform", namespace="a", pod="p", container="c") == 204
    return server


def test_the_right_tenant(tenants: LokiServer, judge: Judge) -> None:
    assert newest(tenants, judge, tenant="platform").red() == []


def test_no_tenant(tenants: LokiServer, judge: Judge) -> None:
    found = judge(url=tenants.url)
    assert found.codes("loki_ready") == ["loki_tenant_missing"]
    assert found["loki_ready"]["cause"]["fix"].endswith("tenant: platform")
    assert found["newest_line"]["cause"]["code"] == "loki_tenant_missing"


def test_the_wrong_tenant(tenants: LokiServer, judge: Judge) -> None:
    """Loki answers 200 and nothing; a Loki this young is given a moment, in case the agent is yet to come."""
    found = judge(url=tenants.url, tenant="plattform", timeout=2)
    assert found.codes("loki_ready") == ["loki_wrong_tenant"]
    assert "It receives lines for: platform." in found["loki_ready"]["cause"]["message"]


def test_streams_without_a_namespace(start: Callable[..., Any], judge: Judge) -> None:
    server = start(LokiServer).ready()
    server.push(1, job="varlogs", filename="/var/log/syslog")
    found = wait_for(
        lambda: (seen := judge(url=server.url)).codes("newest_line") == ["stream_label_missing"] and seen, "labels"
    )
    assert "they carry filename, job" in found["newest_line"]["cause"]["message"]


# Discarded lines


@pytest.fixture(scope="module")
def strict(start_for_all: Callable[..., Any]) -> LokiServer:
    """A Loki whose limits are reached with a handful of lines."""
    limits = {
        "max_line_size": "200B",
        "reject_old_samples_max_age": "1h",
        "max_label_names_per_series": 5,
        "max_label_value_length": 100,
        "max_label_name_length": 30,
        "max_global_streams_per_user": 6,
        "ingestion_rate_mb": 0.02,
        "ingestion_burst_size_mb": 0.02,
        "retention_period": "744h",
    }
    return start_for_all(LokiServer, limits_config=limits).ready()


LABELS = {"namespace": "a", "pod": "p", "container": "c"}


@pytest.mark.parametrize(
    ("reason", "push"),
    [
        ("line_too_long", {"lines": 2, "size": 500}),
        ("greater_than_max_sample_age", {"lines": 3, "age": 7200}),
        ("too_far_in_future", {"lines": 1, "age": -3600}),
        ("max_label_names_per_series", {"lines": 1, "one": "1", "two": "2", "three": "3"}),
        ("label_value_too_long", {"lines": 1, "one": "x" * 200}),
        ("label_name_too_long", {"lines": 1, "n" * 40: "x"}),
        ("rate_limited", {"lines": 300, "size": 150}),
    ],
)
def test_each_reason_is_told_with_its_fix(strict: LokiServer, judge: Judge, reason: str, push: dict[str, Any]) -> None:
    strict.push(**{**LABELS, **push})
    found = judge(url=strict.url)
    assert f"discarded_{reason}" in found.codes("discarded")
    assert found["discarded"]["details"]["by_reason"][reason] >= 1
    assert found["discarded"]["observed"].endswith("(Loki's own counters)")


def test_too_many_streams(strict: LokiServer, judge: Judge) -> None:
    def one_more(index: int) -> bool:
        strict.push(1, namespace="a", pod=f"p{index}", container="c")
        return "discarded_stream_limit" in judge(url=strict.url).codes("discarded")

    indices = iter(range(100))
    wait_for(lambda: one_more(next(indices)), "the limit of streams")


def test_what_was_discarded_before_is_not_discarded_now(strict: LokiServer, judge: Judge) -> None:
    """Over the seconds of one look nothing is lost: a lifetime's counter is no verdict. The process is young here, so
    that its totals would count; a short span makes it old."""
    from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_metrics as metrics

    page = urllib.request.urlopen(f"{strict.url}/metrics", timeout=5).read().decode()
    parsed = metrics.parse_page(page, ("loki_discarded_samples_total", "process_start_time_seconds"))
    reading = metrics.Reading("loki", time.time(), parsed)
    assert metrics.gain(reading, reading, "loki_discarded_samples_total", "reason", 900).by
    assert metrics.gain(reading, reading, "loki_discarded_samples_total", "reason", 0.01).by == {}


# Retention


@pytest.mark.parametrize(
    ("sections", "code"),
    [
        ({"limits_config": {"retention_period": "168h"}}, "retention_period_differs"),
        ({"compactor": {"retention_enabled": False}}, "retention_disabled"),
    ],
)
def test_the_running_configuration_is_held_to_the_promise(
    start: Callable[..., Any], judge: Judge, sections: dict[str, Any], code: str
) -> None:
    server = start(LokiServer, **sections).ready()
    assert judge(url=server.url, retention="744h").codes("retention") == [code]


def test_lines_older_than_promised(start: Callable[..., Any], judge: Judge) -> None:
    """Old lines that were flushed, and a promise they break."""
    server = start(
        LokiServer,
        limits_config={"reject_old_samples": False, "retention_period": "720h"},
        ingester={
            "chunk_idle_period": "1s",
            "chunk_retain_period": "0s",
            "flush_check_period": "1s",
            "lifecycler": {"min_ready_duration": "0s", "final_sleep": "0s"},
        },
        query_range={"cache_index_stats_results": False},
    ).ready()
    assert server.push(5, age=5 * 86400, **LABELS) == 204
    assert server.push(5, **LABELS) == 204
    found = wait_for(
        lambda: "retention_not_applied" in (seen := judge(url=server.url, retention="48h")).codes("retention") and seen,
        "old lines in the index",
        90,
    )
    assert found.codes("retention") == ["retention_period_differs", "retention_not_applied"]
