# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that gives no answer is a cause like any other: what only it knows is unknown, the rest is judged."""

from __future__ import annotations

import http.server
import json
import threading

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.dataplatform.monitoring.plugins.modules import verify_alert_delivery, verify_alert_routing

from tests.integration.programs import free_port

CRITICAL = {"alertname": "ServiceDown", "severity": "critical", "service": "trino"}


def run(capsys, module, **options):
    with patch_module_args({"kubernetes": False, **options}), pytest.raises(SystemExit):
        module.main()
    result = json.loads(capsys.readouterr().out)
    return result, {check["name"]: check for check in result["checks"]}


def unreachable(check):
    return (check["status"], check["cause"]["code"]) == ("unknown", "server_unreachable")


@pytest.fixture
def nobody():
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def answering():
    """Servers that answer everything with one status."""
    started = []

    def start(status):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.end_headers()
                self.wfile.write(b"out of order")

            do_POST = do_GET

            def log_message(self, *args):
                pass

        httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True).start()
        started.append(httpd)
        return f"http://127.0.0.1:{httpd.server_port}"

    yield start
    for httpd in started:
        httpd.shutdown()
        httpd.server_close()


@pytest.mark.parametrize("send", [False, True])
def test_an_alertmanager_that_is_away(capsys, nobody, send):
    options = {"expectations": [{"labels": CRITICAL}], "receivers": ["pagerduty"]}
    result, checks = run(capsys, verify_alert_delivery, url=nobody, send_test_alerts=send, **options)
    assert result["failed"] and nobody in result["msg"]
    assert list(checks) == ["pagerduty", "somebody is told", "configuration"]
    assert all(unreachable(check) for check in checks.values())


@pytest.mark.parametrize(
    ("status", "code"), [(500, "server_error"), (401, "access_forbidden"), (403, "access_forbidden")]
)
def test_an_alertmanager_that_does_not_tell(capsys, answering, status, code):
    _result, checks = run(capsys, verify_alert_delivery, url=answering(status))
    assert {check["cause"]["code"] for check in checks.values()} == {code}
    _result, checks = run(
        capsys, verify_alert_routing, url=answering(status), expectations=[{"labels": CRITICAL, "receivers": ["x"]}]
    )
    assert {check["cause"]["code"] for check in checks.values()} == {code}


def test_the_way_from_prometheus_is_judged_on_its_own(capsys, nobody, single):
    result, checks = run(capsys, verify_alert_delivery, url=single.url, prometheus={"url": nobody})
    assert checks["Prometheus to Alertmanager"]["cause"]["code"] == "server_unreachable"
    assert checks["somebody is told"]["status"] == checks["configuration"]["status"] == "ok"
    assert "email" in checks and result["failed"]


def test_a_place_of_messages_that_is_away(capsys, nobody, single, healthy):
    """The test alerts end all the same."""
    options = {"send_test_alerts": True, "expectations": [{"labels": CRITICAL}], "sinks": {"email": {"url": nobody}}}
    _result, checks = run(capsys, verify_alert_delivery, url=single.url, **options)
    assert unreachable(checks["pagerduty"]) and unreachable(checks["email"])
    assert nobody in checks["email"]["cause"]["message"]
    assert checks["somebody is told"]["status"] == "ok"
    assert single.api.get_json("/api/v2/alerts", [("filter", 'dataplatform_monitoring_synthetic=~".+"')]) == []


def test_routes_of_a_server_that_is_away(capsys, nobody):
    expectations = [{"name": "critical", "labels": CRITICAL, "receivers": ["pagerduty"]}]
    result, checks = run(capsys, verify_alert_routing, url=nobody, expectations=expectations)
    assert result["failed"] and list(checks) == ["critical", "tree", "replicas"]
    assert all(unreachable(check) for check in checks.values())


def test_a_server_that_dies_while_it_is_asked(capsys, single, monkeypatch):
    from ansible_collections.dataplatform.monitoring.plugins.module_utils import _routing_oracle
    from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiUnreachable

    def away(api):
        raise ApiUnreachable(f"{api.label} cannot be reached")

    monkeypatch.setattr(_routing_oracle, "active_groups", away)
    expectations = [{"labels": CRITICAL, "receivers": ["pagerduty", "email"]}]
    _result, checks = run(capsys, verify_alert_routing, url=single.url, expectations=expectations, oracle=True)
    assert (checks["oracle"]["status"], checks["oracle"]["cause"]["code"]) == ("unknown", "server_unreachable")
