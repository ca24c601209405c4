# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports are asked, and what counts as a page of metrics."""

from __future__ import annotations

from typing import Any

from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Response
from ansible_collections.dataplatform.monitoring.plugins.module_utils._discover_collect import Collector
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiForbidden, ApiTimeout

from tests.unit.discover.test_discover import PACKS, pod, service


class Cluster:
    """Pods and Services, and what the ports answer: by number a Response, or an error."""

    def __init__(self, pods: list[Any], services: list[Any], answers: dict[tuple[int, str], Any]) -> None:
        self.pods, self.services, self.answers = pods, services, answers
        self.asked: list[tuple[int, str]] = []

    def list(self, path: str) -> list[Any]:
        return {"/api/v1/pods": self.pods, "/api/v1/services": self.services}[path]

    def proxy(self, namespace: str, kind: str, name: str, port: int) -> Any:
        cluster = self

        class Port:
            def get(self, path: str, params: Any, timeout: float) -> Response:
                cluster.asked.append((port, path))
                answer = cluster.answers.get((port, path), Response(404, {}, b"no"))
                if isinstance(answer, Exception):
                    raise answer
                return answer

        return Port()


def metrics(text: str = "orders_total 1\n") -> Response:
    return Response(200, {}, text.encode())


def collect(cluster: Cluster, **more: Any) -> tuple[dict[Any, Any], list[str]]:
    collector = Collector(cluster, None, PACKS, **more)
    return collector.collect("monitoring").pages, collector.notes


SHOP = [pod("shop-0", "shop:1", {"app": "shop"}, web=80, admin=9000, raft=9094)]


def test_ports_that_answer_with_metrics() -> None:
    answers = {(80, "/metrics"): Response(200, {}, b"<html><body>a 1</body>"), (9000, "/metrics"): metrics()}
    cluster = Cluster(SHOP, [], answers)
    pages, notes = collect(cluster)
    assert notes == []
    ((found,),) = pages.values()
    assert (found.port, found.path, found.names) == (9000, "/metrics", {"orders_total"})
    # What never speaks HTTP is left alone.
    assert sorted(cluster.asked) == [(80, "/metrics"), (9000, "/metrics")]


def test_a_product_is_asked_where_it_publishes() -> None:
    vault = [pod("vault-0", "hashicorp/vault:1", {"app": "x"}, http=8200)]
    cluster = Cluster(vault, [], {(8200, "/v1/sys/metrics"): metrics("vault_core_unsealed 1\n")})
    pages, _notes = collect(cluster)
    assert [page.path for page in pages["data", "vault-0"]] == ["/v1/sys/metrics"]
    assert cluster.asked == [(8200, "/v1/sys/metrics")]


def test_databases_are_not_asked() -> None:
    database = [pod("pg-0", "postgres:15", {"app": "pg"}, sql=5432, other=8008)]
    cluster = Cluster(database, [service("pg", {}, {"app": "pg"}, sql=(5432, 5432))], {})
    assert collect(cluster) == ({}, [])
    assert cluster.asked == []


def test_silence_and_refusal() -> None:
    answers = {(80, "/metrics"): ApiTimeout("slow"), (9000, "/metrics"): Response(401, {}, b"who are you")}
    pages, notes = collect(Cluster(SHOP, [], answers))
    assert [page.status for page in pages["data", "shop-0"]] == [401]
    assert notes == []
    answers = {key: ApiForbidden("pods/proxy", 403, "") for key in [(80, "/metrics"), (9000, "/metrics")]}
    pages, notes = collect(Cluster(SHOP, [], answers))
    assert pages == {}
    assert notes == ["Ports could not be asked for metrics (2 ports): pods/proxy"]


def test_limits() -> None:
    cluster = Cluster(SHOP, [], {})
    _pages, notes = collect(cluster, most=1)
    assert len(cluster.asked) == 1
    assert notes == ["1 of 2 ports were asked for metrics (most_ports)."]
    assert collect(Cluster(SHOP, [], {}), ask=False) == ({}, [])
    assert collect(Cluster(SHOP, [], {(80, "/metrics"): metrics()}), excluded=["data"]) == ({}, [])
