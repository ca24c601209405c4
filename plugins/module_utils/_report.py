# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""From the results of verdicts to what people and machines read. This module util is PRIVATE to the collection.

Pure functions: a *verdict* here is C({name, checks, notes, seconds}); C(collect) makes it from what a task registered.
"""

from __future__ import annotations

import typing as t
import xml.etree.ElementTree as ET

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._report_text import listed

Verdict = dict[str, t.Any]
Finding = dict[str, t.Any]
WORDS = {**{status: status.replace("_", " ") for status in _checks.STATUSES}, _checks.FAILED: "FAILED"}
#: What hurts most first: nobody is told; a service suffers now; nobody would notice; what is read afterwards.
_WEIGHT = ("delivery", "routing", "page", "workloads", "scrape", "rules", "slo", "logs", "dashboards")


def collect(name: str, result: t.Any) -> Verdict:
    """A verdict from a registered result; one without checks becomes a single unknown check.

    :param result: what C(register) holds: of a module that ran, crashed, was skipped, or never ran.
    """
    data = result if isinstance(result, dict) else {}
    checks = data.get("checks")
    if isinstance(checks, list) and checks and all(isinstance(check, dict) for check in checks):
        whole = [{"cause": None, "other_causes": [], "notes": [], "details": {}} | check for check in checks]
        return {"name": name, "checks": whole, "notes": list(data.get("notes") or [])}
    if data.get("skipped"):
        why = f"its task was skipped: {data.get('skip_reason') or 'its condition was false'}"
    elif data.get("msg"):
        why = f"its task ended with: {' '.join(str(data['msg']).split())}"
    else:
        why = "its task left no result"
    missing = cause(
        "verdict_missing",
        f"The {name} verdict was not given: {why}",
        f"Run it alone and read its message: ansible-playbook dataplatform.monitoring.verify --tags {name} -v",
    )
    return {"name": name, "checks": [_checks.unknown(name, "a verdict", "none", [missing])], "notes": []}


def all_checks(verdicts: t.Sequence[Verdict]) -> list[_checks.Check]:
    """Every check of every verdict, its name led by the verdict's."""
    return [
        {**check, "name": f"{verdict['name']}/{check['name']}"} for verdict in verdicts for check in verdict["checks"]
    ]


def count_line(checks: t.Sequence[_checks.Check]) -> str:
    """How many checks there are, by status."""
    counts = _checks.summarise(checks)
    parts = [f"{counts[status]} {WORDS[status]}" for status in _checks.STATUSES if counts[status]]
    noun = "check" if counts["total"] == 1 else "checks"
    return f"{counts['total']} {noun}: {', '.join(parts) or 'nothing was judged'}"


def red_checks(checks: t.Sequence[_checks.Check]) -> list[_checks.Check]:
    """What makes the run fail, in order of severity: failed before unknown, then by what the verdict is about."""

    def severity(check: _checks.Check) -> tuple[bool, int]:
        verdict = str(check["name"]).partition("/")[0]
        return check["status"] == _checks.UNKNOWN, _WEIGHT.index(verdict) if verdict in _WEIGHT else len(_WEIGHT)

    return sorted((c for c in checks if c["status"] in (_checks.FAILED, _checks.UNKNOWN)), key=severity)


def findings(checks: t.Sequence[_checks.Check]) -> list[Finding]:
    """The red checks, those with the very same causes together: one fault is told once.

    :param checks: of C(all_checks).
    :returns: C({status, names, checks, causes}) in order of severity.
    """
    found: dict[t.Any, Finding] = {}
    for check in red_checks(checks):
        causes = _checks.all_causes(check)
        key = (check["status"], *((entry["code"], entry["message"], entry["fix"]) for entry in causes))
        # Without a cause it shares none.
        key = key if causes else (*key, check["name"])
        finding = found.setdefault(key, {"status": check["status"], "names": [], "checks": [], "causes": causes})
        finding["names"].append(check["name"])
        finding["checks"].append(check)
    return list(found.values())


def shared_notes(verdict: Verdict) -> dict[str, list[str]]:
    """The names of the checks that have a note, by note."""
    shared: dict[str, list[str]] = {}
    for check in verdict["checks"]:
        for note in check.get("notes", []):
            shared.setdefault(str(note), []).append(str(check["name"]))
    return shared


def notes(verdict: Verdict) -> list[tuple[str, str]]:
    """The notes of a verdict and of its checks as (where, note); one that several checks share is told once."""
    shared = shared_notes(verdict)
    told = [(str(verdict["name"]), str(note)) for note in verdict["notes"]]
    for note, names in shared.items():
        where = f"/{names[0]}" if len(names) == 1 else f" ({len(names)} checks)"
        told.append((f"{verdict['name']}{where}", note))
    return told


def junit(play: str, cluster: str, stamp: str, verdicts: t.Sequence[Verdict]) -> str:
    """The same as JUnit XML: failed is C(failure), unknown is C(error), not applicable and accepted are C(skipped)."""
    root = ET.Element("testsuites", name=f"{cluster} {play}")
    for verdict in verdicts:
        counts = _checks.summarise(verdict["checks"])
        suite = ET.SubElement(
            root,
            "testsuite",
            name=verdict["name"],
            timestamp=stamp,
            tests=str(counts["total"]),
            failures=str(counts[_checks.FAILED]),
            errors=str(counts[_checks.UNKNOWN]),
            skipped=str(counts[_checks.NOT_APPLICABLE] + counts[_checks.ACCEPTED]),
        )
        for check in verdict["checks"]:
            case = ET.SubElement(suite, "testcase", classname=f"{cluster}.{verdict['name']}", name=_xml(check["name"]))
            if check["status"] == _checks.OK:
                continue
            tag = {_checks.FAILED: "failure", _checks.UNKNOWN: "error"}.get(check["status"], "skipped")
            causes = _checks.all_causes(check)
            element = ET.SubElement(case, tag, message=_xml(causes[0]["message"] if causes else check["observed"]))
            if causes:
                element.set("type", causes[0]["code"])
            element.text = _xml(
                "\n".join(
                    [f"expected: {check['expected']}", f"observed: {check['observed']}"]
                    + [f"{entry['code']}: {entry['message']}\nfix: {entry['fix']}" for entry in causes]
                )
            )
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _xml(text: str) -> str:
    """Drop what XML 1.0 cannot hold: control characters that a server may have sent."""
    return "".join(
        char
        for char in str(text)
        if char in "\t\n\r" or (" " <= char < "\ud800") or ("\ue000" <= char <= "\ufffd") or char >= "\U00010000"
    )


def document(
    play: str,
    cluster: str,
    stamp: str,
    verdicts: t.Sequence[Verdict],
    *,
    slos: t.Sequence[t.Any] | None = None,
    boards: t.Sequence[t.Mapping[str, t.Any]] | None = None,
    timeline: t.Any = None,
    criteria: t.Sequence[t.Any] | None = None,
) -> dict[str, t.Any]:
    """The evidence for machines: everything that was judged, in the order it was judged.

    :param slos: of M(dataplatform.monitoring.slo_info). :param boards: of M(dataplatform.monitoring.verify_dashboards);
        kept without the points that were drawn. :param timeline: stages of a drill. :param criteria: of C(_criteria).
    """
    checks = all_checks(verdicts)
    doc: dict[str, t.Any] = {
        "format": 1,
        "play": play,
        "cluster": cluster,
        "time": stamp,
        "failed": _checks.must_fail(checks),
        "summary": _checks.summarise(checks),
        "verdicts": list(verdicts),
    }
    given = {"slos": slos, "timeline": timeline, "criteria": criteria}
    doc |= {key: value for key, value in given.items() if value is not None}
    if boards is not None:
        doc["boards"] = [_without_points(board) for board in boards]
    return doc


def _without_points(board: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    panels = [{key: value for key, value in panel.items() if key != "series"} for panel in board.get("panels") or []]
    return {**board, "panels": panels}


def digest(doc: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What fits into a ConfigMap or a workflow's artifacts: the counts, and each red check with its first cause."""
    red = red_checks(all_checks(doc["verdicts"]))
    short: dict[str, t.Any] = {
        "play": doc["play"],
        "cluster": doc["cluster"],
        "time": doc["time"],
        "failed": doc["failed"],
        "summary": doc["summary"],
        "red": [
            {
                "name": check["name"],
                "status": check["status"],
                "cause": check["cause"]["code"] if check["cause"] else "",
            }
            for check in red[:100]
        ],
    }
    if doc.get("criteria") is not None:
        met = sum(item["status"] == _checks.OK for item in doc["criteria"])
        short["criteria"] = {"met": met, "total": len(doc["criteria"])}
    return short


def remedies(causes: t.Sequence[_checks.Cause]) -> list[dict[str, t.Any]]:
    """Causes of one code with one fix together.

    :returns: C({code, messages, fix}) in the order of the causes.
    """
    found: dict[tuple[str, str], dict[str, t.Any]] = {}
    for entry in causes:
        key = (str(entry["code"]), str(entry["fix"]))
        found.setdefault(key, {"code": key[0], "messages": [], "fix": key[1]})["messages"].append(str(entry["message"]))
    return list(found.values())


def first_line(checks: t.Sequence[_checks.Check]) -> str:
    """What a task's message says: how many, and the worst with its cause and fix.

    :param checks: of C(all_checks).
    """
    found = findings(checks)
    if not found:
        return count_line(checks)
    words = f"{count_line(checks)}. {found[0]['names'][0]}: "
    for first in found[0]["causes"][:1]:
        words += f"{first['message']} Fix: {first['fix']}"
    others = [str(check["name"]) for check in red_checks(checks) if check["name"] != found[0]["names"][0]]
    return words + (f" (also red: {listed(others)})" if others else "")
