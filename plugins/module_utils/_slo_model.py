# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the verdict of the SLOs looks at, as plain data. This module util is PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _slo, _slo_burn, _slo_rules
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import seconds
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_model import Group, Rule

OBJECTIVE = "slo:objective:ratio"
COVERAGE = "slo:coverage:ratio"
WINDOW = "slo:error_ratio:window"
LEFT = "slo:error_budget_remaining:ratio"


@dataclasses.dataclass(frozen=True)
class Expectation:
    """One item of O(expectations), as the filter slo_expectations makes it."""

    slo: str
    service: str
    sli: str
    state: str = "present"
    reason: str = ""
    kind: str = "any"
    objective: float = 99.0
    window: str = _slo.WINDOW
    sources: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    namespace: str = ""

    @classmethod
    def parse(cls, item: t.Any, index: int) -> Expectation:
        """:raises ConfigError: a key is missing or wrong."""
        where = f"expectations[{index}]"
        if not isinstance(item, dict) or not item.get("slo"):
            raise ConfigError(f"{where} needs slo: the filter slo_expectations makes the list.")
        objective = item.get("objective", 99.0)
        if isinstance(objective, bool) or not isinstance(objective, (int, float)) or not 0 < objective < 100:
            raise ConfigError(f"{where}.objective: {objective!r} is no percentage below 100.")
        window = str(item.get("window") or _slo.WINDOW)
        if not seconds(window):
            raise ConfigError(f"{where}.window: {window!r} is no duration; write for example 28d.")
        return cls(
            slo=str(item["slo"]),
            service=str(item.get("service") or item["slo"]),
            sli=str(item.get("sli") or "availability"),
            state=str(item.get("state") or "present"),
            reason=str(item.get("reason") or ""),
            kind=str(item.get("kind") or "any"),
            objective=float(objective),
            window=window,
            sources=tuple(item.get("sources") or ()),
            hints=tuple(item.get("hints") or ()),
            namespace=str(item.get("namespace") or ""),
        )

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return seconds(self.window) or 0.0

    @property
    def budget(self) -> float:
        """What may fail, 0 to 1."""
        return _slo_burn.budget(self.objective)

    @property
    def active(self) -> bool:
        """Whether it is to be there."""
        return self.state in _slo.ACTIVE

    @property
    def counting(self) -> bool:
        """Whether events are counted, not time."""
        return self.kind in _slo.COUNTING

    @property
    def records(self) -> list[str]:
        """Every metric that is recorded of it."""
        return _slo_rules.names(self.counting)


@dataclasses.dataclass
class Look:
    """What one replica says, at C(now) of its own clock.

    :param rules: by SLO and metric, the recording rule and its group. :param values: by SLO and metric.
    :param since: by SLO, the time of the oldest sample within its window, to the hour; missing before the first.
    :param events: by SLO, how many were counted in its window. :param empty: sources without any series now;
    :param dead: expressions that ask for what never was; :param why: what is missing, of both.
    :param retention: seconds; None when not known. :param cut: time before which samples were deleted for want of room;
        None when none were.
    """

    label: str
    now: float
    rules: dict[str, dict[str, tuple[Rule, Group]]] = dataclasses.field(default_factory=dict)
    values: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    since: dict[str, float] = dataclasses.field(default_factory=dict)
    events: dict[str, float] = dataclasses.field(default_factory=dict)
    empty: set[str] = dataclasses.field(default_factory=set)
    dead: set[str] = dataclasses.field(default_factory=set)
    why: dict[str, str] = dataclasses.field(default_factory=dict)
    retention: float | None = None
    cut: float | None = None

    def add(self, group: Group) -> None:
        """Remember the rules of a group that record something of an SLO."""
        for rule in group.rules:
            if rule.kind == "recording" and rule.name.startswith("slo:") and rule.labels.get("slo"):
                self.rules.setdefault(rule.labels["slo"], {})[rule.name] = (rule, group)
