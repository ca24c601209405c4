# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real blackbox_exporter with the configuration that follows from a catalogue, in front of services that answer."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _catalogue_resolve,
    _catalogue_validate,
    _exporters,
    _monitors,
    _packs,
)

from tests.integration.programs import Program, free_port, status, wait_for
from tests.lab_fixture import BIN

# Every key that an entry may write, so that the prober itself says whether it knows them.
ALL_KEYS = {
    "valid_status_codes": [200],
    "valid_http_versions": ["HTTP/1.0", "HTTP/1.1", "HTTP/2.0"],
    "method": "GET",
    "headers": {"X-Asked-By": "probe"},
    "body": "",
    "follow_redirects": False,
    "fail_if_ssl": True,
    "fail_if_not_ssl": False,
    "fail_if_body_matches_regexp": ["sealed"],
    "fail_if_body_not_matches_regexp": ["well"],
    "fail_if_header_matches": [{"header": "X-Sick", "regexp": ".+", "allow_missing": True}],
    "fail_if_header_not_matches": [{"header": "Content-Type", "regexp": "text", "allow_missing": True}],
    "preferred_ip_protocol": "ip4",
    "ip_protocol_fallback": True,
    "compression": "identity",
    "tls_config": {"insecure_skip_verify": True, "server_name": "x", "min_version": "TLS12"},
}
KINDS = ("trino", "vault", "superset")


class Service:
    """A service whose path says how it answers: /503, /302."""

    def __init__(self) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                code = int(self.path.strip("/") or 200)
                self.send_response(code)
                if code == 302:
                    self.send_header("Location", "/200")
                self.send_header("Content-Length", "4")
                self.end_headers()
                self.wfile.write(b"well")

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    found = Service()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture(scope="module")
def prober(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """Address of the prober, and the module of each entry as its Probe names it."""
    services = [
        {
            "name": kind,
            "kind": kind,
            "namespace": "data",
            "selector": {"app": kind},
            "endpoints": [{"port": "metrics"}],
            "probe": {"url": f"http://{kind}.example.com/"},
        }
        for kind in KINDS
    ]
    last = {"name": "all-keys", "selector": {"app": "last"}, "probe": {"url": "http://x/", "http": ALL_KEYS}}
    services.append({**services[0], **last})
    packs = _packs.load()
    assert _catalogue_validate.validate([*services], packs) == []
    result = _catalogue_resolve.resolve(services, packs, {}, "monitoring", now="2026-01-01T00:00:00Z", exporters=True)
    (config,) = [one for one in _exporters.exporter_objects(result, {}) if one["kind"] == "ConfigMap"]
    modules = {
        one["metadata"]["name"]: one["spec"]["module"] for one in _monitors.monitors(result) if one["kind"] == "Probe"
    }
    folder: Path = tmp_path_factory.mktemp("prober")
    (folder / "config.yml").write_text(config["data"]["config.yml"])
    address = f"127.0.0.1:{free_port()}"
    arguments = [str(BIN / "blackbox_exporter"), f"--config.file={folder / 'config.yml'}"]
    program = Program([*arguments, f"--web.listen-address={address}"], folder / "log")
    try:
        wait_for(lambda: status(f"http://{address}/-/healthy") == 200, f"the prober answers, see {folder / 'log'}")
        yield address, modules
    finally:
        program.stop()


def probe(prober: tuple[str, dict[str, str]], entry: str, target: str) -> dict[str, float]:
    """What the prober finds out about an address, by metric."""
    address, modules = prober
    question = urllib.parse.urlencode({"module": modules[entry], "target": target})
    with urllib.request.urlopen(f"http://{address}/probe?{question}", timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    return {line.split()[0]: float(line.split()[1]) for line in lines if line and not line.startswith("#")}


@pytest.mark.parametrize(
    ("entry", "code", "success"),
    [
        ("trino", 200, 1),
        ("trino", 503, 0),
        ("trino", 429, 0),
        ("superset", 302, 0),
        ("vault", 200, 1),
        ("vault", 429, 1),
        ("vault", 472, 1),
        ("vault", 473, 1),
        ("vault", 501, 0),
        ("vault", 503, 0),
        ("all-keys", 200, 1),
        ("all-keys", 201, 0),
    ],
)
def test_what_counts_as_an_answer(prober, service: Service, entry: str, code: int, success: int) -> None:
    found = probe(prober, entry, f"http://{service.address}/{code}")
    assert (found["probe_success"], found["probe_http_status_code"]) == (success, code)


def test_nobody_answers(prober) -> None:
    found = probe(prober, "trino", f"http://127.0.0.1:{free_port()}/v1/info")
    assert (found["probe_success"], found["probe_http_status_code"]) == (0, 0)


def test_the_configuration_is_json_with_one_module_more_for_each_that_differs(prober) -> None:
    address, modules = prober
    assert modules == {
        "trino": "http_2xx",
        "superset": "http_2xx",
        "vault": "http_2xx.vault",
        "all-keys": "http_2xx.all-keys",
    }
    with urllib.request.urlopen(f"http://{address}/config", timeout=10) as answer:
        assert "http_2xx.vault" in answer.read().decode()


def test_its_pack_asks_for_metrics_that_it_has(prober) -> None:
    pack = _packs.load().get("blackbox")
    with urllib.request.urlopen(f"http://{prober[0]}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    for name in [*pack["must_have"], pack["health"][0]["expr"].partition("{")[0]]:
        assert f"\n{name}" in text, name
    assert json.dumps(pack["health"][0]["equals"]) == "1"
