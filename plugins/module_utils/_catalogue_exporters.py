# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Resolve ``exporter:`` of an entry with its pack into what the role exporters deploys.

Names and references only, no secrets.

This module util is private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import (
    Entry,
    merge,
    substitute,
    substitute_all,
)

PORT_NAME = "metrics"
# Where the container finds its configuration, and the keys of its Secret that are wanted as files.
FILES = "/etc/exporter"
CREDENTIALS = "/etc/exporter-credentials"
# so that NAME-exporter is a DNS label
LONGEST_NAME = 63 - len("-exporter")
# host, host.namespace, host.namespace.svc, host.namespace.svc.cluster.local: names only this cluster resolves
_IN_CLUSTER = re.compile(r"([a-z0-9-]+)\.([a-z0-9-]+)(?:\.svc(?:\.[a-z0-9.-]+)?)?\.?")


def resolve_exporter(entry: Entry, pack: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """What is to be deployed for the entry, in the monitoring ``namespace``.

    ``env`` has values and Secret references as a container takes them; ``args`` never carries a credential. ``files``
    is configuration by name, a text or data; ``secret_files`` are the keys of the Secret that are mounted.
    """
    spec, wanted = pack.get("exporter") or {}, entry["exporter"]
    name = f"{entry['name']}-exporter"
    settings = {key: setting.get("default") for key, setting in (spec.get("settings") or {}).items()}
    settings.update({key: value for key, value in wanted.items() if key in settings or key in ("host", "port")})
    tokens = {
        key: _token(value, (spec.get("settings") or {}).get(key) or {})
        for key, value in settings.items()
        if value is not None
    } | {"files": FILES, "credentials": CREDENTIALS}
    env: list[dict[str, Any]] = [
        {"name": key, "value": substitute(value, tokens)}
        for key, value in merge(spec.get("env") or {}, wanted.get("env") or {}).items()
    ]
    secret = wanted.get("credentials_secret")
    keys = wanted.get("credentials_keys") or {}
    mounted: list[str] = []
    if secret:
        credentials = spec.get("credentials") or {}
        for variable, key in (credentials.get("env") or {}).items():
            env.append({"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": keys.get(key, key)}}})
        for variable, key in (credentials.get("files") or {}).items():
            mounted.append(keys.get(key, key))
            env.append({"name": variable, "value": f"{CREDENTIALS}/{mounted[-1]}"})
    image = merge(spec.get("image") or {}, wanted.get("image") or {})
    selector = {"app.kubernetes.io/name": spec.get("name", "exporter"), "app.kubernetes.io/instance": entry["name"]}
    path = spec.get("path", "/metrics")
    return {
        "name": name,
        "namespace": namespace,
        "exporter": spec.get("name", "exporter"),
        "image": f"{image.get('repository')}:{image.get('tag')}"
        + (f"@{image['digest']}" if image.get("digest") else ""),
        "port": spec.get("port"),
        "port_name": PORT_NAME,
        "path": path,
        "args": [substitute(text, tokens) for text in [*spec.get("args", []), *wanted.get("args", [])]],
        "env": env,
        "selector": selector,
        "labels": {**selector, "app": spec.get("name", "exporter"), "app.kubernetes.io/component": "exporter"},
        "credentials_secret": secret,
        "secret_files": sorted(set(mounted)),
        "secret_keys": sorted(
            {one["valueFrom"]["secretKeyRef"]["key"] for one in env if "valueFrom" in one}.union(mounted)
        ),
        "files": substitute_all(merge(spec.get("files") or {}, wanted.get("files") or {}), tokens),
        "host": settings.get("host"),
        "host_port": settings.get("port"),
        "resources": wanted.get("resources") or {},
        "endpoints": [{"port": PORT_NAME} if path == "/metrics" else {"port": PORT_NAME, "path": path}],
    }


def _token(value: Any, setting: Mapping[str, Any]) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return quote(text, safe="") if setting.get("encode") == "url" else text


def target_service(exporter: Mapping[str, Any] | None) -> tuple[str, str] | None:
    """Namespace and name of the Service an exporter asks, None when it lies outside the cluster or is not known."""
    host = (exporter or {}).get("host")
    if not isinstance(host, str):
        return None
    found = _IN_CLUSTER.fullmatch(host)
    if found is None or ".svc" not in host and host.count(".") != 1:
        return None
    return found.group(2), found.group(1)
