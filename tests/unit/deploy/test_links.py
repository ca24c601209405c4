# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the links of alerts lead: told where nobody said it, and said in the example."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(("spec", "told"), [({}, True), ({"externalUrl": ""}, True), ({"externalUrl": "x"}, False)])
def test_an_address_inside_the_cluster_is_told(spec: dict[str, Any], told: bool) -> None:
    path = ROOT / "roles" / "prometheus_operator" / "tasks" / "preflight.yml"
    (note,) = (
        item
        for item in DataLoader().load_from_file(str(path), trusted_as_template=True)
        if "prometheus_external_url" in str(item.get("ansible.builtin.debug"))
    )
    variables = {"__prometheus_operator_all_values": {"prometheus": {"prometheusSpec": spec}}}
    assert Templar(DataLoader(), variables=variables).evaluate_conditional(note["when"]) is told


def test_the_example_says_where_people_reach_every_server() -> None:
    given = DataLoader().load_from_file(str(ROOT / "inventories/example/group_vars/platforms/addresses.yml"))
    assert sorted(given) == [
        f"prometheus_operator_{server}_external_url" for server in ("alertmanager", "grafana", "prometheus")
    ]
