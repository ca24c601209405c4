# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A few points of what a panel shows, to be drawn small. This module util is PRIVATE to the collection."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_ask import (
    POINTS,
    Point,
    Reply,
    series_text,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_queries import Query

MOST_SERIES = 8
_LEGEND = re.compile(r"\{\{\s*(.+?)\s*\}\}")
_NAMELESS = "value"


def series_of(answers: t.Sequence[tuple[Query, Reply | None]]) -> list[dict[str, t.Any]]:
    """At most eight series of a panel with their names and points, queries taking turns.

    Points are JSON text: what Ansible hands from task to task costs it by the number of values, 8 s for 84,000 numbers.
    """
    by_query = [
        [(legend(query, labels), points) for labels, points in reply.series if points]
        for query, reply in answers
        if reply is not None and reply.finite
    ]
    found: list[dict[str, t.Any]] = []
    for turn in range(MOST_SERIES):
        for series in by_query:
            if turn < len(series) and len(found) < MOST_SERIES:
                name, points = series[turn]
                found.append({"name": name, "points": json.dumps(thinned(points), separators=(",", ":"))})
    return found


def legend(query: Query, labels: t.Mapping[str, str]) -> str:
    """The name of a series as the panel shows it."""
    text = query.target.legend
    if text and text != "__auto":
        return _LEGEND.sub(lambda found: labels.get(found[1], ""), text)
    if not labels:
        return _NAMELESS
    if len(labels) == 1:
        return next(iter(labels.values()))
    return series_text(labels)


def thinned(points: t.Sequence[Point]) -> list[list[float]]:
    """At most sixty points, the last one among them."""
    step = -(-len(points) // POINTS) or 1
    kept = points[::-1][::step][::-1]
    return [[round(moment, 3), float(f"{value:.6g}")] for moment, value in kept]
