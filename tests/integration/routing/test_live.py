# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routing against real Alertmanagers on loopback: what they loaded, what they answer, and that asking pages nobody."""

from __future__ import annotations

import http.server
import json
import threading
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _alertmanager_loaded,
    _alertmanager_source,
    _routing,
    _routing_oracle,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import DirectApi
from ansible_collections.dataplatform.monitoring.plugins.modules import verify_alert_routing

from tests.integration.programs import Program, free_port, status, wait_for
from tests.lab_fixture import BIN

CRITICAL = {"alertname": "ServiceDown", "severity": "critical"}


class Sink(http.server.BaseHTTPRequestHandler):
    """Counts notifications."""

    got: list[bytes] = []

    def do_POST(self):
        type(self).got.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def sink():
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}/"
    httpd.shutdown()
    httpd.server_close()


def configuration(sink, **route):
    hook = {"webhook_configs": [{"url": sink}]}
    return {
        "route": {
            "receiver": "email",
            "group_by": ["alertname", "cluster"],
            "group_wait": "6s",
            "routes": [
                {"matchers": ['severity="critical"'], "receiver": "pagerduty", "continue": True, "group_by": []},
                {"match_re": {"team": ""}, "receiver": "email"},
            ],
            **route,
        },
        "receivers": [{"name": "email", **hook}, {"name": "pagerduty", **hook}],
        "inhibit_rules": [{"source_matchers": ["a=b"], "target_matchers": ["c=d"], "equal": ["e"]}],
    }


class Alertmanager(Program):
    def __init__(self, folder: Path, config: dict) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        super().__init__(
            [
                str(BIN / "alertmanager"),
                f"--config.file={folder}/alertmanager.yml",
                f"--storage.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            ],
            folder / "log",
        )
        wait_for(lambda: status(f"{self.url}/-/ready") == 200, f"Alertmanager ready, see {folder}/log")


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory, sink):
    server = Alertmanager(tmp_path_factory.mktemp("am"), configuration(sink))
    yield server
    server.stop()


def run(capsys, **options):
    """The module as Ansible runs it; its result."""
    with patch_module_args(options), pytest.raises(SystemExit):
        verify_alert_routing.main()
    return json.loads(capsys.readouterr().out)


def test_what_a_server_loaded_is_what_was_wanted(alertmanager, sink):
    wanted = _alertmanager_source.Loaded(configuration(sink), "file", True)
    running = _alertmanager_source.from_status(DirectApi(alertmanager.url))
    assert _alertmanager_source.differences(wanted, running) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"group_wait": "30s"}, "route.group_wait: 30.0 wanted, 6.0 running"),
        ({"receiver": "pagerduty"}, "route.receiver: pagerduty wanted, email running"),
        ({"routes": []}, "1 routes wanted, 3 running"),
    ],
)
def test_a_replica_with_another_configuration_is_told(alertmanager, sink, change, words):
    wanted = _alertmanager_source.Loaded(configuration(sink, **change), "Secret", True)
    check = _alertmanager_loaded.replica_check(wanted, [DirectApi(alertmanager.url)])
    assert check["status"] == "failed" and check["cause"]["code"] == "configuration_not_loaded"
    assert words in check["cause"]["message"]


def test_a_replica_that_does_not_answer_is_told(sink):
    wanted = _alertmanager_source.Loaded(configuration(sink), "Secret", True)
    check = _alertmanager_loaded.replica_check(wanted, [DirectApi(f"http://127.0.0.1:{free_port()}")])
    assert check["cause"]["code"] == "server_unreachable"


def test_the_module_judges_the_live_configuration_and_asks_the_server_itself(alertmanager, capsys):
    expectations = [{"name": "critical", "labels": CRITICAL, "receivers": ["pagerduty", "email"]}]
    result = run(capsys, url=alertmanager.url, kubernetes=False, expectations=expectations, oracle=True)
    assert [(c["name"], c["status"]) for c in result["checks"]] == [
        ("critical", "ok"),
        ("tree", "ok"),
        ("replicas", "ok"),
        ("oracle", "ok"),
    ]
    left = DirectApi(alertmanager.url).get_json("/api/v2/alerts")
    assert left == [], "the synthetic alert is resolved at once"


def test_asking_notifies_nobody(alertmanager):
    """A later alert of another group is sent; by then the groups of the synthetic one were flushed, silently."""
    Sink.got.clear()
    api = DirectApi(alertmanager.url)
    assert _routing_oracle.ask(api, CRITICAL, "run-1") == ["pagerduty", "email"]
    api.call("POST", "/api/v2/alerts", (), [{"labels": {"alertname": "Other", "team": "x"}}])
    wait_for(lambda: any(b"Other" in body for body in Sink.got), "the real alert sent")
    assert all(_routing_oracle.MARKER.encode() not in body for body in Sink.got)


def test_a_group_that_is_active_is_not_asked(alertmanager, capsys):
    """A resolved alert that joins a group which was notified already is sent; so the server is left alone then."""
    api = DirectApi(alertmanager.url)
    api.call("POST", "/api/v2/alerts", (), [{"labels": {**CRITICAL, "alertname": "Real"}}])
    expectations = [{"labels": {**CRITICAL, "alertname": "Real"}, "receivers": ["pagerduty", "email"]}]
    result = run(capsys, url=alertmanager.url, kubernetes=False, expectations=expectations, oracle=True, lint=False)
    assert result["checks"][-1]["status"] == "not_applicable"
    assert any("alerts of its group are active" in note for note in result["notes"])


def test_a_server_that_routes_otherwise_is_told(alertmanager, sink, monkeypatch, capsys):
    monkeypatch.setattr(_routing, "match", lambda root, labels: [root])
    expectations = [{"labels": {**CRITICAL, "team": "a"}, "receivers": ["email"]}]
    monkeypatch.setattr(_routing_oracle, "active_groups", lambda api: [])
    result = run(capsys, url=alertmanager.url, kubernetes=False, expectations=expectations, oracle=True, lint=False)
    oracle = next(check for check in result["checks"] if check["name"] == "oracle")
    assert (oracle["status"], oracle["cause"]["code"]) == ("failed", "server_routes_otherwise")
    assert "sends it to pagerduty, its configuration says email" in oracle["cause"]["message"]


def test_a_route_that_does_not_wait_is_never_asked(tmp_path, sink, capsys):
    server = Alertmanager(tmp_path, configuration(sink, group_wait="0s"))
    try:
        Sink.got.clear()
        expectations = [{"labels": CRITICAL, "receivers": ["pagerduty", "email"]}]
        result = run(capsys, url=server.url, kubernetes=False, expectations=expectations, oracle=True)
        assert result["checks"][-1]["status"] == "not_applicable"
        assert any("waits too shortly" in note for note in result["notes"])
        assert Sink.got == []
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"config": {"route": {"receiver": "x"}, "receivers": []}}, "configuration_refused"),
        ({"config": "route: {receiver: x, routes: [{reciever: x}]}\nreceivers: [{name: x}]"}, "configuration_refused"),
    ],
)
def test_a_configuration_the_server_would_refuse(capsys, options, code):
    result = run(capsys, kubernetes=False, expectations=[], **options)
    assert result["failed"] and result["checks"][0]["cause"]["code"] == code


def test_a_pattern_nobody_can_judge_here_is_unknown(capsys, monkeypatch):
    from ansible_collections.dataplatform.monitoring.plugins.module_utils import _matchers

    monkeypatch.setattr(_matchers, "HAS_RE2", False)
    _matchers._compile.cache_clear()
    config = {"route": {"receiver": "x", "routes": [{"matchers": ['a=~"\\\\pL+"']}]}, "receivers": [{"name": "x"}]}
    result = run(capsys, kubernetes=False, expectations=[], config=config)
    _matchers._compile.cache_clear()
    assert (result["checks"][0]["status"], result["checks"][0]["cause"]["code"]) == ("unknown", "pattern_not_judged")


def test_a_bad_expectation_is_refused_before_anything_is_asked(capsys):
    result = run(capsys, url="http://127.0.0.1:1", kubernetes=False, expectations=[{"labels": {}}])
    assert result["failed"] and "receivers is missing" in result["msg"]
