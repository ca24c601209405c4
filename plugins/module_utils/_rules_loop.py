# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Look at the rules until nothing can change any more, or the time is over. This module util is PRIVATE."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError, ApiForbidden
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_model import Expectation, Snapshot
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_others import NAME, judge_others
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_reach import Reading
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_series import Series
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_verdict import Context, Judgement, judge
from ansible_collections.dataplatform.monitoring.plugins.module_utils._unreached import why

_PAUSE = 3.0


class Source(t.Protocol):
    """What the loop needs of a collector; C(series) is there after the first snapshot."""

    series: Series | None

    def snapshot(self) -> Snapshot: ...


class Outcome(t.NamedTuple):
    """The last observation, what it came from and how long it took."""

    judgements: list[Judgement]
    snapshot: Snapshot | None
    waited: float
    rounds: int


def judge_until_final(
    expectations: t.Sequence[Expectation],
    source: Source,
    timeout: float,
    others: bool = True,
    rerun: str = "",
    clock: t.Callable[[], float] = time.monotonic,
    sleep: t.Callable[[float], None] = time.sleep,
    url: str = "",
) -> Outcome:
    """Judge in rounds. A server that does not answer is asked again, unless it is a matter of permissions. Where it
    answered before, and only the last time did not, it is asked once more than the time allows: what was seen a moment
    ago is not lost by one answer.

    :param timeout: seconds in all, on the monotonic clock. :param url: address of a Prometheus that is asked directly.
    """
    begin = clock()
    reading = Reading()
    rounds, answered = 0, False
    while True:
        rounds += 1
        snapshot: Snapshot | None = None
        try:
            snapshot = source.snapshot()
            judgements = _round(expectations, snapshot, source, reading, others, rerun)
            final, again = all(one.final for one in judgements), False
            answered = True
        except ApiError as exc:
            judgements, final = _unreached(expectations, exc, others, url), isinstance(exc, ApiForbidden)
            again, answered = answered, False
        passed = clock() - begin
        if final or (passed + _PAUSE > timeout and not again):
            return Outcome(judgements, snapshot, passed, rounds)
        sleep(_PAUSE)
        if source.series is not None:
            source.series.look_again()


def _round(
    expectations: t.Sequence[Expectation],
    snapshot: Snapshot,
    source: Source,
    reading: Reading,
    others: bool,
    rerun: str,
) -> list[Judgement]:
    rules = [rule for replica in snapshot.replicas for group in replica.groups for rule in group.rules]
    series = source.series
    if series is None:
        raise ApiError("Prometheus was not asked for its series.")
    series.ask(reading.selectors(rule.query for rule in rules))
    recorded = {
        rule.name: group.name
        for group in snapshot.replicas[0].groups
        for rule in group.rules
        if rule.kind == "recording"
    }
    context = Context(snapshot, series, reading, rerun, recorded)
    judgements = [judge(expectation, context) for expectation in expectations]
    return [*judgements, judge_others(expectations, context)] if others else judgements


def _unreached(expectations: t.Sequence[Expectation], exc: ApiError, others: bool, url: str) -> list[Judgement]:
    """Nothing is known of any rule."""
    found = why(exc, "Prometheus")
    names = [one.name for one in expectations if one.state in ("present", "adopted")]
    checks = [
        _checks.unknown(one.name, "rules loaded, evaluated and able to fire", "no answer", [found])
        if one.name in names
        else _checks.not_applicable(one.name, "no rules", one.reason or one.state)
        for one in expectations
    ]
    if others:
        checks.append(_checks.unknown(NAME, "rules evaluated and healthy", "no answer", [found]))
    return [Judgement(check, False) for check in checks]
