# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Expressions and addresses of boards: Grafana's variables in PromQL, links that keep what is looked at.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import re
import typing as t
from urllib.parse import quote

from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql import (
    AGGREGATORS,
    Node,
    PromqlError,
    parse,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql_tokens import Token, tokenise

CLUSTER_MATCHER = 'cluster=~"$cluster"'
# Lines of which the product itself says that something went wrong: a level in capitals, level=error in logfmt and JSON,
# nginx's [error], klog's E1123. Loki's own detected_level knows none of the four when the level is not where it looks.
ERRORS = (
    r'`\b(ERROR|FATAL|CRITICAL|SEVERE|PANIC)\b|\blevel"?[=:] ?"?(error|fatal|critical|panic)'
    r"|\[(error|crit|alert|emerg)\]|^[EF][0-9]{4} `"
)
# Durations that stand for Grafana's variables while an expression is read: nobody writes these.
_DURATIONS = {
    "$__rate_interval": "7001ms",
    "$__interval": "7003ms",
    "$__range": "7007ms",
    "$__auto": "7009ms",
}
_VARIABLE = re.compile(r"\$\{[^}]+\}")
_LABEL_LISTS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_WORDS = _LABEL_LISTS | {"and", "or", "unless", "bool", "offset", "atan2", "inf", "nan", "start", "end"}


def masked(expr: str) -> str:
    """The expression as PromQL alone would have it: durations in place of Grafana's."""
    for variable in sorted(_DURATIONS, key=len, reverse=True):
        expr = expr.replace(variable, _DURATIONS[variable])
    return expr


def tree_of(expr: str) -> Node:
    """:raises PromqlError: it is no PromQL, even with Grafana's variables filled in."""
    return parse(masked(expr))


def with_cluster(expr: str) -> str:
    """The expression with the board's cluster in every selector, so that one Grafana may show many clusters.

    Where samples have no label C(cluster), "All" matches all the same: an absent label is an empty one.
    :raises ConfigError: the expression is no PromQL.
    """
    text = " ".join(masked(expr).split())
    try:
        parse(text)
        tokens = tokenise(text)
    except PromqlError as error:
        raise ConfigError(f"{expr!r} is no PromQL ({error})") from error
    for position, inserted in reversed(list(_places(tokens))):
        text = text[:position] + inserted + text[position:]
    for variable, stand_in in _DURATIONS.items():
        text = text.replace(stand_in, variable)
    return text


def _places(tokens: list[Token]) -> t.Iterator[tuple[int, str]]:
    """Where a matcher has to be put, and how, from left to right."""
    inside, in_list = False, False
    for number, token in enumerate(tokens[:-1]):
        follows = tokens[number + 1]
        if inside or in_list:
            inside = inside and token.text != "}"
            in_list = in_list and token.text != ")"
        elif token.text == "{":
            inside = True
            yield token.position + 1, CLUSTER_MATCHER + ("" if follows.text == "}" else ",")
        elif token.kind == "name" and token.word in _LABEL_LISTS:
            in_list = follows.text == "("
        elif _is_bare_metric(token, follows):
            yield token.position + len(token.text), "{" + CLUSTER_MATCHER + "}"


def _is_bare_metric(token: Token, follows: Token) -> bool:
    if token.kind != "name" or token.word in _WORDS or follows.text == "{":
        return False
    return not _is_function(token, follows)


def _is_function(token: Token, follows: Token) -> bool:
    return follows.text == "(" or token.word in AGGREGATORS and follows.word in ("by", "without")


def logql(expr: str) -> str:
    """The LogQL of a panel on one line, with what makes a line an error filled in."""
    return " ".join(expr.split()).replace("$errors", ERRORS)


def _encoded(text: str) -> str:
    """Percent-encoded, but for Grafana's variables, which Grafana fills in first."""
    parts, at = [], 0
    for found in _VARIABLE.finditer(text):
        parts += [quote(text[at : found.start()], safe=""), found.group()]
        at = found.end()
    return "".join([*parts, quote(text[at:], safe="")])


def explore(logql: str) -> str:
    """Address of Explore with the logs of a selector, in the time range of the board.

    https://grafana.com/docs/grafana/latest/explore/get-started-with-explore/#generate-explore-urls-from-external-tools
    """
    source = {"type": "loki", "uid": "${logs}"}
    panes = {
        "logs": {
            "datasource": "${logs}",
            "queries": [{"refId": "A", "expr": logql, "datasource": source}],
            "range": {"from": "${__from}", "to": "${__to}"},
        }
    }
    return f"/explore?schemaVersion=1&panes={_encoded(json.dumps(panes, separators=(',', ':')))}"


def board_address(uid: str) -> str:
    """Address of another board, with the same variables and time range."""
    return f"/d/{uid}?${{__url_time_range}}&${{__all_variables}}"
