# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""applyset against a real kube-apiserver: its server-side apply, its refusals in its words, its permissions."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_settings import secret_command
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_model import ApplySetError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_spec import set_id
from ansible_collections.dataplatform.monitoring.plugins.module_utils._yaml import load_manifests

from tests.integration.apiserver import CRDS, ROOT
from tests.lab_fixture import BIN
from tests.unit.applyset.samples import config_map, crd, monitor, rule, secret, widget


def _space(name):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _in(namespace, obj, **metadata):
    return {**obj, "metadata": {**obj["metadata"], "namespace": namespace, **metadata}}


def _service(namespace, name="web", **spec):
    obj = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}}
    return {**obj, "spec": {"ports": [{"port": 80}], **spec}}


def _deployment(namespace, image="busybox", app="web"):
    pod = {"metadata": {"labels": {"app": app}}, "spec": {"containers": [{"name": "c", "image": image}]}}
    meta = {"name": "web", "namespace": namespace}
    spec = {"selector": {"matchLabels": {"app": app}}, "template": pod}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def _role(namespace):
    group = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    role = {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": "read:pods", "namespace": namespace}}
    ref = {"apiGroup": group, "kind": "Role", "name": "read:pods"}
    return [{**role, "rules": rules}, {**role, "kind": "RoleBinding", "roleRef": ref}]


def _everything(namespace):
    return [
        _space(namespace), *(_in(namespace, config_map(f"c{n}")) for n in range(12)), _in(namespace, secret()),
        _in(namespace, monitor()), _in(namespace, rule("r", "Down")), _service(namespace), _deployment(namespace),
        *_role(namespace),
    ]  # fmt: skip


def _refused(apply, objects, **options):
    with pytest.raises(ApplySetError) as caught:
        apply(objects, **options)
    return str(caught.value)


def test_from_nothing_to_all_and_a_second_run_changes_nothing(apply, namespace, apiserver):
    objects = _everything(namespace)
    foretold = apply(objects, check_mode=True)
    assert apiserver.kubectl("get", "namespace", namespace, check=False).returncode == 1
    done = apply(objects)
    assert (done["created"], done["diff"]) == (foretold["created"], foretold["diff"])
    assert len(done["created"]) == len(objects) + 1
    again = apply(objects)
    assert again["changed"] is False and again["diff"] == []


def test_a_run_that_changes_nothing_is_fast(apply, namespace):
    objects = _everything(namespace)
    apply(objects)
    begun = time.monotonic()
    apply(objects)
    # Far from what waiting for each object would take, also where the machine is busy.
    assert time.monotonic() - begun < 5.0


def test_defaults_that_the_server_fills_in_are_no_difference_but_a_field_is(apply, namespace):
    objects = [_space(namespace), _deployment(namespace), _service(namespace)]
    apply(objects)
    objects[1] = _deployment(namespace, image="busybox:2")
    result = apply(objects)
    assert result["updated"] == [f"Deployment {namespace}/web"]
    before, after = (yaml.safe_load(result["diff"][0][side]) for side in ("before", "after"))
    assert before["spec"]["template"]["spec"]["containers"][0]["image"] == "busybox"
    assert after["spec"]["template"]["spec"]["containers"][0]["image"] == "busybox:2"
    assert "managedFields" not in str(result["diff"]) and "creationTimestamp" not in str(after["metadata"])


def test_a_key_of_a_secret_can_be_removed_again(apply, namespace, apiserver):
    apply([_space(namespace), _in(namespace, secret(one="1111", two="2222"))])
    apply([_space(namespace), _in(namespace, secret(one="1111"))])
    data = apiserver.kubectl("get", "secret", "s", "-n", namespace, "-o", "jsonpath={.data}").stdout
    assert base64.b64encode(b"1111").decode() in data and "two" not in data


def test_refusals_of_the_real_server(apply, namespace, apiserver):
    apply([_space(namespace), _deployment(namespace), _in(namespace, config_map("fixed"))])
    apiserver.kubectl("patch", "configmap", "fixed", "-n", namespace, "-p", '{"immutable": true}')
    told = _refused(
        apply,
        [
            _space(namespace),
            _in(namespace, monitor("port", endpoints=[{"port": 8080}])),
            # Of two unknown fields in one object the server may name only one.
            _in(namespace, monitor("unknown", endpoints=[{"prot": "x"}])),
            _in(namespace, monitor("misspelt", selecter={})),
            _in(namespace, monitor("duration", endpoints=[{"port": "x", "interval": "30 s"}], selector={})),
            _service(namespace, ports=[{"port": 99999}]),
            _deployment(namespace, app="other"),
            _in(namespace, config_map("fixed", {"key": "new"})),
            _in("t-nowhere", config_map()),
            _in(namespace, widget()),
            {
                **_deployment(namespace),
                "apiVersion": "apps/v1beta1",
                "metadata": {"name": "old", "namespace": namespace},
            },
        ],
        prune=False,
    )
    for line in (
        f"ServiceMonitor {namespace}/port, spec.endpoints[0].port: expected string, got 8080. Give it the right type",
        f"ServiceMonitor {namespace}/unknown, spec.endpoints[0].prot: the kind has no such field. Remove it or correct "
        "the spelling; what exists: kubectl explain servicemonitor.spec.endpoints",
        f"ServiceMonitor {namespace}/misspelt, spec.selecter: the kind has no such field.",
        f'ServiceMonitor {namespace}/duration, spec.endpoints[0].interval: Invalid value: "30 s"',
        f"Service {namespace}/web, spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535",
        f"kubectl delete deployment.apps web -n {namespace}",
        f"kubectl delete configmap fixed -n {namespace}",
        "ConfigMap t-nowhere/a, metadata.namespace: namespace t-nowhere does not exist.",
        f"Widget {namespace}/w, kind: the cluster does not know Widget of example.com/v1 (no CRD).",
        "apiVersion: the cluster does not serve Deployment in apps/v1beta1. Use one of apps/v1.",
    ):
        assert line in told
    assert told.startswith("Nothing was changed, ")
    assert apiserver.kubectl("get", "servicemonitors", "-n", namespace, "-o", "name").stdout == ""


def test_what_a_bare_namespace_will_refuse_is_told_before_it_is_made(apply, namespace, apiserver):
    bad = [
        _in(namespace, monitor("port", endpoints=[{"port": 8080}])),
        _in(namespace, monitor("unknown", selecter={})),
        _service(namespace, ports=[{"port": 99999}]),
        _in(namespace, rule("r", "A"), name="x"),
    ]
    for check_mode in (True, False):
        told = _refused(apply, [_space(namespace), *bad], check_mode=check_mode)
        assert told.startswith("Nothing was changed, ")
        assert f"Service {namespace}/web, spec.ports[0].port: Invalid value: 99999: must be between" in told
        assert f"ServiceMonitor {namespace}/port, spec.endpoints[0].port: expected string, got 8080." in told
        assert "PrometheusRule" not in told
        assert f"ServiceMonitor {namespace}/unknown, spec.selecter: the kind has no such field." in told
    assert apiserver.kubectl("get", "namespace", namespace, check=False).returncode == 1


def test_warnings_of_the_real_server(apply, namespace):
    old = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "e", "namespace": namespace}}
    apply([_space(namespace), old])
    notes = apply([_space(namespace), {**old, "subsets": []}])["notes"]
    assert any(f"warns: Endpoints {namespace}/e: v1 Endpoints is deprecated in v1.33+" in note for note in notes)


def test_conflicts_name_field_and_manager(apply, namespace, apiserver):
    objects = [_space(namespace), _in(namespace, config_map())]
    apply(objects)
    edited = _in(namespace, config_map(data={"key": "edited"}))
    apiserver.kubectl("replace", "--field-manager=kubectl-edit", "-f", "-", stdin=edited)
    live = apiserver.kubectl("get", "configmap", "a", "-n", namespace, "-o", "jsonpath={.metadata.labels}").stdout
    assert "part-of" not in live  # replaced as a whole: the label that makes it ours is gone too
    apiserver.kubectl(
        "label", "configmap", "a", "-n", namespace, f"applyset.kubernetes.io/part-of={set_id('demo', namespace)}"
    )
    told = _refused(apply, objects, force_conflicts=False)
    assert f"ConfigMap {namespace}/a, data.key: the field belongs to the field manager 'kubectl-edit'." in told
    result = apply(objects)
    assert result["updated"] == [f"ConfigMap {namespace}/a"]
    assert f"ConfigMap {namespace}/a: takes fields back from kubectl-edit." in " ".join(result["notes"])
    assert apply(objects)["changed"] is False


def test_somebody_elses_object(apply, namespace, apiserver):
    apiserver.kubectl("create", "namespace", namespace)
    theirs = {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": namespace}
    apiserver.kubectl("create", "-f", "-", stdin=_in(namespace, config_map(annotations=theirs)))
    told = _refused(apply, [_in(namespace, config_map())])
    assert f"ConfigMap {namespace}/a: belongs to the Helm release {namespace}/web." in told
    assert "exists and was made by kubectl-create" in _refused(apply, [_space(namespace)])
    result = apply([_space(namespace), _in(namespace, config_map())], adopt_existing=True)
    assert len(result["updated"]) == 2
    assert apply([_space(namespace), _in(namespace, config_map())])["changed"] is False


def test_crds_of_the_same_set_are_waited_for(apply, namespace):
    group = f"{namespace}.example.com"
    kind = {**crd(group=group), "metadata": {"name": f"widgets.{group}"}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "size": {"type": "integer", "maximum": 5}}}}}}  # fmt: skip
    kind["spec"]["names"].update(singular="widget", listKind="WidgetList")
    kind["spec"]["versions"][0]["schema"] = schema
    good = {**_in(namespace, widget()), "apiVersion": f"{group}/v1"}
    bad = {**good, "spec": {"size": 9}}
    told = _refused(apply, [_space(namespace), kind, bad])
    assert "spec.size: Invalid value: 9: spec.size in body should be less than or equal to 5" in told
    assert told.startswith("Stopped in the middle: 3 done, 1 not.")
    assert apply([_space(namespace), kind, good])["created"] == [f"Widget {namespace}/w"]
    assert apply([_space(namespace), kind, good])["changed"] is False


def test_a_crd_of_800_kb_is_read_applied_and_not_shown_in_full(apply, namespace, apiserver):
    objects = [
        _space(namespace),
        *load_manifests((CRDS / "monitoring.coreos.com_alertmanagerconfigs.yaml").read_text()),
    ]
    done = apply(objects)
    assert [name for name in done["created"] if "CustomResourceDefinition" in name]
    assert len(str(done["diff"])) < 20_000
    begun = time.monotonic()
    assert apply(objects)["changed"] is False
    assert time.monotonic() - begun < 5
    assert (
        "part-of" in apiserver.kubectl("get", "crd", "alertmanagerconfigs.monitoring.coreos.com", "-o", "yaml").stdout
    )


def _properties(definition):
    return definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]


def test_an_older_definition_of_the_operator_is_upgraded(apply, namespace, apiserver):
    """As role prometheus_operator does it, over what Helm made; in a group of its own, for others need the real one."""
    (task,) = [
        task["dataplatform.monitoring.applyset"]
        for task in yaml.safe_load((ROOT / "roles/prometheus_operator/tasks/install.yml").read_text())
        if task["name"] == "Upgrade the custom resource definitions"
    ]
    options = {"prune": task["prune"], "adopt_existing": task["adopt_existing"]}
    group = f"{namespace}.example.com"
    text = (CRDS / "monitoring.coreos.com_servicemonitors.yaml").read_text()
    new, old = (load_manifests(text.replace("monitoring.coreos.com", group))[0] for _ in range(2))
    del _properties(old)["sampleLimit"]
    apiserver.kubectl("create", "namespace", namespace)
    apiserver.kubectl("create", "--field-manager=helm", "-f", "-", stdin=old)
    name = f"servicemonitors.{group}"
    apiserver.kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=30s")
    apiserver.kubectl("create", "-f", "-", stdin={**_in(namespace, monitor()), "apiVersion": f"{group}/v1"})

    foretold = apply([new], check_mode=True, **options)
    done = apply([new], **options)
    assert foretold["updated"] == done["updated"] == [f"CustomResourceDefinition {name}"]
    live = json.loads(apiserver.kubectl("get", "crd", name, "-o", "json").stdout)
    assert _properties(live) == _properties(new)
    assert apiserver.kubectl("get", name, "m", "-n", namespace).returncode == 0, "what there was stays"
    assert apply([new], **options)["changed"] is False


def test_prune_and_teardown(apply, namespace, apiserver):
    objects = _everything(namespace)
    apply(objects)
    apiserver.kubectl("create", "configmap", "theirs", "-n", namespace)
    left = [obj for obj in objects if obj["metadata"]["name"] not in ("c0", "c1")]
    assert apply(left)["removed"] == [f"ConfigMap {namespace}/c0", f"ConfigMap {namespace}/c1"]
    result = apply([], state="absent")
    assert set(result["kept"]) == {f"Namespace {namespace}", f"Secret {namespace}/s"}
    assert apply([], state="absent")["changed"] is False
    maps = apiserver.kubectl("get", "configmaps", "-n", namespace, "-o", "name").stdout.split()
    assert sorted(maps) == ["configmap/dataplatform-monitoring-demo", "configmap/theirs"]
    last = apply([], state="absent", allow_removal=["Secret/s", f"Namespace/{namespace}"])
    assert last["removed"][0] == f"Secret {namespace}/s"
    assert "deletionTimestamp" in apiserver.kubectl("get", "namespace", namespace, "-o", "yaml").stdout


def test_a_deployer_with_few_rights_is_told_which_are_missing(apply, namespace, apiserver):
    apiserver.kubectl("create", "namespace", namespace)
    role = ["create", "role", "r", "-n", namespace, "--verb=get,list,create,patch", "--resource=configmaps"]
    apiserver.kubectl(*role)
    apiserver.kubectl("create", "rolebinding", "r", "-n", namespace, "--role=r", "--user=deployer")
    objects = [_in(namespace, config_map(name)) for name in "abc"]
    assert apply(objects, token="deployer-token")["changed"]
    assert apply(objects, token="deployer-token")["changed"] is False
    told = _refused(apply, [*objects[:2], _in(namespace, secret())], token="deployer-token")
    assert (
        f"deployer may not list secrets in namespace {namespace}. Grant the verb, then check with: kubectl auth can-i"
        in told
    )
    assert f"deployer may not patch secrets in namespace {namespace}" in told
    assert f"deployer may not delete configmaps in namespace {namespace}" in told
    command = "kubectl auth can-i delete configmaps"
    assert f"{command} -n {namespace} --as=deployer" in told
    answer = apiserver.kubectl("auth", "can-i", "delete", "configmaps", "-n", namespace, "--as=deployer", check=False)
    assert answer.stdout.strip() == "no"


def test_kubectl_takes_the_set_for_what_it_is(apply, namespace, apiserver):
    apply([_space(namespace), _in(namespace, config_map())])
    parent = "configmap/dataplatform-monitoring-demo"
    done = apiserver.kubectl(
        "apply", "-n", namespace, "--prune", f"--applyset={parent}", "-f", "-", stdin=_in(namespace, config_map()),
        check=False, KUBECTL_APPLYSET="true",
    )  # fmt: skip
    # It accepts the identity and refuses for the one right reason: the set belongs to another tool.
    assert 'is managed by tooling "dataplatform.monitoring" instead of "kubectl"' in done.stderr
    selected = apiserver.kubectl(
        "get", "configmaps", "-A", "-l", f"applyset.kubernetes.io/part-of={set_id('demo', namespace)}"
    )
    assert selected.stdout.count("\n") == 2


def test_the_command_that_puts_a_credential_into_a_secret(apiserver, apply, namespace):
    """It takes the value from the terminal as it is, and leaves the other keys alone."""
    there = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": namespace}}
    apply([_space(namespace), {**there, "stringData": {"other": "kept"}}])
    value = 'a "quoted" \\ $value'
    command = secret_command(namespace, "keys", "slack_api_url")
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", command],
        input=f"{value}\n",
        env={**os.environ, "KUBECONFIG": str(apiserver.kubeconfig()), "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and value not in done.stdout, done.stderr
    data = apiserver.kube().get(f"/api/v1/namespaces/{namespace}/secrets/keys")["data"]
    found = {key: base64.b64decode(text).decode() for key, text in data.items()}
    assert found == {"other": "kept", "slack_api_url": value}
