# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What role prometheus_operator refuses. This module util is PRIVATE to the collection.

Besides the impossible: what is pasted from old instructions for kube-prometheus-stack, which has no schema and so
ignores or half obeys it. Every sentence says what to write instead.
"""

from __future__ import annotations

import math
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _preflight as preflight
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import seconds

# CRD prometheuses.monitoring.coreos.com, spec.retentionSize and spec.retention.
_BYTE_SIZE = re.compile(r"^(0|([0-9]*[.])?[0-9]+((K|M|G|T|E|P)i?)?B)$")
_DURATION = re.compile(r"^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$")
_VALUES = "prometheus_operator_values"
_SPEC = "prometheus.prometheusSpec"
_SWITCHES = {
    "prometheus-node-exporter.enabled": "prometheus_operator_node_exporter_enabled",
    "kube-state-metrics.enabled": "prometheus_operator_kube_state_metrics_enabled",
}
_NAMES = ("fullnameOverride", "nameOverride", "namespaceOverride", "cleanPrometheusOperatorObjectNames")
_OWN_CONFIG = ("config", "stringConfig", "tplConfig", "templateFiles")


def _retention_size(place: str, size: t.Any) -> list[str]:
    if size in (None, "") or _BYTE_SIZE.match(str(size)):
        return []
    remedy = f"Write {size}B." if re.match(r"^[0-9.]+[KMGTPE]i?$", str(size)) else "Write it like 50GB or 45GiB."
    return [f"{place}: {size!r} is no size Prometheus knows, which ends in B. {remedy}"]


def _retention(place: str, duration: t.Any) -> list[str]:
    if duration in (None, "") or _DURATION.match(str(duration)):
        return []
    return [f"{place}: {duration!r} is no duration. Write it like 30d."]


def windows_kept(slos: t.Sequence[t.Mapping[str, t.Any]], retention: t.Any) -> list[str]:
    """SLOs whose window would never be full, because samples are deleted before.

    :param slos: as the filter slo_expectations tells them.
    """
    kept = seconds(str(retention))
    lengths = {one["service"]: seconds(str(one["window"])) or 0.0 for one in slos if one.get("window")}
    long = [service for service, length in lengths.items() if kept and length >= kept]
    if not long:
        return []
    enough = math.ceil(max(lengths[service] for service in long) / 86_400) + 5
    return [
        f"{', '.join(long)}: slo.window would never be full, for samples are kept for {retention}. "
        f"Write prometheus_operator_prometheus_retention: {enough}d, or shorter windows."
    ]


def pasted(values: t.Mapping[str, t.Any]) -> list[str]:
    """Values that do not do what whoever wrote them believes."""
    faults = []
    if preflight.has(values, "grafana.adminPassword"):
        faults.append(
            f"{_VALUES}.grafana.adminPassword: a password does not belong into values. Remove it: one is generated "
            "into a Secret. For your own, make a Secret with keys admin-user and admin-password and set "
            "prometheus_operator_grafana_admin_secret to its name."
        )
    faults += _retention_size(f"{_VALUES}.{_SPEC}.retentionSize", preflight.at(values, f"{_SPEC}.retentionSize"))
    faults += _retention(f"{_VALUES}.{_SPEC}.retention", preflight.at(values, f"{_SPEC}.retention"))
    for path, variable in _SWITCHES.items():
        if preflight.has(values, path):
            state = str(bool(preflight.at(values, path))).lower()
            faults.append(f"{_VALUES}.{path} switches nothing in this chart. Write {variable}: {state}")
    for key in _NAMES:
        if preflight.at(values, key):
            faults.append(
                f"{_VALUES}.{key}: the other roles find this release's objects by its name. "
                "Remove it and set prometheus_operator_release_name."
            )
    for key in _OWN_CONFIG:
        if preflight.has(values, f"alertmanager.{key}"):
            faults.append(
                f"{_VALUES}.alertmanager.{key} would be ignored: the configuration is the Secret that the role makes "
                "once and leaves alone. Write it there, key alertmanager.yaml."
            )
    for key in ("configSecret", "useExistingSecret"):
        if preflight.has(values, f"alertmanager.alertmanagerSpec.{key}"):
            faults.append(
                f"{_VALUES}.alertmanager.alertmanagerSpec.{key}: later days write the Secret that Alertmanager reads "
                "by default. Remove it and put your configuration into that Secret, key alertmanager.yaml."
            )
    return faults


def chart_ref(ref: str) -> list[str]:
    """Charts that were renamed long ago."""
    name = str(ref).rstrip("/").rpartition("/")[2]
    if name in ("prometheus-operator", "kube-prometheus"):
        return [
            f"prometheus_operator_chart_ref: {ref} is no longer published. "
            "Use oci://ghcr.io/prometheus-community/charts/kube-prometheus-stack"
        ]
    return []


def _prometheus(settings: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    """What the Pods of Prometheus will ask for, with everything that the user merges into the values."""
    path = f"{_SPEC}.resources"
    given = preflight.has(settings.get("values") or {}, path)
    spec = preflight.at(settings["all_values"], _SPEC) or {}
    enabled = preflight.at(settings["all_values"], "prometheus.enabled") is not False
    return {
        "variable": f"prometheus_operator_values.{path}" if given else "prometheus_operator_prometheus_resources",
        "what": "Prometheus",
        "namespace": settings["namespace"],
        "labels": {"operator.prometheus.io/name": settings["prometheus"]},
        "replicas": int(spec.get("replicas") or 0) * int(spec.get("shards") or 1) if enabled else 0,
        "resources": spec.get("resources"),
        "tolerates": bool(spec.get("tolerations")),
        "new": preflight.is_new(settings, settings["release"]),
    }


def refuse(settings: t.Mapping[str, t.Any]) -> list[str]:
    """Every reason why role prometheus_operator does not start.

    :param settings: those of M(common), and C({values, chart_ref, retention, retention_size, slos, storage_class,
        volumes: {variable: size}, all_values, prometheus, release, secrets: {name: [keys]}, grafana_secret,
        thanos_secret, thanos_key}); C(all_values) is what the chart gets, C(prometheus) the name of the object.
    """
    cluster = settings.get("cluster") or {}
    faults = preflight.common(settings)
    faults += chart_ref(settings["chart_ref"])
    faults += _retention("prometheus_operator_prometheus_retention", settings["retention"])
    faults += _retention_size("prometheus_operator_prometheus_retention_size", settings["retention_size"])
    retention = preflight.at(settings.get("values") or {}, f"{_SPEC}.retention") or settings["retention"]
    faults += windows_kept(settings.get("slos") or [], retention)
    for variable, size in settings["volumes"].items():
        faults += preflight.storage_size(variable, size)
    faults += preflight.storage_class(
        "prometheus_operator_storage_class", settings["storage_class"], cluster.get("storage_classes")
    )
    faults += preflight.room(cluster, _prometheus(settings))
    faults += preflight.secret(
        cluster,
        settings["namespace"],
        "prometheus_operator_grafana_admin_secret",
        settings["grafana_secret"],
        ["admin-user", "admin-password"],
    )
    faults += preflight.secret(
        cluster,
        settings["namespace"],
        "prometheus_operator_thanos_objstore_secret",
        settings["thanos_secret"],
        [settings["thanos_key"]],
    )
    return faults + pasted(settings.get("values") or {})
