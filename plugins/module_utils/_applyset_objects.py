# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Objects of an ApplySet: identity, order, paths and the checks that need no cluster.

This module util is PRIVATE to the collection. Pure functions over plain data.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import typing as t
import urllib.parse

Object = dict[str, t.Any]

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "dataplatform.monitoring"
ENTRY_LABEL = "dataplatform.monitoring/entry"

# Names: RFC 1123 subdomain for most kinds, any path segment for RBAC (k8s.io/apimachinery pkg/util/validation,
# pkg/api/validation/path).
_SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_DNS_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
_LABEL_VALUE = re.compile(r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")
_LABEL_KEY = re.compile(r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")
_DATA_KEY = re.compile(r"^[-._a-zA-Z0-9]+$")
_FREE_NAMES = "rbac.authorization.k8s.io"
# What the server fills in; in a manifest it is left over from a dump and would only cause conflicts.
_SERVER_METADATA = (
    "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields",
    "resourceVersion", "selfLink", "uid",
)  # fmt: skip

# Built-in kinds need no discovery call: {apiVersion: {kind: (plural, namespaced)}}
BUILTIN: dict[str, dict[str, tuple[str, bool]]] = {
    "v1": {
        "ConfigMap": ("configmaps", True), "Endpoints": ("endpoints", True), "LimitRange": ("limitranges", True),
        "Namespace": ("namespaces", False), "PersistentVolume": ("persistentvolumes", False),
        "PersistentVolumeClaim": ("persistentvolumeclaims", True), "Pod": ("pods", True),
        "ResourceQuota": ("resourcequotas", True), "Secret": ("secrets", True), "Service": ("services", True),
        "ServiceAccount": ("serviceaccounts", True),
    },
    "apps/v1": {
        "DaemonSet": ("daemonsets", True), "Deployment": ("deployments", True), "ReplicaSet": ("replicasets", True),
        "StatefulSet": ("statefulsets", True),
    },
    "apiextensions.k8s.io/v1": {"CustomResourceDefinition": ("customresourcedefinitions", False)},
    "autoscaling/v2": {"HorizontalPodAutoscaler": ("horizontalpodautoscalers", True)},
    "batch/v1": {"CronJob": ("cronjobs", True), "Job": ("jobs", True)},
    "coordination.k8s.io/v1": {"Lease": ("leases", True)},
    "discovery.k8s.io/v1": {"EndpointSlice": ("endpointslices", True)},
    "networking.k8s.io/v1": {
        "Ingress": ("ingresses", True), "IngressClass": ("ingressclasses", False),
        "NetworkPolicy": ("networkpolicies", True),
    },
    "policy/v1": {"PodDisruptionBudget": ("poddisruptionbudgets", True)},
    "rbac.authorization.k8s.io/v1": {
        "ClusterRole": ("clusterroles", False), "ClusterRoleBinding": ("clusterrolebindings", False),
        "Role": ("roles", True), "RoleBinding": ("rolebindings", True),
    },
    "scheduling.k8s.io/v1": {"PriorityClass": ("priorityclasses", False)},
    "storage.k8s.io/v1": {"StorageClass": ("storageclasses", False)},
}  # fmt: skip

# Written in this order, removed in the reverse one; whatever is not named comes after all of these.
_ORDER = (
    "Namespace", "CustomResourceDefinition", "PriorityClass", "StorageClass", "ResourceQuota", "LimitRange",
    "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Secret", "ConfigMap",
    "PersistentVolume", "PersistentVolumeClaim", "NetworkPolicy", "Service", "Endpoints", "EndpointSlice",
    "DaemonSet", "StatefulSet", "Deployment", "Job", "CronJob",
)  # fmt: skip


class Key(t.NamedTuple):
    """What makes an object the same object, whatever version it is written in. C(namespace) is "" cluster-wide."""

    group: str
    kind: str
    namespace: str
    name: str

    @property
    def group_kind(self) -> str:
        """C(Kind.group), or C(Kind) in the core group, as in the ApplySet annotation."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Resource(t.NamedTuple):
    """Where a kind lives in the API."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool

    def path(self, namespace: str = "", name: str = "") -> str:
        """API path of one object, or of the collection without a name (all namespaces without a namespace)."""
        base = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        place = f"/namespaces/{quote(namespace)}" if self.namespaced and namespace else ""
        return f"{base}{place}/{self.plural}" + (f"/{quote(name)}" if name else "")


class Problem(t.NamedTuple):
    """One thing that is wrong with one object. C(field) is "" when it is about the object as a whole."""

    object: str
    field: str
    message: str
    remedy: str

    def text(self) -> str:
        """One line for people."""
        place = f"{self.object}, {self.field}" if self.field else self.object
        return f"{place}: {self.message}. {self.remedy}" if self.remedy else f"{place}: {self.message}"


def quote(segment: str) -> str:
    """One path segment; `:` stays readable (RBAC names)."""
    return urllib.parse.quote(segment, safe=":")


def group_of(api_version: str) -> str:
    """`monitoring.coreos.com` of `monitoring.coreos.com/v1`, "" of `v1`."""
    return api_version.rpartition("/")[0]


def key_of(obj: Object) -> Key:
    """Identity of an object that passed check_objects, or that came from the API."""
    meta = obj["metadata"]
    return Key(group_of(obj["apiVersion"]), obj["kind"], meta.get("namespace") or "", meta["name"])


def rank(kind: str) -> int:
    """Place of a kind in the order of writing."""
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def plain(value: t.Any) -> t.Any:
    """A copy in plain JSON types: ansible-core's tagged strings, and what else templating leaves, gone.

    :raises TypeError, ValueError: for what JSON cannot carry (a date, a set, NaN).
    """
    return json.loads(json.dumps(value, allow_nan=False))


def _not_json(value: t.Any, path: str = "") -> tuple[str, str] | None:
    """The first place and type that JSON cannot carry."""
    if isinstance(value, dict):
        for key, item in value.items():
            found = _not_json(item, f"{path}.{key}" if path else str(key))
            if found:
                return found
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            found = _not_json(item, f"{path}[{index}]")
            if found:
                return found
    elif isinstance(value, float) and not math.isfinite(value):
        return path, "not a finite number"
    elif value is not None and not isinstance(value, str | int | float | bool):
        return path, f"a {type(value).__name__}, which JSON cannot carry"
    return None


def check_objects(objects: t.Sequence[t.Any]) -> tuple[list[Object], list[Problem]]:
    """Plain copies of the objects, without what only the server writes, and everything that is wrong with them.

    Needs no cluster. Secret C(stringData) becomes C(data), so that removing a key later removes it.
    """
    good: list[Object] = []
    problems: list[Problem] = []
    seen: dict[Key, int] = {}
    for number, raw in enumerate(objects, start=1):
        obj, found = _check_one(raw, number)
        problems.extend(found)
        if obj is None:
            continue
        key = key_of(obj)
        if key in seen:
            problems.append(
                Problem(str(key), "", f"is listed twice (as number {seen[key]} and {number})", "Keep one of them.")
            )
            continue
        seen[key] = number
        good.append(obj)
    return good, problems


def _check_one(raw: t.Any, number: int) -> tuple[Object | None, list[Problem]]:
    here = f"object {number}"
    if not isinstance(raw, dict):
        return None, [
            Problem(here, "", f"is a {type(raw).__name__}, not a mapping", "Give text through the option manifests.")
        ]
    try:
        obj = plain(raw)
    except (TypeError, ValueError):
        path, why = _not_json(raw) or ("", "not plain data")
        return None, [Problem(_describe(raw, number), path, f"is {why}", "Quote it to make it a string.")]
    here = _describe(obj, number)
    problems: list[Problem] = []
    for field in ("apiVersion", "kind"):
        if not isinstance(obj.get(field), str) or not obj[field]:
            problems.append(Problem(here, field, "is missing", f"Add {field}, for instance {_EXAMPLE[field]}."))
    meta = obj.get("metadata")
    if not isinstance(meta, dict):
        problems.append(Problem(here, "metadata", "is missing", "Add metadata: {name: NAME, namespace: NAMESPACE}."))
    if problems:
        return None, problems
    if obj["kind"].endswith("List") and isinstance(obj.get("items"), list):
        return None, [Problem(here, "kind", "is a list of objects", "Give its items instead.")]
    problems += _check_metadata(obj, here)
    if problems:
        return None, problems
    obj.pop("status", None)
    for field in _SERVER_METADATA:
        meta.pop(field, None)
    return obj, _check_data(obj, here) + _check_namespace(obj, here)


_WORDS = {int: "a number", float: "a number", bool: "true or false", dict: "a mapping", list: "a list"}
_EXAMPLE = {"apiVersion": "apiVersion: v1", "kind": "kind: ConfigMap"}


def _describe(obj: t.Any, number: int) -> str:
    """As much of a name as there is."""
    meta = obj.get("metadata")
    meta = meta if isinstance(meta, dict) else {}
    name = "/".join(str(part) for part in (meta.get("namespace"), meta.get("name")) if part)
    words = [str(obj[word]) for word in ("kind",) if obj.get(word)] + ([name] if name else [])
    return " ".join(words) if name and len(words) > 1 else " ".join([f"object {number}", *(f"({w})" for w in words)])


def _check_metadata(obj: Object, here: str) -> list[Problem]:
    meta = obj["metadata"]
    if meta.get("generateName") and not meta.get("name"):
        return [
            Problem(here, "metadata.generateName", "gives a new name each time, so it can never be found again",
                    "Give it a fixed metadata.name.")
        ]  # fmt: skip
    problems = []
    name = meta.get("name")
    if not isinstance(name, str) or not name:
        return [Problem(here, "metadata.name", "is missing or not a string", "Add metadata: {name: NAME}.")]
    if group_of(obj["apiVersion"]) == _FREE_NAMES:
        if name in (".", "..") or "/" in name or "%" in name:
            problems.append(
                Problem(here, "metadata.name", f"{name!r} cannot be part of a path", "Leave out `/` and `%`.")
            )
    elif len(name) > 253 or not _SUBDOMAIN.match(name):
        problems.append(
            Problem(here, "metadata.name", f"{name!r} is not a valid name",
                    "Use lower-case letters, digits, `-` and `.`, at most 253, a letter or digit at both ends.")
        )  # fmt: skip
    namespace = meta.get("namespace")
    if namespace is not None and (
        not isinstance(namespace, str) or len(namespace) > 63 or not _DNS_LABEL.match(namespace)
    ):
        problems.append(
            Problem(here, "metadata.namespace", f"{namespace!r} is not a valid namespace",
                    "Use lower-case letters, digits and `-`, at most 63.")
        )  # fmt: skip
    return problems + _check_labels(meta, here)


def _check_labels(meta: Object, here: str) -> list[Problem]:
    problems = []
    for field in ("labels", "annotations"):
        pairs = meta.get(field)
        if pairs is None:
            meta.pop(field, None)
            continue
        if not isinstance(pairs, dict):
            problems.append(Problem(here, f"metadata.{field}", "is not a mapping", f"Write {field}: {{key: value}}."))
            continue
        for key, value in pairs.items():
            place = f"metadata.{field}[{key}]"
            if not isinstance(value, str):
                problems.append(
                    Problem(here, place, f"{value!r} is not a string", f'Quote it: "{str(value).lower()}".')
                )
            elif field == "labels" and (len(value) > 63 or not _LABEL_VALUE.match(value)):
                problems.append(
                    Problem(here, place, f"{value!r} is not a valid label value",
                            "At most 63 letters, digits, `-`, `_` and `.`; longer text belongs into an annotation.")
                )  # fmt: skip
            prefix, slash, tail = key.rpartition("/")
            if len(tail) > 63 or not _LABEL_KEY.match(tail) or (slash and not _SUBDOMAIN.match(prefix)):
                problems.append(
                    Problem(here, place, f"{key!r} is not a valid key", "A key is NAME or DOMAIN/NAME, NAME up to 63.")
                )
    return problems


def _check_data(obj: Object, here: str) -> list[Problem]:
    """ConfigMaps and Secrets hold strings; the server's own message for a number there is hard to read."""
    if obj["apiVersion"] != "v1" or obj["kind"] not in ("ConfigMap", "Secret"):
        return []
    problems = []
    secret = obj["kind"] == "Secret"
    for field in ("data", "stringData", "binaryData"):
        pairs = obj.get(field)
        if pairs is None:
            obj.pop(field, None)
            continue
        if not isinstance(pairs, dict):
            problems.append(Problem(here, field, "is not a mapping", f"Write {field}: {{KEY: VALUE}}."))
            continue
        for key, value in pairs.items():
            place = f"{field}[{key}]"
            if len(key) > 253 or not _DATA_KEY.match(key):
                problems.append(
                    Problem(here, place, "is not a valid key", "Use letters, digits, `-`, `_` and `.`, at most 253.")
                )
            if not isinstance(value, str):
                what = _WORDS.get(type(value), "null")
                problems.append(Problem(here, place, f"is {what}, not a string", "Quote it."))
            elif (secret and field == "data") or field == "binaryData":
                try:
                    base64.b64decode(value, validate=True)
                except (binascii.Error, ValueError):
                    problems.append(
                        Problem(here, place, "is not base64",
                                "Put plain text under stringData." if secret else "Put plain text under data.")
                    )  # fmt: skip
    if secret and not problems and "stringData" in obj:
        text = obj.pop("stringData")
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in text.items()}
        obj["data"] = {**obj.get("data", {}), **encoded}
    return problems


def _check_namespace(obj: Object, here: str) -> list[Problem]:
    """Of a built-in kind the scope is known; of the others the cluster tells."""
    entry = BUILTIN.get(obj["apiVersion"], {}).get(obj["kind"])
    return check_scope(obj, entry[1], here) if entry else []


def check_scope(obj: Object, namespaced: bool, here: str | None = None) -> list[Problem]:
    """A namespaced kind names its namespace, a cluster-wide one does not."""
    here = here or str(key_of(obj))
    namespace = obj["metadata"].get("namespace")
    if namespaced and not namespace:
        return [Problem(here, "metadata.namespace", "is missing", "Add it; there is no default.")]
    if not namespaced and namespace:
        return [
            Problem(here, "metadata.namespace", f"is {namespace!r}, but the kind belongs to no namespace", "Remove it.")
        ]
    return []
