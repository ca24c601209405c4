# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the faults share: a lab with day 1 on it, verdicts as data, and fixes carried out to the letter."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab_fixture import Lab

ROOT = Path(__file__).resolve().parent.parent.parent
# The verdicts that these faults are about. Those of later days have their own, and verify.yml is not asked for them.
JUDGED = ("scrape", "logs", "workloads")
ONLY_DAY_1 = ("--tags", ",".join(JUDGED))
MARKER = ("kube-system", "dataplatform-monitoring-lab")
# What a fix may begin with; whatever stands before it explains.
COMMAND = re.compile(r"(?:^|: )((?:kubectl|ansible-playbook|helm) .+)$")


def named(checks: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The check of that name; which there are, when there is none."""
    found = [check for check in checks if check["name"] == name]
    assert found, f"no check {name!r} among {[check['name'] for check in checks]}"
    return found[0]


@dataclasses.dataclass
class Verdict:
    """One run of a playbook that judges."""

    returncode: int
    seconds: float
    verdicts: dict[str, list[dict[str, Any]]]
    output: str

    def check(self, place: str) -> dict[str, Any]:
        """The check at `verdict/name`, for example scrape/trino."""
        verdict, _, name = place.partition("/")
        return named(self.verdicts[verdict], name)

    def red(self) -> dict[str, list[str]]:
        """Every red check with the codes of its causes."""
        return {
            f"{verdict}/{check['name']}": [cause["code"] for cause in causes(check)]
            for verdict, checks in self.verdicts.items()
            for check in checks
            if verdict in JUDGED and check["status"] in ("failed", "unknown")
        }


def causes(check: dict[str, Any]) -> list[dict[str, str]]:
    """All causes of a check, the first one first."""
    return [*([check["cause"]] if check["cause"] else []), *check["other_causes"]]


class Bench:
    """The lab under fault: judge it, break it, repair it."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self._folder = folder
        self._runs = 0

    def kubectl(self, *words: str) -> str:
        return self.lab.kubectl(*words).stdout

    def patch(self, kind: str, namespace: str, name: str, patch: Any) -> None:
        """A JSON patch when it is a list, else a merge patch."""
        form = "json" if isinstance(patch, list) else "merge"
        self.kubectl("-n", namespace, "patch", kind, name, f"--type={form}", "-p", json.dumps(patch))

    def play(self, playbook: str = "verify", *options: str) -> Verdict:
        """Play it and read its evidence."""
        self._runs += 1
        evidence = self._folder / str(self._runs)
        began = time.monotonic()
        given = ("-e", f"monitoring_evidence_dir={evidence}", *(ONLY_DAY_1 if playbook == "verify" else ()), *options)
        done = self.lab.playbook(playbook, *given, check=False, ANSIBLE_NOCOLOR="1")
        seconds = time.monotonic() - began
        found = sorted(evidence.glob("*/*/verdict.json"))
        assert found, f"{playbook} left no evidence:\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
        document = json.loads(found[-1].read_text())
        checks = {item["name"]: item["checks"] for item in document["verdicts"]}
        return Verdict(done.returncode, seconds, checks, done.stdout)

    def until(
        self, wanted: dict[str, str], deadline: float = 180, *options: str, at_once: bool = False
    ) -> tuple[Verdict, dict[str, dict[str, str]]]:
        """Judge until every check has its cause (place -> code); a fault takes as long to show as Prometheus to see it.

        With C(at_once) the API shows it: no verdict may call these places green, from the first one on. Returns the
        verdict and place -> cause.
        """
        end = time.monotonic() + deadline
        while True:
            verdict = self.play("verify", *options)
            green = sorted(set(wanted) - set(verdict.red())) if at_once else []
            assert green == [], f"the API shows what is wrong, and it was called green: {green}"
            told = {
                place: cause
                for place, code in wanted.items()
                for cause in causes(verdict.check(place))
                if cause["code"] == code
            }
            if told.keys() == wanted.keys():
                assert verdict.returncode != 0, "red, and the playbook ended well"
                return verdict, told
            assert time.monotonic() < end, f"not {wanted} within {deadline} s: {verdict.red()}"

    def until_green(self, deadline: float = 240, *options: str) -> Verdict:
        """Judge until nothing is red."""
        end = time.monotonic() + deadline
        while (verdict := self.play("verify", *options)).red():
            assert time.monotonic() < end, f"still red after {deadline} s: {verdict.red()}"
        return verdict

    def carry_out(self, fix: str, *options: str) -> None:
        """The command at the end of a fix, as it is printed; a playbook's gets what was changed in the inventory."""
        command = COMMAND.search(fix)
        assert command, f"no command at the end of: {fix}"
        line = command.group(1)
        if line.startswith("ansible-playbook"):
            line = f"{line} {shlex.join(options)}"
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=ROOT,
            env=self.lab.environment(ANSIBLE_INVENTORY=str(ROOT / "inventories" / "lab")),
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"

    def catalogue(self, entry: str, fix: str) -> list[str]:
        """Options that lay the YAML at the end of a fix into the entry, as its sentence tells people to do."""
        key, _, rest = fix.partition(": ")[2].partition(": ")
        changed = {key: yaml.safe_load(rest)}
        listed = self.lab._run(  # the inventory's own reading, so that the rest stays as it is
            ["ansible", "-i", "inventories/lab", "lab", "-m", "debug", "-a", "msg={{ monitoring_services | to_json }}"],
            check=True,
            timeout=60,
            ANSIBLE_STDOUT_CALLBACK="ansible.builtin.minimal",
        ).stdout
        services = json.loads(json.loads(listed[listed.index("{") :])["msg"])
        for service in services:
            if service["name"] == entry:
                service.update(changed)
        self._runs += 1
        path = self._folder / f"services-{self._runs}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"monitoring_services": services}))
        return ["-e", f"@{path}"]


def until_loaded(lab: Lab, namespace: str, group: str, deadline: float = 180) -> None:
    """Wait until Prometheus runs this group of rules.

    The namespace was made a moment before them, and the operator may have missed them: it is told to look again, by the
    command that the fix of `rule_set_not_loaded` names.
    """
    path = "/api/v1/namespaces/monitoring/services/kube-prometheus-stack-prometheus:9090/proxy/api/v1/rules?type="
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        again = min(end, time.monotonic() + 25)
        while time.monotonic() < again:
            texts = [lab.kubectl("get", "--raw", path + kind, check=False).stdout for kind in ("alert", "record")]
            if any(f'"name":"{group}"' in text for text in texts):
                return
            time.sleep(1)
        lab.kubectl("-n", namespace, "annotate", "prometheusrule", "--all", "--overwrite", f"looked-at={again:.0f}")
    pytest.fail(f"Prometheus does not run the group {group} within {deadline:g} s")


@pytest.fixture(scope="session")
def marked(lab: Lab) -> Lab:
    """Nothing is ever broken on a cluster that does not say it is the lab."""
    namespace, name = MARKER
    found = lab.kubectl("-n", namespace, "get", "configmap", name, check=False)
    if found.returncode:
        pytest.fail(f"this cluster has no ConfigMap {namespace}/{name}: it is not the lab, and nothing was broken")
    return lab


@pytest.fixture(scope="session")
def day1(marked: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Day 1 is on it, and everything is well. A lab that is well already is taken as it is."""
    bench = Bench(marked, tmp_path_factory.mktemp("day1"))
    if bench.play("verify").red():
        bench.play("day1")
        bench.until_green()
    return marked


@pytest.fixture(scope="session")
def alerting(marked: Lab) -> Lab:
    """Day 2 is on it. Whether its verdict is green is not asked: a fault before may still be counted."""
    parent = ("-n", "monitoring", "get", "configmap", "dataplatform-monitoring-alertmanager")
    if marked.kubectl(*parent, check=False).returncode:
        for day in ("day1", "day2"):
            marked.playbook(day, check=False)
        marked.kubectl(*parent)
    return marked


@pytest.fixture
def bench(day1: Lab, tmp_path: Path) -> Bench:
    """The bench, on a lab that is well."""
    return Bench(day1, tmp_path)
