# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""discover.yml on the lab: what it proposes is a catalogue, and pasted, nothing is left to propose."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _catalogue_validate, _packs

from tests.lab_fixture import Lab

ROOT = Path(__file__).resolve().parents[2]
# As before day 1: no Prometheus whose targets would count.
NO_PROMETHEUS = {"monitoring_prometheus": {"namespace": "nowhere"}}


def discover(lab: Lab, folder: Path, **variables: Any) -> tuple[dict[str, Any], str]:
    """What it proposes for an inventory of these variables, and what it prints."""
    given, made = folder / "inventory.yml", folder / "proposed.yml"
    host = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}", **variables}
    given.write_text(yaml.safe_dump({"all": {"hosts": {"lab": host}}}))
    done = subprocess.run(
        ["ansible-playbook", "-i", str(given), "playbooks/discover.yml", "-e", f"discover_file={made}"],
        cwd=ROOT, env=lab.environment(ANSIBLE_NOCOLOR="1"), capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.fail(done.stdout[-6000:] + done.stderr)
    return yaml.safe_load(made.read_text()), done.stdout


def test_a_platform_that_nobody_monitors(lab: Lab, tmp_path: Path) -> None:
    proposed, printed = discover(lab, tmp_path, **NO_PROMETHEUS)
    services = proposed["monitoring_services"]
    assert _catalogue_validate.validate(services, _packs.load({})) == []
    kinds = {(entry["namespace"], entry["name"]): entry.get("kind", "generic") for entry in services}
    platform = {key: kind for key, kind in kinds.items() if key[0] not in ("monitoring", "lab-sinks")}
    assert (
        platform.items()
        >= {
            ("data-platform", "trino"): "trino",
            ("data-platform", "superset"): "superset",
            ("data-platform", "datahub-gms"): "datahub",
            ("data-platform", "doris-fe"): "doris_fe",
            ("data-platform", "doris-be"): "doris_be",
            ("data-platform", "minio"): "minio",
            ("data-platform", "kafka-exporter"): "kafka",
            ("vault", "vault"): "vault",
            ("cert-manager", "cert-manager"): "cert-manager",
            ("ingress-nginx", "ingress-nginx-controller"): "ingress-nginx",
            ("kube-system", "coredns"): "coredns",
            ("team-a", "orders"): "generic",
        }.items()
    )
    assert "What is scraped already is not known" in printed

    again, _printed = discover(lab, tmp_path, **NO_PROMETHEUS, monitoring_services=services)
    assert again["monitoring_services"] == []


def test_beside_the_lab_s_own_catalogue_only_what_nobody_declared(lab: Lab, tmp_path: Path) -> None:
    """The example's platform is declared; of what runs besides, only what answers with metrics is new."""
    made = tmp_path / "proposed.yml"
    lab.playbook("discover", "-e", f"discover_file={made}")
    found = {entry["name"]: entry for entry in yaml.safe_load(made.read_text())["monitoring_services"]}
    assert found["orders"]["namespace"] == "team-a"
    assert "trino" not in found
    assert all(entry.get("adopt") for name, entry in found.items() if name != "orders"), found
