# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs side by side, and what waits for what."""

from __future__ import annotations

from tests import order
from tests.stages import ROOT, stage_of


def test_a_worker_has_the_lab_first_then_what_shares_it_then_the_rest() -> None:
    alone, rest = "tests/cluster/test_day1.py::test_x", "tests/unit/test_stages.py::test_x"
    faults = "tests/faults/test_rules_faults.py::test_x", "tests/faults/test_day1_faults.py::test_x"
    drill = "tests/faults/test_drills.py::test_the_next_drill_sweeps"
    assert sorted([*faults, rest, drill, alone], key=order.rank) == [alone, faults[1], drill, faults[0], rest]
    assert order.unit_of(alone) == order.unit_of("tests/cluster/test_lab_leaves_nothing.py::test_y") == order.ALONE
    assert order.unit_of("tests/faults/test_probe_causes.py::test_x") == order.unit_of(faults[0]), "one worker"
    assert order.unit_of(drill) == order.unit_of("tests/faults/test_drills.py::test_other"), "one drill at a time"


def test_a_unit_goes_through_its_beginnings_and_the_longest_one_counts() -> None:
    manuals = "tests/cluster/test_manuals.py"
    commands, queries = f"{manuals}::test_the_commands_of_the_manuals_run", f"{manuals}::test_the_tasks"
    assert order.unit_of(commands) != order.unit_of(queries)
    applyset = "tests/cluster/test_applyset.py::test_x"
    assert order.unit_of(applyset) == order.unit_of(queries)
    assert sorted([queries, applyset], key=order.rank) == [applyset, queries]


def test_a_phase_begins_when_all_before_it_has_ended() -> None:
    first, second = ([unit[0] for unit in units] for units in order.PHASES[:2])
    unit = "tests/unit/test_stages.py"
    units = {order.ALONE, unit, *first, *second}
    assert order.before(first[0], units) == {order.ALONE}
    assert order.before(second[0], units) == {order.ALONE, *first}
    assert order.before(order.ALONE, units) == order.before(unit, units) == set()
    assert order.before(unit, {*units, order.LIFECYCLE}) == {order.LIFECYCLE}, "it looks at all files"


def test_gates_run_beside_the_lifecycle_and_come_before_what_waits_for_it() -> None:
    gate, unit = "tests/gates/test_ansible_lint.py", "tests/unit/test_stages.py"
    assert order.before(gate, {order.ALONE, order.LIFECYCLE, gate, unit}) == set()
    assert sorted([f"{unit}::test_x", f"{gate}::test_y"], key=order.rank) == [f"{gate}::test_y", f"{unit}::test_x"]
    assert [path for path in order.BESIDE if stage_of(path) is None] == []


def test_the_lab_has_its_lanes_and_the_rest_the_other_workers() -> None:
    gate, unit = "tests/gates/test_ansible_lint.py", "tests/unit/test_stages.py"
    shared = list(order.SHARED)
    waiting = [order.ALONE, *shared, gate, unit]
    assert order.next_unit(waiting, []) == order.ALONE
    assert order.next_unit(waiting[1:], [order.ALONE]) == shared[0], "it waits, so that nothing keeps its worker"
    lanes = [order.ALONE, *shared[: order.LANES - 1]]
    assert order.next_unit([shared[-1], gate, unit], lanes) == gate
    assert order.next_unit([shared[-1], unit], [*lanes[1:], gate]) == shared[-1], "a lane is free"
    assert order.next_unit([shared[-1]], lanes) == shared[-1], "nothing else is left"


def test_the_processors_are_the_labs_first_then_servers_then_what_only_computes() -> None:
    units = [
        order.ALONE,
        "tests/faults/test_drills.py",
        "tests/integration/slo/test_slo.py",
        "tests/gates/test_sanity.py",
    ]
    assert [order.niceness(unit) for unit in units] == [0, 0, 10, 19]


def test_what_shares_the_lab_exists() -> None:
    begins = [begin for units in order.PHASES for unit in units for begin in unit]
    assert len(begins) == len(set(begins))
    for begin in begins:
        path, _, name = begin.partition("::")
        assert (ROOT / path).is_file() and f"def {name}" in (ROOT / path).read_text(), begin
