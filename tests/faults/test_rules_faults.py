# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that can be wrong with a rule, all at once, on the lab's own Prometheus and operator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.modules import verify_rules

from tests.lab_fixture import KUBECONFIG, Lab
from tests.modules import checks_of

from .conftest import until_loaded

NAMESPACE = "t-rules"
OURS = {"app.kubernetes.io/managed-by": "dataplatform.monitoring"}
# name -> (expression, code, part of the message)
FAULTS = {
    "manytomany": ("kube_pod_info * on (namespace) kube_pod_info > 0", "rule_many_to_many", "* on (namespace)"),
    "manytoone": (
        "kube_pod_info / on (namespace) sum by (namespace) (kube_pod_info)",
        "rule_many_to_one",
        "/ on (namespace)",
    ),
    "samelabels": ("count by (job) (up) > 0", "rule_duplicate_result", "overwrite"),
    "toomany": ("count by (job) (up) >= 0", "rule_limit_exceeded", "limit of its group is 1"),
    "noreason": ('label_replace(up, "x", "$1", "job", "(")', "rule_error", "label_replace"),
    "brokentext": ("vector(1)", "rule_template_broken", "parseDuration"),
    "nometric": ("kube_pod_inf > 0", "rule_metric_missing", "nearest: kube_pod_info"),
    "nojob": ('up{job="prometeus"} == 0', "rule_identity_missing", 'job="prometeus"'),
    "never": ('up{job="kubelet",namespace="monitoring"} == 0', "rule_selects_nothing", "though each"),
    "later": ("up == 0", "rule_not_evaluated", "has not been evaluated"),
    "function": ("rat(up[5m]) > 0", "rule_unknown_function", "rate is the nearest"),
    "syntax": ("sum by (job (up)", "rule_syntax", "is not PromQL"),
}


def rule_object(name: str, expr: str, **group: Any) -> dict[str, Any]:
    """One PrometheusRule with one group and one alert."""
    text = '{{ parseDuration "soon" }}' if name == "brokentext" else "text"
    labels = {"job": "any"} if name == "samelabels" else {"severity": "none"}
    rule = {"alert": f"T{name.capitalize()}", "expr": expr, "labels": labels, "annotations": {"summary": text}}
    interval = "24h" if name == "later" else "5s"
    limit = {"limit": 1} if name == "toomany" else {}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": f"t-{name}", "namespace": NAMESPACE},
        "spec": {"groups": [{"name": f"t-{name}", "interval": interval, **limit, "rules": [rule], **group}]},
    }


def expectation(item: dict[str, Any]) -> dict[str, Any]:
    meta = item["metadata"]
    place = {"namespace": meta["namespace"], "name": meta["name"]}
    return {"name": meta["name"].removeprefix("t-"), "object": place, "groups": item["spec"]["groups"]}


@pytest.fixture(scope="module")
def checks(marked: Lab) -> Iterator[dict[str, dict[str, Any]]]:
    """The verdict over all of them: check name -> check. The namespace goes with everything in it."""
    objects = [rule_object(name, expr) for name, (expr, _code, _part) in FAULTS.items()]
    edited = rule_object("edited", "up == 0")
    changed = json.loads(json.dumps(edited))
    changed["spec"]["groups"][0]["rules"][0]["expr"] = "up == 2"
    left = rule_object("left", "up == 0")
    left["metadata"] |= {"name": "alerts-left", "labels": OURS}
    home = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    marked.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
    marked.kubectl("apply", "-f", "-", stdin=json.dumps(home))
    try:
        whole = {"apiVersion": "v1", "kind": "List", "items": [*objects, changed, left]}
        marked.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(whole))
        until_loaded(marked, NAMESPACE, "t-nometric")
        wanted = [*objects, edited, rule_object("missing", "up == 0")]
        yield verdict([expectation(item) for item in wanted])
    finally:
        marked.kubectl("delete", "namespace", NAMESPACE)


def verdict(expectations: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """verify_rules, as a playbook would run it.

    One of the faults cannot be certain, so that the time always runs out: it is what rules need to reach Prometheus,
    and to be counted as failed twice.
    """
    given = {
        "kubeconfig": str(KUBECONFIG),
        "namespace": "monitoring",
        "service": "kube-prometheus-stack-prometheus",
        "expectations": expectations,
        "report_only": True,
        "timeout": 60,
        # SLOs that are evaluated every five seconds may have the same Prometheus.
        "query_timeout": 30,
    }
    return checks_of(verify_rules, given)


def codes(check: dict[str, Any]) -> list[str]:
    return [cause["code"] for cause in [check["cause"], *check["other_causes"]] if cause]


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_its_cause(checks: dict[str, dict[str, Any]], name: str) -> None:
    _expr, code, part = FAULTS[name]
    check = checks[name]
    assert check["status"] == ("unknown" if code == "rule_not_evaluated" else "failed")
    assert code in codes(check)
    found = next(cause for cause in [check["cause"], *check["other_causes"]] if cause["code"] == code)
    assert part in found["message"]
    assert ": " in found["fix"]


@pytest.mark.parametrize("name", ["function", "syntax"])
def test_the_operator_says_which_object_it_leaves_out(checks: dict[str, dict[str, Any]], name: str) -> None:
    assert codes(checks[name])[0] == "rule_set_rejected"
    assert f"{NAMESPACE}/t-{name}" in checks[name]["cause"]["message"]


def test_what_is_in_the_cluster_is_not_what_was_asked_for(checks: dict[str, dict[str, Any]]) -> None:
    assert codes(checks["edited"]) == ["rule_set_differs"]
    assert codes(checks["missing"]) == ["rule_set_missing"]


def test_ours_that_nobody_asks_for(checks: dict[str, dict[str, Any]]) -> None:
    left = [cause for cause in [checks["other rules"]["cause"]] if cause] + checks["other rules"]["other_causes"]
    messages = [cause["message"] for cause in left if cause["code"] == "rule_set_left_over"]
    assert any(f"{NAMESPACE}/alerts-left" in message for message in messages)
