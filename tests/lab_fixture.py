# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pytest plugin: the lab, for tests that need a live cluster.

`lab` brings it up (a running one is used as it is) and says how to reach it. When every stage runs, the session starts
from a fresh lab and leaves the machine as it found it: a lab that was not up before is taken down at the end. Of
several workers, the one that has the lab for itself begins afresh; when all have ended, the session puts back.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab import programs
from lab.paths import CACHE

ROOT = Path(__file__).resolve().parent.parent
STATE = Path("/var/lib/dataplatform-monitoring-lab")
KUBECONFIG = STATE / "kubeconfig"


def _programs() -> Path:
    """The folder of the lab's programs; once they are built it is there without a running lab too."""
    ready = all(programs.built(module) for module in programs.modules())
    return programs.gather() / "bin" if ready else STATE / "bin"


BIN = _programs()


@dataclasses.dataclass(frozen=True)
class Lab:
    """A running lab."""

    kubeconfig: Path = KUBECONFIG
    bin: Path = BIN

    def environment(self, **more: str) -> dict[str, str]:
        """The environment for programs that work on the lab; its programs are in PATH already."""
        return {**os.environ, "KUBECONFIG": str(KUBECONFIG), "K8S_AUTH_KUBECONFIG": str(KUBECONFIG), **more}

    def kubectl(self, *words: str, stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run kubectl; fails the test with its own words unless `check` is false."""
        return self._run([str(BIN / "kubectl"), *words], stdin=stdin, check=check, timeout=180)

    def playbook(self, name: str, *options: str, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
        """Play playbooks/<name>.yml with the lab's inventory; `more` goes into the environment."""
        command = ["ansible-playbook", "-i", str(ROOT / "inventories" / "lab"), str(ROOT / "playbooks" / f"{name}.yml")]
        return self._run([*command, *options], check=check, timeout=840, **more)

    def _run(
        self, command: Sequence[str], *, stdin: str | None = None, check: bool, timeout: float, **more: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment(**more), input=stdin if stdin is not None else "",
            capture_output=True, text=True, check=False, timeout=timeout,
        )  # fmt: skip
        if check and done.returncode != 0:
            words = f"{' '.join(command)} ended with {done.returncode}"
            pytest.fail(f"{words}\n{done.stdout[-8000:]}\n{done.stderr[-4000:]}")
        return done


def _restores(config: pytest.Config) -> bool:
    """Whether this session takes the lab down, and so has to put back what it found; others leave it for the next."""
    stages = config.getoption("--stages")
    return (stages == "all" or "lifecycle" in stages) and not config.option.collectonly


class LabKeeper:
    """Starts and stops the lab on behalf of a session."""

    def __init__(self, config: pytest.Config) -> None:
        self.capture = config.pluginmanager.getplugin("capturemanager")

    def is_up(self) -> bool:
        """Whether a lab runs."""
        command = [sys.executable, "-m", "lab", "status"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0

    def command(self, word: str) -> None:
        """Run `python -m lab <word>`, its progress in plain sight; when it fails, so does what asked for it."""
        live = self.capture.global_and_fixture_disabled() if self.capture else contextlib.nullcontext()
        command = [sys.executable, "-m", "lab", word]
        said: list[str] = []
        CACHE.mkdir(parents=True, exist_ok=True)
        # The lab refuses a second command beside the first; workers take turns.
        with live, (CACHE / "tests.lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            # A worker talks to its session on standard output.
            seen = sys.__stderr__ if "PYTEST_XDIST_WORKER" in os.environ else sys.stdout
            print(file=seen, flush=True)
            for line in process.stdout:
                print(line, end="", file=seen, flush=True)
                said.append(line)
            process.wait()
        if process.returncode != 0:
            pytest.fail(f"lab {word} ended with {process.returncode}\n{''.join(said[-20:])}", pytrace=False)


WAS_UP = pytest.StashKey[bool]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember how the lab was found."""
    if not hasattr(session.config, "workerinput") and _restores(session.config):
        session.config.stash[WAS_UP] = LabKeeper(session.config).is_up()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave it so."""
    if (was_up := session.config.stash.get(WAS_UP, None)) is not None:
        LabKeeper(session.config).command("up" if was_up else "down")


def _begins_afresh(config: pytest.Config) -> bool:
    """Whether this process is the one that takes down what it finds and starts anew, in a session with every stage."""
    order = config.pluginmanager.get_plugin("order-of-this-session")
    return _restores(config) and (order.alone or "PYTEST_XDIST_WORKER" not in os.environ)


@pytest.fixture(scope="session")
def lab_keeper(request: pytest.FixtureRequest) -> LabKeeper:
    """Ask for it before taking the lab up or down yourself: a session with every stage begins without one."""
    keeper = LabKeeper(request.config)
    if _begins_afresh(request.config):
        # Compiling comes first and on its own: it is most of a cold run, and no test's time.
        keeper.command("build")
        if keeper.is_up():
            keeper.command("down")
    return keeper


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest, lab_keeper: LabKeeper) -> Lab:
    """The running lab; if it cannot be started, every test that needs it says why at once."""
    another_did = _restores(request.config) and not _begins_afresh(request.config)
    if not (another_did and lab_keeper.is_up()):
        lab_keeper.command("up")
    return Lab()


@pytest.fixture(scope="module")
def finished(lab: Lab) -> Lab:
    """The lab with all days played."""
    done = lab.kubectl("get", "configmap", "-n", "monitoring", "dataplatform-monitoring-dashboards", check=False)
    if done.returncode != 0:
        lab.playbook("site")
    return lab


def pytest_configure() -> None:
    """Tests call helm, promtool and the like by name, as users do."""
    os.environ["PATH"] = os.pathsep.join([str(BIN), os.environ["PATH"]])
