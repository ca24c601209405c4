# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manuals' catalogues and packs, taken as far as a deployment: monitors, boards, rules, and the cases of alerts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from ansible_collections.dataplatform.monitoring.plugins.filter.catalogue import catalogue_monitors
from ansible_collections.dataplatform.monitoring.plugins.filter.dashboards import dashboards
from ansible_collections.dataplatform.monitoring.plugins.filter.rules import rules_file
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _catalogue_resolve, _packs, _rules

from tests.docs_samples import Sample, is_outline, played, samples, tasks, variables

from .generate import SETTINGS, suite
from .test_alerts import promtool  # noqa: F401

SAMPLES = [one for one in samples("yaml") if not (is_outline(one) or played(one) or tasks(one))]
PROBER = "blackbox-exporter.monitoring.svc:9115"


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_what_a_sample_deploys(sample: Sample, promtool: str, tmp_path: Path) -> None:  # noqa: F811
    given = variables(sample)
    assert set(given) <= {"monitoring_services", "catalogue_packs", "ansible_connection", "ansible_python_interpreter"}
    packs = _packs.load(given.get("catalogue_packs"))
    assert _packs.validate(packs) == []
    catalogue = _catalogue_resolve.resolve(
        given.get("monitoring_services", []), packs, {}, "monitoring", now="2026-01-01T00:00:00Z", exporters=True
    )
    assert catalogue["faults"] == []
    # An entry with an exporter has its monitor in the exporter's namespace; of adopted ones there is none.
    monitored = {item["metadata"]["name"] for item in catalogue_monitors(catalogue, PROBER)}
    assert {one["name"] for one in catalogue["entries"] if not one.get("adopt")} <= monitored
    assert dashboards(catalogue)
    objects = _rules.catalogue_rules({**catalogue, "prober": {"url": PROBER}}, SETTINGS)
    (tmp_path / "rules.yml").write_text(rules_file(objects))
    run(promtool, "check", "rules", "--lint=none", str(tmp_path / "rules.yml"))

    for kind, pack in (given.get("catalogue_packs") or {}).items():
        for name, alert in pack.get("alerts", {}).items():
            fires = {case.get("fires") is not None for case in alert["tests"]}
            assert fires == {True, False}, f"{name}: a case that fires and one that does not"
        one = suite(kind, packs)
        if one.tests["tests"]:
            (tmp_path / f"{kind}.rules.json").write_text(json.dumps(one.rules))
            (tmp_path / f"{kind}.tests.json").write_text(json.dumps(one.tests))
            run(promtool, "test", "rules", str(tmp_path / f"{kind}.tests.json"))
