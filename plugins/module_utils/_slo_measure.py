# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""From recorded samples to what people ask of an SLO: budget left, how long it lasts, in which state it is.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import math
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _slo_burn
from ansible_collections.dataplatform.monitoring.plugins.module_utils._slo_model import (
    COVERAGE,
    LEFT,
    WINDOW,
    Expectation,
    Look,
)

# Less than this of a window is not the window.
COVERED = 0.95
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


class Measured(t.NamedTuple):
    """What one replica recorded of an SLO; None is not known, never 0."""

    error_ratio: dict[str, float | None]
    burn_rate: dict[str, float | None]
    left: float | None
    coverage: float
    age: float
    events: float | None
    burning: str | None

    @property
    def full(self) -> bool:
        """Whether the window is."""
        return self.coverage >= COVERED

    def since_it_began(self, window: float) -> float:
        """Which part of its life was recorded, as far as the window reaches; 0 to 1.

        :param window: seconds of the SLO's window.
        """
        lived = min(self.age, window)
        return min(1.0, self.coverage * window / lived) if lived > 0 else 1.0


def measure(wanted: Expectation, look: Look) -> Measured:
    """Read the samples of an SLO."""
    values = look.values.get(wanted.slo, {})
    burn = {name: _finite(values.get(f"slo:burn_rate:rate{name}")) for name in _slo_burn.WINDOWS}
    ratios = {name: _finite(values.get(f"slo:error_ratio:rate{name}")) for name in _slo_burn.WINDOWS}
    return Measured(
        {**ratios, "window": _finite(values.get(WINDOW))},
        burn,
        _finite(values.get(LEFT)),
        _finite(values.get(COVERAGE)) or 0.0,
        max(0.0, look.now - look.since.get(wanted.slo, look.now)),
        _finite(look.events.get(wanted.slo)) if wanted.counting else None,
        _slo_burn.burning(burn, wanted.seconds, wanted.budget),
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def state_of(found: Measured, dead: bool) -> str:
    """One word: what is worst now comes first.

    :param dead: whether nothing is known of it.
    """
    if dead or found.left is None:
        return "no_data"
    if found.burning == "page":
        return "burning_page"
    if found.left <= 0:
        return "exhausted"
    if found.burning:
        return "burning_ticket"
    return "ok" if found.full else "young"


def exhaustion(found: Measured, window: float) -> float | None:
    """Seconds until nothing is left at the speed of the last hour; None when it lasts for ever.

    What was spent comes back when it leaves the window, but not before: a slow burn still ends what little is left, if
    it does so within a window. What it does not spend within one, it never spends.

    :param window: seconds of the SLO's window, in which a burn rate of 1 uses up the whole budget.
    """
    if found.left is None:
        return None
    if found.left <= 0:
        return 0.0
    rate = found.burn_rate["1h"]
    return found.left * window / rate if rate is not None and rate >= found.left else None


def report(wanted: Expectation, found: Measured, dead: bool) -> dict[str, t.Any]:
    """The item of C(slos)."""
    known = {} if not dead else dict.fromkeys(found.error_ratio)
    return {
        "slo": wanted.slo,
        "service": wanted.service,
        "sli": wanted.sli,
        "kind": wanted.kind,
        "objective": wanted.objective,
        "window": wanted.window,
        "window_seconds": wanted.seconds,
        "error_ratio": {**found.error_ratio, **known},
        "burn_rate": dict.fromkeys(found.burn_rate) if dead else found.burn_rate,
        "budget_left": None if dead else found.left,
        "exhaustion_seconds": None if dead else exhaustion(found, wanted.seconds),
        "state": state_of(found, dead),
        "coverage": round(found.coverage, 6),
        "events": found.events if found.events is None else round(found.events, 3),
        "message": "nothing is known of it" if dead else told(wanted, found),
    }


def told(wanted: Expectation, found: Measured) -> str:
    """One line for people."""
    parts = []
    ratio = found.error_ratio["window"]
    if ratio is not None:
        parts.append(f"{_percent(100 * (1 - ratio))} of {wanted.objective:.10g} %")
    if found.left is not None:
        parts.append(f"{_percent(100 * found.left)} of the budget left")
    lasts = exhaustion(found, wanted.seconds)
    if lasts == 0:
        parts.append("exhausted")
    elif lasts is not None:
        parts.append(f"gone in {length(lasts)} at the speed of the last hour")
    if found.burning:
        parts.append(f"burns ({found.burning})")
    if not found.full:
        parts.append(f"young: {_percent(100 * found.coverage)} of {wanted.window} recorded")
    return ", ".join(parts)


def length(seconds: float) -> str:
    """A duration in one unit."""
    for unit, name in _UNITS:
        if seconds >= unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"


def _percent(value: float) -> str:
    """Enough digits for five nines, and none that mean nothing."""
    return f"{value:.4f}".rstrip("0").rstrip(".") + " %"
