# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the verdict says about all dashboards together."""

from __future__ import annotations

from typing import Any

import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils._argspec import CONNECTION_SPEC
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_grafana import not_asked
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_main import missing
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiForbidden
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube


def test_a_wanted_dashboard_that_is_gone_is_red_and_the_others_are_not() -> None:
    (check,) = missing(["cluster", "slo"], {"cluster", "other"}, "ansible-playbook day3.yml")
    assert (check["name"], check["status"], check["observed"]) == ("slo", "failed", "none")
    assert check["cause"]["code"] == "dashboard_gone"
    assert check["cause"]["fix"].endswith(": ansible-playbook day3.yml")


def test_nothing_wanted_is_nothing_missing() -> None:
    assert missing([], set(), "") == []


class Pods(Kube):
    """A cluster with these Pods of Grafana, by phase; or that refuses to list them."""

    def __init__(self, *phases: str, refuses: bool = False) -> None:
        self._phases, self._refuses = phases, refuses

    def list(self, path: str, label_selector: str | None = None, field_selector: str | None = None) -> list[Any]:
        assert (path, label_selector) == ("/api/v1/pods", "app.kubernetes.io/name=grafana")
        if self._refuses:
            raise ApiForbidden("pods is forbidden")
        return [
            {"metadata": {"namespace": "m", "name": f"g-{n}"}, "status": {"phase": phase}}
            for n, phase in enumerate(self._phases)
        ]


def test_a_grafana_that_runs_and_was_not_named_is_not_called_absent() -> None:
    assert not_asked(Pods()) == "judged by queries, Grafana not present"
    assert not_asked(Pods("Pending")) == "judged by queries, Grafana not present"
    assert not_asked(None) == "judged by queries, Grafana not named"
    assert "whether it runs is not known: pods is forbidden" in not_asked(Pods(refuses=True))
    told = not_asked(Pods("Failed", "Running"))
    assert told.startswith("judged by queries, Grafana runs (m/g-1) and was not asked")
    line = yaml.safe_load(told[told.index("monitoring_dashboards:") :])
    assert set(line["monitoring_dashboards"]) <= {*CONNECTION_SPEC}
