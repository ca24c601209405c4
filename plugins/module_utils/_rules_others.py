# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The verdict of everybody else's rules: evaluated and healthy. What can never fire is told, and not held against us.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_model import (
    Expectation,
    Group,
    Object,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_taken import (
    file_of,
    is_ours,
    look_at,
    not_taken,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_verdict import (
    Context,
    Findings,
    Judgement,
    healthy,
    names_of,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_selection import changed_at
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_services import labels_of, place

NAME = "other rules"
_MOST_NOTES = 20
# How the chart says that an object is its own.
_CHART = "app.kubernetes.io/part-of"


def judge_others(expectations: t.Sequence[Expectation], context: Context) -> Judgement:
    """One check about all groups that no expectation names."""
    snapshot = context.snapshot
    findings = Findings()
    expected_objects = {one.object for one in expectations if one.object}
    objects = snapshot.objects or []
    others = [item for item in objects if _key(item) not in expected_objects]
    by_file = {file_of(item): item for item in objects}
    total, groups_seen = 0, 0
    for replica in snapshot.replicas:
        groups = [group for group in replica.groups if not _expected(group, by_file, expected_objects, expectations)]
        if replica is snapshot.replicas[0]:
            total, groups_seen = sum(len(group.rules) for group in groups), len(groups)
            _told(groups, by_file, context, findings)
        for group in groups:
            item = _object_of(group, by_file)
            look = look_at(item) if item is not None else f"promtool check rules {group.file}"
            healthy(group, replica, look, findings, changed_at(item) if item is not None else None)
    loaded = [_object_of(group, by_file) for replica in snapshot.replicas for group in replica.groups]
    _left_over(others, {_key(item) for item in loaded if item is not None}, findings)
    _not_loaded(others, context, findings)
    _twice(expectations, context, by_file, expected_objects, findings)
    expected = f"{total} rules of {groups_seen} other groups evaluated and healthy"
    bad = {name for _replica, name in findings.bad}
    observed = f"{total - len(bad)} of {total}"
    notes = findings.notes[:_MOST_NOTES]
    if len(findings.notes) > _MOST_NOTES:
        notes.append(f"and {len(findings.notes) - _MOST_NOTES} more remarks of this kind")
    if findings.causes or findings.waits:
        causes = findings.causes + findings.waits
        return Judgement(_checks.failed(NAME, expected, observed, causes, notes), bool(findings.causes))
    return Judgement(_checks.ok(NAME, expected, observed, notes), True)


def _key(item: Object) -> tuple[str, str]:
    meta = item.get("metadata") or {}
    return str(meta.get("namespace")), str(meta.get("name"))


def _object_of(group: Group, by_file: t.Mapping[str, Object]) -> Object | None:
    return by_file.get("/" + group.file.rpartition("/")[2])


def _expected(
    group: Group,
    by_file: t.Mapping[str, Object],
    expected_objects: set[tuple[str, str] | None],
    expectations: t.Sequence[Expectation],
) -> bool:
    item = _object_of(group, by_file)
    if item is not None:
        return _key(item) in expected_objects
    if by_file:
        return False
    return any(group.name == wanted.get("name") for one in expectations for wanted in one.groups)


def _told(groups: t.Sequence[Group], by_file: t.Mapping[str, Object], context: Context, findings: Findings) -> None:
    """Rules that can never fire, one remark per object and reason, with how to be rid of them."""
    for group in groups:
        item = _object_of(group, by_file)
        dead: dict[str, list[str]] = {}
        for rule in group.rules:
            obstacles = context.reading.obstacles(rule.query, context.series)
            if obstacles:
                dead.setdefault(obstacles[0].text(context.recorded), []).append(rule.name)
        for reason, rules in dead.items():
            findings.note(f"{names_of(rules)} of {_owner(item, group)} can never fire: {reason}.{_off(item, rules)}")


def _owner(item: Object | None, group: Group) -> str:
    return place(item) if item is not None else group.name


def _off(item: Object | None, rules: t.Sequence[str]) -> str:
    if item is None or labels_of(item).get(_CHART) != "kube-prometheus-stack":
        return ""
    return f" To leave them out: prometheus_operator_disabled_default_alerts: [{', '.join(dict.fromkeys(rules))}]"


def _left_over(others: t.Sequence[Object], loaded: set[tuple[str, str]], findings: Findings) -> None:
    """Objects of ours that nobody asks for any more. One that this Prometheus does not run may be another one's."""
    for item in others:
        if is_ours(item) and _key(item) in loaded:
            namespace, name = _key(item)
            told = f"PrometheusRule {namespace}/{name} is ours, and no entry of the catalogue asks for it."
            fix = f"Remove it: kubectl -n {namespace} delete prometheusrule {name}"
            findings.add(cause("rule_set_left_over", told, fix))


def _not_loaded(others: t.Sequence[Object], context: Context, findings: Findings) -> None:
    """Rejected objects are a fault whoever they belong to; one not selected may be meant for another Prometheus."""
    for _item, reason in not_taken(context.snapshot, others):
        first = reason.causes[0]
        if first["code"] == "rule_set_rejected":
            for found in reason.causes:
                findings.add(found)
        else:
            findings.note(f"{first['message']} {first['fix']}")


def _twice(
    expectations: t.Sequence[Expectation],
    context: Context,
    by_file: t.Mapping[str, Object],
    expected_objects: set[tuple[str, str] | None],
    findings: Findings,
) -> None:
    """Alerts that somebody else's rules raise under the same name as ours."""
    ours = {str(rule.get("alert")) for one in expectations for group in one.groups for rule in group.get("rules") or []}
    for group in context.snapshot.replicas[0].groups:
        if _expected(group, by_file, expected_objects, expectations):
            continue
        item = _object_of(group, by_file)
        same = [rule.name for rule in group.rules if rule.kind == "alerting" and rule.name in ours]
        if same:
            owner = _owner(item, group)
            findings.note(f"{names_of(same)} of {owner} fires beside ours of the same name.{_off(item, same)}")
