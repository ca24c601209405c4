# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may be removed, and what may be taken over."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _applyset_plan as plan
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_objects import key_of
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_spec import CREATE_ONLY, PART_OF_LABEL

from tests.unit.applyset.samples import config_map, monitor, rule, secret

MEMBERS = [monitor("a", "alpha"), monitor("b", "beta"), monitor("c", "gamma"), monitor("d", "delta")]


def _brake(gone, members=None, **options):
    given = {"max_removals": 2, "allow": (), "partial": False, **options}
    problem = plan.brake(gone, MEMBERS if members is None else members, **given)
    return problem.text() if problem else None


def test_two_entries_may_go():
    assert _brake(MEMBERS[:2]) is None
    assert _brake([]) is None


def test_three_may_not_and_the_line_that_allows_it_is_told():
    told = _brake(MEMBERS[:3])
    assert "3 entries would go, more than 2 (max_removals)" in told
    assert "alpha (ServiceMonitor monitoring/a), beta (ServiceMonitor monitoring/b)" in told
    assert told.endswith("If that is meant: applyset_allow_removal: [alpha, beta, gamma]")
    assert _brake(MEMBERS[:3], allow=["alpha", "beta", "gamma"]) is None
    assert _brake(MEMBERS[:3], max_removals=3) is None


def test_named_ones_do_not_count():
    assert _brake(MEMBERS[:3], allow=["beta"]) is None


def test_objects_of_one_entry_count_once():
    gone = [config_map(name, labels={"dataplatform.monitoring/entry": "postgresql"}) for name in "xyz"]
    assert _brake(gone, [*gone, *MEMBERS]) is None


def test_everything_may_not_go_however_little_it_is():
    assert "nothing of what the set has would be left" in _brake(MEMBERS[:1], MEMBERS[:1])
    assert _brake(MEMBERS[:1], MEMBERS[:1], allow=["alpha"]) is None


def test_nothing_may_go_under_tags():
    assert "narrowed by --tags" in _brake(MEMBERS[:1], partial=True)
    assert _brake(MEMBERS[:1], partial=True, allow=["a"]) is None


@pytest.mark.parametrize(
    "name",
    ["alpha", "a", "ServiceMonitor/a", "ServiceMonitor/monitoring/a", "ServiceMonitor monitoring/a", "monitoring/a"],
)
def test_ways_to_name_a_removal(name):
    assert _brake(MEMBERS[:1], MEMBERS[:1], allow=[name]) is None


def test_the_line_that_is_told_can_be_pasted():
    import yaml

    told = _brake([config_map("x"), config_map("y"), config_map("z")], [config_map("x"), *MEMBERS])
    line = told.split("If that is meant: ")[1]
    assert yaml.safe_load(line) == {
        "applyset_allow_removal": ["ConfigMap monitoring/x", "ConfigMap monitoring/y", "ConfigMap monitoring/z"]
    }


def test_the_alerts_that_vanish_are_told():
    alerts = plan.vanishing_alerts([rule("a", "Down", "Slow"), rule("b", "Full")], [rule("a", "Slow")])
    assert alerts == ["Down", "Full"]
    assert "with them vanish the alerts Down, Full" in _brake(MEMBERS[:1], partial=True, alerts=alerts)
    assert plan.vanishing_alerts([config_map()], []) == []
    assert plan.alerts_of({"kind": "PrometheusRule", "spec": None}) == set()


def _removals(members, wanted=(), keep=plan.KEEP_KINDS_PRESENT, allow=()):
    found = plan.removals(members, {key_of(obj) for obj in wanted}, keep, allow)
    return (
        [str(key_of(o)) for o in found.objects],
        [str(key_of(o)) for o in found.kept],
        [key_of(o).name for o in found.going],
    )


def test_what_is_not_wanted_goes_the_most_dependent_first():
    namespaced = [config_map("c"), monitor("m"), secret("s")]
    assert _removals([*namespaced, config_map("stays")], [config_map("stays")]) == (
        ["ServiceMonitor monitoring/m", "ConfigMap monitoring/c", "Secret monitoring/s"], [], [],
    )  # fmt: skip


def test_data_is_kept_unless_it_is_named_with_its_kind():
    claim = {**config_map("pg"), "kind": "PersistentVolumeClaim"}
    claim["metadata"] = {**claim["metadata"], "labels": {"dataplatform.monitoring/entry": "pg"}}
    assert _removals([claim]) == ([], ["PersistentVolumeClaim monitoring/pg"], [])
    assert _removals([claim], allow=["pg"]) == ([], ["PersistentVolumeClaim monitoring/pg"], [])
    assert _removals([claim], allow=["PersistentVolumeClaim/pg"])[0] == ["PersistentVolumeClaim monitoring/pg"]
    assert _removals([secret()], keep=plan.KEEP_KINDS_ABSENT) == ([], ["Secret monitoring/s"], [])
    assert _removals([claim], keep=())[0] == ["PersistentVolumeClaim monitoring/pg"]


def test_what_was_only_ever_created_is_kept():
    made = config_map("made", annotations={CREATE_ONLY: "true"})
    assert _removals([made], keep=()) == ([], ["ConfigMap monitoring/made"], [])
    assert _removals([made], allow=["ConfigMap/monitoring/made"])[0] == ["ConfigMap monitoring/made"]


def test_what_is_being_deleted_already_is_no_removal():
    assert _removals([config_map("going", deletionTimestamp="2026-01-01T00:00:00Z")]) == ([], [], ["going"])


def _foreign(**meta):
    problem = plan.foreign(config_map(**meta), "ours", "dataplatform.monitoring")
    return problem.text() if problem else None


def test_whose_an_existing_object_is():
    helm = {"meta.helm.sh/release-name": "loki", "meta.helm.sh/release-namespace": "logs"}
    assert "belongs to the Helm release logs/loki" in _foreign(annotations=helm)
    assert "belongs to another ApplySet (other)" in _foreign(labels={PART_OF_LABEL: "other"})
    fields = [
        {"manager": "kubectl-client-side-apply", "operation": "Update", "time": "2026-01-02T03:04:05Z"},
        {"manager": "dataplatform.monitoring", "operation": "Apply"},
        {"manager": "kubelet", "operation": "Update", "subresource": "status"},
    ]
    assert "was made by kubectl-client-side-apply (2026-01-02). Rename ours" in _foreign(managedFields=fields)
    assert "(managed-by: argocd)" in _foreign(labels={"app.kubernetes.io/managed-by": "argocd"})
    assert "kubectl get configmap a -n monitoring -o yaml" in _foreign()


def test_ours_is_not_foreign():
    assert _foreign(labels={PART_OF_LABEL: "ours"}) is None
    assert _foreign(labels={"app.kubernetes.io/managed-by": "dataplatform.monitoring"}) is None


def test_what_another_set_of_ours_only_creates_waits_for_the_set_that_fills_it():
    ours = {PART_OF_LABEL: "other", "app.kubernetes.io/managed-by": "dataplatform.monitoring"}
    assert _foreign(labels=ours, annotations={CREATE_ONLY: "true"}) is None
    assert "belongs to another ApplySet" in _foreign(labels=ours)
    theirs = {PART_OF_LABEL: "other", "app.kubernetes.io/managed-by": "kubectl"}
    assert "belongs to another ApplySet" in _foreign(labels=theirs, annotations={CREATE_ONLY: "true"})


def test_who_loses_fields():
    edit = {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:data": {"f:x": {}, "f:y": {}}}}
    less = {**edit, "fieldsV1": {"f:data": {"f:y": {}}}}
    live, after = config_map(managedFields=[edit]), config_map(managedFields=[copy.deepcopy(less)])
    assert plan.taken_over(live, after, "dataplatform.monitoring") == ["kubectl-edit"]
    assert plan.taken_over(live, live, "dataplatform.monitoring") == []
