# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Products that the collection does not know, as docs/exporters.md shows them: data alone, from pack to verdict."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _expectations, _exporters, _monitors

BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


def blocks(kit):
    return [yaml.safe_load(found) for found in BLOCK.findall((kit.root / "docs" / "exporters.md").read_text())]


@pytest.fixture
def shown(kit):
    """The page's first example, and a cluster in which it works."""
    first = blocks(kit)[0]
    cluster = kit.cluster(
        kit.service("data-platform", "redis", {"app": "redis"}, ("redis", 6379)),
        kit.service("data-platform", "mongodb", {"app": "mongodb"}, ("mongodb", 27017)),
    )
    return first["monitoring_services"], first["catalogue_packs"], cluster


def test_every_example_of_the_page_is_valid(kit):
    found = blocks(kit)
    assert len(found) >= 4
    for block in found:
        packs = block.get("catalogue_packs")
        assert kit.validate(*block["monitoring_services"], packs=packs) == []


def test_objects_monitor_and_expectation_follow_from_data(kit, shown):
    services, packs, cluster = shown
    result = kit.resolve(*services, packs=packs, cluster=cluster, exporters=True)
    assert (result["faults"], result["notes"]) == ([], [])
    objects = _exporters.exporter_objects(result, {"resources": {"limits": {"memory": "64Mi"}}})
    assert [(one["kind"], one["metadata"]["name"]) for one in objects] == [
        (kind, f"{name}-exporter")
        for name in ("redis", "mongodb")
        for kind in ("Deployment", "Service", "NetworkPolicy")
    ]
    (container,) = objects[0]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "docker.io/oliver006/redis_exporter:v1.80.0"
    assert container["env"] == [
        {"name": "REDIS_ADDR", "value": "redis://redis.data-platform.svc:6379"},
        {"name": "REDIS_USER", "valueFrom": {"secretKeyRef": {"name": "redis-monitoring", "key": "username"}}},
        {"name": "REDIS_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "redis-monitoring", "key": "password"}}},
    ]
    (mongodb,) = objects[3]["spec"]["template"]["spec"]["containers"]
    assert mongodb["args"][0] == (
        "--mongodb.uri=mongodb://mongodb.data-platform.svc:27017/?authSource=admin&connectTimeoutMS=3000"
    )
    assert mongodb["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "mongodb-monitoring", "key": "user"}
    monitors = _monitors.monitors(result)
    assert [(one["kind"], one["metadata"]["name"]) for one in monitors] == [
        ("ServiceMonitor", "redis"),
        ("ServiceMonitor", "mongodb"),
    ]
    service = next(one for one in objects if one["kind"] == "Service")
    selector = monitors[0]["spec"]["selector"]["matchLabels"]
    assert selector.items() <= service["metadata"]["labels"].items()
    redis, _ = _expectations.scrape_expectations(result)
    assert redis["health"][0]["expr"] == 'redis_up{job="redis"}'
    assert redis["must_have"] == ["redis_connected_clients"]
    assert {secret["name"]: secret["keys"] for secret in _exporters.exporter_secrets(result, {})} == {
        "redis-monitoring": ["password", "username"],
        "mongodb-monitoring": ["password", "user"],
    }


def test_what_is_decided_is_told_with_the_reason(kit, shown):
    services, packs, cluster = shown
    cluster["services"] = cluster["services"][1:]
    result = kit.resolve(*services, kit.postgresql(), packs=packs, cluster=cluster, exporters=["mongodb", "redis"])
    assert _exporters.exporter_decisions(result, {}) == [
        "redis: skipped: optional, and there is no Service data-platform/redis.",
        "mongodb: mongodb-exporter is deployed, which asks mongodb.data-platform.svc.",
        "postgresql: pending: its exporter is not deployed yet; it comes with day 2 (role exporters).",
    ]
    here = kit.resolve(*services, packs=packs, cluster=shown[2] | {"services": None}, exporters=True)
    assert _exporters.exporter_decisions(here, {"kinds": ["mongodb"]}) == [
        "redis: present: its kind is not in exporters_kinds.",
        "mongodb: mongodb-exporter is deployed, which asks mongodb.data-platform.svc.",
    ]


def test_kafka_whose_exporter_cannot_be_had(kit):
    """The two ways of the page: the example's entry is skipped where nothing listens; one that runs is selected."""
    cluster = kit.cluster(
        kit.service("data-platform", "kafka-exporter", {"app": "kafka-exporter"}, ("metrics", 9308)),
    )
    example = next(entry for entry in kit.example() if entry["name"] == "kafka")
    skipped = kit.resolve(example, cluster=cluster, exporters=True)
    assert _exporters.exporter_objects(skipped, {}) == []
    assert _monitors.monitors(skipped) == []
    assert _exporters.exporter_decisions(skipped, {}) == [
        "kafka: skipped: optional, and there is no Service data-platform/kafka."
    ]
    (check,) = _expectations.scrape_expectations(skipped)
    assert (check["state"], check["reason"]) == (
        "skipped",
        "optional, and there is no Service data-platform/kafka",
    )
    stand_in = next(block["monitoring_services"] for block in blocks(kit) if "catalogue_packs" not in block)
    found = kit.resolve(*stand_in, cluster=cluster, exporters=True)
    assert _exporters.exporter_objects(found, {}) == []
    assert [one["metadata"]["name"] for one in _monitors.monitors(found)] == ["kafka"]
    assert _expectations.scrape_expectations(found)[0]["health"][0]["expr"] == 'max(kafka_brokers{job="kafka"})'
    adopted = kit.resolve({"name": "kafka", "kind": "kafka", "adopt": True}, cluster=cluster, exporters=True)
    assert (adopted["entries"][0]["state"], _monitors.monitors(adopted)) == ("adopted", [])


PACK = {
    "description": "x",
    "namespace": "$monitoring_namespace",
    "endpoints": [{"port": "metrics"}],
    "exporter": {
        "name": "x-exporter",
        "image": {"repository": "r.example/x", "tag": "v1"},
        "port": 9000,
        "settings": {"host": {"required": True}},
        "args": ["--ca=$credentials/ca.crt", "--queries=$files/queries.yml"],
        "credentials": {"env": {"X_USER": "username"}, "files": {"X_PASSWORD_FILE": "password", "X_CA": "ca.crt"}},
        "files": {"queries.yml": {"queries": [{"host": "$host"}]}, "plain.conf": "host = $host\n"},
    },
}
ENTRY = {"name": "x", "kind": "x", "exporter": {"host": "x.data.svc", "credentials_secret": "s"}}


def test_credentials_as_files_and_configuration(kit):
    result = kit.resolve(ENTRY, packs={"x": PACK}, exporters=True)
    config, deployment = _exporters.exporter_objects(result, {})[:2]
    assert config["data"]["plain.conf"] == "host = x.data.svc\n"
    assert json.loads(config["data"]["queries.yml"]) == {"queries": [{"host": "x.data.svc"}]}
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"] == ["--ca=/etc/exporter-credentials/ca.crt", "--queries=/etc/exporter/queries.yml"]
    assert {one["name"]: one.get("value") for one in container["env"]} == {
        "X_USER": None,
        "X_PASSWORD_FILE": "/etc/exporter-credentials/password",
        "X_CA": "/etc/exporter-credentials/ca.crt",
    }
    assert pod["volumes"] == [
        {"name": "files", "configMap": {"name": "x-exporter"}},
        {
            "name": "credentials",
            "secret": {
                "secretName": "s",
                "items": [{"key": "ca.crt", "path": "ca.crt"}, {"key": "password", "path": "password"}],
                "defaultMode": 0o440,
            },
        },
    ]
    assert pod["securityContext"]["fsGroup"] == 65534
    assert [mount["readOnly"] for mount in container["volumeMounts"]] == [True, True]
    assert _exporters.exporter_secrets(result, {})[0]["keys"] == ["ca.crt", "password", "username"]


def test_a_key_may_be_called_otherwise_in_a_file_too(kit):
    entry = {**ENTRY, "exporter": {**ENTRY["exporter"], "credentials_keys": {"password": "pw"}}}
    result = kit.resolve(entry, packs={"x": PACK}, exporters=True)
    assert "pw" in result["entries"][0]["exporter"]["secret_files"]


LEAKS = {
    "a password": ({"args": ["--redis.password=hunter2"]}, "exporter.args[0]: gives redis.password its value"),
    "a password, its value apart": (
        {"args": ["--password", "hunter2"]},
        "exporter.args[0]: gives password its value",
    ),
    "a key": ({"args": ["--es.apiKey=hunter2"]}, "exporter.args[0]: gives es.apiKey its value"),
    "an address with both": (
        {"args": ["--uri=mongodb://me:hunter2@db:27017"]},
        "exporter.args[0]: holds a user and a password",
    ),
    "an expansion": (
        {"args": ["--sasl.password=$(SASL_PASSWORD)"]},
        "exporter.args[0]: expands an environment variable into an argument",
    ),
    "a variable": ({"env": {"REDIS_PASSWORD": "hunter2"}}, "exporter.env.REDIS_PASSWORD: holds a credential"),
    "an address in a variable": (
        {"env": {"DATA_SOURCE": "mysql://me:hunter2@db"}},
        "exporter.env.DATA_SOURCE: holds a credential",
    ),
    "a folder in a file's name": ({"files": {"a/b": "x"}}, "exporter.files.a/b: is not a file's name"),
}


@pytest.mark.parametrize("case", LEAKS)
@pytest.mark.parametrize("place", ["entry", "pack"])
def test_credentials_outside_a_secret_are_refused(kit, case, place):
    change, words = LEAKS[case]
    pack, entry = PACK, ENTRY
    if place == "pack":
        pack = {**PACK, "exporter": {**PACK["exporter"], "args": [], "env": {}, **change}}
    else:
        entry = {**ENTRY, "exporter": {**ENTRY["exporter"], **change}}
    (found,) = kit.validate(entry, packs={"x": pack})
    assert found.startswith(f"{'pack x' if place == 'pack' else 'x'}: {words}; ")
    assert "hunter2" not in found


@pytest.mark.parametrize(
    "args",
    [
        ["--redis.password-file=$credentials/password"],
        ["--token-file=/etc/exporter-credentials/token"],
        ["--password.file=/x"],
        ["--collector.secrets", "--web.listen-address=:1"],
        ["--token=$credentials/token"],
    ],
)
def test_what_only_looks_like_one_is_taken(kit, args):
    entry = {**ENTRY, "exporter": {**ENTRY["exporter"], "args": args}}
    assert kit.validate(entry, packs={"x": PACK}) == []


def test_a_digest_pins_the_image(kit):
    digest = "sha256:" + "0" * 64
    entry = {**ENTRY, "exporter": {**ENTRY["exporter"], "image": {"digest": digest}}}
    result = kit.resolve(entry, packs={"x": PACK}, exporters=True)
    assert result["entries"][0]["exporter"]["image"] == f"r.example/x:v1@{digest}"
