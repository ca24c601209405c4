# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nine boards with curves, for pages; the curves are computed, so that every picture of them is the same."""

from __future__ import annotations

import math
import random
from typing import Any

END = 1795460861


def curve(seed: int, low: float, high: float, shape: str = "wave", points: int = 60) -> list[list[float]]:
    """An hour of values every minute, the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - a drawing
    out, value = [], (low + high) / 2
    for step in range(points):
        at = step / (points - 1)
        if shape == "wave":
            value = low + (high - low) * (0.5 + 0.42 * math.sin(at * 9 + seed)) + chance.gauss(0, (high - low) * 0.05)
        elif shape == "grow":
            value = low + (high - low) * at + chance.gauss(0, (high - low) * 0.01)
        elif shape == "saw":
            value = low + (high - low) * ((at * 5 + seed * 0.3) % 1)
        elif shape == "spike":
            value = low + (high - low) * (0.05 + math.exp(-(((at - 0.7) * 18) ** 2))) * chance.uniform(0.85, 1)
        else:
            value = high
        out.append([END - 60 * (points - 1 - step), max(low * 0.5, value) if low >= 0 else value])
    return out


def panel_of(
    number: int, title: str, unit: str, low: float, high: float, shape: str = "wave", **more: Any
) -> dict[str, Any]:
    names = more.pop("names", ["value"])
    series = [
        {"name": name, "points": curve(number * 7 + index, low, high / (1 + 0.45 * index), shape)}
        for index, name in enumerate(names)
    ]
    base = {"id": number, "title": title, "type": "timeseries", "unit": unit, "status": "data", "reason": ""}
    return {**base, "thresholds": [], "series": series, **more}


def _empty(number: int, title: str, reason: str, status: str = "empty_ok") -> dict[str, Any]:
    return {"id": number, "title": title, "type": "timeseries", "unit": "", "status": status, "reason": reason,
            "thresholds": [], "series": []}  # fmt: skip


def boards() -> list[dict[str, Any]]:
    """Nine boards, as M(dataplatform.monitoring.verify_dashboards) returns them."""
    stat = {"type": "stat"}
    rows: list[tuple[str, list[dict[str, Any]]]] = [
        ("Cluster health", [
            panel_of(1, "CPU by node", "percentunit", 0.22, 0.61, names=["lab-1"], thresholds=[0.8]),
            panel_of(2, "Memory by node", "percentunit", 0.55, 0.66, names=["lab-1"], thresholds=[0.8]),
            panel_of(3, "Pods by node", "short", 41, 41, "flat", **stat),
            panel_of(4, "Network", "Bps", 2e5, 3e6, names=["receive", "transmit"]),
            panel_of(5, "Volume use", "percentunit", 0.1, 0.71, "grow",
                     names=["minio-data", "postgresql-data", "loki-0"], type="bargauge", thresholds=[0.85]),
            panel_of(6, "Disk latency", "s", 0.0006, 0.004, "spike", names=["read", "write"]),
            _empty(7, "Restarts in the last hour", "no container restarted: that is good"),
        ]),
        ("Data platform", [
            panel_of(11, "DataHub sync progress", "short", 0, 340, "saw"),
            panel_of(12, "Trino query latency", "s", 0.4, 2.8, names=["p95", "p50"], thresholds=[5]),
            panel_of(13, "Trino queue", "short", 0, 6, "spike"),
            panel_of(14, "Doris ingestion rate", "rowsps", 8e3, 2.1e4),
            panel_of(15, "Superset performance", "s", 0.12, 0.9, names=["p95", "p50"]),
            panel_of(16, "MinIO throughput", "Bps", 1.2e6, 9e6, names=["sent", "received"]),
            panel_of(17, "PostgreSQL transactions", "ops", 22, 61),
            panel_of(18, "Kafka consumer lag", "short", 0, 900, "saw", names=["indexer", "mce-consumer", "audit"]),
            panel_of(19, "Elasticsearch heap", "percentunit", 0.35, 0.74, "saw", thresholds=[0.85]),
        ]),
        ("Kubernetes infrastructure", [
            panel_of(21, "API server latency, p99", "s", 0.02, 0.3, names=["LIST", "GET", "PATCH"], thresholds=[1]),
            _empty(22, "API server errors", "no request failed: that is good"),
            panel_of(23, "Ingress traffic", "reqps", 3, 9),
            panel_of(24, "DNS, p99", "s", 0.0008, 0.006, "spike"),
            panel_of(25, "Certificates, days left", "d", 61, 89, type="table", names=["platform-tls", "trino-tls"]),
            panel_of(26, "Vault sealed", "bool_yes_no", 0, 0, "flat", **stat),
        ]),
        ("SLO overview", [
            panel_of(31, "Budget left", "percentunit", 0.4, 0.97, type="bargauge", names=["trino", "superset"]),
            panel_of(32, "Burn rate, 1h", "short", 0.1, 1.4, "spike", names=["superset", "trino"], thresholds=[1]),
            panel_of(33, "Coverage of the window", "percentunit", 0.003, 0.0034, "grow"),
        ]),
        ("SLO detail", [
            panel_of(41, "Error ratio by window", "percentunit", 0, 0.0021, "spike", names=["5m", "1h", "6h"]),
        ]),
        ("Service overview", [
            panel_of(51, "Targets up", "short", 22, 22, "flat", **stat),
            panel_of(52, "Scrape duration", "s", 0.004, 0.09, names=["minio", "kubelet", "trino"]),
        ]),
        ("Logs", [
            panel_of(61, "Lines by namespace", "cps", 0.2, 14, names=["data-platform", "monitoring", "kube-system"]),
            panel_of(62, "Errors", "cps", 0, 0.3, "spike"),
            _empty(63, "Discarded lines", "nothing was discarded: that is good"),
        ]),
        ("Alerting", [
            _empty(71, "Firing now", "nothing fires but the heartbeat: that is good"),
            panel_of(72, "Notifications", "ops", 0.01, 0.08, names=["email", "slack", "pagerduty", "webhook"]),
            panel_of(73, "Time to page", "s", 5.2, 5.3, "flat", **stat),
        ]),
        ("Business and capacity", [
            panel_of(81, "Queries served today", "short", 1000, 18240, "grow", **stat),
            panel_of(82, "Datasets fresh", "percentunit", 0.96, 1, "flat", **stat),
            panel_of(83, "Storage growth", "bytes", 4.1e9, 4.6e9, "grow", names=["minio", "postgresql"]),
        ]),
    ]  # fmt: skip
    return [
        {"uid": title.lower().replace(" ", "-"), "title": title, "folder": "Data platform", "panels": panels}
        for title, panels in rows
    ]
