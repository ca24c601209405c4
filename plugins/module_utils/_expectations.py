# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Derive what the verdicts expect from the resolved catalogue.

This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import Entry

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
    """One expectation per entry, in catalogue order, for dataplatform.monitoring.verify_scrape_targets."""
    return [
        {**{key: entry[key] for key in _SCRAPE_KEYS}, "monitor": _monitor_of(entry)} for entry in catalogue["entries"]
    ]


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
