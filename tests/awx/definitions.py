# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The definitions in awx/ as plain data, and what the playbooks of the collection take."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
AWX = ROOT / "awx"
PROJECT = AWX / "project"
PLAYBOOKS = ROOT / "playbooks"
COLLECTION = "dataplatform.monitoring"


class Loader(yaml.SafeLoader):
    """Reads !unsafe as the text that it marks."""


Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


@functools.cache
def load(path: Path) -> Any:
    """A YAML file."""
    return yaml.load(path.read_text(), Loader=Loader)  # noqa: S506 - a SafeLoader with one tag more


def templates() -> dict[str, dict[str, Any]]:
    """The job templates by name."""
    return {item["name"]: item for item in load(AWX / "job_templates.yml")["awx_job_templates"]}


def workflows() -> list[dict[str, Any]]:
    """The workflows."""
    return load(AWX / "workflow.yml")["awx_workflows"]


def survey(item: dict[str, Any]) -> dict[str, Any]:
    """The survey of a template or workflow, as apply.yml sends it."""
    return {"name": item["name"], "description": item["description"], "spec": item["survey"]}


def surveyed() -> dict[str, dict[str, Any]]:
    """Everything that has a survey, by name."""
    return {item["name"]: item for item in [*templates().values(), *workflows()] if "survey" in item}


def imported(playbook: Path) -> list[Path]:
    """The playbooks that a playbook imports, from its own folder or by the name of the collection."""
    names = [play.get("ansible.builtin.import_playbook") for play in load(playbook)]
    return [
        PLAYBOOKS / f"{name.removeprefix(f'{COLLECTION}.')}.yml"
        if name.startswith(f"{COLLECTION}.")
        else playbook.parent / name
        for name in names
        if name
    ]


def _tasks(tasks: list[dict[str, Any]], folder: Path) -> Iterator[dict[str, Any]]:
    """Every task, of blocks and of imported files too."""
    for task in tasks:
        yield task
        for part in ("block", "rescue", "always"):
            yield from _tasks(task.get(part) or [], folder)
        for action in ("ansible.builtin.import_tasks", "ansible.builtin.include_tasks"):
            name = task.get(action)
            if name and "{{" not in name:
                path = folder / name
                yield from _tasks(load(path) or [], path.parent)


def options(playbook: Path) -> dict[str, dict[str, Any]]:
    """What a playbook takes: by its own argument specs, and by those of the roles that it plays."""
    found: dict[str, dict[str, Any]] = {}
    for other in imported(playbook):
        found |= options(other)
    for play in load(playbook):
        for task in _tasks(play.get("tasks") or [], playbook.parent):
            role = task.get("ansible.builtin.import_role") or task.get("ansible.builtin.include_role")
            if role:
                spec = load(ROOT / "roles" / role["name"].rpartition(".")[2] / "meta" / "argument_specs.yml")
                found |= spec["argument_specs"]["main"]["options"]
            found |= (task.get("ansible.builtin.validate_argument_spec") or {}).get("argument_spec") or {}
    return found
