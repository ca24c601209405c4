# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boards, variables, datasources, Grafana: each part by itself."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _dashboards_collect as collect,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _dashboards_grafana as grafana,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api, DirectApi, Response
from ansible_collections.dataplatform.monitoring.plugins.module_utils._checks import all_causes
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_ask import (
    Asker,
    Request,
    read_reply,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_interpolate import Value
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_model import BoardError, read_board
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_sources import (
    Source,
    Sources,
    from_provisioning,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_variables import (
    Ask,
    Found,
    Resolver,
    custom_options,
    filtered,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import ProxyApi
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import Deadline
from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql import parse
from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql_text import text_of

from tests.unit.dashboards.builders import (
    LOKI,
    NOW,
    PROMETHEUS,
    Logs,
    board,
    judge,
    logs,
    panel,
    read,
    variable,
    world,
)

SOURCES = Sources((PROMETHEUS, LOKI, Source("p2", "Second", "prometheus")))


# --- boards ---


def test_wrapped_boards() -> None:
    plain = board("T", panel("P", "up"))
    for given in ({"dashboard": plain, "meta": {"folderTitle": "F"}}, {"board": plain, "folder": "F"}):
        found = read_board(given, "here")
        assert (found.title, found.folder, len(found.panels)) == ("T", "F", 1)
    custom = {"apiVersion": "dashboard.grafana.app/v1beta1", "kind": "Dashboard", "spec": plain}
    assert read_board(custom, "here").title == "T"


def test_old_rows_and_queries() -> None:
    old = {
        "title": "Old",
        "rows": [
            {
                "repeat": "node",
                "panels": [
                    {"title": "P", "type": "graph", "span": 6, "targets": [{"expr": "up", "step": 60, "instant": True}]}
                ],
            }
        ],
    }
    found = read(old).panels[0]
    assert (found.width, found.repeats, found.targets[0].step) == (12, ("node",), "60")
    assert found.targets[0].instant
    assert not found.targets[0].range


def test_reasons_for_being_empty() -> None:
    cases = [("why", ("why", False)), ({"reason": "why", "metric": "optional"}, ("why", True)), (None, ("", False))]
    for given, wanted in cases:
        found = read(board("T", panel("P", "up", mayBeEmpty=given))).panels[0]
        assert (found.empty_reason, found.metric_optional) == wanted
    assert read(board("T", panel("P", "up", mayBeEmpty=True))).panels[0].empty_reason


@pytest.mark.parametrize("given", [[], "x", {}, {"panels": 5}, {"title": "x", "elements": {}}])
def test_no_boards(given: Any) -> None:
    with pytest.raises(BoardError):
        read_board(given, "here")


def test_boards_that_somebody_mangled_are_judged_all_the_same() -> None:
    """Whatever stands where something else should: a verdict or BoardError, and nothing else."""
    whole = board(
        "T",
        panel("P", 'sum(rate(requests_total{namespace=~"$namespace"}[$__rate_interval]))', repeat="namespace"),
        panel("Q", "a / b", interval="$step", fieldConfig={"defaults": {"thresholds": {"steps": [{"value": 1}]}}}),
        {"type": "row", "panels": [logs("L", '{namespace=~"$namespace"} |= "x"')], "collapsed": True},
        {"title": "Library", "libraryPanel": {"name": "x"}},
        variables=[
            variable("namespace", "label_values(requests_total, namespace)", includeAll=True, sort=1, regex="/a/"),
            {"name": "step", "type": "interval", "query": "1m,5m", "auto": True, "auto_count": 30},
            {"name": "pick", "type": "custom", "query": "a : b, c", "current": {"value": ["b"]}},
        ],
    )
    server, loki = world('requests_total{namespace="a"}', "a", "b"), Logs({"namespace": "a"})
    rng = random.Random(5)  # noqa: S311
    for _turn in range(250):
        given = copy.deepcopy(whole)
        for place in rng.sample(list(_places(given)), rng.randint(1, 5)):
            _mangle(given, place, rng)
        try:
            judge(given, server, loki=loki).check("T")
        except BoardError:
            continue


def _places(node: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, below in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield (*above, key)
        yield from _places(below, (*above, key))


def _mangle(node: Any, place: tuple[Any, ...], rng: random.Random) -> None:
    wrong = [None, [], {}, "", 0, -1, True, "$x", "${", "now/", 1e9, ["x"], {"a": None}, float("nan"), "(["]
    try:
        for key in place[:-1]:
            node = node[key]
        if rng.random() < 0.2:
            del node[place[-1]]
        else:
            node[place[-1]] = rng.choice(wrong)
    except (KeyError, IndexError, TypeError):
        # what was above it is gone already
        return


# --- variables ---


def resolve(*variables: dict[str, Any], chosen: dict[str, str] | None = None, **answers: Any) -> Resolver:
    """Values of variables; `answers` by what is asked."""
    asked: list[Ask] = []

    def ask(one: Ask) -> Found:
        asked.append(one)
        found = answers.get("answers", {}).get((one.how, one.match, one.label), ())
        return Found(error=found) if isinstance(found, str) else Found(tuple(found))

    found = Resolver(read(board("T", variables=variables)), SOURCES, ask, NOW, chosen)
    found.asked = asked  # type: ignore[attr-defined]
    return found


def test_chained_variables() -> None:
    answers = {
        ("values", "up", "namespace"): ["a", "b"],
        ("values", 'up{namespace="a"}', "pod"): ["p1", "p2"],
        ("values", 'up{namespace="b"}', "pod"): ["p3"],
    }
    given = (
        variable("pod", 'label_values(up{namespace="$namespace"}, pod)'),
        variable("namespace", "label_values(up, namespace)"),
    )
    assert resolve(*given, answers=answers).scope["pod"].value == "p1"
    assert resolve(*given, answers=answers, chosen={"namespace": "b"}).scope["pod"].value == "p3"


def test_forms_of_queries() -> None:
    answers = {
        ("values", "", "job"): ["j"],
        ("metrics", "^node_", "__name__"): ["node_load1"],
        ("result", "topk(1, up)", ""): ['up{job="x"} 1 1000'],
        ("series", "up", ""): ['up{job="x"}'],
        ("names", "", ""): ["job"],
    }
    found = resolve(
        variable("a", "label_values(job)"),
        variable("b", "metrics(^node_)"),
        variable("c", "query_result(topk(1, up))", regex='/job="([^"]+)"/'),
        variable("d", "up"),
        variable("e", "label_names()"),
        variable("f", {"query": "label_values({}, job)", "refId": "x"}),
        variable("g", ""),
        answers=answers,
    )
    values = {name: one.value.value for name, one in found.done.items() if name != "datasource"}
    assert values == {"a": "j", "b": "node_load1", "c": "x", "d": 'up{job="x"}', "e": "job", "f": "j", "g": ""}


def test_what_is_chosen() -> None:
    options = {("values", "up", "x"): ["a", "b", "c"]}
    query = "label_values(up, x)"

    def value(**more: Any) -> Value:
        return resolve(variable("v", query, **more), answers=options).scope["v"]

    assert value().value == "a"
    assert value(current={"value": "b"}).value == "b"
    assert value(current={"value": "gone"}).value == "a"
    assert value(multi=True, current={"value": ["c", "gone"]}).value == ("c",)
    assert value(includeAll=True, current={"value": "gone"}).value == ("a", "b", "c")
    assert value(includeAll=True, multi=True, current={"value": ["$__all"]}).text == "All"
    assert value(includeAll=True, allValue=".*").literal == ".*"
    assert value(includeAll=True, current={"value": "b"}).value == "b"
    assert value(sort=2).value == "c"


def test_other_kinds_of_variables() -> None:
    found = resolve(
        {"name": "custom", "type": "custom", "query": "one : 1, two\\,half, three"},
        {"name": "constant", "type": "constant", "query": "k"},
        {"name": "box", "type": "textbox", "query": "text", "current": {"value": "typed"}},
        {
            "name": "step",
            "type": "interval",
            "query": "1m,10m",
            "auto": True,
            "current": {"value": "$__auto_interval_step"},
        },
        {"name": "pick", "type": "interval", "query": "1m,10m"},
        {"name": "loki", "type": "datasource", "query": "loki"},
        {"name": "second", "type": "datasource", "query": "prometheus", "regex": "/Sec/"},
        {"name": "saved", "type": "datasource", "query": "prometheus", "current": {"value": "default"}},
        {"name": "none", "type": "datasource", "query": "tempo"},
        {"name": "filter", "type": "adhoc"},
    )
    values = {name: one.value for name, one in found.scope.items()}
    assert [values[name] for name in ("custom", "constant", "box", "step", "pick")] == ["1", "k", "typed", "2m", "1m"]
    assert [values[name] for name in ("loki", "second", "saved", "none")] == ["loki", "p2", "prometheus", ""]
    assert found.done["none"].fault == "empty"
    assert custom_options("a,, b") == [("a", "a"), ("b", "b")]


def test_faults_of_variables() -> None:
    answers = {("values", "bad", "x"): "parse error", ("values", "up", "x"): ["dev-1"]}
    found = resolve(
        variable("error", "label_values(bad, x)"),
        variable("empty", "label_values(nothing, x)"),
        variable("regex", "label_values(up, x)", regex="prod-.*"),
        variable("source", "label_values(up, x)", datasource={"uid": "gone"}),
        answers=answers,
    )
    assert {name: one.fault for name, one in found.done.items()} == {
        "datasource": "",
        "error": "query",
        "empty": "empty",
        "regex": "empty",
        "source": "datasource",
    }


def test_a_variable_that_refers_to_itself_ends() -> None:
    assert resolve(variable("v", 'label_values(up{a="$v"}, b)')).done["v"].fault == "empty"


def test_regexes() -> None:
    pairs = [("prod-b", "prod-b"), ("dev-a", "dev-a"), ("prod-b", "prod-b")]
    assert filtered(pairs, "/prod-(.*)/") == [("b", "b")]
    assert filtered(pairs, "/(?<text>\\w+)-(?<value>\\w+)/") == [("prod", "b"), ("dev", "a")]
    assert filtered(pairs, "/PROD/i") == [("prod-b", "prod-b")]
    assert filtered(pairs, "prod.*") == [("prod-b", "prod-b")]
    assert filtered(pairs, "/(/") == [("prod-b", "prod-b"), ("dev-a", "dev-a")]
    numbers = [(one, one) for one in ("n10", "n9", "N1")]
    assert [one for one, _value in filtered(numbers, "", 3)] == ["N1", "n9", "n10"]
    assert [one for one, _value in filtered(numbers, "", 5)] == ["N1", "n10", "n9"]


# --- datasources ---


def test_references() -> None:
    scope = {"datasource": Value("datasource", "prometheus"), "empty": Value("empty", "")}

    def meant(given: Any) -> Any:
        found = SOURCES.meant(given, scope)
        return found.source.uid if found.source else found.fault or found.skipped

    assert meant({"type": "prometheus", "uid": "$datasource"}) == "prometheus"
    assert meant("${datasource}") == "prometheus"
    assert meant("Second") == "p2"
    assert meant(None) == "prometheus"
    assert meant("default") == "prometheus"
    assert meant({"type": "loki"}) == "loki"
    assert "none" in meant({"type": "tempo"})
    assert "there is no datasource Prometheu; nearest: prometheus" in meant("Prometheu")
    assert "exported for sharing" in meant("${DS_PROMETHEUS}")
    assert "the board has no variable ds" in meant({"uid": "$ds"})
    assert "Grafana itself" in meant("-- Grafana --")
    assert "another panel" in meant({"type": "datasource", "uid": "-- Dashboard --"})
    assert Sources((), known=False).meant("anything", scope).source is not None


def test_provisioned() -> None:
    data = {
        "datasources": [
            {"name": "P", "type": "prometheus", "isDefault": "true", "jsonData": {"timeInterval": "30s"}},
            {"type": ""},
            5,
        ]
    }
    assert from_provisioning(data) == [Source("P", "P", "prometheus", True, 30.0)]
    assert from_provisioning("x") == from_provisioning({"datasources": None}) == []


class Maps:
    """A cluster with ConfigMaps."""

    def __init__(self, *items: dict[str, Any]) -> None:
        self.items = list(items)
        self.asked: list[tuple[str, str | None]] = []

    def list(self, path: str, label_selector: str | None = None) -> list[dict[str, Any]]:
        self.asked.append((path, label_selector))
        return self.items


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "m", "name": name, "annotations": {"grafana_folder": "F"}},
        "data": {key.replace("_", "."): text for key, text in data.items()},
    }


def test_config_maps() -> None:
    maps = Maps(config_map("a", a_json=json.dumps(board("A")), readme="x"), config_map("b", b_json="{"))
    boards, broken = collect.read_all(collect.from_config_maps(maps, "m", "l=1", "grafana_folder"))
    assert maps.asked == [("/api/v1/namespaces/m/configmaps", "l=1")]
    assert [(one.title, one.folder, one.source) for one in boards] == [("A", "F", "a.json of ConfigMap m/a")]
    assert [one.cause["code"] for one in broken] == ["dashboard_unreadable"]
    assert broken[0].cause["fix"].endswith("kubectl -n m get configmap b -o yaml")
    text = "datasources: [{name: L, uid: loki, type: loki}]"
    assert [one.uid for one in collect.sources_of_config_maps(Maps(config_map("d", d_yaml=text)), None, "x")] == [
        "loki"
    ]


def test_datasources_that_are_given() -> None:
    assert collect.given_sources([{"uid": "u", "type": "loki", "interval": "10s"}])[0].scrape == 10
    with pytest.raises(ConfigError, match="uid and type"):
        collect.given_sources([{"uid": "u"}])


# --- asking ---


def test_each_question_is_asked_once_and_the_empty_ones_in_their_own_steps() -> None:
    server = world('up{job="x"}')
    asker = Asker({"prometheus": server}, Deadline(60), 10)
    there = Request("prometheus", "up", NOW - 3600, NOW, 15)
    gone = there._replace(expr="gone")
    replies = asker.replies([there, gone, there])
    asker.replies([there])
    asker.close()
    assert replies[there].finite
    assert not replies[gone].found
    steps = [(dict(params)["query"], float(dict(params)["step"])) for _path, params in server.asked]
    assert sorted(steps) == [("gone", 15.0), ("gone", 60.0), ("up", 60.0)]


def test_a_busy_server_is_asked_again() -> None:
    class Busy(Api):
        label = "busy"
        turns = 0

        def get(self, path: str, params: Any = (), timeout: Any = None, headers: Any = None) -> Response:
            self.turns += 1
            body = {"data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "1"]}]}}
            return Response(429, {}, b"too many") if self.turns < 2 else Response(200, {}, json.dumps(body).encode())

    server = Busy()
    asker = Asker({"prometheus": server}, Deadline(60), 10)
    request = Request("prometheus", "up", NOW - 60, NOW, 15, True)
    assert asker.replies([request])[request].finite
    asker.close()
    assert server.turns == 2


def test_what_logs_have_lately_needs_no_look_at_the_rest() -> None:
    class Log(Api):
        label = "log"

        def __init__(self, lately: bool) -> None:
            self.lately, self.starts = lately, []

        def get(self, path: str, params: Any = (), timeout: Any = None, headers: Any = None) -> Response:
            self.starts.append(int(dict(params)["start"]) / 1e9)
            there = self.lately or len(self.starts) > 1
            result = [{"metric": {}, "values": [[1, "1"]]}] if there else []
            return Response(200, {}, json.dumps({"data": {"resultType": "matrix", "result": result}}).encode())

    for lately, starts in ((True, [NOW - 600]), (False, [NOW - 600, NOW - 3600])):
        server = Log(lately)
        asker = Asker({"loki": server}, Deadline(60), 10)
        request = Request("loki", 'sum(rate({a=~".+"}[1m]))', NOW - 3600, NOW, 15)
        assert asker.replies([request])[request].finite
        asker.close()
        assert server.starts == pytest.approx(starts)


def test_commands_by_hand() -> None:
    direct = DirectApi("http://localhost:9090/prefix", password="secret", username="x")
    assert direct.by_hand("/api/v1/query", [("query", 'up{a="b"}')]) == (
        "curl -sSG http://localhost:9090/prefix/api/v1/query --data-urlencode 'query=up{a=\"b\"}'"
    )
    assert direct.by_hand("/api/v1/rules") == "curl -sSG http://localhost:9090/prefix/api/v1/rules"
    proxied = ProxyApi(None, "/api/v1/namespaces/m/pods/p:9090/proxy", "pod m/p")  # type: ignore[arg-type]
    assert proxied.by_hand("/api/v1/query", [("query", "a b")]) == (
        "kubectl get --raw '/api/v1/namespaces/m/pods/p:9090/proxy/api/v1/query?query=a+b'"
    )


def test_histograms_and_scalars_are_data() -> None:
    histogram = {"metric": {}, "histograms": [[1, {"count": "1"}]]}
    assert read_reply({"data": {"resultType": "matrix", "result": [histogram]}}, True).finite
    assert read_reply({"data": {"resultType": "scalar", "result": [1, "2"]}}, True).series[0][1] == ((1.0, 2.0),)
    assert not read_reply({"data": {"resultType": "scalar", "result": [1, "NaN"]}}, True).finite


@pytest.mark.parametrize(
    "text",
    [
        'sum by (a, b) (rate(x{c="d", e=~"f|g"}[5m] offset 1h))',
        "topk(5, -x ^ 2) / on (a) group_left (b) (y or vector(0))",
        "max_over_time(rate(x[1m])[1h:30s] @ end()) > bool 1e3",
        'quantile without (le) (0.9, x) unless ignoring (z) {__name__=~"a.+"}',
        'label_replace(up, "a", "$1", "b", "(.*)") == NaN',
        "count(x) and x[5m:] - Inf",
        "absent(x @ 1700000000.0) * 0.001",
        "x * ignoring (a) group_right () y",
        "sum(x) by () + count without () (x)",
    ],
)
def test_printed_expressions_mean_the_same(text: str) -> None:
    assert parse(text_of(parse(text))) == parse(text)


# --- Grafana ---


class FakeGrafana(Api):
    """Answers by path."""

    label = "https://grafana"

    def __init__(self, **answers: Any) -> None:
        self.answers = {
            "/api/health": (200, {"database": "ok", "version": "13.0.0"}),
            "/api/search": (200, []),
            "/api/datasources": (200, []),
            **{key.replace("__", "/"): one for key, one in answers.items()},
        }

    def by_hand(self, path: str, params: Any = ()) -> str:
        return f"curl {path}"

    def get(self, path: str, params: Any = (), timeout: Any = None, headers: Any = None) -> Response:
        status, body = self.answers.get(path, (404, {"message": "not found"}))
        return Response(status, {}, json.dumps(body).encode())


def grafana_checks(api: FakeGrafana, *boards: dict[str, Any], sources: Any = ()) -> dict[str, Any]:
    wanted = [read_board(one, "here", "Folder") for one in boards]
    found = grafana.judge_grafana(grafana.Grafana(api, 10), wanted, sources, "kubectl logs x")
    return {one["name"]: one for one in found}


def codes(check: dict[str, Any]) -> list[str]:
    return [one["code"] for one in all_causes(check)]


def test_loaded_boards_and_folders() -> None:
    loaded = [
        {"uid": "a", "title": "A", "folderTitle": "Folder"},
        {"uid": "b", "title": "B", "folderTitle": "Elsewhere"},
        {"uid": "z", "title": "Z"},
    ]
    checks = grafana_checks(FakeGrafana(__api__search=(200, loaded)), board("A"), board("B"), board("C"))
    assert codes(checks[grafana.LOADED]) == ["grafana_board_not_loaded"]
    assert checks[grafana.LOADED]["observed"] == "2 of 3"
    assert checks[grafana.LOADED]["notes"] == ["Grafana has 1 more: Z"]
    assert codes(checks[grafana.FOLDERS]) == ["grafana_folder_differs"]
    assert "B lies in Elsewhere instead of Folder" in checks[grafana.FOLDERS]["cause"]["message"]


def test_datasources_of_grafana() -> None:
    api = FakeGrafana(
        __api__datasources__uid__prometheus__health=(200, {"status": "OK", "message": "fine"}),
        __api__datasources__uid__loki__health=(400, {"status": "ERROR", "message": "connection refused"}),
        __api__datasources__uid__am__health=(404, {"message": "plugin not implemented"}),
    )
    sources = [PROMETHEUS, LOKI, Source("am", "Alertmanager", "alertmanager")]
    check = grafana_checks(api, board("A"), sources=sources)[grafana.DATASOURCES]
    assert codes(check) == ["grafana_datasource_unhealthy"]
    assert (check["observed"], check["notes"]) == ("1 of 2", ["without a health check: Alertmanager"])
    assert grafana_checks(api, board("A"), sources=None)[grafana.DATASOURCES]["status"] == "not_applicable"


def test_a_grafana_that_does_not_answer() -> None:
    checks = grafana_checks(FakeGrafana(__api__search=(403, {"message": "no"})), board("A"))
    assert {one["status"] for one in checks.values()} == {"unknown"}
    assert codes(checks[grafana.LOADED]) == ["access_forbidden"]
    checks = grafana_checks(FakeGrafana(__api__health=(200, {"database": "failing"})), board("A"))
    assert codes(checks[grafana.LOADED]) == ["server_error"]


def test_boards_and_datasources_are_read_from_grafana() -> None:
    api = FakeGrafana(
        __api__search=(200, [{"uid": "a", "title": "A", "folderTitle": "F"}]),
        __api__dashboards__uid__a=(200, {"dashboard": board("A"), "meta": {"folderTitle": "F"}}),
        __api__datasources=(200, [{"uid": "p", "name": "P", "type": "prometheus", "jsonData": {"timeInterval": "5s"}}]),
    )
    found = grafana.Grafana(api, 10)
    boards, broken = collect.read_all(found.given())
    assert [(one.title, one.folder) for one in boards] == [("A", "F")]
    assert broken == []
    assert found.sources() == [Source("p", "P", "prometheus", False, 5.0)]
