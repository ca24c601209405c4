# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters: what was discarded, what an agent complains of, and over which time."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_counters as counters
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_discards as discards
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_metrics as metrics
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_promql as promql
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_sending as sending
from ansible_collections.dataplatform.monitoring.plugins.module_utils._checks import all_causes
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_metrics import Gain
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.logs.build import NOW, reading

M = discards.METRIC
PAGE = r"""
# HELP loki_discarded_samples_total The total number of samples that were discarded.
# TYPE loki_discarded_samples_total counter
loki_discarded_samples_total{policy="",reason="rate_limited",retention_hours="744",tenant="fake"} 12
loki_discarded_samples_total{policy="",reason="line_too_long",tenant="a\"b\\c"} 1.5e+01 1795450000000
loki_discarded_samples_total_created 3
loki_other 7
process_start_time_seconds 1.795449e+09
loki_discarded_samples_total{broken
"""


def test_a_page_is_read() -> None:
    page = metrics.parse_page(PAGE, (M, "process_start_time_seconds"))
    assert metrics.by_label(page[M], "reason") == {"rate_limited": 12, "line_too_long": 15}
    assert set(metrics.by_label(page[M], "tenant")) == {"fake", 'a"b\\c'}
    assert metrics.total(page, "process_start_time_seconds") == 1795449000
    assert metrics.total(page, "absent") is None
    assert metrics.by_label(page["process_start_time_seconds"], "reason") == {"": 1795449000}


def test_a_lifetime_is_no_answer_but_two_readings_are() -> None:
    first = reading(5, 86400, **{M: {"reason=rate_limited": 900}})
    same = reading(0, 86400, **{M: {"reason=rate_limited": 900}})
    more = reading(0, 86400, **{M: {"reason=rate_limited": 907, "reason=line_too_long": 2}})
    assert metrics.gain(first, same, M, "reason", 900).by == {}
    assert metrics.gain(first, more, M, "reason", 900) == Gain({"rate_limited": 7, "line_too_long": 2}, 5, False)


def test_a_process_younger_than_the_span_has_counted_nothing_older() -> None:
    last = reading(0, 300, **{M: {"reason=rate_limited": 900}})
    assert metrics.gain(last, last, M, "reason", 900) == Gain({"rate_limited": 900}, 300, True)


def test_a_counter_that_fell_was_restarted() -> None:
    first = reading(5, 86400, **{M: {"reason=rate_limited": 900}})
    last = reading(0, 86400, **{M: {"reason=rate_limited": 3}})
    assert metrics.gain(first, last, M, "reason", 900).by == {"rate_limited": 3}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 99), st.booleans()), max_size=6))
def test_gains_of_replicas_add_up(parts: list[tuple[str, int, bool]]) -> None:
    total = metrics.add([Gain({name: number}, 5.0, whole) for name, number, whole in parts])
    assert sum(total.by.values()) == sum(number for _name, number, _whole in parts)
    assert total.whole == (bool(parts) and all(whole for _name, _number, whole in parts))


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("rate_limited", "discarded_rate_limited"),
        ("per_stream_rate_limit", "discarded_per_stream_rate_limit"),
        ("stream_limit", "discarded_stream_limit"),
        ("line_too_long", "discarded_line_too_long"),
        ("too_far_behind", "discarded_too_far_behind"),
        ("out_of_order", "discarded_out_of_order"),
        ("greater_than_max_sample_age", "discarded_greater_than_max_sample_age"),
        ("too_far_in_future", "discarded_too_far_in_future"),
        ("max_label_names_per_series", "discarded_max_label_names_per_series"),
        ("label_name_too_long", "discarded_label_name_too_long"),
        ("label_value_too_long", "discarded_label_value_too_long"),
        ("duplicate_label_names", "discarded_duplicate_label_names"),
        ("missing_labels", "discarded_missing_labels"),
        ("invalid_labels", "discarded_invalid_labels"),
        ("missing_enforced_labels", "discarded_missing_enforced_labels"),
        ("blocked_ingestion", "discarded_blocked_ingestion"),
        ("blocked_ingestion_policy", "discarded_blocked_ingestion_policy"),
        ("disallowed_structured_metadata", "discarded_disallowed_structured_metadata"),
        ("structured_metadata_too_large", "discarded_structured_metadata_too_large"),
        ("structured_metadata_too_many", "discarded_structured_metadata_too_many"),
        ("something_new", "discarded_other"),
    ],
)
def test_each_reason_has_its_cause_and_fix(reason: str, code: str) -> None:
    check = discards.judge(Gain({reason: 12}, 900, True), 0, "Prometheus")
    assert (check["status"], check["cause"]["code"]) == ("failed", code)
    assert check["observed"] == f"12 lines in 15m: {reason} 12 (Prometheus)"
    assert reason in check["cause"]["message"]
    if code != "discarded_other":
        key, value = check["cause"]["fix"].rsplit(": ", 1)
        assert " " not in key.rsplit(": ", 1)[1] and value


def test_every_reason_is_in_the_test_above() -> None:
    assert len(discards.REASONS) == 20


def test_nothing_discarded() -> None:
    check = discards.judge(Gain({}, 900, True), 0, "Prometheus")
    assert (check["status"], check["observed"], check["notes"]) == ("ok", "none in 15m (Prometheus)", [])


def test_a_short_look_says_that_it_was_short() -> None:
    check = discards.judge(Gain({}, 5, False), 0, "Loki's own counters")
    assert check["notes"] == ["seen for 5s only; the whole 15m need option prometheus"]
    assert discards.judge(Gain({}, 300, True), 0, "Loki's own counters")["notes"] == []


def test_some_may_be_allowed() -> None:
    assert discards.judge(Gain({"line_too_long": 3}, 900, True), 3, "x")["status"] == "ok"
    assert discards.judge(Gain({"line_too_long": 4}, 900, True), 3, "x")["status"] == "failed"


def test_several_reasons_are_all_told_the_largest_first() -> None:
    check = discards.judge(Gain({"line_too_long": 1, "rate_limited": 40}, 900, True), 0, "x")
    assert [item["code"] for item in all_causes(check)] == ["discarded_rate_limited", "discarded_line_too_long"]
    assert "discarded 1 line in" in check["other_causes"][0]["message"]


def test_a_new_agent_that_reads_old_files_is_no_fault() -> None:
    check = discards.judge(Gain({"greater_than_max_sample_age": 5000}, 300, True), 0, "x", agent_age=200)
    assert check["status"] == "ok"
    assert "not counted" in check["notes"][0]
    check = discards.judge(Gain({"line_too_long": 1}, 300, True), 0, "x", agent_age=200)
    assert check["status"] == "failed"


def test_counters_that_cannot_be_read() -> None:
    check = discards.judge(None, 0, "Loki", None, "404")
    assert (check["status"], check["cause"]["code"]) == ("unknown", "discard_counters_unreadable")


# The agent's own


def inspect(first: dict, last: dict, started: float = 86400) -> sending.Trouble:
    before, after = reading(5, started, **first), reading(0, started, **last)
    gains = sending.between(before, after)
    return sending.inspect("n1", "promtail-n1", "monitoring", after, before.page, gains)


def codes(trouble: sending.Trouble) -> list[str]:
    return [item["code"] for item in trouble.causes]


REQUESTS, DROPPED = "promtail_request_duration_seconds_count", "promtail_dropped_entries_total"
FILES, FAILED = "promtail_files_active_total", "promtail_targets_failed_total"


def test_a_healthy_agent() -> None:
    page = {FILES: {"": 12.0}, REQUESTS: {"status_code=204": 50.0}, DROPPED: {"reason=ingester_error": 9.0}}
    assert inspect(page, {**page, REQUESTS: {"status_code=204": 60.0}}) == sending.Trouble([], [])


def test_an_agent_without_any_file() -> None:
    page = {FILES: {"": 0.0}, FAILED: {"reason=no_path": 14.0}}
    trouble = inspect(page, page)
    assert codes(trouble) == ["agent_no_files"]
    assert "14 targets have no path" in trouble.causes[0]["message"]
    assert "target_label: __path__" in trouble.causes[0]["fix"]


def test_some_targets_without_a_path_are_a_note() -> None:
    trouble = inspect({FILES: {"": 3.0}}, {FILES: {"": 3.0}, FAILED: {"reason=no_path": 2.0}})
    assert (codes(trouble), len(trouble.notes)) == ([], 1)


@pytest.mark.parametrize(
    ("status", "code"),
    [("429", "agent_rate_limited"), ("401", "agent_without_tenant"), ("500", "agent_cannot_send"),
     ("-1", "agent_cannot_send")],
)  # fmt: skip
def test_requests_that_all_fail(status: str, code: str) -> None:
    key = f"status_code={status}"
    trouble = inspect({REQUESTS: {key: 3.0}}, {REQUESTS: {key: 6.0}})
    assert codes(trouble) == [code]
    if status == "-1":
        assert "its connections fail" in trouble.causes[0]["message"]


def test_an_agent_that_never_sent_and_now_waits_for_its_next_attempt() -> None:
    page = {REQUESTS: {"status_code=-1": 14.0}}
    assert codes(inspect(page, page)) == ["agent_cannot_send"]
    page = {REQUESTS: {"status_code=-1": 14.0, "status_code=204": 1.0}}
    assert codes(inspect(page, page)) == []


def test_failures_between_successes_are_a_note() -> None:
    last = {REQUESTS: {"status_code=429": 2.0, "status_code=204": 40.0}}
    trouble = inspect({REQUESTS: {"status_code=204": 20.0}}, last)
    assert (codes(trouble), "429 2 times" in trouble.notes[0]) == ([], True)


def test_lines_given_up_are_lost() -> None:
    trouble = inspect({DROPPED: {"reason=line_too_long": 1.0}}, {DROPPED: {"reason=line_too_long": 4.0}})
    assert codes(trouble) == ["agent_dropped_lines"]
    assert "gave up 3 lines within 5s (line_too_long)" in trouble.causes[0]["message"]


def test_but_not_when_a_new_agent_reads_old_files() -> None:
    page = {DROPPED: {"reason=ingester_error": 700.0}}
    assert codes(inspect(page, page, started=300)) == []
    page = {DROPPED: {"reason=rate_limited": 700.0}}
    assert codes(inspect(page, page, started=300)) == ["agent_dropped_lines"]


def test_alloy_counts_under_its_own_names() -> None:
    requests = "loki_write_request_duration_seconds_count"
    trouble = inspect({requests: {"status_code=401": 1.0}}, {requests: {"status_code=401": 5.0}})
    assert codes(trouble) == ["agent_without_tenant"]


RETRY = (
    'level=warn ts=2026-11-23T17:00:00Z caller=client.go:419 component=client host=loki:3100 msg="error sending batch, '
    'will retry" status=429 tenant= error="server returned HTTP status 429 Too Many Requests (429): limit \\"x\\""'
)
FINAL = (
    'level=error ts=2026-11-23T17:00:09Z caller=client.go:430 msg="final error sending batch" status=-1 tenant= '
    'error="Post \\"http://loki:3100/loki/api/v1/push\\": dial tcp: lookup loki: no such host"'
)


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (RETRY, "agent_rate_limited", '429 Too Many Requests (429): limit "x"'),
        (f"{RETRY}\n{FINAL}\n", "agent_cannot_send", "lookup loki: no such host"),
        ('msg="error sending batch, will retry" status=401', "agent_without_tenant", "(401)"),
    ],
)
def test_an_agents_log_tells_what_its_counters_do_not(text: str, code: str, said: str) -> None:
    (found,) = sending.from_log("n1", "promtail-x", "monitoring", f"level=info msg=started\n{text}")
    assert (found["code"], said in found["message"]) == (code, True)


def test_a_log_without_complaints() -> None:
    assert sending.from_log("n1", "promtail-x", "monitoring", "level=info msg=started") == []


def test_new_series_count_in_full() -> None:
    """increase() leaves out a new series' first value, and a counter of discarded lines begins with them."""
    assert promql.increase("m", "reason", 900) == (
        "sum by (reason) ((m unless max_over_time(m[1h] offset 15m)) or increase(m[15m]))"
    )


def test_samples_are_sorted_by_pod() -> None:
    def sample(pod: str, status: str, value: float) -> dict:
        return {"metric": {"namespace": "m", "pod": pod, "status_code": status}, "value": value}

    found = promql.gains([sample("a", "204", 40.2), sample("a", "429", 0.2), sample("b", "-1", 3)], "status_code", 300)
    assert {name: item.by for name, item in found.items()} == {"m/a": {"204": 40.2}, "m/b": {"-1": 3}}


def test_one_trouble_on_many_nodes_is_told_once() -> None:
    def one(node: str) -> list[dict[str, str]]:
        return [{"code": "agent_no_files", "message": f"{node} reads nothing.", "fix": "x"}]

    troubles = counters.Troubles({"n1": one("n1"), "n2": one("n2"), "n3": one("n3")}, [])
    assert [item["message"] for item in troubles.causes()] == ["n1 reads nothing. The same on 2 more nodes."]


def test_readings_need_no_pause_for_young_processes() -> None:
    found = counters.Counters(None, None, None, 1.0)
    assert not found.need_second_reading()
    assert found.discarded(0)["status"] == "unknown"
    assert found.retention() == (None, None)
    assert NOW > 0
