# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for any input: validation answers, and what it lets pass can be resolved and derived."""

from __future__ import annotations

import json

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _catalogue_resolve,
    _catalogue_schema,
    _catalogue_state,
    _catalogue_validate,
    _endpoint_schema,
    _expectations,
    _monitors,
    _packs,
)
from hypothesis import given, settings
from hypothesis import strategies as st

PACKS = _packs.load()
NAMES = st.sampled_from(["trino", "datahub", "a", "b-c"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-5, 70000), st.floats(), st.text(max_size=8))
KEYS = st.one_of(
    st.sampled_from(
        [*_catalogue_schema.ENTRY["properties"], *_catalogue_schema.EXPORTER_KEYS, "matchLabels", "port", "targetPort"]
        + ["interval", "scrapeTimeout", "basicAuth", "password", "relabelings", "metricRelabelings", "path", "expr"]
        + ["ServiceDown", "threshold", "objective", "window"]
    ),
    st.text(max_size=5),
    st.integers(0, 3),
)
ANYTHING = st.recursive(
    st.one_of(SCALARS, st.sampled_from([*PACKS.kinds(), "30s", "5m", "metrics", "8081"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=12,
)
ENTRIES = st.lists(st.one_of(ANYTHING, st.dictionaries(KEYS, ANYTHING, max_size=6)), max_size=3)

LABELS = st.dictionaries(st.sampled_from(["app", "tier", "role"]), st.sampled_from(["x", "y"]), min_size=1, max_size=2)
PORTS = st.one_of(st.integers(1, 65535), st.sampled_from(["http", "metrics"]))
ENDPOINT = st.fixed_dictionaries(
    {"port": PORTS},
    optional={
        "path": st.sampled_from(["/metrics", "/m"]),
        "interval": st.sampled_from(["30s", "1m"]),
        "honorLabels": st.booleans(),
        "metricRelabelings": st.just([{"action": "drop", "regex": "x"}]),
    },
)
GOOD_ENTRY = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z0-9]", fullmatch=True),
        "kind": st.sampled_from(["trino", "superset", "generic", "vault", "minio"]),
        "namespace": st.sampled_from(["data-platform", "vault"]),
        "selector": LABELS,
        "endpoints": st.lists(ENDPOINT, min_size=1, max_size=3, unique_by=lambda one: str(one)),
    },
    optional={
        "optional": st.booleans(),
        "monitor": st.sampled_from(["ServiceMonitor", "PodMonitor"]),
        "severity": st.sampled_from(["critical", "warning"]),
        "min_targets": st.integers(1, 9),
        "drop": st.lists(st.sampled_from(["a_.*", "b"]), max_size=2),
        "alerts": st.just({"ServiceDown": {"for": "9m"}}),
        "slo": st.fixed_dictionaries({"objective": st.floats(50, 99.999)}),
    },
)
SERVICE_PORT = st.fixed_dictionaries(
    {
        "name": st.sampled_from([None, "http", "metrics"]),
        "port": st.integers(1, 65535),
        "targetPort": st.one_of(st.integers(1, 65535), st.sampled_from(["http"])),
    }
)
SERVICE = st.fixed_dictionaries(
    {
        "namespace": st.sampled_from(["data-platform", "vault"]),
        "name": st.sampled_from(["s", "t"]),
        "labels": LABELS,
        "selector": st.one_of(st.none(), LABELS),
        "ports": st.lists(SERVICE_PORT, max_size=3),
    }
)
POD = st.fixed_dictionaries(
    {
        "namespace": st.sampled_from(["data-platform", "vault"]),
        "name": st.sampled_from(["p", "q"]),
        "labels": LABELS,
        "ports": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from([None, "http", "metrics"]), "containerPort": st.integers(1, 65535)}
            ),
            max_size=2,
        ),
    }
)
CLUSTER = st.fixed_dictionaries(
    {
        "namespaces": st.just(["data-platform", "vault", "monitoring"]),
        "services": st.one_of(st.none(), st.lists(SERVICE, max_size=4)),
        "pods": st.one_of(st.none(), st.lists(POD, max_size=4)),
    },
    optional={"remembered": st.dictionaries(NAMES, ANYTHING, max_size=2)},
)


@given(ENTRIES, st.one_of(st.none(), ANYTHING), st.booleans())
@settings(max_examples=200, deadline=None)
def test_validation_answers_anything_with_sentences(kit, entries, packs, kubernetes):
    schemas = {"ServiceMonitor": kit.crd()}
    faults = _catalogue_validate.validate(entries, _packs.load(packs), endpoint_schemas=schemas, kubernetes=kubernetes)
    assert len(set(faults)) == len(faults)
    assert all(fault.endswith((".", "?")) and ": " in fault for fault in faults)


@given(ENTRIES, CLUSTER)
@settings(max_examples=200, deadline=None)
def test_what_validation_lets_pass_can_be_resolved(entries, cluster):
    if _catalogue_validate.validate(entries, PACKS) == []:
        result = _catalogue_resolve.resolve(entries, PACKS, cluster, "monitoring", now="t")
        assert len(_expectations.scrape_expectations(result)) == len(entries)


@given(st.lists(GOOD_ENTRY, min_size=1, max_size=4, unique_by=lambda entry: entry["name"]), CLUSTER)
@settings(max_examples=80, deadline=None)
def test_derived_monitors_are_what_the_server_takes(kit, entries, cluster):
    faults = _catalogue_validate.validate(entries, PACKS, endpoint_schemas={"ServiceMonitor": kit.crd()})
    # the generator makes no other fault than scraping one port twice
    assert all("is scraped by" in fault for fault in faults)
    result = _catalogue_resolve.resolve(entries, PACKS, cluster, "monitoring", now="t", exporters=True)
    objects = [*_monitors.monitors(result, prober_url="p:1"), _catalogue_state.decisions(result)]
    keys = [(one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]) for one in objects]
    assert len(set(keys)) == len(keys)
    for one in objects:
        if one["kind"] == "ServiceMonitor":
            for endpoint in one["spec"]["endpoints"]:
                assert _endpoint_schema.check(endpoint, kit.crd()) == []
                assert endpoint["relabelings"][-1]["replacement"] == one["metadata"]["name"]
    # as data for the API, and the same a second time
    assert json.loads(json.dumps(objects)) == objects
    again = _catalogue_resolve.resolve(entries, PACKS, cluster, "monitoring", now="t", exporters=True)
    assert again == result


@given(st.dictionaries(st.text(max_size=4), ANYTHING, max_size=4), ANYTHING)
@settings(max_examples=200, deadline=None)
def test_the_checker_of_schemas_takes_any_schema_from_the_crd_language(rule, value):
    keywords = {"type": "object", "properties": {key: {"type": "string"} for key in rule}}
    for problem in _endpoint_schema.check(value, keywords, "x"):
        assert problem.what and problem.remedy
