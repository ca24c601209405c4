# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pytest plugin: tests in stages, with their times at the end, and no skip that nobody agreed to.

``pytest --stages=static,unit`` runs those stages, ``--stages=all`` all of them in the order below, which goes from
cheap to dear. A test belongs to a stage by its path. Every skip is printed with its reason; one that tests/skips.yml
does not list counts as a failure, so that a test cannot silently cease to run.

With several workers (``-n 5``, pytest-xdist) one of them takes what needs the lab for itself, in order, and the others
take the rest in the meantime, file by file; then all of them take what may share the lab, phase by phase. While the
lab's own stage compares the machine before and after, only gates run that leave no trace of theirs. The lab's tests are
the longest way and mostly wait: they have the processors first, and the rest takes what they leave. A stage's time is
from its first test to its last, whatever ran beside it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
SKIPS = ROOT / "tests" / "skips.yml"


@dataclasses.dataclass(frozen=True)
class Stage:
    """A group of tests that runs together; `paths` are relative to the checkout, files or folders."""

    name: str
    title: str
    paths: tuple[str, ...]
    in_all: bool = True
    on_lab: bool = False

    def place(self, path: str) -> int:
        """Where a file comes among the paths; pytest itself has an order of its own when they overlap."""
        return next(index for index, prefix in enumerate(self.paths) if (path + "/").startswith(prefix + "/"))


STAGES = (
    Stage("static", "ruff, yamllint, licences, changelog", ("tests/gates/test_static.py",)),
    Stage("unit", "pure logic, argument specs, documentation", ("tests/unit", "tests/awx/test_definitions.py")),
    # Covered by `lint` when everything runs.
    Stage("changed", "ansible-lint of what changed", ("tests/gates/test_changed.py",), in_all=False),
    Stage("lint", "ansible-lint, profile production", ("tests/gates/test_ansible_lint.py",)),
    Stage(
        "sanity",
        "ansible-test, the artifact",
        ("tests/gates/test_sanity.py", "tests/gates/test_artifact.py", "tests/gates/test_galaxy_importer.py"),
    ),
    Stage("versions", "the other versions of ansible-core", ("tests/gates/test_versions.py",)),
    # First of those that need the lab: it begins and ends without one.
    Stage(
        "lifecycle",
        "the lab itself: up, down, after a crash",
        ("tests/cluster/test_lab_leaves_nothing.py",),
        on_lab=True,
    ),
    Stage(
        "integration",
        "real servers on loopback",
        (
            "tests/integration",
            "tests/differential",
            "tests/promtool",
            "tests/awx",
            "tests/docs",
            "tests/evidence",
        ),
    ),
    # Day 1 first, which wants a bare lab; the scenarios go on from there.
    Stage(
        "molecule", "day 1 on a bare lab, the scenarios", ("tests/cluster/test_day1.py", "tests/scenarios"), on_lab=True
    ),
    Stage("cluster", "what only a live cluster shows", ("tests/cluster", "tests/awx/test_jobs.py"), on_lab=True),
    Stage("faults", "break it, read the diagnosis", ("tests/faults",), on_lab=True),
)
BY_NAME = {stage.name: stage for stage in STAGES}

#: What may share the lab: phases, and in each the units of work that run side by side. A unit is beginnings of node
#: ids; one worker takes it. A phase begins when all before it has ended. A worker holds the next unit already while it
#: is at the last test of one: a phase has no more units than there are workers, and what takes long is not last.
PHASES: tuple[tuple[tuple[str, ...], ...], ...] = (
    # They look at a platform that is well.
    (
        ("tests/cluster/test_manuals.py",),
        ("tests/cluster/test_discover.py", "tests/cluster/test_applyset.py"),
        ("tests/cluster/test_roles.py",),
        ("tests/awx/test_jobs.py",),
    ),
    # The platform; and the receivers of its alerts, then another Alertmanager: both take up an AlertmanagerConfig, and
    # what is being sent while one loads its configuration is given up.
    (
        ("tests/faults/test_day1_faults.py",),
        ("tests/faults/test_delivery_causes.py", "tests/faults/test_alertmanager_faults.py"),
    ),
    # What they make is in namespaces of their own; drills page through the receivers, which are well by now, one drill
    # at a time.
    (
        ("tests/faults/test_drills.py",),
        ("tests/cluster/test_foreign.py", "tests/faults/test_rules_faults.py", "tests/faults/test_probe_causes.py"),
        ("tests/faults/test_dashboards_faults.py", "tests/faults/test_slo_faults.py"),
        (
            "tests/faults/test_scrape_causes.py",
            "tests/faults/test_logs_causes.py",
            "tests/faults/test_workloads_causes.py",
        ),
    ),
    # Nothing is left to look at.
    (("tests/cluster/test_teardown.py",),),
)
SHARED = {unit[0]: phase for phase, units in enumerate(PHASES) for unit in units}
#: The unit of work of everything else on the lab, which comes before them.
ALONE = "the lab alone"
#: The nice value of what needs no lab, of several workers.
YIELDING = 5
#: Its beginning: the stage that looks at all files and processes of the machine.
LIFECYCLE = "the machine alone"
#: What may run beside it: a few programs that start nothing which outlives them, and write where they are told to.
#: ansible-test is none of them: it gives its programs an environment without TMPDIR.
BESIDE = ("tests/gates/test_ansible_lint.py", "tests/gates/test_artifact.py", "tests/gates/test_galaxy_importer.py")


def chosen(option: str) -> tuple[Stage, ...]:
    """The stages that `--stages` names, in running order; an unknown name is a usage error."""
    if option == "all":
        return tuple(stage for stage in STAGES if stage.in_all)
    names = [name.strip() for name in option.split(",") if name.strip()]
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        raise pytest.UsageError(f"--stages: unknown {', '.join(unknown)}; there are all, {', '.join(BY_NAME)}")
    return tuple(stage for stage in STAGES if stage.name in names)


def stage_of(path: str) -> Stage | None:
    """The stage a file (relative to the checkout, with slashes) belongs to, if any: the most exact path wins."""
    found = None
    longest = -1
    for stage in STAGES:
        for prefix in stage.paths:
            if (path == prefix or path.startswith(prefix + "/")) and len(prefix) > longest:
                found, longest = stage, len(prefix)
    return found


def unit_of(nodeid: str) -> str:
    """What one worker does in one go: a unit of PHASES by its first beginning, ALONE, or a file."""
    matching = [
        (len(begin), unit[0]) for units in PHASES for unit in units for begin in unit if nodeid.startswith(begin)
    ]
    if matching:
        return max(matching)[1]
    path = nodeid.partition("::")[0]
    stage = stage_of(path)
    return ALONE if stage and stage.on_lab else path


def rank(nodeid: str) -> int:
    """Where a worker of several has a test: the lab, which is the longest way, then the rest, then what waits."""
    unit = unit_of(nodeid)
    if unit == ALONE:
        return 0
    if unit in SHARED:
        return 3 + list(SHARED).index(unit)
    return 1 if unit in BESIDE else 2


def before(unit: str, units: set[str]) -> set[str]:
    """Those of the units that must have ended before this one begins."""
    if unit == ALONE or unit in BESIDE:
        return set()
    waited = {LIFECYCLE}
    if unit in SHARED:
        waited |= {ALONE, *(other for other, phase in SHARED.items() if phase < SHARED[unit])}
    return waited & units


@dataclasses.dataclass(frozen=True)
class AgreedSkip:
    """An entry of tests/skips.yml: `test` is a glob over node ids, `reason` a part of the skip's own reason."""

    test: str
    reason: str

    def covers(self, nodeid: str, reason: str) -> bool:
        """Whether a test of this id that skips itself with this reason was agreed to."""
        return fnmatch.fnmatchcase(nodeid, self.test) and self.reason in reason


def read_skips(text: str, everything: bool = False) -> list[AgreedSkip]:
    """Parse tests/skips.yml; every entry needs test, reason and why. `everything`: all stages run."""
    entries = []
    for entry in yaml.safe_load(text)["skips"]:
        missing = {"test", "reason", "why"} - set(entry)
        if missing:
            raise pytest.UsageError(f"tests/skips.yml: {entry}: {', '.join(sorted(missing))} missing")
        if entry.get("in_all", True) or not everything:
            entries.append(AgreedSkip(entry["test"], entry["reason"]))
    return entries


#: The first moment and the last one of a stage's tests, in seconds since 1970.
Span = tuple[float, float]


class StagePlugin:
    """Orders, times and reports; one per session, and one per worker, which only orders."""

    def __init__(self, stages: tuple[Stage, ...], agreed: list[AgreedSkip], enforce: bool) -> None:
        self.stages = stages
        self.agreed = agreed
        self.enforce = enforce
        self.spans: dict[str, Span] = {}
        self.outcomes: dict[str, Counter[str]] = {}
        # By test and phase: a whole module is skipped by every worker.
        self.skipped: dict[tuple[str, str], tuple[str, bool]] = {}
        self.reporter: pytest.TerminalReporter | None = None
        # Of a worker: its folder, all units of the session, and whether it had the lab for itself.
        self.folder: Path | None = None
        self.units: set[str] = set()
        self.alone = False

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Stages are announced where people look, not by each worker."""
        if not hasattr(session.config, "workerinput"):
            self.reporter = session.config.pluginmanager.get_plugin("terminalreporter")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Stage by stage; a chosen stage without any test would be green for no reason."""
        if not self.stages:
            return
        order = {stage.name: index for index, stage in enumerate(self.stages)}
        worker = hasattr(session.config, "workerinput")
        kept: list[tuple[tuple[int, int, int], pytest.Item]] = []
        filled = set()
        for item in items:
            path = _path(item)
            stage = stage_of(path)
            if stage is None:
                raise pytest.UsageError(f"{item.nodeid} belongs to no stage of tests/stages.py")
            if stage.name in order:
                filled.add(stage.name)
                kept.append(((rank(item.nodeid) if worker else 0, order[stage.name], stage.place(path)), item))
        empty = [stage.name for stage in self.stages if stage.name not in filled]
        if empty and not session.testsfailed:
            raise pytest.UsageError(f"no test in stage {', '.join(empty)}")
        items[:] = [pair[1] for pair in sorted(kept, key=lambda pair: pair[0])]

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Units of work are those of `unit_of`."""
        from xdist.scheduler import LoadScopeScheduling

        class Scheduling(LoadScopeScheduling):
            def _split_scope(self, nodeid: str) -> str:
                return unit_of(nodeid)

            def _reschedule(self, node: Any) -> None:
                # A worker has to know one test ahead; more would keep work from the others.
                if node.shutting_down or self._pending_of(self.assigned_work[node]) < 2 or not self.workqueue:
                    super()._reschedule(node)

        # In our order, not the largest file first.
        config.option.loadscopereorder = False
        return Scheduling(config, log)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """What a worker has to know of the others."""
        if hasattr(session.config, "workerinput"):
            self.folder = Path(session.config.option.basetemp)
            self.units = {unit_of(item.nodeid) for item in session.items}
            if any(_is_lifecycle(item) for item in session.items):
                self.units.add(LIFECYCLE)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
        """A worker waits for what must have ended; workers are processes, and tell each other by files."""
        unit = unit_of(item.nodeid)
        self.alone = self.alone or unit == ALONE
        if not self.folder:
            return (yield)
        # More than all may take; then the tests say what is wrong.
        end = time.monotonic() + 2700
        while not all(self._ended(other).exists() for other in before(unit, self.units)) and time.monotonic() < end:
            time.sleep(0.5)
        # The main thread's, which every program of a test inherits. Only root may take it back.
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, 0 if unit == ALONE or unit in SHARED else YIELDING)
        with mock.patch.dict(os.environ, self._without_traces() if unit in BESIDE else {}):
            done = yield
        if nextitem is None or unit_of(nextitem.nodeid) != unit:
            self._ended(unit).touch()
        if _is_lifecycle(item) and not (nextitem and _is_lifecycle(nextitem)):
            self._ended(LIFECYCLE).touch()
        return done

    def _without_traces(self) -> dict[str, str]:
        """The environment of programs that write nothing where the lifecycle looks for what the lab left."""
        folder = self.folder.with_name(f"{self.folder.name}-programs")
        # One that is not there would be passed over.
        folder.mkdir(exist_ok=True)
        return {"TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}

    def _ended(self, unit: str) -> Path:
        """The file that says that a unit has ended."""
        return self.folder.parent / f"ended-{re.sub('[^a-z0-9]+', '-', unit)}"

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Announce a stage when its first test starts."""
        now = time.time()
        stage = stage_of(nodeid.partition("::")[0])
        if not self.stages or stage is None:
            return
        if stage.name not in self.spans and self.reporter:
            place = f"stage {self.stages.index(stage) + 1} of {len(self.stages)}"
            self.reporter.ensure_newline()
            self.reporter.write_sep("-", f"{place}: {stage.name} ({stage.title})", cyan=True)
        self.spans[stage.name] = (self.spans.get(stage.name, (now, now))[0], now)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        """Turn a skip that was not agreed to into a failure."""
        report: pytest.TestReport = yield
        if report.skipped and not hasattr(report, "wasxfail"):
            self._judge_skip(report)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Iterator[None]:
        """The same for whole modules."""
        report: pytest.CollectReport = yield
        if report.skipped:
            self._judge_skip(report)
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember the skip of a module."""
        self._note_skip(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count per stage: a test once, plus an error for a failing set-up or tear-down."""
        self._note_skip(report)
        stage = stage_of(report.nodeid.partition("::")[0])
        if stage is None:
            return
        if report.when == "call" or report.outcome != "passed":
            self.outcomes.setdefault(stage.name, Counter())[report.outcome] += 1
        if stage.name in self.spans:
            begin, end = self.spans[stage.name]
            self.spans[stage.name] = (begin, max(end, report.stop))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Skips with their reasons, then the stages with their times, just above pytest's own last line."""
        if self.skipped:
            terminalreporter.section("skipped", sep="-")
            cases = Counter((nodeid.partition("[")[0], *told) for (nodeid, _), told in self.skipped.items())
            for (nodeid, reason, agreed), times in cases.items():
                many = f" ({times} cases)" if times > 1 else ""
                terminalreporter.write_line(f"{nodeid}{many}: {reason}{'' if agreed else '  (not in tests/skips.yml)'}")
        if self.stages and self.spans:
            terminalreporter.section("stages", sep="-")
            terminalreporter.write_line(f"{'stage':<12} {'passed':>7} {'failed':>7} {'skipped':>8} {'time':>8}")
            for stage in self.stages:
                if stage.name not in self.spans:
                    continue
                begin, end = self.spans[stage.name]
                count = self.outcomes.get(stage.name, Counter())
                clock = f"{int(end - begin) // 60}:{(end - begin) % 60:04.1f}"
                terminalreporter.write_line(
                    f"{stage.name:<12} {count['passed']:>7} {count['failed']:>7} {count['skipped']:>8} {clock:>8}",
                    red=bool(count["failed"]),
                )
            not_run = [stage.name for stage in self.stages if stage.name not in self.spans]
            if not_run:
                terminalreporter.write_line(f"not run: {', '.join(not_run)}", red=True)

    def _judge_skip(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        """Write into the report, which may go to another process, what the skip is; fail it if nobody agreed."""
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        agreed = any(entry.covers(report.nodeid, reason) for entry in self.agreed)
        report.judged_skip = [reason, agreed]
        if self.enforce and not agreed:
            report.outcome = "failed"
            report.longrepr = f"{report.nodeid}: skipped, and tests/skips.yml does not list it: {reason}"

    def _note_skip(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if judged := getattr(report, "judged_skip", None):
            self.skipped[report.nodeid, getattr(report, "when", "collect")] = tuple(judged)


def _path(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _is_lifecycle(item: pytest.Item) -> bool:
    stage = stage_of(_path(item))
    return stage is not None and stage.name == "lifecycle"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--stages`."""
    parser.addoption("--stages", default="", help=f"comma-separated stages to run: all, {', '.join(BY_NAME)}")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the stages; only their folders are collected unless paths were given too."""
    option = config.getoption("--stages")
    stages = chosen(option) if option else ()
    plugin = StagePlugin(stages, read_skips(SKIPS.read_text(), everything=option == "all"), enforce=bool(stages))
    config.pluginmanager.register(plugin, "stages-of-this-session")
    if stages and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = [str(ROOT / path) for stage in stages for path in stage.paths if (ROOT / path).exists()]
