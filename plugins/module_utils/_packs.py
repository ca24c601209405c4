# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Packs: what is true of a product, as data. One file per kind in roles/catalogue/files/packs.

Every pack inherits the alerts of the pack ``generic``, which are about any service (down, partly down, fewer
targets than expected). A user's pack of the same kind is merged over the shipped one; a new kind stands alone.
This module util is private to the collection.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _boards_schema
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _catalogue_schema as entry_schema
from ansible_collections.dataplatform.monitoring.plugins.module_utils._boards_files import ORDER as BOARDS
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import Faults, merge, plain, tokens_in
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue_checks import CHECKS, check_port
from ansible_collections.dataplatform.monitoring.plugins.module_utils._endpoint_schema import check, suggest, type_of
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

BASE_KIND = "generic"
FOLDER = Path(__file__).resolve().parents[2] / "roles" / "catalogue" / "files" / "packs"

# Tokens that resolution replaces, by the place they may stand in.
EXPR_TOKENS = frozenset({"selector", "threshold", "min_targets", "namespace", "name", "job"})
TEXT_TOKENS = EXPR_TOKENS | {
    "severity",
    "monitoring_namespace",
    "credentials_secret",
    "service_labels",
    "target_namespace",
    "exporter",
    "labels",
    "value",
    "externalLabels",
}

_TEXT = {"type": "string", "minLength": 1}
_EXPORTER: dict[str, Any] = {
    "type": "object",
    "required": ["name", "image", "port"],
    "properties": {
        "name": {"type": "string", "x-check": "dns-label"},
        "image": {**entry_schema.IMAGE, "required": ["repository", "tag"]},
        "port": {"type": "integer", "minimum": 1, "maximum": 65535},
        "path": {"type": "string", "pattern": "^/"},
        "settings": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "default": {},
                    "required": {"type": "boolean"},
                    "choices": {"type": "array"},
                    "type": {"type": "string", "enum": ["string", "integer", "boolean"]},
                    "encode": {"type": "string", "enum": ["url"]},
                    "description": _TEXT,
                },
            },
        },
        "env": {"type": "object", "x-check": "exporter-env", "additionalProperties": {"type": "string"}},
        "args": entry_schema.ARGS,
        "files": entry_schema.FILES,
        "credentials": {
            "type": "object",
            "properties": {
                "required": {"type": "boolean"},
                # variable -> key of the Secret; with `files` the variable holds the path of the mounted key
                "env": {"type": "object", "additionalProperties": _TEXT},
                "files": {"type": "object", "additionalProperties": _TEXT},
                "description": _TEXT,
            },
        },
    },
}
_ALERT: dict[str, Any] = {
    "type": "object",
    "required": ["expr", "severity", "summary", "description"],
    "properties": {**entry_schema.ALERT_KEYS, "tests": {"type": "array"}},
}
PACK: dict[str, Any] = {
    "type": "object",
    "required": ["description"],
    "properties": {
        "description": _TEXT,
        "source": {"type": "array", "items": _TEXT},
        "namespace": {"type": "string", "x-check": "namespace"},
        "selector": entry_schema.SELECTOR,
        "endpoints": {"type": "array"},
        "monitor": {"type": "string", "enum": ["ServiceMonitor", "PodMonitor", "ScrapeConfig"]},
        "spec": {"type": "object"},
        "adopt": {"type": "boolean"},
        "job": _TEXT,
        "health": entry_schema.HEALTH,
        "must_have": entry_schema.MUST_HAVE,
        "min_samples": {"type": "integer", "minimum": 1},
        "min_targets": {"type": "integer", "minimum": 1},
        "drop": entry_schema.DROP,
        "probe": entry_schema.PROBE,
        "exporter": _EXPORTER,
        "alerts": {"type": "object", "additionalProperties": _ALERT},
        "severity": {"type": "string", "enum": list(entry_schema.SEVERITIES)},
        "slo": entry_schema.SLO,
        "sli": entry_schema.SLI,
        "business_metrics": entry_schema.BUSINESS_METRICS,
        "panels": {"type": "array"},
        "logs": {"type": "boolean"},
    },
}


class Packs:
    """The packs by kind: shipped ones, with the user's merged over them. Files are read when first asked for.

    :param user: ``catalogue_packs``, kind -> pack (or part of one); anything else is left to ``validate``.
    :param kinds: names of the shipped kinds.
    :param read: reads one shipped pack; raises ConfigError when it cannot.
    """

    def __init__(self, user: Any, kinds: tuple[str, ...], read: Callable[[str], Mapping[str, Any]]) -> None:
        self.user = plain(user) if isinstance(user, Mapping) else {}
        self.user_is_mapping = user is None or isinstance(user, Mapping)
        self._shipped = kinds
        self._read = read

    def kinds(self) -> list[str]:
        """Every kind an entry may name."""
        return sorted({*self._shipped, *(kind for kind in self.user if isinstance(kind, str))})

    def known(self, kind: Any) -> bool:
        """Whether a pack of this name exists. True for no value that is not a text."""
        return isinstance(kind, str) and kind in self.kinds()

    def own(self, kind: str) -> dict[str, Any]:
        """The pack as it is written, without what it inherits."""
        shipped = self._read(kind) if kind in self._shipped else {}
        mine = self.user.get(kind)
        return merge(shipped, mine) if isinstance(mine, Mapping) else dict(shipped)

    def get(self, kind: str) -> dict[str, Any]:
        """The pack with the inherited alerts. The caller must not change it."""
        pack = self.own(kind)
        base = self.own(BASE_KIND) if kind != BASE_KIND and BASE_KIND in self._shipped else {}
        alerts = {**_mapping(base.get("alerts")), **_mapping(pack.get("alerts"))}
        return {**pack, "alerts": alerts} if alerts else pack


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


@functools.cache
def shipped_kinds() -> tuple[str, ...]:
    """Kinds of the packs that come with the collection."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yml")))


@functools.cache
def read_shipped(kind: str) -> Mapping[str, Any]:
    """One shipped pack as plain data. Raises ConfigError when the file is damaged."""
    # only the controller reads packs, and it has PyYAML; modules import this util for its schemas at most
    from ansible.module_utils.common.yaml import yaml_load

    path = FOLDER / f"{kind}.yml"
    try:
        data = yaml_load(path.read_text(encoding="utf-8"))
    except Exception as error:
        raise ConfigError(f"pack {kind}: {path} cannot be read ({error}); reinstall the collection.") from error
    if not isinstance(data, Mapping):
        raise ConfigError(f"pack {kind}: {path} is {type_of(data)}, not a mapping; reinstall the collection.")
    return plain(data)


def load(user: Any = None) -> Packs:
    """Shipped packs with ``catalogue_packs`` over them."""
    return Packs(user, shipped_kinds(), read_shipped)


def validate(packs: Packs, kinds: list[str] | None = None) -> list[str]:
    """One sentence per fault of the packs named (default: the user's). Collects all, raises nothing."""
    faults = Faults()
    if not packs.user_is_mapping:
        faults.add("catalogue_packs", "", "must be a mapping of kind to pack", "write catalogue_packs: {redis: {...}}")
    for kind in kinds if kinds is not None else list(packs.user):
        where = f"pack {kind}"
        if not isinstance(kind, str) or not kind:
            faults.add(where, "", "the kind must be a text", "quote it")
            continue
        mine = packs.user.get(kind, {})
        if not isinstance(mine, Mapping):
            faults.add(
                where, "", f"must be a mapping, not {type_of(mine)}", f"write {kind}: {{endpoints: ..., health: ...}}"
            )
            continue
        pack = packs.own(kind)
        faults.extend(where, check(pack, PACK, "", CHECKS))
        _check_expressions(pack, where, faults)
        if isinstance(pack.get("panels"), list):
            faults.sentences += _boards_schema.faults(pack["panels"], where, BOARDS)
        _check_exporter(pack, where, faults)
        for number, endpoint in enumerate(
            pack.get("endpoints") or () if isinstance(pack.get("endpoints"), list) else ()
        ):
            if isinstance(endpoint, Mapping) and "port" in endpoint:
                faults.extend(where, check_port(endpoint["port"], f"endpoints[{number}].port"))
    return faults.sentences


def _check_expressions(pack: Mapping[str, Any], where: str, faults: Faults) -> None:
    for number, item in enumerate(pack.get("health") or () if isinstance(pack.get("health"), list) else ()):
        if not isinstance(item, Mapping):
            continue
        path = f"health[{number}]"
        if isinstance(item.get("expr"), str):
            _check_tokens(item["expr"], f"{path}.expr", where, faults)
        for key in ("means", "fix"):
            _check_text(item.get(key), f"{path}.{key}", where, faults)
        if not {"equals", "min", "max"} & set(item):
            faults.add(where, path, "says no bound", "add equals, min or max")
    for name, alert in _mapping(pack.get("alerts")).items():
        if not isinstance(alert, Mapping):
            continue
        for key in ("summary", "description"):
            _check_text(alert.get(key), f"alerts.{name}.{key}", where, faults)
        if not isinstance(alert.get("expr"), str):
            continue
        path = f"alerts.{name}.expr"
        _check_tokens(alert["expr"], path, where, faults)
        uses = "threshold" in tokens_in(alert["expr"])
        if uses and "threshold" not in alert:
            faults.add(where, path, "uses $threshold", f"add alerts.{name}.threshold")
        if "threshold" in alert and not uses:
            faults.add(
                where, f"alerts.{name}.threshold", "is not used by expr", "write $threshold in expr or remove threshold"
            )

    sli = _mapping(pack.get("sli"))
    for name in ("availability", "latency"):
        for key in ("up", "errors", "total", "value"):
            expr = _mapping(sli.get(name)).get(key)
            if isinstance(expr, str):
                _check_tokens(expr, f"sli.{name}.{key}", where, faults)
    known = _mapping(sli.get("availability"))
    if ("errors" in known) != ("total" in known):
        missing = "total" if "errors" in known else "errors"
        faults.add(where, f"sli.availability.{missing}", "is missing", "say both: failed and all events a second")


def _check_tokens(expr: str, path: str, where: str, faults: Faults) -> None:
    for token in sorted(tokens_in(expr) - EXPR_TOKENS):
        faults.add(where, path, f"${token} is not a token", suggest(token, EXPR_TOKENS, "tokens"))
    if "selector" not in tokens_in(expr) and "job" not in tokens_in(expr):
        faults.add(where, path, "has no $selector, so it would judge every service alike", "write metric{$selector}")


def _check_text(text: Any, path: str, where: str, faults: Faults) -> None:
    for token in sorted(tokens_in(text) - TEXT_TOKENS) if isinstance(text, str) else ():
        faults.add(where, path, f"${token} is not a token", suggest(token, TEXT_TOKENS, "tokens"))


def _check_exporter(pack: Mapping[str, Any], where: str, faults: Faults) -> None:
    exporter = pack.get("exporter")
    if not isinstance(exporter, Mapping) or not isinstance(exporter.get("settings", {}), Mapping):
        return
    known = {"host", "port", "files", "credentials", *exporter.get("settings", {})}
    texts = [(f"exporter.env.{key}", value) for key, value in _mapping(exporter.get("env")).items()]
    arguments = exporter.get("args")
    texts += [
        (f"exporter.args[{number}]", value)
        for number, value in enumerate(arguments if isinstance(arguments, list) else ())
    ]
    for path, text in texts:
        for token in sorted(tokens_in(text) - known) if isinstance(text, str) else ():
            faults.add(where, path, f"${token} is no setting", suggest(token, known, "settings"))
