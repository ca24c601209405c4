# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Verdicts in the process of the task. This plugin util is PRIVATE to the collection."""

from __future__ import annotations

import types
import typing as t

from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible_collections.dataplatform.monitoring.plugins.plugin_utils._kube_action import (
    Arguments,
    KubeAction,
    Result,
    plain,
)


class Ended(Exception):
    """What C(exit_json) and C(fail_json) raise in place of ending a process."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.get("msg"))
        self.result = result


class InProcess:
    """As much of AnsibleModule as a verdict asks for."""

    def __init__(self, params: Arguments, check_mode: bool) -> None:
        self.params = params
        self.check_mode = check_mode

    def exit_json(self, **result: t.Any) -> t.NoReturn:
        """End well."""
        raise Ended(result)

    def fail_json(self, msg: str, exception: str = "", **result: t.Any) -> t.NoReturn:
        """End red. These errors are ours: their message says it all, and the traceback nothing."""
        raise Ended({"changed": False, **result, "failed": True, "msg": msg})


class VerdictAction(KubeAction):
    """Runs the module C(MODULE) without packing, sending and compiling it, which takes longer than to judge.

    Only where the task's host is this machine; elsewhere, and in the background, it runs as any module does.
    """

    _supports_async = True

    MODULE: t.ClassVar[types.ModuleType]

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        """The module's result."""
        result = ActionBase.run(self, tmp, task_vars)
        if self._connection.transport != "local" or self._task.async_val:
            result.update(self._execute_module(task_vars=task_vars, wrap_async=bool(self._task.async_val)))
            return result
        given = self.MODULE.arguments()
        rules = {name: value for name, value in given.items() if name not in ("argument_spec", "supports_check_mode")}
        checked, args = self.validate_argument_spec(given["argument_spec"], **rules)
        self._take_environment()
        try:
            self.MODULE.run(InProcess(plain(args), bool(self._task.check_mode)))
        except Ended as end:
            # As AnsibleModule does: what a message quotes is no secret.
            result.update(remove_values(end.result, checked._no_log_values))
        return result
