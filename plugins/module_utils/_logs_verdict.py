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
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_options import Options, parse
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import Deadline, parse_time
from ansible_collections.dataplatform.monitoring.plugins.module_utils._servers import replicas

AGENT = "agent_on_every_node"
PAUSE = 3.0
# Loki that is not ready for this long is not merely starting.
READY_PATIENCE = 60.0


class Cluster(t.NamedTuple):
    """One look at the cluster. C(error) says why there is none."""

    now: float
    containers: tuple[_logs_pods.Container, ...] = ()
    namespaces: tuple[str, ...] = ()
    agent: _logs_agent.Agent | None = None
    daemonset: dict[str, t.Any] | None = None
    agent_causes: tuple[dict[str, str], ...] = ()
    error: str = ""


class Verdict:
    """One judgement.

    :param loki: None when it cannot be reached at all; C(loki_error) then says why.
    :param kube: None without a Kubernetes API. :param prometheus: None to read Loki's own pages instead.
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
    ) -> None:
        self.options = options
        self.loki = loki
        self.loki_error = loki_error
        self.kube = kube
        self.deadline = deadline
        self.query_timeout = query_timeout
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
                    seen, found = self._compare(cluster)
                    newest = self.loki.edge(cluster.now - self.options.rules.window, cluster.now + 600, True)
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
            while tenancy.young and patience.left() > 0 and _logs_ready.tenant_causes(tenancy, self.options.tenant, ""):
                patience.pause(PAUSE)
                tenancy = self.loki.tenancy(self.loki.clock() or time.time())
        except ApiError as exc:
            replicas = [_logs_ready.Ready(replicas[0].label, 0, str(exc)), *replicas[1:]]
            return _logs_ready.judge(replicas, None, self.options.tenant, [], where), ()
        check = _logs_ready.judge(replicas, tenancy, self.options.tenant, self.loki.ring_members(), where)
        return check, tenancy.labels

    def _query_failed(self, exc: ApiError) -> _checks.Check:
        if _logs_ready.ring_fault(exc.body):
            replicas = [_logs_ready.Ready("query", 503, exc.body)]
            return _logs_ready.judge(replicas, None, self.options.tenant, [], self.options.read_log)
        failed = cause("server_error", str(exc), f"Read why: {self.options.read_log}")
        return _checks.failed(_logs_ready.NAME, "Loki answers queries", "a query failed", [failed])

    # The cluster

    def _look(self) -> Cluster:
        """Read Pods, nodes and the agent."""
        if self.kube is None:
            clock = self.loki.clock() if self.loki is not None and not self.loki_error else None
            return Cluster(clock or time.time())
        try:
            now = _logs_cluster.cluster_time(self.kube) or time.time()
            pods = self.kube.list("/api/v1/pods")
            containers = _logs_pods.writers(pods, now, self.options.rules.window)
            spaces = {c.key.namespace for c in containers} | set(self.options.expected)
            look = Cluster(now, tuple(containers), tuple(sorted(spaces)))
        except ApiError as exc:
            return Cluster(time.time(), error=str(exc))
        try:
            return self._look_for_agent(look, pods)
        except ApiError as exc:
            denied = cause(
                "access_forbidden",
                f"Whether the agent is on every node cannot be read: {exc}",
                "Let the account of this run list nodes and daemonsets: kubectl create clusterrolebinding "
                f"monitoring-nodes --clusterrole=view --user={_logs_namespaces.user_in(str(exc))}",
            )
            return look._replace(agent_causes=(denied,))

    def _look_for_agent(self, look: Cluster, pods: list[dict[str, t.Any]]) -> Cluster:
        assert self.kube is not None  # noqa: S101 - for the type checker; the only caller has asked
        daemonsets = self.kube.list("/apis/apps/v1/daemonsets")
        nodes = self.kube.list("/api/v1/nodes")
        space, name = self.options.agent_namespace, self.options.agent_name
        daemonset = _logs_agent.find(daemonsets, space, name)
        if daemonset is None:
            return look._replace(agent_causes=(_logs_agent.missing(daemonsets, space, name),))
        agent = _logs_agent.judge(daemonset, nodes, pods, look.now)
        causes = agent.causes
        if any(item["code"] == "agent_pod_absent" for item in causes):
            refused = _logs_agent.refusals(daemonset, *_logs_cluster.agent_events(self.kube, daemonset))
            if refused:
                agent = _logs_agent.explain(agent, refused[0])
                causes = agent.causes
            elif _age(daemonset, look.now) < _logs_agent.YOUNG:
                agent = agent._replace(settling=True)
        return look._replace(agent=agent, daemonset=daemonset, agent_causes=tuple(causes))

    # Comparing both

    def _compare(self, cluster: Cluster) -> tuple[_logs_namespaces.Seen, dict[str, list[_logs_namespaces.Outcome]]]:
        """Hold Loki against the kubelets.

        :raises ApiError: Loki does not answer a query.
        """
        assert self.loki is not None  # noqa: S101 - for the type checker; the only caller has asked
        rules, now = self.options.rules, cluster.now
        in_window, in_lag = self.loki.lines(now, rules.window), self.loki.lines(now, rules.lag)
        streams: dict[str, list[_logs_streams.Stream]] = {}
        for stream in self.loki.streams(now - rules.lag, now):
            streams.setdefault(stream.get("namespace", ""), []).append(stream)
        if {key.namespace for key in in_window} - set(streams):
            # Quiet namespaces have no stream that young: their labels are judged by older ones.
            for stream in self.loki.streams(now - rules.window, now):
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
        lines: dict[_logs_pods.Key, _logs_kubelet.Line] = {}
        newest: dict[_logs_pods.Key, float | None] = {}
        forbidden = False
        for container in chosen:
            if forbidden:
                lines[container.key] = _logs_kubelet.Line(_logs_kubelet.UNREADABLE, None, self.unread_error, True)
                continue
            line = _logs_kubelet.read_line(read, container, now, rules.window, rules.lag)
            lines[container.key] = line
            if line.state == _logs_kubelet.UNREADABLE:
                self.unread_error = line.error
                # A permission is the same for every Pod of a namespace at least; do not ask three hundred times.
                forbidden = line.forbidden
            elif line.state == _logs_kubelet.WROTE:
                usable = _logs_streams.usable_labels(streams.get(container.key.namespace, ()))
                labels = {k: v for k, v in container.key._asdict().items() if k == "namespace" or k in usable}
                newest[container.key] = self.loki.edge(now - rules.window, now + 600, True, **labels)
        return lines, newest

    def _settled(self, cluster: Cluster, found: t.Mapping[str, list[_logs_namespaces.Outcome]]) -> bool:
        """Whether waiting cannot change the verdict."""
        if cluster.agent is not None and cluster.agent.settling:
            return False
        young = {
            node
            for node, pod in (cluster.agent.running if cluster.agent else {}).items()
            if _age(pod, cluster.now) < _logs_agent.YOUNG
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
        trouble = self.counters.finish(cluster.agent)
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
        expected = "the log agent runs and sends on every node"
        if self.kube is None:
            return _checks.not_applicable(AGENT, expected, "would need the Kubernetes API (kubernetes: false)")
        if cluster.error:
            return _checks.unknown(AGENT, expected, "the Pods could not be read", [self._pods_unreadable(cluster)])
        agent = cluster.agent
        if agent is None:
            code = cluster.agent_causes[0]["code"]
            make = _checks.failed if code == "agent_missing" else _checks.unknown
            return make(
                AGENT, expected, "no agent" if code == "agent_missing" else "not readable", cluster.agent_causes
            )
        causes = [*cluster.agent_causes, *trouble.causes()]
        observed = f"{len(agent.running)} of {len(agent.nodes)} nodes"
        lacking = [name for name in agent.nodes if name not in agent.running]
        if lacking:
            observed += f", not on {', '.join(lacking[:5])}" + (" and more" if len(lacking) > 5 else "")
        details = {"nodes": len(agent.nodes), "running": len(agent.running)}
        notes = [*agent.notes, *trouble.notes]
        if not causes:
            return _checks.ok(AGENT, expected, observed, notes, details)
        if agent.settling:
            starting = cause(
                "agent_starting",
                f"The agent is still starting on {', '.join(lacking[:5])}: {causes[0]['message']}",
                causes[0]["fix"],
            )
            return _checks.unknown(AGENT, expected, observed, [starting, *causes], notes, details)
        return _checks.failed(AGENT, expected, observed, causes, notes, details)

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
            unreadable = [self._pods_unreadable(cluster)]
            return [_checks.unknown("namespaces", "every namespace that wrote has streams", "no Pods", unreadable)]
        rules = self.options.rules
        absent = dict(cluster.agent.causes_by_node) if cluster.agent else {}
        if cluster.agent is None and cluster.agent_causes and cluster.agent_causes[0]["code"] == "agent_missing":
            absent = {c.node: cluster.agent_causes[0] for c in cluster.containers}
        agents = _logs_namespaces.Agents(absent, trouble.by_node, _logs_cluster.agent_kind(cluster.daemonset))
        checks = []
        for namespace in cluster.namespaces:
            if namespace in self.options.excluded:
                checks.append(_checks.not_applicable(f"namespace {namespace}", "logs", "excluded (exclude_namespaces)"))
            elif why is not None or seen is None:
                checks.append(_logs_namespaces.unavailable(namespace, rules, why or self._pods_unreadable(cluster)))
            else:
                checks.append(
                    _logs_namespaces.judge(namespace, found.get(namespace, []), seen, rules, agents, self.unread_error)
                )
        return checks

    def _pods_unreadable(self, cluster: Cluster) -> dict[str, str]:
        user = _logs_namespaces.user_in(cluster.error)
        return cause(
            "pods_unreadable",
            f"The Pods of the cluster cannot be read: {cluster.error}",
            "Let the account of this run list Pods everywhere: "
            f"kubectl create clusterrolebinding monitoring-pods --clusterrole=view --user={user}",
        )

    def _retention_check(self, now: float) -> _checks.Check:
        promised = self.options.retention
        if promised is None or self.loki is None:
            return _checks.not_applicable(_logs_retention.NAME, "lines kept as promised", "no promise (retention)")
        oldest: float | None = None
        too_old: bool | None = None
        try:
            spans = _logs_retention.slices(now, promised)
            for span in spans:
                if span == spans[-1] or self.loki.entries(*span):
                    oldest = self.loki.edge(*span, newest=False)
                    if oldest is not None:
                        break
            beyond = _logs_retention.too_old_range(now, promised)
            too_old = bool(self.loki.entries(*beyond)) and self.loki.edge(*beyond, newest=False) is not None
        except ApiError as exc:
            self.notes.append(f"retention: the oldest line could not be looked for: {exc}")
        last_run, since = self.counters.retention()
        known = [moment for moment in (since, oldest) if moment is not None]
        facts = _logs_retention.Facts(self.loki.settings(), last_run, min(known) if known else None, oldest, too_old)
        return _logs_retention.judge(promised, facts, now)


def _age(item: dict[str, t.Any], now: float) -> float:
    created = parse_time(item["metadata"].get("creationTimestamp"))
    return float("inf") if created is None else now - created


def judge_logs(params: t.Mapping[str, t.Any]) -> tuple[list[_checks.Check], list[str]]:
    """Run the verdict for a module's options.

    :returns: the checks and notes. :raises MonitoringError: bad options, or no way to authenticate.
    """
    options = parse(params)
    deadline, query_timeout = Deadline(params["timeout"]), params["query_timeout"]
    kube = Kube(params, query_timeout) if params["kubernetes"] else None
    loki, loki_error = None, ""
    try:
        loki = Loki(_logs_cluster.loki_apis(params, kube), options.tenant, query_timeout)
    except MonitoringError as exc:
        loki_error = str(exc)
    prometheus, notes = None, []
    if params.get("prometheus"):
        try:
            prometheus = replicas({**params["prometheus"], "query_timeout": query_timeout}, kube)[0]
        except MonitoringError as exc:
            notes.append(f"prometheus: {exc}")
    checks, more = Verdict(options, loki, loki_error, kube, prometheus, deadline, query_timeout).run()
    return checks, [*notes, *more]
