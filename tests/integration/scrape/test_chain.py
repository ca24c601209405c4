# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""API server, operator and Prometheus, all real: each link broken in turn, and the verdict names it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_collect import Collector
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_fixes import fix_line
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_loop import Outcome
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import Snapshot

from tests.integration.apiserver import ApiServer, apiserver
from tests.integration.programs import wait_for
from tests.integration.scrape.chain import DATA, MONITORING, Chain, monitor
from tests.integration.scrape.conftest import Exporter
from tests.lab_fixture import BIN
from tests.unit.scrape.pasting import pastable

__all__ = ["apiserver"]
POOL = f"serviceMonitor/{DATA}/trino/0"


@pytest.fixture(scope="module")
def chain(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory, stack: contextlib.ExitStack) -> Chain:
    """A healthy one."""
    exporter = Exporter(address="0.0.0.0")  # noqa: S104 - endpoints must not have the loopback address
    stack.callback(exporter.stop)
    made = Chain(apiserver, tmp_path_factory.mktemp("chain"), exporter.port)
    stack.callback(made.stop)
    made.rendered(lambda jobs: POOL in jobs)
    wait_for(lambda: made.judge().judgements[0].check["status"] == "ok", "healthy")
    return made


@pytest.fixture
def broken(chain: Chain) -> Iterator[Chain]:
    """To be broken by a test; made whole again after it."""
    yield chain
    chain.objects()
    chain.rendered(lambda jobs: POOL in jobs and jobs[POOL].get("metrics_path", "/metrics") == "/metrics")


def told(outcome: Outcome, code: str, *words: str, status: str = "failed") -> dict[str, str]:
    """The first cause."""
    check = outcome.judgements[0].check
    assert check["status"] == status, check
    assert check["cause"]["code"] == code, check
    for word in words:
        assert word in f"{check['cause']['message']} | {check['cause']['fix']}", check["cause"]
    for cause in _checks.all_causes(check):
        pastable(cause["fix"])
    return check["cause"]


def run(chain: Chain, line: str) -> None:
    """Do what a fix says, as it stands."""
    path = f"{BIN}:{os.environ['PATH']}"
    environment = {**os.environ, "KUBECONFIG": str(chain.server.kubeconfig()), "PATH": path}
    subprocess.run(["/bin/sh", "-c", line], check=True, env=environment, timeout=30)


def test_ok(chain: Chain) -> None:
    outcome = chain.judge()
    assert outcome.judgements[0].check["status"] == "ok"
    assert outcome.waited < 1


def test_no_monitor(broken: Chain) -> None:
    broken.kubectl("-n", DATA, "delete", "servicemonitor", "trino")
    told(broken.judge(), "no_monitor", "there is none at all")


def test_not_selected_by_label_and_repaired_by_the_fix(broken: Chain) -> None:
    spec = {"spec": {"serviceMonitorSelector": {"matchLabels": {"release": "kps"}}}}
    broken.kubectl("-n", MONITORING, "patch", "prometheus", "main", "--type=merge", "-p", json.dumps(spec))
    broken.rendered(lambda jobs: POOL not in jobs)
    cause = told(broken.judge(), "monitor_not_selected", "release=kps is missing")
    run(broken, fix_line(cause["fix"]))
    broken.rendered(lambda jobs: POOL in jobs)
    assert broken.judge().judgements[0].check["status"] == "ok"
    broken.kubectl("-n", DATA, "label", "servicemonitor", "trino", "release-")


def test_not_selected_by_namespace_and_repaired_by_the_fix(broken: Chain) -> None:
    spec = {"spec": {"serviceMonitorNamespaceSelector": {"matchLabels": {"scrape": "me"}}}}
    broken.kubectl("-n", MONITORING, "patch", "prometheus", "main", "--type=merge", "-p", json.dumps(spec))
    broken.rendered(lambda jobs: POOL not in jobs)
    cause = told(broken.judge(), "monitor_not_selected", f"on namespace {DATA} scrape=me is missing")
    run(broken, fix_line(cause["fix"]))
    broken.rendered(lambda jobs: POOL in jobs)
    assert broken.judge().judgements[0].check["status"] == "ok"
    broken.kubectl("label", "namespace", DATA, "scrape-")


def test_rejected_for_a_secret_that_does_not_exist(broken: Chain) -> None:
    secret = {"username": {"name": "absent", "key": "u"}, "password": {"name": "absent", "key": "p"}}
    broken.apply(monitor(basicAuth=secret))
    broken.rendered(lambda jobs: POOL not in jobs)
    outcome = broken.judge(endpoints=monitor(basicAuth=secret)["spec"]["endpoints"])
    told(outcome, "monitor_rejected", "basicAuth", 'secret "absent"')


def test_rejected_for_a_timeout_longer_than_the_interval(broken: Chain) -> None:
    broken.apply(monitor(scrapeTimeout="20s"))
    broken.rendered(lambda jobs: POOL not in jobs)
    cause = told(broken.judge(), "monitor_rejected", "scrapeTimeout 20s is longer than the interval 1s")
    run(broken, fix_line(cause["fix"]))
    broken.rendered(lambda jobs: POOL in jobs)
    assert broken.judge().judgements[0].check["status"] == "ok"


def test_a_change_that_has_not_arrived_is_seen(broken: Chain) -> None:
    """Right after an apply: the targets are up, but of the configuration of before."""
    broken.apply(monitor(path="/other"))
    outcome = broken.judge(timeout=3, endpoints=monitor(path="/other")["spec"]["endpoints"])
    told(outcome, "config_stale", "path /metrics instead of /other")


def test_paused(broken: Chain) -> None:
    patch = '{"spec":{"paused":true}}'
    broken.kubectl("-n", MONITORING, "patch", "prometheus", "main", "--type=merge", "-p", patch)
    broken.apply(monitor(path="/other"))
    cause = told(broken.judge(endpoints=monitor(path="/other")["spec"]["endpoints"]), "prometheus_paused")
    run(broken, fix_line(cause["fix"]))
    broken.rendered(lambda jobs: jobs[POOL].get("metrics_path") == "/other")
    assert broken.judge(endpoints=monitor(path="/other")["spec"]["endpoints"]).judgements[0].check["status"] == "ok"


def test_the_services_port_was_renamed(broken: Chain) -> None:
    patch = json.dumps([{"op": "replace", "path": "/spec/ports/0/name", "value": "jmx"}])
    broken.kubectl("-n", DATA, "patch", "service", "trino", "--type=json", "-p", patch)
    patch = json.dumps([{"op": "replace", "path": "/ports/0/name", "value": "jmx"}])
    broken.kubectl("-n", DATA, "patch", "endpointslice", "trino-x", "--type=json", "-p", patch)
    cause = told(broken.judge(), "no_such_port", f"{DATA}/trino has jmx")
    assert fix_line(cause["fix"]) == 'endpoints: [{interval: "1s", scrapeTimeout: "1s", port: jmx}]'


def test_a_quoted_number_in_the_live_monitor_is_restored_by_the_fix(broken: Chain) -> None:
    broken.apply(monitor(port="8081"))
    broken.rendered(lambda jobs: "8081" in json.dumps(jobs[POOL]))
    cause = told(broken.judge(), "port_is_number", '"8081"')
    run(broken, fix_line(cause["fix"]))
    broken.rendered(lambda jobs: "8081" not in json.dumps(jobs[POOL]))
    assert broken.judge().judgements[0].check["status"] == "ok"


def test_the_service_has_another_label(broken: Chain) -> None:
    broken.kubectl("-n", DATA, "label", "service", "trino", "app=trino-coordinator", "--overwrite")
    cause = told(broken.judge(), "no_service_matches", "app is trino-coordinator, not trino")
    assert fix_line(cause["fix"]) == "selector: {app: trino-coordinator}"


def test_dropped_by_a_rule_that_somebody_added(broken: Chain) -> None:
    rule = {"action": "drop", "sourceLabels": ["__meta_kubernetes_pod_name"], "regex": "trino-.*"}
    relabelings = [*monitor()["spec"]["endpoints"][0]["relabelings"], rule]
    broken.apply(monitor(relabelings=relabelings))
    broken.rendered(lambda jobs: "trino-.*" in json.dumps(jobs[POOL]))
    cause = told(
        broken.judge(), "dropped_by_relabeling", "relabelings[1]", "drop __meta_kubernetes_pod_name =~ trino-.*"
    )
    run(broken, fix_line(cause["fix"]))
    broken.rendered(lambda jobs: "trino-.*" not in json.dumps(jobs[POOL]))
    assert broken.judge().judgements[0].check["status"] == "ok"


def test_prometheus_may_not_discover_and_the_fix_grants_it(broken: Chain) -> None:
    """What is watched already stays watched: the fault shows with the next discovery that begins."""
    broken.kubectl("delete", "clusterrolebinding", "t-scrape")
    other = {"matchNames": [DATA, "kube-system"]}
    changed = monitor()
    changed["spec"]["namespaceSelector"] = other
    broken.apply(changed)
    broken.rendered(lambda jobs: POOL in jobs and other["matchNames"][1] in json.dumps(jobs[POOL]))
    outcome = broken.judge(reviews=False)
    cause = told(outcome, "prometheus_rbac", f"ServiceAccount {MONITORING}/prometheus", f"in namespace {DATA}")
    run(broken, fix_line(cause["fix"]))
    run(broken, fix_line(cause["fix"]).replace(DATA, other["matchNames"][1]))
    outcome = broken.judge(timeout=90, reviews=False)
    assert outcome.judgements[0].check["status"] == "ok", outcome.judgements[0].check
    for namespace in other["matchNames"]:
        broken.kubectl("-n", namespace, "delete", "role,rolebinding", "prometheus-discovery")


def test_the_operator_does_not_run(broken: Chain) -> None:
    broken.kubectl("-n", MONITORING, "scale", "deployment", "operator", "--replicas=0")
    broken.kubectl("-n", MONITORING, "delete", "pod", "operator-0", "--force", "--grace-period=0")
    assert broken.judge().judgements[0].check["status"] == "ok", "what was loaded before is still right"
    broken.operator.stop()
    broken.apply(monitor(path="/other"))
    cause = told(broken.judge(endpoints=monitor(path="/other")["spec"]["endpoints"]), "operator_not_running")
    run(broken, fix_line(cause["fix"]))
    broken.start_operator()


def test_an_account_without_rights_is_unknown_and_told_what_it_lacks(chain: Chain) -> None:
    api = chain.server.kube("nobody-token")
    collector = Collector(list, api)
    snapshot = Snapshot([])
    snapshot.fact("monitors", "ServiceMonitor", DATA)
    collector.fill(snapshot)
    finding = snapshot.fact("monitors", "ServiceMonitor", DATA)
    assert finding.code == "access_forbidden" and not finding.certain
    assert "--verb=list --resource=servicemonitors.monitoring.coreos.com" in finding.fix
    run(chain, fix_line(finding.fix))
    again = Snapshot([])
    again.fact("monitors", "ServiceMonitor", DATA)
    collector.fill(again)
    assert isinstance(again.fact("monitors", "ServiceMonitor", DATA), list)
    name = "verify-list-servicemonitors"
    chain.kubectl("delete", "clusterrole,clusterrolebinding", name)


def test_rbac_read_from_the_objects_is_what_the_api_server_says(chain: Chain) -> None:
    """Our evaluation against SubjectAccessReview, over combinations of role, binding and subject."""
    subjects = [
        {"kind": "ServiceAccount", "name": "prometheus", "namespace": MONITORING},
        {"kind": "ServiceAccount", "name": "prometheus", "namespace": DATA},
        {"kind": "Group", "name": f"system:serviceaccounts:{MONITORING}", "apiGroup": "rbac.authorization.k8s.io"},
        {"kind": "User", "name": f"system:serviceaccount:{MONITORING}:other", "apiGroup": "rbac.authorization.k8s.io"},
    ]
    rules: list[dict[str, Any]] = [
        {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["list"]},
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"], "resourceNames": ["x"]},
    ]
    differences = []
    chain.kubectl("delete", "clusterrolebinding", "t-scrape")
    kube = chain.server.kube()
    group = "rbac.authorization.k8s.io"
    for number, (subject, rule, cluster) in enumerate(itertools.product(subjects, rules, (True, False))):
        kind, meta = ("ClusterRole", {}) if cluster and number % 3 else ("Role", {"namespace": DATA})
        bind = "ClusterRoleBinding" if kind == "ClusterRole" and cluster and number % 2 else "RoleBinding"
        place = {} if bind == "ClusterRoleBinding" else {"namespace": DATA}
        role = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": "t-x", **meta}, "rules": [rule]}
        binding = {
            "apiVersion": f"{group}/v1", "kind": bind, "metadata": {"name": "t-x", **place}, "subjects": [subject],
            "roleRef": {"apiGroup": group, "kind": kind, "name": "t-x"},
        }  # fmt: skip
        paths = [_path(role), _path(binding)]
        for path, item in zip(paths, (role, binding), strict=True):
            assert kube.request("POST", path, item)[0] == 201
        # The server judges by what its informers have brought; that takes it a moment.
        end = time.monotonic() + 5
        while (answers := _answers(kube))[0] != answers[1] and time.monotonic() < end:
            time.sleep(0.05)
        if answers[0] != answers[1]:
            differences.append((subject, rule, kind, bind, answers))
        for path in paths:
            assert kube.request("DELETE", f"{path}/t-x")[0] == 200
    chain.objects()
    assert differences == []


def _answers(kube: Kube) -> list[Any]:
    """Whether Prometheus may discover: what the server says, and what the objects say to us."""
    found = []
    for reviews in (True, False):
        collector = Collector(list, kube, ask_reviews=reviews)
        snapshot = Snapshot([])
        key = ("access", (MONITORING, "prometheus"), "endpointslice", (DATA,))
        snapshot.fact(*key)
        collector.fill(snapshot)
        found.append(snapshot.facts[key])
    return found


def _path(item: dict[str, Any]) -> str:
    """Where an RBAC object is created."""
    namespace = item["metadata"].get("namespace")
    where = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/rbac.authorization.k8s.io/v1{where}/{item['kind'].lower()}s"
