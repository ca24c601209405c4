# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Why an alert does not reach a receiver, and which one change would bring it there. PRIVATE to the collection.

Pure functions over the tree of C(_routing). Every change that is proposed was tried on a copy of the tree first.
"""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._matchers import Matcher
from ansible_collections.dataplatform.monitoring.plugins.module_utils._routing import Labels, Route, match


class Obstacle(t.NamedTuple):
    """What keeps an alert from one route.

    :param matchers: those that are not fulfilled, with the alert's own values.
    :param taken_by: the sibling that takes the alert first and does not continue.
    :param message: one sentence.
    :param fix: one change, in the words of the configuration.
    :param proven: whether that change alone was seen to bring the alert to the receiver.
    """

    route: Route
    matchers: tuple[Matcher, ...]
    taken_by: Route | None
    message: str
    fix: str
    proven: bool


def show(labels: Labels) -> str:
    """A label set as Prometheus writes it."""
    return "{" + ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "}"


def describe(route: Route) -> str:
    """A route by its place and its matchers."""
    shown = ", ".join(map(str, route.matchers))
    return f"{route.place} ({shown})" if shown else f"{route.place} (no matchers)"


def path_to(root: Route, place: str) -> list[Route]:
    """The routes from the first one down to C(place), both included."""
    node, path = root, [root]
    while node.place != place:
        node = next(child for child in node.children if place == child.place or place.startswith(child.place + "."))
        path.append(node)
    return path


def obstacle(root: Route, target: Route, labels: Labels) -> Obstacle | None:
    """The first thing on the way down that keeps the alert from C(target), or None when it does get there."""
    path = path_to(root, target.place)
    for parent, node in zip(path, path[1:], strict=False):
        unmet = tuple(matcher for matcher in node.matchers if not matcher.matches(labels))
        if unmet:
            wrong = "; ".join(f'{m} is not fulfilled, the alert has {m.name}="{labels.get(m.name, "")}"' for m in unmet)
            return Obstacle(
                node,
                unmet,
                None,
                f"{node.place} does not take it: {wrong}.",
                f"change {', '.join(map(str, unmet))} of {node.place}, or the labels of the alert",
                False,
            )
        for sibling in parent.children[: parent.children.index(node)]:
            if sibling.continues or not match(sibling, labels):
                continue
            proven = _with_continue(root, sibling.place, labels, target.receiver)
            return Obstacle(
                node,
                (),
                sibling,
                f"{describe(sibling)} takes it first and does not continue, so {node.place} is never asked.",
                f"set continue: true on {sibling.place}",
                proven,
            )
    if target.children and target not in match(root, labels):
        taker = next(child for child in target.children if match(child, labels))
        side = "after" if taker.continues else "before"
        return Obstacle(
            target,
            (),
            taker,
            f"{target.place} has the receiver, but a parent notifies only when none of its children takes the alert; "
            f"{describe(taker)} does.",
            f"add {side} {taker.place} a route with receiver: {target.receiver} and continue: true",
            True,
        )
    return None


def _with_continue(root: Route, place: str, labels: Labels, receiver: str) -> bool:
    """Whether the receiver is reached once the route at C(place) continues."""
    changed = copy.deepcopy(root)
    path_to(changed, place)[-1].continues = True
    return any(route.receiver == receiver for route in match(changed, labels))


def nearest(root: Route, receiver: str, labels: Labels) -> Obstacle | None:
    """Of all routes to a receiver, what is least in the way: a proven change first, then one that adds no route."""
    found = [obstacle(root, route, labels) for route in root.walk() if route.receiver == receiver]
    real = [item for item in found if item is not None]

    def effort(item: Obstacle) -> tuple[bool, bool, int, int]:
        new_route = item.taken_by is not None and item.taken_by in item.route.children
        return not item.proven, new_route, len(item.matchers), len(item.route.place)

    return min(real, key=effort, default=None)


# --- what is wrong with a tree whatever the alert ---


def contradictory(matchers: t.Iterable[Matcher]) -> tuple[Matcher, Matcher] | None:
    """Two matchers of one label that no value fulfils, as far as an equality tells."""
    found = list(matchers)
    for equal in found:
        if equal.op != "=":
            continue
        for other in found:
            if other.name == equal.name and not other.matches({equal.name: equal.value}):
                return equal, other
    return None


def unreachable(root: Route) -> list[tuple[Route, str]]:
    """Routes that no alert can reach, with the reason: contradictory matchers, or an earlier route takes everything."""
    found: list[tuple[Route, str]] = []

    def visit(node: Route, above: tuple[Matcher, ...]) -> None:
        for index, child in enumerate(node.children):
            conflict = contradictory((*above, *child.matchers))
            if conflict:
                found.append((child, f"{conflict[0]} and {conflict[1]} exclude each other"))
                continue
            shadow = next(
                (
                    earlier
                    for earlier in node.children[:index]
                    if not earlier.continues and set(earlier.matchers) <= {*child.matchers, *above}
                ),
                None,
            )
            if shadow:
                found.append((child, f"{describe(shadow)} takes everything it could take, and does not continue"))
                continue
            visit(child, (*above, *child.matchers))

    visit(root, ())
    return found


def idle_continues(root: Route) -> list[tuple[Route, str]]:
    """Routes whose C(continue) changes nothing, as no later sibling can take the same alert."""
    found: list[tuple[Route, str]] = []
    for node in root.walk():
        for index, child in enumerate(node.children):
            if not child.continues:
                continue
            later = node.children[index + 1 :]
            if all(contradictory((*child.matchers, *other.matchers)) for other in later):
                why = "there is no later route" if not later else "no later route can take the same alert"
                found.append((child, why))
    return found
