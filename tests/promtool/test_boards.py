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
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _boards, _boards_text

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
