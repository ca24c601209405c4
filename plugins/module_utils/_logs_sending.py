# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What an agent's own counters say: does it find files, and does Loki take what it sends?

Pure functions. Sources: Promtail, clients/pkg/promtail/client/client.go and targets/file/metrics.go (as of 3.6);
Alloy, internal/component/common/loki/client/metrics.go and loki/source/file/metrics.go.
This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_metrics import (
    Gain,
    Page,
    Reading,
    by_label,
    gain,
    total,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import format_age

SPAN = 900.0


class Names(t.NamedTuple):
    """The counters of one kind of agent, under its own names."""

    dropped: str
    requests: str
    files: str
    failed_targets: str


_PROMTAIL = Names(
    "promtail_dropped_entries_total",
    "promtail_request_duration_seconds_count",
    "promtail_files_active_total",
    "promtail_targets_failed_total",
)
_ALLOY = Names(
    "loki_write_dropped_entries_total",
    "loki_write_request_duration_seconds_count",
    "loki_source_file_files_active_total",
    "",
)
AGENTS = (_PROMTAIL, _ALLOY)
WANTED = tuple(name for names in AGENTS for name in names if name) + ("process_start_time_seconds",)


class Trouble(t.NamedTuple):
    """What is wrong with one agent."""

    causes: list[dict[str, str]]
    notes: list[str]


class Gains(t.NamedTuple):
    """What one agent gained: lines given up, by reason; answers to its requests, by status."""

    dropped: Gain
    answers: Gain


def names_of(page: Page) -> Names:
    """Return which agent's counters a page shows."""
    return _ALLOY if any(name in page for name in _ALLOY if name) else _PROMTAIL


def between(first: Reading, last: Reading) -> Gains:
    """Return the gains of one agent by two readings of its page; without any request between them, by its totals
    when no request ever succeeded.
    """
    names = names_of(last.page)
    answers = gain(first, last, names.requests, "status_code", SPAN)
    if not answers.by:
        totals = by_label(last.page.get(names.requests, {}), "status_code")
        if totals and not any(status.startswith("2") and number for status, number in totals.items()):
            started = total(last.page, "process_start_time_seconds")
            answers = Gain(totals, last.at - (started or last.at), True)
    return Gains(gain(first, last, names.dropped, "reason", SPAN), answers)


def inspect(node: str, pod: str, namespace: str, last: Reading, before: Page, gains: Gains) -> Trouble:
    """Return what one agent's counters complain of.

    :param before: its page at an earlier reading, may be the same.
    """
    names = names_of(last.page)
    started = total(last.page, "process_start_time_seconds")
    young = started is not None and last.at - started <= SPAN + 300
    read_log = f"kubectl -n {namespace} logs {pod} --tail=20"
    who = f"the agent on node {node} ({pod})"
    causes: list[dict[str, str]] = []
    notes: list[str] = []

    files = total(last.page, names.files)
    no_path = by_label(last.page.get(names.failed_targets, {}), "reason").get("no_path", 0.0)
    if files == 0:
        causes.append(
            cause(
                "agent_no_files",
                f"{who[0].upper()}{who[1:]} reads no file at all"
                + (f": {no_path:.0f} targets have no path." if no_path else "."),
                "Every scrape job must set __path__ to files below /var/log/pods, and the folder must be mounted; in "
                "its relabel_configs: {source_labels: [__meta_kubernetes_pod_uid, "
                "__meta_kubernetes_pod_container_name], separator: /, target_label: __path__, "
                "replacement: /var/log/pods/*$1/*.log}",
            )
        )
    elif no_path and before.get(names.failed_targets) != last.page.get(names.failed_targets):
        notes.append(f"{who}: {no_path:.0f} targets have no path and are not read")

    for reason, number in sorted(gains.dropped.by.items()):
        text = (
            f"{who[0].upper()}{who[1:]} gave up {number:.0f} lines within {format_age(gains.dropped.span)} ({reason})"
        )
        if young and reason in ("ingester_error", ""):
            notes.append(f"{text}, as agents do when they first read old files: not counted")
        else:
            causes.append(
                cause("agent_dropped_lines", f"{text}: they are lost.", f"Read what Loki answered: {read_log}")
            )

    answers = gains.answers
    good = sum(number for status, number in answers.by.items() if status.startswith("2"))
    bad = {status: number for status, number in answers.by.items() if not status.startswith("2")}
    if bad and not good:
        causes.append(_cannot_send(who, bad, read_log))
    elif bad:
        listed = ", ".join(f"{_status(status)} {number:.0f} times" for status, number in sorted(bad.items()))
        notes.append(f"{who} was answered {listed} within {format_age(answers.span)}, then sent with success")
    return Trouble(causes, notes)


def _status(status: str) -> str:
    return "with a failed connection" if status in ("-1", "0", "") else status


def _cannot_send(who: str, bad: t.Mapping[str, float], read_log: str) -> dict[str, str]:
    status = max(bad, key=lambda key: bad[key])
    subject = f"{who[0].upper()}{who[1:]}"
    if status == "429":
        return cause(
            "agent_rate_limited",
            f"{subject} is refused every time: Loki takes no more from this tenant (429).",
            "Raise the limit in limits_config of Loki's configuration: ingestion_rate_mb: 20",
        )
    if status == "401":
        return cause(
            "agent_without_tenant",
            f"{subject} is refused every time: Loki has tenants and the agent names none (401).",
            "In the agent's client or loki.write endpoint: tenant_id: NAME",
        )
    said = "its connections fail" if status in ("-1", "0", "") else f"Loki answers {status}"
    return cause("agent_cannot_send", f"{subject} cannot send: {said}, with no success since.", f"Read why: {read_log}")


_SENDING = re.compile(r'msg="(?:final )?error sending batch[^"]*".*?status=(-?\d+)(?:.*?error="((?:[^"\\]|\\.)*)")?')


def from_log(node: str, pod: str, namespace: str, text: str) -> list[dict[str, str]]:
    """Return what an agent's own log last said of sending: its counters may stand still between two attempts."""
    complaints = list(_SENDING.finditer(text))
    if not complaints:
        return []
    found = complaints[-1]
    who = f"the agent on node {node} ({pod})"
    item = _cannot_send(who, {found.group(1): 1.0}, f"kubectl -n {namespace} logs {pod} --tail=20")
    said = (found.group(2) or "").replace('\\"', '"').replace("\\n", " ").strip()
    return [{**item, "message": f"{item['message'].rstrip('.')}: {said[:200]}"}] if said else [item]
