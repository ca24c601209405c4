# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Is the log agent on every node it should be on, and if not, why?

Pure functions over Kubernetes objects. This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_nodes as nodes_of
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import format_age, parse_time

Object = dict[str, t.Any]
CauseDict = dict[str, str]

# An agent this young may still be pulling its image or finding its files.
YOUNG = 120.0
# Images of log agents, by the last part of their name; those the loki role deploys come first.
_IMAGES = ("alloy", "promtail", "fluent-bit", "fluentd", "vector", "filebeat", "opentelemetry-collector-contrib")


class Agent(t.NamedTuple):
    """What was found of the agent.

    :param running: node name -> the agent's Pod there, Ready. :param causes: why it is not on a node, or not at all.
    :param nodes: nodes it should run on. :param notes: nodes left out, and why.
    :param settling: some Pod is so young that it may still become Ready.
    :param causes_by_node: node name -> the causes of that node alone.
    """

    running: dict[str, Object]
    nodes: list[str]
    causes: list[CauseDict]
    notes: list[str]
    settling: bool
    causes_by_node: dict[str, CauseDict]


def find(daemonsets: t.Sequence[Object], namespace: str, name: str) -> Object | None:
    """Return the agent's DaemonSet: the one named, else the first that runs a known agent's image.

    :param namespace: empty for any. :param name: empty to recognise it by its image.
    """
    candidates = [item for item in daemonsets if not namespace or item["metadata"].get("namespace") == namespace]
    if name:
        return next((item for item in candidates if item["metadata"].get("name") == name), None)
    for image in _IMAGES:
        for item in candidates:
            if image in images(item):
                return item
    return None


def images(daemonset: Object) -> list[str]:
    """Return the last part of each container's image, without its tag."""
    containers = daemonset.get("spec", {}).get("template", {}).get("spec", {}).get("containers") or []
    return [str(c.get("image", "")).partition("@")[0].rpartition("/")[2].partition(":")[0] for c in containers]


def missing(
    daemonsets: t.Sequence[Object],
    namespace: str,
    name: str,
    rerun: str = "ansible-playbook dataplatform.monitoring.day1",
) -> CauseDict:
    """Return the cause of a DaemonSet that does not exist, with what there is instead.

    :param rerun: the command that installs the agent.
    """
    wanted = f"{namespace or '*'}/{name or 'any known log agent'}"
    there = [f"{item['metadata'].get('namespace')}/{item['metadata'].get('name')}" for item in daemonsets]
    near = f"; DaemonSets there are: {', '.join(sorted(there)[:8])}" if there else "; there is no DaemonSet at all"
    return cause(
        "agent_missing",
        f"The log agent's DaemonSet {wanted} does not exist{near}.",
        f"Install the agent, or name the one in use with agent: {{namespace: ..., name: ...}}; to install: {rerun}",
    )


def judge(daemonset: Object, nodes: t.Sequence[Object], pods: t.Sequence[Object], now: float) -> Agent:
    """Compare the nodes with the DaemonSet's Pods. Why Pods were refused is C(refusals)'s matter.

    :param pods: Pods of the DaemonSet's namespace at least. :param now: Unix time of the cluster.
    """
    meta, spec = daemonset["metadata"], daemonset["spec"]["template"].get("spec") or {}
    own = [pod for pod in pods if _owned(pod, meta.get("uid")) and not pod["metadata"].get("deletionTimestamp")]
    here = {pod.get("spec", {}).get("nodeName") or _pinned(pod): pod for pod in own}
    found = Agent({}, [], [], [], False, {})
    settling = False
    where = f"{meta.get('namespace')}/{meta.get('name')}"
    for node in sorted(nodes, key=nodes_of.node_name):
        name = nodes_of.node_name(node)
        pod = here.get(name)
        if pod is not None and _pod_ready(pod):
            found.nodes.append(name)
            found.running[name] = pod
            continue
        if nodes_of.serverless(node):
            found.notes.append(f"node {name} is serverless, no DaemonSet runs there: its logs need another way")
            continue
        if nodes_of.os_differs(node, spec):
            found.notes.append(f"node {name} runs another operating system than the agent is made for")
            continue
        if nodes_of.cordoned(node) and pod is None:
            found.notes.append(f"node {name} is cordoned and has no agent: not expected during maintenance")
            continue
        found.nodes.append(name)
        if pod is not None and _age(pod, now) < YOUNG and not _stuck(pod):
            settling = True
        found.causes_by_node[name] = _why(node, spec, pod, meta, where, now)
    return found._replace(causes=_merged(found.causes_by_node), settling=settling)


def explain(agent: Agent, refusal: CauseDict) -> Agent:
    """Put the reason why Pods are refused in the place of every node that merely has none."""
    by_node = {
        name: refusal if found["code"] == "agent_pod_absent" else found for name, found in agent.causes_by_node.items()
    }
    return agent._replace(causes=_merged(by_node), causes_by_node=by_node)


def _owned(pod: Object, uid: str | None) -> bool:
    return any(ref.get("uid") == uid for ref in pod["metadata"].get("ownerReferences") or [])


def _pinned(pod: Object) -> str:
    """The node a Pod of a DaemonSet that is not scheduled yet is meant for."""
    affinity = ((pod.get("spec") or {}).get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms") or []
    for term in terms:
        for field in term.get("matchFields") or []:
            if field.get("key") == "metadata.name" and field.get("values"):
                return str(field["values"][0])
    return ""


def _pod_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _age(pod: Object, now: float) -> float:
    created = parse_time(pod["metadata"].get("creationTimestamp"))
    return float("inf") if created is None else now - created


_STUCK = (
    "CrashLoopBackOff", "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName",
    "CreateContainerConfigError",
)  # fmt: skip


def _waiting(pod: Object) -> dict[str, t.Any]:
    """The waiting state of the first container that waits, or how the last one ended."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    for status in statuses:
        state = status.get("state") or {}
        for kind in ("waiting", "terminated"):
            if state.get(kind):
                last = (status.get("lastState") or {}).get("terminated") or {}
                return {"container": status.get("name"), "last": last, **state[kind]}
    return {}


def _stuck(pod: Object) -> bool:
    return _waiting(pod).get("reason") in _STUCK


def _why(
    node: Object, spec: t.Mapping[str, t.Any], pod: Object | None, meta: Object, where: str, now: float
) -> CauseDict:
    """The one cause for which the agent does not work on this node."""
    name = nodes_of.node_name(node)
    target = f"kubectl -n {meta.get('namespace')}"
    if not nodes_of.ready(node):
        return cause(
            "agent_node_not_ready",
            f"Node {name} is not Ready, so nothing there can be read.",
            f"Bring the node back, or remove it from the cluster: kubectl describe node {name}",
        )
    if pod is None:
        taints = nodes_of.untolerated(node, spec)
        if taints:
            value: t.Any = nodes_of.toleration_for(taints[0])
            path = "/spec/template/spec/tolerations"
            path, value = (path + "/-", value) if spec.get("tolerations") else (path, [value])
            patch = json.dumps([{"op": "add", "path": path, "value": value}])
            return cause(
                "agent_untolerated_taint",
                f"The agent {where} does not tolerate {', '.join(nodes_of.taint_text(x) for x in taints)} of node "
                f"{name}.",
                "Add the toleration to the agent's values in the inventory, or for now: "
                f"{target} patch daemonset {meta.get('name')} --type json -p '{patch}'",
            )
        excluded = nodes_of.not_selected_by(node, spec)
        if excluded:
            return cause(
                "agent_node_selector",
                f"The agent {where} is kept off node {name} by its {excluded}.",
                f"Remove it from the agent's values in the inventory, or label the node; to see it: "
                f"{target} get daemonset {meta.get('name')} -o jsonpath='{{.spec.template.spec}}'",
            )
        return cause(
            "agent_pod_absent",
            f"The agent {where} has no Pod on node {name}, though it may run there.",
            f"Look at what its controller says: {target} describe daemonset {meta.get('name')}",
        )
    pod_name = pod["metadata"]["name"]
    if not (pod.get("spec") or {}).get("nodeName"):
        conditions = (pod.get("status") or {}).get("conditions") or []
        said = next((c.get("message") for c in conditions if c.get("type") == "PodScheduled" and c.get("message")), "")
        return cause(
            "agent_pod_pending",
            f"The agent's Pod {pod_name} for node {name} is not scheduled: {said or 'no reason given'}",
            f"Make room on the node or lower the agent's requests: {target} describe pod {pod_name}",
        )
    state = _waiting(pod)
    reason, message = str(state.get("reason") or ""), str(state.get("message") or "")
    if "Image" in reason:
        return cause(
            "agent_image",
            f"Node {name} cannot get the agent's image for Pod {pod_name}: {reason} {message}".strip() + ".",
            f"Correct the image or give the node access to its registry: {target} describe pod {pod_name}",
        )
    last = state.get("last") or {}
    if last:
        message = f"last run ended with {last.get('reason', 'exit')} (code {last.get('exitCode', '?')})"
    detail = f": {reason} {message}".rstrip() if reason or message else ""
    return cause(
        "agent_pod_not_ready",
        f"The agent's Pod {pod_name} on node {name} has not been Ready for {format_age(_age(pod, now))}{detail}.",
        f"Read why: {target} logs {pod_name} --tail=20",
    )


def _merged(by_node: t.Mapping[str, CauseDict]) -> list[CauseDict]:
    """One cause per code, in the nodes' order; further nodes with the same one are added to its message."""
    merged: dict[str, CauseDict] = {}
    more: dict[str, list[str]] = {}
    for name, found in by_node.items():
        if found["code"] in merged:
            more.setdefault(found["code"], []).append(name)
        else:
            merged[found["code"]] = dict(found)
    for code, names in more.items():
        listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        merged[code]["message"] += f" The same on {listed}."
    return list(merged.values())


def refusals(daemonset: Object, events: t.Sequence[Object], namespace: Object | None) -> list[CauseDict]:
    """Return why the API server refuses the agent's Pods, from the DaemonSet's Events.

    Only an Event says so; the DaemonSet itself just has no Pods. Events live for an hour: without one, the
    namespace's Pod Security level is the next best evidence, because an agent that reads files of the node needs
    C(privileged).

    :param namespace: the Namespace object, None when it cannot be read.
    """
    meta = daemonset["metadata"]
    space, name = meta.get("namespace"), meta.get("name")
    messages = [
        str(event.get("message") or "")
        for event in sorted(events, key=_event_time, reverse=True)
        if (event.get("involvedObject") or {}).get("kind") == "DaemonSet"
        and (event.get("involvedObject") or {}).get("name") == name
        and event.get("reason") == "FailedCreate"
    ]
    labels = ((namespace or {}).get("metadata") or {}).get("labels") or {}
    level = labels.get("pod-security.kubernetes.io/enforce", "")
    refused = next((text for text in messages if "violates PodSecurity" in text), "")
    if refused or (not messages and level in ("restricted", "baseline")):
        said = f": {refused[:300]}" if refused else f" (the namespace enforces Pod Security level {level})"
        return [
            cause(
                "agent_pod_security",
                f"Pods of the agent {space}/{name} are refused by Pod Security in namespace {space}{said}.",
                "The agent reads the node's log files, which needs the level privileged: "
                f"kubectl label namespace {space} pod-security.kubernetes.io/enforce=privileged --overwrite",
            )
        ]
    if messages:
        return [
            cause(
                "agent_pod_refused",
                f"Pods of the agent {space}/{name} are refused: {messages[0][:300]}",
                f"Remove what refuses them (quota, admission webhook): kubectl -n {space} describe daemonset {name}",
            )
        ]
    return []


def _event_time(event: Object) -> float:
    return parse_time(event.get("lastTimestamp") or event.get("eventTime")) or 0.0
