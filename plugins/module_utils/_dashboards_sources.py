# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which datasource a panel means, and whether Grafana has it. This module util is PRIVATE to the collection.

Source: Grafana, docs/sources/administration/provisioning (datasources), and public/app/features/plugins/datasource_srv
(a reference is a uid, in old boards a name; none is the default datasource).
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _dashboards_intervals as _intervals
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_interpolate import (
    Scope,
    interpolate,
    names_in,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_series import nearest

PROMETHEUS, LOKI = "prometheus", "loki"
# Types of datasources that speak Prometheus' language, or Loki's.
_KINDS = {
    "prometheus": PROMETHEUS,
    "grafana-amazonprometheus-datasource": PROMETHEUS,
    "grafana-azureprometheus-datasource": PROMETHEUS,
    "loki": LOKI,
}
# They need no entry: Grafana brings them, or they say that somebody else is meant.
MIXED = "-- Mixed --"
_BUILT_IN = {
    "-- Grafana --": "it shows data of Grafana itself",
    "grafana": "it shows data of Grafana itself",
    "-- Dashboard --": "it shows the data of another panel of this board",
    "__expr__": "it is computed by Grafana from other queries",
    "-100": "it is computed by Grafana from other queries",
}


@dataclasses.dataclass(frozen=True)
class Source:
    """A datasource. C(scrape) is its least interval in seconds, None when it does not say."""

    uid: str
    name: str
    type: str
    default: bool = False
    scrape: float | None = None
    url: str = ""

    @property
    def kind(self) -> str:
        """C(prometheus), C(loki), or its type."""
        return _KINDS.get(self.type, self.type)


class Meant(t.NamedTuple):
    """What a reference leads to: a datasource, a fault, or a reason why there is nothing to judge."""

    source: Source | None = None
    fault: str = ""
    skipped: str = ""


@dataclasses.dataclass(frozen=True)
class Sources:
    """The datasources that Grafana has. C(known) is False where nobody could tell: then no uid is missing."""

    there: tuple[Source, ...] = ()
    known: bool = True

    def of_kind(self, kind: str) -> list[Source]:
        """Those of a type, the default one first."""
        return sorted((one for one in self.there if kind in (one.type, one.kind)), key=lambda one: not one.default)

    def find(self, text: str) -> Source | None:
        """By uid, else by name, as Grafana does."""
        for one in self.there:
            if text == one.uid:
                return one
        return next((one for one in self.there if text == one.name), None)

    def default(self) -> Source | None:
        """The default one, else the only one."""
        marked = [one for one in self.there if one.default]
        return marked[0] if marked else self.there[0] if len(self.there) == 1 else None

    def meant(self, given: t.Any, scope: Scope, language: str = PROMETHEUS) -> Meant:
        """What a reference of a panel, a query or a variable leads to.

        :param given: a text, C({type, uid}) or None. :param language: what is meant when nobody can tell.
        """
        kind, text = "", given
        if isinstance(given, dict):
            kind, text = str(given.get("type") or ""), given.get("uid")
        text = "" if text is None else str(text)
        if text in _BUILT_IN or kind in _BUILT_IN or kind == "datasource":
            return Meant(skipped=_BUILT_IN.get(text) or _BUILT_IN.get(kind) or "it shows data of Grafana itself")
        plain = interpolate(text, scope, "text")
        if plain in ("", "default", "null"):
            return self._default(kind, language)
        unset = [name for name in names_in(plain) if name not in scope]
        if unset:
            return Meant(fault=_unset(unset[0], plain))
        found = self.find(plain)
        if found is None and not self.known:
            found = Source(plain, plain, kind or language)
        if found is None:
            there = [one.uid for one in self.there]
            near = nearest(plain, there) or (nearest(plain.lower(), there) if plain != plain.lower() else ())
            hint = f"nearest: {', '.join(near)}" if near else f"there are: {', '.join(there) or 'none'}"
            return Meant(fault=f"there is no datasource {plain}; {hint}")
        return Meant(found)

    def _default(self, kind: str, language: str) -> Meant:
        if not self.known:
            return Meant(Source("", "default", kind or language))
        found = self.default()
        if kind and (found is None or found.type != kind):
            same = self.of_kind(kind)
            found = same[0] if same else None
        if found is None:
            return Meant(fault=f"it asks the default datasource{' of type ' + kind if kind else ''}, and there is none")
        return Meant(found)


def is_built_in(given: t.Any) -> bool:
    """Whether a reference means Grafana itself, another panel, or a computation."""
    if isinstance(given, dict):
        return str(given.get("uid")) in _BUILT_IN or str(given.get("type")) in _BUILT_IN
    return str(given) in _BUILT_IN


def reference_line(source: Source | None) -> str:
    """The line of YAML, or JSON, that names a datasource."""
    found = source or Source(PROMETHEUS, "Prometheus", PROMETHEUS)
    return f"datasource: {{type: {found.type}, uid: {found.uid}}}"


def _unset(name: str, text: str) -> str:
    if name.startswith("DS_"):
        return (
            f"it asks {text}, a place holder of a board that was exported for sharing: Grafana fills it when somebody "
            "imports the board by hand, and never when it is provisioned"
        )
    return f"it asks {text}, and the board has no variable {name}"


def from_provisioning(data: t.Any) -> list[Source]:
    """Datasources of one provisioning file.

    :param data: what its YAML says; anything else than provisioning gives none.
    """
    if not isinstance(data, dict) or not isinstance(data.get("datasources"), list):
        return []
    found = []
    for item in data["datasources"]:
        if not isinstance(item, dict) or not item.get("type"):
            continue
        extra = item.get("jsonData") if isinstance(item.get("jsonData"), dict) else {}
        name = str(item.get("name") or item.get("uid") or "")
        found.append(
            Source(
                str(item.get("uid") or name),
                name,
                str(item["type"]),
                item.get("isDefault") is True or str(item.get("isDefault")).lower() == "true",
                _intervals.seconds(str(extra.get("timeInterval") or "")),
                str(item.get("url") or ""),
            )
        )
    return found
