# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The verdict contract: what a check is, and how a list of checks ends a module.

This module util is PRIVATE to the collection. Pure functions over plain data; only C(finish) knows a module.
A check is C({name, status, expected, observed, cause, other_causes, notes, details}), see C(_check).
"""

from __future__ import annotations

import datetime
import typing as t

OK = "ok"
FAILED = "failed"
UNKNOWN = "unknown"
NOT_APPLICABLE = "not_applicable"
ACCEPTED = "accepted"
STATUSES = (OK, FAILED, UNKNOWN, NOT_APPLICABLE, ACCEPTED)

Check = dict[str, t.Any]
Cause = dict[str, str]


def _check(
    name: str,
    status: str,
    expected: str,
    observed: str,
    causes: t.Sequence[Cause] = (),
    notes: t.Sequence[str] = (),
    details: dict[str, t.Any] | None = None,
) -> Check:
    return {
        "name": name,
        "status": status,
        "expected": expected,
        "observed": observed,
        "cause": dict(causes[0]) if causes else None,
        "other_causes": [dict(cause) for cause in causes[1:]],
        "notes": list(notes),
        "details": dict(details or {}),
    }


def ok(
    name: str, expected: str, observed: str, notes: t.Sequence[str] = (), details: dict[str, t.Any] | None = None
) -> Check:
    """What was expected is what is there."""
    return _check(name, OK, expected, observed, (), notes, details)


def failed(
    name: str,
    expected: str,
    observed: str,
    causes: t.Sequence[Cause],
    notes: t.Sequence[str] = (),
    details: dict[str, t.Any] | None = None,
) -> Check:
    """What was expected is not there. C(causes) must not be empty: a failure without a cause is a defect of ours.

    :raises ValueError: when no cause is given.
    """
    if not causes:
        raise ValueError(f"check {name!r} failed without a cause")
    return _check(name, FAILED, expected, observed, causes, notes, details)


def unknown(
    name: str,
    expected: str,
    observed: str,
    causes: t.Sequence[Cause],
    notes: t.Sequence[str] = (),
    details: dict[str, t.Any] | None = None,
) -> Check:
    """It could not be found out in time. Makes the run fail like C(failed), and says what to do about it.

    :raises ValueError: when no cause is given.
    """
    if not causes:
        raise ValueError(f"check {name!r} is unknown without a cause")
    return _check(name, UNKNOWN, expected, observed, causes, notes, details)


def not_applicable(name: str, expected: str, reason: str) -> Check:
    """Not judged, for a reason that is printed."""
    return _check(name, NOT_APPLICABLE, expected, reason)


def _acceptance_fault(item: t.Any, today: datetime.date) -> str | None:
    """Why an acceptance does not count, or None when it does."""
    if not isinstance(item, dict):
        return f"accept entry {item!r} is not a mapping of name, reason, owner and until"
    missing = [key for key in ("name", "reason", "owner", "until") if not item.get(key)]
    if missing:
        return f"accept entry {item.get('name', item)!r} lacks {', '.join(missing)}"
    try:
        until = datetime.date.fromisoformat(str(item["until"]))
    except ValueError:
        return f"accept entry {item['name']!r}: until {item['until']!r} is not a date like 2026-12-31"
    if until < today:
        return f"acceptance of {item['name']!r} by {item['owner']} ended on {until}: fix it or accept it anew"
    return None


def accept(
    checks: t.Sequence[Check], accepted: t.Sequence[t.Any], today: datetime.date
) -> tuple[list[Check], list[str]]:
    """Apply known exceptions to failed and unknown checks.

    :param accepted: items of C({name, code (optional), reason, owner, until: YYYY-MM-DD}). With C(code) the check must
        have that one cause alone: an exception for one fault never hides a second.
    :returns: the checks in the same order, and notes: acceptances that are malformed, expired or without use.
    """
    notes: list[str] = []
    valid: list[dict[str, t.Any]] = []
    expired: dict[str, str] = {}
    for item in accepted or []:
        fault = _acceptance_fault(item, today)
        if fault is None:
            valid.append(item)
        else:
            notes.append(fault)
            if isinstance(item, dict) and item.get("name"):
                expired[str(item["name"])] = fault
    used: set[int] = set()
    result: list[Check] = []
    for check in checks:
        if check["status"] not in (FAILED, UNKNOWN):
            result.append(check)
            continue
        codes = [cause["code"] for cause in all_causes(check)]
        for index, item in enumerate(valid):
            if item["name"] == check["name"] and (not item.get("code") or set(codes) == {item["code"]}):
                used.add(index)
                note = f"accepted until {item['until']} by {item['owner']}: {item['reason']}"
                result.append({**check, "status": ACCEPTED, "notes": [*check["notes"], note]})
                break
        else:
            extra = [expired[check["name"]]] if check["name"] in expired else []
            result.append({**check, "notes": [*check["notes"], *extra]})
    notes.extend(
        f"acceptance of {item['name']!r} is not needed any more: remove it"
        for index, item in enumerate(valid)
        if index not in used
    )
    return result, notes


def all_causes(check: Check) -> list[Cause]:
    """Every cause of a check, the first one first."""
    first = [check["cause"]] if check.get("cause") else []
    return [*first, *check.get("other_causes", [])]


def summarise(checks: t.Sequence[Check]) -> dict[str, int]:
    """Count the checks by status; C(total) is all of them."""
    counts = dict.fromkeys(STATUSES, 0)
    for check in checks:
        counts[check["status"]] += 1
    counts["total"] = len(checks)
    return counts


def must_fail(checks: t.Sequence[Check]) -> bool:
    """True when a check is failed or unknown, and also when there is none: nothing judged is never good news."""
    return not checks or any(check["status"] in (FAILED, UNKNOWN) for check in checks)


def first_line(checks: t.Sequence[Check]) -> str:
    """One line a tired person can act on: how many, which, why, and the first fix."""
    if not checks:
        return "Nothing was judged: the list of expectations is empty."
    counts = summarise(checks)
    bad = [check for check in checks if check["status"] == FAILED] + [
        check for check in checks if check["status"] == UNKNOWN
    ]
    if not bad:
        return f"{counts[OK]} of {counts['total']} checks ok."
    words = []
    if counts[FAILED]:
        words.append(f"{counts[FAILED]} failed")
    if counts[UNKNOWN]:
        words.append(f"{counts[UNKNOWN]} unknown")
    head = f"{' and '.join(words)} of {counts['total']} checks"
    cause = bad[0]["cause"]
    others = f" Also: {', '.join(check['name'] for check in bad[1:6])}" if len(bad) > 1 else ""
    more = f" and {len(bad) - 6} more" if len(bad) > 6 else ""
    tail = f"{others}{more}." if others else ""
    return f"{head}. {bad[0]['name']}: {cause['message']} Fix: {cause['fix']}{tail}"


def finish(module: t.Any, checks: t.Sequence[Check], notes: t.Sequence[str] = (), **extra: t.Any) -> None:
    """End a verdict module: C(exit_json), or C(fail_json) when a check is red and O(report_only) is not set."""
    today = datetime.datetime.now(datetime.UTC).date()
    judged, more_notes = accept(checks, module.params.get("accept") or [], today)
    result = dict(
        changed=False,
        checks=judged,
        summary=summarise(judged),
        notes=[*notes, *more_notes],
        **extra,
    )
    if must_fail(judged) and not module.params.get("report_only"):
        module.fail_json(msg=first_line(judged), **result)
    module.exit_json(msg=first_line(judged), **result)
