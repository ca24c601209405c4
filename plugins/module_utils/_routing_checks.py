# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Expectations about routing, judged against a configuration. PRIVATE to the collection.

Pure functions: C(Configuration.of) reads a configuration once, C(judge) compares one expectation with it, C(lint) says
what is wrong whatever the alert, C(coverage) says what no expectation looks at.
"""

from __future__ import annotations

import datetime
import difflib
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _alertmanager_yaml,
    _checks,
    _inhibition,
    _routing,
    _time_intervals,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._routing import Labels, Route
from ansible_collections.dataplatform.monitoring.plugins.module_utils._routing_explain import (
    describe,
    idle_continues,
    nearest,
    show,
    unreachable,
)

TIMES = ("group_wait", "group_interval", "repeat_interval")
EXPECTATION_KEYS = frozenset({"name", "labels", "receivers", "group_by", "at", "active", "notified", *TIMES})


class Configuration(t.NamedTuple):
    """Everything that decides who gets an alert.

    :param exact_grouping: False when the source cannot show C(group_by: []) (the server's own status).
    """

    root: Route
    integrations: dict[str, list[str]]
    intervals: dict[str, tuple[_time_intervals.TimeInterval, ...]]
    inhibit_rules: list[_inhibition.InhibitRule]
    warnings: list[str]
    exact_grouping: bool

    @classmethod
    def of(cls, config: t.Mapping[str, t.Any], mode: str = "fallback", exact_grouping: bool = True) -> Configuration:
        """:raises ConfigError: what the server would refuse. :raises UnsupportedPattern: see C(_matchers)."""
        root, warnings = _routing.build(config, mode)
        rules, more = _inhibition.load(config, mode)
        return cls(
            root,
            _routing.integrations(config),
            _time_intervals.load(config),
            rules,
            [*warnings, *more],
            exact_grouping,
        )


# Receivers that are empty on purpose, by the name people give them.
SILENT = {"null", "blackhole"}


def validate(expectations: t.Sequence[t.Any]) -> list[str]:
    """What is wrong with the expectations themselves, one sentence each; nothing is judged until they are right."""
    faults = []
    for number, item in enumerate(expectations):
        if not isinstance(item, dict):
            faults.append(f"expectations[{number}] is not a mapping; write labels and receivers")
            continue
        place = f"expectations[{number}] ({item.get('name') or 'no name'})"
        for key in sorted(set(item) - EXPECTATION_KEYS):
            near = difflib.get_close_matches(key, EXPECTATION_KEYS, 1)
            hint = f"; did you mean {near[0]}" if near else ""
            faults.append(f"{place}: {key!r} is no key of an expectation{hint}")
        if not isinstance(item.get("labels"), dict):
            faults.append(f"{place}: labels is missing; write the labels the alert is sent with")
        if not isinstance(item.get("receivers"), list):
            faults.append(f"{place}: receivers is missing; write a list of names, in the order of the routes")
        for key in TIMES:
            if item.get(key) is not None:
                try:
                    _alertmanager_yaml.as_seconds(item[key], f"{place}.{key}")
                except ConfigError as exc:
                    faults.append(str(exc))
        if item.get("at") is not None:
            try:
                _moment(item["at"])
            except ValueError:
                faults.append(f"{place}: at {item['at']!r} is no time with an offset, like 2026-11-23T03:00:00+01:00")
    return faults


def _moment(text: t.Any) -> datetime.datetime:
    moment = datetime.datetime.fromisoformat(str(text))
    if moment.tzinfo is None:
        raise ValueError("no offset")
    return moment


def name_of(expectation: dict[str, t.Any]) -> str:
    """The name of its check: as given, or the alert's labels."""
    return str(expectation.get("name") or show(expectation["labels"]))


def routes_of(expectation: dict[str, t.Any], config: Configuration) -> tuple[dict[str, str], list[Route]]:
    """The alert's labels as the server keeps them, and the routes it ends in."""
    labels = _routing.strip_empty({name: str(value) for name, value in expectation["labels"].items()})
    return labels, _routing.match(config.root, labels)


def judge(expectation: dict[str, t.Any], config: Configuration, now: datetime.datetime) -> _checks.Check:
    """Compare one expectation with the configuration.

    :param now: the moment at which time intervals are judged when the expectation gives none.
    """
    labels, routes = routes_of(expectation, config)
    wanted = [str(name) for name in expectation["receivers"]]
    found = [route.receiver for route in routes]
    expected = ", ".join(wanted) or "nobody"
    observed = ", ".join(found)
    causes = [
        *_receivers(wanted, found, labels, config),
        *_silent_receivers(wanted, routes, config),
        *_grouping(expectation, routes, config),
        *_timing(expectation, routes),
        *_notified(expectation, labels, routes, config, now),
    ]
    details = {
        "routes": [
            {
                "place": route.place,
                "receiver": route.receiver,
                "group_labels": route.group_labels(labels),
                **{key: getattr(route, key) for key in TIMES},
            }
            for route in routes
        ]
    }
    if not causes:
        return _checks.ok(name_of(expectation), expected, observed, details=details)
    unsure = all(item["code"] == "configuration_unreadable" for item in causes)
    build = _checks.unknown if unsure else _checks.failed
    return build(name_of(expectation), expected, observed, causes, details=details)


def _receivers(wanted: list[str], found: list[str], labels: Labels, config: Configuration) -> t.Iterator[_checks.Cause]:
    if wanted == found:
        return
    for name in dict.fromkeys(wanted):
        if name not in config.integrations:
            near = difflib.get_close_matches(name, config.integrations, 1, 0.4)
            hint = f"; the nearest is {near[0]}" if near else ""
            yield cause(
                "receiver_undefined",
                f"There is no receiver {name} in the configuration{hint}.",
                f"correct the expectation, or add to receivers:\n- name: {name}",
            )
    missing = [name for name in dict.fromkeys(wanted) if name not in found and name in config.integrations]
    for name in missing:
        obstacle = nearest(config.root, name, labels)
        if obstacle is None:
            message, fix = f"No route has receiver {name}.", f"add a route:\n- receiver: {name}"
        else:
            message, fix = obstacle.message, obstacle.fix
        yield cause("route_takes_it_elsewhere", f"{name} does not get {show(labels)}: {message}", fix)
    extra = [name for name in dict.fromkeys(found) if name not in wanted]
    if extra and not missing and set(wanted) <= set(config.integrations):
        places = [describe(r) for r in _routing.match(config.root, labels) if r.receiver in extra]
        yield cause(
            "route_takes_it_elsewhere",
            f"{', '.join(extra)} also gets {show(labels)}, by {'; '.join(places)}.",
            f"expect it, or make the matchers of {places[0]} narrower",
        )
    if not missing and not extra and set(wanted) <= set(config.integrations):
        yield cause(
            "receiver_order_differs",
            f"Expected {', '.join(wanted)}; the routes give {', '.join(found)}.",
            f"expect what is there: receivers: [{', '.join(found)}]",
        )


def _silent_receivers(wanted: list[str], routes: list[Route], config: Configuration) -> t.Iterator[_checks.Cause]:
    for route in routes:
        # A receiver that is expected by name and empty on purpose ("null") is a decision, told by its name alone.
        if not config.integrations.get(route.receiver) and route.receiver not in SILENT:
            yield cause(
                "receiver_without_integration",
                f"Receiver {route.receiver} of {route.place} has no integration: nobody is notified.",
                f"give it one, for example email_configs, or name it 'null' if that is meant: name: {route.receiver}",
            )
    if routes and all(route.receiver in SILENT for route in routes) and not set(wanted) <= SILENT:
        yield cause(
            "receiver_without_integration",
            "The alert ends in the receiver 'null' alone: nobody is notified.",
            "check which Secret the operator reads: kubectl get alertmanager -A -o yaml | grep -i configSecret",
        )


def _grouping(expectation: dict[str, t.Any], routes: list[Route], config: Configuration) -> t.Iterator[_checks.Cause]:
    wanted = expectation.get("group_by")
    if wanted is None:
        return
    for route in routes:
        found = ["..."] if route.group_by_all else list(route.group_by)
        if sorted(map(str, wanted)) == sorted(found):
            continue
        if not config.exact_grouping:
            yield cause(
                "configuration_unreadable",
                f"The server's status cannot show an empty group_by, so the grouping of {route.place} is not known.",
                "let the verifier read the generated Secret: it is in the Role that prometheus_operator creates",
            )
            continue
        yield cause(
            "grouping_differs",
            f"{route.place} groups by [{', '.join(found)}].",
            f"set on {route.place}: group_by: [{', '.join(map(str, wanted))}]",
        )


def _timing(expectation: dict[str, t.Any], routes: list[Route]) -> t.Iterator[_checks.Cause]:
    for key in TIMES:
        if expectation.get(key) is None:
            continue
        wanted = _alertmanager_yaml.as_seconds(expectation[key], key)
        for route in routes:
            if getattr(route, key) != wanted:
                yield cause(
                    "timing_differs",
                    f"{key} of {route.place} is {getattr(route, key):g} s, expected {wanted:g} s.",
                    f"set on {route.place}: {key}: {expectation[key]}",
                )


def _notified(
    expectation: dict[str, t.Any], labels: Labels, routes: list[Route], config: Configuration, now: datetime.datetime
) -> t.Iterator[_checks.Cause]:
    """Whether anything keeps the alert from being sent, compared with what is expected (sent, by default).

    Without O(at) time intervals are not judged: an expectation must not turn red at night.
    """
    active = [_routing.strip_empty({k: str(v) for k, v in item.items()}) for item in expectation.get("active") or []]
    hit = _inhibition.inhibited_by(config.inhibit_rules, labels, active)
    reasons: list[_checks.Cause] = []
    if hit:
        rule, source = hit
        reasons.append(
            cause(
                "alert_inhibited",
                f"{rule.place} keeps it from being sent while {show(source)} is active.",
                f"narrow {rule.place} by a label in equal, or expect it: notified: false",
            )
        )
    if expectation.get("at") is not None:
        for route in routes:
            sends, why = _time_intervals.sends(route.mute, route.active, config.intervals, _moment(expectation["at"]))
            if not sends:
                reasons.append(
                    cause(
                        "route_muted",
                        f"{route.place} does not notify at {expectation['at']}: {why}.",
                        f"change the intervals of {route.place}, or expect it: notified: false",
                    )
                )
    wanted = expectation.get("notified")
    if wanted is None or _alertmanager_yaml.as_bool(wanted, "notified"):
        yield from reasons
    elif not reasons:
        yield cause(
            "not_silent_as_expected",
            f"Nothing keeps {show(labels)} from being sent to {', '.join(route.receiver for route in routes)}.",
            "add an inhibition rule or a time interval, or expect it: notified: true",
        )


def lint(config: Configuration) -> list[_checks.Cause]:
    """What is wrong with the tree whatever the alert."""
    return [
        *(
            cause(
                "route_unreachable",
                f"{describe(route)}: no alert reaches it: {why}.",
                f"remove {route.place}, or move it up",
            )
            for route, why in unreachable(config.root)
        ),
        *(
            cause(
                "continue_without_effect",
                f"{describe(route)} has continue: true, but {why}; the parent's own receiver is not added either.",
                f"add after {route.place} a route that takes the alert too, or drop its continue",
            )
            for route, why in idle_continues(config.root)
        ),
        *(
            cause("parsers_disagree", f"{warning.partition('; ')[0]}.", warning.rpartition("; ")[2])
            for warning in config.warnings
        ),
    ]


def told_to_nobody(
    config: Configuration, alerts: t.Sequence[Labels], critical: str = "critical"
) -> tuple[list[str], list[_checks.Cause]]:
    """Alerts of somebody else's rules that reach no integration, whatever labels their series bring.

    That somebody leaves warnings untold may be meant: it is advice. A critical alert that nobody gets is a fault, and
    so is it when no alert at all reaches anybody. Alerts of severity none are not for people.

    :param alerts: label sets as the rules write them; a value with a template may be anything.
    """
    silent: dict[tuple[str, ...], list[str]] = {}
    urgent: dict[tuple[str, ...], list[str]] = {}
    heard = 0
    for labels in alerts:
        known = {name: value for name, value in labels.items() if "{{" not in value and value}
        if known.get("severity") == "none":
            continue
        routes = _routing.possible(config.root, known)
        if any(config.integrations.get(route.receiver) for route in routes):
            heard += 1
            continue
        places = tuple(dict.fromkeys(f"{route.place} (receiver {route.receiver})" for route in routes))
        group = urgent if known.get("severity") == critical else silent
        group.setdefault(places, []).append(known.get("alertname", show(known)))
    if not heard:
        for places, names in silent.items():
            urgent.setdefault(places, []).extend(names)
        silent = {}
    faults = [
        cause(
            "receiver_without_integration",
            f"{_some(names)}: ends at {', '.join(places)}, where nobody is notified.",
            f"give the receiver of {places[0].partition(' ')[0]} an integration, or add a route for these alerts "
            "before it",
        )
        for places, names in urgent.items()
    ]
    return [f"{_some(names)} is told to nobody: {', '.join(places)}" for places, names in silent.items()], faults


def _some(names: t.Sequence[str]) -> str:
    unique = sorted(set(names))
    more = f" and {len(unique) - 8} more" if len(unique) > 8 else ""
    return ", ".join(unique[:8]) + more


def _to_nobody(expectation: dict[str, t.Any]) -> bool:
    wanted = {str(name) for name in expectation["receivers"]}
    return bool(wanted) and wanted <= SILENT


def accepted(causes: t.Sequence[_checks.Cause], codes: t.Container[str]) -> tuple[list[_checks.Cause], list[str]]:
    """The faults that stay, and those that are meant, as notes."""
    return (
        [item for item in causes if item["code"] not in codes],
        [f"accepted: {item['message']}" for item in causes if item["code"] in codes],
    )


def coverage(
    config: Configuration, expectations: t.Sequence[dict[str, t.Any]], alerts: t.Sequence[Labels] = ()
) -> tuple[list[str], list[_checks.Cause]]:
    """What no expectation looks at, as advice; and alerts that end where nobody is told, as faults.

    That an alert ends in a silent receiver is advice too where an expectation says so: then it is a decision, such as
    that of having no heartbeat.

    :param alerts: label sets of the alerts that rules define.
    """
    reached = {route.place for item in expectations for route in routes_of(item, config)[1]}
    dead = {route.place for route, _why in unreachable(config.root)}
    notes = [
        f"no expectation reaches {describe(route)}, receiver {route.receiver}"
        for route in config.root.walk()
        # A parent with a child that takes everything never notifies itself.
        if route.place not in reached and route.place not in dead and all(child.matchers for child in route.children)
    ]
    used = {route.receiver for route in config.root.walk()}
    notes += [f"receiver {name} is used by no route" for name in sorted(set(config.integrations) - used)]
    meant = {item["labels"].get("alertname") for item in expectations if _to_nobody(item)}
    silent: dict[tuple[str, ...], list[str]] = {}
    for labels in alerts:
        kept = _routing.strip_empty(labels)
        name = kept.get("alertname", show(kept))
        routes = _routing.match(config.root, kept)
        places = tuple(route.place for route in routes)
        if any(config.integrations.get(route.receiver) for route in routes):
            continue
        if name in meant and all(route.receiver in SILENT for route in routes):
            notes.append(f"{name} is told to nobody, as is expected: {', '.join(places)}")
        else:
            silent.setdefault(places, []).append(name)
    faults = [
        cause(
            "receiver_without_integration",
            f"{', '.join(sorted(set(names)))}: ends at {', '.join(places)}, where nobody is notified.",
            f"give the receiver of {places[0]} an integration, or add a route for these alerts before it",
        )
        for places, names in silent.items()
    ]
    return notes, faults
