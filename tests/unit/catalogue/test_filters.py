# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters: how they take schemas, and how they fail."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.dataplatform.monitoring.plugins.filter import catalogue

FILTERS = catalogue.FilterModule().filters()
WRONG = {"port": "http", "brandNew": True}


def test_every_filter_is_documented(kit):
    documented = {path.stem for path in (kit.root / "plugins" / "filter").glob("*.yml")}
    assert set(FILTERS) <= documented


@pytest.mark.parametrize("how", ["cluster", "by kind", "by plural", "crd", "alone"])
def test_the_schema_may_come_in_several_ways(kit, how):
    given = {
        "cluster": {"cluster": {"crds": {"servicemonitors": {"version": "v1", "endpoint_schema": kit.crd()}}}},
        "by kind": {"endpoint_schema": {"ServiceMonitor": kit.crd()}},
        "by plural": {"endpoint_schema": {"servicemonitors": kit.crd()}},
        "crd": {"endpoint_schema": {"servicemonitors": {"endpoint_schema": kit.crd()}}},
        "alone": {"endpoint_schema": kit.crd()},
    }[how]
    assert FILTERS["catalogue_validate"]([kit.trino(endpoints=[WRONG])], **given) == [
        "trino: endpoints[0].brandNew: unknown key; known keys: authorization, basicAuth, honorLabels, interval, "
        "metricRelabelings, params, path, port, relabelings, scheme, scrapeTimeout, targetPort, tlsConfig."
    ]


def test_the_live_schema_beats_the_given_one(kit):
    live = {
        "crds": {"servicemonitors": {"endpoint_schema": {"type": "object", "properties": {"brandNew": {}, "port": {}}}}}
    }
    found = FILTERS["catalogue_validate"]([kit.trino(endpoints=[WRONG])], cluster=live, endpoint_schema=kit.crd())
    assert found == []


def test_without_a_schema_a_note_says_who_judges(kit):
    result = FILTERS["catalogue_resolve"]([kit.trino(endpoints=[WRONG])], None, kit.cluster())
    assert result["faults"] == []
    assert result["notes"] == [
        "No schema of the ServiceMonitor CRD was at hand: keys of endpoints are left to the API server's dry run."
    ]


def test_faults_of_the_live_schema_come_with_those_of_the_cluster(kit):
    world = kit.cluster(crds={"servicemonitors": {"endpoint_schema": kit.crd()}})
    entry = kit.trino(endpoints=[WRONG], namespace="nowhere")
    result = FILTERS["catalogue_resolve"]([entry], {}, world, "monitoring", notes=["told before"])
    assert [fault.split(":")[1] for fault in result["faults"]] == [" endpoints[0].brandNew", " namespace"]
    assert result["notes"] == ["told before"]


def test_a_catalogue_with_faults_is_not_resolved(kit):
    with pytest.raises(AnsibleFilterError, match=r"^trino: prot: unknown key; did you mean probe\?$"):
        FILTERS["catalogue_resolve"]([kit.trino(prot=1)])


@pytest.mark.parametrize("name", sorted(set(FILTERS) - {"catalogue_validate", "catalogue_resolve"}))
@pytest.mark.parametrize("value", [None, 7, [], {}, {"entries": [{}], "namespace": "x"}])
def test_what_is_no_catalogue_is_refused(name, value):
    with pytest.raises(AnsibleFilterError, match=f"the input is not what {name} takes"):
        FILTERS[name](value)


def test_new_decisions_carry_the_time(kit):
    result = FILTERS["catalogue_resolve"]([kit.trino()], now="2026-01-01T00:00:00Z")
    assert result["entries"][0]["since"] == "2026-01-01T00:00:00Z"
    assert FILTERS["catalogue_resolve"]([kit.trino()])["entries"][0]["since"].endswith("Z")
