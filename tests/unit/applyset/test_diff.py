# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What counts as a difference, and how it is shown: minimal, readable, never a value of a Secret."""

from __future__ import annotations

import base64
import copy
import json

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _applyset_diff as diff
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.applyset.samples import config_map

VOLATILE = {
    "uid": "u", "resourceVersion": "12", "generation": 3, "creationTimestamp": "2026-01-02T03:04:05Z",
    "managedFields": [{"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:data": {}}}],
}  # fmt: skip

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)


def _live(obj, **more):
    return {**copy.deepcopy(obj), "metadata": {**obj["metadata"], **VOLATILE, **more}, "status": {"phase": "x"}}


def _secret(**data):
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "data": encoded}


def test_what_the_server_alone_writes_is_no_difference():
    assert not diff.differs(_live(config_map()), config_map())
    assert not diff.differs(_live(config_map(), resourceVersion="99"), _live(config_map(labels={})))


def test_a_changed_field_a_missing_label_and_lost_ownership_are_differences():
    assert diff.differs(_live(config_map()), config_map(data={"key": "other"}))
    assert diff.differs(_live(config_map()), config_map(labels={"a": "b"}))
    ours = {"manager": diff.FIELD_MANAGER, "operation": "Apply", "fieldsV1": {"f:data": {}}, "time": "1"}
    assert diff.differs(_live(config_map()), _live(config_map(), managedFields=[ours]))
    assert not diff.differs(
        _live(config_map(), managedFields=[ours]), _live(config_map(), managedFields=[{**ours, "time": "2"}])
    )


@given(plain)
def test_an_object_never_differs_from_itself_and_shows_nothing(value):
    obj = {**config_map(), "spec": value}
    assert not diff.differs(_live(obj), obj)
    assert diff.changed_paths(diff.content(_live(obj)), diff.content(obj)) == []


@given(plain, plain)
def test_different_content_is_always_told_and_always_shown(one, other):
    before, after = {**config_map(), "spec": one}, {**config_map(), "spec": other}
    if json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True):
        return
    if before != after:
        assert diff.differs(before, after)
        assert diff.changed_paths(before, after)
    shown = diff.entry("x", before, after)
    assert shown["before"] != shown["after"]
    assert yaml.safe_load(shown["before"]) == before
    assert yaml.safe_load(shown["after"]) == after


def test_headers_say_what_happens():
    assert diff.entry("ConfigMap n/a", None, config_map())["after_header"] == "ConfigMap n/a (created)"
    assert diff.entry("ConfigMap n/a", config_map(), None)["before_header"] == "ConfigMap n/a (removed)"
    assert diff.entry("ConfigMap n/a", config_map(), config_map(data={}))["before_header"] == "ConfigMap n/a"
    assert diff.entry("x", None, config_map())["before"] == ""
    assert diff.entry("x", config_map(), None)["after"] == ""


def test_yaml_is_minimal_and_names_the_object_first():
    text = diff.entry("x", None, _live(config_map(annotations={diff.LAST_APPLIED: "{}", "b": "c"})))["after"]
    assert list(yaml.safe_load(text)) == ["apiVersion", "kind", "metadata", "data"]
    assert yaml.safe_load(text)["metadata"] == {"annotations": {"b": "c"}, "name": "a", "namespace": "monitoring"}


def test_text_of_several_lines_is_shown_as_such_and_json_on_one_line_is_unfolded():
    board = json.dumps({"panels": [{"title": "x" * 100, "id": n} for n in range(3)]})
    text = diff.entry("x", None, config_map(data={"rules.yml": "a: 1\nb: 2\n", "board.json": board}))["after"]
    assert "rules.yml: |\n    a: 1\n    b: 2\n" in text
    assert text.count("title") == 3 and text.count("\n") > 12


def test_ownership_alone_is_said():
    ours = {"manager": diff.FIELD_MANAGER, "operation": "Apply", "fieldsV1": {}}
    shown = diff.entry("x", _live(config_map()), _live(config_map(), managedFields=[ours]))
    assert "takes over" in shown["after"] and shown["before"] in shown["after"]


def test_no_value_of_a_secret_is_ever_shown_and_a_change_is_visible():
    old, new = _secret(kept="same-same", changed="old-secret", gone="gone-secret"), _secret(
        kept="same-same", changed="new-secret", fresh="fresh-secret"
    )  # fmt: skip
    old["metadata"]["annotations"] = {diff.LAST_APPLIED: json.dumps(old["data"])}
    shown = diff.entry("Secret n/s", old, new)
    assert yaml.safe_load(shown["before"])["data"] == {"kept": "<masked>", "changed": "<masked>", "gone": "<masked>"}
    assert yaml.safe_load(shown["after"])["data"] == {
        "kept": "<masked>", "changed": "<masked, changed>", "fresh": "<masked, new>",
    }  # fmt: skip
    for value in [*old["data"].values(), *new["data"].values()]:
        assert value not in str(shown)
        assert base64.b64decode(value).decode() not in str(shown)


@given(st.dictionaries(st.sampled_from("abcd"), st.text(min_size=6, max_size=12)), st.booleans(), st.booleans())
def test_masking_holds_for_created_and_removed_secrets_too(data, has_before, has_after):
    obj = _secret(**data)
    shown = str(diff.entry("x", obj if has_before else None, obj if has_after else None))
    assert not any(value in shown for value in obj["data"].values())


def test_a_large_object_is_shown_by_its_changed_paths():
    versions = [{"name": name, "schema": {"text": "x" * 60_000}} for name in ("v1", "v2")]
    before = {**config_map(), "spec": {"versions": versions, "scope": "Namespaced"}}
    after = copy.deepcopy(before)
    after["spec"]["versions"][1]["schema"] = {"text": "y" * 60_000, "more": True}
    shown = diff.entry("x", before, after)
    assert shown["before"].startswith("spec.versions.[v2].schema.text: ")
    assert "spec.versions.[v2].schema.more: true" in shown["after"]
    assert len(str(shown)) < 2_000
    assert len(diff.entry("x", None, after)["after"]) < 2_000


def test_too_many_changed_paths_are_counted():
    before = {**config_map(data={f"k{n:04}": "x" * 200 for n in range(600)})}
    after = {**config_map(data={f"k{n:04}": "y" * 200 for n in range(600)})}
    assert "... and 400 more places" in diff.entry("x", before, after)["after"]


def test_lists_are_matched_by_name_where_all_items_have_one():
    before = {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}
    after = {"containers": [{"name": "b", "image": "2"}, {"name": "a", "image": "1"}]}
    assert diff.changed_paths(before, after) == [("containers.[b].image", "1", "2")]
    assert diff.changed_paths([1, 2], [1, 3, 4], "x") == [("x[1]", 2, 3), ("x[2]", diff.ABSENT, 4)]


def _config_secret(text, **more):
    keys = {"alertmanager.yaml": text, **more}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "annotations": {diff.READABLE: ",".join(keys)}},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in keys.items()},
    }


def test_a_large_board_is_shown_by_the_panels_that_changed():
    """One row more moves every panel below it; which ones, and what else became of them, can be read."""

    def board(*titles, limit=1):
        panels = [{"title": title, "gridPos": {"y": y}, "limit": limit} for y, title in enumerate(titles)]
        text = json.dumps({"title": "Overview", "panels": panels, "filler": "x" * diff.LARGE}, indent=1)
        return config_map("board", {"overview.json": text})

    before, after = board("trino", "minio"), board("trino", "shop", "minio")
    assert sorted(path for path, _, _ in diff.changed_paths(before["data"], after["data"])) == [
        "overview.json.panels.[minio].gridPos.y",
        "overview.json.panels.[shop]",
    ]
    same = {"overview.json": before["data"]["overview.json"].replace("\n", "")}
    assert [path for path, _, _ in diff.changed_paths(before["data"], same)] == ["overview.json"]


def test_a_configuration_that_names_files_is_shown_and_what_was_in_clear_is_not():
    before = _config_secret("global: {smtp_auth_password: canary}\nroute: {receiver: a}\n", **{"a.tmpl": "old"})
    after = _config_secret("global: {smtp_auth_password_file: /x}\nroute: {receiver: b}\n", **{"a.tmpl": "new"})
    told = diff.entry("Secret", before, after)
    assert "smtp_auth_password: <hidden>" in told["before"] and "canary" not in str(told)
    assert "receiver: a" in told["before"] and "receiver: b" in told["after"]
    assert "old" in told["before"] and "new" in told["after"]


def test_only_what_is_applied_says_what_may_be_shown():
    before = _config_secret("route: {receiver: secret-name}\n")
    after = {**before, "metadata": {"name": "s"}, "data": {"alertmanager.yaml": "eA=="}}
    assert "secret-name" not in str(diff.entry("Secret", before, after))
    assert "secret-name" not in str(diff.entry("Secret", before, None))


@pytest.mark.parametrize("key", ["password", "alertmanager.yml"])
def test_other_keys_are_masked_whatever_the_annotation_says(key):
    after = _config_secret("route: {}\n", **{key: "canary"})
    told = str(diff.entry("Secret", None, after))
    assert "canary" not in told and "Y2FuYXJ5" not in told


def test_a_configuration_that_cannot_be_read_is_masked():
    told = diff.entry("Secret", _config_secret("a: b: canary"), _config_secret("route: {}\n"))
    assert "canary" not in str(told) and "<masked>" in told["before"]
