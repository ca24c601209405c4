# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened to services between two snapshots, and whose doing it was."""

from __future__ import annotations

import json

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _workloads_compare as compare
from ansible_collections.dataplatform.monitoring.plugins.module_utils._workloads_snapshot import Expectation

from tests.unit.workloads.build import NS, START, TRINO, Cluster, at, changed, node, pod

POSTGRESQL = Expectation("postgresql", NS, {}, "postgresql.data-platform.svc:5432")
REST = Expectation("namespace data-platform", NS, {}, "", True)


def both(
    cluster: Cluster, before: dict, name: str = "trino", *expectations: Expectation
) -> tuple[list[str], list[str]]:
    return changed(before, cluster.snapshot(*expectations, seconds=600), name=name)


# Who is watched


def test_a_selector_of_services_finds_their_pods_and_leaves_out_those_of_jobs() -> None:
    members = Cluster().snapshot()["members"]
    assert members == {"trino": {"pods": [f"{NS}/trino-1", f"{NS}/trino-2"], "workloads": [f"Deployment/{NS}/trino"]}}


@pytest.mark.parametrize(
    "host", ["postgresql", "postgresql.data-platform", "postgresql.data-platform.svc.cluster.local:5432"]
)
def test_a_host_finds_the_pods_of_its_service(host: str) -> None:
    members = Cluster().snapshot(Expectation("pg", NS, {}, host))["members"]
    assert members["pg"] == {"pods": [f"{NS}/pg-0"], "workloads": [f"StatefulSet/{NS}/pg"]}


@pytest.mark.parametrize("host", ["postgresql.elsewhere.svc", "db.example.com"])
def test_a_host_outside_has_no_pods(host: str) -> None:
    assert Cluster().snapshot(Expectation("pg", NS, {}, host))["members"]["pg"] == {"pods": [], "workloads": []}


def test_labels_of_pods_will_do_where_no_service_has_them() -> None:
    assert Cluster().snapshot(Expectation("bare", NS, {"app": "bare"}))["members"]["bare"]["pods"] == [f"{NS}/bare"]


def test_a_namespace_is_about_the_pods_that_no_other_check_has() -> None:
    members = Cluster().snapshot(REST, TRINO)["members"]
    assert members[REST.name]["pods"] == [f"{NS}/bare", f"{NS}/pg-0"]
    assert members[REST.name]["workloads"] == [f"StatefulSet/{NS}/pg"]


def test_a_snapshot_is_plain_data() -> None:
    snapshot = Cluster().snapshot(TRINO, POSTGRESQL, REST)
    assert json.loads(json.dumps(snapshot)) == snapshot


# Nothing, restarts, readiness


def test_nothing_happened() -> None:
    cluster = Cluster()
    assert both(cluster, cluster.snapshot()) == ([], [])


def test_a_restart_is_told_with_container_time_and_reason() -> None:
    cluster = Cluster()
    before = cluster.snapshot()
    cluster.restart("trino-1", "Error", 3)
    change = compare.compare("trino", before, cluster.snapshot(seconds=600), compare.NO_EVENTS)
    (found,) = change.causes
    assert found["code"] == "container_restarted"
    assert found["message"].startswith(f"Container main of Pod {NS}/trino-1 restarted once since the baseline")
    assert found["message"].endswith(f"{at(300).replace('T', ' ')}: Error (code 3).")
    assert found["fix"].endswith(f"kubectl -n {NS} logs trino-1 -c main --previous --tail=50")


def test_running_out_of_memory_is_its_own_cause() -> None:
    cluster = Cluster()
    before = cluster.snapshot()
    cluster.restart("trino-1", "OOMKilled", 137)
    cluster.restart("trino-1", "OOMKilled", 137)
    change = compare.compare("trino", before, cluster.snapshot(seconds=600), compare.NO_EVENTS)
    assert [item["code"] for item in change.causes] == ["container_oom_killed"]
    assert "restarted 2 times" in change.causes[0]["message"]


def test_restarts_before_the_baseline_do_not_count() -> None:
    cluster = Cluster()
    cluster.restart("trino-1", seconds=-300)
    assert both(cluster, cluster.snapshot()) == ([], [])


def test_a_container_that_crashed_before_the_run_is_a_note() -> None:
    cluster = Cluster()
    cluster.restart("trino-1", seconds=-300)
    cluster.ready("trino-1", False, -200, "CrashLoopBackOff")
    before = cluster.snapshot()
    cluster.restart("trino-1", seconds=100)
    cluster.ready("trino-1", False, 120, "CrashLoopBackOff")
    codes, notes = both(cluster, before)
    assert codes == []
    assert "was crashing before the run and restarted once more" in notes[0]
    assert "was not Ready before the run either" in notes[1]


def test_readiness_lost() -> None:
    cluster = Cluster()
    before = cluster.snapshot()
    cluster.ready("trino-2", False, 200)
    cluster.workloads["trino"]["status"]["readyReplicas"] = 1
    assert both(cluster, before) == (["readiness_lost", "replicas_missing"], [])


def test_readiness_interrupted() -> None:
    cluster = Cluster()
    before = cluster.snapshot()
    cluster.ready("trino-2", True, 200)
    assert both(cluster, before) == (["readiness_interrupted"], [])


def test_a_restart_and_lost_readiness_are_both_told() -> None:
    cluster = Cluster()
    before = cluster.snapshot()
    cluster.restart("trino-1")
    cluster.ready("trino-1", False, 320, "CrashLoopBackOff")
    assert both(cluster, before)[0] == ["container_restarted", "readiness_lost"]


# Pods that went


def test_a_pod_that_was_replaced_without_a_change_of_its_workload() -> None:
    cluster = Cluster()
    before = cluster.snapshot()
    cluster.replace("trino-1", "trino-3", "n2")
    change = compare.compare("trino", before, cluster.snapshot(seconds=600), compare.NO_EVENTS)
    (found,) = change.causes
    assert found["code"] == "pod_replaced"
    assert f"replaced by {NS}/trino-3 on node n2 at" in found["message"]


def test_a_stateful_pod_keeps_its_name_and_is_another_one_still() -> None:
    cluster = Cluster()
    before = cluster.snapshot(POSTGRESQL)
    cluster.replace("pg-0", "pg-0", template="pg-1")
    assert both(cluster, before, "postgresql", POSTGRESQL)[0] == ["pod_replaced"]


def test_a_rollout_by_somebody_else_is_a_note() -> None:
    cluster = Cluster()
    before = cluster.snapshot()
    cluster.roll_out("trino")
    cluster.replace("trino-1", "trino-3", template="def")
    cluster.replace("trino-2", "trino-4", template="def")
    cluster.restart("trino-3", seconds=320)
    codes, notes = both(cluster, before)
    assert (codes, len(notes)) == ([], 1)
    assert "was changed by somebody else during the run (generation 1 to 2)" in notes[0]


def test_a_rollout_that_was_under_way_when_the_run_began_is_nobodys_fault() -> None:
    """The generation is the same then; the Pods' template tells."""
    cluster = Cluster()
    before = cluster.snapshot()
    cluster.replace("trino-1", "trino-3", template="def")
    codes, notes = both(cluster, before)
    assert (codes, len(notes)) == ([], 1)


def test_a_rollout_that_is_not_ready_is_red_and_says_whose_it_is() -> None:
    cluster = Cluster()
    before = cluster.snapshot()
    cluster.roll_out("trino", ready=1)
    cluster.replace("trino-1", "trino-3", template="def")
    cluster.ready("trino-3", False, 320, "ImagePullBackOff")
    change = compare.compare("trino", before, cluster.snapshot(seconds=600), compare.NO_EVENTS)
    assert [item["code"] for item in change.causes] == ["rollout_unfinished"]
    assert "was changed during the run, not by it" in change.causes[0]["message"]
    assert change.unfinished


def test_scaling_by_somebody_else_is_a_note() -> None:
    cluster = Cluster()
    before = cluster.snapshot()
    cluster.roll_out("trino", ready=1, replicas=1)
    cluster.workloads["trino"]["status"]["updatedReplicas"] = 1
    del cluster.pods["trino-2"]
    codes, notes = both(cluster, before)
    assert codes == []
    assert notes == [
        f"Deployment/{NS}/trino was changed by somebody else during the run (scaled from 2 to 1): Pods not compared"
    ]


def test_a_workload_made_anew_is_a_note() -> None:
    cluster = Cluster()
    before = cluster.snapshot(POSTGRESQL)
    cluster.workloads["pg"]["metadata"]["uid"] = "other"
    cluster.replace("pg-0", "pg-0", template="pg-1")
    codes, notes = both(cluster, before, "postgresql", POSTGRESQL)
    assert (codes, "made anew" in notes[0]) == ([], True)


def test_a_workload_that_is_gone_is_red() -> None:
    cluster = Cluster()
    before = cluster.snapshot(POSTGRESQL)
    del cluster.workloads["pg"], cluster.pods["pg-0"]
    assert both(cluster, before, "postgresql", POSTGRESQL) == (["workload_gone"], [])


def test_a_bare_pod_that_is_gone_is_red() -> None:
    cluster = Cluster()
    bare = Expectation("bare", NS, {"app": "bare"})
    before = cluster.snapshot(bare)
    del cluster.pods["bare"]
    assert both(cluster, before, "bare", bare) == (["pod_gone"], [])


def test_pods_that_had_ended_before_are_a_note() -> None:
    cluster = Cluster()
    bare = Expectation("bare", NS, {"app": "bare"})
    cluster.pods["bare"]["status"]["phase"] = "Succeeded"
    before = cluster.snapshot(bare)
    del cluster.pods["bare"]
    codes, notes = both(cluster, before, "bare", bare)
    assert (codes, len(notes)) == ([], 1)


def event(name: str, reason: str, message: str) -> dict:
    about = {"kind": "Pod", "namespace": NS, "name": name}
    return {"involvedObject": about, "reason": reason, "message": message}


@pytest.mark.parametrize(
    ("reason", "code"),
    [("Evicted", "pod_evicted"), ("TaintManagerEviction", "pod_evicted"), ("Preempted", "pod_preempted"),
     ("Killing", "pod_replaced")],
)  # fmt: skip
def test_events_tell_how_a_pod_went(reason: str, code: str) -> None:
    cluster = Cluster()
    before = cluster.snapshot()
    cluster.replace("trino-1", "trino-3")
    events = compare.read_events([event("trino-1", reason, "The node was low on resource: memory. ")])
    assert changed(before, cluster.snapshot(seconds=600), events) == ([code], [])


def test_an_evicted_pod_stays_and_says_so_itself() -> None:
    cluster = Cluster()
    before = cluster.snapshot()
    cluster.pods["trino-1"]["status"].update(phase="Failed", reason="Evicted", message="low on resource: memory")
    cluster.ready("trino-1", False)
    change = compare.compare("trino", before, cluster.snapshot(seconds=600), compare.NO_EVENTS)
    assert [item["code"] for item in change.causes] == ["pod_evicted"]
    assert "low on resource: memory" in change.causes[0]["message"]


def test_draining_and_removing_a_node_are_notes() -> None:
    cluster = Cluster()
    before = cluster.snapshot()
    cluster.replace("trino-2", "trino-3")
    cluster.nodes["n2"]["spec"]["unschedulable"] = True
    codes, notes = both(cluster, before)
    assert (codes, "was drained by somebody else" in notes[0]) == ([], True)
    del cluster.nodes["n2"]
    codes, notes = both(cluster, before)
    assert (codes, "left the cluster" in notes[0]) == ([], True)


def test_a_node_that_is_lost_is_the_cause() -> None:
    cluster = Cluster()
    before = cluster.snapshot()
    cluster.replace("trino-2", "trino-3")
    cluster.nodes["n2"]["status"]["conditions"][0].update(status="Unknown", lastTransitionTime=at(250))
    assert both(cluster, before) == (["node_lost"], [])


def test_a_reboot_explains_every_restart_on_the_node() -> None:
    cluster = Cluster()
    before = cluster.snapshot(TRINO, REST)
    for name in ("trino-1", "pg-0", "bare"):
        cluster.restart(name, "Unknown", 255)
    cluster.nodes["n1"]["status"]["nodeInfo"]["bootID"] = "another"
    after = cluster.snapshot(TRINO, REST, seconds=600)
    assert changed(before, after) == (["node_rebooted"], [])
    assert changed(before, after, name=REST.name) == (["node_rebooted"], [])


# Replicas and nodes


def test_replicas_that_were_missing_before_are_a_note() -> None:
    cluster = Cluster()
    cluster.workloads["trino"]["status"]["readyReplicas"] = 1
    codes, notes = both(cluster, cluster.snapshot())
    assert (codes, notes) == ([], [f"Deployment/{NS}/trino had 1 of 2 Pods Ready before the run, 1 now"])


def test_pressure_reboots_and_loss_of_nodes() -> None:
    cluster = Cluster()
    cluster.nodes["n3"] = node("n3")
    before = cluster.snapshot()
    memory = {"type": "MemoryPressure", "status": "True"}
    cluster.nodes["n1"]["status"]["conditions"].append(memory)
    cluster.nodes["n2"]["status"]["nodeInfo"]["bootID"] = "x"
    cluster.nodes["n3"]["status"]["conditions"][0]["status"] = "Unknown"
    change = compare.compare_nodes(before, cluster.snapshot(seconds=600))
    assert [item["code"] for item in change.causes] == ["node_pressure", "node_rebooted", "node_lost"]
    assert "MemoryPressure" in change.causes[0]["message"]


def test_nodes_that_were_bad_before_or_left_are_notes() -> None:
    cluster = Cluster()
    cluster.nodes["n1"]["status"]["conditions"].append({"type": "DiskPressure", "status": "True"})
    cluster.nodes["n2"]["status"]["conditions"][0]["status"] = "False"
    cluster.nodes["n3"] = node("n3")
    before = cluster.snapshot()
    del cluster.nodes["n3"]
    change = compare.compare_nodes(before, cluster.snapshot(seconds=600))
    assert (change.causes, len(change.notes)) == ([], 3)


# Now, without a baseline


def test_what_is_wrong_at_this_moment() -> None:
    cluster = Cluster()
    bare = Expectation("bare", NS, {"app": "bare"})
    assert compare.faults_now("trino", cluster.snapshot()) == []
    cluster.workloads["trino"]["status"]["readyReplicas"] = 1
    cluster.ready("bare", False)
    now = cluster.snapshot(TRINO, bare)
    assert [item["code"] for item in compare.faults_now("trino", now)] == ["not_ready_now"]
    assert [item["code"] for item in compare.faults_now("bare", now)] == ["not_ready_now"]


def test_a_daemonset_is_counted_by_its_own_status() -> None:
    cluster = Cluster()
    cluster.workloads["trino"] = {
        "kind": "DaemonSet",
        "metadata": {"name": "trino", "namespace": NS, "uid": "d", "generation": 4},
        "spec": {"template": {"metadata": {"labels": {"app": "trino"}}}},
        "status": {"desiredNumberScheduled": 2, "numberReady": 1, "updatedNumberScheduled": 2, "observedGeneration": 4},
    }
    (found,) = compare.faults_now("trino", cluster.snapshot())
    assert "DaemonSet data-platform/trino has 1 of 2 Pods Ready now." in found["message"]


def test_how_healthy_is_told_in_a_few_words() -> None:
    cluster = Cluster()
    cluster.ready("trino-1", False)
    assert compare.healthy_for("trino", cluster.snapshot()) == "1 of 2 Pods Ready, the youngest 60m old"
    assert compare.healthy_for("none", cluster.snapshot()) == "0 of 0 Pods Ready"
    assert START < 2e9 and pod("x")["metadata"]["namespace"] == NS
