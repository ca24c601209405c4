# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Kubernetes manifests from YAML text. This module util is PRIVATE to the collection.

PyYAML's own loader cannot read every manifest: an unquoted `=` (prometheus-operator's AlertmanagerConfig CRD) has no
constructor, `2024-01-01` becomes a date that JSON cannot carry, `10:30` becomes the number 630. The API server's YAML
reader (sigs.k8s.io/yaml) takes all three as strings; so does this one.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

try:
    import yaml

    HAS_YAML = True
except ImportError:  # pragma: no cover - ansible-core itself needs it on the controller
    HAS_YAML = False

# Integers without base 60: 0b, 0x, 0o, leading-zero octal, decimal (YAML 1.1 "int" less its sexagesimal line).
_INT = re.compile(r"^(?:[-+]?0b[0-1_]+|[-+]?0o?[0-7_]+|[-+]?0x[0-9a-fA-F_]+|[-+]?(?:0|[1-9][0-9_]*))$")
_FLOAT = re.compile(
    r"^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
    r"|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)


def _make_loader() -> t.Any:
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    tag = "tag:yaml.org,2002:"
    replaced = {tag + "value", tag + "timestamp", tag + "int", tag + "float"}

    class ManifestLoader(base):  # type: ignore[misc, valid-type]
        """Reads scalars as the API server would."""

    ManifestLoader.yaml_implicit_resolvers = {
        first: [pair for pair in pairs if pair[0] not in replaced]
        for first, pairs in base.yaml_implicit_resolvers.items()
    }
    ManifestLoader.add_implicit_resolver(tag + "int", _INT, list("-+0123456789"))
    ManifestLoader.add_implicit_resolver(tag + "float", _FLOAT, list("-+0123456789."))
    ManifestLoader.add_constructor(tag + "int", _construct_int)
    ManifestLoader.add_constructor(tag + "float", _construct_float)
    return ManifestLoader


def _construct_int(loader: t.Any, node: t.Any) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    if digits[:2] in ("0b", "0x", "0o"):
        return sign * int(digits, 0)
    if len(digits) > 1 and digits.startswith("0"):
        return sign * int(digits, 8)
    return sign * int(digits)


def _construct_float(loader: t.Any, node: t.Any) -> float:
    return float(loader.construct_scalar(node).replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))


_LOADER = _make_loader() if HAS_YAML else None


def load_manifests(text: str, source: str = "manifests") -> list[dict[str, t.Any]]:
    """The objects of a multi-document YAML (or JSON) text; empty documents are skipped, a C(List) is unpacked.

    :param source: what to call the text in an error.
    :raises ConfigError: not YAML (with line and column), or a document is not a mapping.
    """
    if not HAS_YAML:
        raise ConfigError("Reading YAML needs PyYAML on the controller: pip install PyYAML")
    try:
        documents = _json(text) or list(yaml.load_all(str(text), Loader=_LOADER))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{source} is not valid YAML{place}: {getattr(error, 'problem', None) or error}") from error
    objects: list[dict[str, t.Any]] = []
    for number, document in enumerate(documents, start=1):
        if document is None:
            continue
        if not isinstance(document, dict):
            raise ConfigError(
                f"Document {number} of {source} is a {type(document).__name__}, not a mapping with apiVersion and kind."
            )
        if str(document.get("kind", "")).endswith("List") and isinstance(document.get("items"), list):
            objects.extend(item for item in document["items"] if item is not None)
        else:
            objects.append(document)
    return objects


def _json(text: str) -> list[t.Any]:
    """The one document of a JSON text, which libyaml does not read in full (escapes, long keys); else nothing."""
    if not text.lstrip().startswith("{"):
        return []
    try:
        return [json.loads(text)]
    except ValueError:
        return []
