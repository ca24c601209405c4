# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The whole delivery verdict: each part is judged, or told why it cannot be. PRIVATE to the collection.

A server that gives no answer makes its own parts C(unknown); what the others know is judged all the same.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _alertmanager_source,
    _alertmanager_yaml,
    _checks,
    _delivery_ask,
    _delivery_passive,
    _delivery_run,
    _routing_checks,
    _unreached,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._delivery_counters import Counters, Replica, Way
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError, ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube
from ansible_collections.dataplatform.monitoring.plugins.module_utils._servers import replicas

#: What is judged of every Alertmanager, whether or not it answers.
_PARTS = ("somebody is told", "configuration")
_LEG = "Prometheus to Alertmanager"
_DRILL = "fire drill"


class Outcome(t.NamedTuple):
    """:param code: that the test alerts carried, "" when none were sent."""

    checks: list[_checks.Check]
    notes: list[str]
    code: str


class Verdict:
    """One verdict. :param params: the module's options. :param kube: None without Kubernetes."""

    def __init__(self, params: dict[str, t.Any], kube: Kube | None) -> None:
        self._params, self._kube = params, kube
        self._apis: list[Api] = []
        self._prometheis: list[Api] = []
        self._no_prometheus: ApiError | None = None
        self._there: _delivery_ask.Installed | None = None

    def judge(self, send: bool) -> Outcome:
        """:param send: post test alerts.

        :raises ConfigError: bad options.
        """
        params = self._params
        checks: list[_checks.Check] = []
        notes: list[str] = []
        code = ""
        try:
            self._apis = _alertmanager_source.own_replicas(params, self._kube)
            loaded, notes = _alertmanager_source.live(self._kube, self._apis, params)
            readings = [_delivery_run.read_replica(api) for api in self._apis]
        except ApiError as exc:
            trouble = _unreached.why(exc, "Alertmanager")
            checks = _unreached.unjudged([*self._names(), *_PARTS], "Alertmanager answers", trouble)
            self._find_prometheis()
            return Outcome([*checks, *self._leg(), *([] if send else self._drill())], notes, code)
        config = _routing_checks.Configuration.of(loaded.config, "fallback", loaded.exact)
        if send:
            checks, more, code = self._test(config)
            notes += more
        self._find_prometheis()
        return Outcome([*checks, *self._passive(config, readings, send)], notes, code)

    def _names(self) -> list[str]:
        """Receivers that are judged, where that is known without an answer of Alertmanager."""
        if self._params["receivers"]:
            return list(self._params["receivers"])
        try:
            loaded, _notes = _alertmanager_source.live(self._kube, [], self._params)
            config = _routing_checks.Configuration.of(loaded.config, "fallback", loaded.exact)
        except (ApiError, ConfigError):
            return []
        return [name for name, kinds in config.integrations.items() if kinds]

    def _test(self, config: _routing_checks.Configuration) -> tuple[list[_checks.Check], list[str], str]:
        """Send test alerts and watch them; they are resolved whatever happens."""
        params = self._params
        alerts = [item["labels"] for item in params["expectations"]]
        if not alerts:
            raise ConfigError("send_test_alerts needs expectations: labels to make the test alerts of.")
        notes: list[str] = []
        run: _delivery_run.Run | None = None
        try:
            shown = _delivery_run.shown_by(params["sinks"], params["query_timeout"], self._kube)
            run = _delivery_run.Run(self._apis, config, self._kube, shown, params["each_replica"])
            checks = run.watch(alerts, params["receivers"], params["timeout"])
        except ApiError as exc:
            names = (run.names if run else []) or params["receivers"] or ["test alerts"]
            checks = _unreached.unjudged(names, "the message arrives", _unreached.why(exc, "it"))
        finally:
            if run is not None:
                notes = run.resolve()
        return checks, notes, run.code if run else ""

    def _passive(
        self, config: _routing_checks.Configuration, readings: t.Sequence[Replica], sent: bool
    ) -> list[_checks.Check]:
        """What is judged without posting. After test alerts the counted failures are left out: the test says more."""
        params = self._params
        there, place = self._installed(), self._place()
        labels = [api.label for api in self._apis]
        checks = []
        if not sent:
            window = _delivery_passive.Window(params["window"], self._counted(labels))
            seconds = _alertmanager_yaml.as_seconds(params["window"], "window")
            errors: dict[str, list[str]] = {}
            for label in labels:
                for item in _delivery_run.pod_log(self._kube, label, seconds):
                    errors.setdefault(item.receiver, []).append(item.text)
            checks += _delivery_passive.failures(config.integrations, readings, window, errors, place)
        checks.append(_delivery_passive.somebody(readings, place))
        checks.append(_delivery_passive.configuration(readings, place))
        wanted = max(there.replicas, 1 if self._kube else len(self._apis))
        checks.append(_delivery_passive.cluster(readings, wanted, place))
        checks += self._leg()
        if not sent:
            checks += self._drill()
        return checks

    def _installed(self) -> _delivery_ask.Installed:
        if self._there is None:
            where = None if self._params["url"] else self._params["namespace"]
            self._there = _delivery_ask.installed(
                self._kube, where, self._params["alertmanager"], self._params["service"]
            )
        return self._there

    def _place(self) -> _delivery_passive.Place:
        params, there = self._params, self._installed()
        return _delivery_passive.Place(
            params["namespace"] or "monitoring",
            there.name,
            params["url"] or "",
            there.credentials_in,
            (params["prometheus"] or {}).get("url") or "",
        )

    def _find_prometheis(self) -> None:
        """Every replica of the Prometheus that is named, none when none is."""
        given = self._params["prometheus"]
        if not given:
            return
        try:
            self._prometheis = replicas({**given, "query_timeout": self._params["query_timeout"]}, self._kube)
        except ApiError as exc:
            self._no_prometheus = exc

    def _counted(self, labels: t.Sequence[str]) -> t.Mapping[Way, Counters] | None:
        """What was counted within the window; None where no Prometheus can tell, which the check of it says."""
        if not self._prometheis:
            return None
        try:
            return _delivery_ask.counted(self._prometheis[0], labels, self._params["window"])
        except ApiError:
            return None

    def _leg(self) -> list[_checks.Check]:
        """Whether alerts get from each Prometheus to Alertmanager."""
        expected, window = "alerts get from Prometheus to Alertmanager", self._params["window"]
        if self._no_prometheus is not None:
            return _unreached.unjudged([_LEG], expected, _unreached.why(self._no_prometheus, "Prometheus"))
        checks = []
        for server in self._prometheis:
            try:
                pods = _delivery_ask.pod_addresses(self._kube, [api.label for api in self._apis])
                discovered, lost = _delivery_ask.discovered(server), _delivery_ask.lost(server, window)
                place = self._place()
            except ApiError as exc:
                checks += _unreached.unjudged([_LEG], expected, _unreached.why(exc, "Prometheus"))
            else:
                checks.append(_delivery_passive.prometheus_leg(discovered, pods, lost, window, server.label, place))
        return checks

    def _drill(self) -> list[_checks.Check]:
        """How long ago the last fire drill was; not told without Kubernetes, where it is remembered."""
        if self._kube is None:
            return []
        try:
            last, code = _delivery_ask.last_drill(self._kube, self._params["namespace"])
            since = self._installed().since
        except ApiError as exc:
            return _unreached.unjudged([_DRILL], "a fire drill now and then", _unreached.why(exc, "it"))
        now = datetime.datetime.now(datetime.UTC)
        return [_delivery_passive.drill(last, code, since, now, self._params["drill_days"])]
