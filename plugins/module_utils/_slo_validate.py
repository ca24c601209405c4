# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether the `slo` of an entry can be measured with what entry and pack say. This module util is PRIVATE.

Shapes are the schema's; here is what one key asks of another.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import Faults, seconds, tokens_in
from ansible_collections.dataplatform.monitoring.plugins.module_utils._endpoint_schema import suggest

_TOKENS = frozenset({"selector", "job", "name", "namespace", "min_targets"})


def check_slo(entry: t.Mapping[str, t.Any], pack: t.Mapping[str, t.Any] | None, where: str, faults: Faults) -> None:
    """One sentence per fault of C(entry.slo); an entry without one has none."""
    slo = entry.get("slo")
    if not isinstance(slo, dict) or pack is None:
        return
    known = _mapping(_mapping(pack.get("sli")).get("availability"))
    for key in ("up", "errors", "total"):
        for token in sorted(tokens_in(slo[key]) - _TOKENS) if isinstance(slo.get(key), str) else ():
            faults.add(where, f"slo.{key}", f"${token} is not a token", suggest(token, _TOKENS, "tokens"))
    _check_requests(slo, known, where, faults)
    if slo.get("sli") == "probe" and not _probed(entry, pack):
        faults.add(where, "slo.sli", "the entry has no probe", "add probe: {path: /health, port: http}, or sli: any")
    if isinstance(slo.get("latency"), dict):
        _check_latency(slo["latency"], entry, pack, where, faults)


def _mapping(value: t.Any) -> t.Mapping[str, t.Any]:
    return value if isinstance(value, dict) else {}


def _probed(entry: t.Mapping[str, t.Any], pack: t.Mapping[str, t.Any]) -> bool:
    both = {**_mapping(pack.get("probe")), **_mapping(entry.get("probe"))}
    return bool(both) and both.get("enabled", True) is not False


def _check_requests(slo: t.Mapping[str, t.Any], known: t.Mapping[str, t.Any], where: str, faults: Faults) -> None:
    counted = [key for key in ("errors", "total") if slo.get(key) or known.get(key)]
    own = [key for key in ("errors", "total") if slo.get(key)]
    if own and len(counted) < 2:
        missing = "total" if own == ["errors"] else "errors"
        faults.add(where, f"slo.{missing}", "is missing", "say both: failed and all events a second")
    elif slo.get("sli") == "requests" and len(counted) < 2:
        what = "nothing says how requests are counted"
        faults.add(where, "slo.sli", what, "add slo.errors and slo.total, expressions of events a second, or sli: any")
    elif own and slo.get("sli") not in (None, "requests"):
        faults.add(where, f"slo.{own[0]}", f"is not used by sli: {slo['sli']}", "write sli: requests, or remove it")
    if slo.get("min_events") is not None and len(counted) < 2 and not slo.get("latency"):
        faults.add(where, "slo.min_events", "counts nothing where time is measured", "remove it")


def _check_latency(
    latency: t.Mapping[str, t.Any],
    entry: t.Mapping[str, t.Any],
    pack: t.Mapping[str, t.Any],
    where: str,
    faults: Faults,
) -> None:
    known = _mapping(_mapping(pack.get("sli")).get("latency"))
    if not (latency.get("histogram") or known.get("histogram") or known.get("value") or _probed(entry, pack)):
        what = "nothing says how long requests take"
        faults.add(where, "slo.latency.histogram", what, "name a histogram without _bucket, or add a probe")
    limit, told = seconds(latency.get("threshold")), known.get("buckets")
    buckets = [one for one in told if isinstance(one, (int, float))] if isinstance(told, list) else []
    if limit and buckets and not latency.get("histogram") and limit not in buckets:
        near = ", ".join(f"{one:.10g}s" for one in sorted(buckets, key=lambda one: abs(one - limit))[:2])
        what = f"{known.get('histogram')} has no bucket of {limit:.10g}s"
        faults.add(where, "slo.latency.threshold", what, f"write one that it has, nearest: {near}")
