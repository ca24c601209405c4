# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small Kubernetes API over real HTTP on loopback: enough of server-side apply, lists, discovery and CRDs for an
ApplySet. It is stricter than kind: whatever it does not know is an error, and every call is recorded.
"""

from __future__ import annotations

import copy
import http.server
import json
import re
import socket
import threading
import typing as t
import urllib.parse

from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_objects import BUILTIN, group_of
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube
from kubernetes.client import Configuration

Object = dict[str, t.Any]
_PATH = re.compile(
    r"^/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+)/(?P<version>v[^/]+))"
    r"(?:/namespaces/(?P<ns>[^/]+)(?=/))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?$"
)


class Refusal(Exception):
    """An answer other than 2xx."""

    def __init__(self, status: int, message: str, reason: str = "", details: Object | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status,
            "message": message, "reason": reason, "details": details or {},
        }  # fmt: skip


class Call(t.NamedTuple):
    """One call as it arrived."""

    method: str
    path: str
    params: dict[str, str]
    body: t.Any
    content_type: str

    @property
    def dry(self) -> bool:
        """Whether nothing could be changed by it."""
        return self.method == "GET" or self.params.get("dryRun") == "All" or "dryRun" in (self.body or {})


class FakeApi:
    """State and behaviour; C(serve) puts it on a port."""

    def __init__(self) -> None:
        self.kinds: dict[str, dict[str, tuple[str, bool]]] = copy.deepcopy(BUILTIN)
        self.store: dict[tuple[str, str, str], Object] = {}
        self.calls: list[Call] = []
        self.refusals: list[tuple[str, re.Pattern[str], bool | None, Refusal]] = []
        self.warning = ""
        self.raw = b""
        self._lock = threading.RLock()
        self._counter = 0

    # -- for tests -----------------------------------------------------------------------------------------------------

    def refuse(self, method: str, path: str, status: int, message: str, dry: bool | None = None, **more: t.Any) -> None:
        """Answer matching calls with a refusal; C(dry) limits it to dry runs or to real writes."""
        self.refusals.append((method, re.compile(path), dry, Refusal(status, message, **more)))

    def add(self, obj: Object, manager: str = "somebody") -> Object:
        """Put an object there, as another client would have."""
        plural, namespaced = self.kinds[obj["apiVersion"]][obj["kind"]]
        obj = copy.deepcopy(obj)
        space = obj["metadata"].get("namespace", "") if namespaced else ""
        entry = {"manager": manager, "operation": "Update", "apiVersion": obj["apiVersion"], "fieldsV1": _fields(obj)}
        obj["metadata"]["managedFields"] = [{**entry, "time": "2026-01-02T03:04:05Z"}]
        return self._save(obj, (plural, space, obj["metadata"]["name"]))

    def find(self, plural: str, name: str, namespace: str = "") -> Object | None:
        """What is stored."""
        return self.store.get((plural, namespace, name))

    def writes(self) -> list[str]:
        """METHOD path of every call that could change something."""
        return [f"{call.method} {call.path}" for call in self.calls if not call.dry]

    @staticmethod
    def connect(server: http.server.HTTPServer) -> Kube:
        """A connection to a server of C(serve)."""
        # A kubeconfig that was loaded earlier in this process would win over the address (its default outlives it).
        Configuration.set_default(None)
        return Kube({"host": f"http://127.0.0.1:{server.server_port}", "api_key": "token"})

    def serve(self, port: int = 0) -> http.server.ThreadingHTTPServer:
        """A server on a loopback port, already running; call C(shutdown) and C(server_close)."""
        server = _Server(("127.0.0.1", port), _handler(self))
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return server

    # -- the API -------------------------------------------------------------------------------------------------------

    def answer(self, call: Call) -> tuple[int, Object]:
        """Status and body of one call."""
        with self._lock:
            self.calls.append(call)
            try:
                for method, path, dry, refusal in self.refusals:
                    if method == call.method and path.search(call.path) and dry in (None, call.dry):
                        raise refusal
                return self._route(call)
            except Refusal as refusal:
                return refusal.status, refusal.body

    def _route(self, call: Call) -> tuple[int, Object]:
        path = call.path
        if path == "/version":
            return 200, {"major": "1", "minor": "36", "gitVersion": "v1.36.3"}
        if path in ("/api", "/apis"):
            return 200, {"kind": "APIVersions", "versions": ["v1"], "groups": []}
        if path.count("/") == 2 and path.startswith("/apis/"):
            group = path.removeprefix("/apis/")
            served = [version for version in self.kinds if group_of(version) == group]
            if not served:
                raise Refusal(404, "the server could not find the requested resource", "NotFound")
            return 200, {"kind": "APIGroup", "versions": [{"groupVersion": version} for version in served]}
        match = _PATH.match(path)
        if path == "/api/v1" or (path.startswith("/apis/") and path.count("/") == 3):
            version = path.removeprefix("/apis/").removeprefix("/api/")
            if version not in self.kinds:
                raise Refusal(404, "the server could not find the requested resource", "NotFound")
            resources = [{"kind": k, "name": n, "namespaced": s} for k, (n, s) in self.kinds[version].items()]
            return 200, {"kind": "APIResourceList", "resources": resources}
        if not match:
            raise Refusal(404, "the server could not find the requested resource", "NotFound")
        version = match["core"] or f"{match['group']}/{match['version']}"
        kind = next((k for k, (n, _) in self.kinds.get(version, {}).items() if n == match["plural"]), None)
        if kind is None:
            raise Refusal(404, "the server could not find the requested resource", "NotFound")
        key = (match["plural"], match["ns"] or "", match["name"] or "")
        return getattr(self, f"_{call.method.lower()}")(call, key, version, kind)

    def _get(self, call: Call, key: tuple[str, str, str], version: str, kind: str) -> tuple[int, Object]:
        plural, space, name = key
        if name:
            return 200, self._existing(key)
        label, equals, value = call.params.get("labelSelector", "").partition("=")
        found = [
            {k: v for k, v in obj.items() if k not in ("kind", "apiVersion")}
            for (p, n, _), obj in sorted(self.store.items())
            if p == plural
            and (not space or n == space)
            and (not label or label in (obj["metadata"].get("labels") or {}))
            and (not equals or obj["metadata"]["labels"][label] == value)
        ]
        return 200, {"kind": f"{kind}List", "apiVersion": version, "metadata": {}, "items": found}

    def _patch(self, call: Call, key: tuple[str, str, str], version: str, kind: str) -> tuple[int, Object]:
        wanted = call.body
        if call.content_type != "application/apply-patch+yaml":
            raise Refusal(415, f"content type {call.content_type}")
        self._check_namespace(key)
        live = self.store.get(key)
        if live is None:
            after = _apply({}, wanted, None)
            after.update(apiVersion=version, kind=kind)
        else:
            if call.params.get("force") != "true":
                self._conflicts(live, wanted, call.params["fieldManager"])
            entry = _own_entry(live, call.params["fieldManager"])
            after = _apply(live, wanted, entry and entry["fieldsV1"])
        entries = [
            entry
            for entry in (live or {}).get("metadata", {}).get("managedFields") or []
            if entry["manager"] != call.params["fieldManager"]
        ]
        for entry in entries:
            entry["fieldsV1"] = _without(entry["fieldsV1"], live or {}, wanted)
        ours = {"manager": call.params["fieldManager"], "operation": "Apply", "fieldsV1": _fields(wanted)}
        after["metadata"]["managedFields"] = [*entries, ours]
        if call.params.get("dryRun") == "All":
            return (200 if live else 201), after
        return (200 if live else 201), self._save(after, key)

    def _post(self, call: Call, key: tuple[str, str, str], version: str, kind: str) -> tuple[int, Object]:
        key = (key[0], key[1], call.body["metadata"]["name"])
        self._check_namespace(key)
        if key in self.store:
            raise Refusal(409, f'{key[0]} "{key[2]}" already exists', "AlreadyExists")
        if call.dry:
            return 201, call.body
        return 201, self._save(copy.deepcopy(call.body), key)

    def _put(self, call: Call, key: tuple[str, str, str], version: str, kind: str) -> tuple[int, Object]:
        live = self._existing(key)
        if call.body["metadata"].get("resourceVersion") not in (None, live["metadata"]["resourceVersion"]):
            raise Refusal(409, f"Operation cannot be fulfilled on {key[0]} {key[2]}: modified", "Conflict")
        return 200, self._save(copy.deepcopy(call.body), key)

    def _delete(self, call: Call, key: tuple[str, str, str], version: str, kind: str) -> tuple[int, Object]:
        live = self._existing(key)
        demanded = (call.body or {}).get("preconditions") or {}
        for field, value in demanded.items():
            if live["metadata"][field] != value:
                raise Refusal(409, f"precondition {field} failed", "Conflict")
        if not call.dry:
            del self.store[key]
        return 200, {"kind": "Status", "status": "Success"}

    def _existing(self, key: tuple[str, str, str]) -> Object:
        if key not in self.store:
            raise Refusal(404, f'{key[0]} "{key[2]}" not found', "NotFound", {"kind": key[0], "name": key[2]})
        return copy.deepcopy(self.store[key])

    def _check_namespace(self, key: tuple[str, str, str]) -> None:
        if key[1] and ("namespaces", "", key[1]) not in self.store:
            details = {"kind": "namespaces", "name": key[1]}
            raise Refusal(404, f'namespaces "{key[1]}" not found', "NotFound", details)

    def _conflicts(self, live: Object, wanted: Object, manager: str) -> None:
        causes = []
        for entry in live["metadata"].get("managedFields") or []:
            if entry["manager"] == manager:
                continue
            for path in _leaves(wanted):
                if _has(entry["fieldsV1"], path) and _at(live, path) != _at(wanted, path):
                    field = "." + ".".join(path)
                    message = f'conflict with "{entry["manager"]}" using v1'
                    causes.append({"reason": "FieldManagerConflict", "message": message, "field": field})
        if causes:
            raise Refusal(409, f"Apply failed with {len(causes)} conflicts", "Conflict", {"causes": causes})

    def _save(self, obj: Object, key: tuple[str, str, str]) -> Object:
        self._counter += 1
        live = self.store.get(key)
        meta = obj["metadata"]
        same = live is not None and _bare(live) == _bare(obj)
        meta["uid"] = live["metadata"]["uid"] if live else f"uid-{self._counter}"
        meta["resourceVersion"] = live["metadata"]["resourceVersion"] if live and same else str(self._counter)
        meta["creationTimestamp"] = "2026-01-02T03:04:05Z"
        if obj["kind"] == "CustomResourceDefinition":
            obj["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
            names = obj["spec"]["names"]
            for version in obj["spec"]["versions"]:
                served = self.kinds.setdefault(f"{obj['spec']['group']}/{version['name']}", {})
                served[names["kind"]] = (names["plural"], obj["spec"].get("scope") != "Cluster")
        self.store[key] = obj
        return copy.deepcopy(obj)


def _bare(obj: Object) -> Object:
    meta = {k: v for k, v in obj["metadata"].items() if k not in ("uid", "resourceVersion", "creationTimestamp")}
    return {**{k: v for k, v in obj.items() if k != "status"}, "metadata": meta}


def _own_entry(obj: Object, manager: str) -> Object | None:
    entries = obj["metadata"].get("managedFields") or []
    return next((e for e in entries if e["manager"] == manager and e["operation"] == "Apply"), None)


_IDENTITY = {("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace"), ("metadata", "managedFields")}


def _leaves(value: t.Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(value, dict) and value:
        return [leaf for key, item in value.items() for leaf in _leaves(item, (*path, key))]
    return [] if path in _IDENTITY or path[:2] == ("metadata", "managedFields") else [path]


def _fields(obj: Object) -> Object:
    tree: Object = {}
    for path in _leaves(obj):
        node = tree
        for step in path:
            node = node.setdefault(f"f:{step}", {})
    return tree


def _has(tree: Object, path: tuple[str, ...]) -> bool:
    for step in path:
        if f"f:{step}" not in tree:
            return False
        tree = tree[f"f:{step}"]
    return True


def _at(obj: t.Any, path: tuple[str, ...]) -> t.Any:
    for step in path:
        if not isinstance(obj, dict) or step not in obj:
            return None
        obj = obj[step]
    return obj


def _without(tree: Object, live: Object, wanted: Object) -> Object:
    """The other manager's fields, less those whose value is taken away from it."""
    taken = {path for path in _leaves(wanted) if _at(live, path) != _at(wanted, path)}
    obj = {path: None for path in _paths(tree) if path not in taken}
    rest: Object = {}
    for path in obj:
        node = rest
        for step in path:
            node = node.setdefault(f"f:{step}", {})
    return rest


def _paths(tree: Object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not tree:
        return [path] if path else []
    return [leaf for key, item in tree.items() for leaf in _paths(item, (*path, key.removeprefix("f:")))]


def _apply(live: Object, wanted: Object, owned: Object | None) -> Object:
    """Server-side apply: set what is wanted, drop what was ours and is not wanted any more."""
    after = copy.deepcopy(live)
    for path in _paths(owned or {}):
        if _at(wanted, path) is None:
            node = after
            for step in path[:-1]:
                node = node.get(step) or {}
            node.pop(path[-1], None)
    for path in [*_leaves(wanted), ("metadata", "name"), ("metadata", "namespace")]:
        value = _at(wanted, path)
        if value is None:
            continue
        node = after
        for step in path[:-1]:
            node = node.setdefault(step, {})
        node[path[-1]] = copy.deepcopy(value)
    after.setdefault("metadata", {})
    return after


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


def _handler(fake: FakeApi) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length)
            parts = urllib.parse.urlsplit(self.path)
            params = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
            body = json.loads(text) if text else None
            path = urllib.parse.unquote(parts.path)
            call = Call(self.command, path, params, body, self.headers.get("Content-Type") or "")
            status, answer = fake.answer(call)
            if status == 0:  # hang up
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            data = fake.raw or json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if fake.warning and self.command != "GET":
                self.send_header("Warning", fake.warning)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PATCH = do_POST = do_PUT = do_DELETE = _serve

        def log_message(self, *_args: t.Any) -> None:
            """Silent."""

    return Handler
