# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet's log as the truth: which containers are asked, and what the answer means."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_kubelet as kubelet
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiForbidden, ApiTimeout
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.logs.build import NOW, ago, container

WINDOW, LAG = 600.0, 120.0


class Kubelet:
    """Answers as the kubelet does: lines of the asked span, the last one or from its beginning."""

    def __init__(self, *ages: float, error: Exception | None = None) -> None:
        self.ages = sorted(ages, reverse=True)
        self.error = error
        self.calls: list[dict[str, str]] = []

    def __call__(self, key: object, **params: str) -> bytes | None:
        self.calls.append(params)
        if self.error:
            raise self.error
        ages = [age for age in self.ages if age <= int(params["sinceSeconds"])]
        if "tailLines" in params:
            ages = ages[-int(params["tailLines"]) :]
        text = "".join(f"{ago(age)[:-1]}.000000001Z line {age}\n" for age in ages).encode()
        return text[: int(params["limitBytes"])] if "limitBytes" in params else text


def line(read: Kubelet) -> kubelet.Line:
    return kubelet.read_line(read, container(), NOW, WINDOW, LAG)


def age(found: kubelet.Line) -> int:
    assert found.at is not None
    return round(NOW - found.at)


def test_an_empty_log_is_silence() -> None:
    assert line(Kubelet()).state == kubelet.SILENT


def test_lines_older_than_the_window_are_silence() -> None:
    assert line(Kubelet(5000)).state == kubelet.SILENT


def test_an_old_last_line_settles_it_with_one_call() -> None:
    read = Kubelet(500, 300)
    assert age(line(read)) == 300
    assert read.calls == [{"timestamps": "true", "sinceSeconds": "600", "tailLines": "1"}]


def test_a_busy_container_is_judged_by_a_line_that_had_time_to_arrive() -> None:
    """Its last line is always young and proves nothing about an agent that died five minutes ago."""
    read = Kubelet(*range(1, 600))
    assert 120 < age(line(read)) <= 240
    assert read.calls[1] == {"timestamps": "true", "sinceSeconds": "240", "limitBytes": "4096"}


def test_a_container_that_only_just_began_has_only_young_lines() -> None:
    assert age(line(Kubelet(5, 3))) == 5


def test_lines_older_than_loki_itself_are_nobodys_fault() -> None:
    """A busy container's are then young ones, which are waited for: no agent is called good for want of lines."""
    assert kubelet.read_line(Kubelet(500, 300), container(), NOW, 60, LAG).state == kubelet.SILENT
    assert age(kubelet.read_line(Kubelet(*range(1, 600)), container(), NOW, 60, LAG)) == 60


def test_a_pod_that_is_gone_is_no_fault() -> None:
    found = kubelet.read_line(lambda key, **params: None, container(), NOW, WINDOW, LAG)
    assert found.state == kubelet.GONE


def test_a_missing_permission_is_told_from_a_kubelet_that_does_not_answer() -> None:
    forbidden = line(Kubelet(error=ApiForbidden("pods/log is forbidden", 403)))
    assert (forbidden.state, forbidden.forbidden) == (kubelet.UNREADABLE, True)
    timeout = line(Kubelet(error=ApiTimeout("no answer within 10 s")))
    assert (timeout.state, timeout.forbidden) == (kubelet.UNREADABLE, False)


@pytest.mark.parametrize(
    ("body", "last", "found"),
    [
        (b"", True, None),
        (b"failed to try resolving symlinks in path\n", True, None),
        (b"2026-11-23T17:00:00.1Z a\n2026-11-23T17:00:09.1Z b\n", True, 1795453209.1),
        (b"2026-11-23T17:00:00.1Z a\n2026-11-23T17:00:09.1Z b\n", False, 1795453200.1),
        (b"2026-11-23T17:00:00.1Z a\n2026-11-2", True, 1795453200.1),
        (b"2026-11-23T17:00:00.1Z \xff\xfe\n", True, 1795453200.1),
    ],
)
def test_parsing_takes_what_the_kubelet_sends(body: bytes, last: bool, found: float | None) -> None:
    assert kubelet.parse_log(body, last) == (None if found is None else pytest.approx(found))


def test_containers_with_a_young_line_are_not_asked_about() -> None:
    a, b, c = container("a"), container("b"), container("c")
    chosen, left = kubelet.choose([a, b, c], {a.key, b.key}, {a.key}, 10, 100)
    assert ([item.key.pod for item in chosen], left) == (["c", "b"], 0)


def test_other_pods_come_before_a_second_container_of_the_same() -> None:
    first, second, other = container("a", inner="x"), container("a", inner="y"), container("b")
    chosen, left = kubelet.choose([first, second, other], (), (), 2, 100)
    assert ([str(item.key) for item in chosen], left) == (["a/x", "b/main"], 1)


def test_cells_take_turns_so_that_no_namespace_eats_the_limit() -> None:
    many = [container(f"p{i:02}", namespace="loud") for i in range(50)]
    few = [container("q", namespace="quiet"), container("r", namespace="quiet", node="n2")]
    chosen, left = kubelet.choose([*many, *few], (), (), 10, 5)
    assert sum(item.key.namespace == "quiet" for item in chosen) == 2
    assert (len(chosen), left) == (5, 47)


@given(
    cells=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 12)), max_size=12),
    per_cell=st.integers(1, 5),
    total=st.integers(1, 20),
)
def test_the_choice_keeps_its_limits_and_counts_what_it_leaves(
    cells: list[tuple[int, int, int]], per_cell: int, total: int
) -> None:
    containers = [
        container(f"p{index}-{i}", namespace=f"ns{ns}", node=f"n{node}")
        for index, (ns, node, number) in enumerate(cells)
        for i in range(number)
    ]
    chosen, left = kubelet.choose(containers, (), (), per_cell, total)
    assert len(chosen) <= total and len(chosen) + left == len(containers)
    by_cell: dict[tuple[str, str], int] = {}
    for item in chosen:
        cell = (item.key.namespace, item.node)
        by_cell[cell] = by_cell.get(cell, 0) + 1
    assert all(number <= per_cell for number in by_cell.values())
    everywhere = {(item.key.namespace, item.node) for item in containers}
    assert len(by_cell) == min(len(everywhere), total)
