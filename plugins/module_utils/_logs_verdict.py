# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The logs verdict: reads Loki and the cluster until nothing can change any more, then judges.

Here is only the order of things; what they mean is in the C(_logs_*) utils of their subject.
This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _checks,
    _logs_agent,
    _logs_cluster,
    _logs_counters,
    _logs_kubelet,
    _logs_namespaces,
    _logs_newest,
    _logs_pods,
    _logs_ready,
    _logs_retention,
    _logs_streams,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError, MonitoringError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_loki import Loki
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_look import (
    AGENT,
    Cluster,
    absent,
    age,
    agent_check,
    look,
    pods_unreadable,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_options import Options, parse
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import Deadline
from ansible_collections.dataplatform.monitoring.plugins.module_utils._servers import replicas

PAUSE = 3.0
# Loki that is not ready for this long is not merely starting.
READY_PATIENCE = 60.0


class Verdict:
    """One judgement.

    :param loki: None when it cannot be reached at all; C(loki_error) then says why.
    :param kube: None without a Kubernetes API. :param prometheus: None to read Loki's own pages instead.
    :param installed: Unix time since when Loki is there, as far as the cluster knows; its processes may be younger.
    """

    def __init__(
        self,
        options: Options,
        loki: Loki | None,
        loki_error: str,
        kube: Kube | None,
        prometheus: Api | None,
        deadline: Deadline,
        query_timeout: float,
        installed: float | None = None,
    ) -> None:
        self.options = options
        self.loki = loki
        self.loki_error = loki_error
        self.kube = kube
        self.deadline = deadline
        self.query_timeout = query_timeout
        self.installed = installed
        self.notes: list[str] = []
        self.unread_error = ""
        self.counters = _logs_counters.Counters(loki, kube, prometheus, query_timeout)

    def run(self) -> tuple[list[_checks.Check], list[str]]:
        """Return the checks and the notes."""
        loki_check, labels = self._wait_for_loki()
        loki_cause = loki_check["cause"]
        cluster = self._look()
        self.counters.start(cluster.agent)
        began = time.monotonic()
        seen: _logs_namespaces.Seen | None = None
        found: dict[str, list[_logs_namespaces.Outcome]] = {}
        newest: float | None = None
        while True:
            if loki_cause is None and self.loki is not None:
                try:
                    seen, found = self._compare(self.loki, cluster)
                    rules = self.options.rules
                    newest = self.loki.newest(cluster.now - rules.lag, cluster.now + 600) or self.loki.newest(
                        cluster.now - rules.window, cluster.now - rules.lag
                    )
                except ApiError as exc:
                    loki_check = self._query_failed(exc)
                    loki_cause = loki_check["cause"]
            if self._settled(cluster, found) or self.deadline.left() < 1:
                break
            self.deadline.pause(PAUSE)
            cluster = self._look()
        return self._judge(loki_check, labels, cluster, seen, found, newest, began), self.notes

    # Loki

    def _wait_for_loki(self) -> tuple[_checks.Check, tuple[str, ...]]:
        """Wait until Loki is ready, then ask for the tenant's labels. The clock it is asked with is Loki's own."""
        where = self.options.read_log
        if self.loki is None:
            unreachable = [_logs_ready.Ready("Loki", 0, self.loki_error)]
            return _logs_ready.judge(unreachable, None, self.options.tenant, [], where), ()
        patience = Deadline(min(READY_PATIENCE, self.deadline.left()))
        replicas = self.loki.ready()
        while not _logs_ready.settled(replicas) and patience.left() > 0:
            patience.pause(PAUSE)
            replicas = self.loki.ready()
        if not replicas[0].good:
            return _logs_ready.judge(replicas, None, self.options.tenant, [], where), ()
        try:
            tenancy = self.loki.tenancy(self.loki.clock() or time.time())
            while patience.left() > 0 and _logs_ready.may_come(tenancy, self.options.tenant):
                patience.pause(PAUSE)
                tenancy = self.loki.tenancy(self.loki.clock() or time.time())
        except ApiError as exc:
            return self._query_failed(exc), ()
        check = _logs_ready.judge(replicas, tenancy, self.options.tenant, self.loki.ring_members(), where)
        return check, tenancy.labels

    def _query_failed(self, exc: ApiError) -> _checks.Check:
        if _logs_ready.ring_fault(exc.body):
            replicas = [_logs_ready.Ready("query", 503, exc.body)]
            return _logs_ready.judge(replicas, None, self.options.tenant, [], self.options.read_log)
        failed = cause("server_error", str(exc), f"Read why: {self.options.read_log}")
        return _checks.failed(_logs_ready.NAME, "Loki answers queries", "a query failed", [failed])

    def _look(self) -> Cluster:
        if self.kube is not None:
            return look(self.kube, self.options)
        clock = self.loki.clock() if self.loki is not None else None
        return Cluster(clock or time.time())

    # Comparing both

    def _compare(
        self, loki: Loki, cluster: Cluster
    ) -> tuple[_logs_namespaces.Seen, dict[str, list[_logs_namespaces.Outcome]]]:
        """Hold Loki against the kubelets.

        :raises ApiError: Loki does not answer a query.
        """
        rules, now = self.options.rules, cluster.now
        in_window, in_lag = loki.lines(now, rules.window), loki.lines(now, rules.lag)
        streams: dict[str, list[_logs_streams.Stream]] = {}
        for stream in loki.streams(now - rules.lag, now):
            streams.setdefault(stream.get("namespace", ""), []).append(stream)
        if {key.namespace for key in in_window} - set(streams):
            # Quiet namespaces have no stream that young: their labels are judged by older ones.
            for stream in loki.streams(now - rules.window, now):
                if stream.get("namespace", "") not in {key.namespace for key in in_lag}:
                    streams.setdefault(stream.get("namespace", ""), []).append(stream)
        containers = [c for c in cluster.containers if c.key.namespace not in self.options.excluded]
        lines, newest = self._ask_kubelets(containers, in_window, in_lag, streams, now)
        seen = _logs_namespaces.Seen(in_window, in_lag, streams, lines, newest)
        found: dict[str, list[_logs_namespaces.Outcome]] = {}
        for namespace in cluster.namespaces:
            members = [c for c in containers if c.key.namespace == namespace]
            found[namespace] = _logs_namespaces.outcomes(members, seen, rules, now)
        return seen, found

    def _ask_kubelets(
        self,
        containers: list[_logs_pods.Container],
        in_window: t.Mapping[_logs_pods.Key, int],
        in_lag: t.Mapping[_logs_pods.Key, int],
        streams: t.Mapping[str, t.Sequence[_logs_streams.Stream]],
        now: float,
    ) -> tuple[dict[_logs_pods.Key, _logs_kubelet.Line], dict[_logs_pods.Key, float | None]]:
        if self.kube is None or self.loki is None:
            return {}, {}
        rules = self.options.rules
        chosen, left = _logs_kubelet.choose(containers, in_window, in_lag, self.options.per_cell, self.options.samples)
        if left:
            note = f"{left} more containers without a young line in Loki were not compared with the kubelet (samples)"
            self.notes = [*(n for n in self.notes if "(samples)" not in n), note]
        read = _logs_cluster.log_reader(self.kube, self.query_timeout)
        # A Loki made anew cannot have what was sent to the one before; agents remember that they sent it.
        window = rules.window if self.installed is None else min(rules.window, now - self.installed)
        lines: dict[_logs_pods.Key, _logs_kubelet.Line] = {}
        newest: dict[_logs_pods.Key, float | None] = {}
        forbidden = False
        for container in chosen:
            if forbidden:
                lines[container.key] = _logs_kubelet.Line(_logs_kubelet.UNREADABLE, None, self.unread_error, True)
                continue
            line = _logs_kubelet.read_line(read, container, now, window, rules.lag)
            lines[container.key] = line
            if line.state == _logs_kubelet.UNREADABLE:
                self.unread_error = line.error
                # A permission is the same for every Pod of a namespace at least; do not ask three hundred times.
                forbidden = line.forbidden
            elif line.state == _logs_kubelet.WROTE:
                usable = _logs_streams.usable_labels(streams.get(container.key.namespace, ()))
                labels = {k: v for k, v in container.key._asdict().items() if k == "namespace" or k in usable}
                # Nearly always the line is there: a short span costs Loki least.
                start = (line.at or now) - _logs_namespaces.ROUNDING
                newest[container.key] = self.loki.newest(start, now + 5, **labels) or self.loki.newest(
                    now - rules.window, start, **labels
                )
        return lines, newest

    def _settled(self, cluster: Cluster, found: t.Mapping[str, list[_logs_namespaces.Outcome]]) -> bool:
        """Whether waiting cannot change the verdict."""
        if cluster.agent is not None and cluster.agent.settling:
            return False
        young = {
            node
            for node, pod in (cluster.agent.running if cluster.agent else {}).items()
            if age(pod, cluster.now) < _logs_agent.YOUNG
        }
        for outcomes in found.values():
            if not _logs_namespaces.settled(outcomes, cluster.agent.running if cluster.agent else ()):
                return False
            if any(
                o.state in (_logs_namespaces.MISSING, _logs_namespaces.LATE) and o.container.node in young
                for o in outcomes
            ):
                return False
        return True

    # Judging

    def _judge(
        self,
        loki_check: _checks.Check,
        labels: tuple[str, ...],
        cluster: Cluster,
        seen: _logs_namespaces.Seen | None,
        found: t.Mapping[str, list[_logs_namespaces.Outcome]],
        newest: float | None,
        began: float,
    ) -> list[_checks.Check]:
        why = loki_check["cause"]
        wait = self.options.observe - (time.monotonic() - began)
        if why is None and wait > 0 and self.counters.need_second_reading():
            self.deadline.pause(wait)
        lost = (_logs_namespaces.MISSING, _logs_namespaces.LATE)
        silent = {o.container.node for outcomes in found.values() for o in outcomes if o.state in lost}
        trouble = self.counters.finish(cluster.agent, silent)
        self.notes.extend(self.counters.notes)
        checks = [loki_check, self._agent_check(cluster, trouble)]
        checks.extend(self._namespace_checks(why, cluster, seen, found, trouble))
        rules = self.options.rules
        if why is not None:
            for name in ("discarded", "newest_line", "retention"):
                checks.append(_checks.unknown(name, "Loki can be asked", "not judged: it could not be asked", [why]))
            return checks
        checks.append(self.counters.discarded(self.options.allowed))
        checks.append(_logs_newest.judge(newest, cluster.now, rules.lag, rules.window, labels))
        checks.append(self._retention_check(cluster.now))
        return checks

    def _agent_check(self, cluster: Cluster, trouble: _logs_counters.Troubles) -> _checks.Check:
        if self.kube is None:
            reason = "would need the Kubernetes API (kubernetes: false)"
            return _checks.not_applicable(AGENT, "the log agent runs on every node", reason)
        return agent_check(cluster, trouble)

    def _namespace_checks(
        self,
        why: dict[str, str] | None,
        cluster: Cluster,
        seen: _logs_namespaces.Seen | None,
        found: t.Mapping[str, list[_logs_namespaces.Outcome]],
        trouble: _logs_counters.Troubles,
    ) -> list[_checks.Check]:
        if self.kube is None:
            reason = "which namespaces should log needs the Kubernetes API (kubernetes: false)"
            return [_checks.not_applicable("namespaces", "every namespace that wrote has streams", reason)]
        if cluster.error:
            unreadable = [pods_unreadable(cluster)]
            return [_checks.unknown("namespaces", "every namespace that wrote has streams", "no Pods", unreadable)]
        rules = self.options.rules
        agents = _logs_namespaces.Agents(absent(cluster), trouble.by_node, _logs_cluster.agent_kind(cluster.daemonset))
        checks = []
        for namespace in cluster.namespaces:
            if namespace in self.options.excluded:
                checks.append(_checks.not_applicable(f"namespace {namespace}", "logs", "excluded (exclude_namespaces)"))
            elif why is not None or seen is None:
                checks.append(_logs_namespaces.unavailable(namespace, rules, why or pods_unreadable(cluster)))
            else:
                checks.append(
                    _logs_namespaces.judge(namespace, found.get(namespace, []), seen, rules, agents, self.unread_error)
                )
        return checks

    def _retention_check(self, now: float) -> _checks.Check:
        promised = self.options.retention
        if promised is None or self.loki is None:
            return _checks.not_applicable(_logs_retention.NAME, "lines kept as promised", "no promise (retention)")
        oldest: float | None = None
        too_old: bool | None = None
        last_run, since = self.counters.retention()
        known = [moment for moment in (since, self.installed) if moment is not None]
        beyond = _logs_retention.too_old_range(now, promised)
        try:
            # On the first day nothing follows from the oldest line.
            if not known or now - min(known) > _logs_retention.FIRST_DAY:
                oldest = _logs_retention.find_oldest(self.loki.entries, self.loki.newest, now, promised)
            too_old = self.loki.entries(*beyond) > 0 and self.loki.newest(*beyond) is not None
        except ApiError as exc:
            self.notes.append(f"retention: the oldest line could not be looked for: {exc}")
        known += [oldest] if oldest is not None else []
        facts = _logs_retention.Facts(self.loki.settings(), last_run, min(known) if known else None, oldest, too_old)
        return _logs_retention.judge(promised, facts, now)


def judge_logs(params: t.Mapping[str, t.Any]) -> tuple[list[_checks.Check], list[str]]:
    """Run the verdict for a module's options.

    :returns: the checks and notes. :raises MonitoringError: bad options, or no way to authenticate.
    """
    options = parse(params)
    deadline, query_timeout = Deadline(params["timeout"]), params["query_timeout"]
    kube = Kube(params, query_timeout) if params["kubernetes"] else None
    loki, loki_error, installed = None, "", None
    try:
        loki = Loki(_logs_cluster.loki_apis(params, kube), options.tenant, query_timeout)
    except MonitoringError as exc:
        loki_error = str(exc)
    if kube is not None and params.get("service") and not params.get("url"):
        installed = _logs_cluster.made(kube, f"/api/v1/namespaces/{params['namespace']}/services/{params['service']}")
    prometheus, notes = None, []
    if params.get("prometheus"):
        try:
            prometheus = replicas({**params["prometheus"], "query_timeout": query_timeout}, kube)[0]
        except MonitoringError as exc:
            notes.append(f"prometheus: {exc}")
    checks, more = Verdict(options, loki, loki_error, kube, prometheus, deadline, query_timeout, installed).run()
    return checks, [*notes, *more]
