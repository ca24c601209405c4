# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a panel's answers mean."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._checks import all_causes
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_reasons import Recorded, alike
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_sources import Source, Sources
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_verdict import Excuse, names_of
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiTimeout, ConfigError

from tests.unit.dashboards.builders import (
    LOKI,
    PROMETHEUS,
    Logs,
    World,
    board,
    judge,
    logs,
    panel,
    read,
    variable,
    world,
)

SHOP = 'requests_total{job="shop",namespace="shop",code="200"}'
BANK = 'requests_total{job="bank",namespace="bank",code="200"}'
NAMESPACE = variable("namespace", "label_values(requests_total, namespace)")
ALL = {"includeAll": True, "multi": True}


def one(expr: str, **more: Any) -> dict[str, Any]:
    return board("B", panel("P", expr, **more))


def codes(found: Any) -> list[str]:
    return [cause["code"] for cause in all_causes(found.check("B"))]


def message(found: Any) -> str:
    return found.check("B")["cause"]["message"]


def test_data_is_a_number_that_can_be_drawn() -> None:
    assert judge(one("up"), world('up{job="x"}')).check("B")["status"] == "ok"
    for values, status in (([1], "ok"), (["NaN"], "failed"), (["+Inf"], "failed"), (["NaN", 0], "ok")):
        found = judge(one("a / b"), world('a{job="x"}', 'b{job="x"}', gives={"a / b": values}))
        assert found.check("B")["status"] == status
    assert codes(judge(one("a / b"), world('a{job="x"}', 'b{job="x"}', gives={"a / b": ["NaN"]}))) == [
        "panel_not_finite"
    ]


def test_one_query_with_data_is_enough_and_a_missing_metric_is_told() -> None:
    found = judge(board("B", panel("P", "up", "gone_total", "up == 0")), world('up{job="x"}')).check("B")
    assert found["status"] == "ok"
    assert found["notes"] == ["query B of P is empty: there is no metric gone_total"]


def test_a_query_of_a_board_of_ours_asks_for_a_metric_that_exists() -> None:
    given = board("B", panel("P", "up", "gone_total", "up == 0"), uid="ours")
    found = judge(given, world('up{job="x"}'), own=["ours"])
    assert codes(found) == ["panel_metric_missing"]
    assert message(found) == "Panel P (query B) is empty: there is no metric gone_total."
    assert found.check("B")["details"]["empty"] == ["P"]
    assert judge(given, world('up{job="x"}'), own=["another"]).check("B")["status"] == "ok"
    excuse = [{"reason": "comes later", "metric": "optional"}]
    assert judge(given, world('up{job="x"}'), own=["ours"], excuses=excuse).check("B")["status"] == "ok"
    # that it may be empty does not mean that nobody needs to see it die
    assert codes(judge(given, world('up{job="x"}'), own=["ours"], excuses=[{"reason": "quiet"}])) == [
        "panel_metric_missing"
    ]


def test_a_query_says_what_must_happen_before_its_metric_exists() -> None:
    until = panel("P", "up", "gone_total")
    until["targets"][1]["absentUntil"] = "an order has failed"
    found = judge(board("B", until, uid="ours"), world('up{job="x"}'), own=["ours"]).check("B")
    assert found["status"] == "ok"
    assert found["notes"] == ["P (query B): gone_total comes when an order has failed"]
    # the other one is not excused by it
    found = judge(board("B", until, uid="ours"), world("requests_total"), own=["ours"])
    assert codes(found) == ["panel_metric_missing"]
    until["targets"].pop(0)
    found = judge(board("B", until, uid="ours"), world('up{job="x"}'), own=["ours"])
    assert found.check("B")["status"] == "ok"
    assert found.panels[0].reason == "nothing to show until an order has failed"
    # once it exists, the panel has to have data
    broken = judge(board("B", until, uid="ours"), world(SHOP, past=["gone_total"]), own=["ours"])
    assert codes(broken) == ["panel_series_ended"]


def test_an_error_of_one_query_is_an_error_of_the_panel() -> None:
    server = world('up{job="x"}', gives={"broken(": "unexpected end of input"})
    found = judge(board("B", panel("P", "up", "broken(")), server)
    assert codes(found) == ["panel_query_error"]
    assert "Panel P (query B) is refused: unexpected end of input" in message(found)


def test_slow() -> None:
    found = judge(one("up"), world('up{job="x"}', gives={"up": "slow"}))
    assert codes(found) == ["panel_query_slow"]
    assert found.check("B")["cause"]["fix"].endswith("query_timeout: 30")


def test_no_time_left() -> None:
    found = judge(one("up"), world('up{job="x"}'), seconds=0)
    assert codes(found) == ["dashboards_not_finished"]
    assert found.check("B")["status"] == "unknown"


def test_selects_nothing() -> None:
    found = judge(one('requests_total{job="shop",namespace="bank"}'), world(SHOP, BANK))
    assert codes(found) == ["panel_selects_nothing"]


def test_ended() -> None:
    assert codes(judge(one("old_total"), world(SHOP, past=["old_total"]))) == ["panel_series_ended"]
    # within 24 hours, and not within the hour that the board shows
    recent = world(SHOP, gives={"sum(requests_total)": [], "count(requests_total)": []})
    found = judge(one("sum(requests_total)"), recent)
    assert codes(found) == ["panel_series_ended"]
    assert "no sample within the time that the panel shows" in message(found)


def test_young() -> None:
    server = world(SHOP, gives={"count(requests_total)": [1]})
    found = judge(one("rate(requests_total[1h])"), server)
    assert codes(found) == ["panel_too_young"]
    assert found.check("B")["status"] == "unknown"
    assert found.wait


def test_a_young_server_is_waited_for() -> None:
    assert judge(one("gone_total"), world(SHOP), young=True).wait
    assert not judge(one("gone_total"), world(SHOP)).wait


def test_a_recording_rule_that_has_not_run_yet_is_waited_for() -> None:
    rules = {"shop:sum": Recorded("g", "sum(x)", False), "shop:dead": Recorded("g", "sum(x)", True)}
    assert judge(one("shop:sum"), world(SHOP), recorded=rules).wait
    found = judge(one("shop:dead"), world(SHOP), recorded=rules)
    assert not found.wait
    assert "recorded by group g, which gives none" in message(found)
    assert "no rule makes it" in message(judge(one("shop:none"), world(SHOP), recorded=rules))


def test_the_smallest_part_that_is_empty_is_told() -> None:
    count = {"count(requests_total)": [1], "count(requests_total offset 300s)": [1]}
    found = judge(one("sum(requests_total > 5) * 2"), world(SHOP, gives=count))
    assert "no series is > 5" in message(found)
    more = {**count, "rate(requests_total[60s])": []}
    assert "rate() has too few samples within 60 s" in message(
        judge(one("sum(rate(requests_total[1m]))"), world(SHOP, gives=more))
    )
    assert "every series on the left of unless is also on its right" in message(
        judge(one("requests_total unless requests_total"), world(SHOP, gives=count))
    )


def test_what_is_scraped_less_often_than_grafana_thinks() -> None:
    """The datasource says 30 s, so that $__rate_interval is 120 s; this target is asked every 100 s."""
    count = {
        "count(requests_total)": [1],
        "count(requests_total offset 300s)": [1],
        "max(count_over_time(requests_total[600s]))": [6],
    }
    found = judge(one("rate(requests_total[$__rate_interval])"), world(SHOP, gives=count))
    assert "too few samples within 120 s, and is scraped every 100 s only" in message(found)
    assert found.check("B")["cause"]["fix"].endswith("interval: 100s")
    found = judge(one("rate(requests_total[1m])"), world(SHOP, gives=count))
    assert found.check("B")["cause"]["fix"].endswith("[400s]")


def test_an_explanation_that_cannot_be_had_costs_no_verdict() -> None:
    class Mute(World):
        def get(self, path: str, *given: Any, **more: Any) -> Any:
            if path == "/api/v1/series":
                raise ApiTimeout("GET /api/v1/series gave no answer within 10 s.")
            return super().get(path, *given, **more)

    given = board("B", panel("Dead", 'requests_total{job="none"}'), panel("Gone", "gone_total"), panel("Up", "up"))
    found = judge(given, Mute([SHOP, "up"]))
    assert [one.status for one in found.panels] == ["empty", "empty", "data"]
    assert set(codes(found)) <= {"panel_metric_missing", "panel_series_ended", "panel_result_empty"}


def test_values_that_there_are() -> None:
    buckets = [f'b_bucket{{le="{one}"}}' for one in ("0.5", "1.0", "+Inf")]
    found = judge(one('b_bucket{le="1"}'), world(*buckets))
    assert "there is +Inf, 0.5, 1.0" in message(found)
    assert found.check("B")["cause"]["fix"].endswith('expr: "b_bucket{le=\\"1.0\\"}"')
    found = judge(one('requests_total{code=~"5.."}'), world(SHOP))
    assert "there is 200" in message(found)
    assert "may_be_empty: [" in found.check("B")["cause"]["fix"]


def test_not_judged() -> None:
    given = board(
        "B",
        panel("P", "up"),
        panel("Postgres", "x", datasource={"type": "postgres", "uid": "pg"}),
        logs("Logs", '{a="b"}'),
        {"title": "T", "type": "text"},
    )
    more = Sources((PROMETHEUS, LOKI, Source("pg", "PG", "postgres")))
    found = judge(given, world('up{job="x"}'), sources=more)
    assert found.check("B")["observed"] == "1 of 1 panels have data"
    assert [one.reason for one in found.panels] == [
        "",
        "a datasource of type postgres is not judged",
        "no Loki was named to ask",
        "a panel of type text has no query",
    ]
    nothing = judge(board("B", {"title": "T", "type": "text"}), world('up{job="x"}')).check("B")
    assert nothing["status"] == "ok"


def test_a_dead_variable_is_blamed_once_and_only_for_what_it_does() -> None:
    given = board(
        "B",
        panel("One", 'requests_total{namespace="$namespace"}'),
        panel("Two", 'requests_total{namespace=~"$namespace",code="200"}'),
        panel("Own fault", 'gone_total{namespace="$namespace"}'),
        panel("Written", 'requests_total{job="none",namespace="$namespace"}'),
        variables=[variable("namespace", "label_values(request_total, namespace)")],
    )
    found = judge(given, world(SHOP, BANK))
    assert codes(found) == ["variable_without_values", "panel_metric_missing", "panel_label_missing"]
    assert "Dead for it: One, Two." in message(found)
    assert found.check("B")["cause"]["fix"].endswith('query: "label_values(requests_total, namespace)"')


def test_only_the_first_of_a_chain_is_blamed() -> None:
    given = board(
        "B",
        panel("P", 'requests_total{code="$code"}'),
        variables=[
            variable("namespace", "label_values(request_total, namespace)"),
            variable("code", 'label_values(requests_total{namespace="$namespace"}, code)'),
        ],
    )
    assert codes(judge(given, world(SHOP))) == ["variable_without_values"]


def test_all_is_judged_too() -> None:
    saved = {**NAMESPACE, **ALL, "current": {"value": ["shop"]}}
    given = board("B", panel("P", 'requests_total{namespace="$namespace"}'), variables=[saved])
    found = judge(given, world(SHOP, BANK))
    assert codes(found) == ["panel_all_empty"]
    assert found.check("B")["cause"]["fix"].endswith('expr: "requests_total{namespace=~\\"$namespace\\"}"')
    good = board("B", panel("P", 'requests_total{namespace=~"$namespace"}'), variables=[saved])
    assert judge(good, world(SHOP, BANK)).check("B")["status"] == "ok"


def test_excuses() -> None:
    given = board("B", panel("Errors [5xx]", 'requests_total{code="500"}'), panel("Gone", "gone_total"))
    allowed = [{"panel": "Errors [5xx]", "reason": "good"}, {"board": "b*", "panel": "G*", "reason": "later"}]
    found = judge(given, world(SHOP), excuses=allowed)
    assert [one.status for one in found.panels] == ["empty_ok", "empty"]
    assert codes(found) == ["panel_metric_missing"]
    allowed[1]["metric"] = "optional"
    found = judge(given, world(SHOP), excuses=allowed)
    assert found.check("B")["status"] == "ok"
    assert found.check("B")["observed"] == "0 of 2 panels have data, 2 may be empty"


@pytest.mark.parametrize(
    "item", [{}, {"panel": "x"}, {"reason": "r", "panels": "x"}, {"reason": "r", "metric": "never"}, "x"]
)
def test_excuses_that_cannot_be_meant(item: Any) -> None:
    with pytest.raises(ConfigError, match="may_be_empty"):
        Excuse.parse(item, 0)


def test_a_number_in_place_of_a_metric() -> None:
    hidden = "sum(rate(eror_total[5m])) or vector(0)"
    server = world("errors_total", gives={hidden: [0]})
    assert codes(judge(one(hidden), server)) == ["panel_constant_hides_nothing"]
    excuse = [{"reason": "comes with the first error", "metric": "optional"}]
    assert judge(one(hidden), server, excuses=excuse).check("B")["status"] == "ok"
    until = one(hidden)
    until["panels"][0]["targets"][0]["absentUntil"] = "the first error"
    assert judge(until, server).check("B")["notes"] == ["P: eror_total comes when the first error"]
    fine = "sum(rate(errors_total[5m])) or vector(0)"
    assert judge(one(fine), world("errors_total", gives={fine: [0]})).check("B")["status"] == "ok"


@pytest.mark.parametrize(
    "hidden",
    [
        "sum(rate(eror_total[5m])) or 0 * sum(rate(requests_total[5m]))",
        "sum(rate(eror_total[5m]))\nor sum(rate(requests_total[5m])) * 0",
        "(sum(eror_total) or 0 * sum(requests_total)) / (sum(requests_total) > 0) or 0 * sum(requests_total)",
        "sum(eror_total) / sum(requests_total) or 0 * sum(requests_total)",
    ],
)
def test_nothing_times_another_metric_is_a_number_too(hidden: str) -> None:
    found = judge(one(hidden), world(SHOP, "errors_total", gives={hidden: [0]}))
    assert codes(found) == ["panel_constant_hides_nothing"]
    assert "although there is no metric eror_total; nearest: errors_total" in message(found)
    fine = hidden.replace("eror", "errors")
    assert judge(one(fine), world(SHOP, "errors_total", gives={fine: [0]})).check("B")["status"] == "ok"
    # another metric is another answer, and no number
    other = "sum(old_total) or sum(requests_total)"
    assert judge(one(other), world(SHOP, gives={other: [1]})).check("B")["status"] == "ok"


def test_logs() -> None:
    loki = Logs({"namespace": "shop"}, {"namespace": "bank"})
    server = world(SHOP)
    assert judge(board("B", logs("L", '{namespace="shop"}')), server, loki=loki).check("B")["status"] == "ok"
    cases = {
        '{namespace="shop"} |= "x"': ("panel_lines_missing", "none that its filters let through"),
        '{namespace="shob"}': ("panel_stream_missing", "nearest: shop"),
        '{team="x"}': ("panel_stream_missing", "no stream has the label team"),
        '{namespace=~"shop|bank", namespace!~".+"}': ("panel_stream_missing", "though each of its labels exists"),
    }
    for expr, (code, part) in cases.items():
        found = judge(board("B", logs("L", expr)), server, loki=loki)
        assert codes(found) == [code]
        assert part in message(found)


def test_points_for_sketches() -> None:
    thresholds = {"steps": [{"value": None, "color": "green"}, {"value": 5, "color": "red"}]}
    given = one(
        "up", fieldConfig={"defaults": {"unit": "s", "thresholds": thresholds}}, query={"legendFormat": "{{job}}!"}
    )
    shown = judge(given, world('up{job="x"}', 'up{job="y"}')).result(sketches=True)["panels"][0]
    assert [(one["name"], len(json.loads(one["points"]))) for one in shown["series"]] == [("x!", 1), ("y!", 1)]
    assert shown["unit"] == "s"
    assert shown["thresholds"] == [{"value": None, "color": "green"}, {"value": 5.0, "color": "red"}]
    many = world(*(f'up{{job="{n}"}}' for n in range(20)))
    assert len(judge(given, many).result(sketches=True)["panels"][0]["series"]) == 8
    assert "series" not in judge(given, many).result(sketches=False)["panels"][0]


def test_names_of_boards_are_different() -> None:
    boards = [read(board("Same", folder="x")), read(board("Same")), read(board("Other"))]
    assert len(set(names_of(boards))) == 3
    assert names_of(boards)[2] == "Other"


def test_likeness() -> None:
    assert alike("http_request_total", "http_requests_total")
    assert alike("pg_replication_lag_secs", "pg_replication_lag")
    assert not alike("container_network_receive_bytes_total", "process_network_receive_bytes_total")
    assert not alike("container_fs_reads_total", "container_cpu_cfs_periods_total")
