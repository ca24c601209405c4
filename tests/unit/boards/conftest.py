# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the boards share: the catalogue of the example inventory, resolved, and its boards."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _boards,
    _catalogue_resolve,
    _catalogue_validate,
    _packs,
)

ROOT = Path(__file__).resolve().parents[3]
NAMESPACES = ["cert-manager", "data-platform", "default", "ingress-nginx", "kube-system", "monitoring", "vault"]
CONTROL_PLANE = [{"name": kind, "kind": kind} for kind in ("etcd", "kube-controller-manager", "kube-scheduler")]
RUNBOOKS = "https://example.org/runbooks"


class Kit:
    """Catalogues and boards."""

    root = ROOT
    runbooks = RUNBOOKS

    @staticmethod
    def example() -> list[dict[str, Any]]:
        """monitoring_services of inventories/example, with everything that it names in comments."""
        path = ROOT / "inventories" / "example" / "group_vars" / "platforms" / "services.yml"
        services = yaml.safe_load(path.read_text())["monitoring_services"]
        return [*services, *CONTROL_PLANE, {"name": "kube-proxy", "kind": "kube-proxy"}]

    @staticmethod
    def resolve(*entries: Any, packs: Any = None, prober: bool = True) -> dict[str, Any]:
        """The resolved catalogue of valid entries, on a cluster where nothing is known but its namespaces."""
        loaded = _packs.load(packs)
        given = copy.deepcopy(list(entries))
        assert _catalogue_validate.validate(given, loaded) == []
        found = _catalogue_resolve.resolve(
            given, loaded, {"namespaces": NAMESPACES}, "monitoring", now="2026-11-23T12:00:00Z", exporters=True
        )
        if prober:
            found["prober"] = {"url": "http://blackbox-exporter.monitoring.svc:9115"}
            for entry in found["entries"]:
                if entry.get("probe"):
                    entry["probe"]["url"] = f"http://{entry['name']}.example/"
        return found

    @classmethod
    def boards(cls, *entries: Any, packs: Any = None, **settings: Any) -> dict[str, dict[str, Any]]:
        """Boards by the last part of their uid."""
        found = _boards.dashboards(
            cls.resolve(*entries, packs=packs), _boards.Settings.of({"runbook_base_url": RUNBOOKS, **settings})
        )
        return {item["uid"].removeprefix("dataplatform-"): item["board"] for item in found}

    @staticmethod
    def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Panels of a board without its rows."""
        return (panel for panel in board["panels"] if panel["type"] != "row")

    @classmethod
    def panel(cls, board: dict[str, Any], title: str) -> dict[str, Any]:
        """The panel of a title."""
        return next(panel for panel in cls.panels(board) if panel["title"] == title)


@pytest.fixture(scope="session")
def kit() -> type[Kit]:
    """The helpers of this folder."""
    return Kit


@pytest.fixture(scope="session")
def full() -> dict[str, dict[str, Any]]:
    """Every board of a catalogue with every product."""
    return Kit.boards(*Kit.example())
