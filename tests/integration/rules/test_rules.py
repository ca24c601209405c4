# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict of the rules against a real Prometheus: its own words, its own printing, its own series."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _promql
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import DirectApi
from ansible_collections.dataplatform.monitoring.plugins.module_utils._checks import all_causes
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_collect import Collector
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_loop import Outcome, judge_until_final
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_model import Expectation

from tests.integration.programs import Program, free_port, status, wait_for
from tests.lab_fixture import BIN
from tests.promtool.generate import suites

# Two sources tell the same thing, as two kube-state-metrics do.
PAGE = """
pod_info{namespace="a",pod="p",source="one"} 1
pod_info{namespace="a",pod="p",source="two"} 1
pod_cpu{namespace="a",pod="p"} 5
pod_cpu{namespace="a",pod="q"} 5
requests_total{code="200"} 5
errors_total 5
failures_total 5
temperature_celsius{room="kitchen"} 21
temperature_celsius{room="cellar"} 12
"""
BAD = {
    "ManyToMany": "pod_cpu * on (namespace, pod) pod_info > 0",
    "ManyToOne": "pod_cpu / on (namespace) sum by (namespace) (pod_cpu)",
    "SameLabels": 'rate({__name__=~"errors_total|failures_total"}[5s]) >= 0',
    "OwnLabels": "temperature_celsius > 0",
    "BrokenText": "vector(1)",
    "NoMetric": "temprature_celsius > 30",
    "NoJob": 'temperature_celsius{job="demos"} > 30',
    "NeverTogether": 'up{job="demo",instance="prometheus"} == 0',
}
GOOD = {
    "Value": 'requests_total{code=~"5.."} > 0',
    "Absent": 'absent(up{job="nobody"})',
    "Unless": "up unless nothing_at_all",
    "Or": "nothing_at_all > 1 or up == 0",
    "Plain": 'up{job="demo"} == 0',
}


class Prometheus(Program):
    """Prometheus with rules, that scrapes itself and a page every second."""

    def __init__(self, folder: Path, page_port: int, groups: list[dict[str, Any]]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.rules = folder / "rules.yml"
        self.write(groups)
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s", "scrape_timeout": "900ms"},
            "rule_files": [str(self.rules)],
            "scrape_configs": [
                {"job_name": "demo", "static_configs": [{"targets": [f"127.0.0.1:{page_port}"]}]},
                {
                    "job_name": "prometheus",
                    "static_configs": [{"targets": [f"127.0.0.1:{self.port}"], "labels": {"instance": "prometheus"}}],
                },
            ],
        }
        path = folder / "prometheus.yml"
        path.write_text(yaml.safe_dump(config))
        super().__init__(
            [
                str(BIN / "prometheus"),
                f"--config.file={path}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--web.enable-lifecycle",
                "--log.level=error",
            ],
            folder / "prometheus.log",
        )
        wait_for(lambda: status(f"{self.url}/-/ready") == 200, f"Prometheus ready, see {self.log}")

    def write(self, groups: list[dict[str, Any]]) -> None:
        """Write the rule file, without loading it."""
        self.rules.write_text(json.dumps({"groups": groups}))

    def reload(self) -> None:
        """Load what was written."""
        request = urllib.request.Request(f"{self.url}/-/reload", method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200

    def judge(self, *groups: dict[str, Any], timeout: float = 60.0, **more: Any) -> Outcome:
        """The verdict, as of a Prometheus without Kubernetes."""
        wanted = [
            Expectation.parse({"name": group["name"], "groups": [group], **more}, number)
            for number, group in enumerate(groups)
        ]
        return judge_until_final(wanted, Collector(lambda: [DirectApi(self.url, timeout=10.0)], None), timeout)


def group(name: str, alerts: dict[str, str], **more: Any) -> dict[str, Any]:
    """A group of alerts, each with a template that works, but for BrokenText; OwnLabels overwrites what differs."""
    rules = [
        {
            "alert": alert,
            "expr": expr,
            "labels": {"room": "any"} if alert == "OwnLabels" else {},
            "annotations": {"summary": '{{ parseDuration "soon" }}' if alert == "BrokenText" else "{{ $labels.job }}"},
        }
        for alert, expr in alerts.items()
    ]
    return {"name": name, "rules": rules, **more}


GROUPS = [group(name, {name: expr}) for name, expr in BAD.items()]
HEALTHY = group("healthy", GOOD)
LIMITED = group("limited", {"Limited": "temperature_celsius > 0"}, limit=1)


@pytest.fixture(scope="module")
def page() -> Iterator[int]:
    """A port that tells the page above."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = PAGE.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def stack() -> Iterator[contextlib.ExitStack]:
    """Whatever is started is ended."""
    with contextlib.ExitStack() as found:
        yield found


@pytest.fixture(scope="module")
def prometheus(stack: contextlib.ExitStack, page: int, tmp_path_factory: pytest.TempPathFactory) -> Prometheus:
    """A server with everything that can be wrong, warmed up."""
    server = Prometheus(tmp_path_factory.mktemp("rules"), page, [*GROUPS, HEALTHY, LIMITED])
    stack.callback(server.stop)
    wait_for(lambda: "prometheus_rule_evaluation_failures_total" in _names(server), "its own metrics")
    wait_for(lambda: _failures(server) >= 2, "failures that were counted")
    return server


def _names(server: Prometheus) -> list[str]:
    return DirectApi(server.url).get_json("/api/v1/label/__name__/values")["data"]


def _failures(server: Prometheus) -> float:
    found = DirectApi(server.url).get_json(
        "/api/v1/query", [("query", "min(increase(prometheus_rule_evaluation_failures_total[15m]) > 0)")]
    )["data"]["result"]
    return float(found[0]["value"][1]) if found else 0.0


@pytest.fixture(scope="module")
def judged(prometheus: Prometheus) -> dict[str, Any]:
    """All checks by name. A server this young may still get series, so that the time is what ends it."""
    done = prometheus.judge(*GROUPS, HEALTHY, LIMITED, timeout=5)
    return {one.check["name"]: one.check for one in done.judgements}


EXPECTED = {
    "ManyToMany": ("rule_many_to_many", "source (one and two)"),
    "ManyToOne": ("rule_many_to_one", "/ on (namespace)"),
    "SameLabels": ("rule_duplicate_result", "dropped the names"),
    "OwnLabels": ("rule_duplicate_result", "the rule's own labels overwrite"),
    "BrokenText": ("rule_template_broken", "parseDuration"),
    "NoMetric": ("rule_metric_missing", "nearest: temperature_celsius"),
    "NoJob": ("rule_identity_missing", 'job="demos"; nearest: demo'),
    "NeverTogether": ("rule_selects_nothing", "each of its labels exists"),
    "limited": ("rule_limit_exceeded", "is 1 and it has 2"),
}


@pytest.mark.parametrize(("name", "code", "part"), [(name, *told) for name, told in EXPECTED.items()])
def test_each_fault_has_its_cause(judged: dict[str, Any], name: str, code: str, part: str) -> None:
    check = judged[name]
    assert check["status"] == "failed"
    assert [one["code"] for one in all_causes(check)] == [code]
    assert part in check["cause"]["message"]


def test_what_is_empty_for_a_good_reason_is_well(judged: dict[str, Any]) -> None:
    assert judged["healthy"]["status"] == "ok"
    assert "Absent fires now." in judged["healthy"]["notes"]


def test_rules_that_changed_and_were_not_loaded(prometheus: Prometheus) -> None:
    changed = group("healthy", {**GOOD, "Plain": 'up{job="demo"} == 1', "New": "up == 0"})
    check = prometheus.judge(changed, timeout=4).judgements[0].check
    assert check["cause"]["code"] == "rules_outdated"
    assert "Plain has another expr" in check["cause"]["message"]
    assert "New is missing" in check["cause"]["message"]


def test_a_first_evaluation_is_waited_for(prometheus: Prometheus) -> None:
    late = group("late", {"Late": 'up{job="demo"} == 0'}, interval="4s")
    prometheus.write([*GROUPS, HEALTHY, LIMITED, late])
    prometheus.reload()
    done = prometheus.judge(late, timeout=30)
    assert done.judgements[0].check["status"] == "ok"


def test_prometheus_prints_what_we_take_for_the_same(prometheus: Prometheus) -> None:
    """Its printing of every shipped expression is, to our reader, the expression that was written."""
    groups = [{"name": one.name, "interval": "1h", "rules": one.rules["groups"][0]["rules"]} for one in suites()]
    prometheus.write(groups)
    prometheus.reload()
    loaded = DirectApi(prometheus.url).get_json("/api/v1/rules")["data"]["groups"]
    printed = {(one["name"], rule["name"]): rule["query"] for one in loaded for rule in one["rules"]}
    written = {(one["name"], rule["alert"]): rule["expr"] for one in groups for rule in one["rules"]}
    assert len(printed) == len(written) > 90
    assert [key for key, expr in written.items() if not _promql.same(expr, printed[key])] == []


def test_250_rules_within_five_seconds(prometheus: Prometheus) -> None:
    rules = [
        {"alert": f"A{number}", "expr": f'sum by (job) (rate(nothing_{number % 90}_total{{job="j{number}"}}[5m])) > 0'}
        for number in range(250)
    ]
    many = {"name": "many", "interval": "1h", "rules": rules}
    prometheus.write([many])
    prometheus.reload()
    begin = time.monotonic()
    prometheus.judge(many, timeout=0)
    assert time.monotonic() - begin < 5
