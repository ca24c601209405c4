# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Variables put into texts as Grafana does. This module util is PRIVATE to the collection.

Source: Grafana, docs/sources/dashboards/variables/variable-syntax, and the escaping of the datasources of Prometheus
(packages/grafana-prometheus) and Loki: without a format, a variable of several values becomes a pattern whose special
characters are escaped twice, because it stands inside of a quoted string.
"""

from __future__ import annotations

import dataclasses
import datetime
import html
import json
import re
import typing as t
import urllib.parse

ALL = "$__all"
# $name, [[name:format]], ${name.field:format}
_VARIABLE = re.compile(r"\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?:\.([^:^}]+))?(?::([^}]+))?\}")
_SPECIAL = re.compile(r"[$^*{}\[\]'+?.()|]")
_SPECIAL_LOKI = re.compile(r"[$^*{}\[\]+?.()|]")
_LUCENE = re.compile(r"([!*+\-=<>\s&|()\[\]{}^~?:\\/\"])")
_MOST_NESTED = 5


@dataclasses.dataclass(frozen=True)
class Value:
    """What a variable stands for. Several values are a tuple; C(literal) is put in as it is, but for variables in it.

    :param pattern: whether values are escaped as parts of a pattern (the variable is multi or has All).
    """

    name: str
    value: str | tuple[str, ...]
    pattern: bool = False
    literal: str | None = None
    text: str = ""

    @property
    def all(self) -> tuple[str, ...]:
        """Its values, however many."""
        return self.value if isinstance(self.value, tuple) else (self.value,)


Scope = t.Mapping[str, Value]


def names_in(text: str) -> list[str]:
    """The variables that a text refers to, each once, in order."""
    found = (one[1] or one[2] or one[4] for one in _VARIABLE.finditer(text))
    return list(dict.fromkeys(found))


def interpolate(text: str, scope: Scope, flavour: str = "prometheus", _depth: int = 0) -> str:
    """The text with its variables put in; what is not known stays as it is written.

    :param flavour: C(prometheus), C(loki), or anything else for plain text.
    """

    def put_in(found: re.Match[str]) -> str:
        known = scope.get(found[1] or found[2] or found[4])
        if known is None:
            return found[0]
        style = found[3] or found[6] or ""
        if known.literal is not None and style != "text":
            return known.literal if _depth >= _MOST_NESTED else interpolate(known.literal, scope, flavour, _depth + 1)
        return formatted(known, style, flavour)

    return _VARIABLE.sub(put_in, text)


def formatted(known: Value, style: str, flavour: str) -> str:
    """One value in a format; without one as the datasource wants it."""
    if not style:
        return _by_flavour(known, flavour)
    name, _colon, rest = style.partition(":")
    return _FORMATS.get(name, _glob)(known, rest)


def _by_flavour(known: Value, flavour: str) -> str:
    if flavour not in ("prometheus", "loki"):
        return _glob(known, "")
    if not known.pattern and isinstance(known.value, str):
        return known.value.replace("\\", "\\\\").replace("'", "\\\\'") if flavour == "prometheus" else known.value
    special = _SPECIAL if flavour == "prometheus" else _SPECIAL_LOKI
    parts = [special.sub(r"\\\\\g<0>", one.replace("\\", "\\\\\\\\")) for one in known.all]
    if isinstance(known.value, str) or len(parts) == 1:
        return parts[0]
    joined = "|".join(parts)
    return f"({joined})" if flavour == "prometheus" else joined


def _glob(known: Value, _rest: str) -> str:
    if isinstance(known.value, str):
        return known.value
    return "{" + ",".join(known.value) + "}" if len(known.value) > 1 else ",".join(known.value)


def _regex(known: Value, _rest: str) -> str:
    parts = [re.sub(r"[\\^$*+?.()|\[\]{}/]", r"\\\g<0>", one) for one in known.all]
    return parts[0] if len(parts) == 1 else "(" + "|".join(parts) + ")"


def _json(known: Value, _rest: str) -> str:
    return known.value if isinstance(known.value, str) else json.dumps(known.value, separators=(",", ":"))


def _lucene(known: Value, _rest: str) -> str:
    escaped = [_LUCENE.sub(r"\\\1", one) for one in known.all]
    if isinstance(known.value, str):
        return escaped[0]
    return "(" + " OR ".join(f'"{one}"' for one in escaped) + ")" if escaped else "__empty__"


def _distributed(known: Value, _rest: str) -> str:
    return ",".join(one if number == 0 else f"{known.name}={one}" for number, one in enumerate(known.all))


def _percent(known: Value, _rest: str) -> str:
    whole = known.value if isinstance(known.value, str) else "{" + ",".join(known.value) + "}"
    return urllib.parse.quote(whole, safe="-_.~")


def _query_param(known: Value, _rest: str) -> str:
    return "&".join(f"var-{known.name}={urllib.parse.quote(one, safe='-_.~')}" for one in known.all)


def _date(known: Value, rest: str) -> str:
    if not known.all[0].isdigit():
        return "NaN"
    milliseconds = int(known.all[0])
    if rest == "ms":
        return str(milliseconds)
    if rest == "seconds":
        return str(round(milliseconds / 1000))
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}Z"


_FORMATS: dict[str, t.Callable[[Value, str], str]] = {
    "glob": _glob,
    "raw": lambda known, _rest: ",".join(known.all),
    "csv": lambda known, _rest: ",".join(known.all),
    "join": lambda known, rest: (rest or ",").join(known.all),
    "pipe": lambda known, _rest: "|".join(known.all),
    "regex": _regex,
    "json": _json,
    "lucene": _lucene,
    "distributed": _distributed,
    "percentencode": _percent,
    "uriencode": lambda known, _rest: urllib.parse.quote(_glob(known, ""), safe="-_.~;,/?:@&=+$#"),
    "queryparam": _query_param,
    "singlequote": lambda known, _rest: ",".join("'" + one.replace("'", "\\'") + "'" for one in known.all),
    "doublequote": lambda known, _rest: ",".join('"' + one.replace('"', '\\"') + '"' for one in known.all),
    "sqlstring": lambda known, _rest: ",".join("'" + one.replace("'", "''") + "'" for one in known.all),
    "html": lambda known, _rest: html.escape(", ".join(known.all)),
    "text": lambda known, _rest: known.text or " + ".join(known.all),
    "date": _date,
}
