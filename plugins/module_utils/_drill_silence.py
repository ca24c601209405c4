# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Does nothing leave about an alert that is silenced? This module util is PRIVATE to the collection.

For the heartbeat: a service that watches for silence is proven only by silence. Looked at are the replicas' counters
and, where it can be seen, what the receiver got.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks, _delivery_plan, _routing
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._delivery_run import Shown, read_replica
from ansible_collections.dataplatform.monitoring.plugins.module_utils._drill_follow import tells, title
from ansible_collections.dataplatform.monitoring.plugins.module_utils._routing_checks import Configuration

_PAUSE = 2.0
#: Seconds in which what was on its way already may arrive.
SETTLE = 5.0


def watch(
    labels: t.Mapping[str, str],
    seconds: float,
    apis: t.Sequence[Api],
    config: Configuration,
    shown: t.Mapping[str, Shown],
    clock: t.Callable[[], float] = time.time,
    sleep: t.Callable[[float], None] = time.sleep,
) -> list[_checks.Check]:
    """Look for so many seconds; one check of each receiver that the alert goes to.

    :raises ApiError: a server gave no answer.
    """
    begin = clock()
    routes = _routing.match(config.root, labels)
    reached = dict.fromkeys(route.receiver for route in routes)
    names = [name for name in reached if config.integrations.get(name)]
    sleep(min(SETTLE, seconds))
    since = clock()
    before = {api.label: read_replica(api) for api in apis}
    left: dict[str, tuple[float, str]] = {}
    while True:
        after = {api.label: read_replica(api) for api in apis}
        for name in names:
            if name not in left:
                for told in _left(name, config, before, after, shown, labels, since):
                    left[name] = (clock() - begin, told)
        if clock() - begin >= seconds:
            return [_check(name, clock() - begin, left.get(name)) for name in names]
        sleep(min(_PAUSE, max(0.1, seconds - (clock() - begin))))


def _left(
    name: str,
    config: Configuration,
    before: t.Mapping[str, t.Any],
    after: t.Mapping[str, t.Any],
    shown: t.Mapping[str, Shown],
    labels: t.Mapping[str, str],
    since: float,
) -> t.Iterator[str]:
    """What left for a receiver since: the message itself where it can be seen, else what was counted as its own."""
    if name in shown:
        for message in shown[name].messages()[0]:
            at = float(message.get("at") or 0.0) if isinstance(message, dict) else 0.0
            if at >= since and tells(message, tuple(labels.values()), False):
                yield f"{shown[name].label} got {title(message)!r}"
                return
        return
    for label, reading in after.items():
        if not (reading.tells_receivers or _delivery_plan.told_apart(config, name)):
            continue
        for kind in sorted(set(config.integrations.get(name, []))):
            gained = reading.counters(kind, name).since(before[label].counters(kind, name))
            if gained.attempts:
                yield f"{label} counted {gained.attempts:g} by {kind}"
                return


def _check(name: str, seconds: float, left: tuple[float, str] | None) -> _checks.Check:
    expected = f"nothing is sent for {seconds:.0f} s"
    if left is None:
        return _checks.ok(f"{name}, silent", expected, "nothing was")
    at, told = left
    found = cause(
        "drill_not_silent",
        f"{name}: {told} {at:.0f} s after the silence began.",
        "see which silences there are: amtool silence query --alertmanager.url=http://localhost:9093",
    )
    return _checks.failed(f"{name}, silent", expected, "something was", [found])
