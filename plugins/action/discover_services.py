# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Proposes entries for the catalogue. Documented in the module of the same name."""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _catalogue_validate,
    _discover,
    _discover_text,
    _packs,
    _servers,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._argspec import prometheus_spec
from ansible_collections.dataplatform.monitoring.plugins.module_utils._discover_collect import Collector
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError, MonitoringError
from ansible_collections.dataplatform.monitoring.plugins.plugin_utils._kube_action import (
    Arguments,
    KubeAction,
    Result,
)


class ActionModule(KubeAction):
    """Reads; on the controller, where the packs are."""

    SPEC: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        **prometheus_spec(),
        "kubernetes": {"type": "bool", "default": True},
        "namespace": {"type": "str", "default": "monitoring"},
        "declared": {"type": "list", "elements": "dict", "default": []},
        "packs": {"type": "dict", "default": {}},
        "exclude_namespaces": {"type": "list", "elements": "str", "default": []},
        "ask_ports": {"type": "bool", "default": True},
        "most_ports": {"type": "int", "default": 200},
        "query_timeout": {"type": "float", "default": 10.0},
    }

    def act(self, args: Arguments) -> Result:
        kube = self.connect(args) if args["kubernetes"] else None
        if kube is None and not (args["prometheus"] or {}).get("url"):
            raise ConfigError("Without Kubernetes a Prometheus is needed: prometheus: {url: http://localhost:9090}")
        loaded = _packs.load(args["packs"])
        packs = {kind: loaded.get(kind) for kind in loaded.kinds()}
        prometheus, notes = self._prometheus(args, kube)
        collector = Collector(
            kube, prometheus, packs, args["exclude_namespaces"], args["ask_ports"], args["most_ports"]
        )
        proposals, more = _discover.propose(collector.collect(args["namespace"]), packs, args["declared"])
        # Where the one that is named answers, nothing has to be named.
        servers = collector.servers() if prometheus is None else {}
        entries = [proposal.entry for proposal in proposals]
        faults = (
            _catalogue_validate.validate(entries, loaded, kubernetes=args["kubernetes"], allow_empty=True)
            if entries
            else []
        )
        return {
            "changed": False,
            "proposals": [proposal._asdict() for proposal in proposals],
            "yaml": _discover_text.as_yaml(proposals, servers),
            "servers": servers,
            "notes": [*notes, *collector.notes, *more, *(f"A proposal needs a change: {fault}" for fault in faults)],
        }

    def _prometheus(self, args: Arguments, kube: t.Any) -> tuple[Api | None, list[str]]:
        """The first replica. A cluster that has no Prometheus yet is discovered without."""
        given = args["prometheus"] or {}
        if not given:
            return None, []
        try:
            return _servers.replicas({**given, "query_timeout": args["query_timeout"]}, kube)[0], []
        except MonitoringError as exc:
            if kube is None:
                raise
            return None, [f"What is scraped already is not known: {exc}"]
