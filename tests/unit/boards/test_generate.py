# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the generator makes of panel data, the catalogue and the alerts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _boards,
    _boards_entries,
    _boards_files,
    _boards_style,
    _boards_text,
    _catalogue_validate,
    _packs,
    _rules_files,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

TRINO = {
    "name": "trino",
    "kind": "trino",
    "namespace": "data-platform",
    "selector": {"app": "trino"},
    "endpoints": [{"port": "http"}],
}
PANEL = {
    "title": "Own",
    "description": "Good is one.",
    "expr": "x{$selector}",
    "unit": "short",
    "board": "data-platform",
}
MARKED = {"red": "critical", "orange": "warning", "blue": "info"}


def steps(panel: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(one["color"], one["value"]) for one in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]


def thresholds() -> list[Any]:
    """Every panel of a pack that names alerts: kind, title, the alerts' names."""
    cases = []
    for kind in _packs.shipped_kinds():
        for panel in _packs.read_shipped(kind).get("panels", []):
            names = _boards_entries.alerts_of(panel)
            if names:
                cases.append(pytest.param(kind, panel, names, id=f"{kind}-{panel['title']}"))
    return cases


@pytest.mark.parametrize(("kind", "panel", "names"), thresholds())
def test_thresholds_are_those_of_the_alerts(
    kit: Any, full: dict[str, Any], kind: str, panel: dict[str, Any], names: list[str]
) -> None:
    catalogue = kit.resolve(*kit.example(), {"name": "promtail", "kind": "promtail"})
    entry = next((one for one in catalogue["entries"] if one["kind"] == kind), None)
    assert entry or kind == "blackbox"
    boards = full if entry["name"] in json.dumps(full) else kit.boards(*kit.example(), {"name": kind, "kind": kind})
    made = [one for one in kit.panels(boards[panel["board"]]) if one["title"].startswith(panel["title"])]
    values = [value for one in made for _, value in steps(one) if value is not None]
    for name in names:
        alert = entry["alerts"].get(name)
        if alert is None:
            assert name in {*entry["alerts_disabled"], *_rules_files.alerts()}
        elif "threshold" in alert:
            assert any(abs(value - alert["threshold"]) <= 1e-9 for value in values), (name, values)


def test_an_entry_s_own_threshold_moves_the_line_and_the_words(kit: Any) -> None:
    board = kit.boards({**TRINO, "alerts": {"TrinoQueueLong": {"threshold": 7}}})["data-platform"]
    panel = kit.panel(board, "Queued queries")
    assert steps(panel) == [("green", None), ("orange", 7.0)]
    assert "TrinoQueueLong fires above 7 for 15m." in panel["description"]
    assert {
        "title": "Runbook: TrinoQueueLong",
        "url": f"{kit.runbooks}/TrinoQueueLong.md",
        "targetBlank": True,
    } in panel["links"]


def test_overrides_of_the_rules_count_too(kit: Any) -> None:
    overrides = {"TrinoQueueLong": {"severity": "critical"}}
    board = kit.boards(TRINO, rule_overrides=overrides)["data-platform"]
    assert steps(kit.panel(board, "Queued queries")) == [("green", None), ("red", 50.0)]


def test_an_alert_that_is_switched_off_leaves_no_line(kit: Any) -> None:
    board = kit.boards({**TRINO, "alerts": {"TrinoQueueLong": {"enabled": False}}})["data-platform"]
    panel = kit.panel(board, "Queued queries")
    assert steps(panel) == [("blue", None)]
    assert "fires" not in panel["description"]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"expr": "x > 5", "threshold": 5}, [("green", None), ("orange", 5.0)]),
        ({"expr": "x > 0", "threshold": 0}, [("green", None), ("orange", 1e-9)]),
        ({"expr": "x < 3", "threshold": 3, "severity": "critical"}, [("red", None), ("green", 3.0)]),
        ({"expr": "up == 0"}, [("orange", None), ("green", 1.0)]),
        ({"expr": "bad == 1"}, [("green", None), ("orange", 1.0)]),
        # the comparison with the threshold counts, not the one that keeps zeros out
        ({"expr": "a / (b > 0) > 0.9", "threshold": 0.9}, [("green", None), ("orange", 0.9)]),
    ],
)
def test_lines_are_drawn_where_an_expression_draws_them(body: dict[str, Any], wanted: list[Any]) -> None:
    bound = _boards_style.bound_of("A", {"severity": "warning", **body})
    assert bound is not None
    assert [(one["color"], one["value"]) for one in _boards_style.steps([bound])] == wanted


@pytest.mark.parametrize(
    ("value", "unit", "wanted"),
    [
        (0.85, "percentunit", "85 %"),
        (0.035, "percentunit", "3.5 %"),
        (604800, "dtdurations", "7d"),
        (300, "s", "5m"),
        (90, "s", "90s"),
        (0.5, "s", "0.5 s"),
        (30000, "ms", "30s"),
        (100000, "short", "100000"),
    ],
)
def test_thresholds_are_told_as_people_say_them(value: float, unit: str, wanted: str) -> None:
    assert _boards_style.shown(value, unit) == wanted


def test_two_lines_in_order() -> None:
    low = [_boards_style.Bound(0.1, False, "warning"), _boards_style.Bound(0.0, False, "critical")]
    high = [_boards_style.Bound(0.97, True, "critical"), _boards_style.Bound(0.85, True, "warning")]
    found = [(one["color"], one["value"]) for one in _boards_style.steps(low)]
    assert found == [("red", None), ("orange", 0.0), ("green", 0.1)]
    assert [one["color"] for one in _boards_style.steps(high)] == ["green", "orange", "red"]


def test_rates_go_by_how_often_the_service_is_scraped(kit: Any) -> None:
    """Grafana takes four times the interval; that of the datasource would be too short for a slower endpoint."""
    slow = {**TRINO, "endpoints": [{"port": "http", "interval": "1m"}, {"port": "jmx", "interval": "30s"}]}
    for entry, wanted in ((slow, "1m"), (TRINO, None)):
        panel = kit.panel(kit.boards(entry)["data-platform"], "Queries completed")
        assert [target.get("interval") for target in panel["targets"]] == [wanted] * 3


def test_burn_rates_are_those_of_the_windows(kit: Any) -> None:
    """28 days: the same part of the budget is gone at 13.44 instead of 14.4. The strictest window counts."""
    month = {**TRINO, "slo": {"objective": 99.9, "window": "30d"}}
    four_weeks = {**TRINO, "name": "adhoc", "selector": {"app": "adhoc"}, "slo": {"objective": 99.9, "window": "28d"}}
    title = "Burn rate over an hour and five minutes"
    for given, limit in (([month], 14.4), ([month, four_weeks], 13.44)):
        panel = kit.panel(kit.boards(*given)["slo-detail"], title)
        assert steps(panel) == [("green", None), ("red", limit)]
        assert f"SLOBurnRatePage fires above {limit} over 1h and 5m." in panel["description"]
        assert "Runbook: SLOBurnRatePage" in [link["title"] for link in panel["links"]]


def test_a_new_service_has_a_row_by_itself(kit: Any) -> None:
    shop = {"name": "shop", "namespace": "data-platform", "selector": {"app": "shop"}, "endpoints": [{"port": "http"}]}
    rows = [panel["title"] for panel in kit.boards(TRINO, shop)["overview"]["panels"] if panel["type"] == "row"]
    assert rows == ["Now", "trino", "shop", "Recent errors"]
    without = kit.boards(TRINO)
    assert "shop" not in json.dumps(without)


def test_two_entries_of_a_kind_have_rows_of_their_own_and_titles_of_their_own(kit: Any) -> None:
    board = kit.boards(TRINO, {**TRINO, "name": "adhoc", "selector": {"app": "adhoc"}})["data-platform"]
    titles = [panel["title"] for panel in board["panels"]]
    assert {"trino", "adhoc"} <= set(titles)
    assert {"Trino query latency", "Trino query latency (adhoc)"} <= set(titles)
    assert 'job="adhoc"' in kit.panel(board, "Trino query latency (adhoc)")["targets"][0]["expr"]


def test_a_board_without_panels_is_not_made(kit: Any) -> None:
    assert list(kit.boards(TRINO)) == ["overview", "data-platform", "logs", "monitoring", "business"]
    assert "slo" in kit.boards({**TRINO, "slo": {"objective": 99.9}})


def test_entries_that_are_not_there_are_not_shown(kit: Any) -> None:
    catalogue = kit.resolve(TRINO)
    catalogue["entries"][0]["state"] = "skipped"
    assert "trino" not in json.dumps(_boards.dashboards(catalogue, _boards.Settings())).lower()


def test_kinds_that_a_panel_needs(kit: Any) -> None:
    datahub = {"name": "datahub", "kind": "datahub", "namespace": "data-platform", "endpoints": [{"port": "http"}]}
    kafka = {"name": "kafka", "kind": "kafka", "namespace": "data-platform", "endpoints": [{"port": "metrics"}]}
    alone, both = (kit.boards(*given)["data-platform"] for given in ([datahub], [datahub, kafka]))
    assert "messaging_queue_time" in kit.panel(alone, "DataHub sync progress")["targets"][0]["expr"]
    assert "kafka_consumergroup_lag" in kit.panel(both, "DataHub sync progress")["targets"][0]["expr"]


def test_without_logs_nothing_of_them_is_left(kit: Any) -> None:
    said = json.dumps(kit.boards(*kit.example(), logs=False))
    assert "loki" not in said.replace("loki_", "").replace('job=\\"loki\\"', "") or "${logs}" not in said
    assert "${logs}" not in said
    assert "/explore" not in said
    assert "ERROR|FATAL" not in said


def test_boards_that_are_not_wanted(kit: Any) -> None:
    assert "logs" not in kit.boards(TRINO, disabled=["logs"])
    with pytest.raises(ConfigError, match=r"dashboards_disabled: there is no board log; did you mean logs\?"):
        kit.boards(TRINO, disabled=["log"])


def test_the_same_catalogue_gives_the_same_bytes(kit: Any) -> None:
    made = [json.dumps(kit.boards(*kit.example())) for _ in range(2)]
    assert made[0] == made[1]


def test_business_metrics_have_their_target_as_a_line(kit: Any) -> None:
    metric = {
        "title": "Orders in a day",
        "expr": "sum(increase(orders_total{$selector}[1d]))",
        "unit": "orders",
        "target": 500,
    }
    board = kit.boards({**TRINO, "business_metrics": [metric]})["business"]
    panel = kit.panel(board, "Orders in a day")
    defaults = panel["fieldConfig"]["defaults"]
    assert steps(panel) == [("text", None), ("purple", 500)]
    assert defaults["custom"]["thresholdsStyle"] == {"mode": "dashed"}
    assert defaults["unit"] == "suffix: orders"
    assert "The line is its target, 500." in panel["description"]
    assert [one["title"] for one in board["panels"] if one["type"] == "row"] == ["trino"]


def test_health_is_one_number(kit: Any) -> None:
    health = [{"expr": "a", "equals": 1, "means": "m"}, {"expr": "b or c", "min": 2, "means": "m"}]
    assert _boards_entries.healthy(health) == "min((a) == bool 1) * min((b or c) >= bool 2)"


def test_all_namespaces_of_a_product_s_board_are_those_of_its_entries(kit: Any, full: dict[str, Any]) -> None:
    def of(key: str) -> str:
        return next(one for one in full[key]["templating"]["list"] if one["name"] == "namespace")["allValue"]

    assert of("data-platform") == "data-platform"
    assert of("cluster") == ".+"


@pytest.mark.parametrize(
    ("expr", "wanted"),
    [
        ("up", 'up{cluster=~"$cluster"}'),
        ("sum by (job) (rate(x[$__rate_interval]))", 'sum by (job) (rate(x{cluster=~"$cluster"}[$__rate_interval]))'),
        (
            'a{b="c"} / on (d) group_left (e) f{}',
            'a{cluster=~"$cluster",b="c"} / on (d) group_left (e) f{cluster=~"$cluster"}',
        ),
        ('{__name__=~"x.+"} offset 5m', '{cluster=~"$cluster",__name__=~"x.+"} offset 5m'),
        ("max_over_time(x[30d:5m]) > bool 1", 'max_over_time(x{cluster=~"$cluster"}[30d:5m]) > bool 1'),
        ("count(a == 0) or 0 * count(a)", 'count(a{cluster=~"$cluster"} == 0) or 0 * count(a{cluster=~"$cluster"})'),
        ("time() - min(a)", 'time() - min(a{cluster=~"$cluster"})'),
        ("vector(1) or Inf", "vector(1) or Inf"),
        ('count_values("v", a)', 'count_values("v", a{cluster=~"$cluster"})'),
        (
            "sum(a) by (b) and ignoring (c) d",
            'sum(a{cluster=~"$cluster"}) by (b) and ignoring (c) d{cluster=~"$cluster"}',
        ),
    ],
)
def test_the_cluster_is_asked_for_in_every_selector(expr: str, wanted: str) -> None:
    assert _boards_text.with_cluster(expr) == wanted


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"description": ...}, "trino (pack trino): panel 'Own': description: is missing; say in a sentence"),
        ({"unit": ...}, "panel 'Own': unit: is missing"),
        (
            {"unit": "percentnuit"},
            "panel 'Own': unit: percentnuit is no unit that Grafana knows; did you mean percentunit?",
        ),
        ({"expr": ...}, "panel 'Own': expr: must be given once"),
        ({"queries": [{"expr": "x"}]}, "panel 'Own': expr: must be given once"),
        (
            {"board": "data-platfrom"},
            "panel 'Own': board: there is no board data-platfrom; did you mean data-platform?",
        ),
        ({"board": ...}, "panel 'Own': board: is missing"),
        ({"type": "graph"}, "panel 'Own': type:"),
        ({"legnd": "x"}, "panel 'Own': legnd:"),
        (
            {"alert": "TrinoQueueLnog"},
            "panel 'Own': alert: no alert is called TrinoQueueLnog; did you mean TrinoQueueLong?",
        ),
        ({"expr": "x{$selektor}"}, "panel 'Own': expr: $selektor is not a token; did you mean selector?"),
        ({"expr": "rate(x[5m"}, "panel 'Own': expr:"),
        ({"thresholds": [{"above": 1, "is": "bad"}]}, "panel 'Own': thresholds[0].is:"),
        ({"thresholds": [{"is": "warning"}]}, "panel 'Own': thresholds[0]: needs above or below"),
        ({"may_be_empty": ""}, "panel 'Own': may_be_empty:"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(kit: Any, change: dict[str, Any], complaint: str) -> None:
    panel = {key: value for key, value in {**PANEL, "expr": 'x{job="trino"}', **change}.items() if value is not ...}
    catalogue = kit.resolve(TRINO)
    catalogue["entries"][0]["panels"] = [panel]
    with pytest.raises(ConfigError) as caught:
        _boards.dashboards(catalogue, _boards.Settings())
    assert complaint in str(caught.value)


def test_the_catalogue_refuses_them_before_anything_is_changed() -> None:
    """Day 1 knows nothing of boards, and says so all the same."""
    wrong = [{**PANEL, "title": title, "unit": "nothing"} for title in ("One", "Two")]
    faults = _catalogue_validate.validate([{**TRINO, "panels": wrong}], _packs.load())
    assert [fault.split(": unit")[0] for fault in faults] == ["trino: panel 'One'", "trino: panel 'Two'"]
    packs = _packs.load({"redis": {"description": "Redis.", "panels": wrong[:1]}})
    assert _packs.validate(packs) == [faults[0].replace("trino: ", "pack redis: ")]


def test_a_panel_takes_so_many_queries_and_no_more(kit: Any) -> None:
    queries = [{"expr": f"x{number}{{$selector}}"} for number in range(17)]
    panel = {key: value for key, value in {**PANEL, "queries": queries}.items() if key != "expr"}
    faults = _catalogue_validate.validate([{**TRINO, "panels": [panel]}], _packs.load())
    assert faults == ["trino: panel 'Own': queries: 17 queries; a panel takes 16; make two panels of it."]


def test_a_panel_of_one_s_own_in_an_entry(kit: Any) -> None:
    board = kit.boards({**TRINO, "panels": [PANEL]})["data-platform"]
    assert [panel["title"] for panel in kit.panels(board) if panel["targets"][0]["expr"].startswith("x")] == ["Own"]
    panel = kit.panel(board, "Own")
    assert panel["targets"][0]["expr"] == 'x{cluster=~"$cluster",job="trino"}'
    assert "mayBeEmpty" not in panel


def test_why_a_panel_may_be_empty_is_told_to_the_verdict_and_to_people(kit: Any) -> None:
    panel = {**PANEL, "may_be_empty": "Nobody has asked yet."}
    made = kit.panel(kit.boards({**TRINO, "panels": [panel]})["data-platform"], "Own")
    assert made["mayBeEmpty"] == "Nobody has asked yet."
    assert made["description"].endswith("Empty is good: Nobody has asked yet.")


def test_config_maps_are_what_the_sidecar_looks_for(kit: Any) -> None:
    settings = _boards.Settings.of({"folder": "Platform", "labels": {"release": "x"}})
    found = _boards.dashboard_objects(_boards.dashboards(kit.resolve(TRINO), settings), settings)
    one = found[0]
    assert one["metadata"] == {
        "name": "dashboard-overview",
        "namespace": "monitoring",
        "labels": {"release": "x", "app.kubernetes.io/managed-by": "dataplatform.monitoring", "grafana_dashboard": "1"},
        "annotations": {"grafana_folder": "Platform"},
    }
    files = [name for item in found for name in item["data"]]
    assert len(set(files)) == len(files) == len(found)
    assert json.loads(one["data"]["dataplatform-overview.json"])["uid"] == "dataplatform-overview"


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"dashboards_foldr: unknown; did you mean folder\?"):
        _boards.Settings.of({"foldr": "x"})


def test_the_order_of_the_files_is_the_order_of_the_boards() -> None:
    assert [one["key"] for one in _boards_files.boards()] == list(_boards_files.ORDER)
