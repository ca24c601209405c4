# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Wait for several workloads at once. Documented beside the modules."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _rollout as rollout
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiUnreachable, MonitoringError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube
from ansible_collections.dataplatform.monitoring.plugins.module_utils._resources import Resources
from ansible_collections.dataplatform.monitoring.plugins.plugin_utils._kube_action import Arguments, KubeAction, Result

PAUSE = 1.0


class ActionModule(KubeAction):
    """Reads only; one connection for all workloads."""

    SPEC: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "workloads": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "kind": {"type": "str", "required": True, "choices": sorted(rollout.API_VERSIONS)},
                "name": {"type": "str", "required": True},
                "namespace": {"type": "str", "required": True},
                "optional": {"type": "bool", "default": False},
            },
        },
        "timeout": {"type": "int", "default": 300},
    }

    def act(self, args: Arguments) -> Result:
        if self._task.check_mode:
            return {"changed": False, "msg": "Not waited for: a check run starts nothing.", "workloads": []}
        return _wait(self.connect(args), args["workloads"], args["timeout"])


def _wait(kube: Kube, workloads: list[dict[str, t.Any]], timeout: int) -> dict[str, t.Any]:
    start = time.monotonic()
    resources = Resources(kube)
    states: dict[int, str] = dict.fromkeys(range(len(workloads)), "")
    objects: dict[int, dict[str, t.Any] | None] = {}
    left = list(states)
    while left:
        for index in left:
            try:
                objects[index] = _get(kube, resources, workloads[index])
                absent_is_fine = workloads[index]["optional"] and objects[index] is None
                states[index] = "" if absent_is_fine else rollout.waiting_for(objects[index])
            except ApiUnreachable as error:  # an API server that restarts comes back
                states[index] = str(error)
        left = [index for index in left if states[index]]
        given_up = [index for index in left if rollout.hopeless(states[index])]
        if not left or given_up or time.monotonic() - start >= timeout:
            break
        time.sleep(PAUSE)
    waited = round(time.monotonic() - start, 1)
    listed = [
        {**workload, "ready": index not in left, "waiting_for": states[index]}
        for index, workload in enumerate(workloads)
    ]
    if not left:
        return {
            "changed": False,
            "workloads": listed,
            "waited": waited,
            "msg": f"{len(workloads)} workloads are ready.",
        }
    lines = [f"{_label(workloads[index])}: {states[index]}" for index in left]
    troubles = [line for index in left for line in _pods(kube, workloads[index], objects.get(index))]
    return {
        "changed": False,
        "failed": True,
        "workloads": listed,
        "waited": waited,
        "msg": f"Not ready after {waited:g} s. {'. '.join([*lines, *dict.fromkeys(troubles)])}",
    }


def _get(kube: Kube, resources: Resources, workload: dict[str, t.Any]) -> dict[str, t.Any] | None:
    version = rollout.API_VERSIONS[workload["kind"]]
    path = resources.path(version, workload["kind"], workload["name"], workload["namespace"])
    found = kube.get(path) if path else None
    return {**found, "kind": workload["kind"]} if found else None


def _pods(kube: Kube, workload: dict[str, t.Any], item: dict[str, t.Any] | None) -> list[str]:
    selector = rollout.pod_selector(item, workload["kind"], workload["name"])
    if not selector:
        return []
    try:
        return rollout.pod_troubles(kube.list(f"/api/v1/namespaces/{workload['namespace']}/pods", selector))
    except MonitoringError as error:
        return [f"its Pods could not be read: {error}"]


def _label(workload: dict[str, t.Any]) -> str:
    return f"{workload['kind']} {workload['namespace']}/{workload['name']}"
