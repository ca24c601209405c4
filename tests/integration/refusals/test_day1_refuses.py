# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""day1.yml refuses a bad catalogue before it asks the cluster anything: there is none here to be asked."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent.parent
TRINO: dict[str, Any] = {
    "name": "trino", "kind": "trino", "namespace": "data-platform", "selector": {"app": "trino"},
    "endpoints": [{"port": "metrics"}],
}  # fmt: skip


def trino(**changed: Any) -> dict[str, Any]:
    return {**TRINO, **changed}


@pytest.mark.parametrize(
    ("services", "words"),
    [
        pytest.param([trino(sevrity="critical")], ["trino: sevrity", "did you mean severity?"], id="unknown key"),
        pytest.param(
            [trino(kind="trinoo")], ["trino: kind: unknown kind trinoo; did you mean trino?"], id="unknown kind"
        ),
        pytest.param(
            [trino(alerts={"TrinoQueryFailing": {"threshold": 1}})],
            ["trino: alerts.TrinoQueryFailing", "did you mean TrinoQueriesFailing?"],
            id="unknown alert",
        ),
        pytest.param([TRINO, TRINO], ["trino: name", "give each its own"], id="duplicate name"),
        pytest.param(
            [trino(kind="generic", endpoints=[])], ["trino: endpoints: there are none", "port"], id="no endpoints"
        ),
        pytest.param(
            [trino(endpoints=[{"port": 99999}])], ["trino: endpoints[0].port: 99999 is not a port", "65535"], id="port"
        ),
        pytest.param(
            [trino(endpoints=[{"port": "metrics", "targetPort": 8080}])],
            ["trino: endpoints[0]", "port and targetPort"],
            id="port and targetPort",
        ),
        pytest.param(
            [trino(endpoints=[{"port": "metrics", "interval": "30 seconds"}])],
            ["trino: endpoints[0].interval", "30 seconds", "like 30s"],
            id="bad duration",
        ),
        pytest.param(
            [trino(slo={"objective": 100})],
            ["trino: slo.objective: 100 leaves no error budget", "for example 99.9"],
            id="objective 100",
        ),
        pytest.param(
            [{"name": "pg", "kind": "postgresql", "namespace": "x", "exporter": {"host": "pg.x.svc"}}],
            ["pg: exporter.credentials_secret", "Secret"],
            id="exporter without credentials_secret",
        ),
    ],
)
def test_one_sentence_with_place_and_remedy(services: list[Any], words: list[str], tmp_path: Path) -> None:
    given = tmp_path / "services.json"
    given.write_text(json.dumps({"monitoring_services": services, "monitoring_kubeconfig": str(tmp_path / "none")}))
    done = subprocess.run(
        ["ansible-playbook", "-i", "inventories/example", "playbooks/day1.yml", "-e", f"@{given}"],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2, done.stdout[-3000:] + done.stderr[-3000:]
    document = json.loads(done.stdout[done.stdout.index("{") :])
    (stats,) = document["stats"].values()
    assert stats["changed"] == 0
    (message,) = [
        host["msg"] for task in document["plays"][0]["tasks"] for host in task["hosts"].values() if host.get("failed")
    ]
    assert "1 fault(s). Nothing was changed." in message, message
    for word in words:
        assert word in message, message
