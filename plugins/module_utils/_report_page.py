# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What stands on the page of evidence, from a document and the boards. This module util is PRIVATE to the collection.

Pure functions; the result is plain data (a *view*) that a template only lays out. Everything in it is cleaned, and
bounded: a cluster of any size makes a page that a phone can open.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _checks,
    _criteria,
    _report,
    _report_panels,
    _report_times,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._report_text import (
    cleaned,
    count,
    duration,
    flat,
    listed,
    moment,
)

View = dict[str, t.Any]
#: Rows of checks on the whole page; red ones are never left out for green ones.
MOST_ROWS = 1500
#: Findings that are told whole, and cells of a verdict that are drawn one by one.
MOST_FINDINGS = 200
MOST_CELLS = 240
_QUESTIONS = {
    "scrape": "Is every expected target up?",
    "logs": "Does every namespace log?",
    "workloads": "Did the services stay healthy?",
    "rules": "Does every rule evaluate, and can it fire?",
    "routing": "Who is told?",
    "delivery": "Do notifications arrive?",
    "dashboards": "Does every panel have data?",
    "slo": "Does every objective live?",
    "announcement": "Were they told of the drill?",
    "page": "Did the page arrive?",
    "end": "Was its end told?",
    "heartbeat": "Is a silent heartbeat noticed?",
    "alerting": "Do alerts arrive?",
}
_WORDS = {status: status.replace("_", " ") for status in _checks.STATUSES}
#: How a command or a line of YAML begins.
_LINE = re.compile(
    r"(sudo )?(ansible|kubectl|helm|amtool|promtool|logcli|curl|journalctl|systemctl|apt-get|pip|make|openssl)\b"
    r"|[\w.$-]+:(\s|$)|[\[{]"
)
_RED = (_checks.FAILED, _checks.UNKNOWN)


def view(document: t.Mapping[str, t.Any], boards: t.Sequence[t.Mapping[str, t.Any]] | None = None) -> View:
    """Everything that the template shows.

    :param document: of C(_report.document), with C(comparison) where there is a run to compare with.
    :param boards: with their points; those of the document have none.
    """
    verdicts = document["verdicts"]
    checks = _report.all_checks(verdicts)
    findings = _findings(checks)
    shown = boards if boards is not None else document.get("boards") or []
    page: View = {
        "cluster": document["cluster"],
        "play": document["play"],
        "time": _time(document["time"]),
        "stamp": document["time"],
        **_headline(checks),
        "edge": _edge(document["summary"]),
        "criteria": _criteria_rows(document.get("criteria")),
        "comparison": _comparison(document.get("comparison"), document["time"]),
        "verdicts": _verdicts(verdicts),
        "accepted": _accepted(checks),
        "slos": _report_times.slos(document.get("slos")),
        "timeline": _report_times.timelines(document.get("timeline")),
        "boards": _report_panels.boards(shown),
        **findings,
    }
    page["nav"] = _nav(page)
    return cleaned(page)


def _time(stamp: str) -> str:
    at = moment(stamp)
    return f"{at.day} {at:%B %Y, %H:%M:%S} UTC" if at else str(stamp)


def _headline(checks: t.Sequence[_checks.Check]) -> View:
    counts = _checks.summarise(checks)
    red = counts[_checks.FAILED] + counts[_checks.UNKNOWN]
    judged = counts["total"] - counts[_checks.NOT_APPLICABLE]
    parts = [f"{counts[status]} {_WORDS[status]}" for status in _checks.STATUSES if counts[status]]
    if not checks:
        return {"tone": _checks.UNKNOWN, "headline": "Nothing was judged", "counts": ""}
    if red:
        tone = _checks.FAILED if counts[_checks.FAILED] else _checks.UNKNOWN
        verb = "is" if red == 1 else "are"
        return {"tone": tone, "headline": f"{red} of {judged} checks {verb} red", "counts": ", ".join(parts)}
    accepted = f", {counts[_checks.ACCEPTED]} of them by a known exception" if counts[_checks.ACCEPTED] else ""
    return {
        "tone": _checks.OK,
        "headline": f"All {judged} checks are good{accepted}" if judged else "Nothing applies here",
        "counts": ", ".join(parts),
    }


def _edge(summary: t.Mapping[str, int]) -> list[View]:
    """The upper edge of the page: shares of the statuses, what is red never thinner than can be seen."""
    order = (_checks.FAILED, _checks.UNKNOWN, _checks.ACCEPTED, _checks.NOT_APPLICABLE, _checks.OK)
    sizes = {status: max(summary[status] / max(1, summary["total"]) * 100, 2.0) for status in order if summary[status]}
    whole, at, parts = sum(sizes.values()), 0.0, []
    for status, size in sizes.items():
        width = size / whole * 100
        parts.append({"status": status, "x": round(at, 2), "width": round(width, 2)})
        at += width
    return parts


def split_fix(text: str) -> View:
    """A fix is a sentence, a colon, and one command or line of YAML: that part is to be copied alone."""
    parts = str(text).split(": ")
    rests = [": ".join(parts[index:]) for index in range(1, len(parts))]
    rest = next((rest for rest in rests if _LINE.match(rest)), rests[0] if rests else "")
    if not rest.strip():
        return {"lead": "", "line": str(text)}
    lead = str(text)[: -len(rest)].rstrip()
    return {"lead": lead[:1].upper() + lead[1:], "line": rest}


def _causes(causes: t.Sequence[_checks.Cause]) -> list[View]:
    return [
        {"code": entry["code"], "messages": entry["messages"], "fix": split_fix(entry["fix"])}
        for entry in _report.remedies(causes)
    ]


def _findings(checks: t.Sequence[_checks.Check]) -> View:
    """What is wrong, in order of severity."""
    found = _report.findings(checks)
    rows = []
    for finding in found[:MOST_FINDINGS]:
        first = finding["checks"][0]
        verdict, _slash, name = str(finding["names"][0]).partition("/")
        others = [str(other) for other in finding["names"][1:]]
        rows.append(
            {
                "status": finding["status"],
                "word": _WORDS[finding["status"]],
                "verdict": verdict,
                "name": flat(name, 200),
                "others": listed([flat(other, 120) for other in others], 12) if others else "",
                "expected": first["expected"],
                "observed": first["observed"],
                "causes": _causes(finding["causes"]),
            }
        )
    return {"findings": rows, "findings_left": len(found) - len(rows)}


def _criteria_rows(criteria: t.Sequence[_criteria.Criterion] | None) -> View | None:
    if not criteria:
        return None
    rows = [
        {
            "status": item["status"],
            "word": _criteria.word(item).lower(),
            **item,
            "evidence": flat(item["evidence"], 600),
        }
        for item in criteria
    ]
    return {"rows": rows, "line": _criteria.line(criteria)}


def _comparison(found: t.Mapping[str, t.Any] | None, now: str) -> View | None:
    if not found:
        return None
    at, then = moment(now), moment(found["time"])
    ago = f"{duration((at - then).total_seconds())} before" if at and then and at >= then else ""
    moved = [
        {"title": title, "kind": kind, "rows": found[kind][:100], "left": max(0, len(found[kind]) - 100)}
        for kind, title in (("worse", "Worse"), ("better", "Better"), ("changed", "Judged otherwise"))
        if found[kind]
    ]
    names = [
        {"title": title, "kind": kind, "names": found[kind][:100], "left": max(0, len(found[kind]) - 100)}
        for kind, title in (("still", "Red as before"), ("new", "New"), ("gone", "Gone"))
        if found[kind]
    ]
    budgets = [
        {
            "name": item["name"],
            "before": f"{item['before'] * 100:.1f} %",
            "now": f"{item['now'] * 100:.1f} %",
            "kind": "worse" if item["now"] < item["before"] else "better",
        }
        for item in found["budgets"][:20]
    ]
    apart = []
    if found["only_now"]:
        apart.append(f"not judged then: {', '.join(found['only_now'])}")
    if found["only_before"]:
        apart.append(f"not judged now: {', '.join(found['only_before'])}")
    return {
        "play": found["play"],
        "time": _time(found["time"]),
        "ago": ago,
        "same": count(found["same"], "check"),
        "moved": moved,
        "names": names,
        "budgets": budgets,
        "apart": "; ".join(apart),
        "quiet": not (moved or names or budgets),
        "count": sum(len(found[kind]) for kind in ("worse", "better", "changed", "new", "gone")),
    }


def _accepted(checks: t.Sequence[_checks.Check]) -> list[View]:
    """Known exceptions, with what was promised about them."""
    return [
        {
            "name": check["name"],
            "observed": check["observed"],
            "notes": [note for note in check["notes"] if str(note).startswith("accepted until")],
        }
        for check in checks
        if check["status"] == _checks.ACCEPTED
    ]


def _verdicts(verdicts: t.Sequence[_report.Verdict]) -> list[View]:
    room = MOST_ROWS
    views = []
    for verdict in verdicts:
        checks = verdict["checks"]
        counts = _checks.summarise(checks)
        pressing = [check for check in checks if check["status"] != _checks.OK]
        quiet = max(0, room - len(pressing))
        kept, green = [], 0
        for check in checks:
            green += check["status"] == _checks.OK
            if check["status"] != _checks.OK or green <= quiet:
                kept.append(check)
        room = max(0, room - len(kept))
        tone = _report_panels.worst(counts)
        shared = {note: len(names) for note, names in _report.shared_notes(verdict).items() if len(names) > 1}
        views.append(
            {
                "id": f"v-{re.sub('[^a-z0-9]+', '-', str(verdict['name']).lower())}-{len(views)}",
                "name": verdict["name"],
                "question": _QUESTIONS.get(str(verdict["name"]), ""),
                "tone": tone,
                "open": tone in _RED,
                "counts": [
                    {"status": status, "text": f"{counts[status]} {_WORDS[status]}"}
                    for status in _checks.STATUSES
                    if counts[status]
                ],
                "cells": [check["status"] for check in checks] if len(checks) <= MOST_CELLS else [],
                "edge": _edge(counts),
                "rows": [_row(check, shared) for check in kept],
                "left": len(checks) - len(kept),
                "notes": [str(note) for note in verdict["notes"]]
                + [f"{note} ({many} checks)" for note, many in shared.items()],
            }
        )
    return views


def _row(check: _checks.Check, shared: t.Container[str]) -> View:
    return {
        "status": check["status"],
        "word": _WORDS[check["status"]],
        "name": flat(check["name"], 300),
        "expected": flat(check["expected"], 1000),
        "observed": flat(check["observed"], 1000),
        "causes": _causes(_checks.all_causes(check)),
        "notes": [note for note in check.get("notes") or [] if note not in shared][:20],
    }


def _nav(page: t.Mapping[str, t.Any]) -> list[View]:
    """The sections that are there, in the order of the page."""
    items = [("wrong", "What is wrong", str(len(page["findings"]) + page["findings_left"]) if page["findings"] else "")]
    if page["criteria"]:
        items.append(("criteria", "Criteria", page["criteria"]["line"].split(" success")[0].replace(" of ", "/")))
    if page["comparison"]:
        items.append(("changes", "Changes", str(page["comparison"]["count"] or "")))
    if page["timeline"]:
        items.append(("timeline", "Timeline", ""))
    items.append(("verdicts", "Verdicts", str(len(page["verdicts"]))))
    if page["slos"]:
        items.append(("slos", "SLOs", str(len(page["slos"]["rows"]))))
    if page["boards"]:
        items.append(("boards", "Boards", str(page["boards"]["count"])))
    return [{"id": name, "text": text, "count": number} for name, text, number in items]
