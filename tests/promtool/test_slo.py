# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SLOs over time: promtool evaluates the rules as they are deployed, minute by minute, on made-up series."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _catalogue_resolve, _packs, _rules
from ansible_collections.dataplatform.monitoring.plugins.module_utils._slo_measure import Measured, exhaustion, state_of

ROOT = Path(__file__).resolve().parents[2]
UP = 'up{job="x",instance="a"}'
OTHER = 'up{job="other"}'
GOOD = 'http_requests_total{job="x",instance="a",code="200"}'
BAD = 'http_requests_total{job="x",instance="a",code="500"}'
REQUESTS = {
    "sli": "requests",
    "errors": 'rate(http_requests_total{$selector,code=~"5.."}[5m])',
    "total": "rate(http_requests_total{$selector}[5m])",
}
RATIO5, RATIO1H, WINDOW = "slo:error_ratio:rate5m", "slo:error_ratio:rate1h", "slo:error_ratio:window"
LEFT, COVERAGE = "slo:error_budget_remaining:ratio", "slo:coverage:ratio"
PAGE, TICKET = "SLOBurnRatePage", "SLOBurnRateTicket"


class Case(NamedTuple):
    """Series by selector; then, by time: the value of a recorded metric (to 0.0001), or how many alerts fire."""

    slo: dict[str, Any]
    series: dict[str, str]
    expected: dict[str, dict[str, float | None]]
    more: dict[str, Any] = {}


# As slok/sloth records a raw SLI (errors over total of one window), and pyrra-dev/pyrra draws the budget that is left.
_ALL, _BAD = "http_requests_total{job='x'}", "http_requests_total{job='x',code=~'5..'}"


def sloth(window: str) -> str:
    """How far ours is from sloth's, of a window, to a hundredth of the ratio itself."""
    theirs = f"sum(rate({_BAD}[{window}])) / sum(rate({_ALL}[{window}]))"
    return f'round((max(slo:error_ratio:rate{window}{{slo="x-availability"}}) - ({theirs})) / ({theirs}), 0.01)'


def pyrra(window: str) -> str:
    """How far what is left is from pyrra's, to a hundredth of the budget."""
    theirs = f"((1 - 0.99) - sum(increase({_BAD}[{window}])) / sum(increase({_ALL}[{window}]))) / (1 - 0.99)"
    return f'round(max(slo:error_budget_remaining:ratio{{slo="x-availability"}}) - ({theirs}), 0.01)'


CASES = {
    # 2 % of a traffic that doubles after two hours
    "as sloth and pyrra compute it": Case(
        {**REQUESTS, "objective": 99, "window": "6h"},
        {UP: "1x400", GOOD: "0+588x120 70560+1176x280", BAD: "0+12x120 1440+24x280"},
        {
            "100m": {sloth("5m"): 0, sloth("30m"): 0, sloth("1h"): 0},
            "400m": {sloth("5m"): 0, sloth("1h"): 0, sloth("2h"): 0, sloth("6h"): 0, pyrra("6h"): 0},
        },
    ),
    # 20 % of the requests fail from 1:00 to 1:30
    "a burn, its end, and what is left of it": Case(
        {**REQUESTS, "objective": 99.9, "window": "30d"},
        {UP: "1x660", GOOD: "0+600x60 36000+480x30 50400+600x570", BAD: "0x60 0+120x30 3600+0x570"},
        {
            "59m": {RATIO5: 0, PAGE: 0, LEFT: 1},
            "66m": {RATIO5: 0.2},
            "70m": {PAGE: 1, TICKET: 0},
            "90m": {RATIO5: 0.2, PAGE: 1, TICKET: 1},
            # 5m is clean, 30m is not
            "97m": {RATIO5: 0, PAGE: 1},
            "126m": {RATIO1H: 0.0898, PAGE: 0, TICKET: 1},
            # 2h is clean; 3d and 6h burn
            "240m": {PAGE: 0, TICKET: 1},
            "500m": {RATIO1H: 0, TICKET: 0, LEFT: 0.862},
        },
    ),
    "no errors ever": Case(
        {**REQUESTS, "objective": 99.9},
        {UP: "1x120", GOOD: "0+600x120"},
        {"2m": {WINDOW: 0, RATIO5: 0, LEFT: 1}, "120m": {WINDOW: 0, RATIO1H: 0, LEFT: 1, PAGE: 0, TICKET: 0}},
    ),
    "no traffic": Case(
        {**REQUESTS, "objective": 99.9},
        {UP: "1x120", GOOD: "500x120"},
        {"120m": {WINDOW: 0, RATIO5: 0, RATIO1H: 0, LEFT: 1, PAGE: 0, TICKET: 0}},
    ),
    "nobody ever asked": Case(
        {**REQUESTS, "objective": 99.9},
        {UP: "1x120"},
        {"120m": {WINDOW: 0, RATIO5: 0, RATIO1H: 0, LEFT: 1, PAGE: 0}},
    ),
    # 0/0 for a while in an expression of the user: the window forgets it at once
    "what is no number does not stay": Case(
        {"objective": 99, "errors": "odd{$selector} / odd{$selector}", "total": "2 + 0 * odd{$selector}"},
        {UP: "1x120", 'odd{job="x"}': "1x30 0x29 1x60"},
        {"60m": {RATIO5: 0, WINDOW: 0.2541}, "120m": {RATIO5: 0.5, WINDOW: 0.376}},
    ),
    # the target vanishes for an hour of four; the first two minutes are taken for a replacement
    "a service that was gone": Case(
        {"objective": 99, "window": "4h"},
        {UP: "1x99 stale _x59 1x80", OTHER: "1x240"},
        {
            "99m": {WINDOW: 0, COVERAGE: 0.4167, PAGE: 0},
            "150m": {RATIO5: 1, PAGE: 1},
            "239m": {WINDOW: 0.2417, COVERAGE: 1, LEFT: -23.1667},
        },
    ),
    "a service that was gone, counted by requests": Case(
        {**REQUESTS, "objective": 99, "window": "4h"},
        {UP: "1x99 stale _x59 1x80", OTHER: "1x240", GOOD: "0+600x99 stale _x59 0+600x80"},
        {"150m": {RATIO5: 1, PAGE: 1}, "239m": {WINDOW: 0.2417, COVERAGE: 1, LEFT: -23.1667}},
    ),
    "nobody is there, and never was": Case(
        {"objective": 99.9},
        {OTHER: "1x20"},
        {"10m": {WINDOW: 1, RATIO5: 1}},
    ),
    # Prometheus starts after a quarter of an hour: not recorded is not failed, and not well either
    "Prometheus was away": Case(
        {"objective": 99.9},
        {UP: "1x10 _x15 1x10", OTHER: "1x10 _x15 1x10"},
        {"35m": {WINDOW: 0, RATIO1H: 0, PAGE: 0}},
    ),
    # a new Pod, a new label: nobody for a minute
    "a target that is replaced": Case(
        {"objective": 99.9},
        {UP: "1x10 stale", UP.replace('"a"', '"b"'): "_x11 1x10", OTHER: "1x30"},
        {"15m": {WINDOW: 0, RATIO5: 0}},
    ),
    # a busy hour with 10 % and a quiet one with none: of 66 000 requests 6 000 failed
    "a busy hour weighs more": Case(
        {**REQUESTS, "objective": 99, "window": "1d"},
        {UP: "1x125", GOOD: "0+900x60 54000+100x65", BAD: "0+100x60 6000+0x65"},
        {"125m": {WINDOW: 0.0905}},
    ),
    # one of three requests in an hour failed: 31 %, for the edges of the hour count in part, and nobody is woken
    "one failure in a quiet hour": Case(
        {**REQUESTS, "objective": 99.9},
        {UP: "1x120", GOOD: "0x70 1x10 2x50", BAD: "0x90 1x40"},
        {"93m": {RATIO5: 1, PAGE: 0, TICKET: 0}, "120m": {PAGE: 0, TICKET: 0, RATIO1H: 0.3077}},
    ),
    # 10 requests a minute, all failing
    "little traffic that fails": Case(
        {**REQUESTS, "objective": 99.9},
        {UP: "1x120", GOOD: "0x120", BAD: "0+10x120"},
        {"70m": {RATIO1H: 1, PAGE: 1}},
    ),
    # down for the first minute of its life: nothing to wake anybody for
    "a bad start": Case(
        {"objective": 99.5},
        {UP: "0x1 1x30"},
        {"2m": {PAGE: 0, TICKET: 0}, "10m": {RATIO5: 0, PAGE: 0, TICKET: 0}},
    ),
    "one of two replicas, as any": Case(
        {"objective": 99, "sli": "any"},
        {UP: "1x60", UP.replace('"a"', '"b"'): "0x60"},
        {"60m": {WINDOW: 0, PAGE: 0}},
    ),
    "one of two replicas, as a fraction": Case(
        {"objective": 99, "sli": "fraction"},
        {UP: "1x60", UP.replace('"a"', '"b"'): "0x60"},
        {"60m": {WINDOW: 0.5, RATIO1H: 0.5, PAGE: 1}},
    ),
    "one of two replicas is not even there, as a fraction": Case(
        {"objective": 99, "sli": "fraction"},
        {UP: "1x60"},
        {"60m": {WINDOW: 0.5}},
        {"min_targets": 2},
    ),
    "a probe that fails while the target is up": Case(
        {"objective": 99.9, "sli": "probe"},
        {UP: "1x60", 'probe_success{job="x-probe"}': "1x29 0x30"},
        {"60m": {RATIO5: 1, RATIO1H: 0.5167, PAGE: 1}},
    ),
    "slower than the threshold": Case(
        {"objective": 99.9, "latency": {"threshold": "1s", "objective": 95, "histogram": "t"}},
        {
            UP: "1x60",
            't_bucket{job="x",le="0.5"}': "0+10x60",
            't_bucket{job="x",le="1.0"}': "0+60x60",
            't_bucket{job="x",le="+Inf"}': "0+100x60",
            't_count{job="x"}': "0+100x60",
        },
        {"60m": {"latency slo:error_ratio:rate1h": 0.4, "latency slo:burn_rate:rate1h": 8, WINDOW: 0}},
    ),
    # down is the other objective's matter; of two hours one was too slow
    "seconds without a histogram": Case(
        {"objective": 99.9, "latency": {"threshold": "500ms", "objective": 99}},
        {UP: "1x120", 'probe_duration_seconds{job="x-probe"}': "0.1x59 0.9x60"},
        {"119m": {"latency slo:error_ratio:window": 0.5, "latency slo:coverage:ratio": 0.003}},
    ),
    # what it recorded under its old name counts: of two hours one was bad
    "renamed": Case(
        {"objective": 99, "window": "1d"},
        {UP: "1x120", 'slo:downtime:ratio{slo="old-availability",service="old",sli="availability"}': "1x59 _x60"},
        {"119m": {WINDOW: 0.3333, RATIO1H: 0}},
        {"previous_names": ["old"]},
    ),
    # 14.4 times 20 % is more than everything: an outage pages all the same
    "a modest objective": Case(
        {"objective": 80, "window": "30d"},
        {UP: "0x120"},
        {"50m": {PAGE: 0}, "56m": {PAGE: 1}},
    ),
}


def _groups(case: Case, *, probe: bool = True) -> list[dict[str, Any]]:
    entry = {"name": "x", "kind": "generic", "namespace": "n", "adopt": True, "job": "x", "team": "t", **case.more}
    entry |= {"slo": case.slo, "probe": {"url": "http://x/"} if probe else False}
    if entry["kind"] == "generic" and "sli" not in case.slo and "errors" not in case.slo:
        entry["slo"] = {"sli": "any", **case.slo}
    found = _catalogue_resolve.resolve([entry], _packs.load(), {}, "monitoring", now="2026-01-01T00:00:00Z")
    found |= {"entries": found["entries"][:1]}
    objects = _rules.catalogue_rules(found, _rules.Settings())
    return [group for item in objects for group in item["spec"]["groups"] if group["name"] == "x-slo"]


def _question(name: str) -> str:
    if name.startswith("round"):
        return name
    if name.startswith("SLO"):
        return f'count(ALERTS{{alertname="{name}",alertstate="firing",slo="x-availability"}}) or vector(0)'
    sli, _space, metric = name.rpartition(" ")
    return f'round({metric}{{slo="x-{sli or "availability"}"}}, 0.0001)'


def _tests(case: Case) -> list[dict[str, Any]]:
    labels = '{{service="x", sli="{0}", slo="x-{0}", team="t"}}'
    found = []
    for at, wanted in case.expected.items():
        for name, value in wanted.items():
            bare = name.startswith(("SLO", "round"))
            sli = name.rpartition(" ")[0] or "availability"
            sample = {"labels": "{}" if bare else labels.format(sli), "value": value}
            found.append({"expr": _question(name), "eval_time": at, "exp_samples": [sample]})
    return found


def promtool(folder: Path, groups: list[dict[str, Any]], *tests: dict[str, Any]) -> None:
    """Assert that tests of promtool pass."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed: the lab brings it")
    (folder / "rules.json").write_text(json.dumps({"groups": groups}))
    path = folder / "tests.json"
    path.write_text(
        json.dumps({"rule_files": ["rules.json"], "evaluation_interval": "1m", "fuzzy_compare": True, "tests": tests})
    )
    done = subprocess.run([program, "test", "rules", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", CASES)
def test_over_time(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    series = [{"series": selector, "values": values} for selector, values in case.series.items()]
    promtool(tmp_path, _groups(case), {"interval": "1m", "input_series": series, "promql_expr_test": _tests(case)})


def _of_board(title: str, query: int = 0) -> str:
    """A query of the board of objectives."""
    rows = yaml.safe_load((ROOT / "roles/dashboards/files/slo.yml").read_text())["rows"]
    return next(one for row in rows for one in row["panels"] if one["title"] == title)["queries"][query]["expr"]


def test_the_board_and_slo_info_say_the_same_of_the_state(tmp_path: Path) -> None:
    numbers = {"ok": 0, "young": 1, "burning_ticket": 2, "exhausted": 3, "burning_page": 4}
    alerts = {"page": PAGE, "ticket": TICKET}
    given = [(left, coverage, one) for left in (1, 0) for coverage in (1, 0.9) for one in (None, "page", "ticket")]
    series, expected = [], []
    for number, (left, coverage, burning) in enumerate(given):
        labels = f'service="x",sli="availability",slo="{number}",team="t"'
        metrics = {"slo:objective:ratio": 0.99, LEFT: left, COVERAGE: coverage}
        series += [{"series": f"{name}{{{labels}}}", "values": f"{value}x1"} for name, value in metrics.items()]
        if burning:
            firing = f'ALERTS{{alertname="{alerts[burning]}",alertstate="firing",severity="s",{labels}}}'
            series.append({"series": firing, "values": "1x1"})
        state = state_of(Measured({}, {}, left, coverage, 0.0, None, burning), False)
        expected.append({"labels": f"{{{labels}}}", "value": numbers[state]})
    assert {one["value"] for one in expected} == set(numbers.values())
    asked = {"expr": _of_board("Objectives", 5), "eval_time": "1m", "exp_samples": expected}
    promtool(tmp_path, [], {"interval": "1m", "input_series": series, "promql_expr_test": [asked]})


def test_the_board_and_slo_info_say_the_same_of_the_end(tmp_path: Path) -> None:
    """Budget left and burn rate of the last hour -> hours until nothing is left, or not within the window."""
    given = [(1, 0), (1, 0.99), (1, 1), (0.5, 0.4), (0.5, 0.6), (0.1, 0.2), (0.1, 20), (0, 0), (-0.5, 0), (-0.5, 3)]
    expr = _of_board("Hours until the budget is spent").replace("$name", "x").replace("$slo_window_hours", "672")
    series, expected = [], []
    for number, (left, rate) in enumerate(given):
        for metric, value in ((LEFT, left), ("slo:burn_rate:rate1h", rate)):
            series.append({"series": f'{metric}{{service="x",slo="{number}"}}', "values": f"{value} {value}"})
        measured = Measured({}, {"1h": rate}, left, 1.0, 672 * 3600.0, None, None)
        seconds = exhaustion(measured, 672 * 3600.0)
        if seconds is not None:
            expected.append({"labels": f'{{slo="{number}"}}', "value": seconds / 3600})
    assert 0 < len(expected) < len(given)
    asked = {"expr": expr, "eval_time": "1m", "exp_samples": expected}
    promtool(tmp_path, [], {"interval": "1m", "input_series": series, "promql_expr_test": [asked]})


TRINO = "trino_execution_name_QueryManager_"
SUPERSET = "superset_ChartDataRestApi_data_"
# Kind and indicator -> series (a number grows by so much a minute, a text is as it is written) and which part of the
# last five minutes was bad: one case that fails, one that is well, and what a quiet product leaves out.
PACKS: dict[tuple[str, str], list[tuple[dict[str, int | str], float]]] = {
    ("alertmanager", "availability"): [
        ({"alertmanager_notifications_failed_total": 6, "alertmanager_notifications_total": 60}, 0.1),
        ({"alertmanager_notifications_failed_total": 0, "alertmanager_notifications_total": 60}, 0),
    ],
    ("apiserver", "availability"): [
        ({'apiserver_request_total{code="503"}': 6, 'apiserver_request_total{code="200"}': 54}, 0.1),
        ({'apiserver_request_total{code="404"}': 6, 'apiserver_request_total{code="200"}': 54}, 0),
    ],
    ("apiserver", "latency"): [
        (
            {
                'apiserver_request_duration_seconds_bucket{verb="GET",le="1"}': 54,
                'apiserver_request_duration_seconds_bucket{verb="GET",le="+Inf"}': 60,
                'apiserver_request_duration_seconds_count{verb="GET"}': 60,
            },
            0.1,
        ),
        # what is meant to last is not slow
        (
            {
                'apiserver_request_duration_seconds_bucket{verb="GET",le="1"}': 60,
                'apiserver_request_duration_seconds_count{verb="GET"}': 60,
                'apiserver_request_duration_seconds_bucket{verb="WATCH",le="1"}': 0,
                'apiserver_request_duration_seconds_count{verb="WATCH"}': 60,
            },
            0,
        ),
    ],
    ("coredns", "availability"): [
        ({'coredns_dns_responses_total{rcode="SERVFAIL"}': 6, 'coredns_dns_responses_total{rcode="NOERROR"}': 54}, 0.1),
        ({'coredns_dns_responses_total{rcode="NXDOMAIN"}': 6, 'coredns_dns_responses_total{rcode="NOERROR"}': 54}, 0),
    ],
    ("coredns", "latency"): [
        (
            {
                'coredns_dns_request_duration_seconds_bucket{le="1"}': 54,
                "coredns_dns_request_duration_seconds_count": 60,
            },
            0.1,
        ),
        (
            {
                'coredns_dns_request_duration_seconds_bucket{le="1"}': 60,
                "coredns_dns_request_duration_seconds_count": 60,
            },
            0,
        ),
    ],
    ("datahub", "availability"): [
        ({"graphql_request_errors_total": 6, "graphql_request_duration_seconds_count": 60}, 0.1),
        ({"graphql_request_duration_seconds_count": 60}, 0),
    ],
    ("doris_fe", "availability"): [
        ({"doris_fe_query_err": 6, "doris_fe_query_total": 60}, 0.1),
        ({"doris_fe_query_err": 0, "doris_fe_query_total": 60}, 0),
    ],
    ("doris_fe", "latency"): [
        ({'doris_fe_query_latency_ms{quantile="0.95"}': "2000x30"}, 1),
        ({'doris_fe_query_latency_ms{quantile="0.95"}': "500x30"}, 0),
    ],
    ("elasticsearch", "availability"): [
        (
            {
                'elasticsearch_cluster_health_status{color="red"}': "1x30",
                'elasticsearch_cluster_health_status{color="yellow"}': "0x30",
                'elasticsearch_cluster_health_status{color="green"}': "0x30",
            },
            1,
        ),
        (
            {
                'elasticsearch_cluster_health_status{color="red"}': "0x30",
                'elasticsearch_cluster_health_status{color="yellow"}': "1x30",
                'elasticsearch_cluster_health_status{color="green"}': "0x30",
            },
            0,
        ),
    ],
    ("ingress-nginx", "availability"): [
        (
            {
                'nginx_ingress_controller_requests{status="502"}': 6,
                'nginx_ingress_controller_requests{status="200"}': 54,
            },
            0.1,
        ),
        (
            {
                'nginx_ingress_controller_requests{status="404"}': 6,
                'nginx_ingress_controller_requests{status="200"}': 54,
            },
            0,
        ),
    ],
    ("ingress-nginx", "latency"): [
        (
            {
                'nginx_ingress_controller_request_duration_seconds_bucket{le="1"}': 54,
                "nginx_ingress_controller_request_duration_seconds_count": 60,
            },
            0.1,
        ),
        (
            {
                'nginx_ingress_controller_request_duration_seconds_bucket{le="1"}': 60,
                "nginx_ingress_controller_request_duration_seconds_count": 60,
            },
            0,
        ),
    ],
    ("kafka", "availability"): [({"kafka_brokers": "0x30"}, 1), ({"kafka_brokers": "3x30"}, 0)],
    ("loki", "availability"): [
        (
            {
                'loki_request_duration_seconds_count{status_code="500"}': 6,
                'loki_request_duration_seconds_count{status_code="204"}': 54,
            },
            0.1,
        ),
        (
            {
                'loki_request_duration_seconds_count{status_code="429"}': 6,
                'loki_request_duration_seconds_count{status_code="204"}': 54,
            },
            0,
        ),
    ],
    ("loki", "latency"): [
        ({'loki_request_duration_seconds_bucket{le="1"}': 54, "loki_request_duration_seconds_count": 60}, 0.1),
        ({'loki_request_duration_seconds_bucket{le="1"}': 60, "loki_request_duration_seconds_count": 60}, 0),
    ],
    ("minio", "availability"): [
        ({"minio_cluster_health_status": "0x30", 'minio_s3_requests_total{server="a",api="get"}': 60}, 1),
        (
            {
                "minio_cluster_health_status": "1x30",
                'minio_s3_requests_5xx_errors_total{pod="a",server="a",api="get"}': 6,
                'minio_s3_requests_5xx_errors_total{pod="b",server="a",api="get"}': 6,
                'minio_s3_requests_total{pod="a",server="a",api="get"}': 60,
                'minio_s3_requests_total{pod="b",server="a",api="get"}': 60,
            },
            0.1,
        ),
        ({"minio_cluster_health_status": "1x30", 'minio_s3_requests_total{server="a",api="get"}': 60}, 0),
    ],
    ("postgresql", "availability"): [({"pg_up": "0x30"}, 1), ({"pg_up": "1x30"}, 0)],
    ("superset", "availability"): [
        ({f"{SUPERSET}error": 6, f"{SUPERSET}time_count": 60}, 0.1),
        ({f"{SUPERSET}time_count": 60}, 0),
    ],
    ("trino", "availability"): [
        (
            {
                f"{TRINO}InternalFailures": 6,
                f"{TRINO}InsufficientResourcesFailures": 6,
                f"{TRINO}CompletedQueries": 60,
            },
            0.2,
        ),
        (
            {
                f"{TRINO}InternalFailures": 0,
                f"{TRINO}InsufficientResourcesFailures": 0,
                f"{TRINO}UserErrorFailures": 30,
                f"{TRINO}CompletedQueries": 60,
            },
            0,
        ),
        # what counts one of them is not there: the other one counts all the same
        ({f"{TRINO}InternalFailures": 6, f"{TRINO}CompletedQueries": 60}, 0.1),
        ({f"{TRINO}InsufficientResourcesFailures": 6, f"{TRINO}CompletedQueries": 60}, 0.1),
    ],
    ("trino", "latency"): [
        ({f'{TRINO}ExecutionTime_FiveMinutes{{quantile="0.95"}}': "2000x30"}, 1),
        ({f'{TRINO}ExecutionTime_FiveMinutes{{quantile="0.95"}}': "500x30"}, 0),
    ],
    ("vault", "availability"): [({"vault_core_unsealed": "0x30"}, 1), ({"vault_core_unsealed": "1x30"}, 0)],
}


def test_every_indicator_of_a_pack_has_a_case_that_fails_and_one_that_is_well() -> None:
    packs = _packs.load()
    there = {(kind, name) for kind in _packs.shipped_kinds() for name in packs.own(kind).get("sli", {})}
    assert set(PACKS) == there
    for cases in PACKS.values():
        assert {bool(bad) for _series, bad in cases} == {True, False}


def _of_job(selector: str) -> str:
    """A series of the job x."""
    name, _brace, labels = selector.rstrip("}").partition("{")
    return f'{name}{{job="x"{"," * bool(labels)}{labels}}}'


@pytest.mark.parametrize(("kind", "sli"), PACKS)
def test_what_a_pack_counts_as_bad(kind: str, sli: str, tmp_path: Path) -> None:
    slo: dict[str, Any] = {"objective": 99, "window": "1d"}
    if sli == "latency":
        slo |= {"latency": {"threshold": "1s", "objective": 95}}
    groups = _groups(Case(slo, {}, {}, {"kind": kind}), probe=False)
    expr = f'round(max(slo:error_ratio:rate5m{{slo="x-{sli}"}}), 0.001)'
    tests = []
    for given, bad in PACKS[kind, sli]:
        values = {_of_job(one): told if isinstance(told, str) else f"0+{told}x30" for one, told in given.items()}
        series = [{"series": one, "values": told} for one, told in {UP: "1x30", **values}.items()]
        wanted = {"expr": expr, "eval_time": "20m", "exp_samples": [{"labels": "{}", "value": bad}]}
        tests.append({"interval": "1m", "input_series": series, "promql_expr_test": [wanted]})
    promtool(tmp_path, groups, *tests)
