# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Asks Prometheus and Loki what boards ask: each question once, several at a time, within a deadline.

This module util is PRIVATE to the collection. Source of the forms: Prometheus, docs/querying/api.md; Loki,
docs/sources/reference/loki-http-api.md.
"""

from __future__ import annotations

import concurrent.futures
import math
import re
import threading
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api, Params, Response
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_variables import Ask, Found
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError, ApiTimeout
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import Deadline

WORKERS = 8
# Whether there is data shows in few points; what is empty is asked again in the panel's own steps.
POINTS = 60
# Of one answer; the newer servers take it as a limit, and an answer that was cut is asked for whole when it is empty.
MOST_SERIES = 100
_LINES = "20"
# Of logs, the end of the range that is looked at first, in seconds.
_LATELY = 600.0
# How often a server that is busy is asked again.
_BUSY_TURNS = 4

Point = tuple[float, float]
T = t.TypeVar("T")


class Request(t.NamedTuple):
    """One query. C(kind) is prometheus or loki; C(step) in seconds, of no meaning when C(instant)."""

    kind: str
    expr: str
    start: float
    end: float
    step: float
    instant: bool = False


class Reply(t.NamedTuple):
    """What came back. C(finite): a number that can be drawn, or a line; C(found): any sample at all.

    C(fault) is refused, slow, unreachable or late (not asked any more), with C(error) in the server's words.
    """

    series: tuple[tuple[dict[str, str], tuple[Point, ...]], ...] = ()
    finite: bool = False
    found: bool = False
    fault: str = ""
    error: str = ""


class Asker:
    """Remembers every answer.

    :param apis: by kind of datasource; a kind without a server is not asked.
    :param headers: by kind, for a tenant. :param keep: whether points are kept, for sketches.
    """

    def __init__(
        self,
        apis: t.Mapping[str, Api],
        deadline: Deadline,
        query_timeout: float,
        headers: t.Mapping[str, dict[str, str]] | None = None,
        keep: bool = False,
    ) -> None:
        self.apis = dict(apis)
        self.deadline = deadline
        self._timeout = query_timeout
        self._headers = dict(headers or {})
        self._keep = keep
        self._replies: dict[Request, Reply] = {}
        self._found: dict[Ask, Found] = {}
        self._lock = threading.Lock()
        self._pool = concurrent.futures.ThreadPoolExecutor(WORKERS)
        self.asked = 0

    def close(self) -> None:
        """End the threads; what was not begun is not asked any more."""
        self._pool.shutdown(cancel_futures=True)

    def forget(self) -> None:
        """Ask everything again."""
        self._replies.clear()
        self._found.clear()

    def together(self, work: t.Callable[[t.Any], T], items: t.Iterable[t.Any]) -> list[T]:
        """Do work for many items at once, in their order."""
        return list(self._pool.map(work, items))

    def replies(self, requests: t.Iterable[Request]) -> dict[Request, Reply]:
        """The answers to all of them."""
        wanted = list(dict.fromkeys(requests))
        todo = [one for one in wanted if one not in self._replies]
        for request, reply in zip(todo, self._pool.map(self._reply, todo), strict=True):
            self._replies[request] = reply
        return {one: self._replies[one] for one in wanted}

    # --- one call ---

    def _get(self, kind: str, path: str, params: Params, turn: int = 0) -> Response:
        left = self.deadline.left()
        if left <= 0:
            raise _Late
        with self._lock:
            self.asked += 1
        response = self.apis[kind].get(path, params, min(self._timeout, left), self._headers.get(kind))
        if response.status != 429 or turn >= _BUSY_TURNS:
            return response
        # more is being asked at once than the server wants to hold
        self.deadline.pause(0.3 * 2**turn)
        return self._get(kind, path, params, turn + 1)

    def _reply(self, request: Request) -> Reply:
        coarse = max(request.step, (request.end - request.start) / POINTS)
        late = request
        if request.kind == "loki" and not request.instant:
            # Loki reads every line of a range: what has lines lately needs no look at the rest
            late = request._replace(start=max(request.start, request.end - max(_LATELY, 3 * request.step)))
        reply = self._once(late, coarse if late == request else request.step, MOST_SERIES)
        if late != request and not reply.finite and not reply.fault:
            reply = self._once(request, coarse, MOST_SERIES)
        if reply.finite or reply.fault or (request.instant and not reply.found):
            return reply
        if not request.instant and coarse > request.step:
            return self._once(request, request.step, 0)
        return self._once(request, coarse, 0) if len(reply.series) >= MOST_SERIES else reply

    def _once(self, request: Request, step: float, most: int) -> Reply:
        prefix = "/loki" if request.kind == "loki" else ""
        params = [("query", request.expr)]
        if request.kind == "loki":
            params += [("limit", _LINES)]
        elif most:
            params += [("limit", str(most))]
        if request.instant:
            path, params = f"{prefix}/api/v1/query", [*params, ("time", _moment(request.kind, request.end))]
        else:
            path = f"{prefix}/api/v1/query_range"
            params += [
                ("start", _moment(request.kind, request.start)),
                ("end", _moment(request.kind, request.end)),
                ("step", f"{step:.3f}"),
            ]
        try:
            response = self._get(request.kind, path, params)
        except _Late:
            return Reply(fault="late")
        except ApiTimeout as exc:
            return Reply(fault="slow", error=str(exc))
        except ApiError as exc:
            return Reply(fault="unreachable", error=str(exc))
        if response.status != 200:
            fault = "unreachable" if response.status in (401, 403, 404, 429, 502, 503, 504) else "refused"
            said = error_of(response)
            if response.status == 503 and "timed out" in said:
                fault = "slow"
            return Reply(fault=fault, error=said)
        try:
            return read_reply(response.json(), self._keep or request.instant)
        except (ValueError, KeyError, TypeError):
            return Reply(fault="unreachable", error=f"the answer is not {request.kind}'s: {response.text(100)}")

    # --- options of variables ---

    def options(self, ask: Ask) -> Found:
        """The options that a variable's query gives; for use in threads."""
        known = self._found.get(ask)
        if known is None:
            known = self._found[ask] = self._options(ask)
        return known

    def _options(self, ask: Ask) -> Found:
        kind = ask.source.kind
        if kind not in self.apis:
            return Found(error=f"no {kind.capitalize()} was named to ask")
        prefix = "/loki" if kind == "loki" else ""
        path, params = f"{prefix}/api/v1/labels", [("start", _moment(kind, ask.start)), ("end", _moment(kind, ask.end))]
        name = "query" if kind == "loki" and ask.how != "series" else "match[]"
        match = [(name, ask.match)] if ask.match else []
        if ask.how == "values":
            path, params = f"{prefix}/api/v1/label/{ask.label}/values", [*params, *match]
        elif ask.how == "metrics":
            path = f"{prefix}/api/v1/label/__name__/values"
        elif ask.how == "result":
            path, params = f"{prefix}/api/v1/query", [("query", ask.match), ("time", _moment(kind, ask.end))]
        else:
            path, params = path if ask.how == "names" else f"{prefix}/api/v1/series", [*params, *match]
            if ask.how == "some":
                params.append(("limit", str(MOST_SERIES)))
        try:
            response = self._get(kind, path, params)
        except _Late:
            return Found(error="there was no time left to ask")
        except ApiError as exc:
            return Found(error=str(exc))
        if response.status != 200:
            return Found(error=error_of(response))
        try:
            return Found(_options_of(ask, response.json().get("data")))
        except (ValueError, KeyError, TypeError, AttributeError, re.error) as exc:
            return Found(error=f"{type(exc).__name__}: {exc}")


class _Late(Exception):
    """The deadline is over."""


def _moment(kind: str, moment: float) -> str:
    return str(int(moment * 1e9)) if kind == "loki" else f"{moment:.3f}"


def error_of(response: Response) -> str:
    """What a server said, in its own words."""
    try:
        parsed = response.json()
    except ValueError:
        parsed = None
    if isinstance(parsed, dict) and isinstance(parsed.get("error") or parsed.get("message"), str):
        return str(parsed.get("error") or parsed.get("message"))[:400]
    return " ".join(response.text(300).split()) or f"status {response.status}"


def _options_of(ask: Ask, data: t.Any) -> tuple[str, ...]:
    if ask.how == "metrics":
        pattern = re.compile(ask.match)
        return tuple(one for one in data or () if pattern.search(one))
    if ask.how == "result":
        if data["resultType"] in ("scalar", "string"):
            return (str(data["result"][1]),)
        return tuple(
            f"{series_text(item['metric'])} {item['value'][1]} {round(item['value'][0] * 1000)}"
            for item in data["result"]
        )
    if ask.how in ("series", "some"):
        return tuple(series_text(item) for item in data or ())
    return tuple(str(one) for one in data or ())


def series_text(labels: t.Mapping[str, str]) -> str:
    """A series as Grafana writes it into a variable: the braces stand even when there is nothing in them."""
    inner = ",".join(f'{name}="{value}"' for name, value in labels.items() if name != "__name__")
    return f"{labels.get('__name__', '')}{{{inner}}}"


def read_reply(parsed: t.Any, keep: bool) -> Reply:
    """The answer of either server.

    :raises KeyError, TypeError, ValueError: it is none.
    """
    data = parsed["data"]
    kind, result = data["resultType"], data["result"]
    if kind in ("scalar", "string"):
        points = _points([result])
        return Reply((({}, points if keep else ()),), bool(points), True)
    if kind == "streams":
        return Reply(tuple((item["stream"], ()) for item in result[:MOST_SERIES]), bool(result), bool(result))
    series, finite = [], False
    for item in result:
        if item.get("histogram") or item.get("histograms"):
            finite, points = True, ()
        else:
            points = _points(item["values"] if kind == "matrix" else [item["value"]])
            finite = finite or bool(points)
        series.append((item.get("metric") or {}, points if keep else ()))
    return Reply(tuple(series), finite, bool(result))


def _points(values: t.Sequence[t.Sequence[t.Any]]) -> tuple[Point, ...]:
    """Those that can be drawn."""
    found = ((float(moment), float(value)) for moment, value in values)
    return tuple((moment, value) for moment, value in found if math.isfinite(value))
