# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""PromQL text to tokens. This module util is PRIVATE to the collection.

Source: Prometheus, promql/parser/lex.go and util/strutil/quote.go; a C(#) begins a comment, and a string in back ticks
has no escapes.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import MonitoringError


class PromqlError(MonitoringError):
    """The text is not PromQL; the message names the place."""


class Token(t.NamedTuple):
    """C(kind) is number, duration, string, name, symbol or end; C(word) is the text in lower case."""

    kind: str
    text: str
    position: int

    @property
    def word(self) -> str:
        return self.text.lower()


_DURATION = r"(?:[0-9]+(?:ms|[smhdwy]))+"
_TOKEN = re.compile(
    r"(?P<space>(?:[ \t\r\n]|\#[^\n]*)+)"
    r"|(?P<string>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)"
    rf"|(?P<duration>{_DURATION})(?![A-Za-z0-9_])"
    r"|(?P<number>0[xX][0-9a-fA-F_]+|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)(?![A-Za-z0-9_])"
    r"|(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)"
    r"|(?P<symbol>=~|!~|==|!=|<=|>=|[-+*/%^<>=(){}\[\],@:])",
    re.DOTALL,
)
# Inside brackets a colon separates the range from the step, and is no part of a name: [5m:] and [1h:30s].
_IN_BRACKETS = re.compile(
    rf"(?P<space>(?:[ \t\r\n]|\#[^\n]*)+)|(?P<duration>{_DURATION})|(?P<number>[0-9]+(?:\.[0-9]+)?)|(?P<symbol>[:\]])"
)
_PARTS = re.compile(r"([0-9]+)(ms|[smhdwy])")
_UNITS = {
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "h": 3_600.0,
    "d": 86_400.0,
    "w": 604_800.0,
    "y": 31_536_000.0,
}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_PLAIN_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "'": "'",
}


def tokenise(text: str) -> list[Token]:
    """The tokens, white space and comments left out, with one of kind C(end) at the end.

    :raises PromqlError: something that no token begins with.
    """
    tokens: list[Token] = []
    position, in_brackets = 0, False
    while position < len(text):
        found = (_IN_BRACKETS if in_brackets else _TOKEN).match(text, position)
        if found is None:
            shown = text[position : position + 20]
            raise PromqlError(f"at character {position + 1}: nothing in PromQL begins with {shown!r}")
        kind = str(found.lastgroup)
        if kind != "space":
            tokens.append(Token(kind, found.group(), position))
            if found.group() == "[":
                in_brackets = True
            elif found.group() == "]":
                in_brackets = False
        position = found.end()
    tokens.append(Token("end", "", len(text)))
    return tokens


def duration(token: Token) -> float:
    """Seconds of a duration token."""
    return sum(int(amount) * _UNITS[unit] for amount, unit in _PARTS.findall(token.text))


def number(token: Token) -> float:
    """:raises PromqlError: a number that is none, for example 0x_."""
    text = token.text.replace("_", "")
    try:
        return float(int(text, 16)) if text[:2].lower() == "0x" else float(text)
    except (ValueError, OverflowError) as error:
        raise PromqlError(f"at character {token.position + 1}: {token.text!r} is no number") from error


def unquote(token: Token) -> str:
    """The text that a string token stands for.

    :raises PromqlError: an escape that Prometheus does not know either.
    """
    quote, inner = token.text[0], token.text[1:-1]
    if quote == "`":
        return inner
    return _ESCAPE.sub(lambda found: _escaped(found, token), inner)


def _escaped(found: re.Match[str], token: Token) -> str:
    code = found.group(1)
    if code in _PLAIN_ESCAPES:
        return _PLAIN_ESCAPES[code]
    try:
        if code[0] in "xuU" and len(code) > 1:
            return chr(int(code[1:], 16))
        if len(code) == 3:
            return chr(int(code, 8))
    except (ValueError, OverflowError):
        pass
    raise PromqlError(f"at character {token.position + 1}: \\{code} is no escape in a string")
