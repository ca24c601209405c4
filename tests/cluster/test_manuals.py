# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the manuals and the runbooks tell to type and to ask, typed and asked on the lab.

A page's commands run in one shell, several pages at a time; tests/docs_samples.yml says what the names in capitals
stand for, which programs are stood in for, and what the lab rightly answers otherwise.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _promql

from tests.docs_samples import FATES, MANUALS, ROOT, RUNBOOKS, Sample, commands, samples, tasks
from tests.lab_fixture import Lab

#: It scales a service to zero and back: that part apart from the others.
TUTORIAL = "docs/tutorial.md"


def ask(lab: Lab, service: str, path: str, query: str) -> dict[str, Any]:
    """A query to a server in the lab, through the API server."""
    place = f"/api/v1/namespaces/monitoring/services/{service}/proxy{path}?query={urllib.parse.quote(query)}"
    done = lab.kubectl("get", "--raw", place, check=False)
    assert done.returncode == 0, f"{query}\n{done.stderr}"
    return json.loads(done.stdout)


class Shell:
    """Runs lines on the lab as a reader would, beside programs that stand in for what it has not."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        programs = folder / "bin"
        programs.mkdir()
        for name, text in FATES["programs"].items():
            (programs / name).write_text(f"#!/bin/bash\nPATH=$READERS_PATH\n{text}")
            (programs / name).chmod(0o755)
        path = os.environ["PATH"]
        self.environment = lab.environment(
            PATH=f"{programs}:{path}", READERS_PATH=path, ANSIBLE_INVENTORY="inventories/lab", ANSIBLE_NOCOLOR="1"
        )
        self.values = self._values(FATES["variables"])

    def _values(self, variables: dict[str, str]) -> dict[str, str]:
        """What variables are worth on the lab."""
        text = "".join(f'printf "%s\\0" "{value}"\n' for value in variables.values())
        told = subprocess.run(["bash", "-eu"], input=text, env=self.environment, capture_output=True, text=True)
        assert told.returncode == 0, told.stderr
        return dict(zip(variables, told.stdout.split("\0"), strict=False))

    def run(self, page: str, lines: list[str]) -> list[str]:
        """What is wrong with the lines of a page."""
        own = self._values(FATES["variables_of"].get(page, {}))
        script = "exec 2>&1\n" + "".join(
            f'echo ">> {n}"\n{line}\nprintf "\\n<< {n} %s\\n" "${{PIPESTATUS[*]}}"\n' for n, line in enumerate(lines)
        )
        done = subprocess.run(
            ["bash", "-c", script], cwd=ROOT, env={**self.environment, **self.values, **own},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        found = re.findall(r"^>> (\d+)$\n(.*?)\n<< \1 ([\d ]+)$", done.stdout, re.MULTILINE | re.DOTALL)
        wrong = [] if len(found) == len(lines) else [f"{page}: ended early\n{done.stdout[-2000:]}{done.stderr}"]
        for number, answer, statuses in found:
            line = lines[int(number)]
            # 141: whoever read it had enough.
            failed = set(statuses.split()) - {"0", "141"} or answer.startswith("No resources found")
            if failed and not any(
                re.search(known["line"], line) and re.search(known["says"], answer) for known in FATES["answers"]
            ):
                wrong.append(f"{page}: {line}\n  ended with {statuses}: {answer[-1500:]}")
        return wrong


@pytest.fixture(scope="module")
def shell(finished: Lab, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(finished, tmp_path_factory.mktemp("shell"))


def pages() -> dict[str, list[str]]:
    """The lines of each page; what is said again elsewhere runs once, unless it means something else there."""
    found: dict[str, list[str]] = {}
    seen = set()
    for sample, line in commands():
        command = re.sub(r"\s+# .*", "", line)
        if "$" in line or sample.page == TUTORIAL or command not in seen:
            found.setdefault(sample.page, []).append(line)
        seen.add(command)
    return found


def outage() -> tuple[list[str], list[str]]:
    """The tutorial's lines up to the one that stops a service, and from there on, with the settings of both."""
    lines = pages()[TUTORIAL]
    begin = next(index for index, line in enumerate(lines) if "--replicas=0" in line)
    settings = [line for line in lines[:begin] if line.startswith("export ")]
    return lines[:begin], [*settings, *lines[begin:]]


def test_the_commands_of_the_manuals_run(shell: Shell) -> None:
    given = {**pages(), TUTORIAL: outage()[0]}
    with ThreadPoolExecutor(4) as pool:
        wrong = [one for found in pool.map(lambda page: shell.run(page, given[page]), given) for one in found]
    assert wrong == [], "\n\n".join(wrong)


def test_the_outage_of_the_tutorial(shell: Shell) -> None:
    wrong = shell.run(TUTORIAL, outage()[1])
    assert wrong == [], "\n\n".join(wrong)


@pytest.mark.parametrize("sample", [one for one in samples("yaml") if tasks(one)], ids=str)
def test_the_tasks_of_the_manuals_run(sample: Sample, shell: Shell, tmp_path: Path) -> None:
    """After the catalogue, as in a play of a reader's own."""
    catalogue = {"ansible.builtin.import_role": {"name": "dataplatform.monitoring.catalogue"}}
    play = {"hosts": "all", "gather_facts": False, "tasks": [catalogue, *yaml.safe_load(sample.text)]}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play], sort_keys=False))
    done = subprocess.run(
        ["ansible-playbook", str(tmp_path / "play.yml")], cwd=ROOT, env=shell.environment,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    # The lab's SLOs are younger than their windows, and then a gate stays shut.
    young = "gate:" in sample.text and "slo_young" in done.stdout
    assert done.returncode == 0 or young, done.stdout[-4000:] + done.stderr


def names(query: str) -> set[str]:
    """The metrics that a query names."""
    return {one.metric for one in _promql.selectors(_promql.parse(query)) if one.metric}


def test_the_metrics_of_the_manuals_exist(finished: Lab) -> None:
    """On the lab, or in what its stand-ins publish; others are listed, with the reason."""
    told = {str(one): names(line) for one in samples("promql") for line in one.lines}
    there = ask(finished, "kube-prometheus-stack-prometheus:9090", "/api/v1/label/__name__/values", "")["data"]
    missing = {sample: odd for sample, found in told.items() if (odd := found - {*there, *FATES["metrics"]})}
    assert missing == {}, missing


def test_the_manuals_queries_of_metrics_are_answered(finished: Lab) -> None:
    for query in [line for one in samples("promql", pages=MANUALS) for line in one.lines]:
        told = ask(finished, "kube-prometheus-stack-prometheus:9090", "/api/v1/query", query)
        assert told["status"] == "success", query


def test_the_manuals_queries_of_logs_find_lines(finished: Lab) -> None:
    for query in [line for one in samples("logql") for line in one.lines]:
        told = ask(finished, "loki:3100", "/loki/api/v1/query_range", query)
        assert told["status"] == "success", query
        # Errors may be absent; what counts or shows everything is not.
        assert told["data"]["result"] or "|~" in query or "|=" in query, f"{query} finds nothing"


def test_the_runbooks_queries_are_answered(finished: Lab) -> None:
    """In one request each; words in capitals stand for the label of the alert."""
    queries = list(dict.fromkeys(line for one in samples("promql", pages=RUNBOOKS) for line in one.lines))
    assert len(queries) > 100
    for query in queries:
        told = ask(finished, "kube-prometheus-stack-prometheus:9090", "/api/v1/query", query)
        assert told["status"] == "success", query
