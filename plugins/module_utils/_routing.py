# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The routing tree of Alertmanager: who gets an alert, and why. This module util is PRIVATE to the collection.

Sources, Alertmanager 0.34: dispatch/route.go (newRoute: what a child inherits; Route.Match: the walk), config/config.go
(what is refused when loading). C(match) gives the routes in the server's order, duplicates kept.
"""

from __future__ import annotations

import dataclasses
import heapq
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _alertmanager_yaml as _yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._matchers import (
    Matcher,
    MatcherError,
    PatternSet,
    UnsupportedPattern,
    compiled,
    parse,
)

Labels = t.Mapping[str, str]

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ROUTE_KEYS = {
    *("receiver", "group_by", "group_wait", "group_interval", "repeat_interval", "continue", "routes", "labels"),
    *("match", "match_re", "matchers", "mute_time_intervals", "active_time_intervals"),
}
# Alertmanager's own defaults, in seconds (dispatch/route.go DefaultRouteOpts).
_DEFAULTS = {"group_wait": 30.0, "group_interval": 300.0, "repeat_interval": 14400.0}


@dataclasses.dataclass
class Route:
    """One node of the tree, with the options it really has after inheritance. Durations are seconds."""

    place: str
    receiver: str
    matchers: tuple[Matcher, ...]
    continues: bool
    group_by: tuple[str, ...]
    group_by_all: bool
    group_wait: float
    group_interval: float
    repeat_interval: float
    mute: tuple[str, ...]
    active: tuple[str, ...]
    children: list[Route] = dataclasses.field(default_factory=list)
    _keyed: dict[str, dict[str, list[int]]] = dataclasses.field(default_factory=dict, repr=False)
    _patterned: dict[str, tuple[PatternSet, list[int]]] = dataclasses.field(default_factory=dict, repr=False)
    _always: list[int] = dataclasses.field(default_factory=list, repr=False)

    def fits(self, labels: Labels) -> bool:
        """Whether this node's own matchers are all fulfilled."""
        return all(matcher.matches(labels) for matcher in self.matchers)

    def index(self) -> None:
        """Sort the children by one thing each demands, so that a walk looks only at those that can fit."""
        patterns: dict[str, list[tuple[str, int]]] = {}
        for number, child in enumerate(self.children):
            equal = next((m for m in child.matchers if m.op == "=" and m.value), None)
            pattern = next((m for m in child.matchers if m.op == "=~"), None)
            if equal:
                self._keyed.setdefault(equal.name, {}).setdefault(equal.value, []).append(number)
            elif pattern:
                patterns.setdefault(pattern.name, []).append((pattern.value, number))
            else:
                self._always.append(number)
        for name, pairs in patterns.items():
            self._patterned[name] = (PatternSet([text for text, _n in pairs]), [number for _t, number in pairs])

    def candidates(self, labels: Labels) -> t.Iterable[int]:
        """Numbers of the children that can fit, in the order of the configuration."""
        lists: list[t.Sequence[int]] = [self._always]
        for name, by_value in self._keyed.items():
            found = by_value.get(labels.get(name, ""))
            if found:
                lists.append(found)
        for name, (together, numbers) in self._patterned.items():
            matching = together.matching(labels.get(name, ""))
            if matching:
                lists.append([numbers[index] for index in matching])
        return lists[0] if len(lists) == 1 else heapq.merge(*lists)

    def group_labels(self, labels: Labels) -> dict[str, str]:
        """The labels that make the group of an alert here: those it has of group_by, or all."""
        if self.group_by_all:
            return dict(labels)
        return {name: labels[name] for name in self.group_by if name in labels}

    def walk(self) -> t.Iterator[Route]:
        """This node and everything below, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()


def match(node: Route, labels: Labels) -> list[Route]:
    """The routes an alert ends in. A node counts itself only when none of its children took the alert."""
    if not node.fits(labels):
        return []
    found: list[Route] = []
    for number in node.candidates(labels):
        child = node.children[number]
        below = match(child, labels)
        found += below
        if below and not child.continues:
            break
    return found or [node]


def possible(node: Route, labels: Labels) -> list[Route]:
    """The routes an alert may end in of which only some labels are known; the others may have any value.

    Never too few: where it is not certain that a child takes the alert, the node itself counts too.
    """
    if not all(matcher.matches(labels) for matcher in node.matchers if matcher.name in labels):
        return []
    found: list[Route] = []
    taken = False
    for child in node.children:
        below = possible(child, labels)
        found += below
        if below and all(matcher.name in labels for matcher in child.matchers):
            taken = True
            if not child.continues:
                break
    return found if taken else [*found, node]


def strip_empty(labels: Labels) -> dict[str, str]:
    """An alert's labels as the server keeps them: the API drops those that are empty (api/v2, removeEmptyLabels)."""
    return {name: value for name, value in labels.items() if value != ""}


# --- from configuration to tree ---


def build(config: t.Mapping[str, t.Any], mode: str = "fallback") -> tuple[Route, list[str]]:
    """The tree of a whole configuration, and warnings about matchers that two parsers read differently.

    :param config: what C(_alertmanager_yaml.load) gives, or the same structure as data.
    :raises ConfigError: what the server would refuse to load; the message names the place in the tree.
    :raises UnsupportedPattern: a pattern needs google-re2.
    """
    route = config.get("route")
    if not isinstance(route, dict):
        raise ConfigError("route: there is none; a configuration needs one route with a receiver")
    receivers = receiver_names(config)
    intervals = interval_names(config)
    for key in ("match", "match_re", "matchers"):
        if route.get(key):
            raise ConfigError(
                f"route: {key} is not allowed on the first route, which takes every alert; move it to a child"
            )
    if not _yaml.as_text(route.get("receiver")):
        raise ConfigError("route: receiver is missing; name the receiver of every alert that no child takes")
    if _yaml.as_bool(route.get("continue"), "route.continue"):
        raise ConfigError("route: continue is not allowed on the first route")
    for key in ("mute_time_intervals", "active_time_intervals"):
        if route.get(key):
            raise ConfigError(f"route: {key} is not allowed on the first route; give it to its children")
    warnings: list[str] = []
    tree = _node(route, None, "route", mode, warnings)
    for node in tree.walk():
        if node.receiver not in receivers:
            raise ConfigError(
                f"{node.place}: receiver {node.receiver!r} is not defined; there are: {', '.join(sorted(receivers))}"
            )
        for name in (*node.mute, *node.active):
            if name not in intervals:
                raise ConfigError(f"{node.place}: time interval {name!r} is not defined")
    return tree, warnings


def receiver_names(config: t.Mapping[str, t.Any]) -> set[str]:
    """:raises ConfigError: a receiver without a name, or a name given twice."""
    names: set[str] = set()
    for number, item in enumerate(_yaml.as_list(config.get("receivers"), "receivers")):
        name = _yaml.as_text(_yaml.as_mapping(item, f"receivers[{number}]").get("name"))
        if not name:
            raise ConfigError(f"receivers[{number}]: name is missing")
        if name in names:
            raise ConfigError(f"receivers[{number}]: the name {name!r} is given twice")
        names.add(name)
    return names


def interval_names(config: t.Mapping[str, t.Any]) -> set[str]:
    """Both lists share one set of names. :raises ConfigError: a name is missing or given twice."""
    names: set[str] = set()
    for key in ("time_intervals", "mute_time_intervals"):
        for number, item in enumerate(_yaml.as_list(config.get(key), key)):
            name = _yaml.as_text(_yaml.as_mapping(item, f"{key}[{number}]").get("name"))
            if not name:
                raise ConfigError(f"{key}[{number}]: name is missing")
            if name in names:
                raise ConfigError(f"{key}[{number}]: the name {name!r} is given twice")
            names.add(name)
    return names


def integrations(config: t.Mapping[str, t.Any]) -> dict[str, list[str]]:
    """For each receiver the kinds of its integrations (C(email), C(slack)), one for each; none means nobody is told."""
    found: dict[str, list[str]] = {}
    for item in _yaml.as_list(config.get("receivers"), "receivers"):
        kinds = [
            key.removesuffix("_configs")
            for key, value in item.items()
            if key.endswith("_configs")
            for _each in _yaml.as_list(value, key)
        ]
        found[_yaml.as_text(item.get("name"))] = kinds
    return found


def node_matchers(
    item: t.Mapping[str, t.Any], place: str, mode: str, warnings: list[str], prefix: str = ""
) -> tuple[Matcher, ...]:
    """C(match), C(match_re) and C(matchers) joined and sorted as the server does.

    :param prefix: C(source_) or C(target_) for an inhibition rule.
    :raises ConfigError: the server refuses one of them.
    """
    found: list[Matcher] = []
    try:
        for key, op in ((prefix + "match", "="), (prefix + "match_re", "=~")):
            for name, value in _yaml.as_mapping(item.get(key), f"{place}.{key}").items():
                if value is None and op == "=~":
                    raise ConfigError(f"{place}.{key}: the pattern for {name} is null; write '' to match nothing")
                if not _LABEL_NAME.fullmatch(name):
                    raise ConfigError(f"{place}.{key}: {name!r} is no label name")
                found.append(compiled(name, op, _yaml.as_text(value)))
        key = prefix + "matchers"
        given = item.get(key)
        lines = [given] if isinstance(given, str) else _yaml.as_list(given, f"{place}.{key}")
        for line in lines:
            parsed = parse(_yaml.as_text(line), mode)
            found += parsed.matchers
            if parsed.warning:
                warnings.append(f"{place}: {parsed.warning}")
    except MatcherError as exc:
        raise ConfigError(f"{place}: {exc}") from exc
    except UnsupportedPattern as exc:
        raise UnsupportedPattern(f"{place}: {exc}") from exc
    return tuple(sorted(found, key=lambda m: (m.name, m.value, ("=", "!=", "=~", "!~").index(m.op))))


def _node(item: dict[str, t.Any], parent: Route | None, place: str, mode: str, warnings: list[str]) -> Route:
    unknown = sorted(set(item) - _ROUTE_KEYS)
    if unknown:
        raise ConfigError(f"{place}: {unknown[0]!r} is no key of a route; there are: {', '.join(sorted(_ROUTE_KEYS))}")
    group_by, group_all = parent.group_by if parent else (), parent.group_by_all if parent else False
    if item.get("group_by") is not None:
        given = [_yaml.as_text(name) for name in _yaml.as_list(item["group_by"], f"{place}.group_by")]
        named = tuple(name for name in given if name != "...")
        if "..." in given:
            if named:
                raise ConfigError(f"{place}.group_by: '...' means all labels and stands alone")
            group_all = True
        else:
            if len(set(named)) != len(named) or "" in named:
                raise ConfigError(f"{place}.group_by: a label is given twice or is empty")
            group_by, group_all = named, False
    times: dict[str, float] = {}
    for key, default in _DEFAULTS.items():
        inherited = getattr(parent, key) if parent else default
        given_time = item.get(key)
        times[key] = inherited if given_time is None else _yaml.as_seconds(given_time, f"{place}.{key}")
        if given_time is not None and key != "group_wait" and times[key] == 0:
            raise ConfigError(f"{place}.{key} cannot be zero")
    node = Route(
        place=place,
        receiver=_yaml.as_text(item.get("receiver")) or (parent.receiver if parent else ""),
        matchers=node_matchers(item, place, mode, warnings),
        continues=_yaml.as_bool(item.get("continue"), f"{place}.continue"),
        group_by=group_by,
        group_by_all=group_all,
        mute=_names(item, "mute_time_intervals", place),
        active=_names(item, "active_time_intervals", place),
        **times,
    )
    for number, child in enumerate(_yaml.as_list(item.get("routes"), f"{place}.routes")):
        below = f"{place}.routes[{number}]"
        node.children.append(_node(_yaml.as_mapping(child, below), node, below, mode, warnings))
    node.index()
    return node


def _names(item: dict[str, t.Any], key: str, place: str) -> tuple[str, ...]:
    return tuple(_yaml.as_text(name) for name in _yaml.as_list(item.get(key), f"{place}.{key}"))
