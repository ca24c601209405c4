# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Exactly these objects exist, and none of ours besides. This module util is PRIVATE to the collection.

Order of events: local checks; what the set has now; a server-side dry run of every write and every removal; the brake.
Whatever is wrong up to here is told together, and nothing was changed. Then Namespaces and CRDs, the dry run of what
had to wait for them, the rest, and last the removals. Decisions are pure functions in the other C(_applyset_*) utils.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_cluster import Client, Cluster
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_diff import entry
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_model import (
    ApplySetError,
    Item,
    Options,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_objects import (
    Object,
    Problem,
    check_objects,
    key_of,
    rank,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_plan import (
    KEEP_KINDS_ABSENT,
    KEEP_KINDS_PRESENT,
    Removals,
    brake,
    removals,
    vanishing_alerts,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_spec import (
    PARENT,
    TOOL,
    Recorded,
    as_member,
    parent,
    parent_name,
    read_parent,
    set_id,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_trial import Trial
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_write import Writer


class ApplySet:
    """One run over one set.

    :param client: an authenticated connection, C(_kube.Kube).
    :param clock: seconds, monotonic; :param sleep: both replaceable in tests.
    """

    def __init__(
        self,
        client: Client,
        options: Options,
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self._o = options
        self._id = set_id(options.name, options.namespace)
        self._notes: list[str] = []
        self._cluster = Cluster(client, sleep)
        self._trial = Trial(self._cluster, options, self._id, self._notes)
        self._writer = Writer(self._cluster, self._trial, options, clock, sleep)

    def run(self) -> dict[str, t.Any]:
        """Bring the set about (in check mode: find out what that would mean).

        :returns: changed, created, updated, removed, unchanged, kept, vanishing_alerts, notes, diff, msg.
        :raises ApplySetError: something is wrong; the error says whether anything was written.
        :raises ApiUnreachable, ApiTimeout: no connection.
        """
        objects, problems = check_objects(self._o.objects)
        problems += _check_options(self._o, objects)
        if problems:
            raise ApplySetError(problems)
        items = [
            Item(as_member(obj, self._id, _is_create_only(obj, self._o)), _is_create_only(obj, self._o))
            for obj in objects
        ]
        return self._absent(items) if self._o.state == "absent" else self._present(items)

    def _present(self, items: list[Item]) -> dict[str, t.Any]:
        # Every step goes on in spite of problems, so that all of them are told at once.
        problems = self._trial.resolve(items)
        live_parent, recorded = self._parent()
        members = self._members(items, recorded, problems)
        there = {key_of(obj): obj for obj in members}
        for item in items:
            live = there.get(item.key)
            # Two versions of a kind in one set: what was listed in the other one cannot be compared.
            item.live = live if live and live["apiVersion"] == item.obj["apiVersion"] else None
        going = self._removals(members, [item.key for item in items])
        stays = [*going.kept, *going.going]
        head = self._head(items, stays, live_parent)
        # An empty set needs no parent.
        heads = [head] if items or stays else []
        problems += self._trial.run([*heads, *items])
        gone = going.objects + ([live_parent] if live_parent and not heads else [])
        problems += self._trial.run_removals(gone)
        alerts = vanishing_alerts(members, [item.obj for item in items]) if self._o.prune else []
        refusal = brake(
            going.objects,
            members,
            max_removals=self._o.max_removals,
            allow=self._o.allow_removal,
            partial=self._o.partial,
            alerts=alerts,
        )
        if refusal:
            problems.append(refusal)
        if problems:
            raise ApplySetError(problems)
        if alerts:
            self._notes.append(f"No longer defined: the alerts {', '.join(alerts)}.")
        self._tell_removals(going)
        waiting = [item for item in items if item.waits]
        self._notes += [f"The API server warns: {text}." for text in sorted(self._cluster.warnings)]
        if self._o.check_mode:
            reasons = sorted({item.waits.message for item in waiting if item.waits})
            if reasons:
                self._notes.append(f"{len(waiting)} objects could be checked in part only: {'; '.join(reasons)}.")
        else:
            self._writer.run(items, head, recorded, gone)
        return self._result([*heads, *items], going._replace(objects=gone), alerts)

    def _absent(self, items: list[Item]) -> dict[str, t.Any]:
        # A kind that is not served any more has no objects; that is what is wanted.
        self._trial.resolve(items)
        live_parent, recorded = self._parent()
        problems: list[Problem] = []
        members = self._members(items, recorded, problems)
        keep = KEEP_KINDS_ABSENT if self._o.keep_kinds is None else self._o.keep_kinds
        going = removals(members, (), keep, self._o.allow_removal)
        self._tell_removals(going)
        if live_parent and going.kept:
            self._notes.append(f"{PARENT.kind} {self._o.namespace}/{parent_name(self._o.name)} stays with them.")
        elif live_parent:
            going = going._replace(objects=[*going.objects, live_parent])
        problems += self._trial.run_removals(going.objects)
        if problems:
            raise ApplySetError(problems)
        if not self._o.check_mode:
            self._writer.remove(going.objects)
        return self._result([], going, vanishing_alerts(members, []))

    def _parent(self) -> tuple[Object | None, Recorded]:
        live = self._cluster.get(PARENT, self._o.namespace, parent_name(self._o.name))
        recorded = read_parent(live)
        if recorded.tool not in ("", TOOL):
            where = f"ConfigMap {self._o.namespace}/{parent_name(self._o.name)}"
            message = f"this ApplySet is managed by {recorded.tool}"
            raise ApplySetError([Problem(where, "metadata.annotations", message, "Choose another name for the set.")])
        return live, recorded

    def _members(self, items: t.Sequence[Item], recorded: Recorded, problems: list[Problem]) -> list[Object]:
        resources = {item.key.group_kind: item.resource for item in items if item.resource and not item.waits}
        for group_kind in recorded.group_kinds - resources.keys():
            resource = self._cluster.resource_of(group_kind)
            if resource:
                resources[group_kind] = resource
        places = {item.key.namespace for item in items if item.key.namespace} | recorded.namespaces
        found, refused = self._cluster.members(self._id, resources.values(), places or {self._o.namespace})
        problems += refused
        return found

    def _removals(self, members: t.Sequence[Object], wanted: t.Collection[t.Any]) -> Removals:
        keep = KEEP_KINDS_PRESENT if self._o.keep_kinds is None else self._o.keep_kinds
        if self._o.prune:
            return removals(members, wanted, keep, self._o.allow_removal)
        return Removals([], [obj for obj in members if key_of(obj) not in wanted], [])

    def _head(self, items: t.Sequence[Item], stays: t.Sequence[Object], live: Object | None) -> Item:
        """The parent, as it shall be in the end."""
        keys = [item.key for item in items] + [key_of(obj) for obj in stays]
        kinds, places = {key.group_kind for key in keys}, {key.namespace for key in keys}
        head = Item(parent(self._o.name, self._o.namespace, kinds, places))
        head.resource, head.live = PARENT, live
        return head

    def _tell_removals(self, going: Removals) -> None:
        if going.kept and self._o.prune:
            names = ", ".join(str(key_of(obj)) for obj in going.kept)
            first = str(key_of(going.kept[0])).replace(" ", "/", 1)
            self._notes.append(f"Kept although nothing wants them: {names}. To remove one: allow_removal: [{first}].")
        for obj in going.going:
            holders = ", ".join(obj["metadata"].get("finalizers") or []) or "none"
            self._notes.append(f"{key_of(obj)} is still being deleted (finalizers: {holders}).")

    def _result(self, items: t.Sequence[Item], going: Removals, alerts: list[str]) -> dict[str, t.Any]:
        ordered = sorted(items, key=lambda item: rank(item.key.kind))
        named = {
            verdict: [str(item.key) for item in ordered if item.verdict == verdict]
            for verdict in ("create", "update", "unchanged", "kept")
        }
        removed = [str(key_of(obj)) for obj in going.objects]
        kept = named["kept"] + [str(key_of(obj)) for obj in going.kept]
        diff = [
            entry(str(item.key), item.live if item.verdict == "update" else None, _after(item))
            for item in ordered
            if item.writes
        ]
        diff += [entry(str(key_of(obj)), obj, None) for obj in going.objects]
        counts = [("created", named["create"]), ("updated", named["update"]), ("removed", removed)]
        counts += [("unchanged", named["unchanged"]), ("kept", kept)]
        told = ", ".join(f"{len(names)} {word}" for word, names in counts if names) or "nothing there"
        return {
            "changed": bool(diff),
            "created": named["create"],
            "updated": named["update"],
            "removed": removed,
            "unchanged": named["unchanged"],
            "kept": kept,
            "vanishing_alerts": alerts,
            "notes": self._notes,
            "diff": diff,
            "msg": f"ApplySet {self._o.name}: {told}" + (" (check mode)" if self._o.check_mode else ""),
        }


def _after(item: Item) -> Object:
    """What to show: of a new object what was asked for, of a changed one what the server makes of it."""
    return item.after if item.verdict == "update" and item.after else item.obj


def _is_create_only(obj: Object, options: Options) -> bool:
    key = key_of(obj)
    return bool({f"{key.kind}/{key.name}", f"{key.kind}/{key.namespace}/{key.name}"} & set(options.create_only))


def _check_options(options: Options, objects: t.Sequence[Object]) -> list[Problem]:
    problems = []
    blanket = [name for name in options.allow_removal if name in ("*", "all")]
    if blanket:
        message = f"{blanket[0]!r} is refused"
        problems.append(Problem("allow_removal", "", message, "Name what may go; a refusal prints the line."))
    parent_key = ("ConfigMap", options.namespace, parent_name(options.name))
    if any((o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) == parent_key for o in objects):
        message = "is the set's own parent"
        problems.append(Problem(f"ConfigMap {parent_key[1]}/{parent_key[2]}", "", message, "Choose another name."))
    return problems
