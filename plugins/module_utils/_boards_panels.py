# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One panel: panel data to Grafana's JSON. This module util is PRIVATE to the collection.

Source of the JSON: grafana/grafana kinds/dashboard/dashboard_kind.cue and public/app/plugins/panel/*/panelcfg.cue;
tests hold every board against grafana-foundation-sdk, which is generated from them.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _boards_style as style
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _boards_text as text
from ansible_collections.dataplatform.monitoring.plugins.module_utils._boards_schema import Panel
from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql import PromqlError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql_reach import result_labels

METRICS = {"type": "prometheus", "uid": "${datasource}"}
LOGS = {"type": "loki", "uid": "${logs}"}
# What a panel with one query says of it itself.
QUERY_KEYS = ("expr", "legend", "means", "each", "absent_until")
_LETTERS = "ABCDEFGHIJKLMNOP"
_ONCE = ("stat", "bargauge", "table")


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What a panel has around it.

    :param interval: how often the service is scraped, where its monitor says so: $__rate_interval follows it.
    :param bounds: of its alerts. :param runbooks: alert -> address of its page. :param links: title and address of
        other boards. :param logs: whether there are logs. :param namespace: of the service that it is about.
    """

    bounds: t.Sequence[style.Bound] = ()
    column_bounds: t.Mapping[str, t.Sequence[style.Bound]] = dataclasses.field(default_factory=dict)
    runbooks: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    links: t.Sequence[tuple[str, str]] = ()
    logs: bool = True
    namespace: str = ""
    interval: str = ""


def queries_of(panel: Panel) -> list[dict[str, t.Any]]:
    """The queries of a panel, however they were written."""
    if "queries" in panel:
        return list(panel["queries"])
    return [{key: panel[key] for key in QUERY_KEYS if key in panel}]


def source_of(panel: Panel) -> str:
    """C(prometheus) or C(loki)."""
    return panel.get("source") or ("loki" if panel.get("type") == "logs" else "prometheus")


def grafana_panel(panel: Panel, around: Surroundings) -> dict[str, t.Any]:
    """The panel without its place and number.

    :raises ConfigError: an expression that is no PromQL.
    """
    kind = panel.get("type", "timeseries")
    loki = source_of(panel) == "loki"
    made: dict[str, t.Any] = {
        "type": kind,
        "title": panel["title"],
        "description": _description(panel, around),
        "datasource": dict(LOGS if loki else METRICS),
        "targets": [
            _target(query, kind, loki, number, around.interval) for number, query in enumerate(queries_of(panel))
        ],
        "fieldConfig": {"defaults": _defaults(panel, kind, around), "overrides": _overrides(panel, around)},
        "options": _options(panel, kind),
        "links": _links(panel, around),
    }
    if kind == "table":
        made["transformations"] = _transformations(panel)
    if kind == "logs":
        made["fieldConfig"] = {"defaults": {}, "overrides": []}
    if "may_be_empty" in panel:
        made["mayBeEmpty"] = panel["may_be_empty"]
    return made


def _description(panel: Panel, around: Surroundings) -> str:
    parts = [panel["description"].strip()]
    parts += [one.sentence(panel.get("unit", "")) for one in around.bounds if one.alert]
    for name, bounds in around.column_bounds.items():
        parts += [one.sentence(_column(panel, name).get("unit", "")) for one in bounds]
    if "may_be_empty" in panel:
        parts.append(f"Empty is good: {panel['may_be_empty'].strip()}")
    return "\n\n".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts)


def _target(query: t.Mapping[str, t.Any], kind: str, loki: bool, number: int, interval: str) -> dict[str, t.Any]:
    once = kind in _ONCE
    made: dict[str, t.Any] = {"refId": _LETTERS[number], "datasource": dict(LOGS if loki else METRICS)}
    if loki:
        made |= {"expr": text.logql(query["expr"]), "queryType": "instant" if once else "range"}
    else:
        made |= {"expr": text.with_cluster(query["expr"]), "instant": once, "range": not once}
        made["format"] = "table" if kind == "table" else "time_series"
        if interval:
            made["interval"] = interval
    made["legendFormat"] = query.get("legend", "__auto")
    if "absent_until" in query:
        made["absentUntil"] = query["absent_until"]
    return made


def _defaults(panel: Panel, kind: str, around: Surroundings) -> dict[str, t.Any]:
    bounds = around.bounds
    by_value = kind in ("stat", "bargauge", "state-timeline")
    made: dict[str, t.Any] = {
        "color": {"mode": "thresholds" if by_value else "palette-classic-by-name"},
        "thresholds": {"mode": "absolute", "steps": _steps(panel, bounds)},
        "custom": _custom(panel, kind, bounds),
        "links": _data_links(panel, around) if kind != "table" else [],
        "mappings": style.mapping(panel["mapping"]) if "mapping" in panel else [],
    }
    if "unit" in panel:
        made["unit"] = style.grafana_unit(panel["unit"])
    for key in ("min", "max", "decimals"):
        if key in panel:
            made[key] = panel[key]
    if panel.get("unit") == "percentunit" and kind in ("timeseries", "bargauge"):
        made.setdefault("min", 0)
    if "may_be_empty" in panel:
        made["noValue"] = "none"
    return made


def _steps(panel: Panel, bounds: t.Sequence[style.Bound]) -> list[dict[str, t.Any]]:
    if "target" in panel:
        return [
            {"color": style.MEANINGS["neutral"], "value": None},
            {"color": style.MEANINGS["target"], "value": panel["target"]},
        ]
    if not bounds and panel.get("type") in ("stat", "bargauge", "state-timeline") and "mapping" not in panel:
        # nothing says what is good: the number has no colour
        return [{"color": style.MEANINGS["info"], "value": None}]
    return style.steps(bounds)


def _custom(panel: Panel, kind: str, bounds: t.Sequence[style.Bound]) -> dict[str, t.Any]:
    if kind == "timeseries":
        return {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 30 if panel.get("stack") else 8,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": "normal" if panel.get("stack") else "none", "group": "A"},
            "thresholdsStyle": {"mode": "dashed" if bounds or "target" in panel else "off"},
        }
    if kind == "table":
        return {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True}
    if kind == "state-timeline":
        return {"fillOpacity": 70, "lineWidth": 0}
    return {}


def _options(panel: Panel, kind: str) -> dict[str, t.Any]:
    reduce = {"calcs": [style.CALCULATIONS[panel.get("show", "last")]], "fields": "", "values": False}
    if kind == "timeseries":
        return {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    if kind == "stat":
        return {
            "reduceOptions": reduce,
            "orientation": "auto",
            "textMode": "auto",
            "colorMode": "background" if "mapping" in panel else "value",
            "graphMode": "none",
            "justifyMode": "auto",
        }
    if kind == "bargauge":
        return {
            "reduceOptions": reduce,
            "orientation": "horizontal",
            "displayMode": "basic",
            "valueMode": "color",
            "showUnfilled": True,
            "minVizWidth": 8,
            "minVizHeight": 16,
        }
    if kind == "state-timeline":
        return {
            "mergeValues": True,
            "showValue": "never",
            "rowHeight": 0.9,
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "single", "sort": "none"},
        }
    if kind == "logs":
        return {
            "showTime": True,
            "showLabels": False,
            "showCommonLabels": False,
            "wrapLogMessage": True,
            "prettifyLogMessage": False,
            "enableLogDetails": True,
            "dedupStrategy": "none",
            "sortOrder": "Descending",
        }
    sort = panel.get("sort")
    by = [{"displayName": _column(panel, sort.lstrip("-"))["title"], "desc": sort.startswith("-")}] if sort else []
    return {"showHeader": True, "cellHeight": "sm", "sortBy": by}


def _column(panel: Panel, name: str) -> dict[str, t.Any]:
    column = (panel.get("columns") or {}).get(name, name)
    return {"title": column} if isinstance(column, str) else column


def _field(panel: Panel, name: str) -> str:
    """How Grafana calls a column: a label by its name, a query's number by its letter."""
    if name in _LETTERS and len(name) == 1:
        return f"Value #{name}" if len(queries_of(panel)) > 1 else "Value"
    return name


def _transformations(panel: Panel) -> list[dict[str, t.Any]]:
    """Only the columns named, in their order, under their titles."""
    columns = list(panel.get("columns") or {})
    names = [_field(panel, one) for one in columns]
    titles = {_field(panel, one): _column(panel, one)["title"] for one in columns}
    made: list[dict[str, t.Any]] = [{"id": "merge", "options": {}}] if len(queries_of(panel)) > 1 else []
    if not columns:
        return made
    return [
        *made,
        {"id": "filterFieldsByName", "options": {"include": {"names": names}}},
        {
            "id": "organize",
            "options": {
                "excludeByName": {},
                "indexByName": {name: index for index, name in enumerate(names)},
                "renameByName": titles,
            },
        },
    ]


def _overrides(panel: Panel, around: Surroundings) -> list[dict[str, t.Any]]:
    found = []
    for number, query in enumerate(queries_of(panel)):
        if "means" in query:
            color = {"mode": "fixed", "fixedColor": style.MEANINGS[query["means"]]}
            found.append(
                {
                    "matcher": {"id": "byFrameRefID", "options": _LETTERS[number]},
                    "properties": [{"id": "color", "value": color}],
                }
            )
    if panel.get("type") != "table":
        return found
    for name in panel.get("columns") or {}:
        column = _column(panel, name)
        properties: list[dict[str, t.Any]] = []
        if "unit" in column:
            properties.append({"id": "unit", "value": style.grafana_unit(column["unit"])})
        if "decimals" in column:
            properties.append({"id": "decimals", "value": column["decimals"]})
        if "width" in column:
            properties.append({"id": "custom.width", "value": column["width"]})
        if "mapping" in column:
            properties.append({"id": "mappings", "value": style.mapping(column["mapping"])})
        if "mapping" in column or name in around.column_bounds:
            properties.append({"id": "custom.cellOptions", "value": {"type": "color-text"}})
        if name in around.column_bounds:
            bounds = around.column_bounds[name]
            steps = {"mode": "absolute", "steps": style.steps(bounds)}
            properties += [{"id": "thresholds", "value": steps}, {"id": "color", "value": {"mode": "thresholds"}}]
        if properties:
            found.append({"matcher": {"id": "byName", "options": column["title"]}, "properties": properties})
    return found


def _labels(panel: Panel) -> set[str]:
    """Labels that every series of the panel is sure to have, as far as the expressions say."""
    found: set[str] | None = None
    for query in queries_of(panel):
        try:
            labels = result_labels(text.tree_of(query["expr"]))
        except PromqlError:
            return set()
        if labels is None:
            return set()
        found = set(labels) if found is None else found & set(labels)
    return found or set()


def _data_links(panel: Panel, around: Surroundings) -> list[dict[str, t.Any]]:
    """From a series to the logs of the same Pod, or of the same namespace, in the same time."""
    if not around.logs or source_of(panel) == "loki":
        return []
    labels = _labels(panel)
    namespace = "${__field.labels.namespace}" if "namespace" in labels else around.namespace
    if not namespace or not labels & {"namespace", "pod"}:
        return []
    if "pod" in labels:
        address = text.explore(f'{{namespace="{namespace}",pod="${{__field.labels.pod}}"}}')
        return [{"title": "Logs of ${__field.labels.pod}", "url": address}]
    return [{"title": f"Logs of {namespace}", "url": text.explore(f'{{namespace="{namespace}"}}')}]


def _links(panel: Panel, around: Surroundings) -> list[dict[str, t.Any]]:
    """To the runbooks of its alerts, to the logs, and to other boards."""
    found = [
        {"title": f"Runbook: {name}", "url": url, "targetBlank": True} for name, url in around.runbooks.items() if url
    ]
    if around.logs and source_of(panel) == "prometheus" and around.namespace:
        address = text.explore(f'{{namespace="{around.namespace}"}}')
        found.append({"title": f"Logs of {around.namespace}", "url": address, "targetBlank": True})
    if around.logs and source_of(panel) == "loki":
        address = text.explore('{namespace=~"${namespace:percentencode}"}')
        found.append({"title": "Explore these logs", "url": address, "targetBlank": True})
    found += [{"title": title, "url": url} for title, url in around.links]
    return found
