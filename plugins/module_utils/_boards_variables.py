# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The variables above a board. This module util is PRIVATE to the collection.

Source: https://grafana.com/docs/grafana/latest/dashboards/variables/add-template-variables/
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._boards_text import CLUSTER_MATCHER

# Every namespace there is. Loki refuses a pattern that an empty text matches; Prometheus takes either.
ANY = ".+"


def variables(
    panels: t.Sequence[t.Mapping[str, t.Any]],
    own: t.Sequence[t.Mapping[str, t.Any]],
    *,
    metrics_uid: str,
    logs_uid: str,
    namespaces: str = "",
    objects: bool = True,
) -> list[dict[str, t.Any]]:
    """C(datasource) and C(cluster) on every board, C(logs) and C(namespace) where something depends on them.

    :param own: variables that the board's file adds. :param namespaces: pattern of those that "All" means here.
    :param objects: whether kube-state-metrics tells the namespaces; otherwise only those with targets are known.
    """
    said = json.dumps(panels)
    found = [_datasource("datasource", "Metrics", "prometheus", metrics_uid)]
    if "${logs}" in said:
        found.append(_datasource("logs", "Logs", "loki", logs_uid))
    # samples of a single Prometheus have no label of that name: then there is only "All", which matches them
    found.append(_query("cluster", "Cluster", "label_values(up, cluster)", ".*"))
    if "${namespace" in said:
        metric = "kube_namespace_status_phase" if objects else "up"
        among = f',namespace=~"{namespaces}"' if namespaces else ""
        query = f"label_values({metric}{{{CLUSTER_MATCHER}{among}}}, namespace)"
        found.append(_query("namespace", "Namespace", query, namespaces or ANY))
    found += [_query(one["name"], one["label"], one["query"], ANY) for one in own]
    return found


def _datasource(name: str, label: str, plugin: str, uid: str) -> dict[str, t.Any]:
    return {
        "name": name,
        "label": label,
        "type": "datasource",
        "query": plugin,
        "current": {"selected": False, "text": uid, "value": uid},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
    }


def _query(name: str, label: str, query: str, everything: str) -> dict[str, t.Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "allValue": everything,
        "hide": 0,
        "includeAll": True,
        "multi": True,
        "options": [],
        # when the time range changes: what is gone from it is no choice
        "refresh": 2,
        "regex": "",
        "skipUrlSync": False,
        "sort": 1,
    }
