# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rule files and promtool's unit tests, from the cases that stand beside each alert in its pack or file.

A case is `{at, series: {selector: values}, fires: labels or a list of them, value: text, interval}`. Without `fires`
the alert must be silent. `fires` names the labels of the series; what the rule itself adds is added here. `value` is
what the description prints for `$value`. Every annotation is compared to the letter, so a wrong label is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _catalogue_resolve,
    _packs,
    _promql,
    _promql_reach,
    _rules,
    _rules_files,
)

BASE_URL = "https://runbooks.example.com"
JOB = "x"
SETTINGS = _rules.Settings(runbook_base_url=BASE_URL, probes=True)
_PROBE_URL = "http://x.example.com/"
_ACTION = re.compile(r"\{\{(.*?)\}\}")


class Suite(NamedTuple):
    """One rule file and one test file."""

    name: str
    rules: dict[str, Any]
    tests: dict[str, Any]


def alerts_of(kind: str, packs: _packs.Packs | None = None) -> Mapping[str, Any]:
    """The alerts of a pack as written, or of the role's own file."""
    return _rules_files.alerts() if kind == "general" else (packs or _packs.load()).own(kind).get("alerts", {})


def catalogue_of(kind: str, packs: _packs.Packs | None = None) -> dict[str, Any]:
    """A catalogue with one entry `x` of a kind, expected to have two targets; for the role's own file with an SLO."""
    entry = {"name": JOB, "kind": kind if kind != "general" else "generic", "namespace": "place", "min_targets": 2}
    entry |= {"team": "owners", "severity": "critical", "adopt": True, "job": JOB, "probe": {"url": _PROBE_URL}}
    entry |= {"slo": {"objective": 99.9, "window": "30d"}} if kind == "general" else {}
    found = _catalogue_resolve.resolve([entry], packs or _packs.load(), {}, "monitoring", now="2026-01-01T00:00:00Z")
    return {**found, "entries": found["entries"][:1], "prober": {"url": "blackbox-exporter.monitoring.svc:9115"}}


def suites() -> Iterator[Suite]:
    """Every kind that has alerts, then the role's own file."""
    for kind in (*_packs.shipped_kinds(), "general"):
        if alerts_of(kind):
            yield suite(kind)


def suite(kind: str, packs: _packs.Packs | None = None) -> Suite:
    """Rules and tests of one kind, of a user's packs if they are given."""
    objects = _rules.catalogue_rules(catalogue_of(kind, packs), SETTINGS)
    every = [rule for item in objects for group in item["spec"]["groups"] for rule in group["rules"]]
    rules = {rule["alert"]: rule for rule in every if "alert" in rule}
    own = {name: rules[name] for name in alerts_of(kind, packs)}
    groups = [
        {
            "interval": case.get("interval", "1m"),
            "name": f"{name} {number}",
            "input_series": [
                {"series": _filled(series), "values": values} for series, values in (case.get("series") or {}).items()
            ],
            "alert_rule_test": [
                {
                    "eval_time": case["at"],
                    "alertname": name,
                    "exp_alerts": [_expected(own[name], labels, case) for labels in _firing(case)],
                }
            ],
        }
        for name, alert in alerts_of(kind, packs).items()
        for number, case in enumerate(alert.get("tests", ()))
    ]
    return Suite(
        kind,
        {"groups": [{"name": kind, "interval": "1m", "rules": list(own.values())}]},
        {"rule_files": [f"{kind}.rules.json"], "evaluation_interval": "1m", "tests": groups},
    )


def _filled(text: str) -> str:
    return text.replace("$selector", f'job="{JOB}"').replace("$probe_job", f"{JOB}-probe")


def _firing(case: Mapping[str, Any]) -> list[dict[str, str]]:
    fires = case.get("fires")
    found = [] if fires is None else fires if isinstance(fires, list) else [fires]
    return [{key: _filled(value) for key, value in labels.items()} for labels in found]


def _expected(rule: Mapping[str, Any], labels: dict[str, str], case: Mapping[str, Any]) -> dict[str, Any]:
    possible = _promql_reach.result_labels(_promql.parse(rule["expr"]))
    if "job" not in labels and (possible is None or "job" in possible):
        labels = {"job": JOB, **labels}
    own = dict(rule["labels"])
    return {
        "exp_labels": {**labels, **own},
        "exp_annotations": {
            name: _rendered(text, {**labels, **own}, str(case.get("value", "no value given")))
            for name, text in rule["annotations"].items()
        },
    }


def _rendered(text: str, labels: Mapping[str, str], value: str) -> str:
    """What Prometheus makes of a template, for the few forms that our texts use."""

    def of(found: re.Match[str]) -> str:
        action = found.group(1).strip()
        if action.startswith("$value"):
            return value
        words = re.findall(r'\$labels\.(\w+)|"([^"]*)"', action)
        texts = [labels.get(label, "") if label else literal for label, literal in words]
        return next((item for item in texts if item), "")

    return _ACTION.sub(of, text)
