# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The baselines kept in the cluster, and the checks that come of them."""

from __future__ import annotations

import random
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _workloads_baseline as baseline
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _workloads_checks as checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _workloads_verdict as verdict
from ansible_collections.dataplatform.monitoring.plugins.module_utils._checks import all_causes
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._workloads_compare import NO_EVENTS
from ansible_collections.dataplatform.monitoring.plugins.module_utils._workloads_snapshot import Expectation

from tests.unit.workloads.build import NS, START, TRINO, Cluster

LATER = Expectation("later", NS, {"app": "later"})
ELSEWHERE = Expectation("db", NS, {}, "db.example.com")


def run(name: str, taken: float = START, size: int = 0) -> baseline.Run:
    letters = random.Random(name)  # noqa: S311 - text that does not pack well
    snapshot = {"taken": taken, "members": {}, "filling": "".join(letters.choices("abcdefghij0123456789", k=size))}
    return {"run_id": name, "snapshot": snapshot, "closed": None, "checks": None}


# The ConfigMap


def test_what_is_written_can_be_read_newest_first() -> None:
    runs = [run("a", 1.0), run("b", 3.0), run("c", 2.0)]
    stored = baseline.write(runs, None, "monitoring")
    assert [item["run_id"] for item in baseline.read(stored)] == ["b", "c", "a"]
    assert stored["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "dataplatform.monitoring"


def test_the_last_five_are_kept() -> None:
    stored = baseline.write([run(f"r{i}", float(i)) for i in range(9)], None, "monitoring")
    assert sorted(stored["data"]) == ["r4", "r5", "r6", "r7", "r8"]


def test_large_ones_are_packed_and_never_more_than_the_api_takes() -> None:
    stored = baseline.write([run(f"r{i}", float(i), 700_000) for i in range(4)], None, "monitoring")
    size = sum(len(text) for part in ("data", "binaryData") for text in stored[part].values())
    assert size < baseline.MOST_BYTES
    assert baseline.read(stored)[0] == run("r3", 3.0, 700_000)


def test_a_single_one_is_kept_whatever_its_size() -> None:
    stored = baseline.write([run("huge", 1.0, 2_000_000)], None, "monitoring")
    assert list(stored["binaryData"]) == ["huge"]


def test_what_others_put_into_the_config_map_is_passed_over() -> None:
    data = {"x": "not json", "y": "[1]", "z": '{"snapshot": {}}', "w": '{"snapshot": {"members": [], "taken": 1}}'}
    assert baseline.read({"data": data, "binaryData": {"b": "AAAA"}}) == []
    assert baseline.read(None) == []


def test_the_resource_version_is_kept_so_that_nobody_is_overwritten() -> None:
    stored = {"metadata": {"resourceVersion": "7", "labels": {"team": "x"}, "managedFields": [{}]}}
    metadata = baseline.write([run("a")], stored, "monitoring")["metadata"]
    assert (metadata["resourceVersion"], metadata["labels"]["team"]) == ("7", "x")
    assert "managedFields" not in metadata


def test_a_baseline_is_taken_once() -> None:
    first, added = baseline.record([], "r1", {"taken": 1.0, "members": {}})
    again, added_again = baseline.record(first, "r1", {"taken": 9.0, "members": {}})
    assert (added, added_again, again) == (True, False, first)


def test_closing_keeps_the_others() -> None:
    closed = baseline.close([run("b", 2.0), run("a", 1.0)], "a", [{"name": "x"}], 9.0)
    assert [(item["run_id"], item["closed"]) for item in closed] == [("b", None), ("a", 9.0)]


def test_the_newest_run_is_meant_when_none_is_named() -> None:
    runs = [run("b", 2.0), run("a", 1.0)]
    assert baseline.find(runs, "") is runs[0]
    assert baseline.find(runs, "a") is runs[1]
    assert baseline.find(runs, "c") is None


@pytest.mark.parametrize("name", ["2026-11-23T17:00", "a b", "ä", "x" * 201])
def test_run_ids_are_keys(name: str) -> None:
    with pytest.raises(ConfigError, match="run_id"):
        baseline.check_run_id(name)


# Checks


def compared(cluster: Cluster, before: dict, *expectations: Expectation) -> list[dict[str, Any]]:
    after = cluster.snapshot(*expectations, seconds=600)
    return checks.compared(expectations, before, after, NO_EVENTS)[0]


def statuses(found: list[dict[str, Any]]) -> dict[str, str]:
    return {item["name"]: item["status"] for item in found}


def test_one_check_per_expectation_in_order_and_the_nodes() -> None:
    cluster = Cluster()
    found = compared(cluster, cluster.snapshot(LATER, TRINO, ELSEWHERE), LATER, TRINO, ELSEWHERE)
    assert list(statuses(found).items()) == [
        ("later", "not_applicable"),
        ("trino", "ok"),
        ("db", "not_applicable"),
        ("nodes", "ok"),
    ]
    assert found[2]["observed"] == "no Pod behind db.example.com in namespace data-platform: it runs elsewhere"
    assert found[1]["observed"].startswith("2 of 2 Pods Ready, the youngest 70m old, since 2026-11-23 ")


def test_what_came_during_the_run_has_nothing_to_compare_with() -> None:
    cluster = Cluster()
    before = cluster.snapshot(LATER)
    cluster.pods["bare"]["metadata"]["labels"]["app"] = "later"
    (later, _nodes) = compared(cluster, before, LATER)
    assert (later["status"], later["observed"]) == ("not_applicable", "it came during the run: nothing to compare with")


def test_red_ones_carry_their_causes() -> None:
    cluster = Cluster()
    before = cluster.snapshot(TRINO)
    cluster.restart("trino-1", "OOMKilled", 137)
    cluster.ready("trino-2", False)
    (trino, _nodes) = compared(cluster, before, TRINO)
    assert [item["code"] for item in all_causes(trino)] == ["container_oom_killed", "readiness_lost"]


def closed_run(cluster: Cluster, *expectations: Expectation) -> baseline.Run:
    before = cluster.snapshot(*expectations)
    found = compared(cluster, before, *expectations)
    return {"run_id": "r1", "snapshot": before, "closed": START + 600, "checks": found}


def test_a_closed_run_is_repeated_with_its_date() -> None:
    cluster = Cluster()
    stored = closed_run(cluster, TRINO)
    found = checks.repeated([TRINO], stored, cluster.snapshot(TRINO, seconds=9000))
    assert statuses(found) == {"trino": "ok", "nodes": "ok"}
    assert found[0]["notes"][0].startswith("verdict of run r1, closed 2026-11-23 ")


def test_a_good_verdict_does_not_hide_what_is_broken_now() -> None:
    cluster = Cluster()
    stored = closed_run(cluster, TRINO)
    cluster.workloads["trino"]["status"]["readyReplicas"] = 0
    (trino, _nodes) = checks.repeated([TRINO], stored, cluster.snapshot(TRINO, seconds=9000))
    assert (trino["status"], trino["cause"]["code"]) == ("failed", "not_ready_now")
    assert trino["notes"][0].startswith("good until then: verdict of run r1")


def test_a_bad_verdict_stays_bad() -> None:
    cluster = Cluster()
    before = cluster.snapshot(TRINO)
    cluster.restart("trino-1")
    stored: baseline.Run = {
        "run_id": "r1",
        "snapshot": before,
        "closed": START + 600,
        "checks": compared(cluster, before, TRINO),
    }
    (trino, _nodes) = checks.repeated([TRINO], stored, cluster.snapshot(TRINO, seconds=9000))
    assert (trino["status"], trino["cause"]["code"]) == ("failed", "container_restarted")


def test_services_that_the_run_did_not_know_are_judged_by_this_moment() -> None:
    cluster = Cluster()
    stored = closed_run(cluster, TRINO)
    pg = Expectation("pg", NS, {"app": "pg"})
    now = cluster.snapshot(TRINO, pg, LATER, seconds=9000)
    found = checks.repeated([TRINO, pg, LATER], stored, now)
    assert statuses(found) == {"trino": "ok", "pg": "ok", "later": "not_applicable", "nodes": "ok"}
    assert found[1]["notes"][0].startswith("not part of the verdict of run r1")


def test_without_a_baseline_everything_is_unknown_with_the_remedy() -> None:
    (found,) = checks.not_judged([TRINO], checks.missing("", "monitoring"), "no baseline")
    assert (found["status"], found["cause"]["code"]) == ("unknown", "baseline_missing")
    assert "of run r7 in namespace" in checks.missing("r7", "monitoring")["message"]


def test_a_baseline_that_nobody_closed() -> None:
    found = checks.stale(run("r1", START), START + 3 * 86400)
    assert (found["code"], "took its baseline 3d ago" in found["message"]) == ("baseline_stale", True)


def test_taking_one_is_told() -> None:
    cluster = Cluster()
    taken: baseline.Run = {"run_id": "r", "snapshot": cluster.snapshot(TRINO, LATER), "closed": None, "checks": None}
    check = checks.taken(taken, True, "monitoring")
    assert check["observed"].startswith("2 Pods of 1 services, taken 2026-")
    assert check["notes"] == ["no Pod yet: later"]
    assert "stays as it was" in checks.taken(taken, False, "monitoring")["notes"][0]


# Options


def params(**given: Any) -> dict[str, Any]:
    return {**{name: spec.get("default") for name, spec in verdict.SPEC.items()}, **given}


def test_options_become_expectations() -> None:
    found = verdict.parse(
        params(expectations=[{"name": "trino", "namespace": NS, "selector": {"app": "trino"}}], namespaces=["vault"])
    )
    assert found == [TRINO, Expectation("namespace vault", "vault", {}, "", True)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "Nothing to watch"),
        ({"expectations": [{"name": "x"}]}, "needs name and namespace"),
        ({"expectations": [{"name": "x", "namespace": "y"}]}, "needs selector"),
        ({"namespaces": ["a", "a"]}, "the name namespace a stands for two"),
        ({"namespaces": ["a"], "run_id": "a:b"}, "run_id"),
    ],
)
def test_impossible_options_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        verdict.parse(params(**given))
