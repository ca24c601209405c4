# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Up is not healthy: what the pack says must be true of a product whose targets are up.

This module util is PRIVATE to the collection. Pure functions over a snapshot.
"""

from __future__ import annotations

import difflib
import math
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_fixes import fix, kubectl
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_live import Seen, Trust, trust
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import (
    Expectation,
    Finding,
    Snapshot,
    View,
    some,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_pods import name_of
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_services import (
    namespace_of,
)


def judge(
    expectation: Expectation,
    job: str,
    seen: t.Sequence[Seen],
    view: View,
    snapshot: Snapshot,
    now: float,
    started: float,
) -> list[Finding]:
    """Samples, metrics and health of targets of which at least one is up.

    :param job: the job label that the targets really have.
    """
    up = [item for item in seen if item.up]
    if not up:
        return []
    wait = trust(up, now, started)
    sick = _health(expectation, job, up, view, snapshot, wait)
    if sick and expectation.exporter is not None:
        # An exporter that cannot ask has nothing to tell: metrics that are missing then are no cause of their own.
        return sick
    return [
        *_samples(expectation, job, up, view, snapshot, wait),
        *_metrics(expectation, job, up, view, snapshot, wait),
        *sick,
    ]


def _samples(
    expectation: Expectation, job: str, up: t.Sequence[Seen], view: View, snapshot: Snapshot, wait: Trust
) -> list[Finding]:
    if not expectation.min_samples:
        return []
    fact = snapshot.fact("samples", job)
    if not isinstance(fact, dict):
        return [fact] if isinstance(fact, Finding) else []
    found = view.pick(fact)
    poor = []
    for item in up:
        labels = item.target.get("labels") or {}
        count = next((s["value"] for s in found if _labels(s) == labels), None)
        if count is not None and count < expectation.min_samples:
            poor.append((item, int(count)))
    if not poor:
        return []
    item, _count = poor[0]
    text = some(f"{each.text} gave {number}" for each, number in poor)
    return [
        Finding(
            "too_few_samples",
            f"{text} samples at its last scrape; a working one gives at least {expectation.min_samples}.",
            fix("See what it publishes", f"curl -sS --max-time 10 {item.url}"),
            *wait,
        )
    ]


def _labels(sample: t.Mapping[str, t.Any]) -> dict[str, str]:
    return {key: value for key, value in sample["metric"].items() if key != "__name__"}


def _metrics(
    expectation: Expectation, job: str, up: t.Sequence[Seen], view: View, snapshot: Snapshot, wait: Trust
) -> list[Finding]:
    """Metrics without which the pack's alerts and panels are dead. C(a|b) names alternatives (renamed upstream)."""
    if not expectation.must_have:
        return []
    fact = snapshot.fact("present", job, tuple(sorted({n for name in expectation.must_have for n in name.split("|")})))
    if not isinstance(fact, dict):
        return [fact] if isinstance(fact, Finding) else []
    there = {sample["metric"].get("__name__") for sample in view.pick(fact)}
    missing = [name for name in expectation.must_have if not there & set(name.split("|"))]
    if not missing:
        return []
    all_names = snapshot.fact("names", job)
    names = sorted({str(name) for name in view.pick(all_names)}) if isinstance(all_names, dict) else []
    near = [_near(name.split("|")[0], names) for name in missing]
    hint = some([found for found in near if found], 3)
    there_text = f"the nearest there are {hint}" if hint else f"there are {len(names)} metrics, none of a similar name"
    return [
        Finding(
            "must_have_missing",
            f"Up, but without {some(missing)} (job {job}): {there_text}.",
            fix("See what it publishes", f"curl -sS --max-time 10 {up[0].url}"),
            *wait,
        )
    ]


def _near(name: str, names: t.Sequence[str]) -> str | None:
    prefix = name.split("_")[0] + "_"
    alike = [other for other in names if other.startswith(prefix)]
    found = difflib.get_close_matches(name, alike, 1, 0.6)
    return found[0] if found else None


def _health(
    expectation: Expectation, job: str, up: t.Sequence[Seen], view: View, snapshot: Snapshot, wait: Trust
) -> list[Finding]:
    findings = []
    for check in expectation.health:
        expr = expectation.expression(str(check["expr"]), job)
        fact = snapshot.fact("query", expr)
        if isinstance(fact, Finding):
            findings.append(fact)
            continue
        if fact is None:
            continue
        found = view.pick(fact)
        means = str(check.get("means") or f"{check['expr']} {wanted_text(check)}").rstrip(".")
        if not found:
            findings.append(
                Finding(
                    "not_healthy",
                    f"It is not known whether {means}: {expr} has no value.",
                    _health_fix(expectation, check, up),
                    *wait,
                )
            )
            continue
        bad = [sample for sample in found if not healthy(check, sample["value"])]
        if bad:
            text = some(f"{_where(sample)} has {number(sample['value'])}" for sample in bad)
            findings.append(
                Finding(
                    "not_healthy",
                    f"Up, but not healthy: {expr} must be {wanted_text(check)} ({means}), and {text}.",
                    _health_fix(expectation, check, up),
                    *wait,
                )
            )
    return findings


def healthy(check: t.Mapping[str, t.Any], value: float) -> bool:
    """Whether one value is what the pack asks for; NaN never is. Without any bound, everything but 0 is."""
    if math.isnan(value):
        return False
    bounds = [key for key in ("equals", "min", "max") if check.get(key) is not None]
    if not bounds:
        return value != 0
    if check.get("equals") is not None and value != float(check["equals"]):
        return False
    if check.get("min") is not None and value < float(check["min"]):
        return False
    return not (check.get("max") is not None and value > float(check["max"]))


def wanted_text(check: t.Mapping[str, t.Any]) -> str:
    """What the pack asks for, in words."""
    words = []
    if check.get("equals") is not None:
        words.append(number(float(check["equals"])))
    if check.get("min") is not None:
        words.append(f"at least {number(float(check['min']))}")
    if check.get("max") is not None:
        words.append(f"at most {number(float(check['max']))}")
    return " and ".join(words) or "other than 0"


def number(value: float) -> str:
    """A value without needless digits."""
    return f"{value:.6g}"


def _where(sample: t.Mapping[str, t.Any]) -> str:
    metric = sample["metric"]
    for key in ("instance", "pod", "server"):
        if metric.get(key):
            pod = f" (Pod {metric['pod']})" if key == "instance" and metric.get("pod") else ""
            return f"{metric[key]}{pod}"
    rest = ", ".join(f"{key}={value}" for key, value in sorted(metric.items()) if key not in ("__name__", "job"))
    return rest or "it"


def _health_fix(expectation: Expectation, check: t.Mapping[str, t.Any], up: t.Sequence[Seen]) -> str:
    if check.get("fix"):
        told = str(check["fix"])
        return told if ": " in told else fix("Find out why not", told)
    pod = up[0].pod
    if pod is not None:
        return fix("Read what it says", kubectl(namespace_of(pod), "logs", name_of(pod), "--tail=50"))
    return fix("See what it publishes", f"curl -sS --max-time 10 {up[0].url}")
