# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Causes that keep a verdict from looking at all. This module util is PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.dataplatform.monitoring.plugins.module_utils._cause import Cause

CAUSES: dict[str, Cause] = {
    "server_unreachable": Cause(
        "access",
        "The server asked for the verdict cannot be reached",
        "Prometheus, Alertmanager or Loki did not accept a connection, or the Kubernetes API found no Pod behind the "
        "Service. Nothing that this server knows could be judged.",
    ),
    "server_error": Cause(
        "access",
        "The server answered with an error",
        "The server was reached but refused the question or failed to answer it; the message carries its own words.",
    ),
    "access_forbidden": Cause(
        "access",
        "The account of this run may not read what the verdict needs",
        "The Kubernetes API, or the server itself, answered 401 or 403. The verifier's ClusterRole that "
        "prometheus_operator creates holds every permission a verdict needs.",
    ),
    "verdict_missing": Cause(
        "access",
        "A verdict was not given at all",
        "The task that should have judged crashed, was skipped, or returned no checks. What was not judged counts as "
        "unknown, never as good.",
    ),
}
