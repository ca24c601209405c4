# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counters of one Alertmanager: read, compared, added up."""

from __future__ import annotations

from ansible_collections.dataplatform.monitoring.plugins.module_utils._delivery_counters import Counters, read

PAGE = """
alertmanager_integrations 4
alertmanager_config_last_reload_successful 1
alertmanager_config_hash 1.2e+14
alertmanager_cluster_members 2
alertmanager_peer_position 1
alertmanager_notifications_total{integration="slack",receiver_name="ops"} 5
alertmanager_notification_requests_total{integration="slack",receiver_name="ops"} 7
alertmanager_notification_requests_failed_total{integration="slack",receiver_name="ops"} 3
alertmanager_notification_latency_seconds_sum{integration="slack",receiver_name="ops"} 2.5
alertmanager_notifications_failed_total{integration="slack",reason="authError",receiver_name="ops"} 1
alertmanager_notifications_failed_total{integration="slack",reason="other",receiver_name="ops"} 0
"""


def test_a_page():
    replica = read("am-0", PAGE)
    assert (replica.integrations, replica.reload_ok, replica.members, replica.position) == (4, 1, 2, 1)
    assert replica.tells_receivers
    found = replica.counters("slack", "ops")
    assert (found.attempts, found.answered, found.failures, found.seconds) == (5, 4, 1, 2.5)
    assert found.since(Counters(4, 6, 3, {"authError": 1.0}, 2.0)).plus(Counters(seconds=1.0)).seconds == 1.5


def test_without_receivers_the_kind_counts():
    replica = read("am-0", PAGE.replace(',receiver_name="ops"', ""))
    assert not replica.tells_receivers
    assert replica.counters("slack", "anybody").attempts == 5
    assert replica.counters("email", "anybody") == Counters()


def test_what_was_gained_and_a_start_anew():
    before = Counters(5, 7, 3, {"authError": 1.0})
    after = Counters(6, 8, 4, {"authError": 2.0, "other": 0.0})
    assert after.since(before) == Counters(1, 1, 1, {"authError": 1.0})
    anew = Counters(1, 1, 0, {})
    assert anew.since(before) == anew
    assert Counters(1, 1, 0, {"a": 1.0}).plus(Counters(1, 2, 1, {"b": 1.0})) == Counters(2, 3, 1, {"a": 1.0, "b": 1.0})
