# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Are lines kept as long as was promised, and not much longer?

Pure functions. Sources: Loki, pkg/compactor/metrics.go and docs/sources/operations/storage/retention.
This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import math
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import (
    format_age,
    go_duration,
    parse_duration,
)

NAME = "retention"
RUN_METRIC = "loki_compactor_apply_retention_last_successful_run_timestamp_seconds"
DAY = 86400.0
FIRST_DAY = DAY + 2 * 3600
SLICE = 14 * DAY
COARSE = 6 * 3600.0
GRAIN = 300.0
# Deletion follows the promise by the compactor's interval (10 m), its delete delay (2 h) and the day of an index table.
SLACK = DAY + 4 * 3600


class Settings(t.NamedTuple):
    """What Loki's running configuration says; None where it does not say, or could not be read.

    :param enabled: compactor.retention_enabled. :param period: limits_config.retention_period, seconds; 0 = for ever.
    """

    enabled: bool | None = None
    period: float | None = None


class Facts(t.NamedTuple):
    """What was seen.

    :param settings: the running configuration. :param last_run: Unix time of the last applied retention, 0 for never,
        None when no replica tells. :param since: Unix time since when Loki has kept lines, None when unknown.
    :param oldest: Unix time of the oldest line, None when there is none or it was not found.
    :param too_old: lines older than promise and slack exist; None when not asked.
    """

    settings: Settings
    last_run: float | None = None
    since: float | None = None
    oldest: float | None = None
    too_old: bool | None = None


def parse_config(text: str) -> Settings:
    """Read the two settings from the YAML of C(GET /config), which every Loki prints in full with its defaults.

    Only top-level sections matter and the page is regular, so that no YAML parser is needed on the target.
    """
    section, found = "", {}
    for line in text.splitlines():
        top = re.match(r"([a-z_]+):", line)
        if top:
            section = top.group(1)
            continue
        match = re.match(r"  ([a-z_]+): *(\S+)", line)
        if match:
            found[section, match.group(1)] = match.group(2).strip("\"'")
    enabled = found.get(("compactor", "retention_enabled"))
    period = found.get(("limits_config", "retention_period"))
    try:
        seconds = None if period is None else parse_duration(period, "retention_period")
    except ConfigError:
        seconds = None
    return Settings(None if enabled is None else enabled == "true", seconds)


def find_oldest(
    entries: t.Callable[[float, float], int],
    newest: t.Callable[[float, float], float | None],
    now: float,
    promised: float,
) -> float | None:
    """Return the time of the oldest line, to five minutes; None when there is none within the promised span.

    Asking for the oldest line itself (a forward query over the whole span) costs Loki seconds, and more than
    max_query_length (721 h by default) is refused. So the index is asked first, by halving; but it spreads a chunk's
    lines evenly over a day that the chunk may only have touched, so that what it claims is looked at.

    :param entries: the index's estimate of the lines between two Unix times. :param newest: the newest line between
        two Unix times, None for none.
    """
    number = max(1, math.ceil(promised / SLICE))
    step = promised / number
    start: float | None = None
    for index in range(number):
        begin = now - promised + index * step
        start = _first(entries, begin, begin + step)
        if start is not None:
            break
    if start is None:
        # What is not flushed yet is not in the index.
        start = now - COARSE
    span = COARSE
    while start < now:
        found = newest(start, min(start + span, now))
        if found is not None:
            return _narrow(newest, start, found)
        start, span = start + span, min(span * 2, SLICE)
    return None


def _first(entries: t.Callable[[float, float], int], start: float, end: float) -> float | None:
    """Return the beginning of the first part of a span that has lines by the index's estimate."""
    if not entries(start, end):
        return None
    if end - start <= COARSE:
        return start
    middle = (start + end) / 2
    left = _first(entries, start, middle)
    return _first(entries, middle, end) if left is None else left


def _narrow(newest: t.Callable[[float, float], float | None], start: float, found: float) -> float:
    """Return the oldest line between C(start) and a line that was found, to five minutes."""
    while found - start > GRAIN:
        middle = (start + found) / 2
        older = newest(start, middle)
        if older is None:
            start = middle
        else:
            found = older
    return found


def too_old_range(now: float, promised: float) -> tuple[float, float]:
    """Return the week in which no line may be any more."""
    end = now - promised - SLACK
    return end - 7 * DAY, end


def judge(promised: float, facts: Facts, now: float) -> _checks.Check:
    """Judge the promise. On the first day nothing can have been applied yet, and nothing is expected.

    :param promised: seconds that lines are to be kept.
    """
    expected = f"lines kept for {format_age(promised)}, then deleted"
    settings = facts.settings
    causes: list[dict[str, str]] = []
    notes: list[str] = []
    age = None if facts.since is None else now - facts.since
    first_day = age is not None and age < FIRST_DAY
    if settings.enabled is False:
        causes.append(
            cause(
                "retention_disabled",
                "Loki's compactor does not apply retention: lines are kept until the volume is full.",
                "In compactor of Loki's configuration: {retention_enabled: true, delete_request_store: filesystem}",
            )
        )
    if settings.period is not None and settings.period != promised:
        have = f"for {go_duration(settings.period)}" if settings.period else "for ever"
        causes.append(
            cause(
                "retention_period_differs",
                f"Loki keeps lines {have}, promised are {go_duration(promised)}.",
                f"In limits_config of Loki's configuration: retention_period: {go_duration(promised)}",
            )
        )
    if facts.too_old:
        causes.append(
            cause(
                "retention_not_applied",
                f"Loki still has lines older than {format_age(promised + SLACK)}; the promise is "
                f"{format_age(promised)}.",
                "Read why the compactor does not delete: kubectl -n monitoring logs statefulset/loki --tail=200",
            )
        )
    if facts.oldest is not None and age is not None and not first_day:
        held = now - facts.oldest
        # The first lines may have come a while after Loki itself.
        if held < min(promised, age) - DAY:
            causes.append(
                cause(
                    "retention_lines_lost",
                    f"The oldest line is {format_age(held)} old, though Loki has run for {format_age(age)} and "
                    f"{format_age(promised)} are promised.",
                    "Find what removed older ones (a volume made anew, a shorter period for some time): "
                    "kubectl -n monitoring get pvc",
                )
            )
    if settings.enabled is not False and not first_day:
        if facts.last_run:
            idle = now - facts.last_run
            if idle > DAY:
                causes.append(
                    cause(
                        "retention_not_running",
                        f"Loki's compactor last applied retention {format_age(idle)} ago.",
                        "Read why it stopped: kubectl -n monitoring logs statefulset/loki --tail=200",
                    )
                )
        elif facts.last_run == 0 and age is not None:
            causes.append(
                cause(
                    "retention_not_running",
                    f"Loki's compactor has not applied retention once in {format_age(age)}.",
                    "Read why: kubectl -n monitoring logs statefulset/loki --tail=200",
                )
            )
    details = {
        "promised_seconds": round(promised),
        "oldest_line_seconds": None if facts.oldest is None else round(now - facts.oldest),
        "last_run_seconds": None if not facts.last_run else round(now - facts.last_run),
    }
    observed = _observed(facts, now)
    if causes:
        return _checks.failed(NAME, expected, observed, causes, notes, details)
    if first_day:
        notes.append(f"Loki has run for {format_age(age or 0)}: retention is first applied after a day")
    elif settings.enabled is None and facts.last_run is None and not facts.too_old:
        return _checks.unknown(
            NAME,
            expected,
            observed,
            [
                cause(
                    "retention_unreadable",
                    f"Neither Loki's configuration nor {RUN_METRIC} can be read.",
                    "Ask Loki's own Pods instead of a gateway, or give a Prometheus that scrapes Loki, "
                    "prometheus: {namespace: monitoring, service: kube-prometheus-stack-prometheus}",
                )
            ],
            notes,
            details,
        )
    elif facts.last_run is None:
        notes.append(f"judged by the configuration and the oldest line alone: no replica asked has {RUN_METRIC}")
    return _checks.ok(NAME, expected, observed, notes, details)


def _observed(facts: Facts, now: float) -> str:
    parts = []
    if facts.settings.period is not None:
        parts.append(f"configured {go_duration(facts.settings.period)}")
    if facts.oldest is not None:
        parts.append(f"oldest line {format_age(now - facts.oldest)} old")
    if facts.last_run:
        parts.append(f"last applied {format_age(now - facts.last_run)} ago")
    elif facts.last_run == 0:
        parts.append("not applied yet")
    return ", ".join(parts) or "nothing could be read"
