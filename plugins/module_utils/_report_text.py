# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Words that came from a cluster, made fit to be shown. This module util is PRIVATE to the collection.

A name or a log line may hold escape sequences that move a terminal's cursor, characters that turn the direction of
writing, or halves of characters that no file can hold. They are shown, not obeyed.
"""

from __future__ import annotations

import datetime
import re
import typing as t

_REPLACEMENT = "\ufffd"
#: Marks that turn the direction of writing (Unicode 15, UAX 9), separators that break lines, and non-characters.
_MISLEADING = re.compile(
    "[\x80-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
#: Control characters get the picture that Unicode has of them; line break and tab stay.
_PICTURES = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\t\n"} | {0x7F: "\u2421"}


def clean(text: t.Any, most: int = 4000) -> str:
    """A plain string that shows what is in it and does nothing.

    :param most: characters that are kept; what is cut off is told.
    """
    plain = str(text)
    if len(plain) > most:
        plain = f"{plain[:most]} … ({len(plain) - most} more characters)"
    return _MISLEADING.sub(_REPLACEMENT, plain.replace("\r\n", "\n").translate(_PICTURES))


def flat(text: t.Any, most: int = 4000) -> str:
    """The same in one line; what is cut off a short one is not counted."""
    line = " ".join(clean(text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def cleaned(data: t.Any) -> t.Any:
    """Every string below C(data), keys too."""
    if isinstance(data, str):
        return clean(data)
    if isinstance(data, dict):
        return {cleaned(key): cleaned(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [cleaned(item) for item in data]
    return data


def number(value: t.Any) -> float | None:
    """A finite number, or None: servers write NaN, +Inf and nothing at all."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if found - found == 0 else None


def duration(seconds: t.Any) -> str:
    """A span of time in its two largest units: C(5.2 s), C(2 m 40 s), C(3 d 4 h)."""
    span = number(seconds)
    if span is None:
        return "unknown"
    if span < 0:
        return f"-{duration(-span)}"
    if span < 1:
        return f"{span * 1000:.0f} ms"
    if span < 60:
        return f"{span:.1f} s"
    units = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
    whole = round(span)
    for index, (size, name) in enumerate(units):
        if whole >= size:
            head, rest = divmod(whole, size)
            small, short = units[index + 1] if index + 1 < len(units) else (1, "")
            tail = rest // small
            return f"{head} {name} {tail} {short}" if tail and short else f"{head} {name}"
    return "0 s"


def moment(stamp: t.Any) -> datetime.datetime | None:
    """A time like C(2026-11-23T19:07:41Z), or None."""
    try:
        found = datetime.datetime.fromisoformat(str(stamp).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def count(many: int, noun: str) -> str:
    """C(1 check), C(2 checks)."""
    return f"{many} {noun}" if many == 1 else f"{many} {noun}s"


def listed(names: t.Sequence[str], most: int = 5) -> str:
    """Names in a sentence; of many, the first ones."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
