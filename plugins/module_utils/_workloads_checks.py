# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""From two snapshots to checks: one per watched service or namespace, and one for the nodes.

Pure functions. This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks, _workloads_compare
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import format_age, format_time
from ansible_collections.dataplatform.monitoring.plugins.module_utils._workloads_baseline import Run
from ansible_collections.dataplatform.monitoring.plugins.module_utils._workloads_snapshot import Expectation

Snapshot = dict[str, t.Any]
NODES = "nodes"
_NODES_EXPECTED = "nodes Ready, without new pressure, not rebooted"


def expected_of(expectation: Expectation) -> str:
    """Say what is expected of a service."""
    what = f"every other Pod of namespace {expectation.namespace}" if expectation.rest else "its Pods"
    return f"{what} Ready throughout, no restart, none replaced"


def compared(
    expectations: t.Sequence[Expectation], before: Snapshot, after: Snapshot, events: _workloads_compare.Events
) -> tuple[list[_checks.Check], bool]:
    """Judge every expectation against the baseline; the second value tells that a rollout is still under way."""
    checks = []
    unfinished = False
    since = f"since {format_time(before['taken'])}"
    for item in expectations:
        expected = expected_of(item)
        then, now = before["members"].get(item.name), after["members"].get(item.name, {"pods": [], "workloads": []})
        if then is None or not (then["pods"] or then["workloads"]):
            there = bool(now["pods"] or now["workloads"])
            reason = "it came during the run: nothing to compare with" if there else _nothing(item)
            checks.append(_checks.not_applicable(item.name, expected, reason))
            continue
        change = _workloads_compare.compare(item.name, before, after, events)
        unfinished |= change.unfinished
        observed = f"{_workloads_compare.healthy_for(item.name, after)}, {since}"
        details = {"pods_before": len(then["pods"]), "pods_now": len(now["pods"])}
        if change.causes:
            checks.append(_checks.failed(item.name, expected, observed, change.causes, change.notes, details))
        else:
            checks.append(_checks.ok(item.name, expected, observed, change.notes, details))
    change = _workloads_compare.compare_nodes(before, after)
    ready = sum(node["ready"] for node in after["nodes"].values())
    observed = f"{ready} of {len(after['nodes'])} nodes Ready, {since}"
    if change.causes:
        checks.append(_checks.failed(NODES, _NODES_EXPECTED, observed, change.causes, change.notes))
    else:
        checks.append(_checks.ok(NODES, _NODES_EXPECTED, observed, change.notes))
    return checks, unfinished


def _nothing(item: Expectation) -> str:
    if item.rest:
        return f"no other Pod ran in namespace {item.namespace}"
    if item.service and not item.selector:
        return f"no Pod behind {item.service} in namespace {item.namespace}: it runs elsewhere"
    return f"no Pod in namespace {item.namespace} by its selector when the run began"


def repeated(expectations: t.Sequence[Expectation], run: Run, now: Snapshot) -> list[_checks.Check]:
    """Repeat the verdict that closed a run, with its date; what is broken at this moment makes a good one red.

    A service that the run did not know is judged by this moment alone.
    """
    told = {check["name"]: check for check in run["checks"] or []}
    when = f"verdict of run {run['run_id']}, closed {format_time(run['closed'])}"
    checks = []
    for item in expectations:
        stored = told.get(item.name)
        faults = _workloads_compare.faults_now(item.name, now)
        observed = _workloads_compare.healthy_for(item.name, now) + " now"
        if stored is not None and stored["status"] in (_checks.FAILED, _checks.UNKNOWN):
            causes = [*_checks.all_causes(stored), *faults]
            checks.append(
                _checks.failed(item.name, stored["expected"], stored["observed"], causes, [when, *stored["notes"]])
            )
        elif faults:
            checks.append(_checks.failed(item.name, expected_of(item), observed, faults, [f"good until then: {when}"]))
        elif stored is None and not (now["members"].get(item.name) or {}).get("pods"):
            checks.append(_checks.not_applicable(item.name, expected_of(item), _nothing(item)))
        elif stored is None:
            checks.append(_checks.ok(item.name, expected_of(item), observed, [f"not part of the {when}"]))
        else:
            checks.append({**stored, "notes": [when, *stored["notes"]]})
    stored = told.get(NODES)
    if stored is not None:
        checks.append({**stored, "notes": [when, *stored["notes"]]})
    return checks


def not_judged(expectations: t.Sequence[Expectation], why: dict[str, str], observed: str) -> list[_checks.Check]:
    """Checks without a baseline."""
    return [_checks.unknown(item.name, expected_of(item), observed, [why]) for item in expectations]


def missing(run_id: str, namespace: str) -> dict[str, str]:
    """The cause of a baseline that is not there."""
    which = f"of run {run_id} " if run_id else ""
    return cause(
        "baseline_missing",
        f"There is no baseline {which}in namespace {namespace}: nothing to compare with.",
        "Play a day, which takes one before its first change: ansible-playbook dataplatform.monitoring.day1",
    )


def stale(run: Run, now: float) -> dict[str, str]:
    """The cause of a baseline that no verdict closed, long ago."""
    age = format_age(now - run["snapshot"]["taken"])
    return cause(
        "baseline_stale",
        f"Run {run['run_id']} took its baseline {age} ago and ended before its verdict.",
        "Play the day again, to its end: ansible-playbook dataplatform.monitoring.day1",
    )


def taken(run: Run, added: bool, namespace: str) -> _checks.Check:
    """The one check of taking a baseline."""
    snapshot = run["snapshot"]
    watched = sum(bool(item["pods"]) for item in snapshot["members"].values())
    observed = f"{len(snapshot['pods'])} Pods of {watched} services, taken {format_time(snapshot['taken'])}"
    notes = [] if added else ["it was there already, and stays as it was before the run's first change"]
    empty = [name for name, item in snapshot["members"].items() if not item["pods"]]
    if empty:
        notes.append(f"no Pod yet: {', '.join(empty)}")
    return _checks.ok("baseline", f"kept in ConfigMap {namespace}/dataplatform-monitoring-baseline", observed, notes)
