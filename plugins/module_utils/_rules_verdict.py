# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The verdict of one set of rules: loaded as applied, evaluated, healthy, and able to fire.

This module util is PRIVATE to the collection. Pure functions over a snapshot; the series were asked for before.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_collect import FAILURE_WINDOW
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_errors import explain
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_model import (
    Expectation,
    Group,
    Object,
    Replica,
    Rule,
    Snapshot,
    group_differences,
    object_differences,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_reach import Obstacle, Reading
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_series import Series
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_taken import (
    loaded_groups,
    look_at,
    reloader_log,
    why_not_loaded,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_selection import changed_at
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_services import namespace_of

# Series of what was just deployed, or of a server that was just started, may still be on their way.
YOUNG = 90.0
# A turn may come late by this much before it counts as stale, in seconds.
_SLACK = 5.0
_MOST_NAMES = 6


@dataclasses.dataclass
class Judgement:
    """A check, and whether waiting could make it better. C(dead) holds the rules that can never fire."""

    check: _checks.Check
    final: bool
    dead: dict[str, list[Obstacle]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Findings:
    """What was found about a set of rules. C(open) when something may still change by itself."""

    causes: list[dict[str, str]] = dataclasses.field(default_factory=list)
    waits: list[dict[str, str]] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    bad: set[tuple[str, str]] = dataclasses.field(default_factory=set)

    def add(self, found: dict[str, str], final: bool = True) -> None:
        """A cause, once."""
        where = self.causes if final else self.waits
        if found not in where:
            where.append(found)

    def note(self, text: str) -> None:
        """A remark, once."""
        if text not in self.notes:
            self.notes.append(text)


@dataclasses.dataclass
class Context:
    """What every judgement needs beside the rules themselves."""

    snapshot: Snapshot
    series: Series
    reading: Reading
    rerun: str
    recorded: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


def names_of(rules: t.Iterable[str]) -> str:
    """A few names, and how many more."""
    unique = list(dict.fromkeys(rules))
    shown = ", ".join(unique[:_MOST_NAMES])
    return shown if len(unique) <= _MOST_NAMES else f"{shown} and {len(unique) - _MOST_NAMES} more"


def judge(expectation: Expectation, context: Context) -> Judgement:
    """The check of one expected set."""
    name = expectation.name
    total = sum(len(group.get("rules") or []) for group in expectation.groups)
    replicas = context.snapshot.replicas
    where = "" if len(replicas) == 1 else f" on {len(replicas)} replicas"
    expected = f"{total} rule{'s' * (total != 1)} loaded, evaluated and able to fire{where}"
    if expectation.state not in ("present", "adopted"):
        return Judgement(_checks.not_applicable(name, "no rules", expectation.reason or expectation.state), True)
    item, stop = _object(expectation, context)
    if stop is not None:
        return Judgement(_checks.failed(name, expected, "not applied", [stop]), True)
    findings = Findings()
    wanted = (item.get("spec") or {}).get("groups") or [] if item is not None else expectation.groups
    loaded = {replica.label: _groups_of(item, wanted, replica) for replica in replicas}
    for replica in replicas:
        _loaded_as_applied(item, wanted, loaded[replica.label], replica, context, findings)
    if findings.causes or findings.waits:
        return _result(name, expected, "not loaded as applied", findings, {})
    changed = changed_at(item) if item is not None else None
    for replica in replicas:
        for group in loaded[replica.label]:
            look = look_at(item) if item is not None else f"promtool check rules {group.file}"
            healthy(group, replica, look, findings, changed)
    dead = _able_to_fire(expectation, loaded[replicas[0].label], context, findings, changed)
    bad = {rule for _replica, rule in findings.bad} | set(dead)
    return _result(name, expected, f"{total - len(bad)} of {total}", findings, dead)


def _object(expectation: Expectation, context: Context) -> tuple[Object | None, dict[str, str] | None]:
    """The object in the cluster, or the cause why it cannot be judged."""
    if context.snapshot.objects is None or expectation.object is None:
        return None, None
    namespace, name = expectation.object
    for item in context.snapshot.objects:
        meta = item.get("metadata") or {}
        if (meta.get("namespace"), meta.get("name")) == (namespace, name):
            break
    else:
        told = f"PrometheusRule {namespace}/{name} does not exist."
        return None, cause("rule_set_missing", told, f"Apply the rules: {context.rerun} --tags rules")
    different = object_differences(expectation.groups, (item.get("spec") or {}).get("groups") or [])
    if different:
        told = f"PrometheusRule {namespace}/{name} is not what the catalogue asks for: {names_of(different)}."
        return item, cause("rule_set_differs", told, f"Apply the rules again: {context.rerun} --tags rules")
    return item, None


def _groups_of(item: Object | None, wanted: t.Sequence[Object], replica: Replica) -> list[Group]:
    if item is not None:
        return loaded_groups(item, replica.groups)
    names = {str(group["name"]) for group in wanted}
    return [group for group in replica.groups if group.name in names]


def _loaded_as_applied(
    item: Object | None,
    wanted: t.Sequence[Object],
    loaded: t.Sequence[Group],
    replica: Replica,
    context: Context,
    findings: Findings,
) -> None:
    different = group_differences(wanted, loaded)
    if not different:
        return
    if item is None:
        told = f"{replica.label} does not run the rules as they are expected: {names_of(different)}."
        fix = "Look at the rules it runs: curl -sS http://localhost:9090/api/v1/rules"
        findings.add(cause("rules_outdated" if loaded else "rule_set_not_loaded", told, fix), final=False)
        return
    # what may not be selected or was rejected is told, even while an older version still runs
    reason = why_not_loaded(item, context.snapshot, replica.reload_ok)
    if not loaded or reason.final:
        for found in reason.causes:
            findings.add(found, reason.final)
        if not loaded:
            return
    told = f"{replica.label} still runs an older version: {names_of(different)}."
    asked = context.snapshot.prometheuses
    fix = f"See what holds it up: {reloader_log(namespace_of(asked[0] if asked else item))}"
    findings.add(cause("rules_outdated", told, fix), final=reason.final)


def healthy(group: Group, replica: Replica, look: str, findings: Findings, changed: float | None = None) -> None:
    """Everything about the evaluation of one group on one replica.

    :param changed: when its object changed; what failed before that is not held against it.
    """
    for rule in group.rules:
        _rule(rule, group, replica, look, findings)
    since = max(changed or 0.0, replica.started or 0.0)
    settled = replica.now - since >= FAILURE_WINDOW
    failed = (replica.failures or {}).get(group.key, 0.0)
    if failed and not any(name for label, name in findings.bad if label == replica.label):
        told = (
            f"{round(failed)} evaluations of {group.name} failed on {replica.label} within 15 minutes; the last one "
            "succeeded."
        )
        _past(settled, findings, "rule_failures_recent", told, look)
    missed = (replica.missed or {}).get(group.key, 0.0)
    if missed:
        told = f"{round(missed)} evaluations of {group.name} were skipped on {replica.label} within 15 minutes."
        _past(settled, findings, "rule_iterations_missed", told, look)
    if group.interval and group.took > group.interval:
        told = f"{group.name} takes {group.took:.1f} s on {replica.label}, and its interval is {group.interval:.0f} s."
        fix = f"Split the group or make its rules cheaper: {look}"
        findings.add(cause("rule_group_too_slow", told, fix), final=False)
    elif group.interval and group.took > group.interval / 2:
        findings.note(f"{group.name} needs {group.took:.1f} s of its interval of {group.interval:.0f} s.")


def _past(settled: bool, findings: Findings, code: str, told: str, look: str) -> None:
    """What lies in the past counts, unless the rules or the server are younger than the window."""
    if settled:
        findings.add(cause(code, told, f"Read what it asks for: {look}"))
    else:
        findings.note(f"{told} The rules, or the server, changed since then.")


def _rule(rule: Rule, group: Group, replica: Replica, look: str, findings: Findings) -> None:
    if rule.health == "unknown" or rule.last_evaluation is None:
        findings.bad.add((replica.label, rule.name))
        told = f"{rule.name} of {group.name} has not been evaluated on {replica.label} yet."
        findings.add(cause("rule_not_evaluated", told, f"Look at it: {look}"), final=False)
        return
    if rule.health == "err":
        findings.bad.add((replica.label, rule.name))
        told = explain(rule.name, rule.query, rule.error, look)
        lasting = (replica.failures or {}).get(group.key, 0.0) >= 2
        findings.add(cause(told.code, told.message, f"{told.advice}: {told.line}"), final=lasting)
        return
    age = replica.now - (group.last_evaluation or rule.last_evaluation)
    if group.interval and age > 2 * group.interval + group.took + _SLACK:
        findings.bad.add((replica.label, rule.name))
        told = (
            f"{group.name} was last evaluated {age:.0f} s ago on {replica.label}; its interval is "
            f"{group.interval:.0f} s."
        )
        findings.add(cause("rule_evaluation_stale", told, f"Look at it: {look}"), final=False)
    if rule.broken_template:
        findings.bad.add((replica.label, rule.name))
        told = f"{rule.name} fires with a broken text: {rule.broken_template}."
        findings.add(cause("rule_template_broken", told, f"Correct the template where it comes from: {look}"))


def _able_to_fire(
    expectation: Expectation,
    groups: t.Sequence[Group],
    context: Context,
    findings: Findings,
    changed: float | None,
) -> dict[str, list[Obstacle]]:
    """The rules of ours that can never fire; fills in causes and notes."""
    replica = context.snapshot.replicas[0]
    young = replica.now - max(changed or 0.0, replica.started or 0.0) < YOUNG
    dead: dict[str, list[Obstacle]] = {}
    for group in groups:
        for rule in group.rules:
            if rule.last_evaluation is None:
                # what it records, and others ask for, cannot be there yet; that is told already
                continue
            obstacles = context.reading.obstacles(rule.query, context.series)
            if obstacles and rule.name in expectation.absent_until:
                findings.note(f"{rule.name} has nothing to look at until {expectation.absent_until[rule.name]}.")
            elif obstacles:
                dead[rule.name] = obstacles
            for text in context.reading.remarks(rule.query, context.series):
                findings.note(f"{rule.name}: {text}.")
            if rule.state == "firing" and rule.name not in expectation.fires_at_rest:
                findings.note(f"{rule.name} fires now.")
    for (code, text), rules in _by_obstacle(dead, context.recorded).items():
        told = f"{names_of(rules)} can never fire: {text}."
        findings.add(cause(code, told, _remedy(expectation, rules, code)), final=not young)
    return dead


def _by_obstacle(
    dead: t.Mapping[str, list[Obstacle]], recorded: t.Mapping[str, str]
) -> dict[tuple[str, str], list[str]]:
    """Rules by what is in their way; a rule stands with its first obstacle only."""
    found: dict[tuple[str, str], list[str]] = {}
    for rule, obstacles in dead.items():
        found.setdefault((obstacles[0].code, obstacles[0].text(recorded)), []).append(rule)
    return found


def _remedy(expectation: Expectation, rules: t.Sequence[str], code: str) -> str:
    off = ", ".join(f"{rule}: {{enabled: false}}" for rule in dict.fromkeys(rules))
    line = f"alerts: {{{off}}}"
    if code == "rule_metric_missing":
        return (
            f"Have {expectation.name} tell the metric, or, where this installation has none, switch the alert off in "
            f"the entry {expectation.name}: {line}"
        )
    return f"Correct the label in the entry {expectation.name}, or switch the alert off there: {line}"


def _result(name: str, expected: str, observed: str, findings: Findings, dead: dict[str, list[Obstacle]]) -> Judgement:
    details = {"dead": sorted(dead)} if dead else {}
    if findings.causes:
        return Judgement(
            _checks.failed(name, expected, observed, findings.causes + findings.waits, findings.notes, details),
            True,
            dead,
        )
    if findings.waits:
        status = _checks.unknown if _unsure(findings.waits) else _checks.failed
        return Judgement(status(name, expected, observed, findings.waits, findings.notes, details), False, dead)
    return Judgement(_checks.ok(name, expected, observed, findings.notes, details), True, dead)


def _unsure(waits: t.Sequence[dict[str, str]]) -> bool:
    """Whether all that is wrong is that something has not happened yet."""
    return all(item["code"] in ("rule_not_evaluated",) for item in waits)
