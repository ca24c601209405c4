# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The verdicts on a terminal, at three in the morning. This module util is PRIVATE to the collection.

What is green is one line for each verdict, and every check with -v. Who is told and what arrived is listed always, for
that is what people ask. What is red comes last, where a terminal stands when the play has ended, the worst first and
each with its cause and fix; after it only the count.
"""

from __future__ import annotations

import textwrap
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _checks,
    _criteria,
    _report,
    _report_compare,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._report_text import clean, count, flat, listed

Line: t.TypeAlias = "tuple[str, str | None]"

# Colours are Ansible's names; they vanish by themselves where the output is no terminal or NO_COLOR is set.
_COLOURS = {
    _checks.OK: "green",
    _checks.FAILED: "red",
    _checks.UNKNOWN: "bright purple",
    _checks.NOT_APPLICABLE: "cyan",
    _checks.ACCEPTED: "yellow",
}
#: Verdicts whose every check is told: who gets what, and how long it took.
_IN_FULL = frozenset({"routing", "delivery", "announcement", "page", "end", "heartbeat"})
#: More findings than this are told in a line each: the first ones are read, the rest is in the page.
_MOST_FINDINGS = 8
_MOST_NOTES = 8


def table(
    title: str,
    verdicts: t.Sequence[_report.Verdict],
    width: int = 120,
    *,
    every: bool = False,
    criteria: t.Sequence[_criteria.Criterion] | None = None,
    comparison: t.Mapping[str, t.Any] | None = None,
) -> list[Line]:
    """The summary.

    :param width: columns of the terminal, at least 80. :param every: all checks and notes, as -v asks.
    :returns: lines with their colour or None.
    """
    width = max(80, width)
    checks = _report.all_checks(verdicts)
    lines: list[Line] = [("", None), (flat(title), None), ("", None)]
    names = max([len(flat(verdict["name"])) for verdict in verdicts] + [len("verdict")])
    for verdict in verdicts:
        lines.append(_overview(verdict, names, width))
    for verdict in verdicts:
        shown = [check for check in verdict["checks"] if every or _told(verdict, check)]
        if shown:
            lines += [("", None), (flat(verdict["name"]), None), *_rows(shown, width)]
    lines += _note_lines(verdicts, width, every)
    if criteria is not None:
        lines += _criteria_lines(criteria, width)
    if comparison is not None:
        lines += _comparison_lines(comparison, width)
    lines += _findings(_report.findings(checks), width, every)
    lines.append(("", None))
    if not every and not all(_told(verdict, check) for verdict in verdicts for check in verdict["checks"]):
        lines.append(("Every check: -v, or the evidence.", None))
    last = _report.count_line(checks) + (f". {_criteria.line(criteria)}" if criteria is not None else "")
    lines.append((last, "red" if _checks.must_fail(checks) else "green"))
    return lines


def _told(verdict: _report.Verdict, check: _checks.Check) -> bool:
    """Whether a check has a line without -v; what is red has its own place anyway."""
    return verdict["name"] in _IN_FULL or check["status"] in (_checks.NOT_APPLICABLE, _checks.ACCEPTED)


def _overview(verdict: _report.Verdict, names: int, width: int) -> Line:
    counts = _checks.summarise(verdict["checks"])
    parts = [f"{counts[status]} {_report.WORDS[status]}" for status in _checks.STATUSES if counts[status]]
    more = ""
    if verdict["name"] == "rules" and (whole := _criteria.rules_healthy(verdict["checks"]))[1]:
        more = f"rules healthy {whole[0]} of {whole[1]}"
    total = next((c for c in verdict["checks"] if c["name"] == "targets in total"), None)
    if total is not None:
        more = f"different targets {total['observed']}"
    text = f"  {flat(verdict['name']):{names}}  {', '.join(parts):28}  {flat(more)}".rstrip()
    red = next((s for s in (_checks.FAILED, _checks.UNKNOWN) if counts[s]), None)
    status = red or (_checks.OK if counts[_checks.OK] else _checks.NOT_APPLICABLE)
    return _shorten(text, width, lead=True), _COLOURS[status]


def _rows(checks: t.Sequence[_checks.Check], width: int) -> list[Line]:
    """A line for each check: status, name, observed, and what was expected where that is something else."""
    words = max(len(_report.WORDS[check["status"]]) for check in checks)
    names = min(width // 2, max(len(flat(check["name"])) for check in checks))
    rest = width - words - names - 6
    lines: list[Line] = []
    for check in checks:
        observed, expected = flat(check["observed"]), flat(check["expected"])
        told = observed if check["status"] == _checks.OK else f"{observed} (expected: {expected})"
        name = _shorten(flat(check["name"]), names)
        row = f"  {_report.WORDS[check['status']]:{words}}  {name:{names}}  {_shorten(told, rest)}"
        lines.append((row.rstrip(), _COLOURS[check["status"]]))
    return lines


def _note_lines(verdicts: t.Sequence[_report.Verdict], width: int, every: bool) -> list[Line]:
    told = [pair for verdict in verdicts for pair in _report.notes(verdict)]
    shown = told if every else told[:_MOST_NOTES]
    lines: list[Line] = [("", None)] if told else []
    for where, note in shown:
        lines += [(line, None) for line in _wrap("note  ", f"{flat(where)}: {clean(note)}", width)]
    if len(told) > len(shown):
        lines.append((f"note  and {len(told) - len(shown)} more", None))
    return lines


def _criteria_lines(criteria: t.Sequence[_criteria.Criterion], width: int) -> list[Line]:
    lines: list[Line] = [("", None), ("Success criteria", None)]
    words = max(len(_criteria.word(item)) for item in criteria)
    names = 46
    for item in criteria:
        if width - words - names - 6 < 40:
            lines.append((f"  {_criteria.word(item):{words}}  {item['criterion']}", _COLOURS[item["status"]]))
            below = _wrap(" " * (words + 4), flat(item["evidence"]), width)
            lines += [(line, _COLOURS[item["status"]]) for line in below]
            continue
        left = textwrap.wrap(item["criterion"], names)
        right = textwrap.wrap(flat(item["evidence"]), width - words - names - 6) or [""]
        for index in range(max(len(left), len(right))):
            word = _criteria.word(item) if index == 0 else ""
            name, said = (part[index] if index < len(part) else "" for part in (left, right))
            lines.append((f"  {word:{words}}  {name:{names}}  {said}".rstrip(), _COLOURS[item["status"]]))
    return lines


def _comparison_lines(comparison: t.Mapping[str, t.Any], width: int) -> list[Line]:
    line = flat(_report_compare.line(comparison))
    lines: list[Line] = [("", None), (line[:1].upper() + line[1:], None)]
    for key, colour in (("worse", "red"), ("better", "green")):
        for item in comparison[key][:_MOST_NOTES]:
            text = f"  {key:6}  {item['name']}: {item['before'].replace('_', ' ')} -> {item['now'].replace('_', ' ')}"
            lines.append((_shorten(clean(text), width, lead=True), colour))
    return lines


def _findings(findings: t.Sequence[_report.Finding], width: int, every: bool) -> list[Line]:
    """What is red, with cause and fix."""
    lines: list[Line] = []
    for index, finding in enumerate(findings, 1):
        colour = _COLOURS[finding["status"]]
        names = listed([flat(name) for name in finding["names"]], 40 if every else 6)
        head = f"{index}. {names}: {_report.WORDS[finding['status']]}"
        if index > _MOST_FINDINGS and not every:
            codes = ", ".join(dict.fromkeys(cause["code"] for cause in finding["causes"]))
            lines.append((f"{head} ({codes})", colour))
            continue
        lines += [("", None), (head, colour)]
        expected, observed = flat(finding["checks"][0]["expected"]), flat(finding["checks"][0]["observed"])
        if len(finding["names"]) == 1:
            lines += [(line, None) for line in _wrap("   saw   ", f"{observed}; expected {expected}", width)]
        for entry in _report.remedies(finding["causes"]):
            for message in entry["messages"]:
                lines += [(line, None) for line in _wrap("   cause ", f"{entry['code']}: {clean(message)}", width)]
            lines += [(line, None) for line in _wrap("   fix   ", clean(entry["fix"]), width)]
    if len(findings) > _MOST_FINDINGS and not every:
        told = count(len(findings) - _MOST_FINDINGS, "cause")
        lines.append((f"Cause and fix of the last {told}: -v, or the evidence.", None))
    return lines


def _shorten(text: str, width: int, lead: bool = False) -> str:
    """Cut to a width; C(lead) keeps the blanks at the beginning."""
    body = text if lead else flat(text)
    return body if len(body) <= width else body[: width - 1] + "…"


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
