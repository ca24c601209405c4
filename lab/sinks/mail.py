# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mail server that keeps what it got. AUTH is offered, and not demanded unless the mode says so."""

from __future__ import annotations

import asyncio
import email
import email.policy
import hmac
import html
import re
from email.message import EmailMessage
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from lab.sinks.store import Store

#: Enhanced status codes as of RFC 3463.
REFUSALS = {
    "403": "550 5.7.1 Delivery not authorized, message refused",
    "404": "550 5.1.1 Mailbox does not exist",
    "429": "451 4.7.1 Too many messages, try again later",
    "500": "451 4.3.0 Temporary failure, try again later",
}
BAD_LOGIN = "535 5.7.8 Authentication credentials invalid"


class Server(SMTP):
    """Asks for user and password in the words of every other server; clients wait for these."""

    AuthLoginUsernameChallenge = "Username:"
    AuthLoginPasswordChallenge = "Password:"


class Listener(Controller):
    def factory(self) -> SMTP:
        return Server(self.handler, **self.SMTP_kwargs)


class Mail:
    """The server; closed, it refuses connections."""

    def __init__(self, address: str, port: int, store: Store, user: str, password: str) -> None:
        self._address, self._port, self._store = address, port, store
        self._user, self._password = user, password
        self._controller: Listener | None = None

    def open(self) -> None:
        if self._controller is None:
            # Plain text on purpose: nothing leaves the lab. LOGIN is what Alertmanager takes without TLS.
            self._controller = Listener(
                self,
                hostname=self._address,
                port=self._port,
                authenticator=self._authenticate,
                auth_require_tls=False,
                auth_exclude_mechanism=["PLAIN"],
                data_size_limit=4 * 1024 * 1024,
            )
            self._controller.start()

    def close(self) -> None:
        controller, self._controller = self._controller, None
        if controller is not None:
            controller.stop()

    def _authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _kind: str, data: Any) -> AuthResult:
        given = cast(LoginPassword, data)
        right = (
            self._store.mode != "403"
            and hmac.compare_digest(given.login, self._user.encode())
            and hmac.compare_digest(given.password, self._password.encode())
        )
        if right:
            return AuthResult(success=True)
        self._store.reject(535, "wrong user or password")
        return AuthResult(success=False, handled=False, message=BAD_LOGIN)

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        failure = await asyncio.get_running_loop().run_in_executor(None, self._store.failure)
        if failure:
            answer = REFUSALS[failure]
            self._store.reject(int(answer[:3]), answer[4:])
            return answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Sender ok"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        message = email.message_from_bytes(envelope.original_content or b"", policy=email.policy.default)
        missing = [name for name in ("From", "To", "Subject", "Date") if not message[name]]
        if missing:
            # RFC 5322 demands From and Date; large providers refuse a mail without the others too.
            self._store.reject(550, f"no {', '.join(missing)} in the header")
            return f"550 5.6.0 Message has no {', '.join(missing)}"
        told = {"to": envelope.rcpt_tos, "authenticated": session.authenticated}
        self._store.accept({**read_mail(cast(EmailMessage, message)), **told})
        return "250 2.0.0 Message accepted for delivery"


def read_mail(message: EmailMessage) -> dict[str, Any]:
    """A mail as its reader sees it."""
    part = message.get_body(("plain", "html"))
    text = str(part.get_content()) if part is not None else ""
    if part is not None and part.get_content_type() == "text/html":
        text = plain(text)
    return {"from": str(message["From"]), "subject": str(message["Subject"]), "text": text.strip()}


def plain(page: str) -> str:
    """What a reader sees of a page: no head, no tags, no runs of blanks."""
    page = re.sub(r"(?is)<(head|style|script)\b.*?</\1>", " ", page)
    text = html.unescape(re.sub(r"<[^>]*>", "\n", page))
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)
