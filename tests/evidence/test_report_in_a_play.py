# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as a task of a real play: its files, its words on a terminal and without one, and the run before."""

from __future__ import annotations

import json
import os
import pty
import select
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks, _report

from tests.evidence import sample

PLAY: list[dict[str, Any]] = [
    {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "tasks": [
            {
                "dataplatform.monitoring.report": {
                    "play": "{{ play }}", "cluster": "lab", "directory": "{{ folder }}",
                    "keep": "{{ keep | default(20) }}",
                    "verdicts": "{{ given.verdicts }}", "criteria": True, "slos": "{{ given.slos | default(omit) }}",
                    "boards": "{{ given.boards | default(omit) }}", "timeline": "{{ given.timeline | default(omit) }}",
                    "cluster_info": "{{ given.cluster_info | default(omit) }}",
                },
            }
        ],
    }
]  # fmt: skip


class Plays:
    """Plays the report and hands back what it said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.evidence = folder / "evidence"
        (folder / "play.yml").write_text(json.dumps(PLAY))

    def command(self, verdicts: list[_report.Verdict], play: str, *more: str, **given: Any) -> list[str]:
        (self.folder / "given.json").write_text(
            json.dumps({"given": {"verdicts": {item["name"]: item for item in verdicts}, **given}})
        )
        return [
            "ansible-playbook", "-i", "localhost,", str(self.folder / "play.yml"), "-e", f"@{self.folder}/given.json",
            "-e", f"folder={self.evidence}", "-e", f"play={play}", *more,
        ]  # fmt: skip

    def run(self, verdicts: list[_report.Verdict], play: str = "verify", *more: str, **given: Any) -> tuple[int, str]:
        """(exit code, what was printed) without a terminal. Folders are named by the second."""
        time.sleep(1.1 if self.runs() else 0)
        done = subprocess.run(
            self.command(verdicts, play, *more, **given),
            cwd=self.folder, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def runs(self) -> list[Path]:
        return sorted((self.evidence / "lab").glob("*"))


@pytest.fixture
def plays(tmp_path: Path) -> Plays:
    return Plays(tmp_path)


def well() -> list[_report.Verdict]:
    return sample.verdicts(sample.slos(), sample.boards())


def ill() -> list[_report.Verdict]:
    found = well()
    cause = {"code": "server_error", "message": "It broke.", "fix": "See why: kubectl get pods"}
    found[0]["checks"][0] = _checks.failed("trino", "1 target up", "0 targets up", [cause])
    return found


def test_three_files_for_their_owner_only(plays: Plays) -> None:
    given = {"slos": sample.slos(), "boards": sample.boards(), "cluster_info": sample.CLUSTER_INFO}
    code, said = plays.run(well(), timeline=sample.TIMELINE, **given)
    assert code == 0, said
    (folder,) = plays.runs()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = {file.name: file for file in folder.iterdir()}
    assert set(files) == {"report.html", "verdict.json", "verdict.xml"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files.values()} == {0o600}
    document = json.loads(files["verdict.json"].read_text())
    assert [item["status"] for item in document["criteria"]] == ["ok"] * 10
    assert document["slos"] and document["timeline"] == sample.TIMELINE
    assert "series" not in document["boards"][0]["panels"][0]
    page = files["report.html"].read_text()
    assert 'class="sketch"' in page and "Its end: 34.4 s" in page and "All 112 checks are good" in page
    assert f"Evidence: {folder}/report.html, verdict.json, verdict.xml" in said


def test_the_run_before_is_the_one_most_like_it(plays: Plays) -> None:
    assert plays.run(well())[0] == 0
    assert plays.run(well()[:3], "day1")[0] == 0
    code, said = plays.run(ill())
    assert code == 2
    assert "1 worse" in said and "worse   scrape/trino: ok -> failed" in said
    comparison = json.loads((plays.runs()[-1] / "verdict.json").read_text())["comparison"]
    assert (comparison["play"], comparison["only_now"]) == ("verify", [])
    assert "1. scrape/trino: FAILED" in said and "fix   See why: kubectl get pods" in said
    assert "scrape/trino: It broke. Fix: See why: kubectl get pods" in said.partition("FAILED! =>")[2]


def test_what_lies_there_already_does_no_harm(plays: Plays) -> None:
    for name, text in (("a", "no JSON"), ("b", "[]"), ("c", '{"cluster": "lab", "verdicts": [3]}')):
        folder = plays.evidence / "lab" / name
        folder.mkdir(parents=True)
        (folder / "verdict.json").write_text(text)
    (plays.evidence / "lab" / "mine").mkdir()
    code, said = plays.run(well(), "verify", "-e", "keep=1")
    assert code == 0, said
    left = [path.name for path in plays.runs()]
    assert "mine" in left and len(left) == 2


def test_budgets_of_no_shape_cost_the_page_and_not_the_verdict(plays: Plays) -> None:
    code, said = plays.run(well(), slos=[{"slo": "x", "burn_rate": 7}])
    assert code == 0 and "The page of the evidence was not made" in said
    assert "read verdict.json" in (plays.runs()[0] / "report.html").read_text()
    assert "112 ok" in said


def test_every_check_with_v(plays: Plays) -> None:
    assert "kube-state-metrics" not in plays.run(well())[1]
    assert "kube-state-metrics" in plays.run(well(), "verify", "-v")[1].partition("Success criteria")[0]


def on_a_terminal(command: list[str], **environment: str) -> str:
    """What a program writes to a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", **environment},
    )  # fmt: skip
    os.close(theirs)
    text = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        text += part
    process.wait(30)
    os.close(ours)
    return text.decode()


def test_colours_on_a_terminal_alone_and_where_they_are_wanted(plays: Plays) -> None:
    command = plays.command(ill(), "verify")
    plain = plays.run(ill())[1]
    assert "\x1b" not in plain
    coloured = on_a_terminal(command)
    red = [line for line in coloured.splitlines() if "1. scrape/trino: FAILED" in line]
    assert red and red[0].startswith("\x1b[0;31m")
    assert "\x1b[" not in on_a_terminal(command, NO_COLOR="1")
