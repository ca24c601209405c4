# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""From the results of verdicts to what people and machines read. This module util is PRIVATE to the collection.

Pure functions: a *verdict* here is C({name, checks, notes, seconds}); C(collect) makes it from what a task registered.
"""

from __future__ import annotations

import textwrap
import typing as t
import xml.etree.ElementTree as ET

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause

Verdict = dict[str, t.Any]
Line: t.TypeAlias = "tuple[str, str | None]"

# Colours are Ansible's names; they vanish by themselves where the output is no terminal or NO_COLOR is set.
_COLOURS = {
    _checks.OK: "green",
    _checks.FAILED: "red",
    _checks.UNKNOWN: "bright purple",
    _checks.NOT_APPLICABLE: "cyan",
    _checks.ACCEPTED: "yellow",
}
_WORDS = {**{status: status.replace("_", " ") for status in _checks.STATUSES}, _checks.FAILED: "FAILED"}


def collect(name: str, result: t.Any) -> Verdict:
    """A verdict from a registered result; one without checks becomes a single unknown check.

    :param result: what C(register) holds: of a module that ran, crashed, was skipped, or never ran.
    """
    data = result if isinstance(result, dict) else {}
    checks = data.get("checks")
    if isinstance(checks, list) and checks and all(isinstance(check, dict) for check in checks):
        return {"name": name, "checks": checks, "notes": list(data.get("notes") or [])}
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


def _shorten(text: str, width: int) -> str:
    flat = " ".join(str(text).split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def table(title: str, verdicts: t.Sequence[Verdict], width: int = 120) -> list[Line]:
    """The summary for a terminal: counts, every check, then what is red with cause and fix.

    :param width: columns of the terminal, at least 80.
    :returns: lines with their colour or None.
    """
    width = max(80, width)
    checks = all_checks(verdicts)
    name_width = min(40, max([len(check["name"]) for check in checks] + [5]))
    rest = width - name_width - len("not applicable") - 6
    expected_width = rest // 2
    lines: list[Line] = [("", None), (title, "bold" if not checks else None)]
    lines.append((f"{'STATUS':14}  {'CHECK':{name_width}}  {'EXPECTED':{expected_width}}  OBSERVED", None))
    for check in checks:
        row = (
            f"{_WORDS[check['status']]:14}  {_shorten(check['name'], name_width):{name_width}}  "
            f"{_shorten(check['expected'], expected_width):{expected_width}}  "
            f"{_shorten(check['observed'], rest - expected_width)}"
        )
        lines.append((row.rstrip(), _COLOURS[check["status"]]))
    for verdict in verdicts:
        for note in _notes(verdict):
            lines.extend((line, None) for line in _wrap("note  ", note, width))
    red = red_checks(checks)
    if red:
        lines.append(("", None))
    for number, check in enumerate(red, 1):
        lines.append((f"{number}. {check['name']}: {_WORDS[check['status']]}", _COLOURS[check["status"]]))
        for entry in _checks.all_causes(check):
            lines.extend((line, None) for line in _wrap("   cause ", f"{entry['code']}: {entry['message']}", width))
            lines.extend((line, None) for line in _wrap("   fix   ", entry["fix"], width))
    lines.append(("", None))
    lines.append((count_line(checks), "red" if _checks.must_fail(checks) else "green"))
    return lines


def _notes(verdict: Verdict) -> list[str]:
    """The notes of a verdict and of its checks; one that several checks share is told once."""
    shared: dict[str, list[str]] = {}
    for check in verdict["checks"]:
        for note in check.get("notes", []):
            shared.setdefault(note, []).append(check["name"])
    notes = [f"{verdict['name']}: {note}" for note in verdict["notes"]]
    for note, names in shared.items():
        where = f"/{names[0]}" if len(names) == 1 else f" ({len(names)} checks)"
        notes.append(f"{verdict['name']}{where}: {note}")
    return notes


def count_line(checks: t.Sequence[_checks.Check]) -> str:
    """How many checks there are, by status."""
    counts = _checks.summarise(checks)
    parts = [f"{counts[status]} {_WORDS[status]}" for status in _checks.STATUSES if counts[status]]
    noun = "check" if counts["total"] == 1 else "checks"
    return f"{counts['total']} {noun}: {', '.join(parts) or 'nothing was judged'}"


def red_checks(checks: t.Sequence[_checks.Check]) -> list[_checks.Check]:
    """What makes the run fail, failed before unknown."""
    return [c for c in checks if c["status"] == _checks.FAILED] + [c for c in checks if c["status"] == _checks.UNKNOWN]


def _wrap(lead: str, text: str, width: int) -> list[str]:
    """Wrap prose; a fix's command must stay whole, so words are never broken and lines may be longer."""
    lines: list[str] = []
    for part in str(text).splitlines() or [""]:
        lines += textwrap.wrap(
            part,
            width - len(lead),
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
            replace_whitespace=False,
        ) or [""]
    return [(lead if index == 0 else " " * len(lead)) + line for index, line in enumerate(lines)]


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


def document(play: str, cluster: str, stamp: str, verdicts: t.Sequence[Verdict]) -> dict[str, t.Any]:
    """The evidence for machines: everything that was judged, in the order it was judged."""
    checks = all_checks(verdicts)
    return {
        "format": 1,
        "play": play,
        "cluster": cluster,
        "time": stamp,
        "failed": _checks.must_fail(checks),
        "summary": _checks.summarise(checks),
        "verdicts": list(verdicts),
    }


def digest(doc: dict[str, t.Any]) -> dict[str, t.Any]:
    """What fits into a ConfigMap or a workflow's artifacts: the counts, and each red check with its first cause."""
    red = red_checks(all_checks(doc["verdicts"]))
    return {
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
