# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role alertmanager on an Alertmanager of two replicas of the test's own: what is refused, and what is proven."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.dataplatform.monitoring.plugins.modules import verify_alert_routing

from tests.lab_fixture import KUBECONFIG, ROOT, Lab
from tests.unit.alertmanager.samples import CANARY, PLAN

NAMESPACE = "t-alerting"
NAME = "pair"
SECRET = f"alertmanager-{NAME}"
KEYS = {
    "smtp_auth_password": "x",
    "pagerduty_routing_key": "x",
    "slack_api_url": "http://x/",
    "heartbeat_url": "http://x/",
}
SETTINGS = {
    "alertmanager_namespace": NAMESPACE,
    "alertmanager_name": NAME,
    "alertmanager_receivers_secret": "alertmanager-receivers",
}
ALERTMANAGER = {
    "apiVersion": "monitoring.coreos.com/v1",
    "kind": "Alertmanager",
    "metadata": {"name": NAME, "namespace": NAMESPACE},
    "spec": {
        "replicas": 2,
        "version": "v0.34.0",
        "image": "quay.io/prometheus/alertmanager:v0.34.0",
        "imagePullPolicy": "IfNotPresent",
        "secrets": ["alertmanager-receivers"],
        "alertmanagerConfigSelector": {},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
    },
}


class Pair:
    """Two replicas, and the role that configures them."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self._folder = folder
        self.announced: subprocess.CompletedProcess[str] | None = None
        self.done: subprocess.CompletedProcess[str] | None = None

    def apply(self, *objects: dict[str, Any]) -> None:
        whole = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.lab.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(whole))

    def secret(self, name: str, **values: str) -> dict[str, Any]:
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        meta = {"name": name, "namespace": NAMESPACE}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data}

    def play(self, *options: str, **settings: Any) -> subprocess.CompletedProcess[str]:
        self._folder.mkdir(parents=True, exist_ok=True)
        given = self._folder / "settings.yml"
        # Texts with braces are not for Ansible to read.
        lines = [f"{name}: !unsafe {json.dumps(value)}" for name, value in {**SETTINGS, **settings}.items()]
        given.write_text("\n".join(lines) + "\n")
        command = [
            "ansible-playbook",
            "-i",
            str(ROOT / "inventories" / "lab"),
            str(ROOT / "tests/faults/alertmanager.yml"),
        ]
        return self.lab._run([*command, "-e", f"@{given}", *options], check=False, timeout=400, ANSIBLE_NOCOLOR="1")

    def verdict(self, capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, dict[str, Any]]:
        """verify_alert_routing of the pair: check name -> check."""
        given = {
            "kubeconfig": str(KUBECONFIG),
            "namespace": NAMESPACE,
            "expectations": [],
            "report_only": True,
            **options,
        }
        with patch_module_args(given), pytest.raises(SystemExit):
            verify_alert_routing.main()
        result = json.loads(capsys.readouterr().out)
        assert "checks" in result, result
        return {check["name"]: check for check in result["checks"]}


@pytest.fixture(scope="module")
def pair(marked: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    found = Pair(marked, tmp_path_factory.mktemp("pair"))
    marked.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
    found.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    found.apply(found.secret("alertmanager-receivers", **KEYS), ALERTMANAGER)
    two = "--for=jsonpath={.status.availableReplicas}=2"
    marked.kubectl("-n", NAMESPACE, "wait", two, "alertmanager", NAME, "--timeout=170s")
    yield found
    marked.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture(scope="module")
def configured(pair: Pair) -> Pair:
    """Played for the first time; what the check run before announced, and what the run then said, stay with it."""
    pair.announced, pair.done = pair.play("--check", "--diff"), pair.play()
    assert pair.done.returncode == 0, pair.done.stdout
    return pair


def codes(check: dict[str, Any]) -> list[str]:
    return [cause["code"] for cause in [check["cause"], *check["other_causes"]]]


def test_the_plans_own_secret_is_refused_seven_times_and_nothing_is_changed(pair: Pair) -> None:
    done = pair.play("-vvv", alertmanager_config=PLAN)
    assert done.returncode != 0 and "Nothing was changed." in done.stdout
    for code in (
        "secret_not_read", "literal_credential", "service_key_used", "deprecated_match", "template_label_empty",
        "critical_not_mailed", "continue_without_effect",
    ):  # fmt: skip
        assert f"{code}: " in done.stdout
    encoded = base64.b64encode(CANARY.encode()).decode().rstrip("=")
    assert CANARY not in done.stdout + done.stderr and encoded not in done.stdout + done.stderr
    gone = pair.lab.kubectl("-n", NAMESPACE, "get", "configmap", "dataplatform-monitoring-alertmanager", check=False)
    assert "NotFound" in gone.stderr


def test_credentials_that_are_missing_or_not_mounted_are_refused(pair: Pair) -> None:
    pair.apply(pair.secret("other-receivers", slack_api_url="x"))
    done = pair.play(alertmanager_receivers_secret="other-receivers")
    assert "credential_missing: Secret t-alerting/other-receivers has no key smtp_auth_password" in done.stdout
    assert "secret_not_mounted: Alertmanager t-alerting/pair does not mount Secret other-receivers" in done.stdout


def test_what_is_written_is_loaded_by_both_replicas_in_one_cluster_and_again_changes_nothing(
    configured: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    announced = configured.announced
    assert announced.returncode == 0, announced.stdout
    assert (
        "routing_key_file: /etc/alertmanager/secrets/alertmanager-receivers/pagerduty_routing_key" in announced.stdout
    )
    assert "changed=1" in configured.done.stdout, configured.done.stdout
    assert "changed=0" in configured.play().stdout
    checks = configured.verdict(capsys)
    assert {name: check["status"] for name, check in checks.items()} == dict.fromkeys(
        ("tree", "replicas", "cluster"), "ok"
    )
    assert checks["replicas"]["observed"] == "2 of 2"


CRITICAL = {"alertname": "ServiceDown", "severity": "critical", "service": "trino"}
WARNING = {**CRITICAL, "severity": "warning"}


@pytest.mark.parametrize(
    ("code", "expectation"),
    [
        ("route_takes_it_elsewhere", {"labels": CRITICAL, "receivers": ["slack", "email"]}),
        ("receiver_undefined", {"labels": CRITICAL, "receivers": ["pagerduty", "emial"]}),
        ("receiver_order_differs", {"labels": CRITICAL, "receivers": ["email", "pagerduty"]}),
        ("receiver_without_integration", {"labels": {"alertname": "InfoInhibitor"}, "receivers": ["email"]}),
        ("grouping_differs", {"labels": CRITICAL, "receivers": ["pagerduty", "email"], "group_by": ["pod"]}),
        ("timing_differs", {"labels": CRITICAL, "receivers": ["pagerduty", "email"], "group_wait": "31s"}),
        ("alert_inhibited", {"labels": WARNING, "receivers": ["slack", "email"], "active": [CRITICAL]}),
        ("not_silent_as_expected", {"labels": WARNING, "receivers": ["slack", "email"], "notified": False}),
    ],
)
def test_an_expectation_that_does_not_hold_of_what_runs(
    configured: Pair, capsys: pytest.CaptureFixture[str], code: str, expectation: dict[str, Any]
) -> None:
    check = configured.verdict(capsys, expectations=[{"name": "wrong", **expectation}])["wrong"]
    assert check["status"] == "failed" and code in codes(check)


def test_an_alertmanagerconfig_of_another_team_adds_its_routes_and_takes_none_of_ours(
    configured: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = configured
    theirs = {
        "apiVersion": "monitoring.coreos.com/v1alpha1",
        "kind": "AlertmanagerConfig",
        "metadata": {"name": "team-x", "namespace": NAMESPACE},
        "spec": {
            "route": {"receiver": "chat"},
            "receivers": [{"name": "chat", "webhookConfigs": [{"url": "http://x/"}]}],
        },
    }
    pair.apply(theirs)
    try:
        done = pair.play()
        assert done.returncode == 0 and "changed=0" in done.stdout, done.stdout
        labels = {"alertname": "A", "severity": "critical", "namespace": NAMESPACE}
        receivers = [f"{NAMESPACE}/team-x/chat", "pagerduty", "email"]
        expectation = {"name": "theirs", "labels": labels, "receivers": receivers}
        assert pair.verdict(capsys, expectations=[expectation])["theirs"]["status"] == "ok"
    finally:
        pair.lab.kubectl("-n", NAMESPACE, "delete", "alertmanagerconfig", "team-x")


def test_what_the_operator_refuses_leaves_the_old_running_and_says_why(
    configured: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = configured
    bad = {"route": {"receiver": "a"}, "receivers": [{"name": "a", "fax_configs": [{"to": "1"}]}]}
    pair.apply(pair.secret(SECRET, **{"alertmanager.yaml": json.dumps(bad)}))
    checks = pair.verdict(capsys, wanted=bad, timeout=60)
    assert codes(checks["generated"]) == ["operator_refuses_configuration", "configuration_not_generated"]
    assert "fax_configs" in checks["generated"]["cause"]["message"]
    assert checks["replicas"]["status"] == "ok", "the old one runs on"
    again = pair.play()
    assert again.returncode == 0, again.stdout


def test_a_secret_that_nobody_reads_is_noticed_by_what_runs(
    configured: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key is misspelt: the operator tells nobody, and reports no error."""
    pair = configured
    wanted = {"route": {"receiver": "a"}, "receivers": [{"name": "a", "webhook_configs": [{"url": "http://x/"}]}]}
    pair.lab.kubectl("-n", NAMESPACE, "delete", "secret", SECRET)
    pair.apply(pair.secret(SECRET, **{"alertmanager.yml": json.dumps(wanted)}))
    checks = pair.verdict(capsys, wanted=wanted, timeout=20)
    assert codes(checks["generated"])[-1] == "configuration_not_generated"
    assert "route.receiver: a wanted, null there" in checks["generated"]["cause"]["message"]
    # Somebody else made it: it is not taken over without being told so.
    assert "adopt_existing" in pair.play().stdout
    assert pair.play(alertmanager_adopt_existing=True).returncode == 0
