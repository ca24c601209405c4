# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The calls that an ApplySet makes. This module util is PRIVATE to the collection.

Few round trips: built-in kinds are known, others take one discovery call per group and version; members come from one
list per kind; a few calls are under way at the same time, for clusters that are far away.
"""

from __future__ import annotations

import concurrent.futures
import re
import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Response
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_diff import FIELD_MANAGER
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_errors import explain
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_model import ApplySetError, Item
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_objects import (
    BUILTIN,
    Key,
    Object,
    Problem,
    Resource,
    group_of,
    key_of,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_spec import PART_OF_LABEL
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError

APPLY = "application/apply-patch+yaml"
_PARALLEL = 4
_PAGE = "500"
# RFC 9111 section 5.5, as the API server sends it: 299 - "text"
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')

Job = t.TypeVar("Job")
Outcome = t.TypeVar("Outcome")


class Client(t.Protocol):
    """The part of C(_kube.Kube) that is needed here."""

    def raw(
        self, method: str, path: str, params: t.Any = (), body: t.Any = None, content_type: str | None = None
    ) -> Response:
        """One call, whatever the status."""


class Cluster:
    """Reads and writes objects; remembers which kinds are served, and what the API server warned of.

    :param sleep: replaceable in tests.
    """

    def __init__(self, client: Client, sleep: t.Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._sleep = sleep
        self.warnings: set[str] = set()
        self._served: dict[str, dict[str, tuple[str, bool]]] = {}
        self._groups: dict[str, list[str]] = {}

    def call(
        self,
        method: str,
        path: str,
        body: t.Any = None,
        params: t.Any = (),
        content_type: str | None = None,
        about: t.Any = "",
    ) -> tuple[int, Object]:
        """One call; a server that asks for patience (429) gets some.

        :param about: what a warning in the answer is about.
        """
        for pause in (0.5, 2.0, 0.0):
            response = self._client.raw(method, path, params, body, content_type)
            answer = _parsed(response, f"{method} {path}")
            if response.status != 429 or not pause:
                break
            wanted = (answer.get("details") or {}).get("retryAfterSeconds")
            self._sleep(min(float(wanted), 10.0) if wanted else pause)
        self.warnings |= {f"{about}: {text}" for text in _WARNING.findall(response.headers.get("warning", ""))}
        return response.status, answer

    @staticmethod
    def each(function: t.Callable[[Job], Outcome], jobs: t.Sequence[Job]) -> list[tuple[Job, Outcome]]:
        """(job, outcome) in order; a few at a time."""
        if len(jobs) < 3:
            return [(job, function(job)) for job in jobs]
        with concurrent.futures.ThreadPoolExecutor(_PARALLEL) as pool:
            return list(zip(jobs, pool.map(function, jobs), strict=True))

    # -- kinds ---------------------------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Ask anew which kinds are served."""
        self._served.clear()
        self._groups.clear()

    def resource(self, api_version: str, kind: str) -> Resource | None:
        """Where a kind lives, or None when the cluster does not serve it.

        :raises ApplySetError: discovery was refused.
        """
        known = BUILTIN.get(api_version, {}).get(kind) or self._discover(api_version).get(kind)
        return Resource(api_version, kind, *known) if known else None

    def resource_of(self, group_kind: str) -> Resource | None:
        """Where a C(Kind.group) lives, in the version that the cluster prefers."""
        kind, _dot, group = group_kind.partition(".")
        for version, kinds in BUILTIN.items():
            if group_of(version) == group and kind in kinds:
                return Resource(version, kind, *kinds[kind])
        versions = self.versions(group, kind)
        return self.resource(versions[0], kind) if versions else None

    def versions(self, group: str, kind: str) -> list[str]:
        """The C(group/version)s that serve a kind, the cluster's preferred one first."""
        if not group:
            return []
        if group not in self._groups:
            status, body = self.call("GET", f"/apis/{group}")
            # Only 404 says that there is none; taking an outage for that would forget the members of the kind.
            if status >= 400 and status != 404:
                raise ApplySetError(explain(Key("", "API", "", group), status, body))
            self._groups[group] = [str(version.get("groupVersion")) for version in body.get("versions") or []]
        return [version for version in self._groups[group] if kind in self._discover(version)]

    def _discover(self, api_version: str) -> dict[str, tuple[str, bool]]:
        if api_version not in self._served:
            status, body = self.call("GET", f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}")
            if status >= 400 and status != 404:
                raise ApplySetError(explain(Key("", "API", "", api_version), status, body))
            self._served[api_version] = {
                item["kind"]: (item["name"], bool(item.get("namespaced")))
                for item in body.get("resources") or []
                if "/" not in item["name"]
            }
        return self._served[api_version]

    # -- reading -------------------------------------------------------------------------------------------------------

    def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """A live object, or None.

        :raises ApplySetError: reading was refused.
        """
        status, body = self.call("GET", resource.path(namespace, name))
        if status == 404:
            return None
        if status >= 400:
            key = Key(group_of(resource.api_version), resource.kind, namespace, name)
            raise ApplySetError(explain(key, status, body))
        return whole(body, resource)

    def members(
        self, identity: str, resources: t.Iterable[Resource], places: t.Collection[str]
    ) -> tuple[list[Object], list[Problem]]:
        """Everything that carries the set's label, of these kinds and in these namespaces, and what could not be read.

        Several namespaces are read with one call, or one by one where that is not allowed.
        """
        jobs = [
            (resource, tuple(sorted(places)) if resource.namespaced else ("",)) for resource in sorted(set(resources))
        ]
        found: list[Object] = []
        problems: list[Problem] = []
        for (resource, _places), (status, listed) in self.each(
            lambda job: self._list_in(job[0], job[1], identity), jobs
        ):
            if status >= 400:
                key = Key(group_of(resource.api_version), resource.kind, "", "(members of the set)")
                problems += explain(key, status, listed[0])
                continue
            found += [item for item in listed if not resource.namespaced or item["metadata"]["namespace"] in places]
        return found, problems

    def _list_in(self, resource: Resource, places: tuple[str, ...], identity: str) -> tuple[int, list[Object]]:
        if len(places) > 1:
            status, listed = self._list(resource.path(), resource, identity)
            if status != 403:
                return status, listed
        found: list[Object] = []
        for place in places:
            status, listed = self._list(resource.path(place), resource, identity)
            if status >= 400:
                return status, listed
            found += listed
        return 200, found

    def _list(self, path: str, resource: Resource, identity: str) -> tuple[int, list[Object]]:
        params = [("labelSelector", f"{PART_OF_LABEL}={identity}"), ("limit", _PAGE)]
        items: list[Object] = []
        token = ""
        while True:
            status, body = self.call("GET", path, params=[*params, ("continue", token)] if token else params)
            if status == 404:
                return 200, items
            if status >= 400:
                return status, [body]
            items += [whole(item, resource) for item in body.get("items") or []]
            token = (body.get("metadata") or {}).get("continue") or ""
            if not token:
                return 200, items

    # -- writing -------------------------------------------------------------------------------------------------------

    def write(self, item: Item, force: bool, dry_run: bool = False) -> tuple[int, Object]:
        """Server-side apply; an object that is only ever created is posted, so that it cannot overwrite one."""
        if item.resource is None:
            raise ValueError(f"{item.key}: no resource")
        params = [("fieldManager", FIELD_MANAGER)] + ([("dryRun", "All")] if dry_run else [])
        if item.create_only:
            path = item.resource.path(item.key.namespace)
            return self.call("POST", path, item.obj, [*params, ("fieldValidation", "Strict")], about=item.key)
        path = item.resource.path(item.key.namespace, item.key.name)
        return self.call("PATCH", path, item.obj, [*params, ("force", "true" if force else "false")], APPLY, item.key)

    def rehearse(self, item: Item, namespace: str) -> tuple[int, Object]:
        """Try to create the object in another namespace; nothing is written."""
        if item.resource is None:
            raise ValueError(f"{item.key}: no resource")
        obj = {**item.obj, "metadata": {**item.obj["metadata"], "namespace": namespace}}
        params = [("fieldManager", FIELD_MANAGER), ("fieldValidation", "Strict"), ("dryRun", "All")]
        return self.call("POST", item.resource.path(namespace), obj, params)

    def delete(self, obj: Object, dry_run: bool = False) -> tuple[int, Object]:
        """Delete exactly this object (its uid), and in the background what hangs on it."""
        key = key_of(obj)
        resource = self.resource(obj["apiVersion"], obj["kind"])
        if resource is None:
            return 404, {}
        body: Object = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": obj["metadata"]["uid"]},
        }
        if dry_run:
            body["dryRun"] = ["All"]
        return self.call("DELETE", resource.path(key.namespace, key.name), body)


def whole(obj: Object, resource: Resource) -> Object:
    """Items of a list carry neither kind nor apiVersion."""
    return {**obj, "apiVersion": resource.api_version, "kind": resource.kind}


def _parsed(response: Response, where: str) -> Object:
    """The body; of a refusal that is no JSON, a C(Status) that carries it.

    :raises ApiError: a good answer that is no JSON; a login page of a proxy must not count as one.
    """
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        return body
    if response.status < 400:
        raise ApiError(f"{where} did not answer JSON: {response.text(200)}", response.status)
    return {"kind": "Status", "message": response.text(500)}
