# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way of a target on loopback: a real API server, the real operator and a real Prometheus, without kubelets.

Pods are objects only: their addresses are this machine's own, where the test's exporters listen. What a kubelet would
do (carry the operator's Secret to Prometheus) is done here, in `deliver`.
"""

from __future__ import annotations

import base64
import copy
import gzip
import json
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import DirectApi
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_collect import Collector
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_loop import Outcome, judge_until_final
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import Expectation

from tests.integration.apiserver import ADMIN, CRDS, ApiServer
from tests.integration.programs import Program, free_port, status, wait_for
from tests.lab_fixture import BIN

MONITORING, DATA = "t-scrape-monitoring", "t-scrape-data"
DISCOVERY = [
    {"apiGroups": [""], "resources": ["services", "endpoints", "pods"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["get", "list", "watch"]},
]
JOB = {"action": "replace", "targetLabel": "job", "replacement": "trino"}


def own_address() -> str:
    """An address of this machine that is not the loopback one: endpoints must not have that. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def monitor(**endpoint: Any) -> dict[str, Any]:
    """The monitor of the one entry."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": {"name": "trino", "namespace": DATA, "labels": {"team": "data"}},
        "spec": {
            "selector": {"matchLabels": {"app": "trino"}},
            "namespaceSelector": {"matchNames": [DATA]},
            "endpoints": [
                {"port": "metrics", "interval": "1s", "scrapeTimeout": "1s", "relabelings": [JOB], **endpoint}
            ],
        },
    }


def _operator_objects() -> list[dict[str, Any]]:
    """The Deployment that the operator would be, and its Pod."""
    labels = {"app": "operator"}
    container = {"name": "operator", "image": "quay.io/prometheus-operator/prometheus-operator:v0.93.0"}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "operator", "namespace": MONITORING},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "operator-0", "namespace": MONITORING, "labels": labels},
            "spec": {"containers": [container]},
        },
    ]


class Chain:
    """One entry, `trino`, on the way from its objects to its target."""

    def __init__(self, server: ApiServer, folder: Path, port: int) -> None:
        self.server, self.folder, self.port = server, folder, port
        self.ip = own_address()
        self.programs: list[Program] = []
        self.operator: Program | None = None
        for name in ("prometheuses", "podmonitors", "probes", "scrapeconfigs", "prometheusagents"):
            server.kubectl("apply", "--server-side", "-f", str(CRDS / f"monitoring.coreos.com_{name}.yaml"))
        server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        self.objects()
        self.proxy = free_port()
        arguments = [str(BIN / "kubectl"), f"--kubeconfig={server.kubeconfig(ADMIN)}", "proxy", f"--port={self.proxy}"]
        self.programs.append(Program(arguments, folder / "proxy.log"))
        wait_for(lambda: status(f"http://127.0.0.1:{self.proxy}/readyz") == 200, "kubectl proxy")
        self.start_operator()
        self.prometheus_port = free_port()
        self.config = folder / "prometheus.yml"
        token = server.kubectl("-n", MONITORING, "create", "token", "prometheus", "--duration=1h").stdout.strip()
        (folder / "token").write_text(token)
        self.config.write_text("{}")
        self.programs.append(
            Program(
                [
                    str(BIN / "prometheus"),
                    f"--config.file={self.config}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.prometheus_port}",
                    "--web.enable-lifecycle",
                    "--log.level=warn",
                ],
                folder / "prometheus.log",
            )
        )
        self.url = f"http://127.0.0.1:{self.prometheus_port}"
        wait_for(lambda: status(f"{self.url}/-/ready") == 200, "Prometheus ready")

    # --- objects ------------------------------------------------------------------------------------------------------

    def apply(self, *objects: dict[str, Any]) -> None:
        """Write objects as one user, whole."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.server.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=items)

    def objects(self) -> None:
        """The healthy state; repairs whatever a test has broken."""
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "prometheus", "namespace": MONITORING},
        }
        names = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in (MONITORING, DATA)]
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "t-scrape"},
            "rules": DISCOVERY,
        }
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "t-scrape"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "t-scrape"},
            "subjects": [{"kind": "ServiceAccount", "name": "prometheus", "namespace": MONITORING}],
        }
        prometheus = {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "Prometheus",
            "metadata": {"name": "main", "namespace": MONITORING},
            "spec": {
                "version": "v3.14.0",
                "serviceAccountName": "prometheus",
                "serviceDiscoveryRole": "EndpointSlice",
                "serviceMonitorSelector": {},
                "serviceMonitorNamespaceSelector": {},
                "paused": False,
            },
        }
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "trino", "namespace": DATA, "labels": {"app": "trino"}},
            "spec": {"selector": {"app": "trino"}, "ports": [{"name": "metrics", "port": self.port}]},
        }
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "trino-0", "namespace": DATA, "labels": {"app": "trino"}},
            "spec": {
                "containers": [
                    {"name": "trino", "image": "x", "ports": [{"name": "metrics", "containerPort": self.port}]}
                ]
            },
        }
        self.apply(*names, account, role, binding, prometheus, service, pod, monitor(), *_operator_objects())
        state = {
            "phase": "Running",
            "podIP": self.ip,
            "podIPs": [{"ip": self.ip}],
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
            "containerStatuses": [
                {"name": "trino", "ready": True, "restartCount": 0, "image": "x", "imageID": "x",
                 "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
            ],
        }  # fmt: skip
        for namespace, name in ((DATA, "trino-0"), (MONITORING, "operator-0")):
            words = ("patch", "pod", name, "--subresource=status", "--type=merge", "-p", json.dumps({"status": state}))
            self.server.kubectl("-n", namespace, *words)
        uid = self.get("pod", "trino-0")["metadata"]["uid"]
        self.apply(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {"name": "trino-x", "namespace": DATA, "labels": {"kubernetes.io/service-name": "trino"}},
                "addressType": "IPv4",
                "ports": [{"name": "metrics", "port": self.port, "protocol": "TCP"}],
                "endpoints": [
                    {
                        "addresses": [self.ip],
                        "conditions": {"ready": True},
                        "targetRef": {"kind": "Pod", "name": "trino-0", "namespace": DATA, "uid": uid},
                    }
                ],
            }
        )

    def get(self, kind: str, name: str, namespace: str = DATA) -> dict[str, Any]:
        """One object."""
        return json.loads(self.server.kubectl("-n", namespace, "get", kind, name, "-o", "json").stdout)

    def kubectl(self, *words: str) -> None:
        """A change."""
        self.server.kubectl(*words)

    # --- programs -----------------------------------------------------------------------------------------------------

    def start_operator(self) -> None:
        """The operator, which writes the configuration into a Secret."""
        port = free_port()
        arguments = [
            str(BIN / "prometheus-operator"),
            f"-apiserver=http://127.0.0.1:{self.proxy}",
            f"-web.listen-address=127.0.0.1:{port}",
        ]
        self.operator = Program(arguments, self.folder / "operator.log")

    def stop(self) -> None:
        """End every program."""
        for program in [*self.programs, *([self.operator] if self.operator else [])]:
            program.stop()

    def operator_config(self) -> dict[str, Any]:
        """What the operator has written."""
        secret = self.get("secret", "prometheus-main", MONITORING)
        text = gzip.decompress(base64.b64decode(secret["data"]["prometheus.yaml.gz"])).decode()
        # The reloader fills in the Pod's environment.
        return yaml.safe_load(text.replace("$(SHARD)", "0"))

    def deliver(self) -> int:
        """What kubelet and reloader do: bring the operator's configuration to Prometheus; the status of the reload."""
        config = copy.deepcopy(self.operator_config())
        for job in config.get("scrape_configs") or []:
            for discovery in job.get("kubernetes_sd_configs") or []:
                discovery["api_server"] = self.server.url
                discovery["tls_config"] = {"ca_file": str(self.server.folder / "ca.pem")}
                discovery["authorization"] = {"credentials_file": str(self.folder / "token")}
        config["rule_files"] = []
        self.config.write_text(yaml.safe_dump(config))
        request = urllib.request.Request(f"{self.url}/-/reload", method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as exc:
            return exc.code

    def rendered(self, wanted: Any) -> None:
        """Wait until the operator's configuration satisfies a condition, and deliver it."""
        wait_for(lambda: wanted(self.jobs()), f"the operator's configuration, see {self.folder / 'operator.log'}", 30)
        assert self.deliver() == 200

    def jobs(self) -> dict[str, Any]:
        """The scrape configurations that the operator has written, by name."""
        try:
            return {job["job_name"]: job for job in self.operator_config().get("scrape_configs") or []}
        except subprocess.CalledProcessError:
            return {}

    # --- verdict ------------------------------------------------------------------------------------------------------

    def judge(self, timeout: float = 40, reviews: bool = True, **changes: Any) -> Outcome:
        """The verdict on the entry."""
        item = {
            "name": "trino",
            "job": "trino",
            "monitor": {"kind": "ServiceMonitor", "namespace": DATA, "name": "trino"},
            "namespaces": [DATA],
            "selector": {"matchLabels": {"app": "trino"}},
            "endpoints": monitor()["spec"]["endpoints"],
            **changes,
        }
        api = DirectApi(self.url, timeout=5.0)
        collector = Collector(lambda: [api], self.server.kube(), ask_reviews=reviews)
        return judge_until_final([Expectation.parse(item, 0)], collector, timeout)
