# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the manuals and the runbooks tell to type and to ask, typed and asked on the lab."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.parse
from typing import Any

import pytest

from tests.docs_samples import ROOT, samples
from tests.lab_fixture import Lab

#: Played for real by the scenarios, by the faults and by the templates of AWX; here they are only read.
PLAYED_ELSEWHERE = ("day1.yml", "day2.yml", "day3.yml", "site.yml", "fire_drill.yml")
#: Commands of the page about a foreign installation, which has tests of its own (tests/cluster/test_foreign.py), and of
#: testing.md, which says how to run the tests.
NOT_THE_LAB = ("existing.md", "testing.md", "README.md")
RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))


def commands() -> list[str]:
    """Every distinct line of shell, in the order of the pages."""
    lines = [line for one in samples("sh", "") if one.page not in NOT_THE_LAB for line in one.lines]
    return list(dict.fromkeys(lines))


def ask(lab: Lab, service: str, path: str, query: str) -> dict[str, Any]:
    """A query to a server in the lab, through the API server."""
    place = f"/api/v1/namespaces/monitoring/services/{service}/proxy{path}?query={urllib.parse.quote(query)}"
    done = lab.kubectl("get", "--raw", place, check=False)
    assert done.returncode == 0, f"{query}\n{done.stderr}"
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def platform(lab: Lab) -> Lab:
    """The lab with all days played."""
    done = lab.kubectl("get", "configmap", "-n", "monitoring", "dataplatform-monitoring-dashboards", check=False)
    if done.returncode != 0:
        lab.playbook("site")
    return lab


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_manuals_runs(command: str, platform: Lab) -> None:
    if any(name in command for name in PLAYED_ELSEWHERE) and "--check" not in command:
        command += " --syntax-check"
    done = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, env=platform.environment(),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"


def test_the_manuals_queries_of_metrics_are_answered(platform: Lab) -> None:
    for query in [line for one in samples("promql") for line in one.lines]:
        told = ask(platform, "kube-prometheus-stack-prometheus:9090", "/api/v1/query", query)
        assert told["status"] == "success", query


def test_the_manuals_queries_of_logs_find_lines(platform: Lab) -> None:
    for query in [line for one in samples("logql") for line in one.lines]:
        told = ask(platform, "loki:3100", "/loki/api/v1/query_range", query)
        assert told["status"] == "success", query
        # Errors may be absent; what counts or shows everything is not.
        assert told["data"]["result"] or "|~" in query or "|=" in query, f"{query} finds nothing"


def test_the_runbooks_queries_are_answered(platform: Lab) -> None:
    """In one request each; words in capitals stand for the label of the alert."""
    blocks = re.findall(r"^```promql\n(.*?)^```", "".join(page.read_text() for page in RUNBOOKS), re.M | re.S)
    queries = list(dict.fromkeys(line for block in blocks for line in block.splitlines() if line.strip()))
    assert len(queries) > 100
    for query in queries:
        told = ask(platform, "kube-prometheus-stack-prometheus:9090", "/api/v1/query", query)
        assert told["status"] == "success", query
