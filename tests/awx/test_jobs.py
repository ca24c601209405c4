# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every job template is run on the lab by ansible-runner, as AWX runs it: a private folder with the project and the
inventory as data, credentials as files that environment variables name, the survey's answers as extra variables. What a
job leaves to a workflow is read from its last event.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ansible_runner
import pytest

from tests.awx import definitions, survey
from tests.awx.test_definitions import inject
from tests.lab_fixture import Lab

TEMPLATES = definitions.templates()
#: Answers as AWX's pages send them: an optional text that was left open is empty.
ANSWERS: dict[str, dict[str, Any]] = {
    "Monitoring credentials": {},
    "Monitoring day 1": {"applyset_allow_removal": ""},
    "Monitoring day 2": {"applyset_allow_removal": "", "monitoring_send_test_alerts": "false"},
    "Monitoring day 3": {"applyset_allow_removal": "", "monitoring_send_test_alerts": "false"},
    "Monitoring site": {"applyset_allow_removal": "nobody,no-one", "monitoring_send_test_alerts": "false"},
    "Monitoring verify": {"monitoring_verify_timeout": 120},
    "Monitoring discover": {"discover_exclude_namespaces": "", "discover_ask_ports": "false"},
    "Monitoring silence": {
        "silence_matchers": 'service="awx-test"\nseverity="warning"',
        "silence_state": "present",
        "silence_comment": "A test of AWX",
        "silence_duration": "10m",
        "silence_ends_at": "",
    },
    "Monitoring fire drill": {
        "drill_workload": "", "drill_severity": "critical", "drill_timeout": 240, "drill_heartbeat": 0,
    },
    "Monitoring teardown": {"teardown_confirm": "", "teardown_remove": "Namespace/monitoring"},
}  # fmt: skip
#: Some versions of AWX send null for a text that was left open.
NULLS: dict[str, dict[str, Any]] = {
    "Monitoring day 1": {"applyset_allow_removal": None},
    "Monitoring day 2": {"applyset_allow_removal": None},
    "Monitoring day 3": {"applyset_allow_removal": None},
    "Monitoring fire drill": {"drill_workload": None},
    "Monitoring silence": {"silence_ends_at": None, "silence_starts_at": None},
    "Monitoring teardown": {"teardown_confirm": None},
}
#: The jobs whose verdict a workflow reads, and the play that gives it. Those of the days are launched where they have
#: something to do, tests/cluster/test_one_service.py, and so is the drill, tests/faults/test_drills.py.
VERDICTS = {
    "Monitoring day 1": "day1",
    "Monitoring day 2": "day2",
    "Monitoring day 3": "day3",
    "Monitoring site": "day3",
    "Monitoring verify": "verify",
    "Monitoring fire drill": "fire_drill",
}


#: Told after faults that broke delivery on purpose, by which it is judged for fifteen minutes.
AFTER_FAULTS = ("Monitoring fire drill",)


def inventory() -> dict[str, Any]:
    """The lab's inventory as AWX keeps it: what `ansible-inventory` lists, in which no variable can look up a file."""
    done = subprocess.run(
        ["ansible-inventory", "-i", "inventories/lab", "--list", "--export"],
        cwd=definitions.ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    listed = json.loads(done.stdout)
    example = definitions.ROOT / "inventories" / "example" / "group_vars" / "platforms" / "services.yml"
    listed["all"]["vars"]["__lab_example"] = definitions.load(example)
    assert not re.search(r"lookup\('ansible\.builtin\.(?!env)|inventory_dir", json.dumps(listed))
    return listed


class Job:
    """A finished job."""

    def __init__(self, run: ansible_runner.Runner) -> None:
        self.run = run
        self.output = run.stdout.read()
        last = [event for event in run.events if event["event"] == "playbook_on_stats"]
        self.artifacts: dict[str, Any] = last[0]["event_data"].get("artifact_data", {}) if last else {}
        self.changed = last[0]["event_data"]["changed"] if last else {}

    @property
    def words(self) -> str:
        """Everything that AWX would keep of the job."""
        return self.output + json.dumps(list(self.run.events))


class Awx:
    """Launches templates."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        self.inventory = f"#!/usr/bin/env python3\nprint({json.dumps(inventory())!r})\n"
        self._count = 0

    def launch(
        self,
        name: str,
        answers: dict[str, Any],
        *,
        expect: int | None = 0,
        secrets: dict[str, Any] | None = None,
        job_type: str | None = None,
        **more: Any,
    ) -> Job:
        """Run a template with these answers, to this return code if any is expected; `more` are variables that no
        survey asks for, as workflows pass them. Where the template asks for the job type, it may be given."""
        template = TEMPLATES[name]
        self._count += 1
        private = self.folder / f"job_{self._count}"
        shutil.copytree(definitions.PROJECT, private / "project")
        (private / "env").mkdir()
        (private / "inventory").mkdir()
        hosts = private / "inventory" / "hosts"
        hosts.touch(mode=0o700)
        hosts.write_text(self.inventory)
        variables = survey.extra_vars(definitions.survey(template), answers) if "survey" in template else {}
        # What AWX itself tells every job.
        variables |= {"awx_job_id": self._count, "awx_user_name": "admin", "awx_job_template_name": name, **more}
        (private / "env" / "extravars").write_text(json.dumps(variables))
        environment = self._attach(private, "Monitoring kubeconfig", kubeconfig=self.lab.kubeconfig.read_text())
        if secrets:
            environment |= self._attach(private, "Monitoring receivers", **secrets)
        assert job_type is None or template["ask_job_type_on_launch"]
        options = ["--check"] if (job_type or template.get("job_type")) == "check" else []
        options += ["--diff"] if template.get("diff_mode") else []
        run = ansible_runner.run(
            private_data_dir=str(private), playbook=template["playbook"],
            inventory=str(hosts), limit="lab", cmdline=" ".join(options) or None,
            envvars={**self.lab.environment(), **environment}, timeout=template["timeout"], quiet=True,
        )  # fmt: skip
        job = Job(run)
        assert expect in (None, run.rc), f"{name} ended with {run.rc} ({run.status})\n{job.output[-8000:]}"
        return job

    @staticmethod
    def _attach(private: Path, kind: str, **fields: Any) -> dict[str, str]:
        """Write a credential's files and tell their names, as its type says."""
        files, environment = inject(kind, **fields)
        for label, text in files.items():
            path = private / "env" / f"{kind.split()[1]}_{label}"
            path.touch(mode=0o600)
            path.write_text(text)
            environment = {
                name: value.replace(f"/runner/env/{label}", str(path)) for name, value in environment.items()
            }
        return environment


@pytest.fixture(scope="module")
def awx(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Awx]:
    """AWX, with the lab as its one cluster."""
    yield Awx(lab, tmp_path_factory.mktemp("awx"))


def receivers(lab: Lab) -> dict[str, str]:
    """The keys of the receivers' Secret."""
    found = json.loads(lab.kubectl("-n", "monitoring", "get", "secret", "alertmanager-receivers", "-o", "json").stdout)
    return {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()}


def test_every_template_is_launched() -> None:
    assert set(ANSWERS) | {"Monitoring stop"} == set(TEMPLATES)


def test_credentials_reach_their_secret_and_nothing_else(awx: Awx) -> None:
    before = receivers(awx.lab)
    canary = "c4n4ry 'with' \"quotes\""
    more = json.dumps({"slack_api_url_awx_test": canary})
    try:
        job = awx.launch("Monitoring credentials", {}, secrets={**before, "more": more})
        assert receivers(awx.lab) == {**before, "slack_api_url_awx_test": canary}
        assert "slack_api_url_awx_test" in job.output
        for value in (canary, json.dumps(canary)[1:-1], base64.b64encode(canary.encode()).decode(), *before.values()):
            assert value not in job.words
    finally:
        patch = '[{"op": "remove", "path": "/data/slack_api_url_awx_test"}]'
        awx.lab.kubectl("-n", "monitoring", "patch", "secret", "alertmanager-receivers", "--type=json", "-p", patch)
    again = awx.launch("Monitoring credentials", {}, secrets=before)
    assert again.changed == {}


def test_a_verdict_reaches_the_workflow(awx: Awx) -> None:
    judged(awx, "Monitoring verify")


def judged(awx: Awx, name: str, **more: Any) -> Job:
    """Launch a job that ends with a verdict, which is green and reaches the workflow."""
    job = awx.launch(name, ANSWERS[name], expect=None, **NULLS.get(name, {}), **more)
    verdict = job.artifacts["monitoring_verdict"]["lab"]
    assert verdict["play"] == VERDICTS[name], job.output[-8000:]
    assert verdict["summary"]["ok"] > 0
    known = "delivery/" if name in AFTER_FAULTS else ()
    assert [red for red in verdict["red"] if not red["name"].startswith(known)] == [], job.output[-8000:]
    assert verdict["failed"] == bool(verdict["red"])
    assert job.run.rc == (2 if verdict["failed"] else 0)
    return job


def test_a_red_verdict_reaches_the_workflow_which_ends_red(awx: Awx) -> None:
    """Also from a job that failed because of it, and on to the job that ends the workflow."""
    job = awx.launch("Monitoring verify", ANSWERS["Monitoring verify"], expect=2, monitoring_min_targets_total=9999)
    verdict = job.artifacts["monitoring_verdict"]["lab"]
    assert verdict["failed"] is True
    red = verdict["red"][0]
    assert red["cause"]
    end = awx.launch("Monitoring stop", {}, expect=2, **job.artifacts)
    assert f"{red['name']}: {red['cause']}" in end.output


def test_a_workflow_without_a_verdict_ends_red_too(awx: Awx) -> None:
    assert "no verdict was given" in awx.launch("Monitoring stop", {}, expect=2).output


def test_a_silence_comes_and_goes(awx: Awx) -> None:
    answers = ANSWERS["Monitoring silence"]
    job = awx.launch("Monitoring silence", answers)
    (silence,) = job.artifacts["monitoring_silence"]["lab"]["silences"]
    assert silence["created_by"] == "admin"
    assert sorted(silence["matchers"]) == ['service="awx-test"', 'severity="warning"']
    assert awx.launch("Monitoring silence", answers, **NULLS["Monitoring silence"]).changed == {}
    gone = awx.launch("Monitoring silence", {**answers, "silence_state": "absent", "silence_duration": ""})
    assert gone.artifacts["monitoring_silence"]["lab"]["silences"][0]["id"] == silence["id"]
    assert awx.launch("Monitoring silence", {**answers, "silence_state": "absent"}).changed == {}


def test_a_silence_that_nobody_can_explain_is_refused(awx: Awx) -> None:
    job = awx.launch("Monitoring silence", {**ANSWERS["Monitoring silence"], "silence_comment": ""}, expect=2)
    assert "silence_comment, which says why" in job.output


def test_discover_proposes_and_changes_nothing(awx: Awx) -> None:
    job = awx.launch("Monitoring discover", ANSWERS["Monitoring discover"])
    assert job.changed == {}
    assert "TASK [Show the proposals]" in job.output


def test_a_teardown_checks_and_changes_nothing(awx: Awx) -> None:
    def releases() -> str:
        return awx.lab.kubectl("-n", "monitoring", "get", "secret", "-l", "owner=helm", "-o", "name").stdout

    before = releases()
    job = awx.launch("Monitoring teardown", ANSWERS["Monitoring teardown"], **NULLS["Monitoring teardown"])
    assert "kube-prometheus-stack" in job.output
    assert releases() == before != ""


def test_an_answer_of_the_wrong_kind_is_refused_before_anything_happens(awx: Awx) -> None:
    """AWX passes on what a workflow or a schedule says without asking the survey."""
    job = awx.launch("Monitoring fire drill", {**ANSWERS["Monitoring fire drill"], "drill_workload": "trino"}, expect=2)
    assert "Deployment/NAMESPACE/NAME" in job.output
