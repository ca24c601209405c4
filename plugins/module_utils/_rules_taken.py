# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Why Prometheus does not run the rules of an object. This module util is PRIVATE to the collection.

Source: prometheus-operator, pkg/prometheus/server/rules.go and pkg/operator/rules.go (which files it writes, what it
rejects), and _scrape_selection for what monitors and rules have in common.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import MANAGED_BY
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_errors import explain
from ansible_collections.dataplatform.monitoring.plugins.module_utils._rules_model import (
    PREFIX,
    Group,
    Object,
    Snapshot,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_fixes import flow
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_selection import (
    refusal,
    reported_rejection,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_services import (
    labels_of,
    namespace_of,
    place,
)

# prometheus-operator, pkg/prometheus/server/operator.go, enqueueForNamespace: it forgets such an event, until it looks
# at everything again after five minutes.
_MISSED = (
    "If it stays so, the operator missed it, as it may what comes at the moment its namespace does; let it look again"
)
_NAMED_RULE = re.compile(r'rule (?:\d+), "([^"]+)"')


class Reason(t.NamedTuple):
    """Causes, the first one first, and whether waiting is of no use."""

    causes: list[dict[str, str]]
    final: bool


def file_of(item: Object) -> str:
    """The end of the file that the operator writes for an object."""
    meta = item.get("metadata") or {}
    return f"/{namespace_of(item)}-{meta.get('name')}-{meta.get('uid')}.yaml"


def is_ours(item: Object) -> bool:
    """Whether the role rules made an object."""
    name = str((item.get("metadata") or {}).get("name"))
    return name.startswith(PREFIX) and MANAGED_BY.items() <= labels_of(item).items()


def loaded_groups(item: Object, groups: t.Iterable[Group]) -> list[Group]:
    """The groups that a server runs of an object."""
    return [group for group in groups if group.file.endswith(file_of(item))]


def look_at(item: Object) -> str:
    """The command that shows an object."""
    return f"kubectl -n {namespace_of(item)} get prometheusrule {(item.get('metadata') or {}).get('name')} -o yaml"


def look_again(item: Object) -> str:
    """The command after which the operator looks at an object again, and changes nothing else."""
    name = (item.get("metadata") or {}).get("name")
    return f'kubectl -n {namespace_of(item)} annotate prometheusrule {name} --overwrite looked-at="$(date)"'


def reloader_log(namespace: str) -> str:
    """The command that shows what the sidecar of Prometheus does about new files."""
    return f"kubectl -n {namespace} logs -l app.kubernetes.io/name=prometheus -c config-reloader --tail=20"


def why_not_loaded(item: Object, snapshot: Snapshot, reload_ok: bool = True) -> Reason:
    """Why none of an object's groups is loaded."""
    refused = _refused(item, snapshot)
    if refused is not None:
        return Reason([refused], True)
    rejected = reported_rejection(item, snapshot.events)
    if rejected is not None:
        unreadable = snapshot.unreadable.get((namespace_of(item), str((item.get("metadata") or {}).get("name"))), [])
        home = namespace_of(snapshot.prometheuses[0]) if snapshot.prometheuses else namespace_of(item)
        return Reason(_rejected(item, rejected, unreadable, home), True)
    for prometheus in snapshot.prometheuses:
        if (prometheus.get("spec") or {}).get("paused"):
            told = f"{place(prometheus)} is paused: the operator changes nothing for it, rules included."
            patch = json.dumps({"spec": {"paused": False}}, separators=(",", ":"))
            name = (prometheus.get("metadata") or {}).get("name")
            fix = (
                f"Let the operator go on: kubectl -n {namespace_of(prometheus)} patch prometheus {name} --type merge "
                f"-p '{patch}'"
            )
            return Reason([cause("rule_set_not_loaded", told, fix)], True)
    if not reload_ok:
        told = f"{place(item)} is accepted, and Prometheus keeps its old configuration because reloading it fails."
        home = namespace_of(snapshot.prometheuses[0]) if snapshot.prometheuses else namespace_of(item)
        fix = f"Read why: kubectl -n {home} logs -l app.kubernetes.io/name=prometheus -c prometheus --tail=50"
        return Reason([cause("rule_set_not_loaded", told, fix)], False)
    told = f"{place(item)} is selected and not rejected, and has not reached Prometheus yet."
    return Reason([cause("rule_set_not_loaded", told, f"{_MISSED}: {look_again(item)}")], False)


def _refused(item: Object, snapshot: Snapshot) -> dict[str, str] | None:
    """The cause when no Prometheus that is asked selects the object."""
    refusals = [refusal(one, item, snapshot.namespaces) for one in snapshot.prometheuses]
    if not refusals or not all(refusals):
        return None
    first, prometheus = refusals[0], snapshot.prometheuses[0]
    name = (item.get("metadata") or {}).get("name")
    by_namespace = "NamespaceSelector" in first.field
    told = f"{place(item)} is not selected by {place(prometheus)}: its {first.text}."
    if first.labels:
        labels = " ".join(f"{key}={value}" for key, value in first.labels.items())
        if is_ours(item):
            fix = f"Give all of ours the label, in the inventory: rules_labels: {flow(first.labels)}"
        else:
            fix = f"Give it the label: kubectl -n {namespace_of(item)} label prometheusrule {name} {labels}"
    elif first.namespace_labels:
        labels = " ".join(f"{key}={value}" for key, value in first.namespace_labels.items())
        fix = f"Give the namespace the label: kubectl label namespace {namespace_of(item)} {labels}"
    else:
        patch = json.dumps({"spec": {first.field: {}}}, separators=(",", ":"))
        own = (prometheus.get("metadata") or {}).get("name")
        fix = (
            f"Let Prometheus take every one: kubectl -n {namespace_of(prometheus)} patch prometheus {own} --type merge "
            f"-p '{patch}'"
        )
    return cause("rule_set_namespace_not_selected" if by_namespace else "rule_set_not_selected", told, fix)


def _rejected(
    item: Object, reason: str, unreadable: t.Sequence[tuple[str, str, str]], home: str
) -> list[dict[str, str]]:
    """The rejection, then each rule that explains it."""
    errors = list(unreadable)
    named = _NAMED_RULE.search(reason)
    if not errors and named:
        errors = [(named.group(1), "", reason)]
    told = [explain(name, expr, error, look_at(item)) for name, expr, error in errors]
    name = (item.get("metadata") or {}).get("name")
    fix = f"Correct it where it comes from; this is what was applied: {look_at(item)}"
    if not told:
        log = f"kubectl -n {home} logs -l app=kube-prometheus-stack-operator --tail=-1"
        fix = f"The operator's log says which rule and why: {log} | grep {name}"
    which = f" ({', '.join(one for one, _expr, _error in errors)})" if errors else ""
    first = cause(
        "rule_set_rejected",
        f"The operator leaves out all rules of {place(item)}: {' '.join(reason.split())[:300].rstrip('.')}{which}.",
        fix,
    )
    return [first, *(cause(one.code, one.message, f"{one.advice}: {one.line}") for one in told)]


def not_taken(snapshot: Snapshot, objects: t.Iterable[Object]) -> list[tuple[Object, Reason]]:
    """The objects of which no replica runs anything, with the reason. Objects without any rule are left out."""
    found = []
    for item in objects:
        if not any(group.get("rules") for group in (item.get("spec") or {}).get("groups") or []):
            continue
        if any(loaded_groups(item, replica.groups) for replica in snapshot.replicas):
            continue
        found.append((item, why_not_loaded(item, snapshot)))
    return found
