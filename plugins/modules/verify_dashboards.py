#!/usr/bin/python
# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Does every panel of every dashboard have data?"""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_dashboards
short_description: Judge whether every panel of every dashboard has data, and say why not
version_added: 0.1.0
author: [dataplatform.monitoring contributors (@dataplatform-monitoring)]
description:
  - Asks Prometheus and Loki what each panel asks, with the variables, ranges and steps that Grafana would put in. No
    Grafana is needed for that.
  - Each dashboard is judged as it opens, and once more with C(All) for every variable that has it. Panels in collapsed
    rows and copies of repeated panels count too.
  - A panel has data when one of its queries returns at least one number that can be drawn, or a line. One that is
    empty is explained by the matcher that is in the way, with the metric, label or value that is nearest.
  - A panel that is empty only for the values that the dashboard opens with, and has data with others that its
    variables offer, is well; a note tells.
  - A panel may say that no data is good, by a key C(mayBeEmpty) with the reason in its JSON, or O(may_be_empty) says
    it. Its metric must exist all the same, because nobody would see it die, unless that too is said to be optional.
  - Of a dashboard that is O(wanted), each query must ask for a metric that exists, or say under C(absentUntil) of its
    target what must happen first; of others, one query with data is enough and the rest is a note. Nowhere may a number
    (C(or vector(0)), C(or 0 * something)) stand in for a metric that does not exist.
  - Library panels without their model, panels of other datasources and dashboards in schema v2 cannot be judged, and
    are told.
  - "The checks are, in this order: what is no dashboard that can be judged, what is wanted and not there, one check per
    dashboard by its title, and with a Grafana C(Grafana: dashboards loaded), C(Grafana: folders) and
    C(Grafana: datasources)."
  - The connection options name Grafana. Without them the dashboards are judged by their queries alone; a
    note tells whether Grafana runs all the same (a Pod with C(app.kubernetes.io/name=grafana)).
  - Through the Kubernetes API a Grafana can be asked only without credentials, because that API removes them; give its
    O(url) instead.
options:
  boards:
    description:
      - Dashboards as Grafana exports them, also as C({board, folder}) or C({dashboard, meta}).
    type: list
    elements: dict
    default: []
  files:
    description: Files with dashboards, or folders whose C(.json) files are.
    type: list
    elements: path
    default: []
  config_maps:
    description: ConfigMaps with dashboards, as Grafana's sidecar finds them.
    type: dict
    suboptions:
      namespace:
        description: Namespace of the ConfigMaps; any, when not given.
        type: str
      label_selector:
        description: Labels that they carry.
        type: str
        default: grafana_dashboard=1
      folder_annotation:
        description: Annotation with the folder.
        type: str
        default: grafana_folder
  from_grafana:
    description: Whether the dashboards that the running Grafana has are judged.
    type: bool
    default: false
  loki:
    description: The Loki that is asked. Without it, panels of logs are not judged.
    type: dict
    suboptions:
      url:
        description: Address of the Loki, for example V(https://loki.example.com).
        type: str
      url_username:
        description: User for basic authentication at its address.
        type: str
      url_password:
        description: Password for basic authentication at its address.
        type: str
      url_token:
        description: Bearer token for its address.
        type: str
      url_headers:
        description: More headers for its address.
        type: dict
      url_ca_cert:
        description: File with the certificate authorities to trust for its address.
        type: path
      url_client_cert:
        description: File with the client certificate for its address.
        type: path
      url_client_key:
        description: File with the key of that certificate.
        type: path
      url_validate_certs:
        description: Whether the certificate of its address is checked.
        type: bool
        default: true
      url_proxy:
        description: HTTP proxy to reach its address through.
        type: str
      namespace:
        description: Namespace of the Service in front of it.
        type: str
      service:
        description: Name of the Service in front of it.
        type: str
      port:
        description: Name or number of the Service's port.
        type: str
      scheme:
        description: How the Pods behind the Service are spoken to.
        type: str
        choices: [http, https]
        default: http
      path_prefix:
        description: Path before the API's own, for a server with a route prefix.
        type: str
        default: ""
  loki_tenant:
    description: The tenant that Loki is asked for, sent as C(X-Scope-OrgID). Empty where Loki has no tenants.
    type: str
    default: ""
  datasources:
    description:
      - The datasources that Grafana has, as mappings with C(uid) and C(type), and optionally C(name), C(default) and
        C(interval), the least interval.
      - They are added to those of O(datasource_maps). A running Grafana that may be asked for them knows better.
      - Where none are known, none counts as missing.
    type: list
    elements: dict
    default: []
  datasource_maps:
    description:
      - ConfigMaps with datasources, as Grafana's sidecar finds them.
      - By default those of the namespace of O(config_maps).
    type: dict
    suboptions:
      namespace:
        description: Namespace of the ConfigMaps; any, when not given.
        type: str
      label_selector:
        description: Labels that they carry.
        type: str
        default: grafana_datasource=1
  may_be_empty:
    description:
      - Panels for which no data is good, as mappings with C(reason) and the patterns C(board) (of the title or the uid)
        and C(panel) (of the title), each V(*) when it is not given.
      - With C(metric) V(optional), not even the metric needs to exist.
    type: list
    elements: dict
    default: []
  wanted:
    description: The uids of dashboards that must be among those that are found.
    type: list
    elements: str
    default: []
  rerun:
    description: The command that makes the dashboards again. It appears in fixes.
    type: str
    default: ansible-playbook dataplatform.monitoring.day3
  sketches:
    description: Whether RV(boards) carries points, to draw the panels from.
    type: bool
    default: false
extends_documentation_fragment:
  - dataplatform.monitoring.connection
  - dataplatform.monitoring.prometheus.required
  - dataplatform.monitoring.verdict
  - dataplatform.monitoring.attributes
  - kubernetes.core.k8s_auth_options
notes:
  - Needs to list ConfigMaps and to get C(pods/proxy). The role P(dataplatform.monitoring.prometheus_operator#role)
    brings a ClusterRole for it.
  - The API server removes C(Authorization) from proxied calls. A Grafana that wants a login needs O(url).
  - All datasources of one type are taken to be the server that is named.
seealso:
  - module: dataplatform.monitoring.verify_rules
  - module: dataplatform.monitoring.verify_logs
"""

EXAMPLES = r"""
- name: Judge every dashboard that Grafana's sidecar finds
  dataplatform.monitoring.verify_dashboards:
    config_maps: {namespace: monitoring}
    prometheus: {namespace: monitoring, service: kube-prometheus-stack-prometheus}
    loki: {namespace: monitoring, service: loki}

- name: Judge the files of a repository against a Prometheus without Kubernetes
  dataplatform.monitoring.verify_dashboards:
    files: [dashboards]
    prometheus: {url: http://localhost:9090}
    kubernetes: false
    may_be_empty:
      - {panel: Errors*, reason: no errors is good}

- name: Judge what a running Grafana has, its folders and datasources included
  dataplatform.monitoring.verify_dashboards:
    url: https://grafana.example.com
    url_token: "{{ grafana_token }}"
    from_grafana: true
    prometheus: {url: https://prometheus.example.com}
"""

RETURN = r"""
checks:
  description: The checks, in the order of the description, on success and on failure.
  returned: always
  type: list
  elements: dict
  sample:
    - name: PostgreSQL
      status: failed
      expected: every panel has data
      observed: 11 of 12 panels have data
      cause:
        code: panel_metric_missing
        message: >-
          Panel Replication lag is empty: there is no metric pg_replication_lag_secs; nearest: pg_replication_lag.
        fix: 'Ask for a metric that exists: expr: "pg_replication_lag"'
      other_causes: []
      notes: []
      details:
        uid: postgresql
        folder: Data platform
        source: postgresql.json of ConfigMap monitoring/board-postgresql
        empty: [Replication lag]
        error: []
summary:
  description: Number of checks by status.
  returned: always
  type: dict
  sample: {ok: 8, failed: 1, unknown: 0, not_applicable: 0, accepted: 0, total: 9}
notes:
  description: What concerns the verdict as a whole.
  returned: always
  type: list
  elements: str
  sample: ["judged by queries, Grafana not present"]
boards:
  description: Every dashboard that was judged, in the order of its check.
  returned: always
  type: list
  elements: dict
  contains:
    uid:
      description: Its uid.
      type: str
      returned: always
    title:
      description: Its title.
      type: str
      returned: always
    folder:
      description: The folder that it should lie in.
      type: str
      returned: always
    panels:
      description:
        - Its panels, with C(id), C(title), C(type), C(unit), C(status), C(reason) and C(thresholds), a list of
          C({value, color}).
        - C(status) is V(data), V(empty_ok), V(empty), V(error) or V(no_query).
        - With O(sketches), C(series) has at most eight items C({name, points}), C(points) the JSON text of at most
          sixty pairs C([time, value]), for Ansible is slow to hand on that many numbers.
      type: list
      elements: dict
      returned: always
queries:
  description: How many calls were made to Prometheus and Loki; the same question is asked once.
  returned: always
  type: int
  sample: 412
waited:
  description: Seconds that the verdict took.
  returned: always
  type: float
  sample: 1.9
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._argspec import (
    CONNECTION_SPEC,
    VERDICT_SPEC,
    argument_spec,
    kube_auth_spec,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_main import SPEC, Verdict
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import MonitoringError


def arguments() -> dict:
    """What AnsibleModule takes; an action plugin of the same name judges in its own process."""
    spec = argument_spec(CONNECTION_SPEC, VERDICT_SPEC, SPEC, kube_auth_spec())
    return {"argument_spec": spec, "supports_check_mode": True}


def run(module: AnsibleModule) -> None:
    """Judge; what makes that impossible is told in one line."""
    try:
        outcome = Verdict(module.params).run()
    except MonitoringError as exc:
        module.fail_json(msg=str(exc), checks=[], summary=_checks.summarise([]), notes=[], boards=[])
    _checks.finish(
        module,
        outcome.checks,
        outcome.notes,
        boards=outcome.boards,
        queries=outcome.queries,
        waited=round(outcome.waited, 2),
    )


def main() -> None:
    """Entry point."""
    run(AnsibleModule(**arguments()))


if __name__ == "__main__":
    main()
