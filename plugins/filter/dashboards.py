# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Boards of the catalogue as filters. Each is documented in the .yml file of its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _boards, _boards_extra
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import plain
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import MonitoringError


def dashboards(catalogue: Any, settings: Any = None) -> list[dict[str, Any]]:
    """See dashboards.yml."""
    return _boards.dashboards(plain(catalogue), _boards.Settings.of(settings))


def dashboard_objects(boards: Any, settings: Any = None) -> list[dict[str, Any]]:
    """See dashboard_objects.yml."""
    return _boards.dashboard_objects(plain(boards), _boards.Settings.of(settings))


def dashboard_extra(items: Any, texts: Any = None) -> list[dict[str, Any]]:
    """See dashboard_extra.yml."""
    return _boards_extra.items(plain(items or []), plain(texts or {}))


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The one place where an error of ours, or an input that is no catalogue, becomes Ansible's."""

    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except MonitoringError as error:
            raise AnsibleFilterError(str(error)) from error
        except (AttributeError, KeyError, TypeError) as error:
            raise AnsibleFilterError(
                f"the input is not what {function.__name__} takes ({error!r}): dashboards takes the result of "
                "dataplatform.monitoring.catalogue_resolve, and dashboard_objects that of dashboards."
            ) from error

    return run


class FilterModule:
    """Filters of the boards."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name -> function."""
        return {function.__name__: _guarded(function) for function in (dashboards, dashboard_objects, dashboard_extra)}
