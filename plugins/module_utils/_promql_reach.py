# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What an expression needs in order to ever return something, and which labels its result has.

This module util is PRIVATE to the collection. Source of the semantics: Prometheus, docs/querying/operators.md and
functions.md, promql/engine.go (resultMetric).
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql import (
    Aggregate,
    Binary,
    Call,
    Negative,
    Node,
    Number,
    Selector,
    Subquery,
    Text,
    children,
)

# They answer where there is nothing: an empty selector below them is no obstacle, but their very case.
_ABSENT = frozenset({"absent", "absent_over_time"})
_SET_OPERATORS = frozenset({"and", "or", "unless"})
# They choose among series and leave the labels alone.
_CHOOSING = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})
# Labels of the result are not those of the argument.
_SCALAR = frozenset({"vector", "time", "pi", "scalar"})


def missing(node: Node, exists: t.Callable[[Selector], bool]) -> tuple[Selector, ...]:
    """The selectors for want of which the expression can return nothing; empty when it may return something.

    An empty right side of C(unless), one empty side of C(or), and an empty selector in C(absent) are no obstacle.

    :param exists: whether a selector has any series.
    """
    if isinstance(node, Selector):
        return () if exists(node) else (node,)
    if isinstance(node, Call) and node.name in _ABSENT:
        return ()
    if isinstance(node, Binary):
        left, right = missing(node.left, exists), missing(node.right, exists)
        if node.op == "unless":
            return left
        if node.op == "or" or set(node.filled) == {"left", "right"}:
            return left + right if left and right else ()
        if node.filled:
            return left if node.filled == ("right",) else right
        return left + right
    return tuple(item for child in children(node) for item in missing(child, exists))


def needed(node: Node) -> list[Selector]:
    """Every selector that may matter to C(missing), each once, in order of appearance."""
    found: dict[Selector, None] = {}

    def note(selector: Selector) -> bool:
        found.setdefault(selector)
        return False

    missing(node, note)
    return list(found)


def result_labels(node: Node) -> frozenset[str] | None:
    """Labels that the result can have; None when they are whatever the series have.

    A label that is in the set may still be missing from a series; one that is not in it never appears.
    """
    if isinstance(node, (Number, Text)):
        return frozenset()
    if isinstance(node, Aggregate):
        return _of_aggregate(node)
    if isinstance(node, Binary):
        return _of_binary(node)
    if isinstance(node, Call):
        return _of_call(node)
    if isinstance(node, (Subquery, Negative)):
        return result_labels(node.expr)
    return None


def _of_aggregate(node: Aggregate) -> frozenset[str] | None:
    if node.op in _CHOOSING:
        return result_labels(node.expr)
    inner = result_labels(node.expr)
    if not node.by:
        return None if inner is None else inner - set(node.grouping)
    kept = frozenset(node.grouping) if inner is None else inner & set(node.grouping)
    if node.op == "count_values" and isinstance(node.param, Text):
        kept |= {node.param.value}
    return kept


def _of_binary(node: Binary) -> frozenset[str] | None:
    left, right = result_labels(node.left), result_labels(node.right)
    if node.op == "or":
        return None if left is None or right is None else left | right
    if node.op in _SET_OPERATORS:
        return left
    if _is_scalar(node.left) or _is_scalar(node.right):
        return right if _is_scalar(node.left) else left
    if node.group is not None:
        many, one = (left, node.group[1]) if node.group[0] == "group_left" else (right, node.group[1])
        return None if many is None else many | set(one)
    if node.matching is not None and node.matching[0] == "on":
        return frozenset(node.matching[1]) if left is None else left & set(node.matching[1])
    if left is not None and node.matching is not None:
        return left - set(node.matching[1])
    return left if left is not None else right


def _is_scalar(node: Node) -> bool:
    """Whether a node is a number and no vector."""
    if isinstance(node, Number):
        return True
    if isinstance(node, Negative):
        return _is_scalar(node.expr)
    if isinstance(node, Binary):
        return _is_scalar(node.left) and _is_scalar(node.right)
    return isinstance(node, Call) and node.name in ("time", "pi", "scalar")


def _of_call(node: Call) -> frozenset[str] | None:
    if node.name in _ABSENT:
        selector = next((arg for arg in node.args if isinstance(arg, Selector)), None)
        if selector is None:
            return frozenset()
        return frozenset(item.name for item in selector.matchers if item.op == "=" and item.name != "__name__")
    if node.name in _SCALAR:
        return frozenset()
    vectors = [arg for arg in node.args if not isinstance(arg, Text) and not _is_scalar(arg)]
    if not vectors:
        return frozenset()
    inner = result_labels(vectors[0])
    if inner is None:
        return None
    if node.name in ("label_replace", "label_join") and len(node.args) > 1 and isinstance(node.args[1], Text):
        return inner | {node.args[1].value}
    return inner - {"le"} if node.name.startswith("histogram_") else inner
