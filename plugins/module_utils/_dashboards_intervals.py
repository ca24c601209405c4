# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Time ranges and steps of panels as Grafana computes them. This module util is PRIVATE to the collection.

Source: Grafana, pkg/promlib/models/query.go (step and C($__rate_interval)), grafana-plugin-sdk-go
backend/gtime (rounding), docs/sources/dashboards/use-dashboards (relative times).
"""

from __future__ import annotations

import datetime
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_model import Board, Panel, Target

# What one column of the 24 is wide on a common screen: a panel asks for as many points as it has pixels.
_PIXELS_PER_COLUMN = 60
# Prometheus refuses more points than this in one series.
_SAFE_POINTS = 11_000
SCRAPE_INTERVAL = 15.0

_UNITS = {
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "h": 3_600.0,
    "d": 86_400.0,
    "w": 604_800.0,
    "M": 2_592_000.0,
    "y": 31_536_000.0,
}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhdwMy])")
_RELATIVE = re.compile(r"now(?:(?P<sign>[-+])(?P<amount>[0-9]+)(?P<unit>[smhdwMQy]))?(?:/(?P<floor>f?[smhdwMQy]))?")
# (up to and including, rounded to), milliseconds
_ROUNDED = (
    (10, 1),
    (15, 10),
    (35, 20),
    (75, 50),
    (150, 100),
    (350, 200),
    (750, 500),
    (1_500, 1_000),
    (3_500, 2_000),
    (7_500, 5_000),
    (12_500, 10_000),
    (17_500, 15_000),
    (25_000, 20_000),
    (45_000, 30_000),
    (90_000, 60_000),
    (210_000, 120_000),
    (450_000, 300_000),
    (750_000, 600_000),
    (1_050_000, 900_000),
    (1_500_000, 1_200_000),
    (2_700_000, 1_800_000),
    (5_400_000, 3_600_000),
    (9_000_000, 7_200_000),
    (16_200_000, 10_800_000),
    (32_400_000, 21_600_000),
    (86_400_000, 43_200_000),
    (604_800_000, 86_400_000),
    (1_814_400_000, 604_800_000),
    (3_628_800_000, 2_592_000_000),
)


class Span(t.NamedTuple):
    """A time range, Unix seconds."""

    start: float
    end: float

    @property
    def length(self) -> float:
        return self.end - self.start


class Steps(t.NamedTuple):
    """Seconds: C(interval) is C($__interval) and the step, C(rate) is C($__rate_interval)."""

    interval: float
    rate: float


def seconds(text: str) -> float | None:
    """What C(30s), C(1m), C(>10s) or C(1h30m) stand for; None when it is no duration."""
    text = text.strip().removeprefix(">").removeprefix("=").strip()
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def text_of(length: float) -> str:
    """A duration that Prometheus and Loki read."""
    milliseconds = max(int(round(length * 1000)), 1)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def instant(text: str, now: float, end: bool = False) -> float:
    """A moment as boards write it: C(now-6h), C(now/d), C(now-1d/d), an ISO time or milliseconds; else C(now).

    :param end: whether it ends the range: a rounded time is then the end of its unit.
    """
    text = text.strip()
    if re.fullmatch(r"[0-9]{11,}", text):
        return int(text) / 1000
    found = _RELATIVE.fullmatch(text)
    if found is None:
        try:
            parsed = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            return now
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)).timestamp()
    if found["unit"]:
        size = 3 * _UNITS["M"] if found["unit"] == "Q" else _UNITS[found["unit"]]
        now += (-1 if found["sign"] == "-" else 1) * int(found["amount"]) * size
    return _floor(now, found["floor"][-1], end) if found["floor"] else now


def _floor(moment: float, unit: str, end: bool) -> float:
    if unit in "smhd":
        size = _UNITS[unit]
        return moment // size * size + (size - 0.001 if end else 0)
    day = datetime.datetime.fromtimestamp(moment, datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "w":
        first = day - datetime.timedelta(days=day.weekday())
        after = first + datetime.timedelta(days=7)
    elif unit == "y":
        first = day.replace(month=1, day=1)
        after = first.replace(year=first.year + 1)
    else:
        month = day.month if unit == "M" else (day.month - 1) // 3 * 3 + 1
        first = day.replace(month=month, day=1)
        after = (first + datetime.timedelta(days=32 if unit == "M" else 93)).replace(day=1)
    return after.timestamp() - 0.001 if end else first.timestamp()


def span_of(board: Board, panel: Panel | None, now: float) -> Span:
    """The range that a panel shows when the board is opened; with C(panel) None the board's."""
    start, end = instant(board.time_from, now), instant(board.time_to, now, end=True)
    if panel is not None and panel.time_from:
        start, end = instant(f"now-{panel.time_from.removeprefix('now-')}", now), now
    shift = seconds(panel.time_shift) if panel is not None and panel.time_shift else None
    if shift:
        start, end = start - shift, end - shift
    # nothing is known of the future
    end = min(end, now)
    return Span(start, end) if start < end else Span(end - 3600, end)


def rounded(length: float) -> float:
    """The nearest interval that people like, seconds."""
    milliseconds = length * 1000
    return next((size for limit, size in _ROUNDED if milliseconds <= limit), 31_536_000_000) / 1000


def steps(panel: Panel, target: Target, span: Span, scrape: float | None) -> Steps:
    """Step and rate interval of one query.

    :param scrape: the datasource's C(timeInterval) in seconds, None when it does not say.
    """
    scrape = scrape or SCRAPE_INTERVAL
    points = panel.max_points or max(panel.width, 1) * _PIXELS_PER_COLUMN
    wished = rounded(span.length / points)
    front = max(wished, seconds(panel.interval) or scrape)
    own = seconds(target.step)
    step = max(wished, own) if own else front
    safe = rounded(span.length / _SAFE_POINTS)
    asked = own or scrape
    if target.step.strip("${}") == "__rate_interval":
        rate = max(max(front, safe) + scrape, 4 * scrape)
        return Steps(rate, rate)
    return Steps(max(step, safe) * target.factor, max(front + asked, 4 * asked))
