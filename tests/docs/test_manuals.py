# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manuals: links that lead somewhere, samples that are what they look like. What needs a cluster is run there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.filter.catalogue import catalogue_validate
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _promql

from tests.docs_samples import (
    COMMANDS,
    FATES,
    MANUALS,
    PAGES,
    ROOT,
    Sample,
    commands,
    is_outline,
    played,
    samples,
    tasks,
    variables,
)

READMES = [ROOT / "awx" / "README.md", *sorted((ROOT / "roles").glob("*/README.md"))]
LANGUAGES = {"sh", "yaml", "json", "promql", "logql", "console", ""}


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", [*PAGES, *READMES], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_resolves(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{target}: there is no {found}"
        if anchor:
            assert anchor in anchors(found.read_text()), f"{target}: no such heading"


def test_every_manual_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    assert [page.name for page in MANUALS if page.name != "README.md" and f"]({page.name})" not in index] == []


def test_samples_say_what_they_are() -> None:
    assert [str(one) for one in samples() if one.language not in LANGUAGES] == []


def test_few_samples_are_outlines() -> None:
    """Everything else is executed, by the tests beside this one or by one that is named and there."""
    assert len(FATES["outlines"]) <= 5
    assert set(FATES["outlines"]) <= {str(one) for one in samples()}
    assert [str(one) for one in samples("json") if not played(one)] == []


@pytest.mark.parametrize("entry", FATES["played"], ids=lambda entry: entry["sample"])
def test_what_plays_a_sample_is_there(entry: dict[str, str]) -> None:
    path, _, name = entry["test"].partition("::")
    text = (ROOT / path).read_text()
    assert not name or f"def {name}(" in text
    meant = [
        line or one.text
        for one in samples("yaml", "json", *COMMANDS)
        for line in (one.lines if one.language in COMMANDS else [""])
        if played(one, line) == entry["test"] and re.search(entry["sample"], line or one.text, re.MULTILINE)
    ]
    assert meant, "no sample is played by it"


def test_what_the_lab_answers_is_asked() -> None:
    """No excuse outlives its command, no variable its page."""
    lines = [line for _sample, line in commands()]
    assert [one for one in FATES["answers"] if not any(re.search(one["line"], line) for line in lines)] == []
    text = "".join(lines)
    assert [name for name in FATES["variables"] if f"${name}" not in text] == []
    queries = "".join(one.text for one in samples("promql"))
    assert [name for name in FATES["metrics"] if name not in queries] == []
    assert [page for page in FATES["variables_of"] if not (ROOT / page).exists()] == []


@pytest.mark.parametrize("sample", samples("promql", pages=MANUALS), ids=str)
def test_promql_parses(sample: Sample) -> None:
    for line in sample.lines:
        _promql.parse(line)


@pytest.mark.parametrize("sample", [one for one in samples(*COMMANDS) if not is_outline(one)], ids=str)
def test_commands_are_shell(sample: Sample) -> None:
    done = subprocess.run(["sh", "-n"], input="\n".join(sample.lines), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("sample", samples("yaml"), ids=str)
def test_yaml_is_taken(sample: Sample, tmp_path: Path) -> None:
    """An inventory is read, an entry is valid, tasks are understood, a variable exists."""
    document: Any = yaml.safe_load(sample.text)
    if tasks(sample):
        (tmp_path / "play.yml").write_text(
            yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": document}], sort_keys=False)
        )
        _run("ansible-playbook", "--syntax-check", "-i", "localhost,", str(tmp_path / "play.yml"))
        return
    if "all" in document:
        (tmp_path / "inventory.yml").write_text(sample.text)
        told = yaml.safe_load(_run("ansible-inventory", "-i", str(tmp_path / "inventory.yml"), "--list", "--yaml"))
        assert list(told["all"]["children"]["ungrouped"]["hosts"].values()) == [variables(sample)]
        document = variables(sample)
    unknown = [name for name in document if name.startswith(("monitoring_", "dashboards_", "catalogue_", "rules_"))]
    assert [name for name in unknown if name not in known_variables()] == []
    services, packs = document.get("monitoring_services", []), document.get("catalogue_packs", {})
    if services:
        # A page may mean a Prometheus without Kubernetes.
        problems = [catalogue_validate(services, packs, kubernetes=one) for one in (True, False)]
        assert [] in problems, problems


def known_variables() -> set[str]:
    """Options of the roles, and what the playbooks read beside them."""
    found: set[str] = set()
    for specs in (ROOT / "roles").glob("*/meta/argument_specs.yml"):
        for spec in yaml.safe_load(specs.read_text())["argument_specs"].values():
            found |= set(spec.get("options", {}))
    for playbook in (ROOT / "playbooks").rglob("*.yml"):
        found |= set(re.findall(r"\bmonitoring_\w+", playbook.read_text()))
    return found


def _run(*command: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
