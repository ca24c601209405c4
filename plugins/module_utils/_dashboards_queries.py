# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""From a panel to the requests that it makes, for one set of values. This module util is PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import itertools
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _dashboards_intervals as _intervals
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_ask import Request
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_interpolate import (
    ALL,
    Scope,
    Value,
    interpolate,
    names_in,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_model import Board, Panel, Target
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_sources import (
    MIXED,
    Source,
    Sources,
    is_built_in,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_variables import (
    Answers,
    Resolver,
    builtin,
    query_text,
)

# Of a panel that is repeated, so many of its copies are judged.
MOST_COPIES = 5
# A matcher of PromQL or LogQL, as it is written in a board.
_MATCHER = re.compile(r"([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`)")


class Query(t.NamedTuple):
    """One query of a panel: a request, or a fault (of its datasource), or the reason why it is not judged."""

    target: Target
    request: Request | None = None
    source: Source | None = None
    fault: str = ""
    skipped: str = ""


@dataclasses.dataclass
class Scene:
    """A board with values for its variables. C(chosen) are those that differ from what it opens with."""

    board: Board
    resolver: Resolver
    chosen: dict[str, str]

    @property
    def label(self) -> str:
        """How a person would name it."""
        if not self.chosen:
            return "as it opens"
        return ", ".join(f"{name} = {'All' if value == ALL else value}" for name, value in self.chosen.items())


def scenes_of(board: Board, sources: Sources, ask: Answers, now: float) -> list[Scene]:
    """The board as it opens, and with All for every variable that has it, where that is something else."""
    first = Scene(board, Resolver(board, sources, ask, now), {})
    everything = {
        one.name: ALL
        for one in board.variables
        if one.include_all and first.resolver.done[one.name].value.text != "All"
    }
    if not everything:
        return [first]
    return [first, Scene(board, Resolver(board, sources, ask, now, everything), everything)]


def queries_of(scene: Scene, panel: Panel, sources: Sources, kinds: t.Collection[str], now: float) -> list[Query]:
    """Everything that a panel asks, its copies included.

    :param kinds: kinds of datasources that can be asked.
    """
    found: list[Query] = []
    for copy in _copies(panel, scene.resolver.scope):
        scope = {**scene.resolver.scope, **copy}
        inputs = _needed_by_others(panel)
        for target in panel.targets:
            if target.expr and (not target.hidden or target.ref in inputs):
                found.append(_query(scene.board, panel, target, scope, sources, kinds, now))
    return found


def _needed_by_others(panel: Panel) -> set[str]:
    """Hidden queries that a computed one of the panel uses."""
    computed = [one for one in panel.targets if str(_uid(one.datasource)) in ("__expr__", "-100")]
    return {one.ref for one in panel.targets} if computed else set()


def _uid(given: t.Any) -> t.Any:
    return given.get("uid") or given.get("type") if isinstance(given, dict) else given


def _copies(panel: Panel, scope: Scope) -> t.Iterator[dict[str, Value]]:
    names = [name for name in dict.fromkeys(panel.repeats) if name in scope and scope[name].all]
    single = [
        [dataclasses.replace(scope[name], value=one, literal=None) for one in scope[name].all[:MOST_COPIES]]
        for name in names
    ]
    for combination in itertools.islice(itertools.product(*single), MOST_COPIES):
        yield {one.name: one for one in combination}


def _query(
    board: Board,
    panel: Panel,
    target: Target,
    scope: Scope,
    sources: Sources,
    kinds: t.Collection[str],
    now: float,
) -> Query:
    # the panel's own choice counts, unless it says that each query has its own
    own, outer = target.datasource, panel.datasource
    given = outer if _uid(outer) not in (None, MIXED) and not is_built_in(own) else own
    meant = sources.meant(None if _uid(given) == MIXED else given, scope)
    if meant.source is None:
        return Query(target, fault=meant.fault, skipped=meant.skipped)
    kind = meant.source.kind
    if kind not in ("prometheus", "loki"):
        return Query(target, source=meant.source, skipped=f"a datasource of type {meant.source.type} is not judged")
    if kind not in kinds:
        return Query(target, source=meant.source, skipped=f"no {kind.capitalize()} was named to ask")
    span = _intervals.span_of(board, panel, now)
    length = _steps(panel, target, span, meant.source, scope)
    expr = interpolate(target.expr, {**scope, **builtin(span, length)}, kind).strip()
    once = target.instant and not target.range
    return Query(target, Request(kind, expr, span.start, span.end, length.interval, once), meant.source)


def _steps(panel: Panel, target: Target, span: _intervals.Span, source: Source, scope: Scope) -> _intervals.Steps:
    """Steps with the variables put in that intervals may be written with."""
    panel = dataclasses.replace(panel, interval=interpolate(panel.interval, scope, "text"))
    step = target.step
    if not names_in(step) or not names_in(step)[0].startswith("__"):
        target = dataclasses.replace(target, step=interpolate(step, scope, "text"))
    return _intervals.steps(panel, target, span, source.scrape)


class Loose(t.NamedTuple):
    """An expression whose matchers on variables let everything through, and which label each variable stood for."""

    expr: str
    labels: tuple[tuple[str, str], ...]


def loosened(target: Target, names: t.Collection[str], kind: str = "prometheus") -> Loose:
    """The expression of a query as if each of the variables C(names) stood for anything."""
    labels: dict[tuple[str, str], None] = {}

    def put_in(found: re.Match[str]) -> str:
        hit = [name for name in names_in(found[3]) if name in names]
        if not hit:
            return found[0]
        labels.update(((found[1], name), None) for name in hit)
        return f'{found[1]}=~"{".+" if kind == "loki" else ".*"}"'

    return Loose(_MATCHER.sub(put_in, target.expr), tuple(labels))


def from_variable(target: Target, label: str) -> str:
    """The variable that a matcher on C(label) takes its value from, empty when it is written out."""
    for found in _MATCHER.finditer(target.expr):
        names = names_in(found[3])
        if found[1] == label and names:
            return names[0]
    return ""


def used_by(board: Board, panel: Panel) -> list[str]:
    """Variables that a panel depends on, also through others; in the board's order."""
    texts = [target.expr for target in panel.targets] + [str(_uid(one.datasource)) for one in panel.targets]
    wanted = set(names_in(" ".join([*texts, str(_uid(panel.datasource)), panel.interval]))) | set(panel.repeats)
    return _upwards(board, wanted)


def used_by_variable(board: Board, name: str) -> list[str]:
    """The variables that a variable depends on, itself among them."""
    return _upwards(board, {name})


def _upwards(board: Board, wanted: set[str]) -> list[str]:
    for _round in board.variables:
        more = {
            name
            for one in board.variables
            if one.name in wanted
            for name in names_in(" ".join((query_text(one), one.regex, str(_uid(one.datasource)))))
        }
        if more <= wanted:
            break
        wanted |= more
    return [one.name for one in board.variables if one.name in wanted]


def roots_of(board: Board, names: t.Collection[str]) -> list[str]:
    """Those of the variables that a person chooses first: query or custom, and dependent on no other of these."""
    kinds = {one.name: one for one in board.variables if one.type in ("query", "custom")}
    return [
        name
        for name in names
        if name in kinds and not set(names_in(f"{query_text(kinds[name])} {kinds[name].regex}")) & set(kinds)
    ]
