# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A silence is there, or not."""

from __future__ import annotations

DOCUMENTATION = r"""
module: alertmanager_silence
short_description: A silence in Alertmanager is in force, or is not
version_added: 0.1.0
author: [dataplatform.monitoring contributors (@dataplatform-monitoring)]
description:
  - Makes, changes or ends a silence, and waits until every replica has it, or has it no more.
  - A silence is recognised by its matchers and comment, or by its id. A second run changes nothing.
options:
  state:
    description: Whether it is in force. V(absent) ends it at once; Alertmanager keeps it as expired for a while.
    type: str
    choices: [present, absent]
    default: present
  matchers:
    description:
      - As in a route, for example V(service="trino"). All of them have to fit.
      - Required unless O(id) is given.
    type: list
    elements: str
    default: []
  id:
    description: Identity of an existing silence, instead of O(matchers).
    type: str
  comment:
    description:
      - Why. Required for O(state=present).
      - For O(state=absent) without a comment, every silence with these matchers ends.
    type: str
  created_by:
    description: Who answers questions about it.
    type: str
    default: dataplatform.monitoring
  duration:
    description:
      - How long a new one lasts, for example V(2h).
      - One that is in force already keeps its end, so that a second run changes nothing. When less than half of this
        is left of it, it is made to last so long from now.
    type: str
  starts_at:
    description: When a new one begins, with offset. By default now.
    type: str
  ends_at:
    description: When it ends, with offset. One with another end is changed.
    type: str
  alertmanager:
    description:
      - Name of the Alertmanager object in O(namespace).
      - By default the only one there. Where there is none, O(service) says which Alertmanager is meant.
    type: str
  timeout:
    description: Seconds until every replica must know.
    type: int
    default: 30
  query_timeout:
    description: Seconds that a single call to a server may take.
    type: float
    default: 10.0
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the same as without.
    support: full
  diff_mode:
    description: Returns details on what has changed when in diff mode.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
  action_group:
    description: Use C(group/dataplatform.monitoring.all) in C(module_defaults) to set options for this module.
    support: full
    membership: [dataplatform.monitoring.all]
extends_documentation_fragment:
  - dataplatform.monitoring.connection
  - kubernetes.core.k8s_auth_options
notes:
  - O(service) is V(alertmanager-operated) by default, the Service that the operator makes.
requirements:
  - PyYAML
"""

EXAMPLES = r"""
- name: Change something in a maintenance window that ends even when the change fails
  block:
    - name: Silence the service
      dataplatform.monitoring.alertmanager_silence:
        namespace: monitoring
        matchers: [service="trino"]
        comment: Upgrade to 476, ticket 4711
        created_by: anna
        duration: 2h

    - name: Change it
      ansible.builtin.command: /usr/local/bin/upgrade-trino
      changed_when: true
  always:
    - name: End the silence
      dataplatform.monitoring.alertmanager_silence:
        namespace: monitoring
        matchers: [service="trino"]
        comment: Upgrade to 476, ticket 4711
        state: absent
"""

RETURN = r"""
silences:
  description: The silences that are meant, as they are now, or were before they ended.
  returned: always
  type: list
  elements: dict
  sample:
    - id: 3b1a4f0e-7d0c-4a7e-9d5b-2f1c3e0a9b11
      matchers: [service="trino"]
      starts_at: "2026-11-23T18:00:00.000Z"
      ends_at: "2026-11-23T20:00:00.000Z"
      created_by: anna
      comment: Upgrade to 476, ticket 4711
replicas:
  description: How many replicas were seen to know.
  returned: when something was changed
  type: int
  sample: 2
"""

import datetime
import time
import traceback
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _alertmanager_yaml, _silence
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_source import own_replicas
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._argspec import (
    CONNECTION_SPEC,
    argument_spec,
    kube_auth_spec,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError, MonitoringError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube

OPTIONS: dict[str, dict[str, t.Any]] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "matchers": {"type": "list", "elements": "str", "default": []},
    "id": {"type": "str"},
    "comment": {"type": "str"},
    "created_by": {"type": "str", "default": "dataplatform.monitoring"},
    "duration": {"type": "str"},
    "starts_at": {"type": "str"},
    "ends_at": {"type": "str"},
    "alertmanager": {"type": "str"},
    "timeout": {"type": "int", "default": 30},
    "query_timeout": {"type": "float", "default": 10.0},
}


class Silences:
    """The replicas: written to the first, which tells the others."""

    def __init__(self, apis: t.Sequence[Api], timeout: float) -> None:
        self._apis, self._timeout = apis, timeout

    def all(self, api: Api | None = None) -> list[dict[str, t.Any]]:
        return (api or self._apis[0]).get_json("/api/v2/silences")

    def write(self, body: dict[str, t.Any]) -> str:
        """Its id; another than before when Alertmanager makes a new one of the change."""
        response = self._apis[0].call("POST", "/api/v2/silences", (), body)
        if response.status != 200:
            raise ApiError(f"{self._apis[0].label} refuses the silence: {response.text(200)}", response.status)
        return response.json()["silenceID"]

    def end(self, identity: str) -> None:
        response = self._apis[0].call("DELETE", f"/api/v2/silence/{identity}")
        if response.status not in (200, 404):
            raise ApiError(f"{self._apis[0].label} does not end it: {response.text(200)}", response.status)

    def wait(self, identity: str, state: str, end: str | None = None) -> int:
        """Until every replica has the silence in this state and with this end.

        :returns: the number of replicas. :raises ApiError: one does not know in time.
        """
        limit = time.monotonic() + self._timeout
        for api in self._apis:
            while not self._knows(api, identity, state, end):
                if time.monotonic() > limit:
                    raise ApiError(
                        f"{api.label} does not know after {self._timeout:g} s that silence {identity} is {state}: do "
                        "the replicas form one cluster? verify_alert_delivery tells."
                    )
                time.sleep(0.2)
        return len(self._apis)

    def _knows(self, api: Api, identity: str, state: str, end: str | None) -> bool:
        for item in self.all(api):
            if item["id"] == identity:
                same_end = end is None or _silence.moment(item["endsAt"]) == _silence.moment(end)
                live = item["status"]["state"] in ("active", "pending")
                return same_end and live == (state == "present")
        return state == "absent"


def run(module: AnsibleModule) -> None:
    """Compare, write, wait."""
    params = module.params
    now = datetime.datetime.now(datetime.UTC)
    matchers = _silence.read_matchers(params["matchers"]) if params["matchers"] or not params["id"] else ()
    kube = Kube(params, params["query_timeout"]) if params["kubernetes"] else None
    apis = own_replicas(params, kube)
    server = Silences(apis, params["timeout"])
    comment = params["comment"]
    found = _silence.find(server.all(), matchers, comment, params["id"])
    if params["state"] == "absent":
        if found and not module.check_mode:
            for item in found:
                server.end(item["id"])
        known = 0 if module.check_mode else max((server.wait(item["id"], "absent") for item in found), default=0)
        _finish(module, bool(found), found[0] if found else None, None, found, known)
    current = found[0] if found else None
    ends = _silence.moment(params["ends_at"]) if params["ends_at"] else None
    starts = _silence.moment(params["starts_at"]) if params["starts_at"] else None
    if ends is None and params["duration"]:
        lasts = datetime.timedelta(seconds=_alertmanager_yaml.as_seconds(params["duration"], "duration"))
        ends = _silence.end_of(current, now if current or starts is None else starts, lasts)
    wanted = _silence.Wanted(matchers, comment, params["created_by"], None if current else starts, ends)
    if not _silence.needs(current, wanted):
        _finish(module, False, current, current, [t.cast("dict[str, t.Any]", current)], 0)
    body = _silence.body(wanted, current, now)
    known = 0
    if not module.check_mode:
        body["id"] = server.write(body)
        known = server.wait(body["id"], "present", body["endsAt"])
    _finish(module, True, current, body, [body], known)


def _finish(
    module: AnsibleModule,
    changed: bool,
    before: t.Mapping[str, t.Any] | None,
    after: t.Mapping[str, t.Any] | None,
    meant: t.Sequence[t.Mapping[str, t.Any]],
    known: int,
) -> None:
    told = [{"id": item.get("id", ""), **_silence.shown(item)} for item in meant]
    result: dict[str, t.Any] = {"changed": changed, "silences": told}
    if changed and not module.check_mode:
        result["replicas"] = known
    if module._diff:
        result["diff"] = {"before": _silence.shown(before), "after": _silence.shown(after)}
    module.exit_json(**result)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec=argument_spec(OPTIONS, CONNECTION_SPEC, kube_auth_spec()),
        required_one_of=[("matchers", "id")],
        required_if=[("state", "present", ["comment"])],
        mutually_exclusive=[("duration", "ends_at")],
        supports_check_mode=True,
    )
    try:
        run(module)
    except MonitoringError as exc:
        module.fail_json(msg=str(exc), exception=traceback.format_exc())


if __name__ == "__main__":
    main()
