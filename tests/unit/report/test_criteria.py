# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each criterion of the plan: green with its evidence, red for each reason, and what was not judged is not green."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks, _criteria, _report

from tests.evidence import sample

CAUSE = {"code": "server_error", "message": "It broke.", "fix": "See: kubectl get pods"}
OPERATOR, TARGETS, LOGS, AGENT, ROUTING, NOTIFICATIONS, BOARDS, SLO, RULES, SERVICES = range(10)


def judged(change=None, drop=(), **more):
    """The table of a platform that is well, after `change` had its way with the verdicts."""
    found = {item["name"]: item for item in sample.verdicts(sample.slos(), sample.boards())}
    given = {"slos": sample.slos(), "boards": sample.boards(), "extras": {"cluster_info": sample.CLUSTER_INFO}, **more}
    if change:
        change(found)
    verdicts = [item for name, item in found.items() if name not in drop]
    return _criteria.criteria(verdicts, given["slos"], given["boards"], given["extras"])


def put(found, verdict, name, made):
    checks = found[verdict]["checks"]
    index = next(i for i, check in enumerate(checks) if check["name"] == name)
    checks[index] = made(checks[index])


def red(check):
    return _checks.failed(check["name"], check["expected"], "broken", [CAUSE], details=check["details"])


def unsure(check):
    return _checks.unknown(check["name"], check["expected"], "not known", [CAUSE], details=check["details"])


def accepted(check):
    return {**red(check), "status": _checks.ACCEPTED}


def test_ten_in_order_and_all_met():
    table = judged()
    assert [item["criterion"] for item in table] == [words for words, _judge in _criteria.CRITERIA]
    assert len(table) == 10
    assert [item["status"] for item in table] == ["ok"] * 10
    assert _criteria.line(table) == "10 of 10 success criteria met"
    assert all(item["evidence"] for item in table)


@pytest.mark.parametrize(
    ("which", "words"),
    [
        (OPERATOR, "operator-6c9d5cf8b4-2xkqf Ready, 8 kinds"),
        (TARGETS, "22 different targets up; 22 of 22 expectations hold"),
        (LOGS, "8 of 8 namespaces, newest line 0s old"),
        (AGENT, "1 of 1 nodes"),
        (ROUTING, "9 of 9 expectations"),
        (NOTIFICATIONS, "e-mail arrived after 5.2 s; Slack arrived after 5.3 s; PagerDuty arrived after 5.2 s"),
        (BOARDS, "9 of 9 boards populated, 33 of 37 panels have data, 4 empty as they should be; Judged by queries"),
        (SLO, "7 of 7 SLOs tracked (4 young, 2 h 49 m of 28d so far); board SLO overview: 3 of 3 panels"),
        (RULES, "131 of 131 rules healthy"),
        (SERVICES, "20 of 20 services Ready throughout since 2026-11-23 19:06:26Z"),
    ],
)
def test_the_evidence_of_each(which, words):
    assert words in judged()[which]["evidence"]


def boards_with(title, **change):
    boards = sample.boards()
    for board in boards:
        if board["title"] == title:
            board["panels"][0] |= change
    return boards


def slos_with(**change):
    return [{**slo, **change} for slo in sample.slos()]


def without(*names):
    info = {**sample.CLUSTER_INFO, "crds": {k: v for k, v in sample.CLUSTER_INFO["crds"].items() if k not in names}}
    return {"cluster_info": info}


RED = [
    (OPERATOR, None, {"extras": without("servicemonitors")}, "failed", "not served by the API server: servicemonitors"),
    (OPERATOR, None, {"extras": {"cluster_info": {**sample.CLUSTER_INFO, "pods": []}}}, "failed", "no Pod of it"),
    (
        OPERATOR,
        None,
        {"extras": {"cluster_info": {**sample.CLUSTER_INFO, "pods": [{**sample.CLUSTER_INFO["pods"][0], "ready": 0}]}}},
        "failed",
        "1 Pod, none Ready",
    ),
    (OPERATOR, None, {"extras": {}}, "unknown", "22 scrape pools that only the operator writes"),
    (TARGETS, lambda f: f["scrape"].update(checks=f["scrape"]["checks"][:14]), {}, "failed", "14 different targets up"),
    (TARGETS, lambda f: put(f, "scrape", "trino", red), {}, "ok", "not: trino"),
    (LOGS, lambda f: put(f, "logs", "namespace team-a", red), {}, "failed", "7 of 8 namespaces"),
    (LOGS, lambda f: put(f, "logs", "namespace team-a", unsure), {}, "unknown", "not: namespace team-a"),
    (LOGS, lambda f: put(f, "logs", "newest_line", red), {}, "failed", "not: newest_line"),
    (LOGS, lambda f: put(f, "logs", "loki_ready", red), {}, "failed", "not: loki_ready"),
    (LOGS, lambda f: put(f, "logs", "namespace team-a", accepted), {}, "ok", "accepted: namespace team-a"),
    (LOGS, lambda f: f["logs"].update(checks=f["logs"]["checks"][:2]), {}, "unknown", "0 of 0 namespaces"),
    (AGENT, lambda f: put(f, "logs", "agent_on_every_node", red), {}, "failed", "It broke."),
    (AGENT, lambda f: f["logs"].update(checks=f["logs"]["checks"][2:]), {}, "unknown", "not judged"),
    (ROUTING, lambda f: put(f, "routing", "critical", red), {}, "failed", "8 of 9 expectations"),
    (ROUTING, lambda f: put(f, "routing", "tree", unsure), {}, "unknown", "not: tree"),
    (NOTIFICATIONS, lambda f: put(f, "delivery", "slack", red), {}, "failed", "red: slack"),
    (NOTIFICATIONS, lambda f: put(f, "delivery", "pagerduty", red), {}, "failed", "red: pagerduty"),
    (NOTIFICATIONS, lambda f: put(f, "delivery", "email", unsure), {}, "unknown", "red: email"),
    (NOTIFICATIONS, lambda f: put(f, "delivery", "Prometheus to Alertmanager", red), {}, "failed", "Prometheus to"),
    (
        NOTIFICATIONS,
        lambda f: put(f, "delivery", "slack", lambda c: _checks.not_applicable("slack", "x", "nothing was due")),
        {},
        "not_applicable",
        "not proven in this run for Slack",
    ),
    (
        NOTIFICATIONS,
        lambda f: f["delivery"].update(
            checks=[c for c in f["delivery"]["checks"] if c["name"] not in ("email", "slack")]
        ),
        {},
        "failed",
        "no receiver has e-mail or Slack",
    ),
    (BOARDS, None, {"boards": sample.boards()[:5]}, "failed", "5 of 5 boards"),
    (BOARDS, None, {"boards": boards_with("Logs", status="empty")}, "ok", "8 of 9 boards populated, 32 of 37"),
    (SLO, None, {"boards": [b for b in sample.boards() if "SLO" not in b["title"]]}, "failed", "no SLO board"),
    (SLO, None, {"boards": boards_with("SLO overview", status="error")}, "failed", "2 of 3 panels"),
    (SLO, None, {"slos": slos_with(state="no_data")}, "failed", "without data: trino-availability"),
    (SLO, None, {"slos": []}, "failed", "no SLO is declared"),
    (SLO, None, {"slos": slos_with(state="exhausted")}, "ok", "budget spent"),
    (SLO, None, {"slos": slos_with(state="young")}, "ok", "7 young"),
    (RULES, lambda f: put(f, "rules", "trino", red), {}, "failed", "not: trino"),
    (RULES, lambda f: put(f, "rules", "other rules", unsure), {}, "unknown", "not: other rules"),
    (SERVICES, lambda f: put(f, "workloads", "minio", red), {}, "failed", "19 of 20 services"),
    (SERVICES, lambda f: put(f, "workloads", "nodes", red), {}, "failed", "not: nodes"),
    (SERVICES, lambda f: put(f, "workloads", "minio", accepted), {}, "ok", "accepted: minio"),
]


@pytest.mark.parametrize(("which", "change", "more", "status", "words"), RED)
def test_each_turns_for_its_own_reason_alone(which, change, more, status, words):
    table = judged(change, **more)
    assert (table[which]["status"], words in table[which]["evidence"]) == (status, True), table[which]
    # The agent and the namespaces, and the two of the boards, share what they are derived from.
    kin = {LOGS: {AGENT}, AGENT: {LOGS}, BOARDS: {SLO}, SLO: {BOARDS}, NOTIFICATIONS: set()}.get(which, set())
    others = [item["status"] for index, item in enumerate(table) if index != which and index not in kin]
    assert set(others) == {"ok"}


@pytest.mark.parametrize(
    ("verdict", "which", "day"),
    [
        ("scrape", TARGETS, 1), ("logs", LOGS, 1), ("logs", AGENT, 1), ("routing", ROUTING, 2),
        ("delivery", NOTIFICATIONS, 2), ("dashboards", BOARDS, 3), ("slo", SLO, 3), ("rules", RULES, 2),
        ("workloads", SERVICES, 1),
    ],
)  # fmt: skip
def test_what_was_not_judged_is_told_with_its_day(verdict, which, day):
    extras = {"cluster_info": {**sample.CLUSTER_INFO, "sets": []}}
    item = judged(drop={verdict}, extras=extras)[which]
    assert (item["status"], item["evidence"], item["day"]) == (
        "not_applicable", f"not judged yet: day {day} brings it", day
    )  # fmt: skip
    assert _criteria.word(item) == "not yet"


def test_what_was_played_but_not_judged_now_is_not_called_to_come():
    item = judged(drop={"routing"})[ROUTING]
    assert (item["status"], item["evidence"]) == ("not_applicable", "not judged in this run")
    assert _criteria.word(item) == "not judged"


@pytest.mark.parametrize(
    ("said", "evidence", "word"),
    [
        ("day 2 was not played on this cluster", "not judged yet: day 2 brings it", "not yet"),
        ("the inventory names no Alertmanager", "the inventory names no Alertmanager", "not judged"),
    ],
)
def test_a_verdict_that_only_says_why_it_was_not_given(said, evidence, word):
    def excuse(found):
        check = {"name": "rules", "status": "not_applicable", "expected": "every rule is evaluated", "observed": said}
        found["rules"] = _report.collect("rules", {"checks": [check]})

    item = judged(excuse)[RULES]
    assert (item["status"], item["evidence"], _criteria.word(item)) == ("not_applicable", evidence, word)


def test_a_verdict_that_crashed_is_unknown():
    def crash(found):
        found["rules"] = _report.collect("rules", {"failed": True, "msg": "boom"})

    assert (judged(crash)[RULES]["status"], "boom" in judged(crash)[RULES]["evidence"]) == ("unknown", True)


def test_the_passive_verdict_counts_as_arrival_without_its_reservation():
    def passive(found):
        said = "2 accepted by the provider within 15m, which is not read by a person"
        found["delivery"]["checks"] = [
            _checks.ok("ops-mail", "no failed notification within 15m", said, details={"email": {"attempts": 2.0}})
        ]

    item = judged(passive)[NOTIFICATIONS]
    assert (item["status"], item["evidence"]) == ("ok", "e-mail 2 accepted by the provider within 15m")


def test_targets_are_counted_once_however_often_they_are_seen():
    def twice(found):
        for check in found["scrape"]["checks"]:
            check["details"]["targets"] = [sample._target("one")] * 3

    assert judged(twice)[TARGETS]["evidence"].startswith("1 different targets up")


def test_a_day_one_run_judges_five_and_names_the_days_of_the_rest():
    later = {"rules", "routing", "delivery", "dashboards", "slo"}
    table = judged(drop=later, slos=None, boards=None, extras={"cluster_info": {**sample.CLUSTER_INFO, "sets": []}})
    assert [item.get("day", 1) for item in table] == [1, 1, 1, 1, 2, 2, 3, 3, 2, 1]
    assert _criteria.line(table) == "5 of 10 success criteria met"


def test_the_words_are_the_plans():
    assert [words for words, _judge in _criteria.CRITERIA] == [
        "Prometheus Operator running with CRDs",
        "15+ metrics targets scraping successfully",
        "Loki collecting logs from all namespaces",
        "Promtail running on all nodes",
        "AlertManager routing alerts correctly",
        "Email/Slack notifications working",
        "6+ Grafana dashboards populated with data",
        "SLO dashboard tracking availability",
        "All PrometheusRules evaluated without errors",
        "Monitored services remain healthy during monitoring deployment",
    ]
