# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""When role prometheus_operator writes the custom resource definitions: whenever the chart is another one."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from tests.lab_fixture import ROOT

ROLE = ROOT / "roles" / "prometheus_operator"
MONITORS = {"servicemonitors": {"version": "v1"}}


def due(chart: str, crds: dict[str, Any], version: str = "88.5.3", **given: Any) -> bool:
    loader = DataLoader()
    variables: dict[str, Any] = {}
    for path in (ROLE / "defaults" / "main.yml", *sorted((ROLE / "vars" / "main").glob("*.yml"))):
        variables |= loader.load_from_file(str(path), trusted_as_template=True)
    release = {"name": "kube-prometheus-stack", "namespace": "monitoring", "chart": chart}
    cluster = {"releases": [release] if chart else [], "crds": crds}
    given |= {"prometheus_operator_chart_version": version, "__prometheus_operator_cluster": {"cluster": cluster}}
    return bool(Templar(loader, variables=variables | given).template(variables["__prometheus_operator_crds_due"]))


@pytest.mark.parametrize(
    ("chart", "crds", "wanted"),
    [
        ("", {}, True),
        ("kube-prometheus-stack-88.5.3", MONITORS, False),
        ("kube-prometheus-stack-88.5.3+build.1", MONITORS, False),
        ("kube-prometheus-stack-87.0.0", MONITORS, True),
        ("kube-prometheus-stack-88.5.3", {}, True),
    ],
)
def test_definitions_are_due_when_the_chart_is_another_one(chart: str, crds: dict[str, Any], wanted: bool) -> None:
    assert due(chart, crds) is wanted
    assert due(chart, crds, prometheus_operator_upgrade_crds=False) is False
