# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on the products' boards: a real Prometheus with two hours of what the lab's stand-ins publish.

A panel that asks for a metric or a label that the product does not have is dead here already, without a cluster.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _argspec, _boards, _dashboards_main

from lab.platform import series
from tests.integration.programs import Program, free_port, status, wait_for
from tests.lab_fixture import BIN
from tests.unit.boards.conftest import Kit

ROOT = Path(__file__).resolve().parents[3]
PRODUCTS = yaml.safe_load((ROOT / "lab/platform/metrics.yml").read_text())
HOURS, STEP = 2.25, 30
#: What Prometheus puts in place of a label of the target's own that it wants for itself.
TARGET = ("job", "instance", "namespace", "pod", "service", "container", "endpoint")

#: What comes with the first thing that it counts: at night, on a platform that was just installed, it is not there.
FIRST = re.compile(
    r"superset_(ChartDataRestApi_data_error|DashboardRestApi_get_success|sqllab_.*|loaded_from_source)"
    r"|graphql_request_errors_total|messaging_queue_time_seconds|datahub_request_hook_queue_time_seconds"
    r"|vault_audit_.*|certmanager_(certificate|clusterissuer)_.*|certmanager_controller_sync_error_count"
    r"|nginx_ingress_controller_(requests|request_duration_seconds)|kafka_consumergroup_.*"
)

Boards = dict[str, dict[str, Any]]


def entries() -> list[dict[str, Any]]:
    """Entries of the example inventory whose products have a stand-in."""
    return [one for one in Kit.example() if one.get("kind") in PRODUCTS]


def history(now: float, *, quiet: bool) -> Iterator[str]:
    """What Prometheus would have scraped until a minute after now, as OpenMetrics text with times.

    :param quiet: nobody has asked anything of any product: no counter has grown, and some are not there yet.
    """
    started = now - HOURS * 3600
    for entry in entries():
        name, kind = entry["name"], entry["kind"]
        target = {"job": name, "instance": f"{name}:80", "namespace": entry["namespace"], "pod": f"{name}-0"}
        metrics = {**PRODUCTS[kind]["metrics"], "up": {"type": "gauge", "value": 1}}
        for metric, spec in metrics.items():
            still = quiet and spec["type"] != "gauge"
            if quiet and FIRST.fullmatch(metric):
                continue
            for moment in range(int(started), int(now) + 60, STEP):
                at = series.Moment(started - 3600, started if still else moment)
                for sample, labels, value in series.samples(metric, spec, at):
                    own = {f"exported_{key}" if key in TARGET else key: text for key, text in labels.items()}
                    told = ",".join(f'{key}="{text}"' for key, text in {**own, **target}.items())
                    yield f"{sample}{{{told}}} {float(value)!r} {moment}\n"
    yield "# EOF\n"


@contextlib.contextmanager
def prometheus(folder: Path, *, quiet: bool) -> Iterator[str]:
    """Address of a Prometheus that has the history and scrapes nothing."""
    (folder / "history").write_text("".join(history(time.time(), quiet=quiet)))
    blocks = [str(BIN / "promtool"), "tsdb", "create-blocks-from", "openmetrics", "-q"]
    made = subprocess.run([*blocks, str(folder / "history"), str(folder / "data")], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    (folder / "prometheus.yml").write_text("scrape_configs: []\n")
    port = free_port()
    program = Program(
        [
            str(BIN / "prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ],
        folder / "prometheus.log",
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: status(f"{url}/-/ready") == 200, f"Prometheus ready, see {program.log}")
        yield url
    finally:
        program.stop()


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A platform at work."""
    with prometheus(tmp_path_factory.mktemp("busy"), quiet=False) as url:
        yield url


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A platform at night."""
    with prometheus(tmp_path_factory.mktemp("quiet"), quiet=True) as url:
        yield url


def judged(server: str, boards: Boards) -> dict[str, dict[str, Any]]:
    """The verdict on boards: title of a board -> its check."""
    specs = {
        **_argspec.CONNECTION_SPEC,
        **_argspec.VERDICT_SPEC,
        **_dashboards_main.SPEC,
        **_argspec.kube_auth_spec(),
    }
    params = {name: spec.get("default") for name, spec in specs.items()}
    source = {"uid": "prometheus", "name": "Prometheus", "type": "prometheus", "default": True, "interval": "30s"}
    params.update(kubernetes=False, boards=list(boards.values()), prometheus={"url": server}, datasources=[source])
    params.update(wanted=[board["uid"] for board in boards.values()], timeout=4)
    return {check["name"]: check for check in _dashboards_main.Verdict(params).run().checks}


@pytest.fixture(scope="module")
def boards() -> Boards:
    """Boards that are about products alone."""
    found = _boards.dashboards(Kit.resolve(*entries(), prober=False), _boards.Settings.of({"logs": False}))
    made = {item["uid"].removeprefix("dataplatform-"): item["board"] for item in found}
    return {key: made[key] for key in ("data-platform", "metadata", "stores", "kubernetes", "business")}


def test_every_panel_of_every_product_has_data(busy: str, boards: Boards) -> None:
    checks = judged(busy, boards)
    assert [check["cause"] for check in checks.values() if check["status"] != "ok"] == []
    assert sorted(checks) == sorted(board["title"] for board in boards.values())


def test_no_panel_is_dead_because_nobody_asks(quiet: str, boards: Boards) -> None:
    """Parts and means of nothing are 0, not NaN. How old the newest data is, nobody can say then."""
    asked = {key: board for key, board in boards.items() if key != "business"}
    assert [check["cause"] for check in judged(quiet, asked).values() if check["status"] != "ok"] == []


@pytest.mark.parametrize(
    ("expr", "code"),
    [
        ("max(trino_execution_name_QueryManager_RuningQueries{$selector})", "panel_metric_missing"),
        (
            "max(trino_execution_name_QueryManager_RuningQueries{$selector}) or "
            "0 * max(trino_execution_name_QueryManager_QueuedQueries{$selector})",
            "panel_constant_hides_nothing",
        ),
    ],
)
def test_a_metric_that_a_product_does_not_have_is_seen(busy: str, expr: str, code: str) -> None:
    wrong = {
        "title": "Wrong",
        "description": "Good is none.",
        "board": "data-platform",
        "unit": "short",
        "queries": [{"expr": "max(up{$selector})"}, {"expr": expr}],
    }
    trino = next(one for one in entries() if one["kind"] == "trino")
    catalogue = Kit.resolve(trino, packs={"trino": {"panels": [wrong]}}, prober=False)
    found = {
        item["title"]: item["board"] for item in _boards.dashboards(catalogue, _boards.Settings.of({"logs": False}))
    }
    check = judged(busy, {"wrong": found["Data platform"]})["Data platform"]
    assert (check["status"], check["cause"]["code"]) == ("failed", code)
    assert "RunningQueries" in check["cause"]["message"]
