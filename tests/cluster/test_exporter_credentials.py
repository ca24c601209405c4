# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials that were rotated reach the exporter with the next run, and a run without a rotation changes nothing."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import yaml

from tests.lab_fixture import Lab

from .test_roles import play

SECRET = ("-n", "monitoring", "secret", "postgresql-monitoring")
DEPLOYMENT = ("-n", "monitoring", "deployment", "postgresql-exporter")


def play_exporters(lab: Lab, folder: Path) -> int:
    """Play the role alone, as its README says; how many tasks changed something."""
    playbook = folder / "exporters.yml"
    playbook.write_text(yaml.safe_dump([{**play("exporters"), "hosts": "lab"}], sort_keys=False))
    done = lab._run(
        ["ansible-playbook", "-i", "inventories/lab", str(playbook)], check=True, timeout=300, ANSIBLE_NOCOLOR="1"
    )
    return int(re.search(r"changed=(\d+)", done.stdout)[1])


def template(lab: Lab) -> dict:
    return json.loads(lab.kubectl("get", *DEPLOYMENT, "-o", "json").stdout)["spec"]["template"]["metadata"]


def test_rotated_credentials(lab: Lab, tmp_path: Path) -> None:
    if lab.kubectl("get", *DEPLOYMENT, check=False).returncode:
        play_exporters(lab, tmp_path)
    before = template(lab)
    data = json.loads(lab.kubectl("get", *SECRET, "-o", "json").stdout)["data"]
    value = base64.b64decode(data["username"]).decode()
    # The same value under one more key: a new version of the Secret, and a login that goes on working.
    for patch in ({"stringData": {"rotated": value}}, {"data": {"rotated": None}}):
        lab.kubectl("patch", *SECRET, "--type=merge", "-p", json.dumps(patch))
    try:
        assert play_exporters(lab, tmp_path) == 1
        after = template(lab)
        assert after["annotations"] != before["annotations"]
        assert not {base64.b64decode(item).decode() for item in data.values()} & set(after["annotations"].values())
        assert play_exporters(lab, tmp_path) == 0
    finally:
        lab.kubectl("rollout", "status", "--timeout=120s", *DEPLOYMENT[:2], "deployment/postgresql-exporter")
