# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A live Alertmanager's configuration: read, proven to be loaded, asked itself. PRIVATE to the collection."""

from __future__ import annotations

import time
import typing as t
import uuid

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _alertmanager_loaded,
    _alertmanager_source,
    _alertmanager_yaml,
    _checks,
    _routing_checks,
    _routing_oracle,
    _unreached,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube

POLL_SECONDS = 2.0
# So long a refusal may still be about what was written before.
REFUSAL_SECONDS = 15.0


class Running(t.NamedTuple):
    """A live configuration, with the replicas that answer, notes, and the checks of whether they run it."""

    apis: list[Api]
    loaded: _alertmanager_source.Loaded
    notes: list[str]
    proofs: list[_checks.Check]


def mapping(config: t.Any) -> dict[str, t.Any]:
    """A configuration that is given as a mapping or as its text."""
    return config if isinstance(config, dict) else _alertmanager_yaml.load(str(config))


def prove(
    kube: Kube, apis: t.Sequence[Api], params: dict[str, t.Any], wanted: dict[str, t.Any]
) -> tuple[_alertmanager_source.Loaded, list[str], list[_checks.Check]]:
    """Wait until the wanted configuration is generated and loaded everywhere, nothing can change, or time is up.

    The operator acts within seconds, the volume of a Pod follows within two minutes.
    """
    start = time.monotonic()
    while True:
        loaded, notes = _alertmanager_source.live(kube, apis, params)
        name = _alertmanager_source.find_alertmanager(kube, params["namespace"], params["alertmanager"])
        condition, replicas_wanted = _alertmanager_source.reconciled(kube, params["namespace"], name)
        checks = [
            _alertmanager_loaded.generated_check(wanted, loaded, condition),
            _alertmanager_loaded.replica_check(loaded, apis),
        ]
        cluster = _alertmanager_loaded.cluster_check(apis, replicas_wanted)
        checks += [cluster] if cluster else []
        waited = time.monotonic() - start
        refused = _alertmanager_loaded.rejected(condition) and waited > REFUSAL_SECONDS
        if not _checks.must_fail(checks) or refused or waited + POLL_SECONDS > params["timeout"]:
            return loaded, [*notes, f"Looked for {waited:.0f} s whether it is loaded."], checks
        time.sleep(POLL_SECONDS)


def running(params: dict[str, t.Any]) -> Running:
    """What a live Alertmanager is to run, and whether it does.

    A server that gives no answer leaves what the operator generated for it, where that may be read.

    :raises ApiError: nothing can be read at all.
    """
    kube = Kube(params, params["query_timeout"]) if params["kubernetes"] else None
    try:
        apis = _alertmanager_source.own_replicas(params, kube)
        if params["wanted"] is not None and kube is not None:
            return Running(apis, *prove(kube, apis, params, mapping(params["wanted"])))
        return Running(apis, *_alertmanager_source.live(kube, apis, params), [])
    except ApiError as exc:
        try:
            loaded, notes = _alertmanager_source.live(kube, [], params)
        except ApiError:
            raise exc from None
        trouble = _unreached.why(exc, "Alertmanager")
        unknown = _unreached.unjudged(["replicas"], "every replica runs its configuration", trouble)
        return Running([], loaded, notes, unknown)


def oracle_check(
    expectations: t.Sequence[dict[str, t.Any]], config: _routing_checks.Configuration, api: Api
) -> tuple[_checks.Check, list[str]]:
    """Whether the running server routes as its configuration says, and notes about what was not asked."""
    try:
        return _ask(expectations, config, api)
    except ApiError as exc:
        return _unreached.unjudged(["oracle"], "the server routes as configured", _unreached.why(exc, "it"))[0], []


def _ask(
    expectations: t.Sequence[dict[str, t.Any]], config: _routing_checks.Configuration, api: Api
) -> tuple[_checks.Check, list[str]]:
    run, notes, causes = uuid.uuid4().hex, [], []
    asked = 0
    active = _routing_oracle.active_groups(api)
    for number, item in enumerate(expectations):
        labels, routes = _routing_checks.routes_of(item, config)
        if any(route.group_wait < _routing_oracle.SHORTEST_WAIT for route in routes):
            notes.append(f"{_routing_checks.name_of(item)}: the server was not asked, its route waits too shortly")
            continue
        if any((route.receiver, route.group_labels(labels)) in active for route in routes):
            notes.append(f"{_routing_checks.name_of(item)}: the server was not asked, alerts of its group are active")
            continue
        asked += 1
        answer = _routing_oracle.ask(api, labels, f"{run}-{number}")
        ours = [route.receiver for route in routes]
        if answer != ours:
            causes.append(
                cause(
                    "server_routes_otherwise",
                    f"{_routing_checks.name_of(item)}: {api.label} sends it to {', '.join(answer)}, its configuration "
                    f"says {', '.join(ours)}.",
                    "see whether it has loaded its configuration: the check named replicas",
                )
            )
    expected = f"{asked} of {asked} synthetic alerts routed as configured"
    observed = f"{asked - len(causes)} of {asked}"
    if causes:
        return _checks.failed("oracle", expected, observed, causes), notes
    if not asked:
        return _checks.not_applicable("oracle", expected, "no expectation can be asked without notifying"), notes
    return _checks.ok("oracle", expected, observed), notes
