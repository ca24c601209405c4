# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A number is what people write: what becomes of it, and what is refused."""

from __future__ import annotations

TRINO = {"app": "trino"}
JOB = [{"action": "replace", "targetLabel": "job", "replacement": "trino"}]


def resolved(kit, endpoint, *objects, **entry):
    """(endpoint without its relabelings, faults, notes) of trino with one endpoint."""
    result = kit.resolve(kit.trino(endpoints=[endpoint], drop=[], **entry), cluster=kit.cluster(*objects))
    found = dict(result["entries"][0]["endpoints"][0])
    assert found.pop("relabelings") == JOB
    return found, result["faults"], result["notes"]


def test_the_number_of_a_service_port_becomes_its_name(kit):
    service = kit.service("data-platform", "trino", TRINO, ("http", 8080), ("metrics", 8081))
    endpoint = {"port": 8081, "path": "/m"}
    assert resolved(kit, endpoint, service) == ({"port": "metrics", "path": "/m"}, [], [])


def test_a_service_port_without_a_name_becomes_its_target_port(kit):
    service = kit.service("data-platform", "trino", TRINO, (None, 80, 8081))
    pod = kit.pod("data-platform", "trino-0", {"pod": "trino"}, (None, 8081))
    assert resolved(kit, {"port": 80}, service, pod) == ({"targetPort": 8081}, [], [])


def test_a_service_port_without_a_name_and_an_undeclared_target_port(kit):
    service = kit.service("data-platform", "trino", TRINO, (None, 80, 8081))
    pod = kit.pod("data-platform", "trino-0", {"pod": "trino"}, ("http", 8080))
    endpoint, faults, _notes = resolved(kit, {"port": 80}, service, pod)
    assert endpoint == {"targetPort": 8081}
    assert faults == [
        "trino: endpoints[0].port: the Service port 80 has no name, and no Pod declares the container port 8081 "
        "that it leads to: its Pods declare http 8080; name the Service's port."
    ]


def test_a_declared_container_port_becomes_the_target_port(kit):
    service = kit.service("data-platform", "trino", TRINO, ("http", 80, 8080))
    pod = kit.pod("data-platform", "trino-0", {"pod": "trino"}, ("http", 8080), ("jmx", 9404))
    assert resolved(kit, {"port": 9404}, service, pod) == ({"targetPort": 9404}, [], [])


def test_an_undeclared_container_port_behind_a_named_service_port(kit):
    service = kit.service("data-platform", "trino", TRINO, ("web", 80, 8081))
    pod = kit.pod("data-platform", "trino-0", {"pod": "trino"})
    assert resolved(kit, {"port": 8081}, service, pod) == ({"port": "web"}, [], [])


def test_a_number_that_is_nowhere_is_refused_with_what_is_there(kit):
    service = kit.service("data-platform", "trino", TRINO, ("http", 8080), ("jmx", 9404))
    pod = kit.pod("data-platform", "trino-0", {"pod": "trino"}, ("http", 8080))
    endpoint, faults, _notes = resolved(kit, {"port": 8081}, service, pod)
    # as good a guess as any, for those who only judge
    assert endpoint == {"targetPort": 8081}
    assert faults == [
        "trino: endpoints[0].port: no Service port and no declared container port is 8081: "
        "Service data-platform/trino has http 8080, jmx 9404; its Pods declare http 8080; "
        "write the name of one of them, or declare the container port."
    ]


def test_the_only_port_there_is_is_the_remedy(kit):
    service = kit.service("data-platform", "trino", TRINO, ("http", 8080))
    assert resolved(kit, {"port": 8081}, service)[1] == [
        "trino: endpoints[0].port: no Service port and no declared container port is 8081: "
        "Service data-platform/trino has http 8080; write port: http."
    ]


def test_two_services_with_the_same_name_for_it(kit):
    plain = kit.service("data-platform", "trino", TRINO, ("metrics", 8081))
    headless = kit.service("data-platform", "trino-headless", TRINO, ("metrics", 8081))
    assert resolved(kit, {"port": 8081}, plain, headless) == ({"port": "metrics"}, [], [])


def test_two_services_with_different_names_for_one_container_port(kit):
    one = kit.service("data-platform", "trino", TRINO, ("metrics", 8081, 9000))
    other = kit.service("data-platform", "trino-headless", TRINO, ("prom", 8081, 9000))
    assert resolved(kit, {"port": 8081}, one, other) == ({"targetPort": 9000}, [], [])


def test_two_services_that_mean_different_ports_are_refused(kit):
    one = kit.service("data-platform", "trino", TRINO, ("metrics", 8081, 9000))
    other = kit.service("data-platform", "trino-headless", TRINO, ("web", 8081, 9001))
    assert resolved(kit, {"port": 8081}, one, other)[1] == [
        "trino: endpoints[0].port: 8081 is not the same port everywhere: data-platform/trino calls it metrics, "
        "data-platform/trino-headless calls it web; narrow the selector to one Service, "
        "or write one endpoint per name."
    ]


def test_a_name_that_is_not_there_is_noted_not_refused(kit):
    service = kit.service("data-platform", "trino", TRINO, ("metric", 8081))
    endpoint, faults, notes = resolved(kit, {"port": "metrics"}, service)
    assert (endpoint, faults) == ({"port": "metrics"}, [])
    assert notes == [
        "trino: endpoints[0].port: no port is named metrics (did you mean metric?): "
        "Service data-platform/trino has metric 8081."
    ]


def test_a_target_port_that_no_pod_declares_is_noted(kit):
    service = kit.service("data-platform", "trino", TRINO, ("http", 8080))
    pod = kit.pod("data-platform", "trino-0", {"pod": "trino"}, ("http", 8080))
    assert resolved(kit, {"targetPort": 9404}, service, pod)[2] == [
        "trino: endpoints[0].port: no Pod declares the container port 9404, "
        "and targetPort matches declared ones only: its Pods declare http 8080."
    ]
    assert resolved(kit, {"targetPort": "http"}, service, pod)[2] == []


def test_without_a_service_the_number_is_taken_for_a_container_port(kit):
    assert resolved(kit, {"port": 8081}) == (
        {"targetPort": 8081},
        [],
        [
            "trino: endpoints[0].port: no Service in data-platform has the labels app=trino yet, so 8081 is taken for "
            "a declared container port (targetPort); run again when that has changed."
        ],
    )


def test_without_a_cluster_that_is_said(kit):
    result = kit.resolve(kit.trino(endpoints=[{"port": 8081}]), cluster={})
    assert result["notes"] == [
        "The Services of the cluster are not known: ports and optional entries are taken as they are written.",
        "trino: endpoints[0].port: the Services of the cluster are not known, so 8081 is taken for "
        "a declared container port (targetPort); run again when that has changed.",
    ]


def test_services_of_other_namespaces_and_labels_do_not_count(kit):
    elsewhere = kit.service("vault", "trino", TRINO, ("metrics", 8081))
    other = kit.service("data-platform", "doris", {"app": "doris"}, ("metrics", 8081))
    assert resolved(kit, {"port": 8081}, elsewhere, other)[0] == {"targetPort": 8081}


def test_a_pod_monitor_takes_the_containers_port_names(kit):
    pod = kit.pod("data-platform", "trino-0", TRINO, ("http", 8080), ("jmx", 9404))
    assert resolved(kit, {"port": 9404}, pod, monitor="PodMonitor") == ({"port": "jmx"}, [], [])
    assert resolved(kit, {"port": "jmx"}, pod, monitor="PodMonitor") == ({"port": "jmx"}, [], [])


def test_a_pod_monitor_and_a_port_without_a_name(kit):
    pod = kit.pod("data-platform", "trino-0", TRINO, (None, 9404))
    assert resolved(kit, {"port": 9404}, pod, monitor="PodMonitor") == ({"portNumber": 9404}, [], [])


def test_a_pod_monitor_and_a_port_that_is_not_there(kit):
    pod = kit.pod("data-platform", "trino-0", TRINO, ("http", 8080))
    assert resolved(kit, {"port": 9404}, pod, monitor="PodMonitor")[1] == [
        "trino: endpoints[0].port: no container port is 9404: its Pods declare http 8080; "
        "declare it, or write the name of one that is there."
    ]
    assert resolved(kit, {"port": "htp"}, pod, monitor="PodMonitor")[2] == [
        "trino: endpoints[0].port: no container port is named htp (did you mean http?)."
    ]


def test_a_pod_monitor_without_pods(kit):
    assert resolved(kit, {"port": 9404}, monitor="PodMonitor")[2] == [
        "trino: endpoints[0].port: no Pod in data-platform has the labels app=trino yet, so 9404 is taken for "
        "a declared container port (portNumber); run again when that has changed."
    ]


def test_the_endpoints_of_the_entry_stay_as_they_were_written(kit):
    entry = kit.trino(endpoints=[{"port": 8081}])
    kit.resolve(entry, cluster=kit.cluster(kit.service("data-platform", "trino", TRINO, ("metrics", 8081))))
    assert entry["endpoints"] == [{"port": 8081}]
