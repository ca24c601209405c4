# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every alert has a page, every page has an alert, and what stands in a page can be pasted."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _promql, _rules

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "runbooks"
PAGES = {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.md")) if path.stem != "README"}


def blocks(text: str, language: str) -> list[str]:
    """The lines of all code blocks of a language."""
    found = re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return [line for block in found for line in block.splitlines() if line.strip()]


QUERIES = [(name, query) for name, text in PAGES.items() for query in blocks(text, "promql")]


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    assert sorted(PAGES) == sorted(_rules.documented())


def test_the_default_address_of_the_runbooks_is_this_folder() -> None:
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text())
    default = yaml.safe_load((ROOT / "roles" / "rules" / "defaults" / "main.yml").read_text())
    base = default["rules_runbook_base_url"]
    assert base.startswith(galaxy["documentation"])
    branch = galaxy["documentation"].removesuffix("/docs")
    assert ROOT / base.removeprefix(branch).strip("/") == FOLDER


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_complete_and_short(name: str) -> None:
    text = PAGES[name]
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.*)$", text, flags=re.MULTILINE) == ["Diagnosis", "Remedy", "Escalation"]
    assert "**Impact.**" in text
    assert blocks(text, "promql")
    assert blocks(text, "sh")
    assert len(text.splitlines()) <= 45


@pytest.mark.parametrize("name", PAGES)
def test_alerts_that_a_page_names_exist(name: str) -> None:
    kinds = "Node|Pod|Persistent|Kafka|Loki|Trino|Doris|Vault|Minio|Etcd|PostgreSQL|Prometheus|Core|Service|Certificate"
    named = set(re.findall(rf"\b(?:{kinds})(?:[A-Z][a-z]+){{2,}}\b", PAGES[name]))
    resources = {"PersistentVolumeClaim", "PersistentVolumeClaims", "PrometheusRule"}
    assert {one for one in named if one not in PAGES and one not in resources} == set()


def test_our_reader_takes_every_query() -> None:
    for name, query in QUERIES:
        assert _promql.parse(query), name


def test_promtool_takes_every_query(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: the lab brings it")
    rules = [{"record": f"{name}:{number}", "expr": query} for number, (name, query) in enumerate(QUERIES)]
    path = tmp_path / "runbooks.json"
    path.write_text(json.dumps({"groups": [{"name": "runbooks", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", "--lint=none", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
