# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict of the dashboards against a real Prometheus and a real Loki."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.integration.dashboards.boards import LOKI, board, logs, panel, variable
from tests.integration.dashboards.conftest import Judged, Prometheus
from tests.integration.programs import free_port

Judge = Callable[..., Judged]
NAMESPACE = variable("namespace", "label_values(http_requests_total, namespace)")
POD = variable("pod", 'label_values(http_requests_total{namespace=~"$namespace"}, pod)')
ALL = {"includeAll": True, "multi": True}


def test_a_board_that_is_well(judge: Judge) -> None:
    well = board(
        "Well",
        panel(
            "Rate", 'sum by (pod) (rate(http_requests_total{namespace=~"$namespace",pod=~"$pod"}[$__rate_interval]))'
        ),
        panel("Now", 'sum(http_requests_total{namespace="$namespace"})', query={"instant": True}, type="stat"),
        panel("Recorded", "shop:requests:sum"),
        panel("Scalar", "vector(1)"),
        logs("Lines", '{namespace="shop"}'),
        panel("Volume", 'sum(count_over_time({namespace=~".+"}[$__auto]))', datasource=LOKI),
        {"id": 9, "title": "Words", "type": "text"},
        variables=[NAMESPACE, POD],
    )
    judged = judge(well, sketches=True)
    assert judged["Well"]["status"] == "ok", judged["Well"]
    assert judged["Well"]["observed"] == "6 of 6 panels have data"
    assert "judged by queries, Grafana not named" in judged.outcome.notes
    panels = judged.panels("Well")
    assert panels["Words"]["status"] == "no_query"
    # the board opens with the first namespace
    assert [one["name"] for one in panels["Rate"]["series"]] == ["core-1"]
    points = json.loads(panels["Rate"]["series"][0]["points"])
    assert 0 < len(points) <= 60
    assert all(value >= 0 for _moment, value in points)


FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "metric": (
        board("metric", panel("Requests", "rate(http_request_total[5m])")),
        "panel_metric_missing",
        "there is no metric http_request_total; nearest: http_requests_total",
    ),
    "recorded": (
        board("recorded", panel("Recorded", "dead:requests:sum")),
        "panel_metric_missing",
        "dead:requests:sum is recorded by group recorded, which gives none",
    ),
    "label": (
        board("label", panel("Requests", 'http_requests_total{namespace="shoop"}')),
        "panel_label_missing",
        'no http_requests_total has namespace="shoop"; nearest: shop',
    ),
    "value": (
        board("value", panel("Requests", 'http_requests_total{code="2000"}')),
        "panel_value_missing",
        'no http_requests_total has had code="2000" so far; nearest: 200',
    ),
    "state": (
        board("state", panel("Errors", 'http_requests_total{code=~"5.."}')),
        "panel_value_missing",
        'no http_requests_total has had code=~"5.." so far',
    ),
    "together": (
        board("together", panel("Both", 'up{job="demo",instance=~".*prometheus.*|127.0.0.1:1"}')),
        "panel_label_missing",
        "no up has instance",
    ),
    "comparison": (
        board("comparison", panel("Hot", "room_celsius > 100")),
        "panel_result_empty",
        "no series is > 100",
    ),
    "join": (
        board("join", panel("Join", "room_celsius * on (room) group_left () quota")),
        "panel_result_empty",
        "both sides of * on (room) group_left () have series, and none of the left matches one of the right",
    ),
    "nan": (
        board("nan", panel("Share", "failures_total / attempts_total")),
        "panel_not_finite",
        "only NaN or infinity",
    ),
    "constant": (
        board("constant", panel("Errors", "sum(rate(http_eror_total[5m])) or vector(0)")),
        "panel_constant_hides_nothing",
        "shows a number although there is no metric http_eror_total",
    ),
    "many": (
        board("many", panel("Share", "limit_bytes / on (namespace, pod) used_bytes")),
        "panel_query_error",
        "found duplicate series for the match group",
    ),
    "function": (
        board("function", panel("Requests", "ratte(http_requests_total[5m])")),
        "panel_query_error",
        'unknown function with name "ratte"',
    ),
    "syntax": (
        board("syntax", panel("Requests", "sum(http_requests_total")),
        "panel_query_error",
        "unclosed left parenthesis",
    ),
    "datasource": (
        board("datasource", panel("Requests", "up", datasource={"type": "prometheus", "uid": "promtheus"})),
        "datasource_missing",
        "there is no datasource promtheus; nearest: prometheus",
    ),
    "shared": (
        board("shared", panel("Requests", "up", datasource={"type": "prometheus", "uid": "${DS_PROMETHEUS}"})),
        "datasource_missing",
        "exported for sharing",
    ),
    "variable": (
        board(
            "variable",
            panel("Requests", 'http_requests_total{namespace="$namespace"}'),
            panel("Quota", 'quota{namespace="$namespace"}'),
            variables=[variable("namespace", "label_values(http_request_total, namespace)")],
        ),
        "variable_without_values",
        "nearest: http_requests_total, prometheus_http_requests_total. Dead for it: Requests, Quota",
    ),
    "variable label": (
        board(
            "variable label",
            panel("Requests", 'http_requests_total{namespace="$namespace"}'),
            variables=[variable("namespace", "label_values(http_requests_total, exported_namespace)")],
        ),
        "variable_without_values",
        "no http_requests_total has the label exported_namespace",
    ),
    "variable regex": (
        board(
            "variable regex",
            panel("Requests", 'http_requests_total{namespace="$namespace"}'),
            variables=[{**NAMESPACE, "regex": "/prod-.*/"}],
        ),
        "variable_without_values",
        "its regex /prod-.*/ leaves none of 2 values",
    ),
    "variable query": (
        board(
            "variable query",
            panel("Requests", 'http_requests_total{namespace="$namespace"}'),
            variables=[variable("namespace", "label_values(http_requests_total{, namespace)")],
        ),
        "variable_query_error",
        "The variable namespace cannot be asked for its values",
    ),
    "all": (
        board(
            "all",
            panel("Requests", 'http_requests_total{namespace="$namespace"}'),
            variables=[{**NAMESPACE, **ALL, "current": {"text": ["shop"], "value": ["shop"]}}],
        ),
        "panel_all_empty",
        "is empty with namespace = All",
    ),
    "stream": (
        board("stream", logs("Lines", '{namespace="shoop"} != "error"')),
        "panel_stream_missing",
        'no stream has namespace="shoop"; nearest: shop',
    ),
    "stream label": (
        board("stream label", logs("Lines", '{team="shop"}')),
        "panel_stream_missing",
        "no stream has the label team",
    ),
    "lines": (
        board("lines", logs("Lines", '{namespace="shop"} |= "no such thing"')),
        "panel_lines_missing",
        "its streams have lines, but none that its filters let through",
    ),
    "logql": (
        board("logql", logs("Lines", '{namespace="shop"} |=')),
        "panel_query_error",
        "parse error",
    ),
}


@pytest.fixture(scope="module")
def faults() -> dict[str, Any]:
    """Filled by the first test that asks."""
    return {}


@pytest.mark.parametrize("name", list(FAULTS))
def test_each_fault_has_its_cause(judge: Judge, faults: dict[str, Any], name: str) -> None:
    if not faults:
        faults["judged"] = judge(*(one for one, _code, _part in FAULTS.values()))
    judged: Judged = faults["judged"]
    given, code, part = FAULTS[name]
    assert judged[given["title"]]["status"] == "failed"
    assert judged.codes(given["title"]) == [code]
    assert part in judged[given["title"]]["cause"]["message"]
    assert re.search(r": ?\S", judged[given["title"]]["cause"]["fix"])


@pytest.mark.parametrize(
    "name", ["metric", "label", "value", "state", "datasource", "variable", "all", "function", "stream", "lines", "nan"]
)
def test_a_fix_that_is_a_line_heals(judge: Judge, name: str) -> None:
    """What the fix says is put in word by word, and the board is well."""
    given, _code, _part = FAULTS[name]
    fix = judge(given)[given["title"]]["cause"]["fix"]
    line = re.search(r"(expr|query|datasource|may_be_empty): .*$", fix)
    assert line, fix
    change = yaml.safe_load(line[0])
    mended = json.loads(json.dumps(given))
    options = {}
    if "may_be_empty" in change:
        options = change
    elif "expr" in change:
        mended["panels"][0]["targets"][0]["expr"] = change["expr"]
    elif "datasource" in change:
        mended["panels"][0]["datasource"] = change["datasource"]
    else:
        mended["templating"]["list"][1]["query"] = change["query"]
    judged = judge(mended, **options)
    assert judged[given["title"]]["status"] == "ok", judged[given["title"]]


@pytest.mark.parametrize("name", ["recorded", "syntax", "variable label", "stream label", "logql"])
def test_a_fix_that_is_a_command_runs(judge: Judge, name: str) -> None:
    given, _code, _part = FAULTS[name]
    fix = judge(given)[given["title"]]["cause"]["fix"]
    command = fix[fix.index("curl ") :]
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0
    assert done.stdout


def test_empty_is_good_where_the_panel_says_so(judge: Judge) -> None:
    quiet = board(
        "Quiet",
        panel("Errors", 'http_requests_total{code=~"5.."}', mayBeEmpty="no errors is good"),
        panel("Hot", "room_celsius > 100"),
        panel("Gone", "http_eror_total", mayBeEmpty="no errors is good"),
        panel("Later", "http_eror_total", mayBeEmpty={"reason": "comes with the first error", "metric": "optional"}),
        logs("Bad lines", '{namespace="shop"} |= "panic"', mayBeEmpty="no panic is good"),
        logs("No label", '{team="shop"}', mayBeEmpty="no panic is good"),
    )
    judged = judge(quiet, may_be_empty=[{"board": "Quiet", "panel": "H*", "reason": "never so hot"}])
    assert judged["Quiet"]["observed"] == "0 of 6 panels have data, 4 may be empty"
    assert judged.codes("Quiet") == ["panel_metric_missing", "panel_stream_missing"]
    assert "may be empty, but there is no metric http_eror_total" in judged["Quiet"]["cause"]["message"]
    statuses = {title: (one["status"], one["reason"]) for title, one in judged.panels("Quiet").items()}
    assert statuses["Errors"] == ("empty_ok", "no errors is good")
    assert statuses["Hot"] == ("empty_ok", "never so hot")
    assert statuses["Later"] == ("empty_ok", "comes with the first error")


def test_a_panel_that_is_empty_for_one_value_only_is_well(judge: Judge) -> None:
    single = board("Single", panel("Quota", 'quota{namespace="$namespace"}'), variables=[NAMESPACE])
    judged = judge(single)
    assert judged["Single"]["status"] == "ok"
    assert judged["Single"]["notes"] == ["Quota is empty with namespace = bank, and has data with namespace = shop"]


def test_a_variable_that_depends_on_another(judge: Judge) -> None:
    """The Pod that is offered first belongs to a namespace without a quota; its own variable follows the other one."""
    chained = board(
        "Chained",
        panel("Pod", 'http_requests_total{pod="$pod"} * on (namespace) group_left () quota'),
        variables=[NAMESPACE, POD],
    )
    judged = judge(chained)
    assert judged["Chained"]["status"] == "ok"
    assert judged["Chained"]["notes"] == [
        "Pod is empty with namespace = bank, pod = core-1, and has data with namespace = shop, pod = web-1"
    ]


def test_a_label_that_nobody_sets_is_no_fault(judge: Judge) -> None:
    """Boards for many clusters have a variable without values where there is one."""
    cluster = variable("cluster", "label_values(up, cluster)", hide=2)
    single = board("One cluster", panel("Up", 'up{cluster="$cluster"}'), variables=[cluster])
    judged = judge(single)
    assert (judged["One cluster"]["status"], judged["One cluster"]["notes"]) == ("ok", [])
    shown = board("Shown", panel("Up", 'up{cluster="$cluster"}'), variables=[{**cluster, "hide": 0}])
    judged = judge(shown)
    assert judged["Shown"]["status"] == "ok"
    assert "The variable cluster has no values" in judged["Shown"]["notes"][0]
    alone = board(
        "Alone", panel("Up", 'up{cluster=~"$cluster"}'), variables=[{**cluster, "hide": 0, **ALL, "allValue": ".*"}]
    )
    judged = judge(alone)
    assert (judged["Alone"]["status"], judged["Alone"]["notes"]) == ("ok", [])


def test_rows_repeats_and_everything_that_is_not_judged(judge: Judge) -> None:
    inner = panel("Inside", "room_celsiuss")
    repeated = panel("Of $namespace", 'quota{namespace="$namespace"}', repeat="namespace")
    given = board(
        "Rows",
        {"id": 1, "type": "row", "title": "Closed", "collapsed": True, "panels": [inner]},
        repeated,
        panel(
            "Computed",
            "",
            type="timeseries",
            targets=[
                {"refId": "A", "expr": "room_celsius", "hide": True},
                {
                    "refId": "B",
                    "datasource": {"type": "__expr__", "uid": "__expr__"},
                    "type": "math",
                    "expression": "$A*2",
                },
            ],
        ),
        panel("Other", "x", datasource={"type": "datasource", "uid": "-- Dashboard --"}),
        {"id": 7, "title": "Library", "libraryPanel": {"uid": "l", "name": "Shared one"}},
        variables=[{**NAMESPACE, **ALL}],
    )
    judged = judge(given)
    assert judged.codes("Rows") == ["panel_metric_missing"]
    assert "Panel Inside" in judged["Rows"]["cause"]["message"]
    panels = judged.panels("Rows")
    assert panels["Of $namespace"]["status"] == "data"
    assert panels["Computed"]["status"] == "data"
    assert panels["Other"]["status"] == "no_query"
    assert "library panel Shared one" in panels["Library"]["reason"]


def test_what_is_no_board(judge: Judge, tmp_path: Any) -> None:
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "new.json").write_text(json.dumps({"title": "New", "elements": {}, "layout": {}}))
    (tmp_path / "one.json").write_text(json.dumps(board("Same", panel("Up", "up"))))
    (tmp_path / "two.json").write_text(json.dumps(board("Same", panel("Up", "up == 1"))))
    judged = judge(files=[str(tmp_path)])
    found = {name.rpartition("/")[2]: judged.codes(name) for name in judged.checks}
    assert found == {
        "broken.json": ["dashboard_unreadable"],
        "list.json": ["dashboard_unreadable"],
        "new.json": ["dashboard_schema_unknown"],
        "two.json": ["dashboard_uid_twice"],
        "Same": [],
    }
    assert judge(files=[str(tmp_path / "one.json"), str(tmp_path / "one.json")])["Same"]["status"] == "ok"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert judge(files=[str(empty)]).codes("dashboards") == ["dashboards_missing"]


def test_servers_that_do_not_answer(judge: Judge, prometheus: Prometheus) -> None:
    given = board("Any", panel("Up", "up"), logs("Lines", '{namespace="shop"}'))
    nobody = f"http://127.0.0.1:{free_port()}"
    judged = judge(given, prometheus={"url": nobody})
    assert (judged["Any"]["status"], judged.codes("Any")) == ("unknown", ["server_unreachable"])
    judged = judge(given, loki={"url": nobody})
    assert (judged["Any"]["status"], judged.codes("Any")) == ("unknown", ["server_unreachable"])
    judged = judge(given, loki=None)
    assert judged["Any"]["observed"] == "1 of 1 panels have data"
    assert judged.panels("Any")["Lines"]["reason"] == "no Loki was named to ask"
    assert judge(given, timeout=0)["Any"]["status"] == "unknown"


def test_100_boards_with_1500_queries(judge: Judge) -> None:
    """Well under a minute; every query is another one, and each is asked."""
    boards = [
        board(
            f"Board {number}",
            *(
                panel(
                    f"Panel {one}",
                    'sum by (pod) (rate(http_requests_total{namespace=~"$namespace"}[$__rate_interval]))'
                    f" + {number * 15 + one}",
                )
                for one in range(15)
            ),
            variables=[{**NAMESPACE, **ALL, "allValue": ".*", "current": {"value": ["shop"]}}],
        )
        for number in range(100)
    ]
    begin = time.monotonic()
    judged = judge(*boards, timeout=60)
    took = time.monotonic() - begin
    assert {check["status"] for check in judged.outcome.checks} == {"ok"}
    # as it opens, and with All
    assert judged.outcome.queries >= 3000
    assert took < 30
    same = [board(f"Same {number}", panel("Up", "up")) for number in range(100)]
    assert judge(*same).outcome.queries < 10
