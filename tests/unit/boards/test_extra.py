# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boards that the user brings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _boards, _boards_extra
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

TEAM = {"uid": "team", "title": "Team", "panels": [{"type": "stat", "title": "{{ not a template }}"}], "id": 7}
SHARED = {
    **TEAM,
    "uid": "shared",
    "__inputs": [{"name": "DS_PROM", "type": "datasource", "pluginId": "prometheus"}],
    "panels": [{"type": "stat", "datasource": {"type": "prometheus", "uid": "${DS_PROM}"}}],
}
SOURCES = {"prometheus": "prometheus", "loki": "loki"}


def made(*given: Any, texts: dict[str, str] | None = None, ours: Any = ()) -> list[dict[str, Any]]:
    return _boards_extra.extra_boards(_boards_extra.items(list(given), texts or {}), "Data platform", SOURCES, ours)


def test_every_way_of_writing_one() -> None:
    text = json.dumps(TEAM)
    for given, texts in (
        ("team.json", {"team.json": text}),
        ({"file": "team.json"}, {"team.json": text}),
        ({"board": TEAM}, {}),
        ({"board": text}, {}),
        (TEAM, {}),
        # as Grafana's API gives it
        ({"board": {"dashboard": TEAM, "meta": {}}}, {}),
    ):
        found = made(given, texts=texts)
        assert found == [
            {
                "uid": "team",
                "title": "Team",
                "folder": "Data platform",
                "file": "team.json",
                "board": {**TEAM, "id": None},
            }
        ]


def test_a_folder_of_its_own_or_none() -> None:
    assert [made({"board": TEAM, "folder": folder})[0]["folder"] for folder in ("Streaming", "")] == ["Streaming", ""]


def test_datasources_that_an_export_leaves_open_are_filled_in() -> None:
    board = made(SHARED)[0]["board"]
    assert board["panels"][0]["datasource"]["uid"] == "prometheus"
    assert "__inputs" not in board
    wrong = {**SHARED, "__inputs": [{"name": "DS_X", "type": "datasource", "pluginId": "influxdb"}]}
    with pytest.raises(ConfigError, match="wants a datasource of type influxdb"):
        made(wrong)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (7, r"dashboards_extra\[0\]: must be a path"),
        ({"folder": "x"}, r"dashboards_extra\[0\]: must be a path"),
        ({"board": "{"}, "is no JSON"),
        ({"board": {"title": "x"}}, "is no dashboard"),
        ({"board": {**TEAM, "title": ""}}, "has no title"),
        ({"board": {**TEAM, "uid": None}}, "its uid is None"),
        ({"board": {**TEAM, "uid": "Team A"}}, "its uid is 'Team A'"),
    ],
)
def test_what_is_no_board(given: Any, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        made(given)


def test_a_uid_is_taken_once() -> None:
    with pytest.raises(ConfigError, match=r"dashboards_extra\[1\]: its uid team is that of dashboards_extra\[0\]"):
        made(TEAM, TEAM)
    with pytest.raises(ConfigError, match=r"its uid team is that of the board 'Ours'"):
        made(TEAM, ours=[{"uid": "team", "title": "Ours"}])


def test_they_come_after_ours_and_lie_in_config_maps_of_their_own(kit: Any) -> None:
    extra = _boards_extra.items([TEAM], {})
    found = _boards.dashboards(kit.resolve(*kit.example()), _boards.Settings.of({"extra": extra}))
    assert found[-1]["uid"] == "team"
    objects = _boards.dashboard_objects(found, _boards.Settings())
    assert objects[-1]["metadata"]["name"] == "dashboard-team"
    assert json.loads(objects[-1]["data"]["team.json"])["panels"] == TEAM["panels"]
