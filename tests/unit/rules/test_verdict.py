# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict: what was applied is loaded, evaluated and able to fire, on every replica, and why not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._checks import all_causes
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import (
    ApiForbidden,
    ApiUnreachable,
    ConfigError,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_loop import judge_until_final
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_model import (
    Expectation,
    group_differences,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_others import judge_others
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_verdict import Judgement, judge

from tests.unit.rules import builders as make
from tests.unit.rules.builders import NOW, at, item, loaded, rule


def verdict(seen: Any, wanted: Expectation | None = None, there: Any = None) -> Judgement:
    return judge(wanted or make.expectation(), make.context(seen, there))


def codes(judgement: Judgement) -> list[str]:
    return [one["code"] for one in all_causes(judgement.check)]


def test_healthy_rules() -> None:
    found = verdict(make.snapshot(make.replica(loaded(item()))))
    assert found.check["status"] == "ok"
    assert found.check["observed"] == "1 of 1"
    assert found.final


def test_a_skipped_entry_is_not_judged() -> None:
    wanted = Expectation.parse({"name": "x", "state": "skipped", "reason": "it is not installed"}, 0)
    found = judge(wanted, make.context(make.snapshot(make.replica())))
    assert (found.check["status"], found.check["observed"]) == ("not_applicable", "it is not installed")


def test_an_object_that_is_missing() -> None:
    found = verdict(make.snapshot(make.replica(), objects=[item("alerts-y")]))
    assert codes(found) == ["rule_set_missing"]
    assert found.check["cause"]["fix"] == "Apply the rules: make rules --tags rules"
    assert found.final


@pytest.mark.parametrize(
    ("there", "part"),
    [
        (rule(expr='up{job="x"} == 1'), "Down has another expr"),
        (rule(**{"for": "5m"}), "Down has another for"),
        (rule(labels={"severity": "warning"}), "Down has another labels"),
        (rule("Other"), "Down is missing"),
    ],
)
def test_an_object_that_differs(there: dict[str, Any], part: str) -> None:
    found = verdict(make.snapshot(make.replica(loaded(item("alerts-x", there))), objects=[item("alerts-x", there)]))
    assert codes(found) == ["rule_set_differs"]
    assert part in found.check["cause"]["message"]


def test_the_spelling_of_an_expression_is_no_difference() -> None:
    source = item("alerts-x", rule(expr="sum(rate(x{a='1'}[60m]))   by (job) > 0.50"))
    group = loaded(source)
    group.rules[0].query = 'sum by (job) (rate(x{a="1"}[1h])) > 0.5'
    assert group_differences(source["spec"]["groups"], [group]) == []


SELECTION = [
    (
        {"ruleSelector": {"matchLabels": {"release": "kps"}}},
        "rule_set_not_selected",
        "rules_labels: {release: kps}",
    ),
    (
        {"ruleNamespaceSelector": {"matchLabels": {"team": "a"}}},
        "rule_set_namespace_not_selected",
        "kubectl label namespace monitoring team=a",
    ),
    (
        {"ruleSelector": None},
        "rule_set_not_selected",
        "kubectl -n monitoring patch prometheus p --type merge -p '{\"spec",
    ),
]


@pytest.mark.parametrize(("spec", "code", "fix"), SELECTION)
def test_an_object_that_is_not_selected(spec: dict[str, Any], code: str, fix: str) -> None:
    found = verdict(make.snapshot(make.replica(), prometheuses=[make.prometheus(**spec)]))
    assert codes(found) == [code]
    assert found.check["cause"]["fix"].partition(": ")[2].startswith(fix)
    assert found.final, "waiting would not help"


def test_a_rejected_object_tells_the_rule() -> None:
    reason = 'group "x", rule 0, "Down": could not parse expression: 1:1: parse error: unknown function with name "rat"'
    source = item()
    source["status"] = {
        "bindings": [
            {"conditions": [{"type": "Accepted", "status": "False", "observedGeneration": 1, "message": reason}]}
        ]
    }
    found = verdict(make.snapshot(make.replica(), objects=[source]))
    assert codes(found) == ["rule_set_rejected", "rule_unknown_function"]
    assert "Down: this Prometheus knows no function rat" in found.check["other_causes"][0]["message"]
    assert found.final


def test_rejected_by_an_event() -> None:
    event = {
        "involvedObject": {"kind": "PrometheusRule", "name": "alerts-x"},
        "reason": "InvalidConfiguration",
        "lastTimestamp": at(-5),
        "message": '"monitoring/alerts-x" was rejected due to invalid configuration: parse error: bad',
    }
    found = verdict(make.snapshot(make.replica(), events=[event]))
    assert codes(found) == ["rule_set_rejected"]
    assert "--tail=-1 | grep alerts-x" in found.check["cause"]["fix"]
    error = 'invalid parameter "query": 1:1: parse error: unexpected end of input'
    unreadable = {("monitoring", "alerts-x"): [("Down", "sum(", error)]}
    found = verdict(make.snapshot(make.replica(), events=[event], unreadable=unreadable))
    assert codes(found) == ["rule_set_rejected", "rule_syntax"]
    assert "(Down)" in found.check["cause"]["message"]


def test_a_paused_prometheus() -> None:
    found = verdict(make.snapshot(make.replica(), prometheuses=[make.prometheus(paused=True)]))
    assert codes(found) == ["rule_set_not_loaded"]
    assert "paused" in found.check["cause"]["message"]


def test_what_is_on_its_way_is_waited_for() -> None:
    found = verdict(make.snapshot(make.replica()))
    assert codes(found) == ["rule_set_not_loaded"]
    assert not found.final
    fix = "kubectl -n monitoring annotate prometheusrule alerts-x --overwrite looked-at="
    assert fix in found.check["cause"]["fix"]


def test_a_reload_that_fails_is_told() -> None:
    found = verdict(make.snapshot(make.replica(reload_ok=False)))
    assert "reloading it fails" in found.check["cause"]["message"]


def test_old_rules_on_one_of_two_replicas() -> None:
    old = loaded(item("alerts-x", rule(expr='up{job="x"} == 2')))
    seen = make.snapshot(
        make.replica(loaded(item())), make.replica(old, label="pod monitoring/prometheus-p-1"), objects=[item()]
    )
    found = verdict(seen)
    assert codes(found) == ["rules_outdated"]
    assert "prometheus-p-1 still runs an older version: Down has another expr" in found.check["cause"]["message"]
    assert not found.final


def test_a_rule_that_was_removed_is_still_loaded() -> None:
    old = loaded(item("alerts-x", rule(), rule("Gone")))
    found = verdict(make.snapshot(make.replica(old)))
    assert "Gone is still there" in found.check["cause"]["message"]


def test_never_evaluated_is_unknown_and_waited_for() -> None:
    group = loaded(item(), health="unknown", lastEvaluation="0001-01-01T00:00:00Z")
    found = verdict(make.snapshot(make.replica(group)))
    assert (found.check["status"], codes(found)) == ("unknown", ["rule_not_evaluated"])
    assert not found.final


def test_stale_evaluation() -> None:
    found = verdict(make.snapshot(make.replica(loaded(item(), lastEvaluation=at(-120)))))
    assert codes(found) == ["rule_evaluation_stale"]
    assert "120 s ago" in found.check["cause"]["message"]


def test_an_error_is_final_once_it_was_seen_twice() -> None:
    group = loaded(item(), health="err", lastError="many-to-many matching not allowed")
    seen = make.snapshot(make.replica(group, failures={group.key: 1.0}))
    assert codes(verdict(seen)) == ["rule_many_to_many"]
    assert not verdict(seen).final
    assert verdict(make.snapshot(make.replica(group, failures={group.key: 2.0}))).final


def test_failures_of_the_last_quarter_of_an_hour() -> None:
    group = loaded(item())
    found = verdict(make.snapshot(make.replica(group, failures={group.key: 3.0})))
    assert codes(found) == ["rule_failures_recent"]


def test_failures_before_the_last_change_are_not_held_against_it() -> None:
    source = item(age=60)
    group = loaded(source)
    found = verdict(make.snapshot(make.replica(group, failures={group.key: 3.0}), objects=[source]))
    assert found.check["status"] == "ok"
    assert "changed since then" in found.check["notes"][0]


def test_missed_iterations() -> None:
    group = loaded(item())
    assert codes(verdict(make.snapshot(make.replica(group, missed={group.key: 2.0})))) == ["rule_iterations_missed"]


def test_a_group_that_is_slower_than_its_interval() -> None:
    assert codes(verdict(make.snapshot(make.replica(loaded(item(), took=45.0))))) == ["rule_group_too_slow"]
    assert "needs 20.0 s" in verdict(make.snapshot(make.replica(loaded(item(), took=20.0)))).check["notes"][0]


def test_a_broken_template() -> None:
    alerts = [{"annotations": {"summary": "<error expanding template: undefined variable $lables>"}}]
    found = verdict(make.snapshot(make.replica(loaded(item(), alerts=alerts, state="firing"))))
    assert codes(found) == ["rule_template_broken"]


def test_rules_that_can_never_fire_are_told_together() -> None:
    source = item("alerts-x", rule("A", "nope > 1"), rule("B", "nope > 2"), rule("C"))
    found = verdict(make.snapshot(make.replica(loaded(source)), objects=[source]), make.expectation(source))
    assert codes(found) == ["rule_metric_missing"]
    assert found.check["cause"]["message"] == "A, B can never fire: there is no metric nope."
    assert found.check["cause"]["fix"].endswith(": alerts: {A: {enabled: false}, B: {enabled: false}}")
    assert found.check["observed"] == "1 of 3"
    assert found.final


def test_a_wrong_job_and_labels_that_never_meet() -> None:
    source = item("alerts-x", rule("A", 'up{job="y"}'), rule("B", 'up{job="x",namespace="b"}'))
    there = make.series('up{job="x",namespace="a"}', 'up{job="z",namespace="b"}')
    found = verdict(make.snapshot(make.replica(loaded(source)), objects=[source]), make.expectation(source), there)
    assert codes(found) == ["rule_identity_missing", "rule_selects_nothing"]


def test_a_metric_that_may_be_absent_is_a_note() -> None:
    source = item("alerts-x", rule("A", "nope > 1"))
    wanted = make.expectation(source, absent_until={"A": "a Job fails"})
    found = verdict(make.snapshot(make.replica(loaded(source)), objects=[source]), wanted)
    assert found.check["status"] == "ok"
    assert found.check["notes"] == ["A has nothing to look at until a Job fails."]


def test_what_is_young_is_waited_for() -> None:
    source = item("alerts-x", rule("A", "nope > 1"), age=10)
    assert not verdict(make.snapshot(make.replica(loaded(source)), objects=[source]), make.expectation(source)).final
    source = item("alerts-x", rule("A", "nope > 1"))
    young = make.snapshot(make.replica(loaded(source), started=NOW - 10), objects=[source])
    assert not verdict(young, make.expectation(source)).final


def test_firing_at_rest_is_a_note() -> None:
    found = verdict(make.snapshot(make.replica(loaded(item(), state="firing"))))
    assert found.check["notes"] == ["Down fires now."]
    wanted = make.expectation(fires_at_rest=["Down"])
    assert verdict(make.snapshot(make.replica(loaded(item(), state="firing"))), wanted).check["notes"] == []


def test_without_kubernetes_groups_are_found_by_name() -> None:
    found = verdict(make.Snapshot([make.replica(loaded(item()))]))
    assert found.check["status"] == "ok"
    assert codes(verdict(make.Snapshot([make.replica()]))) == ["rule_set_not_loaded"]


CHART = {"app.kubernetes.io/part-of": "kube-prometheus-stack"}


def others(seen: Any, *wanted: Expectation) -> Judgement:
    return judge_others(list(wanted), make.context(seen))


def test_somebody_elses_dead_rule_is_a_note_with_the_remedy() -> None:
    source = item("kps-etcd", rule("EtcdDown", "etcd_up == 0"), labels=CHART)
    found = others(make.snapshot(make.replica(loaded(source)), objects=[source]))
    assert found.check["status"] == "ok"
    assert found.check["notes"] == [
        "EtcdDown of monitoring/kps-etcd can never fire: there is no metric etcd_up. To leave them out: "
        "prometheus_operator_disabled_default_alerts: [EtcdDown]"
    ]


def test_somebody_elses_broken_rule_fails() -> None:
    source = item("theirs", labels={})
    group = loaded(source, health="err", lastError="query timed out in expression evaluation")
    found = others(make.snapshot(make.replica(group, failures={group.key: 9.0}), objects=[source]))
    assert codes(found) == ["rule_query_too_expensive"]
    assert found.check["observed"] == "0 of 1"


def test_ours_that_nobody_asks_for() -> None:
    source = item("alerts-old")
    found = others(make.snapshot(make.replica(loaded(source)), objects=[source]))
    assert codes(found) == ["rule_set_left_over"]
    assert found.check["cause"]["fix"].endswith(": kubectl -n monitoring delete prometheusrule alerts-old")


def test_ours_of_another_prometheus_is_not_left_over() -> None:
    """Beside an installation of ours, a Prometheus of somebody else runs none of its rules."""
    found = others(make.snapshot(make.replica(), objects=[item("alerts-old")]))
    assert "rule_set_left_over" not in codes(found)


def test_somebody_elses_object_that_is_not_selected_is_a_note_and_a_rejected_one_is_not() -> None:
    away = item("theirs", labels={})
    strict = [make.prometheus(ruleSelector={"matchLabels": {"release": "kps"}})]
    found = others(make.snapshot(make.replica(), objects=[away], prometheuses=strict))
    assert found.check["status"] == "ok"
    assert "monitoring/theirs is not selected by monitoring/p" in found.check["notes"][0]
    assert found.check["notes"][0].endswith(": kubectl -n monitoring label prometheusrule theirs release=kps")
    bad = item("theirs", labels={})
    bad["status"] = {"bindings": [{"conditions": [{"type": "Accepted", "status": "False", "message": "no"}]}]}
    assert codes(others(make.snapshot(make.replica(), objects=[bad]))) == ["rule_set_rejected"]


def test_an_alert_that_two_raise() -> None:
    ours, theirs = item(), item("kps-general", rule(), labels=CHART, uid="other")
    seen = make.snapshot(make.replica(loaded(ours), loaded(theirs)), objects=[ours, theirs])
    note = others(seen, make.expectation(ours)).check["notes"][0]
    assert note.startswith("Down of monitoring/kps-general fires beside ours")
    assert note.endswith("prometheus_operator_disabled_default_alerts: [Down]")


class Script:
    """A collector that gives one prepared answer after the other, the last one for ever."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.series = make.series()

    def snapshot(self) -> Any:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def run(*answers: Any, timeout: float = 60.0) -> Any:
    clock = Clock()
    wanted = [make.expectation(), Expectation.parse({"name": "y", "state": "skipped"}, 1)]
    return judge_until_final(wanted, Script(*answers), timeout, True, "make rules", clock, clock.sleep)


def test_the_loop_ends_when_all_is_well() -> None:
    good = make.snapshot(make.replica(loaded(item())))
    done = run(make.snapshot(make.replica()), ApiUnreachable("away"), good)
    assert [one.check["status"] for one in done.judgements] == ["ok", "not_applicable", "ok"]
    assert done.rounds == 3


def test_the_loop_ends_at_once_when_nothing_can_change() -> None:
    done = run(make.snapshot(make.replica(), objects=[]))
    assert (done.rounds, done.judgements[0].check["status"]) == (1, "failed")


def test_the_loop_ends_with_its_time() -> None:
    done = run(make.snapshot(make.replica()), timeout=20)
    assert done.waited <= 20
    assert done.judgements[0].check["cause"]["code"] == "rule_set_not_loaded"


def test_what_was_seen_is_not_lost_because_the_last_answer_did_not_come() -> None:
    seen = make.snapshot(make.replica())
    done = run(seen, ApiUnreachable("busy"), seen, timeout=4)
    assert (done.rounds, done.judgements[0].check["cause"]["code"]) == (3, "rule_set_not_loaded")
    gone = run(seen, ApiUnreachable("gone"), ApiUnreachable("gone"), seen, timeout=4)
    assert (gone.rounds, gone.judgements[0].check["cause"]["code"]) == (3, "server_unreachable")


@pytest.mark.parametrize(
    ("error", "code", "rounds"),
    [(ApiUnreachable("gone"), "server_unreachable", 7), (ApiForbidden("no"), "access_forbidden", 1)],
)
def test_a_server_that_does_not_answer(error: Exception, code: str, rounds: int) -> None:
    done = run(error, timeout=20)
    assert [one.check["status"] for one in done.judgements] == ["unknown", "not_applicable", "unknown"]
    assert done.judgements[0].check["cause"]["code"] == code
    assert done.rounds == rounds


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({}, "needs a name"),
        ({"name": "x", "object": {"name": "y"}}, "needs namespace and name"),
        ({"name": "x", "groups": [{}]}, "every group needs a name"),
    ],
)
def test_a_wrong_expectation_is_refused(given: dict[str, Any], part: str) -> None:
    with pytest.raises(ConfigError, match=part):
        Expectation.parse(given, 0)
