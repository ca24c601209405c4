# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which rules can never fire, and what is in the way. This module util is PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql import (
    Node,
    PromqlError,
    Selector,
    parse,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql_reach import missing, needed
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_series import Answer, Presence, Series

CODES = {
    Presence.NO_SUCH_METRIC: "rule_metric_missing",
    Presence.NO_SUCH_IDENTITY: "rule_identity_missing",
    Presence.NOT_TOGETHER: "rule_selects_nothing",
}


class Obstacle(t.NamedTuple):
    """A selector for want of which a rule can return nothing."""

    selector: Selector
    answer: Answer

    @property
    def code(self) -> str:
        """Code of the cause."""
        return CODES[self.answer.presence]

    def text(self, recorded: t.Mapping[str, str] | None = None) -> str:
        """What is missing, with what resembles it most.

        :param recorded: metric -> group of the recording rule that should make it.
        """
        if self.answer.presence is Presence.NOT_TOGETHER:
            return f"no series is {self.selector}, though each of its labels exists"
        near = f"; nearest: {', '.join(self.answer.near)}" if self.answer.near else ""
        if self.answer.presence is Presence.NO_SUCH_METRIC:
            name = self.selector.metric or " and ".join(str(item) for item in self.answer.matchers)
            if recorded and name in recorded:
                return f"{name} is recorded by group {recorded[name]}, which has no result either"
            return f"there is no metric {name}{near}"
        wrong = ", ".join(str(item) for item in self.answer.matchers)
        return f"no {self.selector.metric or 'series'} has {wrong}{near}"


class Reading:
    """The expressions of all rules, each read once; an expression that cannot be read is not judged."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node | None] = {}

    def node(self, query: str) -> Node | None:
        """The tree, None when this reader does not know the form."""
        if query not in self._nodes:
            try:
                self._nodes[query] = parse(query)
            except PromqlError:
                self._nodes[query] = None
        return self._nodes[query]

    def selectors(self, queries: t.Iterable[str]) -> list[Selector]:
        """Every selector that matters, each once."""
        found: dict[Selector, None] = {}
        for query in dict.fromkeys(queries):
            node = self.node(query)
            if node is not None:
                found.update(dict.fromkeys(needed(node)))
        return list(found)

    def obstacles(self, query: str, series: Series) -> list[Obstacle]:
        """Why an expression can never return anything; empty when it may."""
        node = self.node(query)
        if node is None:
            return []
        gone = missing(node, lambda one: not series.answer(one).dead)
        return [Obstacle(one, series.answer(one)) for one in dict.fromkeys(gone)]

    def remarks(self, query: str, series: Series) -> list[str]:
        """Selectors that are empty now without being a fault: values not seen yet, series of the past."""
        node = self.node(query)
        if node is None:
            return ["its expression has a form that this verdict cannot read, so it is not known whether it can fire"]
        found = []
        for one in needed(node):
            answer = series.answer(one)
            if answer.presence is Presence.NO_SUCH_VALUE and answer.near:
                wrong = ", ".join(str(item) for item in answer.matchers)
                found.append(f"no {one.metric or 'series'} has had {wrong} so far; there is {', '.join(answer.near)}")
            elif answer.presence is Presence.PAST:
                found.append(f"{one} has had no sample for 24 hours")
        return found
