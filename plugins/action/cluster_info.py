# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One look at a cluster. Documented in the module of the same name."""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._cluster_info import PARTS, ClusterInfo
from ansible_collections.dataplatform.monitoring.plugins.plugin_utils._kube_action import (
    Arguments,
    KubeAction,
    Result,
)


class ActionModule(KubeAction):
    """Reads."""

    SPEC: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "namespace": {"type": "str", "required": True},
        "secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
        "can": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "verb": {"type": "str", "required": True},
                "group": {"type": "str", "default": ""},
                "resource": {"type": "str", "required": True},
                "namespace": {"type": "str", "default": ""},
                "name": {"type": "str", "default": ""},
            },
        },
        "gather": {"type": "list", "elements": "str", "choices": list(PARTS), "default": list(PARTS)},
    }

    def act(self, args: Arguments) -> Result:
        info = ClusterInfo(self.connect(args), args["namespace"], args["secrets"], args["can"], args["gather"])
        cluster, notes = info.run()
        return {"changed": False, "cluster": cluster, "notes": notes}
