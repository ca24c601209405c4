# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One look at the SLOs: the rules and samples of every replica. This module util is PRIVATE and reads only.

However many SLOs there are, a replica is asked less than ten questions, and one more for every twenty.
"""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _prometheus, _slo_rules
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import seconds
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import parse_time
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_model import Group
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_reach import Reading
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_series import Series, text_of
from ansible_collections.dataplatform.monitoring.plugins.module_utils._slo_model import WINDOW, Expectation, Look

# Expressions that are asked at once: an address has an end.
_AT_ONCE = 20
# The oldest sample of a Prometheus that has deleted others for want of room.
_CUT = "min(prometheus_tsdb_lowest_timestamp_seconds and on (job, instance) prometheus_tsdb_size_retentions_total > 0)"


class Collector:
    """Reads what the verdict needs.

    :param find: gives one C(Api) per replica; called again after a failure.
    """

    def __init__(self, find: t.Callable[[], list[Api]], expectations: t.Sequence[Expectation]) -> None:
        self._find = find
        self._wanted = [one for one in expectations if one.active]
        self._apis: list[Api] = []

    def looks(self) -> list[Look]:
        """:raises ApiError: a server does not answer."""
        try:
            if not self._apis:
                self._apis = self._find()
            return [self._look(api) for api in self._apis]
        except ApiError:
            self._apis = []
            raise

    def _look(self, api: Api) -> Look:
        info = api.get_json("/api/v1/status/runtimeinfo")["data"]
        now = parse_time(info.get("serverTime"))
        if now is None:
            now = _prometheus.query(api, "time()")[0]["value"]
        look = Look(api.label, now, retention=retention(str(info.get("storageRetention") or "")))
        for item in api.get_json("/api/v1/rules")["data"]["groups"] or []:
            look.add(Group.parse(item))
        if not self._wanted:
            return look
        for sample in _prometheus.query(api, '{__name__=~"slo:.+",slo!=""}'):
            metric = sample["metric"]
            look.values.setdefault(metric["slo"], {})[metric["__name__"]] = sample["value"]
        self._history(api, look)
        look.empty = set(self._sources()) - self._living(api)
        self._explain(api, look)
        return look

    def _history(self, api: Api, look: Look) -> None:
        """How long each SLO has been recorded, and how much happened; as far as its window goes."""
        for window in sorted({one.window for one in self._wanted}):
            own = {one.slo for one in self._wanted if one.window == window}
            oldest = f"min by (slo) (min_over_time(timestamp({_slo_rules.DOWN})[{window}:1h]))"
            counted = f"sum by (slo) (sum_over_time({_slo_rules.EVENTS}[{window}])) * {_slo_rules.STEP}"
            for expr, found in ((oldest, look.since), (counted, look.events)):
                for sample in _prometheus.query(api, expr):
                    if sample["metric"].get("slo") in own:
                        found[sample["metric"]["slo"]] = sample["value"]
        deleted = _prometheus.query(api, _CUT)
        look.cut = deleted[0]["value"] if deleted else None

    def _sources(self) -> list[str]:
        return list(dict.fromkeys(source for one in self._wanted for source in one.sources))

    def _living(self, api: Api) -> set[str]:
        """Sources that have a series now."""
        sources, living = self._sources(), set()
        for start in range(0, len(sources), _AT_ONCE):
            part = sources[start : start + _AT_ONCE]
            try:
                living |= _answered(api, part)
            except ApiError:
                # one that cannot be evaluated must not hide the others; its rule tells the error
                for source in part:
                    living |= _tried(api, source)
        return living

    def _explain(self, api: Api, look: Look) -> None:
        """Why a source is empty; and whether what counts failures exists at all where none was ever counted."""
        idle = [one for one in self._wanted if look.values.get(one.slo, {}).get(WINDOW) == 0]
        asked = [*look.empty, *itertools.chain.from_iterable(one.hints for one in idle)]
        if not asked:
            return
        reading, series = Reading(), Series(api, look.now)
        series.ask(reading.selectors(asked))
        for expr in asked:
            obstacles = reading.obstacles(expr, series)
            if obstacles:
                look.dead.add(expr)
                look.why[expr] = "; ".join(dict.fromkeys(one.text() for one in obstacles))
            elif expr in look.empty:
                remarks = [*_buckets(api, expr, reading), *reading.remarks(expr, series)]
                look.why[expr] = remarks[0] if remarks else f"{expr} has no series now"


def _buckets(api: Api, expr: str, reading: Reading) -> list[str]:
    """For a histogram without the bucket that is asked for: those that it has."""
    for selector in reading.selectors([expr]):
        kept = tuple(one for one in selector.matchers if one.name != "le")
        if len(kept) < len(selector.matchers):
            found = api.get_json("/api/v1/label/le/values", [("match[]", text_of(kept))])["data"] or []
            there = sorted((one for one in found if one != "+Inf"), key=float)
            return [f"{selector.metric} has no such bucket; it has {', '.join(there)}"] if there else []
    return []


def retention(text: str) -> float | None:
    """Seconds that samples are kept, from what Prometheus says of itself: C(30d), C(50GiB) or C(30d or 50GiB)."""
    return next((length for part in text.split(" or ") if (length := seconds(part.strip()))), None)


def _answered(api: Api, exprs: t.Sequence[str]) -> set[str]:
    """Those of some expressions that have a result; one question."""
    parts = [f'label_replace(count({expr}), "number", "{index}", "", "")' for index, expr in enumerate(exprs)]
    return {exprs[int(sample["metric"]["number"])] for sample in _prometheus.query(api, " or ".join(parts))}


def _tried(api: Api, expr: str) -> set[str]:
    try:
        return _answered(api, [expr])
    except ApiError as exc:
        if exc.status is None:
            raise
        return {expr}
