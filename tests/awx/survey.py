# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWX 24 makes of a survey: which ones it takes, which answers, and which variables a job then gets.

Source: awx/api/views/__init__.py (JobTemplateSurveySpec) and awx/main/models/mixins.py (SurveyJobTemplateMixin).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TYPES: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "textarea": str,
    "password": str,
    "integer": int,
    "float": float,
    "multiplechoice": str,
    "multiselect": str,
}
TEXTS = ("text", "textarea", "password")
CHOICES = ("multiplechoice", "multiselect")


def choices(question: Mapping[str, Any]) -> list[str]:
    """The choices of a question: one a line, or a list."""
    given = question.get("choices", [])
    lines = given.splitlines() if isinstance(given, str) else given
    return [line for line in lines if line.strip()]


def refusals(survey: Mapping[str, Any]) -> list[str]:
    """Why AWX would not take this survey; empty when it does."""
    found = [
        f"{field} is no {kind.__name__}"
        for field, kind in (("name", str), ("description", str), ("spec", list))
        if not isinstance(survey.get(field), kind)
    ]
    if found:
        return found
    if not survey["spec"]:
        return ["spec has no question"]
    seen: set[str] = set()
    for question in survey["spec"]:
        found += _question_refusals(question)
        if question.get("variable") in seen:
            found.append(f"{question['variable']} is asked twice")
        seen.add(question.get("variable"))
    return found


def _question_refusals(question: Mapping[str, Any]) -> list[str]:
    name = question.get("variable")
    found = [
        f"{name}: {field} is no {kind.__name__}"
        for field, kind in (("type", str), ("question_name", str), ("variable", str), ("required", bool))
        if not isinstance(question.get(field), kind)
    ]
    if found:
        return found
    kind = question["type"]
    if kind not in TYPES:
        return [f"{name}: there is no type {kind}"]
    default = question.get("default", "")
    if default != "" and (not isinstance(default, TYPES[kind]) or isinstance(default, bool)):
        found.append(f"{name}: the default {default!r} is no {kind}")
    for limit in ("min", "max"):
        if question.get(limit) is not None and type(question[limit]) is not int:
            found.append(f"{name}: {limit} is no integer")
    if kind in CHOICES:
        if not choices(question):
            found.append(f"{name}: no choices")
        chosen = [line for line in str(default).splitlines() if line.strip()]
        if kind == "multiplechoice" and len(chosen) > 1:
            found.append(f"{name}: more than one default")
        found += [f"{name}: the default {item} is no choice" for item in chosen if item not in choices(question)]
    return found


def complaints(question: Mapping[str, Any], answers: Mapping[str, Any]) -> list[str]:
    """Why AWX would not launch a job with these answers, as far as this question goes."""
    name = question["variable"]
    if name not in answers:
        return [f"{name} is missing"] if question["required"] else []
    value, kind = answers[name], question["type"]
    least, most = question.get("min"), question.get("max")
    if kind in TEXTS:
        if not isinstance(value, str):
            return [f"{name}: {value!r} is no text"]
        size: float = len(value)
    elif kind in ("integer", "float"):
        if type(value) not in ((int,) if kind == "integer" else (int, float)):
            return [f"{name}: {value!r} is no {kind}"]
        size = value
    else:
        values = value if kind == "multiselect" else [value]
        if not isinstance(values, list):
            return [f"{name}: {value!r} is no list"]
        return [f"{name}: {item!r} is no choice" for item in values if item not in choices(question)]
    found = [f"{name}: {value!r} is too small"] if least is not None and size < least else []
    return found + ([f"{name}: {value!r} is too large"] if most is not None and size > most else [])


def extra_vars(survey: Mapping[str, Any], answers: Mapping[str, Any]) -> dict[str, Any]:
    """The variables that a job gets: a default counts where there is no answer, if it would do as one.

    :raises ValueError: AWX would not launch the job.
    """
    wrong = [text for question in survey["spec"] for text in complaints(question, answers)]
    if wrong:
        raise ValueError("; ".join(wrong))
    found = {}
    for question in survey["spec"]:
        default = question.get("default")
        if default is not None and not complaints(question, {question["variable"]: default}):
            found[question["variable"]] = default
    return {**found, **answers}
