# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What validation, resolution and derivation of the catalogue share: durations, tokens, merging, faults.

This module util is private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.dataplatform.monitoring.plugins.module_utils._endpoint_schema import Problem

Entry = dict[str, Any]

# The label that says which entry of the catalogue an object was derived from.
ENTRY_LABEL = "dataplatform.monitoring/entry"
MANAGED_BY = {"app.kubernetes.io/managed-by": "dataplatform.monitoring"}
DECISIONS_CONFIGMAP = "dataplatform-monitoring-catalogue"
# A pack's way to say: wherever the monitoring is deployed.
MONITORING_NAMESPACE = "$monitoring_namespace"
DECISIONS_KEY = "decisions.json"
SEVERITIES = ("critical", "warning", "info")

# RFC 1123 label, https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
# Prometheus' own duration grammar, https://prometheus.io/docs/prometheus/latest/configuration/configuration/
_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_UNITS = (31_536_000.0, 604_800.0, 86_400.0, 3_600.0, 60.0, 1.0, 0.001)
_TOKEN = re.compile(r"\$([a-z_]+)\b")


def plain(value: Any) -> Any:
    """``value`` as plain dict, list, str, int, float, bool and None.

    Values that come from templates are subclasses which carry their origin; they cannot be dumped by every
    serializer, and two of them with equal contents are not always the same type.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return str(value)


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` laid onto ``base``: mappings are merged, everything else (lists too) is replaced. Pure."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        result[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def seconds(text: Any) -> float | None:
    """A Prometheus duration (``1h30m``, ``500ms``) in seconds; None when it is none. ``0`` is a duration."""
    if not isinstance(text, str) or not text:
        return None
    if text == "0":
        return 0.0
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    return sum(int(number) * unit for number, unit in zip(found.groups(), _UNITS, strict=True) if number)


def is_dns_label(text: Any) -> bool:
    """Whether ``text`` is a lower-case RFC 1123 label of at most 63 characters."""
    return isinstance(text, str) and _DNS_LABEL.fullmatch(text) is not None


def substitute(text: str, tokens: Mapping[str, Any]) -> str:
    """``text`` with every ``$name`` of ``tokens`` replaced. Other ``$words`` (``$labels``, ``$value``) stay.

    A token whose value is None stays as it is, so that a later stage that knows the value can replace it.
    """

    def value_of(found: re.Match[str]) -> str:
        value = tokens.get(found.group(1))
        return found.group(0) if value is None else str(value)

    return _TOKEN.sub(value_of, text)


def substitute_all(value: Any, tokens: Mapping[str, Any]) -> Any:
    """``substitute`` applied to every text inside ``value``."""
    if isinstance(value, str):
        return substitute(value, tokens)
    if isinstance(value, Mapping):
        return {key: substitute_all(item, tokens) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [substitute_all(item, tokens) for item in value]
    return value


def tokens_in(text: str) -> set[str]:
    """Names of the ``$tokens`` in ``text``."""
    return set(_TOKEN.findall(text))


def as_selector(selector: Any) -> dict[str, Any]:
    """A LabelSelector from what people write: ``{app: trino}`` or the full form with matchLabels/matchExpressions."""
    if not isinstance(selector, Mapping) or not selector:
        return {}
    if "matchLabels" in selector or "matchExpressions" in selector:
        return {key: value for key, value in selector.items() if value}
    return {"matchLabels": dict(selector)}


def selects(selector: Mapping[str, Any], labels: Mapping[str, Any] | None) -> bool:
    """Whether a LabelSelector matches ``labels``, as the API server decides it. An empty one matches everything."""
    labels = labels or {}
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for rule in selector.get("matchExpressions") or ():
        key, operator, values = rule.get("key"), rule.get("operator"), rule.get("values") or []
        if operator == "In" and labels.get(key) not in values:
            return False
        if operator == "NotIn" and key in labels and labels[key] in values:
            return False
        if operator == "Exists" and key not in labels:
            return False
        if operator == "DoesNotExist" and key in labels:
            return False
    return True


def selector_text(selector: Mapping[str, Any]) -> str:
    """A LabelSelector in kubectl's ``-l`` syntax."""
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for rule in selector.get("matchExpressions") or ():
        key, operator, values = rule.get("key"), rule.get("operator"), ",".join(rule.get("values") or [])
        parts.append(
            {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": f"{key}"}.get(
                operator, f"!{key}"
            )
        )
    return ",".join(parts)


class Faults:
    """Collects one sentence per fault; the same sentence is kept once."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def add(self, where: str, path: str, what: str, remedy: str) -> None:
        """Entry (or pack), key path, what is wrong, what to do."""
        sentence = f"{where}: {path + ': ' if path else ''}{what}; {remedy}"
        sentence += "" if sentence.endswith((".", "?")) else "."
        if sentence not in self.sentences:
            self.sentences.append(sentence)

    def extend(self, where: str, problems: Iterable[Problem]) -> None:
        """Add what a schema check found."""
        for problem in problems:
            self.add(where, problem.path, problem.what, problem.remedy)
