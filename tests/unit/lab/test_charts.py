# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in charts without Helm: how they are assembled, what their schemas refuse, that they say what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _promql

from lab import charts

RULES = sorted((charts.SOURCE / "kube-prometheus-stack/files/rules").glob("*.yaml"))


@pytest.fixture
def crds(tmp_path: Path) -> Path:
    folder = tmp_path / "crds"
    folder.mkdir()
    (folder / "monitoring.coreos.com_servicemonitors.yaml").write_text("kind: CustomResourceDefinition\n")
    (folder / "README.md").write_text("not a definition\n")
    return folder


class TestPrepare:
    def test_charts_and_definitions_come_together(self, crds: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        assert charts.prepare(crds, out)
        assert {path.name for path in out.iterdir()} == set(charts.CHARTS)
        placed = list((out / "kube-prometheus-stack/charts/crds/crds").iterdir())
        assert [path.name for path in placed] == ["monitoring.coreos.com_servicemonitors.yaml"]

    def test_a_second_time_changes_nothing(self, crds: Path, tmp_path: Path) -> None:
        charts.prepare(crds, tmp_path / "out")
        assert not charts.prepare(crds, tmp_path / "out")

    def test_what_no_longer_belongs_there_goes(self, crds: Path, tmp_path: Path) -> None:
        charts.prepare(crds, tmp_path / "out")
        stale = tmp_path / "out/loki/templates/old.yaml"
        stale.write_text("kind: ConfigMap\n")
        assert charts.prepare(crds, tmp_path / "out")
        assert not stale.exists()

    def test_a_folder_without_definitions_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="no custom resource definitions"):
            charts.prepare(tmp_path, tmp_path / "out")


def schema(chart: str) -> jsonschema.protocols.Validator:
    return jsonschema.Draft202012Validator(json.loads((charts.SOURCE / chart / "values.schema.json").read_text()))


def nested(path: str, value: Any) -> Any:
    """The value below the keys of a dotted path."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


@pytest.mark.parametrize("chart", charts.CHARTS)
class TestEveryChart:
    def test_its_own_defaults_pass_its_schema(self, chart: str) -> None:
        schema(chart).validate(yaml.safe_load((charts.SOURCE / chart / "values.yaml").read_text()))

    def test_it_says_that_it_is_a_stand_in(self, chart: str) -> None:
        about = yaml.safe_load((charts.SOURCE / chart / "Chart.yaml").read_text())
        assert about["version"].endswith("+standin")
        assert about["description"].startswith("STAND-IN for")
        assert "This is a STAND-IN for" in (charts.SOURCE / chart / "templates/NOTES.txt").read_text()
        assert "**stand-in**" in (charts.SOURCE / chart / "README.md").read_text()


@pytest.mark.parametrize(
    ("chart", "path", "value"),
    [
        ("kube-prometheus-stack", "prometheus.prometheusSpec.retentoin", "30d"),
        ("kube-prometheus-stack", "prometheus.prometheusSpec.serviceMonitorSelectorNilUsesHelmValue", False),
        ("kube-prometheus-stack", "alertmanager.alertmanagerSpec.useExistingSecrets", True),
        ("kube-prometheus-stack", "prometheusOperator.prometheusConfigReloader.image.tags", "v1"),
        # keys of old plans, which upstream ignores
        ("kube-prometheus-stack", "prometheus-node-exporter.enabled", False),
        ("kube-prometheus-stack", "grafana.adminPassword", "secret"),
        # a Kubernetes quantity, which Prometheus does not start with
        ("kube-prometheus-stack", "prometheus.prometheusSpec.retentionSize", "50Gi"),
        ("loki", "loki.persistence", {"enabled": True}),
        ("loki", "loki.config", {"auth_enabled": False}),
        ("loki", "loki.commonconfig", {}),
        ("loki", "singleBinary.persistence.storageClassName", "fast"),
        ("loki", "deploymentMode", "singlebinary"),
        ("promtail", "config.snippets.extraRelabelConfig", []),
        ("promtail", "config.client", []),
    ],
)
def test_a_misspelt_key_or_impossible_value_is_refused(chart: str, path: str, value: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        schema(chart).validate(nested(path, value))


@pytest.mark.parametrize("size", ["50GB", "50GiB", "512MB", "1.5TB", ""])
def test_sizes_that_prometheus_knows_pass(size: str) -> None:
    schema("kube-prometheus-stack").validate(nested("prometheus.prometheusSpec.retentionSize", size))


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_default_rules_can_be_read_and_switched(path: Path) -> None:
    values = yaml.safe_load((charts.SOURCE / "kube-prometheus-stack/values.yaml").read_text())
    file = yaml.safe_load(path.read_text())
    assert values["defaultRules"]["rules"][file["switch"]] is True
    for rule in (rule for group in file["groups"] for rule in group["rules"]):
        assert _promql.parse(rule["expr"])
        assert rule["labels"]["severity"] in {"none", "info", "warning", "critical"}
