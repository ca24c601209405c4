# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which silence is meant, and whether it has to change."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _silence
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime.datetime(2026, 11, 23, 18, 0, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
TRINO = _silence.read_matchers(['service="trino"'])


def silence(identity="1", state="active", matchers=TRINO, comment="why", ends=NOW + HOUR, by="anna"):
    return {
        "id": identity,
        "status": {"state": state},
        "matchers": _silence.as_api(matchers),
        "startsAt": _silence.stamp(NOW - HOUR),
        "endsAt": _silence.stamp(ends),
        "createdBy": by,
        "comment": comment,
    }


def wanted(ends=None, comment="why", by="anna", matchers=TRINO):
    return _silence.Wanted(matchers, comment, by, None, ends)


class TestMatchers:
    def test_all_four_operators_and_several_in_one_text(self):
        found = _silence.read_matchers(["a=1, b!=2", "c=~x|y", "d!~z"])
        assert _silence.as_api(found) == [
            {"name": "a", "value": "1", "isRegex": False, "isEqual": True},
            {"name": "b", "value": "2", "isRegex": False, "isEqual": False},
            {"name": "c", "value": "x|y", "isRegex": True, "isEqual": True},
            {"name": "d", "value": "z", "isRegex": True, "isEqual": False},
        ]

    @pytest.mark.parametrize(
        ("given_ones", "words"), [([], "empty"), (["a=~.*"], "at least one value"), (["a"], "bad matcher")]
    )
    def test_what_makes_no_sense_is_refused(self, given_ones, words):
        with pytest.raises(ConfigError, match=words):
            _silence.read_matchers(given_ones)


class TestWindow:
    LONG = 2 * HOUR

    def test_a_new_one_has_its_length(self):
        assert _silence.end_of(None, NOW, self.LONG) == NOW + self.LONG

    def test_a_second_run_changes_nothing(self):
        assert _silence.end_of(silence(ends=NOW + HOUR), NOW, self.LONG) is None

    def test_one_that_is_nearly_over_gets_its_length_again(self):
        current = silence(ends=NOW + HOUR / 2)
        ends = _silence.end_of(current, NOW, self.LONG)
        assert ends == NOW + self.LONG
        assert _silence.needs(current, wanted(ends)) == ["ends_at"]

    def test_one_that_has_not_begun_is_measured_from_its_begin(self):
        current = {**silence(ends=NOW + 3 * HOUR), "startsAt": _silence.stamp(NOW + HOUR)}
        assert _silence.end_of(current, NOW, self.LONG) is None
        assert _silence.end_of(current, NOW, 5 * HOUR) == NOW + 6 * HOUR


class TestFind:
    def test_by_matchers_and_comment(self):
        there = [silence("1"), silence("2", comment="other"), silence("3", state="expired")]
        assert [item["id"] for item in _silence.find(there, TRINO, "why", None)] == ["1"]

    def test_without_a_comment_all_of_them(self):
        there = [silence("1"), silence("2", comment="other", ends=NOW + 2 * HOUR)]
        assert [item["id"] for item in _silence.find(there, TRINO, None, None)] == ["2", "1"]

    def test_by_id(self):
        there = [silence("1"), silence("2")]
        assert [item["id"] for item in _silence.find(there, (), None, "2")] == ["2"]

    def test_other_matchers_are_another_silence(self):
        other = _silence.read_matchers(['service=~"trino"'])
        assert _silence.find([silence(matchers=other)], TRINO, "why", None) == []

    def test_an_old_server_does_not_say_is_equal(self):
        item = silence()
        del item["matchers"][0]["isEqual"]
        assert _silence.find([item], TRINO, "why", None) == [item]

    @given(st.permutations(["a=1", "b!=2", 'c=~"x|y"', "d!~z"]))
    def test_the_order_of_matchers_says_nothing(self, texts):
        item = silence(matchers=_silence.read_matchers(["a=1", "b!=2", 'c=~"x|y"', "d!~z"]))
        assert _silence.find([item], _silence.read_matchers(texts), "why", None) == [item]


class TestNeeds:
    def test_one_in_force_keeps_its_end_when_a_duration_is_asked_for(self):
        assert _silence.needs(silence(), wanted()) == []

    def test_another_end_is_a_change(self):
        assert _silence.needs(silence(), wanted(NOW + 2 * HOUR)) == ["ends_at"]
        assert _silence.needs(silence(), wanted(NOW + HOUR)) == []

    def test_another_author_is_a_change(self):
        assert _silence.needs(silence(), wanted(by="bob")) == ["created_by"]

    def test_none_there(self):
        assert _silence.needs(None, wanted(NOW + HOUR)) == ["silence"]


class TestBody:
    def test_a_change_keeps_the_start_and_the_id(self):
        made = _silence.body(wanted(NOW + 2 * HOUR), silence("7"), NOW)
        assert (made["id"], made["startsAt"], made["endsAt"]) == (
            "7",
            "2026-11-23T17:00:00.000Z",
            "2026-11-23T20:00:00.000Z",
        )

    @pytest.mark.parametrize("ends", [None, NOW, NOW - HOUR])
    def test_it_must_end_after_it_begins(self, ends):
        with pytest.raises(ConfigError, match="before it begins"):
            _silence.body(wanted(ends), None, NOW)


@pytest.mark.parametrize("text", ["tomorrow", "2026-11-23T18:00:00"])
def test_a_time_needs_an_offset(text):
    with pytest.raises(ConfigError):
        _silence.moment(text)
