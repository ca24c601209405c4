# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Derive the alerting rules of the resolved catalogue: PrometheusRule objects, and what they are expected to be.

One object per entry, with a second group where it has SLOs; one for what is about no entry (general); and one for the
groups a user brings. This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _packs, _rules_files, _slo, _slo_rules
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import (
    ENTRY_LABEL,
    MANAGED_BY,
    SEVERITIES,
    Entry,
    plain,
    seconds,
    substitute,
    substitute_all,
    tokens_in,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._endpoint_schema import suggest
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql import PromqlError, parse
from ansible_collections.dataplatform.monitoring.plugins.module_utils._promql_reach import result_labels
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_model import PREFIX

# States of an entry in which its series are expected to exist.
ACTIVE = ("present", "adopted")
_OVERRIDES = ("annotations", "enabled", "for", "keep_firing_for", "labels", "severity", "threshold")
_TEXTS = ("expr", "summary", "description")
# https://prometheus.io/docs/concepts/data_model/: what an alert may be called so that it can be matched without quotes
_ALERT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclasses.dataclass(frozen=True)
class Settings:
    """Variables C(rules_*) of the role.

    :param namespace: where the objects lie. :param interval: of every group. :param runbook_base_url: the page of an
        alert is C(<base>/<AlertName>.md). :param overrides: alert -> keys, for every entry that does not say otherwise.
    :param extra_groups: native groups of the user. :param labels: of the objects, where Prometheus selects by label.
    :param probes: whether black-box probes are alerted on, where the catalogue has a prober.
    """

    namespace: str = "monitoring"
    interval: str = "30s"
    runbook_base_url: str = ""
    overrides: t.Mapping[str, t.Mapping[str, t.Any]] = dataclasses.field(default_factory=dict)
    extra_groups: t.Sequence[t.Mapping[str, t.Any]] = ()
    labels: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    probes: bool = True

    @classmethod
    def of(cls, given: t.Any) -> Settings:
        """:raises ConfigError: an unknown key, or a value of the wrong kind."""
        values = plain(given or {})
        known = {field.name for field in dataclasses.fields(cls)}
        for key in values:
            if key not in known:
                raise ConfigError(f"rules: unknown setting {key}; {suggest(str(key), known, 'settings')}.")
        result = cls(**{key: value for key, value in values.items() if value is not None})
        if not seconds(result.interval):
            raise ConfigError(f"rules_interval: {result.interval!r} is no duration; write for example 30s.")
        return result


@dataclasses.dataclass
class Rule:
    """One alert of one owner, every token replaced."""

    alert: str
    owner: str
    body: dict[str, t.Any]
    team: str = ""
    service: str = ""
    namespace: str = ""

    def labels(self) -> dict[str, str]:
        """Labels that the rule sets: who is concerned, and how badly."""
        found = {"severity": str(self.body["severity"])}
        if self.service:
            found["service"] = self.service
        if self.team:
            found["team"] = self.team
        if self.namespace and not self._tells("namespace"):
            found["namespace"] = self.namespace
        return {**found, **(self.body.get("labels") or {})}

    def _tells(self, label: str) -> bool:
        """Whether the result itself may have the label: then ours would hide what is true of the series."""
        try:
            found = result_labels(parse(self.body["expr"]))
        except PromqlError:
            return True
        return found is None or label in found

    def annotations(self, base_url: str, documented: t.Container[str]) -> dict[str, str]:
        """Summary, description and, where a page exists, its address."""
        found = {key: self.body[key] for key in ("summary", "description") if self.body.get(key)}
        page = self.body.get("runbook_url")
        if page is None and base_url and self.alert in documented:
            page = f"{base_url.rstrip('/')}/{self.alert}.md"
        if page:
            found["runbook_url"] = page
        return {**found, **(self.body.get("annotations") or {})}

    def rendered(self, base_url: str, documented: t.Container[str]) -> dict[str, t.Any]:
        """The rule as Prometheus reads it."""
        rule: dict[str, t.Any] = {"alert": self.alert, "expr": self.body["expr"]}
        for key, native in (("for", "for"), ("keep_firing_for", "keep_firing_for")):
            value = str(self.body.get(key) or "")
            if value and seconds(value):
                rule[native] = value
        rule["labels"] = self.labels()
        rule["annotations"] = self.annotations(base_url, documented)
        return rule


@dataclasses.dataclass
class RuleSet:
    """One group of rules. C(name) is that of its object, which may have several; C(entry) is None for what is about no
    entry. What is recorded comes before what alerts on it. C(interval) is empty for the role's own."""

    name: str
    group: str
    rules: list[Rule]
    entry: Entry | None = None
    records: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    interval: str = ""


def documented() -> frozenset[str]:
    """Alerts that have a page in docs/runbooks: every one that comes with the collection."""
    packs = _packs.load()
    shipped = {name for kind in packs.kinds() for name in packs.own(kind).get("alerts", {})}
    return frozenset(shipped | set(_rules_files.alerts()))


def rule_sets(catalogue: t.Mapping[str, t.Any], settings: Settings) -> list[RuleSet]:
    """What is to be alerted on, in the order of the catalogue; entries that are skipped or pending have none.

    :raises ConfigError: an override names no alert or a wrong key.
    """
    active = [entry for entry in catalogue["entries"] if entry["state"] in ACTIVE]
    probing = settings.probes and bool((catalogue.get("prober") or {}).get("url"))
    found = [
        RuleSet(f"{PREFIX}{group['group']}", group["group"], _general(group, active))
        for group in _rules_files.groups("cluster")
    ]
    for entry in active:
        rules = [
            Rule(name, entry["name"], dict(alert), entry["team"], entry["name"], entry["namespace"] or "")
            for name, alert in entry["alerts"].items()
            # adopted without a job: nothing says yet which series are its own
            if "$selector" not in alert["expr"] and entry["min_targets"] >= alert.get("min_targets", 0)
        ]
        if probing and (entry.get("probe") or {}).get("url"):
            rules += [rule for group in _rules_files.groups("probe") for rule in _of_probe(group, entry)]
        found.append(RuleSet(f"{PREFIX}{entry['name']}", entry["name"], rules, entry))
        found += _of_slos(entry, _slo.slos_of(entry, _slo.has_prober(catalogue)))
    _override(found, catalogue, settings.overrides)
    return [one for one in found if one.rules or one.records]


def _general(group: t.Mapping[str, t.Any], active: t.Sequence[Entry]) -> list[Rule]:
    jobs = "|".join(sorted({re.escape(entry["job"]).replace("\\-", "-") for entry in active if entry["job"]}))
    tokens = {"catalogue_jobs": jobs.replace("\\", "\\\\")}
    return [
        Rule(name, group["group"], substitute_all(_without_tests(alert), tokens))
        for name, alert in group["alerts"].items()
    ]


def _of_slos(entry: Entry, slos: t.Sequence[_slo.Slo]) -> list[RuleSet]:
    """The group of an entry's SLOs, if it has any: evaluated as often as its windows count on."""
    if not slos:
        return []
    records = [record for slo in slos for record in _slo_rules.records(slo)]
    rules = [
        Rule(
            name,
            entry["name"],
            {
                **substitute_all(_without_tests(alert), _slo_rules.tokens(slo)),
                "labels": {"slo": slo.name, "sli": slo.sli},
            },
            entry["team"],
            entry["name"],
            entry["namespace"] or "",
        )
        for slo in slos
        for group in _rules_files.groups("slo")
        for name, alert in group["alerts"].items()
    ]
    group = f"{entry['name']}-slo"
    return [RuleSet(f"{PREFIX}{entry['name']}", group, rules, entry, records, _slo_rules.INTERVAL)]


def _of_probe(group: t.Mapping[str, t.Any], entry: Entry) -> list[Rule]:
    tokens = {"name": entry["name"], "probe_job": f"{entry['name']}-probe", "severity": entry["severity"]}
    return [
        Rule(
            name,
            entry["name"],
            substitute_all(_without_tests(alert), tokens),
            entry["team"],
            entry["name"],
            entry["namespace"] or "",
        )
        for name, alert in group["alerts"].items()
        if name not in entry.get("alerts_disabled", ())
    ]


def _without_tests(alert: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {key: value for key, value in alert.items() if key != "tests"}


def _override(
    sets: list[RuleSet], catalogue: t.Mapping[str, t.Any], overrides: t.Mapping[str, t.Mapping[str, t.Any]]
) -> None:
    """Lay C(rules_overrides) over the rules, and fill in what thresholds are still open."""
    known = {rule.alert for one in sets for rule in one.rules}
    known |= {name for entry in catalogue["entries"] for name in (*entry["alerts"], *entry.get("alerts_disabled", ()))}
    for name, change in overrides.items():
        if name not in known:
            raise ConfigError(f"rules_overrides: no alert is called {name}; {suggest(name, known, 'alerts')}.")
        _check_override(name, change)
    for one in sets:
        kept = []
        for rule in one.rules:
            change = dict(overrides.get(rule.alert) or {})
            if change.pop("enabled", True) is False:
                continue
            if "threshold" in change and not _open(rule):
                if one.records:
                    raise ConfigError(
                        f"rules_overrides.{rule.alert}.threshold: burn rates follow from the objective and its window; "
                        f"write slo: {{objective: ..., window: ...}} in the entry {rule.owner}."
                    )
                kind = one.entry["kind"] if one.entry else ""
                raise ConfigError(
                    f"rules_overrides.{rule.alert}.threshold: the threshold of a pack's alert belongs to the pack or "
                    f"the entry; write catalogue_packs: {{{kind}: {{alerts: {{{rule.alert}: "
                    f"{{threshold: {change['threshold']}}}}}}}}}"
                )
            for key, value in change.items():
                old = rule.body.get(key)
                rule.body[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
            if "threshold" in rule.body:
                tokens = {"threshold": repr(rule.body["threshold"])}
                rule.body.update({key: substitute(rule.body[key], tokens) for key in _TEXTS})
            kept.append(rule)
        one.rules = kept


def _open(rule: Rule) -> bool:
    return "threshold" in tokens_in(rule.body["expr"])


def _check_override(name: str, change: t.Any) -> None:
    if not isinstance(change, dict):
        raise ConfigError(f"rules_overrides.{name}: must be a mapping; write {name}: {{severity: warning}}.")
    for key, value in change.items():
        if key not in _OVERRIDES:
            raise ConfigError(
                f"rules_overrides.{name}.{key}: unknown key; {suggest(str(key), set(_OVERRIDES), 'keys')}."
            )
        wrong = (
            (key == "severity" and value not in (*SEVERITIES, "none"))
            or (key == "enabled" and not isinstance(value, bool))
            or (key == "threshold" and (isinstance(value, bool) or not isinstance(value, (int, float))))
            or (key in ("for", "keep_firing_for") and seconds(str(value)) is None)
            or (key in ("labels", "annotations") and not isinstance(value, dict))
        )
        if wrong:
            raise ConfigError(f"rules_overrides.{name}.{key}: {value!r} is not a {key}.")


def catalogue_rules(catalogue: t.Mapping[str, t.Any], settings: Settings) -> list[dict[str, t.Any]]:
    """PrometheusRule objects, in the order of the catalogue; user's own groups come last.

    :raises ConfigError: an override or an extra group that cannot be meant.
    """
    pages = documented()
    objects: dict[str, dict[str, t.Any]] = {}
    for one in rule_sets(catalogue, settings):
        item = objects.setdefault(one.name, _object(one.name, [], settings, one.entry))
        alerts = [rule.rendered(settings.runbook_base_url, pages) for rule in one.rules]
        group = {"name": one.group, "interval": one.interval or settings.interval, "rules": [*one.records, *alerts]}
        item["spec"]["groups"].append(group)
    found = list(objects.values())
    if settings.extra_groups:
        found.append(_object(f"{PREFIX}extra", _extra(settings), settings, None))
    return found


def _extra(settings: Settings) -> list[dict[str, t.Any]]:
    groups, names = [], set()
    for number, group in enumerate(settings.extra_groups):
        where = f"rules_extra_groups[{number}]"
        if not isinstance(group, dict) or not isinstance(group.get("name"), str) or not group.get("rules"):
            raise ConfigError(f"{where}: must be a group; write {{name: ..., rules: [...]}}.")
        if group["name"] in names:
            raise ConfigError(f"{where}: a second group is called {group['name']}; group names are unique.")
        names.add(group["name"])
        for index, rule in enumerate(group["rules"]):
            name = rule.get("alert") or rule.get("record") if isinstance(rule, dict) else None
            if not name or not rule.get("expr"):
                raise ConfigError(f"{where}.rules[{index}]: needs alert or record, and expr.")
            if rule.get("alert") and not _ALERT_NAME.fullmatch(str(name)):
                raise ConfigError(f"{where}.rules[{index}].alert: {name!r} is no name that can be matched.")
        groups.append({"interval": settings.interval, **group})
    return groups


def _object(name: str, groups: list[t.Any], settings: Settings, entry: Entry | None) -> dict[str, t.Any]:
    labels = {**settings.labels, **MANAGED_BY}
    if entry is not None:
        labels[ENTRY_LABEL] = entry["name"]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": name, "namespace": settings.namespace, "labels": labels},
        "spec": {"groups": groups},
    }


def alert_label_sets(catalogue: t.Mapping[str, t.Any], settings: Settings, cluster: str = "") -> list[dict[str, str]]:
    """The labels each alert is sure to have, for routing: what the rule sets, its name, and the cluster."""
    found = [
        {"alertname": rule.alert, **({"cluster": cluster} if cluster else {}), **rule.labels()}
        for one in rule_sets(catalogue, settings)
        for rule in one.rules
    ]
    for group in settings.extra_groups:
        for rule in group.get("rules") or []:
            if rule.get("alert"):
                found.append({"alertname": rule["alert"], **(rule.get("labels") or {})})
    return found


def rule_expectations(catalogue: t.Mapping[str, t.Any], settings: Settings) -> list[dict[str, t.Any]]:
    """What verify_rules expects: one item per object, and one per entry that has none, with the reason."""
    objects = {item["metadata"]["name"]: item for item in catalogue_rules(catalogue, settings)}
    rules_of: dict[str, list[Rule]] = {}
    for one in rule_sets(catalogue, settings):
        rules_of.setdefault(one.name, []).extend(one.rules)
    inactive = [entry for entry in catalogue["entries"] if f"{PREFIX}{entry['name']}" not in objects]
    found = []
    for name, item in objects.items():
        rules = rules_of.get(name, [])
        found.append(
            {
                "name": name.removeprefix(PREFIX),
                "state": "present",
                "object": {"namespace": item["metadata"]["namespace"], "name": name},
                "groups": item["spec"]["groups"],
                "absent_until": {r.alert: r.body["absent_until"] for r in rules if r.body.get("absent_until")},
                "fires_at_rest": [r.alert for r in rules if r.body.get("fires_at_rest")],
            }
        )
    for entry in inactive:
        reason = entry.get("reason") or "it has no alerts"
        if entry["state"] in ACTIVE:
            reason = "its job is not known yet" if entry["alerts"] else "it has no alerts"
        found.append({"name": entry["name"], "state": "skipped", "reason": reason, "object": None, "groups": []})
    return found


def replaced_chart_alerts(catalogue: t.Mapping[str, t.Any] | None) -> list[str]:
    """Alerts of kube-prometheus-stack that ours replace, sorted: of kinds in the catalogue, and of general.yml.

    An alert that was switched off in every entry of its kind stays off: who does not want ours does not want theirs.
    """
    if not catalogue or not catalogue.get("entries"):
        return []
    kinds = {entry["kind"] for entry in catalogue["entries"] if entry["state"] in (*ACTIVE, "pending")}
    table = _rules_files.replaced()
    return sorted({name for kind in {"general", *kinds} for names in table.get(kind, {}).values() for name in names})
