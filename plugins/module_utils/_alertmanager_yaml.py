# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""An Alertmanager configuration as text becomes plain data. This module util is PRIVATE to the collection.

Alertmanager keeps the text of a scalar where a string is wanted: C(code: 010) is "010", C(flag: yes) is "yes". PyYAML's
own loaders would give 8 and true, so scalars stay text here and are read by whoever knows the field's type.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

try:
    import yaml

    HAS_YAML = True
    _Base: t.Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
except ImportError:
    HAS_YAML = False
    _Base = object

_NULLS = ("", "~", "null", "Null", "NULL")
# go-yaml v2, resolve.go.
_TRUE = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
_FALSE = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
# prometheus/common model/time.go: units in this order, each at most once.
_DURATION = re.compile(
    r"(?:([0-9]+)y)?(?:([0-9]+)w)?(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?"
)
_UNIT_SECONDS = (365 * 86400.0, 7 * 86400.0, 86400.0, 3600.0, 60.0, 1.0, 0.001)


class _TextLoader(_Base):  # type: ignore[misc]
    """Scalars stay text, plain nulls become None, a key given twice is refused as the server does."""


def _construct(loader: t.Any, node: t.Any) -> t.Any:
    if isinstance(node, yaml.ScalarNode):
        plain = node.style in (None, "")
        return None if plain and node.value in _NULLS else node.value
    if isinstance(node, yaml.SequenceNode):
        return [loader.construct_object(item, deep=True) for item in node.value]
    result: dict[str, t.Any] = {}
    merged: dict[str, t.Any] = {}
    for key_node, value_node in node.value:
        key, value = str(key_node.value), loader.construct_object(value_node, deep=True)
        if key == "<<":
            for source in value if isinstance(value, list) else [value]:
                merged = {**source, **merged}
            continue
        if key in result:
            raise ConfigError(f"line {key_node.start_mark.line + 1}: key {key!r} is given twice; keep one of them")
        result[key] = value
    return {**merged, **result}


if HAS_YAML:
    _TextLoader.add_constructor(None, _construct)


def load(text: str) -> dict[str, t.Any]:
    """Parse the text of a configuration file.

    :raises ConfigError: no YAML, not a mapping, or a key given twice; the message names the line.
    """
    try:
        data = yaml.load(text, Loader=_TextLoader)  # noqa: S506 - a subclass of BaseLoader makes text only
    except yaml.YAMLError as exc:
        raise ConfigError(f"the Alertmanager configuration is no YAML: {' '.join(str(exc).split())}") from exc
    if not isinstance(data, dict):
        raise ConfigError("the Alertmanager configuration is not a mapping; it starts with global:, route:, receivers:")
    return data


def as_text(value: t.Any) -> str:
    """A scalar as the server's string field would hold it; null is the empty string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def as_bool(value: t.Any, place: str) -> bool:
    """:raises ConfigError: neither true nor false."""
    text = as_text(value)
    if text in _TRUE:
        return True
    if text in _FALSE or text == "":
        return False
    raise ConfigError(f"{place}: {text!r} is neither true nor false")


def as_list(value: t.Any, place: str) -> list[t.Any]:
    """:raises ConfigError: not a list."""
    if value is None:
        return []
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{place} is not a list")
    return list(value)


def as_mapping(value: t.Any, place: str) -> dict[str, t.Any]:
    """:raises ConfigError: not a mapping."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{place} is not a mapping")
    return {str(key): item for key, item in value.items()}


def as_seconds(value: t.Any, place: str) -> float:
    """A Prometheus duration such as C(1h30m), in seconds.

    :raises ConfigError: no duration.
    """
    text = as_text(value)
    found = _DURATION.fullmatch(text)
    if text == "0":
        return 0.0
    if not found or not text:
        raise ConfigError(f"{place}: {text!r} is no duration; write 30s, 5m, 12h or 1h30m")
    return sum(int(number) * unit for number, unit in zip(found.groups(), _UNIT_SECONDS, strict=True) if number)
