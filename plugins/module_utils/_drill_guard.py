# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Watch over a workload that a drill scales to zero. This module util is PRIVATE to the collection."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError

_PAUSE = 5.0


class Cluster(t.Protocol):
    """What is needed of C(_kube.Kube)."""

    def get(self, path: str) -> dict[str, t.Any] | None: ...

    def request(
        self, method: str, path: str, body: t.Any = None, *, content_type: str | None = None
    ) -> tuple[int, dict[str, t.Any]]: ...


class Guard:
    """Looks at one workload; the annotation that the drill puts on it says that it is stopped, and what it had."""

    def __init__(
        self,
        kube: Cluster,
        kind: str,
        namespace: str,
        name: str,
        annotation: str,
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self._kube, self._annotation, self._clock, self._sleep = kube, annotation, clock, sleep
        self._path = f"/apis/apps/v1/namespaces/{namespace}/{kind.lower()}s/{name}"

    def watch(self, after: float, appears_within: float) -> int:
        """:returns: the replicas it was given back, 0 when somebody else did that, or nobody stopped it.

        :raises ApiError: at the end of the time, the API server does not take it.
        """
        begin, stopped = self._clock(), False
        while True:
            passed = self._clock() - begin
            try:
                item = self._kube.get(self._path)
                if item is None:
                    return 0
                kept = (item["metadata"].get("annotations") or {}).get(self._annotation)
                if kept is None and (stopped or passed >= appears_within):
                    return 0
                stopped = stopped or kept is not None
                if kept is not None and passed >= after:
                    return self._give_back(item, int(kept))
            except ApiError:
                # Nobody is there to ask again: it goes on for as long again, and then says so.
                if passed >= 2 * after:
                    raise
            self._sleep(_PAUSE)

    def _give_back(self, item: dict[str, t.Any], replicas: int) -> int:
        # With the version that was read: a drill that ends it at this moment is not overwritten.
        metadata = {"annotations": {self._annotation: None}, "resourceVersion": item["metadata"]["resourceVersion"]}
        body = {"metadata": metadata, "spec": {"replicas": replicas}}
        status, said = self._kube.request("PATCH", self._path, body, content_type="application/merge-patch+json")
        if status >= 400:
            raise ApiError(f"PATCH {self._path}: {said.get('message', status)}", status)
        return replicas
