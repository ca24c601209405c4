# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A reader of PromQL: text to tree. It evaluates nothing. This module util is PRIVATE to the collection.

Two texts that mean the same are equal trees: white space, comments, quotes, the place of C(by), C(1h) or C(60m), and
spelling of numbers do not count. Parentheses do not either, because the tree itself keeps what belongs together.
Source of the grammar: Prometheus, promql/parser/generated_parser.y and lex.go, docs/querying/basics.md, operators.md.
"""

from __future__ import annotations

import dataclasses
import math
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import MonitoringError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql_tokens import (
    PromqlError,
    Token,
    duration,
    number,
    tokenise,
    unquote,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql_tree import (
    Aggregate,
    Binary,
    Call,
    Matcher,
    Negative,
    Node,
    Number,
    Selector,
    Subquery,
    Text,
    children,
    selectors,
    walk,
)

__all__ = [
    "Aggregate",
    "Binary",
    "Call",
    "Matcher",
    "Negative",
    "Node",
    "Number",
    "PromqlError",
    "Selector",
    "Subquery",
    "Text",
    "children",
    "parse",
    "same",
    "selectors",
    "walk",
]

AGGREGATORS = frozenset(
    {
        "avg",
        "bottomk",
        "count",
        "count_values",
        "group",
        "limit_ratio",
        "limitk",
        "max",
        "min",
        "quantile",
        "stddev",
        "stdvar",
        "sum",
        "topk",
    }
)
# Weakest first; ^ binds to the right and stands above all of them, everything else binds to the left.
_LEVELS = (
    ("or",),
    ("and", "unless"),
    ("==", "!=", "<=", "<", ">=", ">"),
    ("+", "-"),
    ("*", "/", "%", "atan2"),
)
_LEVEL = {op: level for level, ops in enumerate(_LEVELS) for op in ops}
_COMPARISONS = frozenset(_LEVELS[2])
# More than any expression that somebody wrote; keeps a hostile one from exhausting the stack.
_MAX_DEPTH = 80
_MAX_CHAIN = 200


def parse(text: str) -> Node:
    """The tree of an expression.

    :raises PromqlError: it is not PromQL as far as this reader knows it; the message names the place.
    """
    return _Parser(tokenise(text)).whole()


class _Parser:
    """Recursive descent over the tokens; the grammar has no need of more than one token ahead."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def _peek(self, ahead: int = 0) -> Token:
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    def _next(self) -> Token:
        token = self._peek()
        self._at += 1
        return token

    def _is(self, *texts: str) -> bool:
        """Whether the next token is one of these symbols or keywords (in lower case)."""
        token = self._peek()
        return token.kind in ("symbol", "name") and token.word in texts

    def _expect(self, text: str) -> None:
        if not self._is(text):
            raise self._unexpected(f"expected {text}")
        self._next()

    def _unexpected(self, wanted: str) -> PromqlError:
        token = self._peek()
        found = f"{token.text!r}" if token.kind != "end" else "the end"
        return PromqlError(f"at character {token.position + 1}: {wanted}, found {found}")

    def whole(self) -> Node:
        node = self._binary(0)
        if self._peek().kind != "end":
            raise self._unexpected("expected an operator or the end")
        return node

    def _binary(self, lowest: int) -> Node:
        """Operations of level C(lowest) and stronger."""
        left = self._unary()
        for _length in range(_MAX_CHAIN):
            token = self._peek()
            level = _LEVEL.get(token.word, -1) if token.kind in ("symbol", "name") else -1
            if level < lowest or level < 0:
                return left
            op = self._next().word
            modifiers = self._modifiers(op)
            left = Binary(op, left, self._binary(level + 1), *modifiers)
        raise PromqlError(f"more than {_MAX_CHAIN} operations in a row")

    def _modifiers(self, op: str) -> tuple[bool, t.Any, t.Any, tuple[str, ...]]:
        returns_bool, matching, group = False, None, None
        if self._is("bool"):
            if op not in _COMPARISONS:
                raise self._unexpected("bool belongs to comparisons only")
            self._next()
            returns_bool = True
        if self._is("on", "ignoring"):
            matching = (self._next().word, self._labels())
            if matching == ("ignoring", ()):
                matching = None
            if self._is("group_left", "group_right"):
                word = self._next().word
                group = (word, self._labels() if self._is("(") else ())
        return returns_bool, matching, group, self._filled()

    def _filled(self) -> tuple[str, ...]:
        """fill(0), fill_left(0) and fill_right(0) of newer servers."""
        sides: set[str] = set()
        while self._is("fill", "fill_left", "fill_right") and self._peek(1).text == "(":
            sides |= {"left", "right"} - {{"fill_left": "right", "fill_right": "left"}.get(self._next().word, "")}
            self._expect("(")
            self._binary(0)
            self._expect(")")
        return tuple(sorted(sides))

    def _labels(self) -> tuple[str, ...]:
        """A label list in parentheses, sorted; a trailing comma is allowed."""
        self._expect("(")
        found = []
        while not self._is(")"):
            token = self._next()
            if token.kind not in ("name", "string"):
                self._at -= 1
                raise self._unexpected("expected a label")
            found.append(unquote(token) if token.kind == "string" else token.text)
            if not self._is(")"):
                self._expect(",")
        self._next()
        return tuple(sorted(set(found)))

    def _unary(self) -> Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise PromqlError("the expression is nested too deeply")
        try:
            if self._is("+", "-"):
                negative = self._next().text == "-"
                # weaker than ^ and stronger than *: -2 ^ 2 is -(2 ^ 2)
                node = self._unary()
                if not negative:
                    return node
                return Number(-node.value) if isinstance(node, Number) else Negative(node)
            return self._power()
        finally:
            self._depth -= 1

    def _power(self) -> Node:
        base = self._postfix(self._primary())
        if not self._is("^"):
            return base
        op = self._next().text
        modifiers = self._modifiers(op)
        return Binary(op, base, self._unary(), *modifiers)

    def _primary(self) -> Node:
        token = self._peek()
        if token.kind in ("number", "duration"):
            self._next()
            return Number(number(token) if token.kind == "number" else duration(token))
        if token.kind == "string":
            self._next()
            return Text(unquote(token))
        if self._is("("):
            self._next()
            node = self._binary(0)
            self._expect(")")
            return node
        if self._is("{"):
            return Selector(self._matchers(None))
        if token.kind != "name":
            raise self._unexpected("expected an expression")
        return self._named(token)

    def _named(self, token: Token) -> Node:
        """What begins with a name: a number in letters, an aggregation, a function or a metric."""
        follows = self._peek(1)
        if token.word in ("inf", "nan") and follows.text not in ("{", "("):
            self._next()
            return Number(math.inf if token.word == "inf" else math.nan)
        if token.word in AGGREGATORS and (follows.text == "(" or follows.word in ("by", "without")):
            return self._aggregate()
        self._next()
        if self._is("("):
            return Call(token.text, self._arguments())
        return Selector(self._matchers(token.text))

    def _arguments(self) -> tuple[Node, ...]:
        self._expect("(")
        found = []
        while not self._is(")"):
            found.append(self._binary(0))
            if not self._is(")"):
                self._expect(",")
        self._next()
        return tuple(found)

    def _aggregate(self) -> Node:
        op = self._next().word
        by, grouping = self._grouping() or (True, ())
        given = self._peek().text != "("
        arguments = self._arguments() if not given else ()
        after = self._grouping()
        if after is not None:
            by, grouping = after
        if not arguments or len(arguments) > 2:
            raise self._unexpected(f"{op} takes one or two arguments")
        param = arguments[0] if len(arguments) == 2 else None
        return Aggregate(op, arguments[-1], param, by, grouping)

    def _grouping(self) -> tuple[bool, tuple[str, ...]] | None:
        if not self._is("by", "without"):
            return None
        by = self._next().word == "by"
        return by, self._labels()

    def _matchers(self, name: str | None) -> tuple[Matcher, ...]:
        found = [] if name is None else [Matcher("__name__", "=", name)]
        if not self._is("{"):
            return tuple(found)
        self._next()
        while not self._is("}"):
            token = self._next()
            if token.kind not in ("name", "string"):
                self._at -= 1
                raise self._unexpected("expected a label")
            label = unquote(token) if token.kind == "string" else token.text
            if token.kind == "string" and self._is(",", "}"):
                found.append(Matcher("__name__", "=", label))
            else:
                found.append(self._matcher(label))
            if not self._is("}"):
                self._expect(",")
        self._next()
        # their order does not count, and Prometheus prints them sorted
        return tuple(sorted(set(found), key=lambda one: (one.name != "__name__", one.name, one.op, one.value)))

    def _matcher(self, label: str) -> Matcher:
        if not self._is("=", "!=", "=~", "!~"):
            raise self._unexpected("expected =, !=, =~ or !~")
        op = self._next().text
        token = self._next()
        if token.kind != "string":
            self._at -= 1
            raise self._unexpected("expected a text in quotes")
        return Matcher(label, op, unquote(token))

    def _postfix(self, node: Node) -> Node:
        """Ranges, subqueries, offset and @, as often as they come."""
        while True:
            if self._is("["):
                node = self._range(node)
            elif self._is("offset"):
                self._next()
                node = self._place(node, offset=self._signed())
            elif self._is("@"):
                self._next()
                node = self._place(node, at=self._instant())
            else:
                return node

    def _range(self, node: Node) -> Node:
        self._expect("[")
        length = self._length()
        if self._is(":"):
            self._next()
            step = None if self._is("]") else self._length()
            self._expect("]")
            return Subquery(node, length, step)
        self._expect("]")
        if not isinstance(node, Selector) or node.range is not None:
            raise self._unexpected("a range belongs to a selector")
        return dataclasses.replace(node, range=length)

    def _length(self) -> float:
        token = self._next()
        if token.kind == "duration":
            return duration(token)
        if token.kind == "number":
            return number(token)
        self._at -= 1
        raise self._unexpected("expected a duration")

    def _signed(self) -> float:
        sign = -1.0 if self._is("-") else 1.0
        if self._is("-", "+"):
            self._next()
        return sign * self._length()

    def _instant(self) -> str:
        if self._is("start", "end"):
            word = self._next().word
            self._expect("(")
            self._expect(")")
            return word
        return repr(self._signed())

    def _place(self, node: Node, **change: t.Any) -> Node:
        if not isinstance(node, (Selector, Subquery)):
            raise self._unexpected("offset and @ belong to a selector or a subquery")
        return dataclasses.replace(node, **change)


def same(one: str, other: str) -> bool:
    """Whether two expressions mean the same; where one cannot be read, the same but for white space."""
    try:
        return parse(one) == parse(other)
    except MonitoringError:
        return one.split() == other.split()
