# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What got better or worse since the run before. This module util is PRIVATE to the collection.

Pure functions over two documents as C(_report.document) makes them. Only verdicts that both runs gave are compared: a
check is not gone because its verdict was not asked for.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._report_text import number

Document = t.Mapping[str, t.Any]
_RANK = {
    _checks.OK: 0,
    _checks.NOT_APPLICABLE: 0,
    _checks.ACCEPTED: 1,
    _checks.UNKNOWN: 2,
    _checks.FAILED: 3,
}
#: A budget that moved by less is noise.
_BUDGET_STEP = 0.01


def _checks_of(document: Document) -> dict[str, dict[str, str]]:
    """Status by check by verdict; of an older or damaged document, what can be read."""
    found: dict[str, dict[str, str]] = {}
    for verdict in document.get("verdicts") or []:
        if not isinstance(verdict, dict) or not isinstance(verdict.get("checks"), list):
            continue
        named = {
            str(check.get("name")): str(check.get("status"))
            for check in verdict["checks"]
            if isinstance(check, dict) and check.get("status") in _RANK
        }
        found[str(verdict.get("name"))] = named
    return found


def comparable(now: Document, before: t.Any) -> int:
    """How many of the same verdicts both runs gave about the same cluster."""
    if not isinstance(before, dict) or before.get("cluster") != now.get("cluster"):
        return 0
    return len(_checks_of(now).keys() & _checks_of(before).keys())


def compare(now: Document, before: Document) -> dict[str, t.Any]:
    """The differences.

    :returns: C({time, play}) of the run before; C(worse), C(better) and C(changed): lists of C({name, before, now});
        C(still): names that are red in both; C(new) and C(gone): names; C(same): how many checks kept their status;
        C(only_now) and C(only_before): verdicts of one of them; C(budgets): C({name, before, now}) of SLOs.
    """
    mine, theirs = _checks_of(now), _checks_of(before)
    out: dict[str, t.Any] = {
        "time": str(before.get("time") or ""),
        "play": str(before.get("play") or ""),
        "worse": [], "better": [], "changed": [], "still": [], "new": [], "gone": [], "same": 0,
        "only_now": [name for name in mine if name not in theirs],
        "only_before": [name for name in theirs if name not in mine],
        "budgets": _budgets(now, before),
    }  # fmt: skip
    for verdict in mine:
        if verdict not in theirs:
            continue
        for name, status in mine[verdict].items():
            whole, old = f"{verdict}/{name}", theirs[verdict].get(name)
            if old is None:
                out["new"].append(whole)
            elif old == status:
                out["same"] += 1
                if _RANK[status] >= _RANK[_checks.UNKNOWN]:
                    out["still"].append(whole)
            else:
                step = _RANK[status] - _RANK[old]
                kind = "worse" if step > 0 else "better" if step < 0 else "changed"
                out[kind].append({"name": whole, "before": old, "now": status})
        out["gone"] += [f"{verdict}/{name}" for name in theirs[verdict] if name not in mine[verdict]]
    return out


def _budgets(now: Document, before: Document) -> list[dict[str, t.Any]]:
    """SLOs whose budget moved, the one that lost most first."""
    old = {
        str(slo.get("slo")): number(slo.get("budget_left")) for slo in before.get("slos") or [] if isinstance(slo, dict)
    }
    moved = []
    for slo in now.get("slos") or []:
        name, left = str(slo.get("slo")), number(slo.get("budget_left"))
        was = old.get(name)
        if left is not None and was is not None and abs(left - was) >= _BUDGET_STEP:
            moved.append({"name": name, "before": was, "now": left})
    return sorted(moved, key=lambda item: item["now"] - item["before"])


def differs(comparison: t.Mapping[str, t.Any]) -> bool:
    """Whether anything of note changed."""
    return any(comparison[key] for key in ("worse", "better", "changed", "new", "gone", "budgets"))


def line(comparison: t.Mapping[str, t.Any]) -> str:
    """One line: C(since day2 of 2026-11-23T18:41:39Z: 2 worse, 1 better, 3 new)."""
    parts = [
        f"{len(comparison[key])} {word}"
        for key, word in (
            ("worse", "worse"), ("better", "better"), ("still", "red as before"), ("changed", "judged otherwise"),
            ("new", "new"), ("gone", "gone"),
        )
        if comparison[key]
    ]  # fmt: skip
    return f"since {comparison['play']} of {comparison['time']}: {', '.join(parts) or 'nothing changed'}"
