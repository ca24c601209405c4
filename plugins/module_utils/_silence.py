# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Silences of Alertmanager: which one is meant, and what has to change. This module util is PRIVATE to the collection.

Source: Alertmanager 0.34, api/v2/openapi.yaml and silence/silence.go (an update of matchers makes a new silence).
Pure functions over what C(GET /api/v2/silences) answers.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._matchers import Matcher, MatcherError, parse

#: A silence that ends later by less than this is the same: nobody asks for seconds.
TOLERANCE = datetime.timedelta(seconds=1)


class Wanted(t.NamedTuple):
    """What a task asks for.

    :param ends_at: None when any end is good, as long as it is in force.
    """

    matchers: tuple[Matcher, ...]
    comment: str
    created_by: str
    starts_at: datetime.datetime | None
    ends_at: datetime.datetime | None


def read_matchers(given: t.Sequence[t.Any]) -> tuple[Matcher, ...]:
    """Matchers as text (C(alertname="X"), several after a comma too), sorted.

    :raises ConfigError: none, not readable, or together they fit every alert.
    """
    found: list[Matcher] = []
    for item in given:
        try:
            found += parse(str(item)).matchers
        except MatcherError as exc:
            raise ConfigError(f"matchers: {exc}.") from exc
    if not found:
        raise ConfigError('matchers is empty; write for example ["alertname=ServiceDown", "service=~trino|superset"].')
    if all(matcher.matches({}) for matcher in found):
        raise ConfigError(
            "matchers fit alerts without any of these labels: name at least one value that must be there."
        )
    return tuple(sorted(set(found), key=_key))


def _key(matcher: Matcher) -> tuple[str, str, str]:
    return matcher.name, matcher.op, matcher.value


def as_api(matchers: t.Sequence[Matcher]) -> list[dict[str, t.Any]]:
    """As the API takes them."""
    return [
        {"name": one.name, "value": one.value, "isRegex": "~" in one.op, "isEqual": not one.op.startswith("!")}
        for one in matchers
    ]


def _api_keys(item: t.Mapping[str, t.Any]) -> list[tuple[str, str, str]]:
    ops = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}
    return sorted(
        (one["name"], ops[(bool(one["isRegex"]), one.get("isEqual", True) is not False)], one["value"])
        for one in item["matchers"]
    )


def find(
    silences: t.Sequence[t.Mapping[str, t.Any]],
    matchers: t.Sequence[Matcher],
    comment: str | None,
    identity: str | None,
) -> list[t.Mapping[str, t.Any]]:
    """Silences in force, or about to be, that are meant: the one of this id, or all with these matchers and comment."""
    live = [item for item in silences if item["status"]["state"] in ("active", "pending")]
    if identity:
        return [item for item in live if item["id"] == identity]
    keys = sorted(_key(matcher) for matcher in matchers)
    found = [item for item in live if _api_keys(item) == keys and comment in (None, item["comment"])]
    return sorted(found, key=lambda item: item["endsAt"], reverse=True)


def moment(text: str) -> datetime.datetime:
    """A time of the API or of a user.

    :raises ConfigError: no time with an offset.
    """
    try:
        found = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as exc:
        raise ConfigError(f"{text!r} is no time; write 2026-12-31T22:00:00+01:00.") from exc
    if found.tzinfo is None:
        raise ConfigError(f"{text!r} has no offset; write {text}Z or {text}+01:00.")
    return found


def stamp(value: datetime.datetime) -> str:
    return value.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def needs(current: t.Mapping[str, t.Any] | None, wanted: Wanted) -> list[str]:
    """What of the current silence differs from what is wanted; everything when there is none."""
    if current is None:
        return ["silence"]
    differs = []
    if wanted.comment != current["comment"]:
        differs.append("comment")
    if wanted.created_by != current["createdBy"]:
        differs.append("created_by")
    if wanted.ends_at is not None and abs(wanted.ends_at - moment(current["endsAt"])) > TOLERANCE:
        differs.append("ends_at")
    return differs


def end_of(
    current: t.Mapping[str, t.Any] | None, starts: datetime.datetime, length: datetime.timedelta
) -> datetime.datetime | None:
    """When a window of this length ends; None when the current one is long enough as it is.

    A second run changes nothing, and a run that finds less than half of the window left gets a whole one: the change
    that it wraps would outlast the rest.

    :param starts: when a new one begins, or now.
    """
    if current is None:
        return starts + length
    begins = max(starts, moment(current["startsAt"]))
    return begins + length if 2 * (moment(current["endsAt"]) - begins) < length else None


def body(wanted: Wanted, current: t.Mapping[str, t.Any] | None, now: datetime.datetime) -> dict[str, t.Any]:
    """The silence to post: a new one, or the current one with what differs.

    :raises ConfigError: it would end before it begins.
    """
    starts = wanted.starts_at or (moment(current["startsAt"]) if current else now)
    ends = wanted.ends_at or (moment(current["endsAt"]) if current else None)
    if ends is None or ends <= max(starts, now):
        raise ConfigError(f"The silence would end at {ends}, before it begins: set duration, or a later ends_at.")
    made: dict[str, t.Any] = {
        "matchers": as_api(wanted.matchers) if wanted.matchers else (current or {})["matchers"],
        "startsAt": stamp(starts),
        "endsAt": stamp(ends),
        "createdBy": wanted.created_by,
        "comment": wanted.comment,
    }
    if current is not None:
        made["id"] = current["id"]
    return made


def shown(item: t.Mapping[str, t.Any] | None) -> dict[str, t.Any]:
    """A silence as a result and a diff show it; empty when there is none."""
    if item is None:
        return {}
    return {
        "matchers": [f'{name}{op}"{value}"' for name, op, value in _api_keys(item)],
        "starts_at": item["startsAt"],
        "ends_at": item["endsAt"],
        "created_by": item["createdBy"],
        "comment": item["comment"],
    }
