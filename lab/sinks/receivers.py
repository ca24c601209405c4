# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials of the sinks: what each accepts, and what Alertmanager sends, in two Secrets that agree."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

from ..cluster import apply
from ..platform.secrets import Data, Name, read, secret

ACCEPTED = Name("lab-sinks", "sinks")
#: The operator's role makes it empty where it is missing and never writes it again, so that both orders work.
SENT = Name("monitoring", "alertmanager-receivers")


def ensure() -> list[str]:
    """Make what is missing or differs; return the names of the Secrets that were written."""
    accepted, sent = read(ACCEPTED) or {}, read(SENT) or {}
    # Sinks that are made anew take what Alertmanager sends already: a changed Secret takes up to two minutes to reach
    # it, and until then the only regular message, the heartbeat, would be refused.
    made = {**generate(), **sent_already(sent), **accepted}
    wanted = {**sent, **sender(made)}
    changed = {name: data for name, data, old in ((ACCEPTED, made, accepted), (SENT, wanted, sent)) if data != old}
    if changed:
        namespaces = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name.namespace}} for name in changed
        ]
        apply(namespaces, doing="making the namespaces of the sinks")
        apply([secret(name, data) for name, data in changed.items()], doing="making the credentials of the sinks")
    return [f"{name.namespace}/{name.name}" for name in changed]


def generate() -> Data:
    """Credentials in the form of the real services."""
    team, hook = secrets.token_hex(4).upper(), secrets.token_hex(4).upper()
    return {
        "smtp_user": "alertmanager",
        "smtp_password": secrets.token_urlsafe(24),
        "slack_path": f"/services/T{team}/B{hook}/{secrets.token_hex(12)}",
        "pagerduty_routing_key": secrets.token_hex(16),
        "heartbeat_path": f"/ping/{secrets.token_hex(16)}",
    }


def sent_already(sent: Mapping[str, str]) -> Data:
    """What the sender's Secret says that the sinks accept; nothing of what is meant for somebody else."""
    found = {}
    for key, host, name in (("slack_api_url", "slack", "slack_path"), ("heartbeat_url", "heartbeat", "heartbeat_path")):
        address = urlsplit(sent.get(key, ""))
        if address.hostname == f"{host}.lab-sinks.svc" and address.path:
            found[name] = address.path
    # The other two carry no address: they are the lab's where these are.
    if len(found) == 2:
        for key, name in (("smtp_auth_password", "smtp_password"), ("pagerduty_routing_key",) * 2):
            if sent.get(key):
                found[name] = sent[key]
    return found


def sender(accepted: Mapping[str, str]) -> Data:
    """The same as Alertmanager reads it, by the keys of the role alertmanager."""
    return {
        "smtp_auth_password": accepted["smtp_password"],
        "slack_api_url": f"http://slack.lab-sinks.svc:8080{accepted['slack_path']}",
        "pagerduty_routing_key": accepted["pagerduty_routing_key"],
        "heartbeat_url": f"http://heartbeat.lab-sinks.svc:8082{accepted['heartbeat_path']}",
    }
