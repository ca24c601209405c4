# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an entry to the rules of its SLOs: names, labels, what is counted; and what slo_info expects of them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.dataplatform.monitoring.plugins.filter.slo import FilterModule
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _catalogue_resolve,
    _catalogue_validate,
    _packs,
    _promql,
    _rules,
    _slo,
    _slo_rules,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

FILTER = FilterModule().filters()["slo_expectations"]
WORLD = {"services": None, "namespaces": None}
RATES = [
    f"slo:{what}:rate{window}"
    for what in ("error_ratio", "burn_rate")
    for window in ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
]
ALWAYS = {
    "slo:downtime:ratio",
    "slo:error_ratio:window",
    "slo:objective:ratio",
    "slo:error_budget_remaining:ratio",
    "slo:coverage:ratio",
    *RATES,
}


def entry(kind: str = "generic", **more: Any) -> dict[str, Any]:
    found = {"name": "x", "kind": kind, "namespace": "n", "selector": {"app": "x"}, "endpoints": [{"port": "metrics"}]}
    return {**found, "team": "t", "slo": {"objective": 99.9}, **more}


def catalogue(*entries: dict[str, Any], prober: bool = False) -> dict[str, Any]:
    found = _catalogue_resolve.resolve(list(entries), _packs.load(), WORLD, "monitoring", now="2026-01-01T00:00:00Z")
    return {**found, "prober": {"url": "blackbox:9115"} if prober else None}


def slos(*entries: dict[str, Any], prober: bool = False) -> dict[str, _slo.Slo]:
    return {slo.name: slo for slo in _slo.slos(catalogue(*entries, prober=prober))}


def group(*entries: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """The group of SLOs of the first entry."""
    objects = _rules.catalogue_rules(catalogue(*entries), _rules.Settings.of(settings))
    return next(one for item in objects for one in item["spec"]["groups"] if one["name"] == "x-slo")


def test_names_and_labels() -> None:
    found = group(entry("trino", slo={"objective": 99.9, "latency": {"threshold": "1m", "objective": 95}}))
    assert found["interval"] == "1m"
    records = [rule for rule in found["rules"] if "record" in rule]
    for sli, counting in (("availability", True), ("latency", False)):
        own = [rule for rule in records if rule["labels"]["sli"] == sli]
        wanted = ALWAYS | ({"slo:errors:rate5m", "slo:events:rate5m"} if counting else set())
        assert {rule["record"] for rule in own} == wanted
        labels = {"slo": f"x-{sli}", "service": "x", "sli": sli, "team": "t"}
        assert [rule["labels"] for rule in own] == [labels] * len(own)
        assert sorted(wanted) == sorted(_slo_rules.names(counting))


def test_the_alerts_stand_after_what_they_ask_for() -> None:
    rules = group(entry())["rules"]
    alerts = [rule for rule in rules if "alert" in rule]
    assert rules[-2:] == alerts
    assert [rule["alert"] for rule in alerts] == ["SLOBurnRatePage", "SLOBurnRateTicket"]
    own = {"service": "x", "team": "t", "namespace": "n", "slo": "x-availability", "sli": "availability"}
    assert alerts[0]["labels"] == {"severity": "critical", **own}
    assert alerts[1]["labels"] == {"severity": "warning", **own}
    assert "for" not in alerts[0]
    assert "$" not in alerts[0]["expr"]
    assert "13.44" in alerts[0]["expr"] and "5.6" in alerts[0]["expr"] and "2.8" in alerts[1]["expr"]


def test_one_object_per_entry_and_only_where_something_is_promised() -> None:
    objects = _rules.catalogue_rules(catalogue(entry(), entry(name="y", slo=None)), _rules.Settings())
    groups = {item["metadata"]["name"]: [one["name"] for one in item["spec"]["groups"]] for item in objects}
    assert groups == {"alerts-general": ["general"], "alerts-x": ["x", "x-slo"], "alerts-y": ["y"]}
    expected = _rules.rule_expectations(catalogue(entry()), _rules.Settings())
    assert [len(one["groups"]) for one in expected] == [1, 2]


def test_routing_knows_the_alerts() -> None:
    sets = _rules.alert_label_sets(catalogue(entry()), _rules.Settings(), "c")
    assert {
        "alertname": "SLOBurnRatePage",
        "cluster": "c",
        "severity": "critical",
        "service": "x",
        "team": "t",
    }.items() <= next(one for one in sets if one["alertname"] == "SLOBurnRatePage").items()


def test_overrides() -> None:
    changed = group(
        entry(), overrides={"SLOBurnRatePage": {"severity": "warning"}, "SLOBurnRateTicket": {"enabled": False}}
    )
    alerts = [rule for rule in changed["rules"] if "alert" in rule]
    assert [(rule["alert"], rule["labels"]["severity"]) for rule in alerts] == [("SLOBurnRatePage", "warning")]
    with pytest.raises(ConfigError, match="burn rates follow from the objective"):
        group(entry(), overrides={"SLOBurnRatePage": {"threshold": 3}})


@pytest.mark.parametrize("kind", _packs.shipped_kinds())
def test_every_rule_of_every_kind_can_be_read(kind: str) -> None:
    made = entry(kind, adopt=True, job="x", probe={"url": "http://x/"})
    for sli in ("any", "fraction", "probe", None):
        own = {"objective": 99.9, **({"sli": sli} if sli else {})}
        own["latency"] = {"threshold": "1s", "objective": 95}
        found = _slo.slos(catalogue({**made, "slo": own}, prober=True))
        assert [slo.sli for slo in found] == ["availability", "latency"]
        for rule in (rule for slo in found for rule in _slo_rules.records(slo)):
            assert _promql.parse(rule["expr"]), rule
            assert "$" not in rule["expr"]


KINDS = [
    ({}, False, "any"),
    ({"probe": {"url": "http://x/"}}, False, "any"),
    ({"probe": {"url": "http://x/"}}, True, "probe"),
    ({"kind": "trino"}, True, "requests"),
    ({"kind": "trino", "slo": {"objective": 99, "sli": "any"}}, False, "any"),
    ({"slo": {"objective": 99, "errors": "a{$selector}", "total": "b{$selector}"}}, False, "requests"),
    ({"slo": {"objective": 99, "sli": "fraction"}}, False, "fraction"),
]


@pytest.mark.parametrize(("change", "prober", "kind"), KINDS)
def test_how_availability_is_told(change: dict[str, Any], prober: bool, kind: str) -> None:
    found = slos({**entry(), **change}, prober=prober)["x-availability"]
    assert found.kind == kind
    assert found.counting == (kind == "requests")
    assert 'job="x' in found.sources[0]


def test_the_pack_knows_what_works_means() -> None:
    found = slos(entry("postgresql", exporter={"host": "h", "credentials_secret": "s"}, adopt=True, job="x"))
    assert found["x-availability"].sources == ('pg_up{job="x"}',)


def test_a_threshold_is_a_bucket_in_either_spelling() -> None:
    def bucket(threshold: str) -> str:
        latency = {"threshold": threshold, "objective": 95, "histogram": "h"}
        return slos(entry(slo={"objective": 99, "latency": latency}))["x-latency"].sources[1]

    assert bucket("1s") == 'h_bucket{job="x",le=~"1|1[.]0"}'
    assert bucket("250ms") == 'h_bucket{job="x",le=~"0[.]25"}'


def test_former_names_keep_their_history() -> None:
    made = slos(entry(previous_names=["old", "older"]))["x-availability"]
    exprs = {rule["record"]: rule["expr"] for rule in _slo_rules.records(made)}
    assert '{slo=~"x-availability|old-availability|older-availability"}[28d]' in exprs["slo:error_ratio:window"]
    assert (
        '{slo="x-availability"}[28d]'
        in {rule["record"]: rule["expr"] for rule in _slo_rules.records(slos(entry())["x-availability"])}[
            "slo:error_ratio:window"
        ]
    )


def test_who_is_not_there_has_no_slo() -> None:
    cluster = {"services": [], "namespaces": ["n", "monitoring"], "pods": []}
    found = _catalogue_resolve.resolve(
        [entry(optional=True)], _packs.load(), cluster, "monitoring", now="2026-01-01T00:00:00Z"
    )
    assert _slo.slos(found) == []
    expected = FILTER(found)
    assert [(one["slo"], one["state"]) for one in expected] == [("x-availability", "skipped")]
    assert expected[0]["reason"]


def test_expectations_are_plain_and_name_the_rules() -> None:
    expected = FILTER(catalogue(entry("trino"), entry(name="y", slo=None)))
    assert [one["slo"] for one in expected] == ["x-availability"]
    assert expected[0]["namespace"] == "monitoring"
    assert expected[0]["window"] == "28d"
    assert len(expected[0]["sources"]) == 2 and len(expected[0]["hints"]) == 1
    nothing = FILTER(catalogue(entry(slo=None)))
    assert [(one["slo"], one["state"]) for one in nothing] == [("slo", "skipped")]
    assert FILTER(catalogue(entry()), "elsewhere")[0]["namespace"] == "elsewhere"
    with pytest.raises(AnsibleFilterError, match="slo_expectations"):
        FILTER({"nothing": 1})


FAULTS = {
    "requests without a count": (
        {"slo": {"objective": 99, "sli": "requests"}},
        "x: slo.sli: nothing says how requests are counted; add slo.errors and slo.total, expressions of events a "
        "second, or sli: any.",
    ),
    "errors without a total": (
        {"slo": {"objective": 99, "errors": "e{$selector}"}},
        "x: slo.total: is missing; say both: failed and all events a second.",
    ),
    "a count that is not used": (
        {"slo": {"objective": 99, "sli": "any", "errors": "e{$selector}", "total": "t{$selector}"}},
        "x: slo.errors: is not used by sli: any; write sli: requests, or remove it.",
    ),
    "a probe that nobody makes": (
        {"slo": {"objective": 99, "sli": "probe"}},
        "x: slo.sli: the entry has no probe; add probe: {path: /health, port: http}, or sli: any.",
    ),
    "a probe that is switched off": (
        {"kind": "trino", "probe": {"enabled": False}, "slo": {"objective": 99, "sli": "probe"}},
        "x: slo.sli: the entry has no probe; add probe: {path: /health, port: http}, or sli: any.",
    ),
    "latency of nothing": (
        {"slo": {"objective": 99, "latency": {"threshold": "1s", "objective": 95}}},
        "x: slo.latency.histogram: nothing says how long requests take; name a histogram without _bucket, or add a "
        "probe.",
    ),
    "no such bucket": (
        {"kind": "ingress-nginx", "slo": {"objective": 99, "latency": {"threshold": "2s", "objective": 95}}},
        "x: slo.latency.threshold: nginx_ingress_controller_request_duration_seconds has no bucket of 2s; "
        "write one that it has, nearest: 2.5s, 1s.",
    ),
    "events where time is measured": (
        {"slo": {"objective": 99, "min_events": 5}},
        "x: slo.min_events: counts nothing where time is measured; remove it.",
    ),
    "a token that is none": (
        {"slo": {"objective": 99, "errors": "e{$selector}", "total": "t{$selecter}"}},
        "x: slo.total: $selecter is not a token; did you mean selector?",
    ),
    "everything": (
        {"slo": {"objective": 100}},
        "x: slo.objective: 100 leaves no error budget; write what users need, for example 99.9.",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_cannot_be_measured_is_refused(case: str) -> None:
    change, sentence = FAULTS[case]
    assert _catalogue_validate.validate([{**entry(), **change}], _packs.load()) == [sentence]


@pytest.mark.parametrize("kind", ["trino", "datahub", "superset", "doris_fe", "postgresql", "minio", "ingress-nginx"])
def test_kinds_whose_availability_is_more_than_being_up(kind: str) -> None:
    known = _packs.load().own(kind)["sli"]["availability"]
    assert "up" in known or {"errors", "total"} <= set(known)
