# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which test alerts to send, so that each receiver is tried once and at once. PRIVATE to the collection.

An alert that joins a group which was notified already waits for group_interval instead of group_wait, and may be held
back until repeat_interval. So a label that the route groups by is made unique to the alert, one that no matcher asks
for: the routes must stay the same. Source of the waits: Alertmanager 0.34, dispatch/dispatch.go and cmd/alertmanager
(peer timeout), notify/notify.go (MinTimeout).
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _routing, _time_intervals
from ansible_collections.dataplatform.monitoring.plugins.module_utils._routing import Route
from ansible_collections.dataplatform.monitoring.plugins.module_utils._routing_checks import Configuration
from ansible_collections.dataplatform.monitoring.plugins.module_utils._routing_oracle import MARKER

#: Seconds that a replica waits for each one before it (Alertmanager's --cluster.peer-timeout).
PEER_TIMEOUT = 15.0
#: Seconds that a pipeline has at least, whatever group_interval is.
MIN_TIMEOUT = 10.0
#: Seconds for everything that is not configured: the flush itself, the answer, our own looking.
SLACK = 6.0
#: A test alert ends by itself after this many seconds, whatever becomes of this process.
LONGEST = 600.0

Group = tuple[str, tuple[tuple[str, str], ...]]


@dataclasses.dataclass(frozen=True)
class Trial:
    """One test alert. C(routes) are those that lead to receivers of the test.

    :param joins: places of routes whose group is active already, so that the alert waits for its next turn.
    :param shared: places of routes whose group is not the alert's own, active or not.
    :param muted: why a route does not notify now, by place.
    """

    code: str
    labels: t.Mapping[str, str]
    routes: tuple[Route, ...]
    joins: frozenset[str]
    muted: t.Mapping[str, str]
    shared: frozenset[str] = frozenset()

    def of(self, receiver: str) -> list[Route]:
        """Routes of one receiver: each is a notification of its own."""
        return [route for route in self.routes if route.receiver == receiver]

    def wait(self, receiver: str, position: float) -> float:
        """Seconds after which every attempt for this receiver has begun."""
        waits = [route.group_interval if route.place in self.joins else route.group_wait for route in self.of(receiver)]
        return max(waits) + position * PEER_TIMEOUT + SLACK

    def earliest(self, receiver: str) -> float:
        """Seconds before which no attempt for this receiver begins."""
        return min(0.0 if route.place in self.joins else route.group_wait for route in self.of(receiver))

    def patience(self, receiver: str, position: float) -> float:
        """Seconds after which retries have ended and the reason of a failure is counted."""
        turns = [max(route.group_interval, MIN_TIMEOUT) for route in self.of(receiver)]
        return self.wait(receiver, position) + max(turns) + position * PEER_TIMEOUT

    def annotations(self) -> dict[str, str]:
        """What a person reads: that it is a drill, and the code."""
        return {
            "summary": f"DRILL {self.code}: test of the notifications, nothing is wrong",
            "description": f"DRILL {self.code}. Sent by dataplatform.monitoring to prove that this receiver is "
            "reached; it ends by itself within ten minutes.",
        }


def reached(config: Configuration, labels: t.Mapping[str, t.Any]) -> list[str]:
    """Receivers with an integration that these labels lead to."""
    kept = _routing.strip_empty({name: str(value) for name, value in labels.items()})
    found = (route.receiver for route in _routing.match(config.root, kept))
    return list(dict.fromkeys(name for name in found if config.integrations.get(name)))


def choose(
    config: Configuration, alerts: t.Sequence[t.Mapping[str, t.Any]], wanted: t.Sequence[str]
) -> tuple[list[tuple[t.Mapping[str, t.Any], list[str]]], list[str]]:
    """As few alerts as reach every receiver, in the order given, each with the receivers it is to prove.

    :param alerts: label sets. :param wanted: receivers; empty means all that the alerts reach.
    :returns: the choice, and the receivers that no alert reaches.
    """
    by_alert = [(labels, reached(config, labels)) for labels in alerts]
    open_ones = list(wanted) or list(dict.fromkeys(name for _labels, names in by_alert for name in names))
    chosen: list[tuple[t.Mapping[str, t.Any], list[str]]] = []
    while open_ones:
        labels, names = max(
            by_alert, key=lambda item: len(set(item[1]) & set(open_ones)), default=(t.cast("dict[str, t.Any]", {}), [])
        )
        new = [name for name in names if name in open_ones]
        if not new:
            break
        chosen.append((labels, new))
        open_ones = [name for name in open_ones if name not in new]
    return chosen, open_ones


def unique(root: Route, labels: t.Mapping[str, t.Any], code: str) -> tuple[dict[str, str], list[Route], set[str]]:
    """The labels with the code in one of those that each route groups by, as long as the routes stay the same.

    :returns: the labels as they are sent, the routes, and the places of routes whose group is still not its own.
    """
    original = _routing.strip_empty({name: str(value) for name, value in labels.items()})
    marked = {**original, MARKER: f"delivery-{code}"}
    routes = _routing.match(root, marked)
    places = [route.place for route in routes]
    shared = {route.place for route in routes if MARKER not in route.group_labels(marked)}
    for route in routes:
        if route.place not in shared:
            continue
        # The name first: it is what every template shows.
        for name in sorted(route.group_by, key=lambda label: label != "alertname"):
            changed = {**marked, name: f"DRILL {code} {original.get(name, '')}".strip()}
            if [found.place for found in _routing.match(root, changed)] == places:
                marked = changed
                shared = {item.place for item in routes if not _own_group(item, marked, original)}
                break
    return marked, routes, shared


def _own_group(route: Route, marked: t.Mapping[str, str], original: t.Mapping[str, str]) -> bool:
    return any(original.get(name) != value for name, value in route.group_labels(marked).items())


def trial(
    config: Configuration,
    labels: t.Mapping[str, t.Any],
    receivers: t.Sequence[str],
    code: str,
    active: t.Collection[Group],
    now: datetime.datetime,
) -> Trial:
    """Make the test alert.

    :param active: receiver and sorted labels of the groups that have alerts now.
    """
    marked, routes, shared = unique(config.root, labels, code)
    meant = tuple(route for route in routes if route.receiver in receivers)
    joins = {
        route.place
        for route in meant
        if route.place in shared and (route.receiver, tuple(sorted(route.group_labels(marked).items()))) in active
    }
    muted = {}
    for route in meant:
        sends, why = _time_intervals.sends(route.mute, route.active, config.intervals, now)
        if not sends:
            muted[route.place] = why
    return Trial(code, marked, meant, frozenset(joins), muted, frozenset(shared))


def kinds(config: Configuration, made: Trial, receiver: str) -> dict[str, int]:
    """How many notifications of each kind are due at a receiver: its integrations, for each route that leads there."""
    due: dict[str, int] = {}
    for kind in config.integrations.get(receiver, []):
        due[kind] = due.get(kind, 0) + len(made.of(receiver))
    return due


def told_apart(config: Configuration, receiver: str) -> bool:
    """Whether no other receiver has integrations of the same kinds, so that counters by kind are its own."""
    mine = set(config.integrations.get(receiver, []))
    return not any(mine & set(theirs) for name, theirs in config.integrations.items() if name != receiver)
