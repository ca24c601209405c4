# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pytest plugin: tests in stages, with their times at the end, and no skip that nobody agreed to.

``pytest --stages=static,unit`` runs those stages, ``--stages=all`` all of them in the order below, which goes from
cheap to dear. A test belongs to a stage by its path. Every skip is printed with its reason; one that tests/skips.yml
does not list counts as a failure, so that a test cannot silently cease to run.

A stage's time is from its first test to its last, whatever ran beside it (tests/order.py).
"""

from __future__ import annotations

import dataclasses
import fnmatch
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

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
    """Chooses, times and reports; one per session, and one per worker, which only chooses."""

    def __init__(self, stages: tuple[Stage, ...], agreed: list[AgreedSkip], enforce: bool) -> None:
        self.stages = stages
        self.agreed = agreed
        self.enforce = enforce
        self.spans: dict[str, Span] = {}
        self.outcomes: dict[str, Counter[str]] = {}
        # By test and phase: a whole module is skipped by every worker.
        self.skipped: dict[tuple[str, str], tuple[str, bool]] = {}
        self.reporter: pytest.TerminalReporter | None = None

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
        kept: list[tuple[tuple[int, int], pytest.Item]] = []
        filled = set()
        for item in items:
            path = _path(item)
            stage = stage_of(path)
            if stage is None:
                raise pytest.UsageError(f"{item.nodeid} belongs to no stage of tests/stages.py")
            if stage.name in order:
                filled.add(stage.name)
                kept.append(((order[stage.name], stage.place(path)), item))
        empty = [stage.name for stage in self.stages if stage.name not in filled]
        if empty and not session.testsfailed:
            raise pytest.UsageError(f"no test in stage {', '.join(empty)}")
        items[:] = [pair[1] for pair in sorted(kept, key=lambda pair: pair[0])]

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
