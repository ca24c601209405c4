# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether what runs is what was written: generated Secret, every replica, one cluster. PRIVATE to the collection.

Sources: prometheus-operator 0.93, pkg/alertmanager/amcfg.go (what AlertmanagerConfig objects add); Alertmanager 0.34,
config/coordinator.go (C(alertmanager_config_hash) is 48 bits of the MD5 of the text that was loaded).
"""

from __future__ import annotations

import hashlib
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _alertmanager_yaml, _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_source import (
    Loaded,
    differences,
    from_status,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError, ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._matchers import MatcherError, parse

Config = dict[str, t.Any]

_HASH = re.compile(rb"^alertmanager_config_hash(?:\{[^}]*\})? (\S+)", re.MULTILINE)
# namespace/object/receiver, as the operator names what comes from an AlertmanagerConfig.
_ADDED = re.compile(r"[a-z0-9-]+/[a-z0-9.-]+/.+")
_MASKED = "<secret>"
_SHOWN = 60


# --- what the operator added ---


def without_additions(config: t.Mapping[str, t.Any]) -> tuple[Config, list[str]]:
    """The configuration as it was written, and which AlertmanagerConfig objects (C(namespace/name)) had added to it.

    Each has one first-level route before ours, with C(continue), and names that begin with its own.
    """
    base = dict(config)
    added: list[str] = []

    def ours(items: t.Any) -> list[t.Any]:
        kept = []
        for item in items or []:
            name = str(item.get("receiver") or item.get("name") or "") if isinstance(item, dict) else ""
            if _ADDED.fullmatch(name):
                added.append("/".join(name.split("/")[:2]))
            else:
                kept.append(item)
        return kept

    for key in ("receivers", "time_intervals", "mute_time_intervals"):
        if config.get(key):
            base[key] = ours(config[key])
    route = config.get("route")
    if isinstance(route, dict) and route.get("routes"):
        base["route"] = {**route, "routes": ours(route["routes"])}
    return base, sorted(set(added))


def not_as_wanted(wanted: t.Mapping[str, t.Any], generated: t.Mapping[str, t.Any]) -> tuple[list[str], list[str]]:
    """Places where a configuration is not what was written, and the AlertmanagerConfig objects that added to it.

    What was not written (defaults that are filled in) is not compared; what is hidden cannot be.
    """
    base, added = without_additions(generated)
    if added and wanted.get("inhibit_rules") is not None:
        base["inhibit_rules"] = (base.get("inhibit_rules") or [])[: len(wanted["inhibit_rules"])]
    return list(_compare(wanted, base, "")), added


def _compare(want: t.Any, have: t.Any, place: str) -> t.Iterator[str]:
    key = re.sub(r"\[[^\]]*\]$", "", place).rpartition(".")[2]
    if isinstance(want, t.Mapping):
        there = _by_key(have, key) if isinstance(have, t.Mapping) else {}
        for name, item in _by_key(want, key).items():
            yield from _compare(item, there.get(name), f"{place}.{name}".lstrip("."))
        return
    if key.endswith("matchers") and isinstance(want, (list, str)):
        if _matchers(want) != _matchers(have):
            yield f"{place}: {_show(want)} wanted, {_show(have)} there"
        return
    if isinstance(want, (list, tuple)):
        items = have if isinstance(have, (list, tuple)) else []
        if len(items) != len(want):
            yield f"{place}: {len(want)} wanted, {len(items)} there"
            return
        for number, (ours, theirs) in enumerate(zip(want, items, strict=True)):
            name = ours.get("name") if isinstance(ours, t.Mapping) else None
            yield from _compare(ours, theirs, f"{place}[{name or number}]")
        return
    if not _same(want, have):
        yield f"{place}: {_show(want)} wanted, {_show(have)} there"


def _by_key(value: t.Mapping[str, t.Any], key: str) -> dict[str, t.Any]:
    """Names of mail headers are written in another case by the server."""
    return {str(name).lower() if key == "headers" else str(name): item for name, item in value.items()}


def _matchers(value: t.Any) -> list[str]:
    lines = [value] if isinstance(value, str) else value or []
    try:
        return sorted(str(item) for line in lines for item in parse(_alertmanager_yaml.as_text(line)).matchers)
    except MatcherError:
        return sorted(map(str, lines))


def _same(want: t.Any, have: t.Any) -> bool:
    ours, theirs = _alertmanager_yaml.as_text(want), _alertmanager_yaml.as_text(have)
    if ours == theirs or theirs == _MASKED or (theirs == "" and ours in ("false", "0")):
        return True
    try:
        return _alertmanager_yaml.as_seconds(ours, "") == _alertmanager_yaml.as_seconds(theirs, "")
    except ConfigError:
        return False


def _show(value: t.Any) -> str:
    if value is None:
        return "nothing"
    text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else _alertmanager_yaml.as_text(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def generated_check(
    wanted: t.Mapping[str, t.Any], generated: Loaded, condition: t.Mapping[str, t.Any] | None
) -> _checks.Check:
    """Whether the operator made what was written.

    :param condition: C(Reconciled) of the Alertmanager object, if it has one.
    """
    expected = "generated as written"
    found, added = not_as_wanted(wanted, generated.config)
    notes = [f"AlertmanagerConfig {name} adds routes before ours." for name in added]
    if not found:
        return _checks.ok("generated", expected, f"{generated.origin}: as written", notes)
    causes = []
    if rejected(condition):
        causes.append(
            cause(
                "operator_refuses_configuration",
                f"The operator refuses what was written and keeps the old: {(condition or {}).get('message')}.",
                "correct it and write it again; the reason is in: kubectl get alertmanager -A "
                "-o jsonpath='{.items[*].status.conditions}'",
            )
        )
    causes.append(
        cause(
            "configuration_not_generated",
            f"{generated.origin} is not what was written: {'; '.join(found[:3])}"
            + (f"; and {len(found) - 3} more." if len(found) > 3 else "."),
            "see what the operator says: kubectl get alertmanager -A -o jsonpath='{.items[*].status.conditions}'",
        )
    )
    return _checks.failed("generated", expected, f"{len(found)} differences", causes, notes)


def rejected(condition: t.Mapping[str, t.Any] | None) -> bool:
    """Whether the operator says that it could not make something of the Secret."""
    return condition is not None and condition.get("status") == "False"


# --- what each replica has loaded ---


def text_hash(text: str) -> float:
    """What C(alertmanager_config_hash) is for this text."""
    return float(int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest()[:6], "little"))


def loaded_hash(api: Api) -> float | None:
    """The hash that a replica tells, or None when it tells none."""
    try:
        response = api.get("/metrics")
    except ApiError:
        return None
    found = _HASH.search(response.body) if response.status == 200 else None
    return float(found.group(1)) if found else None


def _unlike(wanted: Loaded, api: Api) -> list[str]:
    """How what a replica runs differs from the text of the generated Secret; empty when it is that very text."""
    found = differences(wanted, from_status(api))
    # The reloader replaces $(NAME) in the text by the container's environment.
    if found or not wanted.text or "$(" in wanted.text:
        return found
    told = loaded_hash(api)
    if told is None or told == text_hash(wanted.text):
        return []
    return ["the same routes, but another text (alertmanager_config_hash)"]


def replica_check(wanted: Loaded, apis: t.Sequence[Api]) -> _checks.Check:
    """Whether every replica runs the wanted configuration."""
    expected = f"{len(apis)} of {len(apis)} replicas run {wanted.origin}"
    causes = []
    for api in apis:
        try:
            found = _unlike(wanted, api)
        except ApiError as exc:
            causes.append(
                cause(
                    "server_unreachable",
                    str(exc),
                    f"look at it: kubectl get {api.label.replace('pod ', 'pod -A | grep ')}",
                )
            )
            continue
        if found:
            causes.append(
                cause(
                    "configuration_not_loaded",
                    f"{api.label} runs something else: {'; '.join(found[:3])}.",
                    "read why: kubectl get alertmanager -A -o jsonpath='{.items[*].status.conditions}'",
                )
            )
    observed = f"{len(apis) - len(causes)} of {len(apis)}"
    if not causes:
        return _checks.ok("replicas", expected, observed)
    return _checks.failed("replicas", expected, observed, causes)


# --- one cluster ---


def cluster_check(apis: t.Sequence[Api], replicas: int | None = None) -> _checks.Check | None:
    """Whether the replicas see each other; None for a single one.

    :param replicas: how many there should be; by default as many as answer.
    """
    wanted = max(replicas or 0, len(apis))
    if wanted < 2:
        return None
    expected = f"one cluster of {wanted}"
    seen: dict[str, int] = {}
    causes = []
    for api in apis:
        try:
            cluster = api.get_json("/api/v2/status").get("cluster") or {}
        except ApiError as exc:
            causes.append(cause("server_unreachable", str(exc), f"look at it: kubectl get {api.label}"))
            continue
        status, peers = str(cluster.get("status")), len(cluster.get("peers") or [])
        seen[api.label] = peers
        if status == "disabled":
            message = f"{api.label} runs without a cluster (--cluster.listen-address is empty)."
            fix = "unset forceEnableClusterMode: false, or restart it: kubectl rollout restart statefulset"
        elif peers != wanted:
            message = f"{api.label} sees {peers} of {wanted} replicas ({status}): each part notifies on its own."
            fix = "allow port 9094 by TCP and UDP between the replicas: kubectl get networkpolicy -A"
        else:
            continue
        causes.append(cause("replicas_apart", message, fix))
    if len(apis) < wanted and not causes:
        message = f"{len(apis)} of {wanted} replicas are ready."
        causes.append(cause("replicas_apart", message, "see why: kubectl get pods -A | grep alertmanager"))
    observed = ", ".join(f"{name} sees {count}" for name, count in seen.items()) or "none answers"
    if causes:
        return _checks.failed("cluster", expected, observed, causes)
    return _checks.ok("cluster", expected, observed)
