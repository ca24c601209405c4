# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Exactly these objects exist, and none of ours besides. Documented in the module of the same name."""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset import ApplySet
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_model import ApplySetError, Options
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import MonitoringError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._yaml import load_manifests
from ansible_collections.dataplatform.monitoring.plugins.plugin_utils._kube_action import (
    Arguments,
    KubeAction,
    Result,
)


class ActionModule(KubeAction):
    """Writes a set of objects."""

    RAW = ("objects",)
    SPEC: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "objects": {"type": "list", "elements": "raw", "default": []},
        "manifests": {"type": "str"},
        "prune": {"type": "bool", "default": True},
        "allow_removal": {"type": "list", "elements": "str", "default": []},
        "max_removals": {"type": "int", "default": 2},
        "force_conflicts": {"type": "bool", "default": True},
        "adopt_existing": {"type": "bool", "default": False},
        "create_only": {"type": "list", "elements": "str", "default": []},
        "keep_kinds": {"type": "list", "elements": "str"},
    }

    def act(self, args: Arguments) -> Result:
        objects = [*args["objects"], *load_manifests(args["manifests"] or "")]
        taken = {key: args[key] for key in Options._fields if key in args}
        options = Options(**{**taken, "objects": objects}, partial=self.only_tags(), check_mode=self._task.check_mode)
        result = ApplySet(self.connect(args), options).run()
        if not self._task.diff:
            result.pop("diff")
        return result

    def failure(self, error: MonitoringError) -> Result:
        result = super().failure(error)
        if isinstance(error, ApplySetError):
            result["errors"] = [problem._asdict() for problem in error.problems]
            result["applied"] = error.applied
            result["not_applied"] = error.not_applied
            result["changed"] = bool(error.applied)
        return result
