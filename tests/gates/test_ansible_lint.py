# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-lint over the whole collection, with the strictest profile and without exceptions."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def test_ansible_lint_production() -> None:
    done = subprocess.run(
        ["ansible-lint", "--offline", "--nocolor", "--profile=production", "--strict"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, f"ansible-lint\n{done.stdout}\n{done.stderr[-4000:]}"


#: What all roles share is called monitoring_*; ansible-lint knows only a role's own prefix. The line gives a reason.
AGREED = re.compile(r"#\s*noqa:? var-naming\[no-role-prefix\] \w+")


def test_no_rule_is_switched_off() -> None:
    """Neither in the configuration nor in a file, so that the profile means what it says."""
    settings = yaml.safe_load((ROOT / ".ansible-lint").read_text())
    assert not {"skip_list", "warn_list"} & set(settings)
    folders = ("awx", "roles", "playbooks", "inventories", "molecule", "meta")
    noqa = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.yml"))
        for line in path.read_text().splitlines()
        if re.search(r"#\s*noqa", line) and not AGREED.search(line)
    ]
    assert noqa == []
