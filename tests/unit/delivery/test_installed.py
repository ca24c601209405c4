# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Alertmanager is meant: the operator's object, a Service without one, or an address."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _alertmanager_source as source
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _delivery_ask as ask
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _delivery_verdict, _routing_live
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiUnreachable, ConfigError
from ansible_collections.dataplatform.monitoring.plugins.modules import alertmanager_silence, follow_alert

CONFIG = "route: {receiver: duty}\nreceivers: [{name: duty}]\n"


class Cluster:
    """Objects by path."""

    def __init__(self, *names: str, **spec: Any) -> None:
        made = "2026-01-02T03:04:05Z"
        self.items = [{"metadata": {"name": name, "creationTimestamp": made}, "spec": spec} for name in names]

    def list(self, path: str) -> list[dict[str, Any]]:
        assert path.endswith("/namespaces/obs/alertmanagers")
        return self.items

    def get(self, path: str) -> dict[str, Any] | None:
        if "/secrets/" in path:
            packed = base64.b64encode(gzip.compress(CONFIG.encode())).decode()
            return {"data": {source.GENERATED_KEY: packed}}
        return next((item for item in self.items if path.endswith(f"/alertmanagers/{item['metadata']['name']}")), None)


class Server:
    label = "pod obs/alertmanager-0"

    def get_json(self, path: str) -> dict[str, Any]:
        return {"config": {"original": CONFIG}}


def live(cluster: Cluster | None, **params: Any) -> source.Loaded:
    return source.live(cluster, [Server()], {"namespace": "obs", **params})[0]


def test_the_only_object_of_the_operator() -> None:
    cluster = Cluster("alarms", replicas=3, configSecret="alarms-config")
    assert live(cluster).origin == "Secret obs/alertmanager-alarms-generated"
    assert live(cluster, service="alertmanager-operated").exact
    there = ask.installed(cluster, "obs", None, "alertmanager-operated")
    assert (there.name, there.replicas, there.credentials_in) == ("alarms", 3, "alarms-config")


def test_credentials_are_where_the_object_mounts_them_from() -> None:
    assert ask.installed(Cluster("a", secrets=["keys"], configSecret="c"), "obs", None).credentials_in == "keys"
    assert ask.installed(Cluster("a"), "obs", None).credentials_in == "alertmanager-a"


def test_a_service_without_the_operator_tells_its_configuration_itself() -> None:
    loaded = live(Cluster(), service="alertmanager")
    assert (loaded.origin, loaded.exact) == ("pod obs/alertmanager-0", False)
    assert ask.installed(Cluster(), "obs", None, "alertmanager") == ask.Installed("alertmanager", 1, None)


def test_nothing_that_is_named_is_refused() -> None:
    with pytest.raises(ConfigError, match="has 0 Alertmanager objects"):
        live(Cluster())
    with pytest.raises(ConfigError, match="does not exist"):
        live(Cluster(), service="alertmanager", alertmanager="main")
    with pytest.raises(ConfigError, match="has 2 Alertmanager objects"):
        live(Cluster("a", "b"), service="alertmanager")


class Two(Cluster):
    """Several Alertmanagers behind the operator's Service, one named like a replica of another."""

    pods = ("alertmanager-main-0", "alertmanager-main-1", "alertmanager-main-2-0", "alertmanager-theirs-0")

    def __init__(self) -> None:
        super().__init__("main", "main-2", "theirs", "idle")

    def list(self, path: str, label_selector: str = "") -> list[dict[str, Any]]:
        if not path.endswith("/endpointslices"):
            return super().list(path)
        endpoints = [{"targetRef": {"kind": "Pod", "name": pod}} for pod in self.pods]
        return [{"ports": [{"name": "web", "port": 9093}], "endpoints": endpoints}]

    def get(self, path: str) -> dict[str, Any] | None:
        return {"spec": {"ports": [{"name": "web", "port": 9093}]}} if "/services/" in path else super().get(path)

    def proxy(self, namespace: str, kind: str, pod: str, *_where: Any) -> Any:
        return SimpleNamespace(label=f"pod {namespace}/{pod}")


def own(**params: Any) -> list[str]:
    given = {"namespace": "obs", "service": None, "url": None, "alertmanager": None, **params}
    return [api.label.partition("/alertmanager-")[2] for api in source.own_replicas(given, Two())]


def test_nobody_asks_or_tells_the_alertmanager_of_somebody_else() -> None:
    assert own(alertmanager="main") == ["main-0", "main-1"]
    assert own(alertmanager="main-2") == ["main-2-0"]
    assert own(alertmanager="theirs", service="alertmanager-operated") == ["theirs-0"]
    assert own(service="of-one-of-them") == ["main-0", "main-1", "main-2-0", "theirs-0"]
    with pytest.raises(ConfigError, match="has 4 Alertmanager objects"):
        own()
    with pytest.raises(ApiUnreachable, match="Alertmanager obs/idle has no ready Pod"):
        own(alertmanager="idle")


@pytest.mark.parametrize("module", [alertmanager_silence, follow_alert, _delivery_verdict, _routing_live])
def test_every_question_goes_to_the_replicas_of_that_one(module: ModuleType) -> None:
    text = Path(module.__file__ or "").read_text()
    assert "own_replicas(params, " in text and 'alertmanager-operated"' not in text


def test_an_address_needs_no_cluster() -> None:
    assert live(None, url="http://am.example:9093").exact is False
    assert ask.installed(None, None, None).replicas == 1


class Prometheus:
    """Knows one Alertmanager, by the labels given."""

    label = "prometheus"

    def __init__(self, instances: int, selector: str) -> None:
        self.instances, self.selector = instances, selector

    def get_json(self, path: str, params: Any = (), _timeout: Any = None) -> dict[str, Any]:
        expression = dict(params)["query"]
        result: list[dict[str, Any]] = []
        if self.selector in expression:
            metrics = [{"instance": str(number), "integration": "webhook"} for number in range(self.instances)]
            result = [{"metric": metric, "value": [0, "3"]} for metric in metrics]
        return {"status": "success", "data": {"resultType": "vector", "result": result}}


PODS = ["pod obs/alertmanager-0"]


def test_counters_are_found_by_the_labels_of_pods_or_without_any() -> None:
    assert ask.counted(Prometheus(1, 'namespace="obs",pod=~"alertmanager-0"'), PODS, "15m")
    assert ask.counted(Prometheus(1, '{pod=""}'), PODS, "15m")


def test_counters_of_more_alertmanagers_than_are_asked_are_nobodys() -> None:
    assert ask.counted(Prometheus(2, '{pod=""}'), PODS, "15m") is None
