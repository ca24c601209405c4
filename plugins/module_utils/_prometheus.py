# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Questions in PromQL. This module util is PRIVATE to the collection.

Source of the answers' form: Prometheus, docs/querying/api.md (values are strings, "NaN" and "+Inf" included).
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError


class Sample(t.TypedDict):
    """One series of an instant vector."""

    metric: dict[str, str]
    value: float


def query(api: Api, expr: str, time: float | None = None, timeout: float | None = None) -> list[Sample]:
    """Evaluate C(expr) at one instant; a scalar is one sample without labels.

    :param time: Unix time in seconds; the server's own now when None.
    :raises ApiError: the expression is refused, or its result is neither vector nor scalar.
    """
    params = [("query", expr)] + ([("time", f"{time:.3f}")] if time is not None else [])
    data = api.get_json("/api/v1/query", params, timeout)["data"]
    if data["resultType"] == "scalar":
        return [{"metric": {}, "value": float(data["result"][1])}]
    if data["resultType"] != "vector":
        raise ApiError(f"{api.label}: {expr} is a {data['resultType']}, not an instant vector.")
    return [{"metric": item["metric"], "value": float(item["value"][1])} for item in data["result"]]
