# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""SLO budgets and the timeline of a drill on the page of evidence. This module util is PRIVATE to the collection.

Pure functions from the results of M(dataplatform.monitoring.slo_info) and M(dataplatform.monitoring.follow_alert) to
plain data; lengths are in percent of what they are drawn in.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._report_text import duration, flat, number
from ansible_collections.dataplatform.monitoring.plugins.module_utils._report_units import plain

View = dict[str, t.Any]
#: State of an SLO -> (words, how it is coloured). A young one is good: its window is not full yet.
_STATES = {
    "ok": ("ok", _checks.OK),
    "young": ("young", _checks.OK),
    "burning_ticket": ("burning (ticket)", _checks.ACCEPTED),
    "burning_page": ("burning (page)", _checks.FAILED),
    "exhausted": ("budget spent", _checks.FAILED),
    "no_data": ("no data", _checks.FAILED),
}
#: What hurts most first.
_ORDER = ("no_data", "exhausted", "burning_page", "burning_ticket", "ok", "young")
_MOST_SLOS = 300
_BURNS = ("1h", "6h", "3d")
#: What happens in a stage.
_GLOSSES = {
    "scrape": "until a scrape shows it",
    "load of the rule": "until Prometheus runs it",
    "evaluation": "until the rule sees it",
    "for": "as long as the rule waits",
    "to Alertmanager": "sent by Prometheus",
}


def percent(ratio: float | None, digits: int = 4) -> str:
    """C(99.9 %); an en dash where there is no number."""
    return "–" if ratio is None else f"{plain(ratio * 100, digits)} %"


def slos(found: t.Sequence[t.Mapping[str, t.Any]] | None) -> View | None:
    """Budgets as bars, the worst first."""
    if not found:
        return None
    items = [item for item in found if isinstance(item, dict)]
    items.sort(key=lambda item: (_rank(item), _left(item)))
    rows = [_slo(item) for item in items[:_MOST_SLOS]]
    states = [row["word"] for row in rows]
    told = ", ".join(f"{states.count(word)} {word}" for word in dict.fromkeys(states))
    return {"rows": rows, "left": len(items) - len(rows), "told": told}


def _rank(item: t.Mapping[str, t.Any]) -> int:
    state = str(item.get("state"))
    return _ORDER.index(state) if state in _ORDER else 0


def _left(item: t.Mapping[str, t.Any]) -> float:
    left = number(item.get("budget_left"))
    return left if left is not None else 2.0


def _slo(item: t.Mapping[str, t.Any]) -> View:
    word, tone = _STATES.get(str(item.get("state")), (flat(item.get("state"), 40), _checks.UNKNOWN))
    left = number(item.get("budget_left"))
    objective = number(item.get("objective"))
    coverage = number(item.get("coverage"))
    errors, burns = item.get("error_ratio") or {}, item.get("burn_rate") or {}
    window = flat(item.get("window") or "", 20)
    ends = number(item.get("exhaustion_seconds"))
    return {
        "name": flat(item.get("service") or item.get("slo"), 80),
        "sli": flat(item.get("sli") or "", 40),
        "objective": percent(objective if objective is None or objective <= 1 else objective / 100, 6),
        "window": window,
        "state": str(item.get("state")),
        "word": word,
        "tone": tone,
        "left": "–" if left is None else f"{plain(left * 100)} %",
        "bar": 0 if left is None else round(min(100.0, max(0.0, left * 100)), 1),
        "over": 0 if left is None else round(min(100.0, max(0.0, -left * 100)), 1),
        "error": percent(number(errors.get("window"))),
        "burns": [
            {"window": name, "text": "<0.01" if 0 < rate < 0.01 else plain(rate, 2), "high": rate > 1}
            for name in _BURNS
            if (rate := number(burns.get(name))) is not None
        ],
        "ends": duration(ends) if ends is not None and ends >= 0 else "",
        "coverage": _covered(coverage, number(item.get("window_seconds")), window),
        "message": flat(item.get("message") or "", 300),
    }


def _covered(coverage: float | None, seconds: float | None, window: str) -> str:
    """How much of its window is recorded, where that is not all of it."""
    if coverage is None or coverage >= 0.9995:
        return ""
    return f"{duration(coverage * seconds) if seconds else percent(coverage, 3)} of {window}"


def timelines(given: t.Any) -> list[View]:
    """A drill's stages, as bars from the fault to the last receiver.

    :param given: a list of stages C({name, seconds, share}), or a dictionary of such lists by title.
    """
    titled = given if isinstance(given, dict) else {"From the fault to the page": given}
    return [made for title, stages in titled.items() if (made := _timeline(flat(title, 80), stages))]


def _timeline(title: str, stages: t.Any) -> View | None:
    """Stages follow each other until Alertmanager knows; from there on each receiver has its own, side by side."""
    given = stages if isinstance(stages, list) else []
    known = [item for item in given if isinstance(item, dict) and number(item.get("seconds")) is not None]
    if not known:
        return None
    placed: list[tuple[str, str, float, float, t.Any]] = []
    now, fork, at = 0.0, None, {}
    for item in known:
        name, seconds = flat(item.get("name") or item.get("stage"), 80), max(0.0, float(item["seconds"]))
        stage, comma, receiver = name.partition(", ")
        if not comma:
            placed.append((name, "", now, seconds, item.get("share")))
            now += seconds
            continue
        fork = now if fork is None else fork
        begin = at.get(receiver, fork)
        placed.append((stage, receiver, begin, seconds, item.get("share")))
        at[receiver] = begin + seconds
    whole = max([now, *at.values()])
    if whole <= 0:
        return None
    rows = []
    for stage, receiver, begin, seconds, share in placed:
        part = number(share)
        # What took no time to speak of still has its place.
        width = max(seconds / whole * 100, 0.35)
        rows.append(
            {
                "stage": stage,
                "receiver": receiver,
                "gloss": _GLOSSES.get(stage, ""),
                "x": round(min(begin / whole * 100, 100 - width), 2),
                "width": round(width, 2),
                "seconds": f"{seconds:.1f} s",
                "share": f"{(seconds / whole if part is None else part) * 100:.0f} %",
            }
        )
    longest = max(placed, key=lambda item: item[3])[0]
    return {
        "title": title,
        "rows": rows,
        "total": duration(whole),
        "longest": f"\N{LEFT DOUBLE QUOTATION MARK}{longest}\N{RIGHT DOUBLE QUOTATION MARK}",
    }
