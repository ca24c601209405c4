# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration that short settings mean: who is told, how, and that the server accepts it whatever they are."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _alertmanager_config,
    _alertmanager_expectations,
    _alertmanager_refusals,
    _catalogue_resolve,
    _inhibition,
    _packs,
    _routing_checks,
    _rules,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_settings import (
    INHIBITIONS,
    Settings,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError
from ansible_collections.dataplatform.monitoring.plugins.modules import verify_alert_routing
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.promtool import generate
from tests.unit.alertmanager.samples import amtool_accepts, needs_amtool

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
ALL_KEYS = ["smtp_auth_password", "pagerduty_routing_key", "slack_api_url", "heartbeat_url"]
CATALOGUE = {
    "cluster": "prod",
    "entries": [
        {"name": "trino", "team": "analytics", "state": "present"},
        {"name": "minio", "team": "platform", "state": "present"},
        {"name": "doris-fe", "team": "gone", "state": "skipped"},
    ],
}


def built(**given_settings):
    return _alertmanager_config.build(Settings.of({"keys": ALL_KEYS, **given_settings}))


def receivers(config, **labels):
    tree = _routing_checks.Configuration.of(config)
    return [route.receiver for route in _routing_checks.routes_of({"labels": labels}, tree)[1]]


def judged(made, config, catalogue=None):
    tree = _routing_checks.Configuration.of(config)
    items = _alertmanager_expectations.routing_expectations(made, catalogue)
    assert _routing_checks.validate(items) == []
    return items, {item["name"]: _routing_checks.judge(item, tree, NOW) for item in items}


def test_what_is_critical_pages_and_mails():
    assert receivers(built(), alertname="ServiceDown", severity="critical") == ["pagerduty", "email"]


def test_a_warning_goes_to_slack_and_is_mailed():
    assert receivers(built(), alertname="HighCPUUsage", severity="warning") == ["slack", "email"]


@pytest.mark.parametrize("labels", [{"severity": "info"}, {}, {"severity": "page"}])
def test_everything_is_mailed(labels):
    assert receivers(built(), alertname="Any", **labels) == ["email"]


def test_the_numbers_of_the_plan_are_the_defaults():
    config = built()
    route = {key: value for key, value in config["route"].items() if key not in ("routes", "receiver")}
    assert route == {
        "group_by": ["alertname", "cluster", "service"],
        "group_wait": "30s",
        "group_interval": "5m",
        "repeat_interval": "12h",
    }
    top = config["global"]
    assert (top["resolve_timeout"], top["smtp_smarthost"]) == ("5m", "smtp.gmail.com:587")
    assert (top["smtp_from"], top["smtp_auth_username"]) == ("alertmanager@254carbon.com", "alerts@254carbon.com")
    by_name = {item["name"]: item for item in config["receivers"]}
    assert by_name["email"]["email_configs"][0]["to"] == "ops@254carbon.com"
    assert by_name["slack"]["slack_configs"][0]["channel"] == "#ops-alerts"


def test_every_credential_is_a_file_of_the_mounted_secret():
    config = built()
    folder = "/etc/alertmanager/secrets/alertmanager-receivers"
    assert config["global"]["smtp_auth_password_file"] == f"{folder}/smtp_auth_password"
    assert config["global"]["slack_api_url_file"] == f"{folder}/slack_api_url"
    by_name = {item["name"]: item for item in config["receivers"]}
    assert by_name["pagerduty"]["pagerduty_configs"][0]["routing_key_file"] == f"{folder}/pagerduty_routing_key"
    assert by_name["heartbeat"]["webhook_configs"][0]["url_file"] == f"{folder}/heartbeat_url"


def test_resolved_alerts_are_told_through_every_receiver():
    for receiver in built()["receivers"]:
        for key in ("email_configs", "slack_configs", "pagerduty_configs"):
            assert all(item["send_resolved"] for item in receiver.get(key, []))


def test_a_receiver_without_its_key_does_not_exist_and_a_note_says_so():
    made = Settings.of({"keys": ["smtp_auth_password"]})
    config = _alertmanager_config.build(made)
    assert [item["name"] for item in config["receivers"]] == ["email", "null"]
    assert receivers(config, severity="critical") == ["email"]
    notes = " ".join(made.notes())
    assert "No receiver pagerduty" in notes and "No receiver slack" in notes and "No heartbeat" in notes


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"mailbox_given": False}, True),
        ({"mailbox_given": True}, False),
        ({"mailbox_given": False, "email_to": "ops@example.com"}, False),
        ({"mailbox_given": False, "email_to": ""}, False),
    ],
)
def test_a_mailbox_that_nobody_named_is_told(settings, told):
    notes = Settings.of({"keys": ALL_KEYS, **settings}).notes()
    assert any(note.endswith("alertmanager_email_to: ops@example.com") for note in notes) is told


def test_the_older_pagerduty_key_is_accepted_with_a_note():
    made = Settings.of({"keys": ["smtp_auth_password", "pagerduty_service_key"]})
    by_name = {item["name"]: item for item in _alertmanager_config.build(made)["receivers"]}
    assert "service_key_file" in by_name["pagerduty"]["pagerduty_configs"][0]
    assert any("Events API v1" in note for note in made.notes())


@pytest.mark.parametrize("interval", ["5m", "1m", "7s", "301s"])
def test_the_heartbeat_is_repeated_within_its_interval(interval):
    made = Settings.of({"keys": ALL_KEYS, "heartbeat_interval": interval})
    tree = _routing_checks.Configuration.of(_alertmanager_config.build(made))
    (route,) = _routing_checks.routes_of({"labels": {"alertname": "Watchdog", "severity": "none"}}, tree)[1]
    assert route.receiver == "heartbeat"
    assert route.group_interval + route.repeat_interval <= made.heartbeat_seconds


def test_without_a_heartbeat_the_watchdog_mails_nobody_every_twelve_hours():
    config = _alertmanager_config.build(Settings.of({"keys": ["smtp_auth_password"]}))
    assert receivers(config, alertname="Watchdog") == ["null"]


def judged_by_module(capsys, made, **more):
    """The verdict that day 2 gives, with the alerts that our rules define."""
    entries = [
        {"name": "ksm", "kind": "kube-state-metrics", "namespace": "monitoring"},
        {"name": "trino", "kind": "trino", "namespace": "data", "team": "analytics"},
    ]
    world = {"services": None, "namespaces": None}
    catalogue = _catalogue_resolve.resolve(entries, _packs.load(), world, "monitoring", now="2026-01-01T00:00:00Z")
    options = {
        "kubernetes": False,
        "config": _alertmanager_config.build(made),
        "expectations": _alertmanager_expectations.routing_expectations(made, catalogue),
        "alerts": _rules.alert_label_sets(catalogue, _rules.Settings(), "prod"),
        "report_only": True,
        **more,
    }
    with patch_module_args(options), pytest.raises(SystemExit):
        verify_alert_routing.main()
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("silent", [["InfoInhibitor"], ["InfoInhibitor", "ServiceDown"]])
def test_what_the_settings_silence_is_a_note_of_the_verdict(capsys, silent):
    made = Settings.of({"keys": ["smtp_auth_password"], "silent_alerts": silent})
    result = judged_by_module(capsys, made)
    by_name = {item["name"]: item for item in result["checks"]}
    assert by_name["tree"]["status"] == "ok", by_name["tree"]["cause"]
    assert by_name["heartbeat"]["status"] == "ok"
    told = [note for note in result["notes"] if "is told to nobody, as is expected" in note]
    assert {note.split()[0] for note in told} == {"Watchdog", *silent} - {"InfoInhibitor"}


def test_an_accepted_fault_leaves_the_others_red(capsys):
    made = Settings.of({"keys": ALL_KEYS})
    config = _alertmanager_config.build(made)
    config["route"]["routes"] += [
        {"matchers": ["a=b"], "receiver": "slack"},
        {"matchers": ["code=~[0-9]{3}"], "receiver": "slack"},
    ]
    accepted = ["route_unreachable", "critical_not_mailed"]
    result = judged_by_module(capsys, made, config=config, accepted_faults=accepted)
    (tree,) = (item for item in result["checks"] if item["name"] == "tree")
    assert {item["code"] for item in [tree["cause"], *tree["other_causes"]]} == {"parsers_disagree"}
    assert any(note.startswith("accepted: ") for note in result["notes"])


@pytest.mark.parametrize(
    "path",
    [
        "roles/alertmanager/tasks/preflight.yml",
        "roles/alertmanager/tasks/wait.yml",
        "playbooks/tasks/judge_alerting.yml",
    ],
)
def test_accepted_faults_are_accepted_by_every_judgement(path):
    text = (ROOT / path).read_text()
    assert text.count("dataplatform.monitoring.verify_alert_routing:\n") == text.count("accepted_faults: ") == 1
    assert "lint:" not in text


TEAMS = {
    "analytics": {"email": "a@example.com", "slack": {"channel": "#a", "key": "slack_a"}},
    "meta": {"pagerduty": "pd_meta"},
}


def test_a_team_has_its_own_channels_and_the_mailbox_of_everybody_gets_a_copy():
    config = built(teams=TEAMS)
    assert receivers(config, team="analytics", severity="critical") == ["pagerduty", "analytics-email", "email"]
    assert receivers(config, team="analytics", severity="warning") == ["analytics-slack", "analytics-email", "email"]
    assert receivers(config, team="meta", severity="critical") == ["meta-pagerduty", "email"]
    assert receivers(config, team="other", severity="critical") == ["pagerduty", "email"]


def test_another_teams_alertmanagerconfig_takes_nothing_from_the_mailbox():
    config = built()
    theirs = {"receiver": "team-x/cfg/chat", "matchers": ['namespace="team-x"'], "continue": True}
    config["route"]["routes"].insert(0, theirs)
    config["receivers"].append({"name": "team-x/cfg/chat", "webhook_configs": [{"url": "http://x/"}]})
    assert receivers(config, namespace="team-x", severity="info") == ["team-x/cfg/chat", "email"]


def test_a_native_structure_is_passed_through():
    native = {"route": {"receiver": "x"}, "receivers": [{"name": "x"}]}
    assert _alertmanager_config.config_of(Settings.of({"config": native})) == native


def test_native_parts_are_appended():
    config = built(
        extra_routes=[{"matchers": ['alertname="X"'], "receiver": "own", "mute_time_intervals": ["night"]}],
        extra_receivers=[{"name": "own", "webhook_configs": [{"url": "http://x/"}]}],
        extra_inhibit_rules=[{"source_matchers": ["a=b"], "target_matchers": ["c=d"]}],
        time_intervals=[
            {"name": "night", "time_intervals": [{"times": [{"start_time": "00:00", "end_time": "06:00"}]}]}
        ],
        **{"global": {"resolve_timeout": "9m"}},
    )
    assert config["global"]["resolve_timeout"] == "9m"
    assert receivers(config, alertname="X") == ["own"]
    assert _routing_checks.lint(_routing_checks.Configuration.of(config)) == []


def test_templates_are_named_by_their_text():
    made = Settings.of({"keys": ALL_KEYS, "templates": {"a.tmpl": "x"}})
    (name,) = _alertmanager_config.template_files(made)
    assert _alertmanager_config.build(made)["templates"] == [f"/etc/alertmanager/config/{name}"]
    other = Settings.of({"keys": ALL_KEYS, "templates": {"a.tmpl": "y"}})
    assert list(_alertmanager_config.template_files(other)) != [name]
    native = Settings.of({"config": {"route": {}}, "templates": {"a.tmpl": "x"}})
    assert list(_alertmanager_config.template_files(native)) == ["a.tmpl"]


@pytest.mark.parametrize(
    ("given_settings", "words"),
    [
        ({"emial_to": "x"}, "did you mean email_to"),
        ({"group_wait": "30"}, "alertmanager_group_wait: '30' is no duration"),
        ({"group_interval": "0s"}, "alertmanager_group_interval: cannot be zero"),
        ({"heartbeat_interval": "1s"}, "shorter than 5s"),
        ({"required_receivers": ["fax"]}, "alertmanager_required_receivers: 'fax'"),
        ({"inhibitions": ["all"]}, "alertmanager_inhibitions: 'all'"),
        ({"silent_alerts": ["a b"]}, "alertmanager_silent_alerts"),
        ({"group_by": ["a", "a"]}, "alertmanager_group_by"),
        ({"group_by": ["...", "a"]}, "stands alone"),
        ({"email_smarthost": "mail"}, "has no port"),
        ({"email_from": ""}, "alertmanager_email_from is empty"),
        ({"teams": {"a": {}}}, "alertmanager_teams.a: write channels"),
        ({"teams": {"a": {"emial": "x"}}}, "did you mean email"),
        ({"teams": {"a": {"email": ""}}}, "alertmanager_teams.a.email: write its address"),
        ({"teams": {"a": {"pagerduty": "a key"}}}, "the name of a key of Secret"),
        ({"teams": {"a": {"slack": "#a"}}, "keys": ["smtp_auth_password"]}, "name the team's own"),
        ({"templates": {"x": "y"}}, "no file name ending in .tmpl"),
        ({"email_to": "", "keys": []}, "Nobody would be told"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(given_settings, words):
    with pytest.raises(ConfigError) as caught:
        Settings.of({"keys": ALL_KEYS, **given_settings})
    assert words in str(caught.value)


def test_expectations_hold_and_name_the_catalogues_teams():
    made = Settings.of({"keys": ALL_KEYS, "teams": TEAMS})
    items, checks = judged(made, _alertmanager_config.build(made), CATALOGUE)
    assert {name: check["status"] for name, check in checks.items()} == dict.fromkeys(checks, "ok")
    by_name = {item["name"]: item for item in items}
    assert by_name["critical"]["receivers"] == ["pagerduty", "email"]
    assert by_name["critical"]["labels"]["cluster"] == "prod"
    assert (by_name["critical"]["group_wait"], by_name["critical"]["group_interval"]) == ("30s", "5m")
    assert by_name["critical"]["repeat_interval"] == "12h"
    assert by_name["critical of team platform"]["labels"]["service"] == "minio"
    assert "critical of team gone" not in by_name


def test_expectations_notice_the_plans_mistake():
    made = Settings.of({"keys": ALL_KEYS})
    config = _alertmanager_config.build(made)
    config["route"]["routes"].pop()
    _items, checks = judged(made, config)
    assert checks["critical"]["status"] == "failed" and checks["critical"]["observed"] == "pagerduty"


@pytest.mark.parametrize("name", sorted(INHIBITIONS))
def test_expectations_notice_an_inhibition_that_is_gone(name):
    made = Settings.of({"keys": ALL_KEYS, "inhibitions": [name]})
    _items, checks = judged(made, _alertmanager_config.build(Settings.of({"keys": ALL_KEYS, "inhibitions": []})))
    assert any(
        check["cause"]["code"] == "not_silent_as_expected" for check in checks.values() if check["status"] == "failed"
    )


def carried() -> dict[str, set[str]]:
    """Our alerts -> labels that they are proven to have: promtool compares those of every case, the rule adds its own.

    The cluster is added by Prometheus to everything it sends.
    """
    found: dict[str, set[str]] = {}
    for suite in generate.suites():
        rules = {rule["alert"]: rule for rule in suite.rules["groups"][0]["rules"]}
        for case in suite.tests["tests"]:
            for test in case["alert_rule_test"]:
                labels = {"alertname", "cluster", *rules[test["alertname"]]["labels"]}
                labels.update(*(alert["exp_labels"] for alert in test["exp_alerts"]))
                found.setdefault(test["alertname"], set()).update(labels)
    return found


@pytest.mark.parametrize("name", sorted(set(INHIBITIONS) - {"critical_over_warning", "info_inhibitor"}))
def test_alerts_that_an_inhibition_names_carry_the_labels_that_it_compares(name):
    ours = carried()
    rules, _warnings = _inhibition.load({"inhibit_rules": INHIBITIONS[name]})
    for rule in rules:
        for side in (rule.source, rule.target):
            named = [item for item in side if item.name == "alertname" and item.op in ("=", "=~")]
            for alert in (
                alert for alert in ours if named and all(item.matches({"alertname": alert}) for item in named)
            ):
                wanted = {*rule.equal, *(item.name for item in side if not item.matches({}))}
                assert wanted <= ours[alert], f"{rule.place}: {alert} lacks {sorted(wanted - ours[alert])}"


def test_expectations_give_no_alert_a_label_that_it_does_not_have():
    ours = carried()
    made = Settings.of({"keys": ALL_KEYS, "teams": TEAMS})
    told = 0
    for item in _alertmanager_expectations.routing_expectations(made, CATALOGUE):
        for labels in (item["labels"], *item.get("active", ())):
            if labels["alertname"] in ours:
                told += 1
                assert set(labels) <= ours[labels["alertname"]], item["name"]
    assert told > 10


@pytest.mark.parametrize("alert", ["PodNotReady", "PodCrashLooping", "ContainerOOMKilled"])
def test_a_node_that_is_down_hides_every_alert_about_its_pods(alert):
    items, _checks = judged(Settings.of({"keys": ALL_KEYS}), built())
    hidden = [item for item in items if item["labels"]["alertname"] == alert and item.get("notified") is False]
    assert [item["active"][0]["alertname"] for item in hidden] == ["NodeNotReady"]


def test_a_native_configuration_has_no_expectations_but_its_own():
    made = Settings.of({"config": {"route": {"receiver": "x"}, "receivers": [{"name": "x"}]}})
    assert _alertmanager_expectations.routing_expectations(made, CATALOGUE) == []


# --- whatever the settings ---

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
DURATION = st.sampled_from(["5s", "30s", "5m", "12h", "1h30m"])
CHANNELS = st.fixed_dictionaries(
    {},
    optional={
        "email": st.just("team@example.com"),
        "pagerduty": st.just("pd_team"),
        "slack": st.just({"channel": "#team", "key": "slack_team"}),
    },
).filter(bool)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "keys": st.one_of(st.none(), st.lists(st.sampled_from([*ALL_KEYS, "pagerduty_service_key"]), unique=True)),
        "email_to": st.sampled_from(["", "ops@example.com"]),
        "slack_channel": st.sampled_from(["", "#ops"]),
        "heartbeat_url": st.sampled_from(["", "http://heartbeat/"]),
        "heartbeat_interval": st.sampled_from(["5s", "1m", "5m"]),
        "email_auth_username": st.sampled_from(["", "me"]),
        "teams": st.dictionaries(TEXT.filter(lambda text: text == text.strip()), CHANNELS, max_size=3),
        "group_by": st.one_of(st.just(["..."]), st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, unique=True)),
        "group_wait": DURATION,
        "group_interval": DURATION,
        "repeat_interval": DURATION,
        "inhibitions": st.lists(st.sampled_from(sorted(INHIBITIONS)), unique=True),
        "silent_alerts": st.lists(st.sampled_from(["InfoInhibitor", "Other"]), unique=True),
    },
)


@given(SETTINGS)
@example({"teams": {'a"\\b,{}=~': {"email": "x@example.com"}}})
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_whatever_the_settings_the_tree_is_sound_and_every_expectation_holds(given_settings):
    try:
        made = Settings.of(given_settings)
    except ConfigError as exc:
        assert "Nobody would be told" in str(exc)
        return
    config = _alertmanager_config.build(made)
    assert _routing_checks.lint(_routing_checks.Configuration.of(config)) == []
    assert _alertmanager_refusals.examine(config, _alertmanager_refusals.Place()).causes == []
    _items, checks = judged(made, config, CATALOGUE)
    assert {name: check["cause"] for name, check in checks.items() if check["status"] != "ok"} == {}


@needs_amtool
@given(SETTINGS)
@example({"teams": {'a"\\b,{}=~': {"email": "x@example.com"}}})
@example({"keys": ALL_KEYS, "teams": TEAMS})
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_whatever_the_settings_amtool_accepts_what_is_built(given_settings):
    try:
        made = Settings.of(given_settings)
    except ConfigError:
        return
    assert amtool_accepts(_alertmanager_config.build(made)) == ""
