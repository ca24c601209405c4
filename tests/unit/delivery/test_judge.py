# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is certain at which moment."""

from __future__ import annotations

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _delivery_judge as judge
from ansible_collections.dataplatform.monitoring.plugins.module_utils._delivery_counters import Counters, Replica
from hypothesis import given
from hypothesis import strategies as st

OK = Counters(1, 1, 0)
REFUSED = Counters(1, 1, 1, {"authError": 1.0})
RETRYING = Counters(1, 4, 4)
BEGUN = Counters(1, 0, 0)


def sight(gained=None, at=5.0, **more):
    made = judge.Sight("slack", "pod monitoring/am-0", "CODE-1", {"slack": 1}, 10.0, 30.0, **more)
    if gained is not None:
        made.count({"slack": gained}, at)
        made.count({"slack": gained}, at + 0.4)
    return made


def state(made, now, last=False):
    found, cause = judge.look(made, now, last)
    return found, cause and cause["code"]


def test_accepted():
    assert state(sight(OK), 5) == ("sent", None)


def test_a_request_that_is_counted_before_its_failure_was_not_accepted():
    """Both counters are on one page, read while they are written."""
    made = sight(BEGUN)
    made.count({"slack": Counters(1, 1, 0)}, 6.0)
    assert state(made, 6) == ("waiting", None)
    made.count({"slack": REFUSED}, 6.4)
    assert state(made, 6.4) == ("failed", "credentials_refused")
    made = sight(BEGUN)
    made.count({"slack": OK}, 6.0)
    made.count({"slack": OK}, 6.4)
    assert state(made, 6.4) == ("sent", None) and made.answered_at == 6.0


def test_what_is_counted_before_anything_could_leave_is_not_this_alerts():
    def page(requests):
        return {"am-0": Replica("am-0", {("slack", "slack"): Counters(requests, requests, 0)})}

    made = sight(earliest=4.5)
    assert made.gain(page(0), page(1), 3.0)["slack"].attempts == 0, "another's, at 3 s"
    assert made.gain(page(0), page(1), 4.6)["slack"].attempts == 0
    assert made.gain(page(0), page(2), 5.1)["slack"].attempts == 1
    assert sight().gain(page(0), page(1), 3.0)["slack"].attempts == 1, "a group that is active may be told at once"


def test_a_refusal_counts_at_once():
    assert state(sight(REFUSED), 5) == ("failed", "credentials_refused")


def test_retries_are_waited_for_until_a_reason_is_counted():
    made = sight(RETRYING)
    assert state(made, 24) == ("waiting", None)
    assert state(made, 30) == ("failed", "failure_without_reason")


def test_retries_of_which_the_log_tells_why_are_believed_earlier():
    made = sight(RETRYING)
    made.errors = ["unexpected status code 503: x"]
    assert state(made, 24) == ("waiting", None)
    assert state(made, 25) == ("failed", "receiver_server_error")


def test_no_answer():
    assert state(sight(BEGUN), 29) == ("waiting", None)
    assert state(sight(BEGUN), 30) == ("failed", "receiver_too_slow")
    assert state(sight(BEGUN), 10, True) == ("unseen", "verdict_too_short")


def test_nothing_attempted():
    assert state(sight(), 9) == ("waiting", None)
    assert state(sight(), 10) == ("failed", "notification_not_attempted")
    assert state(sight(), 9, True) == ("unseen", "verdict_too_short")


def test_held_back():
    made = sight()
    made.held = [{"code": "alert_silenced", "message": "", "fix": ""}]
    assert state(made, 1) == ("kept", "alert_silenced")


def test_where_messages_are_shown_only_the_message_counts():
    made = sight(OK, shown="the channel")
    assert state(made, 6) == ("waiting", None)
    assert state(made, 10) == ("failed", "message_not_seen")
    made.message_at = 6.0
    assert state(made, 10) == ("sent", None)


def test_counters_of_others_prove_and_accuse_nobody():
    assert state(sight(OK, counted=False), 10) == ("unseen", "counters_without_receiver")
    assert state(sight(REFUSED, counted=False), 5) == ("waiting", None)


def test_a_failure_of_an_alert_before_is_not_this_ones():
    """Its retries end while this one is watched; where the log tells alerts apart, it is believed."""
    made = sight(REFUSED, own_log=True)
    assert state(made, 5) == ("waiting", None)
    made.errors, made.exact = ["dial tcp 10.0.0.1:8080: connect: connection refused"], True
    assert state(made, 5) == ("failed", "receiver_unreachable")
    made.exact = False
    assert state(made, 500)[0] == "failed", "in the end what was counted is all there is"


def test_one_replica_of_two():
    check = judge.check("slack", [sight(OK), sight(REFUSED)], 6)
    assert (check["status"], check["observed"]) == ("failed", "1 of 2 replicas")
    assert [item["state"] for item in check["details"]["replicas"]] == ["sent", "failed"]


def test_the_words_say_what_was_proven():
    assert "not read by a person" in judge.check("slack", [sight(OK)], 6)["observed"]


@given(
    st.builds(
        Counters,
        st.integers(0, 2),
        st.integers(0, 4),
        st.integers(0, 4),
        st.dictionaries(st.sampled_from(["authError", "other"]), st.integers(0, 2)),
    ),
    st.floats(0, 100),
    st.booleans(),
    st.booleans(),
)
def test_the_end_is_never_waiting_and_every_red_has_a_cause(gained, now, counted, shown):
    made = sight(gained, min(now, 5.0), counted=counted, shown="x" if shown else "")
    found, cause = judge.look(made, now, True)
    assert found != "waiting"
    assert (cause is None) == (found == "sent")
    assert judge.check("slack", [made], now)["status"] in ("ok", "failed", "unknown")
