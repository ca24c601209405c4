# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that can be wrong with an SLO, all at once, on the lab's own Prometheus, by the rules of bad entries."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _catalogue_resolve,
    _catalogue_validate,
    _packs,
    _rules,
    _slo,
)
from ansible_collections.dataplatform.monitoring.plugins.modules import slo_info

from tests.lab_fixture import KUBECONFIG, ROOT, Lab
from tests.modules import checks_of

from .conftest import COMMAND, until_loaded

NAMESPACE = "t-slo"
JOB = "kube-prometheus-stack-prometheus"
TOTAL = "rate(prometheus_http_requests_total{$selector}[5m])"
COUNTED = {
    "sli": "requests",
    "errors": 'rate(prometheus_http_requests_total{$selector,code=~"5.."}[5m])',
    "total": TOTAL,
}
SLOW = {"threshold": "7s", "objective": 95, "histogram": "prometheus_http_request_duration_seconds"}
# name -> (what is promised, other keys of the entry)
ENTRIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "t-well": (COUNTED, {}),
    "t-burns": ({"objective": 99.9, "sli": "requests", "errors": TOTAL, "total": TOTAL}, {}),
    "t-typo": ({**COUNTED, "total": "rate(prometheus_http_request_total{$selector}[5m])"}, {}),
    "t-nobody": ({"sli": "any"}, {"job": "prometeus"}),
    "t-bucket": ({"sli": "any", "latency": SLOW}, {}),
    "t-broken": ({**COUNTED, "errors": "up * on (job) up{$selector}"}, {"job": "kubelet"}),
    "t-long": ({"sli": "any", "window": "90d"}, {}),
    "t-changed": ({"sli": "any"}, {}),
    "t-new": ({"sli": "any"}, {}),
    "t-missing": ({"sli": "any"}, {}),
}
FAULTS = {
    "t-typo-availability": ("slo_no_data", "nearest: prometheus_http_requests_total"),
    "t-nobody-availability": ("slo_no_data", 'job="prometeus"'),
    "t-bucket-latency": ("slo_no_data", "has no such bucket; it has 0.1"),
    "t-broken-availability": ("slo_rule_failing", "slo:errors:rate5m"),
    "t-long-availability": ("slo_window_not_kept", "the window of t-long-availability is 90d"),
    "t-changed-availability": ("slo_differs", "the catalogue says 99.99 %"),
    "t-new-availability": ("slo_not_evaluated", "has not been evaluated"),
    "t-missing-availability": ("slo_rule_missing", "does not run the rules"),
}


def catalogue() -> dict[str, Any]:
    entries = [
        {"name": name, "kind": "generic", "namespace": NAMESPACE, "adopt": True, "job": JOB, **more}
        | {"slo": {"objective": 99.5, **slo}}
        for name, (slo, more) in ENTRIES.items()
    ]
    return _catalogue_resolve.resolve(entries, _packs.load(), {}, NAMESPACE, now="2026-01-01T00:00:00Z")


def objects() -> list[dict[str, Any]]:
    """Of every entry but one the group of its SLOs, evaluated so often that an hour is full in five minutes."""
    found = []
    for item in _rules.catalogue_rules(catalogue(), _rules.Settings(namespace=NAMESPACE)):
        name = item["metadata"]["name"].removeprefix("alerts-")
        groups = [group for group in item["spec"]["groups"] if group["name"] == f"{name}-slo"]
        if not groups or name == "t-missing":
            continue
        rules = [rule for rule in groups[0]["rules"] if "record" in rule]
        interval = "24h" if name == "t-new" else "5s"
        # nobody's: it goes with its namespace
        item["metadata"]["labels"] = {}
        item["spec"]["groups"] = [{"name": f"{name}-slo", "interval": interval, "rules": rules}]
        found.append(item)
    return found


def verdict(**more: Any) -> dict[str, dict[str, Any]]:
    """slo_info, as a playbook would run it: check name -> check."""
    wanted = _slo.expectations(catalogue())
    for one in wanted:
        one["objective"] = 99.99 if one["service"] == "t-changed" else one["objective"]
    given = {
        "kubeconfig": str(KUBECONFIG),
        "namespace": "monitoring",
        "service": "kube-prometheus-stack-prometheus",
        "expectations": wanted,
        "report_only": True,
        **more,
    }
    return checks_of(slo_info, given)


@pytest.fixture(scope="module")
def checks(marked: Lab) -> Iterator[dict[str, dict[str, Any]]]:
    """The verdict over all of them. One can never be certain, so that the time always runs out: it is what rules need
    to reach Prometheus, and a few turns. The namespace goes with everything in it."""
    home = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    marked.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
    marked.kubectl("apply", "-f", "-", stdin=json.dumps(home))
    try:
        whole = {"apiVersion": "v1", "kind": "List", "items": objects()}
        marked.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(whole))
        until_loaded(marked, NAMESPACE, "t-well-slo")
        end = time.monotonic() + 180
        while time.monotonic() < end and verdict(timeout=0)["t-well-availability"]["status"] != "ok":
            time.sleep(2)
        yield verdict(timeout=10)
    finally:
        marked.kubectl("delete", "namespace", NAMESPACE)


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_its_cause(checks: dict[str, dict[str, Any]], name: str) -> None:
    code, part = FAULTS[name]
    check = checks[name]
    assert check["status"] == ("unknown" if code == "slo_not_evaluated" else "failed")
    assert check["cause"]["code"] == code
    assert part in check["cause"]["message"]
    assert ": " in check["cause"]["fix"]


def test_every_command_in_a_fix_runs(marked: Lab, checks: dict[str, dict[str, Any]]) -> None:
    commands = {match[1] for name in FAULTS if (match := COMMAND.search(checks[name]["cause"]["fix"]))}
    asked = {one for one in commands if one.startswith("kubectl ")}
    assert len(asked) == 2
    for one in asked:
        assert "slo:error_ratio:window" in marked.kubectl(*shlex.split(one)[1:]).stdout
    # what plays the rules again has those tags
    (play,) = commands - asked
    inventory = ("-i", str(ROOT / "inventories" / "lab"), "--list-tasks")
    assert "rules" in marked._run([*shlex.split(play), *inventory], check=True, timeout=60).stdout


def test_every_line_in_a_fix_is_one_that_heals(checks: dict[str, dict[str, Any]]) -> None:
    """Put in word by word: the place holders are what is right, and the entry is one that is taken."""
    right = {"METRIC_WITHOUT_BUCKET": SLOW["histogram"], "EXPRESSION": TOTAL}
    taken = 0
    for name in FAULTS:
        fix = checks[name]["cause"]["fix"]
        line = re.search(r": ((?:slo|latency|prometheus_operator_prometheus_retention): .+)$", fix)
        if not line:
            assert COMMAND.search(fix), fix
            continue
        change, taken = yaml.safe_load(line[1]), taken + 1
        if "prometheus_operator_prometheus_retention" in change:
            assert change == {"prometheus_operator_prometheus_retention": "95d"}
            continue
        # latency stands below slo, which has an objective of its own
        text = json.dumps(change.get("slo", {"objective": 99.5, "sli": "any", **change}))
        for holder, meant in right.items():
            text = text.replace(holder, meant)
        given = {"name": "t", "kind": "generic", "namespace": NAMESPACE, "adopt": True, "job": JOB}
        entries = [{**given, "slo": json.loads(text)}]
        assert _catalogue_validate.validate(entries, _packs.load()) == []
    assert taken == 4


def test_what_is_well_and_what_burns(checks: dict[str, dict[str, Any]]) -> None:
    assert (checks["t-well-availability"]["status"], checks["t-well-availability"]["details"]["state"]) == (
        "ok",
        "young",
    )
    assert checks["t-burns-availability"]["status"] == "ok"


def test_as_a_gate(checks: dict[str, dict[str, Any]]) -> None:
    judged = verdict(timeout=0, gate={"budget": 0.5})
    assert judged["t-well-availability"]["cause"]["code"] == "slo_young"
    assert judged["t-burns-availability"]["cause"]["code"] == "slo_gate_closed"
