# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which empty selector is a fault and which is not."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql import parse, selectors
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_reach import Reading
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_series import Presence, nearest

from tests.unit.rules.builders import series

WORLD = (
    'up{job="trino",namespace="data-platform"}',
    'up{job="loki",namespace="monitoring"}',
    'kube_pod_container_status_waiting_reason{job="ksm",reason="ContainerCreating"}',
    'http_requests_total{job="trino",code="200"}',
    'apiserver_request_total{job="apiserver",code="200"}',
)
PAST = ('old_metric{job="trino"}', 'up{job="gone"}')
CASES = [
    ('up{job="trino"}', Presence.THERE, ()),
    ('up{job=~"trino|x"}', Presence.THERE, ()),
    ('up{job="gone"}', Presence.PAST, ()),
    ("old_metric", Presence.PAST, ()),
    ('up{job="trno"}', Presence.NO_SUCH_IDENTITY, ("trino",)),
    ('up{job="loki",namespace="data-platform"}', Presence.NOT_TOGETHER, ()),
    ("http_request_total", Presence.NO_SUCH_METRIC, ("http_requests_total", "apiserver_request_total")),
    ('kube_pod_container_status_waiting_reason{reason="CrashLoopBackOff"}', Presence.NO_SUCH_VALUE, ()),
    ('http_requests_total{job="trino",code=~"5.."}', Presence.NO_SUCH_VALUE, ()),
    ('http_requests_total{job="trino",code="2000"}', Presence.NO_SUCH_VALUE, ("200",)),
    ('{__name__=~"nothing_.+"}', Presence.NO_SUCH_METRIC, ()),
    ('{job="nobody"}', Presence.NO_SUCH_IDENTITY, ()),
    ('ALERTS{severity="info"}', Presence.THERE, ()),
    ('up{job!="trino",namespace!=""}', Presence.THERE, ()),
]


@pytest.mark.parametrize(("text", "presence", "near"), CASES)
def test_the_ladder(text: str, presence: Presence, near: tuple[str, ...]) -> None:
    there = series(*WORLD, past=list(PAST))
    selector = selectors(parse(text))[0]
    there.ask([selector])
    answer = there.answer(selector)
    assert answer.presence is presence
    assert answer.near == near
    assert answer.dead == (presence.name.startswith("NO_SUCH_") and presence is not Presence.NO_SUCH_VALUE) or (
        presence is Presence.NOT_TOGETHER and answer.dead
    )


def test_each_question_is_asked_once() -> None:
    there = series(*WORLD)
    wanted = selectors(parse('up{job="trino"} + up{job="trino"} + up'))
    there.ask(wanted)
    asked = list(there._api.asked)
    there.ask(wanted)
    assert there._api.asked == asked
    assert len([path for path, _params in asked if path == "/api/v1/series"]) == 1


def test_what_was_missing_is_asked_again_and_what_was_there_is_not() -> None:
    there = series(*WORLD)
    wanted = selectors(parse('up{job="trino"} + up{job="new"}'))
    there.ask(wanted)
    assert there.answer(wanted[1]).dead
    there._api.recent.append({"__name__": "up", "job": "new"})
    there.look_again()
    there._api.asked.clear()
    there.ask(wanted)
    assert not there.answer(wanted[1]).dead
    assert all("trino" not in str(params) for _path, params in there._api.asked)


DEAD = [
    ('up{job="trino"} == 0', []),
    ('up{job="none"} == 0', ["rule_identity_missing"]),
    ('up{job="none"} == 0 or absent(up{job="none"})', []),
    ("nope > 1", ["rule_metric_missing"]),
    ("up unless nope", []),
    ("up and nope", ["rule_metric_missing"]),
    ("nope or up", []),
    ("nope or nada", ["rule_metric_missing", "rule_metric_missing"]),
    ('up{job="loki",namespace="data-platform"}', ["rule_selects_nothing"]),
    ('rate(http_requests_total{code=~"5.."}[5m]) > 0', []),
    ("this is not PromQL", []),
    ("sum(rate(nope[5m])) / sum(rate(http_requests_total[5m]))", ["rule_metric_missing"]),
]


@pytest.mark.parametrize(("query", "codes"), DEAD)
def test_which_rule_can_never_fire(query: str, codes: list[str]) -> None:
    there, reading = series(*WORLD), Reading()
    there.ask(reading.selectors([query]))
    assert [one.code for one in reading.obstacles(query, there)] == codes


def test_a_recorded_metric_leads_to_its_rule() -> None:
    there, reading = series(*WORLD), Reading()
    there.ask(reading.selectors(["job:x:rate > 1"]))
    told = reading.obstacles("job:x:rate > 1", there)[0]
    assert told.text({"job:x:rate": "records"}) == "job:x:rate is recorded by group records, which has no result either"


def test_the_nearest_first() -> None:
    there = ["pg_stat_activity_count", "pg_up", "kafka_brokers", "pg_stat_activity_max_tx_duration"]
    assert nearest("pg_stat_activity_counts", there)[0] == "pg_stat_activity_count"
    assert nearest("zzz", there) == ()
    assert nearest("x", []) == ()
