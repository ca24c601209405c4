# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One look at the cluster for the logs verdict, and what it says of the agent.

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
    _logs_namespaces,
    _logs_pods,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_options import Options
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import parse_time

AGENT = "agent_on_every_node"


class Cluster(t.NamedTuple):
    """One look at the cluster. C(error) says why there is none."""

    now: float
    containers: tuple[_logs_pods.Container, ...] = ()
    namespaces: tuple[str, ...] = ()
    agent: _logs_agent.Agent | None = None
    daemonset: dict[str, t.Any] | None = None
    agent_causes: tuple[dict[str, str], ...] = ()
    error: str = ""


def look(kube: Kube, options: Options) -> Cluster:
    """Read Pods, nodes and the agent; what may not be read is told in the result."""
    try:
        now = _logs_cluster.cluster_time(kube) or time.time()
        pods = kube.list("/api/v1/pods")
    except ApiError as exc:
        return Cluster(time.time(), error=str(exc))
    containers = _logs_pods.writers(pods, now, options.rules.window)
    spaces = {container.key.namespace for container in containers} | set(options.expected)
    seen = Cluster(now, tuple(containers), tuple(sorted(spaces)))
    try:
        return _look_for_agent(kube, options, seen, pods)
    except ApiError as exc:
        denied = cause(
            "access_forbidden",
            f"Whether the agent is on every node cannot be read: {exc}",
            "Let the account of this run list nodes and daemonsets: kubectl create clusterrolebinding "
            f"monitoring-nodes --clusterrole=view --user={_logs_namespaces.user_in(str(exc))}",
        )
        return seen._replace(agent_causes=(denied,))


def _look_for_agent(kube: Kube, options: Options, seen: Cluster, pods: list[dict[str, t.Any]]) -> Cluster:
    daemonsets = kube.list("/apis/apps/v1/daemonsets")
    nodes = kube.list("/api/v1/nodes")
    space, name = options.agent_namespace, options.agent_name
    daemonset = _logs_agent.find(daemonsets, space, name)
    if daemonset is None:
        return seen._replace(agent_causes=(_logs_agent.missing(daemonsets, space, name, options.rerun),))
    agent = _logs_agent.judge(daemonset, nodes, pods, seen.now)
    if any(item["code"] == "agent_pod_absent" for item in agent.causes):
        refused = _logs_agent.refusals(daemonset, *_logs_cluster.agent_events(kube, daemonset))
        if refused:
            agent = _logs_agent.explain(agent, refused[0])
        elif age(daemonset, seen.now) < _logs_agent.YOUNG:
            agent = agent._replace(settling=True)
    return seen._replace(agent=agent, daemonset=daemonset, agent_causes=tuple(agent.causes))


def age(item: dict[str, t.Any], now: float) -> float:
    """Seconds since an object was made; endless when it does not say."""
    created = parse_time(item["metadata"].get("creationTimestamp"))
    return float("inf") if created is None else now - created


def agent_check(cluster: Cluster, trouble: _logs_counters.Troubles) -> _checks.Check:
    """Judge whether the agent runs, and sends, on every node it should."""
    expected = "the log agent runs and sends on every node"
    if cluster.error:
        return _checks.unknown(AGENT, expected, "the Pods could not be read", [pods_unreadable(cluster)])
    agent = cluster.agent
    if agent is None:
        code = cluster.agent_causes[0]["code"]
        make = _checks.failed if code == "agent_missing" else _checks.unknown
        return make(AGENT, expected, "no agent" if code == "agent_missing" else "not readable", cluster.agent_causes)
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


def pods_unreadable(cluster: Cluster) -> dict[str, str]:
    """The cause of a cluster whose Pods may not be read."""
    user = _logs_namespaces.user_in(cluster.error)
    return cause(
        "pods_unreadable",
        f"The Pods of the cluster cannot be read: {cluster.error}",
        "Let the account of this run list Pods everywhere: "
        f"kubectl create clusterrolebinding monitoring-pods --clusterrole=view --user={user}",
    )


def absent(cluster: Cluster) -> dict[str, dict[str, str]]:
    """Return, for each node without a working agent, why."""
    if cluster.agent is not None:
        return dict(cluster.agent.causes_by_node)
    if cluster.agent_causes and cluster.agent_causes[0]["code"] == "agent_missing":
        return {container.node: cluster.agent_causes[0] for container in cluster.containers}
    return {}
