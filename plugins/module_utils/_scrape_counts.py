# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Are the targets those that must be there: missing, dropped, vanished, too few, different between replicas?

This module util is PRIVATE to the collection. Pure functions over a snapshot.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _scrape_access
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import format_time
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_fixes import (
    endpoint_line,
    entry_line,
    fix,
    kubectl,
    own_endpoints,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_live import Seen, address_of
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import (
    ENDPOINTS_KEY,
    FOREVER,
    Expectation,
    Finding,
    Object,
    Snapshot,
    View,
    some,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_monitor import Monitor
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_pods import name_of, settled_for
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_relabel import (
    Unsupported,
    describe,
    first_drop,
    normalise,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_services import (
    Address,
    namespace_of,
    place,
)

# Service discovery brings a change to the targets within 5 s (discovery manager) and a little.
DISCOVERY_SECONDS = 10.0
# By which the operator deals targets out to shards (pkg/prometheus/promcfg.go).
_SHARDING = {"__tmp_hash", "__tmp_current_shard"}


def judge_missing(
    expectation: Expectation, monitor: Monitor, reached: list[list[Address]], view: View, snapshot: Snapshot, now: float
) -> list[Finding]:
    """Addresses behind the Services that are no target, and why."""
    findings: list[Finding] = []
    lost: list[Address] = []
    silent: list[str] = []
    for index, (pool, addresses) in enumerate(zip(monitor.pools, reached, strict=False)):
        targets = [target for target in view.targets if target.get("scrapePool") == pool]
        there = {address_of(target) for target in targets}
        missing = [item for item in addresses if item.address not in there]
        if not missing:
            continue
        dropped = snapshot.fact("dropped", pool)
        if isinstance(dropped, Finding):
            findings.append(dropped)
            continue
        discarded = {labels.get("__address__"): labels for labels in view.pick(dropped or {})}
        hit = [item for item in missing if item.address in discarded]
        if hit:
            found = _dropped(expectation, monitor, index, hit, discarded[hit[0].address], view, snapshot)
            findings.append(found._replace(patience=_after_reload(view, now)))
        rest = [item for item in missing if item not in hit]
        lost.extend(rest)
        if rest and not targets and not discarded:
            silent.append(pool)
    if lost:
        findings.append(_lost(expectation, monitor, lost, silent, view, snapshot, now))
    return findings


def _after_reload(view: View, now: float) -> float:
    """How long service discovery may still say what was true before the last reload."""
    loaded = view.config_time
    return 0.0 if loaded is not None and now - loaded > 2 * DISCOVERY_SECONDS else DISCOVERY_SECONDS


def _dropped(
    expectation: Expectation,
    monitor: Monitor,
    index: int,
    hit: list[Address],
    labels: Object,
    view: View,
    snapshot: Snapshot,
) -> Finding:
    pool = monitor.pools[index]
    rules = (view.job(pool) or {}).get("relabel_configs") or []
    number = _dropping_rule(pool, rules, labels, snapshot)
    which = some(item.address + (f" (Pod {name_of(item.pod)})" if item.pod else "") for item in hit)
    if number is None:
        message = f"{which} is discovered and dropped by the relabeling of {pool}; which rule does it is not known."
        return Finding("dropped_by_relabeling", message, _look_at(monitor, expectation))
    rule = normalise(rules[number])
    if set(rule["source_labels"]) & _SHARDING and monitor.prometheus is not None:
        owner = monitor.prometheus
        message = f"{which} belongs to another shard of Prometheus {place(owner)} than those that answered."
        words = ("get", "pods", "-l", f"operator.prometheus.io/name={name_of(owner)}", "-o", "wide")
        remedy = fix("See whether every shard runs", kubectl(namespace_of(owner), *words))
        return Finding("dropped_by_relabeling", message, remedy, DISCOVERY_SECONDS)
    live = _endpoint(monitor, index).get("relabelings") or []
    mine = next((i for i, own in enumerate(live) if normalise(own, crd=True) == rule), None)
    if mine is None:
        message = f"{which} is discovered and dropped by rule {number} of {pool}: {describe(rule)}."
        return Finding("dropped_by_relabeling", message, _look_at(monitor, expectation), DISCOVERY_SECONDS)
    message = (
        f"{which} is discovered and dropped by relabelings[{mine}] of {expectation.monitor_text}: {describe(rule)}."
    )
    ours = own_endpoints(expectation)
    written = (ours[index].get("relabelings") or []) if index < len(ours) else []
    if any(normalise(own, crd=True) == rule for own in written):
        kept = [own for own in written if normalise(own, crd=True) != rule]
        if kept:
            remedy = endpoint_line(expectation, index, {"relabelings": kept}, "without that rule")
        else:
            remedy = endpoint_line(expectation, index, {}, "without that rule", ("relabelings",))
    else:
        wanted = expectation.monitor or {}
        path = f"/spec/{ENDPOINTS_KEY.get(wanted.get('kind', ''), 'endpoints')}/{index}/relabelings/{mine}"
        body = json.dumps([{"op": "remove", "path": path}], separators=(",", ":"))
        remedy = fix(
            "Somebody added that rule; remove it",
            kubectl(
                wanted.get("namespace"),
                "patch",
                wanted.get("kind", "").lower(),
                wanted.get("name", ""),
                "--type",
                "json",
                "-p",
                body,
            ),
        )
    return Finding("dropped_by_relabeling", message, remedy, DISCOVERY_SECONDS)


def judge_empty_pool(expectation: Expectation, pool: str, view: View, snapshot: Snapshot) -> Finding:
    """A scrape job of a plain configuration that is loaded and has no target."""
    dropped = snapshot.fact("dropped", pool)
    if isinstance(dropped, Finding):
        return dropped
    found = view.pick(dropped or {})
    if not found:
        return Finding(
            "not_discovered",
            f"Scrape job {pool} is loaded, but its service discovery finds nothing.",
            fix(
                "Look at its discovery, at files and names it reads",
                f"promtool check service-discovery prometheus.yml {pool}",
            ),
            10.0,
        )
    rules = (view.job(pool) or {}).get("relabel_configs") or []
    number = _dropping_rule(pool, rules, found[0], snapshot)
    which = some(str(labels.get("__address__")) for labels in found)
    by = "relabeling" if number is None else f"relabel_configs[{number}]: {describe(rules[number])}"
    message = f"{which} is discovered and dropped by {by}, in scrape job {pool}."
    return Finding(
        "dropped_by_relabeling",
        message,
        fix("Remove or correct that rule; see what it does", f"promtool check service-discovery prometheus.yml {pool}"),
        DISCOVERY_SECONDS,
    )


def _endpoint(monitor: Monitor, index: int) -> Object:
    item = monitor.item or {}
    endpoints = (item.get("spec") or {}).get(ENDPOINTS_KEY.get(item.get("kind", ""), "")) or []
    return endpoints[index] if index < len(endpoints) else {}


def _dropping_rule(pool: str, rules: t.Sequence[Object], labels: Object, snapshot: Snapshot) -> int | None:
    """The index of the rule, by the server's own word where it gives it, else evaluated here."""
    steps = snapshot.fact("steps", pool, json.dumps(labels, sort_keys=True))
    if isinstance(steps, list):
        number = next((i for i, step in enumerate(steps) if step.get("keep") is False), None)
        if number is not None and number < len(rules):
            return number
    try:
        return first_drop(rules, labels)
    except Unsupported:
        return None


def _look_at(monitor: Monitor, expectation: Expectation) -> str:
    wanted = expectation.monitor or {}
    return fix(
        "Look at its relabelings and at the scrape classes of Prometheus",
        kubectl(
            wanted.get("namespace"),
            "get",
            wanted.get("kind", "servicemonitor").lower(),
            wanted.get("name", expectation.name),
            "-o",
            "yaml",
        ),
    )


def _lost(
    expectation: Expectation,
    monitor: Monitor,
    lost: list[Address],
    silent: list[str],
    view: View,
    snapshot: Snapshot,
    now: float,
) -> Finding:
    """Neither target nor dropped: Prometheus has not discovered it (yet), or may not."""
    denied = _denied(monitor, lost, view, snapshot)
    if denied is not None:
        return denied
    names = some(f"Pod {name_of(item.pod)}" if item.pod else item.address for item in lost)
    young = all(item.pod is not None and settled_for(item.pod, now) < 60.0 for item in lost)
    if silent:
        return Finding(
            "not_discovered",
            f"Prometheus has loaded {some(silent)} but discovers nothing there, although {names} is to be found.",
            fix("Read what its service discovery says", _prometheus_logs(monitor, view)),
            FOREVER if young else 60.0,
        )
    return Finding(
        "fewer_targets",
        f"Not scraped: {names} ({some(item.address for item in lost)}).",
        fix("Read what Prometheus' service discovery says", _prometheus_logs(monitor, view)),
        FOREVER if young else 60.0,
    )


def _prometheus_logs(monitor: Monitor, view: View) -> str:
    pod = next((server.pod for server in view.servers if server.pod), None)
    if pod is None and monitor.prometheus is not None:
        pod = (namespace_of(monitor.prometheus), f"prometheus-{name_of(monitor.prometheus)}-0")
    namespace, name = pod or ("monitoring", "prometheus-0")
    return kubectl(namespace, "logs", name, "-c", "prometheus", "--tail=50")


def _denied(monitor: Monitor, lost: list[Address], view: View, snapshot: Snapshot) -> Finding | None:
    if monitor.prometheus is None:
        return None
    own = namespace_of(monitor.prometheus)
    account = str((monitor.prometheus.get("spec") or {}).get("serviceAccountName") or "default")
    job = view.job(monitor.pools[0]) or {}
    discovery = (job.get("kubernetes_sd_configs") or [{}])[0]
    spaces = tuple(sorted({item.namespace for item in lost}))
    if not (discovery.get("namespaces") or {}).get("names"):
        spaces = ("",)
    granted = snapshot.fact("access", (own, account), str(discovery.get("role") or "endpoints"), spaces)
    if isinstance(granted, Finding):
        return granted
    if not isinstance(granted, list):
        return None
    refused = [_scrape_access.Right(*right) for right, allowed in granted if not allowed]
    if not refused:
        return None
    namespace = refused[0].namespace
    resources = sorted({f"{right.resource}.{right.group}" if right.group else right.resource for right in refused})
    role = f"{account}-discovery"
    cluster = "" if namespace else "cluster"
    where = f"-n {namespace} " if namespace else ""
    command = (
        f"kubectl {where}create {cluster}role {role} --verb=get,list,watch --resource={','.join(resources)} && "
        f"kubectl {where}create {cluster}rolebinding {role} --{cluster}role={role} --serviceaccount={own}:{account}"
    )
    return Finding(
        "prometheus_rbac",
        f"Prometheus (ServiceAccount {own}/{account}) may not {some((str(right) for right in refused), 2)}, and so "
        "discovers nothing there.",
        fix("Grant it what its service discovery needs", command),
        10.0,
    )


def judge_vanished(expectation: Expectation, job: str | None, snapshot: Snapshot, view: View) -> list[Finding]:
    """No target at all: was there one within the last hours?"""
    if not job:
        return []
    fact = snapshot.fact("seen", job)
    if not isinstance(fact, dict):
        return []
    found = [sample for sample in view.pick(fact) if sample["value"] > 0]
    if not found:
        return []
    newest = max(found, key=lambda sample: sample["value"])
    labels = newest["metric"]
    where = labels.get("pod") or labels.get("instance") or job
    return [
        Finding(
            "target_vanished",
            f"It was scraped until {format_time(newest['value'])} ({where}) and is gone since.",
            fix(
                "See what happened to it then",
                kubectl(
                    labels.get("namespace") or next(iter(expectation.namespaces), None),
                    "get",
                    "events",
                    "--sort-by=.lastTimestamp",
                ),
            ),
            FOREVER,
        )
    ]


def judge_floor(expectation: Expectation, seen: t.Sequence[Seen]) -> list[Finding]:
    """C(min_targets): the least number of different URLs that are up, whatever the cluster holds."""
    up = {item.url for item in seen if item.up}
    if len(up) >= expectation.min_targets:
        return []
    return [
        Finding(
            "fewer_targets",
            f"{len(up)} different targets are up, at least {expectation.min_targets} are asked for by min_targets.",
            entry_line(expectation, "min_targets", max(1, len(up)), "ask for what there is, if so few are meant to be"),
            FOREVER,
        )
    ]


def judge_replicas(views: t.Sequence[View], by_view: t.Sequence[t.Sequence[Seen]]) -> list[Finding]:
    """Replicas that do not see the same: alerts and panels then depend on which one answers."""
    if len(views) < 2:
        return []
    ups = [{item.url for item in seen if item.up} for seen in by_view]
    union = set().union(*ups)
    parts = []
    for view, up in zip(views, ups, strict=True):
        if union - up:
            parts.append(f"{view.name} lacks {some(sorted(re.sub(r'^https?://', '', url) for url in union - up))}")
    if not parts:
        return []
    pod = next(
        (
            server.pod
            for view, up in zip(views, ups, strict=True)
            if union - up
            for server in view.servers
            if server.pod
        ),
        None,
    )
    command = kubectl(pod[0], "logs", pod[1], "-c", "prometheus", "--tail=50") if pod else "kubectl get prometheus -A"
    return [
        Finding(
            "replicas_disagree",
            f"The replicas of Prometheus do not see the same targets up: {'; '.join(parts)}.",
            fix("Read what the replica that lacks some says", command),
            FOREVER,
        )
    ]
