# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Is every expected target up, and if not, why?"""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_scrape_targets
short_description: Judge whether every expected target is scraped and healthy, and tell the cause when not
version_added: 0.1.0
author: [dataplatform.monitoring contributors (@dataplatform-monitoring)]
description:
  - Compares what the catalogue expects with what every replica of Prometheus scrapes.
  - Follows each entry from its monitor over the selection by Prometheus, the running configuration, Service, port,
    Pods, service discovery, relabeling and scrape to what the pack says must be true of the product.
  - Names every cause, the most upstream one first, with the object and with a fix that ends in one command or one line
    of YAML. The codes are a closed set, see the page of causes in the documentation.
  - Waits for what is on its way (a reload, a first scrape, a rollout) and ends as soon as nothing can change any more.
  - Counts different URLs, not targets, and never calls a target up that was up only once.
  - Reads only. The rights of Prometheus' ServiceAccount are asked for by SubjectAccessReview, which stores
    nothing, and in check mode or without the right to do so read from the RBAC objects.
options:
  expectations:
    description:
      - What is expected, one item per entry of the catalogue; the filter
        P(dataplatform.monitoring.scrape_expectations#filter) makes it.
      - "Keys: C(name) (required); C(job), the job label, read from the live targets when not set; C(state), one of
        V(present), V(adopted), V(skipped), V(pending), and its C(reason); C(monitor) with C(kind), C(namespace) and
        C(name), or null when nobody's monitor is expected; C(namespaces), C(selector) and C(endpoints) of the monitor;
        C(health), a list of C(expr) with C(equals), C(min) or C(max), C(means) and C(fix); C(must_have), names of
        metrics, alternatives joined by C(|); C(min_samples); C(min_targets), 1 by default; C(exporter), C(kind)."
      - In C(expr), C($selector) stands for the job label.
    type: list
    elements: dict
    required: true
  min_targets_total:
    description: How many different targets of all entries together must be up at least. V(0) asks for none.
    type: int
    default: 0
  others:
    description:
      - Whether jobs that Prometheus has and that no expectation is about are judged too, one check for each, named like
        the job. All their targets must be up.
      - For an installation that somebody else made, O(expectations) may be empty then.
    type: bool
    default: false
  unscraped:
    description:
      - Whether to look from the other side too. Running Pods in the catalogue's namespaces that no target covers
        are told as RV(notes), which never fail.
    type: bool
    default: true
  unscraped_probe:
    description:
      - Whether Pods that no target covers are asked for C(/metrics) on their declared ports, over the Kubernetes API.
      - At most 20 ports are asked. Needs the right to C(get) C(pods/proxy).
    type: bool
    default: false
  rerun:
    description: The command that writes the catalogue's monitors again. It appears in fixes.
    type: str
    default: ansible-playbook dataplatform.monitoring.day1
extends_documentation_fragment:
  - dataplatform.monitoring.connection
  - dataplatform.monitoring.verdict
  - dataplatform.monitoring.attributes
  - kubernetes.core.k8s_auth_options
seealso:
  - module: dataplatform.monitoring.verify_logs
  - module: dataplatform.monitoring.verify_workloads
  - module: dataplatform.monitoring.report
"""

EXAMPLES = r"""
- name: Judge every entry of the catalogue
  dataplatform.monitoring.verify_scrape_targets:
    namespace: monitoring
    service: kube-prometheus-stack-prometheus
    expectations: "{{ monitoring_catalogue | dataplatform.monitoring.scrape_expectations }}"
    min_targets_total: 15

- name: Expect two of the cluster's own targets, and go on whatever the verdict
  dataplatform.monitoring.verify_scrape_targets:
    namespace: monitoring
    service: kube-prometheus-stack-prometheus
    expectations:
      - {name: kubelet, job: kubelet}
      - {name: apiserver, job: apiserver}
    report_only: true
  register: scrape_verdict

- name: Judge a Prometheus without Kubernetes
  dataplatform.monitoring.verify_scrape_targets:
    url: http://localhost:9090
    kubernetes: false
    timeout: 60
    expectations:
      - name: prometheus
        job: prometheus
        min_targets: 1
        must_have: [prometheus_tsdb_head_series]
        health:
          - expr: prometheus_config_last_reload_successful{$selector}
            equals: 1
            means: the last reload of the configuration succeeded

- name: Judge every job of a Prometheus that somebody else made
  dataplatform.monitoring.verify_scrape_targets:
    url: http://localhost:9090
    kubernetes: false
    expectations: []
    others: true
"""

RETURN = r"""
checks:
  description:
    - One check per expectation in the same order, also when the module fails.
    - With O(others), one for each further job follows, in the order of their names.
    - With O(min_targets_total), the check C(targets in total) comes last.
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: Name of the entry., type: str, sample: trino}
    status:
      description: One of V(ok), V(failed), V(unknown), V(not_applicable), V(accepted).
      type: str
      sample: failed
    expected: {description: What was expected., type: str, sample: 1 target up}
    observed: {description: What was seen last., type: str, sample: no target}
    cause:
      description: The most upstream cause, with C(code), C(message) and C(fix). Null when there is none.
      type: dict
      sample:
        code: no_such_port
        message: "No selected Service has a port named metrics: data-platform/trino has http (8080)."
        fix: "In the catalogue's entry trino, name a port that is there, then run day 1 again: endpoints: [{port: a}]"
    other_causes: {description: Every further cause., type: list, elements: dict, sample: []}
    notes: {description: What is worth knowing but no fault., type: list, elements: str, sample: []}
    details:
      description: The last observation, by C(pools), C(jobs) and C(targets).
      type: dict
      sample: {pools: [serviceMonitor/monitoring/trino/0], jobs: [], targets: []}
summary:
  description: Number of checks by status, and in all.
  returned: always
  type: dict
  sample: {ok: 11, failed: 1, unknown: 0, not_applicable: 2, accepted: 0, total: 14}
notes:
  description: Advice, and what was seen from the other side. Never a reason to fail.
  returned: always
  type: list
  elements: str
  sample: ["data-platform: no target covers 1 Pod of superset-worker (ports 8088)."]
prometheus:
  description: The servers that were asked.
  returned: always
  type: list
  elements: str
  sample: [monitoring/prometheus-kube-prometheus-stack-prometheus-0]
waited:
  description: Seconds from the first observation to the last.
  returned: always
  type: float
  sample: 0.21
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
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import format_time
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_collect import Collector
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_loop import Outcome, judge_until_final
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import Expectation
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_others import first_look
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_unscraped import probe, uncovered

OPTIONS = {
    "expectations": {"type": "list", "elements": "dict", "required": True},
    "min_targets_total": {"type": "int", "default": 0},
    "others": {"type": "bool", "default": False},
    "unscraped": {"type": "bool", "default": True},
    "unscraped_probe": {"type": "bool", "default": False},
    "rerun": {"type": "str", "default": "ansible-playbook dataplatform.monitoring.day1"},
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
    collector = Collector(
        lambda: _servers.replicas(params, kube),
        kube,
        ask_reviews=not module.check_mode,
        place=(params["namespace"], params["service"]) if params["namespace"] and params["service"] else None,
        rerun=params["rerun"],
        url=params["url"],
    )
    left = float(params["timeout"])
    if params["others"]:
        more, left = first_look(expectations, collector, left)
        expectations += more
    outcome = judge_until_final(expectations, collector, left, params["min_targets_total"])
    _checks.finish(
        module,
        [judgement.check for judgement in outcome.judgements],
        _notes(params, expectations, outcome, kube),
        prometheus=[server.name for server in outcome.snapshot.servers],
        waited=round(outcome.waited, 2),
        rounds=outcome.rounds,
    )


def _notes(params: dict, expectations: list[Expectation], outcome: Outcome, kube: Kube | None) -> list[str]:
    """What is worth a line without being a fault."""
    notes = []
    if not outcome.in_time:
        notes.append(f"The time of {params['timeout']} s ran out; what is told is the last observation.")
    for server in outcome.snapshot.servers:
        if server.reload_ok is False:
            kept = format_time(server.config_time)
            notes.append(
                f"{server.name} could not load its newest configuration and keeps that of {kept}: read its log."
            )
    if kube is not None and params["unscraped"]:
        found = uncovered(expectations, outcome.snapshot)
        if params["unscraped_probe"]:
            notes += probe(found, kube)
        notes += [group.text for group in found]
    return notes


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
