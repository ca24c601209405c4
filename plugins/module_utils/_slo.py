# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The SLOs of the resolved catalogue: what each of them counts. This module util is PRIVATE to the collection.

Availability is told by requests (failed of all), by the probe, or by whether any target, or which fraction of them, is
up. Latency is told by a histogram (requests slower than the threshold, of all), or by a number of seconds (the time
during which it is above the threshold). Whatever is told by requests counts the time without any target too.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _slo_burn
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import Entry, seconds

WINDOW = "28d"
# Kinds that count requests; the others measure time.
COUNTING = ("requests", "histogram")
ACTIVE = ("present", "adopted")


@dataclasses.dataclass(frozen=True)
class Slo:
    """One objective of one entry.

    :param name: C(<entry>-availability) or C(<entry>-latency), the label C(slo).
    :param kind: any, fraction, requests, probe; of latency histogram or value.
    :param objective: percent. :param window: a duration.
    :param down: expression, 1 while nothing works, 0 while all does. :param errors: failed events a second, and
    :param total: all of them; None where time is measured.
    :param sources: expressions without which nothing is known. :param hints: those that may be empty while all is well.
    :param former: names that it had before. :param min_events: as the user says; None: see _slo_burn.least_events.
    """

    name: str
    service: str
    sli: str
    kind: str
    objective: float
    window: str
    down: str
    errors: str | None = None
    total: str | None = None
    sources: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    team: str = ""
    former: tuple[str, ...] = ()
    min_events: float | None = None

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return seconds(self.window) or 0.0

    @property
    def budget(self) -> float:
        """What may fail, 0 to 1."""
        return _slo_burn.budget(self.objective)

    @property
    def counting(self) -> bool:
        """Whether events are counted, not time."""
        return self.kind in COUNTING

    @property
    def labels(self) -> dict[str, str]:
        """Labels of everything that is recorded of it."""
        found = {"slo": self.name, "service": self.service, "sli": self.sli}
        return {**found, "team": self.team} if self.team else found


def slos_of(entry: Entry, probing: bool) -> list[Slo]:
    """The SLOs of one resolved entry; none while it is not there, or nothing says yet which series are its own.

    :param probing: whether there is a prober.
    """
    if not entry.get("slo") or entry["state"] not in ACTIVE or not entry.get("job"):
        return []
    found = [_availability(entry, probing)]
    if entry["slo"].get("latency"):
        found.append(_latency(entry))
    return found


def slos(catalogue: t.Mapping[str, t.Any]) -> list[Slo]:
    """Every SLO, in the order of the catalogue."""
    return [slo for entry in catalogue["entries"] for slo in slos_of(entry, has_prober(catalogue))]


def has_prober(catalogue: t.Mapping[str, t.Any]) -> bool:
    """Whether somebody makes the probes."""
    return bool((catalogue.get("prober") or {}).get("url"))


def kind_of(entry: t.Mapping[str, t.Any], probing: bool) -> str:
    """How availability is told: as the entry says, else by requests, by its probe, or by its targets."""
    wanted, known = entry["slo"], _known(entry, "availability")
    if wanted.get("sli"):
        return wanted["sli"]
    if _counts(entry, known):
        return "requests"
    return "probe" if probing and (entry.get("probe") or {}).get("url") else "any"


def _counts(entry: t.Mapping[str, t.Any], known: t.Mapping[str, t.Any]) -> bool:
    return all(entry["slo"].get(key) or known.get(key) for key in ("errors", "total"))


def _known(entry: t.Mapping[str, t.Any], sli: str) -> dict[str, t.Any]:
    """What the pack says of an indicator."""
    return (entry.get("sli") or {}).get(sli) or {}


def _common(entry: Entry, sli: str) -> dict[str, t.Any]:
    return {
        "name": f"{entry['name']}-{sli}",
        "service": entry["name"],
        "sli": sli,
        "window": entry["slo"].get("window") or WINDOW,
        "team": entry["team"],
        "former": tuple(f"{name}-{sli}" for name in entry.get("previous_names") or ()),
        "min_events": entry["slo"].get("min_events"),
    }


def _availability(entry: Entry, probing: bool) -> Slo:
    wanted, known, job = entry["slo"], _known(entry, "availability"), entry["job"]
    kind = kind_of(entry, probing)
    targets = f'up{{job="{job}"}}'
    up = wanted.get("up") or known.get("up") or targets
    # what is no number would stay one for the whole window
    works, errors, total, counted = f"max({up})" if up == targets else f"max(({up}) >= 0)", None, None, ()
    if kind == "fraction":
        up = targets
        works = f"sum({up}) / clamp_min(count({up}), {entry['min_targets']})"
    elif kind == "probe":
        up = f'probe_success{{job="{entry["name"]}-probe"}}'
        works = f"min({up})"
    elif kind == "requests":
        errors, total = (wanted.get(key) or known[key] for key in ("errors", "total"))
        counted = (total,)
    return Slo(
        **_common(entry, "availability"),
        kind=kind,
        objective=wanted["objective"],
        down=_down(works),
        errors=errors,
        total=total,
        sources=(up, *counted),
        hints=(errors,) if errors else (),
    )


def _down(works: str) -> str:
    """1 minus what works. That nobody is there any more is a failure and not a gap.

    Not at once: a target whose labels change is away until its next scrape. Nor while Prometheus itself has not scraped
    anything for long: then nothing is recorded.
    """
    lately = f"max(last_over_time(({works})[2m:30s]))"
    return f"1 - clamp_max({works} or {lately} or vector(0) and on () count(up offset 2m), 1)"


def _latency(entry: Entry) -> Slo:
    wanted, known = entry["slo"]["latency"], _known(entry, "latency")
    limit = f"{seconds(wanted['threshold']):.10g}"
    common = {**_common(entry, "latency"), "objective": wanted["objective"]}
    histogram = wanted.get("histogram") or known.get("histogram")
    if histogram:
        extra = f",{known['matchers']}" if known.get("matchers") and not wanted.get("histogram") else ""
        own = f'job="{entry["job"]}"{extra}'
        bucket = f'{histogram}_bucket{{{own},le=~"{_bound(limit)}"}}'
        total = f"rate({histogram}_count{{{own}}}[5m])"
        slow = f"sum({total}) - sum(rate({bucket}[5m]))"
        # while nobody answers nobody is slow: that is the other objective's matter
        return Slo(**common, kind="histogram", down="vector(0)", errors=slow, total=total, sources=(total, bucket))
    value = known.get("value") or f'probe_duration_seconds{{job="{entry["name"]}-probe"}}'
    return Slo(**common, kind="value", down=f"max({value}) > bool {limit}", sources=(value,))


def _bound(limit: str) -> str:
    """A pattern for one upper bound, which Prometheus 3 writes as a float (1.0) and others as they got it (1)."""
    text = limit.replace(".", "[.]")
    return text if "." in limit else f"{text}|{text}[.]0"


def expectations(catalogue: t.Mapping[str, t.Any], namespace: str = "") -> list[dict[str, t.Any]]:
    """What slo_info expects: one item per SLO, and one per entry whose SLO is not there, with the reason.

    Where nothing is promised there is one item that says so: no list is empty by mistake.

    :param namespace: of the rules, for commands; by default that of the catalogue.
    """
    found = []
    for entry in catalogue["entries"]:
        if not entry.get("slo"):
            continue
        own = slos_of(entry, has_prober(catalogue))
        for slo in own:
            found.append({**_told(slo), "state": "present", "namespace": namespace or catalogue.get("namespace") or ""})
        if not own:
            reason = entry.get("reason") or "its job is not known yet"
            found.append(
                {
                    "slo": f"{entry['name']}-availability",
                    "service": entry["name"],
                    "sli": "availability",
                    "state": entry["state"] if entry["state"] not in ACTIVE else "pending",
                    "reason": reason,
                }
            )
    if not found:
        reason = "no entry of the catalogue has slo: nothing is promised"
        found.append({"slo": "slo", "service": "", "sli": "availability", "state": "skipped", "reason": reason})
    return found


def _told(slo: Slo) -> dict[str, t.Any]:
    """An SLO as plain data."""
    keys = ("service", "sli", "kind", "objective", "window", "min_events")
    found = {"slo": slo.name, **{key: getattr(slo, key) for key in keys}}
    return {**found, "sources": list(slo.sources), "hints": list(slo.hints), "former": list(slo.former)}
