# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for credentials finds a leak that was planted, and none in the cluster's objects.

What plays print and write is searched where they are played at their most talkative: tests/scenarios.
"""

from __future__ import annotations

import base64
import urllib.parse

import pytest

from tests.lab_fixture import Lab

from .leaks import canaries, leaks


@pytest.mark.parametrize(
    "show",
    [
        lambda value: f"--password={value}",
        lambda value: base64.b64encode(value.encode()).decode(),
        lambda value: base64.b64encode(f"a{value}b".encode()).decode(),
        lambda value: base64.b64encode(f"user:{value}".encode()).decode(),
        lambda value: f"https://u:{urllib.parse.quote(value, safe='')}@host",
    ],
)
def test_a_planted_leak_is_found(show) -> None:
    canaries = {"planted": "p4ss/w+rd=with&all?", "other": "nowhere-to-be-seen"}
    assert leaks(f"text before {show(canaries['planted'])} and after", canaries) == ["planted"]
    assert leaks("nothing of that", canaries) == []


def test_no_credential_stands_in_an_object_that_is_no_secret(lab: Lab) -> None:
    # Day 1 makes some of them.
    if lab.kubectl("-n", "monitoring", "get", "secret", "kube-prometheus-stack-grafana-admin", check=False).returncode:
        lab.playbook("day1")
    kinds = "configmaps,deployments,statefulsets,daemonsets,pods,alertmanagers,prometheuses,servicemonitors"
    text = lab.kubectl("get", kinds, "-A", "-o", "json").stdout
    assert leaks(text, canaries(lab)) == []
