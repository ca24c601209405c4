# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which Prometheus takes a monitor in, and for what reason the operator leaves it out.

This module util is PRIVATE to the collection. Pure functions over Kubernetes objects. The rules are
prometheus-operator's, pkg/prometheus/resource_selector.go and pkg/operator/operator.go (SelectNamespacesFromCache).
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import selector_text, selects
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import parse_time
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import (
    ENDPOINTS_KEY,
    FOREVER,
    Labels,
    Object,
    duration,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_pods import condition, name_of
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_services import (
    differences,
    labels_of,
    namespace_of,
    place,
)

_SELECTOR_KEY = {
    "ServiceMonitor": "serviceMonitorSelector",
    "PodMonitor": "podMonitorSelector",
    "Probe": "probeSelector",
    "ScrapeConfig": "scrapeConfigSelector",
    "PrometheusRule": "ruleSelector",
}


class Refusal(t.NamedTuple):
    """Why a Prometheus object does not select a monitor.

    :param text: what it asks for and what the monitor has. :param field: the field of its spec.
    :param labels: labels that would satisfy it, None when no label of the monitor would.
    :param namespace_labels: labels that the monitor's namespace lacks, None when the namespace is not the reason.
    """

    text: str
    field: str
    labels: dict[str, str] | None = None
    namespace_labels: dict[str, str] | None = None


def selector_field(kind: str, namespaces: bool = False) -> str:
    """The field of the Prometheus object that selects monitors of a kind, or their namespaces."""
    key = _SELECTOR_KEY[kind]
    return key.replace("Selector", "NamespaceSelector") if namespaces else key


def refusal(prometheus: Object, monitor: Object, namespaces: t.Mapping[str, Labels] | None) -> Refusal | None:
    """Why a Prometheus object does not select a monitor, None when it does.

    :param namespaces: labels of the namespaces; None when they may not be read (a selector on them is then taken to
        match, so that nothing is claimed that is not known).
    """
    spec, kind = prometheus.get("spec") or {}, monitor.get("kind", "ServiceMonitor")
    field = selector_field(kind)
    selector = spec.get(field)
    if selector is None:
        return Refusal(f"{field} is not set, which selects nothing", field)
    if not selects(selector, labels_of(monitor)):
        wanted = dict(selector.get("matchLabels") or {})
        for rule in selector.get("matchExpressions") or []:
            if rule.get("operator") == "In" and rule.get("values"):
                wanted.setdefault(rule["key"], rule["values"][0])
        fits = wanted and selects(selector, {**labels_of(monitor), **wanted})
        missing = {key: value for key, value in wanted.items() if labels_of(monitor).get(key) != value}
        return Refusal(
            f"{field} asks for {selector_text(selector)} ({'; '.join(differences(selector, labels_of(monitor)))})",
            field,
            missing if fits else None,
        )
    field = selector_field(kind, namespaces=True)
    selector, own = spec.get(field), namespace_of(monitor)
    if selector is None:
        if own == namespace_of(prometheus):
            return None
        return Refusal(f"{field} is not set, which selects only its own namespace {namespace_of(prometheus)}", field)
    if not selector or namespaces is None or own not in namespaces or selects(selector, namespaces[own]):
        return None
    text = "; ".join(differences(selector, namespaces[own]))
    wanted = {k: v for k, v in (selector.get("matchLabels") or {}).items() if namespaces[own].get(k) != v}
    return Refusal(
        f"{field} asks for {selector_text(selector)} (on namespace {own} {text})", field, None, wanted or None
    )


def asked_prometheus(prometheuses: t.Sequence[Object], pods: t.Iterable[tuple[str, str]]) -> list[Object]:
    """Of the Prometheus objects, those whose Pods are asked; all of them when that cannot be told (asked by URL)."""
    pods = list(pods)
    found = [
        item
        for item in prometheuses
        for namespace, pod in pods
        if namespace == namespace_of(item)
        and re.fullmatch(rf"prometheus-{re.escape(name_of(item))}(-shard-\d+)?-\d+", pod)
    ]
    unique = {place(item): item for item in found}
    return list(unique.values()) or list(prometheuses)


def changed_at(item: Object) -> float | None:
    """Unix time of the last change of an object, its status left aside."""
    meta = item.get("metadata") or {}
    times = [parse_time(meta.get("creationTimestamp"))]
    times += [parse_time(f.get("time")) for f in meta.get("managedFields") or [] if f.get("subresource") != "status"]
    known = [time for time in times if time is not None]
    return max(known) if known else None


def reported_rejection(monitor: Object, events: t.Sequence[Object]) -> str | None:
    """Why the operator says it rejects a monitor: from C(status.bindings), else from a Warning event since its change.

    The status needs the operator's gate StatusForConfigurationResources; the event (InvalidConfiguration) does not.
    """
    for binding in (monitor.get("status") or {}).get("bindings") or []:
        for item in binding.get("conditions") or []:
            generation = item.get("observedGeneration")
            current = generation is None or generation == (monitor.get("metadata") or {}).get("generation")
            if item.get("type") == "Accepted" and item.get("status") == "False" and current:
                return str(item.get("message") or item.get("reason"))
    since = changed_at(monitor)
    newest: tuple[float, str] | None = None
    for event in events:
        about = event.get("involvedObject") or event.get("regarding") or {}
        if (about.get("kind"), about.get("name")) != (monitor.get("kind"), name_of(monitor)):
            continue
        if event.get("reason") != "InvalidConfiguration":
            continue
        series = event.get("series") or {}
        seen = [
            event.get("lastTimestamp"),
            series.get("lastObservedTime"),
            event.get("eventTime"),
            event.get("firstTimestamp"),
        ]
        when = max([parse_time(text) or 0.0 for text in seen])
        # Events have whole seconds only.
        if when and since is not None and when + 1 < since:
            continue
        if newest is None or when > newest[0]:
            newest = (when, str(event.get("message") or event.get("note") or "invalid configuration"))
    if newest is None:
        return None
    return re.sub(r'^"[^"]*" was rejected due to invalid configuration: ', "", newest[1])


def own_rejection(monitor: Object, prometheus: Object) -> tuple[str, int | None] | None:
    """Why the operator must reject a monitor, by those of its rules that need no Secret, with the endpoint's index."""
    spec, running = monitor.get("spec") or {}, prometheus.get("spec") or {}
    scrape_class = spec.get("scrapeClass")
    if scrape_class and scrape_class not in [item.get("name") for item in running.get("scrapeClasses") or []]:
        return f'scrapeClass "{scrape_class}" is not one of {place(prometheus)}', None
    for index, endpoint in enumerate(spec.get(ENDPOINTS_KEY.get(monitor.get("kind", ""), ""), []) or []):
        timeout, interval = (
            endpoint.get("scrapeTimeout"),
            endpoint.get("interval") or running.get("scrapeInterval") or "30s",
        )
        if timeout and duration(timeout, 0) > duration(interval, FOREVER):
            return f"scrapeTimeout {timeout} is longer than the interval {interval}", index
        for key in ("relabelings", "metricRelabelings"):
            for number, rule in enumerate(endpoint.get(key) or []):
                fault = _relabel_fault(rule)
                if fault:
                    return f"{key}[{number}]: {fault}", index
        if (running.get("arbitraryFSAccessThroughSMs") or {}).get("deny"):
            tls = endpoint.get("tlsConfig") or {}
            if endpoint.get("bearerTokenFile") or any(tls.get(key) for key in ("caFile", "certFile", "keyFile")):
                return "it reads files, which arbitraryFSAccessThroughSMs.deny forbids", index
    return None


def _relabel_fault(rule: Object) -> str | None:
    action = str(rule.get("action") or "replace").lower()
    if action == "hashmod" and not rule.get("modulus"):
        return "hashmod needs a modulus"
    if action in ("replace", "hashmod", "lowercase", "uppercase", "keepequal", "dropequal") and not rule.get(
        "targetLabel"
    ):
        return f"{action} needs a targetLabel"
    try:
        re.compile(str(rule.get("regex") or ""))
    except re.error as error:
        # What Python refuses RE2 may take: only what both refuse is said.
        if any(word in str(error) for word in ("unterminated", "unbalanced", "missing )", "nothing to repeat")):
            return f"regex {rule.get('regex')} does not compile: {error}"
    return None


def not_reconciled(prometheus: Object) -> str | None:
    """Why the operator could not bring about what the Prometheus object asks for, None when it did."""
    found = condition(prometheus, "Reconciled")
    if found.get("status") != "False":
        return None
    return str(found.get("message") or found.get("reason") or "no reason told")


def operator_of(deployments: t.Sequence[Object]) -> Object | None:
    """The Deployment that runs prometheus-operator, told by its image."""
    for item in deployments:
        pod = ((item.get("spec") or {}).get("template") or {}).get("spec") or {}
        for container in pod.get("containers") or []:
            if re.search(r"(^|/)prometheus-operator(:|@|$)", str(container.get("image"))):
                return item
    return None


def operator_ignores(operator: Object, namespace: str) -> str | None:
    """The argument by which an operator leaves a namespace alone, None when it watches it."""
    pod = ((operator.get("spec") or {}).get("template") or {}).get("spec") or {}
    for container in pod.get("containers") or []:
        for argument in container.get("args") or []:
            name, _equals, value = str(argument).lstrip("-").partition("=")
            listed = [item for item in value.split(",") if item]
            if name == "namespaces" and listed and namespace not in listed:
                return f"--namespaces={value}"
            if name == "deny-namespaces" and namespace in listed:
                return f"--deny-namespaces={value}"
    return None
