# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The API server's refusals, in terms of the object, the field and what to do.

This module util is PRIVATE to the collection. Pure functions over a C(Status) body (k8s.io/apimachinery meta/v1).
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._applyset_objects import Key, Object, Problem

_FORBIDDEN = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]*)")?'
)
_TYPED = re.compile(r"failed to create typed patch object \([^)]*\): (?P<rest>.*)", re.S)
_FIELD = re.compile(r"^\s*(?P<field>\.[^:\s]+): (?P<message>.*)$", re.S)
_UNKNOWN = re.compile(r'unknown field "(?P<field>[^"]+)"')
_GO_TYPE = re.compile(
    r"cannot unmarshal (?P<got>\S+) into Go struct field \w+\.(?P<field>\S+) of type (?P<want>[\w.]+)"
)
_MANAGER = re.compile(r'conflict with "(?P<manager>[^"]*)"')
_WEBHOOK_DENIED = re.compile(r'admission webhook "(?P<name>[^"]+)" denied the request: (?P<why>.*)', re.S)
_WEBHOOK_DOWN = re.compile(r'failed calling webhook "(?P<name>[^"]+)": (?P<why>.*)', re.S)
_WEBHOOK_DRY = re.compile(r'admission webhook "(?P<name>[^"]+)" does not support dry run')
# Which role of this collection brings a CRD; for the message only.
_BRINGS = {"monitoring.coreos.com": "Run the role prometheus_operator first (playbook day1.yml), it brings the CRDs."}


def explain(key: Key, status: int, body: Object, obj: Object | None = None, secret: bool = False) -> list[Problem]:
    """Everything that one refusal says.

    :param obj: the object that was sent; the values of a Secret are cut out of the server's sentence.
    """
    message = _clean(str(body.get("message") or f"HTTP {status}"))
    if obj is not None and (secret or obj.get("kind") == "Secret"):
        message = scrub(message, obj)
    details = body.get("details") or {}
    causes = [cause for cause in details.get("causes") or [] if isinstance(cause, dict)]
    name = str(key)
    for pattern, make in _BY_MESSAGE:
        match = pattern.search(message)
        if match:
            return make(name, match)
    if status == 401:
        return [Problem(name, "", f"the API server does not know who we are: {message}",
                        "Renew the credentials (K8S_AUTH_KUBECONFIG, K8S_AUTH_CONTEXT).")]  # fmt: skip
    if status == 409 and any(cause.get("reason") == "FieldManagerConflict" for cause in causes):
        return [_conflict(name, cause) for cause in causes]
    if status == 404:
        return [not_found(key, details, message)]
    if "is immutable" in message or "are forbidden" in message and "updates to" in message:
        return [Problem(name, _first_field(causes), _tail(message, key),
                        f"The field cannot be changed in place. Delete the object, then run again: "
                        f"{kubectl('delete', key)}")]  # fmt: skip
    if status == 422 and causes:
        found = [
            Problem(name, str(cause.get("field") or ""), _cause_text(cause, obj), "Correct this field.")
            for cause in causes
        ]
        return list(dict.fromkeys(found))
    if status == 413 or "Request entity too large" in message or "Too long: may not be more than" in message:
        return [Problem(name, "", f"is too large for the API server: {message}", "Split it into several objects.")]
    if "is being terminated" in message:
        return [Problem(name, "metadata.namespace", f"namespace {key.namespace} is being deleted",
                        f"Wait until it is gone: kubectl wait --for=delete namespace/{key.namespace}")]  # fmt: skip
    if "exceeded quota" in message:
        return [Problem(name, "", _tail(message, key),
                        f"See what uses it: kubectl describe resourcequota -n {key.namespace}")]  # fmt: skip
    if status in (500, 503, 504, 429):
        return [Problem(name, "", f"the API server could not answer ({status}): {message}",
                        "Run again; if it stays: kubectl get --raw /readyz?verbose")]  # fmt: skip
    return [Problem(name, _first_field(causes), f"{_tail(message, key)} ({status})", "Correct the object.")]


def kubectl(verb: str, key: Key) -> str:
    """A command line for one object, ready to paste."""
    kind = f"{key.kind.lower()}.{key.group}" if key.group else key.kind.lower()
    place = f" -n {key.namespace}" if key.namespace else ""
    return f"kubectl {verb} {kind} {key.name}{place}"


def kind_unknown(key: Key, api_version: str, served: t.Sequence[str] = ()) -> Problem:
    """The cluster has no such kind.

    :param served: versions of the group that it does serve.
    """
    others = [version for version in served if version != api_version]
    if others:
        return Problem(str(key), "apiVersion", f"the cluster does not serve {key.kind} in {api_version}",
                       f"Use one of {', '.join(others)}.")  # fmt: skip
    remedy = _BRINGS.get(key.group, f"Install what brings the CRD of {key.group_kind} first.")
    return Problem(str(key), "kind", f"the cluster does not know {key.kind} of {api_version} (no CRD)", remedy)


def not_found(key: Key, details: Object, message: str) -> Problem:
    """A 404 to a write: a namespace, or something that the object refers to, is absent."""
    if details.get("kind") == "namespaces":
        return Problem(str(key), "metadata.namespace", f"namespace {details.get('name')} does not exist",
                       f"Create it: kubectl create namespace {details.get('name')}")  # fmt: skip
    if "could not find the requested resource" in message:
        return kind_unknown(key, key.group or "v1")
    return Problem(str(key), "", f"refers to something that does not exist: {message}", "Create that first.")


def scrub(message: str, obj: Object) -> str:
    """The message without any value of the Secret."""
    values = [
        value
        for field in ("data", "stringData")
        for value in (obj.get(field) or {}).values()
        if isinstance(value, str) and len(value) > 3
    ]
    for value in sorted(values, key=len, reverse=True):
        message = message.replace(value, "<masked>")
    return message


def _conflict(name: str, cause: Object) -> Problem:
    match = _MANAGER.search(str(cause.get("message")))
    manager = match["manager"] if match else "somebody else"
    return Problem(
        name, str(cause.get("field") or "").lstrip("."), f"the field belongs to the field manager {manager!r}",
        "Set force_conflicts: true to take it over, or leave the field out.",
    )  # fmt: skip


def _forbidden(name: str, match: re.Match[str]) -> list[Problem]:
    resource = f"{match['resource']}.{match['group']}" if match["group"] else match["resource"]
    place = f" in namespace {match['namespace']}" if match["namespace"] else ""
    option = f" -n {match['namespace']}" if match["namespace"] else ""
    return [
        Problem(
            name, "", f"{match['user']} may not {match['verb']} {resource}{place}",
            f"Grant the verb, then check with: kubectl auth can-i {match['verb']} {resource}{option} "
            f"--as={match['user']}",
        )
    ]  # fmt: skip


def _typed(name: str, match: re.Match[str]) -> list[Problem]:
    """Server-side apply found a field that the schema does not have, or with another type (answered as HTTP 500)."""
    problems = []
    for line in re.split(r"\n|(?<=\S), (?=\.\w)", match["rest"].replace("errors:", "")):
        found = _FIELD.match(line)
        if not found:
            if line.strip():
                problems.append(Problem(name, "", line.strip(), "Correct the object."))
            continue
        field, message = found["field"].lstrip("."), found["message"].strip()
        if "not declared in schema" in message:
            remedy = f"Remove it or correct the spelling; what exists: kubectl explain {_explainable(name, field)}"
            problems.append(Problem(name, field, "the kind has no such field", remedy))
        else:
            problems.append(Problem(name, field, _value(message), "Give it the right type (quote a string)."))
    return problems or [Problem(name, "", match["rest"].strip(), "Correct the object.")]


def _explainable(name: str, field: str) -> str:
    parents = re.sub(r"\[[^\]]*\]", "", field).split(".")[:-1]
    return ".".join([name.split(" ", 1)[0].lower(), *parents])


def _value(message: str) -> str:
    """`got &value.valueUnstructured{Value:8080}` in plain words."""
    return re.sub(r"&value\.valueUnstructured\{Value:(.*)\}", r"\1", message)


def _unknown(name: str, match: re.Match[str]) -> list[Problem]:
    field = match["field"]
    return [
        Problem(name, field, "the kind has no such field",
                f"Remove it or correct the spelling; what exists: kubectl explain {_explainable(name, field)}")
    ]  # fmt: skip


def _go_type(name: str, match: re.Match[str]) -> list[Problem]:
    message = f"expected {match['want'].rpartition('.')[2]}, got {match['got']}"
    return [Problem(name, match["field"], message, "Give it the right type.")]


def _denied(name: str, match: re.Match[str]) -> list[Problem]:
    return [Problem(name, "", f"refused by the admission webhook {match['name']}: {match['why'].strip()}",
                    "Correct what it names.")]  # fmt: skip


def _webhook_down(name: str, match: re.Match[str]) -> list[Problem]:
    return [Problem(name, "", f"the admission webhook {match['name']} does not answer: {match['why'].strip()}",
                    "Bring its Service up; which one: kubectl get validatingwebhookconfigurations,"
                    "mutatingwebhookconfigurations -o yaml | grep -B20 " + match["name"])]  # fmt: skip


def _webhook_dry(name: str, match: re.Match[str]) -> list[Problem]:
    return [Problem(name, "", f"the admission webhook {match['name']} allows no dry run, so nothing can be tried",
                    "Its owner has to declare sideEffects: None.")]  # fmt: skip


_BY_MESSAGE: tuple[tuple[re.Pattern[str], t.Callable[[str, re.Match[str]], list[Problem]]], ...] = (
    (_FORBIDDEN, _forbidden),
    (_TYPED, _typed),
    (_WEBHOOK_DRY, _webhook_dry),
    (_WEBHOOK_DENIED, _denied),
    (_WEBHOOK_DOWN, _webhook_down),
    (_UNKNOWN, _unknown),
    (_GO_TYPE, _go_type),
)


def _clean(message: str) -> str:
    return "\n".join(" ".join(line.split()) for line in message.splitlines() if line.strip())


def _tail(message: str, key: Key) -> str:
    """The server's sentence without the object's name in front, which we say ourselves."""
    return re.sub(rf'^\S+ "{re.escape(key.name)}" is (invalid|forbidden): ', "", message)


def _first_field(causes: t.Sequence[Object]) -> str:
    return str(causes[0].get("field") or "") if causes else ""


def _cause_text(cause: Object, obj: Object | None) -> str:
    text = _clean(str(cause.get("message") or "")) or _clean(str(cause.get("reason") or "")) or "is invalid"
    return scrub(text, obj) if obj is not None and obj.get("kind") == "Secret" else text
