# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The short settings of role alertmanager: what they may be, and which receivers follow. PRIVATE to the collection.

A receiver exists when what it needs is there: an address for e-mail, a key of the receivers' Secret for PagerDuty and
Slack, an address or a key for the heartbeat. What is missing is told, and is a fault when it is required.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_yaml import as_seconds
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import plain
from ansible_collections.dataplatform.monitoring.plugins.module_utils._endpoint_schema import suggest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

Native = dict[str, t.Any]

# Where the operator mounts the generated Secret (and with it the templates), and Secrets named in spec.secrets.
CONFIG_FOLDER = "/etc/alertmanager/config"
SECRETS_FOLDER = "/etc/alertmanager/secrets"
WATCHDOG = "Watchdog"
CHANNELS = ("email", "pagerduty", "slack")
RECEIVERS = (*CHANNELS, "heartbeat")
PAGERDUTY_ROUTING_KEY = "pagerduty_routing_key"
PAGERDUTY_SERVICE_KEY = "pagerduty_service_key"

_NODE_DOWN = "KubeNodeNotReady|KubeNodeUnreachable|NodeNotReady"
# A label that both alerts lack counts as equal, so that each label more can only narrow a rule.
_SAME_THING = ["alertname", "cluster", "namespace", "service", "instance", "node", "pod", "persistentvolumeclaim"]
INHIBITIONS: dict[str, list[Native]] = {
    "critical_over_warning": [
        {
            "source_matchers": ['severity="critical"'],
            "target_matchers": ['severity=~"warning|info"'],
            "equal": _SAME_THING,
        }
    ],
    "node_down": [
        {
            "source_matchers": [f'alertname=~"{_NODE_DOWN}"'],
            "target_matchers": ['node!=""', f'alertname!~"{_NODE_DOWN}"'],
            "equal": ["cluster", "node"],
        }
    ],
    "service_down": [
        {
            "source_matchers": ['alertname="ServiceDown"', 'service!=""'],
            "target_matchers": [
                'alertname=~"ServicePartlyDown|ServiceTargetsMissing|ServiceProbeFailing|ServiceProbeSlow"'
            ],
            "equal": ["cluster", "service"],
        }
    ],
    # Fires upstream while a namespace has nothing worse than info.
    "info_inhibitor": [
        {
            "source_matchers": ['alertname="InfoInhibitor"'],
            "target_matchers": ['severity="info"'],
            "equal": ["cluster", "namespace"],
        }
    ],
}

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
# Kubernetes: keys of a Secret's data.
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_TEMPLATE = re.compile(r"[-._a-zA-Z0-9]+\.tmpl")


def quoted(value: str) -> str:
    """A matcher's value in quotes, so that both of Alertmanager's parsers read the same."""
    return '"' + value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"') + '"'


@dataclasses.dataclass(frozen=True)
class Settings:
    """Variables C(alertmanager_*) of the role, without their prefix.

    :param config: the native structure; then every setting but namespace, receivers_secret and templates is unused.
    :param keys: names of the keys that the receivers' Secret has; None when they could not be read.
    :param mailbox_given: whether the inventory names the mailbox, be it the default's own.
    """

    config: Native = dataclasses.field(default_factory=dict)
    namespace: str = "monitoring"
    receivers_secret: str = "alertmanager-receivers"  # noqa: S105 - its name
    keys: list[str] | None = None
    mailbox_given: bool = True
    required_receivers: list[str] = dataclasses.field(default_factory=lambda: ["email"])
    email_to: str = "ops@254carbon.com"
    email_from: str = "alertmanager@254carbon.com"
    email_smarthost: str = "smtp.gmail.com:587"
    email_hello: str = ""
    email_require_tls: bool = True
    email_auth_username: str = "alerts@254carbon.com"
    pagerduty_url: str = ""
    slack_channel: str = "#ops-alerts"
    heartbeat_url: str = ""
    heartbeat_interval: str = "5m"
    teams: dict[str, dict[str, t.Any]] = dataclasses.field(default_factory=dict)
    group_by: list[str] = dataclasses.field(default_factory=lambda: ["alertname", "cluster", "service"])
    group_wait: str = "30s"
    group_interval: str = "5m"
    repeat_interval: str = "12h"
    resolve_timeout: str = "5m"
    inhibitions: list[str] = dataclasses.field(default_factory=lambda: list(INHIBITIONS))
    silent_alerts: list[str] = dataclasses.field(default_factory=lambda: ["InfoInhibitor"])
    extra_routes: list[Native] = dataclasses.field(default_factory=list)
    extra_receivers: list[Native] = dataclasses.field(default_factory=list)
    extra_inhibit_rules: list[Native] = dataclasses.field(default_factory=list)
    time_intervals: list[Native] = dataclasses.field(default_factory=list)
    global_: Native = dataclasses.field(default_factory=dict)
    templates: dict[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, given: t.Any) -> Settings:
        """:raises ConfigError: every unknown or impossible setting, all in one message."""
        values = {("global_" if key == "global" else key): value for key, value in plain(given or {}).items()}
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(f"alertmanager: unknown setting {unknown[0]}; {suggest(unknown[0], known, 'settings')}.")
        made = cls(**{key: value for key, value in values.items() if value is not None})
        faults = made.faults()
        if faults:
            raise ConfigError(" ".join(faults))
        return made

    # --- which receivers there are ---

    def file(self, key: str) -> str:
        """Where a key of the receivers' Secret lies in the container."""
        return f"{SECRETS_FOLDER}/{self.receivers_secret}/{key}"

    def has(self, key: str) -> bool:
        """Whether the receivers' Secret has the key, as far as is known."""
        return self.keys is None or key in self.keys

    def pagerduty_key(self) -> str:
        """The key for PagerDuty: Events v2 before the older integration; empty without one."""
        if self.has(PAGERDUTY_ROUTING_KEY):
            return PAGERDUTY_ROUTING_KEY
        return PAGERDUTY_SERVICE_KEY if self.has(PAGERDUTY_SERVICE_KEY) else ""

    def slack(self) -> bool:
        return bool(self.slack_channel) and self.has("slack_api_url")

    def heartbeat(self) -> bool:
        if self.heartbeat_url:
            return True
        return "heartbeat" in self.required_receivers if self.keys is None else "heartbeat_url" in self.keys

    @property
    def heartbeat_seconds(self) -> int:
        return int(as_seconds(self.heartbeat_interval, "alertmanager_heartbeat_interval"))

    def present(self) -> dict[str, bool]:
        """Receiver of everybody -> whether it exists."""
        return {
            "email": bool(self.email_to),
            "pagerduty": bool(self.pagerduty_key()),
            "slack": self.slack(),
            "heartbeat": self.heartbeat(),
        }

    def channels(self, team: str) -> dict[str, list[str]]:
        """Channel -> receivers, in order, of a team's alerts; of everybody's without a team.

        A team's own PagerDuty and Slack take the place of everybody's. The mailbox of everybody gets everything.
        """
        there, own = self.present(), self.teams.get(team) or {}
        common = {channel: [channel] if there[channel] else [] for channel in CHANNELS}
        return {
            channel: [f"{team}-{channel}", *(common[channel] if channel == "email" else [])]
            if channel in own
            else common[channel]
            for channel in CHANNELS
        }

    def fallback(self, channels: t.Mapping[str, list[str]]) -> str:
        """The receiver of a parent: it tells somebody whatever happens to its children."""
        if channels["email"]:
            return channels["email"][-1]
        return [*channels["slack"], *channels["pagerduty"]][0]

    def receivers(self, labels: t.Mapping[str, str]) -> list[str]:
        """Who gets an alert of these labels, in order, by these settings alone (extra routes are not looked at)."""
        if labels.get("alertname") == WATCHDOG:
            return ["heartbeat" if self.heartbeat() else "null"]
        if labels.get("alertname") in self.silent_alerts:
            return ["null"]
        team = labels.get("team", "")
        channels = self.channels(team if team in self.teams else "")
        by_severity = {"critical": channels["pagerduty"], "warning": channels["slack"]}
        found = [*by_severity.get(labels.get("severity", ""), []), *channels["email"]]
        return found or [self.fallback(channels)]

    # --- what is wrong, and what is worth telling ---

    def faults(self) -> list[str]:
        """What cannot be meant, one sentence each; empty for a native structure, which is judged as such."""
        faults = []
        for name in self.templates:
            if not _TEMPLATE.fullmatch(name):
                faults.append(f"alertmanager_templates: {name!r} is no file name ending in .tmpl.")
        if self.config:
            return faults
        for key in ("heartbeat_interval", "group_wait", "group_interval", "repeat_interval", "resolve_timeout"):
            try:
                length = as_seconds(getattr(self, key), f"alertmanager_{key}")
            except ConfigError as exc:
                faults.append(f"{exc}.")
                continue
            if key == "heartbeat_interval" and (length < 5 or length != int(length)):
                faults.append(f"alertmanager_{key}: {getattr(self, key)} is shorter than 5s or has milliseconds.")
            elif length == 0 and key != "group_wait":
                faults.append(f"alertmanager_{key}: cannot be zero.")
        for name in self.required_receivers:
            if name not in RECEIVERS:
                faults.append(f"alertmanager_required_receivers: {name!r} is none of {', '.join(RECEIVERS)}.")
        for name in self.inhibitions:
            if name not in INHIBITIONS:
                faults.append(f"alertmanager_inhibitions: {name!r} is none of {', '.join(INHIBITIONS)}.")
        for name in self.silent_alerts:
            if not _NAME.fullmatch(str(name)):
                faults.append(f"alertmanager_silent_alerts: {name!r} is no name of an alert.")
        if not self.group_by or len(set(self.group_by)) != len(self.group_by):
            faults.append("alertmanager_group_by: names each label once; ['...'] means all of them.")
        if "..." in self.group_by and len(self.group_by) > 1:
            faults.append("alertmanager_group_by: '...' means all labels and stands alone.")
        if self.email_to and not self.email_from:
            faults.append("alertmanager_email_from is empty; name the sender of the mails.")
        if self.email_to and ":" not in self.email_smarthost:
            faults.append(f"alertmanager_email_smarthost: {self.email_smarthost!r} has no port; write host:587.")
        faults += self._team_faults()
        return faults or self._nobody()

    def _team_faults(self) -> list[str]:
        faults = []
        for team, channels in self.teams.items():
            place = f"alertmanager_teams.{team}"
            if not team or not isinstance(channels, dict) or not channels:
                faults.append(f"{place}: write channels, like {team or 'name'}: {{email: team@example.com}}.")
                continue
            for channel, value in channels.items():
                if channel not in CHANNELS:
                    faults.append(
                        f"{place}.{channel}: unknown channel; {suggest(str(channel), set(CHANNELS), 'channels')}."
                    )
                elif not value or not isinstance(value, (str, dict)):
                    faults.append(f"{place}.{channel}: write its address, or a mapping of native keys.")
                elif channel == "pagerduty" and isinstance(value, str) and not _KEY.fullmatch(value):
                    faults.append(
                        f"{place}.pagerduty: write the name of a key of Secret {self.receivers_secret}, "
                        "not the key itself."
                    )
                elif channel == "slack" and not self.has("slack_api_url") and not _address(value):
                    faults.append(
                        f"{place}.slack: Secret {self.receivers_secret} has no key slack_api_url; "
                        f"name the team's own: slack: {{channel: '#team', key: slack_api_url_{team}}}"
                    )
        return faults

    def _nobody(self) -> list[str]:
        faults = []
        for team in ("", *self.teams):
            if not any(self.channels(team).values()):
                faults.append(
                    "Nobody would be told: there is no e-mail, no PagerDuty and no Slack. "
                    "Set alertmanager_email_to, or put a key into the receivers' Secret: "
                    + secret_command(self.namespace, self.receivers_secret, "slack_api_url")
                )
                break
        return faults

    def missing_keys(self) -> list[str]:
        """Keys of the receivers' Secret that something needs and that are not there."""
        needed = {"smtp_auth_password"} if self._mails() and self.email_auth_username else set()
        for channels in self.teams.values():
            for value in channels.values():
                if isinstance(value, dict) and value.get("key"):
                    needed.add(str(value["key"]))
            if isinstance(channels.get("pagerduty"), str):
                needed.add(channels["pagerduty"])
        return sorted(key for key in needed if not self.has(key))

    def _mails(self) -> bool:
        return bool(self.email_to) or any("email" in channels for channels in self.teams.values())

    def notes(self) -> list[str]:
        """What people should know about what follows from these settings."""
        if self.config:
            return []
        secret = f"Secret {self.namespace}/{self.receivers_secret}"
        found = []
        if self.keys is None:
            found.append(f"{secret} could not be read: every receiver is taken to have its credentials.")
        there = self.present()
        if not there["pagerduty"]:
            found.append(
                f"No receiver pagerduty: {secret} has no key {PAGERDUTY_ROUTING_KEY}. Critical alerts page nobody."
            )
        elif self.pagerduty_key() == PAGERDUTY_SERVICE_KEY:
            found.append(
                f"PagerDuty is told through its older Events API v1 ({PAGERDUTY_SERVICE_KEY}). "
                f"For v2 put the routing key of the service under {PAGERDUTY_ROUTING_KEY}."
            )
        if self.slack_channel and not there["slack"]:
            found.append(f"No receiver slack: {secret} has no key slack_api_url. Warnings are mailed only.")
        if not there["heartbeat"]:
            found.append(
                f"No heartbeat: {WATCHDOG} goes nowhere, and nobody learns that Prometheus or Alertmanager is dead. "
                f"Set alertmanager_heartbeat_url, or put heartbeat_url into {secret}."
            )
        if there["email"] and not self.mailbox_given and self.email_to == Settings.email_to:
            found.append(
                f"Mails go to {self.email_to} through {self.email_smarthost}, for the inventory names no mailbox. "
                "Name yours: alertmanager_email_to: ops@example.com"
            )
        if not there["email"]:
            found.append("No receiver email: alertmanager_email_to is empty.")
        return found


def _address(value: t.Any) -> bool:
    """Whether a team's Slack channel brings its own webhook."""
    return isinstance(value, dict) and bool(value.get("api_url_file") or value.get("key"))


def secret_command(namespace: str, secret: str, key: str) -> str:
    """A command that puts a key into a Secret; the value is read from the terminal and is never an argument.

    It is neither shown nor kept in the shell's history, and may have any characters.
    """
    return (
        f'read -rs VALUE && printf %s "$VALUE" | kubectl -n {namespace} create secret generic {secret} '
        f"--from-file={key}=/dev/stdin --dry-run=client -o json | "
        f"kubectl -n {namespace} patch secret {secret} --patch-file /dev/stdin"
    )
