# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module's examples are tasks that Ansible loads, with arguments that the module takes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

ROOT = Path(__file__).resolve().parents[2]
NAMES = [
    f"dataplatform.monitoring.{path.stem}"
    for path in sorted((ROOT / "plugins" / "modules").glob("*.py"))
    if path.stem != "__init__"
]
#: In place of a template, whose value an example does not tell.
ANY = {"bool": True, "dict": {}, "float": 1.0, "int": 1, "list": []}


def run(*command: str) -> str:
    """Standard output of a program of the environment."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    """What `ansible-doc` tells of every module, fragments included."""
    return json.loads(run("ansible-doc", "--json", *NAMES))


def tasks(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Tasks, those of blocks too."""
    for item in items:
        yield item
        for part in ("block", "rescue", "always"):
            yield from tasks(item.get(part, []))


def spec(options: dict[str, Any]) -> dict[str, Any]:
    """Documented options as an argument spec."""
    kept = ("type", "elements", "choices", "required", "aliases")
    return {
        name: {key: option[key] for key in kept if option.get(key)}
        | ({"options": spec(option["suboptions"])} if option.get("suboptions") else {})
        for name, option in options.items()
    }


def plain(value: Any, option: dict[str, Any]) -> Any:
    """An argument with its templates replaced."""
    if isinstance(value, str) and "{{" in value:
        return ANY.get(option.get("type", "str"), "x")
    below = option.get("suboptions", {})
    if isinstance(value, dict):
        return {name: plain(one, below.get(name, {})) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one, {"type": option.get("elements", "str"), "suboptions": below}) for one in value]
    return value


@pytest.mark.parametrize("name", NAMES)
def test_an_example_has_arguments_that_the_module_takes(documents: dict[str, Any], name: str) -> None:
    told = documents[name]
    seen = 0
    for task in tasks(yaml.safe_load(told["examples"])):
        for module in set(task) & set(NAMES):
            options = documents[module]["doc"]["options"]
            arguments = {key: plain(value, options.get(key, {})) for key, value in task[module].items()}
            checked = ArgumentSpecValidator(spec(options)).validate(arguments)
            assert checked.error_messages == [], task["name"]
            seen += module == name
    assert seen, "no example of its own"


def test_ansible_loads_every_example(documents: dict[str, Any], tmp_path: Path) -> None:
    plays = [
        {"hosts": "all", "gather_facts": False, "tasks": yaml.safe_load(documents[name]["examples"])} for name in NAMES
    ]
    playbook = tmp_path / "examples.yml"
    playbook.write_text(yaml.safe_dump(plays))
    run("ansible-playbook", "--syntax-check", "-i", "localhost,", str(playbook))
