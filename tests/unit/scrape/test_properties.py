# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold for any world: no crash, never green with something down, never greener by breaking more."""

from __future__ import annotations

import copy
import random
from typing import Any

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import CAUSES
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_diagnosis import ORDER
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.scrape.builders import NOW, World, endpoint_slice, unready
from tests.unit.scrape.pasting import pastable
from tests.unit.scrape.test_targets import ERRORS


def _break_selector(world: World) -> None:
    world.prometheus["spec"]["serviceMonitorSelector"] = {"matchLabels": {"release": "x"}}
    _unload(world)


def _unload(world: World) -> None:
    for server in world.servers:
        server.jobs, server.targets = {}, []


def _no_targets(world: World) -> None:
    for server in world.servers:
        server.targets = []


def _rename_port(world: World) -> None:
    world.service["spec"]["ports"][0]["name"] = "jmx"
    world.slices = [endpoint_slice(world.service, world.pods)]
    _no_targets(world)


def _down(world: World, error: str = "connect: connection refused") -> None:
    for index in range(len(world.server.targets)):
        world.down(error, index)


def _never(world: World) -> None:
    for target in world.server.targets:
        target.update(health="unknown", lastScrape="0001-01-01T00:00:00Z")


def _relabel_service(world: World) -> None:
    world.service["metadata"]["labels"] = {"name": "other"}
    _no_targets(world)


def _stop_pods(world: World) -> None:
    for item in world.pods:
        unready(item, 700, {"waiting": {"reason": "CrashLoopBackOff"}}, 3)
    _down(world)


def _paused(world: World) -> None:
    world.prometheus["spec"]["paused"] = True
    _unload(world)


def _unhealthy(world: World) -> None:
    world.expectation["health"] = [{"expr": "x{$selector}", "equals": 1}]


def _missing_metric(world: World) -> None:
    world.expectation["must_have"] = ["nowhere"]


def _once(world: World) -> None:
    for server in world.servers:
        server.past = {target["scrapeUrl"]: [(NOW, 1.0)] for target in server.targets}


def _stale(world: World) -> None:
    world.monitor["spec"]["endpoints"][0]["path"] = "/new"


def _no_monitor(world: World) -> None:
    world.monitors = []


def _one_lost(world: World) -> None:
    for server in world.servers:
        server.targets = server.targets[1:]


BREAKS = [
    _break_selector, _unload, _no_targets, _rename_port, _down, _never, _relabel_service, _stop_pods, _paused,
    _unhealthy, _missing_metric, _once, _stale, _no_monitor, _one_lost,
]  # fmt: skip
chosen = st.lists(st.sampled_from(BREAKS), min_size=1, max_size=4, unique=True)


@given(chosen, st.integers(1, 3))
@settings(max_examples=300, deadline=None)
def test_broken_is_never_green(breaks: list[Any], pods: int) -> None:
    world = World(pods)
    for way in breaks:
        way(world)
    check = world.judge().check
    assert check["status"] in ("failed", "unknown"), [way.__name__ for way in breaks]
    codes = [cause["code"] for cause in _checks.all_causes(check)]
    assert set(codes) <= CAUSES.keys()
    assert len(set(codes)) == len(codes) or len({c["message"] for c in _checks.all_causes(check)}) == len(codes)
    for cause in _checks.all_causes(check):
        pastable(cause["fix"])
        assert cause["message"].endswith(".") or cause["message"].endswith("?"), cause


@given(chosen, st.sampled_from(BREAKS))
@settings(max_examples=200, deadline=None)
def test_breaking_more_never_helps(breaks: list[Any], more: Any) -> None:
    """Monotone: unknown or failed stays at least unknown, whatever else breaks."""
    world = World(2)
    for way in [*breaks, more]:
        way(world)
    assert world.judge().check["status"] != "ok"


@given(st.integers(1, 4), st.data())
@settings(max_examples=100, deadline=None)
def test_one_down_of_many_is_never_green(pods: int, data: st.DataObject) -> None:
    world = World(pods)
    index = data.draw(st.integers(0, pods - 1))
    error = data.draw(st.sampled_from([row[0] for row in ERRORS]))
    world.down(error, index)
    check = world.judge().check
    assert check["status"] == "failed"
    assert f"10.0.0.{index + 1}:9000" in check["observed"]


def _prune(value: Any, rng: random.Random, share: float) -> Any:
    """Lose keys and items, or have null for a value, as other versions and half-written objects do."""
    if isinstance(value, dict):
        kept = {key: _prune(item, rng, share) for key, item in value.items() if rng.random() > share}
        return {key: None if rng.random() < share / 4 else item for key, item in kept.items()}
    if isinstance(value, list):
        return [_prune(item, rng, share) for item in value if rng.random() > share]
    return value


@given(st.integers(0, 10**6), st.floats(0.0, 0.4), chosen | st.just([]))
@settings(max_examples=300, deadline=None)
def test_half_an_object_is_no_reason_to_crash(seed: int, share: float, breaks: list[Any]) -> None:
    rng = random.Random(seed)  # noqa: S311 - reproducible on purpose
    world = World(2)
    for way in breaks:
        way(world)

    def keep_names(items: list[Any]) -> list[Any]:
        kept = []
        for item in items:
            pruned = _prune(copy.deepcopy(item), rng, share) or {}
            meta = {key: item["metadata"][key] for key in ("name", "namespace")}
            pruned["metadata"] = {**(pruned.get("metadata") or {}), **meta}
            pruned["kind"] = item.get("kind", "")
            kept.append(pruned)
        return kept

    world.services, world.pods, world.slices = map(keep_names, (world.services, world.pods, world.slices))
    world.prometheuses, world.workloads = keep_names(world.prometheuses), keep_names(world.workloads)
    world.monitors = keep_names(world.monitors)
    for server in world.servers:
        server.targets = [
            {**(_prune(target, rng, share) or {}), "labels": target["labels"], "scrapeUrl": target["scrapeUrl"]}
            for target in server.targets
        ]
        server.jobs = {pool: _prune(job, rng, share) or {} for pool, job in server.jobs.items()}
    world.server.steps = False
    assert world.judge().check["status"] in ("ok", "failed", "unknown")


def test_every_scrape_code_has_its_place_in_the_order() -> None:
    own = [code for code, entry in CAUSES.items() if entry.subject == "scrape"]
    assert sorted(own) == sorted(code for code in ORDER if code in own)
