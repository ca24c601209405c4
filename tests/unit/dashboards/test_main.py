# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the verdict says about all dashboards together."""

from __future__ import annotations

from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_main import missing


def test_a_wanted_dashboard_that_is_gone_is_red_and_the_others_are_not() -> None:
    (check,) = missing(["cluster", "slo"], {"cluster", "other"}, "ansible-playbook day3.yml")
    assert (check["name"], check["status"], check["observed"]) == ("slo", "failed", "none")
    assert check["cause"]["code"] == "dashboard_gone"
    assert check["cause"]["fix"].endswith(": ansible-playbook day3.yml")


def test_nothing_wanted_is_nothing_missing() -> None:
    assert missing([], set(), "") == []
