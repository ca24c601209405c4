# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Label matchers, read and applied exactly as Alertmanager does. This module util is PRIVATE to the collection.

Alertmanager has two parsers that disagree about some inputs, and a mode that runs both. Sources, Alertmanager 0.34:
pkg/labels/parse.go (classic), matcher/parse (UTF-8), matcher/compat/parse.go (which one wins), pkg/labels/matcher.go
(what a matcher does; a missing label is the empty string). Patterns are RE2, anchored at both ends.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import MonitoringError

try:
    import re2

    HAS_RE2 = True
except ImportError:
    HAS_RE2 = False

# How matchers are parsed: what the server is started with (--enable-feature), `fallback` by default.
MODES = ("fallback", "classic", "utf8")

# unicode.IsSpace of Go; Python's str.isspace also counts U+001C to U+001F.
_SPACES = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
_RESERVED = frozenset("{}!=~,\\\"'`" + _SPACES)

# Where google-re2 is missing, only patterns of these pieces mean the same in Python's re: literals, dots, groups,
# alternatives, plain classes, repetition and escaped punctuation.
_COMMON_SUBSET = re.compile(
    r"(?:[A-Za-z0-9_ :/,@%#&;<>~'\"!=-]|\\[.\-/|()*+?\[\]{}^$\\]|\.|\||\(\?:|\((?!\?)|\)|\[\^?[A-Za-z0-9_.:/ -]+\]"
    r"|[*+?](?![*+?]))*"
)


class MatcherError(MonitoringError):
    """Alertmanager refuses this input; the message is in its words where the classic parser speaks."""


class UnsupportedPattern(MonitoringError):
    """Without google-re2 nobody can say what this pattern matches."""


@dataclasses.dataclass(frozen=True, order=True)
class Matcher:
    """One condition on one label. The order of the fields is the order in which Alertmanager sorts matchers."""

    name: str
    value: str
    op: str

    def matches(self, labels: t.Mapping[str, str]) -> bool:
        """Whether a label set fulfils it; a label that is not there is the empty string.

        :raises UnsupportedPattern: see the class.
        """
        actual = labels.get(self.name, "")
        if self.op == "=":
            return actual == self.value
        if self.op == "!=":
            return actual != self.value
        return pattern_matches(self.value, actual) == (self.op == "=~")

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
        name = self.name
        if any(char in _RESERVED for char in name):
            name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return f'{name}{self.op}"{escaped}"'


class Parsed(t.NamedTuple):
    """Matchers of one input, and what a person should know about how they were read."""

    matchers: tuple[Matcher, ...]
    warning: str | None = None


@functools.lru_cache(maxsize=4096)
def _compile(pattern: str) -> t.Any:
    anchored = f"^(?:{pattern})$"
    if HAS_RE2:
        options = re2.Options()
        options.log_errors = False
        try:
            return re2.compile(anchored, options)
        except re2.error as exc:
            raise MatcherError(f"error parsing regexp {pattern!r}: {_text(exc)}") from exc
    unsupported = UnsupportedPattern(
        f"the pattern {pattern!r} needs google-re2 on the controller to be judged: pip install google-re2"
    )
    if not _COMMON_SUBSET.fullmatch(pattern):
        raise unsupported
    try:
        return re.compile(pattern, re.ASCII)
    except re.error as exc:
        raise unsupported from exc


def _text(exc: Exception) -> str:
    first = exc.args[0] if exc.args else ""
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)


@functools.lru_cache(maxsize=65536)
def pattern_matches(pattern: str, value: str) -> bool:
    """Whether an RE2 pattern matches all of C(value). :raises MatcherError: no valid pattern."""
    found = _compile(pattern)
    return (found.search(value) if HAS_RE2 else found.fullmatch(value)) is not None


class PatternSet:
    """Many patterns asked at once: which of them match a value. Answers are remembered.

    A tree with a thousand pattern routes asks this once per value instead of a thousand times.
    """

    def __init__(self, patterns: t.Sequence[str]) -> None:
        self._patterns = patterns
        self._answers: dict[str, list[int]] = {}
        self._set: t.Any = None
        if HAS_RE2 and len(patterns) > 1:
            options = re2.Options()
            options.log_errors = False
            options.max_mem = 256 << 20
            try:
                together = re2.Set.SearchSet(options)
                for pattern in patterns:
                    together.Add(f"^(?:{pattern})$")
                # A set that runs out of memory finds nothing, just as one that matches nothing. A last pattern that
                # always matches tells the two apart.
                together.Add("^(?s:.*)$")
                together.Compile()
                self._set = together
            except re2.error:
                self._set = None

    def matching(self, value: str) -> list[int]:
        """Numbers of the patterns that match all of C(value), in ascending order."""
        known = self._answers.get(value)
        if known is None:
            found = sorted(self._set.Match(value) or []) if self._set is not None else []
            if found and found[-1] == len(self._patterns):
                known = found[:-1]
            else:
                known = [number for number, one in enumerate(self._patterns) if pattern_matches(one, value)]
            self._answers[value] = known
        return known


def compiled(name: str, op: str, value: str) -> Matcher:
    """Build one, refusing a pattern that does not compile, as the server does when it loads."""
    if op in ("=~", "!~"):
        _compile(value)
    return Matcher(name, value, op)


# --- the classic parser ---

_CLASSIC = re.compile(
    r"[\t\n\f\r ]*([a-zA-Z_:][a-zA-Z0-9_:]*)[\t\n\f\r ]*(=~|=|!=|!~)[\t\n\f\r ]*(.*?)[\t\n\f\r ]*", re.S
)


def parse_classic_one(text: str) -> Matcher:
    """One matcher. Escapes are quote, backslash and n; any other backslash stays. :raises MatcherError:"""
    found = _CLASSIC.fullmatch(text)
    if found is None:
        raise MatcherError(f"bad matcher format: {text}")
    name, op, given = found.groups()
    open_quote = given.startswith('"')
    raw = given[1:] if open_quote else given
    out: list[str] = []
    escaped = False
    for index, char in enumerate(raw):
        last = index == len(raw) - 1
        if escaped:
            escaped = False
            out.append({"n": "\n", '"': '"', "\\": "\\"}.get(char, "\\" + char))
        elif char == "\\" and not last:
            escaped = True
        elif char == '"':
            if not open_quote or not last:
                raise MatcherError(f"matcher value contains unescaped double quote: {given}")
            open_quote = False
        else:
            out.append(char)
    if open_quote:
        raise MatcherError(f"matcher value contains unescaped double quote: {given}")
    return compiled(name, op, "".join(out))


def parse_classic(text: str) -> tuple[Matcher, ...]:
    """A list of matchers. One brace is taken off each end independently of the other. :raises MatcherError:"""
    text = text.removeprefix("{").removesuffix("}")
    tokens: list[str] = []
    token: list[str] = []
    in_quotes = escaped = False
    for char in text:
        if char == "," and not in_quotes:
            # `escaped` keeps its value here, as in the original.
            tokens.append("".join(token))
            token = []
            continue
        if char == '"':
            if escaped:
                escaped = False
            else:
                in_quotes = not in_quotes
        elif char == "\\":
            escaped = not escaped
        elif char != ",":
            escaped = False
        token.append(char)
    last = "".join(token).strip(_SPACES)
    if last:
        tokens.append(last)
    return tuple(parse_classic_one(item) for item in tokens)


# --- the UTF-8 parser ---

_Token = tuple[str, str]


def _tokens(text: str) -> t.Iterator[_Token]:
    """C((kind, text)); kind is one of ``{ } ,``, an operator, C(quoted) or C(unquoted)."""
    position = 0
    while position < len(text):
        char = text[position]
        if char in _SPACES:
            position += 1
        elif char in "{},":
            yield char, char
            position += 1
        elif char in "=!":
            pair = text[position : position + 2]
            if pair in ("=~", "!=", "!~"):
                yield pair, pair
                position += 2
            elif char == "=":
                yield "=", "="
                position += 1
            else:
                raise MatcherError(f"{text}: expected = or ~ after ! at {position}")
        elif char == '"':
            end = position + 1
            while end < len(text) and text[end] != '"':
                end += 2 if text[end] == "\\" else 1
            if end >= len(text):
                raise MatcherError(f"{text}: missing end quote")
            yield "quoted", text[position : end + 1]
            position = end + 1
        elif char in _RESERVED:
            raise MatcherError(f"{text}: {char} at {position} must be quoted")
        else:
            end = position
            while end < len(text) and text[end] not in _RESERVED:
                end += 1
            yield "unquoted", text[position:end]
            position = end


_ESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, '"': 34}
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\\"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))")


def _unquote(quoted: str) -> str:
    """Go's strconv.Unquote of a double-quoted string that must be valid UTF-8. :raises MatcherError:"""
    inner = quoted[1:-1]
    out = bytearray()
    position = 0
    while position < len(inner):
        char = inner[position]
        if char == "\n":
            raise MatcherError(f"{quoted}: a line break inside quotes must be written \\n")
        if char != "\\":
            out += char.encode("utf-8", "surrogatepass")
            position += 1
            continue
        found = _ESCAPE.match(inner, position)
        if found is None:
            raise MatcherError(
                f"{quoted}: {inner[position : position + 2]} is not an escape; write \\\\ for a backslash"
            )
        simple, byte, octal, short, wide = found.groups()
        if simple:
            out.append(_ESCAPES[simple])
        elif byte or octal:
            number = int(byte, 16) if byte else int(octal, 8)
            if number > 255:
                raise MatcherError(f"{quoted}: \\{octal} is no byte")
            out.append(number)
        else:
            number = int(short or wide, 16)
            if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
                raise MatcherError(f"{quoted}: {found.group()} is no character")
            out += chr(number).encode()
        position = found.end()
    try:
        return out.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise MatcherError(f"{quoted}: the quoted text is not valid UTF-8") from exc


def parse_utf8(text: str) -> tuple[Matcher, ...]:
    """Braces both or neither, a value is required, one trailing comma is allowed. :raises MatcherError:"""
    tokens = list(_tokens(text))
    braces = bool(tokens) and tokens[0][0] == "{"
    position = 1 if braces else 0
    matchers: list[Matcher] = []

    def kind(index: int) -> str:
        return tokens[index][0] if index < len(tokens) else "end"

    def word(index: int, what: str) -> str:
        if kind(index) not in ("quoted", "unquoted"):
            raise MatcherError(f"{text}: expected {what}")
        return _unquote(tokens[index][1]) if kind(index) == "quoted" else tokens[index][1]

    while kind(position) not in ("}", "end"):
        name = word(position, "label name")
        op = kind(position + 1)
        if op not in ("=", "!=", "=~", "!~"):
            raise MatcherError(f"{text}: expected an operator such as '=', '!=', '=~' or '!~'")
        matchers.append(compiled(name, op, word(position + 2, "label value")))
        position += 3
        if kind(position) == ",":
            position += 1
        elif kind(position) not in ("}", "end"):
            raise MatcherError(f"{text}: expected a comma or close brace")
    if braces:
        if kind(position) != "}":
            raise MatcherError(f"{text}: expected close brace")
        position += 1
    if position < len(tokens):
        raise MatcherError(f"{text}: expected end of input")
    return tuple(matchers)


# --- which one wins ---


def parse(text: str, mode: str = "fallback") -> Parsed:
    """Read a string of matchers as a server in C(mode) does.

    :raises MatcherError: the server refuses it.
    :raises UnsupportedPattern: a pattern cannot be judged here.
    """
    if mode == "classic":
        return Parsed(parse_classic(text))
    if mode == "utf8":
        return Parsed(parse_utf8(text))
    try:
        new = parse_utf8(text)
    except MatcherError as exc:
        old = parse_classic(text)
        shown = ",".join(map(str, old))
        return Parsed(old, f"{text!r} is read as {shown} by the classic parser only ({exc}); write {shown}")
    try:
        old = parse_classic(text)
    except MatcherError:
        return Parsed(new)
    if old != new:
        shown = ",".join(map(str, old))
        return Parsed(old, f"{text!r} means {shown} to the classic parser, which wins; write it so that both agree")
    return Parsed(new)
