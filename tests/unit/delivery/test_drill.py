# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the fault to the page: stages and their shares."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _drill, _drill_follow
from ansible_collections.dataplatform.monitoring.plugins.module_utils._delivery_judge import Sight
from ansible_collections.dataplatform.monitoring.plugins.module_utils._drill import Moments
from hypothesis import given
from hypothesis import strategies as st

WHOLE = Moments(100.0, 110.0, 120.0, 240.0, 241.0, {"pagerduty": 246.0}, {"pagerduty": 247.0, "email": 250.0})


def test_every_stage_with_its_share():
    found = _drill.timeline(WHOLE, "firing", "scrape")
    assert [(stage.name, stage.seconds) for stage in found] == [
        ("scrape", 10.0),
        ("evaluation", 10.0),
        ("for", 120.0),
        ("to Alertmanager", 1.0),
        ("group_wait, pagerduty", 5.0),
        ("send, pagerduty", 1.0),
        ("group_wait, email", 9.0),
        ("send, email", 0.0),
    ]
    assert found[2].share == pytest.approx(0.8)
    assert _drill.lines(found, WHOLE, "firing")[-1] == "email: notified 150.0 s after the fault began"


def test_the_end_has_no_for():
    ended = Moments(0.0, 1.0, 3.0, None, 4.0, {}, {"email": 20.0})
    names = [stage.name for stage in _drill.timeline(ended, "resolved", "scrape")]
    assert names == ["scrape", "evaluation", "to Alertmanager", "group_interval, email", "send, email"]


@given(st.lists(st.none() | st.floats(0, 1000), min_size=4, max_size=4), st.lists(st.floats(0, 1000), max_size=3))
def test_no_stage_is_negative_and_shares_stay_below_one(moments, accepted):
    told = Moments(0.0, *moments, {}, {str(number): at for number, at in enumerate(accepted)})
    for stage in _drill.timeline(told, "firing", "load"):
        assert stage.seconds >= 0 and 0 <= stage.share <= 1.000001


@pytest.mark.parametrize(
    ("moments", "code"),
    [
        (Moments(0.0), "drill_not_noticed"),
        (Moments(0.0, 1.0), "drill_not_firing"),
        (Moments(0.0, 1.0, 2.0), "drill_not_firing"),
        (Moments(0.0, 1.0, 2.0, 3.0), "drill_not_received"),
    ],
)
@pytest.mark.parametrize("first", ["scrape", "load"])
def test_where_it_stopped(moments, code, first):
    check = _drill.check(moments, "firing", first, "ServiceDown", 60)
    assert (check["status"], check["cause"]["code"]) == ("failed", code)


def test_a_server_that_gave_no_answer_is_unknown():
    trouble = {"code": "server_unreachable", "message": "m", "fix": "f"}
    check = _drill.check(Moments(0.0, 1.0), "firing", "scrape", "ServiceDown", 60, trouble)
    assert (check["status"], check["cause"]["code"]) == ("unknown", "server_unreachable")
    assert _drill.check(WHOLE, "firing", "scrape", "ServiceDown", 150, trouble)["status"] == "ok"


def test_it_arrived():
    assert _drill.check(WHOLE, "firing", "scrape", "ServiceDown", 150)["observed"] == "after 141.0 s"


# What the lab's sinks showed of a critical ServiceDown and a warning of one service, and of their ends, with the role's
# own texts.
SHOWN = json.loads((Path(__file__).parent / "messages.json").read_text())


@pytest.mark.parametrize("receiver", ["pagerduty", "smtp"])
@pytest.mark.parametrize(("over", "word"), [(False, "[FIRING]"), (True, "[RESOLVED]")])
def test_a_page_is_found_among_others(receiver, over, word):
    found = [message for message in SHOWN[receiver] if _drill_follow.tells(message, ("ServiceDown", "trino"), over)]
    assert _drill_follow.title(found[-1 if over else 0]) == f"{word} ServiceDown of trino, critical, cluster lab"
    assert len(found) == (1 if over else 2)


def test_a_page_about_something_else_is_not_it():
    assert not any(_drill_follow.tells(message, ("ServiceDown", "trino"), False) for message in SHOWN["slack"])
    assert not any(_drill_follow.tells(message, ("ServiceDown", "superset"), False) for message in SHOWN["smtp"])


class Place:
    """Shows messages."""

    label = "pod lab-sinks/smtp"

    def __init__(self, *shown):
        self.shown = list(shown)

    def messages(self):
        return self.shown, []


def seen(phase, moments, *shown):
    """What a follower makes of the messages that a place shows."""
    asked = _drill_follow.Asked({"alertname": "A"}, phase, moments.begun, "", ("A",), {})
    follower = _drill_follow.Follower(asked, None, [], None, None, {"email": Place(*shown)}, {})
    follower.moments = moments
    sight = Sight("email", "am-0", "A", {"email": 1}, 31.0, 60.0, shown="the mailbox")
    follower._look_at_messages("email", sight)
    return sight


def test_a_page_that_left_before_alertmanager_was_seen_to_have_the_alert():
    """Prometheus posts again and again; the first time that is seen may be later than the message."""
    late = Moments(0.0, 10.0, 20.0, 140.0, 200.0)
    assert seen("firing", late, {"at": 145.0, "subject": "[FIRING] A"}).message_at == 0.0
    assert seen("firing", late, {"at": 205.0, "subject": "[FIRING] A"}).message_at == 5.0
    assert seen("firing", late, {"at": 130.0, "subject": "DRILL [RESOLVED] A"}).message_at is None
    other = seen("firing", late, {"at": 145.0, "subject": "[FIRING] B"})
    assert (other.message_at, other.instead) == (None, ["[FIRING] B"])


def test_an_end_that_was_told_before_it_was_seen():
    ended = Moments(100.0, 110.0, 115.0, None, 130.0)
    assert seen("resolved", ended, {"at": 128.0, "subject": "[RESOLVED] A"}).message_at == 0.0
    assert seen("resolved", ended, {"at": 128.0, "subject": "[FIRING] A"}).message_at is None
    assert seen("resolved", ended, {"at": 90.0, "subject": "[RESOLVED] A"}).message_at is None


@pytest.mark.parametrize("word", ['a "quoted" one', "back\\slash", "R&D <east>", "zwölf", "two\nlines"])
def test_words_are_found_however_the_place_writes_them(word):
    escaped = word.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert _drill_follow.tells({"text": f"[FIRING] {word}"}, (word,), False)
    assert _drill_follow.tells({"blocks": [{"text": escaped}]}, (word,), False)
    assert not _drill_follow.tells({"text": f"[FIRING] {word}"}, (word,), True)


def test_a_message_in_place_of_the_page_is_named():
    assert _drill_follow.title(SHOWN["slack"][0]).startswith("[FIRING] TrinoQueueLong of trino, warning")
    assert _drill_follow.title(["x"]) == "['x']"


def test_who_is_told_of_an_end():
    config = {
        "receivers": [
            {"name": "a", "email_configs": [{"to": "x"}], "pagerduty_configs": [{"routing_key": "k"}]},
            {"name": "b", "email_configs": [{"to": "x", "send_resolved": "true"}], "webhook_configs": [{"url": "u"}]},
            {"name": "c", "webhook_configs": [{"url": "u", "send_resolved": "false"}]},
        ]
    }
    assert _drill_follow.told_of_ends(config) == {"a": ["pagerduty"], "b": ["email", "webhook"]}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:10Z", 10.0),
        ("1970-01-01T00:00:10.123456789Z", 10.123456),
        ("1970-01-01T01:00:10.5+01:00", 10.5),
    ],
)
def test_times_of_apis(text, seconds):
    assert _drill_follow.unix(text) == pytest.approx(seconds)
