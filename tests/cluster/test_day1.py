# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""day1.yml announces in check mode what it then does, and does it once."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.docs_samples import ROOT, samples
from tests.lab_fixture import STATE, Lab

from .leaks import canaries, leaks
from .plays import Play, ours, releases, snapshot, stranger

RELEASES = {"monitoring/kube-prometheus-stack", "monitoring/loki", "monitoring/promtail"}


@pytest.fixture(scope="module")
def bare(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab with its platform and nothing of ours: what a play kept on purpose is removed by name."""
    folder = tmp_path_factory.mktemp("bare")
    claims = json.loads(lab.kubectl("-n", "monitoring", "get", "pvc", "-o", "json").stdout)["items"]
    named = [f"PersistentVolumeClaim/monitoring/{claim['metadata']['name']}" for claim in claims]
    named += [
        "Secret/monitoring/alertmanager-kube-prometheus-stack-alertmanager",
        "Secret/monitoring/kube-prometheus-stack-grafana-admin",
    ]
    if releases(lab):
        Play(lab, folder, "teardown", "-e", "teardown_confirm=lab", "-e", json.dumps({"teardown_remove": named}))
    crds = lab.kubectl("get", "crd", "-o", "name").stdout.split()
    coreos = [name for name in crds if name.endswith(".monitoring.coreos.com")]
    if coreos:
        lab.kubectl("delete", *coreos, "--timeout=60s")
    lab.kubectl("-n", "monitoring", "delete", "configmap", "dataplatform-monitoring-prometheus-operator-crds",
                "--ignore-not-found")  # fmt: skip
    _free_volumes(lab)
    with stranger(lab):
        yield lab
    # Nothing to do, unless the test ended before its time.
    if releases(lab) != RELEASES:
        Play(lab, folder, "day1")


def _free_volumes(lab: Lab) -> None:
    """Volumes whose claim is gone may be claimed again: nobody's data is on them but this lab's."""
    for volume in json.loads(lab.kubectl("get", "pv", "-o", "json").stdout)["items"]:
        if volume["status"].get("phase") == "Released":
            lab.kubectl("patch", "pv", volume["metadata"]["name"], "--type=merge", "-p", '{"spec":{"claimRef":null}}')


def test_the_readme_s_inventory_in_check_mode(bare: Lab, tmp_path: Path) -> None:
    """A new user's first look: README's inventory and settings, with the lab's own charts in place of upstream's."""
    given = [one.text for one in samples("yaml", pages=[ROOT / "README.md"])]
    (tmp_path / "group_vars").mkdir()
    for name, text in zip(("inventory.yml", "group_vars/all.yml"), given, strict=True):
        (tmp_path / name).write_text(text)
    before = ours(bare)

    def check(day: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ansible-playbook", "-i", str(tmp_path / "inventory.yml"), f"dataplatform.monitoring.{day}", "--check",
             "--diff", "-e", "@inventories/lab/group_vars/all/lab.yml", "-e", f"__lab_state={STATE}",
             "-e", f"monitoring_helm_binary={bare.bin / 'helm'}"],
            cwd=ROOT, env=bare.environment(ANSIBLE_NOCOLOR="1"), capture_output=True, text=True, timeout=240,
        )  # fmt: skip

    with ThreadPoolExecutor() as pool:
        days = list(pool.map(check, ("day1", "day2")))
    for done in days:
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        assert re.search(r"^production +: .* changed=[1-9]", done.stdout, re.MULTILINE), done.stdout[-2000:]
        assert "for the inventory names no mailbox" not in done.stdout
    assert "to: ops@example.com" in days[1].stdout and "smtp_smarthost: smtp.example.com:587" in days[1].stdout
    assert ours(bare) == before, "a check run changed something"


def test_a_check_run_announces_exactly_what_the_next_run_creates(bare: Lab, tmp_path: Path) -> None:
    cluster = snapshot(bare)
    announced = Play(bare, tmp_path, "day1", "--check", "--diff")
    checked = snapshot(bare)
    assert (checked.ours, checked.strangers) == (cluster.ours, cluster.strangers), "a check run changed something"
    assert announced.releases == RELEASES
    done = Play(bare, tmp_path, "day1")
    assert releases(bare) == RELEASES
    assert leaks(done.text, canaries(bare)) == [], "it made some of them"
    finished = snapshot(bare)
    assert finished.names - cluster.names == announced.created
    assert cluster.names - finished.names == announced.removed
    assert finished.touched_strangers(cluster) == []

    # Finished: nothing is announced, and nothing done. One value changed: exactly that is announced.
    retention = ("-e", "prometheus_operator_prometheus_retention=29d")
    with ThreadPoolExecutor() as pool:
        checks = [pool.submit(Play, bare, tmp_path, "day1", "--check", "--diff", *more) for more in ((), retention)]
        again, changed = (check.result() for check in checks)
    assert (again.changed, again.created, again.touched, again.removed) == (0, set(), set(), set())
    assert Play(bare, tmp_path, "day1").changed == 0
    repeated = snapshot(bare)
    assert repeated.ours == finished.ours
    assert repeated.touched_strangers(finished) == []
    assert changed.touched == {"Prometheus monitoring/kube-prometheus-stack-prometheus"}
    assert changed.created == changed.removed == set()
    assert changed.changed == 1


def test_what_was_edited_by_hand_is_put_back(lab: Lab, tmp_path: Path) -> None:
    name = "kube-prometheus-stack-prometheus"
    patch = '{"spec":{"paused":true,"ruleSelector":{"matchLabels":{"by":"hand"}}}}'
    lab.kubectl("-n", "monitoring", "patch", "prometheus", name, "--type=merge", "-p", patch)
    lab.kubectl("-n", "monitoring", "delete", "service", f"{name}")
    found = Play(lab, tmp_path, "day1", "--check", "--diff")
    (task,) = [task for task in found.tasks if task.get("drift")]
    assert task["drift"] == {
        f"Prometheus monitoring/{name}": ["spec.ruleSelector", "spec.paused"],
        f"Service monitoring/{name}": ["(absent)"],
    }
    assert Play(lab, tmp_path, "day1").changed == 1
    spec = json.loads(lab.kubectl("-n", "monitoring", "get", "prometheus", name, "-o", "json").stdout)["spec"]
    assert spec["ruleSelector"] == {}
    assert not spec.get("paused")
    assert Play(lab, tmp_path, "day1", "--check").changed == 0


#: Questions to the API server, which stores nothing of them.
REVIEWS = {"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews", "subjectaccessreviews"}


def more_than_reading(lab: Lab, kubeconfig: Path, namespace: str) -> list[dict[str, Any]]:
    """What these credentials may do in a namespace beside looking at what is no secret."""
    question = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    asked = lab.kubectl(f"--kubeconfig={kubeconfig}", "create", "-f", "-", "-o", "json", stdin=json.dumps(question))
    status = json.loads(asked.stdout)["status"]
    assert status["resourceRules"] and not status["incomplete"], status

    def only_reads(rule: dict[str, Any]) -> bool:
        resources = set(rule["resources"])
        if "*" in resources and rule["apiGroups"] != ["monitoring.coreos.com"]:
            return False
        # Through the first, commands run in any Pod; a Secret is read by its name or not at all.
        if "nodes/proxy" in resources or ("secrets" in resources and not rule.get("resourceNames")):
            return False
        return set(rule["verbs"]) <= {"get", "list", "watch"} or (rule["verbs"] == ["create"] and resources <= REVIEWS)

    rules = [rule for rule in status["resourceRules"] if not only_reads(rule)]
    return rules + [rule for rule in status["nonResourceRules"] if rule["verbs"] != ["get"]]


def test_verify_needs_no_more_than_the_verifier_may(lab: Lab, tmp_path: Path) -> None:
    token = lab.kubectl("-n", "monitoring", "create", "token", "dataplatform-monitoring-verifier").stdout.strip()
    config = json.loads(lab.kubectl("config", "view", "--raw", "-o", "json").stdout)
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    path = tmp_path / "kubeconfig"
    path.touch(mode=0o600)
    path.write_text(json.dumps(config))
    for namespace in ("monitoring", "data-platform"):
        assert more_than_reading(lab, path, namespace) == []
    before = snapshot(lab)
    verdict = Play(lab, tmp_path, "verify", "-e", f"monitoring_kubeconfig={path}", check=False)
    assert verdict.returncode == 0
    assert verdict.changed == 0
    after = snapshot(lab)
    assert (after.ours, after.strangers) == (before.ours, before.strangers)
