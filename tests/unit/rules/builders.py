# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain data for the tests of the rules' verdict: objects, groups, servers, and series without a server."""

from __future__ import annotations

import datetime
import json
from typing import Any
from urllib.parse import parse_qsl

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _promql
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api, Response
from ansible_collections.dataplatform.monitoring.plugins.module_utils._matchers import pattern_matches
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_model import (
    Expectation,
    Group,
    Replica,
    Snapshot,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_reach import Reading
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_series import Series
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_verdict import Context

NOW = 1_800_000_000.0
UID = "11111111-2222-3333-4444-555555555555"
DAY = 86_400.0


def at(seconds: float) -> str:
    """A moment as the servers write it; seconds relative to NOW."""
    return datetime.datetime.fromtimestamp(NOW + seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rule(alert: str = "Down", expr: str = 'up{job="x"} == 0', **more: Any) -> dict[str, Any]:
    """A rule as it is written in an object."""
    return {"alert": alert, "expr": expr, "for": "2m", "labels": {"severity": "critical"}, **more}


def item(name: str = "alerts-x", *rules: dict[str, Any], age: float = DAY, **meta: Any) -> dict[str, Any]:
    """A PrometheusRule in the cluster."""
    labels = meta.pop("labels", {"app.kubernetes.io/managed-by": "dataplatform.monitoring"})
    return {
        "kind": "PrometheusRule",
        "metadata": {
            "namespace": "monitoring",
            "name": name,
            "uid": UID,
            "generation": 1,
            "creationTimestamp": at(-age),
            "labels": labels,
            **meta,
        },
        "spec": {
            "groups": [{"name": name.removeprefix("alerts-"), "interval": "30s", "rules": list(rules or [rule()])}]
        },
    }


def loaded(source: dict[str, Any], **change: Any) -> Group:
    """The group that a server made of an object; `change` goes into every rule."""
    meta, group = source["metadata"], source["spec"]["groups"][0]
    took = change.pop("took", 0.01)
    rules = [
        {
            "name": one.get("alert") or one.get("record"),
            "type": "alerting" if one.get("alert") else "recording",
            "query": one["expr"],
            "duration": 120 if one.get("for") == "2m" else 0,
            "labels": one.get("labels") or {},
            "health": "ok",
            "state": "inactive",
            "lastEvaluation": at(-10),
            "alerts": [],
            **change,
        }
        for one in group["rules"]
    ]
    return Group.parse(
        {
            "name": group["name"],
            "file": f"/etc/prometheus/rules/p-rulefiles-0/{meta['namespace']}-{meta['name']}-{meta['uid']}.yaml",
            "interval": 30,
            "evaluationTime": took,
            "lastEvaluation": change.get("lastEvaluation", at(-10)),
            "rules": rules,
        }
    )


def expectation(source: dict[str, Any] | None = None, **more: Any) -> Expectation:
    """What the catalogue expects of an object."""
    source = source or item()
    meta = source["metadata"]
    return Expectation.parse(
        {
            "name": meta["name"].removeprefix("alerts-"),
            "object": {"namespace": meta["namespace"], "name": meta["name"]},
            "groups": source["spec"]["groups"],
            **more,
        },
        0,
    )


def replica(*groups: Group, label: str = "pod monitoring/prometheus-p-0", **more: Any) -> Replica:
    """A server that has run for a day and scrapes itself."""
    values = {"failures": {}, "missed": {}, "started": NOW - DAY, **more}
    return Replica(label, NOW, groups=list(groups), **values)


def prometheus(**spec: Any) -> dict[str, Any]:
    """A Prometheus object that takes every rule."""
    return {
        "kind": "Prometheus",
        "metadata": {"namespace": "monitoring", "name": "p"},
        "spec": {"ruleSelector": {}, "ruleNamespaceSelector": {}, **spec},
    }


def snapshot(*replicas: Replica, objects: list[dict[str, Any]] | None = None, **more: Any) -> Snapshot:
    """What was seen."""
    values = {"prometheuses": [prometheus()], "namespaces": {"monitoring": {}}, **more}
    return Snapshot(list(replicas), objects if objects is not None else [item()], **values)


class FakeServer(Api):
    """Answers questions about series from two lists of label sets: of the last day, and older ones."""

    label = "fake"

    def __init__(self, recent: list[str], past: list[str] = ()) -> None:
        self.recent = [self._labels(one) for one in recent]
        self.past = [self._labels(one) for one in past]
        self.asked: list[tuple[str, tuple[tuple[str, str], ...]]] = []

    @staticmethod
    def _labels(text: str) -> dict[str, str]:
        return {one.name: one.value for one in _promql.selectors(_promql.parse(text))[0].matchers}

    def get(self, path: str, params: Any = (), timeout: Any = None, headers: Any = None) -> Response:
        params = tuple(params)
        self.asked.append((path, params))
        found = self.recent if any(name == "start" for name, _value in params) else self.recent + self.past
        for name, text in params:
            if name == "match[]":
                matchers = _promql.selectors(_promql.parse(text))[0].matchers
                found = [labels for labels in found if all(self._fits(one, labels) for one in matchers)]
        if path == "/api/v1/series":
            data: Any = found[:1]
        else:
            label = path.split("/")[-2]
            data = sorted({labels[label] for labels in found if label in labels})
        return Response(200, {}, json.dumps({"status": "success", "data": data}).encode())

    @staticmethod
    def _fits(one: _promql.Matcher, labels: dict[str, str]) -> bool:
        value = labels.get(one.name, "")
        if one.op in ("=", "!="):
            return (value == one.value) == (one.op == "=")
        return pattern_matches(one.value, value) == (one.op == "=~")


def series(*recent: str, past: list[str] = ()) -> Series:
    """Series without a server; `up{job="x"}` exists unless something else is said."""
    return Series(FakeServer(list(recent or ['up{job="x"}']), list(past)), NOW)


def context(seen: Snapshot, there: Series | None = None) -> Context:
    """Everything that a judgement needs, with the series asked for."""
    there = there or series()
    reading = Reading()
    queries = [one.query for server in seen.replicas for group in server.groups for one in group.rules]
    there.ask(reading.selectors(queries))
    return Context(seen, there, reading, "make rules")


def query_of(text: str) -> dict[str, str]:
    """Parameters of a query string."""
    return dict(parse_qsl(text))
