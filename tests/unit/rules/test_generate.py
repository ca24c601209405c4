# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the catalogue to PrometheusRules: labels, annotations, overrides, what replaces what."""

from __future__ import annotations

import collections
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.dataplatform.monitoring.plugins.filter.rules import FilterModule
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _catalogue_resolve,
    _packs,
    _promql,
    _promql_reach,
    _rules,
    _rules_files,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
FILTERS = FilterModule().filters()


def catalogue(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A resolved catalogue."""
    world = {"services": None, "namespaces": None}
    return _catalogue_resolve.resolve(
        list(entries), _packs.load(), world, "monitoring", now="2026-01-01T00:00:00Z", **more
    )


def trino(**more: Any) -> dict[str, Any]:
    return {"name": "trino", "kind": "trino", "namespace": "data", "team": "analytics", **more}


def rules(*entries: dict[str, Any], **settings: Any) -> dict[str, dict[str, Any]]:
    """Every rule by owner and name: `trino/ServiceDown`."""
    given = {"runbook_base_url": "https://r", **settings}
    return {
        f"{group['name']}/{rule.get('alert', rule.get('record'))}": rule
        for item in _rules.catalogue_rules(catalogue(*entries), _rules.Settings.of(given))
        for group in item["spec"]["groups"]
        for rule in group["rules"]
    }


def test_a_rule_says_who_is_concerned_and_where_to_read_on() -> None:
    rule = rules(trino(severity="warning"))["trino/ServiceDown"]
    assert rule["labels"] == {"severity": "warning", "service": "trino", "team": "analytics", "namespace": "data"}
    assert rule["annotations"]["runbook_url"] == "https://r/ServiceDown.md"
    assert rule["expr"] == 'max by (job) (up{job="trino"}) == 0 or absent(up{job="trino"})'
    assert rule["for"] == "2m"


def test_the_namespace_of_the_series_is_not_hidden() -> None:
    found = rules({"name": "ksm", "kind": "kube-state-metrics", "job": "kube-state-metrics", "adopt": True})
    assert "namespace" not in found["ksm/PodCrashLooping"]["labels"]
    assert "namespace" not in found["ksm/PodNotReady"]["labels"]
    assert found["ksm/ServiceDown"]["labels"]["namespace"] == "monitoring"


def test_objects_are_owned_and_named_after_their_entry() -> None:
    found = _rules.catalogue_rules(catalogue(trino()), _rules.Settings(labels={"release": "kps"}))
    assert [one["metadata"]["name"] for one in found] == ["alerts-general", "alerts-trino"]
    assert found[1]["metadata"]["labels"] == {
        "release": "kps",
        "app.kubernetes.io/managed-by": "dataplatform.monitoring",
        "dataplatform.monitoring/entry": "trino",
    }
    assert found[1]["spec"]["groups"][0]["interval"] == "30s"


def test_thresholds_and_switches_of_an_entry() -> None:
    change = {"TrinoQueueLong": {"threshold": 200, "for": "1h"}, "TrinoQueriesFailing": {"enabled": False}}
    found = rules(trino(alerts=change))
    assert found["trino/TrinoQueueLong"]["expr"].endswith("> 200")
    assert found["trino/TrinoQueueLong"]["for"] == "1h"
    assert "200" in found["trino/TrinoQueueLong"]["annotations"]["description"]
    assert "trino/TrinoQueriesFailing" not in found


def test_fewer_than_expected_makes_sense_from_two_on() -> None:
    assert "trino/ServiceTargetsMissing" not in rules(trino())
    assert rules(trino(min_targets=2))["trino/ServiceTargetsMissing"]["expr"].endswith("< 2")


def test_what_is_not_there_has_no_rules() -> None:
    pending = {"name": "pg", "kind": "postgresql", "namespace": "d", "exporter": {"host": "pg.d.svc"}}
    world = catalogue(pending, {"name": "x", "adopt": True, "namespace": "d"}, trino())
    found = _rules.rule_expectations(world, _rules.Settings())
    assert [(one["name"], one["state"]) for one in found] == [
        ("general", "present"),
        ("trino", "present"),
        ("pg", "skipped"),
        ("x", "skipped"),
    ]
    assert found[3]["reason"] == "its job is not known yet"


def test_expectations_tell_what_may_be_absent() -> None:
    ksm = {"name": "ksm", "kind": "kube-state-metrics"}
    found = {one["name"]: one for one in _rules.rule_expectations(catalogue(ksm), _rules.Settings())}
    assert found["ksm"]["absent_until"]["JobFailed"] == "a Job has failed"
    assert found["general"]["fires_at_rest"] == ["Watchdog"]
    assert found["ksm"]["object"] == {"namespace": "monitoring", "name": "alerts-ksm"}


def test_jobs_of_the_catalogue_are_not_told_twice() -> None:
    found = rules(trino(), {"name": "a-b", "namespace": "d"})
    assert 'up{job!~"a-b|trino"}' in found["general/TargetDown"]["expr"]
    odd = rules({"name": "odd", "namespace": "d", "adopt": True, "job": "x.y+z"})["general/TargetDown"]["expr"]
    selector = _promql.selectors(_promql.parse(odd))[0]
    assert selector.matchers[1].value == r"x\.y\+z"


def test_probes_are_alerted_on_where_they_are_made() -> None:
    world = catalogue(trino(probe={"url": "http://trino/v1/info"}))
    probing = {**world, "prober": {"url": "blackbox-exporter.monitoring.svc:9115"}}

    def names(given: dict[str, Any], **settings: Any) -> dict[str, Any]:
        sets = _rules.rule_sets(given, _rules.Settings(**settings))
        return {rule.alert: rule for one in sets for rule in one.rules}

    assert "ServiceProbeFailing" not in names({**world, "prober": None})
    assert "ServiceProbeFailing" not in names(probing, probes=False)
    found = names(probing)
    assert 'probe_success{job="trino-probe"}' in found["ServiceProbeFailing"].body["expr"]
    assert found["ServiceProbeFailing"].labels()["severity"] == "critical"
    assert "ServiceProbeSlow" in found


def test_overrides_by_name() -> None:
    change = {
        "ServicePartlyDown": {"severity": "info", "labels": {"page": "no"}},
        "TargetDown": {"threshold": 0.5},
        "Watchdog": {"enabled": False},
    }
    found = rules(trino(), overrides=change)
    assert found["trino/ServicePartlyDown"]["labels"]["severity"] == "info"
    assert found["trino/ServicePartlyDown"]["labels"]["page"] == "no"
    assert found["general/TargetDown"]["expr"].endswith("> 0.5")
    assert "general/Watchdog" not in found


REFUSED = [
    ({"ServiceDwn": {}}, "no alert is called ServiceDwn; did you mean ServiceDown"),
    ({"ServiceDown": {"sevrity": "info"}}, "sevrity: unknown key; did you mean severity"),
    ({"ServiceDown": {"severity": "bad"}}, "severity: 'bad' is not a severity"),
    ({"ServiceDown": {"for": "soon"}}, "for: 'soon' is not a for"),
    ({"ServiceDown": "info"}, "must be a mapping"),
    ({"TargetDown": {"threshold": "0.5"}}, "threshold: '0.5' is not a threshold"),
    (
        {"TrinoQueueLong": {"threshold": 5}},
        "write catalogue_packs: {trino: {alerts: {TrinoQueueLong: {threshold: 5}}}}",
    ),
]


@pytest.mark.parametrize(("overrides", "part"), REFUSED)
def test_an_override_that_cannot_be_meant(overrides: Any, part: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rules(trino(), overrides=overrides)
    assert part in str(caught.value)


def test_groups_of_the_user_come_as_they_are() -> None:
    group = {"name": "own", "rules": [{"record": "a:b", "expr": "sum(up)"}, {"alert": "Mine", "expr": "up == 0"}]}
    found = _rules.catalogue_rules(catalogue(), _rules.Settings.of({"extra_groups": [group]}))
    assert found[-1]["metadata"]["name"] == "alerts-extra"
    assert found[-1]["spec"]["groups"] == [{"interval": "30s", **group}]
    sets = FILTERS["alert_label_sets"](catalogue(), {"extra_groups": [group]})
    assert {"alertname": "Mine"} in sets


@pytest.mark.parametrize(
    ("groups", "part"),
    [
        (["x"], "must be a group"),
        ([{"name": "a", "rules": []}], "must be a group"),
        ([{"name": "a", "rules": [{"expr": "up"}]}], "needs alert or record"),
        ([{"name": "a", "rules": [{"alert": "x y", "expr": "up"}]}], "no name that can be matched"),
        ([{"name": "a", "rules": [{"record": "r", "expr": "up"}]}] * 2, "a second group is called a"),
    ],
)
def test_a_group_that_cannot_be_meant(groups: Any, part: str) -> None:
    with pytest.raises(ConfigError, match=part):
        _rules.catalogue_rules(catalogue(), _rules.Settings.of({"extra_groups": groups}))


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="unknown setting intervall"):
        _rules.Settings.of({"intervall": "30s"})
    with pytest.raises(ConfigError, match="no duration"):
        _rules.Settings.of({"interval": "often"})


def test_the_labels_that_routing_will_see() -> None:
    world = catalogue(trino(), cluster_name="lab")
    sets = FILTERS["alert_label_sets"](world)
    down = next(one for one in sets if one["alertname"] == "ServiceDown")
    assert down == {
        "alertname": "ServiceDown",
        "cluster": "lab",
        "severity": "critical",
        "service": "trino",
        "team": "analytics",
        "namespace": "data",
    }
    assert {"alertname": "Watchdog", "cluster": "lab", "severity": "none"} in sets


def test_an_alert_of_a_pack_of_ones_own_has_no_dead_link() -> None:
    pack = {"alerts": {"Mine": {"expr": "x{$selector}", "severity": "info", "summary": "s", "description": "d"}}}
    packs = _packs.load({"redis": {"description": "Redis", **pack}})
    entry = {"name": "redis", "kind": "redis", "namespace": "d"}
    world = _catalogue_resolve.resolve([entry], packs, {}, "monitoring", now="x")
    found = _rules.catalogue_rules(world, _rules.Settings(runbook_base_url="https://r"))
    by_name = {rule["alert"]: rule for rule in found[1]["spec"]["groups"][0]["rules"]}
    assert "runbook_url" not in by_name["Mine"]["annotations"]
    assert "runbook_url" in by_name["ServiceDown"]["annotations"]


def test_the_chart_is_not_asked_to_say_the_same() -> None:
    assert FILTERS["replaced_chart_alerts"]({}) == []
    found = FILTERS["replaced_chart_alerts"](catalogue({"name": "ksm", "kind": "kube-state-metrics"}))
    assert {"Watchdog", "KubeNodeNotReady", "KubePodCrashLooping"} <= set(found)
    assert "NodeCPUHighUsage" not in found, "there is no entry that would replace it"


def test_the_table_replaces_by_alerts_that_exist() -> None:
    packs = _packs.load()
    for kind, pairs in _rules_files.replaced().items():
        ours = set(_rules_files.alerts()) if kind == "general" else set(packs.get(kind)["alerts"])
        assert set(pairs) <= ours, kind


def test_every_alert_of_the_chart_is_replaced_or_kept_and_none_is_ours_twice() -> None:
    """The table is of the pinned chart. With another pin its alerts have to be looked through again."""
    table = yaml.safe_load((_rules_files.FOLDER / "chart_alerts.yml").read_text())
    defaults = yaml.safe_load((ROOT / "roles/prometheus_operator/defaults/main.yml").read_text())
    assert table["chart"] == defaults["prometheus_operator_chart_version"]
    replaced = [name for pairs in table["replaced"].values() for names in pairs.values() for name in names]
    kept = [name for names in table["kept"].values() for name in names]
    every = collections.Counter([*replaced, *kept])
    assert [name for name, count in every.items() if count > 1] == []
    assert _rules_files.kept() == set(kept) and len(every) > 130
    assert {name for _kind, name, _alert in alerts()} & set(kept) == set()
    # The lab's stand-in has names of the real chart only.
    folder = ROOT / "lab" / "charts" / "kube-prometheus-stack" / "files" / "rules"
    stand_in = {name for path in folder.glob("*.yaml") for name in re.findall(r"alert: (\w+)", path.read_text())}
    assert stand_in and stand_in <= set(every)


@pytest.mark.skipif("CHARTS" not in os.environ, reason="CHARTS names no folder with the upstream charts")
def test_the_table_is_complete() -> None:
    folder = Path(os.environ["CHARTS"]) / "kube-prometheus-stack" / "templates"
    theirs = {name for path in folder.rglob("*.yaml") for name in re.findall(r"- alert: (\w+)", path.read_text())}
    replaced = {name for pairs in _rules_files.replaced().values() for names in pairs.values() for name in names}
    assert theirs == replaced | _rules_files.kept()


def alerts() -> list[tuple[str, str, dict[str, Any]]]:
    packs = _packs.load()
    found = [(kind, name, one) for kind in packs.kinds() for name, one in packs.own(kind).get("alerts", {}).items()]
    return found + [("general", name, one) for name, one in _rules_files.alerts().items()]


@pytest.mark.parametrize(("kind", "name", "alert"), alerts(), ids=lambda value: value if isinstance(value, str) else "")
def test_an_alert_is_complete(kind: str, name: str, alert: dict[str, Any]) -> None:
    assert {"expr", "for", "severity", "summary", "description"} <= set(alert)
    filled = alert["expr"].replace("$selector", 'job="x"').replace("$threshold", "1").replace("$min_targets", "2")
    filled = re.sub(r"\$(page|ticket)_\w+", "1", filled)
    possible = _promql_reach.result_labels(_promql.parse(filled))
    used = set(_LABEL.findall(alert["summary"] + alert["description"]))
    assert possible is None or used <= possible, "the text names labels that the result does not have"


_LABEL = re.compile(r"\$labels\.(\w+)")


def test_filters_refuse_what_is_no_catalogue() -> None:
    for name in ("catalogue_rules", "rule_expectations", "alert_label_sets"):
        with pytest.raises(AnsibleFilterError):
            FILTERS[name]({"nothing": 1})
    with pytest.raises(AnsibleFilterError, match="unknown setting"):
        FILTERS["catalogue_rules"](catalogue(), {"nope": 1})


def test_one_file_for_promtool_has_unique_groups() -> None:
    objects = FILTERS["catalogue_rules"](catalogue(trino()))
    groups = yaml.safe_load(FILTERS["rules_file"](objects))["groups"]
    assert [group["name"] for group in groups] == ["alerts-general/general", "alerts-trino/trino"]
