# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Where the servers are: from a module's options to the replicas. This module util is PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api, DirectApi
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import (
    ApiUnreachable,
    ConfigError,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube


def direct(params: t.Mapping[str, t.Any]) -> DirectApi:
    """The server of O(url) and its C(url_*) options."""
    return DirectApi(
        params["url"],
        username=params.get("url_username"),
        password=params.get("url_password"),
        token=params.get("url_token"),
        headers=params.get("url_headers"),
        ca_cert=params.get("url_ca_cert"),
        client_cert=params.get("url_client_cert"),
        client_key=params.get("url_client_key"),
        validate_certs=params.get("url_validate_certs") is not False,
        proxy=params.get("url_proxy"),
        timeout=params.get("query_timeout") or 10.0,
    )


def service_port(service: dict[str, t.Any], wanted: str | int | None) -> dict[str, t.Any]:
    """The entry of a Service's ports that is meant: by name or number; when not said the only one, C(http*) or C(web).

    :raises ConfigError: no such port; the message names those there are.
    """
    ports = service.get("spec", {}).get("ports") or []
    if wanted is not None:
        found = [port for port in ports if str(wanted) in (str(port.get("name")), str(port.get("port")))]
    else:
        named = [port for port in ports if str(port.get("name", "")).startswith("http")]
        # The operator's own Services call it web, unless spec.portName says otherwise.
        found = ports if len(ports) == 1 else named or [port for port in ports if port.get("name") == "web"]
    if not found:
        meta = service.get("metadata", {})
        there = ", ".join(f"{port.get('name', '(unnamed)')} {port.get('port')}" for port in ports) or "none"
        raise ConfigError(
            f"Service {meta.get('namespace')}/{meta.get('name')} has no port {wanted or 'http*'}; there are: {there}. "
            "Set port to one of them."
        )
    return found[0]


def replicas(params: t.Mapping[str, t.Any], kube: Kube | None) -> list[Api]:
    """One C(Api) per replica of the server the options name, sorted by Pod name.

    :raises ConfigError: neither O(url) nor O(service) is set, or the Service or its port does not exist.
    :raises ApiUnreachable: the Service has no ready Pod.
    """
    if params.get("url"):
        return [direct(params)]
    namespace, name = params.get("namespace"), params.get("service")
    if not (namespace and name):
        raise ConfigError("Say which server to ask: either url, or namespace and service.")
    if kube is None:
        raise ConfigError("namespace and service need the Kubernetes API: set url when kubernetes is false.")
    service = kube.get(f"/api/v1/namespaces/{namespace}/services/{name}")
    if service is None:
        there = sorted(item["metadata"]["name"] for item in kube.list(f"/api/v1/namespaces/{namespace}/services"))
        raise ConfigError(
            f"Service {namespace}/{name} does not exist; there are: {', '.join(there) or 'none'}. "
            "Set service to one of them."
        )
    port_name = service_port(service, params.get("port")).get("name")
    slices = kube.list(
        f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
        label_selector=f"kubernetes.io/service-name={name}",
    )
    pods: dict[str, int] = {}
    for item in slices:
        number = next(
            (p.get("port") for p in item.get("ports") or [] if (p.get("name") or None) == (port_name or None)), None
        )
        for endpoint in item.get("endpoints") or []:
            reference = endpoint.get("targetRef") or {}
            ready = (endpoint.get("conditions") or {}).get("ready") is not False
            if number and ready and reference.get("kind") == "Pod":
                pods[reference["name"]] = number
    if not pods:
        raise ApiUnreachable(f"Service {namespace}/{name} has no ready Pod behind it.")
    scheme, prefix = params.get("scheme") or "http", params.get("path_prefix") or ""
    return [kube.proxy(namespace, "pods", pod, port, scheme, prefix) for pod, port in sorted(pods.items())]
