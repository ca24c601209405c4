# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Boards of the resolved catalogue as Grafana reads them, and the ConfigMaps that carry them.

A pure function of the catalogue, its packs, the files of role dashboards and the alerts: nothing is read from Grafana,
and the same input gives the same bytes. This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _boards_entries as entries
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _boards_extra,
    _boards_files,
    _boards_schema,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _boards_text as text
from ansible_collections.dataplatform.monitoring.plugins.module_utils._boards_entries import Known
from ansible_collections.dataplatform.monitoring.plugins.module_utils._boards_panels import (
    QUERY_KEYS,
    Surroundings,
    grafana_panel,
    queries_of,
    source_of,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._boards_schema import Panel
from ansible_collections.dataplatform.monitoring.plugins.module_utils._boards_variables import variables
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import (
    MANAGED_BY,
    Entry,
    plain,
    substitute,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._endpoint_schema import suggest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

# https://github.com/grafana/grafana/tree/main/apps/dashboard: what Grafana 10 and later read without a migration
SCHEMA_VERSION = 39
TAG = "dataplatform"
UID_PREFIX = "dataplatform-"
_GRID = 24
# A ConfigMap holds 1 MiB; what is larger is refused by the API server with a worse message.
_MOST_BYTES = 1_000_000


@dataclasses.dataclass(frozen=True)
class Settings:
    """Variables C(dashboards_*) of the role.

    :param disabled: keys of boards that are not wanted. :param rule_overrides: C(rules_overrides) of role rules, so
        that thresholds are those that are deployed. :param extra: boards of the user, C({name, board, folder}).
    """

    namespace: str = "monitoring"
    folder: str = "Data platform"
    disabled: t.Sequence[str] = ()
    extra: t.Sequence[t.Mapping[str, t.Any]] = ()
    logs: bool = True
    metrics_uid: str = "prometheus"
    logs_uid: str = "loki"
    refresh: str = "1m"
    runbook_base_url: str = ""
    rule_overrides: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    probes: bool = True
    label: str = "grafana_dashboard"
    label_value: str = "1"
    folder_annotation: str = "grafana_folder"
    labels: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, given: t.Any) -> Settings:
        """:raises ConfigError: an unknown key, or a board that is not there to be switched off."""
        values = plain(given or {})
        known = {field.name for field in dataclasses.fields(cls)}
        for key in values:
            if key not in known:
                raise ConfigError(f"dashboards_{key}: unknown; {suggest(key, known, 'settings')}.")
        result = cls(**values)
        for key in result.disabled:
            if key not in _boards_files.ORDER:
                near = suggest(key, _boards_files.ORDER, "boards")
                raise ConfigError(f"dashboards_disabled: there is no board {key}; {near}.")
        return result


@dataclasses.dataclass
class Placed:
    """A panel and the entry that it is about."""

    panel: Panel
    entry: Entry | None = None


Rows: t.TypeAlias = "dict[str, list[Placed]]"


def uid_of(key: str) -> str:
    """The uid of a board of ours; never changes, because people bookmark it."""
    return f"{UID_PREFIX}{key}"


def dashboards(catalogue: t.Mapping[str, t.Any], settings: Settings) -> list[dict[str, t.Any]]:
    """C([{uid, title, folder, file, board}]), in the order in which they are looked at; the user's own come last.

    A board without a panel is left out.
    :raises ConfigError: panel data, a board of the user or an override that cannot be meant.
    """
    known = Known.of(
        catalogue,
        overrides=settings.rule_overrides,
        probes=settings.probes,
        logs=settings.logs,
        runbook_base_url=settings.runbook_base_url,
    )
    _refuse_wrong_panels(known)
    files = [one for one in _boards_files.boards() if one["key"] not in settings.disabled]
    rows = {one["key"]: _rows(one, known) for one in files}
    files = [one for one in files if rows[one["key"]]]
    titles = {one["key"]: one["title"] for one in files}
    found = [_entry_of(_board(one, rows[one["key"]], known, titles, settings), settings) for one in files]
    return found + _boards_extra.extra_boards(
        settings.extra, settings.folder, {"prometheus": settings.metrics_uid, "loki": settings.logs_uid}, found
    )


def _entry_of(board: dict[str, t.Any], settings: Settings) -> dict[str, t.Any]:
    return {
        "uid": board["uid"],
        "title": board["title"],
        "folder": settings.folder,
        "file": f"{board['uid']}.json",
        "board": board,
    }


def _refuse_wrong_panels(known: Known) -> None:
    """:raises ConfigError: one sentence per fault."""
    found: list[str] = []
    for entry in known.entries:
        where = f"{entry['name']} (pack {entry['kind']})"
        found += _boards_schema.faults(entry["panels"], where, _boards_files.ORDER)
    if found:
        raise ConfigError(" ".join(found))


def _rows(file: t.Mapping[str, t.Any], known: Known) -> Rows:
    """Rows of a board with their panels: as the file orders them, then those of packs, then shared ones."""
    rows: Rows = {}
    for row in file["rows"]:
        if not known.wants({key: value for key, value in row.items() if key != "when" or "each" not in row}):
            continue
        if "each" in row:
            for entry in known.matching(row["each"]):
                title = entries.filled({"title": row["title"]}, entry)["title"]
                rows.setdefault(title, []).extend(_own_panels(row, known, entry))
        else:
            rows.setdefault(row["title"], []).extend(_own_panels(row, known, None))
    for entry in known.entries:
        for panel in [*entry["panels"], *entries.business_panels(entry)]:
            if panel["board"] == file["key"] and known.wants(panel, entry):
                _add(rows.setdefault(panel.get("row", entry["name"]), []), panel, entry, known)
    if any(rows.values()):
        for name in file.get("shared") or ():
            row = _boards_files.shared()[name]
            if known.wants(row):
                rows.setdefault(row["title"], []).extend(_own_panels(row, known, None))
    return {title: panels for title, panels in rows.items() if panels}


def _own_panels(row: t.Mapping[str, t.Any], known: Known, entry: Entry | None) -> list[Placed]:
    found: list[Placed] = []
    for panel in row.get("panels") or ():
        if known.wants(panel, entry):
            _add(found, entries.filled(panel, entry) if entry else panel, entry, known)
    return found


def _add(row: list[Placed], panel: Panel, entry: Entry | None, known: Known) -> None:
    """Put a panel into a row: without the queries that have nothing to ask, and under a title of its own."""
    if source_of(panel) == "loki" and not known.logs:
        return
    if entry and any("$selector" in query["expr"] for query in queries_of(panel)):
        return
    queries = [one for query in queries_of(panel) for one in _expanded(query, known)]
    if not queries:
        return
    kept = {key: value for key, value in panel.items() if key not in QUERY_KEYS}
    kept["queries"] = queries
    if entry and any(one.panel["title"] == kept["title"] for one in row):
        kept["title"] = f"{kept['title']} ({entry['name']})"
    row.append(Placed(kept, entry))


def _expanded(query: t.Mapping[str, t.Any], known: Known) -> list[dict[str, t.Any]]:
    """The query itself; with C(each) one that asks for every entry it is meant for."""
    if "each" not in query:
        return [dict(query)]
    parts = [substitute(query["expr"], entries.tokens_of(entry)) for entry in known.matching(query["each"])]
    rest = {key: value for key, value in query.items() if key != "each"}
    return [{**rest, "expr": " or ".join(f"({part})" for part in parts)}] if parts else []


def _board(
    file: t.Mapping[str, t.Any], rows: Rows, known: Known, titles: t.Mapping[str, str], settings: Settings
) -> dict[str, t.Any]:
    key = file["key"]
    panels = _laid_out(rows, lambda placed: _panel(placed, key, known, titles))
    namespaces = ""
    if file.get("namespaces") == "entries":
        homes = {one.entry["namespace"] for row in rows.values() for one in row if one.entry and one.entry["namespace"]}
        namespaces = "|".join(sorted(homes))
    return {
        "uid": uid_of(key),
        "title": file["title"],
        "description": file["description"].strip(),
        "tags": [TAG],
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": file.get("from", "now-6h"), "to": "now"},
        "refresh": settings.refresh,
        "links": _board_links(key, titles, settings),
        "annotations": {"list": []},
        "templating": {
            "list": variables(
                panels,
                file.get("variables") or [],
                metrics_uid=settings.metrics_uid,
                logs_uid=settings.logs_uid,
                namespaces=namespaces,
                objects="kube-state-metrics" in known.kinds(),
            )
        },
        "panels": panels,
    }


def _panel(placed: Placed, key: str, known: Known, titles: t.Mapping[str, str]) -> dict[str, t.Any]:
    panel, entry = placed.panel, placed.entry
    where = f"{entry['name'] if entry else f'board {key}'}: panel {panel['title']!r}"
    bodies = known.bodies_of(entries.alerts_of(panel), entry, where)
    columns = {}
    for name, column in (panel.get("columns") or {}).items():
        if isinstance(column, dict) and "alert" in column:
            columns[name] = entries.bounds_of(known.bodies_of([column["alert"]], entry, where))
            bodies |= known.bodies_of([column["alert"]], entry, where)
    own = entries.own_bounds(panel, known.burn)
    pages = {one.alert: known.runbook(one.alert, {}) for one in own if one.alert}
    around = Surroundings(
        bounds=[
            *entries.bounds_of({name: bodies[name] for name in entries.alerts_of(panel) if name in bodies}),
            *own,
        ],
        column_bounds=columns,
        runbooks={**{name: known.runbook(name, body) for name, body in bodies.items()}, **pages},
        links=[(f"Board: {titles[one]}", text.board_address(uid_of(one))) for one in _linked(placed, key, titles)],
        logs=known.logs,
        namespace=(entry["namespace"] or "") if entry and entry["logs"] else "",
        interval=entries.interval_of(entry) if entry else "",
    )
    try:
        return grafana_panel(panel, around)
    except ConfigError as error:
        raise ConfigError(f"{where}: expr: {error}.") from error


def _linked(placed: Placed, key: str, titles: t.Mapping[str, str]) -> list[str]:
    """Keys of the boards that a panel leads to: the one it names, the one about its product, or back to the first."""
    wanted = [placed.panel["link"]] if "link" in placed.panel else []
    if placed.entry:
        wanted += [panel["board"] for panel in placed.entry["panels"]]
    wanted += ["overview", "monitoring"]
    found = [one for one in dict.fromkeys(wanted) if one in titles and one != key]
    return found[:1]


def _board_links(key: str, titles: t.Mapping[str, str], settings: Settings) -> list[dict[str, t.Any]]:
    common = {"tooltip": "", "icon": "external link", "tags": [], "asDropdown": False, "targetBlank": False}
    found = [
        {
            **common,
            "title": "Boards",
            "type": "dashboards",
            "tags": [TAG],
            "asDropdown": True,
            "includeVars": True,
            "keepTime": True,
            "url": "",
        }
    ]
    for other in ("overview", "logs"):
        if other != key and other in titles:
            link = {"title": titles[other], "type": "link", "url": f"/d/{uid_of(other)}", "icon": "dashboard"}
            found.append({**common, **link, "includeVars": True, "keepTime": True})
    if settings.runbook_base_url:
        link = {"title": "Runbooks", "type": "link", "url": settings.runbook_base_url, "icon": "doc"}
        found.append({**common, **link, "includeVars": False, "keepTime": False, "targetBlank": True})
    return found


def _laid_out(rows: Rows, made: t.Callable[[Placed], dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Panels with their numbers and places: from left to right, lines as high as their highest panel."""
    found: list[dict[str, t.Any]] = []
    y = 0
    for title, row in rows.items():
        place = {"x": 0, "y": y, "w": _GRID, "h": 1}
        found.append(
            {"id": len(found) + 1, "type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": place}
        )
        y, x, line = y + 1, 0, 0
        for placed in row:
            width, height = _boards_schema.TYPES[placed.panel.get("type", "timeseries")]
            width, height = placed.panel.get("width", width), placed.panel.get("height", height)
            if x + width > _GRID:
                y, x, line = y + line, 0, 0
            place = {"x": x, "y": y, "w": width, "h": height}
            found.append({"id": len(found) + 1, **made(placed), "gridPos": place})
            x, line = x + width, max(line, height)
        y += line
    return found


def dashboard_objects(boards: t.Sequence[t.Mapping[str, t.Any]], settings: Settings) -> list[dict[str, t.Any]]:
    """One ConfigMap per board, as the sidecar of Grafana's chart looks for them.

    :raises ConfigError: a board is larger than a ConfigMap may be.
    """
    found = []
    for item in boards:
        content = json.dumps(item["board"], indent=1, ensure_ascii=False)
        size = len(content.encode())
        if size > _MOST_BYTES:
            raise ConfigError(f"board {item['uid']} has {size} bytes; a ConfigMap holds {_MOST_BYTES}.")
        found.append(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": f"dashboard-{item['uid'].removeprefix(UID_PREFIX)}",
                    "namespace": settings.namespace,
                    "labels": {**settings.labels, **MANAGED_BY, settings.label: settings.label_value},
                    "annotations": {settings.folder_annotation: item["folder"]} if item["folder"] else {},
                },
                "data": {item["file"]: content + "\n"},
            }
        )
    return found
