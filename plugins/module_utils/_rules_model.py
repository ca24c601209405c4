# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the verdict of the rules looks at, as plain data. This module util is PRIVATE to the collection.

Source of the answers' form: Prometheus, docs/querying/api.md (/api/v1/rules); times are Unix seconds.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import seconds
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import parse_time
from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql import same

Object = dict[str, t.Any]
# Names of the objects that the role rules makes.
PREFIX = "alerts-"
# What /api/v1/rules says of a rule that was never evaluated: year 1.
_NEVER = "0001-01-01T00:00:00Z"


@dataclasses.dataclass
class Rule:
    """One rule as a server runs it. C(last_evaluation) is None when it never was evaluated."""

    name: str
    kind: str
    query: str
    labels: dict[str, str]
    health: str
    error: str
    last_evaluation: float | None
    state: str = ""
    hold: float = 0.0
    broken_template: str = ""

    @classmethod
    def parse(cls, item: Object) -> Rule:
        """A rule of /api/v1/rules."""
        evaluated = str(item.get("lastEvaluation") or _NEVER)
        return cls(
            item["name"],
            str(item.get("type") or "alerting"),
            item["query"],
            item.get("labels") or {},
            str(item.get("health") or "unknown"),
            str(item.get("lastError") or ""),
            None if evaluated == _NEVER else parse_time(evaluated),
            str(item.get("state") or ""),
            float(item.get("duration") or 0.0),
            _broken_template(item.get("alerts") or ()),
        )


def _broken_template(alerts: t.Iterable[Object]) -> str:
    """What Prometheus put in place of a text whose template fails, of the first alert that has one."""
    for alert in alerts:
        for text in (alert.get("annotations") or {}).values():
            if str(text).startswith("<error expanding template"):
                return str(text).strip("<>")
    return ""


@dataclasses.dataclass
class Group:
    """One group as a server runs it; times in seconds."""

    name: str
    file: str
    interval: float
    took: float
    last_evaluation: float | None
    rules: list[Rule]

    @classmethod
    def parse(cls, item: Object) -> Group:
        """A group of /api/v1/rules."""
        evaluated = str(item.get("lastEvaluation") or _NEVER)
        return cls(
            item["name"],
            item["file"],
            float(item.get("interval") or 0.0),
            float(item.get("evaluationTime") or 0.0),
            None if evaluated == _NEVER else parse_time(evaluated),
            [Rule.parse(rule) for rule in item.get("rules") or []],
        )

    @property
    def key(self) -> str:
        """The value of the label C(rule_group)."""
        return f"{self.file};{self.name}"


@dataclasses.dataclass
class Replica:
    """One server and what it said. C(now) is its own clock.

    :param failures: C(rule_group) -> failed evaluations within the window; None when it does not scrape itself.
    :param missed: likewise, evaluations that were skipped.
    """

    label: str
    now: float
    started: float | None
    groups: list[Group]
    failures: dict[str, float] | None = None
    missed: dict[str, float] | None = None
    reload_ok: bool = True


@dataclasses.dataclass
class Expectation:
    """One item of O(expectations)."""

    name: str
    state: str
    reason: str
    object: tuple[str, str] | None
    groups: list[Object]
    absent_until: dict[str, str]
    fires_at_rest: set[str]

    @classmethod
    def parse(cls, item: t.Any, index: int) -> Expectation:
        """:raises ConfigError: a key is missing or wrong."""
        where = f"expectations[{index}]"
        if not isinstance(item, dict) or not item.get("name"):
            raise ConfigError(f"{where} needs a name: the filter rule_expectations makes the list.")
        place = item.get("object") or None
        if place is not None and not (isinstance(place, dict) and place.get("name") and place.get("namespace")):
            raise ConfigError(f"{where}.object needs namespace and name.")
        groups = item.get("groups") or []
        if not all(isinstance(group, dict) and group.get("name") for group in groups):
            raise ConfigError(f"{where}.groups: every group needs a name.")
        return cls(
            str(item["name"]),
            str(item.get("state") or "present"),
            str(item.get("reason") or ""),
            (str(place["namespace"]), str(place["name"])) if place else None,
            list(groups),
            dict(item.get("absent_until") or {}),
            set(item.get("fires_at_rest") or ()),
        )


@dataclasses.dataclass
class Snapshot:
    """One look at servers and cluster.

    :param objects: every PrometheusRule; None without a cluster. :param prometheuses: the objects of those asked.
    :param namespaces: labels by name; None when they may not be read. :param events: of the namespaces of objects that
        are not loaded. :param unreadable: by (namespace, name) of a rejected object: name, expression and error of
        every rule that Prometheus cannot read; the operator itself says no more than "invalid rule".
    """

    replicas: list[Replica]
    objects: list[Object] | None = None
    prometheuses: list[Object] = dataclasses.field(default_factory=list)
    namespaces: dict[str, dict[str, str]] | None = None
    events: list[Object] = dataclasses.field(default_factory=list)
    unreadable: dict[tuple[str, str], list[tuple[str, str, str]]] = dataclasses.field(default_factory=dict)


def wanted_name(rule: Object) -> str:
    """The alert's or the recorded metric's name of a rule as it is written."""
    return str(rule.get("alert") or rule.get("record") or "")


def differs(wanted: Object, loaded: Rule) -> str:
    """In what a loaded rule is not the one that is wanted; empty when it is."""
    if not same(str(wanted.get("expr")), loaded.query):
        return "expr"
    hold = seconds(str(wanted.get("for") or "0")) or 0.0
    if loaded.kind == "alerting" and abs(hold - loaded.hold) > 0.001:
        return "for"
    if {str(k): str(v) for k, v in (wanted.get("labels") or {}).items()} != loaded.labels:
        return "labels"
    return ""


def group_differences(wanted: t.Sequence[Object], loaded: t.Sequence[Group]) -> list[str]:
    """One phrase per rule that is missing, is there but not wanted, or is another one."""
    found = []
    by_name = {group.name: group for group in loaded}
    for group in wanted:
        there = by_name.pop(str(group["name"]), None)
        if there is None:
            found.append(f"group {group['name']} is missing")
            continue
        rules = list(there.rules)
        for rule in group.get("rules") or []:
            name = wanted_name(rule)
            same_name = [item for item in rules if item.name == name]
            fitting = next((item for item in same_name if not differs(rule, item)), None)
            if fitting is not None:
                rules.remove(fitting)
            elif same_name:
                rules.remove(same_name[0])
                found.append(f"{name} has another {differs(rule, same_name[0])}")
            else:
                found.append(f"{name} is missing")
        found += [f"{item.name} is still there" for item in rules]
    return found + [f"group {name} is still there" for name in by_name]


def object_differences(wanted: t.Sequence[Object], there: t.Sequence[Object]) -> list[str]:
    """The same between what is wanted and what the object in the cluster says."""
    as_loaded = [
        Group(
            str(group.get("name")),
            "",
            0.0,
            0.0,
            None,
            [
                Rule(
                    wanted_name(rule),
                    "alerting" if rule.get("alert") else "recording",
                    str(rule.get("expr")),
                    {str(k): str(v) for k, v in (rule.get("labels") or {}).items()},
                    "",
                    "",
                    None,
                    "",
                    seconds(str(rule.get("for") or "0")) or 0.0,
                )
                for rule in group.get("rules") or []
            ],
        )
        for group in there
    ]
    return group_differences(wanted, as_loaded)
