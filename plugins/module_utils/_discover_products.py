# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which product is it? Recognised by its metrics, its image, or its labels, in this order of trust.

This module util is PRIVATE to the collection. Pure functions.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import as_selector, selects

Pack = t.Mapping[str, t.Any]

# The repository of an image without its registry, as people publish and mirror it. What is scraped itself.
_IMAGES: tuple[tuple[str, str], ...] = (
    (r"(^|/)trino$", "trino"),
    (r"(^|/)superset$", "superset"),
    (r"(^|/)datahub-gms$", "datahub"),
    (r"(^|/)doris[.-]fe|(^|/)fe-ubuntu$", "doris_fe"),
    (r"(^|/)doris[.-]be|(^|/)be-ubuntu$", "doris_be"),
    (r"(^|/)minio$", "minio"),
    (r"(^|/)vault$", "vault"),
    (r"ingress-nginx/controller$|(^|/)nginx-ingress-controller$", "ingress-nginx"),
    (r"(^|/)cert-manager-controller$", "cert-manager"),
    (r"(^|/)coredns$", "coredns"),
    (r"(^|/)loki$", "loki"),
    (r"(^|/)promtail$", "promtail"),
    (r"(^|/)alloy$", "alloy"),
    (r"(^|/)kube-state-metrics$", "kube-state-metrics"),
    (r"(^|/)node-exporter$", "node-exporter"),
    (r"(^|/)prometheus$", "prometheus"),
    (r"(^|/)alertmanager$", "alertmanager"),
    (r"(^|/)blackbox[-_]exporter$", "blackbox"),
    (r"(^|/)postgres(ql)?[-_]exporter$", "postgresql"),
    (r"(^|/)kafka[-_]exporter$", "kafka"),
    (r"(^|/)elasticsearch[-_]exporter$", "elasticsearch"),
)
# What an exporter is needed for.
_NATIVE: tuple[tuple[str, str], ...] = (
    (r"(^|/)(postgres|postgresql|spilo(-\d+)?|postgis|timescaledb(-ha)?)$|^cloudnative-pg/", "postgresql"),
    (r"(^|/)(kafka|cp-kafka|cp-server|kafka-native)$|^strimzi/kafka", "kafka"),
    (r"(^|/)(elasticsearch|elasticsearch-oss)$", "elasticsearch"),
)
# Labels whose value is the name of the product, as a rule.
_NAME_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/component", "app", "k8s-app", "component")


class Product(t.NamedTuple):
    """A kind and how it was recognised. C(needs_exporter): it does not speak Prometheus itself."""

    kind: str
    why: str
    needs_exporter: bool = False


def repository(image: str) -> str:
    """C(trinodb/trino) of C(docker.io/trinodb/trino:476@sha256:...)."""
    text = image.partition("@")[0]
    head, slash, tail = text.rpartition("/")
    text = head + slash + tail.partition(":")[0]
    first, _slash, rest = text.partition("/")
    return rest if rest and re.search(r"[.:]|^localhost$", first) else text


def by_metrics(names: t.Collection[str], packs: t.Mapping[str, Pack]) -> str | None:
    """The kind all of whose C(must_have) are among the names; the one that asks for most."""
    there = set(names)
    best: tuple[int, str] | None = None
    for kind, pack in packs.items():
        wanted = [str(item).split("|") for item in pack.get("must_have") or []]
        if wanted and all(there & set(alternatives) for alternatives in wanted):
            # jvm_memory_used_bytes is everybody's who runs on the JVM
            if all(alternatives[0].startswith(("jvm_", "process_", "go_")) for alternatives in wanted):
                continue
            best = max(best or (0, ""), (len(wanted), kind))
    return best[1] if best else None


def by_image(images: t.Iterable[str]) -> Product | None:
    """By an image's repository."""
    for image in images:
        name = repository(image)
        for patterns, needs in ((_IMAGES, False), (_NATIVE, True)):
            for pattern, kind in patterns:
                if re.search(pattern, name):
                    return Product(kind, f"image {image}", needs)
    return None


def by_labels(
    labels: t.Mapping[str, str], packs: t.Mapping[str, Pack], words: t.Collection[str] = ()
) -> Product | None:
    """By the selector of a pack, or a label that has the product's name.

    :param words: names of containers.
    """
    for kind, pack in packs.items():
        selector = as_selector(pack.get("selector"))
        # an exporter's labels are those that this collection gives it
        if selector.get("matchLabels") and not pack.get("exporter") and selects(selector, labels):
            return Product(kind, "labels as the pack expects them")
    told = [(f"label {key}: {labels[key]}", str(labels[key])) for key in _NAME_LABELS if labels.get(key)]
    for why, word in [*told, *((f"container {word}", word) for word in words)]:
        kind = _kind_of(word, packs)
        if kind:
            return Product(kind, why, bool(packs[kind].get("exporter")))
        # What an image is called its labels often are.
        found = by_image([word])
        if found and found.kind in packs:
            return found._replace(why=why)
    return None


def _kind_of(word: str, packs: t.Mapping[str, Pack]) -> str | None:
    """The kind of that name, however the words are joined; C(postgresql-exporter) is the kind's exporter, not it."""
    plain = word.replace("_", "-").lower()
    return next((kind for kind in packs if kind != "generic" and kind.replace("_", "-") == plain), None)
