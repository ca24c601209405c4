# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One look at rules: every replica of Prometheus, and the objects the rules come from.

This module util is PRIVATE to the collection. It reads only.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _prometheus
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError, ApiForbidden
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import parse_time
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_model import (
    Group,
    Object,
    Replica,
    Snapshot,
    wanted_name,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_series import Series
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_taken import loaded_groups
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_selection import (
    asked_prometheus,
    reported_rejection,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_services import labels_of, namespace_of

if t.TYPE_CHECKING:
    from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube

_OPERATOR = "/apis/monitoring.coreos.com/v1"
# How far back failed and skipped evaluations count, in seconds.
FAILURE_WINDOW = 900.0
# Of one rejected object.
_MOST_RULES = 100
_FAILURES = "prometheus_rule_evaluation_failures_total"
_MISSED = "prometheus_rule_group_iterations_missed_total"


class Collector:
    """Reads what the verdict needs.

    :param find: gives one C(Api) per replica; called again after a failure.
    :param kube: the cluster; None for a Prometheus without Kubernetes.
    """

    def __init__(self, find: t.Callable[[], list[Api]], kube: Kube | None) -> None:
        self._find = find
        self._kube = kube
        self._apis: list[Api] = []
        self.series: Series | None = None

    def snapshot(self) -> Snapshot:
        """:raises ApiError: a server or the cluster does not answer."""
        try:
            if not self._apis:
                self._apis = self._find()
                self.series = None
            replicas = [self._replica(api) for api in self._apis]
        except ApiError:
            self._apis = []
            raise
        if self.series is None:
            self.series = Series(self._apis[0], replicas[0].now)
        self._count(replicas)
        if self._kube is None:
            return Snapshot(replicas)
        objects = self._kube.list(f"{_OPERATOR}/prometheusrules")
        snapshot = Snapshot(replicas, objects, self._prometheuses(), self._namespaces())
        away = [one for one in objects if not any(loaded_groups(one, replica.groups) for replica in replicas)]
        snapshot.events = self._events({namespace_of(item) for item in away})
        for item in away:
            if reported_rejection(item, snapshot.events) is not None:
                place = (namespace_of(item), str(item["metadata"]["name"]))
                snapshot.unreadable[place] = self._unreadable(item)
        return snapshot

    def _unreadable(self, item: Object) -> list[tuple[str, str, str]]:
        """Name, expression and error of rules that Prometheus cannot read; to ask for the format evaluates nothing."""
        found = []
        rules = [rule for group in item["spec"].get("groups") or [] for rule in group.get("rules") or []]
        for rule in rules[:_MOST_RULES]:
            answer = self._apis[0].get("/api/v1/format_query", [("query", str(rule.get("expr")))])
            if answer.status == 400:
                found.append((wanted_name(rule), str(rule.get("expr")), str(answer.json().get("error"))))
        return found

    def _replica(self, api: Api) -> Replica:
        info = api.get_json("/api/v1/status/runtimeinfo")["data"]
        now = parse_time(info.get("serverTime"))
        if now is None:
            now = _prometheus.query(api, "time()")[0]["value"]
        groups = api.get_json("/api/v1/rules")["data"]["groups"] or []
        return Replica(
            api.label,
            now if now is not None else time.time(),
            parse_time(info.get("startTime")),
            [Group.parse(item) for item in groups],
            reload_ok=info.get("reloadConfigSuccess") is not False,
        )

    def _count(self, replicas: list[Replica]) -> None:
        """Failed and skipped evaluations of each replica, as far as Prometheus scrapes itself."""
        for api, replica in zip(self._apis, replicas, strict=True):
            names = self.series.names(recent=True) if self.series else frozenset()
            if _FAILURES not in names:
                continue
            window = f"{FAILURE_WINDOW:.0f}s"
            for attribute, metric in (("failures", _FAILURES), ("missed", _MISSED)):
                samples = _prometheus.query(api, f"sum by (rule_group, pod) (increase({metric}[{window}])) > 0")
                setattr(replica, attribute, _of_replica(samples, replica.label))

    def _prometheuses(self) -> list[Object]:
        found = self._kube.list(f"{_OPERATOR}/prometheuses") if self._kube else []
        labels = [api.label.removeprefix("pod ") for api in self._apis if api.label.startswith("pod ")]
        return asked_prometheus(found, [(one.partition("/")[0], one.partition("/")[2]) for one in labels])

    def _namespaces(self) -> dict[str, dict[str, str]] | None:
        try:
            found = self._kube.list("/api/v1/namespaces") if self._kube else []
        except ApiForbidden:
            return None
        return {item["metadata"]["name"]: labels_of(item) for item in found}

    def _events(self, namespaces: set[str]) -> list[Object]:
        found: list[Object] = []
        for namespace in sorted(namespaces):
            try:
                found += self._kube.list(
                    f"/api/v1/namespaces/{namespace}/events", field_selector="reason=InvalidConfiguration"
                )
            except ApiForbidden:
                continue
        return found


def _of_replica(samples: t.Sequence[_prometheus.Sample], label: str) -> dict[str, float]:
    """Values by C(rule_group), those of other Pods left out; without Pods there is one server."""
    pod = label.rpartition("/")[2] if label.startswith("pod ") else None
    found: dict[str, float] = {}
    for sample in samples:
        if pod and sample["metric"].get("pod") not in (None, pod):
            continue
        group = sample["metric"].get("rule_group", "")
        found[group] = found.get(group, 0.0) + sample["value"]
    return found
