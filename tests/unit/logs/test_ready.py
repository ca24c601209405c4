# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is Loki ready, and does it know the tenant."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_ready as ready
from ansible_collections.dataplatform.monitoring.plugins.module_utils._checks import all_causes
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_ready import Ready, Tenancy

WHERE = "kubectl -n monitoring logs service/loki --tail=50"
GOOD = Ready("pod monitoring/loki-0", 200, "ready\n")
LABELS = Tenancy(200, "", ("namespace", "pod"))


def judge(*replicas: Ready, tenancy: Tenancy | None = None, tenant: str = "", members: tuple[str, ...] = ()) -> dict:
    return ready.judge(replicas, tenancy, tenant, list(members), WHERE)


def codes(check: dict) -> list[str]:
    return [item["code"] for item in all_causes(check)]


def test_ready() -> None:
    check = judge(GOOD, tenancy=LABELS)
    assert (check["status"], check["observed"]) == ("ok", "1 replica ready")


def test_a_gateway_has_no_ready_page() -> None:
    check = judge(Ready("http://gateway:80", 404, "404 page not found"), tenancy=LABELS)
    assert check["status"] == "ok"
    assert "has no /ready (a gateway)" in check["notes"][0]


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (Ready("l", 503, "Ingester not ready: waiting for 15s after being ready"), "loki_starting"),
        (Ready("l", 503, "Ingester not ready: ingester not ready: Starting", young=True), "loki_starting"),
        (Ready("l", 503, "Ingester not ready: ingester not ready: Starting"), "loki_not_ready"),
        (Ready("l", 503, "Some services are not Running:\nFailed: 1\nRunning: 20\n"), "loki_not_ready"),
        (Ready("l", 503, "Ingester not ready: too many unhealthy instances in the ring"), "loki_ring_unhealthy"),
        (Ready("l", 503, "Query Frontend not ready: number of schedulers is 0", young=True), "loki_starting"),
        (Ready("l", 503, "Query Frontend not ready: number of schedulers is 0"), "loki_not_ready"),
        (Ready("l", 0, "connection refused"), "loki_unreachable"),
    ],
)
def test_the_body_of_ready_says_why(item: Ready, code: str) -> None:
    check = judge(item)
    assert codes(check) == [code]
    assert check["status"] == ("unknown" if code == "loki_starting" else "failed")
    assert item.body.split("\n", maxsplit=1)[0] in check["cause"]["message"]
    assert check["cause"]["fix"].endswith(WHERE)


def test_every_replica_that_is_not_ready_is_named() -> None:
    check = judge(GOOD, Ready("loki-1", 503, "x"), Ready("loki-2", 0, "y"), tenancy=LABELS)
    assert check["observed"] == "1 of 3 replicas ready"
    assert codes(check) == ["loki_not_ready", "loki_unreachable"]


def test_a_starting_replica_does_not_excuse_a_broken_one() -> None:
    check = judge(Ready("loki-0", 503, "waiting for 15s"), Ready("loki-1", 503, "Failed: 1"))
    assert check["status"] == "failed"


def test_no_org_id_means_tenants() -> None:
    check = judge(GOOD, tenancy=Tenancy(401, "no org id\n", (), None, ("platform",)))
    assert codes(check) == ["loki_tenant_missing"]
    assert "It receives lines for: platform." in check["cause"]["message"]
    assert check["cause"]["fix"].endswith("tenant: platform")
    assert judge(GOOD, tenancy=Tenancy(401, "no org id", ()))["cause"]["fix"].endswith("tenant: NAME")


@pytest.mark.parametrize("status", [401, 403])
def test_other_refusals_are_about_the_account(status: int) -> None:
    assert codes(judge(GOOD, tenancy=Tenancy(status, "Authorization Required", ()))) == ["access_forbidden"]


def test_an_empty_200_for_a_tenant_that_others_are_not_is_a_wrong_tenant() -> None:
    """Loki answers 200 and nothing for any name it has never heard of."""
    check = judge(GOOD, tenancy=Tenancy(200, "{}", (), 401, ("platform", "web")), tenant="plattform")
    assert codes(check) == ["loki_wrong_tenant"]
    assert "tenant 'plattform'" in check["cause"]["message"]
    assert check["cause"]["fix"].endswith("tenant: platform")
    assert check["expected"] == "Loki ready, tenant plattform known"


def test_a_young_loki_may_yet_be_sent_to() -> None:
    wrong = Tenancy(200, "{}", (), 401, ("web",))
    assert [ready.may_come(wrong._replace(young=young), "x") for young in (True, False)] == [True, False]
    assert not ready.may_come(Tenancy(401, "no org id", (), None, ("web",), True), "")


def test_behind_a_gateway_the_other_tenants_are_not_known() -> None:
    check = judge(GOOD, tenancy=Tenancy(200, "{}", (), 401, None), tenant="x")
    assert codes(check) == ["loki_wrong_tenant"]


@pytest.mark.parametrize(
    "tenancy",
    [Tenancy(200, "{}", (), None, ()), Tenancy(200, "{}", (), 200, ("fake",)), Tenancy(200, "{}", (), 401, ())],
)
def test_nothing_from_anybody_is_not_the_tenants_fault(tenancy: Tenancy) -> None:
    assert judge(GOOD, tenancy=tenancy, tenant="x")["status"] == "ok"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("empty ring", "loki_ring_unhealthy"),
        ("rpc error: too many unhealthy instances in the ring", "loki_ring_unhealthy"),
        ("context deadline exceeded", "server_error"),
    ],
)
def test_errors_of_queries(body: str, code: str) -> None:
    check = judge(GOOD, tenancy=Tenancy(500, body, ()))
    assert codes(check) == [code]
    assert body in check["cause"]["message"]


def test_members_of_the_ring_that_are_not_active() -> None:
    page = {"shards": [{"id": "loki-0", "state": "ACTIVE"}, {"id": "loki-1", "state": "Unhealthy"}]}
    members = tuple(ready.unhealthy_members(page))
    check = judge(GOOD, tenancy=LABELS, members=members)
    assert codes(check) == ["loki_ring_unhealthy"]
    assert "Not active: loki-1 (Unhealthy)." in check["cause"]["message"]
    assert ready.unhealthy_members({"shards": None}) == ready.unhealthy_members("<html>") == []


@pytest.mark.parametrize(
    ("body", "labels"),
    [
        ('{"status":"success","data":["app","namespace"]}', ("app", "namespace")),
        ('{"status":"success"}', ()),
        ("no org id", ()),
        ("[]", ()),
    ],
)
def test_labels_may_be_absent_when_empty(body: str, labels: tuple[str, ...]) -> None:
    assert ready.parse_labels(body) == labels
