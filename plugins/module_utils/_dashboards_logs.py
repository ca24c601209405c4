# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Why a query of a panel gives nothing, in LogQL. This module util is PRIVATE to the collection.

Source: Loki, docs/sources/query (log queries begin with a stream selector; what follows it filters lines).
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_ask import Asker, Request
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_model import Board, Panel
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_queries import Query, from_variable
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_reasons import (
    Reason,
    may_be_empty_line,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_sources import Source
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_variables import Ask
from ansible_collections.dataplatform.monitoring.plugins.module_utils._matchers import (
    MatcherError,
    UnsupportedPattern,
    pattern_matches,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_series import nearest

_STRING = r"\"(?:[^\"\\]|\\.)*\"|`[^`]*`"
_PART = re.compile(rf"(?P<string>{_STRING})|(?P<open>\{{)|(?P<close>\}})", re.S)
_MATCHER = re.compile(rf"([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*({_STRING})", re.S)
_LOKI = Source("loki", "loki", "loki")


class Streams(t.NamedTuple):
    """A stream selector: its text with the braces, and its matchers as name, operator, value."""

    text: str
    matchers: tuple[tuple[str, str, str], ...]


def stream_selectors(expr: str) -> list[Streams]:
    """Every stream selector of an expression, in order; braces in strings are none."""
    found, begin = [], -1
    for part in _PART.finditer(expr):
        if part["open"] and begin < 0:
            begin = part.start()
        elif part["close"] and begin >= 0:
            text = expr[begin : part.end()]
            matchers = tuple((one[1], one[2], _unquoted(one[3])) for one in _MATCHER.finditer(text))
            if matchers:
                found.append(Streams(text, matchers))
            begin = -1
    return found


def _unquoted(text: str) -> str:
    if text.startswith("`"):
        return text[1:-1]
    try:
        return str(json.loads(text))
    except ValueError:
        return text[1:-1]


class LogReasons:
    """Explains empty answers of Loki."""

    def __init__(self, api: Api, asker: Asker) -> None:
        self._api = api
        self._asker = asker

    def explain(self, board: Board, panel: Panel, query: Query) -> Reason:
        """The reason for an answer without a line or a number."""
        request = t.cast(Request, query.request)
        for streams in stream_selectors(request.expr):
            if self._series(streams.text, request):
                continue
            return self._no_stream(streams, query, request)
        text = "its streams have lines, but none that its filters let through"
        return Reason("panel_lines_missing", text, may_be_empty_line(board, panel))

    def never(self, query: Query) -> Reason | None:
        """The reason where a label is asked for that no stream has, None where all of them exist."""
        request = t.cast(Request, query.request)
        for streams in stream_selectors(request.expr):
            for name, operator, _value in streams.matchers:
                if operator in ("=", "=~") and not self._values(name, request):
                    return self._no_label(name)
        return None

    def _no_label(self, name: str, variable: str = "") -> Reason:
        whose = f" (from the variable {variable})" if variable else ""
        fix = f"See which labels there are: {self._api.by_hand('/loki/api/v1/labels')}"
        return Reason("panel_stream_missing", f"no stream has the label {name}{whose}", fix, variable=variable)

    def _series(self, selector: str, request: Request) -> bool:
        ask = Ask(_LOKI, "series", "", selector, request.start, request.end)
        return bool(self._asker.options(ask).values)

    def _values(self, label: str, request: Request) -> tuple[str, ...]:
        return self._asker.options(Ask(_LOKI, "values", label, "", request.start, request.end)).values

    def _no_stream(self, streams: Streams, query: Query, request: Request) -> Reason:
        for name, operator, value in streams.matchers:
            if operator not in ("=", "=~"):
                continue
            there = self._values(name, request)
            if any(_fits(operator, value, one) for one in there):
                continue
            variable = from_variable(query.target, name)
            whose = f" (from the variable {variable})" if variable else ""
            shown = f'{name}{operator}"{value}"'
            if not there:
                return self._no_label(name, variable)
            near = nearest(value, there)
            hint = f"; nearest: {', '.join(near)}" if near else ""
            text = f"no stream has {shown}{whose}{hint}"
            written = json.dumps(value, ensure_ascii=False)
            if near and query.target.expr.count(written) == 1:
                better = query.target.expr.replace(written, json.dumps(near[0], ensure_ascii=False))
                fix = f"Ask for a value that exists: expr: {json.dumps(' '.join(better.split()), ensure_ascii=False)}"
            else:
                fix = f"See which values there are: {self._api.by_hand(f'/loki/api/v1/label/{name}/values')}"
            return Reason("panel_stream_missing", text, fix, variable=variable)
        command = self._api.by_hand("/loki/api/v1/series", [("match[]", streams.text)])
        return Reason(
            "panel_stream_missing",
            f"no stream is {streams.text}, though each of its labels exists",
            f"See whether there is one by now: {command}",
        )


def _fits(operator: str, wanted: str, value: str) -> bool:
    if operator == "=":
        return wanted == value
    try:
        return pattern_matches(wanted, value)
    except (MatcherError, UnsupportedPattern):
        return True
