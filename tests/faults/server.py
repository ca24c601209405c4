# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A target with every fault a page of metrics can have, one per path. Runs in a Pod of the lab."""

from __future__ import annotations

import http.server
import socket
import struct
import threading
import time

GOOD = "# TYPE t_up gauge\nt_up 1\n# TYPE t_requests_total counter\nt_requests_total 7\n"
ANSWERS = {
    "/denied": 401, "/missing": 404, "/teapot": 418, "/broken": 500,
}  # fmt: skip


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/slow":
            time.sleep(30)
        status, kind, text = ANSWERS.get(path, 200), "text/plain; version=0.0.4", GOOD
        if path == "/html":
            kind, text = "text/html", "<html><body>Welcome</body></html>"
        elif path == "/unhealthy":
            text = "t_up 0\n"
        elif path in ("/big", "/long"):
            text = "".join(f't_series{{n="{number}"}} 1\n' for number in range(200))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, form: str, *values: object) -> None:
        """Say nothing: a silent namespace is not this test's matter."""


def close_at_once() -> None:
    """Takes every connection, and resets it."""
    with socket.create_server(("", 8001)) as server:
        while True:
            connection, _peer = server.accept()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()


if __name__ == "__main__":
    threading.Thread(target=close_at_once, daemon=True).start()
    http.server.ThreadingHTTPServer(("", 8000), Page).serve_forever()
