# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""When a route sends: Alertmanager's time intervals. This module util is PRIVATE to the collection.

Source: Alertmanager 0.34, timeinterval/timeinterval.go and notify/mute.go. One difference on purpose: 0.34 counts a day
too few in a month that loses an hour to summer time, which moves negative days of such a month; later versions and this
module go by the calendar.
"""

from __future__ import annotations

import calendar
import datetime
import re
import typing as t
import zoneinfo

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _alertmanager_yaml as _yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = ("", *(name.lower() for name in calendar.month_name[1:]))
_CLOCK = re.compile(r"(?:([01][0-9]|2[0-3]):([0-5][0-9]))|24:00")
_FIELDS = ("times", "weekdays", "days_of_month", "months", "years")

Range = tuple[int, int]


class TimeInterval(t.NamedTuple):
    """One interval: within a field any range may hold, and every field that is given must hold (None: not given)."""

    times: tuple[Range, ...] | None
    weekdays: tuple[Range, ...] | None
    days_of_month: tuple[Range, ...] | None
    months: tuple[Range, ...] | None
    years: tuple[Range, ...] | None
    zone: datetime.tzinfo

    def contains(self, moment: datetime.datetime) -> bool:
        """:param moment: an aware time."""
        local = moment.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        if self.times is not None and not any(start <= minute < end for start, end in self.times):
            return False
        if self.days_of_month is not None and not _day_fits(local, self.days_of_month):
            return False
        for ranges, actual in (
            (self.months, local.month),
            (self.weekdays, local.isoweekday() % 7),
            (self.years, local.year),
        ):
            if ranges is not None and not any(begin <= actual <= end for begin, end in ranges):
                return False
        return True


def _day_fits(local: datetime.datetime, ranges: tuple[Range, ...]) -> bool:
    days = calendar.monthrange(local.year, local.month)[1]
    for begin, end in ranges:
        first = days + begin + 1 if begin < 0 else begin
        last = days + end + 1 if end < 0 else end
        if first <= days and max(first, -days) <= local.day <= min(last, days):
            return True
    return False


def load(config: t.Mapping[str, t.Any]) -> dict[str, tuple[TimeInterval, ...]]:
    """All intervals of a configuration by name.

    :raises ConfigError: what the server refuses; the message names the place.
    """
    found: dict[str, tuple[TimeInterval, ...]] = {}
    for key in ("time_intervals", "mute_time_intervals"):
        for number, item in enumerate(_yaml.as_list(config.get(key), key)):
            place = f"{key}[{number}]"
            entries = _yaml.as_list(item.get("time_intervals"), f"{place}.time_intervals")
            found[_yaml.as_text(item.get("name"))] = tuple(
                _interval(_yaml.as_mapping(entry, place), f"{place}.time_intervals[{index}]")
                for index, entry in enumerate(entries)
            )
    return found


def sends(
    mute: t.Sequence[str],
    active: t.Sequence[str],
    intervals: t.Mapping[str, tuple[TimeInterval, ...]],
    moment: datetime.datetime,
) -> tuple[bool, str]:
    """Whether a route with these intervals notifies at C(moment), and if not, why."""
    if active and not any(interval.contains(moment) for name in active for interval in intervals[name]):
        return False, f"outside its active_time_intervals {', '.join(active)}"
    for name in mute:
        if any(interval.contains(moment) for interval in intervals[name]):
            return False, f"inside its mute_time_intervals {name}"
    return True, ""


def _interval(item: dict[str, t.Any], place: str) -> TimeInterval:
    unknown = sorted(set(item) - {*_FIELDS, "location"})
    if unknown:
        raise ConfigError(f"{place}: {unknown[0]!r} is no field; there are: {', '.join(_FIELDS)}, location")
    ranges: dict[str, tuple[Range, ...] | None] = {}
    for field in _FIELDS:
        given = item.get(field)
        read = _clock_range if field == "times" else _READERS[field]
        ranges[field] = (
            None if given is None else tuple(read(value, f"{place}.{field}") for value in _yaml.as_list(given, place))
        )
    location = _yaml.as_text(item.get("location"))
    try:
        # Local is the time zone of the server's Pod, which is UTC in its images.
        zone = datetime.UTC if location in ("", "UTC", "Local") else zoneinfo.ZoneInfo(location)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as exc:
        raise ConfigError(f"{place}.location: {location!r} is no time zone; write one like Europe/Berlin") from exc
    return TimeInterval(zone=zone, **ranges)


def _clock_range(value: t.Any, place: str) -> Range:
    item = _yaml.as_mapping(value, place)
    minutes = []
    for key in ("start_time", "end_time"):
        text = _yaml.as_text(item.get(key))
        if not _CLOCK.fullmatch(text):
            raise ConfigError(f"{place}: {key} {text!r} is no time of day; write 09:00, up to 24:00")
        hour, minute = text.split(":")
        minutes.append(int(hour) * 60 + int(minute))
    if minutes[0] >= minutes[1]:
        raise ConfigError(f"{place}: start_time must be before end_time; an interval over midnight is written as two")
    return minutes[0], minutes[1]


def _range(value: t.Any, place: str, member: t.Callable[[str], int | None]) -> Range:
    text = _yaml.as_text(value).lower()
    ends = [member(part) for part in text.split(":")]
    if len(ends) > 2 or None in ends:
        raise ConfigError(f"{place}: {text!r} is no range; write one value or first:last")
    begin, end = t.cast("int", ends[0]), t.cast("int", ends[-1])
    return begin, end


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else None


def _ordered(value: t.Any, place: str, member: t.Callable[[str], int | None]) -> Range:
    begin, end = _range(value, place, member)
    if begin > end:
        raise ConfigError(f"{place}: {_yaml.as_text(value)!r} ends before it begins; write it as two ranges")
    return begin, end


def _weekday(value: t.Any, place: str) -> Range:
    return _ordered(value, place, lambda text: _WEEKDAYS.index(text) if text in _WEEKDAYS else None)


def _month(value: t.Any, place: str) -> Range:
    return _ordered(value, place, lambda text: _MONTHS.index(text) if text in _MONTHS[1:] else _number(text))


def _year(value: t.Any, place: str) -> Range:
    return _ordered(value, place, _number)


def _day(value: t.Any, place: str) -> Range:
    begin, end = _range(value, place, _number)
    for day in (begin, end):
        if day == 0 or not -31 <= day <= 31:
            raise ConfigError(f"{place}: {day} is no day of a month; write 1 to 31, or -1 for the last")
    if begin < 0 < end:
        raise ConfigError(f"{place}: the last day must be negative when the first one is")
    # 28 is the shortest month: what ends before it begins there always does (Alertmanager's own rule).
    if (28 + begin if begin < 0 else begin) > (28 + end if end < 0 else end):
        raise ConfigError(f"{place}: day {end} is always before day {begin}")
    return begin, end


_READERS: dict[str, t.Callable[[t.Any, str], Range]] = {
    "weekdays": _weekday,
    "days_of_month": _day,
    "months": _month,
    "years": _year,
}
