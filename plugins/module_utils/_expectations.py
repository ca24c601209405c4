# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Derive what the verdicts expect from the resolved catalogue.

This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import Entry

# The kind of an expectation about a probe; no pack has this name.
PROBE_KIND = "probe"
_SCRAPE_KEYS = (
    "name",
    "kind",
    "job",
    "state",
    "reason",
    "namespaces",
    "selector",
    "endpoints",
    "health",
    "must_have",
    "min_samples",
    "min_targets",
    "exporter",
)


def scrape_expectations(catalogue: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One expectation per entry, in catalogue order, for dataplatform.monitoring.verify_scrape_targets.

    With a prober, that of an entry's probe follows as ``<entry>-probe``.
    """
    entries, found = catalogue["entries"], []
    prober = catalogue.get("prober")
    for entry in entries:
        found.append({**{key: entry[key] for key in _SCRAPE_KEYS}, "monitor": _monitor_of(entry)})
        if prober and entry["state"] in ("present", "adopted") and entry["probe"] and entry["probe"].get("url"):
            found.append(_probe_expectation(entry, prober, catalogue["namespace"]))
    return found


def _probe_expectation(entry: Entry, prober: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    probe, name = entry["probe"], f"{entry['name']}-probe"
    question = f"module={quote(probe['module'])}&target={quote(probe['url'], safe='')}&debug=true"
    if prober.get("deployed"):
        ask = f"kubectl -n {prober['namespace']} exec deploy/{prober['service']} -- wget -qO- "
        ask += f"'http://127.0.0.1:{prober['url'].rpartition(':')[2]}/probe?{question}'"
    else:
        ask = f"kubectl get --raw '/api/v1/namespaces/{prober['namespace']}/services/{prober['service']}:"
        ask += f"{prober['url'].rpartition(':')[2]}/proxy/probe?{question}'"
    health = {
        "expr": "probe_success{$selector}",
        "equals": 1,
        "means": f"{probe['url']} answers with {probe.get('accepts') or 'status 2xx'}",
        "fix": ask,
    }
    return {
        "name": name,
        "kind": PROBE_KIND,
        "job": name,
        "state": "present",
        "reason": "",
        "namespaces": [],
        "selector": {},
        "endpoints": [],
        "health": [health],
        "must_have": ["probe_success", "probe_duration_seconds"],
        "min_samples": 5,
        "min_targets": 1,
        "exporter": None,
        "monitor": {"kind": "Probe", "namespace": entry["monitor_namespace"] or namespace, "name": entry["name"]},
    }


def _monitor_of(entry: Entry) -> dict[str, str] | None:
    if not entry["monitor"]:
        return None
    return {"kind": entry["monitor"], "namespace": entry["monitor_namespace"], "name": entry["monitor_name"]}


def log_expectations(catalogue: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Namespaces whose services are expected to write logs, with the entries that say so, sorted by namespace."""
    found: dict[str, list[str]] = {}
    for entry in catalogue["entries"]:
        if (
            entry["logs"]
            and entry["state"] in ("present", "adopted", "pending")
            and entry["namespace"]
            and not entry["targets"]
        ):
            found.setdefault(entry["namespace"], []).append(entry["name"])
    return [{"namespace": namespace, "entries": names} for namespace, names in sorted(found.items())]


def workload_expectations(catalogue: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The services whose Pods must stay healthy while others deploy: entries with a place in the cluster.

    ``selector`` is plain labels: of the Service, and found on Pods where no Service has them.
    """
    wanted = []
    for entry in catalogue["entries"]:
        if entry["state"] not in ("present", "adopted", "pending") or not entry["namespace"] or entry["targets"]:
            continue
        of_exporter = entry["exporter"] is not None
        if of_exporter and not entry["exporter"].get("host"):
            continue  # the prober: it asks many, and is itself no service of the platform
        labels = entry["selector"].get("matchLabels") or {}
        if not of_exporter and not labels:
            continue  # somebody else's monitor: nobody said which Pods are meant
        wanted.append(
            {
                "name": entry["name"],
                "namespace": entry["namespace"],
                # an exporter's selector finds the exporter; the service itself is known by its host only
                "selector": {} if of_exporter else dict(labels),
                "service": (entry["exporter"] or {}).get("host"),
            }
        )
    return wanted
