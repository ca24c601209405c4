# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus, Alertmanager and Loki as somebody runs them on a machine of theirs: no Kubernetes, nothing of ours."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from tests.integration.logs.conftest import LokiServer
from tests.integration.programs import Program, free_port, status, wait_for
from tests.lab_fixture import BIN

GOOD_RULES = [
    {"alert": "Watchdog", "expr": "vector(1)", "labels": {"severity": "critical"}},
    {"alert": "InstanceDown", "expr": "up == 0", "for": "1m", "labels": {"severity": "critical"}},
]
# Both series have the labels of the other once `instance` is gone.
BAD_RULE = {"alert": "Twice", "expr": "up * on () up > 0"}


class Web:
    """A service with metrics, and a receiver of notifications that may refuse them."""

    def __init__(self) -> None:
        self.refuses = False
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(200, b"orders_total 7\n")

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(403 if web.refuses else 200, b"")

            def _answer(self, code: int, body: bytes) -> None:
                self.send_response(code)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Plain:
    """The installation; each part of its configuration can be changed and loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.web = Web()
        ports = [free_port() for _each in range(3)]
        self.prometheus, self.alertmanager = (f"http://127.0.0.1:{port}" for port in ports[:2])
        self._programs: list[Program] = []
        self.configure()
        self.route()
        # In this order: an alert that cannot be sent is sent again after a minute only.
        self._start("alertmanager", ports[1], "storage.path", "--cluster.listen-address=")
        self._start("prometheus", ports[0], "storage.tsdb.path", "--web.enable-lifecycle")
        (folder / "loki").mkdir()
        self.loki = LokiServer(folder / "loki")
        self._programs.append(self.loki)
        self.loki.ready()

    def _start(self, name: str, port: int, data: str, more: str) -> None:
        words = [f"--config.file={self.folder / name}.yml", f"--{data}={self.folder / name}", "--log.level=warn", more]
        program = [str(BIN / name), *words, f"--web.listen-address=127.0.0.1:{port}"]
        self._programs.append(Program(program, self.folder / f"{name}.log"))
        wait_for(lambda: status(f"http://127.0.0.1:{port}/-/ready") == 200, f"{name} ready")

    def configure(self, more_targets: tuple[str, ...] = (), rules: tuple[dict[str, Any], ...] = ()) -> None:
        """Write what Prometheus scrapes and evaluates."""
        jobs = {
            "prometheus": [self.prometheus.removeprefix("http://")],
            "alertmanager": [self.alertmanager.removeprefix("http://")],
            "orders": [self.web.address, *more_targets],
        }
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s", "scrape_timeout": "900ms"},
            "rule_files": [str(self.folder / "rules.yml")],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": jobs["alertmanager"]}]}]},
            "scrape_configs": [
                {"job_name": name, "static_configs": [{"targets": targets}]} for name, targets in jobs.items()
            ],
        }
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        groups = [{"name": "platform", "rules": [*GOOD_RULES, *rules]}]
        (self.folder / "rules.yml").write_text(json.dumps({"groups": groups}))
        self._reload(self.prometheus)

    def route(self, *children: dict[str, Any]) -> None:
        """Write who is told: everything pages, unless a child takes it."""
        config = {
            "route": {
                "receiver": "pager",
                "group_by": ["alertname"],
                "group_wait": "1s",
                "group_interval": "1s",
                "repeat_interval": "1s",
                "routes": list(children),
            },
            "receivers": [
                {"name": "pager", "webhook_configs": [{"url": f"http://{self.web.address}/page"}]},
                {"name": "null"},
            ],
        }
        (self.folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
        self._reload(self.alertmanager)

    def _reload(self, url: str) -> None:
        if self._programs:
            with urllib.request.urlopen(urllib.request.Request(f"{url}/-/reload", method="POST"), timeout=30):
                pass

    def value(self, expression: str) -> float:
        """The value of an expression with one result, 0 without."""
        question = f"{self.prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        with urllib.request.urlopen(question, timeout=10) as answer:
            found = json.load(answer)["data"]["result"]
        return float(found[0]["value"][1]) if found else 0.0

    def stop(self) -> None:
        for program in reversed(self._programs):
            program.stop()
        self.web.stop()
