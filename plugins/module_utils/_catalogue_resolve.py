# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Resolve the catalogue: entry + pack + cluster become plain data that roles and verdicts consume.

The entries must have passed _catalogue_validate. Nothing is read from anywhere: the cluster comes as data.
This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _catalogue_ports as ports
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _catalogue_probes as probes
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import (
    MONITORING_NAMESPACE,
    Entry,
    Faults,
    as_selector,
    merge,
    plain,
    selector_text,
    substitute_all,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue_endpoints import wanted_endpoints
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue_exporters import (
    resolve_exporter,
    target_service,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue_state import Decider
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue_validate import monitor_kind
from ansible_collections.dataplatform.monitoring.plugins.module_utils._endpoint_schema import suggest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._packs import BASE_KIND, Packs

# Keys where the entry's word replaces the pack's.
_REPLACED = ("health", "must_have", "min_samples", "drop", "business_metrics", "panels")


def resolve(
    services: Any,
    packs: Packs,
    cluster: Any,
    namespace: str,
    *,
    now: str,
    cluster_name: str = "",
    exporters: bool | Iterable[str] = False,
    forget: Iterable[str] = (),
    kubernetes: bool = True,
    monitor_labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The resolved catalogue: ``{cluster, namespace, entries, prober, notes, faults}``; entries in the order written.

    :param services: ``monitoring_services``, already validated.
    :param cluster: ``cluster`` as returned by dataplatform.monitoring.cluster_info; empty when there is none.
    :param namespace: the monitoring namespace.
    :param now: UTC time of this run (RFC 3339), for decisions made by it.
    :param cluster_name: value of the ``cluster`` label.
    :param exporters: True, or kinds, whose exporters this play deploys; others are pending until they exist.
    :param forget: names of entries whose remembered decision does not count.
    :param kubernetes: False when Prometheus runs without Kubernetes.
    :param monitor_labels: labels every monitor gets beside ours.

    ``faults`` are sentences about what the cluster makes impossible; whoever deploys must refuse them, whoever only
    judges may go on: such an entry is resolved as well as possible, and its verdict will be red.
    ``prober`` is None until there is one; an entry for it is added when somebody is probed and none was written.
    """
    cluster = plain(cluster) if isinstance(cluster, Mapping) else {}
    services = plain(services)
    faults, notes = Faults(), []
    decide = Decider(cluster, namespace, now, exporters, forget, notes)
    if kubernetes and cluster.get("services") is None:
        notes.append(
            "The Services of the cluster are not known: ports and optional entries are taken as they are written."
        )
    modules = probes.modules_of(packs.get(probes.KIND)) if packs.known(probes.KIND) else {}
    prober = None

    def resolved_of(entry: Entry) -> Entry:
        pack = packs.get(entry.get("kind", BASE_KIND))
        if not kubernetes:
            return _resolve_plain(entry, pack, namespace, decide)
        labels = monitor_labels or {}
        return _resolve_entry(entry, pack, cluster, namespace, decide, labels, faults, notes, modules)

    entries = [resolved_of(entry) for entry in services]
    if kubernetes and modules:
        if probes.probed(entries) and not any(entry["kind"] == probes.KIND for entry in entries):
            own = resolved_of({"name": probes.NAME, "kind": probes.KIND, "exporter": {}})
            # day 1 deploys none, and has nothing to say about it
            entries += [own] if own["state"] == "present" else []
        prober, more = probes.connect(entries, cluster, packs.get(probes.KIND))
        notes += more
    return {
        "cluster": cluster_name,
        "namespace": namespace,
        "entries": entries,
        "prober": prober,
        "notes": notes,
        "faults": faults.sentences,
    }


def _pack_namespace(pack: Mapping[str, Any], namespace: str) -> str | None:
    usual = pack.get("namespace")
    return namespace if usual == MONITORING_NAMESPACE else usual


def _common(entry: Entry, pack: Mapping[str, Any], namespace: str) -> Entry:
    """What does not depend on a cluster."""
    resolved = {
        "name": entry["name"],
        "kind": entry.get("kind", BASE_KIND),
        "description": entry.get("description", ""),
        "namespace": entry.get("namespace") or _pack_namespace(pack, namespace),
        "optional": entry.get("optional", False),
        "adopt": entry.get("adopt", pack.get("adopt", False)),
        "team": entry.get("team", ""),
        "severity": entry.get("severity", pack.get("severity", "critical")),
        "min_targets": entry.get("min_targets", pack.get("min_targets", 1)),
        "logs": entry.get("logs", pack.get("logs", True)),
        "previous_names": entry.get("previous_names", []),
        "slo": merge(pack.get("slo") or {}, entry["slo"]) if entry.get("slo") else None,
        "sli": pack.get("sli"),
        "probe": probes.wanted_probe(entry, pack),
    }
    defaults = {"min_samples": 1}
    for key in _REPLACED:
        resolved[key] = entry.get(key, pack.get(key, defaults.get(key, [])))
    return resolved


def _finish(resolved: Entry, entry: Entry, pack: Mapping[str, Any], namespace: str) -> Entry:
    """Alerts merged, and every token replaced that has a value."""
    job = resolved["job"]
    exporter = resolved.get("exporter") or {}
    tokens = {
        "selector": f'job="{job}"' if job else None,
        "job": job,
        "name": resolved["name"],
        "namespace": resolved["namespace"],
        "min_targets": resolved["min_targets"],
        "severity": resolved["severity"],
        "monitoring_namespace": namespace,
        # where the targets are, and how kubectl -l finds what belongs to them
        "target_namespace": (resolved["namespaces"] or [namespace])[0],
        "service_labels": selector_text(resolved["selector"]),
        "exporter": exporter.get("name"),
        "credentials_secret": exporter.get("credentials_secret"),
    }
    alerts, disabled = {}, []
    overrides = entry.get("alerts") or {}
    for name, alert in (pack.get("alerts") or {}).items():
        merged = merge(alert, overrides.get(name) or {})
        if merged.pop("enabled", True) is False:
            disabled.append(name)
            continue
        merged.pop("tests", None)
        alerts[name] = substitute_all(merged, {**tokens, "threshold": _number(merged.get("threshold"))})
    resolved["alerts"], resolved["alerts_disabled"] = alerts, disabled
    for key in ("health", "business_metrics", "panels", "sli", "slo"):
        resolved[key] = substitute_all(resolved[key], tokens)
    return resolved


def _number(value: Any) -> str | None:
    # PromQL has no thousands separator and no True; 0.1 must not become 0.1000000000000000055
    return None if value is None else repr(value)


def _resolve_plain(entry: Entry, pack: Mapping[str, Any], namespace: str, decide: Decider) -> Entry:
    """Prometheus without Kubernetes: targets are expected by their job, nothing is made."""
    resolved = _common(entry, pack, namespace)
    resolved.update(
        job=entry.get("job", entry["name"]),
        state="adopted",
        reason="Prometheus runs without Kubernetes: its own configuration scrapes this",
        adopt=True,
        monitor=None,
        monitor_namespace=None,
        monitor_name=None,
        selector={},
        namespaces=[],
        endpoints=[],
        spec={},
        labels={},
        targets=[],
        exporter=None,
        probe=None,
    )
    resolved["since"] = decide.since(resolved["name"], "adopted")
    return _finish(resolved, entry, pack, namespace)


def _resolve_entry(
    entry: Entry,
    pack: Mapping[str, Any],
    cluster: Mapping[str, Any],
    namespace: str,
    decide: Decider,
    monitor_labels: Mapping[str, str],
    faults: Faults,
    notes: list[str],
    modules: Mapping[str, Any],
) -> Entry:
    resolved = _common(entry, pack, namespace)
    name, home = resolved["name"], resolved["namespace"] or namespace
    exporter = resolve_exporter(entry, pack, namespace) if "exporter" in entry else None
    kind = monitor_kind(entry, pack)
    resolved["namespace"] = home
    resolved.update(
        job=name,
        exporter=exporter,
        targets=entry.get("targets", []),
        spec=merge(pack.get("spec") or {}, entry.get("spec") or {}),
        selector=as_selector(entry.get("selector", pack.get("selector"))),
        namespaces=[home],
        monitor=kind,
        monitor_name=name,
        monitor_namespace=entry.get("monitor_namespace", home),
        endpoints=[],
        labels={**monitor_labels, **entry.get("labels", {})},
    )
    if exporter is not None:
        resolved.update(selector={"matchLabels": exporter["selector"]}, namespaces=[namespace])
        resolved["monitor_namespace"] = entry.get("monitor_namespace", namespace)
    elif kind == "ScrapeConfig":
        resolved.update(selector={}, namespaces=[], monitor_namespace=entry.get("monitor_namespace", namespace))
    if resolved["adopt"]:
        resolved.update(job=entry.get("job", pack.get("job")), monitor=None, monitor_name=None, monitor_namespace=None)
    decide.state(resolved, target_service(exporter))
    if resolved["state"] == "present":
        notes += _exporter_notes(resolved, cluster)
    if not resolved["adopt"] and resolved["state"] in ("present", "pending"):
        _check_namespace(resolved, cluster, namespace, faults)
        wanted = wanted_endpoints(entry, exporter or pack, kind) or ([{}] if kind == "ScrapeConfig" else [])
        resolved["endpoints"] = _endpoints(resolved, wanted, cluster, faults, notes)
    if resolved["probe"] is not None:
        resolved["probe"]["url"] = probes.find_url(resolved, cluster, modules)
    return _finish(resolved, entry, pack, namespace)


def _exporter_notes(resolved: Entry, cluster: Mapping[str, Any]) -> list[str]:
    """That the exporter's host is no Service, when it looks like one; what Services of that namespace are called."""
    target, services = target_service(resolved["exporter"]), cluster.get("services")
    if target is None or services is None or any((one["namespace"], one["name"]) == target for one in services):
        return []
    names = [one["name"] for one in services if one["namespace"] == target[0]]
    near = suggest(target[1], names, "there are") if names else "nor any other"
    return [f"{resolved['name']}: exporter.host: there is no Service {target[0]}/{target[1]} ({near})."]


def _check_namespace(resolved: Entry, cluster: Mapping[str, Any], namespace: str, faults: Faults) -> None:
    there = cluster.get("namespaces")
    if not isinstance(there, list) or not there:
        return
    for key, value in (("namespace", resolved["namespace"]), ("monitor_namespace", resolved["monitor_namespace"])):
        if value != namespace and value not in there:
            faults.add(
                resolved["name"],
                key,
                f"the cluster has no namespace {value}",
                suggest(value, there, "there are")
                + ("" if resolved["optional"] else " (or set optional: true if it may be absent)"),
            )
            return


def _endpoints(
    resolved: Entry, wanted: list[dict[str, Any]], cluster: Mapping[str, Any], faults: Faults, notes: list[str]
) -> list[dict[str, Any]]:
    """The endpoints as the CRD wants them: ports resolved, job label set, unwanted metrics dropped."""
    name, kind = resolved["name"], resolved["monitor"]
    finder = _port_finder(resolved, cluster)
    result = []
    for number, endpoint in enumerate(wanted):
        path = f"endpoints[{number}].port"
        found = finder(endpoint) if kind != "ScrapeConfig" else ports.Resolved(dict(endpoint))
        if found.fault is not None:
            faults.add(name, path, *found.fault)
        if found.note is not None:
            notes.append(f"{name}: {path}: {found.note}.")
        done = found.endpoint
        done["relabelings"] = [
            *done.get("relabelings", []),
            {"action": "replace", "targetLabel": "job", "replacement": name},
        ]
        if resolved["drop"]:
            rule = {"action": "drop", "sourceLabels": ["__name__"], "regex": "|".join(resolved["drop"])}
            done["metricRelabelings"] = [*done.get("metricRelabelings", []), rule]
        result.append(done)
    return result


def _port_finder(resolved: Entry, cluster: Mapping[str, Any]) -> Callable[[dict[str, Any]], ports.Resolved]:
    selector, namespaces = resolved["selector"], resolved["namespaces"]
    services, pods = cluster.get("services"), cluster.get("pods")
    if resolved["monitor"] == "PodMonitor":
        key, what = "portNumber", "Pod"
        found = ports.matching(pods, namespaces, selector)
        if found:
            return lambda endpoint: ports.resolve_pod_port(endpoint, found)
    else:
        key, what = "targetPort", "Service"
        found = ports.matching(services, namespaces, selector)
        if found:
            behind = ports.pods_behind(found, pods)
            return lambda endpoint: ports.resolve_service_port(endpoint, found, behind)
    why = f"no {what} in {', '.join(namespaces)} has the labels {selector_text(selector)} yet"
    if (pods if what == "Pod" else services) is None:
        why = f"the {what}s of the cluster are not known"
    return lambda endpoint: _unknown(endpoint, key, why)


def _unknown(endpoint: Mapping[str, Any], key: str, why: str) -> ports.Resolved:
    """Nothing to resolve a number against: the container port is the best reading of it, and that is said."""
    port = endpoint.get("port")
    if not isinstance(port, int):
        # a name needs nothing to resolve it; that nothing is there is the verdict's to say
        return ports.Resolved(dict(endpoint))
    done = {(key if name == "port" else name): value for name, value in endpoint.items()}
    note = f"{why}, so {port} is taken for a declared container port ({key}); run again when that has changed"
    return ports.Resolved(done, note=note)
