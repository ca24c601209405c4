# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of verify_logs: what is refused, and what a look at the cluster says of the agent."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _argspec, _logs_agent, _logs_look
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_options as options
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_counters import Troubles

from tests.unit.logs.build import NOW, agent_pod, container, daemonset, node


def params(**given: Any) -> dict[str, Any]:
    specs = {**_argspec.CONNECTION_SPEC, **_argspec.VERDICT_SPEC, **options.SPEC}
    return {**{name: spec.get("default") for name, spec in specs.items()}, "url": "http://loki:3100", **given}


def test_defaults() -> None:
    found = options.parse(params())
    assert found.rules.labels == ("namespace", "pod", "container", "app", "tier")
    assert (found.rules.window, found.rules.lag, found.retention, found.tenant) == (600, 120, None, "")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"url": None}, "Say which Loki to ask"),
        ({"url": None, "namespace": "monitoring"}, "Say which Loki to ask"),
        ({"window": "3m"}, "window .3m. must be at least twice max_age"),
        ({"max_age": "0s"}, "must be at least twice max_age"),
        ({"window": "soon"}, "window: 'soon' is not a duration"),
        ({"retention": "a month"}, "retention: 'a month' is not a duration"),
        ({"samples": 0}, "samples: 0 leaves nothing to compare"),
        ({"expectations": [{"name": "x"}]}, "has no namespace"),
    ],
)
def test_impossible_options_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        options.parse(params(**given))


def test_sources_may_be_single() -> None:
    found = options.parse(params(label_sources={"team": "owner", "app": ["app"]}))
    assert found.rules.sources == {"team": ["owner"], "app": ["app"]}


def test_fixes_name_the_service_that_was_asked() -> None:
    found = options.parse(params(url=None, namespace="logs", service="loki-gateway"))
    assert found.read_log == "kubectl -n logs logs service/loki-gateway --tail=50"


# What a look says of the agent

NONE = Troubles({}, [])


def look(*pods: dict[str, Any], **more: Any) -> _logs_look.Cluster:
    agent = _logs_agent.judge(daemonset(), [node("n1"), node("n2")], list(pods), NOW)
    return _logs_look.Cluster(NOW, agent=agent, daemonset=daemonset(), agent_causes=tuple(agent.causes), **more)


def test_the_agent_is_everywhere() -> None:
    check = _logs_look.agent_check(look(agent_pod("n1"), agent_pod("n2")), NONE)
    assert (check["status"], check["observed"]) == ("ok", "2 of 2 nodes")


def test_the_agent_is_missing_on_a_node() -> None:
    check = _logs_look.agent_check(look(agent_pod("n1")), NONE)
    assert (check["status"], check["observed"]) == ("failed", "1 of 2 nodes, not on n2")


def test_an_agent_that_runs_and_cannot_send_is_red_too() -> None:
    trouble = Troubles({"n1": [cause("agent_cannot_send", "cannot send", "x")]}, [])
    check = _logs_look.agent_check(look(agent_pod("n1"), agent_pod("n2")), trouble)
    assert (check["status"], check["cause"]["code"]) == ("failed", "agent_cannot_send")


def test_an_agent_that_still_starts_is_unknown() -> None:
    young = agent_pod("n2", ready=False, age=5, state={"waiting": {"reason": "ContainerCreating"}})
    check = _logs_look.agent_check(look(agent_pod("n1"), young), NONE)
    assert (check["status"], check["cause"]["code"]) == ("unknown", "agent_starting")
    assert check["other_causes"][0]["code"] == "agent_pod_not_ready"


def test_no_agent_at_all() -> None:
    missing = _logs_agent.missing([], "monitoring", "promtail")
    seen = _logs_look.Cluster(NOW, (container(),), agent_causes=(missing,))
    assert _logs_look.agent_check(seen, NONE)["status"] == "failed"
    assert _logs_look.absent(seen) == {"n1": missing}


def test_what_may_not_be_read_is_unknown_with_the_remedy() -> None:
    error = 'pods is forbidden: User "system:serviceaccount:a:b" cannot list resource "pods"'
    check = _logs_look.agent_check(_logs_look.Cluster(NOW, error=error), NONE)
    assert (check["status"], check["cause"]["code"]) == ("unknown", "pods_unreadable")
    assert check["cause"]["fix"].endswith("--clusterrole=view --user=system:serviceaccount:a:b")
    denied = _logs_look.Cluster(NOW, agent_causes=(cause("access_forbidden", "x", "y"),))
    assert _logs_look.agent_check(denied, NONE)["status"] == "unknown"
