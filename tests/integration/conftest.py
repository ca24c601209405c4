# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers under test are the programs that the lab builds; a machine that has none yet gets the lab first."""

from __future__ import annotations

import pytest

from tests.lab_fixture import BIN


@pytest.fixture(scope="session", autouse=True)
def _programs(request: pytest.FixtureRequest) -> None:
    if not (BIN / "prometheus").exists():
        request.getfixturevalue("lab")
