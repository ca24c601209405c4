# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Follow one alert from Prometheus through Alertmanager to its receivers. PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import datetime
import html
import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _checks,
    _delivery_judge,
    _delivery_plan,
    _drill,
    _routing,
    _routing_oracle,
    _unreached,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._delivery_counters import Replica
from ansible_collections.dataplatform.monitoring.plugins.module_utils._delivery_judge import Sight
from ansible_collections.dataplatform.monitoring.plugins.module_utils._delivery_run import Shown, pod_log, read_replica
from ansible_collections.dataplatform.monitoring.plugins.module_utils._drill import FIRING, RESOLVED, Moments
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError, ApiForbidden
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube
from ansible_collections.dataplatform.monitoring.plugins.module_utils._prometheus import query
from ansible_collections.dataplatform.monitoring.plugins.module_utils._routing_checks import Configuration

_PAUSE = 0.5
#: A receiver and the labels that one of its groups is made of.
Group = tuple[str, tuple[tuple[str, str], ...]]
#: Kinds that tell of an end only when asked to (Alertmanager 0.34, config/notifiers.go, send_resolved).
_QUIET = ("email", "rocketchat", "slack", "wechat")


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is followed.

    :param labels: that the alert has, among others; C(alertname) is one of them.
    :param noticed: PromQL that has a result as soon as a scrape shows the fault (or its end); "" follows the rule.
    :param words: that a message about this alert contains, all of them, in any order and place.
    :param ends: kinds of integrations by receiver that are told when an alert ends.
    """

    labels: t.Mapping[str, str]
    phase: str
    begun: float
    noticed: str
    words: tuple[str, ...]
    ends: t.Mapping[str, t.Sequence[str]]

    @property
    def name(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.labels.items())

    @property
    def first(self) -> str:
        return "scrape" if self.noticed else "load"

    def fits(self, labels: t.Mapping[str, str]) -> bool:
        return all(labels.get(name) == value for name, value in self.labels.items())


def unix(text: str) -> float:
    """A time of an API (nanoseconds too) in Unix seconds."""
    head, dot, rest = text.partition(".")
    if dot:
        digits = rest.rstrip("Z").partition("+")[0].partition("-")[0]
        text = f"{head}.{digits[:6]}{rest[len(digits) :]}"
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Follower:
    """Looks until the alert has arrived everywhere or the time is over.

    C(alert) is all labels by which Alertmanager knows it: the routes ask for more than those it is recognised by.
    """

    def __init__(
        self,
        asked: Asked,
        prometheus: Api,
        apis: t.Sequence[Api],
        config: Configuration,
        kube: Kube | None,
        shown: t.Mapping[str, Shown],
        known: t.Mapping[str, str],
    ) -> None:
        """:param known: labels it had while it fired; at its end it may be gone before the first look."""
        self.asked, self._prometheus, self._apis = asked, prometheus, list(apis)
        self._config, self._kube, self._shown = config, kube, dict(shown)
        self.moments = Moments(asked.begun)
        self.sights: dict[str, Sight] = {}
        self._before: dict[str, Replica] = {}
        self.alert = dict(known)
        self._groups: dict[Group, bool] = {}

    def follow(self, timeout: float) -> list[_checks.Check]:
        """:returns: a check of the alert, and one of each receiver it goes to."""
        limit = time.monotonic() + timeout
        while True:
            last = time.monotonic() + _PAUSE > limit
            trouble = self._look()
            states = [_delivery_judge.look(sight, self._waited())[0] for sight in self.sights.values()]
            arrived = self.moments.received is not None and _delivery_judge.WAITING not in states
            if last or arrived or isinstance(trouble, ApiForbidden):
                break
            time.sleep(_PAUSE)
        if self.sights and trouble is None:
            # What a request took is counted a moment after the message can be seen.
            time.sleep(_PAUSE)
            trouble = self._look()
        self._tell_moments()
        return self._checks(None if trouble is None else _unreached.why(trouble, "it"))

    def _look(self) -> ApiError | None:
        """Look at everything once. One answer that fails in a drill of minutes is no verdict: it is asked again."""
        try:
            self._look_at_prometheus()
            self._look_at_alertmanager()
            self._look_at_receivers()
        except ApiError as exc:
            return exc
        return None

    def _checks(self, trouble: _checks.Cause | None) -> list[_checks.Check]:
        """:param trouble: why the last look saw nothing; what was not known before is unknown then."""
        waited = time.time() - self.asked.begun
        checks = [_drill.check(self.moments, self.asked.phase, self.asked.first, self.asked.name, waited, trouble)]
        if self._groups:
            checks.append(self._grouping())
        for name, sight in self.sights.items():
            made = _delivery_judge.check(name, [sight], self._waited())
            if trouble is not None and sight.sent_at is None:
                made = _checks.unknown(name, made["expected"], "no answer", [trouble], (), made["details"])
            checks.append({**made, "name": name if self.asked.phase == FIRING else f"{name}, end"})
        return checks

    def _grouping(self) -> _checks.Check:
        """Whether the server put the alert into the groups that its routes are configured to make."""
        expected = "; ".join(_group_text(group) for group in self._groups)
        missing = [group for group, seen in self._groups.items() if not seen]
        if not missing:
            return _checks.ok("grouping", expected, "so it is")
        found = cause(
            "server_routes_otherwise",
            f"{self.asked.name} is not in the group {'; '.join(_group_text(group) for group in missing)}.",
            "see the groups that there are: amtool alert query -o json --alertmanager.url=http://localhost:9093",
        )
        return _checks.failed("grouping", expected, f"{len(missing)} of {len(self._groups)} groups missing", [found])

    def _waited(self) -> float:
        return time.time() - (self.moments.received or time.time())

    def _look_at_prometheus(self) -> None:
        asked, moments = self.asked, self.moments
        if moments.noticed is None and asked.noticed and query(self._prometheus, asked.noticed):
            moments.noticed = time.time()
        data = self._prometheus.get_json("/api/v1/alerts")["data"]
        mine = [item for item in data["alerts"] if asked.fits(item["labels"])]
        if asked.phase == RESOLVED:
            if moments.active is None and not [item for item in mine if item["state"] == "firing"]:
                moments.active = time.time()
                moments.noticed = moments.noticed or (None if asked.noticed else moments.active)
            return
        if moments.noticed is None and not asked.noticed:
            groups = self._prometheus.get_json("/api/v1/rules", [("type", "alert")])["data"]["groups"]
            names = {rule["name"] for group in groups for rule in group["rules"]}
            moments.noticed = time.time() if asked.labels["alertname"] in names else None
        if mine and moments.active is None:
            moments.active = min(unix(item["activeAt"]) for item in mine)
            # The rule saw it before this module did.
            moments.noticed = min(moments.noticed or moments.active, moments.active)
        if moments.fired is None and any(item["state"] == "firing" for item in mine):
            moments.fired = time.time()

    def _look_at_alertmanager(self) -> None:
        moments, firing = self.moments, self.asked.phase == FIRING
        if moments.received is not None:
            return
        readings = {api.label: read_replica(api) for api in self._apis}
        filters = [("filter", f'{name}="{value}"') for name, value in self.asked.labels.items()]
        found = [item for api in self._apis for item in api.get_json("/api/v2/alerts", filters)]
        if found:
            self.alert = dict(found[0]["labels"])
        if firing and found:
            first = min(found, key=lambda item: unix(item["updatedAt"]))
            moments.received = unix(first["updatedAt"])
            # Prometheus sends when it fired; that is exact, our look is not.
            moments.fired = min(unix(first["startsAt"]), moments.received)
            self._expect()
            self._groups = {
                (route.receiver, tuple(sorted(route.group_labels(self.alert).items()))): False
                for route in _routing.match(self._config.root, self.alert)
            }
        elif not firing and moments.active is not None and not found:
            moments.received = time.time()
            if self.alert:
                self._expect()
        if moments.received is None:
            self._before = readings

    def _expect(self) -> None:
        """From now on: which receivers are due, how much, until when."""
        labels = self.alert
        self._before = self._before or {api.label: read_replica(api) for api in self._apis}
        firing = self.asked.phase == FIRING
        position = max((replica.position or 0.0) for replica in self._before.values())
        routes = tuple(_routing.match(self._config.root, labels))
        made = _delivery_plan.Trial("", labels, routes, frozenset(), {})
        for name in dict.fromkeys(route.receiver for route in routes):
            due = _delivery_plan.kinds(self._config, made, name)
            if not firing:
                due = {kind: number for kind, number in due.items() if kind in self.asked.ends.get(name, ())}
            if not due:
                continue
            later = 0.0 if firing else max(route.group_interval for route in made.of(name))
            self.sights[name] = Sight(
                receiver=name,
                replica=", ".join(api.label for api in self._apis),
                code=" ".join(self.asked.words),
                due=due,
                # A group that is active already waits for its next turn.
                wait=made.wait(name, position) + (later or max(route.group_interval for route in made.of(name))),
                patience=made.patience(name, position) + later,
                counted=all(one.tells_receivers for one in self._before.values())
                or _delivery_plan.told_apart(self._config, name),
                shown=self._shown[name].label if name in self._shown else "",
            )

    def _look_at_receivers(self) -> None:
        if not self.sights:
            return
        if not all(self._groups.values()):
            for api in self._apis:
                for receiver, labels in _routing_oracle.active_groups(api):
                    group = (receiver, tuple(sorted(labels.items())))
                    if group in self._groups:
                        self._groups[group] = True
        readings = {api.label: read_replica(api) for api in self._apis}
        waited = self._waited()
        for name, sight in self.sights.items():
            sight.count(sight.gain(self._before, readings, waited), waited)
            if sight.sent_at is None and name in self._shown:
                self._look_at_messages(name, sight)
            if sight.sent_at is None and sight.failing_since is not None:
                logged = [error for api in self._apis for error in pod_log(self._kube, api.label, waited)]
                sight.errors = [error.text for error in logged if error.receiver == name]

    def _look_at_messages(self, name: str, sight: Sight) -> None:
        """A message about this alert that came after it fired or ended; its own time where it has one."""
        start, moments = self.moments.received or 0.0, self.moments
        # When Alertmanager is first seen to know may be later than when it knew; the fault is always before.
        since = moments.begun if self.asked.phase == RESOLVED else min(moments.fired or start, start)
        others = []
        for message in self._shown[name].messages()[0]:
            at = float(message.get("at") or time.time()) if isinstance(message, dict) else time.time()
            # One second: clocks and rounding of two machines.
            if at < since - 1:
                continue
            if tells(message, self.asked.words, self.asked.phase == RESOLVED):
                sight.message_at = max(0.0, at - start)
                if sight.attempted_at is None or sight.attempted_at > sight.message_at:
                    sight.attempted_at = sight.message_at
                return
            others.append(title(message))
        sight.instead = others[-3:]

    def _tell_moments(self) -> None:
        """When each receiver was tried and when it had accepted: its message's own time, or else what was counted."""
        start = self.moments.received or 0.0
        for name, sight in self.sights.items():
            accepted = sight.sent_at if sight.sent_at is not None else sight.answered_at if sight.counted else None
            if accepted is None:
                continue
            requests = sum(item.requests for item in sight.gained.values())
            took = sum(item.seconds for item in sight.gained.values()) / requests if requests else 0.0
            # Looked at every half second; what the requests took is measured by the server itself.
            attempted = accepted - took if took else sight.attempted_at
            self.moments.accepted[name] = start + accepted
            self.moments.attempted[name] = start + max(0.0, accepted if attempted is None else attempted)


def tells(message: t.Any, words: t.Sequence[str], over: bool) -> bool:
    """Whether a message is about the alert with these words, and about its end when it is to be.

    :param message: of whatever shape. Its texts are searched: not the JSON of them, in which a quote is escaped, and
        not the names of its fields, of which PagerDuty has one for resolved alerts in every event.
    """
    text = "\n".join(_texts(message))
    text = f"{text}\n{html.unescape(text)}"
    return all(word in text for word in words) and (not over or "resolve" in text.lower())


def _texts(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    else:
        yield str(value)


def title(message: t.Any) -> str:
    """What a person would call a message: its subject, its summary, or how it begins."""
    if isinstance(message, dict):
        message = message.get("subject") or message.get("summary") or message.get("text") or message
    return " ".join(str(message).split())[:100]


def _group_text(group: Group) -> str:
    receiver, labels = group
    return f"{receiver} by {', '.join(f'{name}={value}' for name, value in labels) or 'nothing'}"


def told_of_ends(config: t.Mapping[str, t.Any]) -> dict[str, list[str]]:
    """Kinds of integrations by receiver that send when an alert ends."""
    found: dict[str, list[str]] = {}
    for receiver in config.get("receivers") or []:
        for key, items in receiver.items():
            kind = str(key).removesuffix("_configs")
            if kind == key:
                continue
            default = "false" if kind in _QUIET else "true"
            for item in items or []:
                value = item.get("send_resolved")
                if str(default if value is None else value).lower() in ("true", "yes", "on"):
                    found.setdefault(str(receiver["name"]), []).append(kind)
    return found
