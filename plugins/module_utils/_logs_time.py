# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Times and durations as Kubernetes, Prometheus and Loki write them.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

# Prometheus' model.ParseDuration; Loki's limits take the same units.
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdwy])")
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def parse_duration(text: object, option: str) -> float:
    """Return the seconds that C(90s), C(1h30m), C(744h) or a plain number stand for.

    :param option: the option the text came from; named in the error.
    :raises ConfigError: when it is not a duration.
    """
    value = str(text).strip()
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    parts = _PART.findall(value)
    if not parts or "".join(number + unit for number, unit in parts) != value:
        raise ConfigError(f"{option}: '{value}' is not a duration; write 90s, 10m, 1h30m or 744h")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def parse_time(text: object) -> float | None:
    """Return the Unix time (seconds) of an RFC 3339 timestamp with up to nine decimals, None when it is none."""
    match = _RFC3339.match(str(text or ""))
    if match is None:
        return None
    day, clock, fraction, zone = match.groups()
    zone = "+00:00" if zone in "Zz" else zone
    return datetime.fromisoformat(f"{day}T{clock}{zone}").timestamp() + float(fraction or 0)


def format_time(seconds: float | None) -> str:
    """Return the UTC time a person reads: 2026-11-23 16:59:07Z."""
    if seconds is None:
        return "unknown time"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def rfc3339(seconds: float) -> str:
    """Return the UTC time as Kubernetes writes it, whole seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_age(seconds: float) -> str:
    """Return a rough age or span: 0s, 47s, 3m, 2h10m, 5d."""
    whole = int(round(max(seconds, 0.0)))
    if whole < 120:
        return f"{whole}s"
    if whole < 7200:
        return f"{whole // 60}m"
    if whole < 172800:
        minutes = whole % 3600 // 60
        return f"{whole // 3600}h{minutes}m" if minutes else f"{whole // 3600}h"
    return f"{whole // 86400}d"


def go_duration(seconds: float) -> str:
    """Return a duration that Loki's and Prometheus' configuration accept: whole hours, minutes or seconds."""
    whole = int(round(seconds))
    for unit, size in (("h", 3600), ("m", 60)):
        if whole % size == 0 and whole:
            return f"{whole // size}{unit}"
    return f"{whole}s"


class Deadline:
    """The time that is left, on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, never below zero."""
        return max(self._end - time.monotonic(), 0.0)

    def pause(self, seconds: float) -> None:
        """Sleep, but not past the end."""
        time.sleep(min(seconds, self.left()))
