# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Why a Pod is not ready, and why there is none. This module util is PRIVATE to the collection.

Pure functions over Pod and workload objects.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import selects
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import format_age, parse_time
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_fixes import fix, kubectl
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import Object

# A Pod may be on its way for this long before its not being ready counts as a fault: the default of
# spec.progressDeadlineSeconds of a Deployment.
PROGRESS_SECONDS = 600.0
# A Pod that crashes may wait for something that is just starting; it is given this long.
CRASH_SECONDS = 60.0
# Waiting reasons of containers that are on their way; every other reason is a fault (kubelet, pkg/kubelet/images and
# pkg/kubelet/kuberuntime).
_ON_ITS_WAY = ("ContainerCreating", "PodInitializing", "")


class Trouble(t.NamedTuple):
    """Why a Pod is not ready.

    :param text: what a person reads. :param hard: False while the Pod may just be on its way (a rollout).
    :param container: the container to look at, or None when it is the Pod itself. :param crashed: its last run failed.
    """

    text: str
    hard: bool
    container: str | None = None
    crashed: bool = False


def name_of(pod: Object) -> str:
    """Name of an object."""
    return str((pod.get("metadata") or {}).get("name") or "")


def uid_of(pod: Object) -> str:
    """UID of an object."""
    return str((pod.get("metadata") or {}).get("uid") or "")


def is_leaving(pod: Object) -> bool:
    """Whether the Pod is being deleted."""
    return bool((pod.get("metadata") or {}).get("deletionTimestamp"))


def is_running(pod: Object) -> bool:
    """Whether the Pod runs and is not being deleted: what Prometheus is expected to scrape."""
    return (pod.get("status") or {}).get("phase") == "Running" and not is_leaving(pod)


def condition(pod: Object, kind: str) -> Object:
    """A condition of the object's status, empty when it has none."""
    return next((c for c in (pod.get("status") or {}).get("conditions") or [] if c.get("type") == kind), {})


def is_ready(pod: Object) -> bool:
    """Whether the Pod is Ready."""
    return condition(pod, "Ready").get("status") == "True"


def age(pod: Object, now: float) -> float:
    """Seconds since the Pod was created; endless when it does not say."""
    created = parse_time((pod.get("metadata") or {}).get("creationTimestamp"))
    return float("inf") if created is None else max(0.0, now - created)


def settled_for(pod: Object, now: float) -> float:
    """Seconds since the Pod became what it is: ready or not; its age when it does not say."""
    since = parse_time(condition(pod, "Ready").get("lastTransitionTime"))
    return age(pod, now) if since is None else max(0.0, now - since)


def trouble(pod: Object, now: float) -> Trouble | None:
    """Why the Pod is not ready, None when it is."""
    status = pod.get("status") or {}
    if is_leaving(pod):
        return Trouble("is being deleted", False)
    phase = status.get("phase")
    if phase in ("Failed", "Succeeded"):
        return Trouble(f"has ended ({phase}{_because(status)})", phase == "Failed")
    if is_ready(pod):
        return None
    late = settled_for(pod, now) > PROGRESS_SECONDS
    found = _container_trouble(status.get("initContainerStatuses"), "init container", late)
    found = found or _container_trouble(status.get("containerStatuses"), "container", late)
    if found is not None:
        return found
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return Trouble(f"cannot be scheduled: {scheduled.get('message') or scheduled.get('reason')}", True)
    waiting = f"is {phase or 'not started'}, not ready for {format_age(min(settled_for(pod, now), 1e9))}"
    return Trouble(waiting + _because(status), late)


def _because(status: Object) -> str:
    words = [str(status[key]) for key in ("reason", "message") if status.get(key)]
    return f": {', '.join(words)}" if words else ""


def _container_trouble(statuses: t.Any, word: str, late: bool) -> Trouble | None:
    for status in statuses or []:
        name, state = str(status.get("name")), status.get("state") or {}
        restarts = int(status.get("restartCount") or 0)
        last = (status.get("lastState") or {}).get("terminated") or {}
        ended = _ended(last)
        if "waiting" in state:
            waiting = state["waiting"] or {}
            reason = str(waiting.get("reason") or "")
            hard = late or reason not in _ON_ITS_WAY
            detail = f": {shorten(str(waiting['message']))}" if waiting.get("message") and not ended else ended
            again = f", {restarts} restarts" if restarts else ""
            return Trouble(f"{word} {name} waits: {reason or 'no reason told'}{detail}{again}", hard, name, bool(last))
        if "terminated" in state and (word == "container" or (state["terminated"] or {}).get("exitCode")):
            return Trouble(f"{word} {name} has ended{_ended(state['terminated'] or {})}", True, name, False)
        if "running" in state and not status.get("ready") and word == "container":
            again = f", {restarts} restarts{ended}" if restarts else ""
            return Trouble(f"container {name} runs but is not ready{again}", late or restarts > 0, name, restarts > 0)
    return None


def shorten(text: str, limit: int = 160) -> str:
    """One line of at most so many characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 3] + "..."


def _ended(terminated: Object) -> str:
    if not terminated:
        return ""
    reason = terminated.get("reason")
    return f" (last exit code {terminated.get('exitCode')}{f', {reason}' if reason else ''})"


def trouble_fix(pod: Object, found: Trouble) -> str:
    """Where the reason for a Pod's trouble is written."""
    namespace, name = (pod.get("metadata") or {}).get("namespace") or "default", name_of(pod)
    if found.container and ("runs but" in found.text or found.crashed or "has ended" in found.text):
        words = ["logs", name, "-c", found.container, "--tail=50"] + ["--previous"] * found.crashed
        return fix(f"Read what container {found.container} says and repair it", kubectl(namespace, *words))
    return fix("Read the Pod's events and repair what they name", kubectl(namespace, "describe", "pod", name))


def workload_without_pods(workloads: t.Sequence[Object], selector: t.Mapping[str, str]) -> tuple[str, str] | None:
    """The workload that should run the Pods of a Service but runs none, as (message, fix).

    :param workloads: Deployments, StatefulSets and DaemonSets of the Service's namespace.
    :param selector: the Service's C(spec.selector).
    """
    for workload in workloads:
        spec, meta = workload.get("spec") or {}, workload.get("metadata") or {}
        labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
        if not selector or not selects({"matchLabels": dict(selector)}, labels):
            continue
        kind, name, namespace = workload.get("kind", "Deployment"), meta.get("name"), meta.get("namespace")
        if kind != "DaemonSet" and spec.get("replicas", 1) == 0:
            return (
                f"{kind} {namespace}/{name} asks for 0 replicas",
                fix("Scale it up again", kubectl(namespace, "scale", kind.lower(), str(name), "--replicas=1")),
            )
        failure = next(
            (
                c.get("message") or c.get("reason")
                for c in (workload.get("status") or {}).get("conditions") or []
                if c.get("type") in ("ReplicaFailure", "Progressing")
                and c.get("status") != ("True" if c.get("type") == "Progressing" else "False")
            ),
            None,
        )
        return (
            f"{kind} {namespace}/{name} has no Pod" + (f": {failure}" if failure else ""),
            fix("Read why it creates none", kubectl(namespace, "describe", kind.lower(), str(name))),
        )
    return None
