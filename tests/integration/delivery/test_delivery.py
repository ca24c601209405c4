# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Delivery judged against real Alertmanagers and receivers that fail in every way that can be switched on."""

from __future__ import annotations

import datetime
import json

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _alertmanager_source,
    _delivery_run,
    _routing_checks,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._routing_oracle import MARKER
from ansible_collections.dataplatform.monitoring.plugins.modules import verify_alert_delivery

from tests.faults.sink_modes import MODES
from tests.integration.delivery.conftest import Alertmanager, configuration
from tests.integration.programs import status, wait_for

CRITICAL = {"alertname": "ServiceDown", "severity": "critical", "service": "trino"}
WARNING = {"alertname": "HighCPUUsage", "severity": "warning"}
WATCHDOG = {"alertname": "Watchdog", "severity": "none"}
SINK_OF = {"email": "smtp", "slack": "slack", "pagerduty": "pagerduty", "heartbeat": "heartbeat"}


def run(capsys, server, **options):
    """The module as Ansible runs it; its result."""
    given = {"url": server.url, "kubernetes": False, **options}
    with patch_module_args(given), pytest.raises(SystemExit):
        verify_alert_delivery.main()
    return json.loads(capsys.readouterr().out)


def shown(sinks):
    return {name: {"url": sinks[sink].control} for name, sink in SINK_OF.items()}


def send(capsys, server, alerts=(CRITICAL,), **options):
    return run(capsys, server, send_test_alerts=True, expectations=[{"labels": labels} for labels in alerts], **options)


def of(result):
    return {check["name"]: check for check in result["checks"]}


def codes(check):
    return [item["code"] for item in [check["cause"], *check["other_causes"]] if item]


def test_every_receiver_accepts_a_test_alert_and_nothing_is_left(single, healthy, capsys):
    result = send(capsys, single, [CRITICAL, WARNING, WATCHDOG])
    checks = of(result)
    for name in ("pagerduty", "email", "slack", "heartbeat"):
        assert checks[name]["status"] == "ok", checks[name]
        assert "accepted by the provider, which is not read by a person" in checks[name]["observed"]
    assert not result.get("failed")
    assert result["changed"] is False
    wait_for(
        lambda: single.api.get_json("/api/v2/alerts", [("filter", f'{MARKER}=~".+"')]) == [], "no test alert is left"
    )


def test_the_message_itself_is_the_proof_and_says_that_it_is_a_drill(single, healthy, capsys):
    result = send(capsys, single, [CRITICAL, WARNING, WATCHDOG], sinks=shown(healthy))
    for name, sink in SINK_OF.items():
        check = of(result)[name]
        assert check["status"] == "ok" and check["observed"].startswith("arrived after"), check
        [message] = _delivery_run.with_code(healthy[sink].show()["messages"], check["details"]["replicas"][0]["code"])
        assert f"DRILL {result['code']}" in json.dumps(message)


def test_each_replica_of_a_cluster_proves_its_own_way_out(pair, healthy):
    config = loaded(pair[0])
    probe = _delivery_run.Run([one.api for one in pair], config)
    try:
        checks = probe.watch([CRITICAL], ["pagerduty", "email"], 60)
    finally:
        assert probe.resolve() == []
    for check in checks:
        assert check["status"] == "ok", check
        assert [item["state"] for item in check["details"]["replicas"]] == ["sent", "sent"]
        first, second = (item["accepted_after"] for item in check["details"]["replicas"])
        assert abs(first - second) > 1, "the second waits for the first"


def test_deduplication_in_a_cluster_is_no_failure(pair, healthy):
    probe = _delivery_run.Run([one.api for one in pair], loaded(pair[0]), each_replica=False)
    try:
        [check] = probe.watch([CRITICAL], ["pagerduty"], 60)
    finally:
        probe.resolve()
    assert check["status"] == "ok", check
    messages = _delivery_run.with_code(healthy["pagerduty"].show()["messages"], f"{probe.code}-1")
    assert len([message for message in messages if message["action"] == "trigger"]) == 1


def loaded(server):
    return _routing_checks.Configuration.of(_alertmanager_source.from_status(server.api).config)


# Why a mail server cannot be reached stands in the log alone, which is read in a cluster (tests/faults).
WITHOUT_REASON = {("refuse", "email"): "failure_without_reason"}


@pytest.fixture
def fresh(tmp_path, sinks):
    """A server without a past: what an earlier test left retrying would be counted too."""
    server = Alertmanager(tmp_path / "am", configuration(sinks, tmp_path))
    yield server
    server.stop()


@pytest.mark.parametrize("mode", MODES)
def test_every_failure_has_its_own_cause_at_every_receiver_and_ends(fresh, healthy, capsys, mode):
    for sink in healthy.values():
        sink.mode(mode)
    bad = of(send(capsys, fresh, [CRITICAL, WARNING, WATCHDOG], sinks=shown(healthy)))
    told = {receiver: (bad[receiver]["status"], bad[receiver]["cause"]["code"]) for receiver in SINK_OF}
    wanted = {receiver: WITHOUT_REASON.get((mode, receiver), MODES[mode]) for receiver in SINK_OF}
    assert told == {receiver: ("failed", code) for receiver, code in wanted.items()}
    for sink in healthy.values():
        sink.mode("ok")
    good = of(send(capsys, fresh, [CRITICAL, WARNING, WATCHDOG], sinks=shown(healthy)))
    assert {receiver: good[receiver]["status"] for receiver in SINK_OF} == dict.fromkeys(SINK_OF, "ok")


def test_without_a_place_that_shows_messages_counters_tell_refused_credentials(fresh, healthy, capsys):
    healthy["slack"].mode("403")
    result = send(capsys, fresh, [WARNING], receivers=["slack"])
    assert result["failed"] and codes(of(result)["slack"]) == ["credentials_refused"]
    assert result["msg"].startswith("1 failed of")


def test_a_failing_mail_without_log_says_that_the_reason_is_in_the_log(fresh, healthy, capsys):
    healthy["smtp"].mode("refuse")
    check = of(send(capsys, fresh, [CRITICAL], receivers=["email"]))["email"]
    assert codes(check) == ["failure_without_reason"]


def test_errors_that_end_by_themselves_are_no_fault(fresh, healthy, capsys):
    healthy["slack"].mode("500-then-ok", times=2)
    check = of(send(capsys, fresh, [WARNING], receivers=["slack"]))["slack"]
    assert check["status"] == "ok", check
    assert check["details"]["replicas"][0]["counted"]["slack"]["failed_requests"] == 2


def test_a_silence_is_named_and_not_waited_for(single, healthy, capsys):
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=5)
    silence = {
        "matchers": [{"name": "severity", "value": "warning", "isRegex": False}],
        "startsAt": _delivery_run.stamp(_delivery_run.now()),
        "endsAt": _delivery_run.stamp(end),
        "createdBy": "anna",
        "comment": "upgrade",
    }
    name = single.api.call("POST", "/api/v2/silences", (), silence).json()["silenceID"]
    try:
        check = of(send(capsys, single, [WARNING], receivers=["slack"]))["slack"]
        assert (check["status"], codes(check)) == ("unknown", ["alert_silenced"])
        assert f"Silence {name} by anna (upgrade)" in check["cause"]["message"]
    finally:
        single.api.call("DELETE", f"/api/v2/silence/{name}")


def test_an_inhibiting_alert_is_named(single, healthy, capsys):
    _delivery_run.send(single.api, [{"labels": {"alertname": "Maintenance", "severity": "none"}}])
    try:
        check = of(send(capsys, single, [WARNING], receivers=["slack"]))["slack"]
        assert (check["status"], codes(check)) == ("unknown", ["alert_inhibited"])
        assert 'alertname="Maintenance"' in check["cause"]["message"]
    finally:
        ended = {
            "labels": {"alertname": "Maintenance", "severity": "none"},
            "endsAt": _delivery_run.stamp(_delivery_run.now()),
        }
        _delivery_run.send(single.api, [ended])


def test_a_time_interval_is_named(single, healthy, capsys):
    check = of(send(capsys, single, [{"alertname": "A", "severity": "night"}], receivers=["email"]))["email"]
    assert (check["status"], codes(check)) == ("unknown", ["route_muted"])


def test_a_group_that_is_active_waits_for_its_next_turn(tmp_path, sinks, healthy, capsys):
    """A route for one name that groups by the name alone: the test alert cannot have a group of its own."""
    config = configuration(sinks, tmp_path)
    config["route"]["routes"][0]["group_by"] = ["alertname"]
    server = Alertmanager(tmp_path / "am", config)
    try:
        before = healthy["heartbeat"].show()["accepted"]
        _delivery_run.send(server.api, [{"labels": WATCHDOG}])
        wait_for(lambda: healthy["heartbeat"].show()["accepted"] > before, "the real Watchdog notified")
        check = of(send(capsys, server, [WATCHDOG], sinks={"heartbeat": {"url": healthy["heartbeat"].control}}))
        assert check["heartbeat"]["status"] == "ok", check["heartbeat"]
        assert any("waits for its next turn, up to 10 s" in note for note in check["heartbeat"]["notes"])
        assert check["heartbeat"]["details"]["replicas"][0]["message_after"] > 3
    finally:
        server.stop()


def test_a_verdict_that_ends_too_early_says_so(single, healthy, capsys):
    check = of(send(capsys, single, [CRITICAL], receivers=["pagerduty"], timeout=0))["pagerduty"]
    assert (check["status"], codes(check)) == ("unknown", ["verdict_too_short"])


def test_a_receiver_that_nothing_reaches_is_told(single, healthy, capsys):
    check = of(send(capsys, single, [CRITICAL], receivers=["slack"]))["slack"]
    assert (check["status"], codes(check)) == ("unknown", ["receiver_not_reached"])


def test_a_message_that_does_not_arrive_where_it_should(single, healthy, capsys):
    places = {"pagerduty": {"url": healthy["slack"].control}}
    check = of(send(capsys, single, [CRITICAL], receivers=["pagerduty"], sinks=places))["pagerduty"]
    assert (check["status"], codes(check)) == ("failed", ["message_not_seen"])


def test_check_mode_posts_nothing(single, healthy, capsys):
    before = healthy["pagerduty"].show()["accepted"]
    result = send(capsys, single, [CRITICAL], _ansible_check_mode=True)
    assert any("check run" in note for note in result["notes"])
    assert healthy["pagerduty"].show()["accepted"] == before


class TestWithoutReceiverNames:
    @pytest.fixture
    def unnamed(self, tmp_path, sinks):
        config = configuration(sinks, tmp_path)
        config["receivers"].append({"name": "other", "slack_configs": [{"channel": "#other"}]})
        config["route"]["routes"].insert(0, {"matchers": ["team=x"], "receiver": "other"})
        server = Alertmanager(tmp_path / "am", config, names=False)
        yield server
        server.stop()

    def test_a_kind_that_one_receiver_has_alone_is_its_own(self, unnamed, healthy, capsys):
        assert of(send(capsys, unnamed, [CRITICAL], receivers=["pagerduty"]))["pagerduty"]["status"] == "ok"

    def test_others_are_unknown_unless_the_message_is_seen(self, unnamed, healthy, capsys):
        check = of(send(capsys, unnamed, [WARNING], receivers=["slack"]))["slack"]
        assert (check["status"], codes(check)) == ("unknown", ["counters_without_receiver"])
        places = {"slack": {"url": healthy["slack"].control}}
        assert of(send(capsys, unnamed, [WARNING], receivers=["slack"], sinks=places))["slack"]["status"] == "ok"


class TestPassive:
    def test_a_healthy_server(self, single, healthy, capsys):
        checks = of(run(capsys, single))
        assert checks["somebody is told"]["status"] == "ok"
        assert checks["configuration"]["status"] == "ok"
        assert checks["cluster"]["status"] == "not_applicable"

    def test_nobody_is_told(self, tmp_path, sinks, capsys):
        config = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}
        server = Alertmanager(tmp_path, config)
        try:
            check = of(run(capsys, server))["somebody is told"]
            assert (check["status"], codes(check)) == ("failed", ["nobody_notified"])
        finally:
            server.stop()

    def test_a_rejected_configuration(self, tmp_path, sinks, capsys):
        config = configuration(sinks, tmp_path)
        server = Alertmanager(tmp_path / "am", config)
        try:
            good = server.file.read_text()
            server.file.write_text("route: {receiver: nowhere}\n")
            assert server.api.call("POST", "/-/reload").status == 500
            check = of(run(capsys, server))["configuration"]
            assert (check["status"], codes(check)) == ("failed", ["configuration_rejected"])
            server.file.write_text(good)
            assert server.api.call("POST", "/-/reload").status == 200
            assert of(run(capsys, server))["configuration"]["status"] == "ok"
        finally:
            server.stop()

    def test_failures_without_prometheus_are_unknown_and_their_reason_is_told(self, tmp_path, sinks, healthy, capsys):
        server = Alertmanager(tmp_path / "am", configuration(sinks, tmp_path))
        try:
            healthy["slack"].mode("403")
            send(capsys, server, [WARNING], receivers=["slack"])
            check = of(run(capsys, server))["slack"]
            assert (check["status"], codes(check)) == ("unknown", ["delivery_window_unknown", "credentials_refused"])
        finally:
            server.stop()
        assert status(server.url) == 0
