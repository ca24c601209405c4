# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Lines that Loki refused, and why.

Pure functions. Source of the reasons: Loki, pkg/validation/validate.go (and pkg/ingester/stream.go for
too_far_behind). Each reason has its own cause and fix. This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_metrics import Gain
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import format_age

METRIC = "loki_discarded_samples_total"
SPAN = 900.0
NAME = "discarded"

_LIMITS = "limits_config of Loki's configuration"
_RUNTIME = "configs.<tenant> of Loki's runtime configuration"


class _Reason(t.NamedTuple):
    """What happened, what to do, the line of YAML that does it, and the section it belongs to."""

    what: str
    advice: str
    line: str
    section: str = _LIMITS


_REASONS: dict[str, _Reason] = {
    "discarded_rate_limited": _Reason(
        "more was sent than ingestion_rate_mb and ingestion_burst_size_mb allow for the tenant",
        "Find the loudest sender, or raise the limit",
        "ingestion_rate_mb: 20",
    ),
    "discarded_per_stream_rate_limit": _Reason(
        "a single stream sent more than per_stream_rate_limit",
        "Split the stream by another label, or raise the limit",
        "per_stream_rate_limit: 10MB",
    ),
    "discarded_stream_limit": _Reason(
        "there are more active streams than max_global_streams_per_user",
        "Take labels with many values (request or user ids) off the streams, or raise the limit",
        "max_global_streams_per_user: 20000",
    ),
    "discarded_line_too_long": _Reason(
        "lines are longer than max_line_size",
        "Cut them instead of dropping them",
        "max_line_size_truncate: true",
    ),
    "discarded_too_far_behind": _Reason(
        "lines arrived more than an hour later than newer ones of the same stream",
        "Two senders share a stream: give each its own label; or allow a wider span",
        "unordered_writes: true",
    ),
    "discarded_out_of_order": _Reason(
        "lines arrived in another order than they were written",
        "Accept any order",
        "unordered_writes: true",
    ),
    "discarded_greater_than_max_sample_age": _Reason(
        "lines are older than reject_old_samples_max_age",
        "An agent read old files, or a clock is wrong; to keep such lines",
        "reject_old_samples_max_age: 336h",
    ),
    "discarded_too_far_in_future": _Reason(
        "lines carry a time in the future",
        "Set the clocks of the nodes right, or take the time zone into account where the agent parses times",
        "creation_grace_period: 20m",
    ),
    "discarded_max_label_names_per_series": _Reason(
        "streams carry more labels than max_label_names_per_series",
        "Drop labels in the agent, or raise the limit",
        "max_label_names_per_series: 20",
    ),
    "discarded_label_name_too_long": _Reason(
        "a label's name is longer than max_label_name_length",
        "Rename the label in the agent, or raise the limit",
        "max_label_name_length: 2048",
    ),
    "discarded_label_value_too_long": _Reason(
        "a label's value is longer than max_label_value_length",
        "Such a value is not a label: keep it in the line; or raise the limit",
        "max_label_value_length: 4096",
    ),
    "discarded_duplicate_label_names": _Reason(
        "a stream carries the same label twice",
        "Correct the relabelling of the agent; to see such streams",
        "log_push_request_streams: true",
        _RUNTIME,
    ),
    "discarded_missing_labels": _Reason(
        "lines came without any label",
        "Give them labels in the agent: a scrape job without relabelling sends none; to see them",
        "log_push_request_streams: true",
        _RUNTIME,
    ),
    "discarded_invalid_labels": _Reason(
        "labels cannot be parsed",
        "Correct the relabelling of the agent: names are letters, digits and underscores; to see them",
        "log_push_request_streams: true",
        _RUNTIME,
    ),
    "discarded_missing_enforced_labels": _Reason(
        "streams lack a label that enforced_labels demands",
        "Add the label in the agent, or stop demanding it",
        "enforced_labels: []",
    ),
    "discarded_blocked_ingestion": _Reason(
        "ingestion is blocked for the tenant",
        "Lift the block when it is no longer meant",
        "block_ingestion_until: 0",
    ),
    "discarded_blocked_ingestion_policy": _Reason(
        "ingestion is blocked for a policy",
        "Lift the block when it is no longer meant",
        "block_ingestion_policy_until: {}",
    ),
    "discarded_disallowed_structured_metadata": _Reason(
        "lines carry structured metadata, which is switched off",
        "Allow it (needs schema v13), or do not send it",
        "allow_structured_metadata: true",
    ),
    "discarded_structured_metadata_too_large": _Reason(
        "structured metadata is larger than max_structured_metadata_size",
        "Send less of it, or raise the limit",
        "max_structured_metadata_size: 128KB",
    ),
    "discarded_structured_metadata_too_many": _Reason(
        "lines carry more structured metadata entries than max_structured_metadata_entries_count",
        "Send fewer, or raise the limit",
        "max_structured_metadata_entries_count: 256",
    ),
}
# Refused, but sent again by the agent until they fit; or old files that a new agent reads for the first time.
_CATCHING_UP = ("rate_limited", "per_stream_rate_limit", "greater_than_max_sample_age", "too_far_behind")
_PREFIX = "discarded_"
REASONS = tuple(code.removeprefix(_PREFIX) for code in _REASONS)


def code_of(reason: str) -> str:
    """The cause code of a reason; reasons that Loki may add later share one."""
    return _PREFIX + reason if reason in REASONS else "discarded_other"


def judge(
    found: Gain | None, allowed: float, source: str, agent_age: float | None = None, error: str = ""
) -> _checks.Check:
    """Judge what was discarded.

    :param found: gain of C(METRIC) by reason; None when it could not be read, then C(error) says why.
    :param allowed: lines that may be lost within 15 minutes. :param source: where the numbers come from.
    :param agent_age: seconds since the youngest agent began; a new agent reads old files, which is not a fault.
    """
    expected = f"at most {allowed:g} lines discarded in {format_age(SPAN)}" if allowed else "no line discarded"
    if found is None:
        return _checks.unknown(
            NAME,
            expected,
            "the counters could not be read",
            [
                cause(
                    "discard_counters_unreadable",
                    f"{METRIC} cannot be read from {source}: {error}",
                    "Give a Prometheus that scrapes Loki, "
                    "prometheus: {namespace: monitoring, service: kube-prometheus-stack-prometheus}",
                )
            ],
        )
    notes: list[str] = []
    counted: dict[str, float] = {}
    for reason, number in sorted(found.by.items(), key=lambda item: -item[1]):
        if agent_age is not None and agent_age < SPAN + 300 and reason in _CATCHING_UP:
            notes.append(
                f"{number:.0f} lines {reason} while an agent that began {format_age(agent_age)} ago catches up with "
                "old files: not counted"
            )
        else:
            counted[reason] = number
    if found.span < SPAN and not found.whole:
        notes.append(f"seen for {format_age(found.span)} only; the whole {format_age(SPAN)} need option prometheus")
    lost = sum(counted.values())
    span = format_age(found.span)
    details = {"by_reason": {key: int(value) for key, value in found.by.items()}, "seconds": round(found.span)}
    if lost <= allowed:
        said = f"{lost:.0f} lines discarded in {span}" if lost else f"none in {span}"
        return _checks.ok(NAME, expected, f"{said} ({source})", notes, details)
    causes = [_cause(reason, number, span) for reason, number in counted.items()]
    listed = ", ".join(f"{reason} {number:.0f}" for reason, number in counted.items())
    return _checks.failed(NAME, expected, f"{lost:.0f} lines in {span}: {listed} ({source})", causes, notes, details)


def _cause(reason: str, number: float, span: str) -> dict[str, str]:
    lines = "1 line" if round(number) == 1 else f"{number:.0f} lines"
    known = _REASONS.get(code_of(reason))
    if known is None:
        return cause(
            "discarded_other",
            f"Loki discarded {lines} in {span}: {reason}.",
            "Read Loki's log for the reason: kubectl -n monitoring logs statefulset/loki --tail=50",
        )
    return cause(
        code_of(reason),
        f"Loki discarded {lines} in {span}: {known.what} ({reason}).",
        f"{known.advice}, in {known.section}: {known.line}",
    )
