# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Alerting rules of the catalogue as filters. Each is documented in the .yml file of its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _rules
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import plain
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import MonitoringError


def catalogue_rules(catalogue: Any, settings: Any = None) -> list[dict[str, Any]]:
    """See catalogue_rules.yml."""
    return _rules.catalogue_rules(plain(catalogue), _rules.Settings.of(settings))


def rule_expectations(catalogue: Any, settings: Any = None) -> list[dict[str, Any]]:
    """See rule_expectations.yml."""
    return _rules.rule_expectations(plain(catalogue), _rules.Settings.of(settings))


def alert_label_sets(catalogue: Any, settings: Any = None) -> list[dict[str, str]]:
    """See alert_label_sets.yml."""
    data = plain(catalogue)
    return _rules.alert_label_sets(data, _rules.Settings.of(settings), data.get("cluster") or "")


def replaced_chart_alerts(catalogue: Any) -> list[str]:
    """See replaced_chart_alerts.yml."""
    return _rules.replaced_chart_alerts(plain(catalogue))


def rules_file(objects: Any) -> str:
    """See rules_file.yml."""
    groups = [
        {**group, "name": f"{item['metadata']['name']}/{group['name']}"}
        for item in plain(objects)
        for group in item["spec"]["groups"]
    ]
    return json.dumps({"groups": groups}, indent=1)


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The one place where an error of ours, or an input that is no catalogue, becomes Ansible's."""

    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except MonitoringError as error:
            raise AnsibleFilterError(str(error)) from error
        except (AttributeError, KeyError, TypeError) as error:
            raise AnsibleFilterError(
                f"the input is not what {function.__name__} takes ({error!r}); "
                "the filters that derive take the result of dataplatform.monitoring.catalogue_resolve."
            ) from error

    return run


class FilterModule:
    """Filters of the alerting rules."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name -> function."""
        functions = (catalogue_rules, rule_expectations, alert_label_sets, replaced_chart_alerts, rules_file)
        return {function.__name__: _guarded(function) for function in functions}
