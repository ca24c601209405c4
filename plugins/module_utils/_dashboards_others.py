# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether a panel that is empty with the values of its board has data with others. This module util is PRIVATE.

A board opens with the first namespace, which may have no quota, no volume, no Job: the panel is empty, and not broken.
Only data proves it: the panel is asked again with values that its variables really offer.
"""

from __future__ import annotations

import threading

from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_ask import Asker
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_interpolate import interpolate
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_model import Panel
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_queries import (
    Scene,
    loosened,
    queries_of,
    roots_of,
    used_by,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_sources import Sources
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_variables import Ask, Resolver
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_verdict import DATA, Seen
from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql import PromqlError, parse, selectors

# Values that are tried for one panel.
_MOST_TRIES = 6


class Others:
    """Tries other values; scenes are kept, because panels of a board try the same ones."""

    def __init__(self, sources: Sources, asker: Asker, now: float) -> None:
        self._sources = sources
        self._asker = asker
        self._now = now
        self._scenes: dict[tuple[int, tuple[tuple[str, str], ...]], Scene] = {}
        self._lock = threading.Lock()

    def alive(self, seen: Seen, panel: Panel) -> Seen | None:
        """The panel with values that give it data, None when none are found."""
        board = seen.scene.board
        tried = 0
        for name in roots_of(board, used_by(board, panel)):
            for value in self._candidates(seen, panel, name):
                tried += 1
                if tried > _MOST_TRIES:
                    return None
                scene = self._scene(seen.scene, name, value)
                queries = queries_of(scene, panel, self._sources, self._asker.apis, self._now)
                replies = self._asker.replies(one.request for one in queries if one.request is not None)
                found = Seen(scene, [(one, replies[one.request] if one.request else None) for one in queries])
                if found.status == DATA:
                    return found
        return None

    def _scene(self, first: Scene, name: str, value: str) -> Scene:
        chosen = {name: value}
        key = (id(first.board), tuple(chosen.items()))
        if key not in self._scenes:
            resolver = Resolver(first.board, self._sources, self._asker.options, self._now, chosen)
            self._scenes[key] = Scene(first.board, resolver, chosen)
        return self._scenes[key]

    def _candidates(self, seen: Seen, panel: Panel, name: str) -> list[str]:
        """Options of a variable, first those that the metrics of the panel have."""
        resolved = seen.scene.resolver.done[name]
        options = [value for _text, value in resolved.options if value not in resolved.value.all]
        if not options:
            return []
        there = self._values(seen, name)
        hopeful = [one for one in options if one in there]
        if hopeful:
            return hopeful[:3]
        # the panel uses it through another variable only: a few from all over the list
        step = max(len(options) // 3, 1)
        return [] if there else options[::step][:3]

    def _values(self, seen: Seen, name: str) -> set[str]:
        """Values that the label has which this variable stands for, whatever the other variables are."""
        scope = seen.scene.resolver.scope
        names = [one.name for one in seen.scene.board.variables if one.type in ("query", "custom", "textbox")]
        found: set[str] = set()
        for query, _reply in seen.answers:
            if query.request is None or query.source is None or query.request.kind != "prometheus":
                continue
            loose = loosened(query.target, names)
            labels = [label for label, variable in loose.labels if variable == name]
            try:
                wanted = selectors(parse(interpolate(loose.expr, scope, "prometheus")))
            except PromqlError:
                continue
            for selector in wanted:
                for label in labels:
                    if any(one.name == label for one in selector.matchers):
                        match = "{" + ",".join(str(one) for one in selector.matchers) + "}"
                        request = query.request
                        ask = Ask(query.source, "values", label, match, request.start, request.end)
                        found.update(self._asker.options(ask).values)
        return found
