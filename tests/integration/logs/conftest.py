# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Loki and Promtail processes on loopback, on free ports, ended by their pid."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _argspec, _checks, _logs_options
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_verdict import judge_logs

from tests.integration.logs.cluster import Cluster
from tests.integration.programs import Program, free_port, status, wait_for
from tests.lab_fixture import BIN


class LokiServer(Program):
    """Loki as a single binary on its own folder."""

    def __init__(self, folder: Path, **sections: Any) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config = loki_config(folder, self.port, free_port())
        for name, section in sections.items():
            config[name] = {**config.get(name, {}), **section} if isinstance(section, dict) else section
        path = folder / "loki.yaml"
        path.write_text(yaml.safe_dump(config))
        super().__init__([str(BIN / "loki"), f"-config.file={path}"], folder / "loki.log")

    def ready(self) -> LokiServer:
        """Wait until it says so."""
        wait_for(lambda: status(f"{self.url}/ready") == 200, f"Loki ready, see {self.log}")
        return self

    def push(self, lines: int, age: float = 0.0, tenant: str = "", size: int = 20, **labels: str) -> int:
        """Push lines of one stream, the newest `age` seconds old; return the HTTP status."""
        now = int((time.time() - age) * 1e9)
        values = [[str(now - (lines - 1 - i) * 1000), f"{i} ".ljust(size, "x")] for i in range(lines)]
        request = urllib.request.Request(
            f"{self.url}/loki/api/v1/push",
            json.dumps({"streams": [{"stream": labels, "values": values}]}).encode(),
            {"Content-Type": "application/json", **({"X-Scope-OrgID": tenant} if tenant else {})},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as exc:
            return exc.code


def loki_config(folder: Path, port: int, grpc: int) -> dict[str, Any]:
    """The smallest configuration that keeps everything below `folder` and calls nobody."""
    return {
        "auth_enabled": False,
        "server": {
            "http_listen_address": "127.0.0.1",
            "http_listen_port": port,
            "grpc_listen_address": "127.0.0.1",
            "grpc_listen_port": grpc,
            "log_level": "warn",
        },
        "common": {
            "instance_addr": "127.0.0.1",
            "path_prefix": str(folder),
            "storage": {
                "filesystem": {"chunks_directory": str(folder / "chunks"), "rules_directory": str(folder / "rules")}
            },
            "replication_factor": 1,
            "ring": {"kvstore": {"store": "inmemory"}},
        },
        "ingester": {"lifecycler": {"min_ready_duration": "0s", "final_sleep": "0s"}},
        "schema_config": {
            "configs": [
                {
                    "from": "2024-04-01",
                    "store": "tsdb",
                    "object_store": "filesystem",
                    "schema": "v13",
                    "index": {"prefix": "index_", "period": "24h"},
                }
            ]
        },
        "limits_config": {"retention_period": "744h"},
        "compactor": {
            "working_directory": str(folder / "compactor"),
            "retention_enabled": True,
            "delete_request_store": "filesystem",
        },
        # Without the ring of query schedulers, in which a fresh frontend finds itself only after 10 s.
        "frontend_worker": {"frontend_address": f"127.0.0.1:{grpc}"},
        "analytics": {"reporting_enabled": False},
    }


class PromtailAgent(Program):
    """Promtail with the given scrape configurations."""

    def __init__(self, folder: Path, loki_url: str, scrape_configs: list[Mapping[str, Any]], **client: Any) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config = {
            "server": {"http_listen_address": "127.0.0.1", "http_listen_port": self.port, "grpc_listen_port": 0},
            "positions": {"filename": str(folder / "positions.yaml")},
            "clients": [{"url": f"{loki_url}/loki/api/v1/push", "batchwait": "200ms", **client}],
            "scrape_configs": scrape_configs,
            "target_config": {"sync_period": "1s"},
        }
        path = folder / "promtail.yaml"
        path.write_text(yaml.safe_dump(config))
        super().__init__([str(BIN / "promtail"), f"-config.file={path}"], folder / "promtail.log")

    def page(self) -> str:
        """Its /metrics."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as answer:
            return answer.read().decode()


@contextlib.contextmanager
def starting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Start a program in a folder of its own: `start(LokiServer, auth_enabled=True)`; all are ended at the end."""
    with contextlib.ExitStack() as stack:

        def begin(kind: type[Program], *args: Any, **options: Any) -> Any:
            program = kind(tmp_path_factory.mktemp(kind.__name__), *args, **options)
            stack.callback(program.stop)
            return program

        yield begin


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """For one test."""
    with starting(tmp_path_factory) as begin:
        yield begin


@pytest.fixture(scope="module")
def start_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """For all tests of a file."""
    with starting(tmp_path_factory) as begin:
        yield begin


@pytest.fixture(scope="module")
def loki(start_for_all: Callable[..., Any]) -> LokiServer:
    """One Loki without tenants, for everyone who does not bend it."""
    return start_for_all(LokiServer).ready()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A Kubernetes API with one node, and no Pod yet."""
    found = Cluster()
    yield found
    found.stop()


class Judged:
    """What the verdict said: `judged["namespace x"]` is a check, `codes` the codes of its causes."""

    def __init__(self, checks: list[dict[str, Any]], notes: list[str]) -> None:
        self.checks = {check["name"]: check for check in checks}
        self.notes = notes

    def __getitem__(self, name: str) -> dict[str, Any]:
        return self.checks[name]

    def codes(self, name: str) -> list[str]:
        return [cause["code"] for cause in _checks.all_causes(self.checks[name])]

    def red(self) -> list[str]:
        """Names of checks that are not good."""
        return [name for name, check in self.checks.items() if check["status"] in ("failed", "unknown")]


@pytest.fixture
def judge() -> Callable[..., Judged]:
    """Run verify_logs' verdict with the given options."""

    def run(cluster: Cluster | None = None, **given: Any) -> Judged:
        specs = {**_argspec.CONNECTION_SPEC, **_argspec.VERDICT_SPEC, **_logs_options.SPEC, **_argspec.kube_auth_spec()}
        params = {name: spec.get("default") for name, spec in specs.items()}
        params.update({"timeout": 30, "observe": 0, "kubernetes": cluster is not None}, **given)
        if cluster is not None:
            params.update(host=cluster.url, api_key="x", validate_certs=False)
        return Judged(*judge_logs(params))

    return run
