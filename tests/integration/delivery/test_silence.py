# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Silences on a real cluster of two: written to one, known to both."""

from __future__ import annotations

import datetime
import json

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _silence
from ansible_collections.dataplatform.monitoring.plugins.modules import alertmanager_silence

WINDOW = {"matchers": ['service="trino"', "severity=~warning|critical"], "comment": "upgrade", "created_by": "anna"}


@pytest.fixture(autouse=True)
def both(pair, monkeypatch):
    """The module asks the replicas behind a Service: here both processes."""
    monkeypatch.setattr(alertmanager_silence, "own_replicas", lambda params, kube: [one.api for one in pair])
    yield
    for item in pair[0].api.get_json("/api/v2/silences"):
        pair[0].api.call("DELETE", f"/api/v2/silence/{item['id']}")


def run(capsys, **options):
    with patch_module_args({"kubernetes": False, "_ansible_diff": True, **options}), pytest.raises(SystemExit):
        alertmanager_silence.main()
    return json.loads(capsys.readouterr().out)


def live(server):
    return [item for item in server.api.get_json("/api/v2/silences") if item["status"]["state"] != "expired"]


def test_made_once_known_to_both_and_ended(pair, capsys):
    made = run(capsys, **WINDOW, duration="2h")
    assert made["changed"] and made["replicas"] == 2
    assert made["diff"]["before"] == {} and made["diff"]["after"]["comment"] == "upgrade"
    assert [[item["id"] for item in live(one)] for one in pair] == [[made["silences"][0]["id"]]] * 2
    again = run(capsys, **WINDOW, duration="2h")
    assert not again["changed"] and again["silences"][0]["id"] == made["silences"][0]["id"]
    ended = run(capsys, **WINDOW, state="absent")
    assert ended["changed"] and [live(one) for one in pair] == [[], []]
    assert not run(capsys, **WINDOW, state="absent")["changed"]


def test_a_window_that_is_nearly_over_is_made_longer_in_place(pair, capsys):
    made = run(capsys, **WINDOW, duration="1h")["silences"][0]
    again = run(capsys, **WINDOW, duration="3h")
    assert again["changed"] and again["silences"][0]["id"] == made["id"]
    left = _silence.moment(live(pair[1])[0]["endsAt"]) - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(hours=2, minutes=58) < left < datetime.timedelta(hours=3)


def test_all_of_them_are_seen_to_end(pair, capsys, monkeypatch):
    for comment in ("one", "two"):
        run(capsys, **{**WINDOW, "comment": comment}, duration="1h")
    ends = alertmanager_silence.Silences.end
    ended: list[str] = []

    def first_only(self, identity):
        ended.append(identity)
        return ends(self, identity) if len(ended) == 1 else None

    monkeypatch.setattr(alertmanager_silence.Silences, "end", first_only)
    result = run(capsys, matchers=WINDOW["matchers"], state="absent", timeout=1)
    assert result["failed"] and ended[1] in result["msg"]


def test_another_end_changes_it_in_place(pair, capsys):
    made = run(capsys, **WINDOW, duration="1h")["silences"][0]
    later = _silence.stamp(datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=3))
    changed = run(capsys, **WINDOW, ends_at=later)
    assert changed["changed"] and changed["silences"][0]["id"] == made["id"]
    assert [[item["endsAt"] for item in live(one)] for one in pair] == [[later], [later]]


def test_check_mode_says_what_would_be_and_writes_nothing(pair, capsys):
    told = run(capsys, **WINDOW, duration="1h", _ansible_check_mode=True)
    assert told["changed"] and told["diff"]["after"]["created_by"] == "anna"
    assert live(pair[0]) == []
    run(capsys, **WINDOW, duration="1h")
    assert run(capsys, **WINDOW, state="absent", _ansible_check_mode=True)["changed"]
    assert len(live(pair[0])) == 1


def test_by_id(pair, capsys):
    made = run(capsys, **WINDOW, duration="1h")["silences"][0]
    assert run(capsys, id=made["id"], state="absent")["changed"]
    assert live(pair[1]) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({**WINDOW, "ends_at": "2020-01-01T00:00:00Z"}, "before it begins"),
        (WINDOW, "set duration"),
        ({"matchers": ["a=~.*"], "comment": "x", "duration": "1h"}, "at least one value"),
        ({"matchers": ["a=1"], "duration": "1h"}, "comment"),
        ({**WINDOW, "duration": "soon"}, "no duration"),
    ],
)
def test_what_cannot_work_is_refused(capsys, options, words):
    result = run(capsys, **options)
    assert result["failed"] and words in result["msg"]


def test_a_replica_that_is_not_in_the_cluster_is_told(pair, single, capsys, monkeypatch):
    monkeypatch.setattr(alertmanager_silence, "own_replicas", lambda params, kube: [pair[0].api, single.api])
    result = run(capsys, **WINDOW, duration="1h", timeout=1)
    assert result["failed"] and "do the replicas form one cluster" in result["msg"]
