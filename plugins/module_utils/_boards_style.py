# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One visual language for every board: a colour for each meaning, units, states, thresholds.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql import (
    Binary,
    Number,
    PromqlError,
    parse,
    walk,
)

# The only colours on our boards. Grafana's names, so that each is right on a dark and on a light page.
MEANINGS: dict[str, str] = {
    "good": "green",
    "info": "blue",
    "warning": "orange",
    "critical": "red",
    "target": "purple",
    "neutral": "text",
    "waiting": "yellow",
}
# https://github.com/grafana/grafana packages/grafana-data/src/valueFormats/categories.ts; what our boards need of it
UNITS = frozenset(
    {
        "none",
        "short",
        "percentunit",
        "percent",
        "s",
        "ms",
        "h",
        "d",
        "dtdurations",
        "bytes",
        "decbytes",
        "binBps",
        "Bps",
        "reqps",
        "ops",
        "cps",
        "rps",
        "wps",
        "iops",
        "pps",
        "rowsps",
        "mps",
        "cores",
        "currencyEUR",
        "currencyUSD",
        "dateTimeAsIso",
        "dateTimeFromNow",
    }
)
# A unit of one's own, as Grafana takes it: the text itself behind or before the number.
_OWN_UNIT = re.compile(r"(suffix|prefix|si|count|currency|time|bool):.+")
CALCULATIONS = {"last": "lastNotNull", "max": "max", "mean": "mean", "sum": "sum", "min": "min"}
# Numbers that stand for a state: value -> text and meaning.
MAPPINGS: dict[str, dict[str, tuple[str, str]]] = {
    "alive": {"0": ("Down", "critical"), "1": ("Up", "good")},
    "health": {"0": ("Failing", "critical"), "1": ("Healthy", "good")},
    "ready": {"0": ("Not ready", "warning"), "1": ("Ready", "good")},
    "reload": {"0": ("Old configuration", "critical"), "1": ("Loaded", "good")},
    "seal": {"0": ("Sealed", "critical"), "1": ("Unsealed", "good")},
    "slo": {
        "0": ("Well", "good"),
        "1": ("Young", "info"),
        "2": ("Burning", "warning"),
        "3": ("Spent", "critical"),
        "4": ("Burning fast", "critical"),
    },
    "usable": {"0": ("Broken", "critical"), "1": ("Usable", "good")},
}
_BELOW_ZERO = 1e-9
_LOW, _HIGH = ("<", "<="), (">", ">=")


def known_unit(unit: str) -> bool:
    """Whether Grafana formats the unit, or is told what to write beside the number."""
    return unit in UNITS or _OWN_UNIT.fullmatch(unit) is not None


def grafana_unit(unit: str) -> str:
    """The unit as Grafana is told it: what it does not know is written behind the number."""
    return {"cores": "suffix: cores"}.get(unit, unit) if known_unit(unit) else f"suffix: {unit}"


def mapping(name: str) -> list[dict[str, t.Any]]:
    """Value mappings of a state."""
    options = {
        value: {"text": text, "color": MEANINGS[meaning], "index": index}
        for index, (value, (text, meaning)) in enumerate(MAPPINGS[name].items())
    }
    return [{"type": "value", "options": options}]


def shown(value: float, unit: str) -> str:
    """A threshold in words: 0.85 as 85 %, 604800 seconds as 7d."""
    if unit == "percentunit":
        return f"{value * 100:.10g} %"
    seconds = value / 1000 if unit == "ms" else value
    if unit not in ("s", "ms", "dtdurations") or seconds < 1:
        return f"{value:.10g}{' ' + unit if unit in ('s', 'ms') else ''}"
    for length, letter in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g}{letter}"
    return f"{seconds:.10g}s"


@dataclasses.dataclass(frozen=True)
class Bound:
    """From where on a number is bad: C(above) or below C(value), and how bad.

    C(alert) is the one that fires then, C(after) what it waits for ("for 10m", "over 1h and 5m").
    """

    value: float
    above: bool
    meaning: str
    alert: str = ""
    after: str = ""

    def sentence(self, unit: str = "") -> str:
        """What the alert does, for the panel's description."""
        waits = f" {self.after}" if self.after else ""
        return f"{self.alert} fires {'above' if self.above else 'below'} {shown(self.value, unit)}{waits}."


def bound_of(name: str, body: t.Mapping[str, t.Any]) -> Bound | None:
    """Where an alert's expression draws the line, None when it draws none that a panel could show.

    The comparison with the alert's own threshold counts; without a threshold, the first one with a number.
    """
    try:
        tree = parse(body["expr"])
    except PromqlError:
        return None
    wanted = body.get("threshold")
    for node in walk(tree):
        if not isinstance(node, Binary) or not isinstance(node.right, Number):
            continue
        value = node.right.value
        if wanted is not None and value != wanted:
            continue
        meaning = {"critical": "critical", "warning": "warning"}.get(str(body.get("severity")), "info")
        waits = str(body.get("for") or "0s")
        after = f"for {waits}" if waits not in ("0s", "0") else ""
        if node.op in (*_LOW, *_HIGH):
            return Bound(value, node.op in _HIGH, meaning, name, after)
        if node.op == "==":
            # a state: 0 is bad, or 1 is
            return Bound(1.0, value >= 1, meaning, name, after)
    return None


def steps(bounds: t.Sequence[Bound]) -> list[dict[str, t.Any]]:
    """Grafana's steps: each holds from its value on, so that "more than 0" begins a hair above it."""
    low = sorted((one for one in bounds if not one.above), key=lambda one: one.value)
    high = sorted((one for one in bounds if one.above), key=lambda one: one.value)
    found: list[dict[str, t.Any]] = [{"color": MEANINGS[low[0].meaning] if low else MEANINGS["good"], "value": None}]
    for number, one in enumerate(low):
        after = low[number + 1].meaning if number + 1 < len(low) else "good"
        found.append({"color": MEANINGS[after], "value": one.value})
    for one in high:
        found.append({"color": MEANINGS[one.meaning], "value": one.value or _BELOW_ZERO})
    return found
