# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Fixes that can be pasted. This module util is PRIVATE to the collection.

A fix is one sentence, C(": "), and one command or one line of YAML that is complete as it stands.
"""

from __future__ import annotations

import json
import re
import shlex
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import (
    ENDPOINTS_KEY,
    Expectation,
    Object,
    pool_monitor,
)

# Plain in both YAML 1.1 and 1.2 flow style, and not read as a number, a boolean or null.
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def fix(sentence: str, line: str) -> str:
    """Join the two parts.

    :raises ValueError: the sentence holds the separator itself, so that the line could not be told from it.
    """
    if ": " in sentence:
        raise ValueError(f"the sentence of a fix must not contain a colon: {sentence}")
    return f"{sentence.rstrip('.')}: {line}"


def fix_line(text: str) -> str:
    """The command or the line of YAML of a fix."""
    return text.partition(": ")[2]


def flow(value: t.Any) -> str:
    """A value in YAML flow style, with quotes only where they are needed."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(str(key))}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


def own_endpoints(expectation: Expectation) -> list[Object]:
    """The endpoints as a person would write them: without the relabeling that sets the job."""
    endpoints = []
    for endpoint in expectation.endpoints:
        rules = [rule for rule in endpoint.get("relabelings") or [] if not _sets_job(rule, expectation)]
        rest = {key: value for key, value in endpoint.items() if key != "relabelings"}
        endpoints.append({**rest, "relabelings": rules} if rules else rest)
    return endpoints


def _sets_job(rule: t.Any, expectation: Expectation) -> bool:
    return isinstance(rule, dict) and rule.get("targetLabel") == "job" and rule.get("replacement") == expectation.name


def entry_line(expectation: Expectation, key: str, value: t.Any, why: str = "") -> str:
    """A fix in the catalogue: one key of one entry."""
    reason = f", {why}" if why else ""
    return fix(f"In the catalogue's entry {expectation.name}{reason}, then run day 1 again", f"{key}: {flow(value)}")


def foreign_line(pool: str, changes: Object, why: str = "") -> str:
    """A fix in what somebody else made: one key of a monitor's endpoint, or of a job of a plain configuration.

    :param pool: the scrape pool, which tells which of the two it is.
    """
    reason = f", {why}" if why else ""
    place = pool_monitor(pool)
    written = changes if place != f"scrape job {pool}" else _snake(changes)
    key, value = next(iter(written.items()))
    return fix(f"In the {place}{reason}", f"{key}: {flow(value)}")


def _snake(value: t.Any) -> t.Any:
    """Keys as Prometheus' own configuration has them; the operator's differ in their case only."""
    if not isinstance(value, dict):
        return value
    return {re.sub(r"(?<=[a-z])([A-Z])", r"_\1", key).lower(): _snake(item) for key, item in value.items()}


def endpoint_line(
    expectation: Expectation, index: int, changes: Object, why: str = "", drop: t.Sequence[str] = ()
) -> str:
    """A fix in the catalogue: C(endpoints) of an entry with one of them changed."""
    endpoints = own_endpoints(expectation) or [{}]
    index = min(index, len(endpoints) - 1)
    changed = {key: value for key, value in endpoints[index].items() if key not in drop}
    changed.update({key: value for key, value in changes.items() if value is not None})
    endpoints[index] = changed
    return entry_line(expectation, "endpoints", endpoints, why)


def patch(expectation: Expectation, spec: Object, sentence: str) -> str:
    """A fix on the live monitor: a merge patch of its C(spec)."""
    monitor = expectation.monitor or {}
    body = shlex.quote(json.dumps({"spec": spec}, separators=(",", ":")))
    return fix(
        sentence,
        f"kubectl -n {monitor['namespace']} patch {monitor['kind'].lower()} {monitor['name']} --type merge -p {body}",
    )


def restore(expectation: Expectation) -> str:
    """A fix for a live monitor whose endpoints are not the catalogue's."""
    key = ENDPOINTS_KEY.get((expectation.monitor or {}).get("kind", ""), "endpoints")
    sentence = f"Somebody changed {expectation.monitor_text}; give it the endpoints of the catalogue back"
    return patch(expectation, {key: list(expectation.endpoints)}, sentence)


def kubectl(namespace: str | None, *words: str) -> str:
    """A kubectl command, quoted for a shell."""
    place = ["-n", namespace] if namespace else []
    return shlex.join(["kubectl", *place, *words])
