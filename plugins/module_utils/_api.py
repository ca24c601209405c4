# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One way to ask a server over HTTP. This module util is PRIVATE to the collection.

An C(Api) is one server, one replica: reached directly by URL (C(DirectApi)) or through the Kubernetes API's proxy
(C(_kube.ProxyApi)). C(get) hands over whatever the server answered; C(get_json) insists on a good answer.
Neither follows redirects nor retries: a verdict must see what is there. The connection is kept and reused, which
C(module_utils.urls) does not do (22 ms against 0.4 ms a call).
"""

from __future__ import annotations

import base64
import http.client
import json
import shlex
import socket
import ssl
import threading
import typing as t
import urllib.parse

from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import (
    ApiError,
    ApiForbidden,
    ApiTimeout,
    ApiUnreachable,
    ConfigError,
)

Params = t.Sequence[tuple[str, str]]


class Response(t.NamedTuple):
    """What a server answered: header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def text(self, limit: int | None = None) -> str:
        """The body as text, at most C(limit) characters of it."""
        text = self.body.decode("utf-8", errors="replace")
        return text if limit is None or len(text) <= limit else text[:limit] + "..."

    def json(self) -> t.Any:
        """:raises ValueError: when the body is not JSON."""
        return json.loads(self.body)


class Api:
    """One server. C(label) is how a person would name it, without credentials."""

    label: str = ""

    def call(
        self,
        method: str,
        path: str,
        params: Params = (),
        body: t.Any = None,
        timeout: float | None = None,
        headers: t.Mapping[str, str] | None = None,
    ) -> Response:
        """One call with C(params); repeated names are kept.

        :param body: sent as JSON; None sends no body.
        :param timeout: seconds for this call; the connection's own when None.
        :raises ApiUnreachable: no answer of the server itself. C(ApiTimeout) when it took too long.
        :raises ApiForbidden: the Kubernetes API refuses to pass the call on.
        """
        raise NotImplementedError

    def get(
        self,
        path: str,
        params: Params = (),
        timeout: float | None = None,
        headers: t.Mapping[str, str] | None = None,
    ) -> Response:
        """GET; raises what C(call) does."""
        return self.call("GET", path, params, None, timeout, headers)

    def by_hand(self, path: str, params: Params = ()) -> str:
        """The command that asks the same; credentials are left to whoever runs it."""
        raise NotImplementedError

    def get_json(self, path: str, params: Params = (), timeout: float | None = None) -> t.Any:
        """GET and parse.

        :raises ApiForbidden: 401 or 403 of the server.
        :raises ApiError: any other status from 400 on, or a body that is not JSON.
        """
        response = self.get(path, params, timeout)
        where = f"GET {path} of {self.label}"
        if response.status in (401, 403):
            raise ApiForbidden(
                f"{where} answered {response.status}: {_excerpt(response)}", response.status, response.text(500)
            )
        if response.status >= 400:
            raise ApiError(
                f"{where} answered {response.status}: {_excerpt(response)}", response.status, response.text(500)
            )
        try:
            return response.json()
        except ValueError as exc:
            raise ApiError(
                f"{where} answered {response.status} with {response.headers.get('content-type', 'no type')} instead "
                f"of JSON: {_excerpt(response)}",
                response.status,
                response.text(500),
            ) from exc


def _excerpt(response: Response) -> str:
    """One line of the answer for a message; Prometheus and Loki put theirs in C(error) or C(message)."""
    try:
        parsed = response.json()
    except ValueError:
        parsed = None
    if isinstance(parsed, dict):
        for key in ("error", "message"):
            if isinstance(parsed.get(key), str):
                return parsed[key][:200]
    return " ".join(response.text(200).split()) or "an empty body"


class DirectApi(Api):
    """A server reached by its own URL, over one kept connection per thread.

    :param url: C(http://host:port/prefix); a user and a password belong into the options, not into the URL.
    :param timeout: seconds for one call.
    """

    def __init__(
        self,
        url: str,
        *,
        username: str | None = None,
        password: str | None = None,
        token: str | None = None,
        headers: t.Mapping[str, str] | None = None,
        ca_cert: str | None = None,
        client_cert: str | None = None,
        client_key: str | None = None,
        validate_certs: bool = True,
        proxy: str | None = None,
        timeout: float = 10.0,
    ) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                f"url {parts.scheme}://{parts.hostname or ''} is not usable: write http(s)://host:port/prefix."
            )
        if parts.username or parts.password:
            raise ConfigError("url carries a user or password: move them to url_username and url_password.")
        self._scheme, self._host = parts.scheme, parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._prefix = parts.path.rstrip("/")
        self._proxy = urllib.parse.urlsplit(proxy) if proxy else None
        self._timeout = timeout
        self._local = threading.local()
        self._headers = {"Accept": "application/json, */*", **(headers or {})}
        if username is not None:
            pair = base64.b64encode(f"{username}:{password or ''}".encode()).decode()
            self._headers["Authorization"] = f"Basic {pair}"
        elif token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._context: ssl.SSLContext | None = None
        if parts.scheme == "https":
            try:
                self._context = ssl.create_default_context(cafile=ca_cert)
                if client_cert:
                    self._context.load_cert_chain(client_cert, client_key)
            except OSError as exc:
                raise ConfigError(f"url_ca_cert, url_client_cert or url_client_key cannot be loaded: {exc}") from exc
            if not validate_certs:
                self._context.check_hostname = False
                self._context.verify_mode = ssl.CERT_NONE
        self.label = f"{parts.scheme}://{self._host}:{self._port}{self._prefix}"

    def by_hand(self, path: str, params: Params = ()) -> str:
        given = "".join(" --data-urlencode " + shlex.quote(f"{name}={value}") for name, value in params)
        return f"curl -sSG {shlex.quote(self.label + path)}{given}"

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        host, port = self._host, self._port
        if self._proxy is not None:
            host, port = self._proxy.hostname or "", self._proxy.port or 3128
        connection: http.client.HTTPConnection
        if self._scheme == "https":
            connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=self._context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=timeout)
        if self._proxy is not None and self._scheme == "https":
            connection.set_tunnel(self._host, self._port)
        return connection

    def call(
        self,
        method: str,
        path: str,
        params: Params = (),
        body: t.Any = None,
        timeout: float | None = None,
        headers: t.Mapping[str, str] | None = None,
    ) -> Response:
        limit = self._timeout if timeout is None else timeout
        target = self._prefix + path + ("?" + urllib.parse.urlencode(list(params)) if params else "")
        if self._proxy is not None and self._scheme == "http":
            target = f"http://{self._host}:{self._port}{target}"
        sent = {**self._headers, **(headers or {})}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        # The server may have closed a kept connection in the meantime: then a GET is made again over a new one. What
        # writes is never sent twice.
        kept = getattr(self._local, "connection", None) if method == "GET" else None
        for connection in [kept] * (kept is not None) + [None]:
            fresh = connection is None
            if fresh:
                connection = self._connect(limit)
            try:
                connection.timeout = limit
                if connection.sock is not None:
                    connection.sock.settimeout(limit)
                connection.request(method, target, body=data, headers=sent)
                answer = connection.getresponse()
                content = answer.read()
                self._local.connection = connection
                return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, content)
            except TimeoutError as exc:
                self._drop(connection)
                raise ApiTimeout(f"{method} {path} of {self.label} gave no answer within {limit:g} s.") from exc
            except (http.client.HTTPException, OSError) as exc:
                self._drop(connection)
                if fresh:
                    raise ApiUnreachable(f"{self.label} cannot be reached: {_plain(exc)}.") from exc
        raise ApiUnreachable(f"{self.label} cannot be reached.")

    def _drop(self, connection: http.client.HTTPConnection) -> None:
        connection.close()
        self._local.connection = None


def _plain(exc: BaseException) -> str:
    """An operating system error in the words an operator knows."""
    if isinstance(exc, socket.gaierror):
        return "the host name does not resolve"
    if isinstance(exc, ConnectionRefusedError):
        return "connection refused"
    if isinstance(exc, ssl.SSLError):
        return f"TLS: {exc.reason or exc}"
    return str(exc) or type(exc).__name__
