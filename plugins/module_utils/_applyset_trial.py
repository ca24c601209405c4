# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Trying the writes of an ApplySet by server-side dry run. This module util is PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_cluster import Cluster
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_diff import FIELD_MANAGER, differs
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_errors import (
    explain,
    kind_unknown,
    not_found,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_model import CRD_KIND, Item, Options
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_objects import (
    Object,
    Problem,
    Resource,
    check_scope,
    key_of,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_plan import foreign, taken_over
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_spec import ID_LABEL, PART_OF_LABEL

# A namespace that every cluster has.
REHEARSAL = "default"


class Trial:
    """Gives each wanted object its verdict.

    :param notes: what people should know is appended here.
    """

    def __init__(self, cluster: Cluster, options: Options, identity: str, notes: list[str]) -> None:
        self._cluster = cluster
        self._o = options
        self._id = identity
        self._notes = notes

    def resolve(self, items: t.Sequence[Item]) -> list[Problem]:
        """Find where each kind lives: built in, asked of the cluster, or brought by a CRD of this very set."""
        problems: list[Problem] = []
        brought = _brought(items)
        for item in items:
            version, kind = item.obj["apiVersion"], item.obj["kind"]
            item.waits = None
            item.resource = self._cluster.resource(version, kind)
            if item.resource is None:
                unknown = kind_unknown(item.key, version, self._cluster.versions(item.key.group, kind))
                item.resource = brought.get((version, kind))
                if item.resource or (self._o.check_mode and unknown.field == "kind"):
                    item.waits = unknown
                else:
                    problems.append(unknown)
            if item.resource:
                problems += check_scope(item.obj, item.resource.namespaced)
        return problems

    def run(self, items: t.Sequence[Item]) -> list[Problem]:
        """Try every write that can be tried.

        :returns: everything that is wrong. An object that lacks only what this set brings waits instead.
        """
        problems: list[Problem] = []
        coming = {(item.resource.plural, item.key.name) for item in items if item.resource}
        todo = [item for item in items if not item.verdict and not item.waits and item.resource]
        homeless: list[Item] = []
        for item, (found, lacks) in self._cluster.each(self._try, todo):
            no_namespace = lacks is not None and lacks[0] == "namespaces"
            if found and (lacks in coming or (self._o.check_mode and no_namespace)):
                item.waits = found[0]
                homeless += [item] if no_namespace else []
            else:
                problems += found
        for _item, found in self._cluster.each(self._rehearse, homeless):
            problems += found
        for item in items:
            if item.waits and not item.verdict:
                item.verdict = "update" if item.live else "create"
        return problems

    def run_removals(self, gone: t.Sequence[Object]) -> list[Problem]:
        """Try every removal; what is gone already is no problem."""
        problems: list[Problem] = []
        for obj, (status, body) in self._cluster.each(lambda obj: self._cluster.delete(obj, dry_run=True), gone):
            if status >= 400 and status not in (404, 409):
                problems += explain(key_of(obj), status, body)
        return problems

    def _try(self, item: Item) -> tuple[list[Problem], tuple[str, str] | None]:
        """Problems, and what the object lacks as (resource, name) when that is its problem."""
        if item.resource is None:
            return [], None
        if item.create_only and self._find(item):
            item.verdict = "kept"
            return [], None
        if item.live and _deleting(item.live):
            return [_being_deleted(item)], None
        status, body = self._cluster.write(item, self._o.force_conflicts, dry_run=True)
        if status >= 400:
            details = body.get("details") or {}
            if status == 404 and details.get("name") and details.get("kind"):
                problem = not_found(item.key, details, str(body.get("message")))
                return [problem], (str(details["kind"]), str(details["name"]))
            return explain(item.key, status, body, item.obj), None
        item.after = body
        # 201: the dry run would have created it; else it is there.
        if status == 201 or not self._find(item):
            item.verdict = "create"
            return [], None
        return self._compare(item), None

    def _rehearse(self, item: Item) -> list[Problem]:
        """What the API server holds against an object whose namespace is still to come, tried in one that exists.

        Only faults of the object itself count; quotas, policies and permissions there say nothing about it.
        """
        status, body = self._cluster.rehearse(item, REHEARSAL)
        return explain(item.key, status, body, item.obj) if status in (400, 422) else []

    def _find(self, item: Item) -> Object | None:
        if item.live is None and item.resource:
            item.live = self._cluster.get(item.resource, item.key.namespace, item.key.name)
        return item.live

    def _compare(self, item: Item) -> list[Problem]:
        live, after = item.live or {}, item.after or {}
        if _deleting(live):
            return [_being_deleted(item)]
        labels = live["metadata"].get("labels") or {}
        ours = self._id in (labels.get(PART_OF_LABEL), labels.get(ID_LABEL))
        stranger = None if ours or self._o.adopt_existing else foreign(live, self._id, FIELD_MANAGER)
        if stranger:
            return [stranger]
        item.verdict = "update" if differs(live, after) else "unchanged"
        losers = taken_over(live, after, FIELD_MANAGER) if item.verdict == "update" and ours else []
        if losers:
            self._notes.append(f"{item.key}: takes fields back from {', '.join(losers)}.")
        return []


def _brought(items: t.Sequence[Item]) -> dict[tuple[str, str], Resource]:
    """The kinds that CRDs of the set bring."""
    found = {}
    for item in items:
        if item.key.kind != CRD_KIND:
            continue
        spec = item.obj.get("spec") or {}
        names = spec.get("names") or {}
        for version in spec.get("versions") or []:
            api = f"{spec.get('group')}/{version.get('name')}"
            kind, plural = str(names.get("kind")), str(names.get("plural"))
            found[(api, kind)] = Resource(api, kind, plural, spec.get("scope") != "Cluster")
    return found


def _deleting(obj: Object) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))


def _being_deleted(item: Item) -> Problem:
    meta = (item.live or {}).get("metadata") or {}
    holders = ", ".join(meta.get("finalizers") or []) or "none"
    since = meta.get("deletionTimestamp")
    message = f"is being deleted since {since} (finalizers: {holders})"
    return Problem(str(item.key), "metadata.deletionTimestamp", message, "Wait until it is gone, then run again.")
