# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Why a notification failed: from counted reasons and logged errors to causes. PRIVATE to the collection.

Source of the reasons: Alertmanager 0.34, notify/util.go. Mail has none, and neither has what fails before an answer;
the error in the log, or what the receiver says itself, tells then.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause

_BY_REASON = {
    "authError": "credentials_refused",
    "rateLimited": "receiver_rate_limits",
    "clientError": "receiver_refuses",
    "serverError": "receiver_server_error",
    "contextDeadlineExceeded": "receiver_too_slow",
    "contextCanceled": "notification_interrupted",
}
# In this order: the first that fits an error's text decides.
_BY_TEXT = (
    (r"execute .*template|template:|no such file|permission denied|parse '(?:from|to)'", "notification_not_built"),
    (r"status code 40[13]\b|\b53[045] |\bauth:|auth mechanism|Credentials|invalid_token", "credentials_refused"),
    (r"status code 429\b|\b4\.7\.\d|\b421 |[Tt]oo many|rate.?limit|throttle", "receiver_rate_limits"),
    (r"status code 5\d\d\b|\b4[25]\d 4\.|\b45\d ", "receiver_server_error"),
    (r"status code 4\d\d\b|\b55\d |\b5\.\d\.\d ", "receiver_refuses"),
    (r"context canceled", "notification_interrupted"),
    (r"refused|no such host|no route|unreachable|EOF|reset by peer|x509|tls:|STARTTLS|lookup ", "receiver_unreachable"),
    (r"deadline exceeded|[Tt]imeout|timed out", "receiver_too_slow"),
)
_FIXES = {
    "credentials_refused": "write the right one into {credentials}",
    "receiver_rate_limits": "send less: group more, and raise it for the route of {receiver}: repeat_interval: 12h",
    "receiver_refuses": "correct address and content of receiver {receiver}: {log}",
    "receiver_server_error": "see the provider's status page, then look again: {log}",
    "receiver_unreachable": "let Alertmanager reach it (egress, DNS, address): {log}",
    "receiver_too_slow": "see why it does not answer; the requests are in the log: {log}",
    "notification_interrupted": "look again when its configuration is at rest: {log}",
    "notification_not_built": "read which template or file it is: {log}",
    "failure_without_reason": "read the reason in its log: {log}",
}
_FIELD = re.compile(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))')
_PREFIX = re.compile(r"^([^/]+)/\w+\[\d+\]: ")


class LogError(t.NamedTuple):
    """An error that Alertmanager wrote about one receiver. C(group) names the alerts' common labels."""

    receiver: str
    text: str
    group: str = ""


def read_log(text: str) -> list[LogError]:
    """The failed notifications in a log, as logfmt or JSON, oldest first."""
    found = []
    for line in text.splitlines():
        if "otify" not in line or "err" not in line:
            continue
        fields = _fields(line)
        error = fields.get("err", "")
        prefix = _PREFIX.match(error)
        receiver = fields.get("receiver") or (prefix.group(1) if prefix else "")
        if error and receiver:
            found.append(LogError(receiver, without_secrets(_PREFIX.sub("", error)), fields.get("aggrGroup", "")))
    return found


def _fields(line: str) -> dict[str, str]:
    start = line.find("{")
    if line.lstrip().startswith("{"):
        try:
            return {key: str(value) for key, value in json.loads(line[start:]).items()}
        except ValueError:
            return {}
    return {
        name: quoted.replace('\\"', '"').replace("\\\\", "\\") if quoted else plain
        for name, quoted, plain in _FIELD.findall(line)
    }


def without_secrets(text: str) -> str:
    """An error as it may be shown: of an address only the host, since the path of a webhook is its password."""
    text = re.sub(r"(https?://)(?:[^/@\s\"]*@)?([^/\s\"?]+)[^\s\"]*", r"\1\2/...", text)
    return " ".join(text.split())[:300]


def _code_of_text(error: str) -> str | None:
    return next((code for pattern, code in _BY_TEXT if re.search(pattern, error)), None)


def apart(reasons: t.Mapping[str, float], errors: t.Sequence[str]) -> list[tuple[dict[str, float], list[str]]]:
    """Counted reasons that mean different things, each with the errors that speak of it; the most frequent first."""
    groups: dict[str, dict[str, float]] = {}
    for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
        if count > 0:
            groups.setdefault(_BY_REASON.get(reason, ""), {})[reason] = count
    if not groups:
        return [(dict(reasons), list(errors))]
    named = set(groups) - {""}
    found = []
    for code, counted in groups.items():
        said = [(error, _code_of_text(error)) for error in errors]
        found.append((counted, [error for error, its in said if (its == code if code else its not in named)]))
    return found


def code_of(reasons: t.Mapping[str, float], errors: t.Sequence[str], kind: str, exact: bool = False) -> str:
    """The cause's code: a counted reason that says something, else the newest error, else what the kind implies.

    :param exact: the errors are of the alert that is judged. What is counted may be an earlier one's: they go first.
    """
    told = next((code for error in reversed(errors) if (code := _code_of_text(error))), None)
    if exact and told:
        return told
    for reason in sorted(reasons, key=lambda name: -reasons[name]):
        if reasons[reason] > 0 and reason in _BY_REASON:
            return _BY_REASON[reason]
    if told:
        return told
    # Every answer of an HTTP receiver has a reason: without one there was no answer.
    if reasons.get("other") and kind != "email":
        return "receiver_unreachable"
    return "failure_without_reason"


def failure(
    receiver: str,
    where: str,
    kind: str,
    reasons: t.Mapping[str, float],
    errors: t.Sequence[str],
    place: t.Mapping[str, str],
    told: str,
    exact: bool = False,
) -> dict[str, str]:
    """The cause of a failed notification.

    :param where: the replica.
    :param place: C(credentials), where they are written, and C(log), the command that reads the log, for the fix.
    :param told: what was counted, as text. :param exact: as for C(code_of).
    """
    code = code_of(reasons, errors, kind, exact)
    words = f": {errors[-1]}" if errors else ""
    fix = _FIXES[code].format(receiver=receiver, **place)
    return cause(code, f"{receiver} ({kind}) on {where}: {told}{words}.", fix)
