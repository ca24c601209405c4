# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The Kubernetes API over kubernetes.core's own client. This module util is PRIVATE to the collection.

Authentication is kubernetes.core's in every detail (options, C(K8S_AUTH_*), in-cluster, kubeconfig). What differs:
no hidden retries (urllib3's defaults turn a 0.5 s timeout into 2 s), plain dicts instead of resource objects, and one
connection.
"""

from __future__ import annotations

import json
import shlex
import traceback
import typing as t
import urllib.parse

from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api, Params, Response
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import (
    ApiError,
    ApiForbidden,
    ApiTimeout,
    ApiUnreachable,
    ConfigError,
)

try:
    from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
except ImportError:
    AUTH_ARG_SPEC = {}

# Apart from it: the options are the same whether or not the client library is installed.
try:
    import urllib3
    from ansible_collections.kubernetes.core.plugins.module_utils.k8s import client as k8s_core
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.dynamic import DynamicClient
    from kubernetes.dynamic.exceptions import DynamicApiError

    HAS_KUBERNETES = True
    KUBERNETES_IMPORT_ERROR = None
except ImportError:
    HAS_KUBERNETES = False
    KUBERNETES_IMPORT_ERROR = traceback.format_exc()

CONNECT_TIMEOUT = 3.05
READ_TIMEOUT = 20.0


class Kube:
    """One authenticated connection to a cluster.

    :param params: an option dict that holds kubernetes.core's authentication options, absent or None where not set.
    :param timeout: seconds that one call may take.
    :raises ConfigError: the Python package or the collection is missing, or no way to authenticate was found.
    """

    def __init__(self, params: t.Mapping[str, t.Any], timeout: float = READ_TIMEOUT) -> None:
        if not HAS_KUBERNETES:
            raise ConfigError(
                "The Kubernetes API needs the Python package kubernetes and the collection kubernetes.core on the "
                "controller: pip install kubernetes; ansible-galaxy collection install kubernetes.core"
            )
        auth = {key: params[key] for key in AUTH_ARG_SPEC if params.get(key) is not None}
        try:
            configuration, self._client = _connect(auth)
        except Exception as exc:  # every client library error means the same here: nobody can authenticate
            raise ConfigError(
                f"No connection to a Kubernetes cluster: {exc}. Set kubeconfig (or K8S_AUTH_KUBECONFIG) and context."
            ) from exc
        self._timeout = timeout
        self.host: str = configuration.host

    def raw(
        self,
        method: str,
        path: str,
        params: Params = (),
        body: t.Any = None,
        content_type: str | None = None,
        timeout: float | None = None,
        headers: t.Mapping[str, str] | None = None,
    ) -> Response:
        """One call; any HTTP status comes back as a response.

        :raises ApiTimeout: no answer within C(timeout) seconds. :raises ApiUnreachable: no connection.
        """
        limit = self._timeout if timeout is None else timeout
        options: dict[str, t.Any] = {
            "query_params": list(params),
            "serialize": False,
            "header_params": dict(headers or {}),
            "_request_timeout": (min(CONNECT_TIMEOUT, limit), limit),
        }
        if content_type:
            options["content_type"] = content_type
            # What is called JSON is encoded by the client; anything else must be text when it gets there.
            if "json" not in content_type and not isinstance(body, (str, bytes)):
                body = json.dumps(body)
        try:
            answer = self._client.request(method, path, body=body, **options)
            return Response(answer.status, {k.lower(): v for k, v in answer.headers.items()}, _bytes(answer.data))
        except DynamicApiError as exc:
            sent = {str(k).lower(): str(v) for k, v in dict(exc.headers or {}).items()}
            return Response(int(exc.status or 0), sent, _bytes(exc.body))
        # A refused connection is a kind of connect timeout to urllib3.
        except urllib3.exceptions.NewConnectionError as exc:
            raise ApiUnreachable(f"The Kubernetes API at {self.host} cannot be reached: {exc}") from exc
        except (urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.ReadTimeoutError) as exc:
            raise ApiTimeout(f"{method} {path} of {self.host} gave no answer within {limit:g} s.") from exc
        except urllib3.exceptions.HTTPError as exc:
            raise ApiUnreachable(f"The Kubernetes API at {self.host} cannot be reached: {exc}") from exc

    def request(
        self,
        method: str,
        path: str,
        body: t.Any = None,
        params: Params = (),
        content_type: str | None = None,
    ) -> tuple[int, dict[str, t.Any]]:
        """One call that answers JSON, whatever the status: for writers that must read the refusal."""
        response = self.raw(method, path, params, body, content_type)
        try:
            parsed = response.json()
        except ValueError:
            parsed = {"kind": "Status", "message": response.text(500)}
        return response.status, parsed if isinstance(parsed, dict) else {"items": parsed}

    def get(self, path: str, params: Params = ()) -> dict[str, t.Any] | None:
        """An object, or None when there is none (404).

        :raises ApiForbidden: 401 or 403, with the API server's own sentence: it names user, verb and resource.
        :raises ApiError: any other status from 400 on.
        """
        response = self.raw("GET", path, params)
        if response.status == 404:
            return None
        if response.status >= 400:
            raise status_error(response, f"GET {path}")
        try:
            return response.json()
        except ValueError as exc:
            raise ApiError(f"GET {path} did not answer JSON: {response.text(200)}", response.status) from exc

    def list(
        self, path: str, label_selector: str | None = None, field_selector: str | None = None
    ) -> list[dict[str, t.Any]]:
        """Every item below C(path); an unknown resource (404: its CRD is absent) is an empty list.

        Items of a list carry neither kind nor apiVersion; they are put in, so that an item is a whole object.
        """
        items: list[dict[str, t.Any]] = []
        base = [("limit", "500")]
        if label_selector:
            base.append(("labelSelector", label_selector))
        if field_selector:
            base.append(("fieldSelector", field_selector))
        token = ""
        while True:
            page = self.get(path, [*base, ("continue", token)] if token else base)
            if page is None:
                return items
            kind = str(page.get("kind", "")).removesuffix("List")
            for item in page.get("items") or []:
                items.append({"apiVersion": page.get("apiVersion", ""), "kind": kind, **item})
            token = (page.get("metadata") or {}).get("continue") or ""
            if not token:
                return items

    def proxy(
        self, namespace: str, kind: str, name: str, port: int | str, scheme: str = "http", prefix: str = ""
    ) -> ProxyApi:
        """A server behind the Kubernetes API.

        :param kind: C(pods) (one replica, container port) or C(services) (a random ready one, Service port).
        """
        segment = f"{scheme}:{name}:{port}" if scheme == "https" or kind == "services" else f"{name}:{port}"
        path = f"/api/v1/namespaces/{namespace}/{kind}/{segment}/proxy"
        return ProxyApi(self, path + prefix.rstrip("/"), f"{kind.removesuffix('s')} {namespace}/{name}")


def _connect(auth: dict[str, t.Any]) -> tuple[t.Any, t.Any]:
    """A client with kubernetes.core's authentication, without its discovery.

    That discovery asks for the server's version without a timeout, which a silent server never answers, and keeps a
    file below /tmp. Only paths are asked for here, so nothing is discovered.
    """
    # What an earlier connection of this process loaded must not leak into this one.
    Configuration.set_default(None)
    configuration = k8s_core._create_configuration(k8s_core._create_auth_spec(**auth))
    # urllib3's default retries would multiply every timeout.
    configuration.retries = False
    api = ApiClient(configuration)
    for name, value in k8s_core._create_headers(**auth).items():
        k8s_core._set_header(api, name, value)
    return configuration, DynamicClient(api, discoverer=lambda *_unused: None)


class ProxyApi(Api):
    """A server reached through the Kubernetes API. The API server strips Authorization: such servers need a URL."""

    def __init__(self, kube: Kube, prefix: str, label: str) -> None:
        self._kube = kube
        self._prefix = prefix
        self.label = label

    def by_hand(self, path: str, params: Params = ()) -> str:
        query = "?" + urllib.parse.urlencode(list(params)) if params else ""
        return f"kubectl get --raw {shlex.quote(self._prefix + path + query)}"

    def call(
        self,
        method: str,
        path: str,
        params: Params = (),
        body: t.Any = None,
        timeout: float | None = None,
        headers: t.Mapping[str, str] | None = None,
    ) -> Response:
        kind = None if body is None else "application/json"
        response = self._kube.raw(method, self._prefix + path, params, body, kind, timeout, headers)
        status = _status_object(response)
        if status is None:
            return response
        message = str(status.get("message") or response.status)
        if response.status in (401, 403):
            raise ApiForbidden(
                f"{self.label}: the Kubernetes API refuses the proxy: {message}", response.status, message
            )
        raise ApiUnreachable(f"{self.label} cannot be reached: {message}.", response.status, message)


def _status_object(response: Response) -> dict[str, t.Any] | None:
    """The API server's own refusal, told from the backend's answer by its body (C(kind: Status))."""
    if response.status < 400 or b'"Status"' not in response.body:
        return None
    try:
        parsed = response.json()
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) and parsed.get("kind") == "Status" else None


def status_error(response: Response, action: str) -> ApiError:
    """The error for a refused call, in the API server's own words."""
    status = _status_object(response)
    message = str(status.get("message")) if status else response.text(200)
    kind = ApiForbidden if response.status in (401, 403) else ApiError
    return kind(f"{action}: {message} ({response.status})", response.status, message)


def _bytes(data: t.Any) -> bytes:
    return data.encode() if isinstance(data, str) else bytes(data or b"")
