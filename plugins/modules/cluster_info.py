# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_info
short_description: One look at a Kubernetes cluster, as far as monitoring needs it
version_added: 0.1.0
author: [dataplatform.monitoring contributors (@dataplatform-monitoring)]
description:
  - Reads Services, Pods, nodes, StorageClasses, monitor CRDs, Helm releases and our own notes over one connection, and
    returns what the catalogue and the preflights of the roles need, not whole objects.
  - A part that may not be read is null, and a note says which permission is missing.
options:
  namespace:
    description: Namespace of the monitoring. It need not exist yet.
    type: str
    required: true
  secrets:
    description:
      - Secrets, as C(namespace/name), whose keys are returned. Values never are.
      - Without a namespace the Secret is looked for in O(namespace).
    type: list
    elements: str
    default: []
  can:
    description: Permissions to ask about, for the credentials in use.
    type: list
    elements: dict
    default: []
    suboptions:
      verb:
        description: Verb, for example V(create).
        type: str
        required: true
      group:
        description: API group. Empty for the core group.
        type: str
        default: ""
      resource:
        description: Resource in plural, for example V(deployments) or V(services/proxy).
        type: str
        required: true
      namespace:
        description: Namespace. Empty for all, or for a resource of none.
        type: str
        default: ""
      name:
        description: Name of one object.
        type: str
        default: ""
  gather:
    description: Parts to read.
    type: list
    elements: str
    choices:
      - crds
      - namespaces
      - nodes
      - permissions
      - pods
      - releases
      - remembered
      - secrets
      - services
      - sets
      - storage_classes
      - version
    default:
      - crds
      - namespaces
      - nodes
      - permissions
      - pods
      - releases
      - remembered
      - secrets
      - services
      - sets
      - storage_classes
      - version
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - dataplatform.monitoring.attributes
notes:
  - Runs on the controller. It needs the Python package C(kubernetes) there, and has no C(async).
seealso:
  - module: dataplatform.monitoring.applyset
"""

EXAMPLES = r"""
- name: Look at the cluster
  dataplatform.monitoring.cluster_info:
    namespace: monitoring
    secrets: [data-platform/postgresql-monitoring]
    can:
      - {verb: create, resource: clusterroles, group: rbac.authorization.k8s.io}
  register: looked

- name: Name the default StorageClasses
  ansible.builtin.debug:
    msg: "{{ looked.cluster.storage_classes | selectattr('default') | map(attribute='name') | list }}"
"""

RETURN = r"""
cluster:
  description: What is there. Only the parts of O(gather).
  returned: success
  type: dict
  contains:
    version:
      description: Version of the API server.
      type: str
      sample: v1.36.3
    namespaces:
      description: Names of all namespaces.
      type: list
      elements: str
    services:
      description:
        - C(namespace), C(name), C(labels), C(type), C(selector), and C(ports) with C(name), C(port), C(targetPort).
      type: list
      elements: dict
    pods:
      description:
        - C(namespace), C(name), C(labels), C(phase), C(ready), C(owner_kind), C(node), C(requested) with C(cpu) in
          cores and C(memory) in bytes, and declared C(ports) with C(container), C(name), C(containerPort).
      type: list
      elements: dict
    storage_classes:
      description: C(name), C(default), C(provisioner).
      type: list
      elements: dict
    nodes:
      description:
        - C(name), C(taints), C(schedulable), C(ready), and C(allocatable) and C(requested) with C(cpu) in cores and
          C(memory) in bytes.
      type: list
      elements: dict
    crds:
      description:
        - Resources of the group C(monitoring.coreos.com) by plural name, each with C(version); C(servicemonitors) and
          C(podmonitors) with C(operator_version) and C(endpoint_schema) too. What is not installed is absent.
      type: dict
    remembered:
      description: What earlier runs decided for each catalogue entry, with C(state) and C(since).
      type: dict
    secrets:
      description: Names of the keys of each Secret that exists, by C(namespace/name).
      type: dict
    secret_versions:
      description: UID and resource version of each of these Secrets, by C(namespace/name). Both change with the Secret,
        and tell nothing of its values.
      type: dict
    sets:
      description: Names of the sets that M(dataplatform.monitoring.applyset) keeps in O(namespace).
      type: list
      elements: str
    releases:
      description:
        - Newest revision of each Helm release, with C(name), C(namespace), C(revision), C(status), and C(chart)
          (C(NAME-VERSION), only in O(namespace), else null).
      type: list
      elements: dict
    permissions:
      description: The questions of O(can), each with C(allowed).
      type: list
      elements: dict
notes:
  description: What could not be read, and why.
  returned: success
  type: list
  elements: str
"""
