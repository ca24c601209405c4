# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""awx/apply.yml through awx.awx's own modules: what they take, what arrives, and that a second run changes nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.awx import controller, definitions

MODULES = Path(sys.prefix) / "collections" / "ansible_collections" / "awx" / "awx" / "plugins" / "modules"
TOKEN = "t0ken"
ANSWERS = {
    "awx_project_url": "https://git.example.org/monitoring.git",
    "awx_execution_environment_image": "registry.example.org/monitoring-ee:1",
    "awx_cluster_credentials": ["clusters"],
    "awx_secret_credentials": ["receivers"],
}


def module_options(module: str) -> dict[str, dict[str, Any]]:
    """The documented options of one of awx.awx's modules."""
    text = (MODULES / f"{module}.py").read_text()
    return yaml.safe_load(re.search(r"DOCUMENTATION = '''(.*?)'''", text, re.DOTALL)[1])["options"]


def calls() -> list[tuple[str, dict[str, Any]]]:
    """The tasks of apply.yml that use awx.awx: module and arguments."""
    (play,) = definitions.load(definitions.AWX / "apply.yml")
    return [(key, task[key]) for task in play["tasks"] for key in task if key.startswith("awx.awx.")]


@pytest.mark.parametrize(("module", "arguments"), calls(), ids=[name for name, _arguments in calls()])
def test_every_argument_is_one_of_the_module(module: str, arguments: dict[str, Any]) -> None:
    options = module_options(module.rpartition(".")[2])
    assert set(arguments) - set(options) == set()
    assert {name for name, option in options.items() if option.get("required")} - set(arguments) == set()
    for name, value in arguments.items():
        if "choices" in options[name] and "{{" not in str(value):
            assert value in options[name]["choices"]


class Applied:
    """A controller, and how often the playbook was played on it."""

    def __init__(self, api: controller.Controller, url: str) -> None:
        self.api, self.url = api, url

    def play(self, *options: str, **answers: object) -> subprocess.CompletedProcess[str]:
        """Play apply.yml; its result as JSON on standard output."""
        return subprocess.run(
            ["ansible-playbook", "-i", "localhost,", str(definitions.AWX / "apply.yml"), *options,
             "-e", json.dumps({**ANSWERS, **answers})],
            cwd=definitions.ROOT, capture_output=True, text=True, check=False, timeout=300,
            env={**os.environ, "CONTROLLER_HOST": self.url, "CONTROLLER_OAUTH_TOKEN": TOKEN,
                 "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "HOME": os.environ.get("HOME", "/root")},
        )  # fmt: skip


@pytest.fixture(scope="module")
def applied() -> Iterator[Applied]:
    """A controller with the two credentials that the settings name, and the definitions applied."""
    with controller.running(definitions.PROJECT, TOKEN) as (api, url):
        for name in ("clusters", "receivers"):
            api.add("credentials", {"name": name})
        result = Applied(api, url)
        done = result.play()
        assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
        yield result


def test_everything_arrives(applied: Applied) -> None:
    assert set(applied.api.named("job_templates")) == set(definitions.templates())
    assert set(applied.api.named("workflow_job_templates")) == {item["name"] for item in definitions.workflows()}
    assert set(applied.api.named("schedules")) == {"Monitoring, nightly verdict"}
    surveys = {item["name"]: item["spec"] for item in applied.api.surveys.values()}
    assert surveys == {name: item["survey"] for name, item in definitions.surveyed().items()}
    for name, template in applied.api.named("job_templates").items():
        assert template["survey_enabled"] == (name in surveys)
        assert template["project"] == applied.api.named("projects")["Monitoring"]["id"]
        assert applied.api.linked("job_templates", name, "notification_templates_error") == ["Monitoring"]
        secrets = ["receivers"] if name == "Monitoring credentials" else []
        assert applied.api.linked("job_templates", name, "credentials") == ["clusters", *secrets]


def test_injectors_arrive_with_their_templates_unrendered(applied: Applied) -> None:
    for name, kind in applied.api.named("credential_types").items():
        (meant,) = [
            item for item in definitions.load(definitions.AWX / "credential_types.yml")["awx_credential_types"]
            if item["name"] == name
        ]  # fmt: skip
        assert kind["injectors"] == meant["injectors"]
        assert kind["inputs"] == meant["inputs"]


def test_the_workflow_arrives_with_its_ways(applied: Applied) -> None:
    kind, api = "workflow_job_template_nodes", applied.api
    assert api.linked(kind, "day1", "success_nodes") == ["approve_day2"]
    assert api.linked(kind, "day1", "failure_nodes") == ["verify_after_failure"]
    assert api.linked(kind, "approve_day2", "success_nodes") == ["day2"]
    assert api.linked(kind, "day3", "failure_nodes") == ["verify_after_failure"]
    assert api.linked(kind, "verify_after_failure", "always_nodes") == ["stop"]
    approval = api.objects["workflow_approval_templates"][api.named(kind)["approve_day2"]["unified_job_template"]]
    assert approval["timeout"] == 86400
    # One failed parent is enough for the verdict.
    assert not api.named(kind)["verify_after_failure"].get("all_parents_must_converge")
    verify = api.named("job_templates")["Monitoring verify"]["id"]
    assert api.named(kind)["verify_after_failure"]["unified_job_template"] == verify
    assert api.named("schedules")["Monitoring, nightly verdict"]["unified_job_template"] == verify


def test_a_second_run_changes_nothing(applied: Applied) -> None:
    before = list(applied.api.writes)
    done = applied.play()
    assert done.returncode == 0, done.stdout[-4000:]
    assert json.loads(done.stdout)["stats"]["localhost"]["changed"] == 0
    assert applied.api.writes == before


def test_what_has_to_be_filled_in_is_asked_for_before_anything_is_sent(applied: Applied) -> None:
    before = list(applied.api.writes)
    done = applied.play(awx_project_url="")
    assert done.returncode != 0
    assert "Fill in awx_project_url" in done.stdout
    assert applied.api.writes == before
