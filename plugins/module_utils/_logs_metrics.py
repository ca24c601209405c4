# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Counters of a process's own /metrics page, and what they gained while somebody looked.

Pure functions. A counter's lifetime says nothing about now: it is compared with an earlier reading, or taken as it
is only when the process is younger than the span that is judged. This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import re
import typing as t

Labels = tuple[tuple[str, str], ...]
Series = dict[Labels, float]
Page = dict[str, Series]

_LINE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?\s*")
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)",?')
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def parse_page(text: str, wanted: t.Collection[str]) -> Page:
    """Return the wanted metrics of a page in the Prometheus text format; what cannot be read is passed over."""
    page: Page = {}
    for line in text.splitlines():
        if line.startswith("#") or not line.startswith(tuple(wanted)):
            continue
        match = _LINE.fullmatch(line)
        if match is None or match.group(1) not in wanted:
            continue
        try:
            value = float(match.group(3))
        except ValueError:
            continue
        labels = tuple(
            sorted(
                (name, re.sub(r'\\[\\"n]', lambda found: _ESCAPES[found.group(0)], raw))
                for name, raw in _LABEL.findall(match.group(2) or "")
            )
        )
        page.setdefault(match.group(1), {})[labels] = value
    return page


def total(page: t.Mapping[str, Series], name: str) -> float | None:
    """Sum of a metric, None when the page has none."""
    series = page.get(name)
    return None if series is None else sum(series.values())


def by_label(series: Series, label: str) -> dict[str, float]:
    """Sum by one label; series without it count under the empty string."""
    result: dict[str, float] = {}
    for labels, value in series.items():
        name = dict(labels).get(label, "")
        result[name] = result.get(name, 0.0) + value
    return result


class Reading(t.NamedTuple):
    """One process's page at one moment. C(at) is Unix time on our side; only differences of it are used."""

    source: str
    at: float
    page: Page


class Gain(t.NamedTuple):
    """What counters gained: by label value, and over how many seconds that was seen.

    :param whole: the span covers everything since the span that is judged began, so that nothing is left unseen.
    """

    by: dict[str, float]
    span: float
    whole: bool


def gain(first: Reading, last: Reading, name: str, label: str, span: float) -> Gain:
    """Return what C(name) gained within the last C(span) seconds, as far as two readings can tell.

    A process younger than C(span) has counted nothing older: its totals are the answer. A counter that fell means
    that the process was restarted in between: then, too, its totals are all there is.
    """
    now = by_label(last.page.get(name, {}), label)
    start = total(last.page, "process_start_time_seconds")
    if start is not None and last.at - start <= span:
        return Gain(_positive(now), last.at - start, True)
    before = by_label(first.page.get(name, {}), label)
    if any(now.get(key, 0.0) < value for key, value in before.items()):
        return Gain(_positive(now), last.at - first.at, False)
    return Gain(_positive({k: v - before.get(k, 0.0) for k, v in now.items()}), last.at - first.at, False)


def add(gains: t.Sequence[Gain]) -> Gain:
    """Sum the gains of several replicas; the shortest span is what was seen of all of them."""
    by: dict[str, float] = {}
    for item in gains:
        for key, value in item.by.items():
            by[key] = by.get(key, 0.0) + value
    return Gain(by, min((g.span for g in gains), default=0.0), bool(gains) and all(g.whole for g in gains))


def _positive(values: t.Mapping[str, float]) -> dict[str, float]:
    return {key: value for key, value in values.items() if value > 0}
