# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which containers may have written lately."""

from __future__ import annotations

from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_pods import Key, by_cell, writers

from tests.unit.logs.build import NOW, ago, container, pod


def names(*pods: dict) -> list[str]:
    return [str(item.key) for item in writers(pods, NOW, 600)]


def test_running_containers_count() -> None:
    assert names(pod()) == ["trino-0/main"]


def test_pods_that_are_not_scheduled_have_written_nothing() -> None:
    assert names(pod(node="")) == []


def test_a_container_that_never_started_has_written_nothing() -> None:
    assert names(pod(state={"waiting": {"reason": "ContainerCreating"}})) == []


def test_a_finished_job_counts_within_the_window_only() -> None:
    def ended(seconds: float) -> dict:
        return pod(f"job-{seconds}", state={"terminated": {"startedAt": ago(seconds + 5), "finishedAt": ago(seconds)}})

    assert names(ended(60), ended(700)) == ["job-60/main"]


def test_a_container_in_crash_back_off_counts_by_its_last_run() -> None:
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    last = {"startedAt": ago(62), "finishedAt": ago(60)}
    (found,) = writers([pod(state=waiting, last=last)], NOW, 600)
    assert found.lifetime(NOW) == 2
    assert names(pod(state=waiting, last={"startedAt": ago(5000), "finishedAt": ago(4900)})) == []


def test_sidecars_count_and_finished_init_containers_do_not() -> None:
    item = pod()
    item["spec"]["initContainers"] = [{"name": "proxy", "restartPolicy": "Always"}, {"name": "setup"}]
    item["status"]["initContainerStatuses"] = [
        {"name": "proxy", "state": {"running": {"startedAt": ago(60)}}},
        {"name": "setup", "state": {"terminated": {"finishedAt": ago(60)}}},
    ]
    assert names(item) == ["trino-0/main", "trino-0/proxy"]


def test_static_pods_are_known_by_the_kubelets_annotation() -> None:
    (found,) = writers([pod(annotations={"kubernetes.io/config.mirror": "abc"})], NOW, 600)
    assert found.static


def test_cells_are_node_and_namespace() -> None:
    cells = by_cell([container("a"), container("b", node="n2"), container("c", namespace="other")])
    assert {cell: [item.key.pod for item in members] for cell, members in cells.items()} == {
        ("data-platform", "n1"): ["a"],
        ("data-platform", "n2"): ["b"],
        ("other", "n1"): ["c"],
    }


def test_an_unknown_start_is_no_short_life() -> None:
    found = container()._replace(started=None)
    assert found.lifetime(NOW) == float("inf")
    assert str(Key("n", "p", "c")) == "p/c"
