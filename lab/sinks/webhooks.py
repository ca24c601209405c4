# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Slack, PagerDuty and a heartbeat service accept and refuse.

Sources: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (error handling),
https://developer.pagerduty.com/docs/send-alert-event and .../events-api-v2-overview (response codes).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lab.sinks.store import Store
from lab.sinks.web import Answer, Handle, Request, as_json

#: Largest event that PagerDuty takes, in bytes.
EVENT_LIMIT = 512 * 1024
SUMMARY_LIMIT = 1024
SEVERITIES = ("critical", "error", "warning", "info")
ACTIONS = ("trigger", "acknowledge", "resolve")


def slack(store: Store, path: str) -> Handle:
    """An incoming webhook at `path` (/services/T.../B.../token)."""

    def refuse(status: int, reason: str, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
        store.reject(status, reason)
        return Answer(status, reason, headers=headers)

    def handle(request: Request) -> Answer:
        failure = store.failure()
        if failure == "403":
            return refuse(403, "invalid_token")
        if failure == "404":
            return refuse(404, "channel_not_found")
        if failure == "429":
            return refuse(429, "rate_limited", (("Retry-After", "30"),))
        if failure:
            return refuse(500, "rollup_error")
        given = urlsplit(request.path).path
        if not given.startswith("/services/") or given.count("/") != 4:
            return refuse(404, "no_service")
        if given != path:
            return refuse(403, "invalid_token")
        if request.method != "POST":
            return refuse(400, "invalid_payload")
        try:
            body = request.body
            if request.content_type == "application/x-www-form-urlencoded":
                body = parse_qs(body.decode())["payload"][0].encode()
            payload = json.loads(body)
            if not isinstance(payload, dict):
                raise ValueError
        except (ValueError, KeyError, UnicodeDecodeError):
            return refuse(400, "invalid_payload")
        if not any(payload.get(key) for key in ("text", "attachments", "blocks")):
            return refuse(400, "no_text")
        store.accept(read_slack(payload))
        return Answer(200, "ok")

    return handle


def read_slack(payload: dict[str, Any]) -> dict[str, Any]:
    """The message as the channel shows it."""
    lines = [str(payload["text"])] if payload.get("text") else []
    for part in payload.get("attachments") or []:
        for key in ("pretext", "title", "text"):
            if part.get(key):
                lines.append(str(part[key]))
        lines += [f"{field.get('title')}: {field.get('value')}" for field in part.get("fields") or []]
        if not any(part.get(key) for key in ("pretext", "title", "text")) and part.get("fallback"):
            lines.append(str(part["fallback"]))
    for block in payload.get("blocks") or []:
        text = block.get("text")
        lines.append(str(text.get("text")) if isinstance(text, dict) else json.dumps(block))
    shown = {"channel": payload.get("channel"), "from": payload.get("username"), "text": "\n".join(lines)}
    links = [part["title_link"] for part in payload.get("attachments") or [] if part.get("title_link")]
    return {key: value for key, value in {**shown, "links": links}.items() if value}


def pagerduty(store: Store, routing_key: str) -> Handle:
    """Events API v2 at /v2/enqueue, for the service with this key."""

    def refuse(status: int, word: str, message: str, errors: list[str]) -> Answer:
        store.reject(status, "; ".join(errors) or message)
        return as_json(status, {"status": word, "message": message, "errors": errors})

    def handle(request: Request) -> Answer:
        failure = store.failure()
        if failure == "403":
            return refuse(403, "forbidden", "Forbidden", ["The integration key may not be used"])
        if failure == "404":
            return refuse(404, "not found", "Not Found", ["There is no such address"])
        if failure == "429":
            return refuse(429, "throttle exceeded", "Requests for this service are arriving too quickly", [])
        if failure:
            return refuse(500, "internal error", "Internal Server Error", [])
        if urlsplit(request.path).path != "/v2/enqueue" or request.method != "POST":
            return refuse(404, "not found", "Not Found", [f"no {request.method} here"])
        if len(request.body) > EVENT_LIMIT:
            return refuse(413, "invalid event", "Event object is too large", ["Event exceeds 512 KB"])
        try:
            event = json.loads(request.body)
        except ValueError:
            return refuse(400, "invalid event", "Event object is invalid", ["JSON cannot be parsed"])
        errors = event_errors(event, routing_key)
        if errors:
            return refuse(400, "invalid event", "Event object is invalid", errors)
        store.accept(read_event(event))
        key = event.get("dedup_key") or f"event-{store.show()['accepted']}"
        return as_json(202, {"status": "success", "message": "Event processed", "dedup_key": key})

    return handle


def event_errors(event: Any, routing_key: str) -> list[str]:
    """What PagerDuty would say is wrong with an event."""
    if not isinstance(event, dict):
        return ["Event is not an object"]
    errors = []
    key = event.get("routing_key")
    if not isinstance(key, str) or len(key) != 32:
        errors.append("'routing_key' must be a string of 32 characters")
    elif key != routing_key:
        errors.append("'routing_key' is not the key of a service")
    action = event.get("event_action")
    if action not in ACTIONS:
        errors.append(f"'event_action' must be one of {', '.join(ACTIONS)}")
    if action in ("acknowledge", "resolve") and not event.get("dedup_key"):
        errors.append(f"'dedup_key' is required to {action}")
    if action == "trigger":
        payload = event.get("payload")
        if not isinstance(payload, dict):
            return [*errors, "'payload' is missing or blank"]
        for name in ("summary", "source"):
            if not isinstance(payload.get(name), str) or not payload[name].strip():
                errors.append(f"'payload.{name}' is missing or blank")
        if isinstance(payload.get("summary"), str) and len(payload["summary"]) > SUMMARY_LIMIT:
            errors.append(f"'payload.summary' is longer than {SUMMARY_LIMIT} characters")
        if payload.get("severity") not in SEVERITIES:
            errors.append(f"'payload.severity' must be one of {', '.join(SEVERITIES)}")
    return errors


def read_event(event: dict[str, Any]) -> dict[str, Any]:
    """The incident as the person on call sees it."""
    payload = event.get("payload") or {}
    shown = {
        "action": event["event_action"],
        "summary": payload.get("summary"),
        "severity": payload.get("severity"),
        "source": payload.get("source"),
        "component": payload.get("component"),
        "group": payload.get("group"),
        "details": payload.get("custom_details"),
        "client": event.get("client"),
        "link": event.get("client_url"),
        "links": event.get("links"),
        "incident": event.get("dedup_key"),
    }
    return {key: value for key, value in shown.items() if value}


def heartbeat(store: Store, path: str) -> Handle:
    """A dead man's switch: any POST to its address counts as a beat."""

    def handle(request: Request) -> Answer:
        failure = store.failure()
        given = urlsplit(request.path).path
        status = int(failure) if failure else 200 if given == path and request.method == "POST" else 404
        if status != 200:
            reasons = {403: "forbidden", 404: "no such heartbeat", 429: "too many beats"}
            reason = reasons.get(status, "internal error")
            # Whose beat it was: another address than this one's, or another method. The address itself is a secret.
            beside = f": {request.method} {fingerprint(given)}, here is {fingerprint(path)}" if status == 404 else ""
            store.reject(status, reason + beside)
            return Answer(status, reason)
        store.accept(read_beat(request.body))
        return Answer(200, "OK")

    return handle


def fingerprint(path: str) -> str:
    """By which two addresses can be compared, and none be found out."""
    return hashlib.sha256(path.encode()).hexdigest()[:8]


def read_beat(body: bytes) -> dict[str, Any]:
    """Which alerts keep the heart beating (Alertmanager's webhook, version 4); anything else counts too."""
    try:
        payload = json.loads(body)
        alerts = [
            {"status": alert["status"], "labels": alert["labels"], "annotations": alert.get("annotations", {})}
            for alert in payload["alerts"]
        ]
    except (ValueError, KeyError, TypeError):
        return {"text": body[:500].decode(errors="replace")}
    return {"status": payload.get("status"), "alerts": alerts}
