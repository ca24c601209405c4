# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The running server's own answer to where an alert goes. This module util is PRIVATE to the collection.

An alert that is posted is routed at once (its C(receivers) are what Route.Match gave), long before group_wait is over.
It is resolved right away: an alert that was never notified and is resolved when its group is flushed sends nothing
(Alertmanager, notify.DedupStage.needsUpdate). Where group_wait is too short for that, or alerts of the same group are
active already, nothing is posted: a resolved alert that joins a notified group is sent.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._routing import Labels

# Says who made the alert. No matcher of anybody asks for it, and people who see it can tell.
MARKER = "dataplatform_monitoring_synthetic"
# Seconds of group_wait below which a notification could leave before the alert is resolved again.
SHORTEST_WAIT = 5.0


def _stamp(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")


def active_groups(api: Api) -> list[tuple[str, dict[str, str]]]:
    """Receiver and labels of every group that has alerts now."""
    return [(item["receiver"]["name"], item["labels"]) for item in api.get_json("/api/v2/alerts/groups")]


def ask(api: Api, labels: Labels, run: str) -> list[str]:
    """Post the alert, read where the server sends it, resolve it.

    :param run: a value for the marker that is unique to this run.
    :returns: receivers in the order of the routes, duplicates kept.
    :raises ApiError: the server refused the alert or did not show it.
    """
    marked = {**labels, MARKER: run}
    now = datetime.datetime.now(datetime.UTC)
    alert: dict[str, t.Any] = {
        "labels": marked,
        "annotations": {"summary": "synthetic alert of dataplatform.monitoring, resolved at once"},
        # Ends by itself even when this process is killed in between.
        "endsAt": _stamp(now + datetime.timedelta(minutes=2)),
    }
    _post(api, alert)
    try:
        found = api.get_json("/api/v2/alerts", [("filter", f'{MARKER}="{run}"')])
        for item in found:
            if item["labels"] == marked:
                return [receiver["name"] for receiver in item["receivers"]]
        raise ApiError(f"{api.label} accepted the synthetic alert but does not show it.")
    finally:
        _post(api, {**alert, "endsAt": _stamp(datetime.datetime.now(datetime.UTC))})


def _post(api: Api, alert: dict[str, t.Any]) -> None:
    response = api.call("POST", "/api/v2/alerts", (), [alert])
    if response.status != 200:
        raise ApiError(
            f"POST /api/v2/alerts of {api.label} answered {response.status}: {response.text(200)}", response.status
        )
