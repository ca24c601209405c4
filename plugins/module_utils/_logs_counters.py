# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Counters that the logs verdict reads: Loki's and the agents', twice, or from a Prometheus.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _checks,
    _logs_agent,
    _logs_cluster,
    _logs_discards,
    _logs_promql,
    _logs_retention,
    _logs_sending,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import MonitoringError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_loki import Loki
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_metrics import (
    Gain,
    Reading,
    add,
    gain,
    total,
)

# Agents are alike: with many nodes a few tell what is wrong, and the check must take seconds.
MOST_AGENTS = 25
_DISCARDED = _logs_discards.METRIC


class Troubles(t.NamedTuple):
    """What the agents' counters complain of, by node."""

    by_node: dict[str, list[dict[str, str]]]
    notes: list[str]

    def causes(self) -> list[dict[str, str]]:
        """One cause per code, of the first node that has it; how many more have it is said."""
        first: dict[str, dict[str, str]] = {}
        more: dict[str, int] = {}
        for causes in self.by_node.values():
            for item in causes:
                if item["code"] in first:
                    more[item["code"]] = more.get(item["code"], 0) + 1
                else:
                    first[item["code"]] = dict(item)
        for code, number in more.items():
            first[code]["message"] += f" The same on {number} more node{'s' if number > 1 else ''}."
        return list(first.values())


class Counters:
    """Two readings of everything that counts, C(start) and C(finish), and what lies between."""

    def __init__(self, loki: Loki | None, kube: Kube | None, prometheus: Api | None, query_timeout: float) -> None:
        self._loki = loki
        self._kube = kube
        self._prometheus = _logs_promql.Counts(prometheus, query_timeout) if prometheus is not None else None
        self._timeout = query_timeout
        self._loki_first: dict[str, Reading] = {}
        self._loki_last: dict[str, Reading] = {}
        self._agents_first: dict[str, Reading] = {}
        self._discarded: Gain | None = None
        self._sent: dict[str, _logs_sending.Gains] = {}
        self.notes: list[str] = []
        self._youngest_agent: float | None = None

    def start(self, agent: _logs_agent.Agent | None) -> None:
        """Take the first reading, and ask Prometheus, whose answers span the whole time."""
        self._loki_first = self._read_loki()
        self._agents_first = self._read_agents(agent)
        if self._prometheus is None:
            return
        try:
            self._discarded = self._prometheus.discarded()
            if self._discarded is None:
                self._note(f"{self._prometheus.label} does not scrape Loki: its own counters were read instead")
            self._sent = self._prometheus.sent()
        except MonitoringError as exc:
            self._note(f"Prometheus could not be asked, the counters' own pages were read instead: {exc}")

    def need_second_reading(self) -> bool:
        """Whether time must pass before C(finish): not for processes so young that their totals are the answer, nor
        for what Prometheus has counted all along.
        """
        doubtful = [] if self._discarded is not None else list(self._loki_first.values())
        doubtful += [item for item in self._agents_first.values() if item.source not in self._sent]
        return any(
            reading.at - (total(reading.page, "process_start_time_seconds") or 0.0) > _logs_discards.SPAN
            for reading in doubtful
        )

    def finish(self, agent: _logs_agent.Agent | None, silent: t.Collection[str] = ()) -> Troubles:
        """Take the second reading; return what the agents complain of.

        :param silent: nodes of which lines are missing in Loki: when counters do not say why, the agent's log may.
        """
        self._loki_last = self._read_loki()
        troubles = Troubles({}, [])
        for node, last in self._read_agents(agent).items():
            first = self._agents_first.get(node, last)
            if first.source != last.source:
                first = last
            started = total(last.page, "process_start_time_seconds")
            if started is not None:
                self._youngest_agent = min(self._youngest_agent or float("inf"), last.at - started)
            namespace, pod = last.source.split("/", 1)
            gains = self._sent.get(last.source) or _logs_sending.between(first, last)
            found = _logs_sending.inspect(node, pod, namespace, last, first.page, gains)
            if found.causes:
                troubles.by_node[node] = found.causes
            troubles.notes.extend(found.notes)
        for node in sorted(set(silent) - set(troubles.by_node))[:MOST_AGENTS]:
            if agent is not None and self._kube is not None and node in agent.running:
                meta = agent.running[node]["metadata"]
                said = _logs_cluster.agent_log(self._kube, agent.running[node], self._timeout)
                causes = _logs_sending.from_log(node, meta["name"], meta["namespace"], said)
                if causes:
                    troubles.by_node[node] = causes
        return troubles

    def _read_loki(self) -> dict[str, Reading]:
        if self._loki is None:
            return {}
        return {label: Reading(label, time.time(), page) for label, page in self._loki.pages()}

    def _read_agents(self, agent: _logs_agent.Agent | None) -> dict[str, Reading]:
        if self._kube is None or agent is None:
            return {}
        found: dict[str, Reading] = {}
        for node, pod in sorted(agent.running.items())[:MOST_AGENTS]:
            source = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
            try:
                page = _logs_cluster.agent_page(self._kube, pod, self._timeout)
            except MonitoringError as exc:
                self._note(f"the agents' own counters were not read: {exc}")
                break
            found[node] = Reading(source, time.time(), page)
        if len(agent.running) > MOST_AGENTS:
            self._note(f"counters of {MOST_AGENTS} of {len(agent.running)} agents were read")
        return found

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def discarded(self, allowed: float) -> _checks.Check:
        """Judge the discarded lines, by Prometheus where it scrapes Loki, else by the two readings."""
        if self._discarded is not None:
            return _logs_discards.judge(self._discarded, allowed, "Prometheus", self._youngest_agent)
        gains = [
            gain(self._loki_first.get(label, last), last, _DISCARDED, "reason", _logs_discards.SPAN)
            for label, last in self._loki_last.items()
        ]
        error = "none of its replicas answers /metrics"
        found = add(gains) if gains else None
        return _logs_discards.judge(found, allowed, "Loki's own counters", self._youngest_agent, error)

    def retention(self) -> tuple[float | None, float | None]:
        """Return when retention was last applied (0 for never, None when nobody tells) and since when Loki runs."""
        runs, starts = [], []
        for reading in self._loki_last.values():
            runs.extend(reading.page.get(_logs_retention.RUN_METRIC, {}).values())
            starts.extend(reading.page.get("process_start_time_seconds", {}).values())
        if not runs and self._prometheus is not None:
            try:
                runs = self._prometheus.values(f"max({_logs_retention.RUN_METRIC})")
            except MonitoringError as exc:
                self._note(f"Prometheus could not be asked for retention: {exc}")
        return (max(runs) if runs else None), (min(starts) if starts else None)
