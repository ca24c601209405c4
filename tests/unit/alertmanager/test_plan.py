# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What role alertmanager knows before it writes: the Secret, what is refused, what is told."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.filter.alertmanager import FilterModule
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _preflight
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_plan import plan

from tests.unit.alertmanager.samples import CANARY, PLAN

KEYS = ["smtp_auth_password", "pagerduty_routing_key", "slack_api_url", "heartbeat_url"]
NAME = "kube-prometheus-stack-alertmanager"
LIVE = {"spec": {"secrets": ["alertmanager-receivers"], "externalUrl": "https://alertmanager.example"}}
NATIVE = {
    "route": {"receiver": "email"},
    "receivers": [{"name": "email", "email_configs": [{"to": "a@example.com"}]}],
}


def made(live=LIVE, accept=(), expectations=(), **settings):
    return plan({"keys": KEYS, **settings}, None, live, NAME, accept, expectations)


def codes(found):
    return [item["code"] for item in found["refusals"]]


def test_the_secret_is_the_one_that_the_operator_reads():
    found = made(templates={"a.tmpl": "x"})
    secret, remembered = found["objects"]
    assert json.loads(remembered["data"]["keys.json"]) == sorted(KEYS)
    assert secret["metadata"]["name"] == f"alertmanager-{NAME}"
    assert yaml.safe_load(secret["stringData"]["alertmanager.yaml"]) == found["config"]
    (file,) = set(secret["stringData"]) - {"alertmanager.yaml"}
    assert found["config"]["templates"] == [f"/etc/alertmanager/config/{file}"]
    assert (found["refusals"], found["notes"]) == ([], [])


def test_a_config_secret_of_another_name_is_followed():
    found = made({"spec": {**LIVE["spec"], "configSecret": "own"}})
    assert found["secret"] == "own" and found["objects"][0]["metadata"]["name"] == "own"


def test_an_alertmanager_that_reads_no_secret_is_refused():
    found = made({"spec": {**LIVE["spec"], "alertmanagerConfiguration": {"name": "global"}}})
    assert codes(found) == ["secret_not_read"] and "AlertmanagerConfig global" in found["refusals"][0]["message"]


def test_credentials_that_are_not_mounted_are_refused():
    found = made({"spec": {"externalUrl": "https://x", "secrets": ["other"]}})
    assert codes(found) == ["secret_not_mounted"] and "it mounts other" in found["refusals"][0]["message"]


def test_before_day_1_there_is_nothing_to_look_at():
    assert made(None)["refusals"] == [] and made(None)["notes"] == []


def test_links_that_lead_nowhere_and_a_paused_object_are_told():
    found = made({"spec": {"secrets": ["alertmanager-receivers"], "paused": True}})
    assert any("external_url" in note for note in found["notes"]) and any("paused" in note for note in found["notes"])


def test_a_password_that_is_not_there_is_refused_with_both_ways_out():
    found = made(keys=["slack_api_url"])
    assert codes(found) == ["credential_missing"]
    fix = found["refusals"][0]["fix"]
    assert "alertmanager_email_auth_username: ''" in fix and "kubectl -n monitoring patch secret" in fix


@pytest.mark.parametrize("name", ["pagerduty", "slack", "heartbeat"])
def test_a_required_receiver_without_its_key_is_refused(name):
    found = made(keys=["smtp_auth_password"], required_receivers=["email", name])
    assert (
        codes(found) == ["credential_missing"] and f"has {name}, and it is not there" in found["refusals"][0]["message"]
    )


def test_email_that_is_required_and_switched_off():
    found = made(email_to="")
    assert "alertmanager_email_to is empty" in found["refusals"][0]["message"]


def test_a_key_that_a_team_names_must_be_there():
    found = made(teams={"a": {"pagerduty": "pd_a", "slack": {"channel": "#a", "key": "slack_a"}}})
    assert [item["message"].split(" has no key ")[1].split(",")[0] for item in found["refusals"]] == ["pd_a", "slack_a"]


def test_keys_that_may_not_be_read_are_taken_to_be_there():
    found = made(keys=None, required_receivers=["email", "pagerduty", "slack", "heartbeat"])
    assert len(found["objects"]) == 1, "what is not known is not remembered"
    assert found["refusals"] == [] and any("could not be read" in note for note in found["notes"])
    assert next(x for x in found["expectations"] if x["name"] == "heartbeat")["receivers"] == ["heartbeat"]


def test_the_plans_secret_as_a_native_configuration_is_refused_seven_times():
    found = made(config=PLAN)
    assert len(found["refusals"]) == 7
    told = _preflight.alertmanager({"causes": found["refusals"]})
    assert len(told) == 7 and CANARY not in json.dumps(found), "facts are shown by a verbose play"


def test_what_is_meant_is_accepted_by_its_code_and_told():
    config = {**NATIVE, "route": {"receiver": "email", "routes": [{"matchers": ["a=b"], "continue": True}]}}
    assert codes(made(config=config)) == ["continue_without_effect"]
    found = made(config=config, accept=["continue_without_effect"])
    assert found["refusals"] == [] and any(note.startswith("accepted: ") for note in found["notes"])


def test_credentials_in_clear_are_never_accepted():
    config = {**NATIVE, "global": {"smtp_auth_password": CANARY}}
    found = made(config=config, accept=["literal_credential"])
    assert codes(found) == ["literal_credential", "configuration_refused"]


def test_a_native_configuration_without_expectations_is_told():
    assert any("alertmanager_routing_expectations" in note for note in made(config=NATIVE)["notes"])
    own = {"labels": {}, "receivers": ["email"]}
    found = made(config=NATIVE, expectations=[own])
    assert found["expectations"] == [own] and found["notes"] == []


def test_service_key_from_a_file_is_told():
    receivers = [*NATIVE["receivers"], {"name": "p", "pagerduty_configs": [{"service_key_file": "/x"}]}]
    assert any("service_key_file" in note for note in made(config={**NATIVE, "receivers": receivers})["notes"])


def test_wrong_settings_end_in_one_refusal():
    found = made(group_wait="soon")
    assert codes(found) == ["configuration_refused"] and found["objects"] == []


def test_misspelt_variables_are_refused():
    told = _preflight.alertmanager({"given": ["alertmanager_emial_to"], "known": ["alertmanager_email_to"]})
    assert told == ["alertmanager_emial_to is no variable of this role. Did you mean alertmanager_email_to?"]


def test_the_filters_are_the_functions():
    filters = FilterModule().filters()
    assert filters["alertmanager_config"]({"keys": KEYS}) == made()["config"]
    assert filters["routing_expectations"]({"keys": KEYS}, None, [{"labels": {}}])[-1] == {"labels": {}}
    assert filters["alertmanager_plan"]({"keys": KEYS}, alertmanager=LIVE)["refusals"] == []
