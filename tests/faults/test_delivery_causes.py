# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's receivers fail in every way that can be switched on; each has its own cause, and then it is green again.

What they got is read, and their mode switched, through the API server's proxy, as the verdict reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube
from ansible_collections.dataplatform.monitoring.plugins.modules import alertmanager_silence, verify_alert_delivery

from tests.lab_fixture import Lab

from .conftest import named

SINKS = {"email": "smtp", "slack": "slack", "pagerduty": "pagerduty"}
LABELS = {
    "email": {"alertname": "Other", "severity": "info"},
    "slack": {"alertname": "Other", "severity": "warning"},
    "pagerduty": {"alertname": "Other", "severity": "critical"},
}
MODES = {
    "403": "credentials_refused",
    "429": "receiver_rate_limits",
    "500": "receiver_server_error",
    "refuse": "receiver_unreachable",
    "slow": "receiver_too_slow",
}


class Sinks:
    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def mode(self, receiver: str, mode: str) -> None:
        place = self._kube.proxy("lab-sinks", "services", SINKS[receiver], "control")
        assert place.call("POST", "/mode", (), {"mode": mode}).status == 200


@pytest.fixture
def sinks(alerting: Lab) -> Iterator[Sinks]:
    found = Sinks(Kube({"kubeconfig": str(alerting.kubeconfig)}))
    yield found
    for receiver in SINKS:
        found.mode(receiver, "ok")


def judge(lab: Lab, capsys: pytest.CaptureFixture[str], receiver: str) -> dict[str, Any]:
    options = {
        "kubeconfig": str(lab.kubeconfig),
        "namespace": "monitoring",
        "send_test_alerts": True,
        "expectations": [{"labels": LABELS[receiver]}],
        "receivers": [receiver],
        "report_only": True,
    }
    with patch_module_args(options), pytest.raises(SystemExit):
        verify_alert_delivery.main()
    return named(json.loads(capsys.readouterr().out)["checks"], receiver)


@pytest.mark.parametrize("receiver", sorted(SINKS))
@pytest.mark.parametrize("mode", sorted(MODES))
def test_each_failure_has_its_own_cause_and_ends(marked, capsys, sinks, receiver, mode):
    sinks.mode(receiver, mode)
    bad = judge(marked, capsys, receiver)
    assert (bad["status"], bad["cause"]["code"]) == ("failed", MODES[mode]), bad
    sinks.mode(receiver, "ok")
    assert judge(marked, capsys, receiver)["status"] == "ok"


def test_what_is_silenced_says_by_whom(marked, capsys, sinks):
    silence = {
        "kubeconfig": str(marked.kubeconfig),
        "namespace": "monitoring",
        "matchers": ['dataplatform_monitoring_synthetic=~"delivery-.+"'],
        "comment": "tests of the delivery verdict",
    }
    try:
        with patch_module_args({**silence, "duration": "5m"}), pytest.raises(SystemExit):
            alertmanager_silence.main()
        capsys.readouterr()
        check = judge(marked, capsys, "email")
        assert (check["status"], check["cause"]["code"]) == ("unknown", "alert_silenced")
        assert "tests of the delivery verdict" in check["cause"]["message"]
    finally:
        with patch_module_args({**silence, "state": "absent"}), pytest.raises(SystemExit):
            alertmanager_silence.main()
        capsys.readouterr()
