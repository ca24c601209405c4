# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Where an Alertmanager configuration can hold a credential in clear. This module util is PRIVATE to the collection.

Source: Alertmanager 0.34, fields of the types Secret and SecretURL in config/config.go and notify/*/config.go;
prometheus/common config/http_config.go.
"""

from __future__ import annotations

import re
import typing as t
import urllib.parse

# Field -> its file, or None when there is none.
_GLOBAL = {
    "smtp_auth_password": "smtp_auth_password_file",
    "smtp_auth_secret": "smtp_auth_secret_file",
    "slack_api_url": "slack_api_url_file",
    "slack_app_token": "slack_app_token_file",
    "opsgenie_api_key": "opsgenie_api_key_file",
    "victorops_api_key": "victorops_api_key_file",
    "telegram_bot_token": "telegram_bot_token_file",
    "wechat_api_secret": "wechat_api_secret_file",
    "rocketchat_token": "rocketchat_token_file",
    "rocketchat_token_id": "rocketchat_token_id_file",
    "mattermost_webhook_url": "mattermost_webhook_url_file",
}
_INTEGRATIONS: dict[str, dict[str, str]] = {
    "discord": {"webhook_url": "webhook_url_file"},
    "email": {"auth_password": "auth_password_file", "auth_secret": "auth_secret_file"},
    "incidentio": {"alert_source_token": "alert_source_token_file"},
    "mattermost": {"webhook_url": "webhook_url_file"},
    "msteams": {"webhook_url": "webhook_url_file"},
    "msteamsv2": {"webhook_url": "webhook_url_file"},
    "opsgenie": {"api_key": "api_key_file"},
    "pagerduty": {"routing_key": "routing_key_file", "service_key": "service_key_file"},
    "pushover": {"token": "token_file", "user_key": "user_key_file"},
    "rocketchat": {"token": "token_file", "token_id": "token_id_file"},
    "slack": {"api_url": "api_url_file", "app_token": "app_token_file"},
    "telegram": {"bot_token": "bot_token_file"},
    "victorops": {"api_key": "api_key_file"},
    "wechat": {"api_secret": "api_secret_file"},
}
# Below http_config: field -> its file.
_HTTP = {
    "password": "password_file",
    "credentials": "credentials_file",
    "client_secret": "client_secret_file",
    "bearer_token": "bearer_token_file",
    "key": "key_file",
}
HIDDEN = "<hidden>"

Step: t.TypeAlias = "str | int"


class Literal(t.NamedTuple):
    """One credential in clear. The value itself is never kept.

    :param place: for people, such as C(receivers[slack].slack_configs[0].api_url).
    :param path: keys and numbers down to it. :param file_field: the field that names a file instead, if any.
    """

    place: str
    path: tuple[Step, ...]
    field: str
    file_field: str | None
    receiver: str
    integration: str
    remedy: str

    def put_into(self, config: t.Any, path: str, file_field: str | None = None) -> None:
        """Replace it, in a copy of the configuration, by the file."""
        holder = self._holder(config)
        items = list(holder.items())
        holder.clear()
        for key, value in items:
            if key == self.field:
                holder[file_field or str(self.file_field)] = path
            else:
                holder[key] = value

    def hide(self, config: t.Any) -> None:
        """Replace it, in a copy of the configuration, by a mark."""
        self._holder(config)[self.field] = HIDDEN

    def _holder(self, config: t.Any) -> dict[str, t.Any]:
        for step in self.path[:-1]:
            config = config[step]
        return config


def key_for(item: Literal, taken: set[str]) -> str:
    """The key of the receivers' Secret under which the value should lie."""
    stem = item.field if item.field.startswith(item.integration) or not item.integration else (
        f"{item.integration}_{item.field}"
    )  # fmt: skip
    name = re.sub(r"[^-._a-zA-Z0-9]", "_", stem)
    if name in taken:
        name = re.sub(r"[^-._a-zA-Z0-9]", "_", f"{item.receiver}_{stem}")
    number = 2
    while name in taken:
        name, number = f"{name}_{number}", number + 1
    taken.add(name)
    return name


def literals(config: t.Mapping[str, t.Any], templates: bool = False) -> list[Literal]:
    """Every credential that stands in the configuration in clear, in the order of the text.

    :param templates: also addresses of webhooks, whose path often is the credential: for hiding, not for refusing.
    """
    found: list[Literal] = []
    top = config.get("global")
    if isinstance(top, dict):
        for field, file_field in _GLOBAL.items():
            if _given(top.get(field)):
                found.append(Literal(f"global.{field}", ("global", field), field, file_field, "", "", ""))
        found += _http(top.get("http_config"), "global.http_config", ("global", "http_config"), "")
    for number, receiver in enumerate(config.get("receivers") or []):
        if not isinstance(receiver, dict):
            continue
        name = str(receiver.get("name") or number)
        for key, items in receiver.items():
            if key.endswith("_configs") and isinstance(items, list):
                for index, item in enumerate(items):
                    if isinstance(item, dict):
                        place = f"receivers[{name}].{key}[{index}]"
                        path: tuple[Step, ...] = ("receivers", number, key, index)
                        found += _integration(item, key.removesuffix("_configs"), place, path, name, templates)
    return found


def _integration(
    item: dict[str, t.Any], kind: str, place: str, path: tuple[Step, ...], receiver: str, templates: bool
) -> t.Iterator[Literal]:
    for field, file_field in _INTEGRATIONS.get(kind, {}).items():
        if _given(item.get(field)):
            yield Literal(f"{place}.{field}", (*path, field), field, file_field, receiver, kind, "")
    if kind == "webhook" and (_has_password(item.get("url")) or (templates and _given(item.get("url")))):
        yield Literal(f"{place}.url", (*path, "url"), "url", "url_file", receiver, kind, "")
    if kind == "sns" and isinstance(item.get("sigv4"), dict) and _given(item["sigv4"].get("secret_key")):
        remedy = "name a profile or a role_arn instead; there is no file for it"
        where = (*path, "sigv4", "secret_key")
        yield Literal(f"{place}.sigv4.secret_key", where, "secret_key", None, receiver, kind, remedy)
    yield from _http(item.get("http_config"), f"{place}.http_config", (*path, "http_config"), receiver)


def _http(value: t.Any, place: str, path: tuple[Step, ...], receiver: str) -> t.Iterator[Literal]:
    """Passwords, tokens and keys of an HTTP client; a proxy's address with a password has no file."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _http(item, f"{place}[{number}]", (*path, number), receiver)
    if not isinstance(value, dict):
        return
    for field, item in value.items():
        where = f"{place}.{field}"
        if field in _HTTP and _given(item) and isinstance(item, str):
            yield Literal(where, (*path, field), field, _HTTP[field], receiver, "http", "")
        elif field in ("proxy_url", "token_url") and _has_password(item):
            remedy = "take user and password out of the address"
            yield Literal(where, (*path, field), field, None, receiver, "http", remedy)
        elif field == "secrets" and isinstance(item, list) and item:
            yield Literal(where, (*path, field), field, "files", receiver, "http", "")
        else:
            yield from _http(item, where, (*path, field), receiver)


def _given(value: t.Any) -> bool:
    return value is not None and str(value) != ""


def _has_password(value: t.Any) -> bool:
    try:
        return bool(urllib.parse.urlsplit(str(value or "")).password)
    except ValueError:
        return True
