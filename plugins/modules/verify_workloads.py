#!/usr/bin/python
# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Did the monitored services stay healthy while we deployed?"""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_workloads
short_description: Prove that services stayed healthy while others deployed, or say what happened to them
version_added: 0.1.0
author: [dataplatform.monitoring contributors (@dataplatform-monitoring)]
description:
  - Takes a baseline of the watched services before a run's first change (O(state=baseline)), and judges them against
    it after the last (O(state=verdict)).
  - Compared are restarts of containers (which, when, why, running out of memory included), readiness that was lost or
    interrupted, Pods that were evicted, preempted or replaced, workloads below their replicas, and the nodes.
  - A rollout by somebody else during the run is not counted against it. It is told in the notes, and is red only
    while its Pods are not Ready. Scaling, draining and removing a node are told likewise. Pods of Jobs are left out.
  - What was broken before the run, and still is, is told in the notes.
  - The baseline is kept in the ConfigMap C(dataplatform-monitoring-baseline) of O(namespace), one per O(run_id), the
    last five. It so survives the controller.
  - A verdict without O(close) writes nothing. It compares with the last run's baseline if that is still open, else it
    repeats the verdict that closed it, with its date, and adds what is not Ready at this moment.
options:
  state:
    description: V(baseline) takes the baseline of O(run_id), once. V(verdict) judges.
    type: str
    choices: [baseline, verdict]
    default: verdict
  run_id:
    description:
      - Names the run. Letters, digits, V(-), V(_) and V(.).
      - By default a baseline gets the time of day, and a verdict concerns the run whose baseline is the newest.
    type: str
    default: ""
  close:
    description: Whether the verdict is written into the baseline's record, which ends the run. Not in check mode.
    type: bool
    default: false
  namespace:
    description: Namespace of the ConfigMap.
    type: str
    default: monitoring
  create_namespace:
    description: Whether O(state=baseline) makes O(namespace) when it does not exist. Not in check mode.
    type: bool
    default: true
  expectations:
    description:
      - The watched services, each a mapping with C(name), C(namespace) and C(selector) (labels of its Service, or of
        its Pods where no Service has them) or C(service) (name or host of its Service). Each gets a check.
      - What the filter P(dataplatform.monitoring.workload_expectations#filter) returns.
    type: list
    elements: dict
    default: []
  namespaces:
    description: Namespaces of which every other Pod is watched too. Each gets a check C(namespace NAME).
    type: list
    elements: str
    default: []
  max_baseline_age:
    description:
      - An open baseline older than this is not judged against, because what happened since is not that run's matter.
      - Does not concern a verdict with O(run_id) or O(close).
    type: str
    default: 24h
extends_documentation_fragment:
  - dataplatform.monitoring.verdict
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the same as without.
    support: full
    details: [Nothing is written in check mode; the verdict is the same.]
  diff_mode:
    description: Returns details on what has changed when in diff mode.
    support: none
    details: [Its one ConfigMap is a record of its own.]
  idempotent:
    description: A second run changes nothing.
    support: full
    details: [A baseline that is there is kept. RV(ignore:changed) is always V(false); the record is not configuration.]
  action_group:
    description: Use C(group/dataplatform.monitoring.all) in C(module_defaults) to set options for this module.
    support: full
    membership: [dataplatform.monitoring.all]
notes:
  - Needs to list Pods, Services, ReplicaSets, Deployments, StatefulSets, DaemonSets and Events in the watched
    namespaces, to list Nodes, and to get the ConfigMap. Writing needs to create and update it.
seealso:
  - module: dataplatform.monitoring.verify_logs
  - module: dataplatform.monitoring.verify_scrape_targets
"""

EXAMPLES = r"""
- name: Before the first change
  dataplatform.monitoring.verify_workloads:
    state: baseline
    run_id: "{{ monitoring_run_id }}"
    expectations: "{{ monitoring_catalogue | dataplatform.monitoring.workload_expectations }}"

- name: After the last change
  dataplatform.monitoring.verify_workloads:
    run_id: "{{ monitoring_run_id }}"
    close: true
    expectations: "{{ monitoring_catalogue | dataplatform.monitoring.workload_expectations }}"

- name: Whenever somebody asks, without writing
  dataplatform.monitoring.verify_workloads:
    expectations:
      - {name: trino, namespace: data-platform, selector: {app: trino}}
    namespaces: [data-platform]
    report_only: true
"""

RETURN = r"""
checks:
  description:
    - One check per entry of O(expectations), in their order, one per entry of O(namespaces), and C(nodes).
    - With O(state=baseline) the one check C(baseline).
    - Each has C(name), C(status), C(expected), C(observed), C(cause) (C(code), C(message), C(fix)), C(other_causes),
      C(notes) and C(details).
  returned: always
  type: list
  elements: dict
  sample:
    - name: trino
      status: failed
      expected: its Pods Ready throughout, no restart, none replaced
      observed: 3 of 3 Pods Ready, the youngest 2d old, since 2026-11-23 17:00:00Z
      cause:
        code: container_oom_killed
        message: "Container trino of Pod data-platform/trino-0 restarted once since the baseline; its last run ended at
          2026-11-23 17:04:11Z: OOMKilled (code 137)."
        fix: "Raise its memory limit, or find what took the memory: kubectl -n data-platform describe pod trino-0"
      other_causes: []
      notes: []
      details: {pods_before: 3, pods_now: 3}
summary:
  description: Number of checks by status.
  returned: always
  type: dict
  sample: {ok: 8, failed: 1, unknown: 0, not_applicable: 1, accepted: 0, total: 10}
notes:
  description: What concerns the verdict as a whole.
  returned: always
  type: list
  elements: str
run_id:
  description: The run whose baseline was taken or judged; V(null) where there is none.
  returned: always
  type: str
  sample: 2026-11-23T170000Z
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._argspec import (
    VERDICT_SPEC,
    argument_spec,
    kube_auth_spec,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import MonitoringError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._workloads_verdict import SPEC, judge_workloads


def arguments() -> dict:
    """What AnsibleModule takes; an action plugin of the same name judges in its own process."""
    spec = argument_spec(VERDICT_SPEC, SPEC, kube_auth_spec())
    return {"argument_spec": spec, "supports_check_mode": True}


def run(module: AnsibleModule) -> None:
    """Judge; what makes that impossible is told in one line."""
    try:
        checks, notes, run_id = judge_workloads(module.params, module.check_mode)
    except MonitoringError as exc:
        module.fail_json(msg=str(exc), checks=[], summary=_checks.summarise([]), notes=[])
    _checks.finish(module, checks, notes, run_id=run_id)


def main() -> None:
    """Entry point."""
    run(AnsibleModule(**arguments()))


if __name__ == "__main__":
    main()
