# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The closed set of cause codes. This module util is PRIVATE to the collection.

Each subject keeps its own table (C(_causes_scrape), C(_causes_logs), ...); a code stands in one table only, has an
entry on the troubleshooting page (generated from these tables) and a test that produces it.
"""

from __future__ import annotations

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _causes_access,
    _causes_dashboards,
    _causes_delivery,
    _causes_logs,
    _causes_routing,
    _causes_rules,
    _causes_scrape,
    _causes_slo,
    _causes_workloads,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._cause import Cause

_TABLES = (
    _causes_access.CAUSES,
    _causes_scrape.CAUSES,
    _causes_logs.CAUSES,
    _causes_routing.CAUSES,
    _causes_delivery.CAUSES,
    _causes_rules.CAUSES,
    _causes_slo.CAUSES,
    _causes_workloads.CAUSES,
    _causes_dashboards.CAUSES,
)

CAUSES: dict[str, Cause] = {code: entry for table in _TABLES for code, entry in table.items()}

if len(CAUSES) != sum(len(table) for table in _TABLES):
    raise ValueError("a cause code stands in two tables")


def cause(code: str, message: str, fix: str) -> dict[str, str]:
    """Build the cause of a check.

    :param code: one of C(CAUSES).
    :param message: one sentence: what is wrong, on which object.
    :param fix: what to change; ends in one command or one line of YAML.
    :raises KeyError: for a code that is not in the tables.
    """
    if code not in CAUSES:
        raise KeyError(f"cause code {code!r} is not documented in any _causes_* table")
    return {"code": code, "message": message, "fix": fix}
