# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether a panel that is empty with the values of its board has data with others. This module util is PRIVATE.

A board opens with the first namespace, which may have no quota, no volume, no Job: the panel is empty, and not broken.
Only data proves it: the panel is asked again with values that its variables really offer.
"""

from __future__ import annotations

import re
import typing as t

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
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_variables import (
    Ask,
    Resolver,
    label_of,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_verdict import DATA, Seen
from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql import PromqlError, parse, selectors

# Sets of values that are tried for one panel, and of each of its selectors.
_MOST_TRIES = 8
_MOST_EACH = 4
_LABEL = re.compile(r'(\w+)="([^"]*)"')

Chosen = dict[str, str]


class Others:
    """Tries other values; scenes are kept, because panels of a board try the same ones."""

    def __init__(self, sources: Sources, asker: Asker, now: float) -> None:
        self._sources = sources
        self._asker = asker
        self._now = now
        self._scenes: dict[tuple[int, tuple[tuple[str, str], ...]], Scene] = {}

    def alive(self, seen: Seen, panel: Panel) -> Seen | None:
        """The panel with values that give it data, None when none are found."""
        for chosen in self._candidates(seen, panel)[:_MOST_TRIES]:
            scene = self._scene(seen.scene, chosen)
            # what a variable does not offer nobody can choose
            if any(value not in scene.resolver.scope[name].all for name, value in chosen.items()):
                continue
            queries = queries_of(scene, panel, self._sources, self._asker.apis, self._now)
            replies = self._asker.replies(one.request for one in queries if one.request is not None)
            found = Seen(scene, [(one, replies[one.request] if one.request else None) for one in queries])
            if found.status == DATA:
                return found
        return None

    def _scene(self, first: Scene, chosen: Chosen) -> Scene:
        key = (id(first.board), tuple(chosen.items()))
        if key not in self._scenes:
            resolver = Resolver(first.board, self._sources, self._asker.options, self._now, chosen)
            self._scenes[key] = Scene(first.board, resolver, chosen)
        return self._scenes[key]

    def _candidates(self, seen: Seen, panel: Panel) -> list[Chosen]:
        """Values that stand together on a series of the panel; else a few of what is offered first."""
        board, scope = seen.scene.board, seen.scene.resolver.scope
        found = self._of_series(seen, panel)
        chosen = [one for one in found or [] if any(value not in scope[name].all for name, value in one.items())]
        if chosen:
            return chosen
        # the panel uses its variables through others only
        for name in roots_of(board, used_by(board, panel)) if found is None else ():
            resolved = seen.scene.resolver.done[name]
            options = [value for _text, value in resolved.options if value not in resolved.value.all]
            chosen += [{name: one} for one in options[:: max(len(options) // 3, 1)][:3]]
        return chosen

    def _of_series(self, seen: Seen, panel: Panel) -> list[Chosen] | None:
        """What the labels say that variables stand for, whatever those are; None where no variable is matched."""
        board = seen.scene.board
        names = [one.name for one in board.variables if one.type in ("query", "custom")]
        used = set(used_by(board, panel))
        # a Pod belongs to a namespace: what a variable is made from is chosen with it
        above = [(label_of(one), one.name) for one in board.variables if one.name in used and label_of(one)]
        found: dict[tuple[tuple[str, str], ...], None] = {}
        matched = False
        for query, _reply in seen.answers:
            if query.request is None or query.source is None or query.request.kind != "prometheus":
                continue
            loose = loosened(query.target, names)
            try:
                wanted = selectors(parse(interpolate(loose.expr, seen.scene.resolver.scope, "prometheus")))
            except PromqlError:
                continue
            for selector in wanted:
                labels = {one.name for one in selector.matchers}
                pairs = [(label, name) for label, name in loose.labels if label in labels]
                matched = matched or bool(pairs)
                if pairs:
                    pairs += [one for one in above if one[1] not in {name for _label, name in pairs}]
                    pairs.sort(key=lambda one: names.index(one[1]))
                    match = "{" + ",".join(str(one) for one in selector.matchers) + "}"
                    ask = Ask(query.source, "some", "", match, query.request.start, query.request.end)
                    found.update(dict.fromkeys(self._sets(self._asker.options(ask).values, pairs)))
        return [dict(one) for one in found] if matched else None

    def _sets(self, series: t.Sequence[str], pairs: t.Sequence[tuple[str, str]]) -> list[tuple[tuple[str, str], ...]]:
        """Sets of values on these series, from all over the list."""
        sets: dict[tuple[tuple[str, str], ...], None] = {}
        for text in series:
            labels = dict(_LABEL.findall(text))
            sets[tuple((name, labels[label]) for label, name in pairs if labels.get(label))] = None
        kept = [one for one in sets if one]
        return kept[:: max(len(kept) // _MOST_EACH, 1)][:_MOST_EACH]
