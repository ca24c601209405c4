# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Ask until nothing can change any more, or the time is over. This module util is PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_diagnosis import diagnose, judge_total
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import (
    FOREVER,
    Expectation,
    Judgement,
    Snapshot,
)

# Facts lead to further facts: objects to targets, targets to queries, a drop to its rule. More than this is a defect.
_MAX_PASSES = 8
_SHORTEST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.5, 5.0, 1.5


class Source(t.Protocol):
    """What the loop needs of a collector."""

    now: float

    def snapshot(self, expectations: t.Sequence[Expectation]) -> Snapshot: ...

    def fill(self, snapshot: Snapshot) -> None: ...


class Outcome(t.NamedTuple):
    """The last observation and how long it took to become final."""

    judgements: list[Judgement]
    snapshot: Snapshot
    waited: float
    rounds: int
    in_time: bool


def judge_until_final(
    expectations: t.Sequence[Expectation],
    source: Source,
    timeout: float,
    min_targets_total: int = 0,
    clock: t.Callable[[], float] = time.monotonic,
    sleep: t.Callable[[float], None] = time.sleep,
) -> Outcome:
    """Judge in rounds. What is asked of all entries together waits for nothing of its own.

    :param timeout: seconds in all, on the monotonic clock.
    """
    begin = clock()
    seen_since: dict[tuple[str, str], float] = {}
    started: float | None = None
    rounds = 0
    while True:
        judgements, snapshot, started = _round(expectations, source, min_targets_total, started)
        rounds += 1
        passed = clock() - begin
        seen_since = _keep(seen_since, judgements, passed)
        entries = judgements[: len(expectations)]
        if all(is_final(judgement, seen_since, passed) for judgement in entries):
            return Outcome(judgements, snapshot, passed, rounds, True)
        pause = _pause(entries, seen_since, source.now, passed, rounds)
        if passed + pause > timeout:
            # One last look, right at the end.
            if timeout - passed > _SHORTEST_PAUSE:
                sleep(timeout - passed - 0.1)
                judgements, snapshot, started = _round(expectations, source, min_targets_total, started)
                rounds += 1
                seen_since = _keep(seen_since, judgements, clock() - begin)
            passed = clock() - begin
            judgements = [_undecided(judgement, seen_since, passed) for judgement in judgements]
            return Outcome(judgements, snapshot, passed, rounds, False)
        sleep(pause)


def _round(
    expectations: t.Sequence[Expectation], source: Source, min_targets_total: int, started: float | None
) -> tuple[list[Judgement], Snapshot, float]:
    snapshot = source.snapshot(expectations)
    now = source.now
    if started is None:
        # The server tells its time in whole seconds (the Date header), rounded down.
        started = now + 1.0
    for _attempt in range(_MAX_PASSES):
        judgements = [diagnose(expectation, snapshot, now, started) for expectation in expectations]
        if not snapshot.wanted:
            break
        source.fill(snapshot)
    if min_targets_total:
        judgements.append(judge_total(min_targets_total, judgements))
    return judgements, snapshot, started


def _keep(
    before: dict[tuple[str, str], float], judgements: t.Sequence[Judgement], passed: float
) -> dict[tuple[str, str], float]:
    """Since when each finding has been there without interruption."""
    now = {}
    for judgement in judgements:
        for finding in judgement.findings:
            key = (judgement.check["name"], finding.code)
            now[key] = before.get(key, passed)
    return now


def is_final(judgement: Judgement, seen_since: t.Mapping[tuple[str, str], float], passed: float) -> bool:
    """Whether waiting cannot make a check good: it is, or a finding that does not end by itself has lasted."""
    if judgement.check["status"] in (_checks.OK, _checks.NOT_APPLICABLE):
        return True
    name = judgement.check["name"]
    return any(
        passed - seen_since.get((name, finding.code), passed) >= finding.patience for finding in judgement.findings
    )


def _undecided(judgement: Judgement, seen_since: t.Mapping[tuple[str, str], float], passed: float) -> Judgement:
    """At the deadline: what should have lasted for longer to be believed is not known, rather than failed."""
    if judgement.check["status"] != _checks.FAILED or is_final(judgement, seen_since, passed):
        return judgement
    if any(finding.certain and finding.patience == FOREVER for finding in judgement.findings):
        return judgement
    return dataclasses.replace(judgement, check={**judgement.check, "status": _checks.UNKNOWN})


def _pause(
    judgements: t.Sequence[Judgement],
    seen_since: t.Mapping[tuple[str, str], float],
    now: float,
    passed: float,
    rounds: int,
) -> float:
    """Until the next news: the next scrape of a target that is waited for, or a finding becoming final.

    What comes at any moment is looked for at growing intervals.
    """
    moments = []
    for judgement in judgements:
        if is_final(judgement, seen_since, passed):
            continue
        if judgement.next_news is not None and judgement.next_news > now:
            moments.append(judgement.next_news - now)
        for finding in judgement.findings:
            lasted = passed - seen_since.get((judgement.check["name"], finding.code), passed)
            moments.append(finding.patience - lasted)
    shortest = min(_SHORTEST_PAUSE * _GROWTH**rounds, _LONGEST_PAUSE / 2)
    return min(max(min(moments, default=1.0), shortest), _LONGEST_PAUSE)
