# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SLOs on a real Prometheus: the rules as they are deployed, over a day that was recorded before it started.

The rules are evaluated every second here instead of every minute, so that an hour of samples comes together in one.
"""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _catalogue_resolve,
    _packs,
    _rules,
    _slo,
    _slo_model,
    _slo_verdict,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import DirectApi
from ansible_collections.dataplatform.monitoring.plugins.module_utils._checks import all_causes
from ansible_collections.dataplatform.monitoring.plugins.module_utils._slo_collect import Collector

from tests.integration.programs import Program, free_port, status, wait_for
from tests.lab_fixture import BIN

PAGE = """
# TYPE shop_requests_total counter
shop_requests_total{code="200"} %(ok)d
shop_requests_total{code="500"} %(bad)d
# TYPE shop_seconds histogram
shop_seconds_bucket{le="0.5"} %(ok)d
shop_seconds_bucket{le="1"} %(ok)d
shop_seconds_bucket{le="+Inf"} %(ok)d
shop_seconds_count %(ok)d
shop_seconds_sum %(ok)d
pair{side="a"} 1
pair{side="b"} 1
"""
DAY = 86_400
REQUESTS = {"errors": 'rate(shop_requests_total{$selector,code=~"5.."}[5m])'}
REQUESTS["total"] = "rate(shop_requests_total{$selector}[5m])"


def shop(name: str, job: str = "shop", **slo: Any) -> dict[str, Any]:
    """An entry that adopts a job of the server."""
    own = {"objective": 99, "window": "1d", "sli": "any", **slo}
    return {"name": name, "kind": "generic", "namespace": "n", "adopt": True, "job": job, "slo": own}


# One job for all but the first would be refused by validation, which is not what is tested here.
ENTRIES = [
    shop(
        "steady",
        sli="requests",
        **REQUESTS,
        latency={"threshold": "500ms", "objective": 95, "histogram": "shop_seconds"},
    ),
    shop("exhausted"),
    shop("gaps"),
    shop("outage", window="2d"),
    shop("young"),
    shop("away", "away", objective=99.9),
    shop("fails", sli="requests", objective=99.9, errors=REQUESTS["total"], total=REQUESTS["total"]),
    shop("typo", sli="requests", errors=REQUESTS["errors"], total="rate(shop_request_total{$selector}[5m])"),
    shop("bucket", latency={"threshold": "2s", "objective": 95, "histogram": "shop_seconds"}),
    shop("nobody", "shoop"),
    shop("broken", sli="requests", errors="pair{$selector} * on (job) pair{$selector}", total=REQUESTS["total"]),
    shop("month", window="28d"),
]
# Downtime by the hour of the day that lies behind; None was not recorded.
HOURS: dict[str, list[int | None]] = {
    "steady": [0] * 25,
    "exhausted": [0] * 4 + [1] + [0] * 20,
    "gaps": [0] * 3 + [None] * 8 + [0] * 14,
    # not yet as old as its window
    "outage": [0] * 6 + [None] * 10 + [0] * 14,
}
UNTIL = 600


def groups() -> dict[str, dict[str, Any]]:
    """The group of each entry's SLOs, evaluated every second."""
    found = _catalogue_resolve.resolve(ENTRIES, _packs.load(), {}, "monitoring", now="2026-01-01T00:00:00Z")
    objects = _rules.catalogue_rules(found, _rules.Settings())
    wanted = [group for item in objects for group in item["spec"]["groups"] if group["name"].endswith("-slo")]
    return {group["name"].removesuffix("-slo"): {**group, "interval": "1s"} for group in wanted}


def expectations(**change: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the filter makes; by service, what is changed of it."""
    found = _catalogue_resolve.resolve(ENTRIES, _packs.load(), {}, "monitoring", now="2026-01-01T00:00:00Z")
    return [{**one, **change.get(one["service"], {})} for one in _slo.expectations(found)]


def past(now: int) -> str:
    """The day before, as it would have been recorded, in OpenMetrics."""
    lines = ["# TYPE slo:downtime:ratio gauge"]
    more: dict[str, list[str]] = {"slo:errors:rate5m": [], "slo:events:rate5m": []}
    for name, hours in HOURS.items():
        labels = f'{{slo="{name}-availability",service="{name}",sli="availability"}}'
        start = now - 60 * 60 * len(hours)
        for minute in range(60 * len(hours)):
            moment, down = start + 60 * minute, hours[minute // 60]
            if down is None or moment > now - UNTIL + 540:
                continue
            lines.append(f"slo:downtime:ratio{labels} {down} {moment}")
            if name == "steady":
                more["slo:errors:rate5m"].append(f"slo:errors:rate5m{labels} 0.004 {moment}")
                more["slo:events:rate5m"].append(f"slo:events:rate5m{labels} 2 {moment}")
        if name == "steady":
            latency = labels.replace("availability", "latency")
            times = [start + 60 * minute for minute in range(60 * len(hours) - 1)]
            lines += [f"slo:downtime:ratio{latency} 0 {moment}" for moment in times]
            more["slo:errors:rate5m"] += [f"slo:errors:rate5m{latency} 0.2 {moment}" for moment in times]
            more["slo:events:rate5m"] += [f"slo:events:rate5m{latency} 2 {moment}" for moment in times]
    for metric, samples in more.items():
        lines += [f"# TYPE {metric} gauge", *samples]
    return "\n".join([*lines, "# EOF", ""])


class Prometheus(Program):
    """Prometheus with a past, that scrapes a page every second."""

    def __init__(self, folder: Path, page_port: int) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.rules = folder / "rules.json"
        self.groups = groups()
        self.write(self.groups)
        data = folder / "data"
        (folder / "past.txt").write_text(past(int(time.time())))
        subprocess.run(
            [
                str(BIN / "promtool"),
                "tsdb",
                "create-blocks-from",
                "openmetrics",
                "-q",
                str(folder / "past.txt"),
                str(data),
            ],
            check=True,
            capture_output=True,
        )
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s", "scrape_timeout": "900ms"},
            "rule_files": [str(self.rules)],
            "scrape_configs": [
                {"job_name": "shop", "static_configs": [{"targets": [f"127.0.0.1:{page_port}"]}]},
                {"job_name": "away", "static_configs": [{"targets": ["127.0.0.1:1"]}]},
            ],
        }
        path = folder / "prometheus.yml"
        path.write_text(yaml.safe_dump(config))
        super().__init__(
            [
                str(BIN / "prometheus"),
                f"--config.file={path}",
                f"--storage.tsdb.path={data}",
                "--storage.tsdb.retention.time=3d",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--web.enable-lifecycle",
                "--log.level=error",
            ],
            folder / "prometheus.log",
        )
        wait_for(lambda: status(f"{self.url}/-/ready") == 200, f"Prometheus ready, see {self.log}")

    def write(self, wanted: Mapping[str, Any]) -> None:
        """Write the rule file, without loading it."""
        self.rules.write_text(json.dumps({"groups": list(wanted.values())}))

    def reload(self) -> None:
        """Load what was written."""
        request = urllib.request.Request(f"{self.url}/-/reload", method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200

    def judge(self, wanted: list[dict[str, Any]], gate: float | None = None, timeout: float = 0.0) -> dict[str, Any]:
        """Judgements by the name of the SLO."""
        parsed = [_slo_model.Expectation.parse(one, number) for number, one in enumerate(wanted)]
        source = Collector(lambda: [DirectApi(self.url, timeout=10.0)], parsed)
        asked = None if gate is None else _slo_verdict.Gate(gate)
        done = _slo_verdict.judge_until_final(parsed, source, asked, _slo_verdict.Way("make rules"), timeout)
        return {one.check["name"]: one for one in done.judgements}

    def value(self, expr: str) -> float | None:
        """The first sample of an expression."""
        found = DirectApi(self.url).get_json("/api/v1/query", [("query", expr)])["data"]["result"]
        return float(found[0]["value"][1]) if found else None


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A server that has evaluated everything, and burns where it should."""
    begin = time.monotonic()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            passed = time.monotonic() - begin
            body = (PAGE % {"ok": 10 * passed, "bad": 0.02 * passed}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    page = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=page.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    server = Prometheus(tmp_path_factory.mktemp("slo"), page.server_port)
    try:
        for name in ("away", "fails"):
            burns = f'slo:burn_rate:rate1h{{slo="{name}-availability"}} > 10'
            wait_for(lambda burns=burns: server.value(burns), f"{name} burns")
        yield server
    finally:
        server.stop()
        page.shutdown()
        page.server_close()


@pytest.fixture(scope="module")
def judged(prometheus: Prometheus) -> dict[str, Any]:
    """All SLOs as they are."""
    return prometheus.judge(expectations())


def test_a_day_of_requests(judged: dict[str, Any]) -> None:
    found = judged["steady-availability"]
    assert found.check["status"] == "ok"
    assert found.slo["state"] == "ok"
    assert found.slo["coverage"] > 0.99
    assert found.slo["error_ratio"]["window"] == pytest.approx(0.002, rel=0.1)
    assert found.slo["budget_left"] == pytest.approx(0.8, abs=0.03)
    assert found.slo["events"] == pytest.approx(2 * DAY, rel=0.05)
    assert found.slo["exhaustion_seconds"] is None


def test_latency_by_a_histogram(judged: dict[str, Any]) -> None:
    found = judged["steady-latency"]
    assert found.check["status"] == "ok"
    # twice what is allowed for a day, then as fast as light
    assert found.slo["state"] in ("exhausted", "burning_page")
    assert found.slo["error_ratio"]["window"] == pytest.approx(0.1, rel=0.1)


def test_a_budget_that_is_gone_is_told_and_no_fault_of_the_slo(judged: dict[str, Any]) -> None:
    found = judged["exhausted-availability"]
    assert (found.check["status"], found.slo["state"]) == ("ok", "exhausted")
    assert found.slo["budget_left"] == pytest.approx(1 - 100 / 24, abs=0.2)
    assert found.slo["exhaustion_seconds"] == 0
    assert "The error budget is exhausted." in found.check["notes"]


@pytest.mark.parametrize("name", ["away", "fails"])
def test_a_service_that_fails_burns_and_lives(judged: dict[str, Any], name: str) -> None:
    found = judged[f"{name}-availability"]
    assert (found.check["status"], found.slo["state"]) == ("ok", "burning_page")
    assert found.slo["error_ratio"]["5m"] == pytest.approx(1)


def test_young_is_well(judged: dict[str, Any]) -> None:
    found = judged["young-availability"]
    assert (found.check["status"], found.slo["state"]) == ("ok", "young")
    assert found.slo["budget_left"] == 1
    assert "young" in found.check["observed"]


DEAD = {
    "typo-availability": ("slo_no_data", "there is no metric shop_request_total; nearest: shop_requests_total"),
    "bucket-latency": ("slo_no_data", "0.5"),
    "nobody-availability": ("slo_no_data", 'job="shoop"; nearest: shop'),
    "broken-availability": ("slo_rule_failing", "many-to-many"),
    "gaps-availability": ("slo_gaps", "of the last 1d"),
    "outage-availability": ("slo_gaps", "of the 1 d since the beginning"),
    "month-availability": ("slo_window_not_kept", "keeps samples for 3 d"),
}


@pytest.mark.parametrize("name", DEAD)
def test_each_fault_has_its_cause(judged: dict[str, Any], name: str) -> None:
    code, part = DEAD[name]
    check = judged[name].check
    assert check["status"] == "failed"
    assert [one["code"] for one in all_causes(check)] == [code]
    assert part in check["cause"]["message"]
    assert ": " in check["cause"]["fix"]


def test_what_is_dead_has_no_number(judged: dict[str, Any]) -> None:
    found = judged["typo-availability"].slo
    assert found["state"] == "no_data"
    assert found["budget_left"] is None
    assert set(found["error_ratio"].values()) == {None}


def test_another_objective(prometheus: Prometheus) -> None:
    found = prometheus.judge(expectations(steady={"objective": 99.5}))["steady-availability"]
    assert found.check["cause"]["code"] == "slo_differs"


def test_a_gate(prometheus: Prometheus) -> None:
    found = prometheus.judge(expectations(), gate=0.1)
    assert found["steady-availability"].check["status"] == "ok"
    for name in ("exhausted-availability", "away-availability"):
        assert found[name].check["status"] == "failed"
        assert found[name].check["cause"]["code"] == "slo_gate_closed"
    assert found["young-availability"].check["status"] == "unknown"
    assert found["young-availability"].check["cause"]["code"] == "slo_young"
    assert prometheus.judge(expectations(), gate=0.9)["steady-availability"].check["status"] == "failed"


@pytest.mark.parametrize("check", [[], ["--check"]], ids=["normal", "check mode"])
def test_the_module_as_ansible_runs_it(prometheus: Prometheus, check: list[str]) -> None:
    wanted = [one for one in expectations() if one["service"] in ("steady", "typo")]
    given = {"url": prometheus.url, "kubernetes": False, "timeout": 5, "report_only": True, "expectations": wanted}
    command = [
        str(Path(sys.executable).parent / "ansible"), "localhost", "-i", "localhost,", "-c", "local",
        "-m", "dataplatform.monitoring.slo_info", "-e", f"ansible_python_interpreter={sys.executable}",
        "-a", json.dumps(given), *check,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    result = json.loads(done.stdout.partition(" => ")[2])
    assert result["changed"] is False
    assert [one["name"] for one in result["checks"]] == ["steady-availability", "steady-latency", "typo-availability"]
    assert [one["slo"] for one in result["slos"]] == [one["name"] for one in result["checks"]]


def test_rules_that_are_missing_or_new(prometheus: Prometheus) -> None:
    changed = {name: group for name, group in prometheus.groups.items() if name != "exhausted"}
    kept = [rule for rule in changed["steady"]["rules"] if rule.get("record") != "slo:error_ratio:rate1h"]
    changed["steady"] = {**changed["steady"], "rules": kept}
    changed["young"] = {**changed["young"], "interval": "1h"}
    prometheus.write(changed)
    prometheus.reload()
    try:
        found = prometheus.judge(expectations())
        assert found["exhausted-availability"].check["cause"]["code"] == "slo_rule_missing"
        assert found["steady-availability"].check["cause"]["code"] == "slo_rule_missing"
        assert "slo:error_ratio:rate1h" in found["steady-availability"].check["cause"]["message"]
        assert found["young-availability"].check["status"] == "unknown"
        assert found["young-availability"].check["cause"]["code"] == "slo_not_evaluated"
        assert not found["young-availability"].final
    finally:
        prometheus.write(prometheus.groups)
        prometheus.reload()


def test_two_hundred_slos_within_two_seconds(prometheus: Prometheus) -> None:
    one = next(item for item in expectations() if item["slo"] == "young-availability")
    many = [{**one, "slo": f"s{number}", "sources": [f'up{{job="s{number}"}}']} for number in range(200)]
    begin = time.monotonic()
    prometheus.judge(many)
    assert time.monotonic() - begin < 5
