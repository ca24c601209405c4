# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is judged without posting."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _delivery_passive as passive
from ansible_collections.dataplatform.monitoring.plugins.module_utils._delivery_counters import Counters, Replica

PLACE = passive.Place("monitoring", "main")
NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)


def replica(name="pod monitoring/am-0", ways=None, **fields):
    given = {"integrations": 3.0, "reload_ok": 1.0, "config_hash": 1.0, "members": 2.0, "failed_peers": 0.0, **fields}
    return Replica(name, ways or {}, **given)


def codes(check):
    return [item["code"] for item in [check["cause"], *check["other_causes"]] if item]


def test_somebody():
    assert passive.somebody([replica()], PLACE)["status"] == "ok"
    assert codes(passive.somebody([replica(), replica("b", integrations=0.0)], PLACE)) == ["nobody_notified"]


def test_configuration():
    assert passive.configuration([replica(), replica("b")], PLACE)["status"] == "ok"
    stale = passive.configuration([replica(), replica("pod m/b", config_hash=2.0, reload_ok=0.0)], PLACE)
    assert codes(stale) == ["configuration_rejected", "alertmanagers_disagree"]


@pytest.mark.parametrize(
    ("replicas", "wanted", "status"),
    [
        ([replica(members=1.0)], 1, "not_applicable"),
        ([replica(), replica("b")], 2, "ok"),
        ([replica(), replica("b", members=1.0, failed_peers=1.0)], 2, "failed"),
        ([replica()], 2, "failed"),
    ],
)
def test_cluster(replicas, wanted, status):
    check = passive.cluster(replicas, wanted, PLACE)
    assert check["status"] == status
    assert set(codes(check)) <= {"cluster_incomplete"}


class TestFailures:
    RECEIVERS = {"a": ["slack"], "b": ["slack"], "null": []}

    def judge(self, ways, window=None, errors=None, replicas=None):
        given = passive.Window("15m", window)
        return passive.failures(self.RECEIVERS, replicas or [replica(ways=ways)], given, errors or {}, PLACE)

    def test_each_receiver_by_its_own_counters(self):
        ways = {("slack", "a"): Counters(attempts=2), ("slack", "b"): Counters(attempts=2, failed={"authError": 1.0})}
        good, bad = self.judge(ways, ways)
        assert (good["name"], good["status"]) == ("a", "ok") and "not read by a person" in good["observed"]
        assert (bad["name"], bad["status"], codes(bad)) == ("b", "failed", ["credentials_refused"])

    def test_without_names_those_of_a_kind_share_a_check(self):
        ways = {("slack", ""): Counters(attempts=2)}
        [check] = self.judge(ways, ways)
        assert check["name"] == "slack (a, b)" and check["status"] == "ok"

    def test_nothing_was_due(self):
        ways = {("slack", "a"): Counters(), ("slack", "b"): Counters()}
        assert {check["status"] for check in self.judge(ways, ways)} == {"not_applicable"}

    def test_without_prometheus_a_failure_of_unknown_age_is_unknown(self):
        ways = {("slack", "a"): Counters(attempts=2, failed={"other": 1.0}), ("slack", "b"): Counters()}
        check = self.judge(ways)[0]
        assert check["status"] == "unknown"
        assert codes(check) == ["delivery_window_unknown", "receiver_unreachable"]


class TestPrometheusLeg:
    PODS = {"am-0": "10.0.0.1", "am-1": "10.0.0.2"}

    def judge(self, found, lost):
        return passive.prometheus_leg(found, self.PODS, lost, "15m", "prometheus")

    def test_all_there(self):
        found = [f"http://{address}:9093/api/v2/alerts" for address in self.PODS.values()]
        assert self.judge(found, {"dropped alerts": 0.0})["status"] == "ok"
        assert "does not scrape itself" in self.judge(found, None)["notes"][0]

    def test_one_missing_and_alerts_lost(self):
        check = self.judge(["http://10.0.0.1:9093/x"], {"dropped alerts": 3.0, "errors": 0.0})
        assert codes(check) == ["alertmanager_not_discovered", "notifications_dropped"]
        assert "am-1 (10.0.0.2)" in check["cause"]["message"]

    def test_none(self):
        assert codes(self.judge([], None)) == ["alertmanager_not_discovered"]


@pytest.mark.parametrize(
    ("last", "installed", "status"),
    [(10, 400, "ok"), (90, 400, "ok"), (91, 400, "failed"), (None, 89, "not_applicable"), (None, 91, "failed")],
)
def test_the_age_of_the_last_drill(last, installed, status):
    def ago(days):
        return None if days is None else NOW - datetime.timedelta(days=days)

    check = passive.drill(ago(last), "CODE", ago(installed), NOW)
    assert check["status"] == status
    assert codes(check) == (["drill_overdue"] if status == "failed" else [])


def test_beside_a_plain_alertmanager_the_commands_need_no_kubernetes() -> None:
    plain = passive.Place("monitoring", "alertmanager", "http://am.example:9093", prometheus="http://prom.example:9090")
    for text in (plain.log, plain.state, plain.credentials):
        assert "kubectl" not in text
    lost = {"dropped alerts": 3.0}
    for discovered in ([], ["http://am.example:9093/api/v2/alerts"]):
        check = passive.prometheus_leg(discovered, {}, lost, "15m", "http://prom.example:9090", plain)
        assert check["status"] == "failed"
        assert all("kubectl" not in one["fix"] for one in [check["cause"], *check["other_causes"]])


def test_an_address_that_prometheus_calls_otherwise_is_told() -> None:
    plain = passive.Place("monitoring", "alertmanager", "http://am.example:9093")
    same = passive.prometheus_leg(["http://am.example:9093/api/v2/alerts"], {}, {}, "15m", "p", plain)
    other = passive.prometheus_leg(["http://10.0.0.1:9093/api/v2/alerts"], {}, {}, "15m", "p", plain)
    assert (same["status"], same["notes"]) == ("ok", [])
    assert other["notes"] == ["p sends to 10.0.0.1:9093; whether that is am.example:9093 by another name is not known"]


def test_one_address_says_nothing_of_other_replicas() -> None:
    plain = passive.Place("monitoring", "alertmanager", "http://am.example:9093")
    check = passive.cluster([replica()], 1, plain)
    assert check["status"] == "not_applicable"
    assert "one address is known" in check["observed"]


def test_no_drill_is_due_beside_somebody_else() -> None:
    check = passive.drill(None, "", NOW - datetime.timedelta(days=400), NOW, 0)
    assert check["status"] == "not_applicable"
