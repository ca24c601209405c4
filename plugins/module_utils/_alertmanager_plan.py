# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Everything role alertmanager needs to know before it writes. This module util is PRIVATE to the collection. Pure."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _alertmanager_config,
    _alertmanager_expectations,
    _alertmanager_refusals,
    _routing_checks,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_refusals import KEY, Place
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_settings import (
    Settings,
    secret_command,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_text import dump
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_diff import READABLE
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import plain
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

Native = dict[str, t.Any]

REMEMBERED = "dataplatform-monitoring-receivers"


def plan(
    settings: t.Any,
    catalogue: t.Mapping[str, t.Any] | None = None,
    alertmanager: t.Mapping[str, t.Any] | None = None,
    name: str = "kube-prometheus-stack-alertmanager",
    accept: t.Sequence[str] = (),
    expectations: t.Sequence[Native] = (),
) -> Native:
    """What would be written, what is wrong with it, and what is expected of it.

    :param settings: those of C(Settings), by name. :param catalogue: the resolved catalogue.
    :param alertmanager: the live Alertmanager object, or None while there is none.
    :param name: of the Alertmanager object. :param accept: codes of faults that are meant.
    :param expectations: the user's own, checked after those of the settings.
    :returns: C({config, text, secret, objects, refusals, notes, expectations}); C(refusals) are causes.
    """
    try:
        made = Settings.of(settings)
    except ConfigError as exc:
        return {
            "config": {}, "text": "", "secret": "", "objects": [], "notes": [], "expectations": [],
            "refusals": [cause("configuration_refused", str(exc), "correct the setting, then run again")],
        }  # fmt: skip
    spec = (alertmanager or {}).get("spec") or {}
    secret = str(spec.get("configSecret") or f"alertmanager-{name}")
    place = Place(made.namespace, secret, made.receivers_secret)
    config = _alertmanager_config.config_of(made)
    examined = _alertmanager_refusals.examine(config, place, {} if not made.config else made.templates)
    acceptable = {code for code in accept if code in _alertmanager_refusals.ACCEPTABLE}
    refusals, notes = _routing_checks.accepted(examined.causes, acceptable)
    refusals += _unknown_accepted(accept) + _credentials(made, place) + _live(spec, alertmanager, made, name)
    notes += made.notes() + _service_key_files(config) + _links(spec, alertmanager)
    if made.config and not expectations:
        notes.append(
            "Nothing says what alertmanager_config is meant to do: write it down as alertmanager_routing_expectations."
        )
    if refusals:
        # What is refused may hold credentials in clear, and a play shows its facts when it is verbose.
        return {
            "config": {}, "text": "", "secret": secret, "objects": [], "notes": notes, "expectations": [],
            "refusals": refusals,
        }  # fmt: skip
    text = dump(config)
    return {
        "config": config,
        "text": text,
        "secret": secret,
        "objects": [
            _secret(place, text, _alertmanager_config.template_files(made)),
            *([] if made.keys is None else [_remembered(place, made.keys)]),
        ],
        "refusals": refusals,
        "notes": notes,
        "expectations": [
            *_alertmanager_expectations.routing_expectations(made, catalogue),
            *plain(list(expectations)),
        ],
    }


def _unknown_accepted(accept: t.Sequence[str]) -> list[Native]:
    return [
        cause(
            "configuration_refused",
            f"alertmanager_accepted_faults: {code!r} cannot be accepted.",
            f"choose of these: {', '.join(_alertmanager_refusals.ACCEPTABLE)}",
        )
        for code in accept
        if code not in _alertmanager_refusals.ACCEPTABLE
    ]


def _secret(place: Place, text: str, templates: t.Mapping[str, str]) -> Native:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": place.secret,
            "namespace": place.namespace,
            # Credentials are files of another Secret: what is in here may be shown, apart from what a diff hides.
            "annotations": {READABLE: ",".join([KEY, *sorted(templates)])},
        },
        "type": "Opaque",
        "stringData": {KEY: text, **templates},
    }


def _remembered(place: Place, keys: t.Sequence[str]) -> Native:
    """Which credentials there were, by name, for plays that may not read Secrets."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": REMEMBERED, "namespace": place.namespace},
        "data": {"keys.json": json.dumps(sorted(keys))},
    }


def _credentials(settings: Settings, place: Place) -> list[Native]:
    if settings.config:
        return []
    found = [
        cause(
            "credential_missing",
            f"Secret {place.namespace}/{place.receivers_secret} has no key {key}"
            + (
                f", with which {settings.email_auth_username} logs in at {settings.email_smarthost}."
                if key == "smtp_auth_password"
                else ", which a team of alertmanager_teams names."
            ),
            ("if the server wants no login, alertmanager_email_auth_username: ''; else " if "smtp" in key else "")
            + secret_command(place.namespace, place.receivers_secret, key),
        )
        for key in settings.missing_keys()
    ]
    there = settings.present()
    keys = {"pagerduty": "pagerduty_routing_key", "slack": "slack_api_url", "heartbeat": "heartbeat_url"}
    for name in settings.required_receivers:
        if there[name]:
            continue
        if name == "email":
            message, fix = "alertmanager_email_to is empty.", "alertmanager_email_to: ops@example.com"
        else:
            message = f"Secret {place.namespace}/{place.receivers_secret} has no key {keys[name]}."
            fix = secret_command(place.namespace, place.receivers_secret, keys[name])
        found.append(
            cause(
                "credential_missing", f"alertmanager_required_receivers has {name}, and it is not there: {message}", fix
            )
        )
    return found


def _live(spec: Native, alertmanager: t.Any, settings: Settings, name: str) -> list[Native]:
    """What of the running Alertmanager object keeps the configuration from having any effect."""
    found = []
    if alertmanager and spec.get("alertmanagerConfiguration"):
        found.append(
            cause(
                "secret_not_read",
                f"Alertmanager {settings.namespace}/{name} takes its configuration from the AlertmanagerConfig "
                f"{spec['alertmanagerConfiguration'].get('name')}, not from a Secret.",
                "remove it: prometheus_operator_values: {alertmanager: {alertmanagerSpec: "
                "{alertmanagerConfiguration: null}}}",
            )
        )
    if alertmanager and settings.receivers_secret not in (spec.get("secrets") or []):
        found.append(
            cause(
                "secret_not_mounted",
                f"Alertmanager {settings.namespace}/{name} does not mount Secret {settings.receivers_secret}; it "
                f"mounts {', '.join(spec.get('secrets') or []) or 'none'}.",
                "let day 1 mount it: prometheus_operator_alertmanager_receivers_secret: " + settings.receivers_secret,
            )
        )
    return found


def _service_key_files(config: t.Mapping[str, t.Any]) -> list[str]:
    return [
        f"Receiver {receiver.get('name')} uses service_key_file, PagerDuty's older Events API v1; "
        "routing_key_file is its successor."
        for receiver in config.get("receivers") or []
        if isinstance(receiver, dict)
        for item in receiver.get("pagerduty_configs") or []
        if isinstance(item, dict) and item.get("service_key_file")
    ]


def _links(spec: Native, alertmanager: t.Any) -> list[str]:
    if alertmanager is None:
        return []
    notes = []
    address = str(spec.get("externalUrl") or "")
    if not address or ".svc" in address or ":9093" in address:
        notes.append(
            f"Links in notifications lead to {address or 'an address inside the cluster'}. "
            "Set prometheus_operator_alertmanager_external_url to where people reach Alertmanager."
        )
    if spec.get("paused"):
        notes.append("The Alertmanager object is paused: the operator takes up nothing until that is lifted.")
    return notes
