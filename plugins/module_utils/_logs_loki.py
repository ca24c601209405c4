# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Questions to Loki's HTTP API.

Source: Loki, docs/sources/reference/loki-http-api.md. This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import email.utils
import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _logs_metrics, _logs_retention
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api, Params, Response
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError, ApiForbidden
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_pods import Key
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_ready import (
    TENANT_HEADER,
    Ready,
    Tenancy,
    parse_labels,
    unhealthy_members,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_streams import (
    Stream,
    count_by,
    counts,
    selector,
)

# pkg/logqlmodel/error.go: a query may return 500 series unless max_query_series says otherwise.
_TOO_MANY = "maximum number of series"
_WANTED = (
    "loki_discarded_samples_total",
    "loki_distributor_lines_received_total",
    _logs_retention.RUN_METRIC,
    "process_start_time_seconds",
)
# An agent finds a Loki that is this young only after its back-off.
YOUNG = 120.0
_BY = ("namespace", "pod", "container")


def server_time(response: Response) -> float | None:
    """Return the server's clock (Unix time, whole seconds) from its answer; ours may be wrong."""
    try:
        return email.utils.parsedate_to_datetime(response.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return None


class Loki:
    """One Loki, by all its replicas: queries go to the first, pages are read of each.

    :param tenant: sent as X-Scope-OrgID; empty for none. :param query_timeout: seconds for one call.
    """

    def __init__(self, apis: t.Sequence[Api], tenant: str, query_timeout: float) -> None:
        self.apis = list(apis)
        self.tenant = tenant
        self._timeout = query_timeout
        self._headers = {TENANT_HEADER: tenant} if tenant else {}

    def _json(self, path: str, params: Params) -> t.Any:
        """GET of the first replica; Loki writes its errors as plain text.

        :raises ApiError: any status but 200, or no JSON.
        """
        api = self.apis[0]
        response = api.get(path, params, self._timeout, self._headers)
        if response.status != 200:
            kind = ApiForbidden if response.status in (401, 403) else ApiError
            said = " ".join(response.text(300).split())
            raise kind(f"GET {path} of {api.label} answered {response.status}: {said}", response.status, said)
        try:
            return response.json()
        except ValueError as exc:
            raise ApiError(f"GET {path} of {api.label} did not answer JSON: {response.text(100)}", 200) from exc

    def ready(self) -> list[Ready]:
        """Ask every replica for /ready; one that does not answer has status 0."""
        found = []
        for api in self.apis:
            try:
                response = api.get("/ready", (), self._timeout)
                young = response.status == 503 and self._young(api, server_time(response))
                found.append(Ready(api.label, response.status, response.text(500), young))
            except ApiError as exc:
                found.append(Ready(api.label, 0, str(exc)))
        return found

    def _young(self, api: Api, now: float | None) -> bool:
        try:
            response = api.get("/metrics", (), self._timeout)
        except ApiError:
            return False
        start = _logs_metrics.total(_logs_metrics.parse_page(response.text(), _WANTED), "process_start_time_seconds")
        return start is not None and (now or time.time()) - start < YOUNG

    def clock(self) -> float | None:
        """Return the Unix time of the first replica's clock, None when it does not tell."""
        try:
            return server_time(self.apis[0].get("/loki/api/v1/status/buildinfo", (), self._timeout, self._headers))
        except ApiError:
            return None

    def tenancy(self, now: float) -> Tenancy:
        """Ask for the labels of the last six hours, with the tenant, and without when that gave none."""
        params = [("start", _ns(now - 6 * 3600)), ("end", _ns(now))]
        path = "/loki/api/v1/labels"
        response = self.apis[0].get(path, params, self._timeout, self._headers)
        labels = parse_labels(response.text()) if response.status == 200 else ()
        if labels or (response.status >= 400 and response.status not in (401, 403)):
            return Tenancy(response.status, response.text(500), labels)
        bare = self.apis[0].get(path, params, self._timeout).status if self._headers else None
        pages = [page for _label, page in self.pages()]
        receiving: set[str] = set()
        for page in pages:
            received = page.get("loki_distributor_lines_received_total", {})
            receiving.update(
                name for name, value in _logs_metrics.by_label(received, "tenant").items() if name and value > 0
            )
        starts = [_logs_metrics.total(page, "process_start_time_seconds") or 0.0 for page in pages]
        return Tenancy(
            response.status,
            response.text(500),
            labels,
            bare,
            tuple(sorted(receiving)) if pages else None,
            bool(starts) and now - max(starts) < YOUNG,
        )

    def ring_members(self) -> list[str]:
        """Return the members of the ingesters' ring that are not active; none where the page is not to be had."""
        try:
            response = self.apis[0].get("/ring", (), self._timeout, {"Accept": "application/json", **self._headers})
            return unhealthy_members(response.json()) if response.status == 200 else []
        except (ApiError, ValueError):
            return []

    def pages(self) -> list[tuple[str, _logs_metrics.Page]]:
        """Read /metrics of every replica that answers it."""
        found = []
        for api in self.apis:
            try:
                response = api.get("/metrics", (), self._timeout)
            except ApiError:
                continue
            if response.status == 200:
                page = _logs_metrics.parse_page(response.text(), _WANTED)
                if page:
                    found.append((api.label, page))
        return found

    def settings(self) -> _logs_retention.Settings:
        """Read the running configuration; a gateway does not pass it on."""
        try:
            response = self.apis[0].get("/config", (), self._timeout)
        except ApiError:
            return _logs_retention.Settings()
        if response.status != 200:
            return _logs_retention.Settings()
        return _logs_retention.parse_config(response.text())

    def lines(self, now: float, window: float) -> dict[Key, int]:
        """Count the lines of the last C(window) seconds by container, in as few queries as Loki's limit allows."""
        found = self._count(now, window, _BY)
        if found is not None:
            return found
        namespaces = self._count(now, window, ("namespace",))
        if namespaces is None:
            return self._indexed(now, window)
        found = {}
        for key in namespaces:
            part = self._count(now, window, _BY, namespace=key.namespace)
            found.update(self._indexed(now, window, namespace=key.namespace) if part is None else part)
        return found

    def _count(self, now: float, window: float, by: t.Sequence[str], **labels: str) -> dict[Key, int] | None:
        """Count by labels; None when those are more series than Loki returns."""
        try:
            return counts(self._vector(count_by(window, by, **labels), now))
        except ApiError as exc:
            if _TOO_MANY not in exc.body:
                raise
            return None

    def _indexed(self, now: float, window: float, **labels: str) -> dict[Key, int]:
        """Count one line for each stream that the index knows: streams are not limited in number."""
        return {
            Key(stream.get("namespace", ""), stream.get("pod", ""), stream.get("container", "")): 1
            for stream in self.streams(now - window, now, **labels)
        }

    def _vector(self, expr: str, now: float) -> list[dict[str, t.Any]]:
        data = self._json("/loki/api/v1/query", [("query", expr), ("time", _ns(now))])["data"]
        if data["resultType"] != "vector":
            raise ApiError(f"{expr} is a {data['resultType']}, not a vector")
        return data["result"]

    def streams(self, start: float, end: float, **labels: str) -> list[Stream]:
        """Return the label sets of the streams with a line in this span."""
        params = [("match[]", selector(**labels)), ("start", _ns(start)), ("end", _ns(end))]
        return self._json("/loki/api/v1/series", params).get("data") or []

    def newest(self, start: float, end: float, **labels: str) -> float | None:
        """Return the Unix time of the newest line within a span, None when there is none."""
        params = [
            ("query", selector(**labels)),
            ("start", _ns(start)),
            ("end", _ns(end)),
            ("limit", "1"),
            ("direction", "backward"),
        ]
        result = self._json("/loki/api/v1/query_range", params)["data"]["result"]
        times = [int(value[0]) / 1e9 for stream in result for value in stream["values"]]
        return max(times) if times else None

    def entries(self, start: float, end: float) -> int:
        """Estimate the lines within a span from the index: cheap, and good for what was flushed hours ago."""
        params = [("query", selector()), ("start", _ns(start)), ("end", _ns(end))]
        return int(self._json("/loki/api/v1/index/stats", params).get("entries") or 0)


def _ns(seconds: float) -> str:
    return str(int(seconds * 1e9))
