# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The values of a board's variables, chained as they are. This module util is PRIVATE to the collection.

Source: Grafana, docs/sources/dashboards/variables/add-template-variables, and the query language of its Prometheus
datasource for variables (label_names, label_values, metrics, query_result, a plain selector).
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _dashboards_intervals as _intervals
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_interpolate import (
    ALL,
    Scope,
    Value,
    interpolate,
    names_in,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_model import Board, Variable
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_sources import Meant, Source, Sources

_LABEL_VALUES = re.compile(r"\s*label_values\(\s*(?:(?P<match>.+?)\s*,\s*)?(?P<label>[a-zA-Z_$][\w${}]*)\s*\)\s*", re.S)
_CALL = re.compile(r"\s*(?P<name>label_names|metrics|query_result)\((?P<rest>.*)\)\s*", re.S)
_WRITTEN_REGEX = re.compile(r"/(.*)/([a-z]*)", re.S)
_UNESCAPED_COMMA = re.compile(r"(?<!\\),")
# Options that are kept; All of more than these is what breaks a query anyway.
MOST_OPTIONS = 5_000


class Ask(t.NamedTuple):
    """A question whose answer are the options of a variable. C(how) is values, names, metrics, result,
    series, or C(some) for a few series.
    """

    source: Source
    how: str
    label: str
    match: str
    start: float
    end: float


class Found(t.NamedTuple):
    """The answer to an C(Ask), or the error in the server's words."""

    values: tuple[str, ...] = ()
    error: str = ""


@dataclasses.dataclass(frozen=True)
class Resolved:
    """A variable with its value. C(fault) is C(datasource), C(query), C(empty) or nothing; C(said) tells more."""

    variable: Variable
    value: Value
    options: tuple[tuple[str, str], ...] = ()
    fault: str = ""
    said: str = ""
    ask: Ask | None = None
    skipped: str = ""

    @property
    def query(self) -> str:
        """What was asked, in the words of a board."""
        return asked_as(self.ask) if self.ask is not None else ""


Answers = t.Callable[[Ask], Found]


class Resolver:
    """Gives every variable of a board a value.

    :param chosen: values that somebody chose, by variable: C($__all) or one of its options.
    """

    def __init__(
        self, board: Board, sources: Sources, ask: Answers, now: float, chosen: t.Mapping[str, str] | None = None
    ) -> None:
        self._sources = sources
        self._ask = ask
        self._now = now
        self._span = _intervals.span_of(board, None, now)
        self._chosen = dict(chosen or {})
        self._open = {one.name: one for one in board.variables}
        self.done: dict[str, Resolved] = {}
        self.scope: dict[str, Value] = dict(builtin(self._span))
        for variable in board.variables:
            self._resolve(variable)

    def _resolve(self, variable: Variable) -> None:
        """A variable after those that it refers to; one that refers to itself sees itself as unset."""
        if self._open.pop(variable.name, None) is None:
            return
        for name in names_in(" ".join((query_text(variable), variable.regex, _reference(variable.datasource)))):
            if name in self._open:
                self._resolve(self._open[name])
        found = self._one(variable)
        self.done[variable.name] = found
        self.scope[variable.name] = found.value

    def _one(self, variable: Variable) -> Resolved:
        text = query_text(variable)
        if variable.type == "query":
            return self._query(variable)
        if variable.type == "datasource":
            wanted = [(one.name, one.uid) for one in self._sources.of_kind(text.strip())]
            chosen = self._choose(variable, filtered(wanted, interpolate(variable.regex, self.scope, "text")))
            if not wanted and not self._sources.known:
                return dataclasses.replace(chosen, value=Value(variable.name, str(variable.current or "default")))
            said = f"there is no datasource of type {text.strip()}" if not chosen.options else ""
            return dataclasses.replace(chosen, fault="empty" if said else "", said=said)
        if variable.type == "custom":
            return self._choose(variable, custom_options(interpolate(text, self.scope, "text")))
        if variable.type == "interval":
            return self._interval(variable, text)
        if variable.type in ("constant", "textbox"):
            value = text if variable.type == "constant" else variable.current if variable.current is not None else text
            return Resolved(variable, Value(variable.name, interpolate(str(value), self.scope, "text")))
        return Resolved(variable, Value(variable.name, str(variable.current or "")))

    def _interval(self, variable: Variable, text: str) -> Resolved:
        options = [(one.strip(), one.strip()) for one in text.split(",") if one.strip()]
        value = self._chosen.get(variable.name) or str(variable.current or (options[0][0] if options else ""))
        if value == "auto" or value.startswith("$__auto"):
            least = _intervals.seconds(variable.auto_min) or 10.0
            value = _intervals.text_of(max(_intervals.rounded(self._span.length / variable.auto_count), least))
        return Resolved(variable, Value(variable.name, value), tuple(options))

    def _query(self, variable: Variable) -> Resolved:
        meant: Meant = self._sources.meant(variable.datasource, self.scope)
        if meant.source is None:
            empty = self._choose(variable, [])
            return dataclasses.replace(
                empty, fault="datasource" if meant.fault else "", said=meant.fault, skipped=meant.skipped
            )
        if meant.source.kind not in ("prometheus", "loki"):
            told = f"its datasource is of type {meant.source.type}"
            return dataclasses.replace(self._choose(variable, []), skipped=told)
        ask = question(variable, meant.source, self.scope, self._span)
        if ask is None:
            return dataclasses.replace(self._choose(variable, []), skipped="its query is of a form that is not known")
        found = self._ask(ask)
        pairs = filtered(
            [(one, one) for one in found.values], interpolate(variable.regex, self.scope, "text"), variable.sort
        )
        chosen = self._choose(variable, pairs)
        if found.error:
            return dataclasses.replace(chosen, fault="query", said=found.error, ask=ask)
        if not pairs:
            lost = f"its regex {variable.regex} leaves none of {len(found.values)} values" if found.values else ""
            return dataclasses.replace(chosen, fault="empty", said=lost, ask=ask)
        return dataclasses.replace(chosen, ask=ask)

    def _choose(self, variable: Variable, options: t.Sequence[tuple[str, str]]) -> Resolved:
        """The chosen value, else the saved one as long as it is an option, else All, else the first."""
        kept = tuple(options[:MOST_OPTIONS])
        pattern = variable.multi or variable.include_all
        name = variable.name

        def made(value: str | tuple[str, ...], text: str, literal: str | None = None) -> Resolved:
            return Resolved(variable, Value(name, value, pattern, literal, text), kept)

        wanted = self._chosen.get(name, variable.current)
        saved = [str(one) for one in (wanted if isinstance(wanted, list) else [wanted]) if one not in (None, "")]
        takes_all = variable.include_all and any(one in (ALL, "All") for one in saved)
        valid = [value for one in saved for text, value in kept if one in (value, text)]
        if takes_all or (variable.include_all and not valid):
            everything = tuple(value for _text, value in kept)
            return made(everything, "All", variable.all_value or None)
        if not valid and kept:
            valid = [kept[0][1]]
        if variable.multi:
            return made(tuple(dict.fromkeys(valid)), " + ".join(valid))
        return made(valid[0] if valid else "", valid[0] if valid else "")


def _reference(given: t.Any) -> str:
    return str(given.get("uid") or "") if isinstance(given, dict) else str(given or "")


def query_text(variable: Variable) -> str:
    """The query of a variable, which newer boards keep in a mapping; Loki's is put into its words."""
    query = variable.query
    if not isinstance(query, dict):
        return str(query or "")
    if "query" in query:
        return str(query["query"] or "")
    if query.get("type") == 1 and query.get("label"):
        stream = str(query.get("stream") or "")
        return f"label_values({stream + ', ' if stream else ''}{query['label']})"
    if query.get("type") == 0:
        return "label_names()"
    return str(query.get("expr") or "")


def label_of(variable: Variable) -> str:
    """The label whose values a variable offers, empty where it is none or the regex changes them."""
    found = _LABEL_VALUES.fullmatch(query_text(variable)) if variable.type == "query" else None
    return found["label"] if found and "(" not in variable.regex else ""


def question(variable: Variable, source: Source, scope: Scope, span: _intervals.Span) -> Ask | None:
    """What a query variable asks; None for a form that Grafana does not know either."""
    text = query_text(variable)
    if not text.strip():
        return None
    found = _LABEL_VALUES.fullmatch(text)
    flavour = source.kind

    def ask(how: str, label: str, match: str) -> Ask:
        return Ask(
            source, how, interpolate(label, scope, "text"), interpolate(match, scope, flavour), span.start, span.end
        )

    if found:
        match = (found["match"] or "").strip()
        return ask("values", found["label"], "" if match.replace(" ", "") == "{}" else match)
    call = _CALL.fullmatch(text)
    if call is None:
        return ask("series", "", text.strip()) if source.kind == "prometheus" else None
    name, rest = call["name"], call["rest"].strip()
    if name == "metrics":
        return ask("metrics", "__name__", rest)
    if name == "query_result":
        return ask("result", "", rest)
    return ask("names", "", f'{{__name__=~".*{rest}.*"}}' if rest else "")


def asked_as(ask: Ask) -> str:
    """The question in the words of a board."""
    if ask.how == "values":
        return f"label_values({ask.match + ', ' if ask.match else ''}{ask.label})"
    name = {"metrics": "metrics", "result": "query_result", "names": "label_names"}.get(ask.how)
    return f"{name}({ask.match})" if name else ask.match


def custom_options(text: str) -> list[tuple[str, str]]:
    """Options of a custom variable: C(a, b) or C(shown : value); a comma in a value is written with a backslash."""
    found = []
    for item in _UNESCAPED_COMMA.split(text):
        plain = item.replace("\\,", ",").strip()
        shown, colon, value = plain.partition(" : ")
        if plain:
            found.append((shown.strip(), value.strip()) if colon else (plain, plain))
    return found


def filtered(options: t.Sequence[tuple[str, str]], regex: str, sort: int = 0) -> list[tuple[str, str]]:
    """Options that the variable's regex leaves, each once, in its order.

    A first group is the value; groups called text and value are both. A pattern that cannot be read leaves all.
    """
    found = list(options)
    pattern = _pattern(regex)
    if pattern is not None:
        found = []
        for shown, value in options:
            hit = pattern.search(shown)
            if hit is None:
                continue
            named = hit.groupdict()
            if "value" in named or "text" in named:
                chosen = named.get("value") or named.get("text") or value
                found.append((named.get("text") or chosen, chosen))
            elif hit.groups():
                found.append((hit[1] or "", hit[1] or ""))
            else:
                found.append((shown, value))
    kept: dict[str, tuple[str, str]] = {}
    for shown, value in found:
        if value != "":
            kept.setdefault(value, (shown, value))
    unique = list(kept.values())
    if sort <= 0:
        return unique
    keys: dict[int, t.Callable[[tuple[str, str]], t.Any]] = {
        1: lambda one: one[0],
        3: lambda one: (_number(one[0]), one[0]),
        5: lambda one: one[0].lower(),
        7: lambda one: [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", one[0])],
    }
    key = keys.get(sort if sort % 2 else sort - 1)
    return sorted(unique, key=key, reverse=sort % 2 == 0) if key else unique


def _number(text: str) -> float:
    digits = re.search(r"\d+", text)
    return float(digits[0]) if digits else -1.0


def _pattern(regex: str) -> re.Pattern[str] | None:
    if not regex.strip():
        return None
    written = _WRITTEN_REGEX.fullmatch(regex.strip())
    text, flags = (written[1], written[2]) if written else (f"^{regex.strip()}$", "")
    try:
        return re.compile(re.sub(r"\(\?<(?![=!])", "(?P<", text), re.IGNORECASE if "i" in flags else 0)
    except re.error:
        return None


def builtin(span: _intervals.Span, steps: _intervals.Steps | None = None) -> dict[str, Value]:
    """Grafana's own variables, those of a step only where one is known."""
    whole = round(span.length)
    found = {
        "__from": str(int(span.start * 1000)),
        "__to": str(int(span.end * 1000)),
        "__range": f"{whole}s",
        "__range_s": str(whole),
        "__range_ms": str(round(span.length * 1000)),
        "__dashboard": "dashboard",
        "__timezone": "utc",
    }
    length = steps or _intervals.Steps(_intervals.rounded(span.length / 1000), 4 * _intervals.SCRAPE_INTERVAL)
    found["__interval"] = _intervals.text_of(length.interval)
    found["__interval_ms"] = str(round(length.interval * 1000))
    found["__rate_interval"] = _intervals.text_of(length.rate)
    found["__rate_interval_ms"] = str(round(length.rate * 1000))
    found["__auto"] = found["__interval"]
    return {name: Value(name, value) for name, value in found.items()}
