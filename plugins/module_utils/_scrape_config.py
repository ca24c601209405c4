# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Does the configuration that Prometheus runs say what the monitor says?

This module util is PRIVATE to the collection. Pure functions. The running configuration is /api/v1/status/config, which
Prometheus prints with every default filled in; what a monitor becomes is prometheus-operator's
pkg/prometheus/promcfg.go. Only what a monitor sets is compared, and what a Prometheus object may override is left out:
a difference that is claimed must be one.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import (
    ENDPOINTS_KEY,
    Object,
    duration,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_relabel import describe, normalise

try:
    import yaml

    HAS_YAML = True
except ImportError:  # pragma: no cover - ansible-core itself needs it on the controller
    HAS_YAML = False

_JOB = re.compile(r"^- job_name: (.*)$", re.MULTILINE)
# Sources of the keep and drop rules that the operator itself writes.
_GENERATED = re.compile(
    r"__meta_kubernetes_(service|pod)_label(present)?_|__meta_kubernetes_endpoint(slice)?_port_name"
    r"|__meta_kubernetes_pod_container_port_(name|number)|__meta_kubernetes_pod_phase|__tmp_|__meta_kubernetes_ingress_"
)


def split_jobs(text: str) -> dict[str, str]:
    """The text of each scrape configuration by its job name, unparsed: a large configuration costs a second to parse.

    Prometheus prints C(scrape_configs) last but for C(storage), C(remote_*) and C(runtime), each at the first column.
    """
    start = re.search(r"^scrape_configs:\s*$", text, re.MULTILINE)
    if start is None:
        return {}
    end = re.compile(r"^[A-Za-z_]", re.MULTILINE).search(text, start.end())
    section = text[start.end() : end.start() if end else len(text)]
    marks = list(_JOB.finditer(section))
    jobs = {}
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        name = mark.group(1).strip()
        if name[:1] in "\"'":
            name = str(_load(name))
        jobs[name] = section[mark.start() : following.start() if following else len(section)]
    return jobs


def parse_job(text: str) -> Object:
    """One scrape configuration.

    :raises ApiError: it is not YAML.
    """
    parsed = _load(text)
    return parsed[0] if isinstance(parsed, list) and parsed and isinstance(parsed[0], dict) else {}


def _load(text: str) -> t.Any:
    if not HAS_YAML:
        raise ApiError("Reading Prometheus' configuration needs PyYAML on the controller: pip install PyYAML")
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - the safe loader
    except yaml.YAMLError as error:
        raise ApiError(f"Prometheus' configuration is not YAML: {error}") from error


def stale_parts(monitor: Object, index: int, job: Object, prometheus: Object) -> list[str]:
    """What the running configuration says otherwise than the monitor, one phrase each; empty when it is up to date.

    :param index: of the endpoint. :param job: the running scrape configuration of its pool.
    """
    kind, spec = monitor.get("kind", ""), monitor.get("spec") or {}
    if kind not in ENDPOINTS_KEY:
        return []
    endpoint = (spec.get(ENDPOINTS_KEY[kind]) or [])[index]
    running = prometheus.get("spec") or {}
    found = [
        *_simple(endpoint, spec, job, running),
        *_discovery(monitor, spec, job, running),
        *_selection(kind, spec, endpoint, job),
    ]
    # A scrape class adds rules and credentials of its own: what is more than the monitor's is then not a difference.
    exact = not (spec.get("scrapeClass") or running.get("scrapeClasses"))
    found += _rules(endpoint.get("relabelings") or [], job.get("relabel_configs") or [], "relabelings", exact)
    if not running.get("enforcedNamespaceLabel"):
        found += _rules(
            endpoint.get("metricRelabelings") or [], job.get("metric_relabel_configs") or [], "metricRelabelings", exact
        )
    if exact:
        found += _credentials(endpoint, job)
    return found


def _simple(endpoint: Object, spec: Object, job: Object, running: Object) -> t.Iterator[str]:
    wanted = endpoint.get("path") or "/metrics"
    if job.get("metrics_path", "/metrics") != wanted:
        yield f"path {job.get('metrics_path')} instead of {wanted}"
    scheme = str(endpoint.get("scheme") or "http").lower()
    if str(job.get("scheme", "http")).lower() != scheme:
        yield f"scheme {job.get('scheme')} instead of {scheme}"
    for key, name in (("interval", "scrape_interval"), ("scrapeTimeout", "scrape_timeout")):
        if endpoint.get(key) and duration(job.get(name), -1) != duration(endpoint[key], -2):
            yield f"{key} {job.get(name)} instead of {endpoint[key]}"
    params = {str(k): [str(v) for v in values or []] for k, values in (endpoint.get("params") or {}).items()}
    have = {str(k): [str(v) for v in values or []] for k, values in (job.get("params") or {}).items()}
    if have != params:
        yield f"params {have} instead of {params}"
    if (
        spec.get("sampleLimit")
        and not running.get("enforcedSampleLimit")
        and job.get("sample_limit") != spec["sampleLimit"]
    ):
        yield f"sampleLimit {job.get('sample_limit', 'none')} instead of {spec['sampleLimit']}"
    wanted = spec.get("fallbackScrapeProtocol")
    if wanted and job.get("fallback_scrape_protocol") != wanted:
        yield f"fallbackScrapeProtocol {job.get('fallback_scrape_protocol', 'none')} instead of {wanted}"


def _discovery(monitor: Object, spec: Object, job: Object, running: Object) -> t.Iterator[str]:
    discovery = (job.get("kubernetes_sd_configs") or [{}])[0]
    have = sorted((discovery.get("namespaces") or {}).get("names") or [])
    selector = spec.get("namespaceSelector") or {}
    own = str((monitor.get("metadata") or {}).get("namespace"))
    wanted = [] if selector.get("any") else sorted(selector.get("matchNames") or [own])
    if running.get("ignoreNamespaceSelectors"):
        wanted = [own]
    if have != wanted:
        yield f"namespaces {', '.join(have) or 'all'} instead of {', '.join(wanted) or 'all'}"


def _selection(kind: str, spec: Object, endpoint: Object, job: Object) -> t.Iterator[str]:
    rules = [normalise(rule) for rule in job.get("relabel_configs") or []]
    if str(spec.get("selectorMechanism") or "RelabelConfig") == "RelabelConfig":
        role = "service" if kind == "ServiceMonitor" else "pod"
        have = {}
        for rule in rules:
            match = re.fullmatch(rf"__meta_kubernetes_{role}_label_(.+)", (rule["source_labels"] or [""])[0])
            if match and rule["action"] == "keep" and len(rule["source_labels"]) == 2:
                have.setdefault(match.group(1), rule["regex"])
        for key, value in ((spec.get("selector") or {}).get("matchLabels") or {}).items():
            held = have.get(sanitise(key))
            if held != f"({value});true":
                yield f"selector {key}: {held or 'nothing'} instead of {value}"
    wanted = endpoint.get("port") or endpoint.get("portNumber") or endpoint.get("targetPort")
    ports = [
        r["regex"]
        for r in rules
        if r["action"] == "keep" and r["source_labels"] and re.search(r"_port_(name|number)$", r["source_labels"][0])
    ]
    if wanted and str(wanted) not in ports:
        yield f"port {ports[0] if ports else 'any'} instead of {wanted}"


def _rules(wanted: t.Sequence[Object], have: t.Sequence[Object], name: str, exact: bool) -> t.Iterator[str]:
    ours = [normalise(rule, crd=True) for rule in wanted]
    running = [normalise(rule) for rule in have]
    for number, rule in enumerate(ours):
        if rule not in running:
            yield f"{name}[{number}] ({describe(rule)}) is missing"
    if not exact:
        return
    for rule in running:
        generated = any(_GENERATED.match(source) for source in rule["source_labels"])
        if rule["action"] in ("keep", "drop") and rule not in ours and not generated:
            yield f"{name} still has {describe(rule)}"


def _credentials(endpoint: Object, job: Object) -> t.Iterator[str]:
    basic, held = bool(endpoint.get("basicAuth")), bool(job.get("basic_auth"))
    if basic != held:
        yield "basicAuth is missing" if basic else "it still has basicAuth"
    token = any(endpoint.get(key) for key in ("authorization", "bearerTokenFile")) or bool(
        (endpoint.get("bearerTokenSecret") or {}).get("name")
    )
    held = any(job.get(key) for key in ("authorization", "bearer_token", "bearer_token_file"))
    if token != held:
        yield "authorization is missing" if token else "it still has authorization"


def sanitise(label: str) -> str:
    """A Kubernetes label name as Prometheus writes it in a meta label (strutil.SanitizeLabelName)."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", label)
