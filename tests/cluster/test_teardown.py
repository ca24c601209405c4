# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""teardown.yml asks first, takes away what all days made, and leaves data and credentials where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.awx.test_jobs import Awx
from tests.lab_fixture import Lab

from .plays import Play, ours, releases, snapshot, stranger

#: Data, and what other people's objects hang on.
KEPT = ("CustomResourceDefinition", "Namespace", "PersistentVolumeClaim")
CREDENTIALS = {
    "Secret monitoring/alertmanager-kube-prometheus-stack-alertmanager",
    "Secret monitoring/kube-prometheus-stack-grafana-admin",
}
#: They remember whose the kept ones are.
PARENTS = {
    f"ConfigMap monitoring/dataplatform-monitoring-{name}"
    for name in ("alertmanager", "prometheus-operator", "prometheus-operator-crds")
}


@pytest.fixture(scope="module")
def played(lab: Lab) -> Lab:
    """The lab with all days on it."""
    if not any("dashboards" in name for name in ours(lab)):
        lab.playbook("site")
    return lab


def test_nothing_goes_unless_it_is_confirmed(played: Lab, tmp_path: Path) -> None:
    before = ours(played)
    assert Play(played, tmp_path, "teardown", "-e", "teardown_confirm=another", check=False).returncode == 2
    assert ours(played) == before
    cluster = snapshot(played)
    assert Play(played, tmp_path, "teardown", "--check", "--diff").changed
    checked = snapshot(played)
    assert (checked.ours, checked.strangers) == (cluster.ours, cluster.strangers)


def test_a_teardown_leaves_data_and_credentials(played: Lab, tmp_path: Path) -> None:
    before = ours(played)
    with stranger(played):
        cluster = snapshot(played)
        # As AWX does it when Run is chosen and the cluster is named.
        Awx(played, tmp_path).launch(
            "Monitoring teardown", {"teardown_confirm": "lab", "teardown_remove": ""}, job_type="run"
        )
        assert releases(played) == set()
        assert ours(played) == {name for name in before if name.startswith(KEPT)} | CREDENTIALS | PARENTS
        assert snapshot(played).touched_strangers(cluster) == []
        assert Play(played, tmp_path, "teardown", "-e", "teardown_confirm=lab").changed == 0
