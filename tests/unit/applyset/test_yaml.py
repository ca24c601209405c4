# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests are read as the API server reads them."""

from __future__ import annotations

import json

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._yaml import load_manifests
from hypothesis import given
from hypothesis import strategies as st


def _value(text: str):
    return load_manifests(f"kind: X\nvalue: {text}\n")[0]["value"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("=", "="), ("2026-01-02", "2026-01-02"), ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"), ("10:30", "10:30"),
        ("1:2:3", "1:2:3"), ("7", 7), ("-7", -7), ("0x1F", 31), ("0b11", 3), ("0o17", 15), ("017", 15), ("0", 0),
        ("1.5", 1.5), ("1e3", 1000.0), ("1.", 1.0), (".5", 0.5), ("-.inf", float("-inf")), ("1_000", 1000),
        ("true", True), ("yes", True), ("off", False), ("y", "y"), ("n", "n"), ("null", None), ("~", None), ("", None),
        ("'7'", "7"), ("100Gi", "100Gi"), ("1.36.3", "1.36.3"), ("v1", "v1"),
    ],
)  # fmt: skip
def test_scalars(text, value):
    assert _value(text) == value
    assert type(_value(text)) is type(value)


def test_the_enumeration_that_stops_pyyaml():
    text = "kind: CustomResourceDefinition\nenum:\n- '!='\n- =\n- =~\n- '!~'\n"
    assert load_manifests(text)[0]["enum"] == ["!=", "=", "=~", "!~"]


def test_documents_and_lists():
    text = "---\n# nothing\n---\nkind: A\n---\nkind: ConfigMapList\nitems: [{kind: B}, {kind: C}]\n---\n"
    assert [obj["kind"] for obj in load_manifests(text)] == ["A", "B", "C"]
    assert load_manifests("") == []


def test_faults_are_told_with_their_place():
    with pytest.raises(ConfigError, match="manifests is not valid YAML at line 3, column 1"):
        load_manifests("a: 1\nb: [\n")
    with pytest.raises(ConfigError, match="Document 2 of crds is a str, not a mapping"):
        load_manifests("a: 1\n---\ntext\n", source="crds")


def test_no_tag_can_make_an_object():
    with pytest.raises(ConfigError):
        load_manifests("a: !!python/object/apply:os.system ['true']\n")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text(min_size=1, alphabet="abcxyz"), json_values, min_size=1))
def test_json_is_yaml(value):
    value = {**value, "kind": "X"}
    assert load_manifests(json.dumps(value)) == [value]
