# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""PromQL trees back to text that a server reads. This module util is PRIVATE to the collection.

Every operation stands in parentheses: the tree says what belongs together, and nobody has to know precedences.
"""

from __future__ import annotations

import math

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
)


def text_of(node: Node) -> str:
    """The text of a node.

    :raises ValueError: the node has something that the tree does not keep (the value of C(fill)).
    """
    if isinstance(node, Number):
        return _number(node.value)
    if isinstance(node, Text):
        return _quoted(node.value)
    if isinstance(node, Selector):
        length = "" if node.range is None else f"[{_duration(node.range)}]"
        return f"{node}{length}{_place(node)}"
    if isinstance(node, Subquery):
        step = "" if node.step is None else _duration(node.step)
        return f"({text_of(node.expr)})[{_duration(node.range)}:{step}]{_place(node)}"
    if isinstance(node, Call):
        return f"{node.name}({', '.join(text_of(one) for one in node.args)})"
    if isinstance(node, Aggregate):
        clause = f"{' by ' if node.by else ' without '}({', '.join(node.grouping)}) " if _grouped(node) else ""
        param = "" if node.param is None else f"{text_of(node.param)}, "
        return f"{node.op}{clause}({param}{text_of(node.expr)})"
    if isinstance(node, Negative):
        return f"-({text_of(node.expr)})"
    return f"({text_of(node.left)} {operator_of(node)} {text_of(node.right)})"


def operator_of(node: Binary) -> str:
    """An operation without its sides: C(/ on (job) group_left ()).

    :raises ValueError: it makes missing series up.
    """
    if node.filled:
        raise ValueError("the value of fill is not kept")
    parts = [node.op]
    if node.bool:
        parts.append("bool")
    if node.matching is not None:
        parts.append(f"{node.matching[0]} ({', '.join(node.matching[1])})")
    elif node.group is not None:
        parts.append("ignoring ()")
    if node.group is not None:
        parts.append(f"{node.group[0]} ({', '.join(node.group[1])})")
    return " ".join(parts)


def _grouped(node: Aggregate) -> bool:
    return bool(node.grouping) or not node.by


def _place(node: Selector | Subquery) -> str:
    at = "" if node.at is None else f" @ {node.at}{'()' if node.at in ('start', 'end') else ''}"
    sign = "-" if node.offset < 0 else ""
    offset = f" offset {sign}{_duration(abs(node.offset))}" if node.offset else ""
    return at + offset


def _duration(length: float) -> str:
    milliseconds = round(length * 1000)
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
