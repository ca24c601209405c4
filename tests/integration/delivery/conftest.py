# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster of two real Alertmanagers on loopback, and the lab's sinks as its receivers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import DirectApi

from lab.sinks import receivers
from tests.integration.programs import Program, free_port, status, wait_for
from tests.lab_fixture import BIN

ROOT = Path(__file__).resolve().parents[3]
INTERVAL = 10


class Sink:
    """One of the lab's receivers, as a process."""

    def __init__(self, name: str, credentials: dict[str, str], folder: Path) -> None:
        self.port, control = free_port(), free_port()
        self.control = f"http://127.0.0.1:{control}"
        env = {
            **os.environ,
            "ADDRESS": "127.0.0.1",
            "PORT": str(self.port),
            "CONTROL_PORT": str(control),
            **{key.upper(): value for key, value in credentials.items()},
        }
        self._out = (folder / f"{name}.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lab.sinks.sink", name], cwd=ROOT, env=env, stdout=self._out, stderr=self._out
        )
        wait_for(lambda: status(f"{self.control}/-/ready") == 200, f"sink {name}")

    def mode(self, mode: str, **more: Any) -> None:
        body = json.dumps({"mode": mode, **more}).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.control}/mode", body, method="POST"), timeout=5):
            pass

    def show(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.control}/messages", timeout=5) as answer:
            return json.load(answer)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._out.close()


@pytest.fixture(scope="session")
def sinks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Sink]]:
    folder = tmp_path_factory.mktemp("sinks")
    made = receivers.generate()
    found = {name: Sink(name, made, folder) for name in ("smtp", "slack", "pagerduty", "heartbeat")}
    for sink in found.values():
        sink.credentials = made
    yield found
    for sink in found.values():
        sink.stop()


def configuration(sinks: dict[str, Sink], folder: Path) -> dict[str, Any]:
    """Every kind of receiver, short waits; credentials as files, as the role mounts them."""
    made = sinks["smtp"].credentials
    sent = {
        **receivers.sender(made),
        "slack_api_url": f"http://127.0.0.1:{sinks['slack'].port}{made['slack_path']}",
        "heartbeat_url": f"http://127.0.0.1:{sinks['heartbeat'].port}{made['heartbeat_path']}",
    }
    for key, value in sent.items():
        (folder / key).write_text(value)
    return {
        "global": {
            "resolve_timeout": "5m",
            "smtp_smarthost": f"127.0.0.1:{sinks['smtp'].port}",
            "smtp_from": "alertmanager@example.com",
            "smtp_require_tls": False,
            "smtp_auth_username": made["smtp_user"],
            "smtp_auth_password_file": f"{folder}/smtp_auth_password",
            "slack_api_url_file": f"{folder}/slack_api_url",
            "pagerduty_url": f"http://127.0.0.1:{sinks['pagerduty'].port}/v2/enqueue",
        },
        "route": {
            "receiver": "email",
            "group_by": ["alertname", "cluster", "service"],
            "group_wait": "1s",
            "group_interval": f"{INTERVAL}s",
            "repeat_interval": "1h",
            "routes": [
                {"matchers": ["alertname=Watchdog"], "receiver": "heartbeat", "repeat_interval": "1m"},
                {"matchers": ["severity=critical"], "receiver": "pagerduty", "continue": True},
                {"matchers": ["severity=warning"], "receiver": "slack", "continue": True},
                {"matchers": ["severity=night"], "receiver": "email", "mute_time_intervals": ["always"]},
                {"matchers": ["severity=~.+"], "receiver": "email"},
            ],
        },
        "time_intervals": [{"name": "always", "time_intervals": [{"months": ["1:12"]}]}],
        "inhibit_rules": [
            {"source_matchers": ["alertname=Maintenance"], "target_matchers": ["severity=warning"], "equal": []}
        ],
        "receivers": [
            {"name": "email", "email_configs": [{"to": "ops@example.com", "send_resolved": True}]},
            {"name": "pagerduty", "pagerduty_configs": [{"routing_key_file": f"{folder}/pagerduty_routing_key"}]},
            {"name": "slack", "slack_configs": [{"channel": "#ops-alerts", "send_resolved": True}]},
            {"name": "heartbeat", "webhook_configs": [{"url_file": f"{folder}/heartbeat_url"}]},
        ],
    }


class Alertmanager(Program):
    """A replica. C(peers) are cluster addresses; None means no cluster at all."""

    def __init__(
        self, folder: Path, config: dict[str, Any], peers: list[str] | None = None, names: bool = True
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "alertmanager.yml"
        self.file.write_text(yaml.safe_dump(config))
        port, gossip = free_port(), free_port()
        self.url, self.gossip = f"http://127.0.0.1:{port}", f"127.0.0.1:{gossip}"
        cluster = ["--cluster.listen-address="]
        if peers is not None:
            cluster = [f"--cluster.listen-address={self.gossip}", "--cluster.settle-timeout=2s"]
            cluster += ["--cluster.peer-timeout=2s", *(f"--cluster.peer={peer}" for peer in peers)]
        super().__init__(
            [
                str(BIN / "alertmanager"),
                f"--config.file={self.file}",
                f"--storage.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
                *cluster,
                *(["--enable-feature=receiver-name-in-metrics"] if names else []),
            ],
            folder / "log",
        )
        wait_for(lambda: status(f"{self.url}/-/ready") == 200, f"Alertmanager ready, see {folder}/log")
        self.api = DirectApi(self.url)


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory, sinks: dict[str, Sink]) -> Iterator[list[Alertmanager]]:
    folder = tmp_path_factory.mktemp("pair")
    config = configuration(sinks, folder)
    first = Alertmanager(folder / "a", config, [])
    second = Alertmanager(folder / "b", config, [first.gossip])
    wait_for(
        lambda: all(len(one.api.get_json("/api/v2/status")["cluster"]["peers"]) == 2 for one in (first, second)),
        "two peers",
    )
    wait_for(
        lambda: all(one.api.get_json("/api/v2/status")["cluster"]["status"] == "ready" for one in (first, second)),
        "gossip settled",
    )
    yield [first, second]
    first.stop()
    second.stop()


@pytest.fixture(scope="session")
def single(tmp_path_factory: pytest.TempPathFactory, sinks: dict[str, Sink]) -> Iterator[Alertmanager]:
    folder = tmp_path_factory.mktemp("single")
    server = Alertmanager(folder, configuration(sinks, folder))
    yield server
    server.stop()


@pytest.fixture
def healthy(sinks: dict[str, Sink]) -> Iterator[dict[str, Sink]]:
    """Sinks that are healthy before and after."""
    for sink in sinks.values():
        sink.mode("ok")
    yield sinks
    for sink in sinks.values():
        sink.mode("ok")
