# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the passive verdict asks of Prometheus and the cluster. This module util is PRIVATE to the collection."""

from __future__ import annotations

import datetime
import json
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_source import (
    find_alertmanager,
    without_operator,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import Api
from ansible_collections.dataplatform.monitoring.plugins.module_utils._delivery_counters import Counters, Way
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube
from ansible_collections.dataplatform.monitoring.plugins.module_utils._prometheus import query

#: Where the last drill is remembered, beside Alertmanager.
DRILL_MAP = "dataplatform-monitoring-drill"
DRILL_KEY = "last.json"


class Installed(t.NamedTuple):
    """The Alertmanager object: its name, how many replicas it wants, since when it exists.

    :param credentials_in: the Secret that holds its receivers' credentials, as far as it tells.
    """

    name: str
    replicas: int
    since: datetime.datetime | None
    credentials_in: str = "alertmanager-receivers"


def installed(kube: Kube | None, namespace: str | None, name: str | None, service: str | None = None) -> Installed:
    """Read it; without Kubernetes or the operator there is one replica of unknown age.

    :param service: the Service that was named. Without an Alertmanager object it says what is meant.
    :raises ConfigError: several and none named.
    """
    if kube is None or not namespace or without_operator(kube, namespace, name, service):
        return Installed(service or "alertmanager", 1, None)
    found = find_alertmanager(kube, namespace, name)
    item = kube.get(f"/apis/monitoring.coreos.com/v1/namespaces/{namespace}/alertmanagers/{found}") or {}
    spec = item.get("spec") or {}
    replicas = spec.get("replicas")
    secret = next(iter(spec.get("secrets") or []), "") or spec.get("configSecret") or f"alertmanager-{found}"
    since = moment(item["metadata"]["creationTimestamp"])
    return Installed(found, 1 if replicas is None else int(replicas), since, secret)


def moment(text: str) -> datetime.datetime:
    """A time as the Kubernetes API writes it."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def last_drill(kube: Kube | None, namespace: str | None) -> tuple[datetime.datetime | None, str]:
    """When the last drill passed, and its code.

    :raises ConfigError: the ConfigMap holds something else.
    """
    if kube is None or not namespace:
        return None, ""
    found = kube.get(f"/api/v1/namespaces/{namespace}/configmaps/{DRILL_MAP}")
    text = ((found or {}).get("data") or {}).get(DRILL_KEY)
    if not text:
        return None, ""
    try:
        told = json.loads(text)
        return moment(told["at"]), str(told["code"])
    except (ValueError, KeyError, TypeError) as exc:
        raise ConfigError(
            f"ConfigMap {namespace}/{DRILL_MAP}, key {DRILL_KEY}, is unreadable ({exc}): delete it and drill again."
        ) from exc


def pod_addresses(kube: Kube | None, labels: t.Sequence[str]) -> dict[str, str]:
    """IP of each Pod, from labels such as C(pod monitoring/name)."""
    found = {}
    for label in labels:
        kind, _space, place = label.partition(" ")
        namespace, _slash, pod = place.partition("/")
        if kube is not None and kind == "pod":
            item = kube.get(f"/api/v1/namespaces/{namespace}/pods/{pod}") or {}
            found[pod] = (item.get("status") or {}).get("podIP", "")
    return found


def _selector(labels: t.Sequence[str]) -> str:
    """Series of exactly these Pods; all, when they are not Pods."""
    places = [label.partition(" ")[2].partition("/") for label in labels if label.startswith("pod ")]
    if not places:
        return ""
    return f'{{namespace="{places[0][0]}",pod=~"{"|".join(pod for _n, _s, pod in places)}"}}'


def counted(api: Api, labels: t.Sequence[str], window: str) -> dict[Way, Counters] | None:
    """What the replicas counted within the window, None when Prometheus has no such series.

    A configuration of one's own need not give its targets the labels of Pods: as many of them as there are replicas are
    taken for these.
    """
    chosen = _selector(labels)
    bare = '{pod=""}'
    if chosen and not query(api, f"count(alertmanager_notifications_total{chosen})"):
        instances = query(api, f"count by (job, instance) (alertmanager_notifications_total{bare})")
        chosen = bare if len(instances) == len(labels) else chosen
    by = "sum by (integration, receiver_name{more}) (increase({metric}{chosen}[{window}]))"
    attempts = query(api, by.format(more="", metric="alertmanager_notifications_total", chosen=chosen, window=window))
    if not attempts:
        return None
    failed = query(
        api, by.format(more=", reason", metric="alertmanager_notifications_failed_total", chosen=chosen, window=window)
    )
    reasons: dict[Way, dict[str, float]] = {}
    for sample in failed:
        if sample["value"] > 0:
            reasons.setdefault(_way(sample["metric"]), {})[sample["metric"].get("reason", "other")] = sample["value"]
    ways = {_way(sample["metric"]): Counters(attempts=sample["value"]) for sample in attempts}
    return {way: Counters(item.attempts, failed=reasons.get(way, {})) for way, item in ways.items()}


def _way(metric: t.Mapping[str, str]) -> Way:
    return metric.get("integration", ""), metric.get("receiver_name", "")


def discovered(api: Api) -> list[str]:
    """Addresses of the Alertmanagers that a Prometheus sends to."""
    data = api.get_json("/api/v1/alertmanagers")["data"]
    return [item["url"] for item in data.get("activeAlertmanagers") or []]


def lost(api: Api, window: str) -> dict[str, float] | None:
    """Alerts that were dropped, and errors, within the window; None when it does not scrape itself."""
    found = {}
    for words, metric in (
        ("dropped alerts", "prometheus_notifications_dropped_total"),
        ("errors", "prometheus_notifications_errors_total"),
    ):
        samples = query(api, f"sum(increase({metric}[{window}]))")
        if not samples:
            return None
        found[words] = samples[0]["value"]
    return found
