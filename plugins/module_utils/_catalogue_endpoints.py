# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check the endpoints of an entry: against the CRD's schema, and for what no schema says.

This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import Faults, seconds
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue_checks import (
    check_duration,
    check_port,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._endpoint_schema import check, join, type_of

# Fields that are references to a Secret in every monitor CRD. People paste passwords here.
_SECRET_FIELDS = {
    "basicAuth": ("username", "password"),
    "authorization": ("credentials",),
    "oauth2": ("clientSecret",),
    "tlsConfig": ("keySecret",),
}
_REFERENCE_REMEDY = "put it into a Secret and write {name: SECRET, key: KEY}"
# Names of the plain Prometheus configuration file, which are spelt differently in the CRD.
_PROMETHEUS_SPELLING = {
    "basic_auth": "basicAuth",
    "bearer_token": "authorization",
    "bearer_token_file": "authorization",
    "bearerToken": "authorization",
    "tls_config": "tlsConfig",
    "scrape_interval": "interval",
    "scrape_timeout": "scrapeTimeout",
    "metrics_path": "path",
    "honor_labels": "honorLabels",
    "relabel_configs": "relabelings",
    "metric_relabel_configs": "metricRelabelings",
    "target_port": "targetPort",
    "timeout": "scrapeTimeout",
}


_PORT_KEYS = ("port", "targetPort", "portNumber")


def wanted_endpoints(entry: Mapping[str, Any], pack: Mapping[str, Any], kind: str) -> Any:
    """The endpoints of an entry: its own, else its pack's. Of those a ScrapeConfig uses the path and its like only."""
    if "endpoints" in entry:
        return entry["endpoints"]
    usual = pack.get("endpoints")
    if kind != "ScrapeConfig" or not isinstance(usual, list):
        return usual
    first = [one for one in usual[:1] if isinstance(one, Mapping)]
    return [{key: value for key, value in one.items() if key not in _PORT_KEYS} for one in first]


def check_endpoints(endpoints: Any, kind: str, schema: Any, default_interval: str, where: str, faults: Faults) -> None:
    """Add every fault of ``endpoints`` (as an entry writes them) of a monitor of ``kind``.

    :param schema: OpenAPI schema of one endpoint of the CRD, or None when it is not known.
    :param default_interval: Prometheus' own scrape interval, for endpoints without one.
    """
    if not isinstance(endpoints, list):
        faults.add(
            where, "endpoints", f"must be a list, not {type_of(endpoints)}", "write endpoints: [{port: metrics}]"
        )
        return
    if kind == "ScrapeConfig" and len(endpoints) > 1:
        faults.add(
            where,
            "endpoints",
            "a ScrapeConfig has one path for all its targets",
            "write one endpoint, or another entry for the rest",
        )
    for number, endpoint in enumerate(endpoints):
        path = f"endpoints[{number}]"
        if not isinstance(endpoint, Mapping):
            faults.add(where, path, f"must be a mapping, not {type_of(endpoint)}", "write {port: metrics}")
            continue
        _check_port(endpoint, kind, path, where, faults)
        _check_times(endpoint, default_interval, path, where, faults)
        said = _check_secrets(endpoint, path, where, faults)
        _check_relabelings(endpoint, path, where, faults)
        if isinstance(endpoint.get("path"), str) and not endpoint["path"].startswith("/"):
            faults.add(
                where, f"{path}.path", f'"{endpoint["path"]}" does not begin with /', f"write /{endpoint['path']}"
            )
            said.add(f"{path}.path")
        if isinstance(schema, Mapping) and kind != "ScrapeConfig":
            _check_schema(endpoint, schema, path, said, where, faults)


def _check_port(endpoint: Mapping[str, Any], kind: str, path: str, where: str, faults: Faults) -> None:
    given = [key for key in _PORT_KEYS if key in endpoint]
    if kind == "ScrapeConfig":
        for key in given:
            faults.add(
                where, join(path, key), "a target carries its port itself", "write targets: [host:port] and remove it"
            )
        return
    if not given:
        faults.add(where, path, "has neither port nor targetPort", "write port: NAME (or its number)")
    if len(given) > 1:
        faults.add(
            where,
            path,
            f"has both {given[0]} and {given[1]}",
            f"keep one: {given[0]} wins silently and {given[1]} is ignored",
        )
    for key in given:
        faults.extend(where, check_port(endpoint[key], join(path, key)))


def _check_times(endpoint: Mapping[str, Any], default_interval: str, path: str, where: str, faults: Faults) -> None:
    lengths = {}
    for key in ("interval", "scrapeTimeout"):
        if key in endpoint:
            problems = check_duration(endpoint[key], join(path, key))
            faults.extend(where, problems)
            lengths[key] = None if problems else seconds(endpoint[key])
    interval, timeout = lengths.get("interval", seconds(default_interval)), lengths.get("scrapeTimeout")
    if interval and timeout and timeout > interval:
        shown = endpoint.get("interval", f"{default_interval}, Prometheus' own")
        faults.add(
            where,
            f"{path}.scrapeTimeout",
            f"{endpoint['scrapeTimeout']} is longer than the interval ({shown})",
            "make it at most the interval: the operator rejects the whole monitor",
        )


def _secret_values(endpoint: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for parent, fields in _SECRET_FIELDS.items():
        block = endpoint.get(parent)
        if isinstance(block, Mapping):
            for field in fields:
                if field in block:
                    yield f"{parent}.{field}", block[field]
    if "bearerTokenSecret" in endpoint:
        yield "bearerTokenSecret", endpoint["bearerTokenSecret"]


def _check_secrets(endpoint: Mapping[str, Any], path: str, where: str, faults: Faults) -> set[str]:
    """Paths that have been reported, so that the schema does not say it again."""
    said = set()
    for field, value in _secret_values(endpoint):
        at = join(path, field)
        if isinstance(value, Mapping):
            if not isinstance(value.get("name"), str) or not value.get("name"):
                faults.add(where, f"{at}.name", "is missing", "name the Secret, in the monitor's namespace")
                said.add(f"{at}.name")
            continue
        said.add(at)
        faults.add(where, at, "is written in clear", _REFERENCE_REMEDY)
    return said


def _check_relabelings(endpoint: Mapping[str, Any], path: str, where: str, faults: Faults) -> None:
    rules = endpoint.get("relabelings")
    for number, rule in enumerate(rules if isinstance(rules, list) else ()):
        if isinstance(rule, Mapping) and rule.get("targetLabel") == "job":
            faults.add(
                where,
                f"{path}.relabelings[{number}]",
                "sets the job label, which is the entry's name",
                "remove the rule",
            )


def _check_schema(
    endpoint: Mapping[str, Any], schema: Mapping[str, Any], path: str, said: set[str], where: str, faults: Faults
) -> None:
    own = {"port", "targetPort", "portNumber", "interval", "scrapeTimeout"}
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return
    moved = {wrong: f"did you mean {right}?" for wrong, right in _PROMETHEUS_SPELLING.items() if right in properties}
    shape = {**schema, "x-moved": moved}
    # whether a port is there, and that it is one, has been said in the catalogue's own words
    rest = {key: value for key, value in endpoint.items() if key not in own or key not in properties}
    for problem in check(rest, shape, path):
        if not any(problem.path == one or problem.path.startswith(f"{one}.") for one in said):
            faults.extend(where, [problem])
