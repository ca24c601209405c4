# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Alertmanager's configuration as filters. Each is documented in the .yml file of its name."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _alertmanager_config,
    _alertmanager_expectations,
    _alertmanager_plan,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_settings import Settings
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import plain
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import MonitoringError


def alertmanager_config(settings: t.Any) -> dict[str, t.Any]:
    """See alertmanager_config.yml."""
    try:
        return _alertmanager_config.config_of(Settings.of(settings))
    except MonitoringError as exc:
        raise AnsibleFilterError(str(exc)) from exc


def routing_expectations(settings: t.Any, catalogue: t.Any = None, extra: t.Any = ()) -> list[dict[str, t.Any]]:
    """See routing_expectations.yml."""
    try:
        found = _alertmanager_expectations.routing_expectations(Settings.of(settings), plain(catalogue or {}))
    except MonitoringError as exc:
        raise AnsibleFilterError(str(exc)) from exc
    return [*found, *plain(list(extra or []))]


def alertmanager_plan(
    settings: t.Any,
    catalogue: t.Any = None,
    alertmanager: t.Any = None,
    name: str = "kube-prometheus-stack-alertmanager",
    accept: t.Any = (),
    expectations: t.Any = (),
) -> dict[str, t.Any]:
    """See alertmanager_plan.yml."""
    return _alertmanager_plan.plan(
        settings,
        plain(catalogue or {}),
        plain(alertmanager) if alertmanager else None,
        str(name),
        plain(list(accept or [])),
        plain(list(expectations or [])),
    )


class FilterModule:
    """The names under which templates know them."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "alertmanager_config": alertmanager_config,
            "alertmanager_plan": alertmanager_plan,
            "routing_expectations": routing_expectations,
        }
