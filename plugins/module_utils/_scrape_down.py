# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What to do about a target that is down, by cause. This module util is PRIVATE to the collection."""

from __future__ import annotations

import re
import shlex
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_errors import (
    CONTROL_PLANE_PORTS,
    dialled,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_fixes import (
    endpoint_line,
    entry_line,
    fix,
    foreign_line,
    kubectl,
    own_endpoints,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import (
    Expectation,
    Object,
    Target,
    duration,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_pods import name_of

# Where products publish metrics when it is not /metrics.
_OTHER_PATHS = ("/actuator/prometheus", "/minio/v2/metrics/cluster", "/v1/sys/metrics", "/api/v1/metrics/prometheus")


class _Case(t.NamedTuple):
    expectation: Expectation
    target: Target
    pod: Object | None
    monitor: Object | None
    was_up: bool = False

    @property
    def index(self) -> int:
        last = str(self.target.get("scrapePool") or "").rpartition("/")[2]
        return int(last) if last.isdigit() else 0

    @property
    def endpoint(self) -> Object:
        """The endpoint as the catalogue has it; empty for a monitor that is not ours."""
        endpoints = own_endpoints(self.expectation)
        return endpoints[self.index] if self.index < len(endpoints) else {}

    @property
    def error(self) -> str:
        return str(self.target.get("lastError") or "")

    @property
    def url(self) -> str:
        return str(self.target.get("scrapeUrl") or "")

    def change(self, changes: Object, why: str) -> str:
        """A changed endpoint, in the catalogue where the monitor is ours, else as the line to put into that monitor."""
        if self.expectation.endpoints:
            return endpoint_line(self.expectation, self.index, changes, why)
        if self.expectation.state == "adopted":
            return foreign_line(str(self.target.get("scrapePool") or ""), changes, why)
        key, value = next(iter(changes.items()))
        return entry_line(self.expectation, key, value, why)

    def limit(self, changes: Object, why: str) -> str:
        """A changed key of the monitor's C(spec), where it is ours, else as the line to put into that monitor."""
        if self.expectation.state == "adopted":
            return foreign_line(str(self.target.get("scrapePool") or ""), changes, why)
        return entry_line(self.expectation, "spec", changes, why)

    def ask(self, sentence: str) -> str:
        """See with one's own eyes what the target answers."""
        return fix(sentence, f"curl -sS -i --max-time 10 {shlex.quote(self.url)}")

    def logs(self, sentence: str) -> str:
        """The Pod's log, or the target itself where the Pod is not known."""
        if self.pod is None:
            return self.ask(sentence)
        namespace = (self.pod.get("metadata") or {}).get("namespace") or "default"
        container = (self.target.get("labels") or {}).get("container")
        words = ["logs", name_of(self.pod)] + (["-c", container] if container else []) + ["--tail=50"]
        return fix(sentence, kubectl(namespace, *words))


def down_fix(
    code: str, expectation: Expectation, target: Target, pod: Object | None, monitor: Object | None, was_up: bool
) -> str:
    """What to do about a target's C(lastError), given its cause code.

    :param was_up: whether it was up within the last minutes: then its configuration is right.
    """
    case = _Case(expectation, target, pod, monitor, was_up)
    handler = _HANDLERS.get(code)
    if handler is not None:
        return handler(case)
    return case.ask("See what the target answers")


def _control_plane(case: _Case) -> str:
    address = str((case.target.get("discoveredLabels") or {}).get("__address__") or "")
    program, argument = CONTROL_PLANE_PORTS.get(address.rpartition(":")[2], ("the component", "bind-address"))
    everywhere = "0.0.0.0"  # noqa: S104 - what has to be written; nothing is bound here
    sentence = f"Let {program} listen on the node's address, or switch its monitor off where the provider hides it"
    if program == "kube-proxy":
        return fix(sentence, f'metricsBindAddress: "{everywhere}:10249"')
    value = f"http://{everywhere}:2381" if program == "etcd" else everywhere
    return fix(sentence, f"- --{argument}={value}")


def _refused(case: _Case) -> str:
    port = str((case.target.get("discoveredLabels") or {}).get("__address__") or "").rpartition(":")[2]
    return case.logs(
        f"Nothing listens on port {port} there; see whether the process runs and listens on 0.0.0.0, not on 127.0.0.1"
    )


def _dns(case: _Case) -> str:
    host = dialled(case.error) or ""
    parts = host.split(".")
    if len(parts) > 2 and parts[2] == "svc":
        return fix(
            f"Look whether that Service exists, the name {host} does not resolve",
            kubectl(parts[1], "get", "service", parts[0]),
        )
    return fix(f"Correct the name {host}, which does not resolve", f"getent hosts {shlex.quote(host or 'localhost')}")


def _timeout(case: _Case) -> str:
    if re.search(r"dial tcp|awaiting headers", case.error) and "awaiting headers" not in case.error:
        namespace = (case.pod or {}).get("metadata", {}).get("namespace")
        if namespace:
            return fix(
                "Packets do not arrive; look for a NetworkPolicy that keeps Prometheus out",
                kubectl(namespace, "get", "networkpolicies"),
            )
    if case.was_up:
        return case.logs("It answered until lately and hangs now; read its log")
    limit = duration(case.target.get("scrapeTimeout"), 10.0)
    interval = duration(case.target.get("scrapeInterval"), 30.0)
    longer = int(max(2 * limit, 20))
    changes: Object = {"scrapeTimeout": f"{longer}s"}
    if longer > interval:
        changes["interval"] = f"{2 * longer}s"
    return case.change(changes, f"give it longer than {limit:g} s if it is slow but well")


def _tls(case: _Case) -> str:
    tls = case.endpoint.get("tlsConfig") or {}
    if re.search(r"HTTP response to HTTPS client|does not look like a TLS handshake", case.error):
        return case.change({"scheme": "http"}, "it speaks plain http")
    named = re.search(r"certificate is valid for ([^,\s]+)", case.error)
    if named:
        return case.change({"tlsConfig": {**tls, "serverName": named.group(1)}}, "expect the name its certificate has")
    if re.search(r"any IP SANs|cannot validate certificate for", case.error):
        # Pods are scraped by their address, and certificates are made for the name of the Service.
        labels = case.target.get("labels") or {}
        if labels.get("service") and labels.get("namespace"):
            name = f"{labels['service']}.{labels['namespace']}.svc"
            why = "expect the Service's name, its certificate has no address"
            return case.change({"tlsConfig": {**tls, "serverName": name}}, why)
        return fix("See which names its certificate has and set serverName to one", _show_certificate(case))
    if re.search(r"unknown authority|unable to get|self.signed|failed to verify", case.error):
        secret = {"secret": {"name": f"{case.expectation.name}-ca", "key": "ca.crt"}}
        return case.change(
            {"tlsConfig": {**tls, "ca": secret}}, "name the Secret with the authority that signed its certificate"
        )
    if re.search(r"certificate required|bad certificate|handshake failure", case.error):
        name = f"{case.expectation.name}-client"
        pair = {"cert": {"secret": {"name": name, "key": "tls.crt"}}, "keySecret": {"name": name, "key": "tls.key"}}
        return case.change({"tlsConfig": {**tls, **pair}}, "it asks for a client certificate")
    return fix("Look at the certificate it shows", _show_certificate(case))


def _show_certificate(case: _Case) -> str:
    host = re.match(r"https://([^/]+)", case.url)
    return f"openssl s_client -connect {shlex.quote(host.group(1) if host else 'localhost:443')} -showcerts"


def _unauthorized(case: _Case) -> str:
    endpoint = case.endpoint
    for key in ("basicAuth", "authorization", "bearerTokenSecret"):
        if endpoint.get(key):
            secret = re.search(r"'name': '([^']+)'", str(endpoint[key]))
            namespace = (case.expectation.monitor or {}).get("namespace")
            words = ["get", "secret", secret.group(1)] if secret else ["get", "secrets"]
            return fix(
                f"It refuses the credentials of {key}; see whether the Secret is the current one",
                kubectl(namespace, *words),
            )
    name = f"{case.expectation.name}-monitoring"
    basic = {"username": {"name": name, "key": "username"}, "password": {"name": name, "key": "password"}}
    return case.change({"basicAuth": basic}, "it asks for credentials, name the Secret that holds them")


def _not_found(case: _Case) -> str:
    path = str(case.endpoint.get("path") or "/metrics")
    if path != "/metrics":
        return case.change({"path": "/metrics"}, f"it has no {path}")
    known = ", ".join(_OTHER_PATHS)
    return case.change({"path": _OTHER_PATHS[0]}, f"give the path it publishes under ({known})")


def _http(case: _Case) -> str:
    if "400" in case.error and not case.url.startswith("https"):
        return case.change({"scheme": "https"}, "a TLS port that is asked in plain http answers 400")
    return case.ask("See what the target answers")


def _not_metrics(case: _Case) -> str:
    kind = re.search(r'Content-Type "([^"]*)"', case.error)
    if "blank Content-Type" in case.error or (kind and "html" not in kind.group(1)):
        return case.limit(
            {"fallbackScrapeProtocol": "PrometheusText0.0.4"},
            "say which format it is, since its Content-Type does not",
        )
    return case.change(
        {"path": "/metrics" if case.endpoint.get("path") not in (None, "/metrics") else _OTHER_PATHS[0]},
        "name the path of the metrics, this one is a web page",
    )


def _sample_limit(case: _Case) -> str:
    limit = int(((case.monitor or {}).get("spec") or {}).get("sampleLimit") or 10000)
    return case.limit({"sampleLimit": 2 * limit}, "raise it, or drop metrics by metricRelabelings")


def _scrape_limit(case: _Case) -> str:
    found = re.search(
        r"(label_limit|label_name_length_limit|label_value_length_limit|target_limit|body size)", case.error
    )
    words = (found.group(1) if found else "body size").replace(" ", "_").split("_")
    key = words[0] + "".join(word.capitalize() for word in words[1:])
    key = "bodySizeLimit" if key == "bodySize" else key
    value: t.Any = "50MB" if key == "bodySizeLimit" else 500
    return case.limit({key: value}, "raise the limit that it exceeds")


def _credentials(case: _Case) -> str:
    namespace = (case.expectation.monitor or {}).get("namespace")
    return fix(
        "The credentials for the scrape cannot be read; see whether the Secret is there",
        kubectl(namespace, "get", "secrets"),
    )


_HANDLERS: dict[str, t.Callable[[_Case], str]] = {
    "control_plane_loopback": _control_plane,
    "target_down_refused": _refused,
    "target_down_dns": _dns,
    "target_down_timeout": _timeout,
    "target_down_unreachable": lambda case: case.logs(
        "Nothing answers at that address; see whether the Pod still runs there"
    ),
    "target_down_tls": _tls,
    "target_down_unauthorized": _unauthorized,
    "target_down_not_found": _not_found,
    "target_down_server_error": lambda case: case.logs("It fails while it collects; read its log"),
    "target_down_http": _http,
    "target_down_closed": lambda case: case.logs("It closes the connection; read its log"),
    "target_down_credentials": _credentials,
    "not_metrics": _not_metrics,
    "sample_limit": _sample_limit,
    "scrape_limit": _scrape_limit,
}
