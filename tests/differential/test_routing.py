# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Matchers and trees against Alertmanager itself: not one difference is tolerated.

A quick run with a fixed seed by default; C(DIFFERENTIAL_EXAMPLES=2000) is the long one (100,000 matcher strings and
10,000 trees). Each test prints what it covered and fails when a kind of input was not covered at all.
"""

from __future__ import annotations

import collections
import json
import os
import random
import re
import subprocess

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _matchers, _routing
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.lab_fixture import BIN

EXAMPLES = int(os.environ.get("DIFFERENTIAL_EXAMPLES", "60"))
STRINGS_PER_EXAMPLE = 50
TREES_PER_EXAMPLE = 5
MODES = {"fallback": "", "classic": "classic-mode", "utf8": "utf8-strict-mode"}

thorough = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=False,
    suppress_health_check=list(HealthCheck),
)

NAMES = ("alertname", "severity", "team", "a", "b_1", ":c", "é", "sp ace", "")
VALUES = (
    "",
    "critical",
    "warning",
    "a",
    "x y",
    'q"q',
    "back\\slash",
    "line\nbreak",
    "é🙂",
    "a,b",
    "{x}",
    "7",
    "crit.*",
)
PATTERNS = (
    *("crit.*", "a|b", ".+", ".*", "", "(?i)CRIT.*", "[[:alpha:]]+", "\\d+", "\\pL+", "\\Qa.b\\E", "x{2}", "^a$"),
    *("a)|(b", "(", "[", "*", "a**", "\\", "(?=a)", "\\z", "a{1001}", "[0-9]{3}", "(?P<n>a)", "\\bq", "(?s).", "a\\.b"),
)
SEEDS = st.integers(min_value=0, max_value=2**62)
PIECES = (
    *("{", "}", ",", "=", "!=", "=~", "!~", '"', "\\", " ", "\t", "\n", "'", "`", "!", "~", "a", "foo", "é", "7", "."),
    *("\\n", '\\"', "\\\\", "\\x41", "\\u00e9", "\\U0001F642", "\\101", "\\xff", "\\ud800", "\\d", "\u00a0", "\x1c"),
)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def one_matcher(rng, names=NAMES, clean=False):
    name = rng.choice(names)
    op = rng.choice(("=", "!=", "=~", "!~"))
    value = rng.choice(PATTERNS if "~" in op else VALUES)
    space = "" if clean else rng.choice(("", "", "", " ", "\t"))
    name = quoted(name) if not clean and rng.random() < 0.1 else name
    value = quoted(value) if clean or rng.random() < 0.5 else value
    return f"{name}{space}{op}{space}{value}"


def matcher_string(rng):
    kind = rng.randrange(10)
    if kind == 0:
        return "".join(rng.choices(PIECES, k=rng.randrange(13)))
    text = rng.choice((",", ", ", ",,")).join(one_matcher(rng) for _n in range(rng.randrange(5)))
    if kind == 1 and text:
        cut = rng.randrange(len(text) + 1)
        text = text[:cut] + rng.choice(PIECES) + text[cut:]
    return rng.choice(("{", "", "", "")) + text + rng.choice(("}", ",", "", "", ""))


def label_set(rng, names, values):
    return {name: rng.choice(values) for name in rng.sample(names, rng.randrange(min(5, len(names)) + 1))}


def ours(text, mode):
    try:
        return _matchers.parse(text, mode).matchers
    except _matchers.MatcherError:
        return None


def test_every_matcher_string_is_read_as_the_server_reads_it(oracle):
    seen = collections.Counter()

    @seed(20261123)
    @thorough
    @given(SEEDS)
    def compare(number):
        rng = random.Random(number)  # noqa: S311 - inputs of a test
        strings = [matcher_string(rng) for _n in range(STRINGS_PER_EXAMPLE)]
        label_sets = [label_set(rng, [name for name in NAMES if name], VALUES) for _n in range(4)]
        mode = rng.choice(sorted(MODES))
        answers = oracle.ask([{"mode": MODES[mode], "matchers": text, "alerts": label_sets} for text in strings])
        for text, answer in zip(strings, answers, strict=True):
            found = ours(text, mode)
            accepted = not answer.get("error")
            assert (found is not None) == accepted, (mode, text, answer)
            seen["strings"] += 1
            seen["accepted" if accepted else "refused"] += 1
            if accepted:
                assert [[m.name, m.op, m.value] for m in found] == answer["matchers"], (mode, text)
                mine = [all(m.matches(labels) for m in found) for labels in label_sets]
                assert mine == answer["matches"], (mode, text, label_sets)
                seen.update(m.op for m in found)
                seen[f"accepted by {mode}"] += 1

    compare()
    print(json.dumps(seen, indent=1))
    for kind in ("refused", "=", "!=", "=~", "!~", *(f"accepted by {mode}" for mode in MODES)):
        assert seen[kind] >= EXAMPLES, f"hardly any {kind} among the inputs"


CLEAN = ("alertname", "severity", "team", "a", "b_1")


GROUPINGS = ([], ["..."], ["alertname"], ["team", "severity"], ["team"], ["...", "a"], ["a", "a"])


def tree(rng, depth=0):
    """A route; most can be loaded, and many alerts fit several of its children."""
    node = {}
    if depth:
        for key in rng.choices(("matchers", "match", "match_re", None, None), k=rng.randrange(3)):
            if key == "matchers":
                node[key] = [one_matcher(rng, CLEAN, clean=True) for _n in range(rng.randrange(1, 3))]
            elif key == "match":
                node[key] = {rng.choice(CLEAN): rng.choice(("critical", "warning", "a", 7, True))}
            elif key == "match_re":
                node[key] = {
                    rng.choice(CLEAN): rng.choice(("crit.*", ".+", "", ".*", "a|b", "(" if depth > 2 else "a"))
                }
        if rng.random() < 0.5:
            node["continue"] = rng.random() < 0.8
    if depth == 0 or rng.random() < 0.5:
        node["receiver"] = rng.choice(("r1", "r2", "r3", "r4" if rng.random() < 0.03 else "r3"))
    if rng.random() < 0.25:
        node["group_by"] = rng.choice(GROUPINGS if rng.random() < 0.1 else GROUPINGS[:5])
    for key in ("group_wait", "group_interval", "repeat_interval"):
        if rng.random() < 0.15:
            node[key] = rng.choice(("10s", "1m30s", "2h", "1d", "500ms", "0s" if rng.random() < 0.1 else "5m"))
    if depth < 4:
        children = [tree(rng, depth + 1) for _n in range(rng.randrange(4 - depth // 2))]
        if children:
            node["routes"] = children
    return node


LOOKUP_VALUES = ("critical", "warning", "a", "7", "true", "crit")


def some_trees(number):
    rng = random.Random(number)  # noqa: S311 - inputs of a test
    trees = [tree(rng) for _n in range(TREES_PER_EXAMPLE)]
    return trees, [label_set(rng, CLEAN, LOOKUP_VALUES) for _n in range(8)]


def routes(config, label_sets):
    try:
        root, _warnings = _routing.build(config)
    except ConfigError:
        return None
    return [
        [
            {
                "receiver": node.receiver,
                "group_by": sorted(node.group_by),
                "all": node.group_by_all,
                "times": [node.group_wait, node.group_interval, node.repeat_interval],
            }
            for node in _routing.match(root, labels)
        ]
        for labels in label_sets
    ]


def depth_of(node):
    return 1 + max([depth_of(child) for child in node.get("routes", [])], default=0)


def nodes_of(node):
    yield node
    for child in node.get("routes", []):
        yield from nodes_of(child)


def inherited(config, place, keys):
    """Whether a route has none of the keys itself, and one above it has: what it says of them is inherited."""
    path = [config["route"]]
    for index in re.findall(r"routes\[([0-9]+)\]", place):
        path.append(path[-1]["routes"][int(index)])
    *above, own = path
    return not any(key in own for key in keys) and any(key in node for node in above for key in keys)


TIMES = ("group_wait", "group_interval", "repeat_interval")


def inheritance(config, label_sets):
    """How many routes that an alert ended in had their grouping, or their times, from above."""
    hits = [node for labels in label_sets for node in _routing.match(_routing.build(config)[0], labels)]
    yield "routes with an inherited group_by", sum(inherited(config, node.place, ["group_by"]) for node in hits)
    yield "routes with inherited times", sum(inherited(config, node.place, TIMES) for node in hits)


def difference(mine, answer):
    """What differs, or None. A group of all labels has no list of its own that could be compared."""
    if (mine is None) != bool(answer.get("error")):
        return {"ours": mine, "theirs": answer}
    for here, there in zip(mine or [], answer.get("routes") or [], strict=True):
        theirs = [{key: value for key, value in node.items() if key != "key"} for node in there]
        for node in (*here, *theirs):
            if node["all"]:
                node["group_by"] = []
        if here != theirs:
            return {"ours": here, "theirs": theirs}
    return None


def test_every_tree_routes_as_the_server_does(oracle):
    seen = collections.Counter()

    @seed(20261123)
    @thorough
    @given(SEEDS)
    def compare(number):
        trees, label_sets = some_trees(number)
        configs = [{"route": node, "receivers": [{"name": f"r{n}"} for n in (1, 2, 3)]} for node in trees]
        answers = oracle.ask(
            [{"config": json.dumps(config, ensure_ascii=False), "alerts": label_sets} for config in configs]
        )
        for config, answer in zip(configs, answers, strict=True):
            found = difference(routes(config, label_sets), answer)
            assert found is None, (config, label_sets, found)
            seen["trees"] += 1
            seen["refused" if answer.get("error") else "accepted"] += 1
            seen[f"depth {depth_of(config['route'])}"] += 1
            seen["routes with continue"] += sum(bool(node.get("continue")) for node in nodes_of(config["route"]))
            seen["children inheriting a receiver"] += sum("receiver" not in n for n in nodes_of(config["route"]))
            if not answer.get("error"):
                seen.update(dict(inheritance(config, label_sets)))
            for hits in answer.get("routes") or []:
                seen["alerts in several routes" if len(hits) > 1 else "alerts in one route"] += 1

    compare()
    print(json.dumps(seen, indent=1))
    for kind in ("accepted", "refused", "routes with continue", "alerts in several routes", "depth 4"):
        assert seen[kind] > 0, f"no {kind} among the inputs"
    for kind in ("routes with an inherited group_by", "routes with inherited times"):
        assert seen[kind] >= EXAMPLES, f"hardly any {kind} among the inputs"


def accepted_trees(oracle, count):
    """The first so many of a fixed row of trees that the server takes, each with label sets."""
    for number in range(count * 10):
        trees, label_sets = some_trees(number)
        for node in trees[:1]:
            config = {"route": node, "receivers": [{"name": f"r{n}"} for n in (1, 2, 3)]}
            [answer] = oracle.ask([{"config": json.dumps(config, ensure_ascii=False), "alerts": label_sets}])
            if not answer.get("error"):
                yield config, [labels for labels in label_sets if labels]
                count -= 1
        if not count:
            return


@pytest.mark.skipif(not (BIN / "amtool").exists(), reason="amtool is not there: make lab builds it")
def test_amtool_names_the_same_receivers_for_a_sample(oracle, tmp_path):
    """The server's own command, beside its packages: every label set of twenty trees."""
    path, asked, several = tmp_path / "alertmanager.yml", 0, 0
    for config, label_sets in accepted_trees(oracle, 20):
        path.write_text(json.dumps(config, ensure_ascii=False))
        for labels in label_sets:
            words = [f"{name}={quoted(value)}" for name, value in labels.items()]
            done = subprocess.run(
                [str(BIN / "amtool"), "config", "routes", "test", f"--config.file={path}", *words],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            [hits] = routes(config, [labels])
            assert done.stdout.strip().split(",") == [hit["receiver"] for hit in hits], (config, labels)
            asked, several = asked + 1, several + (len(hits) > 1)
    assert asked > 100 and several > 3


FAULTS = {
    "a missing label is no match": ("matches", lambda self, labels: self.name in labels),
    "patterns match anywhere": (
        "matches",
        lambda self, labels: (
            (self.value in labels.get(self.name, "")) == (self.op == "=~")
            if "~" in self.op
            else _TRUE_MATCHES(self, labels)
        ),
    ),
    "!= is =": ("matches", lambda self, labels: labels.get(self.name, "") == self.value),
}
_TRUE_MATCHES = _matchers.Matcher.matches


def _match_fault(root_always=False, ignore_continue=False, first_only=False, own_too=False, unique=False):
    """The walk with one thing wrong."""

    def walk(node, labels):
        if not node.fits(labels):
            return []
        found = []
        for child in node.children:
            below = walk(child, labels)
            found += [hit for hit in below if not unique or hit.receiver not in {f.receiver for f in found}]
            if below and (ignore_continue or not child.continues):
                break
        if own_too or root_always and node.place == "route":
            found.append(node)
        return (found or [node])[:1] if first_only else found or [node]

    return walk


WALK_FAULTS = {
    "the first route always gets it too": _match_fault(root_always=True),
    "continue is ignored": _match_fault(ignore_continue=True),
    "only the first route counts": _match_fault(first_only=True),
    "a parent gets it too": _match_fault(own_too=True),
    "duplicates are dropped": _match_fault(unique=True),
}


def planted(oracle) -> bool:
    """Whether comparing some trees finds a difference."""
    found = []

    @seed(7)
    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(SEEDS)
    def compare(number):
        trees, label_sets = some_trees(number)
        configs = [{"route": node, "receivers": [{"name": f"r{n}"} for n in (1, 2, 3)]} for node in trees]
        for config, answer in zip(
            configs,
            oracle.ask([{"config": json.dumps(c, ensure_ascii=False), "alerts": label_sets} for c in configs]),
            strict=True,
        ):
            found.append(difference(routes(config, label_sets), answer))

    compare()
    return any(item is not None for item in found)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_in_a_matcher_is_found(oracle, monkeypatch, fault):
    name, wrong = FAULTS[fault]
    monkeypatch.setattr(_matchers.Matcher, name, wrong)
    assert planted(oracle), fault


@pytest.mark.parametrize("fault", WALK_FAULTS)
def test_a_planted_fault_in_the_walk_is_found(oracle, monkeypatch, fault):
    monkeypatch.setattr(_routing, "match", WALK_FAULTS[fault])
    assert planted(oracle), fault


@pytest.mark.parametrize("fault", ["group_by is not inherited", "times are not inherited"])
def test_a_planted_fault_in_inheritance_is_found(oracle, monkeypatch, fault):
    build = _routing.build

    def wrong(config, mode="fallback"):
        root, warnings = build(config, mode)
        for node in root.walk():
            for child in node.children:
                if fault.startswith("group_by"):
                    child.group_by, child.group_by_all = (), False
                else:
                    child.group_wait = 30.0
        return root, warnings

    monkeypatch.setattr(_routing, "build", wrong)
    assert planted(oracle), fault


def test_without_a_planted_fault_nothing_is_found(oracle):
    assert not planted(oracle)
