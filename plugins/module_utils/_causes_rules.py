# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Causes of the verdict of the rules. This module util is PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.dataplatform.monitoring.plugins.module_utils._cause import Cause


def _rules(title: str, explanation: str) -> Cause:
    return Cause("rules", title, explanation)


CAUSES: dict[str, Cause] = {
    "rule_set_missing": _rules(
        "The PrometheusRule is not in the cluster",
        "The catalogue asks for it and nobody has applied it, or somebody deleted it.",
    ),
    "rule_set_differs": _rules(
        "The PrometheusRule in the cluster says something else",
        "The catalogue changed and was not applied since, or the object was edited by hand.",
    ),
    "rule_set_not_selected": _rules(
        "No Prometheus selects the PrometheusRule",
        "Its labels do not fulfil ruleSelector. kube-prometheus-stack asks for its release's label unless "
        "ruleSelectorNilUsesHelmValues is false.",
    ),
    "rule_set_namespace_not_selected": _rules(
        "Prometheus does not look for rules in this namespace",
        "ruleNamespaceSelector leaves it out; without one, only Prometheus' own namespace counts.",
    ),
    "rule_set_rejected": _rules(
        "The operator rejects the PrometheusRule",
        "One rule that cannot be read keeps the whole object out. With the admission webhook the API server would have "
        "refused it at once.",
    ),
    "rule_set_not_loaded": _rules(
        "Prometheus has not loaded the rules",
        "The operator accepted them, and they have not arrived: the files reach the Pod with a delay, and a reload "
        "that fails keeps everything as it was.",
    ),
    "rules_outdated": _rules(
        "Prometheus still runs the old rules",
        "What a replica has loaded is not what was applied. It is judged only once it is.",
    ),
    "rule_set_left_over": _rules(
        "Rules of ours that the catalogue does not know",
        "A PrometheusRule carries our label and no entry asks for it: its entry left the catalogue, and the removal "
        "was refused or never ran.",
    ),
    "rule_not_evaluated": _rules(
        "A rule was never evaluated",
        "It is loaded and its first turn, at most one interval away, has not come within the time of the verdict.",
    ),
    "rule_evaluation_stale": _rules(
        "A rule is not evaluated any more",
        "The last evaluation is older than two intervals: Prometheus is overloaded, or its evaluation hangs.",
    ),
    "rule_many_to_many": _rules(
        "An operation finds several series on both sides",
        "Most often one side is told twice, by two exporters or through two Services. The label in which the two "
        "series differ says which.",
    ),
    "rule_many_to_one": _rules(
        "An operation has several series for one, and does not say so",
        "One series may be combined with many only where group_left or group_right says which side has many.",
    ),
    "rule_duplicate_result": _rules(
        "A rule has two results with the same labels",
        "A function drops the metric's name, or the rule's own labels overwrite what told the results apart.",
    ),
    "rule_unknown_function": _rules(
        "A rule uses a function that this Prometheus does not have",
        "It is misspelt, was renamed, or comes with a newer version or an experimental feature.",
    ),
    "rule_syntax": _rules("A rule is not PromQL", "The expression cannot be read."),
    "rule_limit_exceeded": _rules(
        "A rule has more results than its group allows",
        "With limit set, a rule that exceeds it fails as a whole, and none of its alerts fires.",
    ),
    "rule_query_too_expensive": _rules(
        "A rule asks for too much",
        "Its query runs into the timeout or the limit of samples of the server.",
    ),
    "rule_error": _rules("A rule cannot be evaluated", "The message has Prometheus' own words."),
    "rule_template_broken": _rules(
        "The text of an alert cannot be made",
        "The alert fires, and a person gets an error instead of a summary or a description.",
    ),
    "rule_failures_recent": _rules(
        "Evaluations failed a short time ago",
        "The last one succeeded, but within the last 15 minutes some did not: an alert that depends on it comes late.",
    ),
    "rule_iterations_missed": _rules(
        "Evaluations of a group were skipped",
        "An evaluation that outlasts its interval makes the next one fall out.",
    ),
    "rule_group_too_slow": _rules(
        "A group takes longer than its interval",
        "Its rules ask for too much in turn; the next evaluation is skipped.",
    ),
    "rule_metric_missing": _rules(
        "A rule asks for a metric that does not exist",
        "No series of that name existed within the retention, so the rule can never fire. The name is misspelt, was "
        "renamed by a newer version, or is dropped or not scraped.",
    ),
    "rule_identity_missing": _rules(
        "A rule asks for a job, namespace or name that does not exist",
        "The metric is there, but never with that label, so the rule can never fire. The nearest value is in the "
        "message.",
    ),
    "rule_selects_nothing": _rules(
        "A rule asks for labels that never occur together",
        "Each of them exists, but no series has all of them, so the rule can never fire.",
    ),
}
