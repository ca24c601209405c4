# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: dataplatform.monitoring contributors

"""As much of Elasticsearch's HTTP API as the real elasticsearch_exporter asks for.

The answers are made from the metrics that the exporter is to make of them: `api` in metrics.yml says where in which
answer each number stands. Paths and shapes: https://www.elastic.co/docs/api/doc/elasticsearch
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .series import Moment, number, series

CLUSTER = "lab"
NODE = "elasticsearch-0"
DATA = "/usr/share/elasticsearch/data"
VERSION = {"number": "8.19.0", "build_hash": "stand-in", "build_date": "2025-01-01", "lucene_version": "9.12.0"}


def pages(metrics: Mapping[str, Any], at: Moment, changed: Mapping[str, float | None]) -> dict[str, Any]:
    """Path -> JSON of the answer."""
    health: dict[str, Any] = {"cluster_name": CLUSTER, "status": _status(metrics, changed), "timed_out": False}
    node: dict[str, Any] = {
        "name": NODE,
        "host": "10.0.0.21",
        "roles": ["master", "data", "ingest"],
        # its presence is what the exporter calls a client node
        "http": {"current_open": 4},
        "fs": {"data": [{"path": DATA, "mount": f"{DATA} (/dev/sdb)"}]},
    }
    answers = {"health": health, "node": node}
    for name, metric in metrics.items():
        for labels, one in series(metric):
            where = one.get("api")
            if where is None or changed.get(name, 0) is None:
                continue
            value = changed.get(name, number(name, labels, one["value"], at))
            path = where["path"].replace("*", labels.get(where.get("key", ""), ""))
            _put(answers[where["request"]], path.split("."), round(value / where.get("divisor", 1)))
    return {
        "/": {
            "name": NODE,
            "cluster_name": CLUSTER,
            "cluster_uuid": "stand-in",
            "version": VERSION,
            "tagline": "a stand-in, not Elasticsearch",
        },
        "/_cluster/health": health,
        "/_nodes/_local/stats": {"cluster_name": CLUSTER, "nodes": {"stand-in": node}},
        "/_nodes/stats": {"cluster_name": CLUSTER, "nodes": {"stand-in": node}},
    }


def _status(metrics: Mapping[str, Any], changed: Mapping[str, float | None]) -> str:
    """The one colour whose series is 1; -1, 0 and 1 set by `changed` mean red, yellow and green."""
    name = "elasticsearch_cluster_health_status"
    if changed.get(name) is not None:
        return {-1: "red", 0: "yellow", 1: "green"}[round(changed[name] or 0)]
    return next(one["labels"]["color"] for one in metrics[name]["series"] if one["value"] == 1)


def _put(tree: Any, path: list[str], value: float) -> None:
    for key in path[:-1]:
        tree = tree[int(key)] if isinstance(tree, list) else tree.setdefault(key, {})
    tree[path[-1]] = value
