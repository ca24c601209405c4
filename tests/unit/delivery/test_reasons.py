# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counted reasons and logged errors become causes; nothing secret is shown."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _delivery_reasons
from hypothesis import given
from hypothesis import strategies as st

HEAD = 'time=2026-11-23T18:03:35Z level=WARN source=retry_stage.go:165 msg="Notify attempt failed, will retry later" '


@pytest.mark.parametrize(
    ("reasons", "errors", "kind", "code"),
    [
        ({"authError": 1}, [], "slack", "credentials_refused"),
        ({"rateLimited": 1}, [], "pagerduty", "receiver_rate_limits"),
        ({"clientError": 1}, [], "slack", "receiver_refuses"),
        ({"serverError": 1}, [], "webhook", "receiver_server_error"),
        ({"contextDeadlineExceeded": 1}, [], "email", "receiver_too_slow"),
        ({"contextCanceled": 1}, [], "slack", "notification_interrupted"),
        ({"other": 1}, ["post: context canceled"], "email", "notification_interrupted"),
        ({"other": 1}, [], "webhook", "receiver_unreachable"),
        ({"other": 1}, [], "email", "failure_without_reason"),
        ({"other": 1}, ["*email.loginAuth auth: 535 5.7.8 bad"], "email", "credentials_refused"),
        ({"other": 1}, ["send MAIL command: 451 4.7.1 Too many messages"], "email", "receiver_rate_limits"),
        ({"other": 1}, ["send MAIL command: 451 4.3.0 Temporary failure"], "email", "receiver_server_error"),
        ({"other": 1}, ["send RCPT command: 550 5.1.1 no such user"], "email", "receiver_refuses"),
        ({"other": 1}, ["dial tcp 10.0.0.1:25: connect: connection refused"], "email", "receiver_unreachable"),
        ({"other": 1}, ["lookup smtp.example.com: no such host"], "email", "receiver_unreachable"),
        ({"other": 1}, ["x509: certificate signed by unknown authority"], "email", "receiver_unreachable"),
        (
            {"other": 1},
            ["open /etc/x: no such file or directory"],
            "slack",
            "notification_not_built",
        ),
        ({"other": 1}, ["execute 'from' template: function x"], "email", "notification_not_built"),
        ({}, ["unexpected status code 503: down"], "slack", "receiver_server_error"),
        ({}, ["unexpected status code 401: who"], "slack", "credentials_refused"),
        ({}, ["first: connection refused", "unexpected status code 429: slow"], "slack", "receiver_rate_limits"),
    ],
)
def test_each_reason_has_its_cause(reasons, errors, kind, code):
    assert _delivery_reasons.code_of(reasons, errors, kind) == code


def test_a_log_of_lines_and_of_json():
    text = (
        HEAD + 'receiver=email integration=email[0] aggrGroup="{}:{alertname=\\"A\\"}" err="*x: 535 no"\n'
        'level=ERROR msg="Notify for alerts failed" num_alerts=1 err="slack/slack[0]: notify: 403"\n'
        '{"msg":"Notify for alerts failed","err":"pagerduty/pagerduty[0]: code 429"}\n'
        'level=INFO msg="Completed loading of configuration file"\n{broken notify err\n'
    )
    found = _delivery_reasons.read_log(text)
    assert [(item.receiver, item.text) for item in found] == [
        ("email", "*x: 535 no"),
        ("slack", "notify: 403"),
        ("pagerduty", "code 429"),
    ]
    assert found[0].group == '{}:{alertname="A"}'


def test_of_an_address_only_the_host_is_shown():
    error = 'Post "https://user:pw@hooks.slack.com/services/T1/B1/canary": EOF'
    shown = _delivery_reasons.without_secrets(error)
    assert "canary" not in shown and "pw" not in shown and "hooks.slack.com" in shown


@given(st.text(max_size=300))
def test_any_line_can_be_read(text):
    _delivery_reasons.read_log(text)


def test_the_cause_names_receiver_replica_and_command():
    secret = "its Secret: kubectl describe secret -n monitoring alertmanager-receivers"
    place = {"credentials": secret, "log": "kubectl logs x"}
    told = _delivery_reasons.failure(
        "slack", "pod monitoring/am-0", "slack", {"authError": 1}, ["403"], place, "1 failed"
    )
    assert told["code"] == "credentials_refused"
    assert "slack (slack) on pod monitoring/am-0: 1 failed: 403." in told["message"]
    assert told["fix"].endswith("kubectl describe secret -n monitoring alertmanager-receivers")


def test_reasons_that_mean_different_things_are_told_apart_each_with_its_own_error():
    reasons = {"authError": 1.0, "serverError": 3.0, "clientError": 0.0, "other": 1.0}
    errors = ["status code 500: rollup_error", "status code 403: invalid_token", "dial tcp: connection refused"]
    assert _delivery_reasons.apart(reasons, errors) == [
        ({"serverError": 3.0}, ["status code 500: rollup_error"]),
        ({"authError": 1.0}, ["status code 403: invalid_token"]),
        ({"other": 1.0}, ["dial tcp: connection refused"]),
    ]
    assert _delivery_reasons.apart({}, ["x"]) == [({}, ["x"])]
