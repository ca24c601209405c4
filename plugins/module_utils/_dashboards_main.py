# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The verdict of the dashboards, from a module's options to its checks. This module util is PRIVATE."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _checks,
    _dashboards_collect,
    _servers,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._argspec import prometheus_spec
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_ask import Asker
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_collect import Given
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_grafana import (
    Grafana,
    judge_grafana,
    not_asked,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_logs import LogReasons
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_model import Board
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_reasons import Reasons, Recorded
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_run import Run
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_sources import Source, Sources
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_verdict import (
    BoardVerdict,
    Excuse,
    names_of,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import (
    ApiError,
    ApiForbidden,
    ApiUnreachable,
    ConfigError,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_ready import TENANT_HEADER
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import Deadline, parse_time
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_series import Series

NAME = "dashboards"
# A server that began less than this ago may not have scraped everything yet, in seconds.
YOUNG = 120.0
_PAUSE = 5.0

SPEC: dict[str, dict[str, t.Any]] = {
    "boards": {"type": "list", "elements": "dict", "default": []},
    "files": {"type": "list", "elements": "path", "default": []},
    "config_maps": {
        "type": "dict",
        "options": {
            "namespace": {"type": "str"},
            "label_selector": {"type": "str", "default": "grafana_dashboard=1"},
            "folder_annotation": {"type": "str", "default": "grafana_folder"},
        },
    },
    "from_grafana": {"type": "bool", "default": False},
    **prometheus_spec(required=True),
    "loki": prometheus_spec()["prometheus"],
    "loki_tenant": {"type": "str", "default": ""},
    "datasources": {"type": "list", "elements": "dict", "default": []},
    "datasource_maps": {
        "type": "dict",
        "options": {
            "namespace": {"type": "str"},
            "label_selector": {"type": "str", "default": "grafana_datasource=1"},
        },
    },
    "may_be_empty": {"type": "list", "elements": "dict", "default": []},
    "wanted": {"type": "list", "elements": "str", "default": []},
    "rerun": {"type": "str", "default": "ansible-playbook dataplatform.monitoring.day3"},
    "sketches": {"type": "bool", "default": False},
}


class Outcome(t.NamedTuple):
    """The verdict: checks, notes, the boards as the result has them, and what it took."""

    checks: list[_checks.Check]
    notes: list[str]
    boards: list[dict[str, t.Any]]
    queries: int
    waited: float


class Verdict:
    """One run of the module.

    :param params: its options.
    """

    def __init__(self, params: t.Mapping[str, t.Any]) -> None:
        self._params = params
        self._deadline = Deadline(float(params["timeout"]))
        self._query_timeout = float(params["query_timeout"])
        self._kube = Kube(params, self._query_timeout) if params["kubernetes"] else None
        self._excuses = [Excuse.parse(item, number) for number, item in enumerate(params["may_be_empty"])]
        self._notes: list[str] = []
        places = ("boards", "files", "config_maps")
        if not any(params[name] for name in places) and not params["from_grafana"]:
            raise ConfigError("Say which dashboards to judge: boards, files, config_maps or from_grafana.")
        if params["config_maps"] and self._kube is None:
            raise ConfigError("config_maps need the Kubernetes API: use files or boards when kubernetes is false.")
        has_grafana = bool(params.get("url") or params.get("service"))
        if params["from_grafana"] and not has_grafana:
            raise ConfigError("from_grafana needs a Grafana: set url, or namespace and service.")
        self._grafana = self._find_grafana() if has_grafana else None

    def run(self) -> Outcome:
        """Judge.

        :raises ConfigError: options that cannot be meant.
        """
        begin = time.monotonic()
        if self._grafana is None:
            self._notes.append(not_asked(self._kube))
        try:
            given = self._given()
            boards, broken = _dashboards_collect.read_all(given)
            sources, own = self._sources()
            apis = self._apis()
        except ApiError as exc:
            check = _checks.unknown(NAME, "every panel has data", "no answer", [unreached(exc)])
            return Outcome([check], self._notes, [], 0, 0.0)
        checks = [_checks.failed(one.name, "a dashboard that can be judged", "none", [one.cause]) for one in broken]
        checks += missing(self._params["wanted"], {board.uid for board in boards}, self._params["rerun"])
        if not boards and not checks:
            return Outcome([self._nothing()], self._notes, [], 0, 0.0)
        headers = {"loki": {TENANT_HEADER: self._params["loki_tenant"]}} if self._params["loki_tenant"] else {}
        asker = Asker(apis, self._deadline, self._query_timeout, headers, self._params["sketches"])
        try:
            judged = self._judge(boards, sources, asker)
        except ApiError as exc:
            told = unreached(exc)
            checks += [_checks.unknown(name, "every panel has data", "no answer", [told]) for name in names_of(boards)]
            judged = []
        finally:
            asker.close()
        checks += [one.check(name) for one, name in zip(judged, names_of(boards), strict=False)]
        if self._grafana is not None:
            loaded = {one.source for one in given if one.loaded}
            wanted = [one for one in boards if one.source not in loaded]
            checks += judge_grafana(self._grafana, wanted, own, self._log())
        shown = [one.result(self._params["sketches"]) for one in judged]
        return Outcome(checks, self._notes, shown, asker.asked, time.monotonic() - begin)

    # --- what there is ---

    def _given(self) -> list[Given]:
        found = _dashboards_collect.inline(self._params["boards"])
        found += _dashboards_collect.from_files(self._params["files"])
        maps = self._params["config_maps"]
        if maps and self._kube is not None:
            found += _dashboards_collect.from_config_maps(
                self._kube, maps["namespace"], maps["label_selector"], maps["folder_annotation"]
            )
        if self._params["from_grafana"] and self._grafana is not None:
            found += self._grafana.given()
        return found

    def _sources(self) -> tuple[Sources, list[Source] | None]:
        """Datasources that boards may mean, and those of the running Grafana where they may be listed."""
        own: list[Source] | None = None
        if self._grafana is not None:
            try:
                own = self._grafana.sources()
            except ApiForbidden as exc:
                self._notes.append(f"The datasources of Grafana are not known: {exc}")
            except ApiError:
                # the checks of Grafana tell that it does not answer
                own = None
        if own is not None:
            return _dashboards_collect.known_sources(own), own
        found = _dashboards_collect.given_sources(self._params["datasources"])
        maps = self._params["datasource_maps"]
        if maps is None and self._params["config_maps"] and not found:
            maps = {"namespace": self._params["config_maps"]["namespace"], "label_selector": "grafana_datasource=1"}
        if maps is not None and self._kube is not None:
            try:
                found += _dashboards_collect.sources_of_config_maps(
                    self._kube, maps["namespace"], maps["label_selector"]
                )
            except ApiForbidden as exc:
                self._notes.append(f"Datasources are not known, so that none counts as missing: {exc}")
        urls = {one.url.rstrip("/") for one in found if one.kind == "prometheus" and one.url}
        if len(urls) > 1:
            self._notes.append(f"{len(urls)} Prometheus datasources; all of them are asked at the one that is named.")
        return _dashboards_collect.known_sources(found), None

    def _apis(self) -> dict[str, Api]:
        timeout = {"query_timeout": self._query_timeout}
        found: dict[str, Api] = {
            "prometheus": _servers.replicas({**self._params["prometheus"], **timeout}, self._kube)[0]
        }
        loki = self._params["loki"]
        if loki and (loki.get("url") or loki.get("service")):
            try:
                found["loki"] = _servers.replicas({**loki, **timeout}, self._kube)[0]
            except ApiUnreachable as exc:
                found["loki"] = _Away("Loki", exc)
        return found

    def _find_grafana(self) -> Grafana:
        params = {**self._params, "query_timeout": self._query_timeout}
        return Grafana(_servers.replicas(params, self._kube)[0], self._query_timeout)

    def _log(self) -> str:
        space, name = self._params.get("namespace"), self._params.get("service")
        if space and name and not self._params.get("url"):
            return f"kubectl -n {space} logs deployment/{name} -c grafana-sc-dashboard --tail=50"
        return "kubectl logs -A -l app.kubernetes.io/name=grafana -c grafana-sc-dashboard --tail=50"

    def _nothing(self) -> _checks.Check:
        maps = self._params["config_maps"] or {}
        place = []
        fix = "Name a folder that has dashboards: files: [dashboards]"
        if maps:
            where = f"-n {maps['namespace']}" if maps.get("namespace") else "-A"
            place.append(f"ConfigMaps with {maps['label_selector']} in {maps.get('namespace') or 'any namespace'}")
            fix = f"See which labels they have: kubectl get configmaps {where} --show-labels"
        if self._params["files"]:
            place.append(f"files in {', '.join(self._params['files'])}")
        if self._params["from_grafana"]:
            place.append("Grafana")
        told = f"There is no dashboard in {' or '.join(place) or 'the options'}."
        return _checks.failed(NAME, "dashboards to judge", "none", [cause("dashboards_missing", told, fix)])

    # --- judging ---

    def _judge(self, boards: t.Sequence[Board], sources: Sources, asker: Asker) -> list[BoardVerdict]:
        """In rounds, as long as something may come by itself."""
        api = asker.apis["prometheus"]
        judged: dict[int, BoardVerdict] = {}
        todo = list(range(len(boards)))
        while True:
            now, started = _clock(api, self._query_timeout)
            reasons = Reasons(api, Series(api, now, self._query_timeout), asker, _recorded(api, self._query_timeout))
            logs = LogReasons(asker.apis["loki"], asker) if "loki" in asker.apis else None
            young = started is not None and now - started < YOUNG
            run = Run(
                [boards[one] for one in todo],
                sources,
                asker,
                now,
                reasons,
                logs,
                self._excuses,
                young,
                self._params["wanted"],
            )
            judged.update(zip(todo, run.judge(), strict=True))
            todo = [number for number, one in judged.items() if one.wait]
            if not todo or self._deadline.left() <= _PAUSE:
                return [judged[number] for number in range(len(boards))]
            self._deadline.pause(_PAUSE)
            asker.forget()


class _Away(Api):
    """A server that cannot be reached: each question says why."""

    def __init__(self, label: str, exc: ApiError) -> None:
        self.label = label
        self._exc = exc

    def call(self, *_given: t.Any, **_more: t.Any) -> t.Any:
        raise ApiUnreachable(str(self._exc))

    def by_hand(self, path: str, params: t.Any = ()) -> str:
        return "kubectl get pods -A -l app.kubernetes.io/name=loki"


def _clock(api: Api, timeout: float) -> tuple[float, float | None]:
    """The server's time, and when it began, where it tells."""
    try:
        info = api.get_json("/api/v1/status/runtimeinfo", (), timeout)["data"]
    except (ApiUnreachable, ApiForbidden):
        raise
    except (ApiError, KeyError, TypeError):
        info = {}
    now = parse_time(info.get("serverTime"))
    return now if now is not None else time.time(), parse_time(info.get("startTime"))


def _recorded(api: Api, timeout: float) -> dict[str, Recorded]:
    """Recording rules by what they make; none where the server has no rules API."""
    try:
        groups = api.get_json("/api/v1/rules", [("type", "record")], timeout)["data"]["groups"] or []
    except (ApiError, KeyError, TypeError):
        return {}
    return {
        str(rule["name"]): Recorded(str(group["name"]), str(rule["query"]), rule.get("health") != "unknown")
        for group in groups
        for rule in group.get("rules") or []
        if rule.get("type") == "recording"
    }


def missing(wanted: t.Sequence[str], found: t.Container[str], rerun: str) -> list[_checks.Check]:
    """One red check for each wanted uid that no dashboard has.

    :param rerun: the command that writes the dashboards again.
    """
    told, fix = (
        "No dashboard has the uid {}: it was deleted, lost its label, or was never made.",
        f"Make it again: {rerun}",
    )
    gone = [uid for uid in wanted if uid not in found]
    return [
        _checks.failed(uid, "a dashboard", "none", [cause("dashboard_gone", told.format(uid), fix)]) for uid in gone
    ]


def unreached(exc: ApiError) -> dict[str, str]:
    """The cause of a server that does not answer."""
    if isinstance(exc, ApiForbidden):
        fix = "Use an account that may read it; this is what this one may: kubectl auth can-i --list"
        return cause("access_forbidden", str(exc), fix)
    code = "server_unreachable" if isinstance(exc, ApiUnreachable) else "server_error"
    return cause(code, str(exc), "See whether it runs and is ready: kubectl get pods -A")
