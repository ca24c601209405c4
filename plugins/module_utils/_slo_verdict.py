# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The verdict of an SLO: does it live, and, where it is a gate, may one release? This module util is PRIVATE.

That a budget burns or is gone is true of the service and told, and its alerts page; it is no fault of the SLO. What
fails is an SLO that says nothing, because silence looks like perfection. A gate asks for more.
"""

from __future__ import annotations

import dataclasses
import math
import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import (
    ApiError,
    ApiForbidden,
    ConfigError,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._slo_measure import (
    COVERED,
    Measured,
    length,
    measure,
    report,
    told,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._slo_model import (
    OBJECTIVE,
    Expectation,
    Look,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._slo_rules import DOWN
from ansible_collections.dataplatform.monitoring.plugins.module_utils._unreached import why

_PAUSE = 3.0
# A turn may come late by this much before it counts as stale, in seconds.
_SLACK = 5.0
# An SLO, or a target, this young may get its first series any moment; seconds.
_FRESH = 300.0
# So near to the oldest sample of all, what is older is gone; the oldest of an SLO is known to the hour. Seconds.
_EDGE = 7_200.0
# From this age on an SLO has to have been recorded as long as it lives, in seconds.
_GROWN = 86_400.0
# Waiting may cure these.
_PASSING = ("slo_not_evaluated",)
# With these, what was recorded says nothing.
_DEAD = ("slo_rule_missing", "slo_rule_failing", "slo_not_evaluated", "slo_stale", "slo_no_data", "slo_not_finite")


@dataclasses.dataclass(frozen=True)
class Gate:
    """What a release asks for. :param budget: least share of the budget that must be left, 0 to 1."""

    budget: float

    @classmethod
    def parse(cls, given: t.Mapping[str, t.Any] | None) -> Gate | None:
        """:raises ConfigError: no share between 0 and 1."""
        if not given:
            return None
        if set(given) != {"budget"}:
            raise ConfigError("gate takes budget, the least share that must be left; write gate: {budget: 0.1}")
        try:
            budget = float(given["budget"])
        except (TypeError, ValueError):
            budget = math.nan
        if not 0 <= budget <= 1:
            raise ConfigError(f"gate.budget: {given['budget']!r} is no share from 0 to 1; write gate: {{budget: 0.1}}")
        return cls(budget)


class Way(t.NamedTuple):
    """How fixes get at things. :param rerun: writes the rules again. :param url: of a Prometheus asked directly."""

    rerun: str
    url: str = ""

    def api(self, path: str) -> str:
        """The command that asks Prometheus."""
        return f"curl -sS {self.url.rstrip('/') or 'http://localhost:9090'}/api/v1/{path}"

    def query(self, expr: str) -> str:
        """The command that evaluates an expression."""
        return f"{self.api('query')} --get --data-urlencode 'query={expr}'"


class Judgement(t.NamedTuple):
    """A check, what was measured (None of what is not expected), and whether waiting could make it better."""

    check: _checks.Check
    slo: dict[str, t.Any] | None
    final: bool


def judge(wanted: Expectation, looks: t.Sequence[Look], gate: Gate | None, way: Way) -> Judgement:
    """The check of one SLO on all replicas; what is told comes from the one that recorded most."""
    if not wanted.active:
        return Judgement(_checks.not_applicable(wanted.slo, "no SLO", wanted.reason or wanted.state), None, True)
    causes: list[dict[str, str]] = []
    final = True
    for look in looks:
        found, settled = faults(wanted, look, way)
        causes += [one for one in found if one not in causes]
        final = final and settled
    best = max(looks, key=lambda look: measure(wanted, look).coverage)
    found = measure(wanted, best)
    dead = any(one["code"] in _DEAD for one in causes)
    expected = f"measured: {wanted.objective:.10g} % over {wanted.window}"
    result, notes = report(wanted, found, dead), _notes(wanted, found, best, dead)
    details = {"state": result["state"], "budget_left": result["budget_left"], "coverage": result["coverage"]}
    shut = [] if gate is None or dead else _shut(wanted, found, gate, way)
    young = gate is not None and not dead and not found.full
    if gate is not None:
        expected += f", {100 * gate.budget:.10g} % of the budget left"
    if not causes and not shut and not young:
        return Judgement(_checks.ok(wanted.slo, expected, told(wanted, found), notes, details), result, True)
    observed = "nothing is known of it" if dead else told(wanted, found)
    unsure = [_young(wanted, found)] if young else []
    sure = [one for one in (*causes, *shut) if one["code"] not in _PASSING]
    status = _checks.failed if sure else _checks.unknown
    check = status(wanted.slo, expected, observed, [*causes, *shut, *unsure], notes, details)
    return Judgement(check, result, final)


def faults(wanted: Expectation, look: Look, way: Way) -> tuple[list[dict[str, str]], bool]:
    """Why an SLO is dead or not what it should be on one replica; and whether waiting is of no use."""
    rules = look.rules.get(wanted.slo, {})
    gone = [name for name in wanted.records if name not in rules]
    if gone:
        some = f"{len(gone)} of {len(wanted.records)} rules" if rules else "the rules"
        told_gone = f"{look.label} does not run {some} of {wanted.slo}: {_few(gone)}."
        return [cause("slo_rule_missing", told_gone, f"Apply the rules: {way.rerun} --tags rules")], True
    where = _look_at(wanted, way)
    broken = [(name, rule) for name, (rule, _group) in rules.items() if rule.health == "err"]
    if broken:
        name, rule = broken[0]
        told_error = f"{name} of {wanted.slo} fails on {look.label}: {rule.error}"
        fix = f"Correct the expression in slo of the entry {wanted.service}; this shows it: {where}"
        return [cause("slo_rule_failing", told_error, fix)], True
    waiting = [name for name, (rule, _group) in rules.items() if rule.last_evaluation is None]
    if waiting:
        told_new = f"{_few(waiting)} of {wanted.slo} has not been evaluated on {look.label} yet."
        return [cause("slo_not_evaluated", told_new, f"Look at the rules: {where}")], False
    for rule, group in rules.values():
        age = look.now - (group.last_evaluation or rule.last_evaluation or 0.0)
        if group.interval and age > 2 * group.interval + group.took + _SLACK:
            told_stale = f"{group.name} was last evaluated {length(age)} ago on {look.label}; its interval is "
            told_stale += f"{group.interval:.0f} s."
            return [cause("slo_stale", told_stale, f"See what holds Prometheus up: {_pods(wanted, way)}")], True
    return _recorded(wanted, look, way)


def _recorded(wanted: Expectation, look: Look, way: Way) -> tuple[list[dict[str, str]], bool]:
    """The same for what the rules recorded."""
    values, empty = look.values.get(wanted.slo, {}), _unmeasured(wanted, look)
    if empty:
        found = f"{wanted.slo} counts by what is not there: {'; '.join(look.why.get(one, one) for one in empty)}."
        young = look.now - look.since.get(wanted.slo, look.now) < _FRESH
        return [cause("slo_no_data", found, _count_otherwise(wanted))], not young
    missing = [name for name in wanted.records if name not in values]
    if missing:
        told_none = f"{look.label} has no sample of {_few(missing)} of {wanted.slo}, though its rules are evaluated."
        return [cause("slo_no_data", told_none, _count_otherwise(wanted))], False
    odd = [name for name in wanted.records if not math.isfinite(values[name])]
    if odd:
        told_odd = f"{_few(odd)} of {wanted.slo} is {values[odd[0]]} on {look.label}."
        return [cause("slo_not_finite", told_odd, f"Apply the rules again: {way.rerun} --tags rules")], True
    return _lasting(wanted, look, way), True


def _unmeasured(wanted: Expectation, look: Look) -> list[str]:
    """Sources without which nothing is known.

    A service whose targets are gone, and were there once, is measured all the same: as down. Nobody counts then.
    """
    down = look.values.get(f"{wanted.service}-availability", {}).get(DOWN) == 1
    targets = wanted.sources[:1] if wanted.sli == "availability" else ()
    return [one for one in wanted.sources if one in look.empty and (one in look.dead or not (one in targets or down))]


def _lasting(wanted: Expectation, look: Look, way: Way) -> list[dict[str, str]]:
    """What is wrong with an SLO that lives."""
    causes = []
    recorded = look.values[wanted.slo][OBJECTIVE]
    if abs(recorded - (1 - wanted.budget)) > 1e-9:
        found = f"{wanted.slo} is recorded with {100 * recorded:.10g} % on {look.label}, and the catalogue says "
        found += f"{wanted.objective:.10g} %."
        causes.append(cause("slo_differs", found, f"Apply the rules again: {way.rerun} --tags rules"))
    kept, measured = look.retention, measure(wanted, look)
    if kept is not None and kept < wanted.seconds:
        found = f"{look.label} keeps samples for {length(kept)}, and the window of {wanted.slo} is {wanted.window}."
        causes.append(cause("slo_window_not_kept", found, _keep(wanted)))
    elif look.cut is not None and not measured.full and look.now - measured.age <= look.cut + _EDGE:
        found = f"{look.label} deletes samples for want of room, and {wanted.slo} has {length(measured.age)} of "
        found += f"{wanted.window}."
        causes.append(cause("slo_window_not_kept", found, _keep(wanted)))
    elif measured.age >= min(_GROWN, COVERED * wanted.seconds) and measured.since_it_began(wanted.seconds) < COVERED:
        whole = measured.age >= COVERED * wanted.seconds
        share = f"{100 * measured.since_it_began(wanted.seconds):.0f} %"
        time = f"the last {wanted.window}" if whole else f"the {length(measured.age)} since the beginning"
        found = f"Only {share} of {time} of {wanted.slo} were recorded on {look.label}."
        causes.append(cause("slo_gaps", found, f"See when and why Prometheus stood still: {_pods(wanted, way)}"))
    return causes


def _shut(wanted: Expectation, found: Measured, gate: Gate, way: Way) -> list[dict[str, str]]:
    """Why a release has to wait."""
    query = f'{{__name__=~"slo:burn_rate:.+",slo="{wanted.slo}"}}'
    fix = f"Wait, or repair what burns it; how fast it does: {way.query(query)}"
    causes = []
    if found.left is not None and found.left < gate.budget:
        what = f"{100 * found.left:.4g} % of the budget of {wanted.slo} is left, and the gate asks for "
        causes.append(cause("slo_gate_closed", f"{what}{100 * gate.budget:.10g} %.", fix))
    if found.burning == "page":
        causes.append(
            cause("slo_gate_closed", f"The budget of {wanted.slo} burns so fast that somebody is paged.", fix)
        )
    return causes


def _young(wanted: Expectation, found: Measured) -> dict[str, str]:
    what = f"{100 * found.coverage:.2g} % of the window of {wanted.slo} ({wanted.window}) is recorded."
    line = "gate: {}"
    return cause("slo_young", what, f"Decide yourself, or ask without a gate until it is full: {line}")


def _notes(wanted: Expectation, found: Measured, look: Look, dead: bool) -> list[str]:
    if dead:
        return []
    notes = [f"No failure was ever counted: {look.why[hint]}." for hint in wanted.hints if hint in look.why]
    if found.burning == "page":
        notes.append("SLOBurnRatePage fires: the budget burns fast.")
    elif found.burning:
        notes.append("SLOBurnRateTicket fires: the budget will not last.")
    if found.left is not None and found.left <= 0:
        notes.append("The error budget is exhausted.")
    return notes


def _few(names: t.Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _look_at(wanted: Expectation, way: Way) -> str:
    if way.url or not wanted.namespace:
        return way.api("rules")
    return f"kubectl -n {wanted.namespace} get prometheusrule alerts-{wanted.service} -o yaml"


def _pods(wanted: Expectation, way: Way) -> str:
    if way.url or not wanted.namespace:
        return way.api("status/runtimeinfo")
    return f"kubectl -n {wanted.namespace} describe pods -l app.kubernetes.io/name=prometheus"


def _count_otherwise(wanted: Expectation) -> str:
    """Where to correct what an SLO counts by; ends in the line of the entry."""
    objective = f"{wanted.objective:.10g}"
    if wanted.sli == "latency":
        line = f"latency: {{objective: {objective}, threshold: 1s, histogram: METRIC_WITHOUT_BUCKET}}"
        return f"Have {wanted.service} tell it, or say below slo of the entry what is to be counted: {line}"
    if wanted.kind == "requests":
        line = f"slo: {{objective: {objective}, errors: EXPRESSION, total: EXPRESSION}}"
    else:
        line = f"slo: {{objective: {objective}, sli: any}}"
    return f"Have {wanted.service} tell it, or say in the entry what is to be counted: {line}"


def _keep(wanted: Expectation) -> str:
    line = "prometheus_operator_prometheus_retention: "
    return f"Keep samples longer than the window (or shorten slo.window of {wanted.service}): {line}{_days(wanted)}d"


def _days(wanted: Expectation) -> int:
    return math.ceil(wanted.seconds / 86_400) + 5


class Source(t.Protocol):
    """What the loop needs of a collector."""

    def looks(self) -> list[Look]: ...


class Outcome(t.NamedTuple):
    """The last judgements, and how long it took."""

    judgements: list[Judgement]
    waited: float
    rounds: int


def judge_until_final(
    expectations: t.Sequence[Expectation],
    source: Source,
    gate: Gate | None,
    way: Way,
    timeout: float,
    clock: t.Callable[[], float] = time.monotonic,
    sleep: t.Callable[[float], None] = time.sleep,
) -> Outcome:
    """Judge in rounds. A server that does not answer is asked again, unless it is a matter of permissions.

    :param timeout: seconds in all, on the monotonic clock.
    """
    begin, rounds = clock(), 0
    while True:
        rounds += 1
        try:
            looks = source.looks()
            judgements = [judge(one, looks, gate, way) for one in expectations]
            final = all(one.final for one in judgements)
        except ApiError as exc:
            judgements, final = _unreached(expectations, exc), isinstance(exc, ApiForbidden)
        passed = clock() - begin
        if final or passed + _PAUSE > timeout:
            return Outcome(judgements, passed, rounds)
        sleep(_PAUSE)


def _unreached(expectations: t.Sequence[Expectation], exc: ApiError) -> list[Judgement]:
    """Nothing is known of any SLO."""
    found = why(exc, "Prometheus")
    return [
        Judgement(_checks.unknown(one.slo, "measured", "no answer", [found]), None, False)
        if one.active
        else Judgement(_checks.not_applicable(one.slo, "no SLO", one.reason or one.state), None, True)
        for one in expectations
    ]
