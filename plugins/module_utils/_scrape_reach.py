# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""From the monitor to the Pods: what its selector, its ports and the EndpointSlices lead to.

This module util is PRIVATE to the collection. Pure functions over a snapshot.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import selector_text, selects
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_fixes import (
    entry_line,
    fix,
    kubectl,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import (
    ENDPOINTS_KEY,
    FOREVER,
    Expectation,
    Finding,
    Object,
    Snapshot,
    some,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_pods import (
    CRASH_SECONDS,
    name_of,
    trouble,
    trouble_fix,
    workload_without_pods,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_ports import (
    Context,
    Objects,
    no_container_port,
    no_port,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_services import (
    Address,
    addresses,
    by_uid,
    declares,
    differences,
    labels_of,
    namespace_of,
    nearest,
    place,
    pod_addresses,
    pods_behind,
    selected_pods,
    services_with_port,
    target_port,
)


class Reach(t.NamedTuple):
    """Where a monitor leads.

    :param addresses: by endpoint index; None when the objects are not known.
    :param pods: the Pods known, by UID.
    """

    addresses: list[list[Address]] | None
    findings: list[Finding]
    pods: dict[str, Object]


def namespaces_of(expectation: Expectation, item: Object | None, prometheus: Object | None) -> list[str]:
    """The namespaces in which a monitor looks for targets; C(["*"]) for all of them."""
    own = namespace_of(item) if item else (expectation.monitor or {}).get("namespace", "default")
    if prometheus and (prometheus.get("spec") or {}).get("ignoreNamespaceSelectors"):
        return [own]
    if item is None:
        return list(expectation.namespaces) or [own]
    selector = (item.get("spec") or {}).get("namespaceSelector") or {}
    if selector.get("any"):
        return ["*"]
    return list(selector.get("matchNames") or [own])


def gather(snapshot: Snapshot, namespaces: t.Sequence[str]) -> Objects | Finding | None:
    """The objects of several namespaces; a finding when one may not be read, None while they are not known."""
    found = Objects([], [], [])
    parts = [snapshot.fact("objects", namespace) for namespace in namespaces]
    for part in parts:
        if isinstance(part, Finding):
            return part
        if part is None:
            return None
        found.services.extend(part["services"])
        found.slices.extend(part["slices"])
        found.pods.extend(part["pods"])
    return found


def examine(
    expectation: Expectation, item: Object | None, prometheus: Object | None, snapshot: Snapshot, now: float
) -> Reach:
    """What the live monitor, or for want of one the entry, leads to."""
    kind = (expectation.monitor or {}).get("kind", "ServiceMonitor")
    if kind not in ENDPOINTS_KEY:
        return Reach(None, [], {})
    namespaces = namespaces_of(expectation, item, prometheus)
    objects = gather(snapshot, namespaces)
    if isinstance(objects, Finding):
        return Reach(None, [objects], {})
    if objects is None:
        return Reach(None, [], {})
    spec = (item or {}).get("spec") or {}
    selector = (spec.get("selector") or {}) if item else expectation.selector
    endpoints = list(spec.get(ENDPOINTS_KEY[kind]) or []) if item else list(expectation.endpoints)
    where = "any namespace" if namespaces == ["*"] else f"namespace {', '.join(namespaces)}"
    context = Context(expectation, item, snapshot, selector, endpoints, where, objects, by_uid(objects.pods), now)
    return _pod_monitor(context) if kind == "PodMonitor" else _service_monitor(context)


def _service_monitor(c: Context) -> Reach:
    services = [service for service in c.objects.services if selects(c.selector, labels_of(service))]
    if not services:
        return Reach([[]] * len(c.endpoints), [_no_service(c)], c.pods)
    findings: list[Finding] = []
    reached: list[list[Address]] = []
    for index, endpoint in enumerate(c.endpoints):
        fitting = services_with_port(endpoint, services, c.pods, c.objects.slices)
        found = addresses(endpoint, fitting, c.objects.slices, c.pods)
        reached.append(found)
        if found:
            continue
        # A port of the container can only be looked for where there are Pods.
        behind = [pod for service in services for pod in pods_behind(service, c.objects.slices, c.pods)]
        if not fitting and (target_port(endpoint) is None or behind):
            findings.append(no_port(c, index, endpoint, services, behind))
        else:
            findings.append(_no_endpoints(c, fitting or services))
    return Reach(reached, list(dict.fromkeys(findings)), c.pods)


def _no_service(c: Context) -> Finding:
    name = c.expectation.name
    asked = selector_text(c.selector) or "anything"
    near = nearest(c.selector, name, c.objects.services)
    alike = near is not None and bool((c.selector.get("matchLabels") or {}).items() & labels_of(near).items())
    if c.expectation.exporter is not None and not alike:
        return Finding(
            "exporter_missing",
            f"The exporter of {name} is not there: no Service in {c.where} has the labels {asked}.",
            fix("Install the exporters of the catalogue", c.snapshot.rerun),
        )
    if near is None:
        there = some(sorted(place(service) for service in c.objects.services), 5)
        message = f"No Service in {c.where} has the labels {asked}; there is {there or 'no Service at all'}."
        return Finding("no_service_matches", message, _look(c, "services"))
    message = (
        f"No Service in {c.where} has the labels {asked}. The nearest is Service {place(near)}: "
        f"{'; '.join(differences(c.selector, labels_of(near)))}."
    )
    labels = _telling_labels(near)
    if not labels:
        wanted = [f"{key}={value}" for key, value in (c.selector.get("matchLabels") or {}).items()]
        remedy = fix(
            "Label that Service", kubectl(namespace_of(near), "label", "service", name_of(near), *wanted, "--overwrite")
        )
        return Finding("no_service_matches", message, remedy)
    return Finding("no_service_matches", message, entry_line(c.expectation, "selector", labels, "name that Service"))


def _look(c: Context, what: str) -> str:
    """Nothing is near: of the collection's own stack, which lives where the monitors do, it has to be installed."""
    own = {(c.expectation.monitor or {}).get("namespace")}
    if set(c.expectation.namespaces) == own:
        return fix("It belongs to the monitoring stack; install it again", c.snapshot.rerun)
    return fix(f"Look which {what} are meant", kubectl(None, "get", what, "-A", "--show-labels"))


def _telling_labels(service: Object) -> dict[str, str]:
    """The labels by which people select a Service: its name, and where it is there the component."""
    labels = labels_of(service)
    for key in ("app.kubernetes.io/name", "app", "k8s-app", "name"):
        if key in labels:
            found = {key: labels[key]}
            for more in ("app.kubernetes.io/component", "component"):
                if more in labels:
                    found[more] = labels[more]
            return found
    own = {key: value for key, value in labels.items() if not key.startswith(("helm.sh/", "app.kubernetes.io/managed"))}
    return dict(sorted(own.items())[:2])


def _no_endpoints(c: Context, services: list[Object]) -> Finding:
    """The Services are right, but no Pod that runs stands behind them."""
    which = some(place(service) for service in services)
    kind = (services[0].get("spec") or {}).get("type")
    if kind == "ExternalName":
        return Finding(
            "no_ready_endpoints",
            f"Service {which} is of type ExternalName: it has no endpoints that Prometheus could discover.",
            fix("Scrape it with a ScrapeConfig or a Probe instead; see", kubectl(None, "explain", "scrapeconfig.spec")),
        )
    pods = [pod for service in services for pod in selected_pods(service, c.objects.pods)]
    return without_endpoints(f"Service {which}", services[0], pods, c.snapshot, c.now)


def without_endpoints(what: str, service: Object, pods: list[Object], snapshot: Snapshot, now: float) -> Finding:
    """Why nothing runs behind a Service: its Pods' trouble, or the workload that creates none."""
    found = [(pod, trouble(pod, now)) for pod in pods]
    bad = [(pod, why) for pod, why in found if why is not None]
    if bad:
        text = some(f"Pod {name_of(pod)} {why.text}" for pod, why in bad)
        pod, why = next(((p, w) for p, w in bad if w.hard), bad[0])
        wait = CRASH_SECONDS if why.hard else FOREVER
        return Finding("no_ready_endpoints", f"{what} has no Pod that runs: {text}.", trouble_fix(pod, why), wait)
    if pods:
        # All Pods are well, only the EndpointSlice lags.
        message = f"{what} has no endpoint yet, though Pod {name_of(pods[0])} is ready."
        remedy = fix(
            "Look at its EndpointSlices",
            kubectl(
                namespace_of(service), "get", "endpointslices", "-l", f"kubernetes.io/service-name={name_of(service)}"
            ),
        )
        return Finding("no_ready_endpoints", message, remedy, 30.0)
    selector = (service.get("spec") or {}).get("selector") or {}
    workloads = snapshot.fact("workloads", namespace_of(service))
    empty = workload_without_pods(workloads, selector) if isinstance(workloads, list) else None
    if empty is not None:
        return Finding("no_ready_endpoints", f"{what} has no Pod: {empty[0]}.", empty[1], 10.0)
    asked = selector_text({"matchLabels": selector}) or "it asks for (it has no selector)"
    return Finding(
        "no_ready_endpoints",
        f"{what} has no Pod: none in namespace {namespace_of(service)} has the labels {asked}.",
        fix(
            "Compare its selector with the Pods' labels", kubectl(namespace_of(service), "get", "pods", "--show-labels")
        ),
        10.0,
    )


def _pod_monitor(c: Context) -> Reach:
    selected = [pod for pod in c.objects.pods if selects(c.selector, labels_of(pod))]
    asked = selector_text(c.selector) or "anything"
    if not selected:
        near = nearest(c.selector, c.expectation.name, c.objects.pods)
        message = f"No Pod in {c.where} has the labels {asked}."
        if near is None:
            remedy = _look(c, "pods")
        else:
            message += f" The nearest is Pod {place(near)}: {'; '.join(differences(c.selector, labels_of(near)))}."
            remedy = entry_line(c.expectation, "selector", _telling_labels(near), "name these Pods")
        return Reach([[]] * len(c.endpoints), [Finding("no_pod_matches", message, remedy, 10.0)], c.pods)
    reached, findings = [], []
    for index, endpoint in enumerate(c.endpoints):
        found = pod_addresses(endpoint, selected)
        reached.append(found)
        wanted = endpoint.get("port") or target_port(endpoint)
        if found:
            continue
        if wanted and not any(declares(pod, wanted) for pod in selected):
            findings.append(no_container_port(c, index, wanted, selected))
            continue
        bad = [(pod, why) for pod, why in ((pod, trouble(pod, c.now)) for pod in selected) if why]
        if bad:
            text = some(f"Pod {name_of(pod)} {why.text}" for pod, why in bad)
            findings.append(
                Finding("no_ready_endpoints", f"No selected Pod runs: {text}.", trouble_fix(*bad[0]), FOREVER)
            )
    return Reach(reached, findings, c.pods)
