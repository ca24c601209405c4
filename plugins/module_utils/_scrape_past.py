# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a target's last minutes say: is this a lucky sample? This module util is PRIVATE to the collection.

Pure functions over the raw samples of C(up).
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import parse_time
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import Target, duration

# Samples of C(up) are read for this long; a target that fell more than once and lately is flapping.
WINDOW_SECONDS = 600.0
QUIET_SECONDS = 300.0


class Past(t.NamedTuple):
    """The last minutes of one target.

    :param age: seconds since the first sample in the window. :param falls: how many times it went from up to down; a
        target that is down when it appears is starting.
    :param last_down: Unix time of the newest sample that is 0, None when there is none.
    :param in_row: how many samples at the end are equal to the last one.
    """

    age: float
    falls: int
    last_down: float | None
    in_row: int

    def flapping(self, now: float) -> bool:
        """Down at least twice, and not yet quiet for five minutes."""
        return self.falls >= 2 and self.last_down is not None and now - self.last_down < QUIET_SECONDS


def past_of(target: Target, history: t.Iterable[dict[str, t.Any]], now: float) -> Past:
    """Find a target's own series of C(up), by its labels, and read it."""
    labels = target.get("labels") or {}
    for series in history:
        metric = {key: value for key, value in series["metric"].items() if key != "__name__"}
        if metric == labels:
            return read(series["values"], now)
    return Past(0.0, 0, None, 0)


def read(samples: t.Sequence[tuple[float, float]], now: float) -> Past:
    """Summarise samples, oldest first."""
    if not samples:
        return Past(0.0, 0, None, 0)
    falls, in_row, last_down, before = 0, 0, None, None
    for time, value in samples:
        good = value == 1.0
        if not good:
            last_down = time
            falls += before is True
        in_row = in_row + 1 if good == before else 1
        before = good
    return Past(max(0.0, now - samples[0][0]), falls, last_down, in_row)


def interval(target: Target) -> float:
    """Seconds between two scrapes of a target."""
    return duration(target.get("scrapeInterval"), 30.0)


def calm_seconds(target: Target) -> float:
    """How long a target must have been there before what it says is taken for its normal state."""
    return min(120.0, 4 * interval(target))


def last_scrape(target: Target) -> float | None:
    """Unix time of the last scrape, None before the first."""
    found = parse_time(target.get("lastScrape"))
    return found if found and found > 0 else None


def next_scrape(target: Target, now: float) -> float:
    """Unix time by which the next scrape has ended, at the latest."""
    seen = last_scrape(target)
    begin = now if seen is None else max(now, seen + interval(target))
    return begin + min(
        duration(target.get("scrapeTimeout"), 10.0), max(0.5, float(target.get("lastScrapeDuration") or 0) * 2)
    )
