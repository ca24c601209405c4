# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boards and servers for tests, scripted: a world is a list of series, and what some expressions give."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _promql
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api, Response
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_ask import Asker
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_logs import LogReasons
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_model import Board, read_board
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_reasons import Reasons, Recorded
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_run import Run
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_sources import Source, Sources
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_verdict import BoardVerdict, Excuse
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiTimeout
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import Deadline
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_series import Series

from tests.integration.dashboards.boards import board, logs, panel, variable
from tests.unit.rules.builders import NOW, FakeServer

__all__ = ["NOW", "board", "judge", "logs", "panel", "read", "variable", "world"]

PROMETHEUS = Source("prometheus", "Prometheus", "prometheus", True, 30.0)
LOKI = Source("loki", "Loki", "loki")
SLOW = "slow"


class World(FakeServer):
    """Prometheus: a selector gives 1 per series that there is; anything else what `gives` says, else nothing.

    `gives` maps an expression to values, to an error in Prometheus' words, or to SLOW.
    """

    def __init__(self, recent: list[str], past: list[str] = (), gives: Mapping[str, Any] | None = None) -> None:
        super().__init__(recent, past)
        self.gives = dict(gives or {})
        self.label = "world"

    def by_hand(self, path: str, params: Any = ()) -> str:
        return f"curl {path} " + " ".join(f"{name}={value}" for name, value in params)

    def get(self, path: str, params: Any = (), timeout: Any = None, headers: Any = None) -> Response:
        if not path.startswith("/api/v1/query"):
            try:
                return super().get(path, params, timeout, headers)
            except (_promql.PromqlError, IndexError) as exc:
                return _answer(400, {"status": "error", "errorType": "bad_data", "error": str(exc)})
        given = dict(params)
        self.asked.append((path, tuple(params)))
        found = self.gives.get(given["query"])
        if found == SLOW:
            raise ApiTimeout("GET of world gave no answer within 10 s.")
        if isinstance(found, str):
            return _answer(422, {"status": "error", "errorType": "execution", "error": found})
        series = [({"n": str(n)}, value) for n, value in enumerate(found)] if found is not None else self._of(given)
        ranged = path.endswith("_range")
        key = "values" if ranged else "value"
        result = [
            {"metric": labels, key: [[NOW, str(value)]] if ranged else [NOW, str(value)]} for labels, value in series
        ]
        return _answer(200, {"data": {"resultType": "matrix" if ranged else "vector", "result": result}})

    def _of(self, given: dict[str, str]) -> list[tuple[dict[str, str], float]]:
        try:
            node = _promql.parse(given["query"])
        except _promql.PromqlError:
            return []
        if not isinstance(node, _promql.Selector):
            return []
        return [(one, 1.0) for one in self.recent if all(self._fits(matcher, one) for matcher in node.matchers)]


class Logs(Api):
    """Loki: every stream has a line; a selector with a filter gives none."""

    label = "logs"

    def __init__(self, *streams: dict[str, str]) -> None:
        self.streams = streams

    def by_hand(self, path: str, params: Any = ()) -> str:
        return f"logcli {path}"

    def get(self, path: str, params: Any = (), timeout: Any = None, headers: Any = None) -> Response:
        given = dict(params)
        if path.endswith("/values"):
            label = path.split("/")[-2]
            return _answer(200, {"data": sorted({one[label] for one in self.streams if label in one})})
        text = given.get("match[]") or given["query"]
        try:
            matchers = _promql.selectors(_promql.parse(text.partition("}")[0] + "}"))[0].matchers
        except (_promql.PromqlError, IndexError):
            return Response(400, {}, b"parse error")
        found = [one for one in self.streams if all(FakeServer._fits(matcher, one) for matcher in matchers)]
        if path.endswith("/series"):
            return _answer(200, {"data": found})
        found = [] if "|=" in text else found
        result = [{"stream": one, "values": [["1", "a line"]]} for one in found]
        return _answer(200, {"data": {"resultType": "streams", "result": result}})


def _answer(status: int, body: Any) -> Response:
    return Response(status, {}, json.dumps(body).encode())


def world(*recent: str, past: list[str] = (), **gives: Any) -> World:
    """A Prometheus with these series, as selectors."""
    return World(list(recent), list(past), gives.get("gives"))


def read(given: dict[str, Any]) -> Board:
    """A board as the verdict reads it."""
    return read_board(given, "here")


def judge(
    given: dict[str, Any],
    server: World,
    *,
    loki: Logs | None = None,
    sources: Sources | None = None,
    recorded: Mapping[str, Recorded] | None = None,
    seconds: float = 60.0,
    young: bool = False,
    excuses: list[dict[str, Any]] = (),
    own: list[str] = (),
) -> BoardVerdict:
    """The verdict of one board in that world; `own` are the uids that are wanted."""
    apis: dict[str, Api] = {"prometheus": server}
    if loki is not None:
        apis["loki"] = loki
    asker = Asker(apis, Deadline(seconds), 10.0, keep=True)
    try:
        reasons = Reasons(server, Series(server, NOW), asker, recorded or {})
        allowed = [Excuse.parse(item, number) for number, item in enumerate(excuses)]
        logs_too = LogReasons(loki, asker) if loki is not None else None
        known = sources or Sources((PROMETHEUS, LOKI))
        return Run([read(given)], known, asker, NOW, reasons, logs_too, allowed, young, own).judge()[0]
    finally:
        asker.close()
