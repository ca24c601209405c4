# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role, played: refusals come before any cluster is asked, and plain Prometheus needs none."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

# One entry per fault that must be refused, and the sentence for it.
REFUSED = [
    (
        {"name": "unknown-key", "kind": "trino", "namespace": "x", "slector": {}},
        "unknown-key: slector: unknown key; did you mean selector?",
    ),
    (
        {"name": "unknown-kind", "kind": "trinoo", "namespace": "x"},
        "unknown-kind: kind: unknown kind trinoo; did you mean trino?",
    ),
    (
        {"name": "unknown-alert", "kind": "trino", "namespace": "y", "alerts": {"TrinoQueueLang": {"enabled": False}}},
        "unknown-alert: alerts.TrinoQueueLang: kind trino has no such alert; did you mean TrinoQueueLong?",
    ),
    (
        {"name": "no-endpoints", "kind": "trino", "namespace": "z", "endpoints": []},
        "no-endpoints: endpoints: there are none, so nothing would be scraped",
    ),
    (
        {"name": "big-port", "kind": "trino", "namespace": "x", "endpoints": [{"port": 99999}]},
        "big-port: endpoints[0].port: 99999 is not a port; ports are 1 to 65535.",
    ),
    (
        {"name": "two-ports", "kind": "trino", "namespace": "x", "endpoints": [{"port": "a", "targetPort": 1}]},
        "two-ports: endpoints[0]: has both port and targetPort; keep one",
    ),
    (
        {"name": "duration", "kind": "trino", "namespace": "x", "endpoints": [{"port": "b", "interval": "30x"}]},
        'duration: endpoints[0].interval: "30x" is not a duration; write a number and a unit, like 30s, 5m, 1h30m',
    ),
    (
        {"name": "objective", "kind": "superset", "namespace": "x", "slo": {"objective": 100}},
        "objective: slo.objective: 100 leaves no error budget; write what users need, for example 99.9.",
    ),
    (
        {"name": "exporter", "kind": "postgresql", "exporter": {"host": "pg"}},
        "exporter: exporter.credentials_secret: is missing: the exporter must log in",
    ),
    ({"name": "twice", "kind": "superset", "namespace": "y"}, None),
    (
        {"name": "twice", "kind": "superset", "namespace": "z"},
        "twice: name: entries 9 and 10 have the same name; give each its own: it is the job label.",
    ),
]


@pytest.fixture
def play(tmp_path):
    """Play the role with variables and without any cluster in reach; (exit code, output)."""

    def run(**variables):
        book = [
            {
                "hosts": "localhost",
                "gather_facts": False,
                "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}", **variables},
                "roles": ["dataplatform.monitoring.catalogue"],
                "tasks": [
                    {
                        "name": "Keep the result",
                        "ansible.builtin.copy": {
                            "content": "{{ monitoring_catalogue | to_json }}",
                            "dest": str(tmp_path / "catalogue.json"),
                            "mode": "0600",
                        },
                    }
                ],
            }
        ]
        (tmp_path / "play.yml").write_text(json.dumps(book))
        environment = {**os.environ, "KUBECONFIG": str(tmp_path / "none"), "ANSIBLE_NOCOLOR": "1"}
        done = subprocess.run(
            ["ansible-playbook", "-i", "localhost,", "-c", "local", str(tmp_path / "play.yml")],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_a_bad_catalogue_is_refused_before_a_cluster_is_asked(play):
    code, output = play(monitoring_services=[entry for entry, _ in REFUSED])
    assert code != 0
    for _, sentence in REFUSED:
        assert sentence is None or f"- {sentence}" in output
    assert "The catalogue has 10 fault(s). Nothing was changed." in output
    assert "Look at the cluster" not in output


def test_without_kubernetes_no_cluster_is_needed(play, tmp_path):
    code, output = play(
        monitoring_services=[{"name": "db", "job": "postgres", "min_targets": 2}],
        monitoring_kubernetes=False,
        monitoring_cluster_name="here",
    )
    assert code == 0, output
    catalogue = json.loads(Path(tmp_path / "catalogue.json").read_text())
    assert catalogue["cluster"] == "here"
    assert catalogue["entries"][0]["job"] == "postgres"
    # texts for Prometheus pass through Ansible untouched
    assert catalogue["entries"][0]["alerts"]["ServiceDown"]["summary"] == "{{ $labels.job }} is down"
    assert catalogue["notes"] == []


def test_a_catalogue_that_is_good_asks_the_cluster(play):
    code, output = play(monitoring_services=[{"name": "trino", "kind": "trino", "namespace": "x"}])
    assert code != 0
    assert "No connection to a Kubernetes cluster" in output


def test_a_catalogue_must_be_given(play):
    code, output = play()
    assert code != 0
    assert "missing required arguments: monitoring_services" in output
