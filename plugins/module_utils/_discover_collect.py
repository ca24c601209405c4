# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One look at a cluster and its Prometheus, for discovery. Reads only. PRIVATE to the collection."""

from __future__ import annotations

import concurrent.futures
import re
import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _discover_products as products
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._discover import recognise
from ansible_collections.dataplatform.monitoring.plugins.module_utils._discover_facts import (
    Facts,
    Object,
    Page,
    Workload,
    workloads,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError, ApiForbidden
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube
from ansible_collections.dataplatform.monitoring.plugins.module_utils._prometheus import query
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_pods import name_of

# Ports that never speak HTTP, by number: asking them only fills somebody's log.
_OTHER_PROTOCOLS = frozenset({22, 25, 53, 2379, 2380, 3306, 5432, 6379, 9092, 9094, 9300, 9095, 27017})
_PATHS = ("/metrics",)
_LARGEST = 4_000_000
_PARALLEL = 8
_SAMPLE = re.compile(rb"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{|[ \t]+[-+0-9NI])", re.MULTILINE)
_GROUP = "/apis/monitoring.coreos.com/v1"


class Collector:
    """Collects what C(_discover) works on.

    :param packs: by kind. :param excluded: namespaces that are left alone.
    :param ask: whether ports are asked for metrics. :param most: ports that are asked at most.
    """

    def __init__(
        self,
        kube: Kube | None,
        prometheus: Api | None,
        packs: t.Mapping[str, products.Pack],
        excluded: t.Collection[str] = (),
        ask: bool = True,
        most: int = 200,
    ) -> None:
        self._kube, self._prometheus, self._packs = kube, prometheus, packs
        self._excluded, self._ask, self._most = frozenset(excluded), ask, most
        self.notes: list[str] = []

    def collect(self, namespace: str) -> Facts:
        """:raises ApiError: Pods or Services may not be listed, or Prometheus does not answer."""
        found: list[Workload] = []
        if self._kube is not None:
            pods = [item for item in self._kube.list("/api/v1/pods") if self._mine(item)]
            services = [item for item in self._kube.list("/api/v1/services") if self._mine(item)]
            found = workloads(pods, services)
        targets, series = self._scraped()
        pages = {}
        if self._kube is not None and self._ask:
            pages = self._pages([item for item in found if not item.covered_by(targets)])
        return Facts(found, targets, series, pages, namespace, self._kube is not None)

    def _mine(self, item: Object) -> bool:
        return (item.get("metadata") or {}).get("namespace") not in self._excluded

    def _scraped(self) -> tuple[list[Object], dict[str, frozenset[str]]]:
        """The targets, and the names of the metrics that tell products apart, by job."""
        if self._prometheus is None:
            return [], {}
        data = self._prometheus.get_json("/api/v1/targets", [("state", "active")])["data"]
        names = sorted(
            {name for pack in self._packs.values() for item in pack.get("must_have") or [] for name in item.split("|")}
        )
        series: dict[str, set[str]] = {}
        expression = f'count by (job, __name__) ({{__name__=~"{"|".join(names)}"}})'
        for sample in query(self._prometheus, expression):
            series.setdefault(sample["metric"].get("job", ""), set()).add(sample["metric"]["__name__"])
        return data.get("activeTargets") or [], {job: frozenset(found) for job, found in series.items()}

    # Ports

    def _pages(self, chosen: t.Sequence[Workload]) -> dict[tuple[str, str], list[Page]]:
        """Ask one Pod of each workload, over the Kubernetes API, on the ports it has."""
        ports = []
        for workload in chosen:
            pod = workload.asked
            for number in dict.fromkeys(number for _name, number in workload.ports) if pod else ():
                questions = self._questions(workload, number)
                ports += [(workload, name_of(pod), number, questions)] if questions else []
        if len(ports) > self._most:
            self.notes.append(f"{self._most} of {len(ports)} ports were asked for metrics (most_ports).")
        found: dict[tuple[str, str], list[Page]] = {}
        refusals: list[str] = []
        # A port that nothing listens on, or that a policy keeps shut, takes its time.
        with concurrent.futures.ThreadPoolExecutor(_PARALLEL) as pool:
            asked = [(port, pool.submit(self._first_page, *port)) for port in ports[: self._most]]
            for (workload, _pod, _number, _questions), future in asked:
                try:
                    page = future.result()
                except ApiForbidden as exc:
                    refusals.append(str(exc))
                    continue
                if page is not None:
                    found.setdefault(workload.key, []).append(page)
        if refusals:
            more = f" ({len(refusals)} ports)" if len(refusals) > 1 else ""
            self.notes.append(f"Ports could not be asked for metrics{more}: {refusals[0]}")
        return found

    def _first_page(
        self, workload: Workload, pod: str, number: int, questions: t.Sequence[tuple[str, list[tuple[str, str]]]]
    ) -> Page | None:
        """The answer to the first path that has one.

        :raises ApiForbidden: the Kubernetes API does not let us ask.
        """
        for path, params in questions:
            page = self._page(workload.namespace, pod, number, path, params)
            if page is not None:
                return page
        return None

    def _questions(self, workload: Workload, number: int) -> list[tuple[str, list[tuple[str, str]]]]:
        """Paths to ask for, that of the product first."""
        if number in _OTHER_PROTOCOLS:
            return []
        product = recognise(workload, (), self._packs)
        if product is not None and product.needs_exporter:
            return [("/metrics", [])] if len(workload.containers) > 1 else []
        paths: dict[str, list[tuple[str, str]]] = {}
        for endpoint in (self._packs[product.kind].get("endpoints") or []) if product else []:
            params = [(key, str(value)) for key, items in (endpoint.get("params") or {}).items() for value in items]
            paths[str(endpoint.get("path") or "/metrics")] = params
        for path in _PATHS:
            paths.setdefault(path, [])
        return list(paths.items())

    def _page(self, namespace: str, pod: str, number: int, path: str, params: list[tuple[str, str]]) -> Page | None:
        """What a port answers, None when it is no page of metrics.

        :raises ApiForbidden: the Kubernetes API does not let us ask.
        """
        if self._kube is None:
            return None
        begin = time.monotonic()
        try:
            answer = self._kube.proxy(namespace, "pods", pod, number).get(path, params, timeout=2.0)
        except ApiForbidden:
            raise
        except ApiError:
            return None
        if time.monotonic() - begin > 10 or len(answer.body) > _LARGEST:
            return None
        if answer.status in (401, 403):
            return Page(number, path, frozenset(), answer.status)
        names = frozenset(name.decode() for name in _SAMPLE.findall(answer.body))
        metrics = answer.status == 200 and names and b"<html" not in answer.body[:500]
        return Page(number, path, names) if metrics else None

    # Servers

    def servers(self) -> dict[str, dict[str, str]]:
        """Variables that name the Prometheus and the Alertmanager of the operator, where there is one of each."""
        found: dict[str, dict[str, str]] = {}
        plurals = {"monitoring_prometheus": "prometheuses", "monitoring_alertmanager": "alertmanagers"}
        for variable, plural in plurals.items() if self._kube is not None else ():
            try:
                items = self._kube.list(f"{_GROUP}/{plural}")
            except ApiError as exc:
                self.notes.append(f"{plural} could not be read: {exc}")
                continue
            places = [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in items]
            if len(places) > 1:
                there = ", ".join(f"{space}/{name}" for space, name in places)
                self.notes.append(f"{variable} is one of: {there}.")
            elif places:
                found[variable] = {"namespace": places[0][0]}
        return found
