# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A panel drawn small: from its series to the paths of an SVG. This module util is PRIVATE to the collection.

Pure functions; a sketch is plain data (numbers and path strings made of numbers alone), nothing that came from a
cluster gets into a path.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _report_units
from ansible_collections.dataplatform.monitoring.plugins.module_utils._report_text import flat, number

WIDTH, HEIGHT = 200, 48
_PAD = 3
#: A sketch shows a shape, not every series: more lines than this are a carpet.
SERIES = 5
POINTS = 40
_ROWS = 3
_FAR = 1e100
#: Panels that compare values now rather than over time.
_COMPARE = frozenset(
    {"table", "bargauge", "piechart", "barchart", "histogram", "geomap", "status-history", "stat", "gauge"}
)

_LABEL_VALUES = re.compile(r'="((?:[^"\\]|\\.)*)"')
Sketch = dict[str, t.Any]


def points(series: t.Any) -> list[tuple[float, float | None]]:
    """The points of a series, in order of time; a value that is no number is a gap.

    They may be given as JSON text: Ansible then carries one string instead of thousands of lists from task to task.
    """
    given = series.get("points") if isinstance(series, dict) else None
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            given = None
    found = []
    for pair in given if isinstance(given, (list, tuple)) else ():
        if isinstance(pair, (list, tuple)) and len(pair) == 2 and number(pair[0]) is not None:
            value = number(pair[1])
            # Far enough for any panel, and differences of it are still numbers.
            found.append((float(pair[0]), None if value is None else max(-_FAR, min(_FAR, value))))
    return sorted(found, key=lambda pair: pair[0])


def last(series: t.Any) -> float | None:
    """The newest value, or None where the series has no number."""
    return next((value for _at, value in reversed(points(series)) if value is not None), None)


def name_of(series: t.Mapping[str, t.Any]) -> str:
    """Its legend; of a bare set of labels, as a query without a legend has it, the values alone."""
    name = flat(series.get("name") or "", 300)
    if name.startswith("{"):
        name = " ".join(_LABEL_VALUES.findall(name)) or name
    return flat(name, 60)


def limits(panel: t.Mapping[str, t.Any]) -> list[float]:
    """The values of a panel's thresholds; the base, which has none, is left out."""
    steps = panel.get("thresholds") or []
    if isinstance(steps, dict):
        steps = steps.get("steps") or []
    found = [number(step.get("value") if isinstance(step, dict) else step) for step in steps]
    return [value for value in found if value is not None]


def sketch(panel: t.Mapping[str, t.Any], drawn: bool = True) -> Sketch:
    """What a tile of the contact sheet shows.

    :param panel: of the result of M(dataplatform.monitoring.verify_dashboards).
    :param drawn: False leaves the drawing out and keeps the value.
    :returns: C({value, series, lines, area, rows, limits}): the value to show and the series it is of; SVG paths in a
        box of C(WIDTH) by C(HEIGHT), the area below the only line, heights of the thresholds; rows of name, text and
        share (0..1) for a panel that compares.
    """
    unit = str(panel.get("unit") or "")
    series = [item for item in panel.get("series") or [] if isinstance(item, dict)]
    newest = [(last(item), item) for item in series]
    valued = sorted(((value, item) for value, item in newest if value is not None), key=lambda pair: -pair[0])
    out: Sketch = {"value": "", "series": "", "lines": [], "area": "", "rows": [], "limits": []}
    if not valued:
        return out
    out["value"] = _report_units.value(valued[0][0], unit)
    name = name_of(valued[0][1])
    if len(series) > 1:
        out["series"] = f"{name}, of {len(series)}" if name else f"the highest of {len(series)}"
    elif name and name.lower() not in ("value", "value #a", str(panel.get("title") or "").lower()):
        out["series"] = name
    if not drawn:
        return out
    lines = [points(item) for _value, item in valued[:SERIES]]
    if panel.get("type") in _COMPARE or all(len(line) < 2 for line in lines):
        if len(valued) > 1:
            out["rows"] = _rows(valued, unit)
        return out
    return out | _drawing(lines, limits(panel))


def _rows(valued: t.Sequence[tuple[float, t.Mapping[str, t.Any]]], unit: str) -> list[dict[str, t.Any]]:
    top = max(abs(value) for value, _item in valued) or 1.0
    return [
        {
            "name": name_of(item),
            "text": _report_units.value(value, unit),
            "share": round(abs(value) / top, 3),
        }
        for value, item in valued[:_ROWS]
    ]


def _drawing(lines: t.Sequence[list[tuple[float, float | None]]], steps: t.Sequence[float]) -> Sketch:
    times = [at for line in lines for at, _value in line]
    values = [value for line in lines for _at, value in line if value is not None]
    first, span = min(times), (max(times) - min(times)) or 1.0
    low, high = min(values), max(values)
    # From zero, unless that flattens what there is to see; a threshold that is near is shown.
    if low > 0 and low < high * 0.7 or low == high > 0:
        low = 0.0
    room = (high - low) or abs(high) or 1.0
    near = [step for step in steps if low - room * 0.3 <= step <= high + room * 0.6]
    low, high = min([low, *near]), max([high, *near])
    height = (high - low) or abs(high) or 1.0

    def place(at: float, value: float) -> tuple[int, int]:
        x = (at - first) / span * WIDTH
        y = HEIGHT - _PAD - (value - low) / height * (HEIGHT - 2 * _PAD)
        return round(x), round(y)

    paths = [path for line in lines if (path := _path([_placed(pair, place) for pair in thinned(line)]))]
    area = ""
    if len(lines) == 1 and paths and paths[0].count("M") == 1:
        placed = [spot for pair in thinned(lines[0]) if (spot := _placed(pair, place))]
        area = f"{paths[0]}V{HEIGHT}H{placed[0][0]}Z"
    return {"lines": paths, "area": area, "limits": [place(first, step)[1] for step in near]}


def _placed(
    pair: tuple[float, float | None], place: t.Callable[[float, float], tuple[int, int]]
) -> tuple[int, int] | None:
    return None if pair[1] is None else place(pair[0], pair[1])


def thinned(line: t.Sequence[tuple[float, float | None]]) -> list[tuple[float, float | None]]:
    """At most C(POINTS) points: of each stretch its lowest and highest, so that a spike survives."""
    if len(line) <= POINTS:
        return list(line)
    buckets, kept = POINTS // 2, []
    for index in range(buckets):
        part = list(line[index * len(line) // buckets : (index + 1) * len(line) // buckets])
        real = [pair for pair in part if pair[1] is not None]
        chosen = {min(real, key=lambda p: p[1]), max(real, key=lambda p: p[1])} if real else {part[0]}
        kept += sorted(chosen, key=lambda pair: pair[0])
    return kept


def _path(spots: t.Sequence[tuple[int, int] | None]) -> str:
    """An SVG path in relative steps, which are short; a gap begins anew. A lone point becomes a short stroke."""
    text, here = "", None
    for index, spot in enumerate(spots):
        if spot is None:
            here = None
            continue
        if here is None:
            alone = index + 1 == len(spots) or spots[index + 1] is None
            text += f"M{spot[0]} {spot[1]}" + ("h1" if alone else "")
        else:
            text += f"l{spot[0] - here[0]} {spot[1] - here[1]}"
        here = spot
    return text


def span(boards: t.Sequence[t.Mapping[str, t.Any]]) -> float:
    """Seconds between the first and the last point of all panels."""
    ends = [
        (line[0][0], line[-1][0])
        for board in boards
        for panel in board.get("panels") or []
        for item in panel.get("series") or []
        if len(line := points(item)) > 1
    ]
    return max(end for _begin, end in ends) - min(begin for begin, _end in ends) if ends else 0.0
