# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which labels select a workload, and which port has its metrics. This module util is PRIVATE to the collection."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import as_selector, selects
from ansible_collections.dataplatform.monitoring.plugins.module_utils._discover_facts import Page, Workload
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import Object
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_services import container_ports, labels_of

# Labels that say what something is rather than which release or revision of it.
_TELLING = (
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/component",
    "app",
    "k8s-app",
    "component",
)
_METRICS_PORT = re.compile(r"metric|prom|monitor")


def best_page(pages: t.Sequence[Page], pack: t.Mapping[str, t.Any] | None) -> Page | None:
    """The page to scrape: the one with the product's metrics, else with most; one that asks for credentials last."""
    wanted = {name for item in (pack or {}).get("must_have") or [] for name in str(item).split("|")}
    return max(pages, key=lambda page: (len(wanted & page.names), page.status == 200, len(page.names)), default=None)


def service_with(workload: Workload, number: int | None) -> Object | None:
    """The Service to talk to: one with that port, before others; with an address of its own, before a headless one."""
    ranked = sorted(
        workload.services,
        key=lambda item: (
            number not in [port["port"] for port in item["spec"].get("ports") or []],
            item["spec"].get("clusterIP") == "None",
            str(item["metadata"]["name"]),
        ),
    )
    return ranked[0] if ranked else None


def make(workload: Workload, page: Page | None, pack: t.Mapping[str, t.Any] | None) -> dict[str, t.Any] | None:
    """C(selector) and C(endpoints) as far as the pack does not have them already; None without labels to select by."""
    usual = next(iter((pack or {}).get("endpoints") or []), {})
    for item in _services(workload, page, usual):
        port = _service_port(item, workload, page, usual)
        if port is not None and labels_of(item):
            others = [labels_of(other) for other in workload.services if other is not item]
            return _keys(labels_of(item), port, page, pack, usual, others)
    labels = labels_of(workload.pods[0])
    port = _pod_port(workload, page, usual)
    if not labels or port is None:
        return None
    telling = {key: labels[key] for key in _TELLING if key in labels}
    keys = _keys(telling or labels, port, page, pack, usual)
    return keys if (pack or {}).get("monitor") == "PodMonitor" else {"monitor": "PodMonitor", **keys}


def _keys(
    labels: t.Mapping[str, str],
    port: str | int,
    page: Page | None,
    pack: t.Mapping[str, t.Any] | None,
    usual: t.Mapping[str, t.Any],
    others: t.Sequence[t.Mapping[str, str]] = (),
) -> dict[str, t.Any]:
    """What the pack does not say already.

    :param others: labels of further Services of the same Pods; selected too, they would make every sum count twice.
    """
    keys: dict[str, t.Any] = {}
    selector = as_selector((pack or {}).get("selector"))
    if not (selector and selects(selector, labels)):
        telling = {key: labels[key] for key in _TELLING if key in labels} or dict(labels)
        for other in others:
            apart = {key: value for key, value in labels.items() if other.get(key) != value}
            if telling.items() <= other.items() and apart:
                key = min(apart)
                telling[key] = apart[key]
        keys["selector"] = telling
    endpoint = {**usual, "port": port}
    if page is not None and page.path != usual.get("path", "/metrics"):
        endpoint["path"] = page.path
    if endpoint != usual:
        keys["endpoints"] = [endpoint]
    return keys


def _services(workload: Workload, page: Page | None, usual: t.Mapping[str, t.Any]) -> list[Object]:
    """The Services that lead to the port, those with a telling port name first, headless ones last."""

    def rank(item: Object) -> tuple[bool, bool, bool, str]:
        names = [str(port.get("name") or "") for port in item["spec"].get("ports") or []]
        return (
            usual.get("port") not in names,
            not any(_METRICS_PORT.search(name) for name in names),
            item["spec"].get("clusterIP") == "None",
            str(item["metadata"]["name"]),
        )

    return sorted(workload.services, key=rank)


def _service_port(
    service: Object, workload: Workload, page: Page | None, usual: t.Mapping[str, t.Any]
) -> str | int | None:
    """The port of a Service that leads to the page; without a page the pack's, or one that is called like metrics."""
    named = {name: number for pod in workload.pods for name, number in container_ports(pod) if name}
    leads: list[tuple[str, int]] = []
    for port in service["spec"].get("ports") or []:
        target = port.get("targetPort", port["port"])
        number = target if isinstance(target, int) else named.get(str(target))
        if page is None or number == page.port:
            leads.append((str(port.get("name") or ""), int(port["port"])))
    wanted = usual.get("port")
    for name, number in leads:
        if wanted is not None and wanted in (name, number):
            return wanted
    for name, number in leads:
        if _METRICS_PORT.search(name):
            return name or number
    if page is None or not leads:
        return None
    return leads[0][0] or leads[0][1]


def _pod_port(workload: Workload, page: Page | None, usual: t.Mapping[str, t.Any]) -> str | int | None:
    declared = [port for pod in workload.pods for port in container_ports(pod)]
    if page is not None:
        return next((name for name, number in declared if name and number == page.port), page.port)
    wanted = usual.get("port")
    if any(wanted in port for port in declared):
        return wanted
    return next((name for name, _number in declared if _METRICS_PORT.search(name)), None)
