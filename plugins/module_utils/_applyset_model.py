# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What an ApplySet run works on: its options, an object on its way, and its error.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_objects import (
    Key,
    Object,
    Problem,
    Resource,
    key_of,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import MonitoringError

CRD_KIND = "CustomResourceDefinition"


class Options(t.NamedTuple):
    """What the task asks for; the names are the action's options.

    :param partial: the run is narrowed by tags. :param check_mode: find out, write nothing.
    """

    name: str
    namespace: str
    objects: t.Sequence[t.Any] = ()
    state: str = "present"
    prune: bool = True
    allow_removal: t.Collection[str] = ()
    max_removals: int = 2
    force_conflicts: bool = True
    adopt_existing: bool = False
    create_only: t.Collection[str] = ()
    keep_kinds: t.Collection[str] | None = None
    partial: bool = False
    check_mode: bool = False


class Item:
    """One wanted object on its way.

    C(resource) is None while the cluster does not know the kind. C(live) is what is there, C(after) what a dry run of
    the write gave. C(verdict) is create, update, unchanged or kept; "" until it is known. C(waits) says why the write
    cannot be tried yet; such an object was checked locally only.
    """

    def __init__(self, obj: Object, create_only: bool = False) -> None:
        self.obj = obj
        self.key: Key = key_of(obj)
        self.create_only = create_only
        self.resource: Resource | None = None
        self.live: Object | None = None
        self.after: Object | None = None
        self.verdict = ""
        self.waits: Problem | None = None

    @property
    def writes(self) -> bool:
        """Whether something has to be written."""
        return self.verdict in ("create", "update")


class ApplySetError(MonitoringError):
    """The set could not be brought about.

    :param problems: everything that is wrong, each with object, field, message and remedy.
    :param applied: what had been written by then. :param not_applied: what was left to write. Both are empty when the
        set was refused as a whole.
    """

    def __init__(
        self, problems: t.Iterable[Problem], applied: t.Sequence[str] = (), not_applied: t.Sequence[str] = ()
    ) -> None:
        self.problems = list(dict.fromkeys(problems))
        self.applied = list(applied)
        self.not_applied = list(not_applied)
        super().__init__(self._message())

    def _message(self) -> str:
        lines = [problem.text() for problem in self.problems]
        if self.applied or self.not_applied:
            return "\n".join(
                [
                    f"Stopped in the middle: {len(self.applied)} done, {len(self.not_applied)} not. {lines[0]}",
                    *lines[1:],
                    f"Done: {', '.join(self.applied) or 'nothing'}.",
                    f"Not done: {', '.join(self.not_applied) or 'nothing'}.",
                    "Run again when it is corrected: what is done already stays as it is.",
                ]
            )
        if len(lines) == 1:
            return f"Nothing was changed. {lines[0]}"
        return "\n".join([f"Nothing was changed, {len(lines)} problems. {lines[0]}", *lines[1:]])
