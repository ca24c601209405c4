# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole run over real HTTP: what is removed, what is kept, and what is only ever created."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_model import ApplySetError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_spec import PART_OF_LABEL, set_id

from tests.unit.applyset.conftest import NAMESPACE
from tests.unit.applyset.samples import config_map, monitor, rule, secret, widget

PARENT = "ConfigMap monitoring/dataplatform-monitoring-demo"
MAPS = [config_map(name) for name in ("a", "b", "c", "d")]


def _refused(apply, objects, **options):
    with pytest.raises(ApplySetError) as caught:
        apply(objects, **options)
    return caught.value


# -- removing ------------------------------------------------------------------------------------------------------


def test_what_left_the_set_is_removed_and_nothing_else(fake, apply):
    fake.add(config_map("theirs"))
    apply(MAPS)
    result = apply(MAPS[:2])
    assert result["removed"] == ["ConfigMap monitoring/c", "ConfigMap monitoring/d"]
    assert fake.find("configmaps", "theirs", "monitoring")
    assert fake.find("configmaps", "c", "monitoring") is None
    assert all(e["after"] == "" and e["before_header"].endswith("(removed)") for e in result["diff"])


def test_the_brake_is_pulled_before_anything_is_written(fake, apply):
    apply(MAPS)
    fake.calls.clear()
    error = _refused(apply, [config_map("a", {"key": "new"})])
    assert "Removal refused: 3 entries would go, more than 2 (max_removals)" in str(error)
    assert fake.writes() == []
    assert "nothing of what the set has would be left" in str(_refused(apply, [], max_removals=9))
    assert "narrowed by --tags" in str(_refused(apply, MAPS[:3], partial=True))
    assert "'*' is refused" in str(_refused(apply, [], allow_removal=["*"]))
    assert apply(MAPS[:1], allow_removal=["b", "c", "d"])["removed"]


def test_vanishing_alerts_are_told_in_the_refusal_and_in_the_result(apply):
    apply([rule("one", "Down", "Slow"), config_map()])
    error = _refused(apply, [config_map()], partial=True)
    assert "with them vanish the alerts Down, Slow" in str(error)
    result = apply([rule("one", "Slow"), config_map()])
    assert result["vanishing_alerts"] == ["Down"]
    assert result["notes"] == ["No longer defined: the alerts Down."]


def test_a_removal_that_is_not_allowed_stops_everything(fake, apply):
    apply(MAPS[:2])
    fake.refuse("DELETE", "/configmaps/b$", 403, 'User "u" cannot delete resource "configmaps" in API group ""')
    fake.calls.clear()
    error = _refused(apply, [config_map("a", {"key": "new"})])
    assert "u may not delete configmaps" in str(error)
    assert fake.writes() == []


def test_kinds_and_namespaces_that_left_the_set_are_still_looked_at(fake, apply):
    fake.add({**NAMESPACE, "metadata": {"name": "other"}})
    apply([config_map(), secret(namespace="other"), monitor()])
    notes = fake.find("configmaps", "dataplatform-monitoring-demo", "monitoring")["metadata"]["annotations"]
    assert (
        notes["applyset.kubernetes.io/contains-group-kinds"] == "ConfigMap,Secret,ServiceMonitor.monitoring.coreos.com"
    )
    assert notes["applyset.kubernetes.io/additional-namespaces"] == "other"
    assert apply([config_map()])["removed"] == ["ServiceMonitor monitoring/m", "Secret other/s"]
    notes = fake.find("configmaps", "dataplatform-monitoring-demo", "monitoring")["metadata"]["annotations"]
    assert notes["applyset.kubernetes.io/contains-group-kinds"] == "ConfigMap"
    assert notes["applyset.kubernetes.io/additional-namespaces"] == ""


def test_a_copy_in_a_namespace_that_the_set_never_reached_is_not_touched(fake, apply):
    fake.add({**NAMESPACE, "metadata": {"name": "backup"}})
    fake.add({**NAMESPACE, "metadata": {"name": "other"}})
    objects = [config_map(), config_map(namespace="other")]
    apply(objects)
    copied = config_map("old", namespace="backup", labels={PART_OF_LABEL: set_id("demo", "monitoring")})
    fake.add(copied)
    assert apply(objects)["changed"] is False
    assert fake.find("configmaps", "old", "backup")


def test_a_run_killed_in_the_middle_forgets_no_kind(fake, apply):
    apply([config_map(), secret()])
    fake.refuse("PATCH", "/servicemonitors/m$", 500, "killed", dry=False)
    _refused(apply, [config_map(), monitor()])
    notes = fake.find("configmaps", "dataplatform-monitoring-demo", "monitoring")["metadata"]["annotations"]
    assert (
        notes["applyset.kubernetes.io/contains-group-kinds"] == "ConfigMap,Secret,ServiceMonitor.monitoring.coreos.com"
    )
    fake.refusals.clear()
    assert apply([config_map(), monitor()])["removed"] == ["Secret monitoring/s"]


def test_without_prune_nothing_goes(fake, apply):
    apply(MAPS)
    result = apply(MAPS[:1], prune=False)
    assert result["changed"] is False and len(result["kept"]) == 3 and result["notes"] == []


def test_a_kind_that_is_not_served_any_more_has_no_members(fake, apply):
    apply([config_map(), monitor()])
    del fake.kinds["monitoring.coreos.com/v1"]
    result = apply([config_map()])
    assert result["removed"] == [] and result["updated"] == [PARENT]


def test_members_in_many_namespaces_are_read_one_by_one_where_the_whole_is_forbidden(fake, apply):
    fake.add({**NAMESPACE, "metadata": {"name": "other"}})
    objects = [config_map(), config_map(namespace="other")]
    fake.refuse("GET", "^/api/v1/configmaps$", 403, 'User "u" cannot list resource "configmaps" in API group ""')
    apply(objects)
    assert apply(objects)["changed"] is False
    assert apply(objects[:1])["removed"] == ["ConfigMap other/a"]


# -- created once --------------------------------------------------------------------------------------------------


def test_created_once_and_never_touched_again(fake, apply):
    options = {"create_only": ["Secret/s"]}
    assert "Secret monitoring/s" in apply([secret(password="first-password"), config_map()], **options)["created"]
    again = apply([secret(password="other-password"), config_map()], **options)
    assert again["changed"] is False and again["kept"] == ["Secret monitoring/s"]
    left = apply([config_map()])
    assert left["removed"] == [] and "Kept although nothing wants them: Secret monitoring/s." in left["notes"][0]
    assert apply([config_map()], allow_removal=["Secret/monitoring/s"])["removed"] == ["Secret monitoring/s"]


def test_one_that_somebody_else_made_is_left_as_it_is(fake, apply):
    fake.add({**secret(), "data": {"password": "eA=="}})
    before = copy.deepcopy(fake.find("secrets", "s", "monitoring"))
    assert apply([secret(), config_map()], create_only=["Secret/monitoring/s"])["kept"] == ["Secret monitoring/s"]
    assert fake.find("secrets", "s", "monitoring") == before


def test_one_that_appears_at_the_last_moment_is_left_as_it_is(fake, apply):
    fake.refuse("POST", "/secrets$", 409, 'secrets "s" already exists', dry=False, reason="AlreadyExists")
    assert apply([secret(), config_map()], create_only=["Secret/s"])["kept"] == ["Secret monitoring/s"]


# -- all of it away ------------------------------------------------------------------------------------------------


def test_absent_removes_all_but_what_holds_data(fake, apply):
    fake.store.clear()
    claim = {**config_map("data"), "kind": "PersistentVolumeClaim"}
    claim = {key: claim[key] for key in ("apiVersion", "kind", "metadata")}
    apply([NAMESPACE, secret(), claim, config_map(), monitor()])
    foretold = apply([], state="absent", check_mode=True)
    assert fake.find("configmaps", "a", "monitoring")
    result = apply([], state="absent")
    assert result["removed"] == foretold["removed"] == ["ServiceMonitor monitoring/m", "ConfigMap monitoring/a"]
    assert result["kept"] == ["Namespace monitoring", "PersistentVolumeClaim monitoring/data", "Secret monitoring/s"]
    assert f"{PARENT} stays with them." in result["notes"]
    assert apply([], state="absent")["changed"] is False
    named = ["Secret/s", "PersistentVolumeClaim/data", "Namespace/monitoring"]
    assert apply([], state="absent", allow_removal=named)["removed"][-1] == PARENT
    assert fake.store == {}
    assert apply([], state="absent") | {"msg": ""} == {
        "changed": False, "created": [], "updated": [], "removed": [], "unchanged": [], "kept": [],
        "vanishing_alerts": [], "notes": [], "diff": [], "msg": "",
    }  # fmt: skip


def test_absent_without_a_parent_looks_where_the_objects_say(fake, apply):
    apply([config_map(), monitor()])
    del fake.store[("configmaps", "monitoring", "dataplatform-monitoring-demo")]
    assert apply([], state="absent")["removed"] == []
    assert apply([config_map(), monitor(), widget()], state="absent")["removed"] == [
        "ServiceMonitor monitoring/m", "ConfigMap monitoring/a",
    ]  # fmt: skip


def test_absent_with_keep_kinds_of_its_own(apply):
    apply([config_map(), secret()])
    assert apply([], state="absent", keep_kinds=["ConfigMap"])["removed"] == ["Secret monitoring/s"]


def test_an_empty_set_leaves_no_parent(fake, apply):
    assert apply([])["changed"] is False
    apply([config_map()])
    assert apply([], allow_removal=["a"])["removed"] == ["ConfigMap monitoring/a", PARENT]
    assert list(fake.store) == [("namespaces", "", "monitoring")]


def test_a_removal_that_fails_in_the_middle_tells_what_was_done(fake, apply):
    apply([config_map(), config_map("b"), monitor()])
    fake.refuse("DELETE", "/configmaps/b$", 500, "etcd is slow", dry=False)
    error = _refused(apply, [], state="absent")
    assert error.applied == ["ServiceMonitor monitoring/m (removal)", "ConfigMap monitoring/a (removal)"]
    assert error.not_applied == ["ConfigMap monitoring/b (removal)", f"{PARENT} (removal)"]
    fake.refusals.clear()
    assert apply([], state="absent")["removed"] == ["ConfigMap monitoring/b", PARENT]
