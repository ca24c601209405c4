# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One entry in one file: everything about the service appears and is green; without it all of it is gone."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.awx.test_jobs import Awx, judged
from tests.lab_fixture import Lab

from .plays import RECORDS, label, ours

#: Runs on the lab, and nobody monitors it.
ENTRY = {
    "name": "orders",
    "namespace": "team-a",
    "selector": {"app.kubernetes.io/name": "orders"},
    "endpoints": [{"port": "http"}],
    "team": "platform",
    "probe": {"port": "http", "path": "/-/ready"},
    "slo": {"objective": 99, "window": "28d"},
}
KINDS = "servicemonitors,probes,prometheusrules,configmaps"


def traces(lab: Lab) -> set[str]:
    """Objects in the namespace of the monitoring that speak of the service; what plays note of themselves left out."""
    items = json.loads(lab.kubectl("-n", "monitoring", "get", KINDS, "-o", "json").stdout)["items"]
    told = {label(item) for item in items if re.search(r"\borders\b", json.dumps(item.get("spec") or item.get("data")))}
    return told - RECORDS


class Verdicts:
    """What a run of the three days judged: status by verdict and check, the last day's word counts."""

    def __init__(self, folder: Path) -> None:
        self.status: dict[str, dict[str, str]] = {}
        for path in sorted(folder.glob("lab/*/verdict.json"), key=lambda path: path.stat().st_mtime):
            document: dict[str, Any] = json.loads(path.read_text())
            for verdict in document["verdicts"]:
                self.status[verdict["name"]] = {check["name"]: check["status"] for check in verdict["checks"]}

    def of_the_service(self) -> dict[str, dict[str, str]]:
        found = {
            verdict: {name: status for name, status in checks.items() if re.search(r"\borders\b", name)}
            for verdict, checks in self.status.items()
        }
        return {verdict: checks for verdict, checks in found.items() if checks}


@pytest.fixture(scope="module")
def awx(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Awx:
    return Awx(lab, tmp_path_factory.mktemp("awx"))


def test_one_entry_brings_everything_and_takes_it_away(
    awx: Awx, lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Day by day, and then the whole site, as AWX plays them: for once these jobs have something to do."""
    if not any("dashboards" in name for name in ours(lab)):
        lab.playbook("site")
    before, untouched = ours(lab), traces(lab)
    given = {"lab_more_services": [ENTRY], "monitoring_evidence_dir": str(tmp_path / "with")}

    began = time.monotonic()
    try:
        for day in ("Monitoring day 1", "Monitoring day 2", "Monitoring day 3"):
            assert judged(awx, day, **given).changed
        took = time.monotonic() - began
        there, spoken = ours(lab) - before, traces(lab) - untouched
    finally:
        began = time.monotonic()
        judged(awx, "Monitoring site", monitoring_evidence_dir=str(tmp_path / "without"))
        took_back = time.monotonic() - began

    assert {"ServiceMonitor team-a/orders", "PrometheusRule monitoring/alerts-orders"} <= there
    assert any(name.startswith("Probe ") for name in there), there
    # A row of the service's own, and its objective.
    assert {"ConfigMap monitoring/dashboard-overview", "ConfigMap monitoring/dashboard-slo"} <= spoken, spoken
    verdicts = Verdicts(tmp_path / "with")
    service = verdicts.of_the_service()
    assert {"scrape", "workloads", "rules", "slo"} <= set(service), service
    assert {"orders", "orders-probe"} <= set(service["scrape"])
    assert {status for checks in service.values() for status in checks.values()} == {"ok"}, service
    assert verdicts.status["logs"]["namespace team-a"] == "ok"

    assert ours(lab) == before
    assert traces(lab) == untouched
    assert Verdicts(tmp_path / "without").of_the_service() == {}
    with capsys.disabled():
        print(f"\none service: {len(ENTRY)} keys in one file; with it, in {took:.0f} s:")
        print("".join(f"  + {name}\n" for name in sorted(there)), end="")
        print("".join(f"  ~ {name}\n" for name in sorted(spoken - there)), end="")
        print("".join(f"  {name}: {', '.join(checks)}\n" for name, checks in service.items()), end="")
        print(f"without it, in {took_back:.0f} s: all of it is gone")
