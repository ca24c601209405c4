# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kubernetes API of a few paths: lists from plain objects, pods/log from lines, and a proxy to real processes.

The verdict's other half, Loki and Promtail, is real. A real cluster is broken in tests/faults.
"""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import rfc3339

Object = dict[str, Any]


class Cluster:
    """One node `n1` with an agent; add Pods with `pod` and their log lines with `wrote`."""

    def __init__(self) -> None:
        self.objects: dict[str, list[Object]] = {
            "/api/v1/pods": [],
            "/api/v1/nodes": [_node("n1")],
            "/apis/apps/v1/daemonsets": [_daemonset()],
            "/api/v1/namespaces/monitoring/events": [],
        }
        self.single: dict[str, Object] = {"/version": {"gitVersion": "v1.36.3"}}
        self.lines: dict[tuple[str, str, str], list[float]] = {}
        self.backends: dict[str, str] = {}
        self.forbidden: set[str] = set()
        self.asked: list[str] = []
        cluster = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                cluster._answer(self)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Close the server."""
        self._server.shutdown()
        self._server.server_close()

    # What there is

    def pod(self, name: str, namespace: str = "data-platform", node: str = "n1", **labels: str) -> Object:
        """A Pod that has run for an hour."""
        item = _pod(name, namespace, node, labels)
        self.objects["/api/v1/pods"].append(item)
        return item

    def agent(self, backend: str = "", age: float = 3600) -> Object:
        """The agent's Pod on n1; `backend` is the URL behind its port."""
        item = _pod("promtail-n1", "monitoring", "n1", {})
        item["metadata"]["ownerReferences"] = [{"kind": "DaemonSet", "uid": "ds", "controller": True}]
        item["metadata"]["creationTimestamp"] = rfc3339(time.time() - age)
        item["spec"]["containers"][0]["ports"] = [{"name": "http-metrics", "containerPort": 3101}]
        self.objects["/api/v1/pods"].append(item)
        if backend:
            self.backends["promtail-n1:3101"] = backend
        return item

    def loki(self, backend: str) -> None:
        """Service monitoring/loki with one Pod, and the real Loki behind it."""
        path = "/api/v1/namespaces/monitoring/services/loki"
        self.single[path] = {
            "metadata": {"name": "loki", "namespace": "monitoring", "creationTimestamp": rfc3339(time.time() - 3600)},
            "spec": {"ports": [{"name": "http-metrics", "port": 3100}]},
        }
        self.objects["/apis/discovery.k8s.io/v1/namespaces/monitoring/endpointslices"] = [
            {
                "metadata": {"name": "loki-x"},
                "ports": [{"name": "http-metrics", "port": 3100}],
                "endpoints": [{"conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": "loki-0"}}],
            }
        ]
        self.backends["loki-0:3100"] = backend

    def wrote(self, name: str, *ages: float, namespace: str = "data-platform") -> None:
        """The kubelet holds lines of so many seconds ago."""
        self.lines[namespace, name, "main"] = [time.time() - age for age in sorted(ages, reverse=True)]

    # The API

    def _answer(self, request: Any) -> None:
        url = urllib.parse.urlsplit(request.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        self.asked.append(url.path)
        parts = url.path.split("/")
        if any(text in url.path for text in self.forbidden):
            message = f'User "reader" cannot get "{url.path}"'
            return _send(request, 403, {"kind": "Status", "message": message, "code": 403})
        if "/proxy/" in url.path:
            return self._proxy(request, parts[6], url.path.split("/proxy", 1)[1], url.query)
        if url.path.endswith("/log"):
            found = self.lines.get((parts[4], parts[6], query["container"]), [])
            since = time.time() - int(query["sinceSeconds"])
            stamps = [stamp for stamp in found if stamp >= since]
            if "tailLines" in query:
                stamps = stamps[-int(query["tailLines"]) :]
            text = "".join(f"{rfc3339(stamp)[:-1]}.5Z line\n" for stamp in stamps)
            return _send(request, 200, text[: int(query.get("limitBytes", 1 << 20))])
        if url.path in self.single:
            return _send(request, 200, self.single[url.path])
        if url.path in self.objects:
            return _send(request, 200, {"kind": "List", "apiVersion": "v1", "items": self.objects[url.path]})
        return _send(request, 404, {"kind": "Status", "message": f"{url.path} not found", "code": 404})

    def _proxy(self, request: Any, target: str, path: str, query: str) -> None:
        if target not in self.backends:
            return _send(request, 503, {"kind": "Status", "message": "no endpoints available", "code": 503})
        headers = {name: value for name, value in request.headers.items() if name in ("X-Scope-OrgID", "Accept")}
        forward = urllib.request.Request(f"{self.backends[target]}{path}?{query}", headers=headers)
        try:
            with urllib.request.urlopen(forward, timeout=20) as answer:
                return _send(request, answer.status, answer.read())
        except urllib.error.HTTPError as exc:
            return _send(request, exc.code, exc.read())
        except OSError as exc:
            return _send(request, 503, {"kind": "Status", "message": f"error trying to reach service: {exc}"})


def _send(request: Any, status: int, body: Any) -> None:
    if isinstance(body, dict):
        body = json.dumps(body)
    data = body.encode() if isinstance(body, str) else body
    request.send_response(status)
    request.send_header("Content-Length", str(len(data)))
    request.end_headers()
    request.wfile.write(data)


def _node(name: str) -> Object:
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/os": "linux"}},
        "spec": {},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


def _daemonset() -> Object:
    containers = [{"name": "main", "image": "docker.io/grafana/promtail:3.6.4"}]
    return {
        "metadata": {"name": "promtail", "namespace": "monitoring", "uid": "ds", "creationTimestamp": rfc3339(0)},
        "spec": {"template": {"spec": {"containers": containers, "tolerations": [{"operator": "Exists"}]}}},
    }


def _pod(name: str, namespace: str, node: str, labels: dict[str, str]) -> Object:
    started = rfc3339(time.time() - 3600)
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": name, "labels": labels, "creationTimestamp": started},
        "spec": {"nodeName": node, "containers": [{"name": "main"}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "main", "state": {"running": {"startedAt": started}}}],
        },
    }
