# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The ten success criteria, each from the verdicts. PRIVATE to the collection.

Pure functions. A criterion says no more than its words: "15+ targets" holds while one target more is down, and its
evidence names that one. What was not judged is told with the day that brings it, never taken as met.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._report_text import (
    count,
    duration,
    flat,
    listed,
    number,
)

Verdict = t.Mapping[str, t.Any]
Criterion = dict[str, t.Any]
MIN_TARGETS, MIN_BOARDS = 15, 6
#: Served by the operator of kube-prometheus-stack; without one of them a day of ours cannot work.
KINDS = ("alertmanagers", "podmonitors", "probes", "prometheuses", "prometheusrules", "servicemonitors")
#: Kind of integration -> its name in the criteria.
CHANNELS = {"email": "e-mail", "slack": "Slack", "pagerduty": "PagerDuty"}
#: Sets of objects that tell that a day was played (module cluster_info, C(sets)).
_PLAYED = {2: frozenset({"alertmanager", "rules"}), 3: frozenset({"dashboards"})}
_OF = re.compile(r"\b(\d+) of (\d+)\b")
_RED = (_checks.FAILED, _checks.UNKNOWN)
_GOOD = (_checks.OK, _checks.ACCEPTED)


class _Evidence:
    """What the criteria are derived from."""

    def __init__(
        self,
        verdicts: t.Sequence[Verdict],
        slos: t.Sequence[t.Mapping[str, t.Any]] | None,
        boards: t.Sequence[t.Mapping[str, t.Any]] | None,
        extras: t.Mapping[str, t.Any],
    ) -> None:
        self._verdicts = {str(verdict["name"]): verdict for verdict in verdicts}
        self.slos, self.boards, self.extras = slos, boards, extras

    @property
    def cluster(self) -> t.Mapping[str, t.Any]:
        return self.extras.get("cluster_info") or {}

    def checks(self, verdict: str) -> list[_checks.Check]:
        """The checks of a verdict; none when it was not asked for."""
        return list((self._verdicts.get(verdict) or {}).get("checks") or [])

    def notes(self, verdict: str) -> list[str]:
        found = self._verdicts.get(verdict) or {}
        own = [note for check in found.get("checks") or [] for note in check.get("notes") or []]
        return [*(found.get("notes") or []), *own]

    def missing(self, verdict: str, day: int) -> Criterion | None:
        """Why there is nothing to derive from, or None when there is."""
        checks = self.checks(verdict)
        if not checks:
            played = _PLAYED.get(day, frozenset()) & set(self.cluster.get("sets") or [])
            why = "not judged in this run" if played else f"not judged yet: day {day} brings it"
            return {"status": _checks.NOT_APPLICABLE, "evidence": why, "day": day}
        if all(check["status"] == _checks.NOT_APPLICABLE for check in checks):
            why = flat(checks[0]["observed"], 200)
            why = f"not judged yet: day {day} brings it" if "not played" in why else why
            return {"status": _checks.NOT_APPLICABLE, "evidence": why, "day": day}
        lost = [check for check in checks if (check.get("cause") or {}).get("code") == "verdict_missing"]
        return _as(_checks.UNKNOWN, flat(lost[0]["cause"]["message"], 300)) if lost else None


def _as(status: str, evidence: str) -> Criterion:
    return {"status": status, "evidence": evidence}


def _worst(checks: t.Sequence[_checks.Check]) -> str:
    """The status of all of them together."""
    statuses = {check["status"] for check in checks}
    for status in (_checks.FAILED, _checks.UNKNOWN):
        if status in statuses:
            return status
    return _checks.OK if statuses & set(_GOOD) else _checks.NOT_APPLICABLE


def _red(checks: t.Sequence[_checks.Check]) -> list[str]:
    return [flat(check["name"], 80) for check in checks if check["status"] in _RED]


def _tail(checks: t.Sequence[_checks.Check], lead: str = "not") -> str:
    """What the evidence adds for checks that are red or accepted."""
    red = _red(checks)
    accepted = [flat(check["name"], 80) for check in checks if check["status"] == _checks.ACCEPTED]
    words = f"; {lead}: {listed(red)}" if red else ""
    return words + (f"; accepted: {listed(accepted)}" if accepted else "")


def _operator(seen: _Evidence) -> Criterion:
    cluster = seen.cluster
    kinds, pods = cluster.get("crds"), cluster.get("pods")
    if kinds is None or pods is None:
        pools = {
            pool for check in seen.checks("scrape") for pool in (check.get("details") or {}).get("pools") or []
            if str(pool).lower().startswith(("servicemonitor/", "podmonitor/", "probe/"))
        }  # fmt: skip
        why = "the cluster's definitions and Pods were not read"
        if pools:
            why += f"; Prometheus runs {count(len(pools), 'scrape pool')} that only the operator writes"
        return _as(_checks.UNKNOWN, why)
    absent = [kind for kind in KINDS if kind not in kinds]
    operators = [pod for pod in pods if _is_operator(pod)]
    ready = [pod for pod in operators if pod.get("ready")]
    if absent:
        return _as(_checks.FAILED, f"not served by the API server: {', '.join(absent)}")
    if not ready:
        state = f"{count(len(operators), 'Pod')}, none Ready" if operators else "no Pod of it"
        return _as(_checks.FAILED, f"the operator does not run: {state}; {len(kinds)} kinds served")
    place = f"{ready[0].get('namespace')}/{ready[0].get('name')}"
    return _as(_checks.OK, f"{place} Ready, {len(kinds)} kinds of monitoring.coreos.com served")


def _is_operator(pod: t.Mapping[str, t.Any]) -> bool:
    """By the labels of kube-prometheus-stack, of kube-prometheus and of the bundle."""
    labels = pod.get("labels") or {}
    names = {str(labels.get(key, "")) for key in ("app.kubernetes.io/name", "app.kubernetes.io/component", "app")}
    return any(name.endswith(("prometheus-operator", "kube-prometheus-stack-operator")) for name in names)


def _targets(seen: _Evidence) -> Criterion:
    if missing := seen.missing("scrape", 1):
        return missing
    checks = seen.checks("scrape")
    up = {
        str(target.get("url"))
        for check in checks
        for target in (check.get("details") or {}).get("targets") or []
        if target.get("health") == "up"
    }
    entries = [check for check in checks if check["name"] != "targets in total"]
    status = _checks.OK if len(up) >= MIN_TARGETS else _checks.FAILED
    if status == _checks.FAILED and _worst(entries) == _checks.UNKNOWN:
        status = _checks.UNKNOWN
    good = sum(check["status"] in _GOOD for check in entries)
    judged = sum(check["status"] != _checks.NOT_APPLICABLE for check in entries)
    evidence = f"{len(up)} different targets up; {good} of {judged} expectations hold"
    return _as(status, evidence + _tail(entries))


def _namespaces(seen: _Evidence) -> Criterion:
    if missing := seen.missing("logs", 1):
        return missing
    checks = seen.checks("logs")
    spaces = [check for check in checks if check["name"].startswith("namespace")]
    needed = [*spaces, *(check for check in checks if check["name"] in ("loki_ready", "newest_line"))]
    status = _worst(spaces) if spaces else _checks.UNKNOWN
    status = _worst(needed) if status == _checks.OK else status
    judged = [check for check in spaces if check["status"] != _checks.NOT_APPLICABLE]
    good = [check for check in judged if check["status"] in _GOOD]
    evidence = f"{len(good)} of {len(judged)} namespaces"
    left_out = len(spaces) - len(judged)
    evidence += f", {left_out} not judged" if left_out else ""
    newest = next((check for check in checks if check["name"] == "newest_line"), None)
    if newest is not None and newest["status"] in _GOOD:
        evidence += f", newest line {flat(newest['observed'], 60)}"
    return _as(status, evidence + _tail(needed))


def _agent(seen: _Evidence) -> Criterion:
    if missing := seen.missing("logs", 1):
        return missing
    check = next((check for check in seen.checks("logs") if check["name"] == "agent_on_every_node"), None)
    if check is None:
        return _as(_checks.UNKNOWN, "the log agent was not judged")
    status = _worst([check])
    reason = f"; {flat(check['cause']['message'], 300)}" if check.get("cause") else ""
    return _as(status, flat(check["observed"], 120) + reason + _tail([check] if status == _checks.OK else []))


def _routing(seen: _Evidence) -> Criterion:
    if missing := seen.missing("routing", 2):
        return missing
    checks = [check for check in seen.checks("routing") if check["status"] != _checks.NOT_APPLICABLE]
    good = [check for check in checks if check["status"] in _GOOD]
    return _as(_worst(checks), f"{len(good)} of {len(checks)} expectations and properties hold{_tail(checks)}")


def _channels(check: _checks.Check) -> list[str]:
    """The channels a check of delivery is about: from what was counted, else from its name."""
    details = check.get("details") or {}
    kinds = {str(key) for key in details}
    for replica in details.get("replicas") or []:
        kinds |= {str(key) for key in replica.get("counted") or {}}
    found = [kind for kind in CHANNELS if kind in kinds]
    return found or [kind for kind in CHANNELS if kind in str(check["name"]).lower()]


def _notifications(seen: _Evidence) -> Criterion:
    if missing := seen.missing("delivery", 2):
        return missing
    checks = seen.checks("delivery")
    mine = [(kind, check) for kind in CHANNELS for check in checks if kind in _channels(check)]
    # Without these nothing arrives, whatever the channel; that a drill is overdue stops no message.
    broken = [check for check in checks if check["status"] in _RED and check["name"] != "fire drill"]
    told = [f"{CHANNELS[kind]} {_arrival(check)}" for kind, check in mine]
    evidence = "; ".join(dict.fromkeys(told))
    if broken:
        reds = f"red: {listed(_red(broken))}"
        return _as(_worst(broken), f"{reds}; {evidence}" if evidence else reds)
    wanted = [kind for kind, _check in mine if kind in ("email", "slack")]
    if not wanted:
        return _as(_checks.FAILED, f"no receiver has e-mail or Slack; {evidence or 'nothing is configured'}")
    idle = [CHANNELS[kind] for kind, check in mine if check["status"] == _checks.NOT_APPLICABLE]
    if idle:
        names = listed(list(dict.fromkeys(idle)))
        return _as(_checks.NOT_APPLICABLE, f"not proven in this run for {names}: {evidence}")
    return _as(_checks.OK, evidence)


def _arrival(check: _checks.Check) -> str:
    said = flat(check["observed"], 160).replace(", which is not read by a person,", "")
    return said.removesuffix(", which is not read by a person")


def _panels(board: t.Mapping[str, t.Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for panel in board.get("panels") or []:
        status = str(panel.get("status"))
        found[status] = found.get(status, 0) + 1
    return found


def populated(board: t.Mapping[str, t.Any]) -> bool:
    """Data in at least one panel, and none that is dead."""
    panels = _panels(board)
    return bool(panels.get("data")) and not panels.get("empty") and not panels.get("error")


def _grafana(seen: _Evidence) -> str:
    """How it was judged: by Grafana too, or by the panels' queries alone."""
    said = [note for note in seen.notes("dashboards") if "grafana" in note.lower()]
    for check in seen.checks("dashboards"):
        if "grafana" in str(check["name"]).lower():
            said.append(f"{check['observed']}" if check["status"] != _checks.OK else f"Grafana: {check['observed']}")
    return f"; {flat(said[0], 160)}" if said else ""


def _boards(seen: _Evidence) -> Criterion:
    if missing := seen.missing("dashboards", 3):
        return missing
    checks = seen.checks("dashboards")
    boards = list(seen.boards or [])
    if boards:
        good = [board for board in boards if populated(board)]
        panels = [_panels(board) for board in boards]
        data = sum(one.get("data", 0) for one in panels)
        empty = sum(one.get("empty_ok", 0) for one in panels)
        whole = sum(sum(one.values()) - one.get("no_query", 0) for one in panels)
        evidence = f"{len(good)} of {len(boards)} boards populated, {data} of {whole} panels have data"
        evidence += f", {empty} empty as they should be" if empty else ""
        dead = [flat(board.get("title") or board.get("uid"), 80) for board in boards if not populated(board)]
        evidence += f"; not: {listed(dead)}" if dead else ""
        number_good = len(good)
    else:
        number_good = sum(check["status"] in _GOOD for check in checks)
        evidence = f"{number_good} of {len(checks)} boards{_tail(checks)}"
    status = _checks.OK if number_good >= MIN_BOARDS else _checks.FAILED
    if status == _checks.FAILED and _worst(checks) == _checks.UNKNOWN:
        status = _checks.UNKNOWN
    return _as(status, evidence + _grafana(seen))


def _slo_board(seen: _Evidence) -> Criterion:
    if missing := seen.missing("slo", 3) or (seen.missing("dashboards", 3) if seen.boards is None else None):
        return missing
    slos = list(seen.slos or [])
    tracked = [slo for slo in slos if slo.get("sli") == "availability"] or slos
    dead = [str(slo.get("slo")) for slo in tracked if slo.get("state") in ("no_data", None)]
    board = next((board for board in seen.boards or [] if _is_slo_board(board)), None)
    evidence = f"{len(tracked) - len(dead)} of {len(tracked)} SLOs tracked"
    evidence += _young(tracked)
    spent = [str(slo.get("slo")) for slo in tracked if slo.get("state") == "exhausted"]
    evidence += f", budget spent: {listed(spent)}" if spent else ""
    evidence += f"; without data: {listed(dead)}" if dead else ""
    if board is None:
        return _as(_checks.FAILED, f"no SLO board among {count(len(seen.boards or []), 'board')}; {evidence}")
    title = flat(board.get("title") or board.get("uid"), 80)
    panels = _panels(board)
    asked = sum(panels.values()) - panels.get("no_query", 0)
    told = f"board {title}: {panels.get('data', 0)} of {asked} panels have data"
    if not tracked:
        return _as(_checks.FAILED, f"{told}; no SLO is declared")
    status = _checks.FAILED if dead or not populated(board) else _checks.OK
    return _as(status, f"{evidence}; {told}")


def _is_slo_board(board: t.Mapping[str, t.Any]) -> bool:
    return bool(re.search(r"\bslos?\b", f"{board.get('uid')} {board.get('title')}".lower().replace("-", " ")))


def _young(slos: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """How many windows are not full yet, and how far the oldest of them is."""
    young = [slo for slo in slos if slo.get("state") == "young"]
    if not young:
        return ""
    covered = [(number(slo.get("coverage")) or 0.0) * (number(slo.get("window_seconds")) or 0.0) for slo in young]
    window = flat(young[0].get("window") or "the window", 20)
    far = f", {duration(max(covered))} of {window} so far" if any(covered) else ""
    return f" ({len(young)} young{far})"


def _rules(seen: _Evidence) -> Criterion:
    if missing := seen.missing("rules", 2):
        return missing
    checks = [check for check in seen.checks("rules") if check["status"] != _checks.NOT_APPLICABLE]
    healthy, whole = rules_healthy(checks)
    evidence = f"{healthy} of {whole} rules healthy" if whole else f"{count(len(checks), 'check')} of rules"
    return _as(_worst(checks), evidence + _tail(checks))


def rules_healthy(checks: t.Iterable[_checks.Check]) -> tuple[int, int]:
    """(healthy, all) rules, over checks of M(dataplatform.monitoring.verify_rules)."""
    found = [_OF.search(str(check["observed"])) for check in checks]
    pairs = [(int(match[1]), int(match[2])) for match in found if match]
    return sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)


def _services(seen: _Evidence) -> Criterion:
    if missing := seen.missing("workloads", 1):
        return missing
    checks = [check for check in seen.checks("workloads") if check["status"] != _checks.NOT_APPLICABLE]
    services = [check for check in checks if check["name"] != "nodes"]
    good = [check for check in services if check["status"] in _GOOD]
    moments = [re.search(r"since (\d{4}-\S+ \S+)", str(check["observed"])) for check in services]
    since = next((match[1] for match in moments if match), "")
    evidence = f"{len(good)} of {len(services)} services Ready throughout" + (f" since {since}" if since else "")
    return _as(_worst(checks), evidence + _tail(checks))


#: In their order.
CRITERIA: tuple[tuple[str, t.Callable[[_Evidence], Criterion]], ...] = (
    ("Prometheus Operator running with CRDs", _operator),
    ("15+ metrics targets scraping successfully", _targets),
    ("Loki collecting logs from all namespaces", _namespaces),
    ("Promtail running on all nodes", _agent),
    ("AlertManager routing alerts correctly", _routing),
    ("Email/Slack notifications working", _notifications),
    ("6+ Grafana dashboards populated with data", _boards),
    ("SLO dashboard tracking availability", _slo_board),
    ("All PrometheusRules evaluated without errors", _rules),
    ("Monitored services remain healthy during monitoring deployment", _services),
)


def criteria(
    verdicts: t.Sequence[Verdict],
    slos: t.Sequence[t.Mapping[str, t.Any]] | None = None,
    boards: t.Sequence[t.Mapping[str, t.Any]] | None = None,
    extras: t.Mapping[str, t.Any] | None = None,
) -> list[Criterion]:
    """The table.

    :param verdicts: C({name, checks, notes}), named scrape, logs, workloads, rules, routing, delivery, dashboards, slo.
    :param slos: of M(dataplatform.monitoring.slo_info). :param boards: of M(dataplatform.monitoring.verify_dashboards).
    :param extras: C(cluster_info), the C(cluster) of M(dataplatform.monitoring.cluster_info): definitions, Pods, sets.
    :returns: C({criterion, status, evidence}), status as of a check; with C(day) where a later day brings it.
    """
    seen = _Evidence(verdicts, slos, boards, extras or {})
    return [{"criterion": words, **judge(seen)} for words, judge in CRITERIA]


def word(criterion: Criterion) -> str:
    """Its status for people: what was not judged is "not yet" where a later day brings it."""
    if criterion["status"] == _checks.NOT_APPLICABLE:
        return "not yet" if "not judged yet" in criterion["evidence"] else "not judged"
    return str(criterion["status"]).upper() if criterion["status"] == _checks.FAILED else str(criterion["status"])


def line(table: t.Sequence[Criterion]) -> str:
    """One line: how many are met."""
    met = sum(item["status"] == _checks.OK for item in table)
    return f"{met} of {len(table)} success criteria met"
