# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times and durations."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_time as times
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h30m", 5400), ("744h", 2678400), ("31d", 2678400), ("744h0m0s", 2678400),
     ("120", 120), (45, 45), ("1.5h", 5400), ("250ms", 0.25)],
)  # fmt: skip
def test_durations(text: object, seconds: float) -> None:
    assert times.parse_duration(text, "window") == seconds


@pytest.mark.parametrize("text", ["", "10 m", "m", "ten", "10x", "-5s", "1h-2m"])
def test_what_is_no_duration_is_refused_with_the_options_name(text: str) -> None:
    with pytest.raises(ConfigError, match="window: .* is not a duration; write 90s"):
        times.parse_duration(text, "window")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-23T17:00:00Z", 1795453200.0),
        ("2026-11-23T17:00:00.123456789Z", 1795453200.123456789),
        ("2026-11-23T19:00:00.5+02:00", 1795453200.5),
        ("2026-11-23T17:00:00z trailing", 1795453200.0),
    ],
)
def test_timestamps_of_the_kubelet(text: str, seconds: float) -> None:
    """CRI writes nine decimals and the node's own time zone."""
    assert times.parse_time(text) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize("text", [None, "", "yesterday", "failed to try resolving symlinks", 17])
def test_what_is_no_timestamp_is_none(text: object) -> None:
    assert times.parse_time(text) is None


@given(st.integers(min_value=0, max_value=4_000_000_000))
def test_what_is_written_can_be_read(seconds: int) -> None:
    assert times.parse_time(times.rfc3339(seconds)) == seconds


@given(st.integers(min_value=1, max_value=100_000_000))
def test_go_durations_keep_their_value(seconds: int) -> None:
    assert times.parse_duration(times.go_duration(seconds), "x") == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (7500, "2h5m"), (7200, "2h"), (172800, "2d"), (-3, "0s")],
)
def test_ages_are_short(seconds: float, text: str) -> None:
    assert times.format_age(seconds) == text


def test_a_deadline_does_not_sleep_past_its_end() -> None:
    deadline = times.Deadline(0.02)
    deadline.pause(60)
    assert deadline.left() == 0
