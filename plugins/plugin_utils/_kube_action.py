# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the action plugins that talk to a cluster share. This plugin util is PRIVATE to the collection."""

from __future__ import annotations

import datetime
import json
import os
import typing as t

from ansible import context
from ansible.plugins.action import ActionBase
from ansible_collections.dataplatform.monitoring.plugins.module_utils._argspec import argument_spec, kube_auth_spec
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import MonitoringError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube

Arguments = dict[str, t.Any]
Result = dict[str, t.Any]


class KubeAction(ActionBase):
    """Runs on the controller: a call costs milliseconds there, a module half a second.

    A subclass sets C(SPEC) (and C(RULES): required_if and the like) and answers in C(act).
    """

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    SPEC: t.ClassVar[dict[str, dict[str, t.Any]]] = {}
    RULES: t.ClassVar[dict[str, t.Any]] = {}
    # Options that are checked, and made plain, elsewhere.
    RAW: t.ClassVar[tuple[str, ...]] = ()

    task_vars: t.Mapping[str, t.Any]

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        """Validate, connect, act; every error of ours becomes a failure without a traceback."""
        result = super().run(tmp, task_vars)
        self.task_vars = task_vars or {}
        _checked, args = self.validate_argument_spec(argument_spec(self.SPEC, kube_auth_spec()), **self.RULES)
        self._take_environment()
        try:
            result.update(self.act({name: value if name in self.RAW else plain(value) for name, value in args.items()}))
        except MonitoringError as error:
            result.update(self.failure(error))
        return result

    def act(self, args: Arguments) -> Result:
        """The result of the task."""
        raise NotImplementedError

    def failure(self, error: MonitoringError) -> Result:
        """How an error is reported."""
        return {"failed": True, "changed": False, "msg": str(error)}

    def connect(self, args: Arguments) -> Kube:
        """A connection with the task's authentication options."""
        return Kube(args)

    def only_tags(self) -> bool:
        """Whether the run is narrowed by C(--tags): not everything in the play has spoken then."""
        tags = {str(tag) for tag in (context.CLIARGS.get("tags") or ())}
        return bool(tags - {"all", "tagged", "always"})

    def _take_environment(self) -> None:
        """C(environment:) of task and play, as a module would see it. This process serves only this task."""
        wanted: dict[str, t.Any] = {}
        self._compute_environment_string(wanted)
        os.environ.update({str(name): str(value) for name, value in wanted.items()})


def plain(value: t.Any) -> t.Any:
    """The value without ansible-core's tags, which other libraries stumble over."""
    return json.loads(json.dumps(value, default=_text))


def _text(value: t.Any) -> str:
    """YAML knows dates, JSON does not."""
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    raise TypeError(f"{value!r} is no plain value")
