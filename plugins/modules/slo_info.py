# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Does every SLO live, what is left of its budget, and may one release?"""

from __future__ import annotations

DOCUMENTATION = r"""
module: slo_info
short_description: Tell objective, error ratio, burn rates and error budget of every SLO, and whether it lives
version_added: 0.1.0
author: [dataplatform.monitoring contributors (@dataplatform-monitoring)]
description:
  - Reads what the recording rules of role rules recorded, on every replica of Prometheus, and judges whether each SLO
    is really measured. Its rules must run, without error and in time, its samples be there and finite, and what it
    counts by must exist; of a metric that does not, the nearest is told.
  - An SLO that says nothing fails. One that burns its budget, or has none left, is told as that in C(state) and in the
    notes and does not fail, because it is true of the service and its alerts page for it; with O(gate) it does.
  - "A young SLO, whose window is not full yet, is well: its rules run and its samples are fresh. As a O(gate) it is
    unknown."
  - Of an SLO that is old enough, 95 % of its window must have been recorded, and Prometheus must keep samples that
    long.
  - Waits for a first evaluation, as long as O(timeout) allows, and ends as soon as nothing can change any more. Reads
    only.
options:
  expectations:
    description:
      - The SLOs that are expected; the filter P(dataplatform.monitoring.slo_expectations#filter) makes the list.
      - "Keys: C(slo) (required); C(service); C(sli); C(state), one of V(present), V(adopted), V(skipped), V(pending),
        and its C(reason); C(kind), what is counted; C(objective), percent; C(window); C(sources), expressions without
        which nothing is known; C(hints), those that are empty as long as nothing fails; C(namespace) of the rules."
    type: list
    elements: dict
    required: true
  gate:
    description:
      - Makes the module a gate for releases. Fails where less of the budget is left, or where it burns so fast that
        somebody is paged; a young SLO is unknown.
    type: dict
    suboptions:
      budget:
        description: Least share of the error budget that must be left, 0 to 1.
        type: float
        required: true
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
  - module: dataplatform.monitoring.verify_rules
  - name: Alerting on SLOs
    description: Where the burn rates come from.
    link: https://sre.google/workbook/alerting-on-slos/
"""

EXAMPLES = r"""
- name: Tell every SLO of the catalogue
  dataplatform.monitoring.slo_info:
    namespace: monitoring
    service: kube-prometheus-stack-prometheus
    expectations: "{{ monitoring_catalogue | dataplatform.monitoring.slo_expectations }}"

- name: Release only with a tenth of the budget left
  dataplatform.monitoring.slo_info:
    namespace: monitoring
    service: kube-prometheus-stack-prometheus
    expectations: >-
      {{ monitoring_catalogue | dataplatform.monitoring.slo_expectations | selectattr('service', 'eq', 'trino') }}
    gate:
      budget: 0.1
"""

RETURN = r"""
slos:
  description:
    - What is known of each SLO that is expected to be there. What is not known is null, never 0.
    - "C(error_ratio) and C(burn_rate) by window (5m to 3d, and window), 0 to 1 and as multiples of what is allowed;
      C(budget_left), 1 untouched, below 0 overspent; C(exhaustion_seconds) at the speed of the last hour, null where it
      lasts longer than the window, after which what was spent has come back; C(coverage), which part of the window was
      recorded; C(events) in it, null where time is measured."
    - "C(state): what is worst comes first: no_data, burning_page, exhausted, burning_ticket, young, ok."
  returned: always
  type: list
  elements: dict
  sample:
    - slo: trino-availability
      service: trino
      sli: availability
      kind: requests
      objective: 99.5
      window: 28d
      window_seconds: 2419200.0
      error_ratio: {5m: 0.0, 30m: 0.0, 1h: 0.001, 2h: 0.001, 6h: 0.001, 1d: 0.001, 3d: 0.001, window: 0.001}
      burn_rate: {5m: 0.0, 30m: 0.0, 1h: 0.2, 2h: 0.2, 6h: 0.2, 1d: 0.2, 3d: 0.2}
      budget_left: 0.8
      exhaustion_seconds: null
      state: ok
      coverage: 1.0
      events: 3822336.0
      message: 99.9 % of 99.5 %, 80 % of the budget left
checks:
  description: One check per expectation in the same order, also when the module fails.
  returned: always
  type: list
  elements: dict
  sample:
    - name: trino-availability
      status: ok
      expected: "measured: 99.5 % over 28d"
      observed: 99.9 % of 99.5 %, 80 % of the budget left
      cause: null
      other_causes: []
      notes: []
      details: {state: ok, budget_left: 0.8, coverage: 1.0}
summary:
  description: Number of checks by status, and in all.
  returned: always
  type: dict
  sample: {ok: 8, failed: 0, unknown: 0, not_applicable: 1, accepted: 0, total: 9}
notes:
  description: Advice that is not counted.
  returned: always
  type: list
  elements: str
waited:
  description: Seconds from the first observation to the last.
  returned: always
  type: float
  sample: 0.4
rounds:
  description: How many times was looked.
  returned: always
  type: int
  sample: 1
"""

import traceback

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _argspec, _checks, _servers
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError, MonitoringError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube
from ansible_collections.dataplatform.monitoring.plugins.module_utils._slo_collect import Collector
from ansible_collections.dataplatform.monitoring.plugins.module_utils._slo_model import Expectation
from ansible_collections.dataplatform.monitoring.plugins.module_utils._slo_verdict import Gate, Way, judge_until_final

OPTIONS = {
    "expectations": {"type": "list", "elements": "dict", "required": True},
    "gate": {"type": "dict", "options": {"budget": {"type": "float", "required": True}}},
    "rerun": {"type": "str", "default": "ansible-playbook dataplatform.monitoring.day2"},
}


def judge(module: AnsibleModule) -> None:
    """Look, judge, report."""
    params = module.params
    expectations = [Expectation.parse(item, index) for index, item in enumerate(params["expectations"])]
    names = [expectation.slo for expectation in expectations]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"expectations name {twice[0]} twice: names must be unique.")
    gate = Gate.parse(params["gate"])
    kube = Kube(params, params["query_timeout"]) if params["kubernetes"] else None
    collector = Collector(lambda: _servers.replicas(params, kube), expectations)
    outcome = judge_until_final(
        expectations, collector, gate, Way(params["rerun"], params["url"] or ""), params["timeout"]
    )
    _checks.finish(
        module,
        [judgement.check for judgement in outcome.judgements],
        slos=[judgement.slo for judgement in outcome.judgements if judgement.slo is not None],
        waited=round(outcome.waited, 2),
        rounds=outcome.rounds,
    )


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
