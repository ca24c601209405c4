# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boards with one fault each, as ConfigMaps in a namespace of their own, judged on the lab's Prometheus and Loki.

The fix of each is carried out word by word, and makes it well.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.modules import verify_dashboards

from tests.integration.dashboards.boards import board, logs, panel, variable
from tests.lab_fixture import KUBECONFIG, Lab
from tests.modules import checks_of

NAMESPACE = "t-dashboards"
PODS = "label_values(kube_pod_info, namespace)"
FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "metric": (
        board("metric", panel("Pods", "sum(kube_pod_inf)")),
        "panel_metric_missing",
        "there is no metric kube_pod_inf; nearest: kube_pod_info",
    ),
    "variable": (
        board(
            "variable",
            panel("Pods", 'sum(kube_pod_info{namespace=~"$namespace"})'),
            variables=[variable("namespace", "label_values(kube_pod_inf, namespace)", includeAll=True, multi=True)],
        ),
        "variable_without_values",
        "there is no metric kube_pod_inf; nearest: kube_pod_info",
    ),
    "datasource": (
        board("datasource", panel("Pods", "sum(kube_pod_info)", datasource={"type": "prometheus", "uid": "thanos"})),
        "datasource_missing",
        "there is no datasource thanos",
    ),
    "stream": (
        board("stream", logs("Lines", '{namespace="kube-sistem"}')),
        "panel_stream_missing",
        "nearest: kube-system",
    ),
    "state": (
        board("state", panel("Lost", 'kube_pod_info{namespace="monitoring",host_network="perhaps"}')),
        "panel_value_missing",
        'host_network="perhaps"',
    ),
}
GOOD = board(
    "good",
    panel("Pods", 'sum by (namespace) (kube_pod_info{namespace=~"$namespace"})'),
    panel("CPU", "sum by (instance) (rate(node_cpu_seconds_total[$__rate_interval]))"),
    logs("Lines", '{namespace=~"$namespace"}'),
    variables=[variable("namespace", PODS, includeAll=True, multi=True, current={"value": ["monitoring"]})],
)


def config_map(given: dict[str, Any]) -> dict[str, Any]:
    """A board as Grafana's sidecar finds it."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"board-{given['uid']}",
            "namespace": NAMESPACE,
            "labels": {"grafana_dashboard": "1"},
            "annotations": {"grafana_folder": "Tests"},
        },
        "data": {f"{given['uid']}.json": json.dumps(given)},
    }


def verdict(**more: Any) -> dict[str, dict[str, Any]]:
    """verify_dashboards, as a playbook would run it: check name -> check."""
    given = {
        "kubeconfig": str(KUBECONFIG),
        "config_maps": {"namespace": NAMESPACE},
        "datasource_maps": {"namespace": "monitoring"},
        "prometheus": {"namespace": "monitoring", "service": "kube-prometheus-stack-prometheus"},
        "loki": {"namespace": "monitoring", "service": "loki"},
        "report_only": True,
        "timeout": 30,
        **more,
    }
    return checks_of(verify_dashboards, given)


@pytest.fixture(scope="module")
def home(marked: Lab) -> Iterator[Lab]:
    """The lab with all boards; the namespace goes with everything in it."""
    marked.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
    marked.kubectl("create", "namespace", NAMESPACE)
    try:
        apply(marked, GOOD, *(given for given, _code, _part in FAULTS.values()))
        yield marked
    finally:
        marked.kubectl("delete", "namespace", NAMESPACE)


def apply(lab: Lab, *boards: dict[str, Any]) -> None:
    whole = {"apiVersion": "v1", "kind": "List", "items": [config_map(one) for one in boards]}
    lab.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(whole))


@pytest.fixture(scope="module")
def checks(home: Lab) -> dict[str, dict[str, Any]]:
    """One look at all of them."""
    return verdict(wanted=["gone"], rerun="ansible-playbook playbooks/day3.yml")


def test_a_board_that_is_well(checks: dict[str, dict[str, Any]]) -> None:
    assert checks["good"]["status"] == "ok", checks["good"]
    assert checks["good"]["details"]["folder"] == "Tests"


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_its_cause(checks: dict[str, dict[str, Any]], name: str) -> None:
    _board, code, part = FAULTS[name]
    check = checks[name]
    assert check["status"] == "failed"
    assert check["cause"]["code"] == code
    assert check["other_causes"] == []
    assert part in check["cause"]["message"]


def test_a_board_that_nobody_has(checks: dict[str, dict[str, Any]]) -> None:
    assert checks["gone"]["cause"]["code"] == "dashboard_gone"
    assert checks["gone"]["cause"]["fix"].endswith("ansible-playbook playbooks/day3.yml")


def test_every_command_in_a_fix_runs(home: Lab, checks: dict[str, dict[str, Any]]) -> None:
    fixes = [check["cause"]["fix"] for check in checks.values() if check["cause"]]
    commands = [fix[fix.index("kubectl ") :] for fix in fixes if "kubectl " in fix]
    for command in commands:
        home.kubectl(*shlex.split(command)[1:])


def test_every_line_in_a_fix_heals(home: Lab, checks: dict[str, dict[str, Any]]) -> None:
    """All of them at once, put in word by word."""
    mended, options = [], {}
    for name, (given, _code, _part) in FAULTS.items():
        one = json.loads(json.dumps(given))
        line = re.search(r"(expr|query|datasource|may_be_empty): .*$", checks[name]["cause"]["fix"])
        assert line, checks[name]["cause"]["fix"]
        change = yaml.safe_load(line[0])
        if "expr" in change:
            one["panels"][0]["targets"][0]["expr"] = change["expr"]
        elif "query" in change:
            one["templating"]["list"][1]["query"] = change["query"]
        elif "datasource" in change:
            one["panels"][0]["datasource"] = change["datasource"]
        else:
            options |= change
        mended.append(one)
    apply(home, *mended)
    found = verdict(**options)
    assert {name: check["cause"] for name, check in found.items() if check["status"] != "ok"} == {}
