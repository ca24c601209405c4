# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: helm_release
short_description: A Helm release is installed as wanted, and nobody edited its objects since
version_added: 0.1.0
author: [dataplatform.monitoring contributors (@dataplatform-monitoring)]
description:
  - Runs M(kubernetes.core.helm) with the values in a JSON file, which is exact, idempotent and gone after the task.
  - In check mode the chart is rendered and validated, which M(kubernetes.core.helm) does not do, also for a first
    installation on a cluster without the chart's CRDs.
  - With C(--diff) it shows the release's values and every object that is created, changed or removed.
    Values of Secrets and literal credentials are hidden.
  - When the release is as wanted, its objects are compared with those in the cluster. Helm sees neither an edited
    object nor a deleted one, and its upgrade leaves additions to custom resources alone.
options:
  name:
    description: Name of the release.
    type: str
    required: true
  namespace:
    description: Namespace of the release.
    type: str
    required: true
  state:
    description: Whether the release is there. Removing it keeps what Helm keeps, volumes of StatefulSets for one.
    type: str
    choices: [present, absent]
    default: present
  chart_ref:
    description: An OCI reference, a chart of a repository, a folder or an archive.
    type: str
  chart_version:
    description: Version of the chart. Helm ignores it where O(chart_ref) is a folder or an archive.
    type: str
  chart_repo_url:
    description: Repository of a chart that is named without one.
    type: str
  values:
    description: The values of the chart.
    type: dict
    default: {}
  timeout:
    description: How long Helm may wait for a hook, as a duration like V(10m).
    type: str
    default: 10m
  repair:
    description: Put back objects of the release that were edited or deleted by hand.
    type: bool
    default: true
  binary_path:
    description: The helm binary.
    type: str
    default: helm
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Returns details on what has changed when in diff mode.
    support: full
  action_group:
    description: Use C(group/dataplatform.monitoring.all) in C(module_defaults) to set options for this module.
    support: full
    membership: [dataplatform.monitoring.all]
notes:
  - Runs on the controller, which needs the helm binary and the Python package kubernetes.
seealso:
  - module: kubernetes.core.helm
"""

EXAMPLES = r"""
- name: Install Loki from a folder
  dataplatform.monitoring.helm_release:
    name: loki
    namespace: monitoring
    chart_ref: /srv/charts/loki
    values:
      deploymentMode: Monolithic
"""

RETURN = r"""
objects:
  description: Names of the release's objects that differ, in check mode or with C(--diff).
  returned: when the release changed
  type: dict
  sample: {created: [Service monitoring/loki], changed: [], removed: []}
drift:
  description: Objects that were edited or deleted by hand, and where.
  returned: when there are any
  type: dict
  sample: {Prometheus monitoring/kube-prometheus-stack-prometheus: [spec.serviceMonitorSelector]}
"""
