# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Alertmanager's configuration from short settings. This module util is PRIVATE to the collection. Pure functions.

E-mail gets everything, PagerDuty what is critical, Slack the warnings. A parent's receiver counts only when none of its
children takes an alert, so that e-mail is a last route without matchers, and the routes before it continue.
Sources: Alertmanager 0.34, docs/configuration.md; dispatch/route.go for the order of receivers.
"""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_settings import (
    CONFIG_FOLDER,
    INHIBITIONS,
    PAGERDUTY_SERVICE_KEY,
    WATCHDOG,
    Settings,
    quoted,
)

Config = dict[str, t.Any]

SILENT = "null"
CRITICAL = 'severity="critical"'
WARNING = 'severity="warning"'


def config_of(settings: Settings) -> Config:
    """The native structure that was given, or the one that the settings mean."""
    return settings.config if settings.config else build(settings)


def build(settings: Settings) -> Config:
    """The configuration that short settings mean, as Alertmanager's native structure."""
    routes = [_heartbeat_route(settings)]
    if settings.silent_alerts:
        routes.append({"matchers": [_one_of("alertname", settings.silent_alerts)], "receiver": SILENT})
    routes += settings.extra_routes
    for team in settings.teams:
        channels = settings.channels(team)
        routes.append(
            {
                "matchers": [f"team={quoted(team)}"],
                "receiver": settings.fallback(channels),
                "routes": _branch(channels),
            }
        )
    routes += _branch(settings.channels(""))
    config: Config = {
        "global": {**_global(settings), **settings.global_},
        "templates": [f"{CONFIG_FOLDER}/{name}" for name in template_files(settings)],
        "route": {
            "receiver": settings.fallback(settings.channels("")),
            "group_by": list(settings.group_by),
            "group_wait": settings.group_wait,
            "group_interval": settings.group_interval,
            "repeat_interval": settings.repeat_interval,
            "routes": routes,
        },
        "inhibit_rules": [*(rule for name in settings.inhibitions for rule in INHIBITIONS[name])],
        "receivers": _receivers(settings),
    }
    config["inhibit_rules"] += settings.extra_inhibit_rules
    if settings.time_intervals:
        config["time_intervals"] = list(settings.time_intervals)
    return config


def template_files(settings: Settings) -> dict[str, str]:
    """Name in the configuration Secret -> text, of every notification template.

    A built configuration names each file with a digest of its text: a server that has loaded that configuration has
    loaded these very templates, as both come from one Secret, and otherwise nothing would tell.
    """
    if settings.config:
        return dict(settings.templates)
    found = {}
    for name, text in settings.templates.items():
        stem = name.removesuffix(".tmpl")
        found[f"{stem}-{hashlib.sha256(text.encode()).hexdigest()[:10]}.tmpl"] = text
    return found


def _one_of(label: str, values: t.Sequence[str]) -> str:
    return f"{label}={quoted(values[0])}" if len(values) == 1 else f"{label}=~{quoted('|'.join(values))}"


def _heartbeat_route(settings: Settings) -> Config:
    route: Config = {"matchers": [f'alertname="{WATCHDOG}"']}
    if not settings.heartbeat():
        return {**route, "receiver": SILENT}
    # Sent again at the first flush after repeat_interval, so that the two together stay within the interval.
    interval = settings.heartbeat_seconds
    return {
        **route,
        "receiver": "heartbeat",
        "group_wait": "0s",
        "group_interval": f"{interval - interval * 4 // 5}s",
        "repeat_interval": f"{interval * 4 // 5}s",
    }


def _branch(channels: t.Mapping[str, list[str]]) -> list[Config]:
    """One level of routes: who gets which severity."""
    mail = channels["email"]
    goes_on = {"continue": True} if mail else {}
    routes: list[Config] = []
    for matcher, channel in ((CRITICAL, "pagerduty"), (WARNING, "slack")):
        names = channels[channel]
        for number, name in enumerate(names, 1):
            more = {"continue": True} if number < len(names) else goes_on
            routes.append({"matchers": [matcher], "receiver": name, **more})
    for number, name in enumerate(mail, 1):
        # Without matchers: what a route of an AlertmanagerConfig object took comes here all the same.
        routes.append({"receiver": name, **({"continue": True} if number < len(mail) else {})})
    return routes


def _global(settings: Settings) -> Config:
    found: Config = {"resolve_timeout": settings.resolve_timeout}
    if settings.email_to or any("email" in team for team in settings.teams.values()):
        found["smtp_smarthost"] = settings.email_smarthost
        found["smtp_from"] = settings.email_from
        found["smtp_require_tls"] = settings.email_require_tls
        if settings.email_hello:
            found["smtp_hello"] = settings.email_hello
        if settings.email_auth_username:
            found["smtp_auth_username"] = settings.email_auth_username
            found["smtp_auth_password_file"] = settings.file("smtp_auth_password")
    if settings.has("slack_api_url"):
        found["slack_api_url_file"] = settings.file("slack_api_url")
    if settings.pagerduty_url:
        found["pagerduty_url"] = settings.pagerduty_url
    return found


def _receivers(settings: Settings) -> list[Config]:
    found: list[Config] = []
    if settings.email_to:
        found.append({"name": "email", "email_configs": [_email({"to": settings.email_to})]})
    if settings.pagerduty_key():
        found.append({"name": "pagerduty", "pagerduty_configs": [_pagerduty(settings, settings.pagerduty_key(), {})]})
    if settings.slack():
        found.append({"name": "slack", "slack_configs": [_slack({"channel": settings.slack_channel})]})
    if settings.heartbeat():
        address = {"url": settings.heartbeat_url}
        if not settings.heartbeat_url:
            address = {"url_file": settings.file("heartbeat_url")}
        found.append({"name": "heartbeat", "webhook_configs": [{**address, "send_resolved": False}]})
    for team, channels in settings.teams.items():
        if "email" in channels:
            found.append({"name": f"{team}-email", "email_configs": [_email(_native(channels["email"], "to"))]})
        if "slack" in channels:
            native = _native(channels["slack"], "channel")
            key = native.pop("key", None)
            if key:
                native["api_url_file"] = settings.file(key)
            found.append({"name": f"{team}-slack", "slack_configs": [_slack(native)]})
        if "pagerduty" in channels:
            native = _native(channels["pagerduty"], "key")
            key = native.pop("key", "")
            found.append({"name": f"{team}-pagerduty", "pagerduty_configs": [_pagerduty(settings, key, native)]})
    if settings.silent_alerts or not settings.heartbeat():
        found.append({"name": SILENT})
    return found + settings.extra_receivers


def _native(value: t.Any, main: str) -> Config:
    """A team's channel: its one main setting, or native keys."""
    return dict(value) if isinstance(value, dict) else {main: value}


def _email(native: Config) -> Config:
    headers = {"Subject": '{{ template "dataplatform.subject" . }}', **(native.pop("headers", None) or {})}
    return {
        "send_resolved": True,
        "text": '{{ template "dataplatform.text" . }}',
        "html": '{{ template "dataplatform.html" . }}',
        **native,
        "headers": headers,
    }


def _slack(native: Config) -> Config:
    return {
        "send_resolved": True,
        "title": '{{ template "dataplatform.subject" . }}',
        "title_link": '{{ template "dataplatform.link" . }}',
        "fallback": '{{ template "dataplatform.subject" . }}',
        "text": '{{ template "dataplatform.slack" . }}',
        "color": '{{ template "dataplatform.color" . }}',
        **native,
    }


def _pagerduty(settings: Settings, key: str, native: Config) -> Config:
    kind = "service_key_file" if key == PAGERDUTY_SERVICE_KEY else "routing_key_file"
    return {
        "send_resolved": True,
        **({kind: settings.file(key)} if key else {}),
        "description": '{{ template "dataplatform.subject" . }}',
        "severity": '{{ template "dataplatform.severity" . }}',
        "client": "Alertmanager",
        "client_url": '{{ template "dataplatform.link" . }}',
        "details": {"alerts": '{{ template "dataplatform.text" . }}'},
        "links": [
            {"href": '{{ template "dataplatform.runbook" . }}', "text": "Runbook"},
            {"href": '{{ template "dataplatform.link" . }}', "text": "Alertmanager"},
        ],
        **native,
    }
