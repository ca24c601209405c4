# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of rules in Prometheus' own words, and what they mean."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import CAUSES
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_errors import FUNCTIONS, explain

LOOK = "kubectl -n n get prometheusrule r -o yaml"
MANY = (
    'found duplicate series for the match group {namespace="a", pod="b"} on the right hand-side of the operation: '
    '[{__name__="kube_pod_info", instance="10.0.0.1:8080", job="kube-state-metrics", namespace="a", pod="b"}, '
    '{__name__="kube_pod_info", instance="10.0.0.2:9003", job="opencost", namespace="a", pod="b"}]'
    ";many-to-many matching not allowed: matching labels must be unique on one side"
)
CASES = [
    (MANY, "rule_many_to_many", "instance (10.0.0.1:8080 and 10.0.0.2:9003), job (kube-state-metrics and opencost)"),
    (
        "many-to-many matching not allowed: matching labels must be unique on one side",
        "rule_many_to_many",
        "both sides",
    ),
    (
        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
        "rule_many_to_one",
        "several series on one side of * on (pod)",
    ),
    ("multiple matches for labels: grouping labels must ensure unique matches", "rule_many_to_one", "copies labels"),
    ("vector cannot contain metrics with the same labelset", "rule_duplicate_result", "dropped the names"),
    (
        "vector contains metrics with the same labelset after applying alert labels",
        "rule_duplicate_result",
        "the rule's own labels overwrite",
    ),
    ('1:1: parse error: unknown function with name "rat"', "rule_unknown_function", "no function rat; rate is"),
    (
        '1:1: parse error: unknown function with name "holt_winters"',
        "rule_unknown_function",
        "double_exponential_smoothing is the nearest",
    ),
    ("could not parse expression: 1:5: parse error: unexpected end of input", "rule_syntax", "is not PromQL"),
    ("exceeded limit of 10 with 25 alerts", "rule_limit_exceeded", "is 10 and it has 25"),
    ("query timed out in expression evaluation", "rule_query_too_expensive", "takes longer"),
    (
        "query processing would load too many samples into memory in query execution",
        "rule_query_too_expensive",
        "more samples",
    ),
    ("something nobody has seen", "rule_error", "something nobody has seen"),
]


@pytest.mark.parametrize(("error", "code", "part"), CASES)
def test_an_error_is_explained(error: str, code: str, part: str) -> None:
    told = explain("Down", "a * on (pod) b", error, LOOK)
    assert told.code == code
    assert code in CAUSES
    assert part in told.message
    assert told.message.startswith("Down")
    assert told.advice and ": " not in told.advice
    assert told.line


def test_many_to_many_names_the_operation_and_both_sources() -> None:
    told = explain("Down", "a * on (namespace, pod) group_left (node) kube_pod_info", MANY, LOOK)
    assert "the right side of * on (namespace, pod)" in told.message
    assert "kube_pod_info is told by two sources" in told.message
    assert told.line == "expr: max by (namespace, pod) (kube_pod_info)"


def test_what_cannot_be_corrected_in_one_line_is_shown() -> None:
    assert explain("Down", "x", "no idea", LOOK).line == LOOK
    assert explain("Down", "x", "parse error: no", LOOK).line == LOOK


def test_the_list_of_functions_is_one() -> None:
    assert {"rate", "absent", "ln", "log10", "histogram_quantile", "double_exponential_smoothing"} <= set(FUNCTIONS)
    assert len(FUNCTIONS) == len(set(FUNCTIONS)) > 60
