# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The scrape verdict on one entry: every cause, the most upstream one first.

This module util is PRIVATE to the collection. A pure function of expectation, snapshot and time. The way is followed in
the direction in which a target comes about: monitor, selection, configuration, Service, port, Pod, discovery,
relabeling, scrape, content. What is a mere consequence of an earlier cause is not told as another one.
"""

from __future__ import annotations

import difflib
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _checks,
    _scrape_counts,
    _scrape_exporter,
    _scrape_health,
    _scrape_live,
    _scrape_monitor,
    _scrape_probe,
    _scrape_reach,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import selects
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import format_time
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_config import sanitise
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_errors import brief
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_fixes import entry_line, fix
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_live import Seen
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import (
    ENDPOINTS_KEY,
    Expectation,
    Finding,
    Judgement,
    Object,
    Snapshot,
    Target,
    View,
    some,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_past import last_scrape, next_scrape
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_services import Address

# From cause to consequence; a code that is not here comes last.
ORDER = (
    "server_unreachable", "server_error", "access_forbidden",
    "no_monitor", "no_prometheus", "monitor_not_selected", "monitor_rejected",
    "prometheus_paused", "operator_not_running", "prometheus_not_reconciled", "reload_failed",
    "exporter_missing", "no_service_matches", "no_pod_matches", "no_such_port", "port_is_number", "no_ready_endpoints",
    "config_not_loaded", "config_stale",
    "prometheus_rbac", "not_discovered", "dropped_by_relabeling", "no_such_job",
    "prober_missing",
    "pod_not_ready", "control_plane_loopback",
    "target_down_dns", "target_down_unreachable", "target_down_refused", "target_down_timeout", "target_down_tls",
    "target_down_credentials", "target_down_unauthorized", "target_down_not_found", "target_down_server_error",
    "target_down_http", "target_down_closed", "not_metrics", "sample_limit", "scrape_limit", "target_down",
    "wrong_job", "probe_failed", "not_healthy", "must_have_missing", "too_few_samples",
    "fewer_targets", "more_targets", "scraped_twice", "flapping", "replicas_disagree", "target_vanished",
    "not_scraped_yet",
)  # fmt: skip
_RANK = {code: rank for rank, code in enumerate(ORDER)}
# What is wrong with targets that are there; with an exporter's, the cause may be what it exports.
_OF_TARGETS = frozenset(ORDER[ORDER.index("pod_not_ready") : ORDER.index("too_few_samples") + 1])


def diagnose(expectation: Expectation, snapshot: Snapshot, now: float, started: float) -> Judgement:
    """Judge one entry.

    :param now: Unix time by the clock of Prometheus. :param started: the same clock, when the verdict began.
    """
    if expectation.state in ("skipped", "pending"):
        reason = expectation.reason or (
            "comes with day 2" if expectation.state == "pending" else "skipped by the catalogue"
        )
        return Judgement(_checks.not_applicable(expectation.name, _floor_text(expectation), reason))
    findings: list[Finding] = [server.problem for server in snapshot.servers if server.problem]
    views = snapshot.views
    missed = snapshot.misses
    if expectation.monitor is not None and snapshot.kubernetes:
        subject = _of_monitor(expectation, snapshot, now)
    else:
        subject = _of_job(expectation, snapshot)
    if snapshot.misses > missed:
        # Which targets are meant is not known before these facts are; asking about them would be in vain.
        views = []
    findings += subject.findings
    by_view: list[list[Seen]] = []
    for view in views:
        found, seen = _judge_view(expectation, subject, view, snapshot, now, started)
        findings += _as_seen_by(view, views, found)
        by_view.append(seen)
    if views:
        findings += _scrape_counts.judge_replicas(views, by_view)
    return _conclude(expectation, subject, findings, views, by_view, now)


class _Subject(t.NamedTuple):
    """What is looked at: the targets of a monitor's pools, or of a job.

    :param blocked: True when a cause was found before the first target: missing ones are then a consequence.
    :param reached: expected addresses by endpoint, None when they are not known.
    """

    monitor: _scrape_monitor.Monitor | None
    pools: list[str]
    job: str | None
    findings: list[Finding]
    reached: list[list[Address]] | None
    pods: dict[str, Object]
    blocked: bool

    def targets(self, view: View, expectation: Expectation) -> list[Target]:
        if self.monitor is not None:
            return [target for target in view.targets if target.get("scrapePool") in self.pools]
        return targets_by_job(expectation, view.targets)


def _of_monitor(expectation: Expectation, snapshot: Snapshot, now: float) -> _Subject:
    monitor = _scrape_monitor.examine(expectation, snapshot, now)
    reach = _scrape_reach.examine(expectation, monitor.item, monitor.prometheus, snapshot, now)
    findings = [*monitor.findings, *reach.findings]
    return _Subject(
        monitor,
        monitor.pools,
        expectation.job,
        findings,
        reach.addresses,
        reach.pods,
        bool(findings) or not monitor.loaded,
    )


def _of_job(expectation: Expectation, snapshot: Snapshot) -> _Subject:
    """A monitor that is not ours, or a Prometheus without Kubernetes: the targets are known by their job."""
    pods: dict[str, Object] = {}
    if snapshot.kubernetes:
        for namespace in expectation.namespaces:
            objects = snapshot.fact("objects", namespace)
            if isinstance(objects, dict):
                pods.update(_scrape_reach.by_uid(objects["pods"]))
    return _Subject(None, [], expectation.job, [], None, pods, False)


def targets_by_job(expectation: Expectation, targets: t.Sequence[Target]) -> list[Target]:
    """The targets of the job that is expected; when none is named, those with the labels of the selector."""
    if expectation.job is None:
        return _of_selector(expectation, targets)
    return _of_label(expectation.job, targets)


def _of_label(job: str, targets: t.Sequence[Target]) -> list[Target]:
    return [target for target in targets if (target.get("labels") or {}).get("job") == job]


def _of_selector(expectation: Expectation, targets: t.Sequence[Target]) -> list[Target]:
    """Targets whose Service or Pod has the labels of the selector: whoever scrapes them."""
    if not expectation.selector:
        return _of_label(expectation.name, targets)
    found = []
    for target in targets:
        labels = target.get("discoveredLabels") or {}
        namespace = labels.get("__meta_kubernetes_namespace")
        if expectation.namespaces and namespace not in expectation.namespaces:
            continue
        if any(selects(_sanitised(expectation.selector), _meta(labels, role)) for role in ("service", "pod")):
            found.append(target)
    return found


def _meta(labels: t.Mapping[str, str], role: str) -> dict[str, str]:
    prefix = f"__meta_kubernetes_{role}_label_"
    return {key[len(prefix) :]: value for key, value in labels.items() if key.startswith(prefix)}


def _sanitised(selector: Object) -> Object:
    return {
        "matchLabels": {sanitise(key): value for key, value in (selector.get("matchLabels") or {}).items()},
        "matchExpressions": [
            {**rule, "key": sanitise(str(rule.get("key")))} for rule in selector.get("matchExpressions") or []
        ],
    }


def _judge_view(
    expectation: Expectation, subject: _Subject, view: View, snapshot: Snapshot, now: float, started: float
) -> tuple[list[Finding], list[Seen]]:
    targets = subject.targets(view, expectation)
    job = _job_of(expectation, subject, targets)
    history = snapshot.fact("history", job) if job and targets else None
    raw = view.pick(history) if isinstance(history, dict) else []
    seen = _scrape_live.look(targets, subject.pods, raw, now)
    findings: list[Finding] = [history] if isinstance(history, Finding) else []
    if not targets:
        if subject.monitor is None:
            findings += _no_target(expectation, subject, view, snapshot)
        findings += _scrape_counts.judge_vanished(expectation, expectation.job or expectation.name, snapshot, view)
    if subject.monitor is not None and subject.reached is not None and not subject.blocked:
        findings += _scrape_counts.judge_missing(expectation, subject.monitor, subject.reached, view, snapshot, now)
    item = subject.monitor.item if subject.monitor else None
    findings += _scrape_live.judge_down(expectation, seen, view, now, started, item)
    findings += _scrape_live.judge_waiting(seen, view, _scrape_monitor.reloaded(subject.monitor, view, snapshot))
    findings += _scrape_live.judge_flapping(seen, now)
    pools = subject.pools or sorted({str(target.get("scrapePool")) for target in targets})
    findings += _scrape_live.judge_twice(expectation, seen, view, pools)
    findings += _wrong_job(expectation, subject, seen)
    if job:
        findings += _scrape_health.judge(expectation, job, seen, view, snapshot, now, started)
    if _scrape_probe.is_probe(expectation):
        findings = _scrape_probe.explain(expectation, item, job, findings, view, snapshot, now)
    elif any(finding.code in _OF_TARGETS for finding in findings):
        findings += _scrape_exporter.judge_source(expectation, snapshot, now)
    if not findings and not subject.blocked:
        findings += _scrape_counts.judge_floor(expectation, seen)
    return findings, seen


def _job_of(expectation: Expectation, subject: _Subject, targets: t.Sequence[Target]) -> str | None:
    """The job label the targets really have; the one expected as long as there is none."""
    jobs = [str((target.get("labels") or {}).get("job")) for target in targets]
    if jobs and (subject.job is None or subject.job not in jobs):
        return jobs[0]
    return subject.job


def _wrong_job(expectation: Expectation, subject: _Subject, seen: t.Sequence[Seen]) -> list[Finding]:
    if subject.monitor is None or expectation.job is None:
        return []
    bad = [item for item in seen if (item.target.get("labels") or {}).get("job") != expectation.job]
    if not bad:
        return []
    has = some(str((item.target.get("labels") or {}).get("job")) for item in bad)
    rule = {"action": "replace", "targetLabel": "job", "replacement": expectation.job}
    key = ENDPOINTS_KEY.get((expectation.monitor or {}).get("kind", ""), "endpoints")
    return [
        Finding(
            "wrong_job",
            f"Its targets have job={has} instead of {expectation.job}: alerts, panels and objectives of "
            f"{expectation.name} select nothing.",
            fix(f"Every item of {key} of {expectation.monitor_text} needs", f"relabelings: [{_flow_rule(rule)}]"),
            10.0,
        )
    ]


def _flow_rule(rule: Object) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in rule.items()) + "}"


def _no_target(expectation: Expectation, subject: _Subject, view: View, snapshot: Snapshot) -> list[Finding]:
    """No target of a job that somebody else's monitor, or a plain configuration, should lead to."""
    wanted = expectation.job or expectation.name
    if any(wanted in server.pools for server in view.servers):
        return [_scrape_counts.judge_empty_pool(expectation, wanted, view, snapshot)]
    findings = []
    if view.reload_failed:
        findings.append(
            Finding(
                "reload_failed",
                f"Prometheus runs a configuration without job {wanted}; it could not load its newest one and keeps "
                f"that of {format_time(view.config_time)}.",
                fix("Read what is wrong with it", "promtool check config /etc/prometheus/prometheus.yml"),
                10.0,
            )
        )
    jobs = sorted({str((target.get("labels") or {}).get("job")) for target in view.targets})
    near = [job for job in jobs if wanted in job or job in wanted] or difflib.get_close_matches(wanted, jobs, 1, 0.6)
    there = "there are no targets"
    if near:
        there = f"the nearest job is {near[0]}"
    elif jobs:
        there = f"the jobs are {some(jobs, 8)}"
    what = f"job={subject.job}" if subject.job else "the labels of the selector"
    message = f"No target has {what}: {there}."
    if not snapshot.kubernetes:
        message += " Why, cannot be told without the Kubernetes API."
    if expectation.state == "adopted" and snapshot.kubernetes:
        remedy = entry_line(expectation, "adopt", False, "scrape it with a monitor of our own")
    elif near:
        remedy = entry_line(expectation, "job", near[0], "name the job as it is")
    else:
        remedy = fix("Add a scrape configuration to Prometheus", f"job_name: {wanted}")
    return [*findings, Finding("no_such_job", message, remedy, 10.0)]


def _as_seen_by(view: View, views: t.Sequence[View], findings: list[Finding]) -> list[Finding]:
    """Name the replica where there are several."""
    if len(views) < 2:
        return findings
    return [finding._replace(message=f"On {view.name}: {finding.message}") for finding in findings]


def _conclude(
    expectation: Expectation,
    subject: _Subject,
    findings: list[Finding],
    views: list[View],
    by_view: list[list[Seen]],
    now: float,
) -> Judgement:
    findings = _sorted(findings)
    best = max(by_view, key=lambda seen: len({item.url for item in seen if item.up}), default=[])
    up = frozenset(item.url for item in best if item.up)
    expected = _expected_text(expectation, subject)
    observed = _observed_text(best, views)
    if _scrape_probe.is_probe(expectation):
        expected, observed = _scrape_probe.texts(expectation, expected, observed, findings)
    details = _details(subject, by_view, views)
    notes = list(dict.fromkeys(note for seen in by_view for note in _scrape_live.recovery_notes(seen, now)))
    waiting = [next_scrape(item.target, now) for seen in by_view for item in seen if not item.leaving]
    causes = [finding.cause for finding in findings]
    if not findings and not views:
        # Only while facts are still wanted: the collector hands over a problem when no server answers.
        finding = Finding("not_scraped_yet", "Not looked at yet.", fix("Ask again", "timeout: 180"), certain=False)
        check = _checks.unknown(expectation.name, expected, observed, [finding.cause])
        return Judgement(check, [finding])
    if not findings:
        check = _checks.ok(expectation.name, expected, observed, notes, details)
    elif any(finding.certain for finding in findings):
        check = _checks.failed(expectation.name, expected, observed, causes, notes, details)
    else:
        check = _checks.unknown(expectation.name, expected, observed, causes, notes, details)
    return Judgement(check, findings, up, min(waiting, default=None))


def _sorted(findings: list[Finding]) -> list[Finding]:
    """Most upstream first, each once; what several replicas say alike is said once, with the shorter patience."""
    merged: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        plain = re.sub(r"^On [^:]*: ", "", finding.message)
        key = (finding.code, plain)
        if key in merged:
            other = merged[key]
            finding = other._replace(message=plain, patience=min(other.patience, finding.patience))
        merged[key] = finding
    return sorted(merged.values(), key=lambda finding: (not finding.certain, _RANK.get(finding.code, len(ORDER))))


def _floor_text(expectation: Expectation) -> str:
    return f"at least {expectation.min_targets} target{'s' * (expectation.min_targets != 1)} up"


def _expected_text(expectation: Expectation, subject: _Subject) -> str:
    if subject.reached is None:
        return _floor_text(expectation)
    number = len({(index, item.address) for index, found in enumerate(subject.reached) for item in found})
    number = max(number, expectation.min_targets)
    return f"{number} target{'s' * (number != 1)} up"


def _observed_text(seen: t.Sequence[Seen], views: t.Sequence[View]) -> str:
    if not views:
        return "Prometheus could not be asked"
    if not seen:
        return "no target"
    up = {item.url for item in seen if item.up}
    down = [item for item in seen if item.target.get("health") == "down"]
    waiting = [item for item in seen if item.target.get("health") not in ("up", "down")]
    words = [f"{len(up)} target{'s' * (len(up) != 1)} up"]
    if down:
        error = brief(str(down[0].target.get("lastError") or ""))
        words.append(f"{len(down)} down: {some((item.text for item in down), 2)} ({error})")
    if waiting:
        words.append(f"{len(waiting)} not scraped yet")
    return ", ".join(words)


def _details(subject: _Subject, by_view: list[list[Seen]], views: list[View]) -> dict[str, t.Any]:
    """The last observation, small enough to keep as evidence."""
    rows = []
    for view, seen in zip(views, by_view, strict=True):
        for item in seen[:20]:
            rows.append(
                {
                    "prometheus": view.name,
                    "url": item.url,
                    "health": item.target.get("health"),
                    "error": brief(str(item.target.get("lastError") or "")),
                    "scraped": last_scrape(item.target),
                    "pod": (item.target.get("labels") or {}).get("pod"),
                }
            )
    jobs = sorted({str((item.target.get("labels") or {}).get("job")) for seen in by_view for item in seen})
    return {"pools": subject.pools, "jobs": jobs, "targets": rows}


def judge_total(wanted: int, judgements: t.Sequence[Judgement]) -> Judgement:
    """C(min_targets_total): distinct URLs that are up, over all entries."""
    up = frozenset(url for judgement in judgements for url in judgement.up_urls)
    expected, observed = f"at least {wanted} different targets up", f"{len(up)} up"
    if len(up) >= wanted:
        return Judgement(_checks.ok("targets in total", expected, observed), [], up)
    finding = Finding(
        "fewer_targets",
        f"{len(up)} different targets of the catalogue are up, {wanted} are asked for.",
        fix("Repair what the other checks name, or ask for what there is", f"min_targets_total: {len(up)}"),
        float("inf"),
    )
    return Judgement(_checks.failed("targets in total", expected, observed, [finding.cause]), [finding], up)
