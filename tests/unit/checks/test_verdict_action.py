# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict modules in the process of their task: the same options, the same result, the same secrecy."""

from __future__ import annotations

import datetime
import types
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible_collections.dataplatform.monitoring.plugins.plugin_utils._verdict_action import InProcess, VerdictAction

ROOT = Path(__file__).resolve().parents[3]
OPTIONS = {
    "accept": {"type": "list", "elements": "dict", "default": []},
    "a": {"type": "int"},
    "b": {"type": "int"},
    "token": {"type": "str", "no_log": True},
}


def action(judge: Any, *, transport: str = "local", **args: Any) -> VerdictAction:
    """The action of a task with these options; `judge` stands for the module."""
    task = types.SimpleNamespace(
        args=args, action="verify", async_val=0, check_mode=True, diff=False, environment=[], delegate_to=None
    )
    shell = types.SimpleNamespace(tmpdir=None, env_prefix=lambda **_given: "")
    connection = types.SimpleNamespace(transport=transport, _shell=shell, has_pipelining=False)
    play = types.SimpleNamespace(check_mode=True)
    made = VerdictAction(task, connection, play, None, None, None)
    arguments = {"argument_spec": OPTIONS, "mutually_exclusive": [("a", "b")], "supports_check_mode": True}
    made.MODULE = types.SimpleNamespace(arguments=lambda: arguments, run=judge)
    return made


def test_the_module_gets_its_options_as_from_a_process_of_its_own() -> None:
    def judge(module: InProcess) -> None:
        module.exit_json(changed=False, params=module.params, check=module.check_mode)

    accepted = [{"check": "trino", "until": datetime.date(2026, 12, 1)}]
    result = action(judge, a="3", accept=accepted).run(task_vars={})
    assert result["params"] == {"a": 3, "b": None, "token": None, "accept": [{"check": "trino", "until": "2026-12-01"}]}
    assert result["check"] is True and result["changed"] is False and not result.get("failed")


def test_a_red_verdict_fails_with_everything_it_knows() -> None:
    def judge(module: InProcess) -> None:
        module.fail_json(msg="1 failed of 1 checks.", checks=[{"name": "trino"}], exception="Traceback ...")

    result = action(judge).run(task_vars={})
    assert result == {"changed": False, "failed": True, "msg": "1 failed of 1 checks.", "checks": [{"name": "trino"}]}


def test_what_a_message_quotes_is_no_secret() -> None:
    def judge(module: InProcess) -> None:
        module.exit_json(msg=f"https://u:{module.params['token']}@host refuses", checks=[{"observed": "s3cr3t-t0ken"}])

    result = action(judge, token="s3cr3t-t0ken").run(task_vars={})
    assert "s3cr3t-t0ken" not in str(result) and "refuses" in result["msg"]


@pytest.mark.parametrize(("args", "message"), [({"c": 1}, "c"), ({"a": 1, "b": 2}, "mutually exclusive: a|b")])
def test_options_are_checked_as_ever(args: dict[str, Any], message: str) -> None:
    with pytest.raises(AnsibleError, match=message.replace("|", r"\|")):
        action(lambda _module: None, **args).run(task_vars={})


def test_on_another_machine_it_is_a_module_like_any(monkeypatch: pytest.MonkeyPatch) -> None:
    """For example on a bastion, from which alone Prometheus can be reached."""
    there = {"changed": False, "msg": "judged there"}
    monkeypatch.setattr(VerdictAction, "_execute_module", lambda _self, **_given: there)
    result = action(lambda _module: pytest.fail("judged here"), transport="ssh").run(task_vars={})
    assert result["msg"] == "judged there"


def test_every_verdict_has_one() -> None:
    judging = {
        path.stem for path in (ROOT / "plugins" / "modules").glob("*.py") if "_checks.finish(" in path.read_text()
    }
    actions = {path.stem for path in (ROOT / "plugins" / "action").glob("*.py") if "VerdictAction" in path.read_text()}
    # Following an alert takes minutes.
    assert sorted(judging - {"follow_alert"}) == sorted(actions)
