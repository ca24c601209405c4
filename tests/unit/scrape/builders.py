# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small data platform as plain data: a healthy world that a test breaks in one place, then has judged."""

from __future__ import annotations

import copy
import datetime
import json
import re
from typing import Any

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _scrape_access
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_config import sanitise
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_diagnosis import diagnose
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import (
    Expectation,
    Finding,
    Judgement,
    Server,
    Snapshot,
    pools_of,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_relabel import first_drop, normalise

NOW = 1_800_000_000.0
INTERVAL = 30.0
Object = dict[str, Any]


def at(seconds: float) -> str:
    """The time so many seconds ago, as Kubernetes and Prometheus write it."""
    moment = datetime.datetime.fromtimestamp(NOW - seconds, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def service(name: str, namespace: str = "data", labels: Object | None = None, **ports: int) -> Object:
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels or {"app": name}},
        "spec": {
            "selector": {"app": name},
            "ports": [{"name": port, "port": number, "targetPort": number} for port, number in ports.items()],
        },
    }


def pod(name: str, ip: str, namespace: str = "data", app: str = "trino", **ports: int) -> Object:
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            "labels": {"app": app, "pod-template-hash": "abc"},
            "creationTimestamp": at(3600),
            "ownerReferences": [{"kind": "ReplicaSet", "name": f"{app}-abc"}],
        },
        "spec": {
            "containers": [
                {"name": app, "ports": [{"name": port, "containerPort": number} for port, number in ports.items()]}
            ]
        },
        "status": {
            "phase": "Running",
            "podIP": ip,
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": at(3600)}],
            "containerStatuses": [
                {"name": app, "ready": True, "restartCount": 0, "state": {"running": {"startedAt": at(3600)}}}
            ],
        },
    }


def unready(item: Object, seconds: float, state: Object | None = None, restarts: int = 0) -> None:
    """Make a Pod not ready for so many seconds, its container in the given state."""
    item["status"]["conditions"] = [{"type": "Ready", "status": "False", "lastTransitionTime": at(seconds)}]
    status = item["status"]["containerStatuses"][0]
    status.update({"ready": False, "restartCount": restarts, "state": state or {"running": {}}})
    if restarts:
        status["lastState"] = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}


def endpoint_slice(item: Object, pods: list[Object]) -> Object:
    return {
        "metadata": {
            "name": f"{item['metadata']['name']}-x",
            "namespace": item["metadata"]["namespace"],
            "labels": {"kubernetes.io/service-name": item["metadata"]["name"]},
        },
        "ports": [{"name": port["name"], "port": port["targetPort"]} for port in item["spec"]["ports"]],
        "endpoints": [
            {
                "addresses": [each["status"]["podIP"]],
                "conditions": {"ready": True},
                "targetRef": {"kind": "Pod", "name": each["metadata"]["name"], "uid": each["metadata"]["uid"]},
            }
            for each in pods
        ],
    }


def job_of(monitor: Object, index: int) -> Object:
    """The running configuration of a monitor, as the operator writes and Prometheus prints it (what matters of it)."""
    spec = monitor["spec"]
    pods = monitor["kind"] == "PodMonitor"
    endpoint = spec["podMetricsEndpoints" if pods else "endpoints"][index]
    role = "pod" if pods else "service"
    rules: list[Object] = [{"source_labels": ["job"], "target_label": "__tmp_prometheus_job_name"}]
    for key, value in (spec["selector"].get("matchLabels") or {}).items():
        name = sanitise(key)
        sources = [f"__meta_kubernetes_{role}_label_{name}", f"__meta_kubernetes_{role}_labelpresent_{name}"]
        rules.append({"action": "keep", "source_labels": sources, "regex": f"({value});true"})
    if endpoint.get("port"):
        source = "__meta_kubernetes_pod_container_port_name" if pods else "__meta_kubernetes_endpointslice_port_name"
        rules.append({"action": "keep", "source_labels": [source], "regex": endpoint["port"]})
    elif endpoint.get("targetPort"):
        kind = "number" if isinstance(endpoint["targetPort"], int) else "name"
        source = f"__meta_kubernetes_pod_container_port_{kind}"
        rules.append({"action": "keep", "source_labels": [source], "regex": endpoint["targetPort"]})
    rules.append({"action": "drop", "source_labels": ["__meta_kubernetes_pod_phase"], "regex": "(Failed|Succeeded)"})
    rules += [normalise(rule, crd=True) for rule in endpoint.get("relabelings") or []]
    rules.append({"source_labels": ["__address__", "__tmp_hash"], "target_label": "__tmp_hash", "regex": "(.+);"})
    namespaces = (spec.get("namespaceSelector") or {}).get("matchNames") or [monitor["metadata"]["namespace"]]
    job = {
        "job_name": pools_of(monitor)[index],
        "metrics_path": endpoint.get("path", "/metrics"),
        "scheme": endpoint.get("scheme", "http").lower(),
        "scrape_interval": endpoint.get("interval", "30s"),
        "scrape_timeout": endpoint.get("scrapeTimeout", "10s"),
        "kubernetes_sd_configs": [
            {"role": "pod" if pods else "endpointslice", "namespaces": {"own_namespace": False, "names": namespaces}}
        ],
        "relabel_configs": [normalise(rule) for rule in rules],
    }
    for key, name in (("basicAuth", "basic_auth"), ("authorization", "authorization")):
        if endpoint.get(key):
            job[name] = {"masked": "<secret>"}
    return job


def target(url: str, pool: str, job: str = "trino", item: Object | None = None, **more: Any) -> Object:
    address = re.sub(r"^https?://([^/]+).*$", r"\1", url)
    discovered = {"__address__": address, "job": pool, "__scheme__": "http"}
    labels = {"instance": address, "job": job, "namespace": "data"}
    if item is not None:
        meta = item["metadata"]
        discovered["__meta_kubernetes_pod_uid"] = meta["uid"]
        discovered["__meta_kubernetes_pod_name"] = meta["name"]
        discovered["__meta_kubernetes_namespace"] = meta["namespace"]
        for key, value in meta["labels"].items():
            discovered[f"__meta_kubernetes_service_label_{sanitise(key)}"] = value
        labels["pod"] = meta["name"]
        labels["container"] = meta["labels"]["app"]
    return {
        "discoveredLabels": discovered,
        "labels": labels,
        "scrapePool": pool,
        "scrapeUrl": url,
        "lastError": "",
        "lastScrape": at(-3),
        "lastScrapeDuration": 0.01,
        "health": "up",
        "scrapeInterval": "30s",
        "scrapeTimeout": "10s",
        **more,
    }


def steady(value: float = 1.0, minutes: float = 10.0) -> list[tuple[float, float]]:
    """Samples of a target that was always the same."""
    count = int(minutes * 60 / INTERVAL)
    return [(NOW - INTERVAL * (count - 1 - i), value) for i in range(count)]


class Prometheus:
    """One server's answers."""

    def __init__(self, name: str = "prometheus-main-0") -> None:
        self.pod = ("monitoring", name)
        self.name = f"monitoring/{name}"
        self.problem: Finding | None = None
        self.targets: list[Object] = []
        self.jobs: dict[str, Object] = {}
        self.reload_ok = True
        self.config_time = NOW - 1800
        self.dropped: dict[str, list[Object]] = {}
        self.samples: dict[str, float] = {}  # scrape_samples_scraped by URL, 100 unless said
        self.past: dict[str, list[tuple[float, float]]] = {}  # samples of up by URL, steady unless said
        self.metrics: dict[str, list[str]] = {}
        self.values: dict[str, Any] = {}
        self.seen: dict[str, list[Object]] = {}
        self.steps = True

    def server(self) -> Server:
        if self.problem is not None:
            return Server(self.name, self.pod, self.problem)
        pools = frozenset(self.jobs)
        return Server(self.name, self.pod, None, self.targets, pools, self.jobs, self.reload_ok, self.config_time)


class World:
    """One catalogue entry, C(trino), with everything that belongs to it."""

    def __init__(self, pods: int = 1) -> None:
        self.kubernetes = True
        self.namespaces: dict[str, Object] = {"data": {"team": "data"}, "monitoring": {}}
        self.service = service("trino", metrics=9000, http=8080)
        self.services = [self.service, service("minio", http=9000)]
        self.pods = [pod(f"trino-{i}", f"10.0.0.{i + 1}", metrics=9000, http=8080) for i in range(pods)]
        self.slices = [endpoint_slice(self.service, self.pods)]
        endpoint = {
            "port": "metrics",
            "relabelings": [{"action": "replace", "targetLabel": "job", "replacement": "trino"}],
        }
        self.monitor: Object = {
            "kind": "ServiceMonitor",
            "metadata": {
                "name": "trino",
                "namespace": "monitoring",
                "labels": {"app.kubernetes.io/managed-by": "dataplatform.monitoring"},
                "creationTimestamp": at(3600),
                "generation": 1,
            },
            "spec": {
                "selector": {"matchLabels": {"app": "trino"}},
                "namespaceSelector": {"matchNames": ["data"]},
                "endpoints": [copy.deepcopy(endpoint)],
            },
        }
        self.monitors = [self.monitor]
        self.prometheus: Object = {
            "kind": "Prometheus",
            "metadata": {"name": "main", "namespace": "monitoring", "creationTimestamp": at(7200)},
            "spec": {
                "serviceAccountName": "prometheus",
                "serviceMonitorSelector": {},
                "serviceMonitorNamespaceSelector": {},
                "podMonitorSelector": {},
                "podMonitorNamespaceSelector": {},
                "probeSelector": {},
                "probeNamespaceSelector": {},
            },
            "status": {"conditions": [{"type": "Reconciled", "status": "True"}]},
        }
        self.prometheuses = [self.prometheus]
        self.events: list[Object] = []
        self.workloads: list[Object] = []
        self.operator: Object | None = {
            "kind": "Deployment",
            "metadata": {"name": "operator", "namespace": "monitoring"},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "operator"}},
                "template": {
                    "spec": {"containers": [{"image": "quay.io/prometheus-operator/prometheus-operator:v0.93.0"}]}
                },
            },
        }
        self.operator_pods = [pod("operator-1", "10.0.9.1", "monitoring", "operator")]
        self.refused: set[str] = set()
        self.denied: dict[str, Finding] = {}
        self.expectation: Object = {
            "name": "trino",
            "job": "trino",
            "kind": "trino",
            "state": "present",
            "monitor": {"kind": "ServiceMonitor", "namespace": "monitoring", "name": "trino"},
            "namespaces": ["data"],
            "selector": {"matchLabels": {"app": "trino"}},
            "endpoints": [copy.deepcopy(endpoint)],
        }
        self.servers = [Prometheus()]
        self.load()

    @property
    def server(self) -> Prometheus:
        return self.servers[0]

    @property
    def target(self) -> Object:
        return self.server.targets[0]

    def load(self) -> None:
        """Let every Prometheus run the monitor as it is, and scrape the Pods."""
        for server in self.servers:
            server.jobs = {pool: job_of(self.monitor, i) for i, pool in enumerate(pools_of(self.monitor))}
            pool = next(iter(server.jobs))
            server.targets = [
                target(f"http://{item['status']['podIP']}:9000/metrics", pool, item=item) for item in self.pods
            ]

    def change(self, **endpoint: Any) -> None:
        """Change the endpoint in the catalogue and in the live monitor, and load it."""
        live = self.monitor["spec"]["podMetricsEndpoints" if self.monitor["kind"] == "PodMonitor" else "endpoints"]
        for item in (self.expectation["endpoints"][0], live[0]):
            item.update(copy.deepcopy(endpoint))
            for key in [key for key, value in item.items() if value is None]:
                del item[key]
        self.load()

    def down(self, error: str, index: int = 0, **more: Any) -> None:
        """Let a target be down, steadily."""
        for server in self.servers:
            item = server.targets[index]
            item.update({"health": "down", "lastError": error, **more})
            server.past[item["scrapeUrl"]] = steady(0.0)

    def snapshot(self) -> Snapshot:
        return Snapshot([server.server() for server in self.servers], self.kubernetes)

    def fill(self, snapshot: Snapshot) -> None:
        for key in list(snapshot.wanted):
            kind = key[0]
            snapshot.facts[key] = self.denied[kind] if kind in self.denied else getattr(self, f"_{kind}")(*key[1:])
        snapshot.wanted.clear()

    def judge(self, started: float = NOW, now: float = NOW, **changes: Any) -> Judgement:
        """The judgement, once every fact that is asked for is there."""
        expectation = Expectation.parse({**self.expectation, **changes}, 0)
        snapshot = self.snapshot()
        for _ in range(9):
            judgement = diagnose(expectation, snapshot, now, started)
            if not snapshot.wanted:
                return judgement
            self.fill(snapshot)
        raise AssertionError(f"the diagnosis never stops asking: {snapshot.wanted}")

    # Facts, by the first word of their key.
    def _monitors(self, kind: str, namespace: str) -> Any:
        return [m for m in self.monitors if (m["kind"], m["metadata"]["namespace"]) == (kind, namespace)]

    def _prometheuses(self) -> Any:
        return self.prometheuses

    def _namespaces(self) -> Any:
        return self.namespaces

    def _objects(self, namespace: str) -> Any:
        def here(items: list[Object]) -> list[Object]:
            return [item for item in items if namespace in ("*", item["metadata"]["namespace"])]

        return {"services": here(self.services), "slices": here(self.slices), "pods": here(self.pods)}

    def _events(self, namespace: str) -> Any:
        return self.events

    def _workloads(self, namespace: str) -> Any:
        return self.workloads

    def _operator(self) -> Any:
        if self.operator is None:
            return {"deployments": [], "pods": []}
        return {"deployments": [self.operator], "pods": self.operator_pods}

    def _access(self, account: tuple[str, str], role: str, namespaces: tuple[str, ...]) -> Any:
        rights = _scrape_access.needs(role, namespaces)
        return [(tuple(right), right.resource not in self.refused) for right in rights]

    def _history(self, job: str) -> Any:
        return {
            server.name: [
                {"metric": {"__name__": "up", **t["labels"]}, "values": server.past.get(t["scrapeUrl"], steady())}
                for t in server.targets
            ]
            for server in self.servers
        }

    def _samples(self, job: str) -> Any:
        return {
            server.name: [
                {
                    "metric": {"__name__": "scrape_samples_scraped", **t["labels"]},
                    "value": server.samples.get(t["scrapeUrl"], 100.0),
                }
                for t in server.targets
            ]
            for server in self.servers
        }

    def _present(self, job: str, names: tuple[str, ...]) -> Any:
        return {
            server.name: [
                {"metric": {"job": job, "__name__": name}, "value": 1.0}
                for name in server.metrics.get(job, [])
                if name in names
            ]
            for server in self.servers
        }

    def _names(self, job: str) -> Any:
        return {server.name: server.metrics.get(job, []) for server in self.servers}

    def _seen(self, job: str) -> Any:
        return {server.name: server.seen.get(job, []) for server in self.servers}

    def _query(self, expr: str) -> Any:
        found = self.server.values.get(expr, [])
        return (
            found
            if isinstance(found, Finding)
            else {server.name: server.values.get(expr, []) for server in self.servers}
        )

    def _dropped(self, pool: str) -> Any:
        return {server.name: server.dropped.get(pool, []) for server in self.servers}

    def _steps(self, pool: str, labels: str) -> Any:
        if not self.server.steps:
            return []
        rules = self.server.jobs[pool].get("relabel_configs") or []
        last = first_drop(rules, json.loads(labels))
        return [{"keep": last is None or i < last} for i in range(len(rules))]


def value(number: float, **labels: str) -> Object:
    """One sample of a vector."""
    return {"metric": labels, "value": number}
