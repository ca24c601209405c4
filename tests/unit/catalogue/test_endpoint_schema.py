# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checker of OpenAPI schemas, for what the catalogue's own tests do not reach."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _endpoint_schema as schema

INT_OR_STRING = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}

CASES = [
    (INT_OR_STRING, 8080, []),
    (INT_OR_STRING, "http", []),
    (INT_OR_STRING, True, ["must be a whole number or a text, not true or false (True)"]),
    ({"type": "integer"}, True, ["must be a whole number, not true or false (True)"]),
    ({"type": "number"}, 1, []),
    ({"type": "integer", "minimum": 1}, 0, ["0 is too small"]),
    ({"type": "integer", "maximum": 5}, 9, ["9 is too large"]),
    ({"type": "number", "minimum": 0}, float("nan"), ["nan is too small"]),
    ({"type": "string", "minLength": 1}, "", ["is too short"]),
    ({"type": "string", "maxLength": 2}, "abc", ["is longer than 2 characters"]),
    ({"type": "string", "pattern": "^a"}, "b", ['"b" is not well-formed']),
    # a pattern of RE2 that Python cannot read is the server's to judge
    ({"type": "string", "pattern": "(?P<a"}, "b", []),
    ({"enum": [1]}, True, ["True is not allowed"]),
    ({"type": "array", "minItems": 1}, [], ["is empty"]),
    ({"type": "array", "items": {"type": "string"}}, ["a", 1], ["must be a text, not a whole number (1)"]),
    ({"type": "object", "required": ["key"]}, {}, ["is missing"]),
    ({"type": "object", "properties": {"a": {}}}, {1: 2}, ["the key is a whole number"]),
    ({"type": "object", "properties": {"a": {}}, "x-kubernetes-preserve-unknown-fields": True}, {"b": 1}, []),
    ({"x-kubernetes-preserve-unknown-fields": True}, {"b": None}, []),
    ({"type": "object", "additionalProperties": True}, {"b": 1}, []),
    ({"type": "object", "additionalProperties": False}, {"b": 1}, ["unknown key"]),
    # a CRD's object without properties is not ours to narrow
    ({"type": "object"}, {"b": 1}, []),
    ({"type": "string"}, None, ["is empty"]),
    ({"type": "string", "nullable": True}, None, []),
    ({"type": "string"}, {"a": 1}, ["must be a text, not a mapping"]),
    ("no schema", 7, []),
]


@pytest.mark.parametrize(("rule", "value", "expected"), CASES)
def test_one_rule(rule, value, expected):
    assert [problem.what for problem in schema.check(value, rule, "x")] == expected


def test_paths_lead_to_the_place():
    rule = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": "object", "properties": {"b": {"type": "string"}}}}},
    }
    problems = schema.check({"a": [{}, {"b": 1, "c": 2}]}, rule)
    assert [problem.path for problem in problems] == ["a[1].b", "a[1].c"]


def test_a_remedy_lists_what_is_known_when_nothing_is_near():
    assert schema.suggest("zzz", ["b", "a"], "kinds") == "kinds: a, b"
    assert schema.suggest("zzz", []) == "remove it"
    many = schema.suggest("zzz", [f"name{number:03}" for number in range(50)])
    assert many.startswith("known: name000, name001") and many.endswith("name039 and 10 more")


def test_case_does_not_hide_the_nearest_name():
    assert schema.nearest("HONORLABELS", ["honorLabels", "interval"]) == "honorLabels"


def test_long_values_are_shortened_and_credentials_hidden():
    assert len(schema.show("x" * 500)) == 60
    assert schema.show("hunter2", "endpoints[0].basicAuth.password") == "the value given"
