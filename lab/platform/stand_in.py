# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: dataplatform.monitoring contributors

"""python3 -m lab.platform.stand_in PRODUCT: a server in place of a product that no package registry carries.

It answers with the product's metrics (metrics.yml) and a few other pages, and writes log lines (behaviour.yml).
A test makes it ill through `/control`, which the Pod's port serves to whoever reaches the Pod:

    POST /control    {"metrics": {"vault_core_unsealed": 0, "vault_core_active": null},  # null: not there
                      "pages": {"/v1/sys/health": {"status": 503, "body": "...", "delay": 20}}}
    DELETE /control  healthy again
"""

from __future__ import annotations

import json
import random
import signal
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import yaml

from . import elasticsearch
from .series import Moment, exposition

HERE = Path(__file__).parent

#: https://prometheus.io/docs/instrumenting/exposition_formats/#basic-info
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Answer(NamedTuple):
    status: int
    content_type: str
    body: str
    delay: float = 0


class Product:
    """One product: what it answers now."""

    def __init__(self, metrics: Mapping[str, Any], behaviour: Mapping[str, Any], started: float) -> None:
        self.metrics = metrics
        self.behaviour = behaviour
        self.started = started
        self.control: dict[str, Any] = {}

    def answer(self, path: str, query: Mapping[str, list[str]], now: float) -> Answer:
        """The answer to GET path. Raises KeyError when the product has no such page."""
        at = Moment(self.started, now)
        changed = self.control.get("metrics", {})
        ill = self.control.get("pages", {}).get(path, {})
        if path in self.behaviour.get("metrics", []):
            wanted = query.get("name[]")
            metrics = {name: self.metrics[name] for name in wanted if name in self.metrics} if wanted else self.metrics
            answer = Answer(200, METRICS_TYPE, exposition(metrics, at, changed))
        else:
            pages = {"/-/ready": "ready\n"} | self.behaviour.get("pages", {})
            if self.behaviour.get("api") == "elasticsearch":
                pages |= elasticsearch.pages(self.metrics, at, changed)
            page = pages[path]
            text = page if isinstance(page, str) else json.dumps(page)
            answer = Answer(200, "text/plain" if isinstance(page, str) else "application/json", text)
        return answer._replace(**ill)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], product: Product) -> None:
        super().__init__(address, Handler)
        self.product = product


class Handler(BaseHTTPRequestHandler):
    server: Server

    @property
    def product(self) -> Product:
        return self.server.product

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        try:
            answer = self.product.answer(url.path, parse_qs(url.query), time.time())
        except KeyError:
            answer = Answer(404, "text/plain", f"no page {url.path} here\n")
        time.sleep(answer.delay)
        self._send(answer)

    def do_POST(self) -> None:
        if self.path != "/control":
            self._send(Answer(405, "text/plain", "only /control is written to\n"))
            return
        self.product.control = json.loads(self._body())
        self._send(Answer(200, "application/json", json.dumps(self.product.control)))

    def do_DELETE(self) -> None:
        self.product.control = {}
        self._send(Answer(200, "application/json", "{}"))

    def _body(self) -> bytes:
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        # The API server's proxy sends chunks, each after its length in hexadecimal; one of length 0 is the last.
        body = b""
        while length := int(self.rfile.readline(), 16):
            body += self.rfile.read(length)
            self.rfile.readline()
        return body

    def _send(self, answer: Answer) -> None:
        body = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: scrapes and probes are not what a product writes about."""


def line(logs: Mapping[str, Any], chance: random.Random, now: float) -> str:
    """One log line, as the product would write it."""
    lines = logs["lines"]
    chosen = chance.choices(lines, weights=[one["weight"] for one in lines])[0]
    moment = datetime.fromtimestamp(now, UTC)
    return chosen["text"].format(
        iso=moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        clock=moment.strftime("%Y-%m-%d %H:%M:%S,%f")[:-3],
        nginx=moment.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        klog=moment.strftime("%m%d %H:%M:%S.%f"),
        day=moment.strftime("%Y%m%d_%H%M%S"),
        id=chance.randrange(10000, 99999),
        small=chance.randrange(1, 40),
        ms=chance.randrange(3, 900),
        rows=chance.randrange(100, 90000),
        user=chance.choice(["ana", "ben", "chidi", "dora"]),
        table=chance.choice(["orders", "customers", "payments", "events"]),
    )


def write_logs(logs: Mapping[str, Any]) -> None:
    """Log lines for ever, irregularly, `every` so many seconds on average."""
    chance = random.Random()  # noqa: S311 (nothing secret about it)
    while True:
        print(line(logs, chance, time.time()), flush=True)
        time.sleep(min(chance.expovariate(1 / logs["every"]), 10 * logs["every"]))


def main(name: str) -> None:
    behaviour = yaml.safe_load((HERE / "behaviour.yml").read_text())[name]
    metrics = yaml.safe_load((HERE / "metrics.yml").read_text()).get(name, {}).get("metrics", {})
    # Process 1 of a container gets no default handling of signals and would be killed after 30 s.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if "logs" in behaviour:
        threading.Thread(target=write_logs, args=[behaviour["logs"]], daemon=True).start()
    Server(("", behaviour["port"]), Product(metrics, behaviour, time.time())).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
