# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""verify.yml beside installations that somebody else made in the cluster, with the inventories of docs/existing.md.

They run beside the lab's own, in namespaces of their own; nothing of ours is in them, and nothing is written.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.foreign.documented import inventory, variables
from tests.integration.programs import wait_for
from tests.lab_fixture import Lab

ROOT = Path(__file__).resolve().parents[2]
OBJECTS = Path(__file__).with_name("foreign.yml")
KUBE_PROMETHEUS, BARE = "foreign-kp", "foreign-bare"
PODS = {
    KUBE_PROMETHEUS: ("prometheus-k8s-0", "alertmanager-main-0"),
    BARE: ("prometheus-metrics-0", "alertmanager-alarms-0"),
}


@pytest.fixture(scope="module")
def foreign(lab: Lab) -> Iterator[Lab]:
    """The installations, up and with a notification that was delivered."""
    lab.kubectl("apply", "--server-side", "-f", str(OBJECTS))
    try:
        for namespace, pods in PODS.items():
            for pod in pods:
                words = ["wait", "-n", namespace, f"pod/{pod}", "--for=condition=Ready", "--timeout=10s"]
                wait_for(lambda words=words: lab.kubectl(*words, check=False).returncode == 0, f"{pod} ready", 120)
            pod = pods[0]
            wait_for(
                lambda namespace=namespace, pod=pod: value(
                    lab, namespace, pod, "increase(alertmanager_notifications_total[5m])"
                ),
                f"a notification that {pod} knows of",
                120,
            )
        yield lab
    finally:
        # The cluster's own objects first: a namespace takes its time.
        lab.kubectl("delete", "-f", str(OBJECTS), "--ignore-not-found", "--wait=true", "--timeout=150s", check=False)


def value(lab: Lab, namespace: str, pod: str, expression: str) -> float:
    """The sum of an expression, 0 while there is none."""
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}:9090/proxy/api/v1/query?query=sum({expression})"
    done = lab.kubectl("get", "--raw", path, check=False)
    found = json.loads(done.stdout)["data"]["result"] if done.returncode == 0 else []
    return float(found[0]["value"][1]) if found else 0.0


def verify(
    lab: Lab, folder: Path, name: str, namespace: str, **more: Any
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Play verify.yml with the documented inventory: how it ended, and checks by verdict/name.

    The lab has an installation of ours in the namespace that is asked by default, so that theirs is named here.
    """
    text = json.dumps(inventory(name))
    for documented in ("monitoring", "observability"):
        text = text.replace(f'"namespace": "{documented}"', f'"namespace": "{namespace}"')
    hosts = json.loads(text)
    host = hosts["all"]["hosts"]["production"]
    host.pop("monitoring_loki", None)
    host.update({"monitoring_namespace": namespace, **more})
    given = folder / "inventory.yml"
    given.write_text(yaml.safe_dump(hosts))
    done = subprocess.run(
        ["ansible-playbook", "-i", str(given), "playbooks/verify.yml",
         "-e", f"monitoring_evidence_dir={folder / 'evidence'}", "-e", "monitoring_verify_timeout=30"],
        cwd=ROOT, env=lab.environment(ANSIBLE_NOCOLOR="1"), capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    written = sorted((folder / "evidence").glob("*/*/verdict.json"))
    assert written, done.stdout + done.stderr
    verdicts = json.loads(written[-1].read_text())["verdicts"]
    return done, {f"{one['name']}/{check['name']}": check for one in verdicts for check in one["checks"]}


def red(checks: dict[str, Any]) -> dict[str, str]:
    return {name: check["cause"]["code"] for name, check in checks.items() if check["status"] in ("failed", "unknown")}


def test_names_of_kube_prometheus(foreign: Lab, tmp_path: Path) -> None:
    done, checks = verify(foreign, tmp_path, "kube-prometheus", KUBE_PROMETHEUS)
    assert red(checks) == {}, done.stdout
    assert done.returncode == 0
    assert {name for name in checks if name.startswith("scrape/")} == {
        "scrape/prometheus-k8s",
        "scrape/alertmanager-main",
        "scrape/prometheus-node-exporter",
    }
    assert checks["logs/logs"]["status"] == checks["workloads/workloads"]["status"] == "not_applicable"
    assert {checks[f"delivery/{name}"]["status"] for name in ("somebody is told", "configuration")} == {"ok"}
    assert checks["delivery/fire drill"]["status"] == "not_applicable"
    assert "changed=0" in done.stdout


def test_names_of_kube_prometheus_with_a_target_that_is_not_there(foreign: Lab, tmp_path: Path) -> None:
    change = '{"spec":{"endpoints":[{"port":"http-metrics","path":"/nope"}]}}'
    back = '{"spec":{"endpoints":[{"port":"http-metrics"}]}}'
    monitor = ["patch", "-n", KUBE_PROMETHEUS, "servicemonitor", "node-exporter", "--type=merge", "-p"]
    foreign.kubectl(*monitor, change)
    try:
        down = 'up{job="prometheus-node-exporter"}==bool+0'
        wait_for(lambda: value(foreign, KUBE_PROMETHEUS, "prometheus-k8s-0", down), "a target that is down", 120)
        _done, checks = verify(foreign, tmp_path, "kube-prometheus", KUBE_PROMETHEUS)
    finally:
        foreign.kubectl(*monitor, back)
    assert red(checks) == {"scrape/prometheus-node-exporter": "target_down_not_found"}
    fix = checks["scrape/prometheus-node-exporter"]["cause"]["fix"]
    assert f"In the ServiceMonitor {KUBE_PROMETHEUS}/node-exporter" in fix


def test_a_bare_operator_with_other_names(foreign: Lab, tmp_path: Path) -> None:
    loki = {"namespace": "monitoring", "service": "loki", "agent": {"namespace": "monitoring", "name": "promtail"}}
    done, checks = verify(foreign, tmp_path, "operator", BARE, monitoring_loki=loki)
    assert red(checks) == {}, done.stdout
    assert done.returncode == 0
    assert {name for name in checks if name.startswith("scrape/")} == {
        "scrape/prometheus-operated",
        "scrape/alertmanager-operated",
    }
    assert checks["delivery/duty"]["status"] == "ok"
    assert checks["logs/agent_on_every_node"]["status"] == "ok"
    assert checks[f"logs/namespace {BARE}"]["status"] == "ok"


def test_the_documented_account_is_enough(foreign: Lab, tmp_path: Path) -> None:
    """It may not read Secrets, so that the routes are what Alertmanager itself shows."""
    objects = json.dumps(variables("account")).replace('"observability"', f'"{BARE}"')
    foreign.kubectl("apply", "--server-side", "-f", "-", stdin=objects)
    try:
        token = foreign.kubectl("create", "token", "-n", BARE, "monitoring-verifier").stdout.strip()
        config = yaml.safe_load(foreign.kubeconfig.read_text())
        config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(config))
        expected = [{"labels": {"alertname": "AlwaysFiring", "severity": "critical"}, "receivers": ["duty"]}]
        done, checks = verify(
            foreign, tmp_path, "operator", BARE,
            monitoring_kubeconfig=str(kubeconfig), alertmanager_routing_expectations=expected,
        )  # fmt: skip
    finally:
        foreign.kubectl("delete", "-f", "-", "--ignore-not-found", stdin=objects, check=False)
    assert red(checks) == {}, done.stdout
    (written,) = tmp_path.glob("evidence/*/*/verdict.json")
    routing = next(one for one in json.loads(written.read_text())["verdicts"] if one["name"] == "routing")
    assert any("the generated Secret may not be read" in note for note in routing["notes"])
    assert checks["delivery/duty"]["status"] == "ok"


def test_a_bare_operator_whose_receiver_cannot_be_reached(foreign: Lab, tmp_path: Path) -> None:
    def point(host: str) -> None:
        config = {
            "route": {
                "receiver": "duty",
                "group_by": ["alertname"],
                "group_wait": "1s",
                "group_interval": "5s",
                "repeat_interval": "10s",
            },
            "receivers": [{"name": "duty", "webhook_configs": [{"url": f"http://{host}:9115/-/healthy"}]}],
        }
        patch = json.dumps({"stringData": {"alertmanager.yaml": yaml.safe_dump(config)}})
        foreign.kubectl("patch", "-n", BARE, "secret", "alarms-config", "--type=merge", "-p", patch)

    point("nobody.foreign-bare.svc")
    try:
        failed = "increase(alertmanager_notifications_failed_total[5m])"
        wait_for(lambda: value(foreign, BARE, "prometheus-metrics-0", failed), "a failed notification", 200)
        _done, checks = verify(foreign, tmp_path, "operator", BARE)
    finally:
        point("blackbox-exporter.monitoring.svc")
    assert red(checks) == {"delivery/duty": "receiver_unreachable"}
    assert "no such host" in checks["delivery/duty"]["cause"]["message"]
