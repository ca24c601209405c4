# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packs: each is well-formed, judges its own service only, and its expressions are PromQL."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _packs
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import tokens_in

KINDS = _packs.shipped_kinds()
# What the platform of the plan consists of, and what the cluster itself brings.
PROMISED = {
    "alertmanager", "apiserver", "cert-manager", "coredns", "datahub", "doris_be", "doris_fe", "elasticsearch", "etcd",
    "generic", "ingress-nginx", "kafka", "kube-controller-manager", "kube-scheduler", "kube-state-metrics", "kubelet",
    "loki", "minio", "node-exporter", "postgresql", "prometheus", "superset", "trino", "vault",
}  # fmt: skip
# The alerts of the plan, with the numbers it gives them.
PLAN = {
    ("kube-state-metrics", "NodeNotReady"): ("5m", "critical", None),
    ("trino", "ServiceDown"): ("2m", "$severity", None),
    ("node-exporter", "HighCPUUsage"): ("10m", "warning", 0.8),
    ("node-exporter", "HighMemoryUsage"): ("10m", "warning", 0.8),
    ("cert-manager", "CertificateExpiringSoon"): ("1h", "warning", 604800),
    ("postgresql", "PostgreSQLDown"): ("1m", "critical", None),
    ("vault", "VaultSealed"): ("1m", "critical", None),
    ("kubelet", "PersistentVolumeNearFull"): ("5m", "warning", 0.85),
}


def expressions():
    """(kind, place, expression) of everything in the packs that Prometheus evaluates."""
    packs = _packs.load()
    for kind in KINDS:
        pack = packs.own(kind)
        for number, item in enumerate(pack.get("health", [])):
            yield kind, f"health[{number}]", item["expr"]
        for name, alert in pack.get("alerts", {}).items():
            yield kind, f"alerts.{name}", alert["expr"].replace("$threshold", repr(alert.get("threshold")))
        for name, indicator in pack.get("sli", {}).items():
            for key in sorted({"up", "errors", "total", "value"} & set(indicator)):
                yield kind, f"sli.{name}.{key}", indicator[key]


def filled(expression):
    """The expression as it stands in a rule of a service called x."""
    return expression.replace("$selector", 'job="x"').replace("$min_targets", "1")


def test_every_kind_that_was_promised_is_there():
    assert set(KINDS) >= PROMISED


@pytest.mark.parametrize("kind", KINDS)
def test_a_pack_is_well_formed(kind):
    assert _packs.validate(_packs.load(), [kind]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_pack_says_where_its_names_come_from(kind):
    pack = _packs.load().own(kind)
    assert all(source.startswith("https://") for source in pack["source"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_pack_judges_more_than_reachability(kind):
    pack = _packs.load().own(kind)
    if kind != _packs.BASE_KIND:
        assert pack.get("health") or pack.get("must_have")
        assert pack.get("min_samples", 0) > 1


@pytest.mark.parametrize("kind", KINDS)
def test_fixes_are_one_command(kind):
    for item in _packs.load().own(kind).get("health", []):
        assert item["fix"].startswith("kubectl ") and "\n" not in item["fix"]


@pytest.mark.parametrize(("place", "wanted"), PLAN.items())
def test_the_plans_numbers(place, wanted):
    kind, name = place
    alert = _packs.load().get(kind)["alerts"][name]
    assert (alert["for"], alert["severity"], alert.get("threshold")) == wanted


@pytest.mark.parametrize(("kind", "place", "expression"), list(expressions()))
def test_every_metric_is_asked_of_one_service_only(kind, place, expression):
    """Each selector in braces names the job, so that two services of one kind do not answer for each other."""
    selectors = re.findall(r"\{[^{}]*\}", expression)
    assert selectors, expression
    assert [one for one in selectors if "$selector" not in one] == []
    assert tokens_in(expression) <= _packs.EXPR_TOKENS


def test_no_function_over_time_takes_several_metrics():
    """rate() drops the name: two metrics with equal labels are then an error that only a live server reports."""
    several = re.compile(r"[a-z_]+\(\s*\{__name__=~[^}]*\}\[")
    assert [place for place in expressions() if several.search(place[2])] == []


@pytest.mark.parametrize("kind", KINDS)
def test_texts_use_only_tokens_that_are_filled_in(kind):
    pack = _packs.load().own(kind)
    for name, alert in pack.get("alerts", {}).items():
        for key in ("summary", "description"):
            assert tokens_in(alert[key]) <= _packs.TEXT_TOKENS, (name, key)
        assert "selector" not in tokens_in(alert["summary"] + alert["description"])


def test_alert_names_are_unique_over_all_kinds():
    """A runbook belongs to a name: two alerts of one name would need two."""
    seen: dict[str, str] = {}
    for kind in KINDS:
        for name in _packs.load().own(kind).get("alerts", {}):
            assert seen.setdefault(name, kind) == kind


def test_every_kind_inherits_the_alerts_about_any_service():
    for kind in KINDS:
        assert {"ServiceDown", "ServicePartlyDown", "ServiceTargetsMissing"} <= set(_packs.load().get(kind)["alerts"])


def test_promtool_reads_every_expression(tmp_path):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: the lab brings it")
    rules = [
        {"alert": f"A{number}", "expr": filled(expression)} for number, (_, _, expression) in enumerate(expressions())
    ]
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({"groups": [{"name": "packs", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", "--lint=none", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout + done.stderr


BAD_PACKS = {
    "unknown key": ({"helth": []}, "pack redis: helth: unknown key; did you mean health?"),
    "no description": ({"description": ...}, "pack redis: description: is missing; add description."),
    "a health without $selector": (
        {"health": [{"expr": "redis_up", "equals": 1, "means": "m"}]},
        "pack redis: health[0].expr: has no $selector, so it would judge every service alike; write metric{$selector}.",
    ),
    "a health without a bound": (
        {"health": [{"expr": "redis_up{$selector}", "means": "m"}]},
        "pack redis: health[0]: says no bound; add equals, min or max.",
    ),
    "a misspelt token": (
        {"health": [{"expr": "redis_up{$selector} > $treshold", "equals": 1, "means": "m"}]},
        "pack redis: health[0].expr: $treshold is not a token; did you mean threshold?",
    ),
    "a misspelt token in a text": (
        {"health": [{"expr": "x{$selector}", "min": 1, "means": "m", "fix": "kubectl -n $namespase get pods"}]},
        "pack redis: health[0].fix: $namespase is not a token; did you mean namespace?",
    ),
    "a threshold that is missing": (
        {
            "alerts": {
                "A": {"expr": "x{$selector} > $threshold", "severity": "warning", "summary": "s", "description": "d"}
            }
        },
        "pack redis: alerts.A.expr: uses $threshold; add alerts.A.threshold.",
    ),
    "a threshold that is not used": (
        {
            "alerts": {
                "A": {"expr": "x{$selector}", "threshold": 1, "severity": "warning", "summary": "s", "description": "d"}
            }
        },
        "pack redis: alerts.A.threshold: is not used by expr; write $threshold in expr or remove threshold.",
    ),
    "an alert without severity": (
        {"alerts": {"A": {"expr": "x{$selector}", "summary": "s", "description": "d"}}},
        "pack redis: alerts.A.severity: is missing; add severity.",
    ),
    "a quoted port": (
        {"endpoints": [{"port": "9121"}]},
        'pack redis: endpoints[0].port: "9121" in quotes would be taken for a port\'s name; write 9121 without quotes.',
    ),
    "an exporter without an image": (
        {"exporter": {"name": "redis-exporter", "port": 9121}},
        "pack redis: exporter.image: is missing; add image.",
    ),
    "latest": (
        {"exporter": {"name": "r", "port": 9121, "image": {"repository": "r", "tag": "latest"}}},
        'pack redis: exporter.image.tag: "latest" is not well-formed; '
        "pin a version; latest changes under you, and a version is a text: quote it.",
    ),
    "an argument with an unknown setting": (
        {"exporter": {"name": "r", "port": 1, "image": {"repository": "r", "tag": "v1"}, "args": ["--x=$hst"]}},
        "pack redis: exporter.args[0]: $hst is no setting; did you mean host?",
    ),
}


@pytest.mark.parametrize("case", BAD_PACKS)
def test_a_bad_pack_of_the_user_is_refused_in_one_sentence(case):
    change, sentence = BAD_PACKS[case]
    pack = {key: value for key, value in {"description": "Redis", **change}.items() if value is not ...}
    assert _packs.validate(_packs.load({"redis": pack})) == [sentence]


@pytest.mark.parametrize("value", [[], "x", 7])
def test_packs_that_are_no_mapping(value):
    assert _packs.validate(_packs.load(value)) == [
        "catalogue_packs: must be a mapping of kind to pack; write catalogue_packs: {redis: {...}}."
    ]


def test_a_pack_without_a_text_for_its_kind():
    assert _packs.validate(_packs.load({7: {}})) == ["pack 7: the kind must be a text; quote it."]


def test_a_users_pack_keeps_what_it_does_not_mention():
    packs = _packs.load({"trino": {"min_samples": 3}})
    assert packs.get("trino")["must_have"] == _packs.load().get("trino")["must_have"]
    assert packs.get("trino")["min_samples"] == 3
    assert _packs.read_shipped("trino")["min_samples"] != 3
