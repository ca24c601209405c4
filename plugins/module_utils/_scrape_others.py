# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Jobs that run and that no expectation speaks of, as expectations: every target of theirs must be up.

This module util is PRIVATE to the collection. Pure functions, but for C(first_look), which waits for a server.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_diagnosis import targets_by_job
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_loop import Source
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import (
    POOL_PREFIX,
    Expectation,
    Snapshot,
    Target,
)

# The name of the check when there is no target at all, or nobody to ask for them.
ANY = "targets"
_PAUSE = 2.0


def jobs_of_others(expectations: t.Sequence[Expectation], snapshot: Snapshot) -> list[Expectation]:
    """One expectation for each job label that has a target which none of the expectations is about.

    With no expectation and no target there is one for any target: that Prometheus scrapes nothing is not good news.
    """
    covered: set[int] = set()
    targets: list[Target] = []
    for view in snapshot.views:
        targets += view.targets
        for expectation in expectations:
            covered.update(id(target) for target in _meant(expectation, view.targets))
    jobs = {str((target.get("labels") or {}).get("job")) for target in targets if id(target) not in covered}
    names = {expectation.name for expectation in expectations}
    found = [
        Expectation(f"job {job}" if job in names else job, job, "adopted", "somebody else's monitor scrapes it")
        for job in sorted(jobs)
    ]
    return found if found or expectations else [Expectation(ANY)]


def _meant(expectation: Expectation, targets: t.Sequence[Target]) -> list[Target]:
    """The targets an expectation is about: those of its monitor, of its job, or with the labels of its selector."""
    found = targets_by_job(expectation, targets)
    if expectation.monitor:
        monitor = expectation.monitor
        prefix = f"{POOL_PREFIX[monitor['kind']]}/{monitor['namespace']}/{monitor['name']}"
        pools = (prefix, f"{prefix}/")
        found += [
            target
            for target in targets
            if str(target.get("scrapePool")) == pools[0] or str(target.get("scrapePool")).startswith(pools[1])
        ]
    return found


def first_look(
    expectations: t.Sequence[Expectation],
    source: Source,
    timeout: float,
    clock: t.Callable[[], float] = time.monotonic,
    sleep: t.Callable[[float], None] = time.sleep,
) -> tuple[list[Expectation], float]:
    """Which jobs others have, once every server answers, and the seconds that are left then.

    :param timeout: seconds in all. A server that does not answer is asked again, unless it is a matter of permissions.
    """
    begin = clock()
    while True:
        snapshot = source.snapshot(expectations)
        problems = [server.problem for server in snapshot.servers if server.problem is not None]
        left = timeout - (clock() - begin)
        if not problems or left <= _PAUSE or any(problem.code == "access_forbidden" for problem in problems):
            return jobs_of_others(expectations, snapshot), max(0.0, left)
        sleep(_PAUSE)
