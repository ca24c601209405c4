# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Did the notification leave? From what was seen of a receiver on a replica to a check. PRIVATE to the collection.

Pure functions: C(look) says what is certain at this moment, C(check) makes one check of a receiver's replicas.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._delivery_counters import Counters, Replica
from ansible_collections.dataplatform.monitoring.plugins.module_utils._delivery_reasons import failure

SENT, FAILED, KEPT, UNSEEN, WAITING = "sent", "failed", "kept", "unseen", "waiting"

#: Seconds for which requests fail before that is believed where the log says why: two errors, then good, is no fault.
RETRIES = 20.0


@dataclasses.dataclass
class Sight:
    """What is seen of one receiver by way of one replica, or of several that got the same alert.

    Times are seconds since the alert was posted.

    :param due: notifications of each kind that must leave.
    :param earliest: before that nothing of this alert can leave: what is counted until then is another's.
    :param wait: when every attempt has begun. :param patience: when retries have ended.
    :param counted: False where the counters may be another receiver's: then only a message counts.
    :param shown: place that shows this receiver's messages, "" when there is none.
    :param errors: what the log or the place says of this receiver. :param exact: they are about this very alert.
    :param own_log: the log tells this alert's errors apart: as long as it has none, what was counted is another's.
    :param instead: titles of the newest messages there that are about something else.
    """

    receiver: str
    replica: str
    code: str
    due: t.Mapping[str, int]
    wait: float
    patience: float
    counted: bool = True
    earliest: float = 0.0
    base: t.Mapping[str, Replica] = dataclasses.field(default_factory=dict)
    shown: str = ""
    instead: list[str] = dataclasses.field(default_factory=list)
    gained: dict[str, Counters] = dataclasses.field(default_factory=dict)
    errors: list[str] = dataclasses.field(default_factory=list)
    exact: bool = False
    own_log: bool = False
    held: list[dict[str, str]] = dataclasses.field(default_factory=list)
    attempted_at: float | None = None
    failing_since: float | None = None
    answered_at: float | None = None
    maybe_at: float | None = None
    message_at: float | None = None
    notes: list[str] = dataclasses.field(default_factory=list)

    def gain(self, before: t.Mapping[str, Replica], after: t.Mapping[str, Replica], now: float) -> dict[str, Counters]:
        """What the replicas that are named in C(before) counted of each kind since, or since C(earliest)."""
        if now < self.earliest:
            self.base = {label: after[label] for label in before}
        found = {}
        for kind in self.due:
            for label, reading in before.items():
                base = self.base.get(label, reading).counters(kind, self.receiver)
                new = after[label].counters(kind, self.receiver).since(base)
                found[kind] = found.get(kind, Counters()).plus(new)
        return found

    def count(self, gained: dict[str, Counters], now: float) -> None:
        """Take a new reading of what the counters gained since the post."""
        self.gained = gained
        if self.attempted_at is None and any(item.attempts for item in gained.values()):
            self.attempted_at = now
        if self.failing_since is None and any(item.requests_failed for item in gained.values()):
            self.failing_since = now
        # A page is not written at one moment: it may have a request and not yet that it failed. The next one has.
        answered = bool(self.due) and all(self._answered(kind) for kind in self.due)
        if self.answered_at is None and answered and self.maybe_at is not None:
            self.answered_at = self.maybe_at
        self.maybe_at = (now if self.maybe_at is None else self.maybe_at) if answered else None

    def _answered(self, kind: str) -> bool:
        return self.gained.get(kind, Counters()).answered >= self.due[kind]

    def missing(self) -> list[str]:
        """Kinds of which not all have been accepted yet."""
        return [kind for kind in self.due if not self._answered(kind)]

    @property
    def sent_at(self) -> float | None:
        """When it was proven that the notification left: by the message itself where that can be seen."""
        if self.shown:
            return self.message_at
        return self.answered_at if self.counted else None


def look(sight: Sight, now: float, last: bool = False) -> tuple[str, dict[str, str] | None]:
    """What is certain now: a state, and the cause when it is not C(sent) or C(waiting).

    :param now: seconds since the post. :param last: the time given is over.
    """
    if sight.sent_at is not None:
        return SENT, None
    if sight.held and sight.attempted_at is None:
        return KEPT, sight.held[0]
    failed = [kind for kind in sight.missing() if sight.gained.get(kind, Counters()).failures]
    # Counters that may be another receiver's accuse nobody: its own errors in the log do.
    ours = sight.counted or bool(sight.errors)
    if sight.own_log and not last and now < sight.patience:
        ours = sight.exact
    if failed and ours:
        return FAILED, _failure(sight, failed[0], now)
    failing = [kind for kind in sight.missing() if sight.gained.get(kind, Counters()).requests_failed]
    certain = sight.failing_since is not None and now - sight.failing_since >= RETRIES and bool(sight.errors)
    if failing and ours and (certain or last or now >= sight.patience):
        return FAILED, _failure(sight, failing[0], now)
    over = now >= sight.wait
    if sight.attempted_at is None:
        if over:
            return FAILED, _not_attempted(sight, now)
        return (UNSEEN, _too_short(sight)) if last else (WAITING, None)
    if sight.answered_at is None:
        if now >= sight.patience or (last and now - sight.attempted_at >= RETRIES):
            return FAILED, _no_answer(sight, now)
        return (UNSEEN, _too_short(sight)) if last else (WAITING, None)
    if not over and not last:
        return WAITING, None
    if sight.shown:
        return FAILED, cause(
            "message_not_seen",
            f"{sight.receiver} on {sight.replica}: accepted after {sight.answered_at:.1f} s, but {sight.shown} shows "
            f"no message with {sight.code}; {_instead(sight)}.",
            "compare the address of the receiver with the place that shows its messages, and its template: "
            "amtool template render --template.text='{{ template \"email.default.subject\" . }}'",
        )
    return UNSEEN, cause(
        "counters_without_receiver",
        f"{sight.receiver} on {sight.replica}: {', '.join(sight.due)} notifications were accepted, by this receiver or "
        "another of its kind.",
        "set in prometheus_operator_values: {alertmanager: {enableFeatures: [receiver-name-in-metrics]}}",
    )


def _instead(sight: Sight) -> str:
    if not sight.instead:
        return "nothing arrived there since"
    return "what arrived there since: " + " | ".join(sight.instead)


def _place(sight: Sight) -> dict[str, str]:
    namespace, _slash, pod = sight.replica.removeprefix("pod ").partition("/")
    if not pod:
        config = f"its configuration: amtool config show --alertmanager.url={sight.replica}"
        return {"credentials": config, "log": "journalctl -t alertmanager --since=-1h"}
    log = f"kubectl logs -n {namespace} {pod.partition(',')[0]} -c alertmanager"
    return {"credentials": f"its Secret: kubectl describe secret -n {namespace} alertmanager-receivers", "log": log}


def _failure(sight: Sight, kind: str, now: float) -> dict[str, str]:
    gained = sight.gained[kind]
    told = f"{gained.requests_failed:g} of {gained.requests:g} requests failed within {now:.0f} s"
    if not gained.requests:
        told = "the notification failed before a request was made"
    return failure(sight.receiver, sight.replica, kind, gained.failed, sight.errors, _place(sight), told, sight.exact)


def _not_attempted(sight: Sight, now: float) -> dict[str, str]:
    return cause(
        "notification_not_attempted",
        f"{sight.receiver} on {sight.replica}: nothing left within {now:.0f} s, it was due after {sight.wait:.0f} s.",
        f"read what the dispatcher says: {_place(sight)['log']}",
    )


def _no_answer(sight: Sight, now: float) -> dict[str, str]:
    kind = sight.missing()[0]
    told = f"no answer {now - (sight.attempted_at or 0.0):.0f} s after the attempt began"
    reasons = {"contextDeadlineExceeded": 1.0}
    return failure(sight.receiver, sight.replica, kind, reasons, sight.errors, _place(sight), told)


def _too_short(sight: Sight) -> dict[str, str]:
    return cause(
        "verdict_too_short",
        f"{sight.receiver} on {sight.replica}: the notification may leave {sight.wait:.0f} s after the alert.",
        f"give the verdict more time: timeout: {int(sight.wait) + 60}",
    )


def check(receiver: str, sights: t.Sequence[Sight], now: float) -> _checks.Check:
    """One check of a receiver, over all replicas that were to send. The words say what was proven, and no more."""
    seen = [(sight, *look(sight, now, True)) for sight in sights]
    good = [sight for sight, state, _cause in seen if state == SENT]
    causes = [found for _sight, _state, found in seen if found is not None]
    by_message = bool(sights) and bool(sights[0].shown)
    expected = "the message arrives" if by_message else "the provider accepts the notification"
    if len(sights) > 1:
        expected += f", from each of {len(sights)} replicas"
    details = {"replicas": [_detail(sight, state) for sight, state, _cause in seen]}
    notes = list(dict.fromkeys(note for sight in sights for note in sight.notes))
    times = ", ".join(f"{sight.sent_at:.1f} s" for sight in good)
    if len(good) == len(seen):
        word = "arrived" if by_message else "accepted by the provider, which is not read by a person,"
        return _checks.ok(receiver, expected, f"{word} after {times}", notes, details)
    observed = f"{len(good)} of {len(seen)} replicas" if len(seen) > 1 else "not sent"
    states = {state for _sight, state, _cause in seen}
    if FAILED in states:
        causes.sort(key=lambda item: item["code"] in ("verdict_too_short", "counters_without_receiver"))
        return _checks.failed(receiver, expected, observed, causes, notes, details)
    observed = "kept back" if KEPT in states else "not known"
    return _checks.unknown(receiver, expected, observed, causes, notes, details)


def _detail(sight: Sight, state: str) -> dict[str, t.Any]:
    rounded = {
        key: None if value is None else round(value, 2)
        for key, value in (
            ("attempted_after", sight.attempted_at),
            ("accepted_after", sight.answered_at),
            ("message_after", sight.message_at),
        )
    }
    counted = {
        kind: {"attempts": item.attempts, "requests": item.requests, "failed_requests": item.requests_failed}
        for kind, item in sight.gained.items()
    }
    return {"replica": sight.replica, "code": sight.code, "state": state, **rounded, "counted": counted}
