# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Follow an alert to the people it is for."""

from __future__ import annotations

DOCUMENTATION = r"""
module: follow_alert
short_description: Follow one alert from the fault to its receivers, and tell how long each stage took
version_added: 0.1.0
author: [dataplatform.monitoring contributors (@dataplatform-monitoring)]
description:
  - Watches how an alert that is about to fire is noticed, evaluated, fired, received by Alertmanager, grouped and sent,
    or how it ends, and gives the time and the share of each stage.
  - O(prometheus) is the one that evaluates the alert's rule.
  - An answer that fails once is asked for again. What cannot be asked for until the end is V(unknown).
  - It makes no fault itself; the playbook C(fire_drill.yml) does.
options:
  labels:
    description: Labels that the alert has, among others, C(alertname) one of them.
    type: dict
    required: true
  phase:
    description:
      - Whether it is to fire, to end, or to be kept silent.
      - With V(silent), it is watched for O(timeout) seconds that nothing is sent about it.
    type: str
    choices: [firing, resolved, silent]
    default: firing
  alert:
    description:
      - All labels of the alert, as RV(alert) of the run that saw it fire. They decide who is told of its end.
      - It may be over in Alertmanager before this run looks.
      - Required with O(phase=resolved).
    type: dict
  since:
    description: When the fault was made or ended, as a time with offset. By default now.
    type: str
  noticed:
    description:
      - An expression that has a result as soon as Prometheus has noticed, for example V(absent(up{job="trino"} == 1\)).
      - Without it the first stage is the loading of the rule.
    type: str
    default: ""
  contains:
    description: Words that a message about this alert contains. Only for receivers of O(sinks).
    type: list
    elements: str
    default: []
  sinks:
    description: Places that show messages, as for M(dataplatform.monitoring.verify_alert_delivery).
    type: dict
    default: {}
  alertmanager:
    description:
      - Name of the Alertmanager object in O(namespace).
      - By default the only one there.
    type: str
extends_documentation_fragment:
  - dataplatform.monitoring.connection
  - dataplatform.monitoring.prometheus.required
  - dataplatform.monitoring.verdict
  - dataplatform.monitoring.attributes
  - kubernetes.core.k8s_auth_options
notes:
  - O(service) is V(alertmanager-operated) by default, the Service that the operator makes.
  - Times that servers tell are theirs; the clocks of the machines have to agree for stages to be exact.
requirements:
  - PyYAML
seealso:
  - module: dataplatform.monitoring.verify_alert_delivery
"""

EXAMPLES = r"""
- name: See the page of a service that was just stopped
  dataplatform.monitoring.follow_alert:
    namespace: monitoring
    prometheus: {namespace: monitoring, service: prometheus-operated}
    labels: {alertname: ServiceDown, service: trino}
    noticed: absent(up{job="trino"} == 1)
    timeout: 600
  register: page

- name: See that its end is told too, once the service runs again
  dataplatform.monitoring.follow_alert:
    namespace: monitoring
    prometheus: {namespace: monitoring, service: prometheus-operated}
    labels: {alertname: ServiceDown, service: trino}
    noticed: up{job="trino"} == 1
    phase: resolved
    alert: "{{ page.alert }}"
    timeout: 600
"""

RETURN = r"""
checks:
  description:
    - One of the alert, one of its grouping while it fires, then one of each receiver it goes to.
    - With O(phase=silent) only those of the receivers.
  returned: always
  type: list
  elements: dict
summary:
  description: Number of checks by status, and in all.
  returned: always
  type: dict
notes:
  description: Advice that is not counted.
  returned: always
  type: list
  elements: str
timeline:
  description: The stages that were reached, in order; share is of the time until the last receiver.
  returned: always
  type: list
  elements: dict
  sample:
    - {name: scrape, seconds: 8.1, share: 0.05}
    - {name: evaluation, seconds: 12.3, share: 0.08}
alert:
  description: All labels that Alertmanager knows the alert by; empty as long as it does not.
  returned: unless nothing could be asked, or with O(phase=silent)
  type: dict
  sample: {alertname: ServiceDown, service: trino, severity: critical, cluster: production}
lines:
  description: The timeline for people.
  returned: always
  type: list
  elements: str
"""

import time
import traceback
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _alertmanager_source,
    _checks,
    _drill,
    _drill_silence,
    _routing_checks,
    _unreached,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._argspec import (
    CONNECTION_SPEC,
    VERDICT_SPEC,
    argument_spec,
    kube_auth_spec,
    prometheus_spec,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._delivery_run import shown_by
from ansible_collections.dataplatform.monitoring.plugins.module_utils._drill_follow import (
    Asked,
    Follower,
    told_of_ends,
    unix,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import (
    ApiError,
    ConfigError,
    MonitoringError,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube
from ansible_collections.dataplatform.monitoring.plugins.module_utils._servers import replicas

OPTIONS: dict[str, dict[str, t.Any]] = {
    "labels": {"type": "dict", "required": True},
    "phase": {"type": "str", "choices": ["firing", "resolved", "silent"], "default": "firing"},
    "alert": {"type": "dict"},
    "since": {"type": "str"},
    "noticed": {"type": "str", "default": ""},
    "contains": {"type": "list", "elements": "str", "default": []},
    "sinks": {"type": "dict", "default": {}},
    **prometheus_spec(required=True),
    "alertmanager": {"type": "str"},
}


def run(module: AnsibleModule) -> None:
    """Follow, and tell."""
    params = module.params
    labels = {name: str(value) for name, value in params["labels"].items()}
    if "alertname" not in labels:
        raise ConfigError("labels has no alertname: say which alert is followed.")
    try:
        begun = unix(params["since"]) if params["since"] else time.time()
    except ValueError as exc:
        raise ConfigError(f"since {params['since']!r} is no time; write 2026-11-23T18:00:00Z.") from exc
    kube = Kube(params, params["query_timeout"]) if params["kubernetes"] else None
    try:
        apis = _alertmanager_source.own_replicas(params, kube)
        prometheus = replicas({**params["prometheus"], "query_timeout": params["query_timeout"]}, kube)[0]
        loaded, notes = _alertmanager_source.live(kube, apis, params)
        shown = shown_by(params["sinks"], params["query_timeout"], kube)
        config = _routing_checks.Configuration.of(loaded.config, "fallback", loaded.exact)
        if params["phase"] == "silent":
            checks = _drill_silence.watch(labels, params["timeout"], apis, config, shown)
            _checks.finish(module, checks, notes, timeline=[], lines=[])
            return
    except ApiError as exc:
        told = ", ".join(f"{name}={value}" for name, value in labels.items())
        name, expected = _drill.expectation(params["phase"], told)
        checks = _unreached.unjudged([name], expected, _unreached.why(exc, "it"))
        _checks.finish(module, checks, timeline=[], lines=[])
        return
    words = tuple(params["contains"]) or tuple(labels.values())
    asked = Asked(labels, params["phase"], begun, params["noticed"], words, told_of_ends(loaded.config))
    known = {name: str(value) for name, value in (params["alert"] or {}).items()}
    follower = Follower(asked, prometheus, apis, config, kube, shown, known)
    checks = follower.follow(params["timeout"])
    stages = _drill.timeline(follower.moments, asked.phase, asked.first)
    _checks.finish(
        module,
        checks,
        notes,
        alert=follower.alert,
        timeline=[
            {"name": stage.name, "seconds": round(stage.seconds, 2), "share": round(stage.share, 4)} for stage in stages
        ],
        lines=_drill.lines(stages, follower.moments, asked.phase),
    )


def main() -> None:
    """Entry point."""
    spec = argument_spec(OPTIONS, CONNECTION_SPEC, VERDICT_SPEC, kube_auth_spec())
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True, required_if=[("phase", "resolved", ["alert"])])
    try:
        run(module)
    except MonitoringError as exc:
        module.fail_json(msg=str(exc), exception=traceback.format_exc())


if __name__ == "__main__":
    main()
