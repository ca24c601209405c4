# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The checks behind the schemas' keyword ``x-check``: a value and its path in, problems out.

This module util is private to the collection.
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import (
    MONITORING_NAMESPACE,
    is_dns_label,
    seconds,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._endpoint_schema import (
    Problem,
    join,
    show,
    type_of,
)


def check_dns_label(value: Any, path: str) -> list[Problem]:
    """Names of entries, namespaces, Secrets."""
    if is_dns_label(value):
        return []
    return [
        Problem(
            path,
            f"{show(value)} is not a DNS label",
            "use lower-case letters, digits and -, at most 63, beginning and ending with a letter or digit",
        )
    ]


def check_namespace(value: Any, path: str) -> list[Problem]:
    """The namespace in a pack: fixed, or wherever the monitoring is."""
    return [] if value == MONITORING_NAMESPACE else check_dns_label(value, path)


def check_duration(value: Any, path: str) -> list[Problem]:
    """Durations as Prometheus writes them, longer than zero."""
    length = seconds(value)
    if length:
        return []
    if isinstance(value, int) and not isinstance(value, bool):
        return [Problem(path, f"{value} has no unit", f"write {value}s")]
    if length == 0:
        return [Problem(path, "a duration of 0", "write at least 1s")]
    if not isinstance(value, str):
        return [
            Problem(path, f"must be a duration, not {type_of(value)}", "write a number and a unit, like 30s, 5m, 1h30m")
        ]
    return [
        Problem(
            path,
            f"{show(value)} is not a duration",
            "write a number and a unit, like 30s, 5m, 1h30m (ms, s, m, h, d, w, y; largest first)",
        )
    ]


def check_port(value: Any, path: str) -> list[Problem]:
    """A port: 1 to 65535, or a port's name."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return [
            Problem(
                path,
                f"must be a port's name or number, not {type_of(value)}",
                "write for example port: metrics or port: 8081",
            )
        ]
    if isinstance(value, int):
        if 1 <= value <= 65535:
            return []
        return [Problem(path, f"{value} is not a port", "ports are 1 to 65535")]
    if value.strip().isdigit():
        return [
            Problem(
                path, f'"{value}" in quotes would be taken for a port\'s name', f"write {int(value)} without quotes"
            )
        ]
    if not is_dns_label(value):
        return [
            Problem(path, f"{show(value)} is not a port's name", "port names have lower-case letters, digits and -")
        ]
    return []


def check_duration_or_zero(value: Any, path: str) -> list[Problem]:
    """``for:`` of an alert may be 0: fire at the first evaluation."""
    return (
        []
        if value == "0" or value == "0s" or value == 0 and not isinstance(value, bool)
        else check_duration(value, path)
    )


def check_window(value: Any, path: str) -> list[Problem]:
    """The window of an SLO: at least a day, so that burn-rate windows fit into it."""
    problems = check_duration(value, path)
    if not problems and (seconds(value) or 0) < 86_400:
        problems = [Problem(path, f"{show(value)} is too short for an SLO", "write at least 1d; 28d is usual")]
    return problems


def check_objective(value: Any, path: str) -> list[Problem]:
    """Percent, above 0 and below 100."""
    if value == 100:
        return [Problem(path, "100 leaves no error budget", "write what users need, for example 99.9")]
    if not 0 < value < 100:
        return [Problem(path, f"{value} is not a percentage between 0 and 100", "write for example 99.9")]
    if value <= 1:
        return [Problem(path, f"{value} looks like a ratio", f"write a percentage, for example {value * 100:g}")]
    return []


_SECRET_NAME = re.compile(r"(^|[-_.])(pass(word|wd|phrase)?|secret|token|api-?key)$", re.IGNORECASE)
_USER_INFO = re.compile(r"://[^/@\s]*:[^/@\s]*@")
_PATHS = ("/", "$credentials")
_EXPANSION = re.compile(r"\$\([A-Za-z_]\w*\)")
_SECRET_HEADERS = {"authorization", "proxy-authorization", "cookie", "x-api-key"}


def check_arguments(value: Any, path: str) -> list[Problem]:
    """Arguments are visible to everyone on the node, so no credential may stand in one, nor be expanded into one."""
    remedy = (
        "arguments are visible to everyone on the node: take it from the Secret as environment (credentials.env) or as "
        "a file (credentials.files)"
    )
    problems = []
    for number, text in enumerate(value):
        place = f"{path}[{number}]"
        name, equals, given = text.lstrip("-").partition("=")
        # the next argument is the value where there is no =
        if not equals and number + 1 < len(value) and not value[number + 1].startswith("-"):
            given = value[number + 1]
        if _USER_INFO.search(text):
            problems.append(Problem(place, "holds a user and a password", remedy))
        elif _EXPANSION.search(text):
            problems.append(Problem(place, "expands an environment variable into an argument", remedy))
        elif text.startswith("-") and _SECRET_NAME.search(name) and given and not given.startswith(_PATHS):
            problems.append(Problem(place, f"gives {name} its value", remedy))
    return problems


def check_environment(value: Any, path: str) -> list[Problem]:
    """Plain values of variables: whoever may read the Deployment reads them."""
    remedy = "take it from the Secret: credentials: {env: {VARIABLE: key}}"
    return [
        Problem(join(path, key), "holds a credential", remedy)
        for key, text in value.items()
        if _USER_INFO.search(text) or _SECRET_NAME.search(str(key)) and text and not text.startswith(_PATHS)
    ]


def check_file_names(value: Any, path: str) -> list[Problem]:
    """Names of files are keys of a ConfigMap."""
    return [
        Problem(join(path, name), "is not a file's name", "use letters, digits, -, _ and ., without a folder")
        for name in value
        if not isinstance(name, str) or not re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", name) or name in (".", "..")
    ]


def check_probe_headers(value: Any, path: str) -> list[Problem]:
    """Headers of a probe stand in a ConfigMap."""
    return [
        Problem(join(path, name), "would be a credential in a ConfigMap", "name a path that needs no login")
        for name in value
        if str(name).lower() in _SECRET_HEADERS
    ]


CHECKS = {
    "dns-label": check_dns_label,
    "namespace": check_namespace,
    "duration": check_duration,
    "duration-or-zero": check_duration_or_zero,
    "window": check_window,
    "objective": check_objective,
    "port": check_port,
    "exporter-args": check_arguments,
    "exporter-env": check_environment,
    "file-names": check_file_names,
    "probe-headers": check_probe_headers,
}
