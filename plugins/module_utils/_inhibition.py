# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which alert silences which: Alertmanager's inhibition rules. This module util is PRIVATE to the collection.

Source: Alertmanager 0.34, inhibit/inhibit.go. A server of 0.28 to 0.34 remembers one source per equal label set, may
and so inhibit less than its rules say; this module goes by the rules, and a verdict compares with the live answer.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _alertmanager_yaml as _yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._matchers import Matcher
from ansible_collections.dataplatform.monitoring.plugins.module_utils._routing import Labels, node_matchers

_KEYS = {"name", "equal"} | {side + key for side in ("source_", "target_") for key in ("match", "match_re", "matchers")}


class InhibitRule(t.NamedTuple):
    """While an alert fits C(source), alerts that fit C(target) and agree in C(equal) are not sent."""

    place: str
    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...]


def load(config: t.Mapping[str, t.Any], mode: str = "fallback") -> tuple[list[InhibitRule], list[str]]:
    """The rules in order, and warnings about matchers that two parsers read differently.

    :raises ConfigError: what the server refuses; the message names the place.
    """
    rules: list[InhibitRule] = []
    warnings: list[str] = []
    for number, given in enumerate(_yaml.as_list(config.get("inhibit_rules"), "inhibit_rules")):
        place = f"inhibit_rules[{number}]"
        item = _yaml.as_mapping(given, place)
        unknown = sorted(set(item) - _KEYS)
        if unknown:
            raise ConfigError(f"{place}: {unknown[0]!r} is no key; there are: {', '.join(sorted(_KEYS))}")
        equal = tuple(_yaml.as_text(name) for name in _yaml.as_list(item.get("equal"), f"{place}.equal"))
        if "" in equal:
            raise ConfigError(f"{place}.equal: an empty label name")
        rules.append(
            InhibitRule(
                place,
                node_matchers(item, place, mode, warnings, "source_"),
                node_matchers(item, place, mode, warnings, "target_"),
                equal,
            )
        )
    return rules, warnings


def _fits(matchers: tuple[Matcher, ...], labels: Labels) -> bool:
    return all(matcher.matches(labels) for matcher in matchers)


def inhibited_by(
    rules: t.Sequence[InhibitRule], labels: Labels, firing: t.Iterable[Labels]
) -> tuple[InhibitRule, Labels] | None:
    """The first rule that keeps an alert from being sent, and the alert that does it; None when it is sent.

    A label missing on both sides counts as equal. An alert that fits both sides of a rule is not inhibited by another
    that fits both sides too.
    """
    alerts = list(firing)
    for rule in rules:
        if not _fits(rule.target, labels):
            continue
        two_sided = _fits(rule.source, labels)
        for source in alerts:
            if not _fits(rule.source, source):
                continue
            if any(source.get(name, "") != labels.get(name, "") for name in rule.equal):
                continue
            if two_sided and _fits(rule.target, source):
                continue
            return rule, source
    return None
