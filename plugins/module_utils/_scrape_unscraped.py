# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""From the other side: Pods that no target covers. This module util is PRIVATE to the collection.

What is derived from the catalogue is judged against itself; a service that nobody declared is seen only from here.
Everything is told as a note, nothing as a fault: most Pods need no scraping of their own.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_exporter import source_pods
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import (
    Expectation,
    Object,
    Snapshot,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_pods import (
    is_ready,
    is_running,
    name_of,
    uid_of,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_services import (
    container_ports,
    join,
    labels_of,
    namespace_of,
)

if t.TYPE_CHECKING:
    from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube

_MOST_PROBES = 20
_MOST_GROUPS = 10
# A sample or a comment of the text format at the start of a line.
_METRICS = re.compile(rb"^(# (HELP|TYPE) \w|[a-zA-Z_:][\w:]*(\{.*\})? [-+0-9NI])", re.MULTILINE)


class Group(t.NamedTuple):
    """Pods of one workload that no target covers."""

    namespace: str
    owner: str
    pods: list[Object]

    @property
    def ports(self) -> list[tuple[str, int]]:
        """Their declared ports."""
        return list(dict.fromkeys(port for pod in self.pods for port in container_ports(pod)))

    @property
    def text(self) -> str:
        """The note."""
        many = f"{len(self.pods)} Pod{'s' * (len(self.pods) != 1)} of {self.owner}"
        annotation = any(_annotation(pod) == "true" for pod in self.pods)
        hints = [f"{name} ({number})" for name, number in self.ports if re.search("metric|prom|monitor", name)]
        if annotation or hints:
            why = "is annotated prometheus.io/scrape" if annotation else f"has the port {', '.join(hints)}"
            return f"{self.namespace}: no target covers {many}, which {why}: add an entry to the catalogue."
        ports = ", ".join(str(number) for _name, number in self.ports)
        return f"{self.namespace}: no target covers {many}{f' (ports {ports})' if ports else ' (no port declared)'}."


def _annotation(pod: Object) -> str:
    return str(((pod.get("metadata") or {}).get("annotations") or {}).get("prometheus.io/scrape"))


def uncovered(expectations: t.Sequence[Expectation], snapshot: Snapshot) -> list[Group]:
    """Running Pods of the catalogue's namespaces without a target, by workload; from what is already known alone."""
    covered = set()
    for server in snapshot.servers:
        for target in server.targets:
            labels = target.get("discoveredLabels") or {}
            covered.add(labels.get("__meta_kubernetes_pod_uid"))
            covered.add((labels.get("__meta_kubernetes_namespace"), labels.get("__meta_kubernetes_pod_name")))
            covered.add(labels.get("__address__"))
    sources = {uid_of(pod) for expectation in expectations for pod in source_pods(expectation, snapshot)}
    groups: dict[tuple[str, str], list[Object]] = {}
    if not snapshot.views:
        return []
    for namespace in dict.fromkeys(space for e in expectations for space in e.namespaces):
        known = snapshot.facts.get(("objects", namespace))
        for pod in known["pods"] if isinstance(known, dict) else []:
            if not is_running(pod) or _of_job(pod) or uid_of(pod) in sources or covered & _marks(pod):
                continue
            groups.setdefault((namespace, owner_of(pod)), []).append(pod)
    found = [Group(namespace, owner, pods) for (namespace, owner), pods in sorted(groups.items())]
    # The ones with a sign that they want to be scraped first.
    return sorted(found, key=lambda group: "add an entry" not in group.text)[:_MOST_GROUPS]


def _marks(pod: Object) -> set[t.Any]:
    """By what a target would be told to be of this Pod: UID, name, or address (static Pods have no endpoint)."""
    ip = str((pod.get("status") or {}).get("podIP") or "")
    addresses = {join(ip, number) for _name, number in container_ports(pod)}
    return {uid_of(pod), (namespace_of(pod), name_of(pod)), *addresses}


def _owners(pod: Object) -> list[Object]:
    return (pod.get("metadata") or {}).get("ownerReferences") or []


def _of_job(pod: Object) -> bool:
    return any(owner.get("kind") == "Job" for owner in _owners(pod))


def owner_of(pod: Object) -> str:
    """The workload of a Pod: of a ReplicaSet the Deployment's name."""
    for owner in _owners(pod):
        name = str(owner.get("name"))
        if owner.get("kind") == "Node":
            return name_of(pod).removesuffix(f"-{name}")
        if owner.get("kind") == "ReplicaSet":
            return name.removesuffix(f"-{labels_of(pod).get('pod-template-hash', '')}")
        return name
    return name_of(pod)


def probe(groups: t.Sequence[Group], kube: Kube) -> list[str]:
    """Ask one Pod of each group for C(/metrics) on its declared ports.

    :returns: a note for every port that answers with metrics.
    """
    notes = []
    asked = 0
    for group in groups:
        pod = next((pod for pod in group.pods if is_ready(pod)), None)
        for name, number in group.ports if pod else []:
            if asked >= _MOST_PROBES:
                return notes
            asked += 1
            try:
                answer = kube.proxy(namespace_of(pod), "pods", name_of(pod), number).get("/metrics", timeout=2.0)
            except ApiError:
                continue
            if answer.status == 200 and _METRICS.search(answer.body[:4000]):
                port = f"{name} ({number})" if name else str(number)
                notes.append(
                    f"{group.namespace}: {group.owner} answers with metrics on port {port}, and nobody scrapes it: "
                    "add an entry to the catalogue."
                )
    return notes
