# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What discovery works on: workloads with their Services, the jobs that Prometheus has, pages of metrics.

This module util is PRIVATE to the collection. Plain data and pure functions.
"""

from __future__ import annotations

import dataclasses
import typing as t

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
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_unscraped import owner_of

Object = dict[str, t.Any]


class Page(t.NamedTuple):
    """The answer of a port: names of metrics, or C(status) 401 or 403 for one that asks who is there."""

    port: int
    path: str
    names: frozenset[str]
    status: int = 200


@dataclasses.dataclass
class Workload:
    """Pods of one owner in a namespace, and the Services that select them."""

    namespace: str
    owner: str
    pods: list[Object]
    services: list[Object]

    @property
    def key(self) -> tuple[str, str]:
        return self.namespace, self.owner

    @property
    def images(self) -> list[str]:
        return list(dict.fromkeys(str(box.get("image")) for pod in self.pods for box in _containers(pod)))

    @property
    def containers(self) -> list[str]:
        return list(dict.fromkeys(str(box.get("name")) for pod in self.pods for box in _containers(pod)))

    @property
    def ports(self) -> list[tuple[str, int]]:
        """Declared container ports, and numbers that a Service leads to."""
        found = [port for pod in self.pods for port in container_ports(pod)]
        for service in self.services:
            for port in service["spec"].get("ports") or []:
                target = port.get("targetPort", port["port"])
                if isinstance(target, int) and target not in {number for _name, number in found}:
                    found.append((str(port.get("name") or ""), target))
        return list(dict.fromkeys(found))

    @property
    def asked(self) -> Object | None:
        """The Pod to ask: a ready one."""
        return next((pod for pod in self.pods if is_ready(pod)), None)

    @property
    def wants_to_be_scraped(self) -> bool:
        """Whether it is annotated so, as before there were monitors."""
        return any(
            str(((item.get("metadata") or {}).get("annotations") or {}).get("prometheus.io/scrape")).lower() == "true"
            for item in [*self.pods, *self.services]
        )

    def covered_by(self, targets: t.Iterable[Object]) -> list[Object]:
        """The targets that are these Pods: by UID, by name, or by address."""
        marks: set[t.Any] = set()
        for pod in self.pods:
            ip = str((pod.get("status") or {}).get("podIP") or "")
            marks |= {uid_of(pod), (namespace_of(pod), name_of(pod))}
            marks |= {join(ip, number) for _name, number in container_ports(pod)}
        found = []
        for target in targets:
            labels = target.get("discoveredLabels") or {}
            own = (
                labels.get("__meta_kubernetes_pod_uid"),
                (labels.get("__meta_kubernetes_namespace"), labels.get("__meta_kubernetes_pod_name")),
                labels.get("__address__"),
            )
            if marks & {mark for mark in own if mark and mark != (None, None)}:
                found.append(target)
        return found


def _containers(pod: Object) -> list[Object]:
    return (pod.get("spec") or {}).get("containers") or []


def workloads(pods: t.Iterable[Object], services: t.Iterable[Object]) -> list[Workload]:
    """Running Pods by what owns them; those of Jobs come and go, and are left out."""
    groups: dict[tuple[str, str], list[Object]] = {}
    for pod in pods:
        owners = (pod.get("metadata") or {}).get("ownerReferences") or []
        if is_running(pod) and not any(owner.get("kind") == "Job" for owner in owners):
            groups.setdefault((namespace_of(pod), owner_of(pod)), []).append(pod)
    there = list(services)
    found = []
    for (namespace, owner), members in sorted(groups.items()):
        mine = [item for item in there if namespace_of(item) == namespace and _selects_any(item, members)]
        found.append(Workload(namespace, owner, members, mine))
    return found


def _selects_any(service: Object, pods: t.Iterable[Object]) -> bool:
    selector = (service.get("spec") or {}).get("selector") or {}
    return bool(selector) and any(selector.items() <= labels_of(pod).items() for pod in pods)


@dataclasses.dataclass
class Facts:
    """Everything that was seen.

    :param targets: active targets, as Prometheus tells them. :param series: names of metrics by job.
    :param pages: what ports answered, by workload. :param namespace: where the monitoring of this collection is.
    """

    workloads: list[Workload]
    targets: list[Object]
    series: dict[str, frozenset[str]]
    pages: dict[tuple[str, str], list[Page]]
    namespace: str = "monitoring"
    kubernetes: bool = True
