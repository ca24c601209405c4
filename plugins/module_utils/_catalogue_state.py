# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decide what becomes of an entry: present, skipped, pending or adopted; and remember it.

An ``optional`` entry that is absent is skipped. Deciding that afresh in every run would turn a deleted workload
into a green skip, so the decision is made when deploying and kept in a ConfigMap: what was present stays expected.
This module util is private to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _catalogue_ports as ports
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import (
    DECISIONS_CONFIGMAP,
    DECISIONS_KEY,
    MANAGED_BY,
    Entry,
    plain,
    selector_text,
)


class Decider:
    """Decides with the cluster's objects, the remembered decisions and what this play deploys."""

    def __init__(
        self,
        cluster: Mapping[str, Any],
        namespace: str,
        now: str,
        exporters: bool | Iterable[str],
        forget: Iterable[str],
        notes: list[str],
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._now = now
        self._exporters = exporters if isinstance(exporters, bool) else set(exporters)
        remembered = cluster.get("remembered")
        self._remembered = remembered if isinstance(remembered, Mapping) else {}
        self._forget = set(forget)
        self._notes = notes

    def since(self, name: str, state: str) -> str:
        """When the decision was first made: now, unless it is the remembered one."""
        old = self._old(name)
        return str(old.get("since") or self._now) if old.get("state") == state else self._now

    def _old(self, name: str) -> Mapping[str, Any]:
        old = {} if name in self._forget else self._remembered.get(name)
        return old if isinstance(old, Mapping) else {}

    def state(self, entry: Entry, service: tuple[str, str] | None) -> None:
        """Set ``state``, ``reason`` and ``since`` of a resolved entry.

        ``service`` is namespace and name of the Service behind an exporter, when it lies in the cluster.
        """
        name = entry["name"]
        usual = "adopted" if entry["adopt"] else "present"
        state, reason = usual, "somebody else's monitor scrapes this" if entry["adopt"] else ""
        there = self._there(entry, service)
        old = self._old(name)
        was_there = old.get("state") in ("present", "adopted", "pending")
        if entry["optional"] and there is False and not was_there:
            state, reason = "skipped", f"optional, and {self._absent(entry, service)}"
        elif entry["optional"] and there is None and old.get("state") == "skipped":
            state, reason = "skipped", f"optional, and absent when it was last looked for ({old.get('since')})"
        elif entry["optional"] and there is False:
            self._notes.append(
                f"{name}: was {old.get('state')} since {old.get('since')} and is gone "
                f"({self._absent(entry, service)}): it stays expected. If it was removed on purpose, "
                f"take the entry out, or run once with catalogue_forget: [{name}]."
            )
        if entry["exporter"] is not None:
            entry["exporter"]["deployed"] = self._deployed(entry, old)
        if state == "present" and entry["exporter"] is not None and not self._exporter_there(entry):
            state, reason = "pending", "its exporter is not deployed yet; it comes with day 2 (role exporters)"
        entry.update(state=state, reason=reason, since=self.since(name, state))

    def _there(self, entry: Entry, service: tuple[str, str] | None) -> bool | None:
        """Whether what the entry is about exists; None when that cannot be known."""
        services, pods = self._cluster.get("services"), self._cluster.get("pods")
        if entry["exporter"] is not None:
            if service is None or services is None:
                return None
            return any((one["namespace"], one["name"]) == service for one in services)
        if entry["targets"] or not entry["selector"]:
            return None
        if entry["monitor"] == "PodMonitor":
            return None if pods is None else bool(ports.matching(pods, entry["namespaces"], entry["selector"]))
        return None if services is None else bool(ports.matching(services, entry["namespaces"], entry["selector"]))

    @staticmethod
    def _absent(entry: Entry, service: tuple[str, str] | None) -> str:
        if entry["exporter"] is not None and service is not None:
            return f"there is no Service {service[0]}/{service[1]}"
        what = "Pod" if entry["monitor"] == "PodMonitor" else "Service"
        return f"no {what} in {', '.join(entry['namespaces'])} has the labels {selector_text(entry['selector'])}"

    def _exporter_there(self, entry: Entry) -> bool:
        if self._exporters is True or isinstance(self._exporters, set) and entry["kind"] in self._exporters:
            return True
        return bool(entry["exporter"]["deployed"])

    def _deployed(self, entry: Entry, old: Mapping[str, Any]) -> bool:
        """Whether an earlier run deployed it: a later one that deploys fewer kinds leaves it where it is."""
        if old.get("state") == "present":
            return True
        wanted = (self._namespace, entry["exporter"]["name"])
        return any((one["namespace"], one["name"]) == wanted for one in self._cluster.get("services") or ())


def decisions(catalogue: Mapping[str, Any]) -> dict[str, Any]:
    """The ConfigMap that remembers what was decided for each entry, and when. Equal decisions give an equal object."""
    kept = {
        entry["name"]: {
            "state": entry["state"],
            "since": entry["since"],
            "kind": entry["kind"],
            "namespace": entry["namespace"] or "",
        }
        for entry in catalogue["entries"]
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": DECISIONS_CONFIGMAP,
            "namespace": plain(catalogue["namespace"]),
            "labels": dict(MANAGED_BY),
        },
        "data": {DECISIONS_KEY: json.dumps(plain(kept), sort_keys=True, indent=1) + "\n"},
    }
