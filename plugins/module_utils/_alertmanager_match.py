# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""C(match) and C(match_re) said by C(matchers), in routes and inhibition rules. PRIVATE to the collection. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _alertmanager_yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_settings import quoted
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_text import dump
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause

Config = dict[str, t.Any]
Cause = dict[str, str]


def rewritten(config: Config, corrected: Config) -> list[Cause]:
    """Replace both in C(corrected), and tell every place."""
    places: list[str] = []
    _rewrite_routes(corrected.get("route"), "route", places)
    for number, rule in enumerate(_alertmanager_yaml.as_list(corrected.get("inhibit_rules"), "inhibit_rules")):
        if isinstance(rule, dict):
            for prefix in ("source_", "target_"):
                _rewrite(rule, prefix, f"inhibit_rules[{number}]", places)
    if not places:
        return []
    return [
        cause(
            "deprecated_match",
            f"match and match_re are deprecated and will be removed: {', '.join(places)}.",
            "write matchers instead:\n" + _corrected_matches(config, corrected),
        )
    ]


def _rewrite_routes(route: t.Any, place: str, places: list[str]) -> None:
    if not isinstance(route, dict):
        return
    _rewrite(route, "", place, places)
    for number, child in enumerate(_alertmanager_yaml.as_list(route.get("routes"), f"{place}.routes")):
        _rewrite_routes(child, f"{place}.routes[{number}]", places)


def _rewrite(item: Config, prefix: str, place: str, places: list[str]) -> None:
    matchers: list[str] = []
    for key, op in (("match", "="), ("match_re", "=~")):
        given = item.pop(prefix + key, None)
        if given is None:
            continue
        places.append(f"{place}.{prefix}{key}")
        matchers += [
            f"{name}{op}{quoted(_alertmanager_yaml.as_text(value))}"
            for name, value in _alertmanager_yaml.as_mapping(given, f"{place}.{prefix}{key}").items()
        ]
    if matchers:
        old = item.get(prefix + "matchers") or []
        item[prefix + "matchers"] = [*([old] if isinstance(old, str) else old), *matchers]


def _corrected_matches(config: Config, corrected: Config) -> str:
    """The routes and rules that had one of them, as they should be."""
    shown: Config = {}
    if _uses_match(config.get("route")):
        shown["routes"] = (corrected.get("route") or {}).get("routes") or []
    if any(_uses_match(rule) for rule in config.get("inhibit_rules") or []):
        shown["inhibit_rules"] = corrected["inhibit_rules"]
    return dump(shown).rstrip()


def _uses_match(value: t.Any) -> bool:
    if isinstance(value, list):
        return any(_uses_match(item) for item in value)
    if not isinstance(value, dict):
        return False
    return any(key.endswith(("match", "match_re")) or _uses_match(item) for key, item in value.items())
