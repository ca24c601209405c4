# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-lint of the files that differ from the last commit, or that it changed: the quick half of the gate."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Beyond these a full run costs little more.
MOST = 40
LINTED = ("awx/", "roles/", "playbooks/", "inventories/", "molecule/", "meta/", "galaxy.yml")


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.split("\n") if done.returncode == 0 else []


def changed_files() -> list[str]:
    """What ansible-lint understands among the changed and the new files, nearest the present first."""
    names = [
        *_git("diff", "--name-only", "HEAD"),
        *_git("ls-files", "--others", "--exclude-standard"),
        *_git("diff", "--name-only", "HEAD~1", "HEAD"),
    ]
    wanted = [name for name in dict.fromkeys(names) if name.startswith(LINTED) and name.endswith((".yml", ".yaml"))]
    return [name for name in wanted if (ROOT / name).is_file()][:MOST]


def test_changed_files_pass_ansible_lint() -> None:
    files = changed_files()
    if not files:
        return
    done = subprocess.run(
        ["ansible-lint", "--offline", "--nocolor", "--profile=production", "--strict", *files],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, f"ansible-lint {' '.join(files)}\n{done.stdout}\n{done.stderr[-4000:]}"
