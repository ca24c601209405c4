# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The three actions as a playbook uses them, against a real kube-apiserver."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess

import pytest

from tests.integration.programs import wait_for
from tests.unit.applyset.samples import config_map, secret

SPACE = {"apiVersion": "v1", "kind": "Namespace"}


def _set(namespace, objects, **options):
    return {"dataplatform.monitoring.applyset": {"name": "play", "namespace": namespace, "objects": objects, **options}}


def _objects(namespace, count=3):
    space = {**SPACE, "metadata": {"name": namespace}}
    return [space, *(config_map(f"c{n}", namespace=namespace) for n in range(count)), secret(namespace=namespace)]


@pytest.fixture
def play(apiserver, tmp_path):
    def run(tasks, *options, ok=True, **more):
        done = apiserver.play(tmp_path, tasks, *options, **more)
        assert (done.returncode == 0) is ok, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def _recap(text):
    return {key: int(value) for key, value in re.findall(r"(ok|changed|failed)=(\d+)", text)}


def test_check_and_diff_announce_what_the_run_does(play, namespace):
    tasks = [_set(namespace, _objects(namespace))]
    announced = play(tasks, "--check", "--diff")
    assert _recap(announced)["changed"] == 1
    done = play(tasks, "--diff")
    headers = r"^\+\+\+ after: (.*)$"
    assert re.findall(headers, announced, re.M) == re.findall(headers, done, re.M)
    assert len(re.findall(headers, done, re.M)) == 6
    assert "hunter22" not in announced + done and "password: <masked>" in done
    again = play(tasks, "--diff")
    assert _recap(again)["changed"] == 0 and "+++" not in again
    changed = [*_objects(namespace)[:-1], secret(namespace=namespace, password="another-password")]
    shown = play([_set(namespace, changed)], "--check", "--diff")
    assert "-  password: <masked>" in shown and "+  password: <masked, changed>" in shown
    assert shown.count("+++") == 1


def test_nothing_may_go_under_tags_and_the_line_that_is_told_works(play, namespace):
    play([_set(namespace, _objects(namespace))])
    less = [{**_set(namespace, _objects(namespace, 2)), "tags": ["monitors"]}]
    refused = play(less, "--tags", "monitors", ok=False)
    assert "this run is narrowed by --tags" in refused
    line = re.search(r"(applyset_allow_removal: \[.*?\])", refused.replace('\\"', '"'))[1]
    less[0]["dataplatform.monitoring.applyset"]["allow_removal"] = "{{ applyset_allow_removal }}"
    names = line.partition("[")[2].rstrip("]").replace('"', "").split(", ")
    allowed = json.dumps({"applyset_allow_removal": names})
    assert _recap(play(less, "--tags", "monitors", "-e", allowed))["changed"] == 1


def test_a_failure_carries_every_problem(play, namespace):
    bad = [config_map("Upper", namespace=namespace), config_map("b", {"port": 80}, namespace=namespace)]
    tasks = [
        {**_set(namespace, bad), "register": "answer", "failed_when": False},
        {
            "ansible.builtin.copy": {
                "content": "{{ answer | to_json }}",
                "dest": "{{ playbook_dir }}/answer.json",
                "mode": "0600",
            }
        },
        _set(namespace, bad),
    ]
    text = play(tasks, ok=False)
    assert "Nothing was changed, 2 problems. ConfigMap " in text
    assert "Traceback" not in text


def test_objects_as_templates_and_text(play, namespace, apiserver):
    text = f"kind: ConfigMap\napiVersion: v1\nmetadata: {{name: text, namespace: {namespace}}}\ndata: {{a: =}}\n---\n"
    tasks = [
        _set(
            "{{ space }}",
            ["{{ {'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': space}} }}"],
            manifests=text,
            create_only=["Namespace/{{ space }}"],
        )
    ]
    play(tasks, vars={"space": namespace})
    assert apiserver.kubectl("get", "configmap", "text", "-n", namespace, "-o", "jsonpath={.data.a}").stdout == "="
    assert _recap(play(tasks, vars={"space": namespace}))["changed"] == 0


def test_authentication_from_the_environment_of_the_task(play, namespace, apiserver):
    tasks = [{"dataplatform.monitoring.cluster_info": {"namespace": namespace, "gather": ["namespaces"]}}]
    environment = {"K8S_AUTH_KUBECONFIG": str(apiserver.kubeconfig())}
    play(tasks, module_defaults={}, environment=environment)
    failed = play(tasks, module_defaults={}, environment={"K8S_AUTH_KUBECONFIG": "/nowhere/kubeconfig"}, ok=False)
    assert "No connection to a Kubernetes cluster" in failed and "K8S_AUTH_KUBECONFIG" in failed


def test_wrong_options_are_told(play, namespace):
    assert "state must be one of: present, absent" in play([_set(namespace, [], state="gone")], ok=False)
    unknown = play([{"dataplatform.monitoring.cluster_info": {"namespace": "x", "gather": ["tea"]}}], ok=False)
    assert "gather must be one or more of" in unknown


def test_a_server_that_is_not_there(play, namespace):
    gone = {
        "group/dataplatform.monitoring.all": {"host": "https://127.0.0.1:9", "api_key": "x", "validate_certs": False}
    }
    for task in (
        _set(namespace, _objects(namespace)),
        {"dataplatform.monitoring.cluster_info": {"namespace": namespace}},
        {"dataplatform.monitoring.run_lock": {}},
    ):
        text = play([task], module_defaults=gone, ok=False)
        assert "127.0.0.1" in text and "Kubernetes" in text
        assert "Traceback" not in text


def test_one_look_as_somebody_with_few_rights(play, apiserver):
    auth = {"group/dataplatform.monitoring.all": {"kubeconfig": str(apiserver.kubeconfig("nobody-token"))}}
    tasks = [
        {
            "dataplatform.monitoring.cluster_info": {
                "namespace": "monitoring", "secrets": ["default/x"], "can": [{"verb": "get", "resource": "pods"}],
            },
            "register": "looked",
        },
        {"ansible.builtin.assert": {"that": [
            "looked is not changed", "looked.cluster.pods is none", "looked.cluster.secrets is none",
            "not looked.cluster.permissions[0].allowed", "looked.cluster.version is match('v1')",
            "looked.cluster.crds.servicemonitors.version == 'v1'", "looked.notes | length >= 5",
        ]}},
    ]  # fmt: skip
    play(tasks, module_defaults=auth)


def test_the_lock_is_taken_over_from_a_run_that_was_killed(play, apiserver, tmp_path):
    def holder():
        words = ["get", "lease", "dataplatform-monitoring-run", "-n", "default", "--ignore-not-found"]
        return apiserver.kubectl(*words, "-o", "jsonpath={.spec.holderIdentity}").stdout

    lock = {"dataplatform.monitoring.run_lock": {"play": "day1"}}
    release = {"dataplatform.monitoring.run_lock": {"state": "released"}}
    assert _recap(play([lock, lock, release]))["changed"] == 0
    assert holder() == ""
    play([lock], "--check")
    assert holder() == ""
    path = tmp_path / "long.yml"
    auth = {"group/dataplatform.monitoring.all": {"kubeconfig": str(apiserver.kubeconfig())}}
    tasks = [lock, {"ansible.builtin.wait_for": {"timeout": 60}}]
    path.write_text(
        json.dumps([{"hosts": "localhost", "gather_facts": False, "module_defaults": auth, "tasks": tasks}])
    )
    first = subprocess.Popen(
        ["ansible-playbook", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        wait_for(holder, "the first run has the lock", 30)
        refused = play([lock], ok=False)
        assert f"(pid {first.pid}) since" in refused and "play day1, ends at" in refused
        first.send_signal(signal.SIGKILL)
        first.wait(10)
        told = play([lock, release])
        assert "Took over the lock of a run whose process is gone" in told
    finally:
        # Its forks, which it could not end any more, are of its group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    assert holder() == ""
