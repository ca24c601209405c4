# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the fire drill's tasks would write and send, without a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

PLAYBOOKS = Path(__file__).resolve().parents[3] / "playbooks"
CODE = "ABC234"
WORKLOAD = {"kind": "Deployment", "namespace": "data", "name": "trino"}


def tasks(name: str) -> list[dict[str, Any]]:
    return DataLoader().load_from_file(str(PLAYBOOKS / "tasks" / f"{name}.yml"), trusted_as_template=True)


def task(name: str, words: str) -> dict[str, Any]:
    (found,) = (item for item in tasks(name) if item["name"] == words)
    return found


def filled(value: Any, **variables: Any) -> Any:
    """With the play's variables, as Ansible fills it in."""
    (play,) = DataLoader().load_from_file(str(PLAYBOOKS / "fire_drill.yml"), trusted_as_template=True)
    loader = DataLoader()
    return Templar(loader, variables={**play["vars"], "__drill_code": CODE, **variables}).template(value)


@pytest.mark.parametrize("labels", [{}, {"release": "prometheus"}])
def test_the_rule_has_the_labels_by_which_prometheus_selects(labels: dict[str, str]) -> None:
    module = task("drill_rule", "Write the rule")["kubernetes.core.k8s"]
    given = {"rules_labels": labels} if labels else {}
    found = filled(module["definition"]["metadata"]["labels"], **given)
    assert found == {
        **labels,
        "app.kubernetes.io/managed-by": "dataplatform.monitoring",
        "dataplatform.monitoring/drill": CODE,
    }


def announced(**variables: Any) -> dict[str, str]:
    module = task("drill_fault", "Announce the drill to the receivers of the alert")[
        "dataplatform.monitoring.verify_alert_delivery"
    ]
    return filled(module["expectations"][0]["labels"], drill_workload=WORKLOAD, **variables)


def test_the_announcement_has_the_labels_of_the_alert_that_follows() -> None:
    alerts = [
        {"alertname": "Watchdog", "severity": "none"},
        {"alertname": "ServiceDown", "service": "minio", "severity": "critical"},
        {"alertname": "ServicePartlyDown", "service": "trino", "severity": "warning", "team": "analytics"},
        {"alertname": "ServiceDown", "service": "trino", "severity": "warning", "team": "analytics", "cluster": "prod"},
    ]
    assert announced(rules_alerts=alerts) == alerts[-1]
    own = {"alertname": "Mine", "service": "trino"}
    assert announced(rules_alerts=alerts, drill_labels=own) == {"severity": "critical", **own}


@pytest.mark.parametrize(
    ("more", "fits"), [({}, False), ({"drill_labels": {"alertname": "Mine"}}, True), ({"drill_workload": {}}, True)]
)
def test_a_workload_that_no_alert_is_about_is_refused(more: dict[str, Any], fits: bool) -> None:
    (play,) = DataLoader().load_from_file(str(PLAYBOOKS / "fire_drill.yml"), trusted_as_template=True)
    (check,) = (item for item in play["tasks"] if item["name"] == "Refuse a workload that no alert is about")
    # Before the drill has a code; arguments of a task are filled in only where its conditions hold.
    templar = Templar(DataLoader(), variables={**play["vars"], "drill_workload": WORKLOAD, "rules_alerts": [], **more})
    assert "ansible.builtin.fail" in check
    assert all(templar.evaluate_conditional(condition) for condition in check["when"]) is not fits


def test_only_silences_that_a_drill_made_are_swept() -> None:
    ended = task("drill_sweep", "End those of drills")
    there = [{"id": "1", "comment": "DRILL ABC234: the heartbeat"}, {"id": "2", "comment": "no DRILL, ticket 4711"}]
    assert [item["id"] for item in filled(ended["loop"], __drill_silences={"silences": there})] == ["1"]
    assert filled(ended["loop"], __drill_silences={"msg": "no answer"}) == []
    silenced = tasks("drill_heartbeat")[0]["block"][0]["dataplatform.monitoring.alertmanager_silence"]
    assert silenced["comment"].startswith("DRILL ")


def test_a_drill_that_could_not_be_announced_stops_nothing() -> None:
    names = [item["name"] for item in tasks("drill_fault")]
    announce = names.index("Announce the drill to the receivers of the alert")
    assert announce < names.index("Let a process of its own bring it back, should this run be killed")
    assert announce < names.index("Scale the workload to zero")
    found = tasks("drill_fault")[announce]
    module = found["dataplatform.monitoring.verify_alert_delivery"]
    assert "report_only" not in module and not {"failed_when", "ignore_errors"} & set(found)
