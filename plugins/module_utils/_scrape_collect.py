# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One round of looking: a small, consistent snapshot of Prometheus and of Kubernetes.

This module util is PRIVATE to the collection. It reads only; the one exception is a SubjectAccessReview, which stores
nothing and is not made in check mode. Facts that may not be read become findings of their own, never guesses.

Facts of a snapshot, by key: C(("monitors", kind, namespace)) list of objects; C(("prometheuses",)) list;
C(("namespaces",)) labels by name; C(("objects", namespace)) {services, slices, pods}, "*" for all namespaces;
C(("events", namespace)) list; C(("workloads", namespace)) list; C(("operator",)) {deployments, pods};
C(("access", (namespace, account), role, namespaces)) list of (right, allowed). By server: C(("history", job)) series;
C(("samples", job)), C(("present", job, names)), C(("names", job)), C(("seen", job)), C(("query", expr)) vectors;
C(("dropped", pool)) discovered labels; C(("steps", pool, labels)) the relabeling steps, [] where the server has none.
"""

from __future__ import annotations

import datetime
import email.utils
import shlex
import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _prometheus, _scrape_access
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import (
    ApiError,
    ApiForbidden,
    ApiUnreachable,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import parse_time
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_config import parse_job, split_jobs
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_fixes import fix, kubectl
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import (
    FOREVER,
    PLURAL,
    POOL_PREFIX,
    Expectation,
    Finding,
    Server,
    Snapshot,
    escape,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_past import WINDOW_SECONDS
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_selection import operator_of
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_services import labels_of, namespace_of

if t.TYPE_CHECKING:
    from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube

_GROUP = "/apis/monitoring.coreos.com"
_VERSION = {"ScrapeConfig": "v1alpha1"}
# How far back a target that is gone is looked for.
_SEEN_WINDOW = "6h"
_ASKED_OF_PROMETHEUS = ("query", "history", "samples", "present", "names", "seen", "dropped", "steps")
Key = tuple[t.Any, ...]


class Collector:
    """Reads what a verdict needs.

    :param find: gives one C(Api) per replica, as C(_servers.replicas) does; called again after any failure.
    :param kube: the cluster; None for a Prometheus without Kubernetes.
    :param ask_reviews: whether SubjectAccessReviews may be created.
    :param place: where Prometheus runs, as (namespace, service), for the fix of an unreachable one.
    :param url: address at which it is asked, for the same.
    """

    def __init__(
        self,
        find: t.Callable[[], list[Api]],
        kube: Kube | None,
        *,
        ask_reviews: bool = True,
        place: tuple[str, str] | None = None,
        rerun: str | None = None,
        url: str | None = None,
    ) -> None:
        self._find = find
        self._kube = kube
        self._ask_reviews = ask_reviews
        self._place = place
        self._rerun = rerun
        self._url = (url or "").rstrip("/")
        self._apis: list[Api] = []
        self._texts: dict[str, str] = {}
        self._parsed: dict[str, dict[str, t.Any]] = {}
        # The Prometheus server's clock, set by each round; what it says is compared with its own times.
        self.now = time.time()

    def snapshot(self, expectations: t.Sequence[Expectation]) -> Snapshot:
        """The beginning of a round: every Prometheus server. The rest is filled in as it is wanted."""
        prefixes = {
            f"{POOL_PREFIX[e.monitor['kind']]}/{e.monitor['namespace']}/{e.monitor['name']}"
            for e in expectations
            if e.monitor and e.state in ("present", "adopted")
        }
        # A plain configuration's job has the name of its label, as a rule.
        prefixes |= {e.job or e.name for e in expectations if not e.monitor}
        snapshot = Snapshot([], self._kube is not None)
        if self._rerun:
            snapshot.rerun = self._rerun
        try:
            if not self._apis:
                self._apis = self._find()
            snapshot.servers = [self._server(api, prefixes) for api in self._apis]
        except ApiError as exc:
            snapshot.servers = [Server("Prometheus", problem=self._problem(exc))]
        if any(server.problem for server in snapshot.servers):
            self._apis = []
        return snapshot

    def _problem(self, exc: ApiError) -> Finding:
        """Why Prometheus could not be asked; it may come up any moment, unless it is a matter of permissions."""
        if isinstance(exc, ApiForbidden):
            return _scrape_access.forbidden(exc)
        if self._url:
            command = f"curl -sS -i --max-time 10 {shlex.quote(self._url + '/-/ready')}"
        elif self._place:
            command = kubectl(self._place[0], "get", "pods,endpointslices", "-o", "wide")
        else:
            command = "kubectl get pods -A" if self._kube else "curl -sS -i --max-time 10 http://localhost:9090/-/ready"
        code = "server_unreachable" if isinstance(exc, ApiUnreachable) else "server_error"
        # 503 is what Prometheus answers while it replays its write-ahead log.
        return Finding(code, str(exc), fix("See whether Prometheus runs and is ready", command), FOREVER, certain=False)

    def _server(self, api: Api, prefixes: set[str]) -> Server:
        place = api.label.removeprefix("pod ").partition("/") if api.label.startswith("pod ") else None
        server = Server(f"{place[0]}/{place[2]}" if place else api.label, (place[0], place[2]) if place else None)
        try:
            info = api.get("/api/v1/status/runtimeinfo")
            self._read_clock(info.headers.get("date"))
            runtime = api.get_json("/api/v1/status/runtimeinfo")["data"] if info.status != 200 else info.json()["data"]
            server.reload_ok = runtime.get("reloadConfigSuccess")
            server.config_time = parse_time(runtime.get("lastConfigTime"))
            server.targets = api.get_json("/api/v1/targets", [("state", "active")])["data"]["activeTargets"] or []
            self._read_config(server, api.get_json("/api/v1/status/config")["data"]["yaml"], prefixes)
        except ApiError as exc:
            server.problem = self._problem(exc)
        except (KeyError, TypeError, ValueError) as exc:
            server.problem = self._problem(ApiError(f"{api.label} does not answer like Prometheus: {exc!r}."))
        return server

    def _read_clock(self, date: str | None) -> None:
        if date:
            try:
                self.now = email.utils.parsedate_to_datetime(date).timestamp()
                return
            except ValueError:
                pass
        self.now = datetime.datetime.now(datetime.UTC).timestamp()

    def _read_config(self, server: Server, text: str, prefixes: set[str]) -> None:
        """Parse only the jobs that are asked for, and only when the configuration has changed since the last round."""
        if self._texts.get(server.name) != text:
            jobs = split_jobs(text)
            wanted = {pool: body for pool, body in jobs.items() if _prefix(pool) in prefixes}
            self._parsed[server.name] = {
                "pools": frozenset(jobs),
                "jobs": {pool: parse_job(body) for pool, body in wanted.items()},
            }
            self._texts[server.name] = text
        server.pools = self._parsed[server.name]["pools"]
        server.jobs = self._parsed[server.name]["jobs"]

    def fill(self, snapshot: Snapshot) -> None:
        """Fetch every fact that is wanted and not there."""
        wanted = {key for key in snapshot.wanted if key not in snapshot.facts}
        snapshot.wanted.clear()
        self._fill_batched(snapshot, wanted)
        for key in sorted(wanted - set(snapshot.facts), key=repr):
            try:
                snapshot.facts[key] = getattr(self, f"_get_{key[0]}")(snapshot, *key[1:])
            except ApiError as exc:
                snapshot.facts[key] = self._refused(key, exc)

    def _refused(self, key: Key, exc: ApiError) -> Finding:
        """A fact that could not be read. It may be readable in the next round, unless permissions are lacking."""
        if isinstance(exc, ApiForbidden):
            return _scrape_access.forbidden(exc)
        code = "server_unreachable" if isinstance(exc, ApiUnreachable) else "server_error"
        if key[0] in _ASKED_OF_PROMETHEUS:
            what = str(key[1]) if key[0] == "query" else f"{key[0]} of {key[1]}"
            command = f"promtool query instant http://localhost:9090 {shlex.quote(what)}"
            message, remedy = f"Prometheus does not answer {what}: {exc}", fix("Try it in Prometheus", command)
        else:
            message, remedy = str(exc), fix("See whether the Kubernetes API answers", "kubectl get --raw /readyz")
        # A refused expression stays refused.
        patience = 0.0 if exc.status in (400, 422) else FOREVER
        return Finding(code, message, remedy, patience, certain=False)

    # --- Prometheus -------------------------------------------------------------------------------------------------

    def _each(self, snapshot: Snapshot, read: t.Callable[[Api], t.Any]) -> dict[str, t.Any]:
        """Ask every server that answers in this round."""
        asked = zip(self._apis, snapshot.servers, strict=False)
        return {server.name: read(api) for api, server in asked if server.problem is None}

    def _fill_batched(self, snapshot: Snapshot, wanted: set[Key]) -> None:
        """Questions about many jobs that one query answers for all of them."""
        jobs = sorted({key[1] for key in wanted if key[0] == "history"})
        if jobs:
            self._spread(
                snapshot, "history", jobs, lambda api: _matrix(api, f"up{{{_of(jobs)}}}[{WINDOW_SECONDS:.0f}s]")
            )
        jobs = sorted({key[1] for key in wanted if key[0] == "samples"})
        if jobs:
            self._spread(
                snapshot, "samples", jobs, lambda api: _prometheus.query(api, f"scrape_samples_scraped{{{_of(jobs)}}}")
            )
        keys = [key for key in wanted if key[0] == "present"]
        if keys:
            names = "|".join(sorted({name for key in keys for name in key[2]}))
            jobs = sorted({key[1] for key in keys})
            expr = f'count by (job, __name__) ({{__name__=~"{names}",{_of(jobs)}}})'
            self._spread(snapshot, "present", jobs, lambda api: _prometheus.query(api, expr), keys)

    def _spread(
        self,
        snapshot: Snapshot,
        kind: str,
        jobs: list[str],
        read: t.Callable[[Api], list[t.Any]],
        keys: t.Sequence[Key] | None = None,
    ) -> None:
        keys = keys or [(kind, job) for job in jobs]
        try:
            found = self._each(snapshot, read)
        except ApiError as exc:
            for key in keys:
                snapshot.facts[key] = self._refused(key, exc)
            return
        for key in keys:
            snapshot.facts[key] = {
                server: [item for item in items if item["metric"].get("job") == key[1]]
                for server, items in found.items()
            }

    def _get_query(self, snapshot: Snapshot, expr: str) -> t.Any:
        return self._each(snapshot, lambda api: _prometheus.query(api, expr))

    def _get_names(self, snapshot: Snapshot, job: str) -> t.Any:
        # Of the last minutes only: what was there before is what is missing now.
        params = [("match[]", f'{{job="{escape(job)}"}}'), ("start", f"{self.now - 300:.0f}")]
        return self._each(snapshot, lambda api: api.get_json("/api/v1/label/__name__/values", params)["data"] or [])

    def _get_seen(self, snapshot: Snapshot, job: str) -> t.Any:
        last = f'max_over_time(timestamp(up{{job="{escape(job)}"}})'
        # To the scrape for the last minutes, to the minute before.
        expr = f"max by (instance, pod, namespace) ({last}[10m:5s]) or {last}[{_SEEN_WINDOW}:1m]))"
        return self._each(snapshot, lambda api: _prometheus.query(api, expr))

    def _get_dropped(self, snapshot: Snapshot, pool: str) -> t.Any:
        def read(api: Api) -> list[dict[str, str]]:
            params = [("state", "dropped"), ("scrapePool", pool)]
            found = api.get_json("/api/v1/targets", params)["data"].get("droppedTargets") or []
            # Before 2.42 the option scrapePool is ignored; the discovered job label names the pool.
            labels = [item.get("discoveredLabels") or {} for item in found]
            return [item for item in labels if item.get("job", pool) == pool]

        return self._each(snapshot, read)

    def _get_steps(self, snapshot: Snapshot, pool: str, labels: str) -> t.Any:
        params = [("scrapePool", pool), ("labels", labels)]
        for api, server in zip(self._apis, snapshot.servers, strict=False):
            if server.problem is None:
                answer = api.get("/api/v1/targets/relabel_steps", params)
                return (answer.json().get("data") or {}).get("steps") or [] if answer.status == 200 else []
        return []

    # --- Kubernetes -------------------------------------------------------------------------------------------------

    def _list(self, path: str, **selectors: str) -> list[dict[str, t.Any]]:
        if self._kube is None:
            raise ApiUnreachable("There is no Kubernetes API to ask: kubernetes is false.")
        return self._kube.list(path, **selectors)

    def _get_monitors(self, snapshot: Snapshot, kind: str, namespace: str) -> t.Any:
        return self._list(f"{_GROUP}/{_VERSION.get(kind, 'v1')}/namespaces/{namespace}/{PLURAL[kind]}")

    def _get_prometheuses(self, snapshot: Snapshot) -> t.Any:
        return self._list(f"{_GROUP}/v1/prometheuses")

    def _get_namespaces(self, snapshot: Snapshot) -> t.Any:
        return {item["metadata"]["name"]: labels_of(item) for item in self._list("/api/v1/namespaces")}

    def _get_objects(self, snapshot: Snapshot, namespace: str) -> t.Any:
        where = "" if namespace == "*" else f"/namespaces/{namespace}"
        return {
            "services": self._list(f"/api/v1{where}/services"),
            "slices": self._list(f"/apis/discovery.k8s.io/v1{where}/endpointslices"),
            "pods": self._list(f"/api/v1{where}/pods"),
        }

    def _get_events(self, snapshot: Snapshot, namespace: str) -> t.Any:
        return self._list(f"/api/v1/namespaces/{namespace}/events", field_selector="reason=InvalidConfiguration")

    def _get_workloads(self, snapshot: Snapshot, namespace: str) -> t.Any:
        kinds = ("deployments", "statefulsets", "daemonsets")
        return [item for kind in kinds for item in self._list(f"/apis/apps/v1/namespaces/{namespace}/{kind}")]

    def _get_operator(self, snapshot: Snapshot) -> t.Any:
        deployments = self._list("/apis/apps/v1/deployments")
        operator = operator_of(deployments)
        if operator is None:
            return {"deployments": [], "pods": []}
        wanted = (operator["spec"].get("selector") or {}).get("matchLabels") or {}
        selector = ",".join(f"{key}={value}" for key, value in wanted.items())
        pods = self._list(f"/api/v1/namespaces/{namespace_of(operator)}/pods", label_selector=selector)
        return {"deployments": [operator], "pods": pods}

    def _get_access(
        self, snapshot: Snapshot, account: tuple[str, str], role: str, namespaces: tuple[str, ...]
    ) -> t.Any:
        rights = _scrape_access.needs(role, namespaces)
        if self._ask_reviews:
            answers = [self._review(account, right) for right in rights]
            if all(answer is not None for answer in answers):
                return list(zip(map(tuple, rights), answers, strict=True))
            self._ask_reviews = False
        base = "/apis/rbac.authorization.k8s.io/v1"
        cluster = [self._list(f"{base}/{kind}") for kind in ("clusterrolebindings", "clusterroles")]
        found = []
        for right in rights:
            local: list[list[dict[str, t.Any]]] = [[], []]
            if right.namespace:
                local = [
                    self._list(f"{base}/namespaces/{right.namespace}/{kind}") for kind in ("rolebindings", "roles")
                ]
            found.append((tuple(right), _scrape_access.allows(right, account, *cluster, *local)))
        return found

    def _review(self, account: tuple[str, str], right: _scrape_access.Right) -> bool | None:
        """The API server's own answer; None when it may not be asked."""
        if self._kube is None:
            return None
        namespace, name = account
        attributes = {
            "namespace": right.namespace,
            "verb": right.verb,
            "group": right.group,
            "resource": right.resource,
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": f"system:serviceaccount:{namespace}:{name}",
                "groups": ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"],
                "resourceAttributes": attributes,
            },
        }
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        status, answer = self._kube.request("POST", path, body)
        if status in (401, 403):
            return None
        if status >= 400:
            raise ApiError(f"POST {path}: {answer.get('message')}", status)
        return bool((answer.get("status") or {}).get("allowed"))


def _prefix(pool: str) -> str:
    """C(serviceMonitor/ns/name) of C(serviceMonitor/ns/name/0)."""
    parts = pool.split("/")
    return "/".join(parts[:3])


def _of(jobs: t.Sequence[str]) -> str:
    """A matcher for several jobs."""
    if len(jobs) == 1:
        return f'job="{escape(jobs[0])}"'
    quoted = "|".join(escape(_regex(job)) for job in jobs)
    return f'job=~"{quoted}"'


def _regex(text: str) -> str:
    return "".join(f"\\{char}" if char in "\\.+*?()|[]{}^$" else char for char in text)


def _matrix(api: Api, expr: str) -> list[dict[str, t.Any]]:
    """Raw samples of the last minutes."""
    data = api.get_json("/api/v1/query", [("query", expr)])["data"]
    if data.get("resultType") != "matrix":
        raise ApiError(f"{api.label}: {expr} is a {data.get('resultType')}, not a range of samples.")
    return [
        {"metric": item["metric"], "values": [(float(at), float(value)) for at, value in item["values"]]}
        for item in data["result"]
    ]
