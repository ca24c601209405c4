# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Prometheus and Loki processes on loopback for the verdict of the dashboards."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _argspec, _checks, _dashboards_main
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import DirectApi

from tests.integration.logs.conftest import LokiServer
from tests.integration.programs import Program, free_port, status, wait_for
from tests.lab_fixture import BIN

PAGE = """
# TYPE http_requests_total counter
http_requests_total{namespace="shop",pod="web-1",code="200"} %d
http_requests_total{namespace="shop",pod="web-2",code="200"} 3
http_requests_total{namespace="bank",pod="core-1",code="200"} %d
quota{namespace="shop"} 8
used_bytes{namespace="bank",pod="core-1",source="one"} 5
used_bytes{namespace="bank",pod="core-1",source="two"} 5
limit_bytes{namespace="bank",pod="core-1"} 10
limit_bytes{namespace="bank",pod="core-9"} 10
room_celsius{room="kitchen"} 21
attempts_total 0
failures_total 0
"""


class Prometheus(Program):
    """Prometheus that scrapes itself and a page every second, and records one rule."""

    def __init__(self, folder: Path, page_port: int) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        rules = {
            "groups": [
                {
                    "name": "recorded",
                    "interval": "1s",
                    "rules": [
                        {"record": "shop:requests:sum", "expr": 'sum(http_requests_total{namespace="shop"})'},
                        {"record": "dead:requests:sum", "expr": "sum(nothing_total)"},
                    ],
                }
            ]
        }
        (folder / "rules.yml").write_text(yaml.safe_dump(rules))
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "900ms"},
            "rule_files": [str(folder / "rules.yml")],
            "scrape_configs": [
                {"job_name": "demo", "static_configs": [{"targets": [f"127.0.0.1:{page_port}"]}]},
                {"job_name": "prometheus", "static_configs": [{"targets": [f"127.0.0.1:{self.port}"]}]},
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
                "--log.level=error",
            ],
            folder / "prometheus.log",
        )
        wait_for(lambda: status(f"{self.url}/-/ready") == 200, f"Prometheus ready, see {self.log}")

    def has(self, expr: str) -> bool:
        """Whether a query has a result."""
        data = DirectApi(self.url).get_json("/api/v1/query", [("query", expr)])["data"]
        return bool(data["result"])


@pytest.fixture(scope="session")
def metrics_page() -> Iterator[int]:
    """A port that tells the page above, with counters that count."""
    turns = [0]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            turns[0] += 1
            body = (PAGE % (turns[0], 2 * turns[0])).encode()
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


@pytest.fixture(scope="session")
def prometheus(metrics_page: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """One server, warmed up."""
    with contextlib.ExitStack() as stack:
        server = Prometheus(tmp_path_factory.mktemp("dashboards"), metrics_page)
        stack.callback(server.stop)
        wait_for(lambda: server.has("rate(http_requests_total[5s]) > 0"), "a rate of the page")
        wait_for(lambda: server.has("shop:requests:sum"), "a recorded rule")
        wait_for(lambda: server.has("prometheus_build_info"), "its own metrics")
        yield server


@pytest.fixture(scope="session")
def loki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LokiServer]:
    """A Loki with two streams."""
    server = LokiServer(tmp_path_factory.mktemp("loki"))
    try:
        server.ready()
        wait_for(lambda: server.push(3, namespace="shop", container="web") == 204, "Loki takes lines")
        assert server.push(3, namespace="bank", container="core") == 204
        yield server
    finally:
        server.stop()


class Judged:
    """What the verdict said: `judged["Shop"]` is a check, `codes("Shop")` the codes of its causes."""

    def __init__(self, outcome: _dashboards_main.Outcome) -> None:
        self.outcome = outcome
        self.checks = {check["name"]: check for check in outcome.checks}
        self.boards = {board["title"]: board for board in outcome.boards}

    def __getitem__(self, name: str) -> dict[str, Any]:
        return self.checks[name]

    def codes(self, name: str) -> list[str]:
        return [cause["code"] for cause in _checks.all_causes(self.checks[name])]

    def panels(self, name: str) -> dict[str, dict[str, Any]]:
        return {panel["title"]: panel for panel in self.boards[name]["panels"]}


@pytest.fixture
def judge(prometheus: Prometheus, loki: LokiServer) -> Callable[..., Judged]:
    """Run the verdict on boards that are given as JSON; a young server is not waited for."""

    def run(*boards: dict[str, Any], **given: Any) -> Judged:
        specs = {
            **_argspec.CONNECTION_SPEC,
            **_argspec.VERDICT_SPEC,
            **_dashboards_main.SPEC,
            **_argspec.kube_auth_spec(),
        }
        params = {name: spec.get("default") for name, spec in specs.items()}
        params.update(
            kubernetes=False,
            boards=list(boards),
            prometheus={"url": prometheus.url},
            loki={"url": loki.url},
            datasources=[
                {"uid": "prometheus", "name": "Prometheus", "type": "prometheus", "default": True, "interval": "1s"},
                {"uid": "loki", "name": "Loki", "type": "loki"},
            ],
            timeout=4,
        )
        params.update(given)
        return Judged(_dashboards_main.Verdict(params).run())

    return run
