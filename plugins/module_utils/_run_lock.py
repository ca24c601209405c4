# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One changing run at a time per cluster, by a Lease. This module util is PRIVATE to the collection.

The Lease (coordination.k8s.io/v1) is there while a run holds it and is deleted afterwards. It lies in a namespace that
every cluster has, because the namespace of the monitoring may not exist before the first run. Time is the API server's
(header Date), so that clocks of controllers need not agree. Writes carry the resourceVersion: of two that take it at
the same moment one gets 409 and looks again.
"""

from __future__ import annotations

import datetime
import email.utils
import getpass
import os
import pathlib
import socket
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Response
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError, MonitoringError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import status_error

if t.TYPE_CHECKING:
    from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube

Object = dict[str, t.Any]

NAME = "dataplatform-monitoring-run"
NAMESPACE = "default"
DURATION = 3600
PREFIX = "dataplatform.monitoring/"
_TRIES = 5


class LockHeld(MonitoringError):
    """Somebody else is at work on this cluster."""


class Holder(t.NamedTuple):
    """Who holds the lock.

    :param machine: what pids are comparable within: boot and pid namespace; "" where it cannot be known.
    :param began: start of the process in clock ticks since boot, which tells it from a later one of the same pid.
    :param target: inventory host; one run must not reach the same cluster under two names.
    """

    user: str
    host: str
    machine: str
    pid: int
    began: str
    play: str
    target: str

    def text(self) -> str:
        """C(user@host pid target), for people and for C(holderIdentity)."""
        return f"{self.user}@{self.host} pid {self.pid} for {self.target}"


def myself(pid: int, play: str, target: str) -> Holder:
    """This run; C(pid) is that of the process which lives as long as the run."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return Holder(user, socket.gethostname(), _machine(), pid, process_start(pid), play, target)


def _machine() -> str:
    try:
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {pathlib.Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def process_start(pid: int) -> str:
    """When a process began, in ticks since boot; "" when it is gone (proc(5), /proc/PID/stat, fields 3 and 22)."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    # A zombie has ended; only its parent does not know yet.
    return "" if fields[0] in ("Z", "X") else fields[19]


def lease(me: Holder, namespace: str, now: datetime.datetime, old: Object | None = None) -> Object:
    """The Lease that says that we hold it; C(old) is the one to replace."""
    stamp = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    since = (old or {}).get("spec", {}).get("acquireTime") if old and holder(old) == me else None
    meta: Object = {
        "name": NAME,
        "namespace": namespace,
        "labels": {"app.kubernetes.io/managed-by": "dataplatform.monitoring"},
        "annotations": {PREFIX + field: str(value) for field, value in me._asdict().items()},
    }
    if old:
        meta["resourceVersion"] = old["metadata"]["resourceVersion"]
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": meta,
        "spec": {
            "holderIdentity": me.text(),
            "leaseDurationSeconds": DURATION,
            "acquireTime": since or stamp,
            "renewTime": stamp,
        },
    }


def holder(obj: Object) -> Holder | None:
    """Who the Lease says holds it; None when nobody, or not in our words."""
    notes = obj["metadata"].get("annotations") or {}
    values = {field: str(notes.get(PREFIX + field, "")) for field in Holder._fields}
    if not obj.get("spec", {}).get("holderIdentity") or not values["pid"].isdigit():
        return None
    return Holder(**{**values, "pid": int(values["pid"])})


def expires(obj: Object) -> datetime.datetime | None:
    """When the Lease ends of itself."""
    spec = obj.get("spec") or {}
    stamp = spec.get("renewTime") or spec.get("acquireTime")
    try:
        begun = datetime.datetime.fromisoformat(str(stamp).replace("Z", "+00:00"))
    except ValueError:
        return None
    return begun + datetime.timedelta(seconds=int(spec.get("leaseDurationSeconds") or DURATION))


def judge(
    obj: Object,
    me: Holder,
    now: datetime.datetime,
    start_of: t.Callable[[int], str] = process_start,
) -> str:
    """What an existing Lease means to us: ours, free (nobody), expired, dead (its process is gone), or held.

    :param start_of: start of a process of this machine, "" when there is none.
    """
    if not (obj.get("spec") or {}).get("holderIdentity"):
        return "free"
    other = holder(obj)
    if other and other._replace(play=me.play) == me:
        return "ours"
    end = expires(obj)
    if end is None or end <= now:
        return "expired"
    if other and other.machine and other.machine == me.machine and other.host == me.host:
        began = start_of(other.pid)
        if not began or began != other.began:
            return "dead"
    return "held"


def describe(obj: Object, now: datetime.datetime) -> str:
    """Who, since when, what play, and until when at the latest."""
    spec = obj.get("spec") or {}
    other = holder(obj)
    who = f"{other.user}@{other.host} (pid {other.pid})" if other else str(spec.get("holderIdentity"))
    play = f", play {other.play}" if other and other.play else ""
    since = str(spec.get("acquireTime") or "an unknown time")[:19].replace("T", " ")
    end = expires(obj)
    rest = f", ends at {end:%H:%M:%S} UTC at the latest" if end and end > now else ""
    return f"{who} since {since} UTC{play}{rest}"


class RunLock:
    """Takes and gives back the lock of a cluster."""

    def __init__(self, kube: Kube, me: Holder, namespace: str = NAMESPACE) -> None:
        self._kube = kube
        self._me = me
        self._namespace = namespace
        self._base = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"

    def acquire(self) -> str | None:
        """Take the lock.

        :returns: what was taken over, or None.
        :raises LockHeld: somebody else holds it. :raises ApiError: the API server refused.
        """
        for _attempt in range(_TRIES):
            response = self._kube.raw("GET", f"{self._base}/{NAME}")
            now = server_time(response)
            if response.status == 404:
                written = self._kube.raw("POST", self._base, body=lease(self._me, self._namespace, now))
                story = None
            elif response.status < 400:
                old = _object(response)
                verdict = judge(old, self._me, now)
                if verdict == "held":
                    raise LockHeld(self._refusal(old, now))
                story = _STORIES[verdict].format(describe(old, now)) if verdict in _STORIES else None
                body = lease(self._me, self._namespace, now, old)
                written = self._kube.raw("PUT", f"{self._base}/{NAME}", body=body)
            else:
                raise status_error(response, f"GET {self._base}/{NAME}")
            if written.status < 400:
                _object(written)
                return story
            # 409: somebody was faster; 404: it was released between the two calls. Look again.
            if written.status not in (404, 409) or _namespace_missing(written):
                raise status_error(written, f"Taking the Lease {self._namespace}/{NAME}")
        raise LockHeld(
            f"The Lease {self._namespace}/{NAME} changes hands all the time: several runs want it. Run again."
        )

    def release(self) -> str | None:
        """Give the lock back.

        :returns: why there was nothing to give back, or None.
        :raises ApiError: the API server refused.
        """
        path = f"{self._base}/{NAME}"
        response = self._kube.raw("GET", path)
        if response.status == 404:
            return "There was nothing to release: nobody holds the lock."
        if response.status >= 400:
            raise status_error(response, f"GET {path}")
        live = _object(response)
        now = server_time(response)
        if judge(live, self._me, now) != "ours":
            return f"There was nothing to release: the lock is held by {describe(live, now)}."
        versions = {key: live["metadata"][key] for key in ("uid", "resourceVersion")}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": versions}
        gone = self._kube.raw("DELETE", path, body=body)
        if gone.status in (404, 409):
            return "There was nothing to release: the lock was taken over at this very moment."
        if gone.status >= 400:
            raise status_error(gone, f"DELETE {path}")
        return None

    def _refusal(self, old: Object, now: datetime.datetime) -> str:
        other = holder(old)
        if other and other._replace(play=self._me.play, target=self._me.target) == self._me:
            return (
                f"The inventory hosts {other.target} and {self._me.target} are the same cluster. "
                f"Take one of them out of the inventory."
            )
        return (
            f"Another run is under way on this cluster: {describe(old, now)}. Wait for it. If it is gone for good: "
            f"kubectl delete lease {NAME} -n {self._namespace}"
        )


_STORIES = {
    "dead": "Took over the lock of a run whose process is gone: {}.",
    "expired": "Took over a lock that had ended: {}.",
}


def server_time(response: Response) -> datetime.datetime:
    """The API server's time; ours where it does not say."""
    try:
        return email.utils.parsedate_to_datetime(response.headers["date"]).astimezone(datetime.UTC)
    except (KeyError, ValueError, TypeError):
        return datetime.datetime.now(datetime.UTC)


def _object(response: Response) -> Object:
    """The Lease; a good answer that is no JSON (a login page of a proxy) is an error.

    :raises ApiError: it is none.
    """
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict) and isinstance(body.get("metadata"), dict):
        return body
    raise ApiError(f"The Lease {NAME} could not be read: {response.text(200)}", response.status)


def _namespace_missing(response: Response) -> bool:
    try:
        details = response.json().get("details") or {}
    except (ValueError, AttributeError):
        return False
    return details.get("kind") == "namespaces"
