# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The workloads verdict: takes baselines, compares, repeats; writes only its own ConfigMap, and only when told to.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _checks,
    _workloads_baseline,
    _workloads_checks,
    _workloads_compare,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError, ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_cluster import cluster_time
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import (
    Deadline,
    parse_duration,
    rfc3339,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._workloads_baseline import Run
from ansible_collections.dataplatform.monitoring.plugins.module_utils._workloads_snapshot import (
    Expectation,
    Objects,
    take,
)

SPEC: dict[str, dict[str, t.Any]] = {
    "state": {"type": "str", "choices": ["baseline", "verdict"], "default": "verdict"},
    "run_id": {"type": "str", "default": ""},
    "close": {"type": "bool", "default": False},
    "namespace": {"type": "str", "default": "monitoring"},
    "create_namespace": {"type": "bool", "default": True},
    "expectations": {"type": "list", "elements": "dict", "default": []},
    "namespaces": {"type": "list", "elements": "str", "default": []},
    "max_baseline_age": {"type": "str", "default": "24h"},
}
PAUSE = 3.0
_KINDS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}


def parse(params: t.Mapping[str, t.Any]) -> list[Expectation]:
    """Read what is watched from the module's options.

    :raises ConfigError: nothing to watch, a name twice, or a run id that cannot be one.
    """
    found = []
    for item in params["expectations"]:
        if not isinstance(item, dict) or not item.get("name") or not item.get("namespace"):
            raise ConfigError(f"expectations: {item!r} needs name and namespace; write {{name: X, namespace: Y}}")
        if not item.get("selector") and not item.get("service"):
            raise ConfigError(
                f"expectations: {item['name']} needs selector (labels of its Service or Pods) or service; write "
                f"selector: {{app: {item['name']}}}"
            )
        found.append(
            Expectation(
                str(item["name"]), str(item["namespace"]), item.get("selector") or {}, item.get("service") or ""
            )
        )
    found += [Expectation(f"namespace {name}", name, {}, "", True) for name in params["namespaces"]]
    names = [item.name for item in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"expectations: the name {twice[0]} stands for two; give each its own")
    if not found:
        raise ConfigError("Nothing to watch: set expectations, or namespaces: [NAME]")
    if params["run_id"]:
        _workloads_baseline.check_run_id(params["run_id"])
    return found


def judge_workloads(
    params: t.Mapping[str, t.Any], check_mode: bool
) -> tuple[list[_checks.Check], list[str], str | None]:
    """Run the verdict for a module's options.

    :returns: the checks, notes, and the run concerned, None where there is none.
    :raises MonitoringError: bad options, or the cluster cannot be read.
    """
    expectations = parse(params)
    kube = Kube(params, params["query_timeout"])
    verdict = Workloads(kube, expectations, params["namespace"], check_mode)
    run_id = params["run_id"]
    if params["state"] == "baseline":
        run_id = run_id or rfc3339(time.time()).replace(":", "")
        return verdict.baseline(run_id, params["create_namespace"]), verdict.notes, run_id
    oldest = parse_duration(params["max_baseline_age"], "max_baseline_age")
    checks, run = verdict.judge(run_id, params["close"], oldest, Deadline(params["timeout"]))
    return checks, verdict.notes, run


class Workloads:
    """One judgement. C(namespace) is where the ConfigMap is kept."""

    def __init__(self, kube: Kube, expectations: list[Expectation], namespace: str, check_mode: bool) -> None:
        self.kube = kube
        self.expectations = expectations
        self.namespace = namespace
        self.check_mode = check_mode
        self.notes: list[str] = []

    def snapshot(self) -> dict[str, t.Any]:
        """Read the watched namespaces and all nodes."""
        objects = Objects([], [], [], [], [])
        now = cluster_time(self.kube) or time.time()
        for namespace in sorted({item.namespace for item in self.expectations}):
            core, apps = f"/api/v1/namespaces/{namespace}", f"/apis/apps/v1/namespaces/{namespace}"
            objects.pods.extend(self.kube.list(f"{core}/pods"))
            objects.services.extend(self.kube.list(f"{core}/services"))
            objects.replica_sets.extend(self.kube.list(f"{apps}/replicasets"))
            for kind, plural in _KINDS.items():
                objects.workloads.extend({**item, "kind": kind} for item in self.kube.list(f"{apps}/{plural}"))
        objects.workloads.extend(
            {**item, "kind": "ReplicaSet"}
            for item in objects.replica_sets
            if not item["metadata"].get("ownerReferences")
        )
        objects.nodes.extend(self.kube.list("/api/v1/nodes"))
        return take(objects, self.expectations, now)

    def events(self) -> _workloads_compare.Events:
        """Read the Events of the watched namespaces; without permission there are none."""
        found: list[dict[str, t.Any]] = []
        for namespace in sorted({item.namespace for item in self.expectations}):
            try:
                found.extend(
                    self.kube.list(f"/api/v1/namespaces/{namespace}/events", field_selector="involvedObject.kind=Pod")
                )
            except ApiError as exc:
                self.notes.append(f"Events could not be read, evictions are told as replacements: {exc}")
                break
        return _workloads_compare.read_events(found)

    # The ConfigMap

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/configmaps"

    def _stored(self) -> dict[str, t.Any] | None:
        return self.kube.get(f"{self._path}/{_workloads_baseline.NAME}")

    def _store(self, change: t.Callable[[list[Run]], list[Run]]) -> None:
        """Change the ConfigMap; somebody who wrote in between is not overwritten.

        :raises ApiError: it is refused.
        """
        for _attempt in range(4):
            stored = self._stored()
            body = _workloads_baseline.write(change(_workloads_baseline.read(stored)), stored, self.namespace)
            if stored is None:
                status, answer = self.kube.request("POST", self._path, body)
            else:
                path = f"{self._path}/{_workloads_baseline.NAME}"
                status, answer = self.kube.request("PUT", path, body)
            if status < 400:
                return
            if status != 409:
                raise ApiError(
                    f"ConfigMap {self.namespace}/{_workloads_baseline.NAME} cannot be written: "
                    f"{answer.get('message', status)}",
                    status,
                )
        raise ApiError(
            f"ConfigMap {self.namespace}/{_workloads_baseline.NAME} is written by somebody else all the time"
        )

    def _make_namespace(self) -> None:
        """The first day's baseline comes before everything else, the namespace it is kept in included."""
        if self.kube.get(f"/api/v1/namespaces/{self.namespace}") is not None:
            return
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        status, answer = self.kube.request("POST", "/api/v1/namespaces", body)
        if status >= 400 and status != 409:
            raise ApiError(f"Namespace {self.namespace} cannot be made: {answer.get('message', status)}", status)
        self.notes.append(f"namespace {self.namespace} was made, to keep the baseline in")

    # What the module does

    def baseline(self, run_id: str, make_namespace: bool) -> list[_checks.Check]:
        """Take a run's baseline, once; in check mode only say what it would hold."""
        run: Run = {"run_id": run_id, "snapshot": self.snapshot(), "closed": None, "checks": None}
        there = _workloads_baseline.find(_workloads_baseline.read(self._stored()), run_id)
        if there is not None:
            return [_workloads_checks.taken(there, False, self.namespace)]
        if self.check_mode:
            self.notes.append("check mode: the baseline was not written")
            return [_workloads_checks.taken(run, True, self.namespace)]
        if make_namespace:
            self._make_namespace()
        self._store(lambda runs: _workloads_baseline.record(runs, run_id, run["snapshot"])[0])
        return [_workloads_checks.taken(run, True, self.namespace)]

    def judge(
        self, run_id: str, close: bool, oldest: float, deadline: Deadline
    ) -> tuple[list[_checks.Check], str | None]:
        """Compare with a run's baseline, or repeat its verdict; return the checks and that run."""
        run = _workloads_baseline.find(_workloads_baseline.read(self._stored()), run_id)
        if run is None:
            why = _workloads_checks.missing(run_id, self.namespace)
            return _workloads_checks.not_judged(self.expectations, why, "no baseline"), None
        after = self.snapshot()
        if run["closed"] is not None:
            return _workloads_checks.repeated(self.expectations, run, after), run["run_id"]
        if not run_id and not close and after["taken"] - run["snapshot"]["taken"] > oldest:
            why = _workloads_checks.stale(run, after["taken"])
            checks = _workloads_checks.not_judged(self.expectations, why, "the last baseline is too old")
            return checks, run["run_id"]
        events = self.events()
        checks, unfinished = _workloads_checks.compared(self.expectations, run["snapshot"], after, events)
        while unfinished and deadline.left() > 1:
            deadline.pause(PAUSE)
            after = self.snapshot()
            checks, unfinished = _workloads_checks.compared(self.expectations, run["snapshot"], after, events)
        if close and not self.check_mode:
            self._store(lambda runs: _workloads_baseline.close(runs, run["run_id"], checks, after["taken"]))
        elif not close:
            self.notes.append(f"compared with the open baseline of run {run['run_id']}; nothing was written")
        return checks, run["run_id"]
