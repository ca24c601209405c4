# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""From a fault to the page: stages, their times and shares. This module util is PRIVATE to the collection.

Pure functions. All moments are Unix seconds. Where a server says itself when something happened (Prometheus' activeAt,
Alertmanager's startsAt and updatedAt) its word counts, else the moment at which it was first seen.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause

FIRING, RESOLVED = "firing", "resolved"
#: Stages up to Alertmanager, each the time until the moment of this name; then group_wait and send of each receiver.
STAGES = {
    FIRING: ("noticed", "active", "fired", "received"),
    RESOLVED: ("noticed", "active", "received"),
}
_WORDS = {
    "noticed": {"scrape": "scrape", "load": "load of the rule"},
    "active": {FIRING: "evaluation", RESOLVED: "evaluation"},
    "fired": {FIRING: "for"},
    "received": {FIRING: "to Alertmanager", RESOLVED: "to Alertmanager"},
}


@dataclasses.dataclass
class Moments:
    """When what happened to one alert. None: not yet.

    :param begun: the fault was made, or ended. :param noticed: Prometheus saw it in a scrape, or loaded the rule.
    :param active: the rule's expression became true (or false again). :param fired: it held for its time.
    :param received: the first Alertmanager knew. :param attempted, accepted: by receiver.
    """

    begun: float
    noticed: float | None = None
    active: float | None = None
    fired: float | None = None
    received: float | None = None
    attempted: dict[str, float] = dataclasses.field(default_factory=dict)
    accepted: dict[str, float] = dataclasses.field(default_factory=dict)


class Stage(t.NamedTuple):
    """One part of the way. C(share) is of the whole time up to the last receiver, 0 to 1."""

    name: str
    seconds: float
    share: float


def timeline(moments: Moments, phase: str, first: str) -> list[Stage]:
    """The stages that were reached, in order.

    A moment that is told with less precision than the one before it counts as the same moment.

    :param first: C(scrape) or C(load): what the first stage is.
    """
    rows: list[tuple[str, float]] = []
    last = moments.begun
    for name in STAGES[phase]:
        at = getattr(moments, name)
        if at is None:
            break
        rows.append((_WORDS[name][first if name == "noticed" else phase], max(0.0, at - last)))
        last = max(last, at)
    whole = last
    if moments.received is not None:
        wait = "group_wait" if phase == FIRING else "group_interval"
        for receiver, accepted in moments.accepted.items():
            attempted = min(moments.attempted.get(receiver, accepted), accepted)
            rows.append((f"{wait}, {receiver}", max(0.0, attempted - last)))
            rows.append((f"send, {receiver}", max(0.0, accepted - max(attempted, last))))
            whole = max(whole, accepted)
    total = whole - moments.begun
    return [Stage(name, seconds, seconds / total if total > 0 else 0.0) for name, seconds in rows]


def lines(stages: t.Sequence[Stage], moments: Moments, phase: str) -> list[str]:
    """The timeline as a person reads it, a line for each stage."""
    width = max((len(stage.name) for stage in stages), default=0)
    found = [f"{stage.name:<{width}}  {stage.seconds:6.1f} s  {stage.share:4.0%}" for stage in stages]
    for receiver, at in moments.accepted.items():
        word = "notified" if phase == FIRING else "told that it is over"
        found.append(
            f"{receiver}: {word} {at - moments.begun:.1f} s after the fault {'began' if phase == FIRING else 'ended'}"
        )
    return found


def expectation(phase: str, alert: str) -> tuple[str, str]:
    """Name of the check of the alert itself, and what is expected."""
    if phase == FIRING:
        return "alert", f"{alert} fires and reaches Alertmanager"
    if phase == "silent":
        return "silence", f"{alert} is sent to nobody"
    return "end of the alert", f"{alert} ends, and is over in Alertmanager"


def check(
    moments: Moments, phase: str, first: str, alert: str, waited: float, trouble: _checks.Cause | None = None
) -> _checks.Check:
    """Whether the alert came as far as Alertmanager; the receivers are checks of their own.

    :param trouble: why a server could not be asked in the end.
    """
    name, expected = expectation(phase, alert)
    if moments.received is not None:
        return _checks.ok(name, expected, f"after {moments.received - moments.begun:.1f} s")
    if trouble is not None:
        return _checks.unknown(name, expected, "no answer", [trouble])
    if moments.noticed is None:
        what = "Prometheus scraped the target before and does now, as if nothing had happened"
        if first == "load":
            what = "Prometheus did not load the rule"
        found = cause(
            "drill_not_noticed",
            f"{what}, {waited:.0f} s after the fault {'began' if phase == FIRING else 'ended'}.",
            "see what it runs: ansible-playbook dataplatform.monitoring.verify",
        )
    elif moments.active is None or (phase == FIRING and moments.fired is None):
        state = "was true" if moments.active is not None else "did not become true"
        found = cause(
            "drill_not_firing",
            f"{alert}: the expression {state} within {waited:.0f} s, and the alert "
            f"{'does not fire' if phase == FIRING else 'still fires'}.",
            "look at the rule: promtool query instant http://localhost:9090 ALERTS",
        )
    else:
        found = cause(
            "drill_not_received",
            f"{alert}: Prometheus says that it {'fires' if phase == FIRING else 'is over'}, Alertmanager "
            f"{'does not know it' if phase == FIRING else 'still has it'} after {waited:.0f} s.",
            "see what Prometheus sends to: kubectl get prometheus -A -o jsonpath='{.items[*].spec.alerting}'",
        )
    return _checks.failed(name, expected, "not within the time given", [found])
