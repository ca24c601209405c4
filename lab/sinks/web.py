# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP: a server that can be closed and opened again on the same port, and the sink's own control page."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from lab.sinks.store import Store


class Answer(NamedTuple):
    status: int
    body: str
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


def as_json(status: int, value: Any, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(status, json.dumps(value, ensure_ascii=False, indent=1) + "\n", "application/json", headers)


class Request(NamedTuple):
    method: str
    path: str
    content_type: str
    body: bytes


Handle = Callable[[Request], Answer]


class Server:
    """Answers with what `handle` says, in one thread for each connection. Closed, it refuses connections."""

    def __init__(self, address: str, port: int, handle: Handle) -> None:
        self._address, self._port, self._handle = address, port, handle
        self._httpd: ThreadingHTTPServer | None = None

    def open(self) -> None:
        if self._httpd is not None:
            return
        httpd = ThreadingHTTPServer((self._address, self._port), _handler(self._handle))
        httpd.daemon_threads = True
        self._port = httpd.server_port
        self._httpd = httpd
        threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        httpd, self._httpd = self._httpd, None
        if httpd is not None:
            httpd.shutdown()
            httpd.server_close()


def _handler(handle: Handle) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 120

        def do_POST(self) -> None:
            kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            self._answer(handle(Request(self.command, self.path, kind, self._body())))

        do_GET = do_PUT = do_DELETE = do_POST

        def _body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            # The API server's proxy sends chunks, each after its length in hexadecimal; one of length 0 is the last.
            body = b""
            while length := int(self.rfile.readline(), 16):
                body += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _answer(self, answer: Answer) -> None:
            body = answer.body.encode()
            try:
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", str(len(body)))
                for name, value in answer.headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the sender had waited long enough

        def log_message(self, *_args: Any) -> None:
            """Addresses carry a webhook's secret: what was received is printed by the store instead."""

    return Handler


def control(store: Store, changed: Callable[[str], None]) -> Handle:
    """The page that shows the messages and takes the mode. `changed` is told the new mode."""

    def handle(request: Request) -> Answer:
        path = request.path.partition("?")[0]
        if (request.method, path) == ("GET", "/messages"):
            return as_json(200, store.show())
        if (request.method, path) == ("DELETE", "/messages"):
            store.clear()
            return as_json(200, store.show())
        if (request.method, path) == ("GET", "/-/ready"):
            return Answer(200, "ready\n")
        if (request.method, path) == ("POST", "/mode"):
            try:
                mode = store.switch(json.loads(request.body))
            except (ValueError, TypeError) as error:
                return as_json(400, {"error": str(error)})
            changed(mode)
            return as_json(200, {"mode": mode})
        return as_json(404, {"error": "there are: GET /messages, DELETE /messages, POST /mode, GET /-/ready"})

    return handle
