# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for AWX's API that keeps what awx.awx sends, so that the definitions are applied by the real modules.

It knows what kinds of objects there are and how they hang together, answers lists with filters, and refuses what AWX
would: a survey, a template whose playbook is not in the project, an object that is not there. It starts nothing.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.awx import survey

PREFIX = "/api/v2/"
#: Kinds and their type in lists of several kinds.
KINDS = {
    "organizations": "organization",
    "credential_types": "credential_type",
    "credentials": "credential",
    "execution_environments": "execution_environment",
    "notification_templates": "notification_template",
    "projects": "project",
    "inventories": "inventory",
    "inventory_sources": "inventory_source",
    "job_templates": "job_template",
    "workflow_job_templates": "workflow_job_template",
    "workflow_job_template_nodes": "workflow_job_template_node",
    "workflow_approval_templates": "workflow_approval_template",
    "schedules": "schedule",
}
LAUNCHED = ("projects", "inventory_sources", "job_templates", "workflow_job_templates", "workflow_approval_templates")
NAMED = {"workflow_job_template_nodes": "identifier"}


class Refused(Exception):
    """What AWX answers with 400."""


class Controller:
    """The objects, by kind and id."""

    def __init__(self, playbooks: set[str]) -> None:
        self.playbooks = playbooks
        self.objects: dict[str, dict[int, dict[str, Any]]] = {kind: {} for kind in KINDS}
        self.surveys: dict[str, Any] = {}
        self.related: dict[str, list[int]] = {}
        self.writes: list[str] = []
        self._next = 0

    def named(self, kind: str) -> dict[str, dict[str, Any]]:
        """Objects of a kind by their name."""
        return {item[NAMED.get(kind, "name")]: item for item in self.objects[kind].values()}

    def linked(self, kind: str, name: str, relation: str) -> list[str]:
        """Names of the objects that a relation of this one leads to."""
        path = f"{self.named(kind)[name]['url']}{relation}/"
        target = _target(relation)
        key = NAMED.get(target, "name")
        return [self.objects[target][number][key] for number in self.related.get(path, [])]

    def add(self, kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Make an object."""
        self._next += 1
        url = f"{PREFIX}{kind}/{self._next}/"
        item = {
            "id": self._next,
            "type": KINDS[kind],
            "url": url,
            "related": {"survey_spec": f"{url}survey_spec/"} if kind.endswith("job_templates") else {},
            "summary_fields": {},
            **({"scm_revision": ""} if kind == "projects" else {}),
        }
        self.objects[kind][self._next] = item
        self._set(kind, item, fields)
        return item

    def _set(self, kind: str, item: dict[str, Any], fields: Mapping[str, Any]) -> None:
        if kind == "job_templates" and fields.get("playbook", next(iter(self.playbooks))) not in self.playbooks:
            raise Refused(f"playbook {fields['playbook']} is not in the project")
        item.update(fields)

    def get(self, path: str, query: Mapping[str, str]) -> dict[str, Any] | None:
        """Answer a GET; None when there is no such thing."""
        parts = path.removeprefix(PREFIX).strip("/").split("/")
        if len(parts) == 1:
            return self._list(parts[0], query)
        kind, number = parts[0], int(parts[1])
        if number not in self.objects.get(kind, {}):
            return None
        if len(parts) == 2:
            return self.objects[kind][number]
        if parts[2] == "survey_spec":
            return self.surveys.get(path, {})
        if parts[2].endswith("_nodes") and kind != "workflow_job_template_nodes":
            return None
        found = [self.objects[_target(parts[2])][one] for one in self.related.get(path, [])]
        return {"count": len(found), "next": None, "results": found}

    def _list(self, kind: str, query: Mapping[str, str]) -> dict[str, Any]:
        kinds = LAUNCHED if kind == "unified_job_templates" else (kind,)
        found = [item for one in kinds for item in self.objects[one].values()]
        either = {name.removeprefix("or__"): value for name, value in query.items() if name.startswith("or__")}
        every = {name: value for name, value in query.items() if not name.startswith("or__")}
        found = [item for item in found if all(str(item.get(name)) == value for name, value in every.items())]
        if either:
            found = [item for item in found if any(str(item.get(name)) == value for name, value in either.items())]
        return {"count": len(found), "next": None, "results": found}

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Answer a POST: an object, a survey, an association, or the approval of a node."""
        parts = path.removeprefix(PREFIX).strip("/").split("/")
        if len(parts) == 1:
            self.writes.append(f"new {parts[0]} {body.get(NAMED.get(parts[0], 'name'))}")
            return 201, self.add(parts[0], body)
        self.writes.append(f"{parts[2]} of {parts[0]} {parts[1]}")
        if parts[2] == "survey_spec":
            wrong = survey.refusals(body)
            if wrong:
                raise Refused("; ".join(wrong))
            self.surveys[path] = body
            return 200, {}
        if parts[2] == "create_approval_template":
            made = self.add("workflow_approval_templates", body)
            node = self.objects["workflow_job_template_nodes"][int(parts[1])]
            node["unified_job_template"] = made["id"]
            node["related"]["unified_job_template"] = made["url"]
            return 201, made
        if body["id"] not in self.objects[_target(parts[2])]:
            raise Refused(f"{parts[2]}: there is no {body['id']}")
        ids = self.related.setdefault(path, [])
        ids.remove(body["id"]) if body.get("disassociate") else ids.append(body["id"])
        return 204, None

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a PATCH; only one that changes something counts as a write."""
        kind, number = path.removeprefix(PREFIX).strip("/").split("/")
        item = self.objects[kind][int(number)]
        before = dict(item)
        self._set(kind, item, body)
        if item != before:
            self.writes.append(f"change {kind} {number}")
        # The module compares what it had with what it gets.
        self.objects[kind][int(number)] = dict(item)
        return item


def _target(relation: str) -> str:
    if relation.startswith("notification_templates_"):
        return "notification_templates"
    return "workflow_job_template_nodes" if relation.endswith("_nodes") else relation


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    controller: Controller
    token: str

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def _answer(self, status: int, body: Any = None) -> None:
        text = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-API-Product-Name", "AWX")
        self.send_header("X-API-Product-Version", "24.6.1")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _handle(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size) or b"{}") if size else {}
        url = urlsplit(self.path)
        if self.headers.get("Authorization") != f"Bearer {self.token}":
            return self._answer(401, {"detail": "Authentication credentials were not provided."})
        try:
            if self.command == "GET":
                found = self.controller.get(url.path, dict(parse_qsl(url.query)))
                return self._answer(404 if found is None else 200, found or {})
            if self.command == "PATCH":
                return self._answer(200, self.controller.patch(url.path, body))
            if self.command == "DELETE":
                self.controller.surveys.pop(url.path, None)
                return self._answer(200, {})
            return self._answer(*self.controller.post(url.path, body))
        except Refused as exc:
            return self._answer(400, {"__all__": [str(exc)], "error": str(exc)})

    do_GET = do_POST = do_PATCH = do_DELETE = _handle


@contextmanager
def running(playbooks: Path, token: str) -> Iterator[tuple[Controller, str]]:
    """A stand-in whose one project holds the playbooks of a folder, and its address."""
    controller = Controller({path.name for path in playbooks.glob("*.yml")})
    handler = type("Handler", (_Handler,), {"controller": controller, "token": token})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield controller, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
