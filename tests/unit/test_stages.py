# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugin that runs the stages and judges skips."""

from __future__ import annotations

import pytest

from tests import stages


def test_every_file_of_tests_has_a_stage() -> None:
    files = [path.relative_to(stages.ROOT).as_posix() for path in (stages.ROOT / "tests").rglob("test_*.py")]
    assert [name for name in files if stages.stage_of(name) is None] == []


def test_every_path_of_a_stage_exists() -> None:
    assert [path for stage in stages.STAGES for path in stage.paths if not (stages.ROOT / path).exists()] == []


def test_stages_run_from_cheap_to_dear_whatever_the_order_asked() -> None:
    assert [stage.name for stage in stages.chosen("unit,static")] == ["static", "unit"]


def test_a_stage_goes_through_its_paths_in_their_order() -> None:
    stage = stages.BY_NAME["molecule"]
    files = ["tests/scenarios/test_molecule.py", "tests/cluster/test_day1.py"]
    assert sorted(files, key=stage.place) == files[::-1]


def test_an_unknown_stage_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(pytest.UsageError, match="unknown unti; there are all, static, unit"):
        stages.chosen("unti")


def test_an_agreed_skip_covers_its_test_and_reason_only() -> None:
    (agreed,) = stages.read_skips("skips: [{test: 'tests/unit/a.py::*', reason: no docker, why: none here}]")
    assert agreed.covers("tests/unit/a.py::test_x", "no docker on this machine")
    assert not agreed.covers("tests/unit/a.py::test_x", "too lazy")
    assert not agreed.covers("tests/unit/b.py::test_x", "no docker on this machine")


def test_a_skip_entry_without_a_why_is_refused() -> None:
    with pytest.raises(pytest.UsageError, match="why missing"):
        stages.read_skips("skips: [{test: a, reason: b}]")


def test_what_the_lab_brings_is_there_when_all_stages_run() -> None:
    text = stages.SKIPS.read_text()
    skip = "tests/unit/catalogue/test_packs.py::test_x", "promtool is not installed: the lab brings it"
    assert any(entry.covers(*skip) for entry in stages.read_skips(text))
    assert not any(entry.covers(*skip) for entry in stages.read_skips(text, everything=True))
    assert stages.read_skips(text, everything=True), "others may be skipped then too"


INNER = """
import pytest

@pytest.mark.skip(reason="too lazy")
def test_lazy():
    pass

@pytest.mark.skip(reason="agreed")
def test_agreed():
    pass
"""


@pytest.mark.parametrize(("reason", "outcome"), [("agreed", {"errors": 1, "skipped": 1}), ("nothing", {"errors": 2})])
def test_a_skip_nobody_agreed_to_fails(pytester: pytest.Pytester, reason: str, outcome: dict[str, int]) -> None:
    pytester.makeconftest(
        "from tests.stages import StagePlugin, AgreedSkip\n"
        "def pytest_configure(config):\n"
        f"    config.pluginmanager.register(StagePlugin((), [AgreedSkip('*', {reason!r})], enforce=True))\n"
    )
    pytester.makepyfile(INNER)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(**outcome)
    if reason == "agreed":
        result.stdout.fnmatch_lines(["*test_lazy: skipped, and tests/skips.yml does not list it: *too lazy*"])
