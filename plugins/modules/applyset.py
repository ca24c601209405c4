# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: applyset
short_description: Exactly these Kubernetes objects exist, and none of ours besides
version_added: 0.1.0
author: [dataplatform.monitoring contributors (@dataplatform-monitoring)]
description:
  - Writes a whole set of objects by server-side apply, or nothing of it.
  - First come local checks and a server-side dry run of every write and every removal.
    If anything is wrong, all of it is told, each with object, field and remedy, and nothing is changed.
  - Then only what differs is written, Namespaces and CRDs first, and what left the set is removed.
  - Members are found by their label C(applyset.kubernetes.io/part-of), never by name. Nothing else is ever removed.
    Labels and annotations are those of C(kubectl apply --prune --applyset).
  - The set is remembered by the ConfigMap C(dataplatform-monitoring-NAME) in O(namespace).
  - An object of a kind that this same set brings is checked locally at first, and by the API server once that exists.
    One in a namespace that the set brings is tried in the namespace C(default) before. Nothing is written there.
  - In check mode an absent namespace or kind is no error either.
options:
  name:
    description: Name of the set, unique in O(namespace).
    type: str
    required: true
  namespace:
    description: Namespace of the ConfigMap that remembers the set.
    type: str
    required: true
  state:
    description:
      - V(present) makes the set what O(objects) and O(manifests) say.
      - V(absent) removes all of it, O(keep_kinds) excepted. Objects given are only used to know where to look.
    type: str
    choices: [present, absent]
    default: present
  objects:
    description: The objects, each complete with C(apiVersion), C(kind), C(metadata.name) and C(metadata.namespace).
    type: list
    elements: raw
    default: []
  manifests:
    description:
      - More objects, as one YAML text with any number of documents.
      - Scalars are read as the API server reads them, so that the CRDs of the Prometheus operator can be given.
    type: str
  prune:
    description: Whether what left the set is removed.
    type: bool
    default: true
  allow_removal:
    description:
      - Removals that are meant, each the name of a catalogue entry (label C(dataplatform.monitoring/entry)), of
        an object, or C(Kind/name) or C(Kind/namespace/name). V(*) is refused.
      - An object of O(keep_kinds), or one that was only ever created (O(create_only)), is removed only when it is named
        with its kind.
    type: list
    elements: str
    default: []
  max_removals:
    description:
      - So many entries (the objects of one catalogue entry count as one) may go without being named.
      - Without O(allow_removal) the task also refuses to remove all that the set has, and to remove anything under
        C(--tags).
    type: int
    default: 2
  force_conflicts:
    description:
      - Whether fields that somebody else set by hand are set back.
      - With V(false) such a field fails the task; the message names the field and its manager.
    type: bool
    default: true
  adopt_existing:
    description:
      - Whether an object that exists and is not ours may be taken over.
      - Otherwise the task fails and says whose it is.
    type: bool
    default: false
  create_only:
    description:
      - Objects of O(objects), as C(Kind/name) or C(Kind/namespace/name), that are created when they are absent and
        never touched again, by whomever they were made.
      - For generated passwords, or a configuration that others edit.
    type: list
    elements: str
    default: []
  keep_kinds:
    description:
      - Kinds that are never removed unless O(allow_removal) names the object with its kind.
      - By default C(CustomResourceDefinition), C(Namespace) and C(PersistentVolumeClaim), and C(Secret) too with
        O(state=absent).
    type: list
    elements: str
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the same as without.
    support: full
    details: [Every write is tried by a server-side dry run. The result and the diff are those of a real run.]
  diff_mode:
    description: Returns details on what has changed when in diff mode.
    support: full
    details: [One diff for each object that changes. Values of Secrets are masked.]
  idempotent:
    description: A second run changes nothing.
    support: full
    details: [After a failure in the middle, running again does what is left.]
  action_group:
    description: Use C(group/dataplatform.monitoring.all) in C(module_defaults) to set options for this module.
    support: full
    membership: [dataplatform.monitoring.all]
notes:
  - Runs on the controller. It needs the Python package C(kubernetes) there, and has no C(async).
seealso:
  - module: kubernetes.core.k8s
  - module: dataplatform.monitoring.cluster_info
"""

EXAMPLES = r"""
- name: Write the monitors, all or none
  dataplatform.monitoring.applyset:
    name: servicemonitors
    namespace: monitoring
    objects: "{{ monitoring_catalogue | dataplatform.monitoring.catalogue_monitors }}"
    allow_removal: "{{ applyset_allow_removal }}"

- name: Create a password once and never touch it again
  dataplatform.monitoring.applyset:
    name: credentials
    namespace: monitoring
    create_only: [Secret/grafana-admin]
    objects:
      - apiVersion: v1
        kind: Secret
        metadata: {name: grafana-admin, namespace: monitoring}
        stringData:
          admin-password: "{{ lookup('ansible.builtin.password', '/dev/null', length=32) }}"

- name: Upgrade the CRDs of a chart
  dataplatform.monitoring.applyset:
    name: crds
    namespace: monitoring
    adopt_existing: true
    manifests: "{{ chart_crds.stdout }}"

- name: Remove everything but volumes and Secrets
  dataplatform.monitoring.applyset:
    name: servicemonitors
    namespace: monitoring
    state: absent
"""

RETURN = r"""
created:
  description:
    - Objects that were created, or in check mode would be, as C(Kind namespace/name). The ConfigMap of the set too.
  type: list
  elements: str
  returned: success
  sample: [ServiceMonitor monitoring/trino]
updated:
  description: Objects that were changed.
  type: list
  elements: str
  returned: success
removed:
  description: Objects that were removed.
  type: list
  elements: str
  returned: success
unchanged:
  description: Objects that were as wanted.
  type: list
  elements: str
  returned: success
kept:
  description: Objects that were left alone, because they are only ever created, or never removed unless named.
  type: list
  elements: str
  returned: success
vanishing_alerts:
  description: Alerts that no PrometheusRule of the set defines any more.
  type: list
  elements: str
  returned: success
notes:
  description: What people should know, for example whose hand edit was set back.
  type: list
  elements: str
  returned: success
errors:
  description: Everything that was wrong.
  type: list
  elements: dict
  returned: failure
  contains:
    object:
      description: The object, as C(Kind namespace/name).
      type: str
    field:
      description: The field, or nothing when it is about the object as a whole.
      type: str
    message:
      description: What is wrong.
      type: str
    remedy:
      description: What to do.
      type: str
applied:
  description: What had been written when it failed. Empty when the set was refused as a whole.
  type: list
  elements: str
  returned: failure
not_applied:
  description: What was left to write.
  type: list
  elements: str
  returned: failure
"""
