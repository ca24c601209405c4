# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Derive the monitors of the resolved catalogue: ServiceMonitor, PodMonitor, ScrapeConfig and Probe objects.

Only fields that mean something are written, none with a default of the server's, so that a server-side apply owns
exactly these and a second one changes nothing.
This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import ENTRY_LABEL, MANAGED_BY, Entry

_GROUP = "monitoring.coreos.com"
_ENDPOINTS_KEY = {"ServiceMonitor": "endpoints", "PodMonitor": "podMetricsEndpoints"}
# Endpoint keys that are called differently in a ScrapeConfig's spec.
_SCRAPE_CONFIG_KEYS = {"path": "metricsPath", "interval": "scrapeInterval", "enableHttp2": "enableHTTP2"}


def monitors(catalogue: Mapping[str, Any], prober_url: str | None = None) -> list[dict[str, Any]]:
    """The monitors of all entries that are present, in catalogue order.

    Entries that are skipped, adopted or pending have none. A Probe is made for entries with ``probe`` and a known
    address as soon as there is a prober: the catalogue's, or the one at ``prober_url`` (``host:port``).
    """
    entries, found = catalogue["entries"], []
    prober_url = prober_url or (catalogue.get("prober") or {}).get("url")
    for entry in entries:
        if entry["state"] == "present" and entry["monitor"]:
            found.append(_scrape_config(entry) if entry["monitor"] == "ScrapeConfig" else _monitor(entry))
        if prober_url and entry["state"] in ("present", "adopted") and entry.get("probe") and entry["probe"].get("url"):
            found.append(_probe(entry, prober_url, catalogue["namespace"]))
    return found


def _metadata(entry: Entry, name: str, namespace: str) -> dict[str, Any]:
    labels = {**(entry.get("labels") or {}), **MANAGED_BY, ENTRY_LABEL: entry["name"]}
    return {"name": name, "namespace": namespace, "labels": labels}


def _monitor(entry: Entry) -> dict[str, Any]:
    spec: dict[str, Any] = {**(entry.get("spec") or {}), "selector": entry["selector"]}
    spec["namespaceSelector"] = {"matchNames": list(entry["namespaces"])}
    spec[_ENDPOINTS_KEY[entry["monitor"]]] = entry["endpoints"]
    return {
        "apiVersion": f"{_GROUP}/v1",
        "kind": entry["monitor"],
        "metadata": _metadata(entry, entry["monitor_name"], entry["monitor_namespace"]),
        "spec": spec,
    }


def _scrape_config(entry: Entry) -> dict[str, Any]:
    endpoint = entry["endpoints"][0] if entry["endpoints"] else {}
    spec = {
        **(entry.get("spec") or {}),
        "jobName": entry["job"],
        "staticConfigs": [{"targets": list(entry["targets"])}],
    }
    spec.update({_SCRAPE_CONFIG_KEYS.get(key, key): value for key, value in endpoint.items()})
    return {
        "apiVersion": f"{_GROUP}/v1alpha1",
        "kind": "ScrapeConfig",
        "metadata": _metadata(entry, entry["monitor_name"], entry["monitor_namespace"]),
        "spec": spec,
    }


def _probe(entry: Entry, prober_url: str, namespace: str) -> dict[str, Any]:
    probe = entry["probe"]
    spec: dict[str, Any] = {
        "jobName": f"{entry['name']}-probe",
        "prober": {"url": prober_url},
        "module": probe["module"],
        "targets": {"staticConfig": {"static": [probe["url"]], "labels": {"service": entry["name"]}}},
    }
    if probe.get("interval"):
        spec["interval"] = probe["interval"]
    return {
        "apiVersion": f"{_GROUP}/v1",
        "kind": "Probe",
        "metadata": _metadata(entry, entry["name"], entry["monitor_namespace"] or namespace),
        "spec": spec,
    }
