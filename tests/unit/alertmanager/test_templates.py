# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people read, rendered by amtool: never empty, no label that is not there, DRILL where it is one."""

from __future__ import annotations

import json
import subprocess

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _alertmanager_config
from ansible_collections.dataplatform.monitoring.plugins.module_utils._alertmanager_settings import Settings

from tests.lab_fixture import BIN
from tests.unit.alertmanager.samples import TEMPLATE, needs_amtool

pytestmark = needs_amtool

RUNBOOK = "https://runbooks.example/ServiceDown.md"
NOTES = {"summary": "trino is down", "description": "No target of <trino> & co. answers.", "runbook_url": RUNBOOK}
HTML = '{{ template "dataplatform.html" . }}'
FULL = {"alertname": "ServiceDown", "service": "trino", "severity": "critical", "cluster": "prod", "team": "analytics"}


def alert(labels, notes=None, status="firing"):
    ended = "2026-11-23T12:05:00Z" if status == "resolved" else "0001-01-01T00:00:00Z"
    return {
        "status": status, "labels": labels, "annotations": notes or {}, "startsAt": "2026-11-23T12:00:00Z",
        "endsAt": ended, "generatorURL": "http://prometheus.example/graph?g0.expr=up", "fingerprint": "f",
    }  # fmt: skip


def notification(*alerts, status="firing", group=()):
    def common(key):
        first, *rest = (item[key] for item in alerts)
        return {name: value for name, value in first.items() if all(one.get(name) == value for one in rest)}

    labels = common("labels")
    return {
        "receiver": "email", "status": status, "alerts": list(alerts), "commonLabels": labels,
        "groupLabels": {name: labels[name] for name in group if name in labels},
        "commonAnnotations": common("annotations"), "externalURL": "https://alertmanager.example",
    }  # fmt: skip


@pytest.fixture
def render(tmp_path):
    def run(text, data, kind="text"):
        (tmp_path / "data.json").write_text(json.dumps(data))
        command = [str(BIN / "amtool"), "template", "render", f"--template.glob={TEMPLATE}"]
        command += [f"--template.data={tmp_path}/data.json", f"--template.type={kind}", f"--template.text={text}"]
        done = subprocess.run(command, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def texts_of_built():
    """Every templated text of a built configuration, with what it is a text of."""
    config = _alertmanager_config.build(Settings.of({"keys": None}))

    def strings(value, place):
        if isinstance(value, str) and "{{" in value:
            yield place, value
        elif isinstance(value, dict):
            for key, item in value.items():
                yield from strings(item, f"{place}.{key}")
        elif isinstance(value, list):
            for item in value:
                yield from strings(item, place)

    return [
        pytest.param(text, "html" if place.endswith(".html") else "text", id=place.lstrip("."))
        for receiver in config["receivers"]
        for place, text in strings(receiver, receiver["name"])
    ]


NOTIFICATIONS = {
    "full": notification(alert(FULL, NOTES)),
    "bare": notification(alert({"x": "y"})),
    "nothing in common": notification(alert({"alertname": "A", "a": "1"}), alert({"alertname": "B"}, NOTES)),
    "resolved": notification(alert(FULL, NOTES, "resolved"), status="resolved"),
    "test alert": notification(
        alert(
            {
                **FULL,
                "alertname": "DRILL QY8V84-1 ServiceDown",
                "dataplatform_monitoring_synthetic": "delivery-QY8V84-1",
            },
            {"summary": "DRILL QY8V84-1: test of the notifications, nothing is wrong"},
        )
    ),
    "drill": notification(alert({**FULL, "dataplatform_monitoring_drill": "4F7K"}, NOTES)),
}


@pytest.mark.parametrize("name", NOTIFICATIONS)
@pytest.mark.parametrize(("text", "kind"), texts_of_built())
def test_no_text_is_empty_or_has_a_hole(render, text, kind, name):
    shown = render(text, NOTIFICATIONS[name], kind)
    assert shown.strip() and "<no value>" not in shown and "&lt;no value&gt;" not in shown
    assert "  " not in shown.partition("\n")[0]


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("full", "[FIRING] ServiceDown of trino, critical, cluster prod"),
        ("bare", "[FIRING] 1 alert"),
        ("nothing in common", "[FIRING 2] 2 alerts"),
        ("resolved", "[RESOLVED] ServiceDown of trino, critical, cluster prod"),
        ("drill", "DRILL 4F7K [FIRING] ServiceDown of trino, critical, cluster prod"),
        ("test alert", "DRILL [FIRING] QY8V84-1 ServiceDown of trino, critical, cluster prod"),
    ],
)
def test_the_subject(render, name, subject):
    assert render('{{ template "dataplatform.subject" . }}', NOTIFICATIONS[name]) == subject


@pytest.mark.parametrize("label", ["dataplatform_monitoring_drill", "dataplatform_monitoring_synthetic"])
@pytest.mark.parametrize("others", [(), (alert({"alertname": "Real"}),)])
@pytest.mark.parametrize("template", ["subject", "text", "slack", "html"])
def test_every_page_of_a_drill_says_so(render, template, label, others):
    data = notification(alert({"alertname": "A", label: "true"}), *others)
    assert "DRILL" in render(f'{{{{ template "dataplatform.{template}" . }}}}', data)


@pytest.mark.parametrize(
    ("name", "begins"), [("drill", "DRILL: trino is down"), ("test alert", "DRILL QY8V84-1: test of the notifications")]
)
@pytest.mark.parametrize("template", ["text", "slack", "html"])
def test_an_alert_says_drill_once(render, template, name, begins):
    shown = render(f'{{{{ template "dataplatform.{template}" . }}}}', NOTIFICATIONS[name])
    assert begins in shown and "DRILL: DRILL" not in shown


def test_a_page_that_is_none_says_nothing_of_a_drill(render):
    for name in ("subject", "text", "slack", "html"):
        assert "DRILL" not in render(f'{{{{ template "dataplatform.{name}" . }}}}', NOTIFICATIONS["full"])


def test_links_lead_to_the_runbook_and_to_alertmanager(render):
    link = "https://alertmanager.example/#/alerts?receiver=email"
    for name in ("text", "html"):
        shown = render(f'{{{{ template "dataplatform.{name}" . }}}}', NOTIFICATIONS["full"])
        assert RUNBOOK in shown and link in shown
    assert render('{{ template "dataplatform.runbook" . }}', NOTIFICATIONS["full"]) == RUNBOOK
    assert render('{{ template "dataplatform.runbook" . }}', NOTIFICATIONS["bare"]) == link
    assert f"<{RUNBOOK}|Runbook>" in render('{{ template "dataplatform.slack" . }}', NOTIFICATIONS["full"])


def test_markup_in_a_description_stays_text(render):
    assert "&lt;trino&gt; &amp; co." in render(HTML, NOTIFICATIONS["full"], "html")
    assert "&lt;trino&gt; &amp; co." in render('{{ template "dataplatform.slack" . }}', NOTIFICATIONS["full"])
    assert "<trino> & co." in render('{{ template "dataplatform.text" . }}', NOTIFICATIONS["full"])


@pytest.mark.parametrize(
    ("severity", "told"),
    [
        ("critical", "critical"),
        ("Warning", "warning"),
        ("info", "info"),
        ("error", "error"),
        ("page", "critical"),
        ("", "critical"),
    ],
)
def test_pagerduty_gets_a_severity_it_knows(render, severity, told):
    data = notification(alert({"alertname": "A", "severity": severity}))
    assert render('{{ template "dataplatform.severity" . }}', data) == told
