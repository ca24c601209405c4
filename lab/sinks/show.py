# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the sinks got, as a person would read it: a mail, a message in a channel, an incident on a phone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

SINKS = ("pagerduty", "smtp", "slack", "heartbeat")


def page(sink: str, shown: dict[str, Any], contains: str, last: int) -> str:
    """The newest messages of one sink that contain some words, oldest first, and what it refused since it started."""
    found = [message for message in shown["messages"] if contains in json.dumps(message, ensure_ascii=False)]
    head = f"=== {sink}: {shown['accepted']} accepted, {shown['rejected']} refused, mode {shown['mode']}"
    parts = ["\n".join(_lines(sink, message)) for message in found[-last:]]
    return "\n\n".join([head, *(parts or ["(no such message)"])]) + "\n"


def _lines(sink: str, message: dict[str, Any]) -> Iterator[str]:
    when = message["received"][:19].replace("T", " ")
    if sink == "smtp":
        yield f"--- mail, {when} UTC"
        yield f"From:    {message['from']}"
        yield f"To:      {', '.join(message['to'])}"
        yield f"Subject: {message['subject']}"
        yield ""
        yield from message["text"].splitlines()
    elif sink == "slack":
        yield f"--- {message.get('channel', 'the channel')}, {when} UTC, {message.get('from', 'somebody')}:"
        yield from (_readable(line) for line in message.get("text", "").splitlines())
    elif sink == "pagerduty":
        verb = {"trigger": "triggered", "resolve": "resolved"}.get(message["action"], message["action"])
        incident, severity = message.get("incident", "")[:8], message.get("severity", "-")
        yield f"--- incident {incident} {verb}, {when} UTC, severity {severity}"
        yield message.get("summary", "")
        details = message.get("details") or {}
        yield from str(details.get("alerts", "")).splitlines()
        if message.get("link"):
            yield f"Open in {message.get('client', 'the sender')}: {message['link']}"
        yield from (f"{link.get('text', 'Link')}: {link['href']}" for link in message.get("links") or [])
    else:
        names = [alert["labels"].get("alertname", "") for alert in message.get("alerts") or []]
        yield f"--- beat, {when} UTC: {', '.join(names) or message.get('text', '')}"


def _readable(line: str) -> str:
    """Slack's markup as it is shown: links by their names, entities as characters."""
    line = re.sub(r"<([^|>]+)\|([^>]+)>", r"[\2: \1]", line)
    return line.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").rstrip()
