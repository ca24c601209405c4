# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Windows and burn rates of the alerts on error budgets. This module util is PRIVATE to the collection.

Source: The Site Reliability Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts" (table 5-8): 14.4 over 1h and
5m, 6 over 6h and 30m, 3 over 1d and 2h, 1 over 3d and 6h, for an objective over 30 days. Each says that a share of the
budget is gone within the long window: 2 %, 5 %, 10 %, 10 %. For another window of the objective the shares and the
windows stay and the burn rates follow (28 days: 13.44, 5.6, 2.8, 0.93), as in sloth's windows google-28d and
google-30d.
"""

from __future__ import annotations

import typing as t

DAY = 86_400.0
# Every window for which ratios and burn rates are recorded, with its length in seconds.
WINDOWS: dict[str, float] = {
    "5m": 300.0,
    "30m": 1_800.0,
    "1h": 3_600.0,
    "2h": 7_200.0,
    "6h": 21_600.0,
    "1d": DAY,
    "3d": 3 * DAY,
}
# Part of a window without any success beyond which it counts as lost: burn rates that no outage reaches end here.
OUTAGE = 0.9
# So many failed events at least, where nothing else is said: one alone wakes nobody.
LEAST_ERRORS = 2.0


class Pair(t.NamedTuple):
    """Two windows that must both burn: the long one says that it matters, the short one that it goes on.

    :param share: of the whole budget, gone within the long window.
    """

    severity: str
    name: str
    long: str
    short: str
    share: float


PAIRS = (
    Pair("page", "page_quick", "1h", "5m", 0.02),
    Pair("page", "page_slow", "6h", "30m", 0.05),
    Pair("ticket", "ticket_quick", "1d", "2h", 0.10),
    Pair("ticket", "ticket_slow", "3d", "6h", 0.10),
)


def budget(objective: float) -> float:
    """The share of events that may fail, 0 to 1, for an objective in percent."""
    return round((100.0 - objective) / 100.0, 12)


def factor(pair: Pair, window: float, allowed: float) -> float:
    """The burn rate above which a pair alerts.

    Never below 1, which is what the budget allows, and never so high that an outage of nearly the whole long window
    could not reach it (objectives below 94 %).

    :param window: of the objective, in seconds. :param allowed: the budget, 0 to 1.
    """
    return min(max(1.0, pair.share * window / WINDOWS[pair.long]), OUTAGE / allowed)


def least_events(name: str, window: float, allowed: float, given: float | None = None) -> float:
    """Events in a window below which the missing ones are taken for good.

    :param name: one of C(WINDOWS). :param given: what the user says for the long windows; by default so many that two
        failed events are needed. Short windows ask for a twelfth, as they are a twelfth of their long ones.
    """
    for pair in PAIRS:
        if name in (pair.long, pair.short):
            wanted = given if given is not None else LEAST_ERRORS / (factor(pair, window, allowed) * allowed)
            return wanted if name == pair.long else wanted / 12
    raise KeyError(name)


def burning(rates: t.Mapping[str, float | None], window: float, allowed: float) -> str | None:
    """C(page), C(ticket) or None, as the alerts decide it.

    :param rates: burn rate by the name of its window; None where it is not known.
    """
    for pair in PAIRS:
        limit = factor(pair, window, allowed)
        both = (rates.get(pair.long), rates.get(pair.short))
        if all(rate is not None and rate > limit for rate in both):
            return pair.severity
    return None
