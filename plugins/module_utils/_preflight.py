# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What every role refuses before it changes anything: impossible clusters, tools, charts and variables.

This module util is PRIVATE to the collection. Pure functions over plain data; each returns sentences that name the
place and the remedy, an empty list when there is nothing to refuse.
"""

from __future__ import annotations

import difflib
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._helm_release import chart_version
from ansible_collections.dataplatform.monitoring.plugins.module_utils._quantity import bytes_text, cpu_text, number

Values = t.Mapping[str, t.Any]

# The charts' own `kubeVersion`, and the first helm whose `upgrade --install --dry-run=server` asks the API server.
KUBERNETES = (1, 25)
HELM = (3, 13)
_PENDING = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling")


def version(text: t.Any) -> tuple[int, int] | None:
    """Major and minor of `v1.36.3`, `v3.21.4+g1` and the like."""
    match = re.search(r"v?(\d+)\.(\d+)", str(text or ""))
    return (int(match.group(1)), int(match.group(2))) if match else None


def at(values: t.Any, path: str) -> t.Any:
    """The value at a dotted path, None when there is none."""
    for key in path.split("."):
        if not isinstance(values, t.Mapping) or key not in values:
            return None
        values = values[key]
    return values


def has(values: t.Any, path: str) -> bool:
    """Whether a dotted path is set, to null included."""
    parent, _dot, key = path.rpartition(".")
    holder = at(values, parent) if parent else values
    return isinstance(holder, t.Mapping) and key in holder


def find_key(values: t.Any, name: str, path: str = "") -> list[str]:
    """Every dotted path below which C(name) is a key, at any depth."""
    found = []
    items = values.items() if isinstance(values, t.Mapping) else enumerate(values) if isinstance(values, list) else ()
    for key, value in items:
        here = f"{path}[{key}]" if isinstance(values, list) else f"{path}.{key}".lstrip(".")
        if key == name:
            found.append(here)
        found += find_key(value, name, here)
    return found


def unknown_variables(given: t.Sequence[str], known: t.Sequence[str]) -> list[str]:
    """Variables that start like the role's own and are none: Ansible would ignore a misspelt one silently."""
    faults = []
    for name in sorted(set(given) - set(known)):
        close = difflib.get_close_matches(name, known, 1)
        remedy = f"Did you mean {close[0]}?" if close else "See the role's README for the variables there are."
        faults.append(f"{name} is no variable of this role. {remedy}")
    return faults


def tools(helm: str) -> list[str]:
    """:param helm: what `helm version --short` said, empty when it could not be run."""
    found = version(helm)
    if found is None:
        return [
            "helm cannot be run on the controller. Install helm 3.13 or newer, "
            "or set monitoring_helm_binary to where it is."
        ]
    if found < HELM:
        return [f"helm on the controller is {helm.strip()}, too old. Install helm 3.13 or newer."]
    return []


def chart(role: str, ref: str, wanted: str, chart_yaml: str) -> list[str]:
    """A chart folder's version is not enforced by Helm, so it is compared here.

    :param chart_yaml: text of the folder's Chart.yaml; empty when the reference is no folder.
    """
    found = chart_version(chart_yaml)
    if found and wanted and found != wanted.partition("+")[0]:
        return [
            f"{role}_chart_ref: the chart in {ref} is version {found}, but {role}_chart_version is {wanted}. "
            f"Set {role}_chart_version: {found}, or put version {wanted} into the folder."
        ]
    return []


def pending(releases: t.Sequence[Values] | None, names: t.Sequence[str], namespace: str) -> list[str]:
    """Releases that a killed run left locked; helm answers only "another operation is in progress"."""
    faults = []
    for release in releases or []:
        if release.get("name") not in names or release.get("namespace", namespace) != namespace:
            continue
        if release.get("status") in _PENDING:
            first = release["status"] in ("pending-install", "uninstalling")
            fix = f"helm uninstall {release['name']} -n {namespace}" if first else (
                f"helm rollback {release['name']} -n {namespace}"
            )  # fmt: skip
            faults.append(
                f"Release {release['name']} in {namespace} is {release['status']}: a run was killed in the middle. "
                f"Fix: {fix}"
            )
    return faults


def kubernetes(cluster: Values) -> list[str]:
    """The cluster's version, as far as it is known."""
    found = version(cluster.get("version"))
    if found is not None and found < KUBERNETES:
        return [
            f"The cluster runs Kubernetes {cluster['version']}; the charts need 1.25 or newer. Upgrade the cluster."
        ]
    return []


def permissions(checked: t.Sequence[Values] | None) -> list[str]:
    """Answers of SelfSubjectAccessReviews that said no."""
    missing = []
    for item in checked or []:
        if item.get("allowed") is not False:
            continue
        group = f".{item['group']}" if item.get("group") else ""
        where = f" in namespace {item['namespace']}" if item.get("namespace") else ""
        missing.append(f"{item.get('verb')} {item.get('resource')}{group}{where}")
    if not missing:
        return []
    return [f"These credentials may not: {'; '.join(missing)}. Bind a ClusterRole that allows it, or use others."]


def storage_class(variable: str, wanted: str, classes: t.Sequence[Values] | None) -> list[str]:
    """The class that is asked for exists, or there is a default one.

    :param classes: None when they could not be read; then nothing is judged.
    """
    if classes is None:
        return []
    names = [str(item.get("name")) for item in classes]
    there = f"There are: {', '.join(names)}." if names else "The cluster has none."
    if wanted and wanted not in names:
        return [f"{variable}: no StorageClass is named {wanted}. {there}"]
    if not wanted and not any(item.get("default") for item in classes):
        return [f"{variable} is empty and no StorageClass is the default one. Set it to a class. {there}"]
    return []


def room(cluster: Values, workload: Values) -> list[str]:
    """The nodes have room for all Pods of a workload, each for what it requests.

    What the workload's present Pods request counts as free, for they make way. An installed one without Pods that are
    known to be its own is not judged: it has its room already.

    :param cluster: C({nodes, pods}) of M(dataplatform.monitoring.cluster_info); unread nodes are not judged.
    :param workload: C({variable, what, namespace, labels, replicas, resources: {requests, limits}, tolerates, new});
        C(tolerates): the Pods have tolerations of their own, so that taints exclude nothing here.
    """
    resources = workload["resources"] or {}
    # A limit alone is a request too.
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    cpu, memory = number(asked.get("cpu")) or 0.0, number(asked.get("memory")) or 0.0
    nodes, replicas = cluster.get("nodes"), int(workload["replicas"])
    if not nodes or not (cpu or memory):
        return []
    present = [pod for pod in cluster.get("pods") or [] if _is_of(pod, workload)]
    if not (present or workload["new"]):
        return []
    free = {}
    for node in nodes:
        tainted = any(taint.get("effect") in ("NoSchedule", "NoExecute") for taint in node.get("taints") or [])
        if node.get("schedulable") is False or (tainted and not workload["tolerates"]):
            continue
        freed = [pod["requested"] for pod in present if pod.get("node") == node.get("name")]
        free[str(node.get("name"))] = [_left(node, freed, key) for key in ("cpu", "memory")]
    asks = f"{workload['variable']}: {workload['what']} asks for {cpu_text(cpu)} CPU and {bytes_text(memory)} memory"
    if replicas > 1:
        asks += f" for each of {replicas} Pods"
    if not free:
        return [f"{asks}, and no node is schedulable. Uncordon one or add tolerations."]
    for number_placed in range(replicas):
        fitting = [name for name, left in free.items() if cpu <= left[0] + 1e-9 and memory <= left[1]]
        if not fitting:
            best = max(free, key=lambda name: min(free[name][0] / (cpu or 1e-9), free[name][1] / (memory or 1e-9)))
            placed = f"beside the first {number_placed}, " if number_placed else ""
            return [
                f"{asks}, but {placed}the node with most room, {best}, has {cpu_text(max(free[best][0], 0.0))} and "
                f"{bytes_text(max(free[best][1], 0.0))} left. Lower the requests or add a node."
            ]
        chosen = min(fitting, key=lambda name: free[name][1])
        free[chosen] = [free[chosen][0] - cpu, free[chosen][1] - memory]
    return []


def _is_of(pod: Values, workload: Values) -> bool:
    mine = pod.get("namespace") == workload["namespace"] and pod.get("phase") not in ("Succeeded", "Failed")
    return mine and workload["labels"].items() <= (pod.get("labels") or {}).items()


def _left(node: Values, freed: list[Values], key: str) -> float:
    have, used = node.get("allocatable") or {}, node.get("requested") or {}
    return (number(have.get(key)) or 0.0) - (number(used.get(key)) or 0.0) + sum(pod[key] for pod in freed)


def storage_size(variable: str, size: t.Any) -> list[str]:
    """A volume size is a quantity of bytes."""
    amount = number(size)
    if amount is None or amount < 2**20:
        return [f"{variable}: {size!r} is no size of a volume. Write it like 100Gi."]
    return []


def secret(cluster: Values, namespace: str, variable: str, name: str, keys: list[str]) -> list[str]:
    """A Secret that is referred to is there and has the keys; not judged where Secrets may not be read."""
    known = cluster.get("secrets")
    if not name or known is None:
        return []
    found = known.get(f"{namespace}/{name}")
    if found is None:
        arguments = " ".join(f"--from-literal={key}=..." for key in keys)
        return [
            f"{variable}: there is no Secret {name} in namespace {namespace}. "
            f"Make it: kubectl -n {namespace} create secret generic {name} {arguments}"
        ]
    missing = [key for key in keys if key not in found]
    if missing:
        return [
            f"{variable}: Secret {namespace}/{name} lacks the key {missing[0]}; it has {', '.join(found) or 'none'}."
        ]
    return []


def exporters(settings: Values) -> list[str]:
    """Every reason why role exporters does not start.

    :param settings: C({given, known, namespace, cluster, secrets: [{entry, namespace, name, keys}]}).
    """
    faults = unknown_variables(settings.get("given") or [], settings.get("known") or [])
    for item in settings.get("secrets") or []:
        place = f"{item['entry']}: exporter.credentials_secret"
        faults += secret(settings.get("cluster") or {}, item["namespace"], place, item["name"], item["keys"])
    return faults


def alertmanager(settings: Values) -> list[str]:
    """Every reason why role alertmanager does not start.

    :param settings: C({given, known, cluster, causes}); the causes are those of C(_alertmanager_plan).
    """
    faults = unknown_variables(settings.get("given") or [], settings.get("known") or [])
    faults += permissions((settings.get("cluster") or {}).get("permissions"))
    return faults + [f"{item['code']}: {item['message']} Fix: {item['fix']}" for item in settings.get("causes") or []]


def common(settings: Values) -> list[str]:
    """What holds for every role that installs a chart.

    :param settings: C({role, given, known, helm, charts: [{ref, version, yaml, release}], namespace, cluster}).
    """
    cluster = settings.get("cluster") or {}
    faults = unknown_variables(settings.get("given") or [], settings.get("known") or [])
    faults += tools(str(settings.get("helm") or ""))
    for item in settings.get("charts") or []:
        faults += chart(
            item.get("prefix", settings["role"]), item["ref"], item.get("version", ""), item.get("yaml", "")
        )
    names = [item["release"] for item in settings.get("charts") or []]
    faults += pending(cluster.get("releases"), names, settings["namespace"])
    faults += kubernetes(cluster)
    faults += permissions(cluster.get("permissions"))
    return faults


def is_new(settings: Values, release: str) -> bool:
    """Whether the release is not in the cluster yet; an installed one has its room already."""
    listed = (settings.get("cluster") or {}).get("releases")
    return not any(
        item.get("name") == release and item.get("namespace", settings["namespace"]) == settings["namespace"]
        for item in listed or []
    )
