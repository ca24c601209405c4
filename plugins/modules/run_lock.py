# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_lock
short_description: One changing run at a time per cluster
version_added: 0.1.0
author: [dataplatform.monitoring contributors (@dataplatform-monitoring)]
description:
  - Takes a Lease (C(coordination.k8s.io/v1)) named C(dataplatform-monitoring-run), and deletes it when it is released.
  - When another run holds it, the task fails and says who, since when, and with which play.
  - It is taken over, and told, when the process that took it is gone (on this machine), or after one hour.
  - Taking it again in the same run renews it.
options:
  state:
    description: Whether to take the lock or to give it back. Giving back what is not ours changes nothing.
    type: str
    choices: [acquired, released]
    default: acquired
  play:
    description: Name of the play, for the message that others get.
    type: str
    default: ""
  namespace:
    description:
      - Namespace of the Lease. It has to exist before the first run, and to be the same for all who work on the
        cluster.
      - Needed there are the verbs C(get), C(create), C(update) and C(delete) on C(leases).
    type: str
    default: default
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the same as without.
    support: full
    details: [Nothing is taken or given back in check mode.]
  diff_mode:
    description: Returns details on what has changed when in diff mode.
    support: none
  idempotent:
    description: A second run changes nothing.
    support: full
    details: [The task never reports a change, because the lock does not outlast the run.]
  action_group:
    description: Use C(group/dataplatform.monitoring.all) in C(module_defaults) to set options for this module.
    support: full
    membership: [dataplatform.monitoring.all]
notes:
  - Runs on the controller. It needs the Python package C(kubernetes) there, and has no C(async).
  - Two inventory hosts that are the same cluster are found out by it.
"""

EXAMPLES = r"""
- name: Change the cluster alone
  block:
    - name: Take the lock
      dataplatform.monitoring.run_lock:
        play: day1

    - name: Install
      ansible.builtin.include_role:
        name: dataplatform.monitoring.prometheus_operator
  always:
    - name: Release the lock
      dataplatform.monitoring.run_lock:
        state: released
"""

RETURN = r"""
notes:
  description: Whose lock was taken over, or why there was nothing to release.
  returned: success
  type: list
  elements: str
"""
