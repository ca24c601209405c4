# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every board, read by Grafana's own model of a dashboard and written again, is the same.

grafana-foundation-sdk is generated from the schemas of Grafana: what its classes do not know is lost on the way, what
they cannot read fails, and what we left to a default comes back as that default.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _boards_files

sdk = pytest.importorskip("grafana_foundation_sdk.models.dashboard", reason="grafana-foundation-sdk is not installed")

#: Ours, or not in the schemas: why an empty panel is good, and when a metric comes.
OWN = {"mayBeEmpty", "absentUntil"}


@pytest.fixture(scope="session", autouse=True)
def plugins() -> None:
    from grafana_foundation_sdk.cog.plugins import register_default_plugins

    register_default_plugins()


def differences(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """What of ours is not in theirs; more may be."""
    if isinstance(ours, dict):
        if not isinstance(theirs, dict):
            return [f"{path}: {ours!r} became {theirs!r}"]
        return [
            found
            for key, value in ours.items()
            if key not in OWN
            for found in (
                differences(value, theirs[key], f"{path}.{key}")
                if key in theirs
                else [f"{path}.{key} is unknown"] * (value not in (None, [], {}, False))
            )
        ]
    if isinstance(ours, list):
        if not isinstance(theirs, list) or len(ours) != len(theirs):
            return [f"{path}: {ours!r} became {theirs!r}"]
        return [
            found
            for number, (one, other) in enumerate(zip(ours, theirs, strict=True))
            for found in differences(one, other, f"{path}[{number}]")
        ]
    return [] if ours == theirs else [f"{path}: {ours!r} became {theirs!r}"]


@pytest.mark.parametrize("key", _boards_files.ORDER)
def test_grafana_s_own_model_reads_the_board(full: dict[str, Any], key: str) -> None:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder

    board = sdk.Dashboard.from_json(json.loads(json.dumps(full[key])))
    again = json.loads(JSONEncoder(sort_keys=True).encode(board))
    assert differences(full[key], again) == []


def test_a_key_that_grafana_does_not_know_is_noticed(full: dict[str, Any]) -> None:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder

    wrong = {**full["slo"], "panels": [{**full["slo"]["panels"][1], "gridPso": {"x": 1}}]}
    again = json.loads(JSONEncoder().encode(sdk.Dashboard.from_json(wrong)))
    assert differences(wrong, again) == [".panels[0].gridPso is unknown"]
