# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Comparing and showing objects. This module util is PRIVATE to the collection. Pure functions over plain data."""

from __future__ import annotations

import base64
import binascii
import json
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _alertmanager_text
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_objects import Object

try:
    import yaml
except ImportError:  # pragma: no cover - ansible-core itself needs it on the controller
    yaml = None  # type: ignore[assignment]

FIELD_MANAGER = "dataplatform.monitoring"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# On a Secret that we write: keys, joined by commas, whose text may be shown. Credentials in it are hidden all the same.
READABLE = "dataplatform.monitoring/readable-keys"
MASK = "<masked>"
MASK_CHANGED = "<masked, changed>"
MASK_NEW = "<masked, new>"
# An object whose JSON is longer (CRDs, big dashboards) is shown by its changed paths: nobody reads 20,000 lines.
LARGE = 100_000
_MAX_PATHS = 200
_MAX_VALUE = 160
_VOLATILE = (
    "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields",
    "resourceVersion", "selfLink", "uid",
)  # fmt: skip
_FIRST = ("apiVersion", "kind", "metadata")


class Absent:
    """One side of a difference that is not there, told from a null."""


ABSENT = Absent()


def content(obj: Object) -> Object:
    """The object without what the server alone writes: what two states are compared by."""
    rest = {key: value for key, value in obj.items() if key not in ("metadata", "status")}
    meta = {key: value for key, value in (obj.get("metadata") or {}).items() if key not in _VOLATILE}
    # An empty map and none are the same thing to the server.
    for field in ("labels", "annotations"):
        if not meta.get(field):
            meta.pop(field, None)
    return {**rest, "metadata": meta}


def owned_fields(obj: Object, manager: str = FIELD_MANAGER) -> t.Any:
    """The fields that server-side apply recorded as ours, or None."""
    for entry in (obj.get("metadata") or {}).get("managedFields") or []:
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource"):
            return entry.get("fieldsV1")
    return None


def differs(live: Object, after: Object) -> bool:
    """Whether applying would change something: the content, or which fields are ours.

    Ownership alone counts too: a field that is not ours stays when we stop setting it.
    """
    return content(live) != content(after) or owned_fields(live) != owned_fields(after)


def entry(title: str, before: Object | None, after: Object | None) -> dict[str, str]:
    """One element of the list that Ansible's C(--diff) prints, with every value of a Secret masked."""
    left, right = mask(before, after)
    what = f"{title}" + ("" if before and after else " (created)" if after else " (removed)")
    large = max(_size(before), _size(after)) > LARGE
    texts = _path_texts(left, right) if large else (_render(left), _render(right))
    if before and after and texts[0] == texts[1]:
        note = "# same content; this collection's field manager takes over the fields it sets\n"
        texts = (texts[0], texts[1] + note)
    return {"before_header": what, "after_header": what, "before": texts[0], "after": texts[1]}


def mask(before: Object | None, after: Object | None) -> tuple[Object | None, Object | None]:
    """Both states as they may be shown: volatile fields gone, values of Secrets replaced by what happens to them."""
    left, right = (content(state) if state else None for state in (before, after))
    for state in (left, right):
        notes = (state or {}).get("metadata", {}).get("annotations")
        if state and notes and LAST_APPLIED in notes:
            kept = {key: value for key, value in notes.items() if key != LAST_APPLIED}
            state["metadata"] = {**state["metadata"], "annotations": kept}
    if "Secret" not in ((before or {}).get("kind"), (after or {}).get("kind")):
        return left, right
    for field in ("data", "stringData"):
        old = (left or {}).get(field) or {}
        new = (right or {}).get(field) or {}
        if left and field in left:
            left[field] = dict.fromkeys(old, MASK)
        if right and field in right:
            right[field] = {
                key: MASK if old.get(key) == value else MASK_CHANGED if key in old else MASK_NEW if before else MASK
                for key, value in new.items()
            }
        # What is applied says what may be shown; a Secret that only lies in the cluster has no say.
        notes = ((after or {}).get("metadata") or {}).get("annotations") or {}
        for key in str(notes.get(READABLE) or "").split(","):
            for state, values in ((left, old), (right, new)):
                text = _readable(key, values.get(key), field) if state and key in values else None
                if text is not None:
                    state[field][key] = text
    return left, right


def _readable(key: str, value: str, field: str) -> str | None:
    """The text of one key, without credentials, or None where it is not known what would have to be hidden."""
    try:
        text = value if field == "stringData" else base64.b64decode(value, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
    if key.endswith(".tmpl"):
        return text
    return _alertmanager_text.shown(text) if key == "alertmanager.yaml" else None


def changed_paths(before: t.Any, after: t.Any, path: str = "") -> list[tuple[str, t.Any, t.Any]]:
    """The places where two values differ, as C((path, old, new)); a missing side is C(ABSENT).

    Lists whose items all have a C(name) are matched by it, as the API does for most of them; panels by their titles.
    A text that is JSON, as a dashboard is, is looked into.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        found = []
        for key in [*before, *(key for key in after if key not in before)]:
            place = f"{path}.{key}" if path else str(key)
            if key not in before or key not in after:
                found.append((place, before.get(key, ABSENT), after.get(key, ABSENT)))
            elif before[key] != after[key]:
                found.extend(changed_paths(before[key], after[key], place))
        return found
    if isinstance(before, list) and isinstance(after, list):
        return _changed_items(before, after, path)
    if before == after:
        return []
    inner = [_parsed(one) for one in (before, after)]
    if all(isinstance(one, dict) for one in inner):
        return changed_paths(inner[0], inner[1], path) or [(path, before, after)]
    return [(path, before, after)]


def _changed_items(before: list[t.Any], after: list[t.Any], path: str) -> list[tuple[str, t.Any, t.Any]]:
    key = "title" if all(isinstance(item, dict) and "gridPos" in item for item in (*before, *after)) else "name"
    names = [[item.get(key) if isinstance(item, dict) else None for item in side] for side in (before, after)]
    if all(isinstance(name, str) for side in names for name in side) and all(len(set(s)) == len(s) for s in names):
        return changed_paths(
            {f"[{name}]": item for name, item in zip(names[0], before, strict=True)},
            {f"[{name}]": item for name, item in zip(names[1], after, strict=True)},
            path,
        )
    found = []
    for index in range(max(len(before), len(after))):
        old = before[index] if index < len(before) else ABSENT
        new = after[index] if index < len(after) else ABSENT
        if old != new:
            found.extend(changed_paths(old, new, f"{path}[{index}]"))
    return found


def _path_texts(before: Object | None, after: Object | None) -> tuple[str, str]:
    if before is None or after is None:
        whole = {"": _summary(before or after or {})}
        text = _render(whole[""])
        return ("", text) if before is None else (text, "")
    places = changed_paths(before, after)
    lines: tuple[list[str], list[str]] = ([], [])
    for path, old, new in places[:_MAX_PATHS]:
        for side, value in zip(lines, (old, new), strict=True):
            if value is not ABSENT:
                side.append(f"{path}: {_short(value)}")
    if len(places) > _MAX_PATHS:
        lines[1].append(f"... and {len(places) - _MAX_PATHS} more places")
    return "".join(f"{line}\n" for line in lines[0]), "".join(f"{line}\n" for line in lines[1])


def _summary(obj: Object) -> Object:
    """A large object, named and cut: every value that is itself large is replaced by its size."""
    return {key: value if _size(value) <= 2000 else f"... {_size(value)} bytes of JSON" for key, value in obj.items()}


def _short(value: t.Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}... ({len(text)} characters)"


def _size(value: t.Any) -> int:
    return 0 if value is None else len(json.dumps(value))


def _ordered(value: t.Any, top: bool = False) -> t.Any:
    """Keys sorted, so that two states line up; at the top what names the object comes first."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (_FIRST.index(key) if top and key in _FIRST else len(_FIRST), str(key)))
        return {key: _ordered(value[key]) for key in keys}
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    # A dashboard on one line cannot be compared by eye.
    inner = _parsed(value)
    return value if inner is None else json.dumps(inner, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _parsed(value: t.Any) -> t.Any:
    """What a long text that is JSON says, None for everything else."""
    if not isinstance(value, str) or len(value) <= 200 or value[:1] not in "{[":
        return None
    try:
        return json.loads(value)
    except ValueError:
        return None


def _render(obj: Object | None) -> str:
    if obj is None:
        return ""
    ordered = _ordered(obj, top=True)
    if yaml is None:
        return json.dumps(ordered, indent=2, ensure_ascii=False) + "\n"
    options = {"sort_keys": False, "default_flow_style": False, "allow_unicode": True, "width": 200}
    return yaml.dump(ordered, Dumper=_dumper(), **options)


_DUMPER: t.Any = None


def _dumper() -> t.Any:
    global _DUMPER
    if _DUMPER is None:
        _DUMPER = type("_DiffDumper", (getattr(yaml, "CSafeDumper", yaml.SafeDumper),), {"ignore_aliases": _never})
        _DUMPER.add_representer(str, _represent_text)
    return _DUMPER


def _never(_dumper_object: t.Any, _data: t.Any) -> bool:
    """No anchors: a diff with `*id001` in it says nothing."""
    return True


def _represent_text(dumper: t.Any, text: str) -> t.Any:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)
