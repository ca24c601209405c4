# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Break the running lab, read the diagnosis, carry out the fix it names, and see it green again."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.lab_fixture import Lab

from .conftest import Bench, Verdict

PROMETHEUS = ("prometheus", "monitoring", "kube-prometheus-stack-prometheus")
RENAMED = [{"op": "replace", "path": "/spec/ports/1/name", "value": "prom"}]
QUOTED = [{"op": "add", "path": "/spec/endpoints/0/port", "value": "8081"}]
# What is broken all at once: none of it disturbs the others, and one verdict tells all.
FAULTS = {
    "scrape/trino": "no_such_port",
    "scrape/datahub": "port_is_number",
    "logs/agent_on_every_node": "agent_missing",
    "scrape/postgresql": "no_ready_endpoints",
}


class Broken:
    """The verdict over four faults, and what mends them; how long Trino's log was when the agent's end began."""

    def __init__(self, bench: Bench, written: int, verdict: Verdict, causes: dict[str, dict[str, str]]) -> None:
        self.bench, self.written, self.verdict, self.causes = bench, written, verdict, causes


def trinos_log(bench: Bench) -> int:
    """How many lines Trino has written into the file that it writes now."""
    return len(bench.kubectl("-n", "data-platform", "logs", "deployment/trino").splitlines())


def read_of_trinos_log(bench: Bench) -> int:
    """How many of these lines the agent read since it started."""
    pod = bench.kubectl(
        "-n", "monitoring", "get", "pods", "-l", "app.kubernetes.io/name=promtail", "-o", "name"
    ).strip()
    place = f"/api/v1/namespaces/monitoring/{pod.replace('pod/', 'pods/')}:3101/proxy/metrics"
    found = re.findall(
        r'^promtail_read_lines_total\{.*path="[^"]*/data-platform_trino-[^"]*".*\} (\S+)$',
        bench.kubectl("get", "--raw", place), re.M,
    )  # fmt: skip
    return sum(int(float(value)) for value in found)


@pytest.fixture(scope="module")
def platform(day1: Lab, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(day1, tmp_path_factory.mktemp("platform"))


def test_a_selector_on_prometheus(platform: Bench) -> None:
    bench = platform
    bench.patch(*PROMETHEUS, {"spec": {"serviceMonitorSelector": {"matchLabels": {"release": "prod"}}}})
    verdict, told = bench.until({"scrape/trino": "monitor_not_selected"}, at_once=True)
    cause = told["scrape/trino"]
    assert "release=prod" in cause["message"]
    assert "monitor_not_selected" in verdict.red()["scrape/datahub"], "every monitor is told"
    bench.carry_out(cause["fix"])
    bench.until_green()


@pytest.fixture(scope="module")
def broken(platform: Bench) -> Iterator[Broken]:
    """A Service's port is renamed, a monitor edited, the agent deleted, PostgreSQL stopped."""
    bench = platform
    try:
        bench.patch("service", "data-platform", "trino", RENAMED)
        bench.patch("servicemonitor", "data-platform", "datahub", QUOTED)
        written = trinos_log(bench)
        bench.kubectl("-n", "monitoring", "delete", "daemonset", "promtail")
        bench.kubectl("-n", "data-platform", "scale", "statefulset", "postgresql", "--replicas=0")
        yield Broken(bench, written, *bench.until(FAULTS, at_once=True))
    finally:
        bench.kubectl("-n", "data-platform", "scale", "statefulset", "postgresql", "--replicas=1")
        bench.patch("service", "data-platform", "trino", [{**RENAMED[0], "value": "metrics"}])
        bench.play("day1")


def test_a_service_port_was_renamed(broken: Broken) -> None:
    message = broken.causes["scrape/trino"]["message"]
    assert "metrics" in message
    assert "prom" in message, "the ports that there are"


def test_a_port_is_a_number_in_quotes(broken: Broken) -> None:
    assert '"8081"' in broken.causes["scrape/datahub"]["message"]


def test_the_agent_is_gone(broken: Broken) -> None:
    assert broken.verdict.check("logs/agent_on_every_node")["status"] == "failed"


def test_postgresql_has_stopped(broken: Broken) -> None:
    assert "asks for 0 replicas" in broken.causes["scrape/postgresql"]["message"]
    assert "not_healthy" in broken.verdict.red()["scrape/postgresql"], "up, and not well"


def test_the_fixes_as_they_are_printed_make_it_green(broken: Broken) -> None:
    bench, fixes = broken.bench, {place: cause["fix"] for place, cause in broken.causes.items()}
    for place in ("scrape/postgresql", "scrape/datahub"):
        bench.carry_out(fixes[place])
    bench.kubectl("-n", "data-platform", "rollout", "status", "statefulset/postgresql", "--timeout=120s")
    changed = bench.catalogue("trino", fixes["scrape/trino"])
    # It plays day 1, which the fix of trino asks for too.
    bench.carry_out(fixes["logs/agent_on_every_node"], *changed)
    bench.until_green(240, *changed)


def test_the_agent_goes_on_where_the_one_before_had_come_to(broken: Broken) -> None:
    """What it reads twice Loki keeps once, so that only the agent can tell."""
    read = read_of_trinos_log(broken.bench)
    since = trinos_log(broken.bench) - broken.written
    # Where an agent has come to is written down every ten seconds, and at its end.
    few = 10
    assert broken.written > 2 * few, "too few lines before to tell one from the other"
    assert 0 < read <= since + few
