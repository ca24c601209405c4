# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout
short_description: Wait until workloads run what was asked for
version_added: 0.1.0
author: [dataplatform.monitoring contributors (@dataplatform-monitoring)]
description:
  - Waits for several workloads at once over one connection.
  - A Deployment, StatefulSet or DaemonSet is ready when C(kubectl rollout status) says so.
  - A Prometheus or Alertmanager is ready when it is Reconciled and Available in the generation that was asked for.
  - When time runs out, the failure names what each workload waits for, and the reason of each Pod that is not ready.
  - In check mode nothing is waited for.
options:
  workloads:
    description: What is waited for.
    type: list
    elements: dict
    required: true
    suboptions:
      kind:
        description: Kind of the workload.
        type: str
        required: true
        choices: [Alertmanager, DaemonSet, Deployment, Prometheus, StatefulSet]
      name:
        description: Name of the workload.
        type: str
        required: true
      namespace:
        description: Namespace of the workload.
        type: str
        required: true
      optional:
        description: The workload may be absent, since not every chart renders it.
        type: bool
        default: false
  timeout:
    description: Seconds after which the task fails.
    type: int
    default: 300
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - dataplatform.monitoring.attributes
seealso:
  - module: kubernetes.core.k8s_info
"""

EXAMPLES = r"""
- name: Wait for Prometheus and for the node exporter
  dataplatform.monitoring.rollout:
    timeout: 600
    workloads:
      - {kind: Prometheus, name: kube-prometheus-stack-prometheus, namespace: monitoring}
      - {kind: DaemonSet, name: kube-prometheus-stack-prometheus-node-exporter, namespace: monitoring}
"""

RETURN = r"""
workloads:
  description: The workloads in the order of the option, with what each still waits for.
  returned: always
  type: list
  elements: dict
  sample: [{kind: StatefulSet, name: loki, namespace: monitoring, ready: true, waiting_for: ""}]
waited:
  description: Seconds it took.
  returned: when not in check mode
  type: float
  sample: 4.2
"""
