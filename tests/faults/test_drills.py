# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drills on the lab: a service that is really down, the heartbeat kept silent, a drill that is killed midway."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.dataplatform.monitoring.plugins.modules import alertmanager_silence, follow_alert

from tests.awx.test_jobs import Awx, judged
from tests.lab_fixture import ROOT, Lab

DRILL = "dataplatform.monitoring/drill"
PLACES = {"email": "smtp", "pagerduty": "pagerduty", "heartbeat": "heartbeat"}
SINKS = {name: {"namespace": "lab-sinks", "service": sink, "port": "control"} for name, sink in PLACES.items()}


def messages(lab: Lab, sink: str) -> list[dict[str, Any]]:
    place = f"/api/v1/namespaces/lab-sinks/services/{sink}:control/proxy/messages"
    return json.loads(lab.kubectl("get", "--raw", place).stdout)["messages"]


def deployment(lab: Lab, name: str) -> dict[str, Any]:
    return json.loads(lab.kubectl("-n", "data-platform", "get", "deployment", name, "-o", "json").stdout)


def wait_for(condition: Callable[[], Any], what: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(1)


def follow(lab: Lab, capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    given = {
        "kubeconfig": str(lab.kubeconfig),
        "namespace": "monitoring",
        "prometheus": {"namespace": "monitoring", "service": "prometheus-operated"},
        "sinks": {name: SINKS[name] for name in ("email", "pagerduty")},
        "timeout": 330,
        "report_only": True,
        **options,
    }
    with patch_module_args(given), pytest.raises(SystemExit):
        follow_alert.main()
    return json.loads(capsys.readouterr().out)


def silence(lab: Lab, capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    given = {"kubeconfig": str(lab.kubeconfig), "namespace": "monitoring", "matchers": ['alertname="Watchdog"']}
    with patch_module_args({**given, **options}), pytest.raises(SystemExit):
        alertmanager_silence.main()
    return json.loads(capsys.readouterr().out)


def green(result: dict[str, Any]) -> dict[str, str]:
    """Every check is good; what each saw."""
    assert {check["status"] for check in result["checks"]} == {"ok"}, result["checks"]
    return {check["name"]: check["observed"] for check in result["checks"]}


@contextlib.contextmanager
def killed(lab: Lab, folder: Path, sight: Callable[[], bool], *options: str) -> Iterator[None]:
    """A fire drill that is killed, as a machine kills it, once something of it is seen."""
    command = ["ansible-playbook", "-i", "inventories/lab", "playbooks/fire_drill.yml", *options]
    out = (folder / "killed.log").open("wb")
    process = subprocess.Popen(
        [*command, "-e", f"monitoring_evidence_dir={folder}"],
        cwd=ROOT, env=lab.environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
    )  # fmt: skip
    try:
        wait_for(lambda: sight() or process.poll() is not None, "something of the drill", 120)
        assert process.poll() is None, (folder / "killed.log").read_text()[-3000:]
        below = children(process.pid)
    finally:
        process.kill()
        process.wait(10)
        out.close()
    # What it was doing at that moment is not part of the drill any more: it only looked.
    for pid in below:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    yield


def children(pid: int) -> list[int]:
    """Processes below one, those that were made to outlive it left out."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid and b"async_wrapper" not in path.with_name("cmdline").read_bytes():
                child = int(path.parent.name)
                found += [*children(child), child]
    return found


WORKLOAD = "doris-be"
DRILL_JOB = "Monitoring fire drill"


@dataclasses.dataclass
class Drill:
    """A fire drill that goes on beside a test; C(ended) waits for it."""

    process: subprocess.Popen[bytes]
    folder: Path
    begun: float

    def ended(self) -> tuple[int, str]:
        code = self.process.wait(900)
        return code, (self.folder / "drill.log").read_text()[-12000:]


@pytest.fixture(scope="module")
def workload_drill(alerting: Lab, marked: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    """The drill of a workload to its end: it takes minutes, in which another service may be followed."""
    folder = tmp_path_factory.mktemp("drill")
    options = ["-e", f"drill_workload=Deployment/data-platform/{WORKLOAD}", "-e", f"monitoring_evidence_dir={folder}"]
    with (folder / "drill.log").open("wb") as out:
        process = subprocess.Popen(
            ["ansible-playbook", "-i", "inventories/lab", "playbooks/fire_drill.yml", *options],
            cwd=ROOT, env=marked.environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )  # fmt: skip
        yield Drill(process, folder, time.time())
        # What it stopped is scaled back by the process that outlives it, and by the next drill.
        process.kill()
        process.wait(10)


def test_a_service_whose_service_object_is_deleted_pages_and_ends(alerting, marked, workload_drill, capsys):
    """The targets vanish with it: absent() has to notice, where up == 0 has nothing to compare."""
    saved = json.loads(marked.kubectl("-n", "data-platform", "get", "service", "superset", "-o", "json").stdout)
    kept = {key: saved["metadata"][key] for key in ("name", "namespace", "labels") if key in saved["metadata"]}
    again = {"apiVersion": "v1", "kind": "Service", "metadata": kept, "spec": saved["spec"]}
    alert = {"alertname": "ServiceDown", "service": "superset"}
    marked.kubectl("-n", "data-platform", "delete", "service", "superset")
    try:
        begun = time.time()
        page = follow(marked, capsys, labels=alert, noticed='absent(up{job="superset"} == 1)')
        seen = green(page)
        groups = "alertname=ServiceDown, cluster=lab, service=superset"
        assert next(check["expected"] for check in page["checks"] if check["name"] == "grouping") == (
            f"pagerduty by {groups}; email by {groups}"
        )
        assert {"alert", "grouping", "pagerduty", "email"} == set(seen)
        stages = {stage["name"]: stage for stage in page["timeline"]}
        assert stages["for"]["seconds"] == pytest.approx(30, abs=2)
        assert stages["group_wait, pagerduty"]["seconds"] == pytest.approx(5, abs=2)
        assert sum(stages[name]["share"] for name in list(stages)[:4]) + stages["group_wait, email"]["share"] <= 1.01
    finally:
        marked.kubectl("apply", "-f", "-", stdin=json.dumps(again))
    end = follow(marked, capsys, labels=alert, noticed='up{job="superset"} == 1', phase="resolved", alert=page["alert"])
    assert set(green(end)) == {"end of the alert", "pagerduty, end", "email, end"}
    mine = [one for one in messages(marked, "pagerduty") if one["at"] > begun and "ServiceDown" in one["summary"]]
    mine = [one for one in mine if "superset" in one["summary"]]
    assert [one["action"] for one in mine] == ["trigger", "resolve"] and len({one["incident"] for one in mine}) == 1
    mails = [one["subject"] for one in messages(marked, "smtp") if one["at"] > begun]
    about = "ServiceDown of superset, critical, cluster lab"
    assert [one for one in mails if about in one] == [f"[FIRING] {about}", f"[RESOLVED] {about}"]


def test_a_drill_of_a_workload_is_announced_pages_and_ends(marked, workload_drill):
    code, told = workload_drill.ended()
    assert code == 0, told
    [evidence] = workload_drill.folder.glob("*/*/verdict.json")
    verdicts = {item["name"]: item["checks"] for item in json.loads(evidence.read_text())["verdicts"]}
    assert list(verdicts) == ["announcement", "page", "end"]
    red = [check for checks in verdicts.values() for check in checks if check["status"] not in ("ok", "not_applicable")]
    assert red == []
    # Whom the alert reaches has been told before, by an alert of the same labels but for the one that is made unique.
    for name, receivers in (("announcement", ""), ("page", ""), ("end", ", end")):
        assert {f"pagerduty{receivers}", f"email{receivers}"} <= {check["name"] for check in verdicts[name]}, name
    events = [one for one in messages(marked, "pagerduty") if one["at"] > workload_drill.begun]
    events = [one for one in events if WORKLOAD in one["summary"] and "ServiceDown" in one["summary"]]
    drills = [one["action"] for one in events if "DRILL" in one["summary"]]
    assert drills[:1] == ["trigger"], "it was announced"
    real = [one for one in events if "DRILL" not in one["summary"]]
    assert [one["action"] for one in real] == ["trigger", "resolve"] and len({one["incident"] for one in real}) == 1
    found = deployment(marked, WORKLOAD)
    assert found["spec"]["replicas"] == 1 and DRILL not in found["metadata"].get("annotations", {})


def test_a_workload_drill_that_is_killed_is_scaled_back_all_the_same(alerting, marked, tmp_path):
    def stopped() -> bool:
        found = deployment(marked, "doris-be")
        return DRILL in found["metadata"].get("annotations", {}) and found["spec"]["replicas"] == 0

    workload = {"kind": "Deployment", "namespace": "data-platform", "name": "doris-be"}
    options = ["-e", json.dumps({"drill_workload": workload, "drill_timeout": 15})]
    with killed(marked, tmp_path, stopped, *options):
        assert stopped()
        wait_for(lambda: not stopped(), "scaled back by the process that outlives the drill", 110)
    found = deployment(marked, "doris-be")
    assert found["spec"]["replicas"] == 1 and DRILL not in found["metadata"].get("annotations", {})


def test_the_next_drill_sweeps_and_keeps_the_heartbeat_silent(alerting, marked, tmp_path, capsys):
    def rules() -> list[str]:
        listed = marked.kubectl("-n", "monitoring", "get", "prometheusrules", "-l", DRILL, "-o", "name").stdout
        return listed.split()

    begun = time.time()
    with killed(marked, tmp_path, lambda: bool(rules())):
        left = rules()
        assert len(left) == 1
        # Its end stands in it: ten minutes from when it was made.
        rule = json.loads(marked.kubectl("-n", "monitoring", "get", left[0], "-o", "json").stdout)
        expr = rule["spec"]["groups"][0]["rules"][0]["expr"]
        ends = int(expr.rpartition("< ")[2].rstrip(")"))
        assert 0 < ends - time.time() <= 600
    silence(marked, capsys, comment="DRILL XXXXXX: left by a drill that was killed", duration="1h")
    # As AWX plays it, whose workflow reads its verdict.
    job = judged(Awx(marked, tmp_path / "awx"), DRILL_JOB, drill_heartbeat=100, monitoring_evidence_dir=str(tmp_path))
    assert rules() == [] and f"(item={left[0].rpartition('/')[2]})" in job.output
    assert "(item=DRILL XXXXXX: left by a drill that was killed)" in job.output
    assert silence(marked, capsys, state="absent")["silences"] == []
    [evidence] = tmp_path.glob("*/*/verdict.json")
    verdicts = {item["name"]: item["checks"] for item in json.loads(evidence.read_text())["verdicts"]}
    assert list(verdicts) == ["page", "end", "silence", "heartbeat"]
    red = [check for checks in verdicts.values() for check in checks if check["status"] not in ("ok", "not_applicable")]
    assert red == []
    # What the service outside saw: no beat for so long, and then beats again.
    beats = [message["at"] for message in messages(marked, "heartbeat") if message["at"] > begun - 70]
    gap, after = max((later - earlier, later) for earlier, later in zip(beats, beats[1:], strict=False))
    assert 95 <= gap <= 240 and time.time() - after < 180
    said = json.loads(
        marked.kubectl("-n", "monitoring", "get", "configmap", "dataplatform-monitoring-drill", "-o", "json").stdout
    )["data"]["last.json"]
    at = datetime.datetime.fromisoformat(json.loads(said)["at"].replace("Z", "+00:00"))
    assert (datetime.datetime.now(datetime.UTC) - at).total_seconds() < 120
    [stage] = [item for item in json.loads(said)["timeline"] if item["name"] == "group_wait, pagerduty"]
    assert 0 < stage["share"] < 1
    # And verify.yml tells how long ago that was.
    marked.playbook("verify", "--tags", "delivery", "-e", f"monitoring_evidence_dir={tmp_path}/verify", check=False)
    [evidence] = tmp_path.glob("verify/*/*/verdict.json")
    [checks] = [item["checks"] for item in json.loads(evidence.read_text())["verdicts"] if item["name"] == "delivery"]
    [drill] = [check for check in checks if check["name"] == "fire drill"]
    assert (drill["status"], drill["observed"]) == ("ok", f"0 days ago, code {json.loads(said)['code']}")
