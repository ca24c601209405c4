# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Are lines kept as long as promised; and how old is the newest."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_newest as newest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_retention as retention
from ansible_collections.dataplatform.monitoring.plugins.module_utils._checks import all_causes
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_retention import DAY, Facts, Settings
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.logs.build import NOW

MONTH = 31 * DAY
GOOD = Settings(True, MONTH)


def judge(
    config: Settings = GOOD,
    *,
    ran: float | None = 600,
    since: float = 60 * DAY,
    oldest: float | None = 30 * DAY,
    too_old: bool | None = False,
) -> dict:
    """Times in seconds before NOW; `ran` 0 means never."""
    last_run = None if ran is None else (NOW - ran if ran else 0.0)
    facts = Facts(config, last_run, NOW - since, None if oldest is None else NOW - oldest, too_old)
    return retention.judge(MONTH, facts, NOW)


def codes(check: dict) -> list[str]:
    return [item["code"] for item in all_causes(check)]


def test_kept_as_promised() -> None:
    check = judge()
    assert check["status"] == "ok"
    assert check["observed"] == "configured 744h, oldest line 30d old, last applied 10m ago"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"config": Settings(False, MONTH)}, "retention_disabled"),
        ({"config": Settings(True, 7 * DAY)}, "retention_period_differs"),
        ({"config": Settings(True, 0)}, "retention_period_differs"),
        ({"too_old": True}, "retention_not_applied"),
        ({"oldest": 5 * DAY}, "retention_lines_lost"),
        ({"ran": 2 * DAY}, "retention_not_running"),
        ({"ran": 0}, "retention_not_running"),
    ],
)
def test_broken_promises(options: dict, code: str) -> None:
    check = judge(**options)
    assert (check["status"], codes(check)) == ("failed", [code])


def test_the_first_day_proves_nothing_yet() -> None:
    """The compactor first applies retention after its interval, and nothing is old enough."""
    check = judge(ran=0, since=3600, oldest=1800)
    assert check["status"] == "ok"
    assert "retention is first applied after a day" in check["notes"][0]


def test_a_wrong_configuration_is_wrong_on_the_first_day_too() -> None:
    assert codes(judge(Settings(False, MONTH), ran=0, since=3600, oldest=None)) == ["retention_disabled"]


def test_a_young_loki_need_not_have_old_lines() -> None:
    assert judge(since=10 * DAY, oldest=9.5 * DAY)["status"] == "ok"
    assert codes(judge(since=10 * DAY, oldest=3 * DAY)) == ["retention_lines_lost"]


def test_what_cannot_be_read_is_unknown() -> None:
    check = judge(Settings(), ran=None)
    assert (check["status"], codes(check)) == ("unknown", ["retention_unreadable"])


def test_configuration_and_lines_alone_are_enough_to_judge_by() -> None:
    check = judge(ran=None)
    assert check["status"] == "ok"
    assert "judged by the configuration and the oldest line alone" in check["notes"][0]


CONFIG = """auth_enabled: false
compactor:
  working_directory: /loki/compactor
  retention_enabled: true
  retention_table_timeout: 0s
limits_config:
  ingestion_rate_mb: 10
  retention_period: 31d
  retention_stream: []
table_manager:
  retention_deletes_enabled: false
  retention_period: 0s
"""


def test_the_running_configuration_is_read() -> None:
    assert retention.parse_config(CONFIG) == Settings(True, MONTH)
    assert retention.parse_config("404 page not found") == Settings()
    assert retention.parse_config("limits_config:\n  retention_period: soon\n") == Settings()


class Index:
    """A Loki with lines every ten minutes since `age` seconds, and one that its index only imagines."""

    def __init__(self, age: float, imagined: tuple[float, float] = (0.0, 0.0)) -> None:
        self.times = [NOW - i * 600 for i in range(int(age // 600) + 1)]
        self.imagined = (NOW - imagined[0], NOW - imagined[1])
        self.spans: list[float] = []
        self.lines_read = 0

    def entries(self, start: float, end: float) -> int:
        self.spans.append(end - start)
        true = end > self.times[-1] and start <= self.times[0]
        return int(true or (start < self.imagined[1] and end > self.imagined[0]))

    def newest(self, start: float, end: float) -> float | None:
        self.spans.append(end - start)
        self.lines_read += 1
        return next((moment for moment in self.times if start <= moment <= end), None)


@settings(deadline=None, max_examples=50)
@given(age=st.floats(700, MONTH - 3600), promised=st.sampled_from([2 * DAY, 14 * DAY, MONTH, 365 * DAY]))
def test_the_oldest_line_is_found_to_five_minutes(age: float, promised: float) -> None:
    index = Index(age)
    found = retention.find_oldest(index.entries, index.newest, NOW, promised)
    assert found is not None
    held = min(age // 600 * 600, promised)
    assert held - 601 <= NOW - found <= held + 1
    assert max(index.spans) <= retention.SLICE + 1 and len(index.spans) < 70


def test_lines_that_the_index_only_imagines_are_passed_over() -> None:
    """Seen on a real Loki: a chunk of the last quarter of an hour, spread evenly over the whole day."""
    index = Index(900, imagined=(17 * 3600, 0))
    found = retention.find_oldest(index.entries, index.newest, NOW, MONTH)
    assert found is not None and NOW - found < 901
    assert index.lines_read < 15


def test_what_is_not_flushed_is_found_though_the_index_has_nothing() -> None:
    index = Index(900)
    assert retention.find_oldest(lambda start, end: 0, index.newest, NOW, MONTH) == NOW - 600


def test_an_empty_loki_has_no_oldest_line() -> None:
    assert retention.find_oldest(lambda start, end: 0, lambda start, end: None, NOW, MONTH) is None


def test_lines_are_too_old_only_after_more_than_a_day_of_grace() -> None:
    start, end = retention.too_old_range(NOW, MONTH)
    assert NOW - MONTH - end > DAY
    assert start < end


# The newest line


def line(age: float | None, labels: tuple[str, ...] = ("namespace", "pod")) -> dict:
    return newest.judge(None if age is None else NOW - age, NOW, 120, 600, labels)


def test_a_young_line() -> None:
    assert (line(3)["status"], line(3)["observed"]) == ("ok", "3s old")


def test_a_line_from_the_future_is_a_note_on_clocks() -> None:
    assert "in the future" in line(-45)["notes"][0]


@pytest.mark.parametrize(
    ("age", "labels", "code"),
    [
        (300, ("namespace",), "loki_newest_line_old"),
        (None, ("namespace",), "loki_no_recent_lines"),
        (None, ("job", "filename"), "stream_label_missing"),
        (None, (), "loki_empty"),
    ],
)
def test_no_young_line(age: float | None, labels: tuple[str, ...], code: str) -> None:
    check = line(age, labels)
    assert (check["status"], codes(check)) == ("failed", [code])
