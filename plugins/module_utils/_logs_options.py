# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Options of the logs verdict: their spec, and what they mean. This module util is PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._argspec import prometheus_spec
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_namespaces import Rules
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_streams import DEFAULT_SOURCES
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import parse_duration

SPEC: dict[str, dict[str, t.Any]] = {
    "tenant": {"type": "str", "default": ""},
    "labels": {"type": "list", "elements": "str", "default": ["namespace", "pod", "container", "app", "tier"]},
    "label_sources": {"type": "dict", "default": DEFAULT_SOURCES},
    "agent": {
        "type": "dict",
        "default": {},
        "options": {"namespace": {"type": "str"}, "name": {"type": "str"}},
    },
    "expectations": {"type": "list", "elements": "dict", "default": []},
    "exclude_namespaces": {"type": "list", "elements": "str", "default": []},
    "window": {"type": "str", "default": "10m"},
    "max_age": {"type": "str", "default": "120s"},
    "retention": {"type": "str"},
    "max_discarded": {"type": "int", "default": 0},
    "samples_per_node": {"type": "int", "default": 10},
    "samples": {"type": "int", "default": 300},
    "observe": {"type": "int", "default": 5},
    "rerun": {"type": "str", "default": "ansible-playbook dataplatform.monitoring.day1"},
    **prometheus_spec(),
}


class Options(t.NamedTuple):
    """What the user asks for; times in seconds.

    :param read_log: the command that reads Loki's log, for fixes.
    :param rerun: the command that installs Loki and the agent, for fixes.
    """

    rules: Rules
    excluded: frozenset[str]
    expected: tuple[str, ...]
    agent_namespace: str
    agent_name: str
    per_cell: int
    samples: int
    retention: float | None
    allowed: float
    observe: float
    tenant: str
    read_log: str
    rerun: str = SPEC["rerun"]["default"]


def parse(params: t.Mapping[str, t.Any]) -> Options:
    """Read the module's options.

    :raises ConfigError: a value that cannot be meant, with its option and the remedy.
    """
    if not params.get("url") and not (params.get("namespace") and params.get("service")):
        raise ConfigError("Say which Loki to ask: either url, or namespace and service.")
    window, lag = parse_duration(params["window"], "window"), parse_duration(params["max_age"], "max_age")
    if lag <= 0 or window < 2 * lag:
        raise ConfigError(
            f"window ({params['window']}) must be at least twice max_age ({params['max_age']}): a line may take "
            "max_age to arrive, and must then be seen. Set window: 10m"
        )
    for name in ("samples_per_node", "samples"):
        if params[name] < 1:
            raise ConfigError(f"{name}: {params[name]} leaves nothing to compare; set it to 1 or more")
    sources = {}
    for label, value in params["label_sources"].items():
        sources[label] = [value] if isinstance(value, str) else [str(item) for item in value or []]
    expected = []
    for item in params["expectations"]:
        if not isinstance(item, dict) or not item.get("namespace"):
            raise ConfigError(f"expectations: {item!r} has no namespace; write {{namespace: NAME}}")
        expected.append(str(item["namespace"]))
    retention = None if not params["retention"] else parse_duration(params["retention"], "retention")
    agent = params["agent"] or {}
    where = "the Pods of Loki: kubectl get pods -A -l app.kubernetes.io/name=loki"
    if params.get("service") and not params.get("url"):
        where = f"kubectl -n {params['namespace']} logs service/{params['service']} --tail=50"
    return Options(
        Rules(tuple(params["labels"]), sources, window, lag),
        frozenset(params["exclude_namespaces"]),
        tuple(expected),
        agent.get("namespace") or "",
        agent.get("name") or "",
        params["samples_per_node"],
        params["samples"],
        retention,
        float(params["max_discarded"]),
        float(params["observe"]),
        params["tenant"],
        where,
        params["rerun"],
    )
