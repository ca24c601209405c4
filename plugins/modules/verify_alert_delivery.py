# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Ask whether notifications leave."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_alert_delivery
short_description: Do notifications really leave, through every receiver, on every replica
version_added: 0.1.0
author: [dataplatform.monitoring contributors (@dataplatform-monitoring)]
description:
  - Without O(send_test_alerts) it only reads, and judges whether anybody is told at all, whether every replica has
    the same and newest configuration, whether the replicas form one cluster, whether notifications failed lately and
    why, whether alerts are lost between Prometheus and Alertmanager, and how long ago the last fire drill passed.
  - With O(send_test_alerts) it posts marked alerts, as few as reach every receiver, and tells of each receiver and
    replica how long it took until the provider accepted the notification, or why it did not.
  - O(prometheus) is one that scrapes Alertmanager and sends to it. With it, failures are judged over O(window), and
    the way from Prometheus to Alertmanager is judged too.
  - What a provider accepts has not been read by a person. Only O(sinks) or a fire drill prove more.
options:
  send_test_alerts:
    description:
      - Whether alerts are posted. Somebody gets them.
      - Each has C(DRILL) and a code in its summary, the label C(dataplatform_monitoring_synthetic), and ends by
        itself within ten minutes; the module resolves it before it returns, and those that an earlier run left
        behind.
      - Never done in check mode.
    type: bool
    default: false
  expectations:
    description:
      - Alerts to choose test alerts from, as mappings with C(labels), as
        M(dataplatform.monitoring.verify_alert_routing) takes them. Other keys are not used.
      - A label that the route groups by, and no matcher asks for, is made unique, C(alertname) before others, so that
        nothing has to be waited for and no real alert is touched.
    type: list
    elements: dict
    default: []
  receivers:
    description:
      - Names of the receivers to try.
      - By default every one that the expectations reach and that has an integration.
    type: list
    elements: str
    default: []
  each_replica:
    description:
      - Whether each replica gets an alert of its own, to prove its own way out. The second then waits for 15 seconds
        and more, since replicas wait for each other.
      - With V(false) all get the same alert and one of them sends it, as with real alerts.
    type: bool
    default: true
  sinks:
    description:
      - Places that show what a receiver got, by the receiver's name. Then the message itself, with this run's code,
        is the proof.
      - Each is a mapping with C(url), or with C(namespace), C(service) and C(port) to go through the Kubernetes API,
        and C(path), V(/messages) by default. The answer is a JSON list of messages, or a mapping with C(messages).
    type: dict
    default: {}
  window:
    description: Span over which failures are judged.
    type: str
    default: 15m
  drill_days:
    description:
      - A fire drill is due every so many days, and so many days after the installation.
      - V(0) expects none, as beside an installation that somebody else made.
    type: int
    default: 90
  alertmanager:
    description:
      - Name of the Alertmanager object in O(namespace).
      - By default the only one there. Where there is none, O(service) says which Alertmanager is meant.
    type: str
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the same as without.
    support: partial
    details: [Test alerts are not sent; the rest is judged.]
  diff_mode:
    description: Returns details on what has changed when in diff mode.
    support: none
    details: [Nothing that stays is changed.]
  idempotent:
    description: A second run changes nothing.
    support: full
    details: [Test alerts are resolved before the module returns.]
  action_group:
    description: Use C(group/dataplatform.monitoring.all) in C(module_defaults) to set options for this module.
    support: full
    membership: [dataplatform.monitoring.all]
extends_documentation_fragment:
  - dataplatform.monitoring.connection
  - dataplatform.monitoring.prometheus
  - dataplatform.monitoring.verdict
  - kubernetes.core.k8s_auth_options
notes:
  - O(service) is V(alertmanager-operated) by default, the Service that the operator makes.
  - Deadlines follow from the matched route (C(group_wait), or C(group_interval) where its group is active already)
    and the replica's place in the cluster. O(timeout) ends the verdict before; what was not due by then is
    V(unknown).
  - Without Alertmanager's feature C(receiver-name-in-metrics), receivers with the same kind of integration cannot be
    told apart. The role P(dataplatform.monitoring.prometheus_operator#role) enables it.
requirements:
  - google-re2 (optional; a pattern that needs it is V(unknown) without)
  - PyYAML
seealso:
  - module: dataplatform.monitoring.verify_alert_routing
"""

EXAMPLES = r"""
- name: Are notifications leaving, as far as can be seen
  dataplatform.monitoring.verify_alert_delivery:
    namespace: monitoring
    prometheus: {namespace: monitoring, service: prometheus-operated}

- name: The same of an Alertmanager without Kubernetes
  dataplatform.monitoring.verify_alert_delivery:
    url: http://localhost:9093
    kubernetes: false
    prometheus: {url: http://localhost:9090}

- name: Send one test alert to each receiver from each replica
  dataplatform.monitoring.verify_alert_delivery:
    namespace: monitoring
    send_test_alerts: true
    expectations:
      - labels: {alertname: ServiceDown, severity: critical, service: trino}
      - labels: {alertname: HighCPUUsage, severity: warning}

- name: See the message itself arrive
  dataplatform.monitoring.verify_alert_delivery:
    namespace: monitoring
    send_test_alerts: true
    expectations:
      - labels: {alertname: ServiceDown, severity: critical}
    sinks:
      slack: {namespace: lab-sinks, service: slack, port: control}
"""

RETURN = r"""
checks:
  description: One for each receiver, then one for each part of the way.
  returned: always
  type: list
  elements: dict
  sample:
    - name: email
      status: ok
      expected: the provider accepts the notification
      observed: accepted by the provider, which is not read by a person, after 5.3 s
      cause: null
      other_causes: []
      notes: []
      details:
        replicas:
          - replica: pod monitoring/alertmanager-kube-prometheus-stack-alertmanager-0
            code: K7Q2MX-1
            state: sent
            attempted_after: 5.2
            accepted_after: 5.3
            message_after: null
            counted: {email: {attempts: 1.0, requests: 1.0, failed_requests: 0.0}}
summary:
  description: Number of checks by status, and in all.
  returned: always
  type: dict
notes:
  description: Advice that is not counted.
  returned: always
  type: list
  elements: str
code:
  description: The code that this run's messages carry.
  returned: when test alerts were sent
  type: str
  sample: K7Q2MX
"""

import traceback
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks, _delivery_passive
from ansible_collections.dataplatform.monitoring.plugins.module_utils._argspec import (
    CONNECTION_SPEC,
    VERDICT_SPEC,
    argument_spec,
    kube_auth_spec,
    prometheus_spec,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._delivery_verdict import Verdict
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError, MonitoringError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube

OPTIONS: dict[str, dict[str, t.Any]] = {
    "send_test_alerts": {"type": "bool", "default": False},
    "expectations": {"type": "list", "elements": "dict", "default": []},
    "receivers": {"type": "list", "elements": "str", "default": []},
    "each_replica": {"type": "bool", "default": True},
    "sinks": {"type": "dict", "default": {}},
    **prometheus_spec(),
    "window": {"type": "str", "default": "15m"},
    "drill_days": {"type": "int", "default": _delivery_passive.DRILL_DAYS},
    "alertmanager": {"type": "str"},
}


def judge(module: AnsibleModule) -> None:
    """Read, post if asked to, judge, and end the module."""
    params = module.params
    for number, item in enumerate(params["expectations"]):
        if not isinstance(item.get("labels"), dict):
            raise ConfigError(f"expectations[{number}] has no labels; write the labels the alert is sent with.")
    kube = Kube(params, params["query_timeout"]) if params["kubernetes"] else None
    outcome = Verdict(params, kube).judge(params["send_test_alerts"] and not module.check_mode)
    notes = list(outcome.notes)
    if params["send_test_alerts"] and module.check_mode:
        notes.append("no test alert was sent, because this is a check run")
    _checks.finish(module, outcome.checks, notes, **({"code": outcome.code} if outcome.code else {}))


def arguments() -> dict[str, t.Any]:
    """What AnsibleModule takes; an action plugin of the same name judges in its own process."""
    spec = argument_spec(OPTIONS, CONNECTION_SPEC, VERDICT_SPEC, kube_auth_spec())
    return {"argument_spec": spec, "supports_check_mode": True}


def run(module: AnsibleModule) -> None:
    """Judge; what makes that impossible is told in one line."""
    try:
        judge(module)
    except MonitoringError as exc:
        module.fail_json(msg=str(exc), exception=traceback.format_exc())


def main() -> None:
    """Entry point."""
    run(AnsibleModule(**arguments()))


if __name__ == "__main__":
    main()
