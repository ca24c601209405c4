# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One way to reach a server: the connection is kept, errors are told in an operator's words, without credentials."""

from __future__ import annotations

import http.server
import socket
import threading

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _api, _prometheus, _servers
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import (
    ApiError,
    ApiForbidden,
    ApiTimeout,
    ApiUnreachable,
    ConfigError,
)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers what the path says: /<status>/<body>; remembers what was asked, and over how many connections."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, dict[str, str]]] = []
    connections = 0

    def setup(self):
        type(self).connections += 1
        super().setup()

    def do_GET(self):
        type(self).asked.append((self.path, dict(self.headers)))
        if self.path.startswith("/hang"):
            threading.Event().wait(2)
            return
        status, _slash, body = self.path.split("?")[0].removeprefix("/base").lstrip("/").partition("/")
        data = body.replace("%20", " ").encode()
        self.send_response(int(status))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    Handler.asked, Handler.connections = [], 0
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


def test_one_connection_serves_many_calls(server):
    api = _api.DirectApi(server)
    for _turn in range(5):
        assert api.get("/200/hello").body == b"hello"
    assert Handler.connections == 1


def test_prefix_and_repeated_parameters_arrive(server):
    _api.DirectApi(server + "/base/").get("/200/x", [("match[]", 'a{b="+%"}'), ("match[]", "c")])
    assert Handler.asked[0][0] == "/base/200/x?match%5B%5D=a%7Bb%3D%22%2B%25%22%7D&match%5B%5D=c"


def test_credentials_are_sent_and_never_told(server):
    api = _api.DirectApi(server, username="u", password="p4ss")
    api.get("/200/x")
    assert Handler.asked[0][1]["Authorization"] == "Basic dTpwNHNz"
    with pytest.raises(ApiForbidden) as caught:
        api.get_json("/401/no")
    assert "p4ss" not in str(caught.value) and "dTpwNHNz" not in str(caught.value)
    assert "answered 401: no" in str(caught.value)


def test_credentials_in_the_url_are_refused_without_repeating_them():
    with pytest.raises(ConfigError, match="move them to url_username") as caught:
        _api.DirectApi("https://u:p4ss@host:1")
    assert "p4ss" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("/500/it%20broke", ApiError, "answered 500: it broke"),
        ("/403/", ApiForbidden, "answered 403: an empty body"),
        ("/200/<html>", ApiError, "instead of JSON: <html>"),
    ],
)
def test_a_bad_answer_is_quoted(server, path, error, words):
    with pytest.raises(error, match=words):
        _api.DirectApi(server).get_json(path)


def test_no_answer_in_time(server):
    with pytest.raises(ApiTimeout, match=r"no answer within 0\.2 s"):
        _api.DirectApi(server, timeout=0.2).get("/hang")


def test_nothing_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ApiUnreachable, match="connection refused"):
        _api.DirectApi(f"http://127.0.0.1:{port}").get("/")


def test_a_connection_the_server_closed_is_made_anew(server):
    api = _api.DirectApi(server)
    api.get("/200/a")
    api._local.connection.sock.shutdown(socket.SHUT_RDWR)
    assert api.get("/200/b").body == b"b"


class OneAnswer(_api.Api):
    label = "Prometheus x"

    def __init__(self, body):
        self.body = body

    def call(self, method, path, params=(), body=None, timeout=None, headers=None):
        return _api.Response(200, {}, self.body)


def test_scalars_and_vectors_are_samples():
    scalar = OneAnswer(b'{"data":{"resultType":"scalar","result":[1,"+Inf"]}}')
    assert _prometheus.query(scalar, "1/0") == [{"metric": {}, "value": float("inf")}]
    matrix = OneAnswer(b'{"data":{"resultType":"matrix","result":[]}}')
    with pytest.raises(ApiError, match=r"up\[5m\] is a matrix"):
        _prometheus.query(matrix, "up[5m]")


PORTS = {"metadata": {"namespace": "m", "name": "p"}, "spec": {"ports": [{"name": "grpc", "port": 1}, {"port": 2}]}}


def test_the_port_of_a_service():
    assert _servers.service_port(PORTS, "grpc")["port"] == 1
    assert _servers.service_port(PORTS, 2)["port"] == 2
    operated = {"spec": {"ports": [{"name": "mesh", "port": 9094}, {"name": "web", "port": 9093}]}}
    assert _servers.service_port(operated, None)["port"] == 9093
    with pytest.raises(ConfigError, match=r"Service m/p has no port http\*; there are: grpc 1, \(unnamed\) 2"):
        _servers.service_port(PORTS, None)


def test_no_server_named():
    with pytest.raises(ConfigError, match="either url, or namespace and service"):
        _servers.replicas({}, None)
    with pytest.raises(ConfigError, match="set url when kubernetes is false"):
        _servers.replicas({"namespace": "m", "service": "p"}, None)
