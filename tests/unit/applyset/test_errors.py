# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API server's refusals, as it words them, become object, field, message and remedy."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_errors import (
    explain,
    kind_unknown,
    kubectl,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_objects import Key
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.applyset.samples import secret

MONITOR = Key("monitoring.coreos.com", "ServiceMonitor", "monitoring", "m")
MAP = Key("", "ConfigMap", "monitoring", "a")


def _status(message: str, **details):
    return {"kind": "Status", "message": message, "details": details}


def _text(key, status, body, **more):
    return "\n".join(problem.text() for problem in explain(key, status, body, **more))


@pytest.mark.parametrize(
    ("key", "status", "body", "told"),
    [
        (
            MONITOR, 403,
            _status('servicemonitors.monitoring.coreos.com "m" is forbidden: User "system:serviceaccount:ci:deployer" '
                    'cannot patch resource "servicemonitors" in API group "monitoring.coreos.com" in the namespace '
                    '"monitoring"'),
            "ServiceMonitor monitoring/m: system:serviceaccount:ci:deployer may not patch "
            "servicemonitors.monitoring.coreos.com in namespace monitoring. Grant the verb, then check with: kubectl "
            "auth can-i patch servicemonitors.monitoring.coreos.com -n monitoring "
            "--as=system:serviceaccount:ci:deployer",
        ),
        (
            Key("", "Namespace", "", "x"), 403,
            _status('namespaces is forbidden: User "bob" cannot create resource "namespaces" in API group "" at the '
                    'cluster scope'),
            "Namespace x: bob may not create namespaces. Grant the verb, then check with: kubectl auth can-i create "
            "namespaces --as=bob",
        ),
        (MAP, 401, _status("Unauthorized"), "Renew the credentials (K8S_AUTH_KUBECONFIG, K8S_AUTH_CONTEXT)."),
        (
            MAP, 409,
            _status("Apply failed with 1 conflict", causes=[
                {"reason": "FieldManagerConflict", "field": ".data.x",
                 "message": 'conflict with "kubectl-edit" using v1'}
            ]),
            "ConfigMap monitoring/a, data.x: the field belongs to the field manager 'kubectl-edit'. Set "
            "force_conflicts: true to take it over, or leave the field out.",
        ),
        (
            MONITOR, 500,
            _status("failed to create typed patch object (monitoring/m; monitoring.coreos.com/v1, "
                    "Kind=ServiceMonitor): errors:\n  "
                    ".spec.endpoints[0].port: expected string, got &value.valueUnstructured{Value:8080}\n  "
                    ".spec.foo: field not declared in schema"),
            "ServiceMonitor monitoring/m, spec.endpoints[0].port: expected string, got 8080. Give it the right type "
            "(quote a string).\nServiceMonitor monitoring/m, spec.foo: the kind has no such field. Remove it or "
            "correct the spelling; what exists: kubectl explain servicemonitor.spec",
        ),
        (
            MONITOR, 400,
            _status('ServiceMonitor in version "v1" cannot be handled: strict decoding error: '
                    'unknown field "spec.bar"'),
            "ServiceMonitor monitoring/m, spec.bar: the kind has no such field.",
        ),
        (
            MONITOR, 422,
            _status('ServiceMonitor "m" is invalid: spec.endpoints[0].interval: Invalid value: "30 s"', causes=[
                {"reason": "FieldValueInvalid", "message": 'Invalid value: "30 s": in body should match x',
                 "field": "spec.endpoints[0].interval"}
            ]),
            'ServiceMonitor monitoring/m, spec.endpoints[0].interval: Invalid value: "30 s": in body should match x. '
            "Correct this field.",
        ),
        (
            Key("apps", "Deployment", "monitoring", "d"), 422,
            _status('Deployment.apps "d" is invalid: spec.selector: Invalid value: {}: field is immutable', causes=[
                {"message": "Invalid value: {}: field is immutable", "field": "spec.selector"}
            ]),
            "Delete the object, then run again: kubectl delete deployment.apps d -n monitoring",
        ),
        (
            Key("apps", "StatefulSet", "monitoring", "d"), 422,
            _status('StatefulSet.apps "d" is invalid: spec: Forbidden: updates to statefulset spec for fields other '
                    "than 'replicas' are forbidden", causes=[{"message": "x", "field": "spec"}]),
            "The field cannot be changed in place.",
        ),
        (MAP, 404, _status('namespaces "x" not found', kind="namespaces", name="x"),
         "ConfigMap monitoring/a, metadata.namespace: namespace x does not exist. Create it: "
         "kubectl create namespace x"),
        (MONITOR, 404, _status("the server could not find the requested resource"),
         "Run the role prometheus_operator first"),
        (Key("rbac.authorization.k8s.io", "RoleBinding", "a", "b"), 404,
         _status('roles.rbac.authorization.k8s.io "r" not found', kind="roles", name="r"),
         'refers to something that does not exist: roles.rbac.authorization.k8s.io "r" not found'),
        (MAP, 403, _status('configmaps "a" is forbidden: unable to create new content in namespace monitoring because '
                           "it is being terminated"), "kubectl wait --for=delete namespace/monitoring"),
        (MAP, 403, _status('configmaps "a" is forbidden: exceeded quota: q, requested: configmaps=1'),
         "kubectl describe resourcequota -n monitoring"),
        (Key("", "Service", "a", "b"), 400,
         _status('Service in version "v1" cannot be handled as a Service: json: cannot unmarshal string into Go struct '
                 "field ServicePort.spec.ports.port of type int32"),
         "Service a/b, spec.ports.port: expected int32, got string. Give it the right type."),
        (MAP, 413, _status("Request entity too large: limit is 3145728"), "Split it into several objects."),
        (MAP, 422, _status('ConfigMap "a" is invalid: []: Too long: may not be more than 1048576 bytes'),
         "is too large"),
        (MAP, 500, _status('Internal error occurred: failed calling webhook "v.example.com": failed to call webhook: '
                           'Post "https://x.svc:443": dial tcp 10.0.0.1:443: connect: connection refused'),
         "the admission webhook v.example.com does not answer: failed to call webhook"),
        (MAP, 400, _status('admission webhook "v.example.com" denied the request: Rules are not valid'),
         "refused by the admission webhook v.example.com: Rules are not valid"),
        (MAP, 400, _status('admission webhook "v.example.com" does not support dry run'), "sideEffects: None"),
        (MAP, 503, _status("etcd is down"), "kubectl get --raw /readyz?verbose"),
        (MAP, 418, {}, "ConfigMap monitoring/a: HTTP 418 (418)"),
    ],
)  # fmt: skip
def test_each_refusal_has_a_remedy(key, status, body, told):
    assert told in _text(key, status, body)


def test_the_values_of_a_secret_are_cut_out_of_the_servers_sentence():
    obj = {**secret(), "data": {"password": "aHVudGVyMjI="}}
    body = _status('Secret "s" is invalid: data[password]: Invalid value: "aHVudGVyMjI=": no', causes=[
        {"message": 'Invalid value: "aHVudGVyMjI="', "field": "data[password]"}
    ])  # fmt: skip
    for status in (422, 400, 500):
        assert "aHVudGVyMjI" not in _text(Key("", "Secret", "monitoring", "s"), status, body, obj=obj)


@given(
    st.integers(400, 599),
    st.text(),
    st.lists(st.dictionaries(st.sampled_from(["field", "message", "reason"]), st.text())),
)
def test_whatever_the_server_says_something_is_told(status, message, causes):
    problems = explain(MAP, status, _status(message, causes=causes, kind="x", name="y"))
    assert problems and all(problem.message for problem in problems)


def test_a_kind_that_is_served_in_another_version_only():
    key = Key("apps", "Deployment", "a", "b")
    assert kind_unknown(key, "apps/v1beta1", ["apps/v1"]).text() == (
        "Deployment a/b, apiVersion: the cluster does not serve Deployment in apps/v1beta1. Use one of apps/v1."
    )
    assert "Install what brings the CRD of Foo.x.y first." in kind_unknown(Key("x.y", "Foo", "", "a"), "x.y/v1").text()


def test_command_lines():
    assert kubectl("get", MONITOR) == "kubectl get servicemonitor.monitoring.coreos.com m -n monitoring"
    assert kubectl("delete", Key("", "Namespace", "", "x")) == "kubectl delete namespace x"
