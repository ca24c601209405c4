# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Test alerts: post them, watch what every replica does with them, resolve them. PRIVATE to the collection."""

from __future__ import annotations

import datetime
import json
import re
import secrets
import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _checks,
    _delivery_counters,
    _delivery_judge,
    _delivery_plan,
    _delivery_reasons,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._delivery_counters import Replica
from ansible_collections.dataplatform.monitoring.plugins.module_utils._delivery_judge import Sight
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError, ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube
from ansible_collections.dataplatform.monitoring.plugins.module_utils._routing_checks import Configuration
from ansible_collections.dataplatform.monitoring.plugins.module_utils._routing_oracle import MARKER, active_groups
from ansible_collections.dataplatform.monitoring.plugins.module_utils._servers import replicas

#: Letters that nobody confuses when reading a code aloud.
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_PAUSE = 0.4


def new_code() -> str:
    """Six letters to recognise a page by."""
    return "".join(secrets.choice(_LETTERS) for _each in range(6))


def stamp(moment: datetime.datetime) -> str:
    """As the API wants it."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def read_replica(api: Api) -> Replica:
    """:raises ApiError: the page cannot be read."""
    response = api.get("/metrics")
    if response.status != 200:
        raise ApiError(f"GET /metrics of {api.label} answered {response.status}.", response.status)
    return _delivery_counters.read(api.label, response.text())


class Shown:
    """A place that shows what a receiver got: C(GET /messages) of the lab's sinks, or anything like it."""

    def __init__(self, api: Api, path: str) -> None:
        self._api, self._path = api, path
        self.label = api.label

    def messages(self) -> tuple[list[dict[str, t.Any]], list[dict[str, t.Any]]]:
        """What was accepted, and what was refused where that is shown too.

        :raises ApiError: it cannot be read.
        """
        page = self._api.get_json(self._path)
        if isinstance(page, dict):
            return list(page.get("messages") or []), list(page.get("refused") or [])
        return list(page or []), []


def shown_by(sinks: t.Mapping[str, t.Any], query_timeout: float, kube: Kube | None) -> dict[str, Shown]:
    """The places that show each receiver's messages.

    :raises ConfigError: a sink without a place.
    """
    found = {}
    for name, given in sinks.items():
        place = {"url": given} if isinstance(given, str) else given
        if not isinstance(place, dict) or not (place.get("url") or (place.get("namespace") and place.get("service"))):
            raise ConfigError(f"sinks.{name} names no place: write url, or namespace and service.")
        api = replicas({**place, "query_timeout": query_timeout}, kube)[0]
        found[name] = Shown(api, str(place.get("path") or "/messages"))
    return found


def with_code(messages: t.Iterable[t.Any], code: str) -> list[t.Any]:
    """Messages that carry the code as a whole word."""
    word = re.compile(rf"(?<![A-Z0-9-]){re.escape(code)}(?![A-Z0-9-])")
    return [message for message in messages if word.search(json.dumps(message, ensure_ascii=False))]


def pod_log(kube: Kube | None, api_label: str, seconds: float) -> list[_delivery_reasons.LogError]:
    """Errors of notifications in a Pod's log of the last seconds; none where it may not be read."""
    return readable_log(kube, api_label, seconds) or []


def readable_log(kube: Kube | None, api_label: str, seconds: float) -> list[_delivery_reasons.LogError] | None:
    """The same, and None where it may not be read: then that nothing is found says nothing."""
    kind, _space, place = api_label.partition(" ")
    namespace, _slash, pod = place.partition("/")
    if kube is None or kind != "pod":
        return None
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
    params = [("container", "alertmanager"), ("sinceSeconds", str(max(1, int(seconds) + 1)))]
    try:
        response = kube.raw("GET", path, params)
    except ApiError:
        return None
    return _delivery_reasons.read_log(response.text()) if response.status == 200 else None


class Post(t.NamedTuple):
    """One alert, and the replicas that got it."""

    made: _delivery_plan.Trial
    apis: tuple[Api, ...]


class Run:
    """One run of test alerts. C(watch) posts and looks, C(resolve) ends what was posted."""

    def __init__(
        self,
        apis: t.Sequence[Api],
        config: Configuration,
        kube: Kube | None = None,
        shown: t.Mapping[str, Shown] | None = None,
        each_replica: bool = True,
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self._apis, self._config, self._kube = list(apis), config, kube
        self._shown = dict(shown or {})
        self._each = each_replica
        self._clock, self._sleep = clock, sleep
        self.code = new_code()
        self.names: list[str] = []
        self._posted: list[Post] = []
        self._first_refused: dict[str, int] = {}

    def watch(
        self, alerts: t.Sequence[t.Mapping[str, t.Any]], receivers: t.Sequence[str], timeout: float
    ) -> list[_checks.Check]:
        """Post as few alerts as reach the receivers, and look until everything about them is certain.

        :param alerts: label sets to choose from. :param receivers: empty means all that these alerts reach.
        """
        chosen, unreached = _delivery_plan.choose(self._config, alerts, receivers)
        self.names = [*(name for _labels, names in chosen for name in names), *unreached]
        before = {api.label: read_replica(api) for api in self._apis}
        self._sweep()
        posts = self._plan(chosen)
        sights = self._sights(posts, chosen, before)
        for name, shown in self._shown.items():
            self._first_refused[name] = len(shown.messages()[1])
        begin = self._clock()
        for post in posts:
            self._post(post, _delivery_plan.LONGEST)
        while True:
            passed = self._clock() - begin
            self._look(sights, before, passed)
            states = [_delivery_judge.look(sight, passed)[0] for _post, sight in sights]
            if _delivery_judge.WAITING not in states or passed >= timeout:
                break
            self._sleep(min(_PAUSE, max(0.0, timeout - passed)))
        checks = []
        by_receiver: dict[str, list[Sight]] = {}
        for _post, sight in sights:
            by_receiver.setdefault(sight.receiver, []).append(sight)
        for name in [*(name for _labels, names in chosen for name in names)]:
            checks.append(_delivery_judge.check(name, by_receiver[name], passed))
        return [*checks, *(_unreached(name) for name in unreached)]

    def _plan(self, chosen: t.Sequence[tuple[t.Mapping[str, t.Any], list[str]]]) -> list[Post]:
        groups: set[_delivery_plan.Group] = set()
        for api in self._apis:
            groups |= {(name, tuple(sorted(labels.items()))) for name, labels in active_groups(api)}
        posts, number = [], 0
        for labels, names in chosen:
            for apis in [(api,) for api in self._apis] if self._each else [tuple(self._apis)]:
                number += 1
                code = f"{self.code}-{number}"
                made = _delivery_plan.trial(self._config, labels, names, code, groups, now())
                posts.append(Post(made, apis))
        return posts

    def _sights(
        self,
        posts: t.Sequence[Post],
        chosen: t.Sequence[tuple[t.Mapping[str, t.Any], list[str]]],
        before: t.Mapping[str, Replica],
    ) -> list[tuple[Post, Sight]]:
        sights = []
        for index, post in enumerate(posts):
            names = chosen[index // (len(self._apis) if self._each else 1)][1]
            replicas = [before[api.label] for api in post.apis]
            position = max((replica.position or 0.0) for replica in replicas)
            for name in names:
                sight = Sight(
                    receiver=name,
                    replica=", ".join(api.label for api in post.apis),
                    code=post.made.code,
                    due=_delivery_plan.kinds(self._config, post.made, name),
                    wait=post.made.wait(name, position),
                    patience=post.made.patience(name, position),
                    # Half a second for the clocks: it is compared with when we posted.
                    earliest=post.made.earliest(name) - 0.5,
                    counted=replicas[0].tells_receivers or _delivery_plan.told_apart(self._config, name),
                    shown=self._shown[name].label if name in self._shown else "",
                )
                for route in post.made.of(name):
                    if route.place in post.made.joins:
                        sight.notes.append(
                            f"{name}: the group of {route.place} is active already, so that the alert waits for its "
                            f"next turn, up to {route.group_interval:g} s"
                        )
                    why = post.made.muted.get(route.place)
                    if why:
                        sight.held.append(_muted(name, route.place, why))
                sights.append((post, sight))
        return sights

    def _post(self, post: Post, lasts: float) -> None:
        moment = now()
        alert = {
            "labels": dict(post.made.labels),
            "annotations": post.made.annotations(),
            "startsAt": stamp(moment),
            "endsAt": stamp(moment + datetime.timedelta(seconds=lasts)),
        }
        self._posted.append(post)
        for api in post.apis:
            send(api, [alert])

    def _look(self, sights: t.Sequence[tuple[Post, Sight]], before: t.Mapping[str, Replica], passed: float) -> None:
        after = {api.label: read_replica(api) for api in self._apis}
        shown = {name: place.messages() for name, place in self._shown.items()}
        held: dict[str, list[dict[str, str]]] = {}
        for post, sight in sights:
            mine = {api.label: before[api.label] for api in post.apis}
            sight.count(sight.gain(mine, after, passed), passed)
            if sight.receiver in shown:
                accepted, refused = shown[sight.receiver]
                if sight.message_at is None and with_code(accepted, sight.code):
                    sight.message_at = passed
                fresh = refused[min(self._first_refused.get(sight.receiver, 0), len(refused)) :]
                said = [f"{item.get('status', '')} {item.get('reason', '')}".strip() for item in fresh]
                sight.errors = [f"status code {text}" if sight.due.get("email") is None else text for text in said]
            if sight.sent_at is None and sight.failing_since is not None:
                logs = [readable_log(self._kube, api.label, passed) for api in post.apis]
                ours = [error for log in logs for error in log or [] if error.receiver == sight.receiver]
                # The group's name carries the code where it could be made unique: then it is this very alert.
                exact = [error for error in ours if sight.code in error.group]
                sight.errors = [error.text for error in exact or ours] or sight.errors
                sight.exact = bool(exact)
                sight.own_log = None not in logs and not any(
                    route.place in post.made.shared for route in post.made.of(sight.receiver)
                )
            if sight.attempted_at is None and not sight.held:
                code = post.made.code
                if code not in held:
                    held[code] = held_back(post.apis[0], post.made)
                sight.held = held[code]

    def _sweep(self) -> None:
        """End what an earlier run left behind: its alerts end by themselves, but not at once."""
        for api in self._apis:
            left = api.get_json("/api/v2/alerts", [("filter", f'{MARKER}=~"delivery-.+"')])
            alerts = [{"labels": item["labels"], "annotations": item["annotations"]} for item in left]
            if alerts:
                send(api, [{**alert, "endsAt": stamp(now())} for alert in alerts])

    def resolve(self) -> list[str]:
        """End every alert that was posted; notes about replicas that could not be told."""
        notes = []
        for post in self._posted:
            alert = {
                "labels": dict(post.made.labels),
                "annotations": post.made.annotations(),
                "endsAt": stamp(now()),
            }
            for api in post.apis:
                try:
                    send(api, [alert])
                except ApiError as exc:
                    notes.append(f"the test alert {post.made.code} ends by itself within ten minutes: {exc}")
        return notes


def send(api: Api, alerts: list[dict[str, t.Any]]) -> None:
    """:raises ApiError: the server refused them."""
    response = api.call("POST", "/api/v2/alerts", (), alerts)
    if response.status != 200:
        raise ApiError(
            f"POST /api/v2/alerts of {api.label} answered {response.status}: {response.text(200)}", response.status
        )


def held_back(api: Api, made: _delivery_plan.Trial) -> list[dict[str, str]]:
    """What keeps the alert from being sent, in the server's own words: silences, other alerts, time intervals."""
    found = api.get_json("/api/v2/alerts", [("filter", f'{MARKER}="{made.labels[MARKER]}"')])
    reasons = []
    for item in found:
        status = item["status"]
        for name in status.get("silencedBy") or []:
            silence = api.get_json(f"/api/v2/silence/{name}")
            reasons.append(
                cause(
                    "alert_silenced",
                    f"Silence {name} by {silence['createdBy']} ({silence['comment']}) keeps it from being sent until "
                    f"{silence['endsAt']}.",
                    f"wait for its end, or end it: amtool silence expire {name}",
                )
            )
        for fingerprint in status.get("inhibitedBy") or []:
            reasons.append(
                cause(
                    "alert_inhibited",
                    f"The active alert {_named(api, fingerprint)} keeps it from being sent.",
                    "look again when that alert is over: amtool alert query",
                )
            )
        for name in status.get("mutedBy") or []:
            reasons.append(_muted(made.code, "its route", f"time interval {name}"))
    return reasons


def _named(api: Api, fingerprint: str) -> str:
    for item in api.get_json("/api/v2/alerts"):
        if item["fingerprint"] == fingerprint:
            return ", ".join(f'{name}="{value}"' for name, value in sorted(item["labels"].items()))
    return fingerprint


def _muted(receiver: str, place: str, why: str) -> dict[str, str]:
    return cause(
        "route_muted",
        f"{receiver}: {place} does not notify now: {why}.",
        "look again at another time: ansible-playbook dataplatform.monitoring.day2",
    )


def _unreached(name: str) -> _checks.Check:
    return _checks.unknown(
        name,
        "the provider accepts the notification",
        "not tried",
        [
            cause(
                "receiver_not_reached",
                f"No expectation has labels that the routes lead to receiver {name}, or it has no integration.",
                f"add an expectation: {{labels: {{...}}, receivers: [{name}]}}",
            )
        ],
    )
