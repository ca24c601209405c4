# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects as the tests need them."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]


def config_map(
    name: str = "a", data: dict[str, Any] | None = None, namespace: str = "monitoring", **meta: Any
) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, **meta},
        "data": {"key": "value"} if data is None else data,
    }


def secret(name: str = "s", namespace: str = "monitoring", **string_data: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": string_data or {"password": "hunter22-hunter22"},
    }


def monitor(name: str = "m", entry: str | None = None, **spec: Any) -> Object:
    labels = {"dataplatform.monitoring/entry": entry} if entry else {}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": {"name": name, "namespace": "monitoring", "labels": labels},
        "spec": {"selector": {"matchLabels": {"app": "x"}}, "endpoints": [{"port": "metrics"}], **spec},
    }


def rule(name: str, *alerts: str) -> Object:
    rules = [{"alert": alert, "expr": "up == 0"} for alert in alerts] + [{"record": "r", "expr": "up"}]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": name, "namespace": "monitoring"},
        "spec": {"groups": [{"name": "g", "rules": rules}]},
    }


def crd(plural: str = "widgets", kind: str = "Widget", group: str = "example.com", scope: str = "Namespaced") -> Object:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"kind": kind, "plural": plural},
            "versions": [{"name": "v1", "served": True, "storage": True}],
        },
    }


def widget(name: str = "w", namespace: str | None = "monitoring") -> Object:
    meta = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": meta, "spec": {"size": 1}}
