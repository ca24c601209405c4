# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the catalogue share: a cluster, a CRD, and entries as people write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _catalogue_resolve,
    _catalogue_validate,
    _packs,
)

ROOT = Path(__file__).resolve().parents[3]
NOW = "2026-11-23T12:00:00Z"

_DURATION = "^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$"
_SECRET_KEY = {
    "type": "object",
    "required": ["key"],
    "properties": {"name": {"type": "string"}, "key": {"type": "string"}, "optional": {"type": "boolean"}},
}
_RELABEL = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "action": {"type": "string", "enum": ["replace", "Replace", "keep", "drop", "labelmap", "labeldrop"]},
            "sourceLabels": {"type": "array", "items": {"type": "string"}},
            "targetLabel": {"type": "string"},
            "replacement": {"type": "string"},
            "regex": {"type": "string"},
            "separator": {"type": "string"},
            "modulus": {"type": "integer", "minimum": 0},
        },
    },
}


def endpoint_crd() -> dict[str, Any]:
    """The part of monitoring.coreos.com/v1 ServiceMonitor spec.endpoints[] that the tests touch."""
    return {
        "type": "object",
        "properties": {
            "port": {"type": "string"},
            "targetPort": {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True},
            "path": {"type": "string"},
            "scheme": {"type": "string", "enum": ["http", "https", "HTTP", "HTTPS"]},
            "params": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
            "interval": {"type": "string", "pattern": _DURATION},
            "scrapeTimeout": {"type": "string", "pattern": _DURATION},
            "honorLabels": {"type": "boolean"},
            "basicAuth": {"type": "object", "properties": {"username": _SECRET_KEY, "password": _SECRET_KEY}},
            "authorization": {
                "type": "object",
                "properties": {"type": {"type": "string"}, "credentials": _SECRET_KEY},
            },
            "tlsConfig": {
                "type": "object",
                "properties": {
                    "insecureSkipVerify": {"type": "boolean"},
                    "serverName": {"type": "string"},
                    "keySecret": _SECRET_KEY,
                },
            },
            "relabelings": _RELABEL,
            "metricRelabelings": _RELABEL,
        },
    }


def service(namespace: str, name: str, labels: dict[str, str], *ports: Any, selector: Any = None) -> dict[str, Any]:
    """A Service as cluster_info tells it; ports as (name, port[, targetPort])."""
    return {
        "namespace": namespace,
        "name": name,
        "labels": labels,
        "type": "ClusterIP",
        "selector": selector if selector is not None else {"pod": name},
        "ports": [{"name": one[0], "port": one[1], "targetPort": one[2] if len(one) > 2 else one[1]} for one in ports],
    }


def pod(namespace: str, name: str, labels: dict[str, str], *ports: Any) -> dict[str, Any]:
    """A running Pod as cluster_info tells it; ports as (name, containerPort)."""
    declared = [{"container": "main", "name": one[0], "containerPort": one[1]} for one in ports]
    return {
        "namespace": namespace,
        "name": name,
        "labels": labels,
        "phase": "Running",
        "ready": True,
        "ports": declared,
    }


def cluster_of(*objects: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A cluster of Services (with a type) and Pods (with a phase)."""
    return {
        "namespaces": ["data-platform", "kube-system", "monitoring", "vault"],
        "services": [one for one in objects if "type" in one],
        "pods": [one for one in objects if "phase" in one],
        "remembered": {},
        **more,
    }


class Kit:
    """The helpers above and the functions under test, with plain defaults."""

    crd = staticmethod(endpoint_crd)
    service = staticmethod(service)
    pod = staticmethod(pod)
    cluster = staticmethod(cluster_of)
    root = ROOT
    now = NOW

    @staticmethod
    def validate(*entries: Any, packs: Any = None, schema: bool = True, **more: Any) -> list[str]:
        """Faults of ``entries``, against the CRD above unless told otherwise."""
        schemas = {"ServiceMonitor": endpoint_crd()} if schema else {}
        return _catalogue_validate.validate(list(entries), _packs.load(packs), endpoint_schemas=schemas, **more)

    @staticmethod
    def resolve(*entries: Any, cluster: Any = None, packs: Any = None, **more: Any) -> dict[str, Any]:
        """The resolved catalogue of ``entries``, which must be valid."""
        loaded = _packs.load(packs)
        kubernetes = more.get("kubernetes", True)
        assert _catalogue_validate.validate(list(entries), loaded, kubernetes=kubernetes) == []
        world = cluster_of() if cluster is None else cluster
        return _catalogue_resolve.resolve(list(entries), loaded, world, "monitoring", now=more.pop("now", NOW), **more)

    @staticmethod
    def trino(**more: Any) -> dict[str, Any]:
        """An entry that is right."""
        entry = {
            "name": "trino",
            "kind": "trino",
            "namespace": "data-platform",
            "selector": {"app": "trino"},
            "endpoints": [{"port": "metrics"}],
        }
        return {key: value for key, value in {**entry, **more}.items() if value is not ...}

    @staticmethod
    def postgresql(**more: Any) -> dict[str, Any]:
        """An entry with an exporter that is right."""
        exporter = {"host": "postgresql.data-platform.svc", "credentials_secret": "postgresql-monitoring"}
        entry = {"name": "postgresql", "kind": "postgresql", "namespace": "data-platform", "exporter": exporter}
        return {key: value for key, value in {**entry, **more}.items() if value is not ...}

    @staticmethod
    def example() -> list[dict[str, Any]]:
        """monitoring_services of inventories/example."""
        path = ROOT / "inventories" / "example" / "group_vars" / "platforms" / "services.yml"
        return yaml.safe_load(path.read_text())["monitoring_services"]


@pytest.fixture(scope="session")
def kit() -> type[Kit]:
    """The helpers of this folder."""
    return Kit
