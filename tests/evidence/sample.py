# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents for pages: a platform that is well, one with faults, one that attacks the page, one that is too large.

Shapes are those of the modules.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _checks,
    _criteria,
    _report,
    _report_compare,
)

from tests.evidence.sample_boards import boards, panel_of

NOW = "2026-11-23T19:07:41Z"
BEFORE = "2026-11-23T18:41:39Z"
SERVICES = ("trino", "superset", "doris-fe", "doris-be", "datahub", "postgresql", "elasticsearch", "minio", "vault",
            "ingress", "cert-manager", "apiserver", "kubelet", "coredns", "node-exporter", "kube-state-metrics",
            "prometheus", "alertmanager", "loki", "kafka", "promtail", "blackbox")  # fmt: skip
NAMESPACES = ("cert-manager", "data-platform", "ingress-nginx", "kube-system", "monitoring", "team-a", "team-b")
CLUSTER_INFO = {
    "crds": {kind: {"version": "v1"} for kind in (*_criteria.KINDS, "alertmanagerconfigs", "thanosrulers")},
    "pods": [
        {
            "namespace": "monitoring", "name": "kube-prometheus-stack-operator-6c9d5cf8b4-2xkqf", "ready": True,
            "labels": {"app.kubernetes.io/name": "kube-prometheus-stack-prometheus-operator"},
        }
    ],
    "sets": ["alertmanager", "dashboards", "exporters", "rules", "servicemonitors"],
}  # fmt: skip


def verdict(name: str, *checks: _checks.Check, notes: tuple[str, ...] = ()) -> _report.Verdict:
    """A verdict as C(_report.collect) makes it."""
    return {"name": name, "checks": list(checks), "notes": list(notes)}


def _target(name: str, number: int = 0, health: str = "up") -> dict[str, Any]:
    return {"url": f"http://10.244.0.{number + 2}:8080/{name}", "health": health, "error": "", "pod": f"{name}-0"}


def _scrape() -> _report.Verdict:
    checks = [
        _checks.ok(
            name, "1 target up", "1 target up",
            details={"pools": [f"serviceMonitor/data-platform/{name}/0"], "targets": [_target(name, number)]},
        )
        for number, name in enumerate(SERVICES)
    ]  # fmt: skip
    return verdict("scrape", *checks, _checks.ok("targets in total", "at least 15 different targets up", "22 up"))


def _logs() -> _report.Verdict:
    spaces = [
        _checks.ok(
            f"namespace {name}", "what its containers wrote, labelled namespace, pod, container, app, tier",
            f"{number * 137 + 46} lines in 10m, {number + 1} of {number + 1} containers in Loki",
        )
        for number, name in enumerate(NAMESPACES)
    ]  # fmt: skip
    quiet = "nothing was written within 10m; that is not a fault"
    return verdict(
        "logs",
        _checks.ok("loki_ready", "Loki ready", "1 replica ready"),
        _checks.ok("agent_on_every_node", "the log agent runs and sends on every node", "1 of 1 nodes"),
        *spaces,
        _checks.ok("namespace quiet", "what its containers wrote", "0 lines in 10m, 0 of 1 containers", [quiet]),
        _checks.ok("discarded", "no line discarded", "none in 15m (Prometheus)"),
        _checks.ok("newest_line", "a line younger than 2m", "0s old"),
        _checks.ok("retention", "lines kept for 31d, then deleted", "configured 744h"),
    )


def _workloads() -> _report.Verdict:
    expected = "its Pods Ready throughout, no restart, none replaced"
    observed = "1 of 1 Pods Ready, the youngest 8m old, since 2026-11-23 19:06:26Z"
    checks = [_checks.ok(name, expected, observed) for name in SERVICES if name not in ("apiserver", "kubelet")]
    return verdict("workloads", *checks, _checks.ok("nodes", "nodes Ready, without new pressure", "1 of 1 nodes Ready"))


def _rules() -> _report.Verdict:
    return verdict(
        "rules",
        *(
            _checks.ok(name, f"{many} rules loaded, evaluated and able to fire", f"{many} of {many}")
            for many, name in zip([3, 4, 5, 6, 7, 8, 9] * 4, SERVICES, strict=False)
        ),
        _checks.ok("other rules", "2 rules of 2 other groups evaluated and healthy", "2 of 2"),
    )  # fmt: skip


def _routing() -> _report.Verdict:
    rows = (
        ("critical", "pagerduty, email"), ("warning", "slack, email"), ("info", "email"), ("heartbeat", "heartbeat"),
        ("critical of team analytics", "pagerduty, email"), ("warning of team analytics", "slack, email"),
        ("a warning is not sent while the same alert is critical", "slack, email"),
        ("Pods of a node that is down are not told", "slack, email"),
    )  # fmt: skip
    tree = _checks.ok("tree", "every route reachable, every alert told to somebody", "so it is")
    return verdict("routing", *(_checks.ok(name, to, to) for name, to in rows), tree)


def _delivery() -> _report.Verdict:
    return verdict(
        "delivery",
        *(
            _checks.ok(name, "the message arrives", f"arrived after {seconds} s")
            for name, seconds in (("pagerduty", 5.2), ("email", 5.2), ("slack", 5.3), ("heartbeat", 0.1))
        ),
        _checks.ok("somebody is told", "at least one integration on every replica", "4 integrations"),
        _checks.not_applicable("cluster", "replicas form one cluster", "there is one replica by design"),
        _checks.ok("Prometheus to Alertmanager", "sends to 1 Alertmanager, loses nothing", "sends to 1"),
    )


def slos(burning: bool = False) -> list[dict[str, Any]]:
    """As M(dataplatform.monitoring.slo_info) returns them."""
    found = []
    for number, (service, sli, objective) in enumerate((
        ("trino", "availability", 0.999), ("trino", "latency", 0.95), ("superset", "availability", 0.995),
        ("datahub", "availability", 0.999), ("postgresql", "availability", 0.9995), ("minio", "availability", 0.999),
        ("ingress", "availability", 0.999), ("kafka", "availability", 0.999),
    )):  # fmt: skip
        bad = burning and service in ("trino", "superset")
        spent = burning and service == "trino" and sli == "latency"
        left = -0.34 if spent else 0.412 if bad else 1 - 0.03 * number
        rate = 3.9 if bad else 0.08 * number
        found.append({
            "slo": f"{service}-{sli}", "service": service, "sli": sli, "objective": objective, "window": "28d",
            "window_seconds": 28 * 86400, "events": 12000, "message": "",
            "error_ratio": {"window": (1 - left) * (1 - objective), "5m": rate * (1 - objective)},
            "burn_rate": {"5m": rate * 1.3, "1h": rate, "6h": rate * 0.7, "3d": rate * 0.3},
            "budget_left": left, "exhaustion_seconds": 190000 if bad and not spent else None,
            "state": "exhausted" if spent else "burning_ticket" if bad else "young" if number > 3 else "ok",
            "coverage": 0.0042 if number > 3 else 1.0,
        })  # fmt: skip
    return found


TIMELINE = {
    "Page of ServiceDown, trino": [
        {"name": "scrape", "seconds": 49.0, "share": 0.259}, {"name": "evaluation", "seconds": 14.8, "share": 0.078},
        {"name": "for", "seconds": 120.0, "share": 0.633}, {"name": "to Alertmanager", "seconds": 0.02, "share": 0.0},
        {"name": "group_wait, pagerduty", "seconds": 5.01, "share": 0.026},
        {"name": "send, pagerduty", "seconds": 0.41, "share": 0.002},
        {"name": "group_wait, email", "seconds": 5.02, "share": 0.026},
        {"name": "send, email", "seconds": 0.87, "share": 0.005},
    ],
    "Its end": [
        {"name": "scrape", "seconds": 20.4, "share": 0.52}, {"name": "evaluation", "seconds": 8.4, "share": 0.21},
        {"name": "to Alertmanager", "seconds": 0.3, "share": 0.01},
        {"name": "group_interval, pagerduty", "seconds": 4.9, "share": 0.12},
        {"name": "send, pagerduty", "seconds": 0.4, "share": 0.01},
    ],
}  # fmt: skip


def _dashboards(found: list[dict[str, Any]]) -> _report.Verdict:
    checks = []
    for board in found:
        data = sum(panel["status"] in ("data", "empty_ok") for panel in board["panels"])
        told = f"{data} of {len(board['panels'])} panels have data or are rightly empty"
        checks.append(_checks.ok(board["title"], "every panel has data, or may be empty", told))
    return verdict("dashboards", *checks, notes=("Judged by queries, Grafana not present",))


def _slo(found: list[dict[str, Any]]) -> _report.Verdict:
    return verdict(
        "slo",
        *(
            _checks.ok(
                item["slo"], f"{item['objective']:.2%} over {item['window']}",
                f"{item['budget_left']:.0%} of the budget left" + (", young" if item["state"] == "young" else ""),
            )
            for item in found
        ),
    )  # fmt: skip


def document(verdicts: list[_report.Verdict], stamp: str = NOW, play: str = "verify", **given: Any) -> dict[str, Any]:
    """A document with its criteria, as the action plugin makes it."""
    criteria = _criteria.criteria(verdicts, given.get("slos"), given.get("boards"), {"cluster_info": CLUSTER_INFO})
    return _report.document(play, "lab", stamp, verdicts, criteria=criteria, **given)


def verdicts(slo_list: list[dict[str, Any]], board_list: list[dict[str, Any]]) -> list[_report.Verdict]:
    """All eight, all good."""
    earlier = [_scrape(), _logs(), _workloads(), _rules(), _routing(), _delivery()]
    return [*earlier, _dashboards(board_list), _slo(slo_list)]


def healthy() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(document, boards) of a platform that is well, after a run that was well too."""
    slo_list, board_list = slos(), boards()
    made = document(verdicts(slo_list, board_list), slos=slo_list, boards=board_list)
    before = document(verdicts(slo_list, board_list), BEFORE, "day3", slos=slo_list, boards=board_list)
    made["comparison"] = _report_compare.compare(made, before)
    return made, board_list


def broken() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(document, boards) with one fault of each kind, after a run that was well."""
    slo_list, board_list = slos(burning=True), boards()
    found = {item["name"]: item for item in verdicts(slo_list, board_list)}

    def put(name: str, check: _checks.Check) -> None:
        checks = found[name]["checks"]
        checks[next(i for i, old in enumerate(checks) if old["name"] == check["name"])] = check

    down = {
        "code": "target_down_refused",
        "message": "Pod data-platform/doris-be-86775c7c4d-jkhl2 refuses connections on port 8040: nothing listens.",
        "fix": "See why it does not listen: kubectl -n data-platform logs doris-be-86775c7c4d-jkhl2 --tail=50",
    }
    put("scrape", _checks.failed("doris-be", "1 target up", "0 targets up, 1 down: 10.244.0.4:8040", [down],
                                 details={"targets": [_target("doris-be", 3, "down")]}))  # fmt: skip
    webhook = {
        "code": "credentials_refused",
        "message": "slack on pod monitoring/alertmanager-kube-prometheus-stack-alertmanager-0: 403 invalid_token. "
        "3 of 3 notifications failed within 15m.",
        "fix": "Write the webhook's address anew: kubectl -n monitoring patch secret alertmanager-receivers "
        """--type=merge -p '{"stringData": {"slack-url": "https://hooks.slack.com/services/NEW"}}'""",
    }
    put("delivery", _checks.failed("slack", "no failed notification within 15m", "3 failed", [webhook]))
    lagging = {
        "code": "rule_not_evaluated",
        "message": "TrinoQueueLong was loaded 8 s ago and has not been evaluated.",
        "fix": "Wait for one interval of its group, then: ansible-playbook dataplatform.monitoring.verify --tags rules",
    }
    put("rules", _checks.unknown("trino", "3 rules loaded, evaluated and able to fire", "2 of 3", [lagging]))
    matcher = {
        "code": "panel_value_missing",
        "message": 'Panel "Superset performance": job="superset-web" selects nothing; the nearest value is "superset".',
        "fix": "In the catalogue's entry superset, then run day 3 again: job: superset",
    }
    for panel in board_list[1]["panels"]:
        if panel["title"] == "Superset performance":
            panel |= {"status": "empty", "series": [], "reason": matcher["message"]}
    wanted = "every panel has data, or may be empty"
    put("dashboards", _checks.failed("Data platform", wanted, "8 of 9 panels", [matcher]))
    spent = {
        "code": "slo_gate_closed",
        "message": "trino-latency has spent 134 % of its budget over 28d.",
        "fix": "Stop releases of trino and see what is slow: kubectl -n data-platform logs deploy/trino --tail=100",
    }
    put("slo", _checks.failed("trino-latency", "95.00% over 28d", "-34% of the budget left", [spent]))
    accepted = _checks.failed("kafka", "1 target up", "0 targets up", [down])
    note = "accepted until 2026-12-31 by platform: the brokers move to another cluster"
    put("scrape", {**accepted, "status": _checks.ACCEPTED, "notes": [note]})
    made = document(list(found.values()), slos=slo_list, boards=board_list, timeline=TIMELINE)
    older = healthy()[0]
    before = {**older, "time": BEFORE, "play": "day3"}
    before["verdicts"][0]["checks"] = before["verdicts"][0]["checks"][1:]
    made["comparison"] = _report_compare.compare(made, before)
    return made, board_list


HOSTILE = (
    "</script><script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=1">',
    "'><svg onload=alert(1)>",
    "</style><style>body{display:none}</style>",
    "</title></head><body onload=x>",
    "\x00\x1b[31m\x07\x9b\u202egnp.exe\ud800\ufffe",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;&amp;amp;",
    "a" * 3000,
    "javascript:alert(1)",
    "<!--",
    "]]>",
)


def hostile() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(document, boards) with every string made to break out of where it stands."""
    made, verdict_list = [], []
    for index, text in enumerate(HOSTILE):
        entry = {"code": text, "message": text, "fix": f"{text}: {text}"}
        checks = [
            _checks.failed(text, text, text, [entry, entry], [text], {"targets": [{"url": text, "health": text}]}),
            _checks.ok(f"{text} ok", text, text, [text]),
        ]
        verdict_list.append({"name": f"{text}{index}", "checks": checks, "notes": [text]})
        points = [[1, 2], [2, text], [text, 3], [4, 5]]
        panel = {"id": text, "title": text, "type": text, "unit": text, "status": text, "reason": text,
                 "thresholds": [text], "series": [{"name": text, "points": points}]}  # fmt: skip
        drawn = {**panel, "type": "table", "status": "data", "series": [{"name": text, "points": [[1, 2]]}] * 3}
        panels = [panel, drawn, {**panel, "status": "data"}]
        made.append({"uid": text, "title": text, "folder": text, "panels": panels})
    keys = ("slo", "service", "sli", "objective", "window", "state", "message", "budget_left", "coverage",
            "exhaustion_seconds", "window_seconds")  # fmt: skip
    bad = [
        {**dict.fromkeys(keys, text), "error_ratio": {"window": text}, "burn_rate": {"1h": text}} for text in HOSTILE
    ]
    line = {text: [{"name": f"{text}, {text}", "seconds": 1, "share": text}] for text in HOSTILE}
    found = document(verdict_list, stamp=HOSTILE[0], play=HOSTILE[1], slos=bad, boards=made, timeline=line)
    found["cluster"] = HOSTILE[0]
    before = {**found, "verdicts": verdict_list[:-1] + [{**verdict_list[-1], "checks": []}], "play": HOSTILE[2]}
    found["comparison"] = _report_compare.compare(found, before)
    return found, made


def huge() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(document, boards) of a hundred boards with fifteen panels each and ten thousand checks."""
    many = []
    for number in range(100):
        names = [f"series {index}" for index in range(8)]
        panels = [panel_of(number * 20 + n, f"Panel {n} of {number}", "s", 0.1, 3, names=names) for n in range(15)]
        many.append({"uid": f"b{number}", "title": f"Board {number}", "folder": "Many", "panels": panels})
    checks = [_checks.ok(f"target number {number}", "1 target up", "1 target up") for number in range(10_000)]
    return document([verdict("scrape", *checks)], boards=many, slos=slos()), many
