# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's receivers fail in every way that can be switched on; each has its own cause, and then it is green again.

What they got is read, and their mode switched, through the API server's proxy, as the verdict reads it. All of them
fail in one way at once: one verdict tells each apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube
from ansible_collections.dataplatform.monitoring.plugins.modules import (
    alertmanager_silence,
    verify_alert_delivery,
    verify_alert_routing,
)

from tests.lab_fixture import Lab

from .conftest import named
from .sink_modes import MODES

SINKS = {"email": "smtp", "slack": "slack", "pagerduty": "pagerduty"}
LABELS = {
    "email": {"alertname": "Other", "severity": "info"},
    "slack": {"alertname": "Other", "severity": "warning"},
    "pagerduty": {"alertname": "Other", "severity": "critical"},
}
OK = dict.fromkeys(SINKS, "ok")
#: Each mode once; every pair of mode and receiver is tried on loopback (tests/integration/delivery).
TURNS = (
    {"email": "403", "slack": "404", "pagerduty": "429"},
    # Why a mail server cannot be reached stands in the log alone, which is read in a cluster.
    {"email": "refuse", "slack": "slow", "pagerduty": "500"},
)


class Sinks:
    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def mode(self, modes: dict[str, str], **more: Any) -> None:
        """Switch those that receivers lead to."""
        for receiver, mode in modes.items():
            assert self._control(receiver).call("POST", "/mode", (), {"mode": mode, **more}).status == 200

    def refused(self, receiver: str) -> int:
        """How many messages it has refused."""
        return json.loads(self._control(receiver).call("GET", "/messages").body)["rejected"]

    def _control(self, receiver: str) -> Any:
        return self._kube.proxy("lab-sinks", "services", SINKS[receiver], "control")


@pytest.fixture
def sinks(alerting: Lab) -> Iterator[Sinks]:
    found = Sinks(Kube({"kubeconfig": str(alerting.kubeconfig)}))
    yield found
    found.mode(OK)


def run(lab: Lab, capsys: pytest.CaptureFixture[str], module: Any, **options: Any) -> dict[str, Any]:
    """A module as Ansible runs it; its result."""
    given = {"kubeconfig": str(lab.kubeconfig), "namespace": "monitoring", "report_only": True, **options}
    with patch_module_args(given), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out)


def judge(lab: Lab, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    """The check of each receiver after a test alert."""
    expectations = [{"labels": labels} for labels in LABELS.values()]
    checks = run(lab, capsys, verify_alert_delivery, send_test_alerts=True, expectations=expectations)["checks"]
    return {receiver: named(checks, receiver) for receiver in SINKS}


@pytest.mark.parametrize("turn", TURNS, ids=lambda turn: ", ".join(turn.values()))
def test_each_failure_has_its_own_cause_and_ends(marked, capsys, sinks, turn):
    sinks.mode(turn)
    told = {receiver: (check["status"], check["cause"]["code"]) for receiver, check in judge(marked, capsys).items()}
    assert told == {receiver: ("failed", MODES[mode]) for receiver, mode in turn.items()}
    sinks.mode(OK)
    for receiver, check in judge(marked, capsys).items():
        assert check["status"] == "ok", (receiver, check)


def test_a_failure_that_ends_within_the_retries_is_none(marked, capsys, sinks):
    before = {receiver: sinks.refused(receiver) for receiver in SINKS}
    sinks.mode(dict.fromkeys(SINKS, "500-then-ok"), times=2)
    for receiver, check in judge(marked, capsys).items():
        # Of this alert or of another one that is under way.
        assert check["status"] == "ok" and sinks.refused(receiver) >= before[receiver] + 2, (receiver, check)


def test_what_is_silenced_says_by_whom(marked, capsys, sinks):
    silence = {
        "matchers": ['dataplatform_monitoring_synthetic=~"delivery-.+"'],
        "comment": "tests of the delivery verdict",
    }
    kubeconfig = {"kubeconfig": str(marked.kubeconfig), "namespace": "monitoring"}
    try:
        with patch_module_args({**kubeconfig, **silence, "duration": "5m"}), pytest.raises(SystemExit):
            alertmanager_silence.main()
        capsys.readouterr()
        check = judge(marked, capsys)["email"]
        assert (check["status"], check["cause"]["code"]) == ("unknown", "alert_silenced")
        assert "tests of the delivery verdict" in check["cause"]["message"]
    finally:
        with patch_module_args({**kubeconfig, **silence, "state": "absent"}), pytest.raises(SystemExit):
            alertmanager_silence.main()
        capsys.readouterr()


def test_an_alertmanager_without_a_ready_pod_is_a_cause_and_the_rest_is_judged(alerting, marked, capsys):
    """By a Service that nobody stands behind: the shared Alertmanager goes on."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "t-nobody", "namespace": "monitoring"},
        "spec": {"selector": {"app": "t-nobody"}, "ports": [{"name": "http-web", "port": 9093}]},
    }
    marked.kubectl("apply", "-f", "-", stdin=json.dumps(service))
    try:
        prometheus = {"namespace": "monitoring", "service": "prometheus-operated"}
        checks = run(marked, capsys, verify_alert_delivery, service="t-nobody", prometheus=prometheus)["checks"]
        for name in (*SINKS, "heartbeat", "somebody is told", "configuration"):
            check = named(checks, name)
            assert (check["status"], check["cause"]["code"]) == ("unknown", "server_unreachable"), check
        assert named(checks, "Prometheus to Alertmanager")["status"] == "ok"
        assert named(checks, "fire drill")["status"] in ("ok", "not_applicable")
        expectations = [{"name": "critical", "labels": LABELS["pagerduty"], "receivers": ["pagerduty", "email"]}]
        checks = run(marked, capsys, verify_alert_routing, service="t-nobody", expectations=expectations)["checks"]
        # What the operator generated for it is known all the same.
        assert named(checks, "critical")["status"] == "ok"
        assert named(checks, "replicas")["cause"]["code"] == "server_unreachable"
    finally:
        marked.kubectl("-n", "monitoring", "delete", "service", "t-nobody")
