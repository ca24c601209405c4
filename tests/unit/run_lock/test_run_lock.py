# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One changing run at a time: who holds the lock, when it may be taken over, and that two never have it at once."""

from __future__ import annotations

import copy
import datetime
import os
import subprocess
import threading

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _run_lock as locks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError

from tests.unit.applyset.fake_api import FakeApi

NOW = datetime.datetime(2025, 11, 23, 17, 0, tzinfo=datetime.UTC)
ALICE = locks.Holder("alice", "ctrl1", "boot ns", 4711, "100", "day1", "prod")
BOB = locks.Holder("bob", "ctrl2", "other ns", 99, "7", "day2", "prod")


def _held(by: locks.Holder = ALICE, at: datetime.datetime = NOW):
    obj = locks.lease(by, "default", at)
    obj["metadata"]["resourceVersion"] = "1"
    return obj


def _minutes(count: int) -> datetime.datetime:
    return NOW + datetime.timedelta(minutes=count)


def test_the_lease_says_who_and_reads_back():
    obj = _held()
    assert obj["spec"] == {
        "holderIdentity": "alice@ctrl1 pid 4711 for prod", "leaseDurationSeconds": 3600,
        "acquireTime": "2025-11-23T17:00:00.000000Z", "renewTime": "2025-11-23T17:00:00.000000Z",
    }  # fmt: skip
    assert locks.holder(obj) == ALICE
    assert locks.expires(obj) == _minutes(60)


def test_renewing_keeps_the_time_since_when_and_the_version():
    renewed = locks.lease(ALICE, "default", _minutes(5), _held())
    assert renewed["spec"]["acquireTime"] == "2025-11-23T17:00:00.000000Z"
    assert renewed["spec"]["renewTime"] == "2025-11-23T17:05:00.000000Z"
    assert renewed["metadata"]["resourceVersion"] == "1"
    assert locks.lease(BOB, "default", _minutes(5), _held())["spec"]["acquireTime"] == "2025-11-23T17:05:00.000000Z"


@pytest.mark.parametrize(
    ("me", "minutes", "start", "verdict"),
    [
        (BOB, 5, "", "held"),  # another machine: its pid says nothing
        (BOB, 60, "", "expired"),
        (ALICE, 5, "100", "ours"),
        (ALICE._replace(play="day2"), 5, "100", "ours"),
        (ALICE._replace(pid=5, began="1"), 5, "100", "held"),
        (ALICE._replace(pid=5, began="1"), 5, "", "dead"),
        (ALICE._replace(pid=5, began="1"), 5, "200", "dead"),  # the pid lives, as another process
        (ALICE._replace(pid=5, machine="another boot"), 5, "", "held"),
        (ALICE._replace(target="staging"), 5, "100", "held"),
    ],
)
def test_what_an_existing_lock_means(me, minutes, start, verdict):
    assert locks.judge(_held(), me, _minutes(minutes), lambda _pid: start) == verdict


def test_leases_that_are_not_in_our_words():
    empty = {"metadata": {"resourceVersion": "1"}, "spec": {}}
    assert locks.judge(empty, ALICE, NOW) == "free"
    stranger = {"metadata": {}, "spec": {"holderIdentity": "x", "renewTime": "2025-11-23T16:59:00Z"}}
    assert locks.judge(stranger, ALICE, NOW) == "held"
    assert locks.describe(stranger, NOW).startswith("x since an unknown time UTC, ends at 17:59:00 UTC")
    assert locks.judge({"metadata": {}, "spec": {"holderIdentity": "x"}}, ALICE, NOW) == "expired"


def test_processes_of_this_machine():
    assert locks.process_start(os.getpid()).isdigit()
    child = subprocess.Popen(["sleep", "60"])
    assert locks.process_start(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert locks.process_start(child.pid) == ""  # a zombie is gone
    child.wait()
    assert locks.process_start(child.pid) == ""
    me = locks.myself(os.getpid(), "day1", "prod")
    assert me.pid == os.getpid() and me.began and me.machine


@pytest.fixture
def fake() -> FakeApi:
    api = FakeApi()
    api.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})
    return api


@pytest.fixture
def lock(fake):
    server = fake.serve()
    kube = fake.connect(server)
    yield lambda me, namespace="default": locks.RunLock(kube, me, namespace)
    server.shutdown()
    server.server_close()


def test_taken_once_renewed_and_given_back(fake, lock):
    assert lock(ALICE).acquire() is None
    assert lock(ALICE).acquire() is None
    with pytest.raises(locks.LockHeld) as caught:
        lock(BOB).acquire()
    assert "Another run is under way on this cluster: alice@ctrl1 (pid 4711) since " in str(caught.value)
    assert ", play day1, ends at " in str(caught.value)
    assert str(caught.value).endswith("kubectl delete lease dataplatform-monitoring-run -n default")
    assert "held by alice@ctrl1" in lock(BOB).release()
    assert lock(ALICE).release() is None
    assert fake.find("leases", locks.NAME, "default") is None
    assert lock(ALICE).release() == "There was nothing to release: nobody holds the lock."
    assert lock(BOB).acquire() is None


def test_an_ended_lock_is_taken_over_and_told(fake, lock):
    old = _held()
    fake.add(old)
    assert lock(BOB).acquire().startswith("Took over a lock that had ended: alice@ctrl1 (pid 4711) since 2025-11-23")
    assert fake.find("leases", locks.NAME, "default")["spec"]["holderIdentity"].startswith("bob@ctrl2")


def test_the_lock_of_a_dead_process_is_taken_over_and_told(fake, lock):
    me = locks.myself(os.getpid(), "day1", "prod")
    assert lock(me._replace(pid=2**22 + 1, began="1")).acquire() is None
    assert lock(me).acquire().startswith("Took over the lock of a run whose process is gone: ")


def test_one_run_with_one_cluster_under_two_names(lock):
    me = locks.myself(os.getpid(), "day1", "prod")
    lock(me).acquire()
    with pytest.raises(locks.LockHeld, match="The inventory hosts prod and blue are the same cluster"):
        lock(me._replace(target="blue")).acquire()


def test_of_many_at_the_same_moment_exactly_one_gets_it(fake, lock):
    won: list[int] = []

    def take(number: int) -> None:
        try:
            lock(ALICE._replace(pid=number, host=f"h{number}")).acquire()
            won.append(number)
        except locks.LockHeld:
            pass

    threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert locks.holder(fake.find("leases", locks.NAME, "default")).pid == won[0]


def test_a_lock_that_changes_between_reading_and_writing_is_read_again(fake, lock):
    fake.add(_held())  # ended long ago by the server's clock
    fresh = locks.lease(BOB, "default", datetime.datetime.now(datetime.UTC))
    original = fake._put

    def put(call, key, version, kind):
        fake._put = original
        other = copy.deepcopy(fresh)
        other["metadata"]["resourceVersion"] = fake.store[key]["metadata"]["resourceVersion"]
        fake._save(other, key)
        return original(call, key, version, kind)

    fake._put = put
    with pytest.raises(locks.LockHeld, match="bob@ctrl2"):
        lock(ALICE).acquire()


def test_refusals_of_the_server_are_errors(fake, lock):
    with pytest.raises(ApiError, match='namespaces "nowhere" not found'):
        lock(ALICE, "nowhere").acquire()
    fake.refuse("GET", "/leases/", 403, 'User "u" cannot get resource "leases"')
    with pytest.raises(ApiError, match="cannot get resource"):
        lock(ALICE).acquire()
    with pytest.raises(ApiError, match="cannot get resource"):
        lock(ALICE).release()


def test_an_answer_that_is_no_lease(fake, lock):
    fake.raw = b"<html>log in</html>"
    with pytest.raises(ApiError, match="could not be read: <html>log in"):
        lock(ALICE).acquire()
