# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows and burn rates against what the workbook and the two generators people use have published.

Read in slok/sloth internal/alert/window.go (getBurnRateFactor), windows/google-28d.yaml and google-30d.yaml, and in
pyrra-dev/pyrra slo/rules.go (Windows). Here are factors and windows; ratios over short windows are in tests/promtool.
"""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _slo_burn
from ansible_collections.dataplatform.monitoring.plugins.module_utils._slo_burn import DAY, PAIRS, WINDOWS

# The Site Reliability Workbook, table 5-8, for 99.9 % over 30 days.
WORKBOOK = {
    "page_quick": ("1h", "5m", 14.4),
    "page_slow": ("6h", "30m", 6.0),
    "ticket_quick": ("1d", "2h", 3.0),
    "ticket_slow": ("3d", "6h", 1.0),
}
# errorBudgetPercent, longWindow and shortWindow of both of sloth's files.
SLOTH = {
    "page_quick": (2, "1h", "5m"),
    "page_slow": (5, "6h", "30m"),
    "ticket_quick": (10, "1d", "2h"),
    "ticket_slow": (10, "3d", "6h"),
}
# For 28 days: factor, long and short window in hours.
PYRRA = {
    "page_quick": (14, 1, 1 / 12),
    "page_slow": (7, 6, 0.5),
    "ticket_quick": (2, 24, 2),
    "ticket_slow": (1, 96, 6),
}
BY_NAME = {pair.name: pair for pair in PAIRS}


def sloth(percent: float, period_days: float, long: str) -> float:
    """percent * period / 100 / long, as sloth has it."""
    return percent * period_days * 24 / 100 / (WINDOWS[long] / 3600)


@pytest.mark.parametrize("name", WORKBOOK)
def test_the_workbook(name: str) -> None:
    pair, (long, short, factor) = BY_NAME[name], WORKBOOK[name]
    assert (pair.long, pair.short) == (long, short)
    assert _slo_burn.factor(pair, 30 * DAY, 0.001) == pytest.approx(factor)
    # a short window is a twelfth of its long one
    assert WINDOWS[short] * 12 == WINDOWS[long]


@pytest.mark.parametrize("name", SLOTH)
@pytest.mark.parametrize("days", [7, 28, 30, 90])
def test_sloth(name: str, days: int) -> None:
    """The same windows and factors; but nobody is told of a burn rate below 1, which the budget allows."""
    pair, (percent, long, short) = BY_NAME[name], SLOTH[name]
    assert (pair.long, pair.short) == (long, short)
    assert _slo_burn.factor(pair, days * DAY, 0.001) == pytest.approx(max(1.0, sloth(percent, days, long)))


@pytest.mark.parametrize("name", PYRRA)
def test_pyrra(name: str) -> None:
    """Its factors are rounded for 28 days: less than half apart from ours; and its slowest looks back 4 days, not 3."""
    pair, (factor, long, short) = BY_NAME[name], PYRRA[name]
    assert WINDOWS[pair.short] == short * 3600
    assert WINDOWS[pair.long] == (long if name != "ticket_slow" else 72) * 3600
    assert 2 / 3 <= _slo_burn.factor(pair, 28 * DAY, 0.001) / factor <= 1.5


@pytest.mark.parametrize("objective", [50.0, 80.0, 90.0, 95.0, 99.0, 99.999])
@pytest.mark.parametrize("days", [7, 28, 30, 90])
def test_an_outage_always_pages(objective: float, days: int) -> None:
    allowed = _slo_burn.budget(objective)
    outage = dict.fromkeys(WINDOWS, 1 / allowed)
    assert _slo_burn.burning(outage, days * DAY, allowed) == "page"
    assert _slo_burn.burning(dict.fromkeys(WINDOWS, 0.99), days * DAY, allowed) is None


def test_both_windows_must_burn() -> None:
    def burning(**rates: float) -> str | None:
        named = {key.removeprefix("w"): rate for key, rate in rates.items()}
        return _slo_burn.burning({**dict.fromkeys(WINDOWS, 0.0), **named}, 30 * DAY, 0.001)

    assert burning(w1h=15, w5m=15) == "page"
    assert burning(w1h=15, w5m=14) is None
    assert burning(w6h=7, w30m=7) == "page"
    assert burning(w1d=4, w2h=4) == "ticket"
    assert burning(w3d=1.1, w6h=1.1) == "ticket"
    assert _slo_burn.burning({}, 30 * DAY, 0.001) is None


@pytest.mark.parametrize("days", [7, 28, 30])
@pytest.mark.parametrize("objective", [99.0, 99.9, 99.99])
def test_one_failed_event_wakes_nobody_and_two_may(objective: float, days: int) -> None:
    allowed = _slo_burn.budget(objective)
    for pair in PAIRS:
        least = _slo_burn.least_events(pair.long, days * DAY, allowed)
        limit = _slo_burn.factor(pair, days * DAY, allowed) * allowed
        assert 1 / least < limit
        assert 2 / least == pytest.approx(limit)


def test_what_the_user_says_is_for_the_long_windows() -> None:
    assert _slo_burn.least_events("1h", 28 * DAY, 0.001, 600) == 600
    assert _slo_burn.least_events("5m", 28 * DAY, 0.001, 600) == 50
    with pytest.raises(KeyError):
        _slo_burn.least_events("4h", 28 * DAY, 0.001)


def test_budgets_are_exact() -> None:
    assert [_slo_burn.budget(one) for one in (99.9, 99.95, 99.0, 99.999)] == [0.001, 0.0005, 0.01, 0.00001]
