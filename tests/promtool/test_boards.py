# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every expression of every board is one that Prometheus itself reads."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _boards, _boards_text, _packs

from tests.unit.boards.conftest import Kit


@pytest.fixture(scope="session")
def expressions() -> list[str]:
    """PromQL of all boards with every product, with durations in place of Grafana's variables."""
    catalogue = Kit.resolve(*Kit.example(), {"name": "promtail", "kind": "promtail"})
    boards: list[dict[str, Any]] = [item["board"] for item in _boards.dashboards(catalogue, _boards.Settings())]
    return [
        _boards_text.masked(target["expr"])
        for board in boards
        for panel in board["panels"]
        for target in panel.get("targets", ())
        if target["datasource"]["type"] == "prometheus"
    ]


def test_prometheus_reads_every_expression(expressions: list[str], tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: the lab brings it")
    rules = [{"record": f"board:{number}", "expr": expr} for number, expr in enumerate(expressions)]
    path = tmp_path / "boards.rules.json"
    path.write_text(json.dumps({"groups": [{"name": "boards", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", "--lint=none", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout
    assert len(rules) > 300


def test_a_datahub_of_an_older_version_has_the_same_boards(tmp_path: Path) -> None:
    """Every panel that asks for the metric that was renamed gives the same with either name."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: the lab brings it")
    new, old = "messaging_queue_time_seconds", "kafka_message_queue_time_seconds"
    pack = _packs.load().own("datahub")
    given = [one["expr"] for one in (*pack["panels"], *pack["business_metrics"]) if new in str(one.get("expr"))]
    assert len(given) == 5
    exprs = [one.replace("$selector", 'job="x"').replace("$__rate_interval", "5m") for one in given]
    labels = 'job="x",topic="MetadataChangeProposal_v1"'
    tests = []
    for name in (new, old):
        series = {f'_bucket{{{labels},le="+Inf"}}': 10, f'_bucket{{{labels},le="1"}}': 10, f"_count{{{labels}}}": 10}
        asked = [
            {"expr": f"count({expr}) or vector(0)", "eval_time": "30m", "exp_samples": [{"labels": "{}", "value": 1}]}
            for expr in exprs
        ]
        counted = [{"series": f"{name}{suffix}", "values": f"0+{rate}x40"} for suffix, rate in series.items()]
        tests.append({"interval": "1m", "input_series": counted, "promql_expr_test": asked})
    path = tmp_path / "tests.json"
    path.write_text(json.dumps({"rule_files": [], "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run([promtool, "test", "rules", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
