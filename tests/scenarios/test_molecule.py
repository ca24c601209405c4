# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every Molecule scenario that can run here, on the lab."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import secrets
import subprocess
from pathlib import Path

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _criteria

from tests.cluster import leaks
from tests.lab_fixture import Lab

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ("lab", "default")


#: Laid over the shared configuration, on a finished cluster: the scenario `lab` has converged with the same playbooks.
FINISHED = {"default": ("-c", "tests/scenarios/finished.yml")}


def molecule(scenario: str, environment: dict[str, str], *more: str) -> subprocess.CompletedProcess[str]:
    """Run molecule as a user would, with the shared configuration and what is laid over it."""
    more = more or FINISHED.get(scenario, ())
    return subprocess.run(
        ["molecule", "-c", "molecule/config.yml", *more, "test", "--scenario-name", scenario],
        cwd=ROOT, env={**environment, "MOLECULE_GLOB": "molecule/*/molecule.yml", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=840,
    )  # fmt: skip


@dataclasses.dataclass
class Run:
    """A scenario that has ended: what it said, what it wrote, and every command line of the machine meanwhile.

    :ivar planted: values that are no credentials and do show: who does not find them would find no leak either.
    """

    done: subprocess.CompletedProcess[str]
    written: str
    command_lines: str
    planted: dict[str, str]

    @property
    def told(self) -> str:
        return f"{self.done.stdout[-12000:]}\n{self.done.stderr[-6000:]}"


def with_extra_var(folder: Path, name: str) -> Path:
    """Molecule's configuration with one extra variable: an expectation of that name, which changes nothing."""
    arguments = yaml.safe_load((ROOT / "molecule/config.yml").read_text())["ansible"]["executor"]["args"]
    expectation = {"name": name, "labels": {"alertname": "AnyInfo", "severity": "info"}, "receivers": ["email"]}
    arguments["ansible_playbook"] += ["--extra-vars", json.dumps({"alertmanager_routing_expectations": [expectation]})]
    path = folder / "molecule.yml"
    path.write_text(yaml.safe_dump({"ansible": {"executor": {"args": arguments}}}))
    return path


@pytest.fixture(scope="module")
def lab_scenario(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The scenario `lab` at its most talkative."""
    evidence = ROOT / "evidence"
    before = set(evidence.rglob("*"))
    planted = {name: f"planted {secrets.token_hex(8)}" for name in ("extra variable", "short process")}
    more = with_extra_var(tmp_path_factory.mktemp("planted"), planted["extra variable"])
    with leaks.CommandLines() as lines:
        subprocess.run(["sh", "-c", "sleep 0.2; :", planted["short process"]], check=True)
        done = molecule("lab", lab.environment(ANSIBLE_VERBOSITY="3", ANSIBLE_DIFF_ALWAYS="1"), "-c", str(more))
    written = [path.read_text() for path in set(evidence.rglob("*")) - before if path.is_file()]
    return Run(done, "\n".join(written), "\n".join(lines.seen), planted)


def test_scenario_lab(lab_scenario: Run) -> None:
    assert lab_scenario.done.returncode == 0, lab_scenario.told


@pytest.mark.parametrize("where", ["output", "evidence", "command lines"])
def test_no_credential_shows(lab: Lab, lab_scenario: Run, where: str) -> None:
    """Days 1 to 3, again, and their verdicts. Whether they are green is not the question here."""
    text, planted = {
        "output": (lab_scenario.done.stdout + lab_scenario.done.stderr, ["extra variable"]),
        "evidence": (lab_scenario.written, ["extra variable"]),
        "command lines": (lab_scenario.command_lines, ["extra variable", "short process"]),
    }[where]
    assert leaks.leaks(text, lab_scenario.planted) == planted, "what was planted is not found"
    assert leaks.leaks(text, leaks.canaries(lab)) == []


def test_scenario_default(finished: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """On any cluster; here it finds a finished one, and its verdict is that all is there."""
    environment = finished.environment(INVENTORY="inventories/lab", ANSIBLE_CALLBACKS_ENABLED="ansible.posix.timer")
    done = molecule("default", environment)
    assert done.returncode == 0, f"{done.stdout[-12000:]}\n{done.stderr[-6000:]}"
    recaps = re.findall(r"^lab +: ok=\d+ +changed=(\d+)", done.stdout, re.MULTILINE)
    assert recaps and set(recaps) == {"0"}, done.stdout[-12000:]
    (written,) = re.findall(r"^Evidence: (\S+)/report\.html", done.stdout, re.MULTILINE)
    verdict = json.loads((Path(written) / "verdict.json").read_text())
    assert _criteria.line(verdict["criteria"]) == "10 of 10 success criteria met", verdict["criteria"]
    assert not verdict["failed"]
    times = re.findall(r"Playbook run took (.*)", done.stdout)
    with capsys.disabled():
        print(f"\nverify.yml: 10 of 10 criteria, in {times[-1] if times else 'unknown time'}")


def test_evidence_of_a_failure_is_kept_and_the_run_fails(lab: Lab, tmp_path: Path) -> None:
    done = molecule("default", lab.environment(EVIDENCE=str(tmp_path)), "-c", "tests/scenarios/broken.yml")
    told = f"{done.stdout[-12000:]}\n{done.stderr[-6000:]}"
    assert done.returncode != 0, told
    # What failed is told, and the evidence does not hide it.
    assert "broken: colour: unknown key" in " ".join(done.stdout.split()), told
    folder = tmp_path / "lab" / "molecule-failure"
    assert f"Evidence of the failure: {folder}" in done.stdout, told
    for kind in ("Event", "Pod", "Node"):
        objects = json.loads((folder / f"{kind.lower()}s.json").read_text())
        assert {item["kind"] for item in objects} == {kind}
    pods = [item["metadata"] for item in json.loads((folder / "pods.json").read_text())]
    logs = {path.stem: path.read_text() for path in folder.glob("*.log")}
    assert set(logs) == {pod["name"] for pod in pods if pod["namespace"] == "monitoring"}
    assert [name for name, text in logs.items() if "level=" in text or "caller=" in text]
    assert all((path.stat().st_mode & 0o077) == 0 for path in [folder, *folder.iterdir()])


def test_every_scenario_is_run_or_known() -> None:
    found = {path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")}
    assert found == {*SCENARIOS, "kind"}


def test_kind_goes_as_far_as_docker(lab: Lab) -> None:
    """CI has a job that goes all the way. Here no Docker answers, whether there is one or not."""
    done = molecule("kind", lab.environment(DOCKER_HOST="unix:///nonexistent/docker.sock"))
    assert done.returncode != 0
    assert "LAB_PROVIDER=kind needs Docker: start it" in done.stdout, done.stdout[-6000:]
    assert not re.search(r"converge|Day 1", done.stdout)
    assert lab.kubectl("get", "nodes", "-o", "name").stdout.strip() == "node/lab"


@pytest.mark.parametrize("playbook", sorted(path.name for path in (ROOT / "molecule" / "shared").glob("*.yml")))
def test_what_kind_shares_is_understood(playbook: str) -> None:
    """Short of Docker: every step of the scenario, with its inventory."""
    done = subprocess.run(
        ["ansible-playbook", "--syntax-check", "-i", "inventories/kind", f"molecule/shared/{playbook}"],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif("CHARTS" not in os.environ, reason="CHARTS names no folder with the upstream charts")
def test_the_real_charts_take_what_kind_sets(lab: Lab) -> None:
    """Nothing is installed: Helm renders the charts with the values of inventories/kind, and the cluster reads them."""
    charts = Path(os.environ["CHARTS"])
    # As for `make lab`; the agent that kind has is tried where its chart is there too.
    agent = "alloy" if (charts / "alloy").is_dir() else "promtail"
    options = {
        "prometheus_operator_chart_ref": str(charts / "kube-prometheus-stack"),
        "loki_chart_ref": str(charts / "loki"),
        "loki_agent": agent,
        "loki_agent_chart_ref": str(charts / agent),
        "__lab_agents": [{"name": agent, "kind": agent}],
    }
    done = subprocess.run(
        ["ansible-playbook", "--check", "--diff", "-i", "inventories/kind", "playbooks/day1.yml",
         "-e", json.dumps(options)],
        cwd=ROOT, env=lab.environment(ANSIBLE_STDOUT_CALLBACK="ansible.posix.json", ANSIBLE_NOCOLOR="1"),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-8000:]}\n{done.stderr[-4000:]}"
    document = json.loads(done.stdout[done.stdout.index('{\n    "custom_stats"') :])
    results = [task["hosts"]["kind"] for play in document["plays"] for task in play["tasks"]]
    diffs = [result["diff"] for result in results if isinstance(result.get("diff"), list)]
    shown = "\n".join(part.get("after", "") for diff in diffs for part in diff)
    images = set(re.findall(r'"image": "([^"]+)"', shown))
    # What the native lab cannot have.
    assert "Deployment monitoring/kube-prometheus-stack-grafana" in str([result.get("objects") for result in results])
    for name in ("docker.io/grafana/grafana", "quay.io/prometheus/prometheus", "quay.io/prometheus/node-exporter"):
        assert [image for image in images if image.startswith(f"{name}:")], images


def test_the_labs_inventory_goes_to_no_other_cluster(tmp_path: Path) -> None:
    """Nothing of it is asked for: neither days nor verdicts nor evidence."""
    kubeconfig = tmp_path / "production"
    kubeconfig.write_text("apiVersion: v1\nkind: Config\n")
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    done = molecule("default", environment)
    assert done.returncode != 0
    assert f"{kubeconfig} is not the lab's kubeconfig: say what is monitored there" in " ".join(done.stdout.split())
    assert set(re.findall(r"^TASK \[(.*)\]", done.stdout, re.MULTILINE)) == {"Compare the kubeconfig with the lab's"}


def test_the_default_scenario_makes_and_removes_no_cluster() -> None:
    settings = yaml.safe_load((ROOT / "molecule" / "default" / "molecule.yml").read_text())
    shared = yaml.safe_load((ROOT / "molecule" / "config.yml").read_text())
    sequence = settings.get("scenario", shared["scenario"])["test_sequence"]
    assert not {"create", "destroy", "prepare"} & set(sequence)
    assert [path.name for path in (ROOT / "molecule" / "default").iterdir()] == ["molecule.yml"]
