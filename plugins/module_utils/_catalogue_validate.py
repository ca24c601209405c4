# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Validate ``monitoring_services``: every fault of every entry at once, one sentence each, before anything is changed.

What can be said without a cluster is said here. What needs one (does the port exist?) is resolution's.
This module util is private to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _boards_schema, _packs
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _catalogue_schema as schemas
from ansible_collections.dataplatform.monitoring.plugins.module_utils._boards_files import ORDER as BOARDS
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import (
    Faults,
    as_selector,
    plain,
    tokens_in,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue_checks import CHECKS
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue_endpoints import (
    check_endpoints,
    wanted_endpoints,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue_exporters import LONGEST_NAME
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue_probes import KIND as PROBER
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue_probes import check_probe
from ansible_collections.dataplatform.monitoring.plugins.module_utils._endpoint_schema import check, suggest, type_of
from ansible_collections.dataplatform.monitoring.plugins.module_utils._slo_validate import check_slo

VARIABLE = "monitoring_services"
# Keys of a monitor's spec that the entry says in its own words.
_DERIVED_SPEC = {
    "selector": "selector",
    "namespaceSelector": "namespace",
    "endpoints": "endpoints",
    "podMetricsEndpoints": "endpoints",
    "jobLabel": "name (it is the job label)",
    "jobName": "name (it is the job label)",
    "staticConfigs": "targets",
}


def validate(
    services: Any,
    packs: _packs.Packs,
    *,
    endpoint_schemas: Mapping[str, Any] | None = None,
    kubernetes: bool = True,
    scrape_interval: str = "30s",
    allow_empty: bool = False,
) -> list[str]:
    """One sentence per fault: entry, key, what is wrong, remedy. Empty when the catalogue is good. Never raises.

    :param services: the variable as it was written.
    :param packs: the packs; those that the entries use are validated too.
    :param endpoint_schemas: monitor kind -> OpenAPI schema of one endpoint; without one, unknown endpoint keys are
        not found here.
    :param kubernetes: False when Prometheus runs without Kubernetes: then an entry is a name, a job and a count.
    :param scrape_interval: what Prometheus uses where an endpoint says none (a Prometheus duration).
    :param allow_empty: whether there may be no entry at all, as for a play that judges what somebody else made.
    """
    services = plain(services)
    faults = Faults()
    if not isinstance(services, list):
        faults.add(
            VARIABLE,
            "",
            f"must be a list of entries, not {type_of(services)}",
            f"write {VARIABLE}: [{{name: ..., kind: ...}}]",
        )
        return faults.sentences
    if not services and not allow_empty:
        faults.add(VARIABLE, "", "has no entry", "declare at least one service, or run no play of this collection")
    used = [entry["kind"] for entry in services if isinstance(entry, Mapping) and packs.known(entry.get("kind"))]
    pack_faults = _packs.validate(packs, sorted({*used, _packs.BASE_KIND}, key=str))
    pack_faults += _packs.validate(packs)
    for number, entry in enumerate(services):
        _check_entry(entry, where_of(entry, number), packs, endpoint_schemas or {}, kubernetes, scrape_interval, faults)
    _check_together(services, packs, faults)
    return list(dict.fromkeys(pack_faults)) + faults.sentences


def where_of(entry: Any, number: int) -> str:
    """How messages call the entry: by its name, else by its place in the list."""
    name = entry.get("name") if isinstance(entry, Mapping) else None
    return name if isinstance(name, str) and name else f"{VARIABLE}[{number}]"


def _check_entry(
    entry: Any,
    where: str,
    packs: _packs.Packs,
    endpoint_schemas: Mapping[str, Any],
    kubernetes: bool,
    interval: str,
    faults: Faults,
) -> None:
    if not isinstance(entry, Mapping):
        faults.add(
            where,
            "",
            f"an entry must be a mapping, not {type_of(entry)}",
            "write {name: ..., kind: ..., namespace: ...}",
        )
        return
    faults.extend(where, check(entry, schemas.ENTRY, "", CHECKS))
    kind = entry.get("kind", _packs.BASE_KIND)
    if isinstance(kind, str) and not packs.known(kind):
        faults.add(
            where,
            "kind",
            f"unknown kind {kind}",
            suggest(kind, packs.kinds(), "kinds") + " (a product of your own: catalogue_packs, or kind: generic)",
        )
    pack = packs.get(kind) if packs.known(kind) else None
    _check_alerts(entry, kind, pack, where, faults)
    _check_health(entry, where, faults)
    _check_spec(entry, where, faults)
    check_slo(entry, pack, where, faults)
    if isinstance(entry.get("panels"), list):
        faults.sentences += _boards_schema.faults(entry["panels"], where, BOARDS)
    if not kubernetes:
        for key in entry:
            if isinstance(key, str) and key in schemas.ENTRY["properties"] and key not in schemas.PLAIN_KEYS:
                faults.add(
                    where, key, "means nothing without Kubernetes", "remove it: an entry is name, job and min_targets"
                )
        return
    _check_exporter(entry, kind, pack, where, faults)
    check_probe(entry, pack, packs.get(PROBER) if packs.known(PROBER) else {}, where, faults)
    adopted = entry.get("adopt", (pack or {}).get("adopt", False)) is True
    if adopted:
        for key in ("endpoints", "exporter", "targets", "monitor", "spec", "drop"):
            if key in entry:
                faults.add(
                    where, key, "is not ours to set: the entry adopts somebody else's monitor", f"remove {key} or adopt"
                )
        return
    if "job" in entry:
        faults.add(
            where, "job", "the job label of a monitor made here is the entry's name", "remove job, or set adopt: true"
        )
    if pack is not None:
        _check_place(entry, pack, kind, where, faults)
    kind_of_monitor = monitor_kind(entry, pack or {})
    endpoints = wanted_endpoints(entry, pack or {}, kind_of_monitor)
    if "exporter" in entry and "endpoints" not in entry:
        return
    if endpoints in (None, []) and kind_of_monitor == "ScrapeConfig":
        return
    if endpoints in (None, []):
        if pack is not None or "endpoints" in entry:
            faults.add(
                where,
                "endpoints",
                "there are none, so nothing would be scraped",
                "write at least endpoints: [{port: metrics}]",
            )
        return
    check_endpoints(endpoints, kind_of_monitor, endpoint_schemas.get(kind_of_monitor), interval, where, faults)


def monitor_kind(entry: Mapping[str, Any], pack: Mapping[str, Any]) -> str:
    """The kind of monitor an entry asks for, itself or through its pack."""
    kind = entry.get("monitor") or ("ScrapeConfig" if "targets" in entry else pack.get("monitor"))
    return kind if kind in ("ServiceMonitor", "PodMonitor", "ScrapeConfig") else "ServiceMonitor"


def _check_place(entry: Mapping[str, Any], pack: Mapping[str, Any], kind: Any, where: str, faults: Faults) -> None:
    if "targets" in entry:
        for key in ("selector", "exporter"):
            if key in entry:
                faults.add(where, key, "cannot be combined with targets", f"remove {key} or targets")
        return
    if entry.get("monitor") == "ScrapeConfig":
        faults.add(where, "targets", "is missing: a ScrapeConfig scrapes addresses", "write targets: [host:port]")
        return
    if "namespace" not in entry and "namespace" not in pack and "exporter" not in entry:
        faults.add(where, "namespace", "is missing", "write the namespace the service runs in")
    if "exporter" in entry:
        if isinstance(entry.get("name"), str) and len(entry["name"]) > LONGEST_NAME:
            what = f"is longer than {LONGEST_NAME} characters, and its exporter's objects are called NAME-exporter"
            faults.add(where, "name", what, "shorten it")
        if "selector" in entry:
            faults.add(
                where,
                "selector",
                "cannot be combined with exporter, whose own Service is selected",
                "remove selector or exporter",
            )
        return
    if "selector" not in entry and "selector" not in pack:
        faults.add(
            where,
            "selector",
            f"is missing, and kind {kind} has no usual one",
            "write labels of the Service, for example selector: {app: myservice}",
        )


def _check_alerts(
    entry: Mapping[str, Any], kind: Any, pack: Mapping[str, Any] | None, where: str, faults: Faults
) -> None:
    alerts = entry.get("alerts")
    if not isinstance(alerts, Mapping):
        return
    known = (pack or {}).get("alerts") or {}
    shape = {
        "type": "object",
        "properties": schemas.ALERT_KEYS,
        "x-moved": {"expression": "did you mean expr?", "disabled": "write enabled: false"},
    }
    for name, override in alerts.items():
        path = f"alerts.{name}"
        if pack is not None and name not in known:
            faults.add(where, path, f"kind {kind} has no such alert", suggest(name, known, "alerts"))
            continue
        if isinstance(override, bool):
            faults.add(
                where,
                path,
                f"must be a mapping, not {str(override).lower()}",
                f"write {name}: {{enabled: {str(override).lower()}}}",
            )
            continue
        faults.extend(where, check(override, shape, path, CHECKS))
        if isinstance(override, Mapping):
            _check_tokens(override.get("expr"), f"{path}.expr", where, faults)
        alert = known.get(name)
        if (
            isinstance(override, Mapping)
            and isinstance(alert, Mapping)
            and "threshold" in override
            and "expr" not in override
            and "threshold" not in alert
        ):
            faults.add(
                where, f"{path}.threshold", "this alert has no threshold", "remove it, or give expr with $threshold"
            )


def _check_health(entry: Mapping[str, Any], where: str, faults: Faults) -> None:
    health = entry.get("health")
    for number, item in enumerate(health if isinstance(health, list) else ()):
        if isinstance(item, Mapping) and not {"equals", "min", "max"} & set(item):
            faults.add(where, f"health[{number}]", "says no bound", "add equals, min or max")
        if isinstance(item, Mapping):
            _check_tokens(item.get("expr"), f"health[{number}].expr", where, faults)


def _check_tokens(expression: Any, path: str, where: str, faults: Faults) -> None:
    """Unknown ``$words``. That an entry's own expression names no job is its own business: the entry is one service."""
    for token in sorted(tokens_in(expression) - _packs.EXPR_TOKENS) if isinstance(expression, str) else ():
        faults.add(where, path, f"${token} is not a token", suggest(token, _packs.EXPR_TOKENS, "tokens"))


def _check_spec(entry: Mapping[str, Any], where: str, faults: Faults) -> None:
    spec = entry.get("spec")
    for key, instead in _DERIVED_SPEC.items():
        if isinstance(spec, Mapping) and key in spec:
            faults.add(where, f"spec.{key}", "is derived from the entry", f"use {instead} and remove it")


def _check_exporter(
    entry: Mapping[str, Any], kind: Any, pack: Mapping[str, Any] | None, where: str, faults: Faults
) -> None:
    exporter = entry.get("exporter")
    if pack is None or not isinstance(exporter, Mapping):
        return
    spec = pack.get("exporter")
    if not isinstance(spec, Mapping):
        faults.add(
            where,
            "exporter",
            f"kind {kind} needs none: it is scraped directly",
            "remove exporter, or give the kind one in catalogue_packs",
        )
        return
    settings = spec.get("settings") if isinstance(spec.get("settings"), Mapping) else {}
    properties = dict(schemas.EXPORTER_KEYS)
    for name, setting in settings.items():
        setting = setting if isinstance(setting, Mapping) else {}
        shape: dict[str, Any] = {"type": setting.get("type", "string")}
        if setting.get("choices"):
            shape["enum"] = setting["choices"]
        properties[name] = {**properties.get(name, {}), **shape}
    shape = {"type": "object", "properties": properties, "x-moved": schemas.EXPORTER_MOVED}
    faults.extend(where, check(exporter, shape, "exporter", CHECKS))
    for name, setting in settings.items():
        if isinstance(setting, Mapping) and setting.get("required") and name not in exporter:
            faults.add(
                where,
                f"exporter.{name}",
                "is missing",
                f"add {name}" + (f": {setting['description']}" if setting.get("description") else ""),
            )
    credentials = spec.get("credentials")
    known = _secret_keys(credentials)
    if isinstance(credentials, Mapping) and credentials.get("required") and "credentials_secret" not in exporter:
        keys = " and ".join(known)
        faults.add(
            where,
            "exporter.credentials_secret",
            "is missing: the exporter must log in",
            f"name a Secret of the monitoring namespace with the keys {keys}",
        )
    wanted = exporter.get("credentials_keys")
    if isinstance(wanted, Mapping) and isinstance(credentials, Mapping):
        for name in wanted:
            if name not in known:
                faults.add(
                    where, f"exporter.credentials_keys.{name}", "unknown key", suggest(name, known, "known keys")
                )


def _secret_keys(credentials: Any) -> list[str]:
    """The keys of the Secret that a pack's exporter logs in with."""
    if not isinstance(credentials, Mapping):
        return []
    parts = [credentials.get(key) for key in ("env", "files")]
    return sorted({str(key) for part in parts if isinstance(part, Mapping) for key in part.values()})


def _check_together(services: list[Any], packs: _packs.Packs, faults: Faults) -> None:
    names: dict[str, int] = {}
    jobs: dict[str, str] = {}
    scraped: dict[str, str] = {}
    for number, entry in enumerate(services):
        if not isinstance(entry, Mapping):
            continue
        name = entry.get("name")
        if not isinstance(name, str) or not name:
            continue
        where = where_of(entry, number)
        if name in names:
            faults.add(
                where,
                "name",
                f"entries {names[name]} and {number} have the same name",
                "give each its own: it is the job label",
            )
            continue
        names[name] = number
        pack = packs.get(entry["kind"]) if packs.known(entry.get("kind")) else {}
        adopted = entry.get("adopt", pack.get("adopt", False)) is True
        job = entry.get("job", pack.get("job") if adopted else name)
        if isinstance(job, str):
            if job in jobs:
                faults.add(
                    where,
                    "job",
                    f"{job} is the job of {jobs[job]} too",
                    "give each entry its own job, or remove one of them",
                )
            jobs.setdefault(job, name)
        for former in entry["previous_names"] if isinstance(entry.get("previous_names"), list) else ():
            if any(isinstance(one, Mapping) and one.get("name") == former for one in services):
                faults.add(where, "previous_names", f"{former} is the name of an entry now", "remove it")
        if not adopted and "exporter" not in entry and "targets" not in entry:
            _check_scraped_twice(entry, pack, where, scraped, faults)


def _check_scraped_twice(
    entry: Mapping[str, Any], pack: Mapping[str, Any], where: str, scraped: dict[str, str], faults: Faults
) -> None:
    selector = entry.get("selector", pack.get("selector"))
    endpoints = entry.get("endpoints", pack.get("endpoints"))
    namespace = entry.get("namespace", pack.get("namespace"))
    if not isinstance(selector, Mapping) or not isinstance(endpoints, list) or not isinstance(namespace, str):
        return
    for number, endpoint in enumerate(endpoints):
        if not isinstance(endpoint, Mapping):
            continue
        parts = [namespace, monitor_kind(entry, pack), as_selector(selector)]
        parts += [endpoint.get(key) for key in ("port", "targetPort", "params", "scheme")] + [
            endpoint.get("path", "/metrics")
        ]
        if endpoint.get("relabelings"):
            # relabelings may keep different targets of the same Service
            continue
        key = json.dumps(parts, sort_keys=True, default=str)
        if key in scraped:
            faults.add(
                where,
                f"endpoints[{number}]",
                f"is scraped by {scraped[key]} already",
                "remove one of them: every sum would count it twice",
            )
        scraped.setdefault(key, f"{where}.endpoints[{number}]")
