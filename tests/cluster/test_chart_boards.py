# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boards that kube-prometheus-stack brings, as Helm renders them, judged on the lab: boards that nobody here wrote.

CHARTS names a folder with the upstream chart (CHARTS/kube-prometheus-stack); none of it is in this repository.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils._checks import all_causes
from ansible_collections.dataplatform.monitoring.plugins.modules import verify_dashboards

from tests.lab_fixture import BIN, KUBECONFIG, Lab
from tests.modules import result_of

pytestmark = pytest.mark.skipif("CHARTS" not in os.environ, reason="CHARTS names no folder with the upstream charts")

#: Boards of the chart 88.5.3, with all that it switches on by default.
COUNT = 29
GONE, NOBODY, LABEL = "panel_metric_missing", "variable_without_values", "panel_label_missing"
#: A histogram that counted nothing within five minutes has no quantile.
QUIET = "panel_not_finite"
RULES = "made by recording rules of the upstream chart, which the lab's has not"
DISKS = "the kubelet tells no reads and writes of containers there"
#: Title -> causes that are told, and why the lab has no data. Every other board is well.
EMPTY: dict[str, tuple[set[str], str]] = {
    "Kubernetes / API server": ({GONE}, RULES),
    "Kubernetes / Compute Resources / Cluster": ({GONE}, f"{RULES}; {DISKS}"),
    "Kubernetes / Compute Resources /  Multi-Cluster": ({GONE}, RULES),
    "Kubernetes / Compute Resources / Namespace (Pods)": ({GONE}, f"{RULES}; {DISKS}"),
    "Kubernetes / Compute Resources / Namespace (Workloads)": ({GONE, NOBODY}, RULES),
    "Kubernetes / Compute Resources / Node (Pods)": ({GONE}, RULES),
    "Kubernetes / Compute Resources / Nodes Overview": ({GONE}, RULES),
    "Kubernetes / Compute Resources / Pod": ({GONE}, f"{RULES}; {DISKS}"),
    "Kubernetes / Compute Resources / Workload": ({GONE, NOBODY}, RULES),
    "Kubernetes / Networking / Namespace (Workload)": ({GONE, NOBODY}, RULES),
    "Kubernetes / Networking / Workload": ({GONE, NOBODY}, RULES),
    "Node Exporter / USE Method / Cluster": ({GONE}, RULES),
    "Node Exporter / USE Method / Node": ({GONE}, RULES),
    "Node Exporter / AIX": ({GONE}, "the node runs Linux, whose memory has other metrics"),
    "Node Exporter / MacOS": ({GONE, NOBODY}, "the node runs Linux"),
    "Grafana Overview": ({GONE, NOBODY}, "the lab has no Grafana"),
    "Kubernetes / Kubelet": ({GONE}, "no storage operation failed yet, and one metric went with an old kubelet"),
    "Kubernetes / Proxy": ({GONE, LABEL}, "the lab's kube-proxy listens on loopback, and is not scraped"),
    "etcd": ({GONE}, "one member has no peers"),
    "Kubernetes / Scheduler": ({QUIET}, "nobody asked it with GET"),
}
#: These may be told in the first minutes, and by components that had nothing to do; they need not.
PASSING = {"panel_too_young", QUIET}


def boards() -> list[dict[str, Any]]:
    """What Grafana's sidecar would find after an installation."""
    chart = Path(os.environ["CHARTS"]) / "kube-prometheus-stack"
    done = subprocess.run(
        [BIN / "helm", "template", "kube-prometheus-stack", chart, "--namespace", "monitoring"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    maps = [
        one
        for one in yaml.load_all(done.stdout, yaml.CSafeLoader)
        if one and one["kind"] == "ConfigMap" and "grafana_dashboard" in (one["metadata"].get("labels") or {})
    ]
    return [json.loads(text) for one in maps for text in one["data"].values()]


@pytest.fixture(scope="module")
def judged(lab: Lab) -> dict[str, Any]:
    """The result of verify_dashboards."""
    given = {
        "kubeconfig": str(KUBECONFIG),
        "boards": boards(),
        "datasource_maps": {"namespace": "monitoring"},
        "prometheus": {"namespace": "monitoring", "service": "kube-prometheus-stack-prometheus"},
        "loki": {"namespace": "monitoring", "service": "loki"},
        "report_only": True,
        "timeout": 60,
    }
    return result_of(verify_dashboards, given)


def test_every_board_is_judged(judged: dict[str, Any]) -> None:
    assert "checks" in judged, judged
    assert len(judged["boards"]) == len(judged["checks"]) == COUNT
    assert sum(len(board["panels"]) for board in judged["boards"]) > 10 * COUNT


def test_what_is_empty_is_explained(judged: dict[str, Any]) -> None:
    for board in judged["boards"]:
        for panel in board["panels"]:
            if panel["status"] in ("empty", "error", "no_query"):
                assert panel["reason"], f"{board['title']}: {panel['title']}"
    for check in judged["checks"]:
        dead = check["details"]["empty"] + check["details"]["error"]
        assert bool(dead) == (check["status"] in ("failed", "unknown")), check
        for cause in all_causes(check):
            assert cause["message"]
            assert ": " in cause["fix"], cause


def test_only_that_is_empty_which_the_lab_does_not_have(judged: dict[str, Any]) -> None:
    told = {
        check["name"]: {cause["code"] for cause in all_causes(check)}
        for check in judged["checks"]
        if check.get("cause")
    }
    assert {title: codes - PASSING for title, codes in told.items() if codes - PASSING} == {
        title: codes - PASSING for title, (codes, _why) in EMPTY.items() if codes - PASSING
    }
    rules = [
        cause["message"]
        for check in judged["checks"]
        for cause in all_causes(check)
        if cause["code"] == GONE and RULES in EMPTY[check["name"]][1] and DISKS not in EMPTY[check["name"]][1]
    ]
    assert rules
    assert [one for one in rules if "named as recording rules are" not in one] == []
