# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of an SLO, and when it fails: over plain looks at replicas that never ran."""

from __future__ import annotations

import math
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _slo_burn, _slo_collect
from ansible_collections.dataplatform.monitoring.plugins.module_utils._checks import all_causes
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import (
    ApiForbidden,
    ApiUnreachable,
    ConfigError,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_model import Group, Rule
from ansible_collections.dataplatform.monitoring.plugins.module_utils._slo_measure import length
from ansible_collections.dataplatform.monitoring.plugins.module_utils._slo_model import Expectation, Look
from ansible_collections.dataplatform.monitoring.plugins.module_utils._slo_verdict import (
    Gate,
    Judgement,
    Way,
    judge,
    judge_until_final,
)

WAY = Way("make rules")
NOW = 1_800_000_000.0
DAY = 86_400.0
UP = 'up{job="x"}'
TOTAL = 'rate(t_total{job="x"}[5m])'


def expectation(**more: Any) -> Expectation:
    given = {"slo": "x-availability", "service": "x", "sli": "availability", "kind": "any", "objective": 99.9}
    return Expectation.parse({**given, "window": "28d", "sources": [UP], "namespace": "monitoring", **more}, 0)


def look(wanted: Expectation | None = None, **more: Any) -> Look:
    """A replica on which all is well and old. `values`: what is other; `rule`: what is other of the rules."""
    wanted = wanted or expectation()
    change, rule = more.pop("values", {}), more.pop("rule", {})
    values = {
        **dict.fromkeys(wanted.records, 0.0),
        "slo:objective:ratio": wanted.objective / 100,
        "slo:coverage:ratio": 1.0,
        "slo:error_budget_remaining:ratio": 1.0,
        **change,
    }
    state = {"health": "ok", "error": "", "last_evaluation": NOW - 30, **rule}
    rules = [
        Rule(
            name,
            "recording",
            "vector(0)",
            {"slo": wanted.slo},
            state["health"],
            state["error"],
            state["last_evaluation"],
        )
        for name in wanted.records
        if name not in more.get("without", ())
    ]
    more.pop("without", None)
    found = Look("pod a", NOW, since={wanted.slo: NOW - 28 * DAY}, retention=30 * DAY, **more)
    found.values[wanted.slo] = {name: value for name, value in values.items() if value is not None}
    found.add(Group("x-slo", "f", 60.0, 0.01, state["last_evaluation"], rules))
    return found


def verdict(wanted: Expectation | None = None, *looks: Look, gate: float | None = None, **more: Any) -> Judgement:
    wanted = wanted or expectation()
    return judge(wanted, looks or (look(wanted, **more),), None if gate is None else Gate(gate), WAY)


def codes(found: Judgement) -> list[str]:
    return [one["code"] for one in all_causes(found.check)]


def test_well() -> None:
    found = verdict()
    assert (found.check["status"], found.slo["state"], found.final) == ("ok", "ok", True)
    assert found.check["observed"] == "100 % of 99.9 %, 100 % of the budget left"
    assert found.slo["error_ratio"] == {**dict.fromkeys(_slo_burn.WINDOWS, 0.0), "window": 0.0}
    assert found.slo["window_seconds"] == 28 * DAY
    assert found.slo["events"] is None


def test_what_is_not_expected_is_not_judged() -> None:
    found = verdict(expectation(state="skipped", reason="it is not installed"))
    assert (found.check["status"], found.check["observed"], found.slo) == (
        "not_applicable",
        "it is not installed",
        None,
    )


RULES = {
    "none": (Look("pod a", NOW), "slo_rule_missing", "does not run the rules of x-availability", True),
    "one is gone": (look(without=["slo:error_ratio:rate1h"]), "slo_rule_missing", "1 of 19 rules", True),
    "an error": (look(rule={"health": "err", "error": "many-to-many"}), "slo_rule_failing", "many-to-many", True),
    "new": (look(rule={"last_evaluation": None}), "slo_not_evaluated", "has not been evaluated", False),
    "stale": (look(rule={"last_evaluation": NOW - 600}), "slo_stale", "10 min ago", True),
}
SAMPLES = {
    "no sample": (look(values={"slo:error_ratio:window": None}), "slo_no_data", "has no sample", False),
    "NaN": (look(values={"slo:error_ratio:window": math.nan}), "slo_not_finite", "is nan", True),
    "another objective": (look(values={"slo:objective:ratio": 0.99}), "slo_differs", "99 %", True),
    "a gap": (look(values={"slo:coverage:ratio": 0.9}), "slo_gaps", "Only 90 % of the last 28d", True),
    "what never was": (
        look(empty={UP}, dead={UP}, why={UP: 'no up has job="x"; nearest: y'}, values={"slo:downtime:ratio": 1.0}),
        "slo_no_data",
        'no up has job="x"; nearest: y',
        True,
    ),
}


@pytest.mark.parametrize(
    ("seen", "code", "part", "final"), [*RULES.values(), *SAMPLES.values()], ids=[*RULES, *SAMPLES]
)
def test_each_fault_has_its_cause(seen: Look, code: str, part: str, final: bool) -> None:
    found = verdict(None, seen)
    assert codes(found) == [code]
    assert found.check["status"] == ("unknown" if code == "slo_not_evaluated" else "failed")
    assert part in found.check["cause"]["message"]
    assert found.final is final
    head, _colon, line = found.check["cause"]["fix"].partition(": ")
    assert head and line


def test_the_dead_have_no_numbers() -> None:
    for seen in [*RULES.values(), SAMPLES["NaN"], SAMPLES["what never was"]]:
        found = verdict(None, seen[0])
        assert found.slo["state"] == "no_data"
        assert found.slo["budget_left"] is None
        assert found.slo["exhaustion_seconds"] is None
        assert set(found.slo["burn_rate"].values()) == {None}


def test_a_service_that_is_gone_is_measured() -> None:
    seen = look(empty={UP}, why={UP: f"{UP} has no series now"}, values={"slo:downtime:ratio": 1.0})
    assert verdict(None, seen).check["status"] == "ok"


def test_traffic_that_nobody_counts_any_more() -> None:
    wanted = expectation(kind="requests", sources=[UP, TOTAL])
    why = {TOTAL: "there is no metric t_total; nearest: t"}
    assert codes(verdict(wanted, look(wanted, empty={TOTAL}, dead={TOTAL}, why=why))) == ["slo_no_data"]
    assert codes(verdict(wanted, look(wanted, empty={TOTAL}))) == ["slo_no_data"]
    # it is away, and so are its counters
    gone = look(wanted, empty={UP, TOTAL}, values={"slo:downtime:ratio": 1.0})
    assert verdict(wanted, gone).check["status"] == "ok"


def test_latency_of_a_service_that_is_gone() -> None:
    wanted = expectation(slo="x-latency", sli="latency", kind="histogram", sources=[TOTAL])
    seen = look(wanted, empty={TOTAL})
    assert codes(verdict(wanted, seen)) == ["slo_no_data"]
    assert "histogram" in verdict(wanted, seen).check["cause"]["fix"]
    seen.values["x-availability"] = {"slo:downtime:ratio": 1.0}
    assert verdict(wanted, seen).check["status"] == "ok"


def test_a_new_target_may_still_come() -> None:
    seen = look(empty={UP}, dead={UP})
    seen.since = {"x-availability": NOW - 60}
    assert not verdict(None, seen).final


def test_failures_that_were_never_counted_are_told() -> None:
    wanted = expectation(kind="requests", hints=["rate(e_total[5m])"])
    found = verdict(wanted, look(wanted, why={"rate(e_total[5m])": "there is no metric e_total"}))
    assert found.check["status"] == "ok"
    assert found.check["notes"] == ["No failure was ever counted: there is no metric e_total."]


BURNING = {"slo:burn_rate:rate1h": 20.0, "slo:burn_rate:rate5m": 20.0}
SLOWLY = {"slo:burn_rate:rate1d": 3.0, "slo:burn_rate:rate2h": 3.0}
SPENT = {"slo:error_budget_remaining:ratio": -0.5, "slo:error_ratio:window": 0.0015}
LITTLE = {"slo:error_budget_remaining:ratio": 0.05}
NEW = {"slo:coverage:ratio": 0.01}
STATES = {
    "burning_page": [BURNING, {**BURNING, **SPENT}, {**BURNING, **NEW}],
    "exhausted": [SPENT, {**SPENT, **SLOWLY}, {**SPENT, **NEW}],
    "burning_ticket": [SLOWLY, {**SLOWLY, **NEW}],
    "young": [NEW],
    "ok": [{}, LITTLE],
}


@pytest.mark.parametrize(("state", "values"), [(state, one) for state, all_ in STATES.items() for one in all_])
def test_states_are_told_and_fail_nobody(state: str, values: dict[str, float]) -> None:
    seen = look(values=values)
    seen.since = {"x-availability": NOW - values.get("slo:coverage:ratio", 1.0) * 28 * DAY}
    found = verdict(None, seen)
    assert (found.check["status"], found.slo["state"]) == ("ok", state)
    assert found.check["details"]["state"] == state


def test_how_long_it_lasts() -> None:
    def lasts(rate: float, left: float = 0.5) -> float | None:
        values = {"slo:burn_rate:rate1h": rate, "slo:error_budget_remaining:ratio": left}
        return verdict(None, look(values=values)).slo["exhaustion_seconds"]

    assert lasts(0.4) is None
    # slow, and what little is left goes before what was spent comes back
    assert lasts(0.5) == pytest.approx(28 * DAY)
    assert lasts(0.5, 0.1) == pytest.approx(5.6 * DAY)
    assert lasts(0, 0.1) is None
    assert lasts(2) == pytest.approx(7 * DAY)
    assert lasts(2, -0.1) == lasts(0, -0.1) == lasts(0, 0) == 0


@pytest.mark.parametrize(
    ("values", "status", "code"),
    [
        ({}, "ok", []),
        ({"slo:error_budget_remaining:ratio": 0.1}, "ok", []),
        (LITTLE, "failed", ["slo_gate_closed"]),
        (BURNING, "failed", ["slo_gate_closed"]),
        ({**BURNING, **SPENT}, "failed", ["slo_gate_closed", "slo_gate_closed"]),
        (SLOWLY, "ok", []),
        (NEW, "unknown", ["slo_young"]),
        ({**NEW, **LITTLE}, "failed", ["slo_gate_closed", "slo_young"]),
    ],
)
def test_a_gate(values: dict[str, float], status: str, code: list[str]) -> None:
    seen = look(values=values)
    seen.since = {"x-availability": NOW - values.get("slo:coverage:ratio", 1.0) * 28 * DAY}
    found = verdict(None, seen, gate=0.1)
    assert found.check["status"] == status
    assert codes(found) == code


def test_a_gate_that_cannot_be_meant() -> None:
    assert Gate.parse(None) is None
    assert Gate.parse({"budget": 0.1}) == Gate(0.1)
    for wrong in ({"budget": 10}, {"budget": "much"}, {"burn": 1}):
        with pytest.raises(ConfigError, match="budget"):
            Gate.parse(wrong)


@pytest.mark.parametrize(
    ("change", "part"),
    [({"retention": 15 * DAY}, "keeps samples for 15 d"), ({"cut": NOW - 14 * DAY}, "for want of room")],
)
def test_a_window_that_never_gets_full(change: dict[str, Any], part: str) -> None:
    seen = look(values={"slo:coverage:ratio": 0.5})
    seen.since = {"x-availability": NOW - 14 * DAY}
    for key, value in change.items():
        setattr(seen, key, value)
    found = verdict(None, seen)
    assert codes(found) == ["slo_window_not_kept"]
    assert part in found.check["cause"]["message"]
    assert found.check["cause"]["fix"].endswith("prometheus_operator_prometheus_retention: 33d")


def test_a_young_slo_of_a_full_store_is_young() -> None:
    seen = look(values=NEW, cut=NOW - 14 * DAY)
    seen.since = {"x-availability": NOW - 0.01 * 28 * DAY}
    assert verdict(None, seen).slo["state"] == "young"
    assert codes(verdict(None, seen)) == []


@pytest.mark.parametrize(
    ("age", "recorded", "code"),
    [
        (20, 10, ["slo_gaps"]),
        (20, 18.9, ["slo_gaps"]),
        (20, 19.1, []),
        (1.1, 0.5, ["slo_gaps"]),
        # younger than a day: an outage of an hour is a large part of its life
        (0.9, 0.5, []),
        (27, 20, ["slo_gaps"]),
    ],
)
def test_a_gap_is_seen_before_the_window_is_full(age: float, recorded: float, code: list[str]) -> None:
    seen = look(values={"slo:coverage:ratio": recorded / 28})
    seen.since = {"x-availability": NOW - age * DAY}
    found = verdict(None, seen)
    assert codes(found) == code
    if code and age < 26:
        assert f"of the {length(age * DAY)} since the beginning" in found.check["cause"]["message"]


def test_a_replica_without_the_rules_is_told() -> None:
    found = verdict(None, look(), Look("pod b", NOW))
    assert codes(found) == ["slo_rule_missing"]
    assert "pod b" in found.check["cause"]["message"]


class Server:
    """Gives one answer after the other."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def looks(self) -> list[Look]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return [answer]


def rounds(server: Server, timeout: float = 20.0) -> Any:
    clock = iter(range(0, 1000, 3))
    return judge_until_final(
        [expectation(), expectation(slo="y", state="skipped")],
        server,
        None,
        WAY,
        timeout,
        lambda: next(clock),
        lambda _: None,
    )


def test_a_first_evaluation_is_waited_for() -> None:
    done = rounds(Server(look(rule={"last_evaluation": None}), look()))
    assert done.rounds == 2
    assert [one.check["status"] for one in done.judgements] == ["ok", "not_applicable"]


def test_what_cannot_change_ends_it() -> None:
    assert rounds(Server(Look("pod a", NOW))).rounds == 1


@pytest.mark.parametrize(
    ("error", "code", "again"),
    [(ApiUnreachable("no answer"), "server_unreachable", True), (ApiForbidden("no"), "access_forbidden", False)],
)
def test_a_server_that_does_not_answer(error: Exception, code: str, again: bool) -> None:
    done = rounds(Server(error))
    assert (done.rounds > 1) is again
    first = done.judgements[0]
    assert (first.check["status"], codes(first), first.slo) == ("unknown", [code], None)


@pytest.mark.parametrize(
    "item",
    [{}, {"slo": "x", "objective": 100}, {"slo": "x", "objective": "much"}, {"slo": "x", "window": "long"}, "x"],
)
def test_expectations_that_cannot_be_meant(item: Any) -> None:
    with pytest.raises(ConfigError, match=r"expectations\[3\]"):
        Expectation.parse(item, 3)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30d", 30 * DAY), ("15d or 50GiB", 15 * DAY), ("50GiB", None), ("4w2d", 30 * DAY), ("", None)],
)
def test_retention_as_prometheus_says_it(text: str, seconds: float | None) -> None:
    assert _slo_collect.retention(text) == seconds


def test_fixes_name_the_address_that_was_asked() -> None:
    seen = look(rule={"last_evaluation": NOW - 600})
    fix = judge(expectation(), [seen], None, Way("", "http://p:1/")).check["cause"]["fix"]
    assert fix.endswith("curl -sS http://p:1/api/v1/status/runtimeinfo")
    shut = judge(expectation(), [look(values=SPENT)], Gate(0.1), Way("", "http://p:1")).check["cause"]["fix"]
    query = """'query={__name__=~"slo:burn_rate:.+",slo="x-availability"}'"""
    assert shut.endswith(f"curl -sS http://p:1/api/v1/query --get --data-urlencode {query}")


def test_lengths() -> None:
    assert [length(one) for one in (5, 120, 7200, 3 * DAY)] == ["5 s", "2 min", "2 h", "3 d"]
