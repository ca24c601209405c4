# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""python3 -m lab.sinks.sink smtp|slack|pagerduty|heartbeat: a receiver of notifications that shows what it got.

    GET  /messages   what was accepted and what was refused, as a person would read it
    POST /mode       {"mode": "ok|403|404|429|500|500-then-ok|slow|refuse", "times": 2, "seconds": 60}

Both on another port than the receiver itself. From the environment: ADDRESS, PORT, CONTROL_PORT, and what the sender
has to know: SMTP_USER and SMTP_PASSWORD, SLACK_PATH, PAGERDUTY_ROUTING_KEY, HEARTBEAT_PATH.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Protocol

from lab.sinks import webhooks
from lab.sinks.store import Store
from lab.sinks.web import Server, control

PORTS = {"smtp": 2525, "slack": 8080, "pagerduty": 8081, "heartbeat": 8082}
CONTROL_PORT = 9000


class Door(Protocol):
    """Where messages come in."""

    def open(self) -> None: ...

    def close(self) -> None: ...


def door(sink: str, store: Store, env: Mapping[str, str]) -> Door:
    """The server of one kind of sink."""
    address, port = env.get("ADDRESS", "0.0.0.0"), int(env.get("PORT", PORTS[sink]))  # noqa: S104 - a Pod's own address
    if sink == "smtp":
        from lab.sinks.mail import Mail  # the other sinks run where there is no aiosmtpd

        return Mail(address, port, store, env["SMTP_USER"], env["SMTP_PASSWORD"])
    handle = {
        "slack": lambda: webhooks.slack(store, env["SLACK_PATH"]),
        "pagerduty": lambda: webhooks.pagerduty(store, env["PAGERDUTY_ROUTING_KEY"]),
        "heartbeat": lambda: webhooks.heartbeat(store, env["HEARTBEAT_PATH"]),
    }[sink]
    return Server(address, port, handle())


def main(arguments: list[str], env: Mapping[str, str]) -> int:
    if len(arguments) != 1 or arguments[0] not in PORTS:
        print(f"usage: python3 -m lab.sinks.sink {'|'.join(PORTS)}", file=sys.stderr)
        return 2
    store = Store(arguments[0])
    entrance = door(arguments[0], store, env)
    entrance.open()
    page = Server(
        env.get("ADDRESS", "0.0.0.0"),  # noqa: S104
        int(env.get("CONTROL_PORT", CONTROL_PORT)),
        control(store, lambda mode: entrance.close() if mode == "refuse" else entrance.open()),
    )
    page.open()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_args: ended.set())
    ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
