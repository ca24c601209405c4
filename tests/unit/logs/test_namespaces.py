# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a namespace log: silence, loss, lateness, labels, and which of several causes is told."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_namespaces as namespaces
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._checks import all_causes
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_namespaces import Agents
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_pods import Container

from tests.unit.logs.build import FORBIDDEN, NOW, RULES, SILENT, container, seen, stream, wrote

NO_AGENTS = Agents({}, {})


def judge(containers: list[Container], agents: Agents = NO_AGENTS, **parts: Any) -> dict[str, Any]:
    """Judge the namespace data-platform."""
    facts = seen(**parts)
    found = namespaces.outcomes(containers, facts, RULES, NOW)
    return namespaces.judge("data-platform", found, facts, RULES, agents, FORBIDDEN.error)


def codes(check: dict[str, Any]) -> list[str]:
    return [item["code"] for item in all_causes(check)]


def test_what_was_written_has_arrived() -> None:
    one = container()
    check = judge([one], window={one.key: 40}, lag={one.key: 4}, streams=[stream()])
    assert (check["status"], check["observed"]) == ("ok", "40 lines in 10m, 1 of 1 containers in Loki")
    assert check["expected"] == "what its containers wrote, labelled namespace, pod, container, app, tier"


def test_a_silent_namespace_is_not_red() -> None:
    one = container()
    check = judge([one], lines={one.key: SILENT})
    assert check["status"] == "ok"
    assert check["notes"] == ["nothing was written within 10m; that is not a fault"]


def test_a_namespace_without_containers_is_not_applicable() -> None:
    assert judge([])["status"] == "not_applicable"


def test_a_line_the_kubelet_has_and_loki_has_not_is_missing() -> None:
    one = container()
    check = judge([one], lines={one.key: wrote(300)}, newest={one.key: None})
    assert (check["status"], codes(check)) == ("failed", ["logs_missing"])
    assert "1 of 1 containers on node n1 are not in Loki (trino-0/main)" in check["cause"]["message"]
    assert check["cause"]["fix"].endswith("kubectl -n data-platform logs trino-0 -c main --tail=1")


def test_a_line_within_the_tolerance_is_waited_for() -> None:
    one = container()
    facts = seen(lines={one.key: wrote(30)}, newest={one.key: None})
    found = namespaces.outcomes([one], facts, RULES, NOW)
    assert not namespaces.settled(found, {"n1"})
    assert namespaces.settled(found, {"n2"}), "without an agent on the node nothing will arrive"
    check = namespaces.judge("data-platform", found, facts, RULES, NO_AGENTS)
    assert (check["status"], codes(check)) == ("unknown", ["logs_too_young"])


def test_a_line_too_young_is_no_excuse_for_a_node_without_agent() -> None:
    one = container()
    absent = {"n1": cause("agent_missing", "no agent", "install it")}
    check = judge([one], Agents(absent, {}), lines={one.key: wrote(30)}, newest={one.key: None})
    assert codes(check) == ["agent_missing"]


def test_a_busy_pod_of_which_loki_has_only_old_lines_is_late() -> None:
    one = container()
    check = judge([one], window={one.key: 900}, lines={one.key: wrote(239)}, newest={one.key: 400}, streams=[stream()])
    assert codes(check) == ["logs_late"]
    assert "Loki's newest is of" in check["cause"]["message"]


def test_rounded_times_are_not_late() -> None:
    one = container()
    check = judge([one], lines={one.key: wrote(300)}, newest={one.key: 301}, streams=[stream()])
    assert check["status"] == "ok"


def test_one_chatty_pod_does_not_hide_nine_dead_on_another_node() -> None:
    chatty = container("chatty", node="n1")
    dead = [container(f"dead-{i}", node="n2") for i in range(9)]
    check = judge(
        [chatty, *dead],
        window={chatty.key: 9000},
        lag={chatty.key: 900},
        streams=[stream("chatty")],
        lines={item.key: wrote(200) for item in dead},
        newest={item.key: None for item in dead},
    )
    assert codes(check) == ["logs_missing"]
    assert "9 of 9 containers on node n2" in check["cause"]["message"]
    assert "and 6 more" in check["cause"]["message"]


def test_nor_on_the_same_node() -> None:
    chatty, dead = container("chatty"), container("dead")
    check = judge(
        [chatty, dead],
        window={chatty.key: 9000},
        lag={chatty.key: 900},
        streams=[stream("chatty")],
        lines={dead.key: wrote(200)},
        newest={dead.key: None},
    )
    assert codes(check) == ["logs_missing"]


def test_the_missing_agent_explains_the_missing_lines() -> None:
    one = container()
    taint = cause("agent_untolerated_taint", "The agent does not tolerate x:NoSchedule of node n1.", "tolerate it")
    check = judge([one], Agents({"n1": taint}, {}), lines={one.key: wrote(300)}, newest={one.key: None})
    assert codes(check) == ["agent_untolerated_taint"]
    assert check["cause"]["message"].endswith("The agent does not tolerate x:NoSchedule of node n1.")
    assert check["cause"]["fix"] == "tolerate it"


def test_so_do_the_agents_own_troubles_all_of_them() -> None:
    one = container()
    trouble = [cause("agent_no_files", "reads nothing", "a"), cause("agent_cannot_send", "cannot send", "b")]
    check = judge([one], Agents({}, {"n1": trouble}), lines={one.key: wrote(300)}, newest={one.key: None})
    assert codes(check) == ["agent_no_files", "agent_cannot_send"]


def test_static_pods_have_a_cause_of_their_own() -> None:
    one = container("kube-apiserver-cp", static=True)
    check = judge([one], lines={one.key: wrote(300)}, newest={one.key: None})
    assert codes(check) == ["static_pod_logs_missing"]
    assert "kubernetes_io_config_mirror" in check["cause"]["fix"]


def test_a_short_lived_job_is_a_note() -> None:
    short = container("job-a", started=200, ended=180)
    check = judge([short], lines={short.key: wrote(190)}, newest={short.key: None})
    assert check["status"] == "ok"
    assert "too short for the agent to notice" in check["notes"][0]
    longer = container("job-b", started=400, ended=180)
    assert codes(judge([longer], lines={longer.key: wrote(190)}, newest={longer.key: None})) == ["logs_missing"]


@pytest.mark.parametrize(("labels", "code"), [({}, "stream_label_missing"), ({"app": "presto"}, "stream_label_wrong")])
def test_labels_that_were_promised(labels: dict[str, str], code: str) -> None:
    one = container(labels={"app": "trino"})
    check = judge([one], window={one.key: 5}, lag={one.key: 5}, streams=[stream(**labels)])
    assert (check["status"], codes(check)) == ("failed", [code])
    assert check["cause"]["fix"].endswith("{source_labels: [__meta_kubernetes_pod_label_app], target_label: app}")


def test_missing_pod_labels_are_told_once_and_not_as_missing_lines() -> None:
    one, two = container("a"), container("b")
    bare = {"namespace": "data-platform"}
    found = {one.key._replace(pod="", container=""): 80}
    check = judge([one, two], window=found, lag=found, streams=[bare])
    assert codes(check) == ["stream_label_missing", "stream_label_missing"]
    assert [item["message"].split("the label ")[1].split(" ")[0] for item in all_causes(check)] == ["pod", "container"]


def test_rules_for_alloy_are_in_its_own_syntax() -> None:
    one = container(labels={"tier": "query"})
    parts = {"window": {one.key: 5}, "lag": {one.key: 5}, "streams": [stream()]}
    check = judge([one], Agents({}, {}, "alloy"), **parts)
    assert check["cause"]["fix"].endswith(
        'rule { source_labels = ["__meta_kubernetes_pod_label_tier"] target_label = "tier" }'
    )


def test_label_names_become_what_service_discovery_calls_them() -> None:
    assert namespaces.relabel_rule("app", ["app.kubernetes.io/name"], "promtail") == (
        "{source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_name], target_label: app}"
    )


def test_an_unreadable_kubelet_matters_only_where_nothing_is_proven() -> None:
    proven, dark = container("a"), container("b")
    parts: dict[str, Any] = {"streams": [stream("a")], "lines": {dark.key: FORBIDDEN}}
    check = judge([proven, dark], window={proven.key: 5}, lag={proven.key: 5}, **parts)
    assert check["status"] == "ok"
    assert "1 containers without lines in Loki were not compared" in check["notes"][0]
    check = judge([dark], lines={dark.key: FORBIDDEN})
    assert (check["status"], codes(check)) == ("unknown", ["kubelet_log_unreadable"])
    assert check["cause"]["fix"].endswith("--clusterrole=view --user=reader")


def test_the_same_cause_on_many_nodes_is_told_once() -> None:
    members = [container(f"p{i}", node=f"n{i}") for i in range(4)]
    check = judge(
        members, lines={item.key: wrote(300) for item in members}, newest={item.key: None for item in members}
    )
    assert codes(check) == ["logs_missing"]
    assert check["cause"]["message"].endswith("The same on 3 more nodes.")


def test_loss_and_labels_are_both_told() -> None:
    good, lost = container("a", labels={"app": "a"}), container("b", node="n2")
    check = judge(
        [good, lost],
        window={good.key: 5},
        lag={good.key: 5},
        streams=[stream("a")],
        lines={lost.key: wrote(300)},
        newest={lost.key: None},
    )
    assert codes(check) == ["logs_missing", "stream_label_missing"]
    assert check["details"] == {"containers": 2, "nodes": 2, "arrived": 1, "pending": 0, "silent": 0, "unreadable": 0}


def test_what_was_not_judged_repeats_the_reason() -> None:
    why = cause("loki_not_ready", "not ready", "wait")
    check = namespaces.unavailable("x", RULES, why)
    assert (check["status"], check["cause"]) == ("unknown", why)


def test_a_container_that_was_not_asked_about_and_has_lines_in_the_window_counts() -> None:
    one = container()
    check = judge([one], window={one.key: 3}, streams=[stream()])
    assert check["observed"] == "3 lines in 10m, 1 of 1 containers in Loki"
