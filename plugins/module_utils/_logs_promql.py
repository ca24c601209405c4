# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a Prometheus has counted of Loki and of the agents, all along.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_discards, _logs_sending
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_metrics import Gain
from ansible_collections.dataplatform.monitoring.plugins.module_utils._prometheus import Sample, query

# Whether every request fails is a matter of now: an agent tries again at least that often.
NOW = 300.0
_SCRAPED = 'count({__name__=~"loki_build_info|loki_distributor_lines_received_total"})'


def increase(metric: str, by: str, span: float) -> str:
    """Return the expression for what a counter gained within C(span) seconds, by labels.

    A series that is new has no earlier sample, so that increase() leaves out its first value; a discarded line's
    counter begins with the first discarded line. Such a series counts in full.
    """
    minutes = round(span / 60)
    known = f"max_over_time({metric}[1h] offset {minutes}m)"
    return f"sum by ({by}) (({metric} unless {known}) or increase({metric}[{minutes}m]))"


def gains(samples: list[Sample], label: str, span: float) -> dict[str, Gain]:
    """Sort samples by namespace and Pod, and within by one label; fractions of a line are extrapolation."""
    found: dict[str, Gain] = {}
    for item in samples:
        source = f"{item['metric'].get('namespace', '')}/{item['metric'].get('pod', '')}"
        mine = found.setdefault(source, Gain({}, span, True))
        if item["value"] >= 0.5:
            mine.by[item["metric"].get(label, "")] = item["value"]
    return found


class Counts:
    """Questions to one Prometheus. Each method raises ApiError when it does not answer."""

    def __init__(self, api: Api, query_timeout: float) -> None:
        self._api = api
        self._timeout = query_timeout
        self.label = api.label

    def _query(self, expr: str) -> list[Sample]:
        return query(self._api, expr, timeout=self._timeout)

    def values(self, expr: str) -> list[float]:
        """Return the values of an instant vector."""
        return [item["value"] for item in self._query(expr)]

    def discarded(self) -> Gain | None:
        """Return what Loki discarded within 15 minutes, by reason; None when this Prometheus does not scrape Loki."""
        if not any(self.values(_SCRAPED)):
            return None
        samples = self._query(increase(_logs_discards.METRIC, "reason", _logs_discards.SPAN))
        by = {item["metric"].get("reason", ""): item["value"] for item in samples if item["value"] >= 0.5}
        return Gain(by, _logs_discards.SPAN, True)

    def sent(self) -> dict[str, _logs_sending.Gains]:
        """Return what each agent it scrapes gave up and was answered, by namespace/Pod."""
        found: dict[str, _logs_sending.Gains] = {}
        for names in _logs_sending.AGENTS:
            answers = self._query(increase(names.requests, "namespace, pod, status_code", NOW))
            if not answers:
                continue
            dropped = gains(
                self._query(increase(names.dropped, "namespace, pod, reason", _logs_sending.SPAN)),
                "reason",
                _logs_sending.SPAN,
            )
            for source, item in gains(answers, "status_code", NOW).items():
                found[source] = _logs_sending.Gains(dropped.get(source, Gain({}, _logs_sending.SPAN, True)), item)
        return found
