# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the verdict looks: until nothing can change, never past its deadline, and never less than it must."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_loop import Outcome, judge_until_final
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import (
    Expectation,
    Finding,
    Snapshot,
)

from tests.unit.scrape.builders import INTERVAL, NOW, World, at, unready


class Play:
    """A world that changes while it is looked at, with a clock of its own."""

    def __init__(self, world: World, change: Callable[[World, float], None] = lambda world, passed: None) -> None:
        self.world, self.change = world, change
        self.passed = 0.0
        self.now = NOW
        self.looks = 0

    def clock(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.passed += seconds

    def snapshot(self, expectations: list[Expectation]) -> Snapshot:
        self.looks += 1
        self.now = NOW + self.passed
        # Targets are scraped every interval.
        for server in self.world.servers:
            for target in server.targets:
                rounds = int(self.passed / INTERVAL)
                if rounds and target["health"] != "unknown":
                    target["lastScrape"] = at(-3 - rounds * INTERVAL)
        self.change(self.world, self.passed)
        return self.world.snapshot()

    def fill(self, snapshot: Snapshot) -> None:
        self.world.fill(snapshot)

    def judge(self, timeout: float = 180, total: int = 0, **changes: object) -> Outcome:
        expectation = Expectation.parse({**self.world.expectation, **changes}, 0)
        return judge_until_final([expectation], self, timeout, total, self.clock, self.sleep)


def test_good_at_once() -> None:
    outcome = Play(World()).judge()
    assert (outcome.waited, outcome.rounds, outcome.in_time) == (0, 1, True)
    assert outcome.judgements[0].check["status"] == "ok"


def test_what_only_a_person_can_change_ends_it_at_once() -> None:
    world = World()
    world.monitors, world.server.jobs, world.server.targets = [], {}, []
    outcome = Play(world).judge()
    assert (outcome.rounds, outcome.in_time) == (1, True)
    assert outcome.judgements[0].check["cause"]["code"] == "no_monitor"


def test_a_configuration_on_its_way_is_waited_for() -> None:
    world = World()
    world.monitor["metadata"]["creationTimestamp"] = at(5)
    loaded = world.server.jobs, world.server.targets
    world.server.jobs, world.server.targets = {}, []

    def change(world: World, passed: float) -> None:
        if passed >= 60:
            world.server.jobs, world.server.targets = loaded
            world.server.config_time = NOW + 58
            for target in world.server.targets:
                if passed >= 75:
                    target["lastScrape"] = at(-70)

    outcome = Play(world, change).judge()
    assert outcome.judgements[0].check["status"] == "ok"
    assert 60 <= outcome.waited <= 85


def test_a_target_that_is_down_is_confirmed_by_a_scrape_of_this_verdict() -> None:
    """Somebody repaired it ten seconds ago: the state of before the repair is not told as the truth."""
    world = World()
    world.down("connection refused", lastScrape=at(20))

    def change(world: World, passed: float) -> None:
        if passed >= 10:
            world.target.update(health="up", lastError="", lastScrape=at(-10))
            world.server.past.clear()

    outcome = Play(world, change).judge()
    assert outcome.judgements[0].check["status"] == "ok"
    assert outcome.waited < 30


def test_a_target_that_stays_down_is_told_after_one_interval_not_after_the_deadline() -> None:
    world = World()
    world.down("connection refused", lastScrape=at(2))
    outcome = Play(world).judge()
    assert outcome.judgements[0].check["cause"]["code"] == "target_down_refused"
    assert outcome.in_time and INTERVAL - 5 <= outcome.waited <= INTERVAL + 10


def test_never_scraped_is_unknown_at_the_deadline_which_is_kept() -> None:
    world = World()
    world.target.update(health="unknown", lastScrape="0001-01-01T00:00:00Z", scrapeInterval="10m")
    play = Play(world)
    outcome = play.judge(timeout=60)
    assert outcome.judgements[0].check["status"] == "unknown"
    assert not outcome.in_time
    assert 55 <= play.passed <= 60
    assert play.looks < 40


def test_a_rollout_is_waited_for() -> None:
    world = World()
    unready(world.pods[0], 5)
    world.down("connection refused")

    def change(world: World, passed: float) -> None:
        if passed >= 40:
            world.pods[0]["status"]["conditions"][0].update(status="True")
            world.target.update(health="up", lastError="", lastScrape=at(-40))
            world.server.past.clear()

    assert Play(world, change).judge().judgements[0].check["status"] == "ok"


def test_prometheus_that_comes_up_is_waited_for() -> None:
    world = World()
    world.server.problem = Finding(
        "server_unreachable", "no ready Pod", "See: kubectl get pods -A", float("inf"), False
    )

    def change(world: World, passed: float) -> None:
        if passed >= 20:
            world.server.problem = None

    outcome = Play(world, change).judge()
    assert outcome.judgements[0].check["status"] == "ok"
    assert outcome.waited >= 20


def test_a_finding_must_last_without_interruption() -> None:
    """No Pods: usual for a moment while one is replaced, a fault after ten seconds."""
    world = World()
    slices, pods, targets = world.slices[0]["endpoints"], world.pods, world.server.targets

    def change(world: World, passed: float) -> None:
        away = passed < 8
        world.pods, world.server.targets = ([], []) if away else (pods, targets)
        world.slices[0]["endpoints"] = [] if away else slices

    assert Play(world, change).judge().judgements[0].check["status"] == "ok"


def test_the_total_is_judged_last_and_waits_for_nothing() -> None:
    outcome = Play(World(2)).judge(total=3)
    assert [judgement.check["name"] for judgement in outcome.judgements] == ["trino", "targets in total"]
    check = outcome.judgements[1].check
    assert (check["status"], check["observed"], outcome.rounds) == ("failed", "2 up", 1)
    assert check["cause"]["code"] == "fewer_targets"
    assert Play(World(2)).judge(total=2).judgements[1].check["status"] == "ok"


def test_the_total_counts_different_urls() -> None:
    world = World(2)
    world.server.targets.append({**world.target, "labels": {**world.target["labels"], "service": "twin"}})
    assert Play(world).judge(total=3).judgements[1].check["observed"] == "2 up"


@pytest.mark.parametrize("timeout", [0, 1])
def test_a_short_deadline_still_looks_once(timeout: float) -> None:
    world = World()
    world.target.update(health="unknown")
    outcome = Play(world).judge(timeout=timeout)
    assert outcome.rounds >= 1 and outcome.judgements[0].check["status"] == "unknown"
