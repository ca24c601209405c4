# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault of an entry has one sentence: entry, key, what is wrong, remedy."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _catalogue_validate, _packs

DNS = "use lower-case letters, digits and -, at most 63, beginning and ending with a letter or digit"
TIME = "write a number and a unit, like 30s, 5m, 1h30m"
UNITS = f"{TIME} (ms, s, m, h, d, w, y; largest first)"
REFERENCE = "put it into a Secret and write {name: SECRET, key: KEY}"

# what is changed in a good entry of trino -> the one sentence that must come
ONE_FAULT = {
    "unknown key": ({"prot": 1}, "trino: prot: unknown key; did you mean probe?"),
    "a key that belongs into endpoints": (
        {"port": 8080},
        "trino: port: unknown key; write it inside endpoints: [{port: ...}].",
    ),
    "unknown kind": (
        {"kind": "trinoo"},
        "trino: kind: unknown kind trinoo; did you mean trino? "
        "(a product of your own: catalogue_packs, or kind: generic).",
    ),
    "kind of a wrong type": ({"kind": 7}, "trino: kind: must be a text, not a whole number (7); write a text."),
    "unknown alert": (
        {"alerts": {"TrinoQueriesFalling": {"threshold": 1}}},
        "trino: alerts.TrinoQueriesFalling: kind trino has no such alert; did you mean TrinoQueriesFailing?",
    ),
    "unknown key of an alert": (
        {"alerts": {"TrinoQueueLong": {"treshold": 1}}},
        "trino: alerts.TrinoQueueLong.treshold: unknown key; did you mean threshold?",
    ),
    "alert switched off in short": (
        {"alerts": {"TrinoQueueLong": False}},
        "trino: alerts.TrinoQueueLong: must be a mapping, not false; write TrinoQueueLong: {enabled: false}.",
    ),
    "threshold of an alert without one": (
        {"alerts": {"ServiceDown": {"threshold": 2}}},
        "trino: alerts.ServiceDown.threshold: this alert has no threshold; remove it, or give expr with $threshold.",
    ),
    "threshold as a text": (
        {"alerts": {"TrinoQueueLong": {"threshold": "50"}}},
        'trino: alerts.TrinoQueueLong.threshold: must be a number, not a text ("50"); write a number.',
    ),
    "no endpoints": (
        {"endpoints": []},
        "trino: endpoints: there are none, so nothing would be scraped; write at least endpoints: [{port: metrics}].",
    ),
    "endpoints is no list": (
        {"endpoints": {"port": "metrics"}},
        "trino: endpoints: must be a list, not a mapping; write endpoints: [{port: metrics}].",
    ),
    "an endpoint that is no mapping": (
        {"endpoints": ["metrics"]},
        "trino: endpoints[0]: must be a mapping, not a text; write {port: metrics}.",
    ),
    "port out of range": (
        {"endpoints": [{"port": 99999}]},
        "trino: endpoints[0].port: 99999 is not a port; ports are 1 to 65535.",
    ),
    "port zero": (
        {"endpoints": [{"targetPort": 0}]},
        "trino: endpoints[0].targetPort: 0 is not a port; ports are 1 to 65535.",
    ),
    "port and targetPort": (
        {"endpoints": [{"port": "http", "targetPort": 8080}]},
        "trino: endpoints[0]: has both port and targetPort; keep one: port wins silently and targetPort is ignored.",
    ),
    "no port": (
        {"endpoints": [{"path": "/metrics"}]},
        "trino: endpoints[0]: has neither port nor targetPort; write port: NAME (or its number).",
    ),
    "quoted number": (
        {"endpoints": [{"port": "8081"}]},
        'trino: endpoints[0].port: "8081" in quotes would be taken for a port\'s name; write 8081 without quotes.',
    ),
    "port that is a list": (
        {"endpoints": [{"port": [8081]}]},
        "trino: endpoints[0].port: must be a port's name or number, not a list; "
        "write for example port: metrics or port: 8081.",
    ),
    "port that is true": (
        {"endpoints": [{"port": True}]},
        "trino: endpoints[0].port: must be a port's name or number, not true or false; "
        "write for example port: metrics or port: 8081.",
    ),
    "port with a space": (
        {"endpoints": [{"port": "my port"}]},
        'trino: endpoints[0].port: "my port" is not a port\'s name; port names have lower-case letters, digits and -.',
    ),
    "bad duration": (
        {"endpoints": [{"port": "http", "interval": "30 sec"}]},
        f'trino: endpoints[0].interval: "30 sec" is not a duration; {UNITS}.',
    ),
    "duration without unit": (
        {"endpoints": [{"port": "http", "interval": 30}]},
        "trino: endpoints[0].interval: 30 has no unit; write 30s.",
    ),
    "duration zero": (
        {"endpoints": [{"port": "http", "interval": "0s"}]},
        "trino: endpoints[0].interval: a duration of 0; write at least 1s.",
    ),
    "duration null": (
        {"endpoints": [{"port": "http", "interval": None}]},
        f"trino: endpoints[0].interval: must be a duration, not empty (null); {TIME}.",
    ),
    "timeout longer than the interval": (
        {"endpoints": [{"port": "http", "interval": "10s", "scrapeTimeout": "15s"}]},
        "trino: endpoints[0].scrapeTimeout: 15s is longer than the interval (10s); "
        "make it at most the interval: the operator rejects the whole monitor.",
    ),
    "timeout longer than Prometheus' own interval": (
        {"endpoints": [{"port": "http", "scrapeTimeout": "1m"}]},
        "trino: endpoints[0].scrapeTimeout: 1m is longer than the interval (30s, Prometheus' own); "
        "make it at most the interval: the operator rejects the whole monitor.",
    ),
    "unknown key of an endpoint": (
        {"endpoints": [{"port": "http", "honourLabels": True}]},
        "trino: endpoints[0].honourLabels: unknown key; did you mean honorLabels?",
    ),
    "Prometheus' spelling of a key": (
        {"endpoints": [{"port": "http", "metrics_path": "/m"}]},
        "trino: endpoints[0].metrics_path: unknown key; did you mean path?",
    ),
    "nested unknown key of an endpoint": (
        {"endpoints": [{"port": "http", "tlsConfig": {"insecureSkipverify": True}}]},
        "trino: endpoints[0].tlsConfig.insecureSkipverify: unknown key; did you mean insecureSkipVerify?",
    ),
    "wrong type in an endpoint": (
        {"endpoints": [{"port": "http", "honorLabels": "yes"}]},
        'trino: endpoints[0].honorLabels: must be true or false, not a text ("yes"); write true or false.',
    ),
    "wrong choice in an endpoint": (
        {"endpoints": [{"port": "http", "scheme": "htps"}]},
        'trino: endpoints[0].scheme: "htps" is not allowed; did you mean https?',
    ),
    "params that are no lists": (
        {"endpoints": [{"port": "http", "params": {"format": "prometheus"}}]},
        'trino: endpoints[0].params.format: must be a list, not a text ("prometheus"); write a list.',
    ),
    "path without slash": (
        {"endpoints": [{"port": "http", "path": "metrics"}]},
        'trino: endpoints[0].path: "metrics" does not begin with /; write /metrics.',
    ),
    "literal password": (
        {"endpoints": [{"port": "http", "basicAuth": {"password": "s3cret"}}]},
        f"trino: endpoints[0].basicAuth.password: is written in clear; {REFERENCE}.",
    ),
    "literal token": (
        {"endpoints": [{"port": "http", "authorization": {"credentials": "s3cret"}}]},
        f"trino: endpoints[0].authorization.credentials: is written in clear; {REFERENCE}.",
    ),
    "secret reference without a name": (
        {"endpoints": [{"port": "http", "basicAuth": {"password": {"key": "password"}}}]},
        "trino: endpoints[0].basicAuth.password.name: is missing; name the Secret, in the monitor's namespace.",
    ),
    "job set by a relabeling": (
        {"endpoints": [{"port": "http", "relabelings": [{"targetLabel": "job", "replacement": "x"}]}]},
        "trino: endpoints[0].relabelings[0]: sets the job label, which is the entry's name; remove the rule.",
    ),
    "the same endpoint twice": (
        {"endpoints": [{"port": "http"}, {"port": "http"}]},
        "trino: endpoints[1]: is scraped by trino.endpoints[0] already; remove one of them: "
        "every sum would count it twice.",
    ),
    "empty selector": (
        {"selector": {}},
        "trino: selector: is empty; write at least one label; "
        "an empty selector selects every Service of the namespace.",
    ),
    "selector with a number": (
        {"selector": {"app": 7}},
        "trino: selector.app: must be a text, not a whole number (7); quote it: labels are texts.",
    ),
    "selector null": ({"selector": None}, "trino: selector: is empty; give it a value or remove the key."),
    "bad operator in a selector": (
        {"selector": {"matchExpressions": [{"key": "app", "operator": "Inn"}]}},
        'trino: selector.matchExpressions[0].operator: "Inn" is not allowed; did you mean In?',
    ),
    "name that is no label": ({"name": "Trino_1"}, f'Trino_1: name: "Trino_1" is not a DNS label; {DNS}.'),
    "namespace that is no label": (
        {"namespace": "data_platform"},
        f'trino: namespace: "data_platform" is not a DNS label; {DNS}.',
    ),
    "job of our own monitor": (
        {"job": "trino-x"},
        "trino: job: the job label of a monitor made here is the entry's name; remove job, or set adopt: true.",
    ),
    "objective 100": (
        {"slo": {"objective": 100}},
        "trino: slo.objective: 100 leaves no error budget; write what users need, for example 99.9.",
    ),
    "objective as a ratio": (
        {"slo": {"objective": 0.999}},
        "trino: slo.objective: 0.999 looks like a ratio; write a percentage, for example 99.9.",
    ),
    "objective out of range": (
        {"slo": {"objective": 120}},
        "trino: slo.objective: 120 is not a percentage between 0 and 100; write for example 99.9.",
    ),
    "objective missing": ({"slo": {"window": "28d"}}, "trino: slo.objective: is missing; add objective."),
    "short window": (
        {"slo": {"objective": 99, "window": "1h"}},
        'trino: slo.window: "1h" is too short for an SLO; write at least 1d; 28d is usual.',
    ),
    "bad window": (
        {"slo": {"objective": 99, "window": "a month"}},
        f'trino: slo.window: "a month" is not a duration; {UNITS}.',
    ),
    "unknown sli": (
        {"slo": {"objective": 99, "sli": "request"}},
        'trino: slo.sli: "request" is not allowed; did you mean requests?',
    ),
    "severity": (
        {"severity": "page"},
        'trino: severity: "page" is not allowed; allowed: critical, info, warning.',
    ),
    "optional as a text": (
        {"optional": "yes"},
        'trino: optional: must be true or false, not a text ("yes"); write true or false.',
    ),
    "min_targets zero": ({"min_targets": 0}, "trino: min_targets: 0 is too small; the least is 1."),
    "health without a bound": (
        {"health": [{"expr": "up{$selector}", "means": "it is up"}]},
        "trino: health[0]: says no bound; add equals, min or max.",
    ),
    "health with a misspelt token": (
        {"health": [{"expr": "up{$selecter}", "min": 1, "means": "m"}]},
        "trino: health[0].expr: $selecter is not a token; did you mean selector?",
    ),
    "alert with a misspelt token": (
        {"alerts": {"ServiceDown": {"expr": "up{$selector} > $treshold"}}},
        "trino: alerts.ServiceDown.expr: $treshold is not a token; did you mean threshold?",
    ),
    "spec with what the entry says": (
        {"spec": {"sampleLimit": 5, "namespaceSelector": {"any": True}}},
        "trino: spec.namespaceSelector: is derived from the entry; use namespace and remove it.",
    ),
    "a former name that is in use": (
        {"previous_names": ["trino"]},
        "trino: previous_names: trino is the name of an entry now; remove it.",
    ),
    "must_have with a selector": (
        {"must_have": ['up{job="x"}']},
        'trino: must_have[0]: "up{job="x"}" is not well-formed; '
        "write the metric's name alone, without labels or operators.",
    ),
    "exporter of a product without one": (
        {"exporter": {"host": "x"}, "selector": ..., "endpoints": ...},
        "trino: exporter: kind trino needs none: it is scraped directly; "
        "remove exporter, or give the kind one in catalogue_packs.",
    ),
    "a password in the probe's address": (
        {"probe": {"url": "http://me:pw@trino/v1/info"}},
        'trino: probe.url: "http://me:pw@trino/v1/info" is not well-formed; '
        "write scheme://host:port/path, without user or password.",
    ),
    "adopt with endpoints": (
        {"adopt": True},
        "trino: endpoints: is not ours to set: the entry adopts somebody else's monitor; remove endpoints or adopt.",
    ),
    "targets and selector": (
        {"targets": ["10.0.0.7:9100"], "endpoints": ...},
        "trino: selector: cannot be combined with targets; remove selector or targets.",
    ),
    "ScrapeConfig without targets": (
        {"monitor": "ScrapeConfig", "endpoints": ..., "selector": ...},
        "trino: targets: is missing: a ScrapeConfig scrapes addresses; write targets: [host:port].",
    ),
}


@pytest.mark.parametrize("case", ONE_FAULT)
def test_one_fault_one_sentence(kit, case):
    change, sentence = ONE_FAULT[case]
    assert kit.validate(kit.trino(**change)) == [sentence]


EXPORTER_FAULTS = {
    "without credentials_secret": (
        {"credentials_secret": ...},
        "postgresql: exporter.credentials_secret: is missing: the exporter must log in; "
        "name a Secret of the monitoring namespace with the keys password and username.",
    ),
    "without host": (
        {"host": ...},
        "postgresql: exporter.host: is missing; "
        "add host: the database's Service, for example postgresql.data-platform.svc.",
    ),
    "with a password": (
        {"password": "s3cret"},
        "postgresql: exporter.password: unknown key; "
        "put it into a Secret of the monitoring namespace and name that Secret in credentials_secret.",
    ),
    "with a DSN": (
        {"dsn": "postgres://u:s3cret@h/db"},
        "postgresql: exporter.dsn: unknown key; "
        "write host, port and database; user and password belong into the Secret named in credentials_secret.",
    ),
    "host with a password": (
        {"host": "user:s3cret@postgresql"},
        'postgresql: exporter.host: "user:s3cret@postgresql" is not well-formed; '
        "write the host alone, for example postgresql.data-platform.svc.",
    ),
    "unknown key": ({"databse": "x"}, "postgresql: exporter.databse: unknown key; did you mean database?"),
    "port out of range": ({"port": 99999}, "postgresql: exporter.port: 99999 is too large; ports are 1 to 65535."),
    "port quoted": (
        {"port": "5432"},
        'postgresql: exporter.port: must be a whole number, not a text ("5432"); ports are 1 to 65535.',
    ),
    "unknown choice": (
        {"sslmode": "required"},
        'postgresql: exporter.sslmode: "required" is not allowed; did you mean require?',
    ),
    "latest image": (
        {"image": {"tag": "latest"}},
        'postgresql: exporter.image.tag: "latest" is not well-formed; '
        "pin a version; latest changes under you, and a version is a text: quote it.",
    ),
    "bad digest": (
        {"image": {"digest": "abc"}},
        'postgresql: exporter.image.digest: "abc" is not well-formed; write sha256: and 64 hex digits.',
    ),
    "unknown credential": (
        {"credentials_keys": {"pasword": "p"}},
        "postgresql: exporter.credentials_keys.pasword: unknown key; did you mean password?",
    ),
}


@pytest.mark.parametrize("case", EXPORTER_FAULTS)
def test_one_fault_of_an_exporter(kit, case):
    change, sentence = EXPORTER_FAULTS[case]
    exporter = {"host": "postgresql.data-platform.svc", "credentials_secret": "s", **change}
    exporter = {key: value for key, value in exporter.items() if value is not ...}
    assert kit.validate(kit.postgresql(exporter=exporter)) == [sentence]


def test_good_entries_have_no_fault(kit):
    assert kit.validate(kit.trino(), kit.postgresql()) == []


def test_the_whole_example_has_no_fault(kit):
    assert kit.validate(*kit.example()) == []


NAMELESS = {
    "no mapping": (7, "an entry must be a mapping, not a whole number; write {name: ..., kind: ..., namespace: ...}."),
    "null": (None, "an entry must be a mapping, not empty (null); write {name: ..., kind: ..., namespace: ...}."),
}


@pytest.mark.parametrize("case", NAMELESS)
def test_an_entry_without_a_name_is_called_by_its_place(kit, case):
    value, sentence = NAMELESS[case]
    assert kit.validate(kit.trino(), value) == [f"monitoring_services[1]: {sentence}"]


def test_a_missing_name(kit):
    assert kit.validate(kit.trino(name=...)) == [
        "monitoring_services[0]: name: is missing; give the entry a unique name; it becomes the job label."
    ]


def test_a_name_of_a_wrong_type(kit):
    assert kit.validate(kit.trino(name=7)) == [
        "monitoring_services[0]: name: must be a text, not a whole number (7); write a text."
    ]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (None, "must be a list of entries, not empty (null); write monitoring_services: [{name: ..., kind: ...}]."),
        ({}, "must be a list of entries, not a mapping; write monitoring_services: [{name: ..., kind: ...}]."),
        ("x", "must be a list of entries, not a text; write monitoring_services: [{name: ..., kind: ...}]."),
        ([], "has no entry; declare at least one service, or run no play of this collection."),
    ],
)
def test_the_variable_itself(value, sentence):
    from ansible_collections.dataplatform.monitoring.plugins.module_utils import _catalogue_validate, _packs

    assert _catalogue_validate.validate(value, _packs.load()) == [f"monitoring_services: {sentence}"]


def test_duplicate_names(kit):
    assert kit.validate(kit.trino(), kit.postgresql(), kit.trino(namespace="other")) == [
        "trino: name: entries 0 and 2 have the same name; give each its own: it is the job label."
    ]


def test_two_entries_with_one_job(kit):
    adopted = {"name": "dns", "kind": "coredns", "adopt": True, "job": "trino"}
    assert kit.validate(kit.trino(), adopted) == [
        "dns: job: trino is the job of trino too; give each entry its own job, or remove one of them."
    ]


def test_two_entries_with_one_endpoint(kit):
    assert kit.validate(kit.trino(), kit.trino(name="trino-again")) == [
        "trino-again: endpoints[0]: is scraped by trino.endpoints[0] already; "
        "remove one of them: every sum would count it twice."
    ]


def test_the_same_service_with_relabelings_may_be_two_entries(kit):
    keep = {"sourceLabels": ["__meta_kubernetes_pod_label_role"], "regex": "worker", "action": "keep"}
    worker = kit.trino(name="trino-worker", endpoints=[{"port": "metrics", "relabelings": [keep]}])
    assert kit.validate(kit.trino(), worker) == []


def test_all_faults_of_all_entries_come_at_once(kit):
    faults = kit.validate(
        kit.trino(prot=1, slo={"objective": 100}),
        kit.trino(name="b", endpoints=[{"port": 99999}, {"port": "8081", "interval": "x"}]),
        None,
    )
    assert [fault.split(": ")[0] for fault in faults] == ["trino", "trino", "b", "b", "b", "monitoring_services[2]"]


def test_what_is_required_without_a_pack_that_knows_it(kit):
    assert kit.validate({"name": "redis"}) == [
        "redis: namespace: is missing; write the namespace the service runs in.",
        "redis: selector: is missing, and kind generic has no usual one; "
        "write labels of the Service, for example selector: {app: myservice}.",
        "redis: endpoints: there are none, so nothing would be scraped; write at least endpoints: [{port: metrics}].",
    ]


def test_exporter_and_selector_exclude_each_other(kit):
    assert kit.validate(kit.postgresql(selector={"app": "x"})) == [
        "postgresql: selector: cannot be combined with exporter, whose own Service is selected; "
        "remove selector or exporter."
    ]


def test_a_scrape_config_has_no_port_and_one_endpoint(kit):
    outside = {"name": "nas", "targets": ["10.0.0.7:9100"], "endpoints": [{"port": 9100}, {"path": "/x"}]}
    assert kit.validate(outside) == [
        "nas: endpoints: a ScrapeConfig has one path for all its targets; "
        "write one endpoint, or another entry for the rest.",
        "nas: endpoints[0].port: a target carries its port itself; write targets: [host:port] and remove it.",
    ]
    assert kit.validate({"name": "nas", "targets": ["10.0.0.7"]}) == [
        'nas: targets[0]: "10.0.0.7" is not well-formed; write host:port.'
    ]


def test_without_kubernetes_an_entry_is_a_job(kit):
    assert kit.validate({"name": "a", "job": "b", "min_targets": 2}, kubernetes=False) == []
    assert kit.validate({"name": "a", "namespace": "x"}, kubernetes=False) == [
        "a: namespace: means nothing without Kubernetes; remove it: an entry is name, job and min_targets."
    ]


def test_without_a_schema_unknown_endpoint_keys_are_left_to_the_server(kit):
    entry = kit.trino(endpoints=[{"port": "http", "brandNewKey": 1, "interval": "x"}])
    assert kit.validate(entry, schema=False) == [f'trino: endpoints[0].interval: "x" is not a duration; {UNITS}.']


def test_no_message_repeats_a_password(kit):
    secret = "CANARY-5up3r"
    endpoint = {
        "port": "http",
        "basicAuth": {"username": secret, "password": secret},
        "authorization": {"credentials": secret, "type": [secret]},
        "tlsConfig": {"keySecret": secret},
        "bearerTokenSecret": secret,
    }
    entry = kit.postgresql(exporter={"host": "h", "credentials_secret": {"x": secret}, "password": secret})
    faults = kit.validate(kit.trino(endpoints=[endpoint]), entry)
    assert len(faults) >= 7
    assert not [fault for fault in faults if secret in fault]


def test_a_users_pack_makes_a_kind(kit):
    pack = {"redis": {"description": "Redis", "selector": {"app": "redis"}, "endpoints": [{"port": "metrics"}]}}
    entry = {"name": "cache", "kind": "redis", "namespace": "data-platform"}
    assert kit.validate(entry, packs=pack) == []
    assert kit.validate({**entry, "kind": "rediss"}, packs=pack)[0].startswith(
        "cache: kind: unknown kind rediss; did you mean redis?"
    )


def test_faults_of_packs_come_with_the_entries(kit):
    pack = {"redis": {"description": "Redis", "endpoint": []}, "mongodb": 7}
    assert kit.validate(kit.trino(), packs=pack) == [
        "pack redis: endpoint: unknown key; did you mean endpoints?",
        "pack mongodb: must be a mapping, not a whole number; write mongodb: {endpoints: ..., health: ...}.",
    ]


def test_no_entry_at_all_is_for_plays_that_judge_what_somebody_else_made() -> None:
    packs = _packs.load({})
    assert "has no entry" in _catalogue_validate.validate([], packs)[0]
    assert _catalogue_validate.validate([], packs, allow_empty=True) == []
