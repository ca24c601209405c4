# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Questions in LogQL, and the promises a stream's labels make.

Pure functions. Sources: Loki, docs/sources/query/log_queries (selectors, string escapes) and
docs/sources/reference/loki-http-api.md. This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_pods import Container, Key
from ansible_collections.dataplatform.monitoring.plugins.module_utils._logs_time import go_duration

Stream = t.Mapping[str, str]

# Labels that say where a line comes from: every stream needs them. Others are promised only where the Pod carries
# the label they are made from.
PLACE = ("namespace", "pod", "container")
# The Pod labels a stream label may be made from, as the loki role's agent configuration does.
DEFAULT_SOURCES: dict[str, list[str]] = {
    "app": ["app", "app.kubernetes.io/name"],
    "tier": ["tier"],
}


def quote(value: str) -> str:
    """Return C(value) as a LogQL string."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def selector(**labels: str) -> str:
    """Return a stream selector of equality matchers; without any, every stream that has a namespace."""
    if not labels:
        return '{namespace=~".+"}'
    return "{" + ", ".join(f"{name}={quote(value)}" for name, value in labels.items()) + "}"


def count_by(window: float, by: t.Sequence[str], **labels: str) -> str:
    """Return the expression that counts the lines of the last C(window) seconds, by labels.

    Unlike index/stats it also sees what the ingesters have not flushed yet, which is all that is new.
    """
    return f"sum by ({', '.join(by)}) (count_over_time({selector(**labels)}[{go_duration(window)}]))"


def counts(vector: t.Iterable[t.Mapping[str, t.Any]]) -> dict[Key, int]:
    """Read an instant vector by namespace, pod and container; a label that is absent is the empty string."""
    found: dict[Key, int] = {}
    for item in vector:
        metric = item.get("metric") or {}
        key = Key(metric.get("namespace", ""), metric.get("pod", ""), metric.get("container", ""))
        found[key] = found.get(key, 0) + int(float(item["value"][1]))
    return found


def present(container: Container, found: t.Container[Key], usable: t.Collection[str]) -> bool:
    """Whether Loki has lines of this container, as far as the labels there are can tell.

    :param usable: which of C(pod) and C(container) the namespace's streams carry at all. A missing label is a cause
        of its own, and must not make every container look missing as well.
    """
    key = container.key
    return (
        Key(key.namespace, key.pod if "pod" in usable else "", key.container if "container" in usable else "") in found
    )


def usable_labels(streams: t.Sequence[Stream]) -> set[str]:
    """Which of C(pod) and C(container) any of these streams carries; both where there is no stream to tell."""
    return {name for name in ("pod", "container") if not streams or any(stream.get(name) for stream in streams)}


def project(found: t.Mapping[Key, int], usable: t.Collection[str]) -> dict[Key, int]:
    """Reduce the keys to the usable labels, so that C(present) can look them up."""
    result: dict[Key, int] = {}
    for key, number in found.items():
        short = Key(key.namespace, key.pod if "pod" in usable else "", key.container if "container" in usable else "")
        result[short] = result.get(short, 0) + number
    return result


class Broken(t.NamedTuple):
    """A promise about a label that streams do not keep.

    :param label: the stream label. :param example: one stream or Pod, for the message. :param wanted: the values that
        would keep it; empty when any would. :param got: the value there is; empty when the label is missing.
    :param number: streams that break it.
    """

    label: str
    example: str
    wanted: tuple[str, ...]
    got: str
    number: int


def broken_promises(
    streams: t.Sequence[Stream],
    promised: t.Sequence[str],
    pods: t.Mapping[str, t.Mapping[str, str]],
    sources: t.Mapping[str, t.Sequence[str]],
) -> list[Broken]:
    """Compare the streams of one namespace with the promised labels.

    C(pod), C(container) and C(namespace) are promised of every stream of a Pod that runs. Any other label is promised
    where the Pod carries one of the labels it is made from, with one of their values. Streams of Pods that are gone
    prove nothing about today's configuration, unless no stream belongs to a Pod that runs.

    :param pods: labels of the namespace's running Pods, by name.
    :param sources: for each stream label the Pod labels it may be made from; a label without an entry is made from
        the Pod label of the same name.
    """
    ours = [stream for stream in streams if stream.get("pod") in pods]
    broken: dict[str, Broken] = {}

    def note(label: str, example: str, wanted: tuple[str, ...], got: str) -> None:
        before = broken.get(label)
        if before is None:
            broken[label] = Broken(label, example, wanted, got, 1)
        else:
            broken[label] = before._replace(number=before.number + 1)

    for stream in ours or streams:
        for label in promised:
            if label in PLACE:
                if not stream.get(label):
                    note(label, _name(stream), (), "")
                continue
            carried = pods.get(stream.get("pod", ""), {})
            wanted = tuple(carried[source] for source in sources.get(label, [label]) if carried.get(source))
            got = stream.get(label, "")
            if wanted and got not in wanted:
                note(label, _name(stream), wanted, got)
    return [broken[label] for label in promised if label in broken]


def _name(stream: Stream) -> str:
    for label in ("pod", "filename", "job", "app"):
        if stream.get(label):
            return f"{label} {stream[label]}"
    return "{" + ", ".join(f"{name}={value}" for name, value in sorted(stream.items())[:4]) + "}"
