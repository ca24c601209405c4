# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A probe's target is the prober, and its answer is about somebody else: which of the two is ill?

This module util is PRIVATE to the collection. Pure functions over a snapshot. What a Probe becomes is
prometheus-operator's pkg/prometheus/promcfg.go; the metrics are blackbox_exporter's.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_fixes import (
    entry_line,
    fix,
    kubectl,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import (
    Expectation,
    Finding,
    Object,
    Snapshot,
    View,
    some,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_pods import is_ready, name_of
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_reach import without_endpoints
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_services import (
    namespace_of,
    selected_pods,
)

# host.namespace.svc[.cluster.local] of an address, with or without scheme, port and path
_IN_CLUSTER = re.compile(r"^(?:[a-z]+://)?([a-z0-9-]+)\.([a-z0-9-]+)(?:\.svc(?:\.[a-z0-9.-]+)?)?(?::\d+)?(?:/.*)?$")


class Service(t.NamedTuple):
    """A Service that an address names: C(item) is None when it does not exist; C(trouble) when no Pod of it runs."""

    namespace: str
    name: str
    item: Object | None
    there: str
    trouble: Finding | None


def is_probe(expectation: Expectation) -> bool:
    """Whether the expectation is about a Probe object."""
    return bool(expectation.monitor) and (expectation.monitor or {}).get("kind") == "Probe"


def explain(
    expectation: Expectation,
    item: Object | None,
    job: str | None,
    findings: list[Finding],
    view: View,
    snapshot: Snapshot,
    now: float,
) -> list[Finding]:
    """What is wrong with a probe, in place of what is wrong with its target.

    :param item: the live Probe. :param findings: what was found about the target, as about any other.
    """
    if not findings or item is None:
        return findings
    spec = item.get("spec") or {}
    prober = _service((spec.get("prober") or {}).get("url"), "which makes the probe,", snapshot, now)
    if prober is not None and (prober.item is None or prober.trouble is not None):
        # Everything else follows from it.
        return [_prober_missing(prober, snapshot)]
    failed = [finding for finding in findings if finding.code == "not_healthy"]
    if not failed:
        return [_of_prober(finding, prober) for finding in findings]
    static = ((spec.get("targets") or {}).get("staticConfig") or {}).get("static") or []
    url = str(static[0]) if static else ""
    answer = _answer(job, view, snapshot)
    means = str((expectation.health[0] if expectation.health else {}).get("means") or f"{url} answers")
    told = [
        finding._replace(code="probe_failed", message=f"{answer} from {url}: it is asked for that {means}.")
        for finding in failed[:1]
    ]
    rest = [finding for finding in findings if finding.code != "not_healthy"]
    return [*_behind(expectation, url, failed[0], snapshot, now), *told, *rest]


def texts(expectation: Expectation, expected: str, observed: str, findings: t.Sequence[Finding]) -> tuple[str, str]:
    """What is expected and observed, in words about the service rather than about the prober."""
    if expectation.health and expectation.health[0].get("means"):
        expected = str(expectation.health[0]["means"])
    failed = next((finding for finding in findings if finding.code == "probe_failed"), None)
    if failed is not None:
        return expected, failed.message.partition(" from ")[0].lower()
    return expected, observed if findings else "it does"


def _behind(expectation: Expectation, url: str, failed: Finding, snapshot: Snapshot, now: float) -> list[Finding]:
    """What runs, or does not, behind the address that is asked."""
    service = _service(url, "which the probe asks,", snapshot, now)
    if service is None:
        return []
    if service.item is None:
        entry = Expectation(name=expectation.name.removesuffix("-probe"))
        message = (
            f"The probe asks {url}, but namespace {service.namespace} has no Service {service.name}; there is "
            f"{service.there or 'none'}."
        )
        remedy = entry_line(entry, "probe", {"url": url}, "correct the address")
        return [Finding("no_service_matches", message, remedy, failed.patience, failed.certain)]
    if service.trouble is None:
        return []
    # As long as the probe's own failure is not certain, neither is what causes it.
    return [service.trouble._replace(certain=failed.certain)]


def _answer(job: str | None, view: View, snapshot: Snapshot) -> str:
    """What came back, as far as the prober tells it."""
    fact = snapshot.fact("query", f'probe_http_status_code{{job="{job}"}}')
    values = [sample["value"] for sample in view.pick(fact)] if isinstance(fact, dict) else []
    if not values:
        return "No answer"
    return f"Status {values[0]:.0f}" if values[0] else "No answer"


def _of_prober(finding: Finding, prober: Service | None) -> Finding:
    """A target that is down is the prober, whatever address was discovered for it."""
    if prober is None or not finding.code.startswith("target_down"):
        return finding
    command = kubectl(prober.namespace, "logs", f"service/{prober.name}", "--tail=50")
    return finding._replace(fix=fix("The prober does not answer; read its log", command))


def _prober_missing(prober: Service, snapshot: Snapshot) -> Finding:
    place = f"{prober.namespace}/{prober.name}"
    if prober.trouble is not None:
        return prober.trouble._replace(code="prober_missing")
    return Finding(
        "prober_missing",
        f"Nobody makes the probe: Service {place} of the prober does not exist.",
        fix("Install the exporters of the catalogue, the prober among them", snapshot.rerun),
        10.0,
    )


def _service(address: t.Any, role: str, snapshot: Snapshot, now: float) -> Service | None:
    """The Service that an address names; None when it lies elsewhere or may not be read."""
    found = _IN_CLUSTER.match(str(address or ""))
    if found is None or not snapshot.kubernetes:
        return None
    name, namespace = found.group(1), found.group(2)
    objects = snapshot.fact("objects", namespace)
    if not isinstance(objects, dict):
        return None
    services = objects["services"]
    item = next((each for each in services if (namespace_of(each), name_of(each)) == (namespace, name)), None)
    there = some(sorted(name_of(each) for each in services), 5)
    if item is None:
        return Service(namespace, name, None, there, None)
    pods = selected_pods(item, objects["pods"])
    if not (item.get("spec") or {}).get("selector") or any(is_ready(pod) for pod in pods):
        return Service(namespace, name, item, there, None)
    trouble = without_endpoints(f"Service {namespace}/{name}, {role}", item, pods, snapshot, now)
    return Service(namespace, name, item, there, trouble)
