# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who gets an alert and why; the plan's own configuration is the first one judged.

Parity with the server itself is tested in tests/differential; here it is the words that are tested.
"""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _alertmanager_yaml, _matchers, _routing
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _routing_checks as checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _routing_explain as explain
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
CRITICAL = {"alertname": "ServiceDown", "severity": "critical", "service": "trino"}
WARNING = {"alertname": "HighCPUUsage", "severity": "warning"}
RECEIVERS = [
    {"name": "email", "email_configs": [{"to": "ops@example.com"}]},
    {"name": "pagerduty", "pagerduty_configs": [{"routing_key_file": "/x"}]},
    {"name": "slack", "slack_configs": [{"api_url_file": "/x"}]},
    {"name": "null"},
    {"name": "nobody"},
]


def config(*routes, receiver="email", **more):
    top = {key: more.pop(key) for key in ("group_by", "group_wait") if key in more}
    return {"route": {"receiver": receiver, "routes": list(routes), **top}, "receivers": RECEIVERS, **more}


def judged(given, **expectation):
    expectation.setdefault("labels", CRITICAL)
    return checks.judge(expectation, checks.Configuration.of(given), NOW)


PAGE = {"matchers": ['severity="critical"'], "receiver": "pagerduty", "continue": True}
CHAT = {"matchers": ['severity="warning"'], "receiver": "slack"}
MAIL = {"receiver": "email"}


def test_the_plan_never_mails_a_critical_alert_and_we_say_why():
    check = judged(config(PAGE, CHAT), receivers=["pagerduty", "email"])
    assert check["status"] == "failed" and check["observed"] == "pagerduty"
    assert check["cause"]["code"] == "route_takes_it_elsewhere"
    assert "a parent notifies only when none of its children takes the alert" in check["cause"]["message"]
    assert check["cause"]["fix"] == ("add after route.routes[0] a route with receiver: email and continue: true")
    lint = checks.lint(checks.Configuration.of(config(PAGE, CHAT)))
    assert [item["code"] for item in lint] == ["continue_without_effect"]


def test_the_fix_that_is_named_is_the_fix():
    fixed = config(PAGE, {**MAIL, "continue": True}, CHAT)
    assert judged(fixed, receivers=["pagerduty", "email"])["status"] == "ok"


def test_a_sibling_that_does_not_continue_is_named_and_the_change_was_tried():
    check = judged(config({**PAGE, "continue": False}, MAIL), receivers=["pagerduty", "email"])
    assert check["cause"]["fix"] == "set continue: true on route.routes[0]"
    assert "takes it first and does not continue" in check["cause"]["message"]
    assert judged(config(PAGE, MAIL), receivers=["pagerduty", "email"])["status"] == "ok"


def test_an_unmet_matcher_is_named_with_the_value_the_alert_has():
    check = judged(config(PAGE, CHAT), receivers=["pagerduty", "slack"])
    assert 'severity="warning" is not fulfilled, the alert has severity="critical"' in check["cause"]["message"]


def test_a_receiver_that_is_not_there_is_told_with_the_nearest():
    check = judged(config(PAGE), receivers=["pager-duty"])
    assert check["cause"]["code"] == "receiver_undefined"
    assert "the nearest is pagerduty" in check["cause"]["message"]


def test_a_receiver_too_many_is_told_with_its_route():
    check = judged(config(PAGE, MAIL), receivers=["pagerduty"])
    assert check["cause"]["message"].startswith("email also gets") and "route.routes[1]" in check["cause"]["message"]


def test_duplicates_and_order_count():
    check = judged(config(PAGE, {**PAGE, "continue": False}), receivers=["pagerduty"])
    assert check["cause"]["code"] == "receiver_order_differs"
    assert check["cause"]["fix"].endswith("receivers: [pagerduty, pagerduty]")


@pytest.mark.parametrize("receiver", ["null", "nobody"])
def test_a_receiver_that_tells_nobody_is_red(receiver):
    check = judged(config(receiver=receiver), receivers=["email"])
    codes = [item["code"] for item in (check["cause"], *check["other_causes"])]
    assert "receiver_without_integration" in codes


def test_null_expected_by_name_is_fine():
    assert judged(config(receiver="null"), receivers=["null"])["status"] == "ok"


def test_grouping_and_times_as_inherited():
    given = config(PAGE, group_by=["alertname", "cluster"], group_wait="5s")
    good = judged(given, receivers=["pagerduty"], group_by=["cluster", "alertname"], group_wait="5s")
    assert good["status"] == "ok"
    bad = judged(given, receivers=["pagerduty"], group_by=["alertname"], group_wait="30s")
    assert [bad["cause"]["code"], bad["other_causes"][0]["code"]] == ["grouping_differs", "timing_differs"]
    assert bad["cause"]["fix"] == "set on route.routes[0]: group_by: [alertname]"
    assert "5 s, expected 30 s" in bad["other_causes"][0]["message"]


def test_grouping_that_the_status_cannot_show_is_unknown():
    given = checks.Configuration.of(config(PAGE, group_by=["alertname"]), exact_grouping=False)
    check = checks.judge({"labels": CRITICAL, "receivers": ["pagerduty"], "group_by": []}, given, NOW)
    assert (check["status"], check["cause"]["code"]) == ("unknown", "configuration_unreadable")


NIGHT = [{"name": "night", "time_intervals": [{"times": [{"start_time": "00:00", "end_time": "06:00"}]}]}]


def test_a_muted_route_is_told_and_can_be_expected():
    given = config({**PAGE, "mute_time_intervals": ["night"]}, time_intervals=NIGHT)
    at = "2026-11-23T03:00:00+00:00"
    assert judged(given, receivers=["pagerduty"], at=at)["cause"]["code"] == "route_muted"
    assert judged(given, receivers=["pagerduty"], at=at, notified=False)["status"] == "ok"
    assert judged(given, receivers=["pagerduty"])["status"] == "ok", "without a time the night does not count"
    day = judged(given, receivers=["pagerduty"], at="2026-11-23T09:00:00+00:00", notified=False)
    assert day["cause"]["code"] == "not_silent_as_expected"


def test_inhibition_by_an_active_alert():
    given = config(
        CHAT,
        inhibit_rules=[
            {"source_matchers": ['severity="critical"'], "target_matchers": ['severity="warning"'], "equal": ["node"]}
        ],
    )
    source = {"alertname": "NodeNotReady", "severity": "critical", "node": "a"}
    target = {"alertname": "TargetDown", "severity": "warning", "node": "a"}
    check = judged(given, labels=target, active=[source], receivers=["slack"])
    assert check["cause"]["code"] == "alert_inhibited" and "inhibit_rules[0]" in check["cause"]["message"]
    assert judged(given, labels=target, active=[{**source, "node": "b"}], receivers=["slack"])["status"] == "ok"
    missing_on_both = [{"alertname": "x", "severity": "critical"}]
    assert judged(given, labels=WARNING, active=missing_on_both, receivers=["slack"])["status"] == "failed"


def test_an_alert_on_both_sides_is_not_inhibited_by_another_on_both_sides():
    rules = [{"source_matchers": ["a=~'.+|x'"], "target_matchers": ["a=~'.+|x'"]}]
    given = config(CHAT, inhibit_rules=rules)
    labels = {**WARNING, "a": "'1|x'"}
    assert judged(given, labels=labels, active=[{"a": "'2|x'"}], receivers=["slack"])["status"] == "ok"


def codes(given):
    return [item["code"] for item in checks.lint(checks.Configuration.of(given))]


def test_unreachable_routes():
    assert codes(config(MAIL, CHAT)) == ["route_unreachable"]
    nested = {**CHAT, "routes": [{"matchers": ['severity="critical"'], "receiver": "pagerduty"}]}
    assert codes(config(nested)) == ["route_unreachable"]
    assert codes(config(CHAT, MAIL)) == []


def test_a_matcher_that_only_looks_right():
    item = checks.lint(checks.Configuration.of(config({"matchers": ["code=~[0-9]{3}"], "receiver": "slack"})))[0]
    assert item["code"] == "parsers_disagree" and item["fix"] == 'write code=~"[0-9]{3"'


def test_coverage_names_routes_receivers_and_alerts_that_nobody_gets():
    given = checks.Configuration.of(config(PAGE, CHAT, receiver="nobody"))
    notes, faults = checks.coverage(given, [{"labels": CRITICAL, "receivers": []}], [WARNING, {"alertname": "Info"}])
    assert 'no expectation reaches route.routes[1] (severity="warning"), receiver slack' in notes
    assert "receiver email is used by no route" in notes
    assert [item["code"] for item in faults] == ["receiver_without_integration"]
    assert faults[0]["message"].startswith("Info: ends at route")


def test_an_alert_that_is_expected_to_be_told_to_nobody_is_a_note():
    given = checks.Configuration.of(config({"matchers": ['alertname=~"Quiet|Odd"'], "receiver": "null"}))
    quiet = {"labels": {"alertname": "Quiet", "severity": "none"}, "receivers": ["null"]}
    notes, faults = checks.coverage(given, [quiet], [{"alertname": "Quiet", "severity": "info"}])
    assert faults == [] and "Quiet is told to nobody, as is expected: route.routes[0]" in notes
    _notes, faults = checks.coverage(given, [quiet], [{"alertname": "Odd"}])
    assert faults[0]["message"].startswith("Odd: ends at route.routes[0]")
    # A receiver that only lost its integrations was not meant.
    given = checks.Configuration.of(config({"matchers": ["alertname=Quiet"], "receiver": "nobody"}))
    assert checks.coverage(given, [quiet], [{"alertname": "Quiet"}])[1] != []


def test_an_accepted_fault_is_a_note_and_hides_no_other():
    faults = checks.lint(
        checks.Configuration.of(config(MAIL, CHAT, {"matchers": ["code=~[0-9]{3}"], "receiver": "slack"}))
    )
    left, notes = checks.accepted(faults, ["parsers_disagree"])
    assert {item["code"] for item in left} == {"route_unreachable"} and len(notes) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"route": None}, "route: there is none"),
        ({"route": {"receiver": "email", "matchers": ["a=b"]}}, "matchers is not allowed on the first route"),
        ({"route": {"receiver": "email", "continue": "yes"}}, "continue is not allowed on the first route"),
        ({"route": {}}, "receiver is missing"),
        ({"route": {"receiver": "mail"}}, "receiver 'mail' is not defined; there are: email, nobody"),
        ({"route": {"receiver": "email", "routes": [{"reciever": "x"}]}}, r"route.routes\[0\]: 'reciever' is no key"),
        ({"route": {"receiver": "email", "group_interval": "0s"}}, "group_interval cannot be zero"),
        ({"route": {"receiver": "email", "group_wait": "5 min"}}, "'5 min' is no duration"),
        ({"route": {"receiver": "email", "group_by": ["...", "a"]}}, "stands alone"),
        ({"route": {"receiver": "email", "group_by": ["a", "a"]}}, "given twice"),
        ({"route": {"receiver": "email", "routes": [{"matchers": ['a=~"("']}]}}, "error parsing regexp"),
        ({"route": {"receiver": "email", "routes": [{"match": {"a-b": "c"}}]}}, "'a-b' is no label name"),
        ({"route": {"receiver": "email", "routes": [{"mute_time_intervals": ["x"]}]}}, "interval 'x' is not defined"),
        ({"receivers": [{"name": "email"}, {"name": "email"}]}, "'email' is given twice"),
        ({"receivers": [{}]}, r"receivers\[0\]: name is missing"),
        ({"inhibit_rules": [{"source": 1}]}, r"inhibit_rules\[0\]: 'source' is no key"),
        ({"time_intervals": [{"name": "x", "time_intervals": [{"weekdays": ["moonday"]}]}]}, "'moonday' is no range"),
        (
            {"time_intervals": [{"name": "x", "time_intervals": [{"times": [{"start_time": "9:00"}]}]}]},
            "'9:00' is no time of day",
        ),
        ({"time_intervals": [{"name": "x", "time_intervals": [{"location": "Mars"}]}]}, "'Mars' is no time zone"),
    ],
)
def test_what_the_server_refuses_is_refused_with_its_place(change, words):
    with pytest.raises(ConfigError, match=words):
        checks.Configuration.of({**config(PAGE), **change})


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("x", "is not a mapping"),
        ({"labels": {}, "recievers": [], "receivers": []}, "'recievers' is no key of an expectation; did you mean"),
        ({"receivers": []}, "labels is missing"),
        ({"labels": {}}, "receivers is missing"),
        ({"labels": {}, "receivers": [], "group_wait": "soon"}, "'soon' is no duration"),
        ({"labels": {}, "receivers": [], "at": "2026-11-23T03:00:00"}, "is no time with an offset"),
    ],
)
def test_a_bad_expectation_is_named(item, words):
    assert any(words in fault for fault in checks.validate([item])), checks.validate([item])


def test_scalars_stay_text():
    text = "a: 010\nb: yes\nc: ~\nd: '~'\ne: [1, null]\n"
    assert _alertmanager_yaml.load(text) == {"a": "010", "b": "yes", "c": None, "d": "~", "e": ["1", None]}
    with pytest.raises(ConfigError, match="line 2: key 'a' is given twice"):
        _alertmanager_yaml.load("a: 1\na: 2\n")
    with pytest.raises(ConfigError, match="no YAML"):
        _alertmanager_yaml.load("a: [")


def test_without_re2_simple_patterns_are_judged_and_others_are_not_guessed(monkeypatch):
    monkeypatch.setattr(_matchers, "HAS_RE2", False)
    _matchers._compile.cache_clear()
    _matchers.pattern_matches.cache_clear()
    try:
        assert _matchers.pattern_matches("crit.*|warning", "critical")
        assert not _matchers.pattern_matches("a|b", "ab")
        for pattern in ("[[:alpha:]]+", "(?i)x", "\\pL", "\\d"):
            with pytest.raises(_matchers.UnsupportedPattern, match="pip install google-re2"):
                _matchers.pattern_matches(pattern, "x")
        routes = [{"matchers": [f'a=~"{text}"'], "receiver": "slack"} for text in ("x|y", "z")]
        root, _warnings = _routing.build(config(*routes))
        assert [route.receiver for route in _routing.match(root, {"a": "z"})] == ["slack"]
    finally:
        _matchers._compile.cache_clear()
        _matchers.pattern_matches.cache_clear()


def test_a_thousand_pattern_routes_answer_like_one_by_one():
    routes = [
        {"matchers": [f'a=~"v{number}|w{number}"'], "receiver": "slack", "continue": True} for number in range(50)
    ]
    root, _warnings = _routing.build(config(*routes))
    for value in ("v7", "w49", "v50", ""):
        places = [route.place for route in _routing.match(root, {"a": value})]
        slow = [child.place for child in root.children if child.fits({"a": value})] or ["route"]
        assert places == slow


def test_nearest_prefers_a_change_that_was_proven():
    root, _warnings = _routing.build(
        config({**PAGE, "continue": False}, {"matchers": ["x=y"], "receiver": "email"}, MAIL)
    )
    found = explain.nearest(root, "email", CRITICAL)
    assert found.proven and found.fix == "set continue: true on route.routes[0]"


class TestToldToNobody:
    """Alerts of which only the rules' own labels are known."""

    ALERTS = [
        {"alertname": "Down", "severity": "critical"},
        {"alertname": "Slow", "severity": "warning"},
        {"alertname": "Watchdog", "severity": "none"},
    ]

    @staticmethod
    def judge(route, alerts=ALERTS):
        hook = {"webhook_configs": [{"url": "http://x/"}]}
        config = {"route": route, "receivers": [{"name": "pager", **hook}, {"name": "null"}, {"name": "nobody"}]}
        return checks.told_to_nobody(checks.Configuration.of(config), alerts)

    def test_everything_reaches_somebody(self):
        assert self.judge({"receiver": "pager"}) == ([], [])

    def test_warnings_may_be_left_untold_and_that_is_advice(self):
        notes, faults = self.judge(
            {"receiver": "null", "routes": [{"receiver": "pager", "matchers": ["severity=critical"]}]}
        )
        assert (notes, faults) == (["Slow is told to nobody: route (receiver null)"], [])

    def test_a_critical_alert_that_nobody_gets(self):
        notes, faults = self.judge(
            {"receiver": "pager", "routes": [{"receiver": "null", "matchers": ["severity=critical"]}]}
        )
        assert notes == []
        assert [one["code"] for one in faults] == ["receiver_without_integration"]
        assert faults[0]["message"] == "Down: ends at route.routes[0] (receiver null), where nobody is notified."

    def test_no_alert_reaches_anybody(self):
        _notes, faults = self.judge({"receiver": "nobody"})
        assert [one["message"] for one in faults] == [
            "Down, Slow: ends at route (receiver nobody), where nobody is notified."
        ]

    def test_a_route_for_a_label_that_series_bring_may_take_it(self):
        route = {"receiver": "null", "routes": [{"receiver": "pager", "matchers": ["namespace=~team-.*"]}]}
        assert self.judge(route) == ([], [])
        route["routes"].insert(0, {"receiver": "null", "matchers": ["severity=~critical|warning"]})
        assert len(self.judge(route)[1]) == 1

    def test_a_templated_label_may_be_anything(self):
        route = {"receiver": "null", "routes": [{"receiver": "pager", "matchers": ["severity=critical"]}]}
        alerts = [{"alertname": "X", "severity": "{{ $labels.severity }}"}]
        assert self.judge(route, alerts) == ([], [])
