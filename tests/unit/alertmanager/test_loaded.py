# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether what runs is what was written: the operator's additions aside, on every replica, in one cluster."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _alertmanager_config, _alertmanager_loaded
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_settings import Settings
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_source import Loaded
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_text import dump
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_yaml import load

WANTED = _alertmanager_config.build(Settings.of({"keys": None}))
THEIRS = "team-x/cfg/chat"


def generated(**parts):
    """As the operator writes it: everything as text, an AlertmanagerConfig's route first."""
    return {**load(dump(WANTED)), **parts}


def with_additions():
    config = generated()
    route = {"receiver": THEIRS, "matchers": ['namespace="team-x"'], "continue": "true"}
    config["route"] = {**config["route"], "routes": [route, *config["route"]["routes"]]}
    config["receivers"] = [*config["receivers"], {"name": THEIRS}]
    config["inhibit_rules"] = [*config["inhibit_rules"], {"source_matchers": ["a=b"], "target_matchers": ["c=d"]}]
    config["time_intervals"] = [{"name": "team-x/cfg/night"}]
    return config


def test_what_was_written_is_found_again_as_text():
    assert _alertmanager_loaded.not_as_wanted(WANTED, generated()) == ([], [])


def test_what_alertmanagerconfigs_add_is_told_and_left_out():
    assert _alertmanager_loaded.not_as_wanted(WANTED, with_additions()) == ([], ["team-x/cfg"])
    check = _alertmanager_loaded.generated_check(WANTED, Loaded(with_additions(), "Secret x", True), None)
    assert check["status"] == "ok" and "team-x/cfg adds routes before ours" in check["notes"][0]


def test_other_writings_of_the_same_are_the_same():
    config = generated()
    config["route"]["group_interval"] = "300s"
    config["route"]["routes"][1]["matchers"] = ["alertname=InfoInhibitor"]
    config["global"]["smtp_auth_password_file"] = "<secret>"
    config["receivers"][0]["email_configs"][0]["headers"] = {
        "subject": config["receivers"][0]["email_configs"][0]["headers"]["Subject"]
    }
    assert _alertmanager_loaded.not_as_wanted(WANTED, config)[0] == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["route"].update(group_wait="31s"), "route.group_wait: 30s wanted, 31s there"),
        (lambda c: c["route"]["routes"].pop(), "route.routes: 5 wanted, 4 there"),
        (lambda c: c["route"]["routes"][2].update(matchers=["a=b"]), "route.routes[2].matchers"),
        (lambda c: c["route"]["routes"][2].pop("continue"), "continue: true wanted, nothing there"),
        (lambda c: c["receivers"][0]["email_configs"][0].update(to="x"), "receivers[email].email_configs[0].to"),
        (lambda c: c.pop("inhibit_rules"), "inhibit_rules: 4 wanted, 0 there"),
        (lambda c: c["global"].pop("smtp_from"), "global.smtp_from: alertmanager@254carbon.com wanted, nothing there"),
    ],
)
def test_what_is_not_as_written_is_named(change, words):
    config = copy.deepcopy(generated())
    change(config)
    found, _added = _alertmanager_loaded.not_as_wanted(WANTED, config)
    assert any(words in place for place in found), found


def test_the_operators_refusal_comes_first_in_its_own_words():
    config = generated(route={"receiver": "email"})
    condition = {"status": "False", "message": "provision alertmanager configuration: unknown field"}
    check = _alertmanager_loaded.generated_check(WANTED, Loaded(config, "Secret x", True), condition)
    assert check["cause"]["code"] == "operator_refuses_configuration" and "unknown field" in check["cause"]["message"]
    assert [item["code"] for item in check["other_causes"]] == ["configuration_not_generated"]
    assert not _alertmanager_loaded.rejected({"status": "True"})


class Peer:
    """Answers as one replica."""

    def __init__(self, label, peers, status="ready"):
        self.label = label
        self._cluster = {"status": status, "peers": [{"name": str(n)} for n in range(peers)]}

    def get_json(self, path):
        assert path == "/api/v2/status"
        return {"cluster": self._cluster}


def test_replicas_that_see_each_other():
    assert _alertmanager_loaded.cluster_check([Peer("a", 2), Peer("b", 2)])["status"] == "ok"
    assert _alertmanager_loaded.cluster_check([Peer("a", 1)]) is None


@pytest.mark.parametrize(
    ("peers", "replicas", "words"),
    [
        ([Peer("a", 1), Peer("b", 1)], None, "a sees 1 of 2 replicas"),
        ([Peer("a", 0, "disabled"), Peer("b", 2)], None, "a runs without a cluster"),
        ([Peer("a", 2), Peer("b", 2)], 3, "a sees 2 of 3 replicas"),
        ([Peer("a", 3), Peer("b", 3)], 3, "2 of 3 replicas are ready"),
    ],
)
def test_replicas_that_do_not(peers, replicas, words):
    check = _alertmanager_loaded.cluster_check(peers, replicas)
    assert check["status"] == "failed" and check["cause"]["code"] == "replicas_apart"
    assert words in check["cause"]["message"]
