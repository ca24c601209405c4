# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a real Prometheus for every way in which a scrape fails, each told as the right cause."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks

from tests.integration.programs import free_port
from tests.integration.scrape.conftest import METRICS, Exporter, PrometheusServer
from tests.unit.scrape.pasting import pastable

HTML = "<!doctype html><title>Trino</title>"
DROP = [{"source_labels": ["__address__"], "regex": "127.*", "action": "drop"}]
MANY_LABELS = "m{" + ",".join(f'l{i}="x"' for i in range(9)) + "} 1\n"

# job -> (cause, words of message or fix)
EXPECTED = {
    "refused": ("target_down_refused", "connection refused"),
    "dns": ("target_down_dns", "no such host"),
    "unreachable": ("target_down_unreachable", ""),
    "timeout": ("target_down_timeout", "context deadline exceeded"),
    "tls-address": ("target_down_tls", "any IP SANs"),
    "tls-untrusted": ("target_down_tls", "certificate signed by unknown authority"),
    "tls-name": ("target_down_tls", "serverName: elsewhere.example"),
    "tls-to-http": ("target_down_tls", "scheme: http"),
    "http-to-tls": ("target_down_closed", ""),
    "unauthorized": ("target_down_unauthorized", "401"),
    "forbidden": ("target_down_unauthorized", "403"),
    "not-found": ("target_down_not_found", "404"),
    "server-error": ("target_down_server_error", "500"),
    "too-many": ("target_down_http", "429"),
    "redirect": ("target_down_http", "302"),
    "closed": ("target_down_closed", ""),
    "html": ("not_metrics", 'Content-Type "text/html"'),
    "blank": ("not_metrics", "fallbackScrapeProtocol: PrometheusText0.0.4"),
    "json": ("not_metrics", 'Content-Type "application/json"'),
    "garbage": ("not_metrics", ""),
    "half": ("not_metrics", ""),
    "samples": ("sample_limit", "sampleLimit"),
    "labels": ("scrape_limit", "labelLimit"),
    "size": ("scrape_limit", "bodySizeLimit"),
    "password-file": ("target_down_credentials", ""),
    "dropped": ("dropped_by_relabeling", "relabel_configs[0]: drop __address__ =~ 127.*"),
    "empty": ("not_discovered", "its service discovery finds nothing"),
    "nowhere": ("no_such_job", "cannot be told without the Kubernetes API"),
}


@pytest.fixture(scope="module")
def checks(
    exporter: Callable[..., Exporter],
    prometheus: Callable[..., PrometheusServer],
    tls_context: ssl.SSLContext,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, dict[str, Any]]:
    """One Prometheus with all of them, judged once."""
    good, other, secure = exporter(), exporter(), exporter(tls_context)
    folder = tmp_path_factory.mktemp("files")
    (folder / "none.json").write_text("[]")
    authority = _authority(tls_context, folder)
    server = prometheus(
        [
            good.job("good"),
            {"job_name": "refused", "static_configs": [{"targets": [f"127.0.0.1:{free_port()}"]}]},
            {"job_name": "dns", "static_configs": [{"targets": ["nowhere.invalid:80"]}]},
            # The broadcast address: refused by the kernel itself, nothing leaves this machine.
            {"job_name": "unreachable", "static_configs": [{"targets": ["255.255.255.255:80"]}]},
            exporter(sleep=3).job("timeout"),
            secure.job("tls-address", scheme="https"),
            secure.job("tls-untrusted", scheme="https", tls_config={"server_name": "elsewhere.example"}),
            secure.job("tls-name", scheme="https", tls_config={"server_name": "x.example", "ca_file": authority}),
            other.job("tls-to-http", scheme="https"),
            secure.job("http-to-tls"),
            exporter(status=401).job("unauthorized"),
            exporter(status=403).job("forbidden"),
            exporter(status=404).job("not-found"),
            exporter(status=500).job("server-error"),
            exporter(status=429).job("too-many"),
            exporter(status=302, headers={"Location": "/login"}).job("redirect", follow_redirects=False),
            exporter(close=True).job("closed"),
            exporter(type="text/html", body=HTML).job("html"),
            exporter(type=None).job("blank"),
            exporter(type="application/json", body="{}").job("json"),
            exporter(body=HTML).job("garbage"),
            exporter(body=METRICS + "demo_half").job("half"),
            other.job("samples", sample_limit=5),
            exporter(body=MANY_LABELS).job("labels", label_limit=5),
            other.job("size", body_size_limit="100B"),
            other.job("password-file", authorization={"credentials_file": str(folder / "absent")}),
            other.job("dropped", relabel_configs=DROP),
            {"job_name": "empty", "file_sd_configs": [{"files": [str(folder / "none.json")]}]},
        ]
    )
    names = ["good", *EXPECTED]
    outcome = server.judge(*({"name": name, "job": name} for name in names), timeout=40)
    return {judgement.check["name"]: judgement.check for judgement in outcome.judgements}


def _authority(context: ssl.SSLContext, folder: Any) -> str:
    """Trust for the server's certificate, so that only its name is wrong."""
    path = folder / "ca.pem"
    path.write_bytes(context.authority.cert_pem.bytes())
    return str(path)


def test_the_good_one_is_ok(checks: dict[str, dict[str, Any]]) -> None:
    assert checks["good"]["status"] == "ok", checks["good"]


@pytest.mark.parametrize("job", EXPECTED)
def test_cause(checks: dict[str, dict[str, Any]], job: str) -> None:
    check, (code, words) = checks[job], EXPECTED[job]
    assert check["status"] == "failed", check
    cause = check["cause"]
    assert cause["code"] == code, check
    assert words in f"{cause['message']} | {cause['fix']}", cause
    for each in _checks.all_causes(check):
        pastable(each["fix"])
