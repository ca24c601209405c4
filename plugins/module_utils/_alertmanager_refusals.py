# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is refused of an Alertmanager configuration before it is written, each with the corrected text to paste.

One cause per kind of fault, with every place. Nothing is rewritten: the correction is text, made on a copy. Values of
credentials are never repeated. This module util is PRIVATE to the collection. Pure functions.
Sources: Alertmanager 0.34, config and notify/*/config.go (which fields are of type Secret); prometheus-operator 0.93,
pkg/alertmanager/operator.go (name and key of the Secret that is read).
"""

from __future__ import annotations

import base64
import binascii
import copy
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _alertmanager_credentials,
    _alertmanager_match,
    _alertmanager_yaml,
    _routing,
    _routing_checks,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_settings import secret_command
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_text import dump, typed
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._matchers import UnsupportedPattern
from ansible_collections.dataplatform.monitoring.plugins.module_utils._routing_explain import idle_continues, show

Config = dict[str, t.Any]
Cause = dict[str, str]

KEY = "alertmanager.yaml"
# Faults that somebody may mean; the others never work, or put a credential where it does not belong.
ACCEPTABLE = (
    "continue_without_effect",
    "critical_not_mailed",
    "parsers_disagree",
    "receiver_without_integration",
    "route_unreachable",
    "template_label_empty",
)
_GROUP_LABEL = re.compile(r"\.GroupLabels\.([a-zA-Z_][a-zA-Z0-9_]*)")
_CRITICAL = {"alertname": "AnyAlert", "severity": "critical"}


class Place(t.NamedTuple):
    """Where the configuration will lie, and where its credentials do.

    :param secret: name of the Secret that the operator reads.
    """

    namespace: str = "monitoring"
    secret: str = "alertmanager-kube-prometheus-stack-alertmanager"  # noqa: S105 - its name
    receivers_secret: str = "alertmanager-receivers"  # noqa: S105 - its name


class Examined(t.NamedTuple):
    """:param corrected: the whole configuration without its faults, as data; None when it cannot be read at all."""

    causes: list[Cause]
    corrected: Config | None


def examine(given: t.Any, place: Place, templates: t.Mapping[str, str] | None = None) -> Examined:
    """Everything that is wrong with a configuration, or with a whole Secret that holds one.

    :param given: the native structure, its text, or a manifest of a Secret.
    """
    causes: list[Cause] = []
    try:
        config, wrong_secret = _unwrap(given, place)
    except ConfigError as exc:
        return Examined([_refused(exc)], None)
    causes += wrong_secret
    corrected = copy.deepcopy(config)
    try:
        causes += _credentials(config, corrected, place)
        causes += _service_keys(config, corrected, place)
        causes += _alertmanager_match.rewritten(config, corrected)
        # What follows needs a tree that loads.
        tree = _routing_checks.Configuration.of(config)
        causes += _templates(config, corrected, templates or {})
        causes += _critical(config, corrected, tree)
        causes += _continues(corrected, tree)
        causes += [item for item in _routing_checks.lint(tree) if item["code"] != "continue_without_effect"]
        causes += _silent(tree)
    except ConfigError as exc:
        return Examined([*causes, _refused(exc)], None)
    except UnsupportedPattern as exc:
        causes.append(cause("pattern_not_judged", f"{exc}.", "install it on the controller: pip install google-re2"))
        return Examined(causes, corrected)
    return Examined(causes, corrected)


def _refused(exc: ConfigError) -> Cause:
    return cause("configuration_refused", f"alertmanager_config: {exc}.", "correct it: amtool check-config FILE")


# --- the Secret around it ---


def _unwrap(given: t.Any, place: Place) -> tuple[Config, list[Cause]]:
    """The configuration itself, and what is wrong with the Secret it came in.

    :raises ConfigError: there is none in it.
    """
    if isinstance(given, str):
        given = typed(_alertmanager_yaml.load(given))
    if not isinstance(given, dict):
        raise ConfigError("it is not a mapping; it starts with global:, route:, receivers:")
    if given.get("kind") != "Secret":
        return given, []
    texts = dict(given.get("stringData") or {})
    for key, value in (given.get("data") or {}).items():
        try:
            texts.setdefault(key, base64.b64decode(str(value), validate=True).decode("utf-8"))
        except (binascii.Error, UnicodeDecodeError):
            continue
    found = {key: text for key, text in texts.items() if key.endswith((".yaml", ".yml"))}
    if not found:
        raise ConfigError(f"the Secret has no key {KEY}")
    key = KEY if KEY in found else sorted(found)[0]
    config = found[key] if isinstance(found[key], dict) else typed(_alertmanager_yaml.load(str(found[key])))
    meta = given.get("metadata") or {}
    name, namespace = str(meta.get("name") or ""), str(meta.get("namespace") or place.namespace)
    wrong = []
    if namespace != place.namespace:
        wrong.append(f"its namespace is {namespace}, not {place.namespace}")
    if name != place.secret:
        wrong.append(f"its name is {name}, not {place.secret}")
    if key != KEY:
        wrong.append(f"its key is {key}, not {KEY}")
    if not wrong:
        return config, []
    return config, [
        cause(
            "secret_not_read",
            f"Nobody reads this Secret: {', '.join(wrong)}. The operator then runs a receiver that tells nobody, and "
            "reports no error.",
            "give this role what is below its key, and it writes the Secret that is read; or correct the manifest:\n"
            f"metadata:\n  name: {place.secret}\n  namespace: {place.namespace}\nstringData:\n  {KEY}: |",
        )
    ]


# --- credentials ---


def _credentials(config: Config, corrected: Config, place: Place) -> list[Cause]:
    found = [item for item in _alertmanager_credentials.literals(config) if not _is_service_key(item)]
    if not found:
        return []
    lines, keys, without_file = [], [], []
    taken: set[str] = set()
    for item in found:
        if item.file_field is None:
            without_file.append(f"{item.place}: {item.remedy}")
            continue
        key = _alertmanager_credentials.key_for(item, taken)
        keys.append(key)
        path = f"/etc/alertmanager/secrets/{place.receivers_secret}/{key}"
        item.put_into(corrected, path)
        lines.append(f"# {item.place}\n{item.file_field}: {path}")
    fix = "take each out of the configuration:\n" + "\n".join([*lines, *(f"# {line}" for line in without_file)])
    if keys:
        commands = "\n".join(secret_command(place.namespace, place.receivers_secret, key) for key in keys)
        fix += f"\nand put the values into the mounted Secret; each is read from the terminal:\n{commands}"
    return [
        cause(
            "literal_credential",
            "Credentials stand in the configuration itself, where every backup and every reader of the Secret sees "
            f"them: {', '.join(item.place for item in found)}.",
            fix,
        )
    ]


def _is_service_key(item: _alertmanager_credentials.Literal) -> bool:
    return item.field == "service_key"


def _service_keys(config: Config, corrected: Config, place: Place) -> list[Cause]:
    found = [item for item in _alertmanager_credentials.literals(config) if _is_service_key(item)]
    if not found:
        return []
    path = f"/etc/alertmanager/secrets/{place.receivers_secret}/pagerduty_routing_key"
    for item in found:
        item.put_into(corrected, path, "routing_key_file")
    return [
        cause(
            "service_key_used",
            f"service_key at {', '.join(item.place for item in found)} is the older Events API v1, and a literal "
            "credential; a key of the other kind is only refused when somebody should be paged.",
            f"make an integration of type Events API v2 in PagerDuty, and write:\nrouting_key_file: {path}\n"
            "and put its key into the mounted Secret; it is read from the terminal:\n"
            + secret_command(place.namespace, place.receivers_secret, "pagerduty_routing_key"),
        )
    ]


# --- texts ---


def _templates(config: Config, corrected: Config, templates: t.Mapping[str, str]) -> list[Cause]:
    """Labels of the group that the group cannot have, so that the text is empty there."""
    tree, _warnings = _routing.build(config)
    grouping: dict[str, list[_routing.Route]] = {}
    for route in tree.walk():
        grouping.setdefault(route.receiver, []).append(route)
    found: list[tuple[str, str, str]] = []
    pairs = zip(
        _alertmanager_yaml.as_list(config.get("receivers"), "receivers"),
        _alertmanager_yaml.as_list(corrected.get("receivers"), "receivers"),
        strict=True,
    )
    for receiver, better in pairs:
        name = _alertmanager_yaml.as_text(receiver.get("name"))
        routes = [route for route in grouping.get(name, []) if not route.group_by_all]
        for place, text in _strings(better, f"receivers[{name}]"):
            for label in dict.fromkeys(_GROUP_LABEL.findall(text)):
                if any(label not in route.group_by for route in routes):
                    found.append((place, label, text))
        _correct_texts(better, routes)
    known = {label for routes in grouping.values() for route in routes for label in route.group_by}
    everything = any(route.group_by_all for routes in grouping.values() for route in routes)
    for file, text in templates.items():
        for label in dict.fromkeys(_GROUP_LABEL.findall(text)):
            if label not in known and not everything:
                found.append((file, label, f"{{{{ .GroupLabels.{label} }}}}"))
    if not found:
        return []
    named = ", ".join(f"{label} at {place}" for place, label, _text in found)
    lines = [f"# {place}\n{place.rpartition('.')[2]}: {_inline(_common(text, label))}" for place, label, text in found]
    return [
        cause(
            "template_label_empty",
            f"The text uses a label of the group that is not in group_by, and is empty there: {named}.",
            "use the labels that all alerts of the group share:\n" + "\n".join(lines),
        )
    ]


def _inline(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _common(text: str, label: str) -> str:
    return re.sub(rf"\.GroupLabels\.{label}\b", f".CommonLabels.{label}", text)


def _strings(value: t.Any, place: str) -> t.Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _strings(item, f"{place}.{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _strings(item, f"{place}[{number}]")


def _correct_texts(value: t.Any, routes: t.Sequence[_routing.Route]) -> None:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        if not isinstance(item, str):
            _correct_texts(item, routes)
            continue
        for label in _GROUP_LABEL.findall(item):
            if any(label not in route.group_by for route in routes):
                value[key] = item = _common(item, label)


# --- who is told ---


def _critical(config: Config, corrected: Config, tree: _routing_checks.Configuration) -> list[Cause]:
    """Whether what is critical reaches a mailbox, where the first route has one for everything."""
    root = tree.root
    if "email" not in (tree.integrations.get(root.receiver) or []):
        return []
    routes = _routing.match(root, _CRITICAL)
    if any("email" in (tree.integrations.get(route.receiver) or []) for route in routes):
        return []
    told = ", ".join(route.receiver for route in routes)
    top = corrected["route"]
    for number, child in enumerate(root.children):
        if _routing.match(child, _CRITICAL):
            top["routes"][number]["continue"] = True
    top["routes"].append({"receiver": root.receiver})
    return [
        cause(
            "critical_not_mailed",
            f"{show(_CRITICAL)} goes to {told} alone, never to {root.receiver}: the receiver of the first route counts "
            "only when no child takes the alert.",
            "let the route continue, and add a last one that takes everything:\n"
            + dump({"routes": top["routes"]}).rstrip(),
        )
    ]


def _continues(corrected: Config, tree: _routing_checks.Configuration) -> list[Cause]:
    """C(continue) that changes nothing. In the corrected text what has become useful stays, the rest goes."""
    before = idle_continues(tree.root)
    if not before:
        return []
    for route, _why in idle_continues(_routing.build(corrected)[0]):
        _at(corrected, route.place).pop("continue", None)
    shown = dump({"routes": corrected["route"]["routes"]}).rstrip()
    named = "; ".join(f"{route.place} has continue: true, but {why}" for route, why in before)
    return [
        cause(
            "continue_without_effect",
            f"{named}. The parent's own receiver is not added either.",
            f"add a later route that takes the alert too, or drop it:\n{shown}",
        )
    ]


def _at(config: Config, place: str) -> Config:
    """The route of a place such as C(route.routes[0].routes[2])."""
    node = config["route"]
    for number in re.findall(r"\[(\d+)\]", place):
        node = node["routes"][int(number)]
    return node


def _silent(tree: _routing_checks.Configuration) -> list[Cause]:
    names = sorted(
        {
            route.receiver
            for route in tree.root.walk()
            if not tree.integrations.get(route.receiver) and route.receiver not in _routing_checks.SILENT
        }
    )
    return [
        cause(
            "receiver_without_integration",
            f"Receiver {name} has no integration: nobody is notified.",
            f"give it one, or say that it is meant by the name null:\n- name: {name}\n  email_configs:\n"
            "    - to: ops@example.com",
        )
        for name in names
    ]
