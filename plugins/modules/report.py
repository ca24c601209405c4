# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Collect verdicts, print them, keep them as evidence, and fail once
version_added: 0.1.0
author: [dataplatform.monitoring contributors (@dataplatform-monitoring)]
description:
  - Takes what the verdict modules registered with O(ignore:report_only=true).
  - The first red verdict so does not hide the others.
  - Prints a line for each verdict that is green, who is told and what arrived, and for every red check cause and fix.
    With C(-v) every check has a line.
  - Compares with the last run of the same cluster that gave the same verdicts, or most of them.
  - Writes C(report.html), C(verdict.json) and C(verdict.xml) (JUnit) below O(directory), readable by their owner only.
  - The page holds everything in one file; it runs no script and asks no server.
  - Fails when a check is failed or unknown, and when a verdict was not given at all (crashed, skipped, unreachable).
  - Leaves a digest as custom statistics C(monitoring_verdict), by cluster. Ansible drops those of a task that failed,
    so where they matter, as in a workflow of AWX, let a task of its own fail; see the examples.
options:
  play:
    description: Name of the play, as it appears in the evidence.
    type: str
    required: true
  cluster:
    description: Name of the cluster that was judged.
    type: str
    required: true
  verdicts:
    description: Registered results by the name of the verdict, in the order in which they are told.
    type: dict
    required: true
  slos:
    description: Budgets, as M(dataplatform.monitoring.slo_info) returns them in C(slos).
    type: list
    elements: dict
  boards:
    description:
      - Boards with what their panels showed, as M(dataplatform.monitoring.verify_dashboards) returns them in C(boards).
      - The page draws them small. C(verdict.json) keeps them without their points.
    type: list
    elements: dict
  timeline:
    description:
      - Stages of a drill, as M(dataplatform.monitoring.follow_alert) returns them in C(timeline).
      - Of several alerts, or of a page and its end, a dictionary of such lists by what they are of.
    type: raw
  criteria:
    description:
      - Whether the ten success criteria are derived, printed as one table and kept.
      - They are told, and do not make the run fail; checks do.
    type: bool
    default: false
  cluster_info:
    description:
      - What M(dataplatform.monitoring.cluster_info) returned in C(cluster), for O(criteria).
      - Its C(crds) and C(pods) tell whether the operator runs, its C(sets) which days were played.
    type: dict
  directory:
    description: Folder for the evidence. Each run gets a folder of its own below a folder named after O(cluster).
    type: path
    required: true
  keep:
    description: How many runs are kept per cluster.
    type: int
    default: 20
  config_map_namespace:
    description:
      - Namespace in which a digest is kept as ConfigMap C(dataplatform-monitoring-verdict).
      - Nothing is written to the cluster without it, nor in check mode.
    type: str
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the same as without.
    support: full
    details: [The evidence is written in check mode too. The cluster is not changed then.]
  diff_mode:
    description: Returns details on what has changed when in diff mode.
    support: none
  action_group:
    description: Use C(group/dataplatform.monitoring.all) in C(module_defaults) to set options for this module.
    support: full
    membership: [dataplatform.monitoring.all]
seealso:
  - module: dataplatform.monitoring.verify_scrape_targets
  - module: dataplatform.monitoring.verify_logs
  - module: dataplatform.monitoring.verify_workloads
"""

EXAMPLES = r"""
- name: Judge the scrape targets
  dataplatform.monitoring.verify_scrape_targets:
    namespace: monitoring
    service: kube-prometheus-stack-prometheus
    expectations: "{{ monitoring_catalogue | dataplatform.monitoring.scrape_expectations }}"
    report_only: true
  register: scrape_verdict

- name: Report
  dataplatform.monitoring.report:
    play: verify
    cluster: "{{ inventory_hostname }}"
    directory: evidence
    verdicts:
      scrape: "{{ scrape_verdict }}"
  register: verdict
  failed_when: false

- name: Fail where it is red
  ansible.builtin.fail:
    msg: "{{ verdict.msg }}"
  when: verdict.red | default(true)
"""

RETURN = r"""
red:
  description: Whether the run has to fail.
  returned: always
  type: bool
  sample: false
summary:
  description: Number of checks by status, and in all.
  returned: always
  type: dict
  sample: {ok: 24, failed: 0, unknown: 0, not_applicable: 2, accepted: 0, total: 26}
criteria:
  description: The success criteria, with O(criteria).
  returned: when asked for
  type: list
  elements: dict
  sample:
    - {criterion: Promtail running on all nodes, status: ok, evidence: 1 of 1 nodes}
comparison:
  description: What got better or worse since the run before.
  returned: when there is a run to compare with
  type: dict
evidence:
  description: Folder with the evidence of this run.
  returned: always
  type: str
  sample: evidence/lab/20261123T170000Z-verify
"""
