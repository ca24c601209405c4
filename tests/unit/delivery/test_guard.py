# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A workload that a drill stopped comes back, also when the drill was killed."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._drill_guard import Guard
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError, ApiUnreachable

NOTE = "dataplatform.monitoring/drill"


class Cluster:
    """A workload, and what happens to it at which second."""

    def __init__(self, events=(), refusals=0):
        self.now, self.refusals = 0.0, refusals
        self.item = {"metadata": {"resourceVersion": "7"}, "spec": {"replicas": 3}}
        self._events = dict(events)
        self.written = []

    def sleep(self, seconds):
        self.now += seconds
        for at in [at for at in self._events if at <= self.now]:
            self._events.pop(at)(self)

    def stop(self):
        self.item["metadata"]["annotations"] = {NOTE: "3"}
        self.item["spec"]["replicas"] = 0

    def end(self):
        self.item["metadata"]["annotations"] = {}

    def vanish(self):
        self.item = None

    def get(self, path):
        assert path == "/apis/apps/v1/namespaces/data-platform/deployments/trino"
        if self.item == "away":
            raise ApiUnreachable("away")
        return self.item

    def request(self, method, path, body=None, *, content_type=None):
        if self.refusals:
            self.refusals -= 1
            return 409, {"message": "the object has been modified"}
        self.written.append((method, content_type, body))
        return 200, {}


def watch(cluster, after=100):
    guard = Guard(cluster, "Deployment", "data-platform", "trino", NOTE, lambda: cluster.now, cluster.sleep)
    return guard.watch(after, 60)


def test_a_drill_that_ends_needs_nobody():
    cluster = Cluster({10: Cluster.stop, 50: Cluster.end})
    assert watch(cluster) == 0 and cluster.now == 50 and cluster.written == []


@pytest.mark.parametrize("refusals", [0, 2])
def test_a_drill_that_was_killed(refusals):
    cluster = Cluster({10: Cluster.stop}, refusals)
    assert watch(cluster) == 3 and cluster.now == 100 + 5 * refusals
    metadata = {"annotations": {NOTE: None}, "resourceVersion": "7"}
    assert cluster.written == [
        ("PATCH", "application/merge-patch+json", {"metadata": metadata, "spec": {"replicas": 3}})
    ]


def test_what_was_never_stopped_is_left_alone():
    cluster = Cluster()
    assert watch(cluster) == 0 and cluster.now == 60 and cluster.written == []


def test_what_is_gone_is_left_alone():
    assert watch(Cluster({10: Cluster.stop, 20: Cluster.vanish})) == 0


def test_an_api_server_that_stays_away_is_told():
    cluster = Cluster({10: Cluster.stop, 20: lambda found: setattr(found, "item", "away")})
    with pytest.raises(ApiError):
        watch(cluster)
    assert cluster.now == 200
