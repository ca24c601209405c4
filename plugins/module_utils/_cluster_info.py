# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One look at a cluster. This module util is PRIVATE to the collection.

Read-only, over one connection; a part that may not be read is None and a note says which permission is missing.
"""

from __future__ import annotations

import concurrent.futures
import json
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _applyset_spec
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _cluster_objects as objects
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError, ApiForbidden
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import status_error

if t.TYPE_CHECKING:
    from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube

Object = dict[str, t.Any]
Part = t.TypeVar("Part")

GROUP = "monitoring.coreos.com"
REMEMBERED = "dataplatform-monitoring-catalogue"
REMEMBERED_KEY = "decisions.json"
PARTS = (
    "crds", "namespaces", "nodes", "permissions", "pods", "releases", "remembered", "secrets", "services",
    "sets", "storage_classes", "version",
)  # fmt: skip
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_PARALLEL = 4


class ClusterInfo:
    """Collects the parts that are asked for.

    :param namespace: of the monitoring. :param secrets: C(namespace/name) whose keys are asked for.
    :param can: C({verb, group, resource, namespace}) to ask about ourselves.
    """

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        secrets: t.Sequence[str] = (),
        can: t.Sequence[t.Mapping[str, t.Any]] = (),
        gather: t.Collection[str] = PARTS,
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._secrets = secrets
        self._can = can
        self._gather = gather
        self._notes: list[str] = []
        self._pods: list[Object] | None = None
        self._versions: dict[str, str] = {}

    def run(self) -> tuple[Object, list[str]]:
        """(cluster, notes); a part that may not be read is None.

        :raises ApiUnreachable: no connection. :raises ApiForbidden: the credentials are not valid at all (401).
        :raises ApiError: the API server failed.
        """
        jobs: dict[str, t.Callable[[], t.Any]] = {
            "version": self._version,
            "crds": self._crds,
            "namespaces": lambda: [one["metadata"]["name"] for one in self._kube.list("/api/v1/namespaces")],
            "services": lambda: [objects.service(one) for one in self._kube.list("/api/v1/services")],
            "storage_classes": lambda: [
                objects.storage_class(one) for one in self._kube.list("/apis/storage.k8s.io/v1/storageclasses")
            ],
            "remembered": self._remembered,
            "secrets": self._secret_keys,
            "sets": self._sets,
            "releases": self._releases,
            "permissions": self._permissions,
            "_pods": lambda: self._kube.list("/api/v1/pods"),
            "_nodes": lambda: self._kube.list("/api/v1/nodes"),
        }
        wanted = {part for part in jobs if part in self._gather}
        wanted |= {"_pods"} if {"pods", "nodes"} & set(self._gather) else set()
        wanted |= {"_nodes"} if "nodes" in self._gather else set()
        with concurrent.futures.ThreadPoolExecutor(_PARALLEL) as pool:
            running = {part: pool.submit(self._allowed, part.lstrip("_"), job) for part, job in jobs.items()
                       if part in wanted}  # fmt: skip
            found = {part: future.result() for part, future in running.items()}
        pods, nodes = found.pop("_pods", None), found.pop("_nodes", None)
        if "secrets" in found:
            found["secret_versions"] = self._versions if found["secrets"] is not None else None
        if "pods" in self._gather:
            found["pods"] = None if pods is None else [objects.pod(one) for one in pods]
        if "nodes" in self._gather:
            found["nodes"] = None if nodes is None else objects.nodes(nodes, pods)
        return dict(sorted(found.items())), sorted(self._notes)

    def _allowed(self, part: str, job: t.Callable[[], Part]) -> Part | None:
        """The part, or None with a note where it may not be read."""
        try:
            return job()
        except ApiForbidden as error:
            if error.status == 401:
                raise
            self._notes.append(f"{part} could not be read: {error}")
            return None

    def _version(self) -> str | None:
        return (self._kube.get("/version") or {}).get("gitVersion")

    def _crds(self) -> Object:
        found: Object = {}
        # Newer versions first; what a newer one serves is not asked of an older one.
        for version in ("v1", "v1beta1", "v1alpha1"):
            served = self._kube.get(f"/apis/{GROUP}/{version}") or {}
            for resource in served.get("resources") or []:
                if "/" not in resource["name"]:
                    found.setdefault(resource["name"], {"version": version})
        for plural in objects.ENDPOINTS:
            if plural not in found:
                continue
            path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{GROUP}"
            crd = self._allowed(f"endpoint schema of {plural}", lambda path=path: self._kube.get(path))
            if crd:
                found[plural] = objects.monitor_crd(crd, plural)
        return found

    def _remembered(self) -> Object:
        obj = self._kube.get(f"/api/v1/namespaces/{self._namespace}/configmaps/{REMEMBERED}") or {}
        text = (obj.get("data") or {}).get(REMEMBERED_KEY)
        try:
            decisions = json.loads(text) if text else {}
        except ValueError:
            decisions = None
        if not isinstance(decisions, dict):
            self._notes.append(
                f"ConfigMap {self._namespace}/{REMEMBERED}, key {REMEMBERED_KEY}, is not a JSON object: taken as empty."
            )
            return {}
        return decisions

    def _sets(self) -> list[str]:
        """Names of the sets of objects that were applied, so that a play knows which roles have been here."""
        path = f"/api/v1/namespaces/{self._namespace}/configmaps"
        names = [one["metadata"]["name"] for one in self._kube.list(path, label_selector=_applyset_spec.ID_LABEL)]
        prefix = _applyset_spec.parent_name("")
        return sorted(name.removeprefix(prefix) for name in names if name.startswith(prefix))

    def _secret_keys(self) -> Object:
        found = {}
        for name in dict.fromkeys(self._secrets):
            namespace, _slash, short = name.rpartition("/")
            secret = self._kube.get(f"/api/v1/namespaces/{namespace or self._namespace}/secrets/{short}")
            if secret is not None:
                found[f"{namespace or self._namespace}/{short}"] = sorted(secret.get("data") or {})
                meta = secret["metadata"]
                self._versions[f"{namespace or self._namespace}/{short}"] = f"{meta['uid']}/{meta['resourceVersion']}"
        return found

    def _releases(self) -> list[Object]:
        try:
            listed = self._release_secrets("/api/v1/secrets")
        except ApiForbidden as error:
            if error.status == 401:
                raise
            listed = self._release_secrets(f"/api/v1/namespaces/{self._namespace}/secrets")
            self._notes.append(f"releases: only those of namespace {self._namespace} could be read.")
        found = objects.releases(listed)
        for release in found:
            secret = release.pop("secret")
            if release["namespace"] == self._namespace:
                whole = self._kube.get(f"/api/v1/namespaces/{self._namespace}/secrets/{secret}")
                release["chart"] = objects.chart_of(whole or {})
        return found

    def _release_secrets(self, path: str) -> list[Object]:
        """Metadata only: the Secrets themselves are large, and hold values."""
        params = [("labelSelector", "owner=helm"), ("fieldSelector", "type=helm.sh/release.v1")]
        response = self._kube.raw("GET", path, params, headers={"Accept": _METADATA_ONLY})
        if response.status >= 400:
            raise status_error(response, f"GET {path}")
        try:
            return response.json().get("items") or []
        except ValueError as error:
            raise ApiError(f"GET {path} did not answer JSON: {response.text(200)}", response.status) from error

    def _permissions(self) -> list[Object]:
        answers = []
        for question in self._can:
            attributes = {key: question[key] for key in ("verb", "group", "resource", "namespace") if question.get(key)}
            asked: Object = {key: attributes.get(key, "") for key in ("verb", "group", "resource", "namespace")}
            if question.get("name"):
                attributes["name"] = asked["name"] = question["name"]
            if "/" in str(attributes.get("resource")):
                attributes["resource"], _slash, attributes["subresource"] = str(attributes["resource"]).partition("/")
            body = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": attributes},
            }
            path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
            status, answer = self._kube.request("POST", path, body)
            if status >= 400:
                self._notes.append(f"permissions: {answer.get('message') or status}")
                answers.append({**asked, "allowed": None})
            else:
                answers.append({**asked, "allowed": bool((answer.get("status") or {}).get("allowed"))})
        return answers
