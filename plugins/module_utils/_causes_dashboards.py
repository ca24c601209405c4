# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Causes of the verdict of the dashboards. This module util is PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.dataplatform.monitoring.plugins.module_utils._cause import Cause


def _dashboards(title: str, explanation: str) -> Cause:
    return Cause("dashboards", title, explanation)


CAUSES: dict[str, Cause] = {
    "dashboards_missing": _dashboards(
        "There is no dashboard where they should be",
        "Nothing carries the label that Grafana's sidecar looks for, or the folder is empty.",
    ),
    "dashboard_gone": _dashboards(
        "A dashboard that should be there is not",
        "It was deleted, or lost the label that it is found by. The others are judged all the same.",
    ),
    "dashboards_not_finished": _dashboards(
        "The time was over before every panel was asked",
        "The server answers slowly, or the deadline is short for so many queries.",
    ),
    "dashboard_unreadable": _dashboards(
        "A dashboard is not the JSON of one",
        "Grafana would not load it either, and says so in the log of its sidecar only.",
    ),
    "dashboard_schema_unknown": _dashboards(
        "A dashboard is written in a schema that is not judged",
        "Schema v2 keeps elements and a layout instead of panels. Grafana exports the same dashboard in the classic "
        "model.",
    ),
    "dashboard_uid_twice": _dashboards(
        "Two dashboards have the same uid",
        "Grafana keeps one of them and refuses the other: which one is seen is a matter of chance.",
    ),
    "panel_metric_missing": _dashboards(
        "A panel asks for a metric that does not exist",
        "No series of that name existed within the retention. The name is misspelt, was renamed by a newer version, or "
        "is dropped or not scraped. A panel that may be empty must still ask for a metric that exists, because nobody "
        "would see it die. On a board that is ours (wanted) this holds for each query of a panel; where the metric "
        "comes with the first event, the query says so: absent_until.",
    ),
    "panel_label_missing": _dashboards(
        "A panel asks for a job, namespace or name that does not exist",
        "The metric is there, but never with that label. The nearest value is in the message.",
    ),
    "panel_value_missing": _dashboards(
        "A panel asks for a state that has not occurred",
        "The metric and the thing that is meant exist, but never with that value. Either it is misspelt, or no data is "
        "good news, which the panel should say.",
    ),
    "panel_selects_nothing": _dashboards(
        "A panel asks for labels that never occur together",
        "Each of them exists, but no series has all of them.",
    ),
    "panel_series_ended": _dashboards(
        "What a panel asks for has stopped coming",
        "The series existed, and has no sample within the time that the panel shows: its target is gone or renamed.",
    ),
    "panel_result_empty": _dashboards(
        "A panel computes nothing out of what exists",
        "Every selector has series, and an operation or a comparison leaves none of them. Most often the labels of the "
        "two sides differ.",
    ),
    "panel_not_finite": _dashboards(
        "A panel shows only NaN or infinity",
        "A division by zero, as in a share of nothing. Grafana draws nothing, as if there were no data.",
    ),
    "panel_too_young": _dashboards(
        "What a panel asks for is too young",
        "A rate needs two samples within its range, and the series has only just begun.",
    ),
    "panel_constant_hides_nothing": _dashboards(
        "A panel shows a number in place of a metric that does not exist",
        "The query ends in or vector(0), or in or 0 * something else, so that the panel always shows something: also "
        "when the metric is gone, which nobody will see. Where the metric comes with the first event, the query of a "
        "panel of ours says so: absent_until.",
    ),
    "panel_all_empty": _dashboards(
        "A panel is empty when All is chosen",
        "With a single value it has data. All is a pattern of all values, which must be matched with =~ instead of =.",
    ),
    "panel_query_error": _dashboards(
        "A panel's query is refused",
        "The message has the server's own words. In Grafana the panel has a red corner.",
    ),
    "panel_query_slow": _dashboards(
        "A panel's query takes too long",
        "It gave no answer within query_timeout, and whoever opens the dashboard waits as long.",
    ),
    "panel_stream_missing": _dashboards(
        "A panel asks for log streams that do not exist",
        "No stream has these labels within the time that the panel shows. The nearest value is in the message.",
    ),
    "panel_lines_missing": _dashboards(
        "A panel finds no line in the log streams that it asks for",
        "The streams have lines, and its filters leave none. Where no line is good news, the panel should say so.",
    ),
    "datasource_missing": _dashboards(
        "A panel asks a datasource that Grafana does not have",
        "Its uid is unknown: it belongs to another installation, or the dashboard was exported for sharing, which puts "
        "a place holder there.",
    ),
    "variable_without_values": _dashboards(
        "A variable has no values",
        "Its query finds nothing, so that there is nothing to choose, and panels that use it ask for nothing.",
    ),
    "variable_query_error": _dashboards(
        "A variable's query is refused",
        "The message has the server's own words. Panels that use the variable cannot be filled.",
    ),
    "grafana_board_not_loaded": _dashboards(
        "Grafana has not loaded a dashboard",
        "The sidecar did not find it (label, namespace) or could not write it, or Grafana refused it: its log tells.",
    ),
    "grafana_folder_differs": _dashboards(
        "A dashboard lies in another folder than it should",
        "The sidecar reads the folder from an annotation; without folderAnnotation and foldersFromFilesStructure they "
        "all lie in one.",
    ),
    "grafana_datasource_unhealthy": _dashboards(
        "Grafana cannot reach a datasource",
        "Its own health check fails: the address is wrong, or credentials are.",
    ),
}
