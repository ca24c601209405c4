# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Labels and annotations of an ApplySet. This module util is PRIVATE to the collection.

The format is kubectl's (kubernetes/enhancements KEP-3659), so that C(kubectl get -l applyset.kubernetes.io/part-of=ID)
and other tools see the same set. Pure functions.
"""

from __future__ import annotations

import base64
import hashlib
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_objects import (
    MANAGED_BY,
    MANAGED_BY_LABEL,
    Object,
    Resource,
)

ID_LABEL = "applyset.kubernetes.io/id"
PART_OF_LABEL = "applyset.kubernetes.io/part-of"
TOOLING = "applyset.kubernetes.io/tooling"
GROUP_KINDS = "applyset.kubernetes.io/contains-group-kinds"
NAMESPACES = "applyset.kubernetes.io/additional-namespaces"
TOOL = "dataplatform.monitoring"
TOOL_VERSION = "v1"
# Ours: an object that was made once and belongs to its user from then on.
CREATE_ONLY = "dataplatform.monitoring/create-only"
PARENT = Resource("v1", "ConfigMap", "configmaps", True)


def parent_name(name: str) -> str:
    """Name of the ConfigMap that stands for the set."""
    return f"dataplatform-monitoring-{name}"


def set_id(name: str, namespace: str) -> str:
    """C(applyset-<base64url(sha256(name.namespace.kind.group))>-v1) of the parent ConfigMap, as KEP-3659 has it."""
    seed = f"{parent_name(name)}.{namespace}.ConfigMap."
    digest = base64.urlsafe_b64encode(hashlib.sha256(seed.encode()).digest()).decode().rstrip("=")
    return f"applyset-{digest}-v1"


def parent(name: str, namespace: str, group_kinds: t.Iterable[str], namespaces: t.Iterable[str]) -> Object:
    """The parent object that records what kinds and namespaces the set reaches."""
    others = sorted({place for place in namespaces if place} - {namespace})
    annotations = {
        TOOLING: f"{TOOL}/{TOOL_VERSION}",
        GROUP_KINDS: ",".join(sorted(set(group_kinds))),
        NAMESPACES: ",".join(others),
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": parent_name(name),
            "namespace": namespace,
            "labels": {ID_LABEL: set_id(name, namespace), MANAGED_BY_LABEL: MANAGED_BY},
            "annotations": annotations,
        },
    }


class Recorded(t.NamedTuple):
    """What a live parent says. C(tool) is "" when it says nothing."""

    tool: str
    group_kinds: frozenset[str]
    namespaces: frozenset[str]


def read_parent(obj: Object | None) -> Recorded:
    """What the live parent recorded; nothing when there is none."""
    meta = (obj or {}).get("metadata") or {}
    notes = meta.get("annotations") or {}
    places = _split(notes.get(NAMESPACES))
    if meta.get("namespace") and obj:
        places |= {meta["namespace"]}
    return Recorded((notes.get(TOOLING) or "").partition("/")[0], _split(notes.get(GROUP_KINDS)), places)


def _split(text: str | None) -> frozenset[str]:
    return frozenset(part for part in (text or "").split(",") if part)


def as_member(obj: Object, identity: str, create_only: bool = False) -> Object:
    """A copy that carries the set's label, and ours unless it names another manager itself."""
    meta = {**obj["metadata"]}
    meta["labels"] = {MANAGED_BY_LABEL: MANAGED_BY, **(meta.get("labels") or {}), PART_OF_LABEL: identity}
    if create_only:
        meta["annotations"] = {**(meta.get("annotations") or {}), CREATE_ONLY: "true"}
    return {**obj, "metadata": meta}
