# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pieces of the diagnosis, each alone: relabeling, configuration text, RBAC, Services, Pods, fixes, options."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiForbidden, ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_access import (
    Right,
    allows,
    forbidden,
    needs,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_config import parse_job, split_jobs
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_fixes import fix, fix_line, flow
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import Expectation, Server, View
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_past import read
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_pods import trouble
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_relabel import Unsupported, first_drop
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_selection import asked_prometheus
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_services import (
    addresses,
    by_uid,
    differences,
    nearest,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_unscraped import uncovered
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.scrape.builders import NOW, World, endpoint_slice, pod, service, target, unready

# --- relabeling (cases after prometheus model/relabel/relabel_test.go's kinds of rules) ------------------------------


@pytest.mark.parametrize(
    ("rules", "labels", "dropped"),
    [
        ([{"action": "keep", "source_labels": ["a"], "regex": "x"}], {"a": "x"}, None),
        ([{"action": "keep", "source_labels": ["a"], "regex": "x"}], {"a": "xy"}, 0),
        ([{"action": "drop", "source_labels": ["a", "b"], "regex": "x;y"}], {"a": "x", "b": "y"}, 0),
        ([{"action": "drop", "source_labels": ["a", "b"], "separator": "-", "regex": "x-y"}], {"a": "x", "b": "y"}, 0),
        ([{"action": "keep", "source_labels": ["missing"], "regex": ""}], {}, None),
        (
            [{"source_labels": ["a"], "target_label": "b"}, {"action": "drop", "source_labels": ["b"], "regex": "1"}],
            {"a": "1"},
            1,
        ),
        (
            [
                {"source_labels": ["a"], "regex": "(.*)-(.*)", "target_label": "b", "replacement": "${2}"},
                {"action": "keep", "source_labels": ["b"], "regex": "y"},
            ],
            {"a": "x-y"},
            None,
        ),
        ([{"action": "dropequal", "source_labels": ["a"], "target_label": "b"}], {"a": "1", "b": "1"}, 0),
        ([{"action": "keepequal", "source_labels": ["a"], "target_label": "b"}], {"a": "1", "b": "2"}, 0),
        (
            [{"action": "labelmap", "regex": "m_(.+)"}, {"action": "keep", "source_labels": ["a"], "regex": "1"}],
            {"m_a": "1"},
            None,
        ),
        (
            [{"action": "labeldrop", "regex": "a"}, {"action": "keep", "source_labels": ["a"], "regex": ".+"}],
            {"a": "1"},
            1,
        ),
        (
            [{"action": "labelkeep", "regex": "b"}, {"action": "keep", "source_labels": ["a"], "regex": ".+"}],
            {"a": "1"},
            1,
        ),
        (
            [
                {"action": "uppercase", "source_labels": ["a"], "target_label": "a"},
                {"action": "drop", "source_labels": ["a"], "regex": "X"},
            ],
            {"a": "x"},
            1,
        ),
        # The number is the one that prometheus' own test expects for md5 of this value.
        (
            [
                {"action": "hashmod", "source_labels": ["c"], "modulus": 1000, "target_label": "d"},
                {"action": "keep", "source_labels": ["d"], "regex": "976"},
            ],
            {"a": "foo", "b": "bar", "c": "baz"},
            None,
        ),
    ],
)
def test_relabeling(rules: list[dict[str, Any]], labels: dict[str, str], dropped: int | None) -> None:
    assert first_drop(rules, labels) == dropped


@pytest.mark.parametrize("regex", ["(?i)x", r"\pL+", "[[:alpha:]]+", "a("])
def test_what_python_reads_otherwise_is_not_guessed(regex: str) -> None:
    with pytest.raises(Unsupported):
        first_drop([{"action": "drop", "source_labels": ["a"], "regex": regex}], {"a": "x"})


# --- configuration text ----------------------------------------------------------------------------------------------

CONFIG = """global:
  scrape_interval: 30s
scrape_configs:
- job_name: serviceMonitor/monitoring/trino/0
  honor_timestamps: true
  relabel_configs:
  - source_labels: [job]
    separator: ;
    regex: (.*)
    replacement: $1
    action: replace
- job_name: "quoted: name"
  static_configs:
  - targets: ['- job_name: x']
storage:
  tsdb: {}
"""


def test_only_the_jobs_are_split_and_only_one_is_parsed() -> None:
    jobs = split_jobs(CONFIG)
    assert list(jobs) == ["serviceMonitor/monitoring/trino/0", "quoted: name"]
    expected = yaml.safe_load(CONFIG)["scrape_configs"]
    assert [parse_job(text) for text in jobs.values()] == expected


def test_a_configuration_without_jobs() -> None:
    assert split_jobs("global: {}\n") == {}


# --- RBAC ------------------------------------------------------------------------------------------------------------

ACCOUNT = ("monitoring", "prometheus")
LIST_PODS = Right("data", "list", "", "pods")


def role(name: str, *rules: tuple[str, str, str], names: list[str] | None = None) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "rules": [
            {"apiGroups": [g], "resources": [r], "verbs": v.split(), **({"resourceNames": names} if names else {})}
            for g, r, v in rules
        ],
    }


def binding(ref_kind: str, ref: str, **subject: str) -> dict[str, Any]:
    return {"roleRef": {"kind": ref_kind, "name": ref}, "subjects": [subject]}


SUBJECT = {"kind": "ServiceAccount", "namespace": "monitoring", "name": "prometheus"}


@pytest.mark.parametrize(
    ("cluster_bindings", "cluster_roles", "bindings", "roles", "granted"),
    [
        ([binding("ClusterRole", "p", **SUBJECT)], [role("p", ("", "pods", "get list watch"))], [], [], True),
        ([binding("ClusterRole", "p", **SUBJECT)], [role("p", ("*", "*", "*"))], [], [], True),
        ([binding("ClusterRole", "p", **SUBJECT)], [role("p", ("", "pods", "get"))], [], [], False),
        ([binding("ClusterRole", "p", **SUBJECT)], [role("p", ("apps", "pods", "list"))], [], [], False),
        ([binding("ClusterRole", "p", **SUBJECT)], [role("p", ("", "pods", "list"), names=["one"])], [], [], False),
        ([binding("ClusterRole", "gone", **SUBJECT)], [], [], [], False),
        ([], [role("p", ("", "pods", "list"))], [binding("ClusterRole", "p", **SUBJECT)], [], True),
        ([], [], [binding("Role", "p", **SUBJECT)], [role("p", ("", "pods", "list"))], True),
        ([], [], [binding("Role", "p", **{**SUBJECT, "name": "other"})], [role("p", ("", "pods", "list"))], False),
        (
            [],
            [],
            [binding("Role", "p", kind="Group", name="system:serviceaccounts")],
            [role("p", ("", "pods", "list"))],
            True,
        ),
        (
            [],
            [],
            [binding("Role", "p", kind="Group", name="system:serviceaccounts:other")],
            [role("p", ("", "pods", "list"))],
            False,
        ),
        (
            [],
            [],
            [binding("Role", "p", kind="User", name="system:serviceaccount:monitoring:prometheus")],
            [role("p", ("", "pods", "list"))],
            True,
        ),
    ],
)
def test_rbac(cluster_bindings: list, cluster_roles: list, bindings: list, roles: list, granted: bool) -> None:
    assert allows(LIST_PODS, ACCOUNT, cluster_bindings, cluster_roles, bindings, roles) is granted


def test_a_role_of_a_namespace_grants_nothing_in_all_of_them() -> None:
    roles = [role("p", ("", "pods", "list"))]
    assert not allows(Right("", "list", "", "pods"), ACCOUNT, [], [], [binding("Role", "p", **SUBJECT)], roles)


def test_what_service_discovery_needs() -> None:
    assert {right.resource for right in needs("endpointslice", ["a"])} == {"endpointslices", "services", "pods"}
    assert {right.verb for right in needs("pod", ["a"])} == {"list", "watch"}
    assert needs("node", ["a"]) == []


def test_a_refused_list_says_what_to_grant() -> None:
    message = (
        'GET /api/v1/pods: pods is forbidden: User "system:serviceaccount:monitoring:verifier" cannot list resource '
        '"pods" in API group "" in the namespace "data" (403)'
    )
    line = fix_line(forbidden(ApiForbidden(message, 403)).fix)
    assert "--verb=list --resource=pods" in line and "--serviceaccount=monitoring:verifier" in line


# --- Services and Pods -----------------------------------------------------------------------------------------------


def test_addresses_are_counted_once_however_many_services_list_them() -> None:
    one, two = service("trino", metrics=9000), service("trino-headless", metrics=9000)
    pods = [pod("trino-0", "10.0.0.1", metrics=9000)]
    slices = [endpoint_slice(one, pods), endpoint_slice(two, pods)]
    found = addresses({"port": "metrics"}, [one, two], slices, by_uid(pods))
    assert [item.address for item in found] == ["10.0.0.1:9000"]


def test_ipv6_addresses_are_written_as_prometheus_does() -> None:
    one = service("trino", metrics=9000)
    pods = [pod("trino-0", "fd00::1", metrics=9000)]
    found = addresses({"port": "metrics"}, [one], [endpoint_slice(one, pods)], by_uid(pods))
    assert [item.address for item in found] == ["[fd00::1]:9000"]


def test_a_terminating_endpoint_is_not_expected() -> None:
    one = service("trino", metrics=9000)
    pods = [pod("trino-0", "10.0.0.1", metrics=9000)]
    item = endpoint_slice(one, pods)
    item["endpoints"][0]["conditions"] = {"ready": False, "serving": True, "terminating": True}
    assert addresses({"port": "metrics"}, [one], [item], by_uid(pods)) == []


def test_the_nearest_service_has_the_value_under_another_key() -> None:
    services = [service("a"), service("b", labels={"app.kubernetes.io/name": "trino"}), service("c")]
    assert nearest({"matchLabels": {"app": "trino"}}, "trino", services) is services[1]
    assert nearest({"matchLabels": {"app": "trino"}}, "trino", [service("zzz")]) is None


def test_differences_of_expressions() -> None:
    selector = {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["a", "b"]}]}
    assert differences(selector, {"tier": "c"}) == ["tier is c, wanted In a|b"]
    assert differences(selector, {"tier": "a"}) == []


@pytest.mark.parametrize(
    ("state", "restarts", "hard", "words"),
    [
        ({"waiting": {"reason": "ContainerCreating"}}, 0, False, "waits: ContainerCreating"),
        (
            {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "x" not found'}},
            0,
            True,
            'secret "x"',
        ),
        ({"terminated": {"exitCode": 1, "reason": "Error"}}, 0, True, "has ended (last exit code 1, Error)"),
    ],
)
def test_trouble_of_a_pod(state: dict[str, Any], restarts: int, hard: bool, words: str) -> None:
    item = pod("x", "10.0.0.1")
    unready(item, 30, state, restarts)
    found = trouble(item, NOW)
    assert found is not None and found.hard is hard and words in found.text


def test_an_evicted_pod_says_why() -> None:
    item = pod("x", "10.0.0.1")
    item["status"] = {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}
    assert trouble(item, NOW).text == "has ended (Failed: Evicted, low on memory)"


def test_the_init_container_is_told_before_the_others() -> None:
    item = pod("x", "10.0.0.1")
    unready(item, 30, {"waiting": {"reason": "PodInitializing"}})
    item["status"]["initContainerStatuses"] = [{"name": "schema", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]
    assert trouble(item, NOW).text == "init container schema waits: CrashLoopBackOff"


# --- history ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "falls", "in_row"),
    [
        ([], 0, 0),
        ([1], 0, 1),
        ([0, 0, 1, 1], 0, 2),
        ([1, 0, 1], 1, 1),
        ([1, 0, 0, 1, 0], 2, 1),
        ([0, 1, 0, 1, 1], 1, 2),
    ],
)
def test_falls_are_counted_from_up_to_down(values: list[float], falls: int, in_row: int) -> None:
    past = read([(NOW - 30 * (len(values) - i), v) for i, v in enumerate(values)], NOW)
    assert (past.falls, past.in_row) == (falls, in_row)


# --- fixes -----------------------------------------------------------------------------------------------------------


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=6), inner, max_size=3),
        max_leaves=8,
    )
)
def test_flow_style_is_yaml_that_says_the_same(value: Any) -> None:
    text = flow(value)
    if text.isascii() and "\x7f" not in text:
        assert yaml.safe_load(f"key: {text}") == {"key": value}


def test_a_fix_is_a_sentence_and_a_line() -> None:
    assert fix_line(fix("Do it", "key: value")) == "key: value"
    with pytest.raises(ValueError, match="colon"):
        fix("Do: it", "x")


# --- expectations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("trino", "expectations[3] has no name"),
        ({"job": "trino"}, "expectations[3] has no name"),
        ({"name": "t", "min_target": 1}, "expectations[3] (t) has an unknown key min_target"),
        ({"name": "t", "min_targets": "many"}, "min_targets must be a whole number"),
        ({"name": "t", "state": "gone"}, "state gone is none of"),
        ({"name": "t", "monitor": {"kind": "ServiceMonitor"}}, "monitor needs kind, namespace and name"),
        ({"name": "t", "monitor": {"kind": "Service", "namespace": "a", "name": "b"}}, "monitor.kind Service"),
        ({"name": "t", "health": [{"equals": 1}]}, "every item of health needs an expr"),
        ({"name": "t", "must_have": "up"}, "must_have must be a list"),
    ],
)
def test_bad_expectations_are_refused_by_name(item: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Expectation.parse(item, 3)
    assert words in str(caught.value)


# --- servers ---------------------------------------------------------------------------------------------------------


def test_the_prometheus_that_is_asked_is_told_by_its_pods() -> None:
    one, two = ({"metadata": {"name": name, "namespace": "monitoring"}} for name in ("kps", "kps-2"))
    assert asked_prometheus([one, two], [("monitoring", "prometheus-kps-2-0")]) == [two]
    assert asked_prometheus([one, two], [("monitoring", "prometheus-kps-shard-1-0")]) == [one]
    assert asked_prometheus([one, two], []) == [one, two]


def test_a_pool_is_loaded_when_every_shard_has_it() -> None:
    view = View([Server("a", jobs={"p": {"x": 1}}), Server("b", jobs={})])
    assert view.job("p") is None
    view.servers[1].jobs["p"] = {"x": 1}
    assert view.job("p") == {"x": 1}


# --- the other side --------------------------------------------------------------------------------------------------


def test_pods_that_no_target_covers_are_notes() -> None:
    world = World()
    worker = pod("superset-1", "10.0.0.50", app="superset", http=8088)
    exporter = pod("kafka-exporter-1", "10.0.0.51", app="kafka-exporter", metrics=9308)
    job = pod("backup-1", "10.0.0.52", app="backup")
    job["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "backup"}]
    database = service("postgresql", sql=5432)
    exported = pod("postgresql-0", "10.0.0.53", app="postgresql", sql=5432)
    static = pod("kube-apiserver-n1", "10.0.0.54", app="kube-apiserver", https=6443)
    world.services.append(database)
    world.pods += [worker, exporter, job, exported, static]
    world.server.targets.append(target("https://10.0.0.54:6443/metrics", "apiserver", "apiserver"))
    snapshot = world.snapshot()
    expectation = Expectation.parse({**world.expectation, "exporter": {"host": "postgresql.data.svc"}}, 0)
    snapshot.fact("objects", "data")
    world.fill(snapshot)
    texts = [group.text for group in uncovered([expectation], snapshot)]
    assert texts == [
        "data: no target covers 1 Pod of kafka-exporter, which has the port metrics (9308): "
        "add an entry to the catalogue.",
        "data: no target covers 1 Pod of superset (ports 8088).",
    ]
