# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What role loki refuses. This module util is PRIVATE to the collection.

Besides the impossible: what is pasted from instructions for loki-stack and Loki 2. The chart's schema lets nearly all
of it pass; Loki then does not start, or stores nothing. Every sentence says what to write instead.
"""

from __future__ import annotations

import difflib
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _preflight as preflight

# Chart loki 18, values.yaml, deploymentMode.
MODES = (
    "Monolithic", "SingleBinary", "SimpleScalable", "Distributed", "Monolithic<->SimpleScalable",
    "SimpleScalable<->Distributed",
)  # fmt: skip
# Loki 3.0 to 3.7: tools/deprecated-config-checker/deleted-config.yaml.
REMOVED = {
    "enforce_metric_name": "Loki 3 has no such limit and does not start with it. Remove it; nothing replaces it.",
    "max_look_back_period": "Loki 3 does not start with it. Remove it and set loki_limits: {max_query_lookback: ...}",
    "shared_store": "Loki 3 does not start with it. Remove it; the object store is taken from schemaConfig.",
    "max_transfer_retries": "Loki 3 does not start with it. Remove it; nothing replaces it.",
    "table_manager": "Retention is the compactor's now. Remove it and set loki_retention.",
}
_STACK_PARTS = {
    "promtail": "Set loki_agent: promtail; its chart's values go into loki_agent_values.",
    "fluent-bit": "The agents are alloy and promtail: set loki_agent.",
    "grafana": "Grafana comes with role prometheus_operator; its values go into prometheus_operator_values.grafana.",
    "prometheus": "Prometheus comes with role prometheus_operator; its values go into prometheus_operator_values.",
}
_HOURS = re.compile(r"^([0-9]+)(h|d|w)$")
_FACTOR = {"h": 1, "d": 24, "w": 168}


def pasted(values: t.Mapping[str, t.Any], limits: t.Mapping[str, t.Any]) -> list[str]:
    """Values of loki-stack and of Loki 2."""
    faults = []
    for path in ("loki.persistence", "persistence"):
        if preflight.has(values, path):
            faults.append(
                f"loki_values.{path} is loki-stack's key and ignored by this chart, so that logs would lie on no "
                "volume. Write loki_storage_size: 100Gi"
            )
    if isinstance(preflight.at(values, "loki.config"), t.Mapping):
        faults.append(
            "loki_values.loki.config as a map is refused by this chart. Write its keys one level higher, as in "
            "loki_values: {loki: {limits_config: {...}}}; what has no key there goes into loki.structuredConfig."
        )
    for name, remedy in REMOVED.items():
        faults += [f"loki_values.{path}: {remedy}" for path in preflight.find_key(values, name)]
        faults += [f"loki_limits.{path}: {remedy}" for path in preflight.find_key(limits, name)]
    for name, remedy in _STACK_PARTS.items():
        if name in values:
            faults.append(f"loki_values.{name} is a part of loki-stack, which this chart is not. {remedy}")
    mode = values.get("deploymentMode")
    if mode is not None and mode not in MODES:
        close = difflib.get_close_matches(str(mode), MODES, 1, 0.3)
        hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(MODES)}."
        faults.append(f"loki_values.deploymentMode: with {mode!r} the chart renders no Loki at all. {hint}")
    return faults


def scrape_jobs(values: t.Any, path: str = "loki_agent_values") -> list[str]:
    """Promtail's scrape jobs that never read a file, be they data or text of the chart's template."""
    faults: list[str] = []
    if isinstance(values, str):
        if "kubernetes_sd_configs" not in values:
            return []
        for job in re.split(r"(?m)^\s*-\s+(?=job_name:)", values):
            name = re.match(r"job_name:\s*[\"']?([^\s\"']+)", job)
            # The chart's own common relabelings set the path.
            if name and "__path__" not in job and "snippets.common" not in job:
                faults.append(_no_path(path, name.group(1)))
        return faults
    if isinstance(values, t.Mapping):
        if "kubernetes_sd_configs" in values and "__path__" not in str(values):
            return [_no_path(path, str(values.get("job_name", "?")))]
        for key, value in values.items():
            faults += scrape_jobs(value, f"{path}.{key}")
    elif isinstance(values, list):
        for index, value in enumerate(values):
            faults += scrape_jobs(value, f"{path}[{index}]")
    return faults


def _no_path(path: str, job: str) -> str:
    return (
        f"{path}: scrape job {job} sets no __path__, so the agent would read no file and never be ready. Add the rule "
        "{source_labels: [__meta_kubernetes_pod_uid, __meta_kubernetes_pod_container_name], separator: /, "
        "replacement: /var/log/pods/*$1/*.log, target_label: __path__}, or leave the chart's own jobs alone and put "
        "yours into config.snippets.extraRelabelConfigs."
    )


def _positions(values: t.Mapping[str, t.Any]) -> list[str]:
    name = preflight.at(values, "config.positions.filename") or preflight.at(values, "positions.filename")
    if name and str(name).startswith("/tmp/"):  # noqa: S108 - this is what is refused
        return [
            f"loki_agent_values.config.positions.filename: {name} is lost with the Pod, and every restart would send "
            "all logs again. Remove it: the role keeps the positions in loki_agent_positions_path on the node."
        ]
    return []


def _hours(duration: t.Any) -> int | None:
    match = _HOURS.match(str(duration))
    return int(match.group(1)) * _FACTOR[match.group(2)] if match else None


def _storage(settings: t.Mapping[str, t.Any]) -> list[str]:
    s3 = settings.get("s3") or {}
    if settings["storage"] == "filesystem":
        if int(settings["replicas"]) > 1:
            return [
                f"loki_replicas: {settings['replicas']} Pods cannot share filesystem storage, each would have a part "
                "of the logs. Set loki_replicas: 1, or loki_storage: s3."
            ]
        return []
    faults = [
        f"loki_s3.{key} is missing: {why}"
        for key, why in (
            ("bucket", "name the bucket for the logs."),
            ("credentials_secret", "name a Secret with the keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."),
        )
        if not s3.get(key)
    ]
    known = set(settings.get("s3_keys") or [])
    faults += [
        f"loki_s3.{key} is no setting. There are: {', '.join(sorted(known))}."
        for key in sorted(set(s3) - known)
        if known
    ]
    return faults


def _loki(settings: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    """What the Pods of Loki's single binary will ask for, with everything that the user merges into the values."""
    given = preflight.has(settings.get("values") or {}, "singleBinary.resources")
    single = preflight.at(settings["all_values"], "singleBinary") or {}
    return {
        "variable": "loki_values.singleBinary.resources" if given else "loki_resources",
        "what": "Loki",
        "namespace": settings["namespace"],
        "labels": {"app.kubernetes.io/instance": settings["release"], "app.kubernetes.io/component": "single-binary"},
        # Another mode has no such Pods.
        "replicas": int(single.get("replicas") or 0),
        "resources": single.get("resources"),
        "tolerates": bool(single.get("tolerations")),
        "new": preflight.is_new(settings, settings["release"]),
    }


def refuse(settings: t.Mapping[str, t.Any]) -> list[str]:
    """Every reason why role loki does not start.

    :param settings: those of M(common), and C({values, limits, agent_values, chart_ref, storage, storage_class,
        storage_size, replicas, retention, s3, s3_keys, all_values, release}); C(all_values) is what the chart gets.
    """
    cluster = settings.get("cluster") or {}
    faults = preflight.common(settings)
    if "loki-stack" in str(settings["chart_ref"]):
        faults.append(
            f"loki_chart_ref: {settings['chart_ref']} is deprecated and runs Loki 2.6 of 2022. "
            "Use oci://ghcr.io/grafana-community/helm-charts/loki"
        )
    faults += _storage(settings)
    faults += preflight.secret(
        cluster,
        settings["namespace"],
        "loki_s3.credentials_secret",
        (settings.get("s3") or {}).get("credentials_secret", "") if settings["storage"] == "s3" else "",
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    )
    faults += preflight.room(cluster, _loki(settings))
    faults += preflight.storage_size("loki_storage_size", settings["storage_size"])
    faults += preflight.storage_class("loki_storage_class", settings["storage_class"], cluster.get("storage_classes"))
    hours = _hours(settings["retention"])
    if hours is None or hours < 24:
        faults.append(
            f"loki_retention: {settings['retention']!r} is no retention. Write hours, days or weeks, from 24h."
        )
    values = settings.get("values") or {}
    faults += pasted(values, settings.get("limits") or {})
    agent = settings.get("agent_values") or {}
    return faults + scrape_jobs(agent) + _positions(agent)
