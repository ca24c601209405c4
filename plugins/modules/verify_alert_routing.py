# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Ask who gets an alert."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_alert_routing
short_description: Who gets this alert, as configured and loaded, and why
version_added: 0.1.0
author: [dataplatform.monitoring contributors (@dataplatform-monitoring)]
description:
  - Compares expectations (an alert's labels, and the receivers it must reach) with a configuration of Alertmanager.
  - The configuration is the live one, with everything that the operator added to it, or one that is given by
    O(config) or O(config_file), so that the same expectations run before and after deploying.
  - Both of Alertmanager's matcher parsers, RE2, inherited options, C(continue), order and duplicates of receivers, time
    intervals and inhibition are honoured exactly.
  - Where an alert goes elsewhere, the cause names the route that is in the way, the matcher and the value, and one
    change that was tried on a copy of the tree.
  - With a live configuration every replica is asked whether it has loaded it.
options:
  expectations:
    description:
      - Each is a mapping of C(labels) (of the alert) and C(receivers) (names in the order of the routes; duplicates
        count).
      - Optional are C(name) (of the check), C(group_by), C(group_wait), C(group_interval), C(repeat_interval),
        C(at) (a time with offset, to judge time intervals), C(active) (label sets of active alerts, to judge
        inhibition), and C(notified) (V(true) by default; V(false) when inhibition or a time interval must keep it from
        being sent).
    type: list
    elements: dict
    required: true
  config:
    description: A configuration to judge instead of the live one, as a mapping or as its text.
    type: raw
  config_file:
    description: A file on the controller with a configuration to judge instead of the live one.
    type: path
  wanted:
    description:
      - The configuration that was written, as a mapping or as its text.
      - The verdict then waits, up to O(timeout), until the operator has generated it and every replica has loaded it.
        What AlertmanagerConfig objects add is left out of the comparison, and told.
    type: raw
  alertmanager:
    description:
      - Name of the Alertmanager object in O(namespace).
      - By default the only one there. Where there is none, O(service) says which Alertmanager is meant, and what it
        says it has loaded is judged.
    type: str
  matcher_mode:
    description: How the server parses matchers, as its C(--enable-feature) says.
    type: str
    choices: [fallback, classic, utf8]
    default: fallback
  alerts:
    description: Label sets of alerts that rules define. Those that end where nobody is notified are told.
    type: list
    elements: dict
    default: []
  alerts_of_others:
    description:
      - Label sets of alerts as somebody else's rules write them, such as
        RV(dataplatform.monitoring.verify_rules#module:alerts). The labels that their series bring are not known.
      - A critical one that reaches no integration, whatever those labels are, is a fault of the tree, and so is it when
        none of them reaches any. Others that nobody is told of are notes.
    type: list
    elements: dict
    default: []
  oracle:
    description:
      - Whether the first replica is also asked itself, by a synthetic alert for each expectation.
      - The alert is marked with the label C(dataplatform_monitoring_synthetic), ends by itself after two minutes, and
        is resolved at once, before group_wait is over, so that nobody is notified.
      - Where a route waits less than five seconds, or alerts of the same group are active, nothing is posted, and a
        note says so. Nothing is posted in check mode.
    type: bool
    default: false
  accepted_faults:
    description:
      - Codes of faults of the tree that are meant. They become notes; every other fault is judged all the same.
      - The choices are those of C(alertmanager_accepted_faults); a code that is no fault of the tree has no effect.
    type: list
    elements: str
    choices:
      - continue_without_effect
      - critical_not_mailed
      - parsers_disagree
      - receiver_without_integration
      - route_unreachable
      - template_label_empty
    default: []
  lint:
    description: Whether faults of the tree itself (unreachable routes, C(continue) without effect) are judged too.
    type: bool
    default: true
extends_documentation_fragment:
  - dataplatform.monitoring.connection
  - dataplatform.monitoring.verdict
  - dataplatform.monitoring.attributes
  - kubernetes.core.k8s_auth_options
notes:
  - O(service) is V(alertmanager-operated) by default, the Service that the operator makes.
requirements:
  - google-re2 (optional; a pattern that needs it is V(unknown) without)
  - PyYAML
seealso:
  - name: Alertmanager configuration
    description: Routes, matchers, time intervals and inhibition.
    link: https://prometheus.io/docs/alerting/latest/configuration/
"""

EXAMPLES = r"""
- name: A critical alert pages and mails
  dataplatform.monitoring.verify_alert_routing:
    namespace: monitoring
    expectations:
      - name: critical
        labels: {alertname: ServiceDown, severity: critical, service: trino}
        receivers: [pagerduty, email]
        group_by: [alertname, cluster, service]
      - name: warning
        labels: {alertname: HighCPUUsage, severity: warning}
        receivers: [slack, email]

- name: The same before deploying
  dataplatform.monitoring.verify_alert_routing:
    kubernetes: false
    config_file: alertmanager.yml
    expectations:
      - labels: {alertname: ServiceDown, severity: critical}
        receivers: [pagerduty, email]

- name: Nobody is told about Pods of a node that is down
  dataplatform.monitoring.verify_alert_routing:
    namespace: monitoring
    expectations:
      - labels: {alertname: TargetDown, node: worker-1, severity: warning}
        active: [{alertname: NodeNotReady, node: worker-1, severity: critical}]
        receivers: [slack, email]
        notified: false
"""

RETURN = r"""
checks:
  description: One for each expectation in the same order, then C(tree), C(generated), C(replicas) and C(cluster) where
    they apply.
  returned: always
  type: list
  elements: dict
  sample:
    - name: critical
      status: failed
      expected: pagerduty, email
      observed: pagerduty
      cause:
        code: route_takes_it_elsewhere
        message: >-
          email does not get {alertname="ServiceDown", severity="critical"}: route.routes[0] (severity="critical")
          takes it first and does not continue, so route.routes[1] is never asked.
        fix: "set continue: true on route.routes[0]"
      other_causes: []
      notes: []
      details: {}
summary:
  description: Number of checks by status, and in all.
  returned: always
  type: dict
notes:
  description: Advice that is not counted, such as routes that no expectation reaches.
  returned: always
  type: list
  elements: str
origin:
  description: Where the configuration was read from.
  returned: when one could be read
  type: str
  sample: Secret monitoring/alertmanager-kube-prometheus-stack-alertmanager-generated
"""

import datetime
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _alertmanager_loaded,
    _alertmanager_source,
    _alertmanager_yaml,
    _checks,
    _routing_checks,
    _routing_live,
    _unreached,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_refusals import ACCEPTABLE
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._argspec import (
    CONNECTION_SPEC,
    VERDICT_SPEC,
    argument_spec,
    kube_auth_spec,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import (
    ApiError,
    ConfigError,
    MonitoringError,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._matchers import UnsupportedPattern


def given_config(params: dict[str, t.Any]) -> _alertmanager_source.Loaded | None:
    """The configuration of O(config) or O(config_file), or None when the live one is meant."""
    if params["config_file"]:
        try:
            text = Path(params["config_file"]).read_text(encoding="utf-8")
        except OSError as exc:
            raise ConfigError(f"config_file cannot be read: {exc}") from exc
        return _alertmanager_source.Loaded(_alertmanager_yaml.load(text), params["config_file"], True)
    if params["config"] is None:
        return None
    return _alertmanager_source.Loaded(_routing_live.mapping(params["config"]), "config", True)


def judge(module: AnsibleModule) -> None:
    """Read, judge, and end the module."""
    params = module.params
    faults = _routing_checks.validate(params["expectations"])
    if faults:
        raise ConfigError("; ".join(faults))
    now = datetime.datetime.now(datetime.UTC)
    notes: list[str] = []
    apis: list[Api] = []
    proofs: list[_checks.Check] = []
    loaded = given_config(params)
    if loaded is None:
        try:
            apis, loaded, notes, proofs = _routing_live.running(params)
        except ApiError as exc:
            names = [_routing_checks.name_of(item) for item in params["expectations"]]
            names += [*(["tree"] if params["lint"] else []), "replicas"]
            trouble = _unreached.why(exc, "Alertmanager")
            _checks.finish(module, _unreached.unjudged(names, "Alertmanager tells its configuration", trouble))
            return
    try:
        config = _routing_checks.Configuration.of(loaded.config, params["matcher_mode"], loaded.exact)
    except UnsupportedPattern as exc:
        fix = "install it on the controller: pip install google-re2"
        unjudged = _checks.unknown(
            "configuration", "patterns that can be judged", str(exc), [cause("pattern_not_judged", f"{exc}.", fix)]
        )
        _checks.finish(module, [unjudged], notes, origin=loaded.origin)
        return
    except ConfigError as exc:
        refused = cause("configuration_refused", f"{loaded.origin}: {exc}.", "correct it: amtool check-config FILE")
        _checks.finish(
            module,
            [_checks.failed("configuration", "a configuration that loads", "refused", [refused])],
            notes,
            origin=loaded.origin,
        )
        return
    checks = [_routing_checks.judge(item, config, now) for item in params["expectations"]]
    advice, silent = _routing_checks.coverage(config, params["expectations"], params["alerts"])
    if params["alerts_of_others"]:
        given = [{str(name): str(value) for name, value in item.items()} for item in params["alerts_of_others"]]
        untold, faults = _routing_checks.told_to_nobody(config, given)
        advice, silent = [*advice, *untold], [*silent, *faults]
    if params["lint"]:
        faults = [*_routing_checks.lint(config), *silent]
        causes, meant = _routing_checks.accepted(faults, params["accepted_faults"])
        advice = [*advice, *meant]
        expected = "every route reachable, every alert told to somebody"
        tree = _checks.failed("tree", expected, f"{len(causes)} faults", causes) if causes else None
        checks.append(tree or _checks.ok("tree", expected, "so it is"))
    if apis and not proofs:
        proofs = [_alertmanager_loaded.replica_check(loaded, apis)]
        cluster = _alertmanager_loaded.cluster_check(apis)
        proofs += [cluster] if cluster else []
    checks += proofs
    if apis and params["oracle"] and not module.check_mode:
        check, not_asked = _routing_live.oracle_check(params["expectations"], config, apis[0])
        checks.append(check)
        notes = [*notes, *not_asked]
    _checks.finish(module, checks, [*notes, *advice], origin=loaded.origin)


def arguments() -> dict[str, t.Any]:
    """What AnsibleModule takes; an action plugin of the same name judges in its own process."""
    return {
        "argument_spec": argument_spec(
            CONNECTION_SPEC,
            VERDICT_SPEC,
            kube_auth_spec(),
            {
                "expectations": {"type": "list", "elements": "dict", "required": True},
                "config": {"type": "raw"},
                "config_file": {"type": "path"},
                "wanted": {"type": "raw"},
                "alertmanager": {"type": "str"},
                "matcher_mode": {"type": "str", "choices": ["fallback", "classic", "utf8"], "default": "fallback"},
                "alerts": {"type": "list", "elements": "dict", "default": []},
                "alerts_of_others": {"type": "list", "elements": "dict", "default": []},
                "oracle": {"type": "bool", "default": False},
                "accepted_faults": {"type": "list", "elements": "str", "choices": [*ACCEPTABLE], "default": []},
                "lint": {"type": "bool", "default": True},
            },
        ),
        "mutually_exclusive": [("config", "config_file", "wanted"), ("wanted", "url")],
        "supports_check_mode": True,
    }


def run(module: AnsibleModule) -> None:
    """Judge; what makes that impossible is told in one line."""
    try:
        judge(module)
    except MonitoringError as exc:
        module.fail_json(msg=str(exc))


def main() -> None:
    """Entry point."""
    run(AnsibleModule(**arguments()))


if __name__ == "__main__":
    main()
