# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Prometheus processes on loopback, and small HTTP servers that fail in every way a target can."""

from __future__ import annotations

import contextlib
import http.server
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import DirectApi
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_collect import Collector
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_loop import Outcome, judge_until_final
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import Expectation

from tests.integration.programs import Program, free_port, status, wait_for
from tests.lab_fixture import BIN

METRICS = "".join(f"demo_metric_{i} {i}\n" for i in range(20)) + "pg_up 1\n"


class PrometheusServer(Program):
    """Prometheus that scrapes every second."""

    def __init__(self, folder: Path, jobs: list[dict[str, Any]]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = folder / "prometheus.yml"
        self.write(jobs)
        super().__init__(
            [
                str(BIN / "prometheus"),
                f"--config.file={self.config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--web.enable-lifecycle",
                "--log.level=warn",
            ],
            folder / "prometheus.log",
        )
        wait_for(lambda: status(f"{self.url}/-/ready") == 200, f"Prometheus ready, see {self.log}")

    def write(self, jobs: list[dict[str, Any]]) -> None:
        """Write its configuration, without loading it."""
        common = {"scrape_interval": "1s", "scrape_timeout": "500ms"}
        self.config.write_text(yaml.safe_dump({"global": common, "scrape_configs": jobs}))

    def reload(self) -> int:
        """Load the configuration; the HTTP status of the attempt."""
        request = urllib.request.Request(f"{self.url}/-/reload", method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as exc:
            return exc.code

    def judge(self, *expectations: dict[str, Any], timeout: float = 60, total: int = 0) -> Outcome:
        """The verdict, as of a Prometheus without Kubernetes."""
        items = [Expectation.parse({"monitor": None, **item}, i) for i, item in enumerate(expectations)]
        api = DirectApi(self.url, timeout=5.0)
        return judge_until_final(items, Collector(lambda: [api], None), timeout, total)


class Exporter:
    """An HTTP server on loopback that answers as it is told; `answer` may be changed while it runs."""

    def __init__(self, context: ssl.SSLContext | None = None, address: str = "127.0.0.1", **answer: Any) -> None:
        outer = self
        self.answer: dict[str, Any] = {"status": 200, "type": "text/plain; version=0.0.4", "body": METRICS, **answer}

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                told = outer.answer
                time.sleep(told.get("sleep", 0))
                if told.get("close"):
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                body = told["body"].encode()
                self.send_response(told["status"])
                if told["type"] is not None:
                    self.send_header("Content-Type", told["type"])
                for name, value in (told.get("headers") or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A broken connection is what some of these tests are about."""

        self.server = Server((address, 0), Handler)
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        self.address = f"{address}:{self.port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def job(self, name: str, **more: Any) -> dict[str, Any]:
        """A scrape configuration for it."""
        return {"job_name": name, "static_configs": [{"targets": [self.address]}], **more}

    def stop(self) -> None:
        """Close the port."""
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def stack() -> Iterator[contextlib.ExitStack]:
    """Whatever a module's tests start is ended after them."""
    with contextlib.ExitStack() as found:
        yield found


@pytest.fixture(scope="module")
def exporter(stack: contextlib.ExitStack) -> Callable[..., Exporter]:
    """Start an exporter: `exporter(status=500)`."""

    def start(*args: Any, **answer: Any) -> Exporter:
        started = Exporter(*args, **answer)
        stack.callback(started.stop)
        return started

    return start


@pytest.fixture(scope="module")
def prometheus(
    stack: contextlib.ExitStack, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., PrometheusServer]:
    """Start a Prometheus with the given scrape configurations on a free port."""

    def start(jobs: list[dict[str, Any]]) -> PrometheusServer:
        started = PrometheusServer(tmp_path_factory.mktemp("prometheus"), jobs)
        stack.callback(started.stop)
        return started

    return start


@pytest.fixture(scope="module")
def tls_context() -> ssl.SSLContext:
    """A certificate that nobody trusts, for another name."""
    context, authority = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), trustme.CA()
    authority.issue_cert("elsewhere.example").configure_cert(context)
    context.authority = authority
    return context
