# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Break the running lab, read the diagnosis, carry out the fix it names, and see it green again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .conftest import Bench

PROMETHEUS = ("prometheus", "monitoring", "kube-prometheus-stack-prometheus")


def test_a_service_port_was_renamed(bench: Bench) -> None:
    rename = [{"op": "replace", "path": "/spec/ports/1/name", "value": "prom"}]
    bench.patch("service", "data-platform", "trino", rename)
    try:
        _verdict, cause = bench.until("scrape/trino", "no_such_port")
        assert "metrics" in cause["message"]
        assert "prom" in cause["message"], "the ports that there are"
        options = bench.catalogue("trino", cause["fix"])
        assert bench.play("day1", *options).red() == {}
        bench.until_green(240, *options)
    finally:
        bench.patch("service", "data-platform", "trino", [{**rename[0], "value": "metrics"}])
        bench.play("day1")


def test_a_port_is_a_number_in_quotes(bench: Bench) -> None:
    endpoint = [{"op": "add", "path": "/spec/endpoints/0/port", "value": "8081"}]
    bench.patch("servicemonitor", "data-platform", "datahub", endpoint)
    _verdict, cause = bench.until("scrape/datahub", "port_is_number")
    assert '"8081"' in cause["message"]
    bench.carry_out(cause["fix"])
    bench.until_green()


def test_a_selector_on_prometheus(bench: Bench) -> None:
    bench.patch(*PROMETHEUS, {"spec": {"serviceMonitorSelector": {"matchLabels": {"release": "prod"}}}})
    verdict, cause = bench.until("scrape/trino", "monitor_not_selected")
    assert "release=prod" in cause["message"]
    assert "monitor_not_selected" in verdict.red()["scrape/datahub"], "every monitor is told"
    bench.carry_out(cause["fix"])
    bench.until_green()


def test_the_agent_is_gone(bench: Bench) -> None:
    bench.kubectl("-n", "monitoring", "delete", "daemonset", "promtail")
    _verdict, cause = bench.until("logs/agent_on_every_node", "agent_missing")
    bench.carry_out(cause["fix"])
    bench.until_green()


@pytest.fixture
def postgresql(bench: Bench) -> Iterator[Bench]:
    yield bench
    bench.kubectl("-n", "data-platform", "scale", "statefulset", "postgresql", "--replicas=1")


def test_postgresql_has_stopped(postgresql: Bench) -> None:
    postgresql.kubectl("-n", "data-platform", "scale", "statefulset", "postgresql", "--replicas=0")
    verdict, cause = postgresql.until("scrape/postgresql", "no_ready_endpoints")
    assert "asks for 0 replicas" in cause["message"]
    assert "not_healthy" in verdict.red()["scrape/postgresql"], "up, and not well"
    postgresql.carry_out(cause["fix"])
    postgresql.until_green()
