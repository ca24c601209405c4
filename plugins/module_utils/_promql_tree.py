# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The tree of a PromQL expression. This module util is PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import math
import typing as t


@dataclasses.dataclass(frozen=True)
class Matcher:
    """One condition in braces; a metric's name is the label C(__name__)."""

    name: str
    op: str
    value: str

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{self.op}"{escaped}"'


@dataclasses.dataclass(frozen=True)
class Number:
    value: float

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Number):
            return False
        return self.value == other.value or (math.isnan(self.value) and math.isnan(other.value))

    def __hash__(self) -> int:
        return hash("NaN" if math.isnan(self.value) else self.value)


@dataclasses.dataclass(frozen=True)
class Text:
    value: str


@dataclasses.dataclass(frozen=True)
class Selector:
    """Series by their labels. C(range) in seconds, None for an instant vector."""

    matchers: tuple[Matcher, ...]
    range: float | None = None
    offset: float = 0.0
    at: str | None = None

    @property
    def metric(self) -> str | None:
        """The one name it asks for, None when it asks by pattern or by labels alone."""
        names = [item.value for item in self.matchers if item.name == "__name__" and item.op == "="]
        return names[0] if len(names) == 1 else None

    def __str__(self) -> str:
        name = self.metric
        plain = name is not None and _is_plain_name(name)
        rest = [str(item) for item in self.matchers if not (plain and item.name == "__name__")]
        return (name if plain and name else "") + ("{" + ", ".join(rest) + "}" if rest or not plain else "")


@dataclasses.dataclass(frozen=True)
class Subquery:
    expr: Node
    range: float
    step: float | None
    offset: float = 0.0
    at: str | None = None


@dataclasses.dataclass(frozen=True)
class Call:
    name: str
    args: tuple[Node, ...]


@dataclasses.dataclass(frozen=True)
class Aggregate:
    """C(grouping) is sorted; C(without) without any label is what no clause at all means when C(by) is False."""

    op: str
    expr: Node
    param: Node | None = None
    by: bool = True
    grouping: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Binary:
    """C(matching) is C(on) or C(ignoring) with its labels; C(group) is C(group_left) or C(group_right) with its own.

    C(filled) names the sides whose missing series are made up by C(fill): C(left), C(right).
    """

    op: str
    left: Node
    right: Node
    bool: bool = False
    matching: tuple[str, tuple[str, ...]] | None = None
    group: tuple[str, tuple[str, ...]] | None = None
    filled: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Negative:
    expr: Node


Node: t.TypeAlias = "Number | Text | Selector | Subquery | Call | Aggregate | Binary | Negative"


def _is_plain_name(name: str) -> bool:
    return name.replace(":", "_").isidentifier() and name.isascii()


def children(node: Node) -> tuple[Node, ...]:
    """The expressions directly below a node."""
    if isinstance(node, Call):
        return node.args
    if isinstance(node, Binary):
        return node.left, node.right
    if isinstance(node, Aggregate):
        return (node.expr,) if node.param is None else (node.param, node.expr)
    if isinstance(node, (Subquery, Negative)):
        return (node.expr,)
    return ()


def walk(node: Node) -> t.Iterator[Node]:
    """The node and everything below it, from left to right."""
    yield node
    for child in children(node):
        yield from walk(child)


def selectors(node: Node) -> list[Selector]:
    """Every selector, in order of appearance."""
    return [item for item in walk(node) if isinstance(item, Selector)]
