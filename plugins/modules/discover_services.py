# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: discover_services
short_description: Propose entries for the catalogue from what runs
version_added: 0.1.0
author: [dataplatform.monitoring contributors (@dataplatform-monitoring)]
description:
  - Looks at the Pods and Services of a cluster and at the targets of its Prometheus, and proposes an entry for whatever
    the catalogue does not have. That is products that a pack knows, ports that answer with metrics and that nobody
    scrapes, and jobs that somebody else scrapes already, which are proposed for adoption.
  - A product is recognised by its metrics, by its image, or by its labels, in this order. Each proposal says why.
  - Without Kubernetes each job of Prometheus is proposed.
  - Reads only. Ports are asked for their metrics over the Kubernetes API, one Pod of each workload that nobody scrapes.
  - What the targets of O(prometheus) are is scraped already. Where there is no such server yet, nothing is, and a note
    says so.
options:
  kubernetes:
    description: Whether there is a Kubernetes API to ask.
    type: bool
    default: true
  namespace:
    description: Namespace of the monitoring of this collection.
    type: str
    default: monitoring
  declared:
    description: C(entries) of the resolved catalogue. What they select is not proposed again.
    type: list
    elements: dict
    default: []
  packs:
    description: Packs of your own by kind, merged over those of the collection.
    type: dict
    default: {}
  exclude_namespaces:
    description: Namespaces that are left alone.
    type: list
    elements: str
    default: []
  ask_ports:
    description:
      - Whether ports are asked for metrics. It needs the right to C(get) C(pods/proxy).
      - With V(false) only images and labels tell what something is.
    type: bool
    default: true
  most_ports:
    description: Ports that are asked at most.
    type: int
    default: 200
  query_timeout:
    description: Seconds for one query of Prometheus.
    type: float
    default: 10.0
extends_documentation_fragment:
  - dataplatform.monitoring.prometheus
  - kubernetes.core.k8s_auth_options
  - dataplatform.monitoring.attributes
notes:
  - Runs on the controller. It needs the Python package C(kubernetes) there, and has no C(async).
seealso:
  - module: dataplatform.monitoring.cluster_info
  - module: dataplatform.monitoring.verify_scrape_targets
"""

EXAMPLES = r"""
- name: What runs that the catalogue does not have
  dataplatform.monitoring.discover_services:
    prometheus: {namespace: monitoring, service: kube-prometheus-stack-prometheus}
    declared: "{{ monitoring_catalogue.entries }}"
  register: discovered

- name: Show it, ready to paste
  ansible.builtin.debug:
    msg: "{{ discovered.yaml.splitlines() }}"

- name: The jobs of a Prometheus without Kubernetes
  dataplatform.monitoring.discover_services:
    kubernetes: false
    prometheus: {url: http://localhost:9090}
"""

RETURN = r"""
proposals:
  description: Proposed entries, first those that nobody scrapes.
  returned: success
  type: list
  elements: dict
  contains:
    entry:
      description: The entry, as in C(monitoring_services).
      type: dict
      sample: {name: trino, kind: trino, namespace: data-platform, selector: {app: trino}, endpoints: [{port: metrics}]}
    why:
      description: What it was recognised by.
      type: str
      sample: "data-platform/trino: the metrics of trino, port 8080 answers with metrics that nobody scrapes"
    to_do:
      description: What is left to do before it works, empty if nothing is.
      type: str
yaml:
  description: The proposals as YAML, with the reasons as comments, ready to paste into an inventory.
  returned: success
  type: str
servers:
  description: Variables that name the Prometheus and the Alertmanager of the operator, where there is no O(prometheus).
  returned: success
  type: dict
notes:
  description: What is not clear enough for an entry, and what could not be read.
  returned: success
  type: list
  elements: str
"""
