# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Causes of the verdict of the SLOs. This module util is PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.dataplatform.monitoring.plugins.module_utils._cause import Cause


def _slo(title: str, explanation: str) -> Cause:
    return Cause("slo", title, explanation)


CAUSES: dict[str, Cause] = {
    "slo_rule_missing": _slo(
        "Recording rules of an SLO are not there",
        "Prometheus does not run some or all of the rules that measure it. What is missing is not measured, and no "
        "alert warns of it.",
    ),
    "slo_rule_failing": _slo(
        "A rule of an SLO cannot be evaluated",
        "Prometheus runs the rule and gets an error, most often from an expression of the entry's own.",
    ),
    "slo_not_evaluated": _slo(
        "A rule of an SLO was never evaluated",
        "It was loaded a moment ago, and its first turn, at most a minute away, did not come within the time of the "
        "verdict.",
    ),
    "slo_stale": _slo(
        "An SLO is not measured any more",
        "The last evaluation of its rules is older than two intervals: Prometheus is overloaded, or stands still.",
    ),
    "slo_differs": _slo(
        "Prometheus measures another objective",
        "The objective in the catalogue was changed and the rules were not applied since, or somebody else's rules "
        "record under the same name.",
    ),
    "slo_no_data": _slo(
        "Nothing is measured",
        "What the SLO counts by has no series, so that neither success nor failure is known: a metric or a label is "
        "misspelt, was renamed, is dropped, or was never told. Without this cause such an SLO would look perfect.",
    ),
    "slo_not_finite": _slo(
        "An SLO is not a number",
        "A recorded ratio is NaN or infinite. Rules of this collection do not record such; others by the same name do.",
    ),
    "slo_window_not_kept": _slo(
        "The window is longer than Prometheus remembers",
        "Samples are deleted before the window is full, by age or by size: it would stay young for ever.",
    ),
    "slo_gaps": _slo(
        "Parts of the window were not measured",
        "The SLO is older than a day, and less than 95 % of its window, or of its life where that is shorter, was "
        "recorded. What happened in the gaps is not known; they leave the window as time goes by.",
    ),
    "slo_gate_closed": _slo(
        "There is too little error budget for a release",
        "Less is left than the gate asks for, or it burns so fast right now that somebody is paged.",
    ),
    "slo_young": _slo(
        "The SLO is too young to decide on",
        "Its window is not full yet. That is well, but says nothing about a month; as a gate it is unknown.",
    ),
}
