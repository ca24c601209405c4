# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What README and docs say can be followed to the letter."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.filter import catalogue

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "roles").glob("*/README.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_ten_line_inventory_is_a_valid_catalogue() -> None:
    text, _mail = blocks(ROOT / "README.md", "yaml")
    inventory: dict[str, Any] = yaml.safe_load(text)
    services = inventory["all"]["hosts"]["production"]["monitoring_services"]
    validate = catalogue.FilterModule().filters()["catalogue_validate"]
    assert validate(services, {}) == []
    assert len([line for line in text.splitlines() if not line.startswith("#")]) <= 10


def test_every_make_target_that_is_told_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    told = {word for page in PAGES for word in re.findall(r"\bmake ([a-z]+(?:-[a-z]+)*)\b", " ".join(_code(page)))}
    assert sorted(told - targets) == []


def test_every_make_target_is_phony() -> None:
    """But for the one that is a file: what is there under a target's name would keep it from being made."""
    text = (ROOT / "Makefile").read_text()
    phony = {word for line in re.findall(r"^\.PHONY: (.*)$", text, flags=re.MULTILINE) for word in line.split()}
    assert set(re.findall(r"^([a-z-]+):", text, flags=re.MULTILINE)) == phony


def _code(page: Path) -> list[str]:
    text = page.read_text()
    return re.findall(r"`([^`\n]+)`", text) + re.findall(r"^```\w*\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def test_every_playbook_that_is_told_exists() -> None:
    told = set(re.findall(r"ansible-playbook [^\n]*dataplatform\.monitoring\.(\w+)", (ROOT / "README.md").read_text()))
    assert told
    assert sorted(name for name in told if not (ROOT / "playbooks" / f"{name}.yml").exists()) == []


def test_every_role_is_linked_from_the_readme() -> None:
    text = (ROOT / "README.md").read_text()
    roles = [path.name for path in (ROOT / "roles").iterdir() if path.is_dir()]
    assert [role for role in roles if f"roles/{role}/README.md" not in text] == []
