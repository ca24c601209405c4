# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The set of cause codes is closed, documented and tested."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import CAUSES

ROOT = Path(__file__).resolve().parents[2]
THIS = Path(__file__).resolve()


def _words(*folders: str) -> set[str]:
    """Words of the tests themselves; what a page says of a code proves nothing of it."""
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".yml")]
    return set(re.findall(r"\w+", "\n".join(path.read_text() for path in sorted(paths) if path != THIS)))


def _docs() -> object:
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / ".ci" / "docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_pages_are_current() -> None:
    stale = [name for name, page in _docs().PAGES.items() if (ROOT / name).read_text() != page()]
    assert stale == [], "run `make docs`"


@pytest.mark.parametrize("code", sorted(CAUSES))
def test_codes_are_told_well(code: str) -> None:
    entry = CAUSES[code]
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", code)
    assert entry.title and not entry.title.endswith(".")
    assert entry.explanation.endswith(".")


def test_every_code_has_a_test() -> None:
    words = _words("tests/unit", "tests/integration", "tests/faults", "tests/cluster")
    assert sorted(set(CAUSES) - words) == []


def test_every_code_is_produced_on_the_lab_or_listed_with_the_reason_why_not() -> None:
    listed = re.findall(r"`(\w+)`", (ROOT / "tests" / "faults" / "README.md").read_text())
    assert sorted(set(CAUSES) - _words("tests/faults", "tests/cluster") - set(listed)) == []


def test_a_reason_why_not_is_given_once() -> None:
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "tests" / "faults" / "README.md").read_text(), re.M)
    listed = [code for row in rows for code in re.findall(r"\w+", row)]
    assert sorted(code for code in set(listed) if listed.count(code) > 1) == []
    assert sorted(set(listed) - set(CAUSES)) == [], "no such codes"


def test_no_unknown_code_is_used() -> None:
    """A code in a call `cause("...")` that no table has would be a crash in front of a user."""
    unknown = []
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[0]
            if name == "cause" and isinstance(first, ast.Constant) and first.value not in CAUSES:
                unknown.append(f"{path.relative_to(ROOT)}:{node.lineno}: {first.value}")
    assert unknown == []


def test_no_code_is_dead() -> None:
    """Every documented code is used by a plugin outside the tables."""
    used = "\n".join(
        path.read_text() for path in (ROOT / "plugins").rglob("*.py") if not path.name.startswith("_causes")
    )
    assert [code for code in sorted(CAUSES) if not re.search(rf"[\"']{code}[\"']", used)] == []
