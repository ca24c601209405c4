# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boards for tests, as short as they can be written."""

from __future__ import annotations

from typing import Any

PROMETHEUS = {"type": "prometheus", "uid": "${datasource}"}
LOKI = {"type": "loki", "uid": "loki"}


def panel(title: str, *exprs: str, **more: Any) -> dict[str, Any]:
    """A panel with one query per expression; `query` goes into each of them."""
    query = more.pop("query", {})
    targets = [{"refId": chr(65 + number), "expr": expr, **query} for number, expr in enumerate(exprs)]
    return {
        "id": 1,
        "title": title,
        "type": "timeseries",
        "datasource": PROMETHEUS,
        "gridPos": {"w": 12, "h": 8, "x": 0, "y": 0},
        "targets": targets,
        **more,
    }


def logs(title: str, expr: str, **more: Any) -> dict[str, Any]:
    """A panel of log lines."""
    return panel(title, expr, type="logs", datasource=LOKI, **more)


def variable(name: str, query: str, **more: Any) -> dict[str, Any]:
    """A query variable."""
    return {"name": name, "type": "query", "query": query, "datasource": PROMETHEUS, **more}


def datasource(**more: Any) -> dict[str, Any]:
    """The variable that most boards begin with."""
    return {"name": "datasource", "type": "datasource", "query": "prometheus", **more}


def board(title: str, *panels: dict[str, Any], variables: Any = (), **more: Any) -> dict[str, Any]:
    """A board of the last hour."""
    return {
        "uid": title.lower().replace(" ", "-"),
        "title": title,
        "schemaVersion": 39,
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [datasource(), *variables]},
        "panels": [{**one, "id": number + 1} for number, one in enumerate(panels)],
        **more,
    }
