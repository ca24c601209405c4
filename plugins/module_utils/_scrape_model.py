# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the scrape verdict works on: expectations, what was seen, and what was found wrong.

This module util is PRIVATE to the collection. Plain data; nothing here talks to a server.

A C(Snapshot) is what one round saw. The diagnosis asks it for facts (C(Snapshot.fact)); a fact that was not fetched
is noted in C(wanted), the collector fetches exactly those, and the diagnosis is asked again. So a healthy cluster
costs few requests, and the diagnosis stays a pure function of what is known.
"""

from __future__ import annotations

import dataclasses
import math
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _causes
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import as_selector, plain, seconds
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

Object = dict[str, t.Any]
Target = dict[str, t.Any]
Labels = t.Mapping[str, str]

# Never: nothing but the deadline makes such a finding final.
FOREVER = math.inf

# Scrape pools as prometheus-operator names them (pkg/prometheus/promcfg.go); Probe and ScrapeConfig have no index.
POOL_PREFIX = {
    "ServiceMonitor": "serviceMonitor",
    "PodMonitor": "podMonitor",
    "Probe": "probe",
    "ScrapeConfig": "scrapeConfig",
}
PLURAL = {
    "ServiceMonitor": "servicemonitors",
    "PodMonitor": "podmonitors",
    "Probe": "probes",
    "ScrapeConfig": "scrapeconfigs",
}
ENDPOINTS_KEY = {"ServiceMonitor": "endpoints", "PodMonitor": "podMetricsEndpoints"}
STATES = ("present", "adopted", "skipped", "pending")


@dataclasses.dataclass(frozen=True)
class Expectation:
    """What one entry of the catalogue is expected to be scraped as; see the module's option C(expectations)."""

    name: str
    job: str | None = None
    state: str = "present"
    reason: str = ""
    kind: str = "generic"
    monitor: dict[str, str] | None = None
    namespaces: tuple[str, ...] = ()
    selector: Object = dataclasses.field(default_factory=dict)
    endpoints: tuple[Object, ...] = ()
    health: tuple[Object, ...] = ()
    must_have: tuple[str, ...] = ()
    min_samples: int = 0
    min_targets: int = 1
    exporter: Object | None = None

    @classmethod
    def parse(cls, item: t.Any, index: int) -> Expectation:
        """Read one item of the option.

        :raises ConfigError: it has no name, an unknown key, or a value of the wrong type; the message says which.
        """
        item = plain(item)
        place = f"expectations[{index}]"
        if not isinstance(item, dict) or not item.get("name"):
            raise ConfigError(f"{place} has no name: give it the name of the catalogue entry.")
        place = f"{place} ({item['name']})"
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(item) - known)
        if unknown:
            raise ConfigError(f"{place} has an unknown key {unknown[0]}; known are: {', '.join(sorted(known))}.")
        values = {key: value for key, value in item.items() if value is not None}
        for key in ("namespaces", "endpoints", "health", "must_have"):
            if not isinstance(values.get(key, []), list):
                raise ConfigError(f"{place}: {key} must be a list.")
            values[key] = tuple(values.get(key, ()))
        for key in ("min_samples", "min_targets"):
            try:
                values[key] = int(values.get(key, 1 if key == "min_targets" else 0))
            except (TypeError, ValueError) as error:
                raise ConfigError(f"{place}: {key} must be a whole number.") from error
        if values.get("state", "present") not in STATES:
            raise ConfigError(f"{place}: state {values['state']} is none of {', '.join(STATES)}.")
        monitor = values.get("monitor")
        if monitor is not None and not all(monitor.get(key) for key in ("kind", "namespace", "name")):
            raise ConfigError(f"{place}: monitor needs kind, namespace and name.")
        if monitor is not None and monitor["kind"] not in POOL_PREFIX:
            raise ConfigError(f"{place}: monitor.kind {monitor['kind']} is none of {', '.join(POOL_PREFIX)}.")
        for check in values["health"]:
            if not isinstance(check, dict) or not check.get("expr"):
                raise ConfigError(f"{place}: every item of health needs an expr.")
        values["selector"] = as_selector(values.get("selector"))
        return cls(**values)

    @property
    def monitor_text(self) -> str:
        """The monitor as a person names it."""
        if not self.monitor:
            return f"the monitor of {self.name}"
        return f"{self.monitor['kind']} {self.monitor['namespace']}/{self.monitor['name']}"

    def expression(self, text: str, job: str | None) -> str:
        """An expression of the pack with C($selector) filled in."""
        return text.replace("$selector", f'job="{escape(job or self.job or self.name)}"')


@dataclasses.dataclass
class Server:
    """One Prometheus process, as it answered in this round.

    :param name: as a person names it. :param pod: C((namespace, name)) when it was asked through its Pod.
    :param problem: why it could not be asked, or None. :param pools: job names of its configuration.
    :param jobs: the scrape configurations that concern the expectations. :param config_time: last successful reload.
    """

    name: str
    pod: tuple[str, str] | None = None
    problem: Finding | None = None
    targets: list[Target] = dataclasses.field(default_factory=list)
    pools: frozenset[str] = frozenset()
    jobs: dict[str, Object] = dataclasses.field(default_factory=dict)
    reload_ok: bool | None = None
    config_time: float | None = None

    @property
    def ordinal(self) -> str:
        """What the shards of one replica have in common: the end of their Pods' names."""
        found = re.search(r"-(\d+)$", self.pod[1]) if self.pod else None
        return found.group(1) if found else self.name


@dataclasses.dataclass
class View:
    """One replica: the union of its shards (C(prometheus-x-0), C(prometheus-x-shard-1-0), ...)."""

    servers: list[Server]

    @property
    def name(self) -> str:
        return ", ".join(server.name for server in self.servers)

    @property
    def targets(self) -> list[Target]:
        return [target for server in self.servers for target in server.targets]

    def job(self, pool: str) -> Object | None:
        """The scrape configuration of a pool, None when a shard lacks it."""
        found = [server.jobs.get(pool) for server in self.servers]
        return found[0] if found and all(job is not None for job in found) else None

    @property
    def reload_failed(self) -> bool:
        return any(server.reload_ok is False for server in self.servers)

    @property
    def config_time(self) -> float | None:
        times = [server.config_time for server in self.servers if server.config_time is not None]
        return max(times) if times else None

    def pick(self, by_server: t.Mapping[str, t.Any]) -> list[t.Any]:
        """The parts of a fact that belong to this replica, one after another."""
        found: list[t.Any] = []
        for server in self.servers:
            found.extend(by_server.get(server.name) or [])
        return found


@dataclasses.dataclass
class Snapshot:
    """What one round saw. C(facts) are addressed by tuples; the collector documents them."""

    servers: list[Server]
    kubernetes: bool = True
    facts: dict[tuple[t.Any, ...], t.Any] = dataclasses.field(default_factory=dict)
    wanted: set[tuple[t.Any, ...]] = dataclasses.field(default_factory=set)
    misses: int = 0
    # The command that writes the monitors anew; the fix for whatever drifted from the catalogue.
    rerun: str = "ansible-playbook dataplatform.monitoring.day1"

    def fact(self, *key: t.Any) -> t.Any:
        """A fact, or None after noting that it is wanted. A C(Finding) stands for one that may not be read."""
        if key not in self.facts:
            self.wanted.add(key)
            self.misses += 1
            return None
        return self.facts[key]

    @property
    def views(self) -> list[View]:
        """The replicas that answered, each the union of its shards."""
        groups: dict[str, list[Server]] = {}
        for server in self.servers:
            if server.problem is None:
                groups.setdefault(server.ordinal, []).append(server)
        return [View(group) for group in groups.values()]


class Finding(t.NamedTuple):
    """One thing that is wrong, or not known.

    :param patience: for how many seconds it must have been seen before it is taken for final; 0 when nothing but a
        change by somebody can end it, C(FOREVER) when it may end by itself at any time.
    :param certain: False when it says that something is not known: the check is C(unknown) if there is nothing worse.
    """

    code: str
    message: str
    fix: str
    patience: float = 0.0
    certain: bool = True

    @property
    def cause(self) -> dict[str, str]:
        return _causes.cause(self.code, self.message, self.fix)


@dataclasses.dataclass
class Judgement:
    """What is said about one expectation: the check, and what it rests on."""

    check: dict[str, t.Any]
    findings: list[Finding] = dataclasses.field(default_factory=list)
    up_urls: frozenset[str] = frozenset()
    # Unix time at which the next news can be expected: the next scrape of a target that is waited for.
    next_news: float | None = None


def pools_of(monitor: Object) -> list[str]:
    """The scrape pools that a monitor object leads to, in the order of its endpoints."""
    kind, meta = monitor.get("kind", ""), monitor.get("metadata") or {}
    base = f"{POOL_PREFIX[kind]}/{meta.get('namespace')}/{meta.get('name')}"
    key = ENDPOINTS_KEY.get(kind)
    if key is None:
        return [base]
    return [f"{base}/{index}" for index in range(len((monitor.get("spec") or {}).get(key) or []))]


def pool_monitor(pool: str) -> str:
    """A scrape pool as a person names it: C(ServiceMonitor monitoring/trino), or the job of a plain configuration."""
    parts = pool.split("/")
    for kind, prefix in POOL_PREFIX.items():
        if parts[0] == prefix and len(parts) in (3, 4):
            return f"{kind} {parts[1]}/{parts[2]}"
    return f"scrape job {pool}"


def duration(text: t.Any, default: float) -> float:
    """A Prometheus duration in seconds; C(default) when it is none."""
    found = seconds(str(text)) if text else None
    return default if found is None else found


def escape(text: str) -> str:
    """A label value for the inside of a PromQL string."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def some(items: t.Iterable[str], limit: int = 3) -> str:
    """The first few of a list, and how many more there are."""
    unique = list(dict.fromkeys(items))
    more = f" and {len(unique) - limit} more" if len(unique) > limit else ""
    return ", ".join(unique[:limit]) + more
