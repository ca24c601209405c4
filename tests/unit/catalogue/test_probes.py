# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes: what is asked, by which module, by which prober; and nothing of it before there is one."""

from __future__ import annotations

import json
import shlex

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _catalogue_state,
    _expectations,
    _exporters,
    _monitors,
    _packs,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import Expectation

VAULT = {
    "name": "vault",
    "kind": "vault",
    "namespace": "vault",
    "endpoints": [{"port": "http", "path": "/v1/sys/metrics"}],
}
LABELS = {"app.kubernetes.io/name": "vault", "vault-internal": "true"}


@pytest.fixture
def world(kit):
    """Trino and Vault with the ports their probes want."""
    return kit.cluster(
        kit.service("data-platform", "trino", {"app": "trino"}, ("http", 8080), ("metrics", 9090)),
        kit.service("vault", "vault-internal", LABELS, ("http", 8200)),
    )


def entries(result):
    return {entry["name"]: entry for entry in result["entries"]}


def probes_of(result):
    return {one["metadata"]["name"]: one for one in _monitors.monitors(result) if one["kind"] == "Probe"}


def config_of(result):
    (found,) = [one for one in _exporters.exporter_objects(result, {}) if one["kind"] == "ConfigMap"]
    return json.loads(found["data"]["config.yml"])


def expected(result):
    return [one for one in _expectations.scrape_expectations(result) if one["kind"] == "probe"]


def remembered(result):
    return json.loads(_catalogue_state.decisions(result)["data"]["decisions.json"])


@pytest.mark.parametrize("exporters", [False, ["postgresql"]])
def test_day_1_knows_nothing_of_probes(kit, world, exporters):
    result = kit.resolve(kit.trino(), VAULT, cluster=world, exporters=exporters)
    assert list(entries(result)) == ["trino", "vault"]
    assert (result["prober"], probes_of(result), expected(result)) == (None, {}, [])
    assert _exporters.exporter_objects(result, {"kinds": ["postgresql"]}) == []


def test_day_2_deploys_one_prober_and_makes_the_probes(kit, world):
    result = kit.resolve(kit.trino(), VAULT, cluster=world, exporters=True)
    assert list(entries(result)) == ["trino", "vault", "blackbox"]
    assert result["prober"] == {
        "name": "blackbox",
        "namespace": "monitoring",
        "service": "blackbox-exporter",
        "url": "blackbox-exporter.monitoring.svc:9115",
        "deployed": True,
    }
    kinds = [(one["kind"], one["metadata"]["name"]) for one in _exporters.exporter_objects(result, {})]
    assert kinds == [(kind, "blackbox-exporter") for kind in ("ConfigMap", "Deployment", "Service", "NetworkPolicy")]
    assert set(probes_of(result)) == {"trino", "vault"}
    spec = probes_of(result)["vault"]["spec"]
    assert spec["prober"] == {"url": "blackbox-exporter.monitoring.svc:9115"}
    assert spec["targets"]["staticConfig"]["static"] == ["http://vault-internal.vault.svc:8200/v1/sys/health"]
    # the prober is monitored as every exporter is
    assert {"kind": "ServiceMonitor", "name": "blackbox"} in [
        {"kind": one["kind"], "name": one["metadata"]["name"]} for one in _monitors.monitors(result)
    ]


def test_the_prober_has_a_module_for_what_an_entry_accepts(kit, world):
    result = kit.resolve(kit.trino(), VAULT, cluster=world, exporters=True)
    modules = config_of(result)["modules"]
    assert set(modules) == {"http_2xx", "tcp_connect", "http_2xx.vault"}
    assert modules["http_2xx.vault"]["http"]["valid_status_codes"] == [200, 429, 472, 473]
    assert modules["http_2xx.vault"]["http"]["follow_redirects"] is False
    assert "valid_status_codes" not in modules["http_2xx"]["http"]
    assert probes_of(result)["vault"]["spec"]["module"] == "http_2xx.vault"
    assert probes_of(result)["trino"]["spec"]["module"] == "http_2xx"
    (container,) = deployment(result)["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["--config.file=/etc/exporter/config.yml"]
    assert container["volumeMounts"] == [{"name": "files", "mountPath": "/etc/exporter", "readOnly": True}]


def deployment(result):
    return next(one for one in _exporters.exporter_objects(result, {}) if one["kind"] == "Deployment")


def test_another_configuration_starts_the_prober_anew(kit, world):
    one = deployment(kit.resolve(kit.trino(), cluster=world, exporters=True))
    two = deployment(kit.resolve(kit.trino(), VAULT, cluster=world, exporters=True))
    same = deployment(kit.resolve(kit.trino(), cluster=world, exporters=True))
    assert one == same
    assert one["spec"]["template"]["metadata"]["annotations"] != two["spec"]["template"]["metadata"]["annotations"]


def test_what_is_expected_of_a_probe(kit, world):
    result = kit.resolve(kit.trino(), VAULT, cluster=world, exporters=True)
    assert [one["name"] for one in _expectations.scrape_expectations(result)] == [
        "trino", "trino-probe", "vault", "vault-probe", "blackbox",
    ]  # fmt: skip
    trino, vault = expected(result)
    assert vault["monitor"] == {"kind": "Probe", "namespace": "vault", "name": "vault"}
    assert (vault["job"], trino["min_targets"]) == ("vault-probe", 1)
    (health,) = vault["health"]
    assert (health["expr"], health["equals"]) == ("probe_success{$selector}", 1)
    assert health["means"] == (
        "http://vault-internal.vault.svc:8200/v1/sys/health answers with status 200, 429, 472 or 473"
    )
    words = shlex.split(health["fix"])
    assert words[:7] == ["kubectl", "-n", "monitoring", "exec", "deploy/blackbox-exporter", "--", "wget"]
    assert words[-1] == (
        "http://127.0.0.1:9115/probe?module=http_2xx.vault"
        "&target=http%3A%2F%2Fvault-internal.vault.svc%3A8200%2Fv1%2Fsys%2Fhealth&debug=true"
    )
    for number, one in enumerate(_expectations.scrape_expectations(result)):
        Expectation.parse(one, number)


def test_day_1_again_takes_nothing_of_day_2_away(kit, world):
    second = kit.resolve(kit.trino(), kit.postgresql(), cluster=world, exporters=True)
    again = kit.resolve(
        kit.trino(),
        kit.postgresql(),
        cluster={**world, "remembered": remembered(second)},
        exporters=["postgresql"],
    )
    assert probes_of(again) == probes_of(second)
    assert _exporters.exporter_objects(again, {"kinds": ["postgresql"]}) == _exporters.exporter_objects(second, {})


def test_a_prober_that_is_gone_stays_expected(kit, world):
    """verify.yml deploys nothing; what it reads is what was decided."""
    second = kit.resolve(kit.trino(), cluster=world, exporters=True)
    later = kit.resolve(kit.trino(), cluster={**world, "remembered": remembered(second)})
    assert [one["name"] for one in _expectations.scrape_expectations(later)] == ["trino", "trino-probe", "blackbox"]


def test_without_any_probe_there_is_no_prober(kit, world):
    result = kit.resolve(kit.trino(probe={"enabled": False}), cluster=world, exporters=True)
    assert (list(entries(result)), result["prober"]) == (["trino"], None)


def test_a_skipped_service_is_not_probed(kit, world):
    absent = {**VAULT, "name": "other", "selector": {"app": "none"}, "optional": True}
    result = kit.resolve(kit.trino(), absent, cluster=world, exporters=True)
    assert set(probes_of(result)) == {"trino"}
    assert [one["name"] for one in expected(result)] == ["trino-probe"]


def test_an_adopted_service_is_probed_too(kit, world):
    result = kit.resolve(kit.trino(adopt=True, endpoints=..., job="t"), cluster=world, exporters=True)
    assert set(probes_of(result)) == {"trino"}
    assert probes_of(result)["trino"]["metadata"]["namespace"] == "monitoring"
    assert expected(result)[0]["monitor"]["namespace"] == "monitoring"


def test_a_port_that_is_not_there_is_told(kit):
    cluster = kit.cluster(
        kit.service("data-platform", "trino", {"app": "trino"}, ("metrics", 9090)),
        kit.service("vault", "vault-internal", LABELS, ("http", 8200)),
    )
    result = kit.resolve(kit.trino(), VAULT, cluster=cluster, exporters=True)
    assert result["notes"] == [
        "trino: nothing is probed, for no selected Service has the port http (there are metrics): name it in "
        "probe.port or the whole address in probe.url, or write probe: {enabled: false}."
    ]
    assert set(probes_of(result)) == {"vault"}


def test_an_entry_of_ones_own_changes_the_prober(kit, world):
    mine = {
        "name": "blackbox",
        "kind": "blackbox",
        "exporter": {"files": {"config.yml": {"modules": {"ca": {"prober": "http", "timeout": "3s"}}}}},
        "severity": "warning",
    }
    packs = {"blackbox": {"exporter": {"image": {"tag": "v9"}}}}
    result = kit.resolve(mine, VAULT, cluster=world, exporters=True, packs=packs)
    assert list(entries(result)) == ["blackbox", "vault"]
    assert entries(result)["blackbox"]["severity"] == "warning"
    assert set(config_of(result)["modules"]) == {"http_2xx", "tcp_connect", "http_2xx.vault", "ca"}
    (container,) = deployment(result)["spec"]["template"]["spec"]["containers"]
    assert container["image"].endswith("blackbox-exporter:v9")


def test_a_prober_that_is_there_already_is_used(kit, world):
    world["services"].append(kit.service("monitoring", "bb", {"app": "bb"}, ("http", 9115)))
    mine = {"name": "prober", "kind": "blackbox", "selector": {"app": "bb"}, "endpoints": [{"port": "http"}]}
    result = kit.resolve(kit.trino(), VAULT, mine, cluster=world)
    assert result["prober"]["url"] == "bb.monitoring.svc:9115"
    assert _exporters.exporter_objects(result, {}) == []
    assert probes_of(result)["vault"]["spec"]["module"] == "http_2xx"
    assert result["notes"] == [
        "vault: probe.http means nothing to a prober that is not deployed here: name one of its modules in "
        "probe.module."
    ]
    assert (
        "kubectl get --raw '/api/v1/namespaces/monitoring/services/bb:9115/proxy/probe?"
        in (expected(result)[0]["health"][0]["fix"])
    )


def test_tcp_is_told_host_and_port(kit, world):
    result = kit.resolve(kit.trino(probe={"module": "tcp_connect", "port": 9090}), cluster=world, exporters=True)
    assert probes_of(result)["trino"]["spec"]["targets"]["staticConfig"]["static"] == ["trino.data-platform.svc:9090"]
    assert expected(result)[0]["health"][0]["means"] == "trino.data-platform.svc:9090 answers with a connection"


def test_an_address_of_ones_own_wins(kit, world):
    url = "https://trino.example.com/v1/info"
    result = kit.resolve(kit.trino(probe={"url": url, "interval": "1m"}), cluster=world, exporters=True)
    spec = probes_of(result)["trino"]["spec"]
    assert (spec["targets"]["staticConfig"]["static"], spec["interval"]) == ([url], "1m")


def test_without_kubernetes_there_are_none(kit):
    result = kit.resolve({"name": "trino", "kind": "trino"}, kubernetes=False, exporters=True)
    assert (result["prober"], expected(result)) == (None, [])


FAULTS = {
    "a module that the prober does not have": (
        {"probe": {"module": "http_2xy"}},
        "trino: probe.module: the prober has no module http_2xy; did you mean http_2xx?",
    ),
    "a key that would stop the prober": (
        {"probe": {"http": {"valid_status_code": [200]}}},
        "trino: probe.http.valid_status_code: unknown key; did you mean valid_status_codes?",
    ),
    "codes outside http": (
        {"probe": {"valid_status_codes": [200]}},
        "trino: probe.valid_status_codes: unknown key; write it inside probe: {http: {valid_status_codes: [...]}}.",
    ),
    "no status code": (
        {"probe": {"http": {"valid_status_codes": [20]}}},
        "trino: probe.http.valid_status_codes[0]: 20 is too small; status codes are 100 to 599.",
    ),
    "a login": (
        {"probe": {"http": {"basic_auth": {"username": "u", "password": "hunter2"}}}},
        "trino: probe.http.basic_auth: unknown key; name a path that needs no login: a probe's configuration is no "
        "place for credentials.",
    ),
    "a login in a header": (
        {"probe": {"http": {"headers": {"Authorization": "Bearer hunter2"}}}},
        "trino: probe.http.headers.Authorization: would be a credential in a ConfigMap; "
        "name a path that needs no login.",
    ),
    "the prober's name": (
        {"name": "blackbox"},
        "blackbox: name: is the name of the prober that is deployed here; choose another, or kind: blackbox.",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults(kit, case):
    change, sentence = FAULTS[case]
    found = kit.validate(kit.trino(**change))
    assert found == [sentence]
    assert "hunter2" not in " ".join(found)


def test_a_host_and_a_port_are_an_address(kit):
    assert kit.validate(kit.trino(probe={"module": "tcp_connect", "url": "broker.example.com:9092"})) == []


def test_every_probe_of_a_pack_names_a_module_that_is_there():
    packs = _packs.load()
    modules = packs.get("blackbox")["exporter"]["files"]["config.yml"]["modules"]
    asked = {kind: packs.get(kind).get("probe") for kind in packs.kinds() if packs.get(kind).get("probe")}
    assert {"trino", "superset", "datahub", "vault", "minio", "doris_fe", "doris_be"} <= set(asked)
    assert {probe.get("module", "http_2xx") for probe in asked.values()} <= set(modules)
