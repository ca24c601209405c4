# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A built configuration on real Alertmanagers: loaded as written, told when stale, pages that say what they should."""

from __future__ import annotations

import http.server
import json
import threading
from pathlib import Path

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _alertmanager_config,
    _alertmanager_expectations,
    _alertmanager_loaded,
    _inhibition,
    _routing_oracle,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_settings import Settings
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_source import Loaded, from_status
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_text import dump
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_yaml import load
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import DirectApi

from tests.integration.programs import Program, free_port, status, wait_for
from tests.lab_fixture import BIN

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = ROOT / "roles" / "alertmanager" / "files" / "templates"


class Sink(http.server.BaseHTTPRequestHandler):
    """Takes what Slack, PagerDuty and a heartbeat take, and keeps it by path."""

    got: list[tuple[str, dict]] = []

    def do_POST(self):
        type(self).got.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
        self.send_response(202 if "enqueue" in self.path else 200)
        self.end_headers()
        self.wfile.write(b'{"status": "success"}' if "enqueue" in self.path else b"ok")

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def sink():
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


class Alertmanager(Program):
    """One replica; `peer` is the cluster address of another."""

    def __init__(self, folder: Path, text: str, peer: str = "", clustered: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "alertmanager.yml").write_text(text)
        port, gossip = free_port(), free_port()
        self.url, self.gossip = f"http://127.0.0.1:{port}", f"127.0.0.1:{gossip}"
        listen = ["--cluster.listen-address="]
        if clustered:
            listen = [f"--cluster.listen-address={self.gossip}", f"--cluster.advertise-address={self.gossip}"]
        super().__init__(
            [
                str(BIN / "alertmanager"), f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}", *listen, *([f"--cluster.peer={peer}"] if peer else []),
            ],
            folder / "log",
        )  # fmt: skip
        wait_for(lambda: status(f"{self.url}/-/ready") == 200, f"Alertmanager ready, see {folder}/log")
        self.api = DirectApi(self.url)


def settings_of(sink, **more):
    return Settings.of(
        {
            "keys": ["pagerduty_routing_key", "slack_api_url"],
            "email_to": "",
            "email_auth_username": "",
            "required_receivers": [],
            "heartbeat_url": f"{sink}/heartbeat",
            "heartbeat_interval": "5s",
            "pagerduty_url": f"{sink}/v2/enqueue",
            "group_wait": "6s",
            **more,
        }
    )


def text_of(made, sink, folder) -> str:
    """The built text, its mounted folders moved to one of the test."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pagerduty_routing_key").write_text("R0UTINGKEY")
    (folder / "slack_api_url").write_text(f"{sink}/services/T/B/x")
    for name, text in _alertmanager_config.template_files(made).items():
        (folder / name).write_text(text)
    text = dump(_alertmanager_config.build(made))
    moved = text.replace("/etc/alertmanager/secrets/alertmanager-receivers", str(folder))
    return moved.replace("/etc/alertmanager/config", str(folder))


@pytest.fixture(scope="module")
def running(tmp_path_factory, sink):
    folder = tmp_path_factory.mktemp("am")
    templates = {path.name: path.read_text() for path in TEMPLATES.glob("*.tmpl")}
    made = settings_of(sink, templates=templates, group_wait="0s")
    server = Alertmanager(folder, text_of(made, sink, folder / "mounted"))
    server.made = made
    server.text = (folder / "alertmanager.yml").read_text()
    yield server
    server.stop()


def test_what_was_written_is_what_was_loaded(running):
    wanted = load(running.text)
    assert _alertmanager_loaded.not_as_wanted(wanted, from_status(running.api).config) == ([], [])
    assert _alertmanager_loaded.loaded_hash(running.api) == _alertmanager_loaded.text_hash(running.text)
    check = _alertmanager_loaded.replica_check(Loaded(wanted, "Secret", True, running.text), [running.api])
    assert check["status"] == "ok"


def test_a_replica_that_is_stale_in_an_address_alone_is_told(running):
    """The routes are the same, so that only the hash of the text gives it away."""
    text = running.text.replace("#ops-alerts", "#other")
    check = _alertmanager_loaded.replica_check(Loaded(load(text), "Secret", True, text), [running.api])
    assert check["cause"]["code"] == "configuration_not_loaded" and "another text" in check["cause"]["message"]


def test_a_text_with_variables_of_the_container_is_not_compared_by_its_hash(running):
    text = running.text + "# $(POD_NAME)\n"
    assert _alertmanager_loaded.replica_check(Loaded(load(text), "Secret", True, text), [running.api])["status"] == "ok"


def test_the_server_itself_answers_every_expectation(running):
    for item in _alertmanager_expectations.routing_expectations(running.made):
        if item["labels"]["alertname"] != "Watchdog":
            answer = _routing_oracle.ask(running.api, item["labels"], f"run-{item['name']}")
            assert answer == item["receivers"], item["name"]


FIRING = [
    {"alertname": "NodeNotReady", "node": "a", "severity": "critical"},
    {"alertname": "PodNotReady", "namespace": "n", "pod": "p", "node": "a", "severity": "warning"},
    {"alertname": "PodCrashLooping", "namespace": "n", "pod": "p", "node": "a", "severity": "warning"},
    {"alertname": "PodNotReady", "namespace": "n", "pod": "q", "node": "b", "severity": "warning"},
    {"alertname": "PodNotReady", "namespace": "n", "pod": "r", "severity": "warning"},
    {"alertname": "ServiceDown", "service": "trino", "severity": "critical"},
    {"alertname": "ServicePartlyDown", "service": "trino", "severity": "warning"},
    {"alertname": "ServicePartlyDown", "service": "minio", "severity": "warning"},
    {"alertname": "AnyAlert", "service": "x", "severity": "critical"},
    {"alertname": "AnyAlert", "service": "x", "severity": "warning"},
    {"alertname": "AnyAlert", "service": "y", "severity": "info"},
    {"alertname": "InfoInhibitor", "namespace": "n", "severity": "none"},
    {"alertname": "AnyInfo", "namespace": "n", "severity": "info"},
    {"alertname": "AnyInfo", "namespace": "m", "severity": "info"},
]


def test_the_server_inhibits_what_we_say_it_does(tmp_path, sink):
    """Every inhibition of the settings, with alerts that it concerns and alerts that only look like it."""
    made = settings_of(sink, heartbeat_url="", group_wait="1h")
    server = Alertmanager(tmp_path, text_of(made, sink, tmp_path / "mounted"))
    rules, _warnings = _inhibition.load(_alertmanager_config.build(made))
    ours = [_inhibition.inhibited_by(rules, labels, FIRING) is not None for labels in FIRING]
    assert ours == [False, True, True, False, False, False, True, False, False, True, False, False, True, False]

    def theirs():
        told = {json.dumps(item["labels"], sort_keys=True): item for item in server.api.get_json("/api/v2/alerts")}
        found = [told.get(json.dumps(labels, sort_keys=True)) for labels in FIRING]
        return [item and bool(item["status"]["inhibitedBy"]) for item in found]

    try:
        server.api.call("POST", "/api/v2/alerts", (), [{"labels": labels} for labels in FIRING])
        wait_for(lambda: theirs() == ours, f"inhibited as {ours}")
    finally:
        server.stop()


def test_pages_say_drill_and_what_is_the_matter(running):
    Sink.got.clear()
    labels = {"alertname": "ServiceDown", "service": "trino", "dataplatform_monitoring_drill": "4F7K"}
    alerts = [
        {
            "labels": {**labels, "severity": severity},
            "annotations": {"summary": "trino is down", "runbook_url": "http://r"},
        }
        for severity in ("critical", "warning")
    ]

    def told(path):
        """What a test before has caused may still arrive."""
        return [body for at, body in Sink.got if at.startswith(path) and "4F7K" in json.dumps(body)]

    # The warning first: while the critical one is active, it is inhibited.
    for alert, path in ((alerts[1], "/services"), (alerts[0], "/v2")):
        running.api.call("POST", "/api/v2/alerts", (), [alert])
        wait_for(lambda path=path: told(path), f"told through {path}")
    (slack,) = told("/services")
    (pager,) = told("/v2")
    assert slack["attachments"][0]["title"] == "DRILL 4F7K [FIRING] ServiceDown of trino, warning"
    assert "*DRILL: trino is down*" in slack["attachments"][0]["text"]
    assert pager["payload"]["summary"] == "DRILL 4F7K [FIRING] ServiceDown of trino, critical"
    assert (pager["payload"]["severity"], pager["routing_key"]) == ("critical", "R0UTINGKEY")
    assert {"href": "http://r", "text": "Runbook"} in pager["links"]


def test_the_heartbeat_is_called_again_within_its_interval(running):
    Sink.got.clear()
    running.api.call("POST", "/api/v2/alerts", (), [{"labels": {"alertname": "Watchdog", "severity": "none"}}])
    beats = lambda: [body for at, body in Sink.got if at == "/heartbeat"]  # noqa: E731
    wait_for(lambda: len(beats()) >= 2, "two calls of the heartbeat", 12)


def test_two_replicas_form_one_cluster_or_are_told(tmp_path, sink):
    text = "route: {receiver: 'null'}\nreceivers: [{name: 'null'}]\n"
    first = Alertmanager(tmp_path / "1", text, clustered=True)
    second = Alertmanager(tmp_path / "2", text, peer=first.gossip, clustered=True)
    alone = Alertmanager(tmp_path / "3", text)
    try:
        pair = [first.api, second.api]
        wait_for(lambda: _alertmanager_loaded.cluster_check(pair)["status"] == "ok", "one cluster of two")
        check = _alertmanager_loaded.cluster_check([first.api, alone.api])
        assert check["cause"]["code"] == "replicas_apart" and "runs without a cluster" in check["cause"]["message"]
        assert "of 3 replicas" in _alertmanager_loaded.cluster_check(pair, 3)["cause"]["message"]
    finally:
        for program in (alone, second, first):
            program.stop()
