# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A namespace of its own for each test, on a real kube-apiserver."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset import ApplySet, Options

from tests.integration.apiserver import ADMIN, ApiServer, apiserver

__all__ = ["apiserver"]

_numbers = itertools.count(1)


@pytest.fixture
def namespace(apiserver: ApiServer) -> str:
    """A fresh one, not yet made."""
    return f"t-applyset-{next(_numbers)}"


@pytest.fixture
def apply(apiserver: ApiServer, namespace: str) -> Callable[..., dict[str, Any]]:
    """Run a set in this test's namespace."""

    def run(objects: list[Any], token: str = ADMIN, **options: Any) -> dict[str, Any]:
        chosen = Options(**{"name": "demo", "namespace": namespace, "objects": objects, **options})
        return ApplySet(apiserver.kube(token), chosen).run()

    return run
