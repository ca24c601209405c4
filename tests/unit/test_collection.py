# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's metadata agrees with what lies in it."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py") if path.stem != "__init__")


def documentation(module: str, name: str = "DOCUMENTATION") -> Any:
    """A documentation block of a module, parsed; EXAMPLES included."""
    tree = ast.parse((ROOT / "plugins" / "modules" / f"{module}.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return yaml.safe_load(ast.literal_eval(node.value))
    return None


def test_the_action_group_holds_every_module() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
    group = runtime["action_groups"]["all"]
    assert sorted(entry for entry in group if isinstance(entry, str)) == MODULES
    assert group[0] == {"metadata": {"extend_group": ["kubernetes.core.k8s", "kubernetes.core.helm"]}}


def test_every_action_plugin_has_its_documentation() -> None:
    actions = {path.stem for path in (ROOT / "plugins" / "action").glob("*.py") if not path.stem.startswith("_")}
    assert sorted(actions - set(MODULES)) == []


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_documented_with_examples_and_attributes(module: str) -> None:
    told = documentation(module)
    assert told["module"] == module
    examples = documentation(module, "EXAMPLES")
    assert examples
    fragments = told.get("extends_documentation_fragment") or []
    attributes = told.get("attributes") or {}
    assert "check_mode" in attributes or any("attributes" in fragment for fragment in fragments)


@pytest.mark.parametrize("module", MODULES)
def test_examples_name_modules_in_full(module: str) -> None:
    """So that an example can be pasted."""
    assert f"dataplatform.monitoring.{module}" in str(documentation(module, "EXAMPLES"))


def test_private_code_is_marked_by_its_name() -> None:
    """Only modules, filters and actions are for users; what they share may change at any time."""
    utils = [path.name for path in (ROOT / "plugins" / "module_utils").glob("*.py") if path.name != "__init__.py"]
    assert [name for name in utils if not name.startswith("_")] == []


def test_a_tool_of_the_development_environment_is_named_once() -> None:
    for name in ("requirements-dev.txt", "pyproject.toml"):
        pins = [
            line
            for line in (ROOT / name).read_text().splitlines()
            if re.match(r'(    ")?[a-z][a-z0-9-]+(==|",$)', line)
        ]
        assert pins and sorted(line for line in set(pins) if pins.count(line) > 1) == [], name


def test_the_development_environment_serves_the_declared_floor() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
    assert runtime["requires_ansible"] == ">=2.19.0"
    # On every interpreter, without a marker; of `ansible`, 12 and 13 bring awx.awx, which the gates need.
    pins = re.findall(r"^ansible(?:-core)?==.*$", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE)
    assert [re.sub(r"\.\d+$", "", pin) for pin in pins] == ["ansible==12.3", "ansible-core==2.19"]


@pytest.mark.parametrize("version", ["3.10", "3.14"])
def test_an_interpreter_that_this_floor_does_not_run_on_is_refused(tmp_path: Path, version: str) -> None:
    python = tmp_path / "python"
    told = f"import sys; sys.version_info = ({version.replace('.', ', ')}, 0); exec(sys.argv[1])"
    python.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{told}' \"$2\"\n")
    python.chmod(0o755)
    script = tmp_path / ".ci" / "venv"
    script.parent.mkdir()
    shutil.copy(ROOT / ".ci" / "venv", script)
    done = subprocess.run(
        [script], env={**os.environ, "PYTHON": str(python)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "is no Python 3.11, 3.12 or 3.13; name one: make venv PYTHON=" in done.stderr
