# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is refused before it is written, each with the corrected text; the plan's own Secret comes first."""

from __future__ import annotations

import base64
import copy
import json
import re

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _alertmanager_credentials,
    _alertmanager_refusals,
    _alertmanager_text,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_refusals import Place, examine

from tests.unit.alertmanager.samples import CANARY, PLAN, amtool_accepts, needs_amtool

PLACE = Place()
EMAIL = {"name": "email", "email_configs": [{"to": "a@example.com"}]}
PAGER = {"name": "pager", "pagerduty_configs": [{"routing_key_file": "/x"}]}
SOUND = {
    "route": {
        "receiver": "email",
        "group_by": ["alertname"],
        "routes": [
            {"matchers": ['severity="critical"'], "receiver": "pager", "continue": True},
            {"receiver": "email"},
        ],
    },
    "receivers": [EMAIL, PAGER],
}
SEVEN = {
    "secret_not_read",
    "literal_credential",
    "service_key_used",
    "deprecated_match",
    "template_label_empty",
    "critical_not_mailed",
    "continue_without_effect",
}


def causes(config, **more):
    return {item["code"]: item for item in examine(config, PLACE, **more).causes}


def changed(**parts):
    return {**copy.deepcopy(SOUND), **parts}


def pasted(fix: str) -> object:
    """The lines of a fix after its first, as YAML."""
    return yaml.safe_load(fix.partition("\n")[2].partition("\nand put")[0])


# --- the plan's Secret: seven of seven ---


def test_the_plans_secret_has_seven_faults_one_message_each():
    found = examine(PLAN, PLACE).causes
    assert len(found) == 7 and {item["code"] for item in found} == SEVEN


@pytest.mark.parametrize(
    ("code", "message", "fix"),
    [
        ("secret_not_read", "its name is alertmanager-config, not alertmanager-kube-prom", "  alertmanager.yaml: |"),
        (
            "literal_credential",
            "global.smtp_auth_password, receivers[team-slack].slack_configs[0].api_url",
            "smtp_auth_password_file: /etc/alertmanager/secrets/alertmanager-receivers/smtp_auth_password",
        ),
        (
            "service_key_used",
            "receivers[critical-pagerduty].pagerduty_configs[0].service_key",
            "routing_key_file: /etc/alertmanager/secrets/alertmanager-receivers/pagerduty_routing_key",
        ),
        ("deprecated_match", "route.routes[0].match, route.routes[1].match", '- severity="critical"'),
        (
            "template_label_empty",
            "severity at receivers[team-email].email_configs[0].headers.Subject",
            "Subject: '[{{ .GroupLabels.alertname }}] {{ .CommonLabels.severity }}'",
        ),
        ("critical_not_mailed", "goes to critical-pagerduty alone, never to team-email", "- receiver: team-email"),
        ("continue_without_effect", "route.routes[0] has continue: true, but no later", "- receiver: team-email"),
    ],
)
def test_each_fault_of_the_plan_names_its_place_and_the_corrected_text(code, message, fix):
    item = causes(PLAN)[code]
    assert message in item["message"] and fix in item["fix"]


def test_no_message_repeats_a_credential():
    found = examine(PLAN, PLACE)
    told = json.dumps([found.causes, found.corrected])
    assert CANARY in json.dumps(PLAN), "the canary is there to be leaked"
    assert CANARY not in told and base64.b64encode(CANARY.encode()).decode()[:12] not in told


def test_the_corrected_text_has_no_fault_left_and_mails_what_is_critical():
    corrected = examine(PLAN, PLACE).corrected
    assert examine(corrected, PLACE).causes == []
    assert corrected["route"]["routes"][0]["continue"] is True


@needs_amtool
def test_amtool_accepts_the_corrected_text():
    assert amtool_accepts(examine(PLAN, PLACE).corrected) == ""


def test_nothing_is_rewritten():
    before = copy.deepcopy(PLAN)
    examine(PLAN, PLACE)
    assert before == PLAN


def test_a_secret_with_encoded_data_is_read_too():
    text = PLAN["stringData"]["alertmanager.yml"]
    data = {"alertmanager.yml": base64.b64encode(text.encode()).decode(), "x.tmpl": "!"}
    encoded = {**PLAN, "stringData": None, "data": data}
    assert {item["code"] for item in examine(encoded, PLACE).causes} == SEVEN


def test_the_right_secret_is_not_refused():
    right = {
        **PLAN,
        "metadata": {"name": PLACE.secret},
        "stringData": {"alertmanager.yaml": _alertmanager_text.dump(SOUND)},
    }
    assert examine(right, PLACE).causes == []


# --- one by one ---


def test_a_sound_configuration_is_left_alone():
    assert examine(SOUND, PLACE) == ([], SOUND)
    assert examine(_alertmanager_text.dump(SOUND), PLACE).causes == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("- a", "is not a mapping"),
        (7, "is not a mapping"),
        ("a: b: c", "is no YAML"),
        ({"kind": "Secret", "stringData": {}}, "has no key alertmanager.yaml"),
        ({"receivers": []}, "route: there is none"),
        ({"route": {"receiver": "x"}, "receivers": [EMAIL]}, "receiver 'x' is not defined"),
        ({"route": {"receiver": "email", "reciever": "x"}, "receivers": [EMAIL]}, "'reciever' is no key of a route"),
    ],
)
def test_what_the_server_would_refuse(given, words):
    assert words in causes(given)["configuration_refused"]["message"]


@pytest.mark.parametrize(
    ("top", "integration", "place", "field"),
    [
        ({"smtp_auth_secret": "s"}, {}, "global.smtp_auth_secret", "smtp_auth_secret_file"),
        (
            {"http_config": {"basic_auth": {"password": "s"}}},
            {},
            "global.http_config.basic_auth.password",
            "password_file",
        ),
        ({}, {"pagerduty_configs": [{"routing_key": "s"}]}, "pagerduty_configs[0].routing_key", "routing_key_file"),
        (
            {},
            {"email_configs": [{"to": "a", "auth_password": "s"}]},
            "email_configs[0].auth_password",
            "auth_password_file",
        ),
        ({}, {"webhook_configs": [{"url": "http://u:s@x/"}]}, "webhook_configs[0].url", "url_file"),
        ({}, {"telegram_configs": [{"bot_token": "s"}]}, "telegram_configs[0].bot_token", "bot_token_file"),
        (
            {},
            {"webhook_configs": [{"url": "http://x/", "http_config": {"authorization": {"credentials": "s"}}}]},
            "webhook_configs[0].http_config.authorization.credentials",
            "credentials_file",
        ),
    ],
)
def test_credentials_in_clear(top, integration, place, field):
    config = changed(receivers=[EMAIL, PAGER, {"name": "x", **integration}], **{"global": top})
    item = causes(config)["literal_credential"]
    assert place in item["message"] and f"{field}: /etc/alertmanager/secrets/alertmanager-receivers/" in item["fix"]
    assert _alertmanager_credentials.literals(examine(config, PLACE).corrected) == []


def test_credentials_for_which_there_is_no_file():
    config = changed(
        receivers=[EMAIL, PAGER, {"name": "x", "sns_configs": [{"sigv4": {"secret_key": "s"}}]}],
        **{"global": {"http_config": {"proxy_url": "http://u:s@proxy/"}}},
    )
    fix = causes(config)["literal_credential"]["fix"]
    assert "name a profile or a role_arn" in fix and "take user and password out of the address" in fix


def test_two_credentials_of_one_kind_get_two_keys():
    slack = [{"api_url": "https://a"}, {"api_url": "https://b"}]
    config = changed(receivers=[EMAIL, PAGER, {"name": "x", "slack_configs": slack}])
    fix = causes(config)["literal_credential"]["fix"]
    keys = re.findall(r"api_url_file: \S+/(\S+)", fix)
    assert len(set(keys)) == 2


def test_an_address_that_is_no_credential_is_left_alone():
    config = changed(receivers=[EMAIL, PAGER, {"name": "x", "webhook_configs": [{"url": "http://heartbeat/"}]}])
    assert examine(config, PLACE).causes == []


def test_service_key_from_a_file_is_no_fault():
    pager = {"name": "pager", "pagerduty_configs": [{"service_key_file": "/x"}]}
    assert examine(changed(receivers=[EMAIL, pager]), PLACE).causes == []


def test_match_and_match_re_also_of_inhibition_rules():
    config = changed(
        inhibit_rules=[{"source_match": {"a": 1}, "target_match_re": {"b": 'x|"y'}, "target_matchers": ["c=d"]}]
    )
    item = causes(config)["deprecated_match"]
    assert "inhibit_rules[0].source_match, inhibit_rules[0].target_match_re" in item["message"]
    (rule,) = pasted(item["fix"])["inhibit_rules"]
    assert rule == {"source_matchers": ['a="1"'], "target_matchers": ["c=d", 'b=~"x|\\"y"']}


def test_a_label_of_the_group_in_a_template_file():
    found = causes(SOUND, templates={"a.tmpl": "{{ .GroupLabels.severity }} {{ .GroupLabels.alertname }}"})
    item = found["template_label_empty"]
    assert "severity at a.tmpl" in item["message"] and "alertname" not in item["message"]


def test_grouping_by_everything_has_every_label():
    config = changed()
    config["route"]["group_by"] = ["..."]
    email = {"name": "email", "email_configs": [{"to": "a", "headers": {"Subject": "{{ .GroupLabels.severity }}"}}]}
    assert examine({**config, "receivers": [email, PAGER]}, PLACE).causes == []


def test_a_mailbox_that_never_had_everything_is_not_asked_for():
    config = changed()
    config["route"] = {"receiver": "pager", "routes": [{"matchers": ["team=a"], "receiver": "email"}]}
    assert examine(config, PLACE).causes == []


def test_the_correction_of_critical_without_continue():
    config = changed()
    config["route"]["routes"] = [{"matchers": ['severity="critical"'], "receiver": "pager"}]
    found = examine(config, PLACE)
    assert [item["code"] for item in found.causes] == ["critical_not_mailed"]
    assert pasted(found.causes[0]["fix"]) == {
        "routes": [
            {"matchers": ['severity="critical"'], "receiver": "pager", "continue": True},
            {"receiver": "email"},
        ]
    }
    assert examine(found.corrected, PLACE).causes == []


def test_a_receiver_that_tells_nobody():
    config = changed(receivers=[EMAIL, PAGER, {"name": "nobody"}, {"name": "null"}])
    config["route"]["routes"] += [{"receiver": "nobody"}, {"receiver": "null"}]
    config["route"]["routes"][1]["continue"] = True
    config["route"]["routes"][2]["continue"] = True
    assert "Receiver nobody has no integration" in causes(config)["receiver_without_integration"]["message"]


def test_a_route_that_nothing_reaches_and_matchers_read_in_two_ways():
    config = changed()
    config["route"]["routes"] += [{"matchers": ["a=b"], "receiver": "email"}, {"matchers": ["c=~[0-9]{3}"]}]
    assert {"route_unreachable", "parsers_disagree"} <= set(causes(config))


def test_only_what_may_be_meant_can_be_accepted():
    assert not {"literal_credential", "secret_not_read", "configuration_refused"} & set(
        _alertmanager_refusals.ACCEPTABLE
    )


# --- what may be shown ---


def test_a_text_is_shown_without_its_credentials_and_reads_the_same():
    text = PLAN["stringData"]["alertmanager.yml"]
    shown = _alertmanager_text.shown(text)
    assert shown is not None and CANARY not in shown and shown.count("<hidden>") == 3
    assert yaml.safe_load(shown)["route"] == yaml.safe_load(text)["route"]


@pytest.mark.parametrize("text", ["a: b: c", "- x", "receivers: 7", "global: []\nreceivers: [x]"])
def test_a_text_that_cannot_be_understood_is_not_shown_or_harmless(text):
    assert CANARY not in (_alertmanager_text.shown(text) or "")


def test_the_same_data_gives_the_same_text_without_anchors():
    equal = ["a", "b"]
    text = _alertmanager_text.dump({"x": equal, "y": equal, "z": "null"})
    assert "&id" not in text and yaml.safe_load(text)["z"] == "null"
