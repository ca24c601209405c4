# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pytest plugin: what several workers (``-n 7``, pytest-xdist) do side by side, and what waits for what.

The lab's tests are the longest way and mostly wait. One worker takes what needs the lab for itself, in order; then it
and others take what may share the lab, phase by phase. These have the processors first. The rest of the workers take
what needs no lab, file by file, and what the others leave of the processors. While the lab's own stage compares the
machine before and after, only gates run that leave no trace of theirs.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.stages import stage_of

#: What may share the lab: phases, and in each the units of work that run side by side. A unit is beginnings of node
#: ids; one worker takes it. A phase begins when all before it has ended. A worker holds the next unit already while it
#: is at the last test of one: a phase has no more units than there are LANES, what takes long is not last, and in the
#: first phase, for which workers wait from the beginning, no unit is a single test.
PHASES: tuple[tuple[tuple[str, ...], ...], ...] = (
    # They look at a platform that is well.
    (
        (
            "tests/cluster/test_manuals.py::test_the_commands_of_the_manuals",
            "tests/cluster/test_manuals.py::test_the_metrics_of_the_manuals",
        ),
        ("tests/awx/test_jobs.py",),
        (
            "tests/cluster/test_applyset.py",
            "tests/cluster/test_discover.py",
            "tests/cluster/test_chart_boards.py",
            "tests/cluster/test_secrets.py",
            "tests/cluster/test_installed.py",
            "tests/cluster/test_manuals.py",
        ),
        ("tests/scenarios/test_molecule.py::test_scenario_default", "tests/cluster/test_roles.py"),
    ),
    # A service is down for a moment.
    (("tests/cluster/test_manuals.py::test_the_outage_of_the_tutorial",),),
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
        (
            "tests/faults/test_dashboards_faults.py",
            "tests/faults/test_slo_faults.py",
            "tests/scenarios/test_molecule.py::test_evidence_of_a_failure",
            "tests/scenarios/test_molecule.py::test_kind_goes_as_far",
        ),
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
#: How many workers take what needs the lab, as long as there is anything else to do.
LANES = max(len(units) for units in PHASES)
#: The beginning of ALONE: the stage that looks at all files and processes of the machine.
LIFECYCLE = "the machine alone"
#: What may run beside it: a few programs that start nothing which outlives them, and write where they are told to.
#: ansible-test is none of them: it gives its programs an environment without TMPDIR.
BESIDE = ("tests/gates/test_ansible_lint.py", "tests/gates/test_artifact.py", "tests/gates/test_galaxy_importer.py")


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


def needs_lab(unit: str) -> bool:
    """Whether the lab's lanes take a unit."""
    return unit == ALONE or unit in SHARED


def niceness(unit: str) -> int:
    """The nice value of a unit, of several workers: the lab first, then servers that have to answer in time."""
    if needs_lab(unit):
        return 0
    stage = stage_of(unit)
    return 10 if stage and stage.name == "integration" else 19


def rank(nodeid: str) -> tuple[int, int]:
    """Where a worker of several has a test: the lab, what waits for it, then the rest; in a unit, by its beginnings."""
    unit = unit_of(nodeid)
    if unit == ALONE:
        return (0, 0)
    if unit in SHARED:
        begins = next(one for units in PHASES for one in units if one[0] == unit)
        return (1 + list(SHARED).index(unit), [nodeid.startswith(begin) for begin in begins].index(True))
    return (len(SHARED) + (1 if unit in BESIDE else 2), 0)


def before(unit: str, units: set[str]) -> set[str]:
    """Those of the units that must have ended before this one begins."""
    if unit == ALONE or unit in BESIDE:
        return set()
    waited = {LIFECYCLE}
    if unit in SHARED:
        waited |= {ALONE, *(other for other, phase in SHARED.items() if phase < SHARED[unit])}
    return waited & units


def next_unit(waiting: Sequence[str], elsewhere: Collection[str]) -> str:
    """What a worker takes of the units that wait, in order, given those that the other workers have not ended."""
    on_lab = [unit for unit in waiting if needs_lab(unit)]
    rest = [unit for unit in waiting if not needs_lab(unit)]
    if on_lab and (not rest or sum(map(needs_lab, elsewhere)) < LANES):
        return on_lab[0]
    return rest[0]


class OrderPlugin:
    """One per session, which hands out the work, and one per worker, which waits where it must."""

    def __init__(self) -> None:
        # Of a worker: its folder, all units of the session, and whether it had the lab for itself.
        self.folder: Path | None = None
        self.units: set[str] = set()
        self.alone = False

    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Of a worker, unit by unit; else they stay in the order of the stages."""
        if hasattr(session.config, "workerinput"):
            items.sort(key=lambda item: rank(item.nodeid))

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Units of work are those of `unit_of`, and who takes which says `next_unit`."""
        from xdist.scheduler import LoadScopeScheduling

        class Scheduling(LoadScopeScheduling):
            def _split_scope(self, nodeid: str) -> str:
                return unit_of(nodeid)

            def _reschedule(self, node: Any) -> None:
                # A worker has to know one test ahead; more would keep work from the others.
                if node.shutting_down or self._pending_of(self.assigned_work[node]) < 2 or not self.workqueue:
                    super()._reschedule(node)

            def _assign_work_unit(self, node: Any) -> None:
                elsewhere = [
                    unit
                    for other, work in self.assigned_work.items()
                    for unit, ended in work.items()
                    if other is not node and not all(ended.values())
                ]
                self.workqueue.move_to_end(next_unit(list(self.workqueue), elsewhere), last=False)
                super()._assign_work_unit(node)

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
        # More than all may take, on a slow machine too; then the tests say what is wrong.
        end = time.monotonic() + 5400
        while not all(self._ended(other).exists() for other in before(unit, self.units)) and time.monotonic() < end:
            time.sleep(0.5)
        # The main thread's, which every program of a test inherits. Only root may take it back.
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, niceness(unit))
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


def _is_lifecycle(item: pytest.Item) -> bool:
    stage = stage_of(item.nodeid.partition("::")[0])
    return stage is not None and stage.name == "lifecycle"


def pytest_configure(config: pytest.Config) -> None:
    """One for the session, under a name by which others ask it."""
    config.pluginmanager.register(OrderPlugin(), "order-of-this-session")
