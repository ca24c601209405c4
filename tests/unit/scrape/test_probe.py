# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A probe's verdict: the service answers, does not, or nobody asks it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.unit.scrape.builders import NOW, World, endpoint_slice, pod, service, target, unready, value
from tests.unit.scrape.test_diagnosis import codes, red

URL = "http://trino.data.svc:8080/v1/info"
PROBER = "blackbox-exporter.monitoring.svc:9115"
POOL = "probe/monitoring/trino"
SUCCESS = 'probe_success{job="trino-probe"}'
STATUS = 'probe_http_status_code{job="trino-probe"}'
ASK = "kubectl -n monitoring exec deploy/blackbox-exporter -- wget -qO- 'http://127.0.0.1:9115/probe?module=http_2xx'"
MEANS = f"{URL} answers with status 2xx"
EXPECTATION = {
    "name": "trino-probe",
    "kind": "probe",
    "job": "trino-probe",
    "monitor": {"kind": "Probe", "namespace": "monitoring", "name": "trino"},
    "namespaces": [],
    "selector": {},
    "endpoints": [],
    "health": [{"expr": "probe_success{$selector}", "equals": 1, "means": MEANS, "fix": ASK}],
    "must_have": ["probe_success"],
}


@pytest.fixture
def world() -> World:
    """Trino, a prober, and the Probe between the two."""
    world = World()
    prober = service("blackbox-exporter", "monitoring", metrics=9115)
    pods = [pod("blackbox-exporter-1", "10.0.9.9", "monitoring", "blackbox-exporter", metrics=9115)]
    world.services.append(prober)
    world.pods += pods
    world.slices.append(endpoint_slice(prober, pods))
    world.monitor.update(
        kind="Probe",
        spec={
            "jobName": "trino-probe",
            "prober": {"url": PROBER},
            "module": "http_2xx",
            "targets": {"staticConfig": {"static": [URL]}},
        },
    )
    world.expectation = copy.deepcopy(EXPECTATION)
    world.server.jobs = {POOL: {"job_name": POOL}}
    one = target(f"http://{PROBER}/probe?module=http_2xx&target={URL}", POOL, "trino-probe")
    one["discoveredLabels"]["__address__"] = URL
    one["labels"]["instance"] = URL
    world.server.targets = [one]
    world.server.metrics["trino-probe"] = ["probe_success", "probe_http_status_code"]
    answer(world, 1.0, 200)
    return world


def answer(world: World, success: float, status: float) -> None:
    labels: dict[str, Any] = {"job": "trino-probe", "instance": URL}
    world.server.values[SUCCESS] = [value(success, **labels)]
    world.server.values[STATUS] = [value(status, **labels)]


def test_the_service_answers(world: World) -> None:
    check = world.judge().check
    assert (check["status"], check["expected"], check["observed"]) == ("ok", MEANS, "it does")


def test_another_status_than_those_accepted(world: World) -> None:
    answer(world, 0.0, 503)
    cause = red(world.judge(), "probe_failed", f"Status 503 from {URL}", "answers with status 2xx", "wget")
    assert cause["fix"] == f"Find out why not: {ASK}"
    assert world.judge().check["observed"] == "status 503"


def test_no_answer_at_all(world: World) -> None:
    answer(world, 0.0, 0)
    red(world.judge(), "probe_failed", f"No answer from {URL}")


def test_a_probe_that_knows_no_status(world: World) -> None:
    answer(world, 0.0, 0)
    del world.server.values[STATUS]
    red(world.judge(), "probe_failed", f"No answer from {URL}")


def test_nothing_runs_behind_the_address(world: World) -> None:
    """The more upstream cause comes first, the probe's own words after it."""
    answer(world, 0.0, 0)
    state = {"waiting": {"reason": "CrashLoopBackOff"}}
    unready(world.pods[0], 600, state, 7)
    judgement = world.judge()
    red(judgement, "no_ready_endpoints", "Service data/trino, which the probe asks,", "CrashLoopBackOff")
    assert codes(judgement) == ["no_ready_endpoints", "probe_failed"]


def test_the_address_names_no_service(world: World) -> None:
    answer(world, 0.0, 0)
    world.services.remove(world.service)
    red(world.judge(), "no_service_matches", "namespace data has no Service trino; there is minio", "probe: {url: ")


def test_an_address_outside_the_cluster_is_not_looked_up(world: World) -> None:
    world.monitor["spec"]["targets"]["staticConfig"]["static"] = ["https://trino.example.com/v1/info"]
    answer(world, 0.0, 502)
    assert codes(world.judge()) == ["probe_failed"]


def test_the_prober_is_gone(world: World) -> None:
    """Its name does not resolve: that is a consequence and is not told beside the cause."""
    world.services = [one for one in world.services if one["metadata"]["name"] != "blackbox-exporter"]
    world.down('Get "http://x": dial tcp: lookup blackbox-exporter.monitoring.svc on 10.96.0.10:53: no such host')
    judgement = world.judge()
    red(judgement, "prober_missing", "Service monitoring/blackbox-exporter of the prober does not exist", "ansible-")
    assert codes(judgement) == ["prober_missing"]


def test_the_prober_does_not_run(world: World) -> None:
    unready(world.pods[-1], 600, {"waiting": {"reason": "ImagePullBackOff"}})
    world.down('Get "http://x": dial tcp 10.96.3.4:9115: connect: connection refused')
    judgement = world.judge()
    red(judgement, "prober_missing", "monitoring/blackbox-exporter, which makes the probe,", "ImagePullBackOff")
    assert codes(judgement) == ["prober_missing"]


def test_the_prober_has_no_pod(world: World) -> None:
    world.pods.pop()
    world.down('Get "http://x": dial tcp 10.96.3.4:9115: connect: connection refused')
    red(world.judge(), "prober_missing", "has no Pod")


def test_the_prober_runs_and_does_not_answer(world: World) -> None:
    world.down('Get "http://x": context deadline exceeded')
    red(world.judge(), "target_down_timeout", "kubectl -n monitoring logs service/blackbox-exporter --tail=50")


def test_a_prober_elsewhere_is_taken_at_its_word(world: World) -> None:
    world.monitor["spec"]["prober"]["url"] = "prober.example.com:9115"
    world.down('Get "http://x": dial tcp: lookup prober.example.com: no such host')
    red(world.judge(), "target_down_dns", "prober.example.com")


def test_no_probe_was_made(world: World) -> None:
    world.monitors.clear()
    red(world.judge(), "no_monitor", "Probe monitoring/trino does not exist")


def test_no_prometheus_selects_probes(world: World) -> None:
    world.prometheus["spec"]["probeSelector"] = None
    world.server.jobs, world.server.targets = {}, []
    red(world.judge(), "monitor_not_selected", "probeSelector is not set, which selects nothing")


def test_while_the_scrape_is_old_nothing_is_certain(world: World) -> None:
    """What was seen before the verdict began may be the state of before a repair."""
    answer(world, 0.0, 503)
    check = world.judge(started=NOW + 60).check
    assert (check["status"], check["cause"]["code"]) == ("unknown", "probe_failed")
