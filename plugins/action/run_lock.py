# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One changing run at a time per cluster. Documented in the module of the same name."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._run_lock import NAMESPACE, RunLock, myself
from ansible_collections.dataplatform.monitoring.plugins.plugin_utils._kube_action import (
    Arguments,
    KubeAction,
    Result,
)


class ActionModule(KubeAction):
    """Takes or gives back the lock."""

    SPEC: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "state": {"type": "str", "choices": ["acquired", "released"], "default": "acquired"},
        "play": {"type": "str", "default": ""},
        "namespace": {"type": "str", "default": NAMESPACE},
    }

    def act(self, args: Arguments) -> Result:
        if self._task.check_mode:
            return {"changed": False, "msg": "No lock in check mode.", "notes": []}
        # The worker that runs this task ends with it; its parent is the run.
        target = str(self.task_vars.get("inventory_hostname", "localhost"))
        lock = RunLock(self.connect(args), myself(os.getppid(), args["play"], target), args["namespace"])
        if args["state"] == "acquired":
            story = lock.acquire()
            message = "The lock of the cluster is ours."
        else:
            story = lock.release()
            message = "The lock of the cluster is released." if story is None else story
        # Held only while the run lasts, it is no change of the cluster.
        result = {"changed": False, "msg": message, "notes": [story] if story else []}
        if story and args["state"] == "acquired":
            result["warnings"] = [story]
        return result
