# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Behind an exporter: whether what it exports runs at all. This module util is PRIVATE to the collection.

Pure functions over a snapshot.
"""

from __future__ import annotations

from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_fixes import entry_line
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import (
    Expectation,
    Finding,
    Object,
    Snapshot,
    some,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_pods import is_ready, name_of
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_reach import without_endpoints
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_services import (
    namespace_of,
    selected_pods,
)


def _source(expectation: Expectation, snapshot: Snapshot) -> tuple[str, str] | None:
    """Namespace and name of the Service that the exporter asks; None when it is not one of this cluster."""
    host = str((expectation.exporter or {}).get("host") or "").partition(":")[0]
    parts = host.split(".")
    if not snapshot.kubernetes or not host or (len(parts) > 2 and parts[2] != "svc"):
        return None
    return (parts[1] if len(parts) > 1 else next(iter(expectation.namespaces), "default")), parts[0]


def _service(objects: Object, namespace: str, name: str) -> Object | None:
    return next((s for s in objects["services"] if (namespace_of(s), name_of(s)) == (namespace, name)), None)


def source_pods(expectation: Expectation, snapshot: Snapshot) -> list[Object]:
    """The Pods that the exporter asks, as far as they are known already."""
    place = _source(expectation, snapshot)
    objects = snapshot.facts.get(("objects", place[0])) if place else None
    if place is None or not isinstance(objects, dict):
        return []
    service = _service(objects, *place)
    return selected_pods(service, objects["pods"]) if service else []


def judge_source(expectation: Expectation, snapshot: Snapshot, now: float) -> list[Finding]:
    """What the exporter asks, when that is a Service of this cluster: has it a Pod that is ready?"""
    place = _source(expectation, snapshot)
    objects = snapshot.fact("objects", place[0]) if place else None
    if place is None or not isinstance(objects, dict):
        return []
    namespace, name = place
    service = _service(objects, namespace, name)
    exporter = expectation.exporter or {}
    if service is None:
        there = some(sorted(name_of(s) for s in objects["services"]), 5)
        return [
            Finding(
                "no_service_matches",
                f"The exporter of {expectation.name} asks {exporter.get('host')}, but namespace {namespace} has no "
                f"Service {name}; there is {there or 'none'}.",
                entry_line(expectation, "exporter", exporter, "correct the host"),
                10.0,
            )
        ]
    pods = selected_pods(service, objects["pods"])
    if not (service.get("spec") or {}).get("selector") or any(is_ready(pod) for pod in pods):
        return []
    return [without_endpoints(f"Service {namespace}/{name}, which the exporter asks,", service, pods, snapshot, now)]
