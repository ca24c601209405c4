# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Permissions: those of Prometheus for its service discovery, and those that this run lacks.

This module util is PRIVATE to the collection. Whether a ServiceAccount may list and watch is asked of the API server
(SubjectAccessReview) where that is allowed. This is the answer for who may only read: the RBAC objects, evaluated as
kubernetes pkg/registry/rbac/validation does. Other authorizers are not seen by it.
"""

from __future__ import annotations

import re
import shlex
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_fixes import fix
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import Finding, Object


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


def forbidden(exc: ApiError) -> Finding:
    """A permission that is lacking, with the command that grants it where the API server says which it is."""
    text = f"{exc} {exc.body}"
    found = re.search(r'User "([^"]+)" cannot (\w+) resource "([^"]+)" in API group "([^"]*)"', text)
    remedy = fix("Use an account that may read it; this is what this one may", "kubectl auth can-i --list")
    if found:
        user, verb, resource, group = found.groups()
        parts = user.split(":")
        account = parts[:2] == ["system", "serviceaccount"] and len(parts) == 4
        who = f"--serviceaccount={parts[2]}:{parts[3]}" if account else f"--user={shlex.quote(user)}"
        name = f"verify-{verb}-{resource.replace('/', '-')}"
        remedy = fix(
            f"Grant {user.rpartition(':')[2]} what the verdict needs",
            f"kubectl create clusterrole {name} --verb={verb} --resource={_qualified(resource, group)} && "
            f"kubectl create clusterrolebinding {name} --clusterrole={name} {who}",
        )
    return Finding("access_forbidden", str(exc), remedy, 0.0, certain=False)


def _qualified(resource: str, group: str) -> str:
    """C(pods/proxy), C(endpointslices.discovery.k8s.io): as kubectl wants a resource."""
    plain, _slash, sub = resource.partition("/")
    return plain + (f".{group}" if group else "") + (f"/{sub}" if sub else "")
