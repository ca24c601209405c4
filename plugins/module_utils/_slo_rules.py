# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The recording rules of an SLO, and what its alerts are filled with. This module util is PRIVATE to the collection.

Once a minute up to three numbers are recorded: which part of the service is down, and, where requests are counted, how
many fail and how many there are, a second, over five minutes. Everything else is made of these, so that a window of a
month reads 40 000 samples of one series and not a month of every counter. Summing failed and all events before dividing
weights a busy hour as it deserves; no events are no failure. Time without any target counts by its length::

    ratio = 1 - (1 - failed / all) * (1 - time down)

A burn rate is that ratio, of the window as a whole: minutes that nobody recorded did not burn anything, so that a young
service does not page for its first bad minute, and neither does a single failed request in a quiet hour.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _slo_burn
from ansible_collections.dataplatform.monitoring.plugins.module_utils._slo import Slo

# Every number below that counts samples is made for this interval, in seconds.
STEP = 60
INTERVAL = "1m"
DOWN = "slo:downtime:ratio"
ERRORS = "slo:errors:rate5m"
EVENTS = "slo:events:rate5m"
# Divisor where nothing happened: 0 / nearly 0 is 0, and not NaN.
_NOTHING = 1e-9


def names(counting: bool) -> list[str]:
    """Every metric that is recorded of an SLO.

    :param counting: whether it counts events.
    """
    rates = [f"slo:{what}:rate{window}" for what in ("error_ratio", "burn_rate") for window in _slo_burn.WINDOWS]
    made = ["slo:objective:ratio", "slo:coverage:ratio", "slo:error_ratio:window", "slo:error_budget_remaining:ratio"]
    return [DOWN, *([ERRORS, EVENTS] if counting else []), *made, *rates]


def records(slo: Slo) -> list[dict[str, t.Any]]:
    """The recording rules in the order of their evaluation; each has the labels slo, service, sli and team."""
    exprs = {DOWN: slo.down}
    if slo.counting:
        # what is no number (0/0 in an expression of the user) would stay one for the whole window
        exprs[ERRORS] = f"sum(({slo.errors}) >= 0) or vector(0)"
        exprs[EVENTS] = f"sum(({slo.total}) >= 0) or vector(0)"
    exprs["slo:objective:ratio"] = f"vector({_number(1 - slo.budget)})"
    exprs["slo:coverage:ratio"] = _recorded(slo, slo.window, slo.seconds)
    least = slo.min_events if slo.min_events is not None else 0.0
    exprs["slo:error_ratio:window"] = _ratio(slo, slo.window, least)
    for window in _slo_burn.WINDOWS:
        exprs[f"slo:error_ratio:rate{window}"] = _ratio(slo, window, 0.0)
    for window, length in _slo_burn.WINDOWS.items():
        least = _slo_burn.least_events(window, slo.seconds, slo.budget, slo.min_events)
        ratio, recorded = _ratio(slo, window, least), _recorded(slo, window, length)
        exprs[f"slo:burn_rate:rate{window}"] = f"({ratio}) * {recorded} / {_number(slo.budget)}"
    own = f'{{slo="{slo.name}"}}'
    exprs["slo:error_budget_remaining:ratio"] = (
        f"1 - max(slo:error_ratio:window{own}) * max(slo:coverage:ratio{own}) / {_number(slo.budget)}"
    )
    return [{"record": name, "expr": expr, "labels": slo.labels} for name, expr in exprs.items()]


def tokens(slo: Slo) -> dict[str, str]:
    """What the texts and expressions of the alerts are filled with: C(slo), C(window), each pair's burn rate."""
    found = {
        "slo": slo.name,
        "service": slo.service,
        "sli": slo.sli,
        "objective": f"{slo.objective:.10g}",
        "window": slo.window,
    }
    limits = {pair.name: _slo_burn.factor(pair, slo.seconds, slo.budget) for pair in _slo_burn.PAIRS}
    return {**found, **{name: _number(limit) for name, limit in limits.items()}}


def _selector(slo: Slo, metric: str, window: str) -> str:
    """A range of something recorded, under every name that the SLO has had."""
    # names of entries have no character that means something in a pattern
    names = "|".join((slo.name, *slo.former))
    return f'{metric}{{slo{"=~" if slo.former else "="}"{names}"}}[{window}]'


def _recorded(slo: Slo, window: str, length: float) -> str:
    """Which part of a window was recorded, 0 to 1."""
    return f"clamp_max(sum(count_over_time({_selector(slo, DOWN, window)})) / {_number(length / STEP)}, 1)"


def _ratio(slo: Slo, window: str, least: float) -> str:
    """The error ratio of what was recorded in a window; events that are missing to C(least) are taken for good."""
    selector = _selector(slo, DOWN, window)
    down = f"sum(sum_over_time({selector})) / sum(count_over_time({selector}))"
    if not slo.counting:
        return down
    if window == "5m":
        # recorded over five minutes: a sum over five of them would be nearly ten minutes long
        failed, happened, per = f'max({ERRORS}{{slo="{slo.name}"}})', f'max({EVENTS}{{slo="{slo.name}"}})', 300.0
    else:
        failed, happened = (f"sum(sum_over_time({_selector(slo, metric, window)}))" for metric in (ERRORS, EVENTS))
        per = float(STEP)
    bad = f"clamp_max({failed} / clamp_min({happened}, {_number(max(least / per, _NOTHING))}), 1)"
    return bad if slo.kind == "histogram" else f"1 - (1 - {bad}) * (1 - {down})"


def _number(value: float) -> str:
    return f"{value:.10g}"
