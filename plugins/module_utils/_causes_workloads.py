# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Causes of the workloads verdict. This module util is PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.dataplatform.monitoring.plugins.module_utils._cause import Cause


def _workloads(title: str, explanation: str) -> Cause:
    return Cause("workloads", title, explanation)


CAUSES: dict[str, Cause] = {
    "container_restarted": _workloads(
        "A container restarted during the run",
        "Its restart counter rose since the baseline, and it was healthy before. The last run's reason and time are "
        "in the message.",
    ),
    "container_oom_killed": _workloads(
        "A container ran out of memory during the run",
        "The kernel killed it at its memory limit, or because the node itself had none left.",
    ),
    "readiness_lost": _workloads(
        "A Pod is no longer Ready", "It was Ready when the run began, is the same Pod, and is not Ready now."
    ),
    "readiness_interrupted": _workloads(
        "A Pod lost readiness for a while",
        "It was Ready when the run began and is now, but became Ready anew in between: it served nobody for a time.",
    ),
    "pod_evicted": _workloads(
        "A Pod was evicted",
        "The kubelet removed it because its node ran short of memory, disk or process ids.",
    ),
    "pod_preempted": _workloads(
        "A Pod was preempted", "The scheduler removed it to make room for one of higher priority."
    ),
    "pod_replaced": _workloads(
        "A Pod was replaced though nobody changed its workload",
        "It was deleted, evicted by the API, or its node went away, while the workload's template stayed the same. A "
        "rollout by somebody else is not counted here.",
    ),
    "pod_gone": _workloads(
        "A Pod without a controller is gone", "Nothing makes it anew; somebody must have deleted it."
    ),
    "workload_gone": _workloads(
        "A workload is gone", "It ran when the run began and does not exist any more: somebody removed it."
    ),
    "replicas_missing": _workloads(
        "A workload has fewer Ready Pods than it should",
        "All its replicas were Ready when the run began; now some are not.",
    ),
    "rollout_unfinished": _workloads(
        "A rollout by somebody else is not Ready",
        "The workload was changed during the run, not by it, and its new Pods are not Ready. Not our doing, but the "
        "service is not healthy.",
    ),
    "node_pressure": _workloads(
        "A node is under pressure", "Memory, disk or process ids ran short on it since the baseline; Pods get evicted."
    ),
    "node_lost": _workloads("A node is no longer Ready", "Its kubelet stopped reporting after the baseline."),
    "node_rebooted": _workloads(
        "A node was rebooted", "Its boot id changed since the baseline: every container on it was restarted by that."
    ),
    "not_ready_now": _workloads(
        "A service is not healthy now",
        "The last run left it healthy; since then Pods of it have become not Ready, or are missing.",
    ),
    "baseline_missing": _workloads(
        "There is nothing to compare with",
        "No baseline was taken in this cluster, or none by that run id. Day plays take one before their first change.",
    ),
    "baseline_stale": _workloads(
        "The last baseline was never closed",
        "The run that took it ended before its verdict, long ago. What happened since then is not that run's matter.",
    ),
}
