# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Writing what an ApplySet's trial found. This module util is PRIVATE to the collection."""

from __future__ import annotations

import contextlib
import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_cluster import Cluster
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_errors import explain
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_model import (
    CRD_KIND,
    ApplySetError,
    Item,
    Options,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_objects import (
    Object,
    Problem,
    key_of,
    rank,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_spec import (
    PARENT,
    Recorded,
    parent,
    read_parent,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_trial import Trial
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError

CRD_TIMEOUT = 60.0
SERVED_TIMEOUT = 10.0


class Writer:
    """Writes in order and stops at the first refusal, telling what was done and what not.

    :param clock: seconds, monotonic; :param sleep: both replaceable in tests.
    """

    def __init__(
        self,
        cluster: Cluster,
        trial: Trial,
        options: Options,
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self._cluster = cluster
        self._trial = trial
        self._o = options
        self._clock = clock
        self._sleep = sleep
        self._done: list[str] = []
        self._planned: list[str] = []

    def run(self, items: t.Sequence[Item], head: Item, recorded: Recorded, gone: t.Sequence[Object]) -> None:
        """Namespaces, the parent, CRDs; then the trial of what had to wait for them, the rest, and the removals.

        :param head: the parent as it shall be in the end. :param recorded: what the live parent says.
        :raises ApplySetError: a refusal, with what was written and what not.
        """
        work = sorted(items, key=lambda item: rank(item.key.kind))
        spaces = [item for item in work if item.key.kind == "Namespace"]
        crds = [item for item in work if item.key.kind == CRD_KIND]
        rest = [item for item in work if item.key.kind not in ("Namespace", CRD_KIND)]
        self._planned = [str(item.key) for item in (*spaces, head, *crds, *rest) if item.writes]
        self._planned += [_removal(obj) for obj in gone]
        early = self._early_parent(head, recorded)
        with self._telling():
            self._write(spaces)
            self._write([early])
            self._write(crds)
            self._wait_established([item for item in crds if item.writes])
            self._try_waiting([item for item in rest if item.waits], [*items, head])
            self._write(rest)
            self._remove(gone)
            if early is not head:
                self._write([head])

    def remove(self, gone: t.Sequence[Object]) -> None:
        """Delete in the given order.

        :raises ApplySetError: a refusal, with what was removed and what not.
        """
        self._planned = [_removal(obj) for obj in gone]
        with self._telling():
            self._remove(gone)

    @contextlib.contextmanager
    def _telling(self) -> t.Iterator[None]:
        """Whatever stops the writing, it is told what was done and what not."""
        try:
            yield
        except ApplySetError as error:
            if error.not_applied or error.applied:
                raise
            self._stop(error.problems)
        except ApiError as error:
            remedy = "Whether the last write arrived is not known; a rerun finds out"
            self._stop([Problem("API server", "", str(error).rstrip("."), f"{remedy}.")])

    def _remove(self, gone: t.Sequence[Object]) -> None:
        for obj in gone:
            status, body = self._cluster.delete(obj)
            if status >= 400 and status != 404:
                self._stop(explain(key_of(obj), status, body))
            self._done.append(_removal(obj))

    def _early_parent(self, head: Item, recorded: Recorded) -> Item:
        """The parent to write before the first member: every kind and namespace that the set reaches or reached.

        A run that is killed in the middle then still finds all its members the next time.
        """
        then = read_parent(head.obj)
        kinds, places = recorded.group_kinds | then.group_kinds, recorded.namespaces | then.namespaces
        if not head.writes or (kinds == then.group_kinds and places == then.namespaces):
            return head
        early = Item(parent(self._o.name, self._o.namespace, kinds, places))
        early.resource, early.verdict = PARENT, head.verdict
        return early

    def _try_waiting(self, waiting: t.Sequence[Item], everything: t.Sequence[Item]) -> None:
        """What could not be tried before is tried now; the API server needs a moment to serve a new kind."""
        if not waiting:
            return
        brought = [item for item in everything if item.key.kind in ("Namespace", CRD_KIND)]
        deadline = self._clock() + SERVED_TIMEOUT
        while True:
            self._cluster.forget()
            for item in waiting:
                item.verdict, item.waits = "", None
            problems = self._trial.resolve([*brought, *waiting])
            unserved = [item for item in waiting if item.waits]
            if not problems and not unserved:
                problems = self._trial.run([*everything])
                unserved = [item for item in waiting if item.waits and "cluster does not know" in item.waits.message]
            late = unserved or [problem for problem in problems if "cluster does not" in problem.message]
            if not late:
                break
            if self._clock() > deadline:
                problems = problems or [item.waits for item in unserved if item.waits]
                break
            self._sleep(0.2)
        if problems:
            self._stop(problems)

    def _write(self, items: t.Iterable[Item]) -> None:
        for item in items:
            if not item.writes:
                continue
            status, body = self._cluster.write(item, self._o.force_conflicts)
            if status == 409 and item.create_only and body.get("reason") == "AlreadyExists":
                item.verdict = "kept"
                continue
            if status >= 400:
                self._stop(explain(item.key, status, body, item.obj))
            if str(item.key) not in self._done:
                self._done.append(str(item.key))

    def _wait_established(self, crds: t.Sequence[Item]) -> None:
        deadline = self._clock() + CRD_TIMEOUT
        for item in crds:
            while item.resource:
                live = self._cluster.get(item.resource, "", item.key.name) or {}
                state = {c.get("type"): c for c in (live.get("status") or {}).get("conditions") or []}
                if state.get("Established", {}).get("status") == "True":
                    break
                if self._clock() > deadline:
                    names = state.get("NamesAccepted", {})
                    refused = names.get("message") if names.get("status") == "False" else None
                    message = f"is not established: {refused or f'not within {CRD_TIMEOUT:g} s'}"
                    remedy = f"See why: kubectl describe crd {item.key.name}"
                    self._stop([Problem(str(item.key), "status.conditions", message, remedy)])
                self._sleep(0.1)

    def _stop(self, problems: t.Sequence[Problem]) -> t.NoReturn:
        raise ApplySetError(problems, self._done, [name for name in self._planned if name not in self._done])


def _removal(obj: Object) -> str:
    return f"{key_of(obj)} (removal)"
