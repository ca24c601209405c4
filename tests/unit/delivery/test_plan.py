# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which test alerts, how they are made unique, and until when to wait."""

from __future__ import annotations

import datetime

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _delivery_plan, _routing
from ansible_collections.dataplatform.monitoring.plugins.module_utils._routing_checks import Configuration
from ansible_collections.dataplatform.monitoring.plugins.module_utils._routing_oracle import MARKER
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime.datetime(2026, 11, 23, 18, 0, tzinfo=datetime.UTC)
HOOK = {"webhook_configs": [{"url": "http://x"}]}
CRITICAL = {"alertname": "ServiceDown", "severity": "critical"}
WATCHDOG = {"alertname": "Watchdog"}


def configuration(**route):
    return Configuration.of(
        {
            "route": {
                "receiver": "email",
                "group_by": ["alertname", "cluster"],
                "group_wait": "30s",
                "group_interval": "5m",
                "routes": [
                    {"matchers": ["alertname=Watchdog"], "receiver": "heartbeat"},
                    {"matchers": ["severity=critical"], "receiver": "pagerduty", "continue": True},
                    {"matchers": ["severity=~.+"], "receiver": "email"},
                ],
                **route,
            },
            "receivers": [
                {"name": "email", "email_configs": [{"to": "a"}, {"to": "b"}]},
                {"name": "pagerduty", **HOOK},
                {"name": "heartbeat", **HOOK},
                {"name": "null"},
            ],
        }
    )


def make(labels, receivers, active=(), **route):
    return _delivery_plan.trial(configuration(**route), labels, receivers, "CODE-1", active, NOW)


class TestChoose:
    def test_as_few_alerts_as_reach_every_receiver(self):
        alerts = [{"severity": "warning"}, CRITICAL, {**CRITICAL, "alertname": "Other"}, WATCHDOG]
        chosen, unreached = _delivery_plan.choose(configuration(), alerts, [])
        assert [(labels.get("alertname"), names) for labels, names in chosen] == [
            ("ServiceDown", ["pagerduty", "email"]),
            ("Watchdog", ["heartbeat"]),
        ]
        assert unreached == []

    def test_named_receivers_only_and_those_that_nothing_reaches(self):
        chosen, unreached = _delivery_plan.choose(configuration(), [CRITICAL], ["email", "heartbeat", "null"])
        assert [names for _labels, names in chosen] == [["email"]]
        assert unreached == ["heartbeat", "null"]

    def test_no_alerts(self):
        assert _delivery_plan.choose(configuration(), [], ["email"]) == ([], ["email"])


class TestUnique:
    def test_the_name_carries_the_code_and_the_routes_stay(self):
        made = make(CRITICAL, ["pagerduty", "email"])
        assert made.labels["alertname"] == "DRILL CODE-1 ServiceDown"
        assert [route.receiver for route in made.routes] == ["pagerduty", "email"]
        assert made.joins == frozenset()

    def test_another_label_when_the_name_decides_the_route(self):
        made = make(WATCHDOG, ["heartbeat"])
        assert (made.labels["alertname"], made.labels["cluster"]) == ("Watchdog", "DRILL CODE-1")

    def test_all_labels_are_unique_by_the_marker(self):
        made = make(CRITICAL, ["email"], group_by=["..."])
        assert made.labels == {**CRITICAL, MARKER: "delivery-CODE-1"}

    def test_one_group_for_all_waits_for_its_next_turn_only_when_it_is_active(self):
        quiet = make(CRITICAL, ["pagerduty"], group_by=[])
        assert quiet.wait("pagerduty", 0) == 30 + _delivery_plan.SLACK
        busy = make(CRITICAL, ["pagerduty"], [("pagerduty", ())], group_by=[])
        assert busy.wait("pagerduty", 0) == 300 + _delivery_plan.SLACK

    @given(
        st.dictionaries(
            st.sampled_from(["alertname", "severity", "cluster", "team", "service"]),
            st.sampled_from(["Watchdog", "critical", "warning", "a", "b"]),
        ),
        st.lists(st.sampled_from(["alertname", "cluster", "severity", "service"]), unique=True),
    )
    def test_the_routes_are_always_those_of_the_original_alert(self, labels, group_by):
        config = configuration(group_by=group_by)
        marked, routes, shared = _delivery_plan.unique(config.root, labels, "C")
        assert [r.place for r in routes] == [r.place for r in _routing.match(config.root, labels)]
        assert [r.place for r in _routing.match(config.root, marked)] == [r.place for r in routes]
        for route in routes:
            own = any("C" in value.split() for value in route.group_labels(marked).values())
            assert own or route.place in shared


class TestWaits:
    def test_a_replica_waits_for_those_before_it(self):
        made = make(CRITICAL, ["email"])
        assert made.wait("email", 2) - made.wait("email", 0) == 30

    def test_a_failure_may_take_until_the_groups_next_turn(self):
        made = make(CRITICAL, ["email"])
        assert made.patience("email", 0) == made.wait("email", 0) + 300
        short = make(CRITICAL, ["email"], group_interval="1s")
        assert short.patience("email", 0) == short.wait("email", 0) + _delivery_plan.MIN_TIMEOUT

    def test_every_integration_of_every_route_is_due(self):
        config = configuration()
        assert _delivery_plan.kinds(config, make(CRITICAL, ["email"]), "email") == {"email": 2}

    def test_kinds_that_two_receivers_share_are_not_told_apart(self):
        config = configuration()
        assert _delivery_plan.told_apart(config, "email")
        assert not _delivery_plan.told_apart(config, "pagerduty")


def test_a_page_says_that_it_is_a_drill():
    told = make(CRITICAL, ["email"]).annotations()
    assert told["summary"].startswith("DRILL CODE-1") and "DRILL CODE-1" in told["description"]
