# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""From the monitor to the configuration that Prometheus runs: what is wrong on that way.

This module util is PRIVATE to the collection. Pure functions over a snapshot.
"""

from __future__ import annotations

import difflib
import shlex
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import format_age, format_time
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_config import stale_parts
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_fixes import fix, kubectl, restore
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import (
    ENDPOINTS_KEY,
    FOREVER,
    Expectation,
    Finding,
    Object,
    Snapshot,
    View,
    pools_of,
    some,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_pods import is_ready, name_of, trouble
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_relabel import normalise
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_selection import (
    asked_prometheus,
    changed_at,
    not_reconciled,
    operator_ignores,
    operator_of,
    own_rejection,
    refusal,
    reported_rejection,
    selector_field,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_services import namespace_of, place

# A change of a monitor reaches Prometheus within this time: operator, Secret propagation by the kubelet (60 to 90 s),
# reloader. Later it does not come by itself.
PROPAGATION_SECONDS = 300.0


class Monitor(t.NamedTuple):
    """The live monitor of an entry and what is wrong between it and Prometheus.

    :param item: the object, None when there is none. :param loaded: whether every replica runs it as it is.
    :param prometheus: the Prometheus object that takes it in, None when none does or they cannot be read.
    """

    item: Object | None
    pools: list[str]
    prometheus: Object | None
    findings: list[Finding]
    loaded: bool


def examine(expectation: Expectation, snapshot: Snapshot, now: float) -> Monitor:
    """Follow the monitor of an entry from the object to the running configuration."""
    wanted = expectation.monitor or {}
    kind, namespace, name = wanted["kind"], wanted["namespace"], wanted["name"]
    guess = pools_of({"kind": kind, "metadata": wanted, "spec": {ENDPOINTS_KEY.get(kind, ""): expectation.endpoints}})
    listed = snapshot.fact("monitors", kind, namespace)
    if isinstance(listed, Finding):
        return Monitor(None, guess, None, [listed], False)
    if listed is None:
        return Monitor(None, guess, None, [], False)
    item = next((entry for entry in listed if name_of(entry) == name), None)
    if item is None:
        return Monitor(None, guess, None, [_no_monitor(expectation, snapshot, listed)], False)
    item = {**item, "kind": kind}
    pools = pools_of(item)
    prometheuses = snapshot.fact("prometheuses")
    if isinstance(prometheuses, Finding):
        return Monitor(item, pools, None, [prometheuses], _in_every_view(pools, snapshot))
    if prometheuses is None:
        return Monitor(item, pools, None, [], False)
    if not prometheuses:
        return Monitor(item, pools, None, [_no_prometheus(expectation, snapshot)], False)
    candidates = asked_prometheus(prometheuses, [server.pod for server in snapshot.servers if server.pod])
    taken, finding = _selected(item, candidates, prometheuses, snapshot)
    if finding is not None:
        return Monitor(item, pools, None, [finding], False)
    if taken is None:
        return Monitor(item, pools, None, [], False)
    findings, loaded = _loaded(expectation, item, pools, taken, snapshot, now)
    return Monitor(item, pools, taken, findings, loaded)


def drifted(expectation: Expectation, item: Object) -> bool:
    """Whether somebody changed the endpoints of the live monitor away from the catalogue's."""
    key = ENDPOINTS_KEY.get(item.get("kind", ""))
    if key is None or not expectation.endpoints:
        return False
    live = (item.get("spec") or {}).get(key) or []
    return [_comparable(endpoint) for endpoint in live] != [_comparable(endpoint) for endpoint in expectation.endpoints]


def _comparable(endpoint: Object) -> Object:
    """An endpoint with the defaults filled in that the API server fills in."""
    rules = {
        key: [normalise(rule, crd=True) for rule in endpoint.get(key) or []]
        for key in ("relabelings", "metricRelabelings")
    }
    return {**endpoint, **rules}


def reloaded(monitor: Monitor | None, view: View, snapshot: Snapshot) -> bool:
    """Whether the last reload may have been for this monitor: it, or its Prometheus, was changed not long before.

    Of a plain configuration nothing is known, and of a monitor that is not ours nothing was changed by us.
    """
    if monitor is None:
        return not snapshot.kubernetes
    loaded = view.config_time
    known = [changed_at(item) for item in (monitor.item, monitor.prometheus) if item is not None]
    changed = max((time for time in known if time is not None), default=None)
    return loaded is None or changed is None or loaded - changed < PROPAGATION_SECONDS


def _in_every_view(pools: t.Sequence[str], snapshot: Snapshot) -> bool:
    return bool(pools) and all(set(pools) <= server.pools for view in snapshot.views for server in view.servers)


def _no_monitor(expectation: Expectation, snapshot: Snapshot, listed: t.Sequence[Object]) -> Finding:
    wanted = expectation.monitor or {}
    names = [name_of(item) for item in listed]
    near = difflib.get_close_matches(wanted["name"], names, 1, 0.6)
    there = (
        f"the nearest is {near[0]}"
        if near
        else f"there are: {some(sorted(names), 5)}"
        if names
        else "there is none at all"
    )
    return Finding(
        "no_monitor",
        f"{expectation.monitor_text} does not exist; in namespace {wanted['namespace']} {there}.",
        fix("Write the monitors of the catalogue again", snapshot.rerun),
    )


def _no_prometheus(expectation: Expectation, snapshot: Snapshot) -> Finding:
    return Finding(
        "no_prometheus",
        f"{expectation.monitor_text} exists, but the cluster has no Prometheus object that could take it in.",
        fix("Install the monitoring stack", snapshot.rerun),
    )


def _selected(
    item: Object, candidates: t.Sequence[Object], prometheuses: t.Sequence[Object], snapshot: Snapshot
) -> tuple[Object | None, Finding | None]:
    """The Prometheus object that selects a monitor, or why none does."""
    namespaces: t.Any = {}
    field = selector_field(item["kind"], namespaces=True)
    if any((candidate.get("spec") or {}).get(field) for candidate in candidates):
        namespaces = snapshot.fact("namespaces")
        if isinstance(namespaces, Finding):
            namespaces = None
    refusals = []
    for candidate in candidates:
        why = refusal(candidate, item, namespaces)
        if why is None:
            return candidate, None
        refusals.append((candidate, why))
    others = [place(p) for p in prometheuses if p not in candidates and refusal(p, item, namespaces) is None]
    elsewhere = f" It is selected by {some(others)}, which is not the one asked." if others else ""
    text = "; ".join(f"{place(candidate)}: {why.text}" for candidate, why in refusals)
    message = f"{item['kind']} {place(item)} is selected by no Prometheus asked: {text}.{elsewhere}"
    return None, Finding("monitor_not_selected", message, _selection_fix(item, *refusals[0], snapshot))


def _selection_fix(item: Object, prometheus: Object, why: t.Any, snapshot: Snapshot) -> str:
    kind, namespace, name = item["kind"], namespace_of(item), name_of(item)
    if why.namespace_labels:
        labels = [f"{key}={value}" for key, value in why.namespace_labels.items()]
        return fix(
            f"Label the namespace as Prometheus {place(prometheus)} asks",
            kubectl(None, "label", "namespace", namespace, *labels, "--overwrite"),
        )
    # One monitor that lacks the label is that monitor's fault; when all do, the selector is too narrow.
    listed = snapshot.facts.get(("monitors", kind, namespace))
    peers = [peer for peer in listed if name_of(peer) != name] if isinstance(listed, list) else []
    selected = any(refusal(prometheus, {**peer, "kind": kind}, None) is None for peer in peers)
    if why.labels and (selected or not peers):
        labels = [f"{key}={value}" for key, value in why.labels.items()]
        return fix(
            f"Give the monitor the label that Prometheus {place(prometheus)} asks for",
            kubectl(namespace, "label", kind.lower(), name, *labels, "--overwrite"),
        )
    # A merge patch cannot empty a selector by {}: what is in it has to be set to null.
    selector = (prometheus.get("spec") or {}).get(why.field) or {}
    opened = "{" + ",".join(f'"{key}":null' for key in selector) + "}"
    body = shlex.quote(f'{{"spec":{{"{why.field}":{opened}}}}}')
    return fix(
        f"Open the selector of Prometheus {place(prometheus)}, as day 1 does",
        f"kubectl -n {namespace_of(prometheus)} patch prometheus {name_of(prometheus)} --type merge -p {body}",
    )


def _loaded(
    expectation: Expectation, item: Object, pools: list[str], prometheus: Object, snapshot: Snapshot, now: float
) -> tuple[list[Finding], bool]:
    """Whether every replica runs the monitor as it is now, or why not."""
    missing: list[str] = []
    stale: list[str] = []
    lacking = set()
    for view in snapshot.views:
        for index, pool in enumerate(pools):
            job = view.job(pool)
            if job is None:
                missing.append(pool)
                lacking.add(view.name)
                continue
            parts = stale_parts(item, index, job, prometheus)
            if parts:
                lacking.add(view.name)
                stale.extend(f"{pool}: {part}" for part in parts)
    if not missing and not stale:
        return [], bool(snapshot.views)
    rejection = _rejected(expectation, item, prometheus, snapshot, missing)
    if rejection is not None:
        return [rejection], False
    code = "config_not_loaded" if missing else "config_stale"
    some_views = f" on {some(sorted(lacking))}" if 0 < len(lacking) < len(snapshot.views) else ""
    what = (
        f"Prometheus runs a configuration without {some(missing)}{some_views}"
        if missing
        else f"Prometheus still runs an older {expectation.monitor_text}{some_views}: {some(stale)}"
    )
    return [_why_not_loaded(code, what, item, prometheus, snapshot, now)], False


def _rejected(
    expectation: Expectation, item: Object, prometheus: Object, snapshot: Snapshot, missing: t.Sequence[str]
) -> Finding | None:
    own = own_rejection(item, prometheus)
    reason = f"endpoint {own[1]}: {own[0]}" if own and own[1] is not None else own[0] if own else None
    if reason is None:
        events = snapshot.fact("events", namespace_of(item))
        events = events if isinstance(events, list) else []
        reason = reported_rejection(item, events) if missing else None
    if reason is None:
        return None
    if drifted(expectation, item):
        remedy = restore(expectation)
    else:
        remedy = fix(
            f"Correct what is named in the catalogue's entry {expectation.name} or in its Secret; look at it with",
            kubectl(namespace_of(item), "get", item["kind"].lower(), name_of(item), "-o", "yaml"),
        )
    return Finding(
        "monitor_rejected", f"prometheus-operator rejects {item['kind']} {place(item)}: {reason.rstrip('.')}.", remedy
    )


def _why_not_loaded(code: str, what: str, item: Object, prometheus: Object, snapshot: Snapshot, now: float) -> Finding:
    """The most upstream reason for a configuration that is not the current one."""
    owner = place(prometheus)
    if (prometheus.get("spec") or {}).get("paused"):
        return Finding(
            "prometheus_paused",
            f"{what}, because Prometheus {owner} is paused: the operator leaves it as it is.",
            fix(
                "Let the operator work again",
                f"kubectl -n {namespace_of(prometheus)} patch prometheus {name_of(prometheus)} --type merge "
                '-p \'{"spec":{"paused":false}}\'',
            ),
        )
    changed = [time for time in (changed_at(item), changed_at(prometheus)) if time is not None]
    since = now - max(changed) if changed else 0.0
    operator = _operator_finding(what, item, snapshot, now, since)
    if operator is not None:
        return operator
    fault = not_reconciled(prometheus)
    if fault is not None:
        return Finding(
            "prometheus_not_reconciled",
            f"{what}, because the operator cannot bring about Prometheus {owner}: {fault.rstrip('.')}.",
            fix(
                "Correct what is named",
                kubectl(namespace_of(prometheus), "describe", "prometheus", name_of(prometheus)),
            ),
            patience=30.0,
        )
    bad = [server for view in snapshot.views for server in view.servers if server.reload_ok is False]
    if bad:
        where = bad[0].pod or (namespace_of(prometheus), f"prometheus-{name_of(prometheus)}-0")
        return Finding(
            "reload_failed",
            f"{what}, because {some(server.name for server in bad)} could not load the new configuration and keeps the "
            f"old one of {format_time(bad[0].config_time)}.",
            fix("Read what is wrong with it", kubectl(where[0], "logs", where[1], "-c", "prometheus", "--tail=50")),
            patience=30.0,
        )
    server = next((server for view in snapshot.views for server in view.servers), None)
    where = server.pod if server and server.pod else (namespace_of(prometheus), f"prometheus-{name_of(prometheus)}-0")
    return Finding(
        code,
        f"{what}; the monitor was changed {format_age(since)} ago, the configuration was loaded at "
        f"{format_time(server.config_time if server else None)}.",
        fix(
            "Read why the new one does not arrive",
            kubectl(where[0], "logs", where[1], "-c", "config-reloader", "--tail=50"),
        ),
        patience=30.0 if since > PROPAGATION_SECONDS else FOREVER,
    )


def _operator_finding(what: str, item: Object, snapshot: Snapshot, now: float, since: float) -> Finding | None:
    state = snapshot.fact("operator")
    if not isinstance(state, dict):
        return None
    operator = operator_of(state["deployments"])
    if operator is None:
        return Finding(
            "operator_not_running",
            f"{what}, and no Deployment runs prometheus-operator in this cluster.",
            fix("Install the monitoring stack", snapshot.rerun),
            # It may run elsewhere, and the change be on its way.
            patience=0.0 if since > PROPAGATION_SECONDS else FOREVER,
        )
    ignored = operator_ignores(operator, namespace_of(item))
    if ignored is not None:
        return Finding(
            "monitor_not_selected",
            f"{what}: the operator {place(operator)} runs with {ignored} and does not look at namespace "
            f"{namespace_of(item)}.",
            fix("Change its arguments", kubectl(namespace_of(operator), "edit", "deployment", name_of(operator))),
        )
    pods = state["pods"]
    if any(is_ready(pod) for pod in pods):
        return None
    scaled = (operator.get("spec") or {}).get("replicas", 1) == 0
    if scaled:
        why = "asks for 0 replicas"
        remedy = fix(
            "Start it", kubectl(namespace_of(operator), "scale", "deployment", name_of(operator), "--replicas=1")
        )
    else:
        found = [(pod, trouble(pod, now)) for pod in pods]
        why = "; ".join(f"Pod {name_of(pod)} {why.text}" for pod, why in found if why) or "has no Pod"
        remedy = fix("Repair it", kubectl(namespace_of(operator), "describe", "deployment", name_of(operator)))
    return Finding(
        "operator_not_running",
        f"{what}, because the operator does not run: Deployment {place(operator)} {why}.",
        remedy,
        patience=0.0 if scaled else 20.0,
    )
