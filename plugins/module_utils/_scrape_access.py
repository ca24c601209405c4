# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""May a ServiceAccount list and watch what service discovery needs? This module util is PRIVATE to the collection.

Asked of the API server (SubjectAccessReview) where that is allowed; this is the answer for who may only read: the RBAC
objects, evaluated as kubernetes pkg/registry/rbac/validation does. Other authorizers are not seen by it.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import Object


class Right(t.NamedTuple):
    """One permission. C(namespace) "" means all namespaces."""

    namespace: str
    verb: str
    group: str
    resource: str

    def __str__(self) -> str:
        where = f"in namespace {self.namespace}" if self.namespace else "in all namespaces"
        return f"{self.verb} {self.resource} {where}"


# What each role of kubernetes_sd_configs lists and watches (prometheus discovery/kubernetes/kubernetes.go).
_NEEDS = {
    "endpoints": [("", "endpoints"), ("", "services"), ("", "pods")],
    "endpointslice": [("discovery.k8s.io", "endpointslices"), ("", "services"), ("", "pods")],
    "pod": [("", "pods")],
    "service": [("", "services")],
    "ingress": [("networking.k8s.io", "ingresses")],
}


def needs(role: str, namespaces: t.Iterable[str]) -> list[Right]:
    """The permissions that a role of service discovery needs in the namespaces; none for a role that is not known."""
    return [
        Right(namespace, verb, group, resource)
        for namespace in namespaces
        for group, resource in _NEEDS.get(role, [])
        for verb in ("list", "watch")
    ]


def allows(
    right: Right,
    account: tuple[str, str],
    cluster_bindings: t.Sequence[Object],
    cluster_roles: t.Sequence[Object],
    bindings: t.Sequence[Object],
    roles: t.Sequence[Object],
) -> bool:
    """Whether RBAC grants a right to a ServiceAccount.

    :param account: (namespace, name). :param bindings: RoleBindings of the right's namespace. :param roles: its Roles.
    """
    rules = {("ClusterRole", name(role)): role.get("rules") or [] for role in cluster_roles}
    local = {("Role", name(role)): role.get("rules") or [] for role in roles}
    applying = [(binding, rules) for binding in cluster_bindings]
    if right.namespace:
        applying += [(binding, {**rules, **local}) for binding in bindings]
    for binding, known in applying:
        reference = binding.get("roleRef") or {}
        held = known.get((reference.get("kind"), reference.get("name")), [])
        if any(_grants(rule, right) for rule in held) and _means(binding.get("subjects") or [], account):
            return True
    return False


def name(item: Object) -> str:
    """Name of an object."""
    return str((item.get("metadata") or {}).get("name") or "")


def _grants(rule: Object, right: Right) -> bool:
    def has(key: str, value: str) -> bool:
        listed = rule.get(key) or []
        return "*" in listed or value in listed

    # A rule for named objects never covers list and watch of all of them.
    return (
        has("verbs", right.verb)
        and has("apiGroups", right.group)
        and has("resources", right.resource)
        and not rule.get("resourceNames")
    )


def _means(subjects: t.Sequence[Object], account: tuple[str, str]) -> bool:
    namespace, who = account
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    for subject in subjects:
        kind, named = subject.get("kind"), subject.get("name")
        if kind == "ServiceAccount" and (subject.get("namespace"), named) == account:
            return True
        if kind == "Group" and named in groups:
            return True
        if kind == "User" and named == f"system:serviceaccount:{namespace}:{who}":
            return True
    return False
