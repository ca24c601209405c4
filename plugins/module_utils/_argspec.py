# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Argument specs shared by the modules, 1:1 with the doc fragments. This module util is PRIVATE to the collection."""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import AUTH_ARG_SPEC

CONNECTION_SPEC: dict[str, dict[str, t.Any]] = {
    "url": {"type": "str"},
    "url_username": {"type": "str"},
    "url_password": {"type": "str", "no_log": True},
    "url_token": {"type": "str", "no_log": True},
    "url_headers": {"type": "dict", "no_log": True},
    "url_ca_cert": {"type": "path"},
    "url_client_cert": {"type": "path"},
    "url_client_key": {"type": "path", "no_log": False},
    "url_validate_certs": {"type": "bool", "default": True},
    "url_proxy": {"type": "str"},
    "namespace": {"type": "str"},
    "service": {"type": "str"},
    "port": {"type": "str"},
    "scheme": {"type": "str", "choices": ["http", "https"], "default": "http"},
    "path_prefix": {"type": "str", "default": ""},
    "kubernetes": {"type": "bool", "default": True},
}

VERDICT_SPEC: dict[str, dict[str, t.Any]] = {
    "timeout": {"type": "int", "default": 180},
    "query_timeout": {"type": "float", "default": 10.0},
    "report_only": {"type": "bool", "default": False},
    "accept": {"type": "list", "elements": "dict", "default": []},
}


def prometheus_spec(required: bool = False) -> dict[str, dict[str, t.Any]]:
    """The option C(prometheus): a Prometheus beside the server that the connection options name.

    Fragment C(dataplatform.monitoring.prometheus), or C(dataplatform.monitoring.prometheus.required).
    """
    places = {name: spec for name, spec in CONNECTION_SPEC.items() if name != "kubernetes"}
    option: dict[str, t.Any] = {"type": "dict", "options": copy.deepcopy(places)}
    return {"prometheus": {**option, "required": True} if required else option}


def kube_auth_spec() -> dict[str, dict[str, t.Any]]:
    """kubernetes.core's authentication options; empty where that collection is not installed (O(url) still works)."""
    return copy.deepcopy(AUTH_ARG_SPEC)


def argument_spec(*parts: t.Mapping[str, dict[str, t.Any]]) -> dict[str, dict[str, t.Any]]:
    """Merge specs.

    :raises ValueError: two parts define the same option.
    """
    merged: dict[str, dict[str, t.Any]] = {}
    for part in parts:
        twice = merged.keys() & part.keys()
        if twice:
            raise ValueError(f"option defined twice: {', '.join(sorted(twice))}")
        merged.update(copy.deepcopy(dict(part)))
    return merged
