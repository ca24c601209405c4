# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The definitions in awx/ are what AWX takes, and ask for what the playbooks take."""

from __future__ import annotations

import datetime
import json
import re
from typing import Any

import jsonschema
import pytest
import yaml
from dateutil.rrule import rrulestr
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tests.awx import definitions, survey

SURVEYED = definitions.surveyed()
TEMPLATES = definitions.templates()
QUESTIONS = [(name, question) for name, item in SURVEYED.items() for question in item["survey"]]
IDS = [f"{name}: {question['variable']}" for name, question in QUESTIONS]
#: Which types of an argument spec an answer of a question's type will do for.
TYPES = {
    "text": {"str", "raw", "path", "list"},
    "textarea": {"str", "raw", "list"},
    "password": {"str", "raw"},
    "integer": {"int"},
    "float": {"float"},
    "multiplechoice": {"str", "bool"},
    "multiselect": {"list"},
}


def playbook_options(name: str) -> dict[str, dict[str, Any]]:
    """What the playbook of a template takes; of a workflow, what that of each of its jobs takes."""
    if name in TEMPLATES:
        return definitions.options(definitions.PROJECT / TEMPLATES[name]["playbook"])
    (workflow,) = [item for item in definitions.workflows() if item["name"] == name]
    found: dict[str, dict[str, Any]] = {}
    for node in workflow["nodes"]:
        if "template" in node:
            found |= playbook_options(node["template"])
    return found


# The rules of AWX themselves -----------------------------------------------------------------------------------------
def question(**changes: Any) -> dict[str, Any]:
    return {"question_name": "Q", "variable": "q", "type": "text", "required": False, **changes}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"type": "boolean"}, "no type boolean"),
        ({"required": "yes"}, "required is no bool"),
        ({"type": "integer", "default": "9"}, "is no integer"),
        ({"type": "integer", "min": "9"}, "min is no integer"),
        ({"type": "multiplechoice"}, "no choices"),
        ({"type": "multiplechoice", "choices": "a\nb", "default": "c"}, "c is no choice"),
        ({"type": "multiplechoice", "choices": "a\nb", "default": "a\nb"}, "more than one default"),
    ],
)
def test_what_awx_refuses_in_a_survey(changes: dict[str, Any], words: str) -> None:
    (told,) = survey.refusals({"name": "n", "description": "d", "spec": [question(**changes)]})
    assert words in told


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"type": "integer"}, "9"),
        ({"type": "integer", "max": 8}, 9),
        ({"type": "multiplechoice", "choices": "true\nfalse"}, True),
        ({"type": "multiplechoice", "choices": "true\nfalse"}, ""),
        ({"min": 3}, ""),
    ],
)
def test_what_awx_refuses_in_an_answer(changes: dict[str, Any], answer: object) -> None:
    assert survey.complaints(question(**changes), {"q": answer})


def test_a_default_is_sent_only_where_it_would_do_as_an_answer() -> None:
    spec = [
        question(variable="text", default=""),
        question(variable="number", type="integer", default=""),
        question(variable="choice", type="multiplechoice", choices="a\nb", default=""),
        question(variable="chosen", type="multiplechoice", choices="a\nb", default="b"),
    ]
    assert survey.extra_vars({"name": "n", "description": "", "spec": spec}, {}) == {"text": "", "chosen": "b"}


# Surveys -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", SURVEYED)
def test_awx_takes_the_survey(name: str) -> None:
    assert survey.refusals(definitions.survey(SURVEYED[name])) == []


@pytest.mark.parametrize(("name", "asked"), QUESTIONS, ids=IDS)
def test_the_playbook_takes_what_is_asked(name: str, asked: dict[str, Any]) -> None:
    option = playbook_options(name).get(asked["variable"])
    assert option is not None, f"no argument spec of {name} has {asked['variable']}"
    kind = option.get("type", "str")
    assert kind in TYPES[asked["type"]]
    if kind == "bool":
        assert survey.choices(asked) == ["true", "false"]
    elif asked["type"] == "multiplechoice":
        assert survey.choices(asked) == option.get("choices")
    else:
        assert "choices" not in option, "ask it as multiplechoice"


@pytest.mark.parametrize(("name", "asked"), QUESTIONS, ids=IDS)
def test_defaults_only_for_what_no_inventory_answers(name: str, asked: dict[str, Any]) -> None:
    """A default is an extra variable and beats every inventory; what begins with monitoring_ or with the name of a role
    is for inventories."""
    roles = {path.name for path in (definitions.ROOT / "roles").iterdir()}
    answered = asked["variable"].startswith(("monitoring_", *(f"{role}_" for role in roles)))
    if asked.get("default", "") != "":
        assert not answered
    # AWX's pages cannot show a choice without a default.
    assert "default" in asked
    assert len(asked["question_description"]) > 20


@pytest.mark.parametrize(("name", "asked"), QUESTIONS, ids=IDS)
def test_a_choice_between_true_and_false_is_cast(name: str, asked: dict[str, Any]) -> None:
    """It arrives as text, which is true whatever it says."""
    if asked["type"] != "multiplechoice" or survey.choices(asked) != ["true", "false"]:
        return
    uses = [
        expression
        for path in [*definitions.PLAYBOOKS.rglob("*.yml"), *(definitions.ROOT / "roles").rglob("*.yml")]
        for expression in re.findall(r"\{\{.*?\}\}", path.read_text(), flags=re.DOTALL)
        if asked["variable"] in expression
    ]
    assert uses
    assert [text for text in uses if not re.search(rf"{asked['variable']}[^}}]*\|\s*bool", text)] == []


# Templates, workflow, schedule ---------------------------------------------------------------------------------------
def test_every_playbook_has_a_thin_one_and_a_template() -> None:
    ours = {path.name for path in definitions.PLAYBOOKS.glob("*.yml")}
    thin = {path.name for path in definitions.PROJECT.glob("*.yml")}
    assert thin - {"stop.yml"} == ours
    assert {item["playbook"] for item in TEMPLATES.values()} == thin
    for name in ours:
        (play,) = definitions.load(definitions.PROJECT / name)
        assert play["ansible.builtin.import_playbook"] == f"dataplatform.monitoring.{name.removesuffix('.yml')}"


def test_what_takes_away_only_checks_unless_told_otherwise() -> None:
    teardown = TEMPLATES["Monitoring teardown"]
    assert teardown["job_type"] == "check"
    assert teardown["ask_job_type_on_launch"]


def test_credentials_go_to_the_one_template_that_writes_them() -> None:
    assert [name for name, item in TEMPLATES.items() if item.get("secrets")] == ["Monitoring credentials"]


@pytest.mark.parametrize("workflow", definitions.workflows(), ids=lambda item: item["name"])
def test_the_workflow_is_closed_and_ends_red_when_a_day_fails(workflow: dict[str, Any]) -> None:
    nodes = {node["identifier"]: node for node in workflow["nodes"]}
    ways = ("success", "failure", "always")
    assert {one for node in nodes.values() for way in ways for one in node.get(way, [])} == set(nodes) - {"day1"}
    for node in nodes.values():
        assert ("approval" in node) != ("template" in node)
        assert "approval" in node or TEMPLATES[node["template"]]["ask_limit_on_launch"]
        assert set(node) <= {"identifier", "approval", "template", *ways}
    for day, follows in (("day1", ["approve_day2"]), ("day2", ["approve_day3"]), ("day3", [])):
        assert nodes[day].get("success", []) == follows
        assert nodes[day]["failure"] == ["verify_after_failure"]
    assert nodes["approve_day2"]["success"] == ["day2"]
    assert nodes["approve_day3"]["success"] == ["day3"]
    # A denied approval has nothing after it, so that it ends the workflow red.
    assert not any(way in nodes[name] for name in ("approve_day2", "approve_day3") for way in ("failure", "always"))
    assert nodes["verify_after_failure"]["always"] == ["stop"]
    # A failed job without anything after it makes a workflow fail, and this one always fails.
    assert not any(way in nodes["stop"] for way in ways)
    (play,) = definitions.load(definitions.PROJECT / "stop.yml")
    assert [task for task in play["tasks"] if "ansible.builtin.fail" in task and "when" not in task]


def ran(workflow: dict[str, Any], red: set[str]) -> tuple[list[str], bool]:
    """Which nodes run when these end red, and whether the workflow then counts as failed: a red node that nothing
    follows makes it so (awx/main/scheduler/dag_workflow.py)."""
    nodes = {node["identifier"]: node for node in workflow["nodes"]}
    followed = {one for node in nodes.values() for way in ("success", "failure", "always") for one in node.get(way, [])}
    waiting, seen, failed = [name for name in nodes if name not in followed], [], False
    while waiting:
        name = waiting.pop(0)
        node = nodes[name]
        seen.append(name)
        waiting += node.get("always", []) + node.get("failure" if name in red else "success", [])
        failed |= name in red and not (node.get("failure") or node.get("always"))
    return seen, failed


@pytest.mark.parametrize(
    ("red", "nodes", "failed"),
    [
        (set(), ["day1", "approve_day2", "day2", "approve_day3", "day3"], False),
        ({"day1"}, ["day1", "verify_after_failure", "stop"], True),
        ({"day2", "verify_after_failure"}, ["day1", "approve_day2", "day2", "verify_after_failure", "stop"], True),
        ({"day3"}, ["day1", "approve_day2", "day2", "approve_day3", "day3", "verify_after_failure", "stop"], True),
        ({"approve_day2"}, ["day1", "approve_day2"], True),
    ],
)
def test_the_workflow_is_green_only_when_every_day_is(red: set[str], nodes: list[str], failed: bool) -> None:
    (workflow,) = definitions.workflows()
    # `stop` ends red whenever it runs.
    assert ran(workflow, red | {"stop"}) == (nodes, failed)


def test_the_schedule_is_one_night_after_the_other() -> None:
    (schedule,) = definitions.load(definitions.AWX / "schedules.yml")["awx_schedules"]
    assert TEMPLATES[schedule["template"]]["playbook"] == "verify.yml"
    settings = definitions.load(definitions.AWX / "settings.yml")
    assert schedule["rrule"] == "{{ awx_verify_schedule }}"
    rule = rrulestr(settings["awx_verify_schedule"].replace(" ", "\n"))
    nights = list(rule[:3])
    assert nights[1] - nights[0] == nights[2] - nights[1] == datetime.timedelta(days=1)


def test_settings_hold_no_secret() -> None:
    settings = definitions.load(definitions.AWX / "settings.yml")
    assert settings["awx_notification_configuration"]["password"] == ""
    assert all(name.startswith("awx_") for name in settings)


# Credential types ----------------------------------------------------------------------------------------------------
CREDENTIAL_TYPES = {
    item["name"]: item for item in definitions.load(definitions.AWX / "credential_types.yml")["awx_credential_types"]
}
#: As awx/main/fields.py (CredentialTypeInputField, CredentialTypeInjectorField) has it.
INPUTS = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "required": {"type": "array", "items": {"type": "string"}},
        "fields": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["id", "label"],
                "properties": {
                    "type": {"enum": ["string", "boolean"]},
                    "format": {"enum": ["ssh_private_key", "url"]},
                    "choices": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                    "id": {"type": "string", "pattern": "^[a-zA-Z_]+[a-zA-Z0-9_]*$", "not": {"const": "tower"}},
                    "label": {"type": "string"},
                    "help_text": {"type": "string"},
                    "multiline": {"type": "boolean"},
                    "secret": {"type": "boolean"},
                    "ask_at_runtime": {"type": "boolean"},
                    "default": {},
                },
            },
        },
    },
}
INJECTORS = {
    "type": "object",
    # No extra_vars: AWX keeps and shows those.
    "additionalProperties": False,
    "properties": {
        "file": {
            "type": "object",
            "patternProperties": {r"^template(\.[a-zA-Z_]+[a-zA-Z0-9_]*)?$": {"type": "string"}},
            "additionalProperties": False,
        },
        "env": {
            "type": "object",
            "patternProperties": {
                "^(?!ANSIBLE_)[a-zA-Z_]+[a-zA-Z0-9_]*$": {"type": "string", "pattern": "^[\x00-\x7f]*$"},
            },
            "additionalProperties": False,
        },
    },
}


def inject(name: str, **given: object) -> tuple[dict[str, str], dict[str, str]]:
    """The files and the environment that AWX makes of a credential of this type."""
    kind = CREDENTIAL_TYPES[name]
    fields = {field["id"]: False for field in kind["inputs"]["fields"] if field["type"] == "boolean"} | given
    sandbox = ImmutableSandboxedEnvironment()
    files = {
        label: sandbox.from_string(text).render(**fields) for label, text in kind["injectors"].get("file", {}).items()
    }
    names = {label.partition(".")[2]: f"/runner/env/{label}" for label in files}
    tower = {"filename": names.get("", names)}
    environment = {
        label: sandbox.from_string(text).render(tower=tower, **fields)
        for label, text in kind["injectors"]["env"].items()
    }
    return files, environment


@pytest.mark.parametrize("name", CREDENTIAL_TYPES)
def test_awx_takes_the_credential_type(name: str) -> None:
    kind = CREDENTIAL_TYPES[name]
    jsonschema.validate(kind["inputs"], INPUTS)
    jsonschema.validate(kind["injectors"], INJECTORS)
    fields = [field["id"] for field in kind["inputs"]["fields"]]
    assert len(set(fields)) == len(fields)
    assert set(kind["inputs"].get("required", [])) <= set(fields)
    labels = list(kind["injectors"]["file"])
    assert labels == ["template"] or all("." in label for label in labels)
    # Every field that a template names is one that is asked for.
    strict = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    tower = {"filename": {label.partition(".")[2]: "f" for label in labels} if labels != ["template"] else "f"}
    for text in [*kind["injectors"]["file"].values(), *kind["injectors"]["env"].values()]:
        strict.from_string(text).render(dict.fromkeys(fields, "EXAMPLE"), tower=tower)


@pytest.mark.parametrize("name", CREDENTIAL_TYPES)
def test_no_secret_stands_in_the_environment_itself(name: str) -> None:
    fields = {field["id"]: "canary" for field in CREDENTIAL_TYPES[name]["inputs"]["fields"]}
    _files, environment = inject(name, **fields)
    assert [variable for variable, value in environment.items() if "canary" in value] == []


@pytest.mark.parametrize("name", CREDENTIAL_TYPES)
def test_what_is_secret_is_marked(name: str) -> None:
    telling = re.compile("password|key|url|token|kubeconfig|more")
    fields = CREDENTIAL_TYPES[name]["inputs"]["fields"]
    plain = {field["id"] for field in fields if telling.search(field["id"]) and not field.get("secret")}
    # The access key's id is a name.
    assert plain <= {"access_key"}


def test_receivers_become_the_keys_of_their_secret_whatever_stands_in_them() -> None:
    given = {"smtp_auth_password": "a \"b\" 'c' <&>\\ é", "more": '{"slack_api_url_analytics": "https://x"}'}
    files, environment = inject("Monitoring receivers", **given)
    keys, more = json.loads(files["template"])
    assert keys == {
        "smtp_auth_password": given["smtp_auth_password"], "pagerduty_routing_key": "", "slack_api_url": "",
        "heartbeat_url": "",
    }  # fmt: skip
    assert more == {"slack_api_url_analytics": "https://x"}
    assert environment == {"MONITORING_RECEIVERS_FILE": "/runner/env/template"}


def test_object_storage_becomes_the_files_of_loki_and_thanos() -> None:
    keys = {"access_key": "a", "secret_key": "s"}
    files, environment = inject("Monitoring object storage", **keys, thanos_bucket="b", region="r")
    assert json.loads(files["template.loki"]) == {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}
    assert yaml.safe_load(files["template.thanos"])["config"]["bucket"] == "b"
    assert environment["MONITORING_THANOS_FILE"] == "/runner/env/template.thanos"
    _files, environment = inject("Monitoring object storage", **keys)
    assert environment["MONITORING_THANOS_FILE"] == ""


def test_the_playbook_reads_what_the_types_inject() -> None:
    text = (definitions.PLAYBOOKS / "credentials.yml").read_text()
    injected = {name for kind in CREDENTIAL_TYPES.values() for name in kind["injectors"]["env"]}
    injected.remove("K8S_AUTH_KUBECONFIG")
    assert set(re.findall(r"lookup\('ansible.builtin.env', '(\w+)'\)", text)) == injected
