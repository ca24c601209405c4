# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials that were rotated reach the exporter with the next run, and a run without a rotation changes nothing."""

from __future__ import annotations

import base64
import json
import re

from tests.lab_fixture import Lab

SECRET = ("-n", "monitoring", "secret", "postgresql-monitoring")
DEPLOYMENT = ("-n", "monitoring", "deployment", "postgresql-exporter")


def play(lab: Lab) -> int:
    """Install the exporters of day 1; how many tasks changed something."""
    done = lab.playbook("day2", "--tags", "exporters_install", ANSIBLE_NOCOLOR="1", check=False)
    found = re.search(r"changed=(\d+)", done.stdout)
    assert found, done.stdout[-4000:] + done.stderr[-2000:]
    return int(found.group(1))


def template(lab: Lab) -> dict:
    return json.loads(lab.kubectl("get", *DEPLOYMENT, "-o", "json").stdout)["spec"]["template"]["metadata"]


def test_rotated_credentials(lab: Lab) -> None:
    if lab.kubectl("get", *DEPLOYMENT, check=False).returncode:
        play(lab)
    before = template(lab)
    data = json.loads(lab.kubectl("get", *SECRET, "-o", "json").stdout)["data"]
    value = base64.b64decode(data["username"]).decode()
    # The same value under one more key: a new version of the Secret, and a login that goes on working.
    for patch in ({"stringData": {"rotated": value}}, {"data": {"rotated": None}}):
        lab.kubectl("patch", *SECRET, "--type=merge", "-p", json.dumps(patch))
    try:
        assert play(lab) == 1
        after = template(lab)
        assert after["annotations"] != before["annotations"]
        assert not {base64.b64decode(item).decode() for item in data.values()} & set(after["annotations"].values())
        assert play(lab) == 0
    finally:
        lab.kubectl("rollout", "status", "--timeout=120s", *DEPLOYMENT[:2], "deployment/postgresql-exporter")
