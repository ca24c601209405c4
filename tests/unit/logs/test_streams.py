# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""LogQL, and the promises that labels make."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_streams as streams
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_pods import Key
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.logs.build import container, stream

LABELS = ("namespace", "pod", "container", "app", "tier")


def broken(found: list[dict[str, str]], pods: dict[str, dict[str, str]]) -> dict[str, tuple[str, int]]:
    items = streams.broken_promises(found, LABELS, pods, streams.DEFAULT_SOURCES)
    return {item.label: (item.got, item.number) for item in items}


def test_lines_are_counted_and_not_estimated() -> None:
    """index/stats leaves out what the ingesters hold, which is all that is new."""
    assert streams.count_by(600, ("namespace", "pod")) == (
        'sum by (namespace, pod) (count_over_time({namespace=~".+"}[10m]))'
    )
    assert streams.count_by(90, ("pod",), namespace="x") == 'sum by (pod) (count_over_time({namespace="x"}[90s]))'


@given(st.text())
def test_quoting_can_be_undone(value: str) -> None:
    quoted = streams.quote(value)
    assert quoted[0] == quoted[-1] == '"' and "\n" not in quoted
    inner, plain, index = quoted[1:-1], "", 0
    while index < len(inner):
        step = 2 if inner[index] == "\\" else 1
        plain += {"\\n": "\n"}.get(inner[index : index + step], inner[index + step - 1])
        index += step
    assert plain == value


def test_a_vector_is_read_with_labels_that_are_absent() -> None:
    vector = [
        {"metric": {"namespace": "a", "pod": "p", "container": "c"}, "value": [1, "7"]},
        {"metric": {"namespace": "a"}, "value": [1, "3"]},
    ]
    assert streams.counts(vector) == {Key("a", "p", "c"): 7, Key("a", "", ""): 3}


def test_labels_that_no_stream_has_do_not_make_every_container_look_missing() -> None:
    usable = streams.usable_labels([{"namespace": "data-platform", "pod": "trino-0"}])
    assert usable == {"pod"}
    assert streams.usable_labels([]) == {"pod", "container"}
    found = streams.project({Key("data-platform", "trino-0", ""): 5}, usable)
    assert streams.present(container("trino-0"), found, usable)
    assert not streams.present(container("trino-1"), found, usable)


def test_promises_kept() -> None:
    pods = {"trino-0": {"app": "trino", "tier": "query"}}
    assert broken([stream(app="trino", tier="query")], pods) == {}


def test_app_and_tier_are_promised_only_where_the_pod_carries_them() -> None:
    assert broken([stream()], {"trino-0": {}}) == {}
    assert broken([stream()], {"trino-0": {"app": "trino", "tier": "query"}}) == {"app": ("", 1), "tier": ("", 1)}


@pytest.mark.parametrize("value", ["trino", "trino-chart"])
def test_app_may_come_from_either_label(value: str) -> None:
    pods = {"trino-0": {"app": "trino", "app.kubernetes.io/name": "trino-chart"}}
    assert broken([stream(app=value)], pods) == {}


def test_a_value_that_no_label_explains_is_wrong() -> None:
    assert broken([stream(app="presto")], {"trino-0": {"app": "trino"}}) == {"app": ("presto", 1)}


def test_labels_without_a_source_come_from_the_pod_label_of_the_same_name() -> None:
    items = streams.broken_promises([stream()], ("team",), {"trino-0": {"team": "analytics"}}, {})
    assert [(item.label, item.wanted) for item in items] == [("team", ("analytics",))]


def test_container_is_promised_of_every_stream() -> None:
    assert broken([{"namespace": "x", "pod": "trino-0"}], {"trino-0": {}}) == {"container": ("", 1)}


def test_streams_of_pods_that_are_gone_prove_nothing_about_today() -> None:
    old = {"namespace": "x", "pod": "trino-old"}
    assert broken([old, stream(app="trino")], {"trino-0": {"app": "trino"}}) == {}
    assert broken([old], {"trino-0": {}}) == {"container": ("", 1)}


def test_further_streams_are_counted() -> None:
    found = [stream(), stream(inner="sidecar"), stream(app="trino", inner="third")]
    assert broken(found, {"trino-0": {"app": "trino"}}) == {"app": ("", 2)}


@pytest.mark.parametrize(
    ("item", "name"),
    [({"namespace": "x", "filename": "/var/log/a"}, "filename /var/log/a"), ({"namespace": "x"}, "{namespace=x}")],
)
def test_an_example_names_what_can_be_found(item: dict[str, str], name: str) -> None:
    (first, *_rest) = streams.broken_promises([item], ("pod",), {}, {})
    assert first.example == name
