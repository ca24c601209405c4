# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What boards take from the catalogue: its entries, their alerts, and what panels made once per entry are filled with.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _boards_style as style
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _rules, _rules_files, _slo, _slo_burn
from ansible_collections.dataplatform.monitoring.plugins.module_utils._boards_schema import Panel, kinds
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import Entry, seconds, substitute_all
from ansible_collections.dataplatform.monitoring.plugins.module_utils._endpoint_schema import suggest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

# Alert on the error budget by how quickly somebody has to look
_BURN_ALERTS = {"page": "SLOBurnRatePage", "ticket": "SLOBurnRateTicket"}
_COMPARED = (("equals", "=="), ("min", ">="), ("max", "<="))


@dataclasses.dataclass
class Known:
    """The catalogue as boards see it.

    :param entries: those that are present or adopted, whose job is known. :param bodies: owner of a rule -> alert ->
        the rule, as it is deployed. :param probing: whether there is a prober. :param logs: whether there is a Loki.
    """

    entries: list[Entry]
    bodies: dict[str, dict[str, dict[str, t.Any]]]
    probing: bool
    logs: bool
    runbook_base_url: str = ""
    documented: frozenset[str] = frozenset()
    burn: dict[str, style.Bound] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(
        cls,
        catalogue: t.Mapping[str, t.Any],
        *,
        overrides: t.Mapping[str, t.Any],
        probes: bool = True,
        logs: bool = True,
        runbook_base_url: str = "",
    ) -> Known:
        """:raises ConfigError: an override of rules that cannot be meant."""
        settings = _rules.Settings.of({"overrides": overrides, "probes": probes})
        bodies: dict[str, dict[str, dict[str, t.Any]]] = {}
        for one in _rules.rule_sets(catalogue, settings):
            for rule in one.rules:
                bodies.setdefault(rule.owner, {})[rule.alert] = rule.body
        return cls(
            entries=[one for one in catalogue["entries"] if one["state"] in _rules.ACTIVE and one["job"]],
            bodies=bodies,
            probing=bool((catalogue.get("prober") or {}).get("url")),
            logs=logs,
            runbook_base_url=runbook_base_url,
            documented=_rules.documented(),
            burn=_burn_rates(catalogue),
        )

    def kinds(self) -> set[str]:
        """Kinds that have an entry."""
        return {one["kind"] for one in self.entries}

    def wants(self, item: t.Mapping[str, t.Any], entry: Entry | None = None) -> bool:
        """Whether a panel or row is made: its kinds are there, and what it is made for is true."""
        there = self.kinds()
        if not set(kinds(item.get("needs"))) <= there or set(kinds(item.get("without"))) & there:
            return False
        condition = item.get("when")
        if condition is None:
            return True
        if condition == "logs":
            return self.logs and (entry is None or entry["logs"])
        return bool(self.matching(condition) if entry is None else self.satisfies(entry, condition))

    def satisfies(self, entry: Entry, condition: str) -> bool:
        """Whether one of C(_boards_schema.CONDITIONS) is true of an entry."""
        return {
            "business": bool(entry["business_metrics"]),
            "health": bool(entry["health"]),
            "logs": self.logs and bool(entry["logs"]),
            "probe": self.probing and bool((entry.get("probe") or {}).get("url")),
            "slo": bool(entry["slo"]),
        }.get(condition, True)

    def matching(self, condition: str) -> list[Entry]:
        """Entries of which a condition is true; C(entry) is true of all."""
        return [one for one in self.entries if self.satisfies(one, condition)]

    def bodies_of(self, names: t.Sequence[str], entry: Entry | None, where: str) -> dict[str, dict[str, t.Any]]:
        """Alert -> its rule, without those that are switched off.

        :raises ConfigError: a name that no alert has, here or elsewhere.
        """
        general = [group["group"] for group in _rules_files.groups("cluster")]
        owners = [entry["name"], *general] if entry else general
        known = set(_rules_files.alerts())
        if entry:
            known |= {*entry["alerts"], *entry.get("alerts_disabled", ())}
        found = {}
        for name in names:
            if name not in known:
                raise ConfigError(f"{where}: alert: no alert is called {name}; {suggest(name, known, 'alerts')}.")
            for owner in owners:
                if name in self.bodies.get(owner, {}):
                    found[name] = self.bodies[owner][name]
                    break
        return found

    def runbook(self, alert: str, body: t.Mapping[str, t.Any]) -> str:
        """Address of an alert's page, empty when it has none."""
        if body.get("runbook_url"):
            return str(body["runbook_url"])
        if not self.runbook_base_url or alert not in self.documented:
            return ""
        return f"{self.runbook_base_url.rstrip('/')}/{alert}.md"


def alerts_of(panel: Panel) -> list[str]:
    """Names of the alerts that a panel is about."""
    return [panel["alert"]] if "alert" in panel else list(panel.get("alerts") or ())


def bounds_of(bodies: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[style.Bound]:
    """Where the alerts draw their lines."""
    found = [style.bound_of(name, body) for name, body in bodies.items()]
    return [one for one in found if one is not None]


def own_bounds(panel: Panel, burn: t.Mapping[str, style.Bound]) -> list[style.Bound]:
    """Thresholds that the panel itself gives. :param burn: burn rate by the name of its pair of windows."""
    found = []
    for one in panel.get("thresholds") or ():
        value = one.get("above", one.get("below"))
        if isinstance(value, str):
            found += [dataclasses.replace(burn[value], meaning=one["is"])] if value in burn else []
        else:
            found.append(style.Bound(float(value), "above" in one, one["is"]))
    return found


def _burn_rates(catalogue: t.Mapping[str, t.Any]) -> dict[str, style.Bound]:
    """Where alerts on error budgets draw their lines; the lowest where objectives differ in their windows."""
    slos = _slo.slos(catalogue)
    found = {}
    for pair in _slo_burn.PAIRS if slos else ():
        limit = min(_slo_burn.factor(pair, one.seconds, one.budget) for one in slos)
        found[pair.name] = style.Bound(
            round(limit, 10), True, "warning", _BURN_ALERTS[pair.severity], f"over {pair.long} and {pair.short}"
        )
    return found


def tokens_of(entry: Entry) -> dict[str, t.Any]:
    """What the tokens of a panel made once per entry stand for."""
    window = seconds(str((entry["slo"] or {}).get("window") or _slo.WINDOW)) or 0.0
    return {
        "health": healthy(entry["health"]) if entry["health"] else None,
        "job": entry["job"],
        "logs_selector": f'{{namespace="{entry["namespace"]}"}}',
        "min_targets": entry["min_targets"],
        "name": entry["name"],
        "namespace": entry["namespace"],
        "probe_job": f"{entry['name']}-probe",
        "selector": f'job="{entry["job"]}"',
        "severity": entry["severity"],
        "slo_window_hours": f"{window / 3600:g}",
        "target_namespace": (entry["namespaces"] or [entry["namespace"]])[0],
        "team": entry["team"],
    }


def interval_of(entry: Entry) -> str:
    """The longest interval of an entry's own endpoints, empty where all go by what Prometheus does by default."""
    given = [str(one["interval"]) for one in entry["endpoints"] if one.get("interval")]
    return max(given, key=lambda one: seconds(one) or 0.0, default="")


def healthy(health: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """1 while every condition of a service's health holds, 0 while one does not, nothing while one has no data."""
    parts = [
        f"min(({item['expr']}) {op} bool {item[key]:g})" for item in health for key, op in _COMPARED if key in item
    ]
    return " * ".join(parts)


def filled(item: t.Mapping[str, t.Any], entry: Entry) -> dict[str, t.Any]:
    """A panel or row with the tokens of an entry filled in."""
    return substitute_all(dict(item), tokens_of(entry))


def business_panels(entry: Entry) -> list[Panel]:
    """C(business_metrics) of an entry as panels, each with its target as a line."""
    found = []
    for metric in entry["business_metrics"]:
        panel: Panel = {
            "title": metric["title"],
            "description": metric.get("description") or f"What {entry['name']} is for, as its owner counts it.",
            "expr": metric["expr"],
            "unit": metric["unit"],
            "board": "business",
            "row": entry["name"],
            "legend": metric["title"],
        }
        if "absent_until" in metric:
            panel["absent_until"] = metric["absent_until"]
        if "target" in metric:
            panel["target"] = metric["target"]
            panel["description"] += f" The line is its target, {metric['target']:g}."
        found.append(panel)
    return found
