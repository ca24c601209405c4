# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it, against a real Prometheus."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.programs import wait_for
from tests.integration.scrape.conftest import Exporter, PrometheusServer

MODULE = "dataplatform.monitoring.verify_scrape_targets"


@pytest.fixture(scope="module")
def server(prometheus: Callable[..., PrometheusServer], exporter: Callable[..., Exporter]) -> PrometheusServer:
    started = prometheus([exporter().job("good"), exporter(status=500).job("bad")])
    wait_for(lambda: started.judge({"name": "good"}).judgements[0].check["status"] == "ok", "a first scrape")
    return started


def run(server: PrometheusServer, *options: str, **arguments: Any) -> dict[str, Any]:
    """The result of one task."""
    given = {"url": server.url, "kubernetes": False, "timeout": 30, **arguments}
    command = [
        str(Path(sys.executable).parent / "ansible"), "localhost", "-i", "localhost,", "-c", "local", "-m", MODULE,
        "-e", f"ansible_python_interpreter={sys.executable}", "-a", json.dumps(given), *options,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    text = done.stdout + done.stderr
    assert "=> {" in text, text
    head, _arrow, result = done.stdout.partition(" => ")
    return {**json.loads(result), "failed": "FAILED" in head}


@pytest.mark.parametrize("check", [[], ["--check"]], ids=["normal", "check mode"])
def test_good(server: PrometheusServer, check: list[str]) -> None:
    result = run(server, *check, expectations=[{"name": "good"}], min_targets_total=1)
    assert result["changed"] is False
    assert [item["status"] for item in result["checks"]] == ["ok", "ok"]
    assert result["summary"] == {
        "ok": 2, "failed": 0, "unknown": 0, "not_applicable": 0, "accepted": 0, "total": 2
    }  # fmt: skip
    assert result["prometheus"] == [server.url]
    assert "waited" in result and result["rounds"] >= 1


def test_bad_fails_with_a_line_to_act_on_and_every_check(server: PrometheusServer) -> None:
    result = run(server, expectations=[{"name": "good"}, {"name": "bad"}, {"name": "later", "state": "pending"}])
    assert result["failed"]
    assert result["msg"].startswith("1 failed of 3 checks. bad: 127.0.0.1:")
    assert [item["name"] for item in result["checks"]] == ["good", "bad", "later"]
    assert [item["status"] for item in result["checks"]] == ["ok", "failed", "not_applicable"]
    assert result["checks"][1]["cause"]["code"] == "target_down_server_error"


def test_report_only_and_accepted(server: PrometheusServer) -> None:
    result = run(server, expectations=[{"name": "bad"}], report_only=True)
    assert not result["failed"] and result["checks"][0]["status"] == "failed"
    known = {"name": "bad", "reason": "being rebuilt", "owner": "me", "until": "2999-12-31"}
    result = run(server, expectations=[{"name": "bad"}], accept=[known])
    assert not result["failed"] and result["checks"][0]["status"] == "accepted"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"expectations": [{"name": "a"}, {"name": "a"}]}, "expectations name a twice"),
        ({"expectations": [{"name": "a", "min_sample": 3}]}, "unknown key min_sample"),
        ({"expectations": [{"name": "a"}], "url": None}, "either url, or namespace and service"),
        ({"expectations": []}, "Nothing was judged"),
    ],
)
def test_refused(server: PrometheusServer, arguments: dict[str, Any], words: str) -> None:
    result = run(server, **arguments)
    assert result["failed"] and words in result["msg"]
