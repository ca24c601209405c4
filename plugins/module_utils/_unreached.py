# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Checks of what could not be judged because a server gave no answer. This module util is PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import (
    ApiError,
    ApiForbidden,
    ApiUnreachable,
)


def why(exc: ApiError, server: str) -> _checks.Cause:
    """The cause: not reached, not allowed, or an error of the server's own.

    :param server: what a person calls it, "Alertmanager".
    """
    if isinstance(exc, ApiForbidden):
        fix = "Use an account that may read it; this is what this one may: kubectl auth can-i --list"
        return cause("access_forbidden", str(exc), fix)
    code = "server_unreachable" if isinstance(exc, ApiUnreachable) else "server_error"
    return cause(code, str(exc), f"See whether {server} runs and is ready: kubectl get pods -A")


def unjudged(names: t.Sequence[str], expected: str, found: _checks.Cause) -> list[_checks.Check]:
    """A check of each name, C(unknown) for the same cause."""
    return [_checks.unknown(name, expected, "no answer", [found]) for name in names]
