# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What an ApplySet may touch and what it may remove. This module util is PRIVATE to the collection. Pure functions."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_errors import kubectl
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_objects import (
    ENTRY_LABEL,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    Key,
    Object,
    Problem,
    key_of,
    rank,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_spec import (
    CREATE_ONLY,
    ID_LABEL,
    PART_OF_LABEL,
)

# Removing one of these removes data that nobody can bring back.
KEEP_KINDS_PRESENT = ("CustomResourceDefinition", "Namespace", "PersistentVolumeClaim")
KEEP_KINDS_ABSENT = ("CustomResourceDefinition", "Namespace", "PersistentVolumeClaim", "Secret")


class Removals(t.NamedTuple):
    """What is about to go.

    :param objects: in the order of removal. :param kept: members that stay although nothing wants them.
    :param going: keys that are being deleted already.
    """

    objects: list[Object]
    kept: list[Object]
    going: list[Object]


def entry_of(obj: Object) -> str:
    """The catalogue entry an object was made for, or the object itself."""
    labels = obj["metadata"].get("labels") or {}
    return labels.get(ENTRY_LABEL) or str(key_of(obj))


def names_of(obj: Object) -> set[str]:
    """Every way in which C(allow_removal) may name an object: entry, name, kind/name, kind/namespace/name."""
    key = key_of(obj)
    names = {entry_of(obj), key.name, f"{key.kind}/{key.name}", str(key), str(key).replace(" ", "/", 1)}
    if key.namespace:
        names.add(f"{key.namespace}/{key.name}")
    return names


def removals(
    members: t.Iterable[Object], wanted: t.Container[Key], keep_kinds: t.Container[str], allow: t.Collection[str]
) -> Removals:
    """Members that nothing wants any more, most dependent first."""
    objects, kept, going = [], [], []
    for obj in members:
        if key_of(obj) in wanted:
            continue
        notes = obj["metadata"].get("annotations") or {}
        if obj["metadata"].get("deletionTimestamp"):
            going.append(obj)
        elif (obj["kind"] in keep_kinds or CREATE_ONLY in notes) and not _names(obj, allow):
            kept.append(obj)
        else:
            objects.append(obj)
    objects.sort(key=lambda obj: (-rank(obj["kind"]), key_of(obj)))
    return Removals(objects, sorted(kept, key=key_of), sorted(going, key=key_of))


def _names(obj: Object, allow: t.Collection[str]) -> bool:
    """Only the object's own name lifts the protection of data: an entry's name is too easily given."""
    key = key_of(obj)
    return bool({f"{key.kind}/{key.name}", str(key), str(key).replace(" ", "/", 1)} & set(allow))


def alerts_of(obj: Object) -> set[str]:
    """Names of the alerts in a PrometheusRule."""
    if obj.get("kind") != "PrometheusRule":
        return set()
    groups = (obj.get("spec") or {}).get("groups") or []
    return {str(rule["alert"]) for group in groups for rule in group.get("rules") or [] if rule.get("alert")}


def vanishing_alerts(before: t.Iterable[Object], after: t.Iterable[Object]) -> list[str]:
    """Alerts that are there now and in no rule afterwards."""
    had = {name for obj in before for name in alerts_of(obj)}
    return sorted(had - {name for obj in after for name in alerts_of(obj)})


def brake(
    gone: t.Sequence[Object],
    members: t.Sequence[Object],
    *,
    max_removals: int,
    allow: t.Collection[str],
    partial: bool,
    alerts: t.Sequence[str] = (),
) -> Problem | None:
    """Why these removals are refused, or None.

    Counted are entries (an exporter is several objects). Named ones are meant and do not count.

    :param members: everything the set has in the cluster now.
    :param partial: the run was narrowed with C(--tags), so that not everything that wants an object may have spoken.
    """
    unnamed = [obj for obj in gone if not names_of(obj) & set(allow)]
    if not unnamed:
        return None
    entries = sorted({entry_of(obj) for obj in unnamed})
    everything = len(gone) == len(members)
    if partial:
        why = "this run is narrowed by --tags, and would remove"
    elif everything:
        why = "nothing of what the set has would be left, it would remove"
    elif len(entries) > max_removals:
        why = f"{len(entries)} entries would go, more than {max_removals} (max_removals)"
    else:
        return None
    told = f"; with them vanish the alerts {', '.join(alerts)}" if alerts else ""
    return Problem(
        "Removal refused", "", f"{why}: {_by_entry(unnamed)}{told}",
        f"If that is meant: applyset_allow_removal: [{', '.join(_quoted(entry) for entry in entries)}]",
    )  # fmt: skip


def _by_entry(objects: t.Iterable[Object]) -> str:
    """`trino (ServiceMonitor a/trino, Service a/trino), ConfigMap a/b`."""
    groups: dict[str, list[str]] = {}
    for obj in objects:
        groups.setdefault(entry_of(obj), []).append(str(key_of(obj)))
    return ", ".join(name if names == [name] else f"{name} ({', '.join(names)})" for name, names in groups.items())


def _quoted(name: str) -> str:
    return f'"{name}"' if any(char in name for char in " /:,[]{}") else name


def foreign(live: Object, identity: str, resource_manager: str) -> Problem | None:
    """Why an existing object that is not a member may not be taken over, or None when it is ours anyway.

    :param resource_manager: our own field manager, which does not count as somebody.
    """
    meta = live["metadata"]
    labels = meta.get("labels") or {}
    notes = meta.get("annotations") or {}
    other = labels.get(PART_OF_LABEL)
    if other == identity:
        return None
    # What another set of ours only ever creates waits for the set that fills it.
    if labels.get(MANAGED_BY_LABEL) == MANAGED_BY and (not other or CREATE_ONLY in notes):
        return None
    key = key_of(live)
    see = kubectl("get", key) + " -o yaml --show-managed-fields"
    if other:
        whose = f"belongs to another ApplySet ({other}); its parent: kubectl get configmaps -A -l {ID_LABEL}={other}"
    elif notes.get("meta.helm.sh/release-name"):
        release = f"{notes.get('meta.helm.sh/release-namespace', '?')}/{notes['meta.helm.sh/release-name']}"
        whose = f"belongs to the Helm release {release}"
    else:
        whose = f"exists and was made by {_managers(meta, resource_manager) or 'somebody else'}"
        if labels.get(MANAGED_BY_LABEL):
            whose += f" (managed-by: {labels[MANAGED_BY_LABEL]})"
    return Problem(
        str(key), "", whose,
        "Rename ours, leave theirs as it is (create_only), or take it over (adopt_existing: true). "
        f"Look at it first: {see}",
    )  # fmt: skip


def _managers(meta: Object, own: str) -> str:
    found: dict[str, str] = {}
    for entry in meta.get("managedFields") or []:
        if entry.get("manager") and entry["manager"] != own and not entry.get("subresource"):
            found.setdefault(entry["manager"], str(entry.get("time") or "")[:10])
    return ", ".join(f"{name} ({day})" if day else name for name, day in found.items())


def taken_over(live: Object, after: Object, own: str) -> list[str]:
    """Field managers that lose fields when we apply by force: a hand edit that is being reverted."""
    now = {_manager_id(entry) for entry in (live["metadata"].get("managedFields") or [])}
    then = {_manager_id(entry) for entry in (after["metadata"].get("managedFields") or [])}
    return sorted({name for name, operation, _fields in now - then if name != own and operation})


def _manager_id(entry: Object) -> tuple[str, str, str]:
    fields = json.dumps(entry.get("fieldsV1"), sort_keys=True)
    return str(entry.get("manager")), str(entry.get("operation")), fields
