# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Is Loki ready, and does it know the tenant that is asked for?

Pure functions over answers. Sources: Loki, pkg/loki/loki.go (readyHandler) and docs/sources/reference/loki-http-api.md;
dskit, ring/ring.go. This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause

NAME = "loki_ready"
TENANT_HEADER = "X-Scope-OrgID"
_RING_FAULTS = ("empty ring", "too many unhealthy instances in the ring", "at least 1 live replicas required")


class Ready(t.NamedTuple):
    """One replica's answer to /ready.

    :param status: 0 when it did not answer; C(body) says why then. :param young: its process only just began.
    """

    label: str
    status: int
    body: str
    young: bool = False

    @property
    def good(self) -> bool:
        """A gateway in front of Loki knows no /ready; what it passes on is judged by the query instead."""
        return self.status in (200, 404)

    @property
    def starting(self) -> bool:
        """Whether it only needs time: a fresh ingester waits 15 s after it could serve, a frontend finds its schedulers
        after 10 s. What /ready says does not tell that from a fault, the age of the process does.
        """
        return self.status == 503 and (self.young or "waiting for" in self.body)


class Tenancy(t.NamedTuple):
    """The answers to /loki/api/v1/labels, with the tenant and without.

    :param status: HTTP status with the tenant header, if any. :param body: its text.
    :param labels: names of labels; empty when there are none. :param bare_status: status without a header, None when
        not asked. :param receiving: tenants that Loki received lines for, from its counters; None when not readable.
    :param young: Loki itself is so young that an agent may not have sent yet.
    """

    status: int
    body: str
    labels: tuple[str, ...]
    bare_status: int | None = None
    receiving: tuple[str, ...] | None = None
    young: bool = False


def parse_labels(body: str) -> tuple[str, ...]:
    """Return the label names of an answer; the key C(data) is absent when there are none."""
    try:
        data = json.loads(body).get("data")
    except (ValueError, AttributeError):
        return ()
    return tuple(str(name) for name in data or [])


def ring_fault(text: str) -> bool:
    """Whether an error of Loki is about its ring."""
    return any(fault in text for fault in _RING_FAULTS)


def unhealthy_members(ring_page: t.Any) -> list[str]:
    """Return the members of C(GET /ring) as JSON that are not ACTIVE, as C(name (state))."""
    shards = ring_page.get("shards") if isinstance(ring_page, dict) else None
    return [
        f"{shard.get('id')} ({shard.get('state')})"
        for shard in shards or []
        if isinstance(shard, dict) and shard.get("state") != "ACTIVE"
    ]


def settled(replicas: t.Sequence[Ready]) -> bool:
    """Whether waiting cannot change the answer for the better."""
    return all(item.good for item in replicas)


def not_ready(replicas: t.Sequence[Ready], where: str) -> list[dict[str, str]]:
    """Return one cause for each replica that is not ready.

    :param where: the command that reads Loki's log.
    """
    causes = []
    for item in replicas:
        if item.good:
            continue
        body = " ".join(item.body.split()) or f"status {item.status}"
        if item.status == 0:
            causes.append(
                cause("loki_unreachable", f"Loki ({item.label}) does not answer: {body}", f"Read why: {where}")
            )
        elif item.starting:
            causes.append(
                cause(
                    "loki_starting",
                    f"Loki ({item.label}) is still starting: {body}",
                    f"Wait and judge again; if it stays so, read why: {where}",
                )
            )
        elif ring_fault(item.body):
            causes.append(_ring(f"({item.label}) says: {body}", [], where))
        else:
            causes.append(cause("loki_not_ready", f"Loki ({item.label}) is not ready: {body}", f"Read why: {where}"))
    return causes


def _ring(said: str, members: t.Sequence[str], where: str) -> dict[str, str]:
    listed = f" Not active: {', '.join(members)}." if members else ""
    return cause(
        "loki_ring_unhealthy",
        f"Loki's ring of ingesters is unhealthy: {said}.{listed}",
        "Bring the missing ingester back, or press Forget for it on Loki's page /ring; to see why it left: " + where,
    )


def tenant_causes(tenancy: Tenancy, tenant: str, where: str) -> list[dict[str, str]]:
    """Return why the tenant cannot be read, or is empty; none when labels came back.

    401 without a tenant, and an empty 200 with a wrong one, are Loki's two ways to hide everything.
    """
    body = " ".join(tenancy.body.split())[:200]
    if tenancy.status == 401 and "org id" in tenancy.body:
        known = f" It receives lines for: {', '.join(tenancy.receiving)}." if tenancy.receiving else ""
        name = tenancy.receiving[0] if tenancy.receiving else "NAME"
        return [
            cause(
                "loki_tenant_missing",
                f"Loki has tenants (auth_enabled: true) and was asked without one: {body}.{known}",
                "Name the tenant that the agent sends as, or switch tenants off with auth_enabled: false in Loki's "
                f"configuration; here: tenant: {name}",
            )
        ]
    if tenancy.status in (401, 403):
        return [
            cause(
                "access_forbidden",
                f"Loki refuses the account of this run ({tenancy.status}): {body}",
                "Give a user that may read, url_username: NAME",
            )
        ]
    if tenancy.status >= 400:
        if ring_fault(tenancy.body):
            return [_ring(body, [], where)]
        return [
            cause(
                "server_error",
                f"Loki answered {tenancy.status} to the question for its labels: {body}",
                f"Read why: {where}",
            )
        ]
    # Nothing from anybody is the newest line's matter; nothing from this tenant alone is ours.
    if tenancy.labels or not tenant or tenancy.bare_status != 401 or tenancy.receiving == ():
        return []
    others = [name for name in tenancy.receiving or () if name != tenant]
    known = f" It receives lines for: {', '.join(others)}." if others else ""
    return [
        cause(
            "loki_wrong_tenant",
            f"Loki has not a single label for tenant '{tenant}': nobody sends as that tenant.{known}",
            "Ask for the tenant that the agent sends as, or correct the agent's tenant_id; here: "
            f"tenant: {others[0] if others else 'NAME'}",
        )
    ]


def may_come(tenancy: Tenancy, tenant: str) -> bool:
    """Whether a tenant that nobody sends as may yet be sent as: Loki is younger than an agent's back-off."""
    return tenancy.young and any(item["code"] == "loki_wrong_tenant" for item in tenant_causes(tenancy, tenant, ""))


def judge(
    replicas: t.Sequence[Ready], tenancy: Tenancy | None, tenant: str, members: t.Sequence[str], where: str
) -> _checks.Check:
    """Judge whether Loki can be asked at all.

    :param tenancy: None when no replica was ready to be asked. :param members: ring members that are not active.
    """
    expected = "Loki ready" + (f", tenant {tenant} known" if tenant else "")
    causes = not_ready(replicas, where)
    if tenancy is not None:
        causes += tenant_causes(tenancy, tenant, where)
    if members and not any(item["code"] == "loki_ring_unhealthy" for item in causes):
        causes.append(_ring("a member is not active", members, where))
    if not causes:
        notes = [
            f"{item.label} has no /ready (a gateway): judged by its answer to a query"
            for item in replicas
            if item.status == 404
        ]
        return _checks.ok(NAME, expected, f"{_plural(len(replicas))} ready", notes)
    good = sum(item.good for item in replicas)
    observed = f"{good} of {_plural(len(replicas))} ready" if good < len(replicas) else causes[0]["message"]
    if all(item["code"] == "loki_starting" for item in causes):
        return _checks.unknown(NAME, expected, observed, causes)
    return _checks.failed(NAME, expected, observed, causes)


def _plural(number: int) -> str:
    return "1 replica" if number == 1 else f"{number} replicas"
