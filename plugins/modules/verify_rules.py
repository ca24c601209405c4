# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Does every rule evaluate, and can it ever fire?"""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_rules
short_description: Judge whether every rule is loaded, evaluates, and asks for something that exists
version_added: 0.1.0
author: [dataplatform.monitoring contributors (@dataplatform-monitoring)]
description:
  - Compares the rules that are expected with the PrometheusRule objects in the cluster, and those with what every
    replica of Prometheus runs.
  - Every rule must have been evaluated, healthy and in time, without failed or skipped evaluations within 15 minutes.
    An error is explained by its cause, for example the label in which two series differ that should be one.
  - Tells rules that can never fire, because a selector that they need has no series and had none within the retention,
    with the metric or label value that is nearest. A matcher on a state, which is empty as long as all is well, is no
    reason; nor is what stands in C(absent), right of C(unless), or beside a living side of C(or).
  - Rules of ours that can never fire fail. Those of others are told in the notes of the check C(other rules).
  - Objects that the operator does not take up are told with the reason, by selector, namespace or rejection.
  - Waits for what is on its way (a new file, a reload, a first evaluation) and ends as soon as nothing can change any
    more. Reads only.
options:
  expectations:
    description:
      - The rules that are expected, one item per PrometheusRule; the filter
        P(dataplatform.monitoring.rule_expectations#filter) makes it.
      - "Keys: C(name) (required); C(state), one of V(present), V(adopted), V(skipped), V(pending), and its C(reason);
        C(object) with C(namespace) and C(name); C(groups), as in the object; C(absent_until), by alert what must happen
        before its metric exists; C(fires_at_rest), alerts that may fire on a healthy cluster."
    type: list
    elements: dict
    required: true
  others:
    description: Whether the rules of others are judged too, as the last check.
    type: bool
    default: true
  rerun:
    description: The command that writes the rules again. It appears in fixes.
    type: str
    default: ansible-playbook dataplatform.monitoring.day2
extends_documentation_fragment:
  - dataplatform.monitoring.connection
  - dataplatform.monitoring.verdict
  - dataplatform.monitoring.attributes
  - kubernetes.core.k8s_auth_options
seealso:
  - module: dataplatform.monitoring.verify_scrape_targets
  - module: dataplatform.monitoring.verify_alert_routing
"""

EXAMPLES = r"""
- name: Judge the rules of the catalogue, and everybody else's
  dataplatform.monitoring.verify_rules:
    namespace: monitoring
    service: kube-prometheus-stack-prometheus
    expectations: "{{ monitoring_catalogue | dataplatform.monitoring.rule_expectations }}"

- name: Judge the rules of a Prometheus without Kubernetes
  dataplatform.monitoring.verify_rules:
    url: http://localhost:9090
    kubernetes: false
    expectations: []
"""

RETURN = r"""
checks:
  description: One check per expectation in the same order, then C(other rules), also when the module fails.
  returned: always
  type: list
  elements: dict
  sample:
    - name: postgresql
      status: failed
      expected: 10 rules loaded, evaluated and able to fire
      observed: 9 of 10
      cause:
        code: rule_metric_missing
        message: >-
          PostgreSQLReplicationLag can never fire: there is no metric pg_replication_lag_seconds; nearest:
          pg_replication_lag.
        fix: >-
          Have postgresql tell the metric, or, where this installation has none, switch the alert off in the entry
          postgresql: alerts: {PostgreSQLReplicationLag: {enabled: false}}
      other_causes: []
      notes: [PostgreSQLDeadlocks fires now.]
      details: {dead: [PostgreSQLReplicationLag]}
summary:
  description: Number of checks by status, and in all.
  returned: always
  type: dict
  sample: {ok: 11, failed: 1, unknown: 0, not_applicable: 2, accepted: 0, total: 14}
notes:
  description: Advice that is not counted.
  returned: always
  type: list
  elements: str
rules:
  description: How many rules each replica runs, by its name.
  returned: always
  type: dict
  sample: {pod monitoring/prometheus-kube-prometheus-stack-prometheus-0: 112}
alerts:
  description: Label sets of the alerting rules that run, as they are written, each once. Values may hold templates.
  returned: always
  type: list
  elements: dict
  sample: [{alertname: InstanceDown, severity: critical}]
waited:
  description: Seconds from the first observation to the last.
  returned: always
  type: float
  sample: 1.2
rounds:
  description: How many times was looked.
  returned: always
  type: int
  sample: 1
"""

import traceback
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _argspec, _checks, _servers
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError, MonitoringError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_collect import Collector
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_loop import judge_until_final
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_model import Expectation, Replica

OPTIONS = {
    "expectations": {"type": "list", "elements": "dict", "required": True},
    "others": {"type": "bool", "default": True},
    "rerun": {"type": "str", "default": "ansible-playbook dataplatform.monitoring.day2"},
}


def judge(module: AnsibleModule) -> None:
    """Look, judge, report."""
    params = module.params
    expectations = [Expectation.parse(item, index) for index, item in enumerate(params["expectations"])]
    names = [expectation.name for expectation in expectations]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"expectations name {twice[0]} twice: names must be unique.")
    kube = Kube(params, params["query_timeout"]) if params["kubernetes"] else None
    collector = Collector(lambda: _servers.replicas(params, kube), kube)
    outcome = judge_until_final(
        expectations, collector, params["timeout"], params["others"], params["rerun"], url=params["url"] or ""
    )
    replicas = outcome.snapshot.replicas if outcome.snapshot else []
    notes = []
    if replicas and all(replica.failures is None for replica in replicas):
        notes.append("Prometheus does not scrape itself: failed and skipped evaluations of the past are not known.")
    _checks.finish(
        module,
        [judgement.check for judgement in outcome.judgements],
        notes,
        rules={replica.label: sum(len(group.rules) for group in replica.groups) for replica in replicas},
        alerts=_alerts(replicas),
        waited=round(outcome.waited, 2),
        rounds=outcome.rounds,
    )


def _alerts(replicas: t.Sequence[Replica]) -> list[dict[str, str]]:
    """What the alerts of the first replica are labelled by their rules."""
    rules = [rule for replica in replicas[:1] for group in replica.groups for rule in group.rules]
    found = {
        tuple(sorted({**rule.labels, "alertname": rule.name}.items())) for rule in rules if rule.kind == "alerting"
    }
    return [dict(item) for item in sorted(found)]


def arguments() -> dict:
    """What AnsibleModule takes; an action plugin of the same name judges in its own process."""
    spec = _argspec.argument_spec(OPTIONS, _argspec.CONNECTION_SPEC, _argspec.VERDICT_SPEC, _argspec.kube_auth_spec())
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
