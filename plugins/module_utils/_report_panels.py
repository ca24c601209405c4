# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The contact sheets: for each board its panels, drawn small. This module util is PRIVATE to the collection.

Bounded as a whole: of a hundred boards the first panels are drawn, the others told by their newest value.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks, _report_sketch
from ansible_collections.dataplatform.monitoring.plugins.module_utils._report_text import count, duration, flat

View = dict[str, t.Any]
#: Drawings, and panels at all, on one page.
MOST_DRAWN = 500
MOST_PANELS = 2000
_WORDS = {
    "data": "has data that is not drawn",
    "empty_ok": "empty, as it should be",
    "empty": "no data",
    "error": "its query fails",
    "no_query": "",
}
_TONES = {"data": _checks.OK, "empty_ok": _checks.OK, "empty": _checks.FAILED, "error": _checks.FAILED}


def worst(counts: t.Mapping[str, int]) -> str:
    """The status that a group of checks has as a whole."""
    for status in (_checks.FAILED, _checks.UNKNOWN, _checks.OK, _checks.ACCEPTED):
        if counts.get(status):
            return status
    return _checks.NOT_APPLICABLE


def boards(found: t.Sequence[t.Mapping[str, t.Any]]) -> View | None:
    """Every board with its tiles, in the order they were judged; text panels have nothing to show."""
    if not found:
        return None
    drawn, room, views = MOST_DRAWN, MOST_PANELS, []
    for board in found:
        asked = [panel for panel in board.get("panels") or [] if panel.get("status") != "no_query"]
        tiles = []
        for panel in asked[:room]:
            tile = _tile(panel, drawn > 0)
            drawn -= bool(tile["lines"] or tile["rows"])
            tiles.append(tile)
        room -= len(tiles)
        views.append(_board(board, asked, tiles))
    span = _report_sketch.span(found)
    return {
        "rows": views,
        "count": len(views),
        "panels": count(sum(view["asked"] for view in views), "panel"),
        "span": duration(span) if span else "",
        "undrawn": drawn <= 0,
    }


def _board(board: t.Mapping[str, t.Any], asked: t.Sequence[t.Any], tiles: list[View]) -> View:
    statuses = [str(panel.get("status")) for panel in asked]
    dead = sum(status in ("empty", "error") for status in statuses)
    told = f"{statuses.count('data')} of {count(len(asked), 'panel')} with data"
    fine = statuses.count("empty_ok")
    return {
        "title": flat(board.get("title") or board.get("uid"), 120),
        "folder": flat(board.get("folder") or "", 80),
        "tone": _checks.FAILED if dead else _checks.OK if "data" in statuses else _checks.UNKNOWN,
        "told": told + (f", {fine} empty as it should be" if fine else "") + (f", {dead} dead" if dead else ""),
        "asked": len(asked),
        "tiles": tiles,
        "left": len(asked) - len(tiles),
    }


def _tile(panel: t.Mapping[str, t.Any], drawn: bool) -> View:
    status = str(panel.get("status"))
    return {
        **_report_sketch.sketch(panel, drawn),
        "title": flat(panel.get("title") or f"panel {panel.get('id')}", 120),
        "status": status if status in _WORDS else "other",
        "tone": _TONES.get(status, _checks.UNKNOWN),
        "word": "has lines"
        if panel.get("type") == "logs" and status == "data"
        else _WORDS.get(status, flat(status, 40)),
        "reason": flat(panel.get("reason") or "", 400) if status != "data" else "",
    }
