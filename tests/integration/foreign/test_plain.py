# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""verify.yml beside processes that somebody else runs, with the inventories of docs/existing.md and nothing more."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.foreign.documented import inventory, variables
from tests.integration.foreign.plain import BAD_RULE, Plain
from tests.integration.programs import free_port, wait_for

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plain]:
    """The installation, warm: scraped twice, and a notification delivered."""
    installation = Plain(tmp_path_factory.mktemp("plain"))
    try:
        delivered = "sum(increase(alertmanager_notifications_total[15m])) > 0"
        # An alert that could not be sent at once is sent again after a minute.
        wait_for(lambda: installation.value(delivered), "a notification that Prometheus knows of", 120)
        yield installation
    finally:
        installation.stop()


def play(plain: Plain, folder: Path, name: str, *options: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Play a playbook with the documented inventory and these addresses; a value of None takes a variable out."""
    hosts = inventory("plain")
    host = hosts["all"]["hosts"]["plant-a"]
    host["monitoring_prometheus_url"] = plain.prometheus
    host["monitoring_alertmanager_url"] = plain.alertmanager
    host["monitoring_loki_url"] = plain.loki.url
    host.update(more)
    hosts["all"]["hosts"]["plant-a"] = {key: value for key, value in host.items() if value is not None}
    given = folder / "inventory.yml"
    given.write_text(yaml.safe_dump(hosts))
    environment = {key: value for key, value in os.environ.items() if "KUBECONFIG" not in key}
    return subprocess.run(
        ["ansible-playbook", "-i", str(given), f"playbooks/{name}.yml", *options],
        cwd=ROOT, env={**environment, "HOME": str(folder), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip


def verify(plain: Plain, folder: Path, loki: bool = True, **more: Any) -> tuple[int, dict[str, Any], str]:
    """Play verify.yml: exit code, checks by verdict/name, and what was printed."""
    options = ("-e", f"monitoring_evidence_dir={folder / 'evidence'}", "-e", "monitoring_verify_timeout=20")
    done = play(plain, folder, "verify", *options, **({} if loki else {"monitoring_loki_url": None}), **more)
    written = sorted((folder / "evidence").glob("*/*/verdict.json"))
    assert written, done.stdout + done.stderr
    verdicts = json.loads(written[-1].read_text())["verdicts"]
    checks = {f"{one['name']}/{check['name']}": check for one in verdicts for check in one["checks"]}
    return done.returncode, checks, done.stdout


def status(checks: dict[str, Any]) -> dict[str, str]:
    return {name: check["status"] for name, check in checks.items()}


def code(check: dict[str, Any]) -> str:
    return str((check["cause"] or {}).get("code"))


def test_addresses_alone_are_enough(plain: Plain, tmp_path: Path) -> None:
    plain.loki.push(5, namespace="machines", job="syslog")
    ended, checks, printed = verify(plain, tmp_path)
    assert ended == 0, printed
    assert status(checks) == {
        "scrape/alertmanager": "ok",
        "scrape/orders": "ok",
        "scrape/prometheus": "ok",
        "logs/loki_ready": "ok",
        "logs/agent_on_every_node": "not_applicable",
        "logs/namespaces": "not_applicable",
        "logs/discarded": "ok",
        "logs/newest_line": "ok",
        "logs/retention": "not_applicable",
        "workloads/workloads": "not_applicable",
        "rules/other rules": "ok",
        "routing/tree": "ok",
        "routing/replicas": "ok",
        "delivery/pager": "ok",
        "delivery/somebody is told": "ok",
        "delivery/configuration": "ok",
        "delivery/cluster": "not_applicable",
        "delivery/Prometheus to Alertmanager": "ok",
        "dashboards/dashboards": "not_applicable",
        "slo/slo": "not_applicable",
    }
    assert "changed=0" in printed


def test_what_is_expected_is_judged_too_and_what_is_not_there_is_told(plain: Plain, tmp_path: Path) -> None:
    expected = variables("expectations")
    expected["monitoring_services"] = [
        {"name": "orders", "job": "orders", "min_targets": 1},
        {"name": "monitor", "kind": "prometheus", "job": "prometheus"},
    ]
    del expected["monitoring_accept"]
    ended, checks, printed = verify(plain, tmp_path, loki=False, **expected)
    assert ended == 0, printed
    assert [name for name in checks if name.startswith("scrape/")] == [
        "scrape/orders",
        "scrape/monitor",
        "scrape/alertmanager",
    ]
    assert status(checks)["routing/critical pages"] == "ok"
    assert checks["logs/logs"]["status"] == "not_applicable"
    assert "names no Loki" in checks["logs/logs"]["observed"]


def test_discover_proposes_each_job(plain: Plain, tmp_path: Path) -> None:
    made = tmp_path / "proposed.yml"
    done = play(plain, tmp_path, "discover", "-e", f"discover_file={made}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert yaml.safe_load(made.read_text()) == {
        "monitoring_services": [
            {"name": "alertmanager", "kind": "alertmanager"},
            {"name": "orders"},
            {"name": "prometheus", "kind": "prometheus"},
        ]
    }


def test_a_target_a_rule_and_a_receiver_that_fail(plain: Plain, tmp_path: Path) -> None:
    dead = f"127.0.0.1:{free_port()}"
    plain.web.refuses = True
    plain.configure(more_targets=(dead,), rules=(BAD_RULE,))
    try:
        failed = "sum(increase(alertmanager_notifications_failed_total[15m])) > 0"
        wait_for(lambda: plain.value(failed), "a failed notification that Prometheus knows of")
        wait_for(lambda: plain.value('count(up{job="orders"} == 0)'), "a target that is down")
        ended, checks, printed = verify(plain, tmp_path)
    finally:
        plain.web.refuses = False
        plain.configure()
    assert ended == 2
    red = {name: code(check) for name, check in checks.items() if check["status"] in ("failed", "unknown")}
    assert red == {
        "scrape/orders": "target_down_refused",
        "rules/other rules": "rule_many_to_many",
        "delivery/pager": "credentials_refused",
    }
    assert dead in checks["scrape/orders"]["cause"]["message"]
    assert "Twice" in checks["rules/other rules"]["cause"]["message"]
    for name in red:
        assert "kubectl" not in checks[name]["cause"]["fix"], checks[name]["cause"]["fix"]


def test_critical_alerts_that_end_in_the_null_receiver(plain: Plain, tmp_path: Path) -> None:
    """And a grouping that the server cannot show: it is not known, and not guessed."""
    ungrouped = {"receiver": "pager", "matchers": ['team="a"'], "group_by": []}
    plain.route({"receiver": "null", "matchers": ['severity="critical"']}, ungrouped)
    expected = variables("expectations")["alertmanager_routing_expectations"]
    expected.append(
        {"name": "team a", "labels": {"alertname": "X", "team": "a"}, "receivers": ["pager"], "group_by": []}
    )
    try:
        ended, checks, _printed = verify(plain, tmp_path, loki=False, alertmanager_routing_expectations=expected)
    finally:
        plain.route()
    assert ended == 2
    found = checks["routing/critical pages"]
    causes = [one["code"] for one in [found["cause"], *found["other_causes"]]]
    assert causes == ["route_takes_it_elsewhere", "receiver_without_integration"]
    assert 'severity="critical"' in found["cause"]["message"]
    # What the rules say is enough to know it.
    assert code(checks["routing/tree"]) == "receiver_without_integration"
    assert checks["routing/tree"]["cause"]["message"].startswith("InstanceDown, Watchdog: ends at route.routes[0]")
    grouping = checks["routing/team a"]
    assert (grouping["status"], code(grouping)) == ("unknown", "configuration_unreadable")
