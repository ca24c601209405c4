# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Does a namespace log: is what its containers wrote in Loki, under the labels that were promised?

Pure functions. Judged per node and namespace, because one busy Pod proves the agent of its own node only.
This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_kubelet as kubelet
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_pods import Container, Key, by_cell
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_streams import (
    Broken,
    Stream,
    broken_promises,
    present,
    project,
    usable_labels,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import format_age, format_time

CauseDict = dict[str, str]

# Lines reach Loki with the time the container runtime gave them, but agents may round it.
ROUNDING = 10.0
# A container that lived shorter than an agent looks for new ones may be gone before it is noticed.
SHORT_LIFE = 60.0
ARRIVED, PENDING, MISSING, LATE, SILENT, UNREADABLE = "arrived", "pending", "missing", "late", "silent", "unreadable"


class Rules(t.NamedTuple):
    """What is promised. Times in seconds.

    :param labels: promised stream labels. :param sources: Pod labels they are made from.
    :param window: lines this young must be there. :param lag: and this is how long they may take.
    """

    labels: tuple[str, ...]
    sources: t.Mapping[str, t.Sequence[str]]
    window: float
    lag: float


class Seen(t.NamedTuple):
    """What Loki and the kubelets say, of all namespaces.

    :param in_window: lines by container within the window. :param in_lag: the same within the tolerance.
    :param streams: label sets of the newest streams, by namespace.
    :param lines: kubelet's answer for each container that was asked for. :param newest: Unix time of Loki's newest
        line of those containers, None for none.
    """

    in_window: t.Mapping[Key, int]
    in_lag: t.Mapping[Key, int]
    streams: t.Mapping[str, t.Sequence[Stream]]
    lines: t.Mapping[Key, kubelet.Line]
    newest: t.Mapping[Key, float | None]


class Agents(t.NamedTuple):
    """What is known of the agents: why one is not on a node, what its own counters complain of, and what it is."""

    absent: t.Mapping[str, CauseDict]
    trouble: t.Mapping[str, t.Sequence[CauseDict]]
    kind: str = "promtail"


class Outcome(t.NamedTuple):
    """One container's state and, for a line that did not arrive, the times behind it."""

    container: Container
    state: str
    wrote: float | None = None
    newest: float | None = None


def outcomes(containers: t.Sequence[Container], seen: Seen, rules: Rules, now: float) -> list[Outcome]:
    """Say for each container of one namespace whether what it wrote has arrived.

    Containers that were not asked for at the kubelet are C(arrived) when Loki has lines of them, else C(silent) as
    far as is known; C(choose) asks for the doubtful ones.
    """
    if not containers:
        return []
    streams = seen.streams.get(containers[0].key.namespace, ())
    usable = usable_labels(streams)
    window, lag = project(seen.in_window, usable), project(seen.in_lag, usable)
    result = []
    for container in containers:
        if present(container, lag, usable):
            result.append(Outcome(container, ARRIVED))
            continue
        line = seen.lines.get(container.key)
        if line is None:
            result.append(Outcome(container, ARRIVED if present(container, window, usable) else SILENT))
        elif line.state == kubelet.UNREADABLE:
            result.append(Outcome(container, UNREADABLE))
        elif line.state != kubelet.WROTE or line.at is None:
            result.append(Outcome(container, SILENT))
        else:
            newest = seen.newest.get(container.key)
            if newest is not None and newest >= line.at - ROUNDING:
                state = ARRIVED
            elif line.at > now - rules.lag:
                state = PENDING
            else:
                state = MISSING if newest is None else LATE
            result.append(Outcome(container, state, line.at, newest))
    return result


def settled(found: t.Sequence[Outcome], nodes: t.Collection[str]) -> bool:
    """Whether no cell hangs on lines that are too young to have arrived.

    :param nodes: where an agent runs; elsewhere nothing will arrive however long one waits.
    """
    for members in _cells(found):
        states = {outcome.state for outcome in members}
        if members[0].container.node in nodes and PENDING in states and not states & {ARRIVED, MISSING, LATE}:
            return False
    return True


def _cells(found: t.Sequence[Outcome]) -> list[list[Outcome]]:
    states = {outcome.container.key: outcome for outcome in found}
    return [
        [states[container.key] for container in members]
        for members in by_cell([outcome.container for outcome in found]).values()
    ]


def judge(
    namespace: str,
    found: t.Sequence[Outcome],
    seen: Seen,
    rules: Rules,
    agents: Agents,
    unread_error: str = "",
) -> _checks.Check:
    """Judge one namespace.

    :param found: C(outcomes) of its containers. :param unread_error: why some could not be read at the kubelet.
    """
    name = f"namespace {namespace}"
    expected = f"what its containers wrote, labelled {', '.join(rules.labels)}"
    if not found:
        return _checks.not_applicable(name, expected, "no container ran lately")
    causes: list[CauseDict] = []
    notes: list[str] = []
    streams = seen.streams.get(namespace, ())
    lost: dict[str, list[Outcome]] = {}
    for outcome in found:
        if outcome.state not in (MISSING, LATE):
            continue
        container = outcome.container
        if container.ended is not None and container.lifetime(container.ended) < SHORT_LIFE:
            notes.append(
                f"{container.key} lived for {format_age(container.lifetime(container.ended))} only and left no line "
                "in Loki: too short for the agent to notice"
            )
            continue
        lost.setdefault(container.node, []).append(outcome)
    for node, members in lost.items():
        causes.extend(_why_lost(node, members, found, agents))
    pods = {outcome.container.key.pod: outcome.container.labels for outcome in found}
    causes.extend(
        _promise(item, namespace, rules, agents.kind)
        for item in broken_promises(streams, rules.labels, pods, rules.sources)
    )
    numbers = {
        state: sum(outcome.state == state for outcome in found) for state in (ARRIVED, PENDING, SILENT, UNREADABLE)
    }
    observed = _observed(found, numbers, seen, namespace, rules.window)
    details = {"containers": len(found), "nodes": len({o.container.node for o in found}), **numbers}
    causes = _merge(causes)
    if causes:
        return _checks.failed(name, expected, observed, causes, notes, details)
    doubtful = _doubtful(namespace, found, unread_error, agents.absent)
    if doubtful:
        return _checks.unknown(name, expected, observed, doubtful, notes, details)
    if numbers[UNREADABLE]:
        notes.append(
            f"{numbers[UNREADABLE]} containers without lines in Loki were not compared with the kubelet: {unread_error}"
        )
    if not numbers[ARRIVED]:
        notes.append(f"nothing was written within {format_age(rules.window)}; that is not a fault")
    return _checks.ok(name, expected, observed, notes, details)


def _observed(
    found: t.Sequence[Outcome], numbers: t.Mapping[str, int], seen: Seen, namespace: str, window: float
) -> str:
    lines = sum(number for key, number in seen.in_window.items() if key.namespace == namespace)
    missing = sum(outcome.state in (MISSING, LATE) for outcome in found)
    parts = [f"{lines} lines in {format_age(window)}", f"{numbers[ARRIVED]} of {len(found)} containers in Loki"]
    if missing:
        parts.append(f"{missing} missing")
    if numbers[PENDING]:
        parts.append(f"{numbers[PENDING]} wrote too lately to tell")
    if numbers[SILENT]:
        parts.append(f"{numbers[SILENT]} silent")
    if numbers[UNREADABLE]:
        parts.append(f"{numbers[UNREADABLE]} not readable at the kubelet")
    return ", ".join(parts)


def _why_lost(node: str, members: t.Sequence[Outcome], found: t.Sequence[Outcome], agents: Agents) -> list[CauseDict]:
    """Return why what these containers of one node wrote is not in Loki."""
    whole = sum(outcome.container.node == node for outcome in found)
    names = ", ".join(str(outcome.container.key) for outcome in members[:3])
    names += f" and {len(members) - 3} more" if len(members) > 3 else ""
    head = f"{len(members)} of {whole} containers on node {node} are not in Loki ({names}): "
    if node in agents.absent:
        known = agents.absent[node]
        return [cause(known["code"], head + known["message"], known["fix"])]
    trouble = agents.trouble.get(node)
    if trouble:
        return [cause(item["code"], head + item["message"], item["fix"]) for item in trouble]
    example = max(members, key=lambda outcome: outcome.wrote or 0.0)
    namespace = example.container.key.namespace
    if all(outcome.container.static for outcome in members):
        return [
            cause(
                "static_pod_logs_missing",
                f"{head}they are static Pods, whose log folder is not named by the Pod's uid.",
                "Add a rule to the agent: {source_labels: "
                "[__meta_kubernetes_pod_annotation_kubernetes_io_config_mirror, "
                "__meta_kubernetes_pod_container_name], separator: /, regex: (.+)/(.+), target_label: __path__, "
                "replacement: /var/log/pods/*$1/$2/*.log}",
            )
        ]
    newest = [outcome for outcome in members if outcome.state == LATE]
    if newest:
        last = max(outcome.newest or 0.0 for outcome in newest)
        return [
            cause(
                "logs_late",
                f"{head}the kubelet has a line of {format_time(example.wrote)}, Loki's newest is of "
                f"{format_time(last)}.",
                f"Look at what the agent on node {node} says: "
                f"kubectl get pods -A -o wide --field-selector spec.nodeName={node}",
            )
        ]
    return [
        cause(
            "logs_missing",
            f"{head}the kubelet has a line of {format_time(example.wrote)}, Loki has none of them.",
            "The agent runs but does not read or label these Pods; see what it leaves out with: "
            f"kubectl -n {namespace} logs {example.container.key.pod} -c {example.container.key.container} --tail=1",
        )
    ]


def _promise(item: Broken, namespace: str, rules: Rules, kind: str) -> CauseDict:
    streams = "1 stream" if item.number == 1 else f"{item.number} streams"
    rule = relabel_rule(item.label, rules.sources.get(item.label, [item.label]), kind)
    if item.got:
        wanted = " or ".join(item.wanted)
        return cause(
            "stream_label_wrong",
            f"{streams} of namespace {namespace} carry {item.label}={item.got} where the Pod says {wanted} "
            f"(for example {item.example}).",
            f"Correct the agent's rule: {rule}",
        )
    return cause(
        "stream_label_missing",
        f"{streams} of namespace {namespace} lack the label {item.label} (for example {item.example}).",
        f"Add a rule to the agent: {rule}",
    )


def relabel_rule(label: str, sources: t.Sequence[str], kind: str) -> str:
    """Return the agent's rule that makes a stream label, on one line.

    :param kind: C(alloy) for its own syntax, anything else for YAML.
    """
    place = {
        "namespace": "__meta_kubernetes_namespace",
        "pod": "__meta_kubernetes_pod_name",
        "container": "__meta_kubernetes_pod_container_name",
    }
    meta = place.get(label) or "__meta_kubernetes_pod_label_" + re.sub(r"\W", "_", sources[0] if sources else label)
    if kind == "alloy":
        return f'rule {{ source_labels = ["{meta}"] target_label = "{label}" }}'
    return f"{{source_labels: [{meta}], target_label: {label}}}"


def _doubtful(
    namespace: str, found: t.Sequence[Outcome], unread_error: str, absent: t.Mapping[str, CauseDict]
) -> list[CauseDict]:
    """Return why nothing can be said of a cell: no line of it is proven and the kubelet was no help."""
    for members in _cells(found):
        states = {outcome.state for outcome in members}
        node = members[0].container.node
        if ARRIVED in states:
            continue
        if UNREADABLE in states:
            return [
                cause(
                    "kubelet_log_unreadable",
                    f"Loki has nothing of namespace {namespace} on node {node}, and whether its containers wrote "
                    f"anything could not be read: {unread_error}",
                    "Allow the account of this run to get pods/log: kubectl create clusterrolebinding "
                    f"monitoring-log-truth --clusterrole=view --user={user_in(unread_error)}",
                )
            ]
        if PENDING in states and node in absent:
            return [absent[node]]
        if PENDING in states:
            return [
                cause(
                    "logs_too_young",
                    f"The containers of namespace {namespace} on node {node} only just began to write, and nothing "
                    "has arrived yet.",
                    "Judge again in two minutes: ansible-playbook dataplatform.monitoring.verify",
                )
            ]
    return []


def user_in(error: str) -> str:
    """Return the account that the API server's refusal names."""
    match = re.search(r'User "([^"]+)"', error)
    return match.group(1) if match else "NAME"


def _merge(causes: t.Sequence[CauseDict]) -> list[CauseDict]:
    """Put the causes that many nodes share together."""
    merged: dict[str, CauseDict] = {}
    more: dict[str, int] = {}
    for item in causes:
        key = item["code"] if not item["code"].startswith("stream_label") else item["code"] + item["fix"]
        if key in merged:
            more[key] = more.get(key, 0) + 1
        else:
            merged[key] = dict(item)
    for key, number in more.items():
        merged[key]["message"] += f" The same on {number} more node{'s' if number > 1 else ''}."
    return list(merged.values())


def unavailable(namespace: str, rules: Rules, why: CauseDict) -> _checks.Check:
    """The check of a namespace that could not be judged because Loki could not be asked."""
    return _checks.unknown(
        f"namespace {namespace}",
        f"what its containers wrote, labelled {', '.join(rules.labels)}",
        "not judged: Loki could not be asked",
        [why],
    )
