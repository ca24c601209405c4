# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A Helm release as data: its objects, what an upgrade would change, and what drifted in the cluster since.

This module util is PRIVATE to the collection. Pure functions over manifests (text) and objects (plain data).
Helm compares values and chart version only: an object that was edited or deleted by hand is invisible to it, and its
upgrade leaves hand-made additions to custom resources alone (helm/helm pkg/kube/client.go: custom resources get a
two-way merge of the old and the new manifest).
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._quantity import number
from ansible_collections.dataplatform.monitoring.plugins.module_utils._yaml import load_manifests

Object = dict[str, t.Any]

HOOK_ANNOTATION = "helm.sh/hook"
HIDDEN = "(hidden)"
# Groups whose objects the API server stores as sent: there an empty map is a decision ("select everything"), while
# built-in kinds drop it or fill in defaults.
_STORED_AS_SENT = ("monitoring.coreos.com/",)


def objects(manifest: str, namespace: str, namespaced: t.Callable[[Object], bool] | None = None) -> list[Object]:
    """The objects of a rendered manifest, hooks left out, `metadata.namespace` filled in where Helm would.

    :param namespaced: tells whether an object's kind lives in a namespace; without it only the usual cluster-wide
        kinds are known.
    :raises ConfigError: when the text is no YAML.
    """
    found = []
    for item in load_manifests(manifest, "What the chart renders"):
        metadata = item.setdefault("metadata", {})
        if HOOK_ANNOTATION in (metadata.get("annotations") or {}):
            continue
        in_namespace = namespaced(item) if namespaced else item.get("kind") not in CLUSTER_WIDE
        if in_namespace and not metadata.get("namespace"):
            metadata["namespace"] = namespace
        found.append(item)
    return found


CLUSTER_WIDE = (
    "APIService", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "IngressClass",
    "MutatingWebhookConfiguration", "Namespace", "Node", "PersistentVolume", "PriorityClass", "RuntimeClass",
    "StorageClass", "ValidatingWebhookConfiguration",
)  # fmt: skip


def label(item: Object) -> str:
    """`Kind namespace/name`, or `Kind name` for what has no namespace."""
    metadata = item.get("metadata") or {}
    where = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{item.get('kind')} {where}{metadata.get('name')}"


def masked(item: Object) -> Object:
    """The object as it may be shown: a Secret's values hidden, its keys kept."""
    if item.get("kind") != "Secret":
        return item
    shown = dict(item)
    for key in ("data", "stringData"):
        if item.get(key):
            shown[key] = dict.fromkeys(item[key], HIDDEN)
    return shown


_CREDENTIAL = re.compile(
    r"(password|passwd|secret_?(access_?)?key$|access_?key(_?id)?$|token$|api_?key$|credentials$|dsn$)", re.IGNORECASE
)


def masked_values(values: t.Any, key: str = "") -> t.Any:
    """Helm values as they may be shown: what looks like a literal credential is hidden, names of Secrets are not."""
    if isinstance(values, dict):
        return {name: masked_values(value, str(name)) for name, value in values.items()}
    if isinstance(values, list):
        return [masked_values(value, key) for value in values]
    named = key.lower().endswith(("secretkey", "passwordkey", "tokenkey")) or "$" in str(values)
    return HIDDEN if isinstance(values, str) and values and _CREDENTIAL.search(key) and not named else values


def _text(item: Object | None) -> str:
    return "" if item is None else json.dumps(masked(item), indent=2, sort_keys=True) + "\n"


def diff(before: t.Sequence[Object], after: t.Sequence[Object]) -> list[dict[str, str]]:
    """One entry per object that an upgrade creates, changes or removes, as Ansible prints it."""
    old = {label(item): item for item in before}
    new = {label(item): item for item in after}
    entries = []
    for name in [*new, *(name for name in old if name not in new)]:
        if old.get(name) == new.get(name):
            continue
        was, will = _text(old.get(name)), _text(new.get(name))
        if was == will:  # only hidden values differ
            will = was.replace(HIDDEN, f"{HIDDEN}, changed")
        entries.append(
            {
                "before_header": name if name in old else f"{name} (absent)",
                "after_header": name if name in new else f"{name} (removed)",
                "before": was,
                "after": will,
            }
        )
    return entries


def changes(before: t.Sequence[Object], after: t.Sequence[Object]) -> dict[str, list[str]]:
    """Names of the objects that differ, as C({created, changed, removed})."""
    old = {label(item): item for item in before}
    new = {label(item): item for item in after}
    return {
        "created": sorted(set(new) - set(old)),
        "changed": sorted(name for name in set(new) & set(old) if new[name] != old[name]),
        "removed": sorted(set(old) - set(new)),
    }


def _same_scalar(wanted: t.Any, live: t.Any, path: str) -> bool:
    if wanted == live and isinstance(wanted, bool) == isinstance(live, bool):
        return True
    if str(wanted) == str(live) and not isinstance(wanted, bool) and not isinstance(live, bool):
        return True  # a port or a label given as a number, stored as text, and the like
    if re.search(r"\.(requests|limits|capacity|sizeLimit|storage)\b", path):
        left, right = number(wanted), number(live)
        return left is not None and right is not None and abs(left - right) < 1e-9 * max(1.0, abs(left))
    return False


class Difference(t.NamedTuple):
    """One place where a live object is not what the release says. C(live) is None for what is missing."""

    path: str
    wanted: t.Any
    live: t.Any


def _walk(wanted: t.Any, live: t.Any, path: str, exact: bool) -> list[Difference]:
    """Where the live value is not what is wanted; fields that only the live object has are defaults."""
    if wanted is None:
        return []
    here = [Difference(path, wanted, live)]
    if isinstance(wanted, dict):
        if not wanted:
            return here if exact and live else []
        if not isinstance(live, dict):
            return here
        return [found for key, value in wanted.items() for found in _walk(value, live.get(key), f"{path}.{key}", exact)]
    if isinstance(wanted, list):
        if not wanted:
            return here if exact and live else []
        if not isinstance(live, list) or len(live) != len(wanted):
            return here
        return [
            found
            for index, (want, have) in enumerate(zip(wanted, live, strict=True))
            for found in _walk(want, have, f"{path}[{index}]", exact)
        ]
    if live is None and wanted in ("", 0, False):
        return []  # zero values are left out by the API server's own types
    return [] if _same_scalar(wanted, live, path) else here


def drift(wanted: Object, live: Object | None) -> list[Difference]:
    """Where a live object differs from the release's manifest.

    Only what the manifest says is compared, so that defaults filled in by the API server are no drift. Of the
    operator's custom resources, whose spec is stored as sent, an empty map means "all" and a selector or C(paused) set
    by hand counts as well.
    """
    if live is None:
        return [Difference("(absent)", wanted, None)]
    exact = is_custom(wanted)
    found: list[Difference] = []
    for key, value in wanted.items():
        if key in ("apiVersion", "kind", "status"):
            continue
        if key == "metadata":
            for part in ("labels", "annotations"):
                found += _walk(
                    (value or {}).get(part), (live.get("metadata") or {}).get(part), f"metadata.{part}", False
                )
        elif key == "stringData":
            there = live.get("data") or {}
            found += [
                Difference(f"data.{name}", text, None) for name, text in (value or {}).items() if name not in there
            ]
        else:
            found += _walk(value, live.get(key), key, exact)
    if exact:
        spec, kept = live.get("spec") or {}, wanted.get("spec") or {}
        found += [
            Difference(f"spec.{key}", None, value)
            for key, value in sorted(spec.items())
            if key not in kept and (key == "paused" or key.endswith("Selector"))
        ]
    return found


def drift_diff(wanted: Object, differences: t.Sequence[Difference]) -> dict[str, str]:
    """What is put back, and nothing else of the object; a Secret's values stay hidden."""
    name = label(wanted)
    secret = wanted.get("kind") == "Secret"
    absent = [one for one in differences if one.path == "(absent)"]
    live = {} if absent else {one.path: HIDDEN if secret else one.live for one in differences}
    want = (
        masked(wanted) if absent else {one.path: f"{HIDDEN}, changed" if secret else one.wanted for one in differences}
    )
    return {
        "before_header": f"{name} (absent)" if absent else f"{name} (as found)",
        "after_header": f"{name} (as its release says)",
        "before": "" if absent else json.dumps(live, indent=2, sort_keys=True) + "\n",
        "after": json.dumps(want, indent=2, sort_keys=True) + "\n",
    }


def repaired(wanted: Object, live: Object) -> Object:
    """The body that puts a drifted object back: everything the manifest says, the live object's identity.

    For custom resources the spec is the manifest's alone; Helm's upgrade would keep what was added by hand.
    """
    body = {**live, **{key: value for key, value in wanted.items() if key != "metadata"}}
    metadata = dict(live.get("metadata") or {})
    for part in ("labels", "annotations"):
        extra = (wanted.get("metadata") or {}).get(part)
        if extra:
            metadata[part] = {**(metadata.get(part) or {}), **extra}
    metadata.pop("managedFields", None)
    body["metadata"] = metadata
    return body


def is_custom(item: Object) -> bool:
    """True for objects Helm would not put back by itself."""
    return str(item.get("apiVersion", "")).startswith(_STORED_AS_SENT)


class Stored(t.NamedTuple):
    """A release as Helm keeps it in the cluster. C(chart) is C(name-version)."""

    chart: str
    status: str
    values: dict[str, t.Any]
    manifest: str


def stored(secrets: t.Sequence[Object]) -> Stored | None:
    """The newest revision among a release's Secrets (type helm.sh/release.v1), None when there is none to be read.

    Helm packs it as base64 of gzip of JSON (helm.sh/helm/v3 pkg/storage/driver/util.go).
    """
    newest = max(
        secrets, key=lambda item: int((item["metadata"].get("labels") or {}).get("version") or 0), default=None
    )
    try:
        packed = base64.b64decode((newest or {})["data"]["release"])
        release = json.loads(gzip.decompress(base64.b64decode(packed)))
        metadata = release["chart"]["metadata"]
        return Stored(
            f"{metadata['name']}-{metadata['version']}",
            str(release["info"]["status"]),
            release.get("config") or {},
            release.get("manifest") or "",
        )
    except (KeyError, TypeError, ValueError, OSError, binascii.Error):
        return None


def wanted_chart(ref: str, version: str, chart_yaml: str) -> str:
    """C(name-version) of the chart that is asked for; empty when only helm can tell.

    :param chart_yaml: text of Chart.yaml where the reference is a folder, whose version then counts alone.
    """
    if chart_yaml:
        found = {}
        for key in ("name", "version"):
            match = re.search(rf"^{key}:\s*[\"']?([^\s\"'#]+)", chart_yaml, re.MULTILINE)
            found[key] = match.group(1) if match else ""
        return f"{found['name']}-{found['version']}" if all(found.values()) else ""
    name = ref.rstrip("/").rpartition("/")[2]
    # An exact version only: ranges and archives are for helm to resolve.
    exact = re.fullmatch(r"v?\d+\.\d+\.\d+([-+].+)?", version or "")
    return f"{name}-{version}" if exact and not name.endswith((".tgz", ".gz")) else ""


def chart_version(text: str) -> str:
    """The version a Chart.yaml says, without build metadata; empty when it says none."""
    match = re.search(r"^version:\s*[\"']?([^\s\"'#+]+)", text, re.MULTILINE)
    return match.group(1) if match else ""
