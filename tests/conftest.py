# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tests share: the stages, and an environment that does not depend on who runs them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

pytest_plugins = ["tests.stages", "tests.order", "tests.lab_fixture", "pytester"]


def _clean_environment() -> None:
    """Tests know one cluster, the lab, and one copy of the collection, this checkout."""
    for name in list(os.environ):
        if name == "KUBECONFIG" or name.startswith(("K8S_AUTH_", "HELM_", "ANSIBLE_", "MOLECULE_", "LAB_")):
            del os.environ[name]
    # Where Docker runs too: what the tests know of is the lab that is built here.
    os.environ["LAB_PROVIDER"] = "native"
    os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(Path(sys.prefix) / "collections")
    # Not resolved: sys.executable lies in the environment's own bin, its target does not.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


_clean_environment()
