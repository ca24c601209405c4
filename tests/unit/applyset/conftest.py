# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fake API server with the namespace of the monitoring, and a way to run a set against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset import ApplySet, Options
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube

from tests.unit.applyset.fake_api import FakeApi

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}}


@pytest.fixture
def fake() -> FakeApi:
    api = FakeApi()
    api.add(NAMESPACE)
    api.kinds["monitoring.coreos.com/v1"] = {
        "ServiceMonitor": ("servicemonitors", True),
        "PrometheusRule": ("prometheusrules", True),
    }
    return api


@pytest.fixture
def kube(fake: FakeApi) -> Iterator[Kube]:
    server = fake.serve()
    client = fake.connect(server)
    fake.calls.clear()
    yield client
    server.shutdown()
    server.server_close()


@pytest.fixture
def apply(kube: Kube) -> Callable[..., dict[str, Any]]:
    def run(objects: list[Any], **options: Any) -> dict[str, Any]:
        clock = iter(range(10**6))
        chosen = Options(**{"name": "demo", "namespace": "monitoring", "objects": objects, **options})
        return ApplySet(kube, chosen, clock=lambda: float(next(clock)), sleep=lambda _seconds: None).run()

    return run
