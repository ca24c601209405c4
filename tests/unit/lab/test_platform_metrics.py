# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packs against the stand-ins' metrics: two readings of the same upstream sources have to agree."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _promql

from lab.platform import series

ROOT = Path(__file__).resolve().parents[3]
PRODUCTS = yaml.safe_load((ROOT / "lab/platform/metrics.yml").read_text())
PACKS = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / "roles/catalogue/files/packs").glob("*.yml")}

#: What Prometheus adds to every sample of a target. A label of the target's own by the same name becomes exported_*.
TARGET_LABELS = {"job", "instance", "namespace", "pod", "service", "container", "endpoint", "node"}
#: Names that are about a target, and not made by it.
ABOUT_TARGETS = re.compile(r"up|probe_.*|scrape_.*|kube_.*|container_.*|ALERTS|ALERTS_FOR_STATE")
#: Kinds without a stand-in: what runs in the lab as it is, or comes with the cluster; then what is neither.
REAL = {
    "alertmanager", "apiserver", "blackbox", "coredns", "etcd", "kube-controller-manager", "kube-proxy",
    "kube-scheduler", "kube-state-metrics", "kubelet", "loki", "minio", "node-exporter", "postgresql", "prometheus",
    "promtail",
}  # fmt: skip
WITHOUT = {"generic": "is no product", "alloy": "its images are not to be had in the lab, where Promtail runs"}
#: What takes its argument for a counter: a gauge that falls looks like a restart to it.
OF_COUNTERS = {"rate", "irate", "increase", "resets"}
#: Gauges that only rise all the same.
RISING = {
    "trino_memory_name_ClusterMemoryManager_QueriesKilledDueToOutOfMemory":
        "trinodb/trino core/trino-main/src/main/java/io/trino/memory/ClusterMemoryManager.java: an AtomicLong that is "
        "only incremented; airlift's OpenMetricsCollector makes a gauge of every plain number",
    "kafka_topic_partition_current_offset":
        "danielqsj/kafka_exporter kafka_exporter.go: the newest offset of a partition, sent as a gauge",
    "kafka_consumergroup_current_offset":
        "danielqsj/kafka_exporter kafka_exporter.go: the committed offset of a group, sent as a gauge",
}  # fmt: skip
PROSE = {"description", "summary", "means", "fix"}


def samples(product: str) -> dict[str, set[str]]:
    """Name of every sample of a product, with the labels that Prometheus will know it by."""
    spec = PRODUCTS[product]
    known: dict[str, set[str]] = {}
    for name, metric in spec["metrics"].items():
        labels = series.label_names(metric)
        if any("api" in one and one["api"]["request"] == "node" for _, one in series.series(metric)):
            labels |= set(spec["node_labels"])
        labels = {f"exported_{label}" if label in TARGET_LABELS else label for label in labels} | TARGET_LABELS
        if metric["type"] == "histogram":
            known[f"{name}_bucket"] = labels | {"le"}
        elif metric["type"] == "summary" and metric["quantiles"]:
            known[name] = labels | {"quantile"}
        elif metric["type"] in ("counter", "gauge"):
            known[name] = labels
        if metric["type"] in ("histogram", "summary"):
            known |= {f"{name}_sum": labels, f"{name}_count": labels}
    for old, new in spec.get("former", {}).items():
        known |= {old + name.removeprefix(new): labels for name, labels in known.items() if name.startswith(new)}
    return known


def gauges() -> set[str]:
    """Every sample of which the stand-ins say that it may fall: gauges, and the quantiles of summaries."""
    found = set()
    for spec in PRODUCTS.values():
        falling = {name for name, metric in spec["metrics"].items() if metric["type"] in ("gauge", "summary")}
        former = spec.get("former", {}).items()
        found |= falling | {old + n.removeprefix(new) for old, new in former for n in falling if n.startswith(new)}
    return found


GAUGES = gauges()


def expressions(value: Any) -> Iterator[str]:
    """Every PromQL expression of a pack: an expr, or whatever else has a place for the target's labels.

    An expr without that place asks for another product's metrics.
    """
    if isinstance(value, dict):
        for key, one in value.items():
            if key == "expr":
                yield one
            elif key not in PROSE:
                yield from expressions(one)
    elif isinstance(value, list):
        for one in value:
            yield from expressions(one)
    elif isinstance(value, str) and "$selector" in value:
        yield value


def named() -> list[Any]:
    """Product and expression, for every metric and expression of its pack."""
    cases = []
    for product in PRODUCTS:
        pack = PACKS.get(product, {})
        cases += [pytest.param(product, name, id=f"{product}-{name}") for name in pack.get("must_have", [])]
        found = dict.fromkeys(expressions(pack))
        cases += [pytest.param(product, one, id=f"{product}-{number}") for number, one in enumerate(found)]
    return cases


def tree(expression: str) -> _promql.Node:
    """An expression of a pack, with something in its blanks."""
    filled = expression.replace("$selector", 'job="x"').replace("$__rate_interval", "5m")
    return _promql.parse(re.sub(r"\$\w+", "1", filled))


def test_every_pack_is_held_against_something_that_publishes_its_metrics() -> None:
    assert set(PACKS) == {*REAL, *WITHOUT, *(set(PRODUCTS) & set(PACKS))}
    assert not REAL & set(PRODUCTS)


def names(node: _promql.Node, known: Iterable[str]) -> list[str]:
    """The known metrics that the selectors in an expression take."""
    found = []
    for one in _promql.walk(node):
        if isinstance(one, _promql.Selector):
            wanted = [matcher for matcher in one.matchers if matcher.name == "__name__"]
            patterns = [matcher.value if matcher.op == "=~" else re.escape(matcher.value) for matcher in wanted]
            found += [name for name in known if all(re.fullmatch(pattern, name) for pattern in patterns)]
    return found


def agree(product: str, expression: str) -> None:
    """Assert that every metric of an expression is published, with the labels that it asks for."""
    own = samples(product)
    # A board of one product may show another's metrics: DataHub's progress is a lag in Kafka.
    known = {name: labels for other in PRODUCTS for name, labels in samples(other).items()} | own
    labels = TARGET_LABELS.copy()
    grouped: set[str] = set()
    for node in _promql.walk(tree(expression)):
        if isinstance(node, _promql.Call) and node.name in OF_COUNTERS:
            falling = set(names(node, known)) & GAUGES - set(RISING)
            assert not falling, f"{node.name}() of {sorted(falling)}, which lab/platform/metrics.yml calls a gauge"
        if isinstance(node, _promql.Selector):
            wanted = [one for one in node.matchers if one.name == "__name__"]
            if all(ABOUT_TARGETS.fullmatch(one.value) for one in wanted):
                continue
            found = names(node, known)
            assert found, f"lab/platform/metrics.yml has no {node}"
            for name in found:
                missing = {one.name for one in node.matchers} - {"__name__"} - known[name]
                assert not missing, f"{name} has no label {sorted(missing)}, only {sorted(known[name])}"
                labels |= known[name]
        elif isinstance(node, _promql.Aggregate) and node.by:
            grouped |= set(node.grouping)
        elif isinstance(node, _promql.Binary) and node.matching and node.matching[0] == "on":
            grouped |= set(node.matching[1])
    missing = grouped - labels
    assert not missing, f"no metric of the expression has a label {sorted(missing)}"


@pytest.mark.parametrize(("product", "expression"), named())
def test_every_metric_and_label_that_a_pack_names_is_published(product: str, expression: str) -> None:
    agree(product, expression)


@pytest.mark.parametrize("product", [name for name in PRODUCTS if PRODUCTS[name].get("former")])
def test_who_asks_for_a_metric_that_was_renamed_asks_for_its_old_name_too(product: str) -> None:
    for old, new in PRODUCTS[product]["former"].items():
        asked = [one for one in expressions(PACKS[product]) if re.search(rf"\b{new}", one)]
        assert asked
        for one in asked:
            assert len(re.findall(rf"\b{old}", one)) == len(re.findall(rf"\b{new}", one)), one


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("rate(vault_core_sealed{$selector}[5m])", "no vault_core_sealed"),
        ('vault_core_unsealed{$selector,server="a"}', "no label .*server"),
        ("sum by (server) (vault_core_unsealed{$selector})", "no metric of the expression has a label"),
        # a summary: it has quantiles and no buckets
        ("histogram_quantile(0.9, vault_core_handle_request_bucket{$selector})", "no vault_core_handle_request_bucket"),
        ("increase(vault_core_unsealed{$selector}[5m])", r"increase\(\) of \['vault_core_unsealed'\], .* a gauge"),
        ('{__name__=~"vault_seal.*",$selector}', "has no"),
    ],
)
def test_a_disagreement_is_noticed(expression: str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        agree("vault", expression)


def test_a_gauge_that_only_rises_is_one_and_is_needed() -> None:
    texts = "".join(expression for product in PRODUCTS for expression in expressions(PACKS.get(product, {})))
    assert [name for name in RISING if name not in GAUGES or f"{name}{{$selector}}[" not in texts] == []


@pytest.mark.parametrize("product", [name for name in PRODUCTS if name in PACKS])
def test_enough_samples_for_the_pack(product: str) -> None:
    text = series.exposition(PRODUCTS[product]["metrics"], series.Moment(started=0, now=60))
    assert sum(not line.startswith("#") for line in text.splitlines()) >= PACKS[product].get("min_samples", 0)


@pytest.mark.parametrize("product", PRODUCTS)
def test_sources_are_cited(product: str) -> None:
    assert PRODUCTS[product]["source"]
