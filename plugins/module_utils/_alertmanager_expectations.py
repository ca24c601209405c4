# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What verify_alert_routing expects of the short settings of role alertmanager. PRIVATE to the collection. Pure.

Said in terms of people (critical pages and mails), not of routes, so that the tree is judged and not compared with
itself.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_settings import WATCHDOG, Settings

Expectation = dict[str, t.Any]
Labels = dict[str, str]


def routing_expectations(settings: Settings, catalogue: t.Mapping[str, t.Any] | None = None) -> list[Expectation]:
    """One for each severity, for the heartbeat, for each team, and for each inhibition.

    A native configuration has none: what it is meant to do is said by C(alertmanager_routing_expectations) alone.

    :param catalogue: the resolved catalogue; its teams are expected to be told too.
    """
    if settings.config:
        return []
    cluster = str((catalogue or {}).get("cluster") or "")
    entries = [item for item in (catalogue or {}).get("entries") or [] if item.get("state") in ("present", "adopted")]
    common: Labels = {"cluster": cluster} if cluster else {}
    found = [
        _expect(settings, name, {"alertname": alert, "service": "any", **common, **severity})
        for name, alert, severity in (
            ("critical", "ServiceDown", {"severity": "critical"}),
            ("warning", "HighCPUUsage", {"severity": "warning"}),
            ("info", "AnyInfo", {"severity": "info"}),
            ("without severity", "AnyAlert", {}),
        )
    ]
    found.append(_heartbeat(settings, {"alertname": WATCHDOG, "severity": "none", **common}))
    for alert in settings.silent_alerts:
        labels = {"alertname": alert, "severity": "none", **common}
        found.append({"name": f"{alert} is told to nobody", "labels": labels, "receivers": ["null"]})
    teams = {str(item["team"]): str(item["name"]) for item in reversed(entries) if item.get("team")}
    for team in sorted({*teams, *settings.teams}):
        service = teams.get(team, "any")
        for severity in ("critical", "warning"):
            labels = {"alertname": "ServiceDown", "service": service, "team": team, "severity": severity, **common}
            found.append(_expect(settings, f"{severity} of team {team}", labels))
    return [*found, *_inhibitions(settings, common)]


def _expect(settings: Settings, name: str, labels: Labels, **more: t.Any) -> Expectation:
    return {
        "name": name,
        "labels": labels,
        "receivers": settings.receivers(labels),
        "group_by": list(settings.group_by),
        "group_wait": settings.group_wait,
        "group_interval": settings.group_interval,
        "repeat_interval": settings.repeat_interval,
        **more,
    }


def _heartbeat(settings: Settings, labels: Labels) -> Expectation:
    if not settings.heartbeat():
        return {"name": "heartbeat", "labels": labels, "receivers": ["null"]}
    seconds = settings.heartbeat_seconds
    return {
        "name": "heartbeat",
        "labels": labels,
        "receivers": ["heartbeat"],
        "group_wait": "0s",
        "group_interval": f"{seconds - seconds * 4 // 5}s",
        "repeat_interval": f"{seconds * 4 // 5}s",
    }


def _inhibitions(settings: Settings, common: Labels) -> t.Iterator[Expectation]:
    cases: dict[str, list[tuple[str, Labels, Labels, bool]]] = {
        "critical_over_warning": [
            (
                "a warning is not sent while the same alert is critical",
                {"alertname": "AnyAlert", "service": "any", "severity": "warning"},
                {"alertname": "AnyAlert", "service": "any", "severity": "critical"},
                False,
            ),
            (
                "a warning is sent while another service is critical",
                {"alertname": "AnyAlert", "service": "any", "severity": "warning"},
                {"alertname": "AnyAlert", "service": "another", "severity": "critical"},
                True,
            ),
        ],
        "node_down": [
            *(
                (
                    f"{alert} is not told of a node that is down",
                    {"alertname": alert, "namespace": "any", "node": "a", "pod": "p", "severity": "warning"},
                    {"alertname": "NodeNotReady", "node": "a", "severity": "critical"},
                    False,
                )
                for alert in ("PodNotReady", "PodCrashLooping", "ContainerOOMKilled")
            ),
            (
                "Pods of another node are told",
                {"alertname": "PodNotReady", "namespace": "any", "node": "b", "pod": "p", "severity": "warning"},
                {"alertname": "NodeNotReady", "node": "a", "severity": "critical"},
                True,
            ),
        ],
        "service_down": [
            (
                "partly down is not told of a service that is all down",
                {"alertname": "ServicePartlyDown", "service": "any", "severity": "warning"},
                {"alertname": "ServiceDown", "service": "any", "severity": "critical"},
                False,
            )
        ],
        "info_inhibitor": [
            (
                "info alone is not told",
                {"alertname": "AnyInfo", "namespace": "any", "severity": "info"},
                {"alertname": "InfoInhibitor", "namespace": "any", "severity": "none"},
                False,
            )
        ],
    }
    for key in settings.inhibitions:
        for name, labels, active, notified in cases[key]:
            yield {
                "name": name,
                "labels": {**labels, **common},
                "active": [{**active, **common}],
                "receivers": settings.receivers(labels),
                "notified": notified,
            }
