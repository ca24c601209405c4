# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation that somebody else made: every job it has is judged, and fixes are lines for its own monitors."""

from __future__ import annotations

from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_diagnosis import diagnose
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_fixes import foreign_line
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import (
    FOREVER,
    Expectation,
    Finding,
    Server,
    Snapshot,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_others import first_look, jobs_of_others

from tests.unit.scrape.builders import NOW, target


def seen(*targets: dict, kubernetes: bool = False) -> Snapshot:
    pools = frozenset(str(item["scrapePool"]) for item in targets)
    return Snapshot([Server("prometheus", None, None, list(targets), pools)], kubernetes)


def test_every_job_that_nobody_expects_is_expected() -> None:
    snapshot = seen(
        target("http://a:1/metrics", "node", "node"),
        target("http://b:1/metrics", "node", "node"),
        target("http://c:1/metrics", "mysql", "mysql"),
        target("http://d:1/metrics", "trino", "trino"),
    )
    found = jobs_of_others([Expectation("trino", "trino", "adopted")], snapshot)
    assert [(one.name, one.job, one.state) for one in found] == [
        ("mysql", "mysql", "adopted"),
        ("node", "node", "adopted"),
    ]


def test_a_monitor_of_ours_covers_its_pools_whatever_their_job() -> None:
    monitor = {"kind": "ServiceMonitor", "namespace": "data", "name": "trino"}
    snapshot = seen(
        target("http://a:1/metrics", "serviceMonitor/data/trino/0", "other-label"),
        target("http://b:1/metrics", "serviceMonitor/data/trino-2/0", "trino-2"),
        kubernetes=True,
    )
    found = jobs_of_others([Expectation("trino", "trino", monitor=monitor)], snapshot)
    assert [one.name for one in found] == ["trino-2"]


def test_a_job_with_the_name_of_an_entry_that_means_another_job() -> None:
    snapshot = seen(target("http://a:1/metrics", "web", "web"))
    found = jobs_of_others([Expectation("web", "frontend", "adopted")], snapshot)
    assert [(one.name, one.job) for one in found] == [("job web", "web")]


def test_a_prometheus_without_targets_is_no_good_news() -> None:
    snapshot = seen()
    (found,) = jobs_of_others([], snapshot)
    check = diagnose(found, snapshot, NOW, NOW - 1).check
    assert (check["status"], check["cause"]["code"]) == ("failed", "no_such_job")
    assert "there are no targets" in check["cause"]["message"]


class Slow:
    """Answers from the third look on."""

    now = NOW

    def __init__(self, code: str = "server_unreachable") -> None:
        self.looks, self.code = 0, code

    def snapshot(self, expectations: object) -> Snapshot:
        self.looks += 1
        if self.looks < 3:
            return Snapshot([Server("prometheus", problem=Finding(self.code, "no.", "wait: 1", FOREVER))], False)
        return seen(target("http://a:1/metrics", "node", "node"))

    def fill(self, snapshot: Snapshot) -> None: ...


def test_a_server_that_starts_is_waited_for() -> None:
    time = [0.0]
    source = Slow()
    found, left = first_look([], source, 60, lambda: time[0], lambda seconds: time.__setitem__(0, time[0] + seconds))
    assert ([one.name for one in found], source.looks, left) == (["node"], 3, 56.0)


def test_a_server_that_never_answers_is_unknown_and_not_good() -> None:
    source = Slow("access_forbidden")
    found, _left = first_look([], source, 60)
    assert source.looks == 1
    check = diagnose(found[0], Slow("access_forbidden").snapshot([]), NOW, NOW - 1).check
    assert check["status"] in ("failed", "unknown")
    assert check["cause"]["code"] == "access_forbidden"


def test_fixes_in_what_somebody_else_made() -> None:
    assert foreign_line("serviceMonitor/data/web/0", {"scrapeTimeout": "20s"}, "it is slow") == (
        'In the ServiceMonitor data/web, it is slow: scrapeTimeout: "20s"'
    )
    assert foreign_line("web", {"tlsConfig": {"serverName": "web.example"}}, "expect its name") == (
        "In the scrape job web, expect its name: tls_config: {server_name: web.example}"
    )


def test_a_down_target_of_theirs_is_repaired_where_it_is_made() -> None:
    slow = target(
        "http://a:1/metrics",
        "web",
        "web",
        health="down",
        lastError='Get "http://a:1/metrics": context deadline exceeded',
    )
    snapshot = seen(slow)
    snapshot.facts[("history", "web")] = {}
    snapshot.facts[("samples", "web")] = {}
    check = diagnose(Expectation("web", "web", "adopted"), snapshot, NOW, NOW - 100).check
    assert check["cause"]["code"] == "target_down_timeout"
    assert check["cause"]["fix"].endswith('scrape_timeout: "20s"')
