# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every role's defaults and argument specification say the same, both ways, and its README names every variable.

A default without an option is undocumented, an option without a default is required or a lie, and a default that the
specification gives another value is two truths.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.parent.parent.name for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"))
PYTHON_TYPES = {"str": str, "int": int, "float": (int, float), "bool": bool, "list": list, "dict": dict, "path": str}


@functools.cache
def _load(path: Path) -> Any:
    return yaml.safe_load(path.read_text()) if path.exists() else None


def spec_of(role: str) -> dict[str, dict[str, Any]]:
    """The options of the role's entry point `main`."""
    return _load(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]["main"].get("options") or {}


def defaults_of(role: str) -> dict[str, Any]:
    """What defaults/main.yml sets."""
    return _load(ROOT / "roles" / role / "defaults" / "main.yml") or {}


def nested(options: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every option of a specification with its dotted path, sub-options included."""
    for name, option in options.items():
        yield f"{path}{name}", option
        yield from nested(option.get("options") or {}, f"{path}{name}.")


def is_template(value: Any) -> bool:
    """A default that is only known when the role runs."""
    return isinstance(value, str) and "{{" in value


def test_every_role_has_a_specification_and_a_readme() -> None:
    roles = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
    assert roles == ROLES
    assert [role for role in roles if not (ROOT / "roles" / role / "README.md").exists()] == []


@pytest.mark.parametrize("role", ROLES)
def test_every_entry_point_asks_for_the_same(role: str) -> None:
    """A play that uses a role in parts is told the same as one that uses it whole."""
    points = _load(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]
    assert {name: point.get("options") or {} for name, point in points.items()} == dict.fromkeys(points, spec_of(role))
    tasks = ROOT / "roles" / role / "tasks"
    assert [name for name in points if not (tasks / f"{name}.yml").exists()] == []


@pytest.mark.parametrize("role", ROLES)
def test_every_default_has_an_option(role: str) -> None:
    assert sorted(set(defaults_of(role)) - set(spec_of(role))) == []


@pytest.mark.parametrize("role", ROLES)
def test_every_option_without_a_default_is_required(role: str) -> None:
    absent = set(spec_of(role)) - set(defaults_of(role))
    assert sorted(name for name in absent if not spec_of(role)[name].get("required")) == []


@pytest.mark.parametrize("role", ROLES)
def test_no_required_option_has_a_default(role: str) -> None:
    assert sorted(name for name in defaults_of(role) if spec_of(role).get(name, {}).get("required")) == []


@pytest.mark.parametrize("role", ROLES)
def test_the_values_are_the_same(role: str) -> None:
    """The specification repeats the default, templates included, so that ansible-doc tells the truth."""
    differing = {
        name: (value, spec_of(role)[name].get("default"))
        for name, value in defaults_of(role).items()
        if name in spec_of(role) and value != spec_of(role)[name].get("default")
    }
    assert differing == {}


@pytest.mark.parametrize("role", ROLES)
def test_defaults_have_the_declared_type(role: str) -> None:
    wrong = []
    for name, value in defaults_of(role).items():
        option = spec_of(role).get(name, {})
        kind = PYTHON_TYPES.get(option.get("type", "str"))
        if kind is None or value is None or is_template(value):
            continue
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            wrong.append(f"{name}: {value!r} is no {option.get('type', 'str')}")
        if "choices" in option and value not in option["choices"]:
            wrong.append(f"{name}: {value!r} is not among {option['choices']}")
    assert wrong == []


@pytest.mark.parametrize("role", ROLES)
def test_every_option_is_typed_and_described(role: str) -> None:
    """Lists of dictionaries stay without sub-options on purpose: entries are validated with better messages."""
    poor = []
    for name, option in nested(spec_of(role)):
        poor += [f"{name}: {key}" for key in ("type", "description") if not option.get(key)]
        if option.get("type") == "list" and "elements" not in option:
            poor.append(f"{name}: elements")
    assert poor == []


@pytest.mark.parametrize("role", ROLES)
def test_public_variables_carry_the_name_of_the_role(role: str) -> None:
    """`monitoring_` is what all roles share; the rest is the role's own."""
    prefixes = (f"{role}_", "monitoring_")
    assert [name for name in spec_of(role) if not name.startswith(prefixes)] == []


@pytest.mark.parametrize("role", ROLES)
def test_shared_variables_have_one_default_everywhere(role: str) -> None:
    for other in ROLES:
        shared = set(defaults_of(role)) & set(defaults_of(other))
        assert {name: defaults_of(role)[name] for name in shared} == {name: defaults_of(other)[name] for name in shared}


@pytest.mark.parametrize("role", ROLES)
def test_the_readme_has_a_row_for_every_variable(role: str) -> None:
    text = (ROOT / "roles" / role / "README.md").read_text()
    rows = set(re.findall(r"^\|\s*`([A-Za-z0-9_]+)`", text, flags=re.MULTILINE))
    assert sorted(set(spec_of(role)) - rows) == [], "missing in the README"
    assert sorted(rows - set(spec_of(role))) == [], "told in the README but no variable"
