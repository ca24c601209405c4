# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each role can be played alone, as its README says: on a finished cluster it would change nothing."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from tests.lab_fixture import ROOT, Lab

from .plays import ours

ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())


def play(role: str) -> dict[str, Any]:
    """The first play in the role's README, on a host of its own: no role has what another one found out."""
    text = (ROOT / "roles" / role / "README.md").read_text()
    (found,) = yaml.safe_load(re.search(r"^```yaml\n(- hosts: .*?)^```$", text, re.MULTILINE | re.DOTALL)[1])
    found["hosts"] = f"alone-{role}"
    # The settings of the role itself are examples; the lab's inventory has its own.
    last = found["roles"][-1]
    found["roles"][-1] = last if isinstance(last, str) else {"role": last["role"]}
    return found


@pytest.fixture(scope="module")
def recaps(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All of them in check mode, one after the other; what each came to, by host."""
    if not any("dashboards" in name for name in ours(lab)):
        lab.playbook("site")
    playbook = tmp_path_factory.mktemp("roles") / "alone.yml"
    playbook.write_text(yaml.safe_dump([play(role) for role in ROLES], sort_keys=False))
    inventories = ["-i", "inventories/lab", "-i", ",".join(f"alone-{role}" for role in ROLES) + ","]
    # Hosts that only the command line names lie in no folder; the lab's inventory looks beside its own.
    options = ["-e", "monitoring_cluster_name=lab", "-e", f"inventory_dir={ROOT / 'inventories' / 'lab'}"]
    done = lab._run(
        ["ansible-playbook", "--check", *inventories, str(playbook), *options],
        check=False, timeout=300, ANSIBLE_STDOUT_CALLBACK="ansible.posix.json", ANSIBLE_NOCOLOR="1",
    )  # fmt: skip
    return {**json.loads(done.stdout[done.stdout.index("{") :]), "errors": done.stderr}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_alone_finds_all_done(recaps: dict[str, Any], role: str) -> None:
    assert f"alone-{role}" in recaps["stats"], "not played: a role before it failed"
    told = [
        (task["task"]["name"], task["hosts"][f"alone-{role}"].get("msg"))
        for play in recaps["plays"]
        for task in play["tasks"]
        if task["hosts"].get(f"alone-{role}", {}).get("failed") or task["hosts"].get(f"alone-{role}", {}).get("changed")
    ]
    recap = recaps["stats"][f"alone-{role}"]
    assert (recap["failures"], recap["unreachable"], recap["changed"]) == (0, 0, 0), told
    assert recap["ok"] > 0
