# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How old is Loki's newest line, whoever wrote it?

Pure functions. This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import format_age, format_time

NAME = "newest_line"


def judge(newest: float | None, now: float, lag: float, window: float, labels: tuple[str, ...]) -> _checks.Check:
    """Judge the newest line of all streams that have a namespace.

    :param newest: its Unix time; None when there is none in the window. :param labels: names of labels Loki knows.
    """
    expected = f"a line younger than {format_age(lag)}"
    look = "kubectl -n monitoring logs daemonset/promtail --tail=20"
    if newest is None:
        if labels and "namespace" not in labels:
            said = f"Loki's streams carry no label namespace; they carry {', '.join(sorted(labels)[:8])}."
            fix = "Add a rule to the agent: {source_labels: [__meta_kubernetes_namespace], target_label: namespace}"
            return _checks.failed(
                NAME, expected, "no stream has a namespace", [cause("stream_label_missing", said, fix)]
            )
        if not labels:
            empty = cause(
                "loki_empty",
                "Loki answers and holds no label at all: nothing has arrived in the last hours.",
                f"See whether the agent can send: {look}",
            )
            return _checks.failed(NAME, expected, "no line at all", [empty])
        return _checks.failed(
            NAME,
            expected,
            f"no line in {format_age(window)}",
            [
                cause(
                    "loki_no_recent_lines",
                    f"Not one line has arrived in Loki within {format_age(window)}.",
                    f"See whether the agent can send: {look}",
                )
            ],
        )
    age = now - newest
    details = {"age_seconds": round(age, 1)}
    if age > lag:
        return _checks.failed(
            NAME,
            expected,
            f"{format_age(age)} old",
            [
                cause(
                    "loki_newest_line_old",
                    f"Loki's newest line is of {format_time(newest)}, {format_age(age)} ago.",
                    f"See whether the agent can send: {look}",
                )
            ],
            (),
            details,
        )
    notes = [f"it lies {format_age(-age)} in the future: a node's clock is ahead"] if age < -10 else []
    return _checks.ok(NAME, expected, f"{format_age(age)} old", notes, details)
