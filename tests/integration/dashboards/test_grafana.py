# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict of the dashboards with a Grafana, over real HTTP: a small server that answers as Grafana's API does.

Source of the answers: Grafana, docs/sources/developers/http_api (health, folder/dashboard search, datasource).
"""

from __future__ import annotations

import base64
import http.server
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.dashboards.boards import board, panel
from tests.integration.dashboards.conftest import Judged
from tests.integration.programs import free_port

USER, PASSWORD = "admin", "not-the-default"
CREDENTIALS = {"url_username": USER, "url_password": PASSWORD}
ANSWERS: dict[str, tuple[int, Any]] = {
    "/api/search": (
        200,
        [
            {"uid": "loaded", "title": "Loaded", "type": "dash-db", "folderTitle": "Data platform"},
            {"uid": "astray", "title": "Astray", "type": "dash-db"},
            {"uid": "other", "title": "Somebody else's", "type": "dash-db"},
        ],
    ),
    "/api/datasources": (
        200,
        [
            {
                "uid": "prometheus",
                "name": "Prometheus",
                "type": "prometheus",
                "isDefault": True,
                "url": "http://p:9090",
            },
            {"uid": "loki", "name": "Loki", "type": "loki", "url": "http://loki:3100"},
            {"uid": "am", "name": "Alertmanager", "type": "alertmanager", "url": "http://am:9093"},
        ],
    ),
    "/api/datasources/uid/prometheus/health": (200, {"status": "OK", "message": "Successfully queried the API."}),
    "/api/datasources/uid/loki/health": (400, {"status": "ERROR", "message": "dial tcp: no such host"}),
    "/api/datasources/uid/am/health": (404, {"message": "Not found"}),
    **{
        f"/api/dashboards/uid/{uid}": (200, {"dashboard": board(uid, panel("Up", expr)), "meta": {"folderTitle": "F"}})
        for uid, expr in (("loaded", "up"), ("astray", "up"), ("other", "upp"))
    },
}


class Handler(http.server.BaseHTTPRequestHandler):
    """Health is open to anybody, everything else wants the account."""

    def do_GET(self) -> None:
        path = urllib.parse.urlsplit(self.path).path
        wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if path == "/api/health":
            self._answer(200, {"database": "ok", "version": "12.0.0"})
        elif self.headers.get("Authorization") != wanted:
            self._answer(401, {"message": "Unauthorized"})
        else:
            self._answer(*ANSWERS.get(path, (404, {"message": "Not found"})))

    def _answer(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def grafana() -> Iterator[str]:
    """Its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def in_folder(given: dict[str, Any]) -> dict[str, Any]:
    """As the sidecar's annotation says where it goes."""
    return {"board": given, "folder": "Data platform"}


def codes(judged: Judged, name: str) -> list[str]:
    return judged.codes(f"Grafana: {name}")


def test_what_grafana_loaded_where_and_whether_its_datasources_answer(
    judge: Callable[..., Judged], grafana: str
) -> None:
    boards = [in_folder(board(name, panel("Up", "up"))) for name in ("Loaded", "Astray", "Lost")]
    judged = judge(*boards, url=grafana, **CREDENTIALS)
    assert [judged[name]["status"] for name in ("Loaded", "Astray", "Lost")] == ["ok"] * 3
    assert codes(judged, "dashboards loaded") == ["grafana_board_not_loaded"]
    assert "Lost" in judged["Grafana: dashboards loaded"]["cause"]["message"]
    assert judged["Grafana: dashboards loaded"]["notes"] == ["Grafana has 1 more: Somebody else's"]
    assert codes(judged, "folders") == ["grafana_folder_differs"]
    assert "Astray lies in no folder instead of Data platform" in judged["Grafana: folders"]["cause"]["message"]
    assert codes(judged, "datasources") == ["grafana_datasource_unhealthy"]
    assert "dial tcp: no such host" in judged["Grafana: datasources"]["cause"]["message"]
    assert judged["Grafana: datasources"]["notes"] == ["without a health check: Alertmanager"]
    assert judged.outcome.notes == []


def test_boards_that_only_grafana_has_are_judged_too(judge: Callable[..., Judged], grafana: str) -> None:
    judged = judge(url=grafana, from_grafana=True, **CREDENTIALS)
    assert [judged[name]["status"] for name in ("loaded", "astray", "other")] == ["ok", "ok", "failed"]
    assert judged.codes("other") == ["panel_metric_missing"]
    # what only Grafana has is nothing that it should have loaded
    assert judged["Grafana: dashboards loaded"]["observed"] == "0 of 0"


def test_a_wrong_password_is_not_a_board_that_is_missing(judge: Callable[..., Judged], grafana: str) -> None:
    judged = judge(board("Loaded", panel("Up", "up")), url=grafana, url_username=USER, url_password="wrong")
    assert judged["Loaded"]["status"] == "ok"
    for name in ("dashboards loaded", "folders", "datasources"):
        assert judged[f"Grafana: {name}"]["status"] == "unknown"
        assert codes(judged, name) == ["access_forbidden"]
    assert "wrong" not in json.dumps(judged.outcome.checks)


def test_a_grafana_that_is_gone(judge: Callable[..., Judged]) -> None:
    judged = judge(board("Loaded", panel("Up", "up")), url=f"http://127.0.0.1:{free_port()}", **CREDENTIALS)
    assert judged["Loaded"]["status"] == "ok"
    assert codes(judged, "dashboards loaded") == ["server_unreachable"]
