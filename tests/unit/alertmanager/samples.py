# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Samples for the tests of role alertmanager."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_text import dump

from tests.lab_fixture import BIN

ROOT = Path(__file__).resolve().parents[3]
TEMPLATE = ROOT / "roles" / "alertmanager" / "files" / "templates" / "dataplatform.tmpl"
CANARY = "canary-4711-do-not-show"

needs_amtool = pytest.mark.skipif(not (BIN / "amtool").exists(), reason="amtool is not there: make lab builds it")

# A whole Secret as people paste it, with the faults of the plan that this collection comes from.
PLAN = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "alertmanager-config", "namespace": "monitoring"},
    "type": "Opaque",
    "stringData": {
        "alertmanager.yml": f"""
global:
  resolve_timeout: 5m
  smtp_from: 'alertmanager@254carbon.com'
  smtp_smarthost: 'smtp.gmail.com:587'
  smtp_auth_username: 'alerts@254carbon.com'
  smtp_auth_password: '{CANARY}-smtp'
templates: ['/etc/alertmanager/config/*.tmpl']
route:
  group_by: ['alertname', 'cluster', 'service']
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 12h
  receiver: 'team-email'
  routes:
    - match: {{severity: critical}}
      receiver: 'critical-pagerduty'
      continue: true
    - match: {{severity: warning}}
      receiver: 'team-slack'
receivers:
  - name: 'team-email'
    email_configs:
      - to: 'ops@254carbon.com'
        headers:
          Subject: '[{{{{ .GroupLabels.alertname }}}}] {{{{ .GroupLabels.severity }}}}'
  - name: 'critical-pagerduty'
    pagerduty_configs:
      - service_key: '{CANARY}-pagerduty'
  - name: 'team-slack'
    slack_configs:
      - api_url: 'https://hooks.slack.example/{CANARY}'
        channel: '#ops-alerts'
        title: 'Alert: {{{{ .GroupLabels.alertname }}}}'
"""
    },
}


def amtool_accepts(config: dict) -> str:
    """What amtool says against a configuration; empty when it accepts it."""
    done = subprocess.run(
        [str(BIN / "amtool"), "check-config", "/dev/stdin"], input=dump(config), text=True, capture_output=True
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr
