# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A workload that a drill stopped comes back, also when the drill does not."""

from __future__ import annotations

DOCUMENTATION = r"""
module: scale_back
short_description: Give a workload its replicas back when nobody else did
version_added: 0.1.0
author: [dataplatform.monitoring contributors (@dataplatform-monitoring)]
description:
  - Watches a workload that the playbook C(fire_drill.yml) is about to scale to zero. When the drill has ended it, this
    ends too. When it has not after O(after) seconds, the workload gets its replicas back.
  - Meant to run with C(async) and C(poll=0), as a process of its own, so that a drill which is killed leaves no
    service down for longer. It does not outlive the machine that it runs on; the next drill sweeps then.
options:
  kind:
    description: Kind of the workload.
    type: str
    choices: [Deployment, StatefulSet]
    required: true
  namespace:
    description: Namespace of the workload.
    type: str
    required: true
  name:
    description: Name of the workload.
    type: str
    required: true
  annotation:
    description:
      - The annotation that holds how many replicas there were. It is there from the moment the workload is stopped
        until it is scaled back.
    type: str
    default: dataplatform.monitoring/drill
  after:
    description: Seconds after which the workload is scaled back.
    type: int
    required: true
  appears_within:
    description: Seconds in which the workload is to be stopped; there is nothing to do when it was not.
    type: int
    default: 60
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the same as without.
    support: full
    details: [Nothing is scaled in check mode, and nothing waited for.]
  diff_mode:
    description: Returns details on what has changed when in diff mode.
    support: none
  idempotent:
    description: A second run changes nothing.
    support: full
  action_group:
    description: Use C(group/dataplatform.monitoring.all) in C(module_defaults) to set options for this module.
    support: full
    membership: [dataplatform.monitoring.all]
seealso:
  - module: dataplatform.monitoring.follow_alert
"""

EXAMPLES = r"""
- name: Let a process of its own bring it back, should this run be killed
  dataplatform.monitoring.scale_back:
    kind: Deployment
    namespace: data-platform
    name: trino
    after: 600
  async: 700
  poll: 0
"""

RETURN = r"""
replicas:
  description: How many replicas it was given back, 0 when that was not needed.
  returned: always
  type: int
  sample: 0
waited:
  description: Seconds that it was watched.
  returned: always
  type: float
  sample: 171.4
"""

import time
import traceback
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dataplatform.monitoring.plugins.module_utils._argspec import argument_spec, kube_auth_spec
from ansible_collections.dataplatform.monitoring.plugins.module_utils._drill_guard import Guard
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import MonitoringError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube

OPTIONS: dict[str, dict[str, t.Any]] = {
    "kind": {"type": "str", "choices": ["Deployment", "StatefulSet"], "required": True},
    "namespace": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "annotation": {"type": "str", "default": "dataplatform.monitoring/drill"},
    "after": {"type": "int", "required": True},
    "appears_within": {"type": "int", "default": 60},
}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=argument_spec(OPTIONS, kube_auth_spec()), supports_check_mode=True)
    params = module.params
    begin = time.monotonic()
    replicas = 0
    try:
        if not module.check_mode:
            guard = Guard(Kube(params), params["kind"], params["namespace"], params["name"], params["annotation"])
            replicas = guard.watch(params["after"], params["appears_within"])
    except MonitoringError as exc:
        module.fail_json(msg=str(exc), exception=traceback.format_exc())
    module.exit_json(changed=replicas > 0, replicas=replicas, waited=round(time.monotonic() - begin, 1))


if __name__ == "__main__":
    main()
