# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What one Alertmanager says about itself on its /metrics page. This module util is PRIVATE to the collection.

Source: Alertmanager 0.34, notify/metrics.go and notify/retry_stage.go. An attempt counts when it begins, a request when
it was answered or failed; a failure that is retried is a failed request at once, and a failed notification only when
the retries end. With receiver names all of these start from zero again when the configuration is loaded anew.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_metrics import Page, parse_page, total

_ATTEMPTS = "alertmanager_notifications_total"
_FAILED = "alertmanager_notifications_failed_total"
_REQUESTS = "alertmanager_notification_requests_total"
_REQUESTS_FAILED = "alertmanager_notification_requests_failed_total"
_SECONDS = "alertmanager_notification_latency_seconds_sum"
_HASH = "alertmanager_config_hash"
_SINGLE = {
    "integrations": "alertmanager_integrations",
    "reload_ok": "alertmanager_config_last_reload_successful",
    "members": "alertmanager_cluster_members",
    "failed_peers": "alertmanager_cluster_failed_peers",
    "position": "alertmanager_peer_position",
    "started": "process_start_time_seconds",
}
_WANTED = {_ATTEMPTS, _FAILED, _REQUESTS, _REQUESTS_FAILED, _SECONDS, _HASH, *_SINGLE.values()}

#: Kind of integration, and the receiver's name or "" where the server does not tell it.
Way = tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Counters:
    """Notifications of one way out. C(failed) is by reason, C(seconds) is what all requests together took."""

    attempts: float = 0.0
    requests: float = 0.0
    requests_failed: float = 0.0
    failed: t.Mapping[str, float] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0

    @property
    def answered(self) -> float:
        """Requests that the other side accepted."""
        return self.requests - self.requests_failed

    @property
    def failures(self) -> float:
        return sum(self.failed.values())

    def since(self, before: Counters) -> Counters:
        """What was counted since an earlier reading; all of it when the counters started anew in between."""
        pairs = (
            (self.attempts, before.attempts),
            (self.requests, before.requests),
            (self.requests_failed, before.requests_failed),
            *((value, before.failed.get(reason, 0.0)) for reason, value in self.failed.items()),
        )
        if any(now < then for now, then in pairs):
            return self
        gained = {reason: value - before.failed.get(reason, 0.0) for reason, value in self.failed.items()}
        return Counters(
            self.attempts - before.attempts,
            self.requests - before.requests,
            self.requests_failed - before.requests_failed,
            {reason: value for reason, value in gained.items() if value},
            max(0.0, self.seconds - before.seconds),
        )

    def plus(self, other: Counters) -> Counters:
        """Both together: two replicas, of which one sends and the other need not."""
        reasons = {*self.failed, *other.failed}
        return Counters(
            self.attempts + other.attempts,
            self.requests + other.requests,
            self.requests_failed + other.requests_failed,
            {reason: self.failed.get(reason, 0.0) + other.failed.get(reason, 0.0) for reason in sorted(reasons)},
            self.seconds + other.seconds,
        )


@dataclasses.dataclass(frozen=True)
class Replica:
    """One reading of one Alertmanager. What its page does not have is None."""

    name: str
    ways: t.Mapping[Way, Counters]
    config_hash: float | None = None
    integrations: float | None = None
    reload_ok: float | None = None
    members: float | None = None
    failed_peers: float | None = None
    position: float | None = None
    started: float | None = None

    @property
    def tells_receivers(self) -> bool:
        """Whether its counters carry the receiver's name."""
        return any(receiver for _kind, receiver in self.ways)

    def counters(self, kind: str, receiver: str) -> Counters:
        """Of one receiver where they are told apart, else of all receivers of this kind."""
        return self.ways.get((kind, receiver)) or self.ways.get((kind, "")) or Counters()


def read(name: str, text: str) -> Replica:
    """Read a page in the Prometheus text format."""
    page = parse_page(text, _WANTED)
    single = {field: total(page, metric) for field, metric in _SINGLE.items()}
    return Replica(name=name, ways=_ways(page), config_hash=total(page, _HASH), **single)


def _ways(page: Page) -> dict[Way, Counters]:
    found: dict[Way, dict[str, t.Any]] = {}
    fields = {
        _ATTEMPTS: "attempts",
        _REQUESTS: "requests",
        _REQUESTS_FAILED: "requests_failed",
        _SECONDS: "seconds",
    }
    for metric in (*fields, _FAILED):
        for labels, value in page.get(metric, {}).items():
            known = dict(labels)
            way = found.setdefault((known.get("integration", ""), known.get("receiver_name", "")), {"failed": {}})
            if metric == _FAILED:
                reason = known.get("reason", "other")
                way["failed"][reason] = way["failed"].get(reason, 0.0) + value
            else:
                # More labels than these (group_key, when enabled) are summed up.
                way[fields[metric]] = way.get(fields[metric], 0.0) + value
    return {way: Counters(**values) for way, values in found.items()}
