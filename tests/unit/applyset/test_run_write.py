# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole run over real HTTP against a scripted API server: what is written, in which order, and what is refused."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_model import ApplySetError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError

from tests.unit.applyset.conftest import NAMESPACE
from tests.unit.applyset.samples import config_map, crd, monitor, secret, widget

PARENT = "ConfigMap monitoring/dataplatform-monitoring-demo"
MAPS = [config_map(name) for name in ("a", "b", "c", "d")]


def _refused(apply, objects, **options):
    with pytest.raises(ApplySetError) as caught:
        apply(objects, **options)
    return caught.value


# -- writing -------------------------------------------------------------------------------------------------------


def test_what_is_absent_is_created_and_a_second_run_changes_nothing(fake, apply):
    first = apply([config_map(), monitor(), secret()])
    assert first["changed"]
    assert first["created"] == ["Secret monitoring/s", PARENT, "ConfigMap monitoring/a", "ServiceMonitor monitoring/m"]
    assert [entry["before"] for entry in first["diff"]] == [""] * 4
    fake.calls.clear()
    second = apply([config_map(), monitor(), secret()])
    assert not second["changed"]
    assert second["diff"] == []
    assert second["unchanged"] == first["created"]
    assert fake.writes() == []


def test_a_run_that_changes_nothing_takes_one_list_per_kind_and_one_call_per_object(fake, apply):
    objects = [config_map(f"c{n}") for n in range(20)] + [secret(f"s{n}") for n in range(5)]
    apply(objects)
    fake.calls.clear()
    apply(objects)
    reads = [call for call in fake.calls if call.method == "GET"]
    assert len(reads) == 1 + 2  # the parent, ConfigMaps, Secrets
    assert len(fake.calls) == len(reads) + len(objects) + 1


def test_only_what_differs_is_written(fake, apply):
    apply(MAPS)
    fake.calls.clear()
    result = apply([*MAPS[:3], config_map("d", {"key": "new"})])
    assert result["updated"] == ["ConfigMap monitoring/d"]
    assert fake.writes() == ["PATCH /api/v1/namespaces/monitoring/configmaps/d"]
    assert [("key: value" in e["before"], "key: new" in e["after"]) for e in result["diff"]] == [(True, True)]


def test_a_field_that_is_not_asked_for_any_more_is_removed(fake, apply):
    apply([config_map(data={"a": "1", "b": "2"})])
    assert apply([config_map(data={"a": "1"})])["updated"] == ["ConfigMap monitoring/a"]
    assert fake.find("configmaps", "a", "monitoring")["data"] == {"a": "1"}


def test_a_hand_edit_is_set_back_and_told(fake, apply):
    apply([config_map()])
    live = fake.find("configmaps", "a", "monitoring")
    live["data"]["key"] = "edited"
    live["metadata"]["managedFields"].append(
        {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:data": {"f:key": {}}}}
    )
    result = apply([config_map()])
    assert result["updated"] == ["ConfigMap monitoring/a"]
    assert result["notes"] == ["ConfigMap monitoring/a: takes fields back from kubectl-edit."]
    live["data"]["key"] = "edited"
    live["metadata"]["managedFields"] = [
        {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:data": {"f:key": {}}}}
    ]
    fake.store[("configmaps", "monitoring", "a")] = live
    error = _refused(apply, [config_map()], force_conflicts=False)
    assert "data.key: the field belongs to the field manager 'kubectl-edit'" in str(error)


def test_check_mode_writes_nothing_and_tells_the_same(fake, apply):
    apply([config_map(), config_map("gone")])
    objects = [config_map(data={"key": "new"}), config_map("fresh")]
    fake.calls.clear()
    foretold = apply(objects, check_mode=True)
    assert fake.writes() == []
    done = apply(objects)
    keys = ("changed", "created", "updated", "removed", "unchanged", "kept", "diff", "notes")
    assert {key: foretold[key] for key in keys} == {key: done[key] for key in keys}
    assert foretold["msg"] == done["msg"] + " (check mode)"


def test_values_of_secrets_are_in_no_result(apply):
    apply([secret(password="hunter22-old")])
    result = apply([secret(password="hunter22-new", more="hunter22-more")])
    assert result["updated"] == ["Secret monitoring/s"]
    for text in ("hunter22", "aHVudGVyMjIt"):
        assert text not in str(result)


# -- refusing ------------------------------------------------------------------------------------------------------


def test_one_bad_object_and_nothing_is_written(fake, apply):
    fake.refuse("PATCH", "/configmaps/b$", 422, "no", details={"causes": [{"field": "data", "message": "bad"}]})
    fake.refuse("PATCH", "/configmaps/d$", 403, 'User "u" cannot patch resource "configmaps" in API group ""')
    error = _refused(apply, MAPS)
    assert [problem.object for problem in error.problems] == ["ConfigMap monitoring/b", "ConfigMap monitoring/d"]
    assert str(error).startswith("Nothing was changed, 2 problems. ConfigMap monitoring/b, data: bad.")
    assert error.applied == [] and fake.writes() == []


def test_local_faults_are_told_without_asking_the_cluster(fake, apply):
    _refused(apply, [config_map(name="X")])
    assert fake.calls == []


def test_an_unknown_kind_and_an_absent_namespace(apply, fake):
    error = _refused(apply, [widget(), config_map(namespace="nowhere")])
    assert "the cluster does not know Widget of example.com/v1 (no CRD)" in str(error)
    assert "namespace nowhere does not exist. Create it: kubectl create namespace nowhere" in str(error)
    assert fake.writes() == []


def test_somebody_elses_object_is_left_alone_unless_it_is_adopted(fake, apply):
    fake.add(config_map(), manager="helm")
    error = _refused(apply, [config_map()])
    assert "ConfigMap monitoring/a: exists and was made by helm (2026-01-02)" in str(error)
    assert fake.writes() == []
    result = apply([config_map()], adopt_existing=True)
    assert result["updated"] == ["ConfigMap monitoring/a"]
    assert apply([config_map()])["changed"] is False


def test_an_object_of_another_set_is_left_alone(apply):
    apply([config_map()], name="first")
    assert "belongs to another ApplySet" in str(_refused(apply, [config_map()], name="second"))


def test_a_parent_of_another_tool_is_left_alone(fake, apply):
    notes = {"applyset.kubernetes.io/tooling": "kubectl/v1.36"}
    fake.add(config_map("dataplatform-monitoring-demo", annotations=notes))
    assert "this ApplySet is managed by kubectl" in str(_refused(apply, [config_map()]))


def test_the_parent_cannot_be_a_member(apply):
    assert "is the set's own parent" in str(_refused(apply, [config_map("dataplatform-monitoring-demo")]))


def test_an_object_that_is_being_deleted_is_waited_for_by_the_user(fake, apply):
    apply([config_map()])
    meta = fake.find("configmaps", "a", "monitoring")["metadata"]
    meta.update(deletionTimestamp="2026-01-02T03:04:05Z", finalizers=["example.com/hold"])
    assert "is being deleted since 2026-01-02T03:04:05Z (finalizers: example.com/hold)" in str(
        _refused(apply, [config_map()])
    )
    assert apply([config_map("b")])["notes"] == [
        "ConfigMap monitoring/a is still being deleted (finalizers: example.com/hold)."
    ]


def test_a_failure_in_the_middle_tells_what_was_done_and_a_rerun_converges(fake, apply):
    fake.refuse("PATCH", "/configmaps/c$", 500, "etcd is slow", dry=False)
    error = _refused(apply, MAPS)
    assert error.applied == [PARENT, "ConfigMap monitoring/a", "ConfigMap monitoring/b"]
    assert error.not_applied == ["ConfigMap monitoring/c", "ConfigMap monitoring/d"]
    assert str(error).startswith(
        "Stopped in the middle: 3 done, 2 not. ConfigMap monitoring/c: the API server could not"
    )
    fake.refusals.clear()
    again = apply(MAPS)
    assert again["created"] == ["ConfigMap monitoring/c", "ConfigMap monitoring/d"]
    assert apply(MAPS)["changed"] is False


def test_a_connection_that_breaks_in_the_middle_tells_what_was_done(fake, apply):
    fake.refuse("PATCH", "/configmaps/b$", 0, "hung up", dry=False)
    error = _refused(apply, MAPS)
    assert error.applied == [PARENT, "ConfigMap monitoring/a"]
    assert error.not_applied == ["ConfigMap monitoring/b", "ConfigMap monitoring/c", "ConfigMap monitoring/d"]
    assert "cannot be reached" in str(error) and "Whether the last write arrived is not known" in str(error)


def test_a_refusal_of_the_very_first_write_is_told_as_such(fake, apply):
    fake.refuse("PATCH", "/configmaps/dataplatform", 500, "etcd is slow", dry=False)
    error = _refused(apply, [config_map()])
    assert str(error).startswith("Stopped in the middle: 0 done, 2 not.")
    assert "Done: nothing." in str(error)


def test_warnings_of_the_server_are_passed_on(fake, apply):
    fake.warning = '299 - "v1 Thing is deprecated; use \\"Other\\"", 299 - "second"'
    notes = apply([config_map()], check_mode=True)["notes"]
    assert 'The API server warns: ConfigMap monitoring/a: v1 Thing is deprecated; use \\"Other\\".' in notes
    assert "The API server warns: ConfigMap monitoring/a: second." in notes


def test_an_outage_of_discovery_does_not_forget_members(fake, apply):
    apply([config_map(), monitor()])
    fake.refuse("GET", "^/apis/monitoring.coreos.com$", 503, "unavailable")
    assert "the API server could not answer (503): unavailable" in str(_refused(apply, [config_map()]))


def test_an_answer_that_is_no_json(fake, apply):
    fake.raw = b"<html>a proxy's login page</html>"
    with pytest.raises(ApiError, match="did not answer JSON: <html>a proxy's login page"):
        apply([config_map()])


def test_a_busy_server_gets_patience(fake, apply):
    busy = iter([True, True])

    class Once:
        def search(self, _path):
            return next(busy, None)

    fake.refuse("PATCH", "x", 429, "too many requests", details={"retryAfterSeconds": 1})
    method, _path, dry, refusal = fake.refusals.pop()
    fake.refusals.append((method, Once(), dry, refusal))
    assert apply([config_map()])["changed"]


# -- what the set brings itself ------------------------------------------------------------------------------------


def test_a_bare_cluster_gets_namespaces_first_then_crds_then_the_rest(fake, apply):
    fake.store.clear()
    objects = [widget(), config_map(), crd(), NAMESPACE]
    foretold = apply(objects, check_mode=True)
    assert "2 objects could be checked in part only: " in str(foretold["notes"])
    assert fake.writes() == []
    done = apply(objects)
    assert done["created"] == foretold["created"]
    assert done["diff"] == foretold["diff"]
    assert fake.writes() == [
        "PATCH /api/v1/namespaces/monitoring",
        "PATCH /api/v1/namespaces/monitoring/configmaps/dataplatform-monitoring-demo",
        "PATCH /apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com",
        "PATCH /api/v1/namespaces/monitoring/configmaps/a",
        "PATCH /apis/example.com/v1/namespaces/monitoring/widgets/w",
    ]
    assert apply(objects)["changed"] is False


def test_what_had_to_wait_is_tried_before_the_rest_is_written(fake, apply):
    fake.refuse("PATCH", "/widgets/w$", 422, "bad", details={"causes": [{"field": "spec.size", "message": "too big"}]})
    error = _refused(apply, [crd(), widget(), config_map()])
    assert "Widget monitoring/w, spec.size: too big" in str(error)
    assert error.applied == [PARENT, "CustomResourceDefinition widgets.example.com"]
    assert "ConfigMap monitoring/a" in error.not_applied


def test_check_mode_bears_what_another_role_brings(fake, apply):
    fake.store.clear()
    result = apply([widget(), config_map()], check_mode=True)
    assert result["created"] == [PARENT, "ConfigMap monitoring/a", "Widget monitoring/w"]
    assert "namespace monitoring does not exist; the cluster does not know Widget" in result["notes"][0]


def test_a_crd_that_is_never_established(fake, apply):
    apply([config_map()])
    fake.refuse("GET", "/customresourcedefinitions/widgets", 404, "not found", details={"name": "widgets"})
    error = _refused(apply, [config_map(), crd(), widget()])
    assert "is not established: not within 60 s. See why: kubectl describe crd widgets.example.com" in str(error)


def test_a_namespaced_kind_of_the_set_needs_its_namespace(apply):
    assert "there is no default" in str(_refused(apply, [crd(), widget(namespace=None)]))
    assert "belongs to no namespace" in str(_refused(apply, [crd(scope="Cluster"), widget()]))


def test_a_binding_may_come_with_its_role(fake, apply):
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "r", "namespace": "monitoring"},
    }
    binding = {**role, "kind": "RoleBinding"}
    details = {"kind": "roles", "group": "rbac.authorization.k8s.io", "name": "r"}
    fake.refuse("PATCH", "/rolebindings/r$", 404, 'roles "r" not found', dry=True, details=details)
    assert apply([binding, role])["created"][-3:-1] == ["Role monitoring/r", "RoleBinding monitoring/r"]
