# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The targets themselves: scraped, up, steadily, and once. This module util is PRIVATE to the collection.

Pure functions over one replica's targets.
"""

from __future__ import annotations

import re
import shlex
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import format_age, format_time
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_down import down_fix
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_errors import (
    CONTROL_PLANE_PORTS,
    brief,
    classify,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_fixes import (
    endpoint_line,
    entry_line,
    fix,
    kubectl,
    own_endpoints,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import (
    FOREVER,
    Expectation,
    Finding,
    Object,
    Target,
    View,
    pool_monitor,
    some,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_past import (
    Past,
    calm_seconds,
    interval,
    last_scrape,
    past_of,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_pods import (
    CRASH_SECONDS,
    Trouble,
    is_leaving,
    name_of,
    settled_for,
    trouble,
    trouble_fix,
)

# After a reload the targets of before are still scraped until service discovery has spoken again: every five seconds
# (prometheus discovery/manager.go, updatert).
DISCOVERY_INTERVAL = 6.0


class Seen(t.NamedTuple):
    """A target with what is known about it. C(pod) is None when it is not known or there is none."""

    target: Target
    pod: Object | None
    past: Past

    @property
    def url(self) -> str:
        return str(self.target.get("scrapeUrl") or "")

    @property
    def up(self) -> bool:
        return self.target.get("health") == "up"

    @property
    def leaving(self) -> bool:
        return self.pod is not None and is_leaving(self.pod)

    @property
    def address(self) -> str:
        return address_of(self.target)

    @property
    def text(self) -> str:
        """How a person finds it: its address, and its Pod where there is one."""
        pod = (self.target.get("labels") or {}).get("pod") or (name_of(self.pod) if self.pod else "")
        found = re.match(r"https?://([^/]+)", self.url)
        host = found.group(1) if found else self.url
        return f"{host} (Pod {pod})" if pod else host

    def fresh(self, started: float) -> bool:
        """Whether it was scraped since the verdict began: before, it may be the state of before a repair."""
        seen = last_scrape(self.target)
        return seen is not None and seen > started

    def calm(self, now: float) -> bool:
        """Whether it, and its Pod, have been there long enough to be past their start."""
        enough = calm_seconds(self.target)
        return self.past.age >= enough and (self.pod is None or settled_for(self.pod, now) >= enough)


def address_of(target: Target) -> str:
    """The address as discovered, before any relabeling."""
    return str((target.get("discoveredLabels") or {}).get("__address__") or "")


def look(
    targets: t.Sequence[Target], pods: t.Mapping[str, Object], history: t.Sequence[t.Any], now: float
) -> list[Seen]:
    """Join targets with their Pods and their past."""
    seen = []
    for target in targets:
        uid = (target.get("discoveredLabels") or {}).get("__meta_kubernetes_pod_uid") or ""
        seen.append(Seen(target, pods.get(uid), past_of(target, history, now)))
    return seen


class Trust(t.NamedTuple):
    """The last two fields of a finding about targets, see C(Finding)."""

    patience: float
    certain: bool


def trust(seen: t.Sequence[Seen], now: float, started: float) -> Trust:
    """Certain and final once a scrape since the verdict began confirmed it for a target past its start.

    Until then it may be the state of before a repair, or of a product that is still starting: waited for, and unknown
    when the time is over.
    """
    confirmed = any(item.fresh(started) and item.calm(now) for item in seen)
    return Trust(0.0, True) if confirmed else Trust(FOREVER, False)


def judge_down(
    expectation: Expectation, seen: t.Sequence[Seen], view: View, now: float, started: float, monitor: Object | None
) -> list[Finding]:
    """Why targets are down, one finding per cause."""
    groups: dict[tuple[str, str], list[Seen]] = {}
    unready: list[tuple[Seen, Trouble]] = []
    for item in seen:
        if item.target.get("health") != "down" or item.leaving:
            continue
        why = trouble(item.pod, now) if item.pod is not None else None
        if why is not None:
            unready.append((item, why))
            continue
        error = str(item.target.get("lastError") or "")
        code = classify(error)
        port = item.address.rpartition(":")[2]
        if code == "target_down_refused" and port in CONTROL_PLANE_PORTS:
            code = "control_plane_loopback"
        # One line per kind of error, however many targets have it.
        groups.setdefault((code, re.sub(r"\S*\d\S*", "#", brief(error))), []).append(item)
    findings = []
    for (code, _shape), items in groups.items():
        first = items[0]
        error = brief(str(first.target.get("lastError") or "no reason told"))
        confirmed = [item for item in items if item.past.in_row >= 2]
        findings.append(
            Finding(
                code,
                _down_message(code, items, error, expectation),
                down_fix(code, expectation, first.target, first.pod, monitor, first.past.falls > 0),
                *trust(confirmed, now, started),
            )
        )
    if unready:
        findings.append(_pod_not_ready(unready, now))
    return findings


def _down_message(code: str, items: t.Sequence[Seen], error: str, expectation: Expectation) -> str:
    which = some(item.text for item in items)
    if code == "control_plane_loopback":
        port = items[0].address.rpartition(":")[2]
        program, argument = CONTROL_PLANE_PORTS[port]
        return f"{program} refuses connections on {which}: it listens on 127.0.0.1 only ({argument})."
    if code == "sample_limit":
        return f"Every sample of {which} is thrown away: it has more than its sampleLimit allows ({error})."
    if code == "not_metrics":
        return f"{which} answers {items[0].target.get('scrapeUrl')}, but not with metrics: {error}."
    return f"{which} is down: {error}."


def _pod_not_ready(unready: t.Sequence[tuple[Seen, Trouble]], now: float) -> Finding:
    hard = [(item, why) for item, why in unready if why.hard]
    item, why = (hard or list(unready))[0]
    text = some(f"Pod {name_of(each.pod or {})} {reason.text}" for each, reason in unready)
    # On its way, a Pod that does not answer yet is no fault: it is waited for, and then simply not known.
    wait = CRASH_SECONDS if hard else FOREVER
    remedy = trouble_fix(item.pod or {}, why)
    return Finding("pod_not_ready", f"Down because not ready: {text}.", remedy, wait, bool(hard))


def judge_waiting(seen: t.Sequence[Seen], view: View, reloaded: bool) -> list[Finding]:
    """Targets of which it is not known yet whether they are up.

    :param reloaded: whether the last reload may have changed their scrape configuration. Most reloads are of rules.
    """
    findings = []
    never = [item for item in seen if item.target.get("health") not in ("up", "down") and not item.leaving]
    if never:
        findings.append(_not_scraped(never, "was not scraped yet"))
    loaded = view.config_time
    since = loaded + DISCOVERY_INTERVAL if loaded is not None and reloaded else None
    old = [item for item in seen if item.up and since is not None and (last_scrape(item.target) or 0.0) < since]
    if old:
        findings.append(
            _not_scraped(old, f"was not scraped since the configuration of {format_time(loaded)} was loaded")
        )
    once = [item for item in seen if item.up and item not in old and item.past.in_row < 2 and not item.leaving]
    if once:
        findings.append(_not_scraped(once, "was seen up only once, and two scrapes in a row are asked for"))
    return findings


def _not_scraped(items: t.Sequence[Seen], what: str) -> Finding:
    longest = max(interval(item.target) for item in items)
    return Finding(
        "not_scraped_yet",
        f"{some(item.text for item in items)} {what}; its scrape interval is {format_age(longest)}.",
        fix("Ask again later, or let the verdict wait for longer", f"timeout: {int(2 * longest + 60)}"),
        FOREVER,
        certain=False,
    )


def judge_flapping(seen: t.Sequence[Seen], now: float) -> list[Finding]:
    """Targets whose state of this moment means little."""
    bad = [item for item in seen if item.past.flapping(now) and not item.leaving]
    if not bad:
        return []
    first = bad[0]
    text = some(f"{item.text} went down {item.past.falls} times" for item in bad)
    pod = first.pod
    if pod is not None:
        namespace = (pod.get("metadata") or {}).get("namespace") or "default"
        remedy = fix("Read why it comes and goes", kubectl(namespace, "describe", "pod", name_of(pod)))
    else:
        remedy = fix(
            "Ask it several times and see when it fails",
            f"curl -sS -o /dev/null -w '%{{http_code}}' {shlex.quote(first.url)}",
        )
    return [
        Finding(
            "flapping", f"{text} in the last 10 minutes, the last time at {format_time(first.past.last_down)}.", remedy
        )
    ]


def recovery_notes(seen: t.Sequence[Seen], now: float) -> list[str]:
    """Targets that are up again after one fall: no fault any more, but worth a line."""
    again = [item for item in seen if item.up and item.past.falls and not item.past.flapping(now)]
    if not again:
        return []
    until = max(item.past.last_down or 0.0 for item in again)
    return [f"{some(item.text for item in again)} was down until {format_time(until)} and is up since"]


def judge_twice(expectation: Expectation, seen: t.Sequence[Seen], view: View, pools: t.Sequence[str]) -> list[Finding]:
    """The same URL scraped more than once: every sum over it is wrong."""
    findings = []
    urls: dict[str, list[Seen]] = {}
    for item in seen:
        urls.setdefault(item.url, []).append(item)
    inside = [items for items in urls.values() if len(items) > 1]
    if inside:
        findings.append(_twice_inside(expectation, inside))
    others: dict[str, set[str]] = {}
    own = {id(item.target) for item in seen}
    for target in view.targets:
        if id(target) not in own and target.get("scrapeUrl") in urls and target.get("scrapePool") not in pools:
            others.setdefault(str(target.get("scrapePool")), set()).add(str(target.get("scrapeUrl")))
    if others:
        mine = some(pool_monitor(pool) for pool in pools) or f"job {expectation.job}"
        them = some(pool_monitor(pool) for pool in others)
        shared = some(sorted(url for found in others.values() for url in found), 2)
        if expectation.monitor is not None:
            remedy = entry_line(expectation, "adopt", True, "leave the scraping to the other monitor")
        else:
            remedy = fix(
                "Remove one of the two scrape configurations; the other one is", f"job_name: {next(iter(others))}"
            )
        findings.append(
            Finding("scraped_twice", f"{shared} is scraped by two monitors: {mine} and {them}.", remedy, 10.0)
        )
    return findings


def _twice_inside(expectation: Expectation, groups: t.Sequence[t.Sequence[Seen]]) -> Finding:
    first = groups[0]
    services = [str((item.target.get("labels") or {}).get("service") or "") for item in first]
    pools = list(dict.fromkeys(str(item.target.get("scrapePool")) for item in first))
    message = f"{len(groups)} of its URLs are scraped more than once, for example {first[0].url} "
    index = _index(pools[0])
    if len(pools) > 1:
        message += f"by the endpoints {some(pools)}."
        spare = {_index(pool) for pool in pools[1:]}
        kept = [item for number, item in enumerate(own_endpoints(expectation)) if number not in spare]
        return Finding("more_targets", message, entry_line(expectation, "endpoints", kept, "keep one of the two"), 10.0)
    distinct = [service for service in dict.fromkeys(services) if service]
    if len(distinct) > 1:
        message += f"through the Services {some(distinct)}, which the selector both matches."
        keep = sorted(distinct, key=lambda name: ("headless" in name, len(name)))[0]
        rule: Object = {"action": "keep", "sourceLabels": ["__meta_kubernetes_service_name"], "regex": keep}
        why = "keep one Service"
    else:
        message += "with different labels."
        rule = {"action": "labeldrop", "regex": _differing([item.target for item in first])}
        why = "drop what differs"
    ours = own_endpoints(expectation)
    rules = [*((ours[index].get("relabelings") or []) if index < len(ours) else []), rule]
    return Finding("more_targets", message, endpoint_line(expectation, index, {"relabelings": rules}, why), 10.0)


def _index(pool: str) -> int:
    last = pool.rpartition("/")[2]
    return int(last) if last.isdigit() else 0


def _differing(targets: t.Sequence[Target]) -> str:
    sets = [target.get("labels") or {} for target in targets]
    names = sorted({name for labels in sets for name in labels if len({held.get(name) for held in sets}) > 1})
    return "|".join(names) or "container"
