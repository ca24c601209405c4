# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What happened to services between two snapshots, and whose doing it was.

Pure functions over C(_workloads_snapshot)'s data. A rollout by somebody else during the run is told, not counted;
what was broken before the run is told, not counted. This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import format_age, format_time

Object = dict[str, t.Any]
Snapshot = dict[str, t.Any]
# Clocks and the order of reading blur a second or two.
BLUR = 2.0


class Events(t.NamedTuple):
    """What Events say of Pods that are gone: Pod (namespace/name) -> message."""

    evicted: t.Mapping[str, str]
    preempted: t.Mapping[str, str]


NO_EVENTS = Events({}, {})


def read_events(events: t.Sequence[Object]) -> Events:
    """Sort Events of Pods by what they tell. They live for an hour, so that absence proves nothing."""
    evicted: dict[str, str] = {}
    preempted: dict[str, str] = {}
    for event in events:
        about = event.get("involvedObject") or {}
        if about.get("kind") != "Pod":
            continue
        name, message = f"{about.get('namespace')}/{about.get('name')}", str(event.get("message") or "")
        if event.get("reason") in ("Evicted", "TaintManagerEviction"):
            evicted[name] = message
        elif event.get("reason") == "Preempted":
            preempted[name] = message
    return Events(evicted, preempted)


class Change(t.NamedTuple):
    """What happened to one expectation's Pods."""

    causes: list[dict[str, str]]
    notes: list[str]
    unfinished: bool


def compare(name: str, before: Snapshot, after: Snapshot, events: Events) -> Change:
    """Compare the Pods and workloads of one expectation.

    C(unfinished): somebody's rollout is still under way, so that waiting may change the answer.
    """
    change = Change([], [], False)
    seen: set[str] = set()
    for pod_name in before["members"].get(name, {}).get("pods", []):
        was, now = before["pods"][pod_name], after["pods"].get(pod_name)
        if now is not None and now["uid"] == was["uid"] and not now["going"]:
            _same_pod(pod_name, was, now, before, after, events, change)
        else:
            _other_pod(pod_name, was, now, before, after, events, change, seen)
    unfinished = False
    for key in before["members"].get(name, {}).get("workloads", []):
        unfinished |= _workload(key, before, after, change)
    return change._replace(causes=_merged(change.causes), notes=_unique(change.notes), unfinished=unfinished)


def _kubectl(pod: str, verb: str = "describe pod") -> str:
    namespace, name = pod.split("/", 1)
    return f"kubectl -n {namespace} {verb} {name}"


def _same_pod(
    pod: str, was: Object, now: Object, before: Snapshot, after: Snapshot, events: Events, change: Change
) -> None:
    if now["phase"] == "Failed" and (now["reason"] == "Evicted" or pod in events.evicted):
        change.causes.append(_evicted(pod, was["node"], now["message"] or events.evicted.get(pod, "")))
        return
    rebooted = _rebooted(was["node"], before, after)
    restarted = False
    for name, old in was["containers"].items():
        new = now["containers"].get(name)
        more = 0 if new is None else new["restarts"] - old["restarts"]
        if new is None or more <= 0:
            continue
        restarted = True
        times = "once" if more == 1 else f"{more} times"
        if old["waiting"] == "CrashLoopBackOff" or (not old["ready"] and old["restarts"] > 0):
            change.notes.append(f"{pod}: container {name} was crashing before the run and restarted {times} more")
            continue
        if rebooted:
            change.causes.append(_reboot(was["node"], pod))
            continue
        code = f" (code {new['exit']})" if new["exit"] is not None else ""
        ended = f"; its last run ended at {format_time(new['ended'])}: {new['reason'] or 'exit'}{code}"
        memory = new["reason"] == "OOMKilled"
        fix = (
            f"Raise its memory limit, or find what took the memory: {_kubectl(pod)}"
            if memory
            else f"Read what its last run said: {_kubectl(pod, 'logs')} -c {name} --previous --tail=50"
        )
        change.causes.append(
            cause(
                "container_oom_killed" if memory else "container_restarted",
                f"Container {name} of Pod {pod} restarted {times} since the baseline{ended}.",
                fix,
            )
        )
    if was["ready"] and not now["ready"]:
        waiting = ", ".join(
            f"{name} {item['waiting'] or 'not ready'}" for name, item in now["containers"].items() if not item["ready"]
        )
        change.causes.append(
            cause(
                "readiness_lost",
                f"Pod {pod} has not been Ready since {format_time(now['since'])}"
                + (f" ({waiting})." if waiting else "."),
                f"See why: {_kubectl(pod)}",
            )
        )
    elif was["ready"] and not restarted and (now["since"] or 0.0) > before["taken"] + BLUR:
        change.causes.append(
            cause(
                "readiness_interrupted",
                f"Pod {pod} lost readiness during the run and became Ready again at {format_time(now['since'])}.",
                f"See which probe failed: {_kubectl(pod)}",
            )
        )
    elif not was["ready"] and not now["ready"] and was["phase"] != "Succeeded":
        change.notes.append(f"{pod} was not Ready before the run either, since {format_time(was['since'])}")


def _other_pod(
    pod: str,
    was: Object,
    now: Object | None,
    before: Snapshot,
    after: Snapshot,
    events: Events,
    change: Change,
    seen: set[str],
) -> None:
    """A Pod that is gone, or another one of the same name."""
    owner = was["owner"]
    if was["phase"] in ("Succeeded", "Failed") or was["going"]:
        change.notes.append(f"{pod} had ended, or was being removed, before the run")
        return
    if not owner:
        if now is None:
            change.causes.append(
                cause(
                    "pod_gone",
                    f"Pod {pod} is gone and has no controller that would make it anew.",
                    f"Create it again, better by a Deployment; to see what is told: kubectl -n {pod.split('/')[0]} "
                    "get events",
                )
            )
        else:
            change.causes.append(_replaced(pod, was, now, "", ""))
        return
    old, new = before["workloads"].get(owner), after["workloads"].get(owner)
    if old is not None and new is None:
        return  # told once, by _workload
    if old is not None and new is not None and _changed(old, new, owner, was, after):
        if owner not in seen:
            seen.add(owner)
            what = _what_changed(old, new)
            change.notes.append(f"{owner} was changed by somebody else during the run ({what}): Pods not compared")
        return
    if pod in events.evicted:
        change.causes.append(_evicted(pod, was["node"], events.evicted[pod]))
        return
    if pod in events.preempted:
        change.causes.append(
            cause(
                "pod_preempted",
                f"Pod {pod} was preempted: {events.preempted[pod]}",
                f"Give it a priority class, or the cluster more room: kubectl describe node {was['node']}",
            )
        )
        return
    node = after["nodes"].get(was["node"])
    if node is None:
        change.notes.append(f"{pod} moved because node {was['node']} left the cluster")
        return
    if node["cordoned"] and not before["nodes"].get(was["node"], {}).get("cordoned"):
        change.notes.append(f"{pod} moved because node {was['node']} was drained by somebody else")
        return
    if not node["ready"]:
        change.causes.append(_node_lost(was["node"], node))
        return
    successors = [
        (name, item)
        for name, item in after["pods"].items()
        if item["owner"] == owner and (item["created"] or 0.0) >= before["taken"] - BLUR
    ]
    successor = (pod, now) if now is not None else next(iter(successors), ("", None))
    change.causes.append(_replaced(pod, was, successor[1], successor[0], owner))


def _changed(old: Object, new: Object, owner: str, was: Object, after: Snapshot) -> bool:
    """Whether somebody changed the workload, or made it anew."""
    if old["uid"] != new["uid"] or old["generation"] != new["generation"]:
        return True
    # A rollout that was under way when the baseline was taken: same generation, but Pods of another template follow.
    return any(
        item["owner"] == owner and item["hash"] and was["hash"] and item["hash"] != was["hash"]
        for item in after["pods"].values()
    )


def _what_changed(old: Object, new: Object) -> str:
    if old["uid"] != new["uid"]:
        return "made anew"
    if old["desired"] != new["desired"]:
        return f"scaled from {old['desired']} to {new['desired']}"
    return f"generation {old['generation']} to {new['generation']}"


def _workload(key: str, before: Snapshot, after: Snapshot, change: Change) -> bool:
    """Judge one workload's replicas; return whether a rollout is still under way."""
    old, new = before["workloads"].get(key), after["workloads"].get(key)
    if old is None:
        return False
    kind, namespace, name = key.split("/", 2)
    if new is None:
        change.causes.append(
            cause(
                "workload_gone",
                f"{kind} {namespace}/{name} is gone; it had {old['ready']} Ready Pods when the run began.",
                f"Restore it from where it is kept; to see what is left: kubectl -n {namespace} get {kind.lower()}",
            )
        )
        return False
    changed = old["uid"] != new["uid"] or old["generation"] != new["generation"]
    lacking = new["ready"] < new["desired"]
    rolling = changed and (new["observed"] < new["generation"] or new["updated"] < new["desired"] or lacking)
    fix = f"See why: kubectl -n {namespace} describe {kind.lower()} {name}"
    if changed:
        note = f"{key} was changed by somebody else during the run ({_what_changed(old, new)}): Pods not compared"
        change.notes.append(note)
        if lacking:
            change.causes.append(
                cause(
                    "rollout_unfinished",
                    f"{kind} {namespace}/{name} was changed during the run, not by it ({_what_changed(old, new)}), and "
                    f"has {new['ready']} of {new['desired']} Pods Ready.",
                    fix,
                )
            )
    elif lacking and old["ready"] >= old["desired"]:
        change.causes.append(
            cause(
                "replicas_missing",
                f"{kind} {namespace}/{name} has {new['ready']} of {new['desired']} Pods Ready; it had all before the "
                "run.",
                fix,
            )
        )
    elif lacking:
        change.notes.append(
            f"{key} had {old['ready']} of {old['desired']} Pods Ready before the run, {new['ready']} now"
        )
    return rolling


def _rebooted(node: str, before: Snapshot, after: Snapshot) -> bool:
    old, new = before["nodes"].get(node), after["nodes"].get(node)
    return bool(old and new and old["boot"] and new["boot"] and old["boot"] != new["boot"])


def _reboot(node: str, pod: str = "") -> dict[str, str]:
    what = f": that restarted Pod {pod}" if pod else ""
    return cause(
        "node_rebooted",
        f"Node {node} was rebooted during the run{what}.",
        f"Find who or what did it: kubectl describe node {node}",
    )


def _node_lost(name: str, node: Object) -> dict[str, str]:
    return cause(
        "node_lost",
        f"Node {name} has not been Ready since {format_time(node['since'])}.",
        f"See what its kubelet last said: kubectl describe node {name}",
    )


def _evicted(pod: str, node: str, message: str) -> dict[str, str]:
    said = f": {message.rstrip('. ')}" if message else ""
    return cause(
        "pod_evicted",
        f"Pod {pod} was evicted from node {node}{said}.",
        f"Give the node more of what ran short, or the Pod requests that fit: kubectl describe node {node}",
    )


def _replaced(pod: str, was: Object, now: Object | None, name: str, owner: str) -> dict[str, str]:
    if now is None:
        new = "and nothing came in its place"
    else:
        moved = f" on node {now['node']}" if now["node"] != was["node"] else ""
        new = f"by {name or pod}{moved} at {format_time(now['created'])}" + ("" if now["ready"] else ", not Ready yet")
    whose = f", though nobody changed {owner}" if owner else ""
    return cause(
        "pod_replaced",
        f"Pod {pod} of node {was['node']} was replaced {new}{whose}.",
        f"See who removed it: kubectl -n {pod.split('/')[0]} get events --field-selector involvedObject.name="
        f"{pod.split('/')[1]}",
    )


def compare_nodes(before: Snapshot, after: Snapshot) -> Change:
    """Compare the nodes: pressure, readiness and reboots since the baseline."""
    change = Change([], [], False)
    for name, old in sorted(before["nodes"].items()):
        new = after["nodes"].get(name)
        if new is None:
            change.notes.append(f"node {name} left the cluster during the run")
            continue
        if old["ready"] and not new["ready"]:
            change.causes.append(_node_lost(name, new))
        elif not new["ready"]:
            change.notes.append(f"node {name} was not Ready before the run either")
        if _rebooted(name, before, after):
            change.causes.append(_reboot(name))
        fresh = [item for item in new["pressure"] if item not in old["pressure"]]
        if fresh:
            change.causes.append(
                cause(
                    "node_pressure",
                    f"Node {name} has {', '.join(fresh)} since the run.",
                    f"See what takes it: kubectl describe node {name}",
                )
            )
        elif new["pressure"]:
            change.notes.append(f"node {name} had {', '.join(new['pressure'])} before the run already")
    return change._replace(causes=_merged(change.causes))


def faults_now(name: str, now: Snapshot) -> list[dict[str, str]]:
    """Return what is wrong with an expectation at this moment, whatever was before."""
    member = now["members"].get(name, {"pods": [], "workloads": []})
    causes = []
    for key in member["workloads"]:
        item = now["workloads"][key]
        if item["ready"] < item["desired"]:
            kind, namespace, short = key.split("/", 2)
            causes.append(
                cause(
                    "not_ready_now",
                    f"{kind} {namespace}/{short} has {item['ready']} of {item['desired']} Pods Ready now.",
                    f"See why: kubectl -n {namespace} describe {kind.lower()} {short}",
                )
            )
    for pod in member["pods"]:
        item = now["pods"][pod]
        owned = item["owner"] in now["workloads"]
        if not owned and not item["ready"] and not item["going"] and item["phase"] in ("Pending", "Running"):
            causes.append(
                cause(
                    "not_ready_now",
                    f"Pod {pod} is not Ready now, since {format_time(item['since'])}.",
                    f"See why: {_kubectl(pod)}",
                )
            )
    return _merged(causes)


def healthy_for(name: str, now: Snapshot) -> str:
    """Say how many Pods of an expectation are Ready, and how old the youngest is."""
    pods = [now["pods"][pod] for pod in now["members"].get(name, {}).get("pods", [])]
    ready = [item for item in pods if item["ready"]]
    started = [item["created"] for item in ready if item["created"]]
    youngest = f", the youngest {format_age(now['taken'] - max(started))} old" if started else ""
    return f"{len(ready)} of {len(pods)} Pods Ready{youngest}"


def _merged(causes: t.Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Drop repetitions: a rebooted node is one cause, however many Pods were on it."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for item in causes:
        found.setdefault((item["code"], item["fix"]), item)
    return list(found.values())


def _unique(notes: t.Sequence[str]) -> list[str]:
    return list(dict.fromkeys(notes))
