# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A value with Grafana's unit, as a person reads it. This module util is PRIVATE to the collection.

Names of units are those of a panel's C(fieldConfig.defaults.unit) (Grafana, packages/grafana-data valueFormats).
"""

from __future__ import annotations

import datetime

from ansible_collections.dataplatform.monitoring.plugins.module_utils._report_text import duration, flat, number

_IEC = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_SI = ("", "k", "M", "G", "T", "P")
#: Unit -> (what it is called, step between prefixes).
_SCALED = {
    "short": ("", 1000),
    "bits": ("b", 1000),
    "decbits": ("b", 1000),
    "decbytes": ("B", 1000),
    "bps": ("b/s", 1000),
    "Bps": ("B/s", 1000),
    "hertz": ("Hz", 1000),
    "watt": ("W", 1000),
}
_RATES = {
    "reqps": "req/s", "ops": "ops/s", "opm": "ops/min", "cps": "/s", "rps": "reads/s", "wps": "writes/s",
    "iops": "io/s", "pps": "p/s", "eps": "events/s", "mps": "msg/s", "rowsps": "rows/s", "reqpm": "req/min",
    "cpm": "/min", "recps": "rec/s",
}  # fmt: skip
_SECONDS = {"ns": 1e-9, "µs": 1e-6, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0,
            "dtdurations": 1.0, "dtdurationms": 1e-3, "clocks": 1.0, "clockms": 1e-3}  # fmt: skip
_BOOLEANS = {"bool": ("false", "true"), "bool_yes_no": ("no", "yes"), "bool_on_off": ("off", "on")}
_DATES = {"dateTimeAsIso", "dateTimeAsIsoNoDateIfToday", "dateTimeAsUS", "dateTimeFromNow", "dateTimeAsSystem"}


def plain(value: float, digits: int = 3) -> str:
    """C(digits) significant digits, without exponent between a ten-thousandth and a million."""
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 1e6:
        return f"{value:.{digits}g}"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:.0f}"
    text = f"{value:.{digits}g}"
    return text if "e" not in text else f"{value:f}".rstrip("0")


def _scaled(value: float, name: str, step: int, prefixes: tuple[str, ...]) -> str:
    size, index = abs(value), 0
    while size >= step and index < len(prefixes) - 1:
        size, index = size / step, index + 1
    unit = f"{prefixes[index]}{name}"
    return f"{plain(value / step**index)} {unit}".rstrip()


def value(raw: object, unit: str = "") -> str:
    """The number with its unit; an en dash where there is no number.

    :param raw: what a server sent. :param unit: Grafana's name; one that is not known is written behind the number.
    """
    found = number(raw)
    if found is None:
        return "–"
    if unit in ("percent", "percentunit"):
        return f"{plain(found * (100 if unit == 'percentunit' else 1))} %"
    if unit in ("bytes", "binBps"):
        return _scaled(found, "/s" if unit == "binBps" else "", 1024, _IEC)
    if unit in ("kbytes", "mbytes", "gbytes"):
        return _scaled(found * 1024.0 ** ("kmg".index(unit[0]) + 1), "", 1024, _IEC)
    if unit in _SCALED:
        return _scaled(found, _SCALED[unit][0], _SCALED[unit][1], _SI)
    if unit in _RATES:
        return f"{_scaled(found, '', 1000, _SI)} {_RATES[unit]}"
    if unit in _SECONDS:
        return _time(found * _SECONDS[unit])
    if unit in _BOOLEANS:
        return _BOOLEANS[unit][1 if found else 0]
    if unit in _DATES:
        return _date(found)
    if unit in ("", "none", "string", "locale", "sishort"):
        return _scaled(found, "", 1000, _SI) if abs(found) >= 1e5 else plain(found, 5)
    for lead in ("suffix:", "currency:", "si:", "prefix:", "count:"):
        if unit.startswith(lead):
            name = flat(unit.removeprefix(lead), 16)
            number_text = _scaled(found, "", 1000, _SI)
            return f"{name}{number_text}" if lead == "prefix:" else f"{number_text} {name}"
    return f"{_scaled(found, '', 1000, _SI)} {flat(unit, 16)}"


def _time(seconds: float) -> str:
    if seconds == 0:
        return "0 s"
    size = abs(seconds)
    for limit, factor, name in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1.0, 1e3, "ms"), (60.0, 1.0, "s")):
        if size < limit:
            return f"{plain(seconds * factor)} {name}"
    return duration(seconds)


def _date(milliseconds: float) -> str:
    try:
        moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC)
    except (OverflowError, ValueError, OSError):
        return plain(milliseconds)
    return moment.strftime("%Y-%m-%d %H:%M")
