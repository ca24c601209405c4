# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check plain data against the structural OpenAPI v3 schema of a CustomResourceDefinition.

The endpoint keys of a ServiceMonitor belong to the Prometheus operator and change with it, so they are not
repeated here: the schema comes from the CRD that is installed (or about to be). The catalogue's own entries and
packs are described in the same language, so that one checker serves all three.

Understood are the keywords that structural schemas may use
(https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema).
Everything else (CEL rules, formats) is left to the API server's dry run.
This module util is private to the collection.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

Schema = Mapping[str, Any]

_TYPE_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
# Below these keys a wrong value may be a password somebody pasted: it is never repeated in a message.
_SECRET_WORDS = re.compile(r"basicauth|authorization|bearer|oauth2|credential|password|token|secret", re.IGNORECASE)
_MOST_KEYS_SHOWN = 40


class Problem(NamedTuple):
    """One fault: where it is (``endpoints[0].port``), what is wrong, and what to do about it."""

    path: str
    what: str
    remedy: str


def nearest(word: Any, known: Iterable[Any]) -> str | None:
    """The known name closest to ``word``, or None when nothing is near (difflib ratio below 0.6)."""
    names = sorted(str(name) for name in known)
    folded = {name.lower(): name for name in names}
    found = difflib.get_close_matches(str(word).lower(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def suggest(word: Any, known: Iterable[Any], noun: str = "known") -> str:
    """A remedy for an unknown name: the nearest one if there is one, else all that are known."""
    names = sorted(str(name) for name in known)
    near = nearest(word, names)
    if near is not None:
        return f"did you mean {near}?"
    if not names:
        return "remove it"
    shown = ", ".join(names[:_MOST_KEYS_SHOWN])
    more = "" if len(names) <= _MOST_KEYS_SHOWN else f" and {len(names) - _MOST_KEYS_SHOWN} more"
    return f"{noun}: {shown}{more}"


def type_of(value: Any) -> str:
    """How a person would call the type of a YAML value."""
    if value is None:
        return "empty (null)"
    if isinstance(value, bool):
        return "true or false"
    for python_type, word in ((str, "a text"), (int, "a whole number"), (float, "a number")):
        if isinstance(value, python_type):
            return word
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    return type(value).__name__


def show(value: Any, path: str = "") -> str:
    """``value`` in a message: short, and hidden where it could be a credential."""
    if path and _SECRET_WORDS.search(path):
        return "the value given"
    text = repr(value) if not isinstance(value, str) else f'"{value}"'
    return text if len(text) <= 60 else text[:57] + "..."


def join(path: str, key: Any) -> str:
    """``path`` extended by a mapping key."""
    return f"{path}.{key}" if path else str(key)


def _has_type(value: Any, wanted: str) -> bool:
    if wanted == "object":
        return isinstance(value, Mapping)
    if wanted == "array":
        return isinstance(value, (list, tuple))
    if wanted == "string":
        return isinstance(value, str)
    if wanted == "boolean":
        return isinstance(value, bool)
    if wanted == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if wanted == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return True


def _same(value: Any, choice: Any) -> bool:
    # 1 == True in Python, but not in YAML
    return type(value) is type(choice) and value == choice or isinstance(value, str) and value == choice


def check(
    value: Any,
    schema: Schema,
    path: str = "",
    formats: Mapping[str, Callable[[Any, str], list[Problem]]] | None = None,
) -> list[Problem]:
    """All faults of ``value`` under ``schema``, depth first, in the order of the value's keys.

    ``formats`` maps the private keyword ``x-check`` to functions ``(value, path) -> [Problem]``, for the
    collection's own schemas. Never raises for any value made of plain Python data.
    """
    if (
        not isinstance(schema, Mapping)
        or schema.get("x-kubernetes-preserve-unknown-fields")
        and not schema.get("properties")
    ):
        return []
    if value is None:
        if schema.get("nullable"):
            return []
        return [Problem(path, "is empty", "give it a value or remove the key")]
    problem = _check_type(value, schema, path)
    if problem is not None:
        return [problem]
    problems = _check_scalar(value, schema, path)
    if isinstance(value, Mapping):
        problems += _check_mapping(value, schema, path, formats)
    elif isinstance(value, (list, tuple)):
        problems += _check_list(value, schema, path, formats)
    own = schema.get("x-check")
    if own and formats and own in formats and not problems:
        problems += formats[own](value, path)
    return problems


def _check_type(value: Any, schema: Schema, path: str) -> Problem | None:
    if schema.get("x-kubernetes-int-or-string"):
        wanted = ["integer", "string"]
    elif isinstance(schema.get("x-types"), (list, tuple)):
        wanted = list(schema["x-types"])
    elif isinstance(schema.get("type"), str):
        wanted = [schema["type"]]
    else:
        return None
    if any(_has_type(value, one) for one in wanted):
        return None
    words = " or ".join(_TYPE_WORDS.get(one, one) for one in wanted)
    remedy = schema.get("x-remedy") or f"write {words}"
    if isinstance(value, (Mapping, list, tuple)):
        return Problem(path, f"must be {words}, not {type_of(value)}", remedy)
    return Problem(path, f"must be {words}, not {type_of(value)} ({show(value, path)})", remedy)


def _check_scalar(value: Any, schema: Schema, path: str) -> list[Problem]:
    choices = schema.get("enum")
    if isinstance(choices, (list, tuple)) and not any(_same(value, choice) for choice in choices):
        return [Problem(path, f"{show(value, path)} is not allowed", suggest(value, choices, "allowed"))]
    problems = []
    if isinstance(value, str):
        pattern = schema.get("pattern")
        if isinstance(pattern, str) and not _matches(pattern, value):
            remedy = schema.get("x-remedy") or f"it must match {pattern}"
            problems.append(Problem(path, f"{show(value, path)} is not well-formed", remedy))
        if isinstance(schema.get("minLength"), int) and len(value) < schema["minLength"]:
            problems.append(
                Problem(
                    path, "is too short", schema.get("x-remedy") or f"give at least {schema['minLength']} character(s)"
                )
            )
        if isinstance(schema.get("maxLength"), int) and len(value) > schema["maxLength"]:
            problems.append(Problem(path, f"is longer than {schema['maxLength']} characters", "shorten it"))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = schema.get("minimum"), schema.get("maximum")
        if low is not None and not value >= low:
            problems.append(
                Problem(path, f"{show(value, path)} is too small", schema.get("x-remedy") or f"the least is {low}")
            )
        if high is not None and not value <= high:
            problems.append(
                Problem(path, f"{show(value, path)} is too large", schema.get("x-remedy") or f"the most is {high}")
            )
    return problems


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:
        # the CRD's patterns are RE2; what Python cannot read is the server's to judge
        return True


def _check_mapping(value: Mapping[Any, Any], schema: Schema, path: str, formats: Any) -> list[Problem]:
    problems: list[Problem] = []
    properties = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    for key, item in value.items():
        where = join(path, key)
        if isinstance(key, str) and key in properties:
            problems += check(item, properties[key], where, formats)
        elif not isinstance(key, str):
            problems.append(Problem(where, f"the key is {type_of(key)}", "quote it, so that it is a text"))
        elif isinstance(additional, Mapping):
            problems += check(item, additional, where, formats)
        elif additional is True or schema.get("x-kubernetes-preserve-unknown-fields"):
            continue
        elif properties or additional is False:
            moved = (schema.get("x-moved") or {}).get(key)
            problems.append(Problem(where, "unknown key", moved or suggest(key, properties, "known keys")))
    for key in schema.get("required") or ():
        if key not in value:
            remedy = (properties.get(key) or {}).get("x-missing") or f"add {key}"
            problems.append(Problem(join(path, key), "is missing", remedy))
    least = schema.get("minProperties")
    if isinstance(least, int) and len(value) < least:
        problems.append(Problem(path, "is empty", schema.get("x-remedy") or f"give at least {least} key(s)"))
    return problems


def _check_list(value: Any, schema: Schema, path: str, formats: Any) -> list[Problem]:
    problems: list[Problem] = []
    items = schema.get("items")
    if isinstance(items, Mapping):
        for number, item in enumerate(value):
            problems += check(item, items, f"{path}[{number}]", formats)
    least = schema.get("minItems")
    if isinstance(least, int) and len(value) < least:
        problems.append(Problem(path, "is empty", schema.get("x-remedy") or f"give at least {least} item(s)"))
    return problems
