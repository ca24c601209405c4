# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a running Grafana says: which boards it loaded, and whether its datasources answer.

This module util is PRIVATE to the collection. Source: Grafana, docs/sources/developers/http_api (health, search,
dashboard, datasource).
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _dashboards_intervals as _intervals
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_collect import Given
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_model import Board
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_sources import Source
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import (
    ApiError,
    ApiForbidden,
    ApiUnreachable,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube

LOADED, FOLDERS, DATASOURCES = "Grafana: dashboards loaded", "Grafana: folders", "Grafana: datasources"
_MOST_NAMES = 5
_PAGE = 1000
_PODS = "app.kubernetes.io/name=grafana"
# The folder of boards that are in none.
_GENERAL = ("", "General", "Dashboards")


class Loaded(t.NamedTuple):
    """A board that Grafana has."""

    uid: str
    title: str
    folder: str


class Health(t.NamedTuple):
    """Whether a datasource answers Grafana; C(ok) is None when it has no check of its own."""

    source: Source
    ok: bool | None
    said: str


class Grafana:
    """Asks one Grafana."""

    def __init__(self, api: Api, timeout: float) -> None:
        self.api = api
        self._timeout = timeout

    def version(self) -> str:
        """:raises ApiError: it cannot be reached, or its database is not well."""
        found = self.api.get_json("/api/health", (), self._timeout)
        if found.get("database") not in (None, "ok"):
            raise ApiError(f"{self.api.label}: its database is {found['database']}.")
        return str(found.get("version") or "")

    def boards(self) -> list[Loaded]:
        """Every board that this account may see.

        :raises ApiError: the search is refused.
        """
        found: list[Loaded] = []
        page = 1
        while True:
            params = [("type", "dash-db"), ("limit", str(_PAGE)), ("page", str(page))]
            items = self.api.get_json("/api/search", params, self._timeout)
            found += [
                Loaded(str(one.get("uid")), str(one.get("title")), str(one.get("folderTitle") or "")) for one in items
            ]
            if len(items) < _PAGE:
                return found
            page += 1

    def given(self) -> list[Given]:
        """The boards themselves, to be judged.

        :raises ApiError: one cannot be read.
        """
        found = []
        for one in self.boards():
            path = f"/api/dashboards/uid/{one.uid}"
            content = self.api.get_json(path, (), self._timeout)
            found.append(Given(content, f"board {one.title} of Grafana", one.folder, self.api.by_hand(path), True))
        return found

    def sources(self) -> list[Source]:
        """Its datasources.

        :raises ApiForbidden: the account may not list them.
        """
        found = []
        for item in self.api.get_json("/api/datasources", (), self._timeout):
            interval = _intervals.seconds(str((item.get("jsonData") or {}).get("timeInterval") or ""))
            uid, name, kind = str(item.get("uid")), str(item.get("name")), str(item.get("type"))
            found.append(Source(uid, name, kind, item.get("isDefault") is True, interval, str(item.get("url") or "")))
        return found

    def health(self, source: Source) -> Health:
        """Let Grafana ask a datasource itself."""
        try:
            answer = self.api.get(f"/api/datasources/uid/{source.uid}/health", (), self._timeout)
        except ApiError as exc:
            return Health(source, False, str(exc))
        try:
            parsed = answer.json()
        except ValueError:
            parsed = {}
        said = str(parsed.get("message") or answer.text(200)) if isinstance(parsed, dict) else answer.text(200)
        if answer.status == 200:
            return Health(source, str(parsed.get("status", "OK")).upper() == "OK", said)
        if answer.status in (404, 501) or "not implemented" in said.lower() or "notImplemented" in said:
            return Health(source, None, said)
        return Health(source, False, said)


def not_asked(kube: Kube | None) -> str:
    """Why boards are judged by their queries alone, in one sentence: whether there is a Grafana that was not named."""
    how = "judged by queries, "
    if kube is None:
        return f"{how}Grafana not named"
    try:
        pods = kube.list("/api/v1/pods", label_selector=_PODS)
    except ApiError as exc:
        return f"{how}Grafana not named, and whether it runs is not known: {exc}"
    running = [one["metadata"] for one in pods if (one.get("status") or {}).get("phase") == "Running"]
    if not running:
        return f"{how}Grafana not present"
    where = f"{running[0]['namespace']}/{running[0]['name']}"
    line = "monitoring_dashboards: {url: https://ADDRESS_OF_GRAFANA, url_token: TOKEN}"
    return f"{how}Grafana runs ({where}) and was not asked what it loaded; name it in the inventory: {line}"


def judge_grafana(
    grafana: Grafana, wanted: t.Sequence[Board], sources: t.Sequence[Source] | None, log: str
) -> list[_checks.Check]:
    """The three checks of a Grafana that is there.

    :param sources: its datasources, None when they may not be listed. :param log: the command that shows its sidecar.
    """
    try:
        grafana.version()
        loaded = grafana.boards()
    except ApiError as exc:
        told = _unreached(grafana, exc)
        return [
            _checks.unknown(LOADED, f"{len(wanted)} dashboards loaded", "no answer", [told]),
            _checks.unknown(FOLDERS, "every dashboard in its folder", "no answer", [told]),
            _checks.unknown(DATASOURCES, "every datasource answers", "no answer", [told]),
        ]
    return [
        loaded_check(wanted, loaded, log),
        folders_check(wanted, loaded, log),
        datasources_check(None if sources is None else [grafana.health(one) for one in sources], grafana.api),
    ]


def _unreached(grafana: Grafana, exc: ApiError) -> dict[str, str]:
    hand = grafana.api.by_hand("/api/search", [("type", "dash-db")])
    if isinstance(exc, ApiForbidden):
        return cause("access_forbidden", str(exc), f"Use an account that may see dashboards: {hand}")
    code = "server_unreachable" if isinstance(exc, ApiUnreachable) else "server_error"
    return cause(code, str(exc), f"See whether Grafana runs and is ready: {grafana.api.by_hand('/api/health')}")


def _find(board: Board, loaded: t.Sequence[Loaded]) -> Loaded | None:
    for one in loaded:
        if board.uid and one.uid == board.uid:
            return one
    return None if board.uid else next((one for one in loaded if one.title == board.title), None)


def loaded_check(wanted: t.Sequence[Board], loaded: t.Sequence[Loaded], log: str) -> _checks.Check:
    """Loaded boards against wanted ones; those of others are a note."""
    missing = [board for board in wanted if _find(board, loaded) is None]
    expected, observed = f"{len(wanted)} dashboards loaded", f"{len(wanted) - len(missing)} of {len(wanted)}"
    known = {found.uid for board in wanted if (found := _find(board, loaded)) is not None}
    others = [one.title for one in loaded if one.uid not in known]
    notes = [f"Grafana has {len(others)} more: {_names(others)}"] if others else []
    if not missing:
        return _checks.ok(LOADED, expected, observed, notes)
    causes = [
        cause(
            "grafana_board_not_loaded",
            f"Grafana has not loaded {board.title} ({board.source}).",
            f"See what its sidecar says: {log}",
        )
        for board in missing
    ]
    return _checks.failed(LOADED, expected, observed, causes, notes)


def folders_check(wanted: t.Sequence[Board], loaded: t.Sequence[Loaded], log: str) -> _checks.Check:
    """Folders of what is loaded; boards that ask for no folder may lie anywhere."""
    causes = []
    asked = 0
    for board in wanted:
        found = _find(board, loaded)
        if found is None or not board.folder:
            continue
        asked += 1
        if found.folder != board.folder and not (found.folder in _GENERAL and board.folder in _GENERAL):
            told = f"{board.title} lies in {found.folder or 'no folder'} instead of {board.folder}."
            fix = f"Have the sidecar read the annotation (folderAnnotation, foldersFromFilesStructure): {log}"
            causes.append(cause("grafana_folder_differs", told, fix))
    expected, observed = "every dashboard in its folder", f"{asked - len(causes)} of {asked}"
    if causes:
        return _checks.failed(FOLDERS, expected, observed, causes)
    return _checks.ok(FOLDERS, expected, observed)


def datasources_check(found: t.Sequence[Health] | None, api: Api) -> _checks.Check:
    """Grafana's own health checks."""
    expected = "every datasource answers"
    if found is None:
        return _checks.not_applicable(DATASOURCES, expected, "this account may not list datasources")
    bad = [one for one in found if one.ok is False]
    silent = [one.source.name for one in found if one.ok is None]
    notes = [f"without a health check: {_names(silent)}"] if silent else []
    observed = f"{sum(one.ok is True for one in found)} of {len(found) - len(silent)}"
    if not bad:
        return _checks.ok(DATASOURCES, expected, observed, notes)
    causes = [
        cause(
            "grafana_datasource_unhealthy",
            f"Datasource {one.source.name} ({one.source.url or one.source.uid}): {one.said.rstrip('.')}.",
            f"Correct its address or credentials: {api.by_hand(f'/api/datasources/uid/{one.source.uid}/health')}",
        )
        for one in bad
    ]
    return _checks.failed(DATASOURCES, expected, observed, causes, notes)


def _names(titles: t.Sequence[str]) -> str:
    shown = ", ".join(titles[:_MOST_NAMES])
    return shown if len(titles) <= _MOST_NAMES else f"{shown} and {len(titles) - _MOST_NAMES} more"
