# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Filters of the deploying roles: preflight and exporters. Each is one pure function of a module util."""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _exporters,
    _preflight,
    _preflight_loki,
    _preflight_stack,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import plain


def _refusals(settings: t.Any) -> list[str]:
    """:param settings: those of the role named in C(role); every reason why it does not start."""
    settings = plain(settings)
    return _ROLES[settings["role"]](settings)


_ROLES: dict[str, t.Callable[[t.Any], list[str]]] = {
    "alertmanager": _preflight.alertmanager,
    "exporters": _preflight.exporters,
    "loki": _preflight_loki.refuse,
    "prometheus_operator": _preflight_stack.refuse,
}


class FilterModule:
    """The names under which templates know them."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "refusals": _refusals,
            "exporter_decisions": lambda catalogue, settings=None: _exporters.exporter_decisions(
                plain(catalogue), plain(settings or {})
            ),
            "exporter_objects": lambda catalogue, settings=None: _exporters.exporter_objects(
                plain(catalogue), plain(settings or {})
            ),
            "exporter_secrets": lambda catalogue, settings=None: _exporters.exporter_secrets(
                plain(catalogue), plain(settings or {})
            ),
            "exporter_workloads": lambda catalogue, settings=None: _exporters.exporter_workloads(
                plain(catalogue), plain(settings or {})
            ),
        }
