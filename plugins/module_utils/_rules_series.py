# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Does a selector select anything that exists? This module util is PRIVATE to the collection.

Asked in steps, because an empty selector is no fault in itself: a matcher on a state (C(reason="CrashLoopBackOff")) is
empty as long as all is well. The metric must exist, then its identity (job, namespace, name); what is empty after that
is told and counts as nothing. First the last 24 hours are asked, then everything that is kept.
"""

from __future__ import annotations

import concurrent.futures
import difflib
import enum
import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql import Matcher, Selector

WINDOW = 86_400.0
# Labels that say which thing is meant, and not in which state it is.
IDENTITY = frozenset(
    {
        "cluster",
        "daemonset",
        "deployment",
        "exported_namespace",
        "instance",
        "job",
        "name",
        "namespace",
        "service",
        "statefulset",
    }
)
# Prometheus makes these of its own alerts; on a healthy cluster there may be none.
_OWN = frozenset({"ALERTS", "ALERTS_FOR_STATE"})
# Metrics that appear with the first thing they count or tell, on a healthy cluster perhaps never.
_EVENTS = frozenset(
    {
        "kube_job_failed",
        "kube_job_status_failed",
        "kube_node_spec_taint",
        "kube_pod_container_status_last_terminated_reason",
        "kube_pod_container_status_terminated_reason",
        "kube_pod_container_status_waiting_reason",
        "kube_pod_init_container_status_waiting_reason",
        "kube_pod_status_reason",
        "loki_discarded_samples_total",
    }
)
_WORKERS = 8


class Presence(enum.Enum):
    """What was found out about a selector."""

    THERE = "there"
    # Within the retention, but not within the last 24 hours.
    PAST = "past"
    # Metric and identity exist; a matcher on a value has not been fulfilled yet.
    NO_SUCH_VALUE = "no such value"
    NO_SUCH_METRIC = "no such metric"
    NO_SUCH_IDENTITY = "no such identity"
    NOT_TOGETHER = "not together"


class Answer(t.NamedTuple):
    """C(matchers) are those in the way; C(near) what exists and resembles it, best first."""

    presence: Presence
    matchers: tuple[Matcher, ...] = ()
    near: tuple[str, ...] = ()

    @property
    def dead(self) -> bool:
        """Whether the selector can be the reason that a rule never fires."""
        return self.presence in (Presence.NO_SUCH_METRIC, Presence.NO_SUCH_IDENTITY, Presence.NOT_TOGETHER)


class Series:
    """Asks one server, each question once, several at a time.

    :param now: the server's clock, Unix seconds.
    """

    def __init__(self, api: Api, now: float | None = None, timeout: float | None = None) -> None:
        self._api = api
        self._start = f"{(now if now is not None else time.time()) - WINDOW:.3f}"
        self._timeout = timeout
        self._names: dict[bool, frozenset[str]] = {}
        self._values: dict[tuple[str, tuple[Matcher, ...]], tuple[str, ...]] = {}
        self._known: dict[tuple[tuple[Matcher, ...], bool], bool] = {}
        self.answers: dict[tuple[Matcher, ...], Answer] = {}

    def ask(self, selectors: t.Iterable[Selector]) -> None:
        """Find out about many selectors at once.

        :raises ApiError: the server does not answer.
        """
        todo = list(dict.fromkeys(one.matchers for one in selectors if one.matchers not in self.answers))
        if not todo:
            return
        self.names(recent=True)
        with concurrent.futures.ThreadPoolExecutor(_WORKERS) as pool:
            for matchers, answer in zip(todo, pool.map(self._answer, todo), strict=True):
                self.answers[matchers] = answer

    def look_again(self) -> None:
        """Forget what was missing: it may have come since."""
        self.answers = {key: item for key, item in self.answers.items() if item.presence is Presence.THERE}
        self._known = {key: found for key, found in self._known.items() if found}
        self._names.clear()
        self._values.clear()

    def answer(self, selector: Selector) -> Answer:
        """What C(ask) found out about a selector."""
        return self.answers[selector.matchers]

    def names(self, recent: bool) -> frozenset[str]:
        """Every metric of the last 24 hours, or of the whole retention."""
        if recent not in self._names:
            params = [("start", self._start)] if recent else []
            data = self._api.get_json("/api/v1/label/__name__/values", params, self._timeout)["data"]
            self._names[recent] = frozenset(data or ())
        return self._names[recent]

    def _answer(self, matchers: tuple[Matcher, ...]) -> Answer:
        metric = Selector(matchers).metric
        if metric in _OWN:
            return Answer(Presence.THERE)
        if self._exists(matchers, recent=True):
            return Answer(Presence.THERE)
        if self._exists(matchers, recent=False):
            return Answer(Presence.PAST)
        names = tuple(item for item in matchers if item.name == "__name__")
        if names and not self._exists(names, recent=False):
            if metric in _EVENTS:
                return Answer(Presence.NO_SUCH_VALUE, names)
            return Answer(Presence.NO_SUCH_METRIC, names, self._near_metric(metric) if metric else ())
        identity = tuple(item for item in matchers if item.name in IDENTITY and item.op in ("=", "=~"))
        if identity and not self._exists(names + identity, recent=False):
            return self._missing_identity(names, identity)
        values = tuple(item for item in matchers if item not in names and item not in identity)
        wrong = tuple(item for item in values if not self._exists((*names, *identity, item), recent=False))
        near = self._near_value(names + identity, wrong[0]) if wrong else ()
        return Answer(Presence.NO_SUCH_VALUE, wrong or values, near)

    def _missing_identity(self, names: tuple[Matcher, ...], identity: tuple[Matcher, ...]) -> Answer:
        wrong = tuple(item for item in identity if not self._exists((*names, item), recent=False))
        if not wrong:
            return Answer(Presence.NOT_TOGETHER, identity)
        return Answer(Presence.NO_SUCH_IDENTITY, wrong, self._near_value(names, wrong[0]))

    def _exists(self, matchers: tuple[Matcher, ...], recent: bool) -> bool:
        key = (matchers, recent)
        if key in self._known:
            return self._known[key]
        only = matchers[0] if len(matchers) == 1 else None
        if only is not None and only.name == "__name__" and only.op == "=":
            found = only.value in self.names(recent)
        else:
            params = [("match[]", text_of(matchers)), ("limit", "1")]
            params += [("start", self._start)] if recent else []
            found = bool(self._api.get_json("/api/v1/series", params, self._timeout)["data"])
        self._known[key] = found
        return found

    def _near_metric(self, name: str) -> tuple[str, ...]:
        return nearest(name, self.names(recent=False))

    def _near_value(self, context: tuple[Matcher, ...], matcher: Matcher) -> tuple[str, ...]:
        key = (matcher.name, context)
        if key not in self._values:
            params = [("match[]", text_of(context))] if context else []
            data = self._api.get_json(f"/api/v1/label/{matcher.name}/values", params, self._timeout)["data"]
            self._values[key] = tuple(data or ())
        return nearest(matcher.value, self._values[key])


def text_of(matchers: t.Sequence[Matcher]) -> str:
    """A selector that the server reads."""
    return "{" + ",".join(str(item) for item in matchers) + "}"


def nearest(wanted: str, there: t.Iterable[str], most: int = 3) -> tuple[str, ...]:
    """What resembles C(wanted) most: first by the words it consists of, then by its letters."""
    words = set(_words(wanted))
    ranked = sorted(
        (
            (len(words & set(_words(item))) / len(words | set(_words(item)) or {""}), item)
            for item in there
            if item != wanted
        ),
        key=lambda pair: (-pair[0], pair[1]),
    )
    # letter by letter is slow: only what is worth it
    hopeful = [item for share, item in ranked[:60] if share > 0] or [item for _share, item in ranked[:200]]
    return tuple(difflib.get_close_matches(wanted, hopeful, most, 0.7))


def _words(name: str) -> list[str]:
    return [word for word in name.replace(":", "_").replace("-", "_").replace(".", "_").split("_") if word]
