#!/usr/bin/python
# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Does every namespace log, and if not, why?"""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_logs
short_description: Prove that every namespace logs to Loki, or say why not
version_added: 0.1.0
author: [dataplatform.monitoring contributors (@dataplatform-monitoring)]
description:
  - Judges whether what containers write arrives in Loki, under the labels that are promised.
  - "The checks are, in this order: C(loki_ready), C(agent_on_every_node), one C(namespace NAME) per namespace with
    containers that ran lately, C(discarded), C(newest_line) and C(retention)."
  - A namespace that wrote nothing is not red. What was written is known from the kubelets, which are asked for the
    newest line of containers that have no young line in Loki. A container is missing when the kubelet has a line
    older than O(max_age) that Loki does not have.
  - Namespaces are judged per node, so that one busy Pod does not hide nine dead ones on another node.
  - It waits, up to O(ignore:timeout), for a Loki or an agent that only just started and for lines that are too young
    to have arrived, and for nothing else.
  - O(prometheus) is one that scrapes Loki. With it, discarded lines are judged over the whole 15 minutes; without it,
    over the O(observe) seconds that the module looks, or since Loki started if that was less.
options:
  tenant:
    description: The tenant that is asked for, sent as C(X-Scope-OrgID). Empty where Loki has no tenants.
    type: str
    default: ""
  labels:
    description:
      - Labels that streams are promised to carry.
      - V(namespace), V(pod) and V(container) are expected of every stream of a running Pod, others where the Pod has
        one of the labels that they are made from, see O(label_sources).
    type: list
    elements: str
    default: [namespace, pod, container, app, tier]
  label_sources:
    description:
      - For a label of O(labels) the Pod labels it may be made from. The stream's value must be the value of one.
      - A label that is not named here is made from the Pod label of the same name.
    type: dict
    default: {app: [app, app.kubernetes.io/name], tier: [tier]}
  agent:
    description: The DaemonSet that collects the logs. Without a name it is recognised by its image.
    type: dict
    default: {}
    suboptions:
      namespace:
        description: Namespace of the DaemonSet; any, when not given.
        type: str
      name:
        description: Name of the DaemonSet.
        type: str
  expectations:
    description:
      - Namespaces that get a check of their own even when nothing ran there lately, as mappings with C(namespace).
      - What the filter P(dataplatform.monitoring.log_expectations#filter) returns.
    type: list
    elements: dict
    default: []
  exclude_namespaces:
    description: Namespaces whose logs are not collected on purpose. They are listed as not applicable.
    type: list
    elements: str
    default: []
  window:
    description: What was written within this time must be in Loki. At least twice O(max_age).
    type: str
    default: 10m
  max_age:
    description: How long a line may take to arrive, and how old the newest line of all may be.
    type: str
    default: 120s
  retention:
    description:
      - How long lines are promised to be kept, for example V(744h).
      - Without it the check C(retention) is not applicable.
    type: str
  max_discarded:
    description: Lines that Loki may discard within 15 minutes.
    type: int
    default: 0
  samples_per_node:
    description: Most containers of one namespace on one node that the kubelet is asked about.
    type: int
    default: 10
  samples:
    description: Most containers that the kubelets are asked about in all. How many are left out is a note.
    type: int
    default: 300
  observe:
    description:
      - Seconds between the two readings of the counters of Loki and of the agents.
      - Not waited for where the processes are younger than 15 minutes; their totals are the answer then.
    type: int
    default: 5
  rerun:
    description: The command that installs Loki and the agent again. It appears in fixes.
    type: str
    default: ansible-playbook dataplatform.monitoring.day1
extends_documentation_fragment:
  - dataplatform.monitoring.connection
  - dataplatform.monitoring.prometheus
  - dataplatform.monitoring.verdict
  - dataplatform.monitoring.attributes
  - kubernetes.core.k8s_auth_options
notes:
  - Needs to list Pods, Nodes, DaemonSets and Events, and to get C(pods/log) and C(pods/proxy).
    The role P(dataplatform.monitoring.prometheus_operator#role) brings a ClusterRole for it.
  - The API server removes C(Authorization) from proxied calls. A Loki behind basic authentication needs O(url).
seealso:
  - module: dataplatform.monitoring.verify_scrape_targets
  - module: dataplatform.monitoring.verify_workloads
"""

EXAMPLES = r"""
- name: Every namespace logs to the Loki of the loki role
  dataplatform.monitoring.verify_logs:
    namespace: monitoring
    service: loki
    agent: {namespace: monitoring, name: promtail}
    retention: 744h
    prometheus: {namespace: monitoring, service: kube-prometheus-stack-prometheus}

- name: A Loki with tenants, behind a gateway with basic authentication
  dataplatform.monitoring.verify_logs:
    url: https://loki.example.com
    url_username: reader
    url_password: "{{ loki_password }}"
    tenant: platform
    exclude_namespaces: [scratch]

- name: Report only, and accept a known exception until its end
  dataplatform.monitoring.verify_logs:
    namespace: monitoring
    service: loki
    report_only: true
    accept:
      - name: namespace legacy
        code: stream_label_missing
        reason: agent of the old platform, replaced in May
        owner: platform team
        until: "2027-05-31"
"""

RETURN = r"""
checks:
  description: The checks, in the order of the description, on success and on failure.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the check.
      type: str
      returned: always
      sample: namespace data-platform
    status:
      description: One of V(ok), V(failed), V(unknown), V(not_applicable) and V(accepted).
      type: str
      returned: always
      sample: failed
    expected:
      description: What should be.
      type: str
      returned: always
      sample: what its containers wrote, labelled namespace, pod, container, app, tier
    observed:
      description: What is.
      type: str
      returned: always
      sample: 1204 lines in 10m, 3 of 5 containers in Loki, 2 missing
    cause:
      description: Why, with C(code), C(message) and C(fix). V(null) where nothing is wrong.
      type: dict
      returned: always
    other_causes:
      description: Further causes found at the same time.
      type: list
      elements: dict
      returned: always
    notes:
      description: Advice and circumstances; they never make a check red.
      type: list
      elements: str
      returned: always
    details:
      description: Numbers behind it.
      type: dict
      returned: always
  sample:
    - name: agent_on_every_node
      status: failed
      expected: the log agent runs and sends on every node
      observed: 2 of 3 nodes, not on cp-0
      cause:
        code: agent_untolerated_taint
        message: The agent monitoring/promtail does not tolerate node-role.kubernetes.io/control-plane:NoSchedule of
          node cp-0.
        fix: Add the toleration to the agent's values in the inventory.
      other_causes: []
      notes: []
      details: {nodes: 3, running: 2}
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
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._argspec import (
    CONNECTION_SPEC,
    VERDICT_SPEC,
    argument_spec,
    kube_auth_spec,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import MonitoringError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_options import SPEC
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_verdict import judge_logs


def arguments() -> dict:
    """What AnsibleModule takes; an action plugin of the same name judges in its own process."""
    spec = argument_spec(CONNECTION_SPEC, VERDICT_SPEC, SPEC, kube_auth_spec())
    return {"argument_spec": spec, "supports_check_mode": True}


def run(module: AnsibleModule) -> None:
    """Judge; what makes that impossible is told in one line."""
    try:
        checks, notes = judge_logs(module.params)
    except MonitoringError as exc:
        module.fail_json(msg=str(exc), checks=[], summary=_checks.summarise([]), notes=[])
    _checks.finish(module, checks, notes)


def main() -> None:
    """Entry point."""
    run(AnsibleModule(**arguments()))


if __name__ == "__main__":
    main()
