# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Errors of this collection's utils. This module util is PRIVATE to the collection.

Utils raise these; only a module's C(main()) or an action plugin's C(run()) turns them into a failure of the task.
"""

from __future__ import annotations


class MonitoringError(Exception):
    """Root of every error that a util of this collection raises on purpose."""


class ConfigError(MonitoringError):
    """Bad input. The message names the place and the remedy; nothing was changed."""


class ApiError(MonitoringError):
    """A server answered, but not with what was asked for.

    :param message: one sentence: method, server, path, what came back.
    :param status: HTTP status, or None when there was none.
    :param body: an excerpt of the answer, never longer than 500 characters.
    """

    def __init__(self, message: str, status: int | None = None, body: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body = body[:500]


class ApiUnreachable(ApiError):
    """No connection: DNS, refused, TLS, or the Kubernetes API could not reach the Pod behind it."""


class ApiTimeout(ApiUnreachable):
    """The server did not answer within the time a single call may take."""


class ApiForbidden(ApiError):
    """401 or 403: who we are may not do this. The message names the verb and the path."""
