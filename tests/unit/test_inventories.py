# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventories of this checkout set is asked for by a role or a playbook, and of the right kind, once it is
resolved: of kind too, which is played nowhere but where Docker runs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.awx import definitions

ROOT = definitions.ROOT
INVENTORIES = sorted(path.name for path in (ROOT / "inventories").iterdir())
SPECS = sorted(map(str, (ROOT / "roles").glob("*/meta/argument_specs.yml")))
#: How a cluster is reached, and where messages of the lab's receivers are looked up.
CONNECTION = {"monitoring_kubeconfig", "monitoring_context", "monitoring_helm_binary", "monitoring_sinks"}

PLAY = """
- hosts: all
  gather_facts: false
  vars:
    # The fact that role catalogue sets once it has seen the cluster.
    monitoring_catalogue: {}
  tasks:
    - ansible.builtin.validate_argument_spec:
        argument_spec: "{{ (lookup('ansible.builtin.file', item) | from_yaml).argument_specs.main.options }}"
      loop: "{{ specs }}"
    - ansible.builtin.assert:
        that: faults | length == 0
        fail_msg: "{{ faults }}"
      vars:
        faults: "{{ monitoring_services | dataplatform.monitoring.catalogue_validate(catalogue_packs | default({})) }}"
"""


def resolved(inventory: str) -> dict[str, dict[str, object]]:
    """The variables of every host, templates as they are."""
    done = subprocess.run(
        ["ansible-inventory", "-i", f"inventories/{inventory}", "--list"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return json.loads(done.stdout)["_meta"]["hostvars"]


@pytest.mark.parametrize("inventory", INVENTORIES)
def test_every_variable_is_asked_for(inventory: str) -> None:
    asked = {name for path in definitions.PLAYBOOKS.glob("*.yml") for name in definitions.options(path)}
    for variables in resolved(inventory).values():
        extra = {name for name in variables if not name.startswith(("ansible_", "__lab_"))} - asked - CONNECTION
        assert extra == set()


@pytest.mark.parametrize("inventory", sorted({*INVENTORIES} - {"lab"}))  # that one is played all the time
def test_the_roles_take_what_is_set(inventory: str, tmp_path: Path) -> None:
    playbook = tmp_path / "validate.yml"
    playbook.write_text(PLAY)
    done = subprocess.run(
        ["ansible-playbook", "-i", f"inventories/{inventory}", str(playbook),
         "-e", json.dumps({"specs": SPECS})],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    assert done.stdout.count("ok: [") == len(SPECS) + 1


def test_kind_sets_the_charts_and_images_of_upstream() -> None:
    """Nothing of the native lab's stand-ins: neither chart nor image nor agent; what the roles have is meant."""
    variables = resolved("kind")["kind"]
    assert [name for name in variables if name.endswith(("_chart_ref", "_values", "_chart_version"))] == []
    assert not {"loki_agent", "catalogue_packs"} & set(variables)
