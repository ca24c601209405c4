# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's receivers accept and refuse as the real ones, and show what a person would read."""

from __future__ import annotations

import email
import email.policy
import json
from pathlib import Path

import pytest

from lab.sinks import mail, receivers, show, webhooks
from lab.sinks.store import KEPT, Store
from lab.sinks.web import Request, control

PATH = "/services/T1/B1/secret"
KEY = "a" * 32
EVENT = {
    "routing_key": KEY,
    "event_action": "trigger",
    "dedup_key": "d",
    "payload": {"summary": "Trino down", "source": "alertmanager", "severity": "critical"},
}


def post(handle, path, body, kind="application/json"):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return handle(Request("POST", path, kind, data))


@pytest.fixture
def store():
    return Store("test")


class TestSlack:
    @pytest.mark.parametrize(
        ("path", "body", "status", "answer"),
        [
            (PATH, {"text": "hello"}, 200, "ok"),
            (PATH, {"attachments": [{"title": "t"}]}, 200, "ok"),
            (PATH, {"channel": "#a"}, 400, "no_text"),
            (PATH, b"{", 400, "invalid_payload"),
            (PATH, b"[]", 400, "invalid_payload"),
            ("/services/T1/B1/other", {"text": "x"}, 403, "invalid_token"),
            ("/other", {"text": "x"}, 404, "no_service"),
        ],
    )
    def test_answers(self, store, path, body, status, answer):
        assert post(webhooks.slack(store, PATH), path, body)[:2] == (status, answer)

    def test_a_form_is_taken_too(self, store):
        kind = "application/x-www-form-urlencoded"
        assert post(webhooks.slack(store, PATH), PATH, b"payload=%7B%22text%22%3A%22x%22%7D", kind).status == 200

    def test_the_message_as_the_channel_shows_it(self):
        attachment = {"title": "ServiceDown", "text": "Trino is down", "title_link": "http://x", "fallback": "f"}
        shown = webhooks.read_slack({"channel": "#ops", "username": "AM", "attachments": [attachment]})
        assert shown == {
            "channel": "#ops",
            "from": "AM",
            "text": "ServiceDown\nTrino is down",
            "links": ["http://x"],
        }


class TestPagerDuty:
    def test_an_event_is_accepted_and_shown_without_its_key(self, store):
        answer = post(webhooks.pagerduty(store, KEY), "/v2/enqueue", EVENT)
        assert answer.status == 202 and json.loads(answer.body)["dedup_key"] == "d"
        assert store.show()["messages"][0]["summary"] == "Trino down"
        assert KEY not in json.dumps(store.show())

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"routing_key": "short"}, "32 characters"),
            ({"routing_key": "b" * 32}, "not the key of a service"),
            ({"event_action": "fire"}, "event_action"),
            ({"event_action": "resolve", "dedup_key": ""}, "required to resolve"),
            ({"payload": None}, "'payload' is missing"),
            ({"payload": {**EVENT["payload"], "summary": " "}}, "payload.summary"),
            ({"payload": {**EVENT["payload"], "summary": "x" * 1025}}, "longer than 1024"),
            ({"payload": {**EVENT["payload"], "severity": "page"}}, "payload.severity"),
        ],
    )
    def test_what_is_wrong_is_said(self, store, change, words):
        answer = post(webhooks.pagerduty(store, KEY), "/v2/enqueue", {**EVENT, **change})
        assert answer.status == 400
        told = json.loads(answer.body)
        assert told["status"] == "invalid event" and any(words in error for error in told["errors"])

    def test_a_resolve_needs_no_payload(self):
        assert webhooks.event_errors({"routing_key": KEY, "event_action": "resolve", "dedup_key": "d"}, KEY) == []

    def test_other_bodies(self, store):
        handle = webhooks.pagerduty(store, KEY)
        assert post(handle, "/v2/enqueue", b"{").status == 400
        assert post(handle, "/v1/enqueue", EVENT).status == 404
        assert post(handle, "/v2/enqueue", b"x" * (webhooks.EVENT_LIMIT + 1)).status == 413


class TestHeartbeat:
    def test_any_post_to_its_address_is_a_beat(self, store):
        handle = webhooks.heartbeat(store, "/ping/1")
        assert post(handle, "/ping/1", b"x").status == 200
        answer = post(handle, "/ping/2", b"x")
        assert (answer.status, answer.body) == (404, "no such heartbeat")
        [refused] = store.show()["refused"]
        given, here = webhooks.fingerprint("/ping/2"), webhooks.fingerprint("/ping/1")
        assert refused["reason"] == f"no such heartbeat: POST {given}, here is {here}" and given != here
        alert = {"status": "firing", "labels": {"alertname": "Watchdog"}, "annotations": {}}
        post(handle, "/ping/1", {"status": "firing", "alerts": [alert]})
        assert store.show()["messages"][1]["alerts"] == [alert]


class TestModes:
    @pytest.mark.parametrize(("mode", "status"), [("403", 403), ("404", 404), ("429", 429), ("500", 500)])
    def test_every_sink_fails_as_told(self, store, mode, status):
        store.switch({"mode": mode})
        for handle, path in (
            (webhooks.slack(store, PATH), PATH),
            (webhooks.pagerduty(store, KEY), "/v2/enqueue"),
            (webhooks.heartbeat(store, "/p"), "/p"),
        ):
            assert post(handle, path, EVENT).status == status
        assert store.show()["accepted"] == 0 and store.show()["rejected"] == 3

    def test_500_then_ok(self, store):
        store.switch({"mode": "500-then-ok", "times": 2})
        handle = webhooks.slack(store, PATH)
        assert [post(handle, PATH, {"text": "x"}).status for _ in range(3)] == [500, 500, 200]

    def test_slow_is_late_and_accepted(self, store):
        store.switch({"mode": "slow", "seconds": 0.01})
        assert post(webhooks.slack(store, PATH), PATH, {"text": "x"}).status == 200

    def test_the_control_page(self, store):
        modes = []
        handle = control(store, modes.append)
        assert post(handle, "/mode", {"mode": "refuse"}).status == 200
        assert modes == ["refuse"] and store.mode == "refuse"
        assert post(handle, "/mode", {"mode": "broken"}).status == 400
        assert post(handle, "/mode", b"{").status == 400
        assert handle(Request("GET", "/other", "", b"")).status == 404
        assert handle(Request("GET", "/-/ready", "", b"")).status == 200

    def test_what_is_kept_is_bounded_and_can_be_forgotten(self, store):
        for number in range(KEPT + 5):
            store.accept({"text": str(number)})
        shown = store.show()
        assert len(shown["messages"]) == KEPT and shown["accepted"] == KEPT + 5
        assert shown["messages"][-1]["text"] == str(KEPT + 4)
        control(store, str)(Request("DELETE", "/messages", "", b""))
        assert store.show()["messages"] == []


class TestWhatAPersonReads:
    """`python -m lab.sinks`."""

    SHOWN = json.loads((Path(__file__).parents[1] / "delivery" / "messages.json").read_text())

    def page(self, sink, contains="", last=3):
        shown = {"sink": sink, "mode": "ok", "accepted": 9, "rejected": 1, "messages": self.SHOWN[sink]}
        return show.page(sink, shown, contains, last)

    def test_a_mail(self):
        text = self.page("smtp", "ServiceDown", 1)
        assert text.startswith("=== smtp: 9 accepted, 1 refused, mode ok\n")
        assert "Subject: [RESOLVED] ServiceDown of trino, critical, cluster lab\n\nRESOLVED trino is down\n" in text
        assert "TrinoQueueLong" not in text and "\r" not in text

    def test_an_incident(self):
        first, second = self.page("pagerduty").split("\n\n--- ")[1:]
        assert (
            "triggered, " in first and "[FIRING] ServiceDown of trino, critical, cluster lab\ntrino is down\n" in first
        )
        assert "resolved, " in second and "[RESOLVED] ServiceDown of trino" in second

    def test_a_message_in_a_channel(self):
        text = self.page("slack", last=1)
        assert ":white_check_mark: *Trino has a long queue*" in text
        assert "[Runbook: https://" in text and "|Runbook>" not in text

    def test_nothing(self):
        assert "(no such message)" in self.page("slack", "Superset")


def test_a_mail_as_its_reader_sees_it():
    page = "<html><head><style>p {}</style></head><body><p>Trino &amp; friends</p>\n<b>down</b></body></html>"
    text = f"From: a@b.c\r\nSubject: =?utf-8?q?h=C3=A9?=\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{page}"
    shown = mail.read_mail(email.message_from_string(text, policy=email.policy.default))
    assert shown == {"from": "a@b.c", "subject": "hé", "text": "Trino & friends\ndown"}


class TestCredentials:
    def test_what_is_sent_is_what_is_accepted(self):
        made = receivers.generate()
        sent = receivers.sender(made)
        assert sent["slack_api_url"].endswith(made["slack_path"])
        assert sent["heartbeat_url"].endswith(made["heartbeat_path"])
        assert sent["smtp_auth_password"] == made["smtp_password"]
        assert len(sent["pagerduty_routing_key"]) == 32

    def test_new_sinks_take_what_is_sent_already(self, monkeypatch):
        """Else the heartbeat is refused until Alertmanager's volume has followed, two minutes perhaps."""
        made = receivers.generate()
        cluster = {receivers.SENT: receivers.sender(made)}
        monkeypatch.setattr(receivers, "read", cluster.get)
        monkeypatch.setattr(receivers, "apply", lambda objects, doing: written.extend(objects))
        written = []
        assert receivers.ensure() == ["lab-sinks/sinks"]
        assert written[-1]["stringData"] == made

    def test_what_is_sent_to_somebody_else_is_not_taken(self):
        real = {"slack_api_url": "https://hooks.slack.com/services/T/B/x", "pagerduty_routing_key": "r" * 32}
        assert receivers.sent_already({**real, "smtp_auth_password": "s"}) == {}
        assert receivers.sent_already({}) == {}

    @pytest.mark.parametrize(
        "there", [{}, {receivers.SENT: {}}, {receivers.SENT: {"team": "key of somebody else"}}], ids=str
    )
    def test_both_orders_end_the_same(self, monkeypatch, there):
        """The operator's role makes the sender's Secret empty where it is missing, before or after."""
        cluster = dict(there)

        def apply(objects, doing):
            for item in objects:
                if item["kind"] == "Secret":
                    name = receivers.Name(item["metadata"]["namespace"], item["metadata"]["name"])
                    cluster[name] = {**cluster.get(name, {}), **item["stringData"]}

        monkeypatch.setattr(receivers, "read", cluster.get)
        monkeypatch.setattr(receivers, "apply", apply)
        assert receivers.ensure() == ["lab-sinks/sinks", "monitoring/alertmanager-receivers"]
        assert receivers.ensure() == []
        sent = dict(cluster[receivers.SENT])
        assert sent.items() >= receivers.sender(cluster[receivers.ACCEPTED]).items()
        cluster[receivers.SENT] = {}
        assert receivers.ensure() == ["monitoring/alertmanager-receivers"]
        assert cluster[receivers.SENT].items() <= sent.items()
