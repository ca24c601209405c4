# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From Pods, Services, targets and pages to entries: which product, which port, and what is left out."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _catalogue_validate, _packs
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _discover_products as products
from ansible_collections.dataplatform.monitoring.plugins.module_utils._discover import name_for, propose
from ansible_collections.dataplatform.monitoring.plugins.module_utils._discover_facts import Facts, Page, workloads
from ansible_collections.dataplatform.monitoring.plugins.module_utils._discover_text import as_yaml

LOADED = _packs.load({})
PACKS = {kind: LOADED.get(kind) for kind in LOADED.kinds()}
Object = dict[str, Any]


def pod(name: str, image: str, labels: Object, namespace: str = "data", **ports: int) -> Object:
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", "labels": labels},
        "spec": {
            "containers": [
                {"name": "main", "image": image, "ports": [{"name": k, "containerPort": v} for k, v in ports.items()]}
            ]
        },
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.1",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "main", "ready": True, "state": {"running": {}}}],
        },
    }


def service(name: str, labels: Object, selector: Object, namespace: str = "data", **ports: Any) -> Object:
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "selector": selector,
            "clusterIP": "10.96.0.1",
            "ports": [{"name": key, "port": port, "targetPort": target} for key, (port, target) in ports.items()],
        },
    }


def target(job: str, item: Object | None = None, pool: str = "", health: str = "up") -> Object:
    discovered = {"__address__": "10.9.9.9:1"}
    if item is not None:
        discovered["__meta_kubernetes_pod_uid"] = item["metadata"]["uid"]
    return {
        "labels": {"job": job},
        "discoveredLabels": discovered,
        "scrapePool": pool or f"serviceMonitor/data/{job}/0",
        "health": health,
    }


def facts(
    pods: list[Object],
    services: list[Object],
    targets: list[Object] | None = None,
    series: dict[str, set[str]] | None = None,
    pages: dict[str, list[Page]] | None = None,
    kubernetes: bool = True,
) -> Facts:
    named = {key: frozenset(value) for key, value in (series or {}).items()}
    asked = {("data", owner): value for owner, value in (pages or {}).items()}
    return Facts(workloads(pods, services), targets or [], named, asked, "monitoring", kubernetes)


def page(port: int, *names: str, path: str = "/metrics", status: int = 200) -> Page:
    return Page(port, path, frozenset(names), status)


def entries(seen: Facts, declared: list[Object] | None = None) -> list[Object]:
    found, _notes = propose(seen, PACKS, declared or [])
    made = [one.entry for one in found]
    if made:
        assert _catalogue_validate.validate(made, LOADED, kubernetes=seen.kubernetes) == []
    return made


TRINO = {"app": "trino"}
TRINO_METRICS = ("trino_execution_name_QueryManager_RunningQueries", "trino_execution_name_QueryManager_QueuedQueries")


def trino(**ports: Any) -> tuple[list[Object], list[Object]]:
    return [pod("trino-0", "reg/stand-in:1", TRINO, http=8080)], [service("trino", TRINO, TRINO, **ports)]


def test_a_product_is_known_by_its_metrics_whatever_its_image() -> None:
    pods, services = trino(http=(8080, "http"), metrics=(9090, "http"))
    found, _notes = propose(facts(pods, services, pages={"trino-0": [page(8080, *TRINO_METRICS)]}), PACKS, [])
    (one,) = found
    assert one.entry == {"name": "trino-0", "kind": "trino", "namespace": "data", "selector": {"app": "trino"}}
    assert "the metrics of trino" in one.why
    assert "nobody scrapes" in one.why


def test_the_port_that_leads_to_the_page_is_named() -> None:
    pods, services = trino(web=(80, "http"))
    (entry,) = entries(facts(pods, services, pages={"trino-0": [page(8080, *TRINO_METRICS)]}))
    assert entry["endpoints"] == [{"port": "web"}]


def test_an_unknown_service_that_speaks_prometheus_and_nobody_scrapes() -> None:
    pods = [pod("shop-1", "shop:1", {"app": "shop"}, api=8080, admin=9000)]
    services = [service("shop", {"app": "shop"}, {"app": "shop"}, admin=(9000, "admin"))]
    seen = facts(pods, services, pages={"shop-1": [page(9000, "orders_total", path="/actuator/prometheus")]})
    assert entries(seen) == [
        {
            "name": "shop-1",
            "namespace": "data",
            "selector": {"app": "shop"},
            "endpoints": [{"port": "admin", "path": "/actuator/prometheus"}],
        }
    ]


def test_pods_without_a_service_get_a_pod_monitor() -> None:
    seen = facts([pod("agent-1", "x", {"app": "agent"}, http=80)], [], pages={"agent-1": [page(80, "lines_total")]})
    (entry,) = entries(seen)
    assert entry["monitor"] == "PodMonitor"
    assert entry["selector"] == {"app": "agent"}
    assert entry["endpoints"] == [{"port": "http"}]


def test_two_services_of_the_same_pods_are_told_apart() -> None:
    labels = {"app": "shop"}
    pods = [pod("shop-1", "shop:1", labels, http=8080)]
    services = [
        service("shop", {**labels, "kind": "one"}, labels, http=(8080, "http")),
        service("shop-headless", {**labels, "kind": "each"}, labels, http=(8080, "http")),
    ]
    (entry,) = entries(facts(pods, services, pages={"shop-1": [page(8080, "orders_total")]}))
    assert entry["selector"] == {"app": "shop", "kind": "one"}


def test_a_database_needs_an_exporter_with_credentials() -> None:
    pods = [pod("pg-0", "docker.io/library/postgres:15", {"app": "pg"}, sql=5432)]
    services = [service("pg", {"app": "pg"}, {"app": "pg"}, sql=(5432, 5432))]
    found, _notes = propose(facts(pods, services), PACKS, [])
    (one,) = found
    assert one.entry["exporter"] == {"host": "pg.data.svc", "credentials_secret": "pg-monitoring"}
    assert "kubectl -n monitoring create secret generic pg-monitoring --from-literal=username=..." in one.to_do
    assert _catalogue_validate.validate([one.entry], LOADED) == []


def test_a_database_whose_exporter_is_there_is_only_mentioned() -> None:
    database = pod("pg-0", "postgres:15", {"app": "pg"}, sql=5432)
    exporter = pod("exporter-0", "postgres-exporter:1", {"app": "e"}, http=9187)
    names = set(PACKS["postgresql"]["must_have"])
    for seen in (
        facts([database, exporter], [], [target("pg", exporter)], {"pg": names}),
        facts([database, exporter], [], pages={"exporter-0": [page(9187, *names)]}),
    ):
        found, notes = propose(seen, PACKS, [])
        assert [one.entry["kind"] for one in found] == ["postgresql"]
        assert any("may be what the exporter of postgresql is for" in note for note in notes)


def test_what_somebody_scrapes_is_adopted_with_its_kind() -> None:
    item = pod("trino-0", "x", TRINO)
    series = {"query-engine": set(TRINO_METRICS)}
    found, _notes = propose(facts([item], [], [target("query-engine", item, health="down")], series), PACKS, [])
    (one,) = found
    assert one.entry == {"name": "query-engine", "kind": "trino", "adopt": True, "job": "query-engine"}
    assert one.why == "1 target of ServiceMonitor data/query-engine, scraped already"
    assert one.to_do == "1 of them down"


def test_jobs_of_the_control_plane_are_known_by_their_names() -> None:
    series = {"apiserver": {"workqueue_depth", "apiserver_request_total"}}
    (entry,) = entries(facts([], [], [target("apiserver")], series))
    assert entry == {"name": "apiserver", "kind": "apiserver", "adopt": True}


def test_without_kubernetes_each_job_is_an_entry() -> None:
    targets = [target("node", pool="node"), target("node", pool="node"), target("Order DB", pool="Order DB")]
    seen = facts([], [], targets, {"Order DB": set(PACKS["postgresql"]["must_have"])}, kubernetes=False)
    assert entries(seen) == [
        {"name": "order-db", "kind": "postgresql", "job": "Order DB"},
        {"name": "node", "min_targets": 2},
    ]


def test_what_the_catalogue_has_is_not_proposed() -> None:
    pods, services = trino(http=(8080, "http"))
    pods += [pod("pg-0", "postgres:15", {"app": "pg"}, sql=5432)]
    services += [service("pg", {"app": "pg"}, {"app": "pg"}, sql=(5432, 5432))]
    declared = [
        {"name": "trino", "kind": "trino", "namespaces": ["data"], "selector": {"matchLabels": TRINO}, "job": "trino"},
        {"name": "pg", "kind": "postgresql", "namespaces": ["monitoring"], "selector": {"matchLabels": {"app": "e"}},
         "exporter": {"host": "pg.data.svc.cluster.local"}, "job": "pg"},
    ]  # fmt: skip
    assert (
        entries(facts(pods, services, [target("pg")], pages={"trino-0": [page(8080, *TRINO_METRICS)]}), declared) == []
    )


def test_a_port_that_asks_for_credentials_is_no_page_and_no_guess() -> None:
    pods = [pod("minio-0", "quay.io/minio/minio:x", {"app": "minio"}, api=9000)]
    services = [service("minio", {"app": "minio"}, {"app": "minio"}, api=(9000, 9000))]
    asks = page(9000, path="/minio/v2/metrics/cluster", status=403)
    found, _notes = propose(facts(pods, services, pages={"minio-0": [asks]}), PACKS, [])
    assert found[0].entry == {"name": "minio-0", "kind": "minio", "namespace": "data"}
    assert "answers 403" in found[0].to_do


def test_nothing_is_made_of_pods_that_say_nothing() -> None:
    quiet = pod("idle-1", "busybox", {"app": "idle"})
    asking = pod("asking-1", "busybox", {"app": "asking"}, http=80)
    asking["metadata"]["annotations"] = {"prometheus.io/scrape": "true"}
    found, notes = propose(facts([quiet, asking], []), PACKS, [])
    assert found == []
    assert notes == ["data/asking-1 is annotated prometheus.io/scrape, but no port answers with metrics."]


def test_what_a_chart_scrapes_by_itself_is_told() -> None:
    _found, notes = propose(facts([pod("ksm-1", "x/kube-state-metrics:v2", {"a": "b"})], []), PACKS, [])
    assert notes == ["data/ksm-1 is kube-state-metrics, and nobody scrapes it: its chart brings the monitor."]


@pytest.mark.parametrize(
    ("image", "kind", "needs"),
    [
        ("docker.io/trinodb/trino:476", "trino", False),
        ("localhost:5000/mirror/trino@sha256:abc", "trino", False),
        ("acryldata/datahub-gms:v1", "datahub", False),
        ("apache/doris:fe-3.0.8", None, False),
        ("apache/doris.fe-ubuntu:2.1", "doris_fe", False),
        ("ghcr.io/cloudnative-pg/postgresql:17", "postgresql", True),
        ("bitnami/postgres-exporter:0.17", "postgresql", False),
        ("quay.io/strimzi/kafka:0.45-kafka-3.9", "kafka", True),
        ("registry.k8s.io/ingress-nginx/controller:v1.12", "ingress-nginx", False),
        ("example.com/team/shop:1", None, False),
    ],
)
def test_images(image: str, kind: str | None, needs: bool) -> None:
    found = products.by_image([image])
    assert (found.kind if found else None, bool(found and found.needs_exporter)) == (kind, needs)


def test_every_image_leads_to_a_pack() -> None:
    kinds = {kind for _pattern, kind in [*products._IMAGES, *products._NATIVE]}
    assert kinds <= set(PACKS)


def test_metrics_that_every_program_has_are_no_sign() -> None:
    assert products.by_metrics({"jvm_memory_used_bytes", "process_cpu_seconds_total"}, PACKS) is None


def test_labels() -> None:
    found = products.by_labels({"app": "datahub-gms"}, PACKS)
    assert found == products.Product("datahub", "label app: datahub-gms", False)
    assert products.by_labels({"app": "elasticsearch"}, PACKS).needs_exporter
    assert products.by_labels({"app": "shop"}, PACKS) is None


def test_names_are_labels_that_nobody_has() -> None:
    assert name_for("My_Shop v2", "", set()) == "my-shop-v2"
    assert name_for("shop", "team-a", {"shop"}) == "shop-team-a"
    assert name_for("shop", "", {"shop"}) == "shop-2"
    assert len(name_for("x" * 90, "", set())) <= 63


def test_the_text_is_yaml_and_says_why() -> None:
    pods, services = trino(http=(8080, "http"))
    found, _notes = propose(facts(pods, services, pages={"trino-0": [page(8080, *TRINO_METRICS)]}), PACKS, [])
    text = as_yaml(found, {"monitoring_prometheus": {"namespace": "observability"}})
    assert yaml.safe_load(text) == {
        "monitoring_prometheus": {"namespace": "observability"},
        "monitoring_services": [one.entry for one in found],
    }
    assert "  # data/trino-0: the metrics of trino" in text
    assert yaml.safe_load(as_yaml([], {})) == {"monitoring_services": []}
