# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verdict's module in this process, as a playbook would run it."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args


def result_of(module: ModuleType, given: dict[str, Any]) -> dict[str, Any]:
    """What it returns for these options; it has to have judged."""
    results: list[dict[str, Any]] = []
    with patch_module_args(given), pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr("builtins.print", lambda text, **_more: results.append(json.loads(text)))
        module.main()
    assert "checks" in results[-1], results[-1]
    return results[-1]


def checks_of(module: ModuleType, given: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The same, by the names of its checks."""
    return {check["name"]: check for check in result_of(module, given)["checks"]}
