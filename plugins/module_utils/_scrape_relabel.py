# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Target relabeling as Prometheus does it, to find the rule that drops a target.

This module util is PRIVATE to the collection. Pure functions. Source: prometheus model/relabel/relabel.go; the server's
own answer (/api/v1/targets/relabel_steps, since 3.8) is preferred where there is one, this is for all older ones.
"""

from __future__ import annotations

import hashlib
import re
import typing as t

Rule = dict[str, t.Any]


class Unsupported(Exception):
    """A rule cannot be evaluated here: its regular expression is RE2's and not Python's."""


def normalise(rule: Rule, crd: bool = False) -> Rule:
    """A rule with every default filled in, keys as in Prometheus' configuration.

    :param crd: it is a monitor's: keys in camel case, and an empty regex is one that is not set.
    """
    action = str(rule.get("action") or "replace").lower()
    regex = rule.get("regex")
    replacement = rule.get("replacement")
    return {
        "action": action,
        "source_labels": list(rule.get("source_labels") or rule.get("sourceLabels") or []),
        "separator": ";" if rule.get("separator") is None else str(rule["separator"]),
        "regex": "(.*)" if regex is None or (crd and regex == "") else _text(regex),
        "target_label": str(rule.get("target_label") or rule.get("targetLabel") or ""),
        "replacement": "$1" if replacement is None else _text(replacement),
        "modulus": int(rule.get("modulus") or 0),
    }


def _text(value: t.Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def first_drop(rules: t.Sequence[Rule], labels: t.Mapping[str, str]) -> int | None:
    """Index of the rule that drops a target with these discovered labels, None when all keep it.

    :raises Unsupported: a rule on the way cannot be evaluated.
    """
    current = dict(labels)
    for index, rule in enumerate(rules):
        if not _apply(normalise(rule), current):
            return index
    return None


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        # RE2's classes are ASCII; a pattern of its own syntax is refused, not guessed.
        if re.search(r"\[\[:|\\[pPQEzC]|\(\?[^:P]", pattern):
            raise Unsupported(pattern)
        return re.compile(pattern, re.ASCII | re.DOTALL)
    except re.error as error:
        raise Unsupported(pattern) from error


def _expand(template: str, match: re.Match[str]) -> str:
    """Go's Regexp.Expand: C($1), C(${1}), C($name), C($$); the longest name counts, an unknown one is empty."""

    def group(found: re.Match[str]) -> str:
        if found.group(0) == "$$":
            return "$"
        name = found.group(1) or found.group(2)
        try:
            return match.group(int(name) if name.isdigit() else name) or ""
        except IndexError:  # also what an unknown group name raises
            return ""

    return re.sub(r"\$\$|\$\{(\w+)\}|\$(\w+)", group, template)


def _apply(rule: Rule, labels: dict[str, str]) -> bool:
    """Apply one rule to C(labels) in place; False when it drops the target."""
    value = rule["separator"].join(labels.get(name, "") for name in rule["source_labels"])
    action, target = rule["action"], rule["target_label"]
    if action in ("drop", "keep"):
        matched = _compile(rule["regex"]).fullmatch(value) is not None
        return matched == (action == "keep")
    if action == "dropequal":
        return labels.get(target, "") != value
    if action == "keepequal":
        return labels.get(target, "") == value
    if action == "replace":
        match = _compile(rule["regex"]).fullmatch(value)
        if match is not None:
            _set(labels, _expand(target, match), _expand(rule["replacement"], match))
    elif action in ("lowercase", "uppercase"):
        _set(labels, target, value.lower() if action == "lowercase" else value.upper())
    elif action == "hashmod":
        digest = hashlib.md5(value.encode(), usedforsecurity=False).digest()
        _set(labels, target, str(int.from_bytes(digest[8:], "big") % max(1, rule["modulus"])))
    elif action == "labelmap":
        pattern = _compile(rule["regex"])
        for name, held in list(labels.items()):
            match = pattern.fullmatch(name)
            if match is not None:
                _set(labels, _expand(rule["replacement"], match), held)
    elif action in ("labeldrop", "labelkeep"):
        pattern = _compile(rule["regex"])
        for name in list(labels):
            if (pattern.fullmatch(name) is not None) == (action == "labeldrop"):
                del labels[name]
    else:
        raise Unsupported(action)
    return True


def _set(labels: dict[str, str], name: str, value: str) -> None:
    if value == "":
        labels.pop(name, None)
    else:
        labels[name] = value


def describe(rule: Rule) -> str:
    """A keep or drop rule of a running configuration in one phrase."""
    plain = normalise(rule)
    source = plain["separator"].join(plain["source_labels"])
    if plain["action"] in ("dropequal", "keepequal"):
        return f"{plain['action']} {source} = {plain['target_label']}"
    return f"{plain['action']} {source} =~ {plain['regex']}"
