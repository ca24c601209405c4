# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A page on purpose: a real Prometheus evaluates the rule, a real Alertmanager sends, the sinks get it, and its end."""

from __future__ import annotations

import datetime
import json
import signal
import threading
import time

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.dataplatform.monitoring.plugins.module_utils._api import DirectApi
from ansible_collections.dataplatform.monitoring.plugins.modules import follow_alert

from tests.integration.delivery.conftest import Alertmanager, configuration
from tests.integration.programs import Program, free_port, status, wait_for
from tests.lab_fixture import BIN

NAME = "DRILL_CODE42"
PLACES = {"email": "smtp", "pagerduty": "pagerduty"}


class Prometheus(Program):
    def __init__(self, folder, alertmanager):
        self.rules = folder / "rules.yml"
        self.rules.write_text("groups: []\n")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        config = {
            "global": {"evaluation_interval": "1s", "external_labels": {"cluster": "lab"}},
            "rule_files": [str(self.rules)],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager.url.partition("//")[2]]}]}]},
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        super().__init__(
            [
                str(BIN / "prometheus"),
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
                "--web.enable-lifecycle",
                "--rules.alert.resend-delay=1s",
            ],
            folder / "prometheus.log",
        )
        wait_for(lambda: status(f"{self.url}/-/ready") == 200, "Prometheus ready")

    def signal(self, number):
        self._process.send_signal(number)

    def write(self, until):
        """The rule of playbooks/tasks/drill_rule.yml, loaded."""
        rule = {
            "alert": NAME,
            "expr": f"vector(1) and on() (vector(time()) < {until})",
            "labels": {"severity": "critical", "dataplatform_monitoring_drill": "CODE42"},
            "annotations": {"summary": "DRILL CODE42: fire drill, nothing is wrong"},
        }
        self.rules.write_text(yaml.safe_dump({"groups": [{"name": "drill", "rules": [rule]}]}))
        assert DirectApi(self.url).call("POST", "/-/reload").status == 200


@pytest.fixture
def servers(tmp_path, sinks):
    config = configuration(sinks, tmp_path)
    config["receivers"][1]["pagerduty_configs"][0]["send_resolved"] = True
    alertmanager = Alertmanager(tmp_path / "am", config)
    prometheus = Prometheus(tmp_path, alertmanager)
    yield prometheus, alertmanager
    prometheus.stop()
    alertmanager.stop()


def follow(capsys, servers, sinks, **options):
    prometheus, alertmanager = servers
    given = {
        "url": alertmanager.url,
        "kubernetes": False,
        "prometheus": {"url": prometheus.url},
        "labels": {"alertname": NAME},
        "timeout": 60,
        "sinks": {name: {"url": sinks[sink].control} for name, sink in PLACES.items() if sink in sinks},
        **options,
    }
    with patch_module_args(given), pytest.raises(SystemExit):
        follow_alert.main()
    return json.loads(capsys.readouterr().out)


def test_a_page_and_its_end(servers, healthy, capsys):
    servers[0].write(int(time.time()) + 300)
    page = follow(capsys, servers, healthy)
    assert [(check["name"], check["status"]) for check in page["checks"]] == [
        ("alert", "ok"),
        ("grouping", "ok"),
        ("pagerduty", "ok"),
        ("email", "ok"),
    ], page["checks"]
    names = [stage["name"] for stage in page["timeline"]]
    assert names[:4] == ["load of the rule", "evaluation", "for", "to Alertmanager"]
    assert {"group_wait, pagerduty", "send, email"} <= set(names)
    sent = {stage["name"]: stage for stage in page["timeline"]}["send, email"]
    assert 0 < sent["seconds"] < 5 and 0 < sent["share"] < 1, "what a request took is the server's own measure"
    groups = [f"{receiver} by alertname={NAME}, cluster=lab" for receiver in ("pagerduty", "email")]
    assert page["checks"][1]["expected"] == "; ".join(groups)
    assert page["lines"][-1].startswith("email: notified")
    servers[0].write(0)
    end = follow(capsys, servers, healthy, phase="resolved", alert=page["alert"])
    assert {check["name"]: check["status"] for check in end["checks"]} == {
        "end of the alert": "ok",
        "pagerduty, end": "ok",
        "email, end": "ok",
    }, end["checks"]
    told = [message for message in healthy["pagerduty"].show()["messages"] if NAME in json.dumps(message)]
    assert [message["action"] for message in told] == ["trigger", "resolve"]


def test_a_rule_that_ends_by_itself(servers, healthy, capsys):
    """What a drill that was killed leaves behind is over at the moment that stands in it."""
    servers[0].write(int(time.time()) + 4)
    page = follow(capsys, servers, healthy)
    assert page["checks"][0]["status"] == "ok"
    labels = {"alertname": NAME, "severity": "critical", "dataplatform_monitoring_drill": "CODE42", "cluster": "lab"}
    assert page["alert"] == labels
    end = follow(capsys, servers, healthy, phase="resolved", alert=page["alert"])
    assert end["checks"][0]["status"] == "ok"


def test_an_end_that_is_over_before_anybody_looks(servers, healthy, capsys):
    """Who is told of it is known from the labels it had: those it is recognised by do not reach every route."""
    servers[0].write(int(time.time()) + 300)
    page = follow(capsys, servers, healthy)
    ended = datetime.datetime.now(datetime.UTC).isoformat()
    servers[0].write(0)
    api = servers[1].api
    wait_for(lambda: not api.get_json("/api/v2/alerts"), "the alert is over in Alertmanager")
    end = follow(capsys, servers, healthy, phase="resolved", alert=page["alert"], since=ended)
    names = ["end of the alert", "pagerduty, end", "email, end"]
    assert [(check["name"], check["status"]) for check in end["checks"]] == [(name, "ok") for name in names]


def test_a_rule_that_was_not_loaded(servers, healthy, capsys):
    result = follow(capsys, servers, healthy, timeout=2)
    assert result["failed"] and result["checks"][0]["cause"]["code"] == "drill_not_noticed"


def test_a_rule_that_does_not_fire(servers, healthy, capsys):
    servers[0].write(0)
    result = follow(capsys, servers, healthy, timeout=3)
    assert result["checks"][0]["cause"]["code"] == "drill_not_firing"


def test_a_message_that_is_another_is_named(servers, healthy, capsys):
    servers[0].write(int(time.time()) + 300)
    page = follow(capsys, servers, healthy, contains=["not in it"], timeout=40)
    check = page["checks"][-1]
    assert check["name"] == "email"
    assert check["cause"]["code"] == "message_not_seen" and NAME in check["cause"]["message"].partition("since: ")[2]
    assert "send, email" in [stage["name"] for stage in page["timeline"]], "accepted it was"


def test_a_prometheus_that_is_away_for_a_moment_is_asked_again(servers, healthy, capsys):
    prometheus = servers[0]
    prometheus.write(int(time.time()) + 300)
    prometheus.signal(signal.SIGSTOP)
    resume = threading.Timer(3, prometheus.signal, [signal.SIGCONT])
    resume.start()
    page = follow(capsys, servers, healthy, query_timeout=0.5)
    resume.join()
    assert {check["status"] for check in page["checks"]} == {"ok"}, page["checks"]


@pytest.mark.parametrize("away", ["prometheus", "url"])
def test_a_server_that_stays_away_is_a_cause(servers, healthy, capsys, away):
    dead = f"http://127.0.0.1:{free_port()}"
    gone = {"url": dead} if away == "url" else {"prometheus": {"url": dead}}
    result = follow(capsys, servers, healthy, timeout=1, **gone)
    assert result["failed"] and (result["lines"], result["timeline"]) == ([], [])
    assert [(check["name"], check["status"]) for check in result["checks"]] == [("alert", "unknown")]
    assert result["checks"][0]["cause"]["code"] == "server_unreachable" and dead in result["msg"]


class TestSilence:
    """Looked at is Alertmanager alone: the Prometheus is not asked."""

    LABELS = {"alertname": "Watched", "severity": "critical"}

    def watch(self, capsys, single, sinks):
        given = {"labels": self.LABELS, "phase": "silent", "timeout": 8}
        result = follow(capsys, (single, single), sinks, **given)
        return {check["name"]: check for check in result["checks"]}

    def test_nothing_is_sent(self, single, healthy, capsys):
        checks = self.watch(capsys, single, {})
        assert {name: check["status"] for name, check in checks.items()} == {
            "pagerduty, silent": "ok",
            "email, silent": "ok",
        }

    @pytest.mark.parametrize("seen", [False, True])
    def test_something_is_sent(self, single, healthy, capsys, seen):
        ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=30)
        alert = {"labels": {**self.LABELS, "service": f"s{seen}"}, "endsAt": ends.isoformat()}
        later = threading.Timer(5.2, single.api.call, ["POST", "/api/v2/alerts", (), [alert]])
        later.start()
        check = self.watch(capsys, single, healthy if seen else {})["pagerduty, silent"]
        later.join()
        assert (check["status"], check["cause"]["code"]) == ("failed", "drill_not_silent")
        assert ("Watched" in check["cause"]["message"]) == seen


def test_an_alert_that_alertmanager_does_not_get(servers, single, healthy, capsys):
    servers[0].write(int(time.time()) + 300)
    result = follow(capsys, servers, healthy, url=single.url, timeout=4)
    assert result["checks"][0]["cause"]["code"] == "drill_not_received"
