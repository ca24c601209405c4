# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Where an Alertmanager's configuration is read from. This module util is PRIVATE to the collection.

The generated Secret is the truth (the operator's additions are in it); the server's own status is what it has loaded,
but with credentials hidden and an empty C(group_by) lost (Alertmanager, Config.String with omitempty).
Source for the names: prometheus-operator 0.93, pkg/alertmanager/operator.go.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import re
import typing as t
import zlib

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _alertmanager_yaml, _routing
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import (
    ApiForbidden,
    ApiUnreachable,
    ConfigError,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._inhibition import load as load_inhibition
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube
from ansible_collections.dataplatform.monitoring.plugins.module_utils._servers import replicas

_GROUP = "/apis/monitoring.coreos.com/v1"
# The Service that the operator makes: of every Alertmanager in the namespace, all together.
OPERATED = "alertmanager-operated"
GENERATED_KEY = "alertmanager.yaml.gz"


class Loaded(t.NamedTuple):
    """A configuration and where it comes from. C(exact) is False for a server's own status; C(text) if it is known."""

    config: dict[str, t.Any]
    origin: str
    exact: bool
    text: str = ""


def find_alertmanager(kube: Kube, namespace: str, name: str | None) -> str:
    """The name of the Alertmanager object meant: C(name), or the only one there.

    :raises ConfigError: none, or several and none named.
    """
    there = sorted(item["metadata"]["name"] for item in kube.list(f"{_GROUP}/namespaces/{namespace}/alertmanagers"))
    if name:
        if name not in there:
            raise ConfigError(
                f"Alertmanager {namespace}/{name} does not exist. Set alertmanager to one of: {', '.join(there)}."
            )
        return name
    if len(there) != 1:
        raise ConfigError(
            f"Namespace {namespace} has {len(there)} Alertmanager objects. Set alertmanager to one: {', '.join(there)}."
        )
    return there[0]


def own_replicas(params: t.Mapping[str, t.Any], kube: Kube | None) -> list[Api]:
    """The replicas of the Alertmanager that is meant, without those of another one behind the same Service.

    A Service that is named, and no object, is taken at its word.

    :raises ConfigError: see C(find_alertmanager) and C(_servers.replicas).
    :raises ApiUnreachable: none of them is ready, whatever others are.
    """
    apis = replicas({**params, "service": params["service"] or OPERATED}, kube)
    if kube is None or params["url"] or (params["service"] and not params["alertmanager"]):
        return apis
    name = find_alertmanager(kube, params["namespace"], params["alertmanager"])
    # The operator names its StatefulSet so; a Pod adds its number.
    own = re.compile(rf"pod {re.escape(params['namespace'])}/alertmanager-{re.escape(name)}-[0-9]+")
    found = [api for api in apis if own.fullmatch(api.label)]
    if not found:
        raise ApiUnreachable(f"Alertmanager {params['namespace']}/{name} has no ready Pod.")
    return found


def without_operator(kube: Kube, namespace: str, name: str | None, service: str | None) -> bool:
    """Whether a Service is named in a namespace that has no Alertmanager object: it runs without the operator."""
    return bool(service and not name and not kube.list(f"{_GROUP}/namespaces/{namespace}/alertmanagers"))


def from_secret(kube: Kube, namespace: str, alertmanager: str) -> Loaded | None:
    """What the operator generated, or None when there is no such Secret yet.

    :raises ApiForbidden: the account may not read it.
    :raises ConfigError: it is there, but holds no configuration.
    """
    name = f"alertmanager-{alertmanager}-generated"
    secret = kube.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
    if secret is None:
        return None
    packed = (secret.get("data") or {}).get(GENERATED_KEY)
    if packed is None:
        raise ConfigError(f"Secret {namespace}/{name} has no key {GENERATED_KEY}: is it the operator's?")
    try:
        text = gzip.decompress(base64.b64decode(packed)).decode("utf-8")
    except (binascii.Error, OSError, EOFError, zlib.error, UnicodeDecodeError) as exc:
        raise ConfigError(f"Secret {namespace}/{name}, key {GENERATED_KEY}, cannot be unpacked: {exc}") from exc
    return Loaded(_alertmanager_yaml.load(text), f"Secret {namespace}/{name}", True, text)


def reconciled(kube: Kube, namespace: str, alertmanager: str) -> tuple[dict[str, t.Any] | None, int | None]:
    """The condition C(Reconciled) of an Alertmanager object, and how many replicas it asks for."""
    found = kube.get(f"{_GROUP}/namespaces/{namespace}/alertmanagers/{alertmanager}") or {}
    conditions = (found.get("status") or {}).get("conditions") or []
    condition = next((item for item in conditions if item.get("type") == "Reconciled"), None)
    return condition, (found.get("spec") or {}).get("replicas")


def from_status(api: Api) -> Loaded:
    """What one replica says it has loaded."""
    status = api.get_json("/api/v2/status")
    config = _alertmanager_yaml.load(status["config"]["original"])
    return Loaded(_patterns_not_null(config), api.label, False)


def _patterns_not_null(value: t.Any) -> t.Any:
    """The status writes an empty pattern as null, which the server itself would refuse to load."""
    if isinstance(value, list):
        return [_patterns_not_null(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: {name: "" if pattern is None else pattern for name, pattern in item.items()}
        if key.endswith("match_re") and isinstance(item, dict)
        else _patterns_not_null(item)
        for key, item in value.items()
    }


def differences(wanted: Loaded, running: Loaded) -> list[str]:
    """How what runs differs from what is wanted, place by place; empty when it routes the same.

    Compared is what decides who is told: the tree with its options, inhibition, and the kinds of integrations.
    """
    found: list[str] = []
    nodes = [list(_routing.build(item.config)[0].walk()) for item in (wanted, running)]
    if len(nodes[0]) != len(nodes[1]):
        found.append(f"{len(nodes[0])} routes wanted, {len(nodes[1])} running")
    for want, have in zip(*nodes, strict=False):
        for field in ("receiver", "matchers", "continues", "group_by", "group_by_all", "mute", "active") + (
            "group_wait",
            "group_interval",
            "repeat_interval",
        ):
            ours, theirs = getattr(want, field), getattr(have, field)
            # An empty list is lost in the status and then looks inherited.
            if ours == theirs or (field == "group_by" and not ours and not (wanted.exact and running.exact)):
                continue
            found.append(f"{want.place}.{field}: {_shown(ours)} wanted, {_shown(theirs)} running")
    kinds = [_routing.integrations(item.config) for item in (wanted, running)]
    for name in sorted(kinds[0].keys() | kinds[1].keys()):
        if kinds[0].get(name) != kinds[1].get(name):
            found.append(f"receiver {name}: {_shown(kinds[0].get(name))} wanted, {_shown(kinds[1].get(name))} running")
    rules = [
        [(rule.source, rule.target, rule.equal) for rule in load_inhibition(item.config)[0]]
        for item in (wanted, running)
    ]
    if rules[0] != rules[1]:
        found.append(f"{len(rules[0])} inhibition rules wanted, {len(rules[1])} running, not the same")
    return found


def _shown(value: t.Any) -> str:
    if value is None:
        return "none"
    return f"[{', '.join(map(str, value))}]" if isinstance(value, (tuple, list)) else str(value)


def live(kube: Kube | None, apis: t.Sequence[Api], params: t.Mapping[str, t.Any]) -> tuple[Loaded, list[str]]:
    """The wanted configuration: the generated Secret where it may be read, else the first replica's status.

    :returns: the configuration, and notes about what could not be read.
    """
    notes: list[str] = []
    place = params.get("namespace")
    if (
        kube is not None
        and place
        and not params.get("url")
        and not without_operator(kube, place, params.get("alertmanager"), params.get("service"))
    ):
        name = find_alertmanager(kube, place, params.get("alertmanager"))
        try:
            loaded = from_secret(kube, place, name)
        except ApiForbidden:
            loaded = None
            notes.append(
                "the generated Secret may not be read, so an empty group_by cannot be told from an inherited one"
            )
        if loaded is not None:
            return loaded, notes
    if not apis:
        raise ApiUnreachable("There is no replica of Alertmanager to ask for its configuration.")
    return from_status(apis[0]), notes
