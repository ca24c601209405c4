# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: dataplatform.monitoring contributors

"""Samples of a metric at a moment, and their text form. metrics.yml explains the data that goes in.

Every number is a function of time, so a stand-in keeps no state and a test needs no waiting.
The text is written here because prometheus_client appends _total to the name of every counter, and half of the
products do not. Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

Labels = dict[str, str]
Sample = tuple[str, Labels, float]

#: Seconds from one crest to the next; short enough to be seen in a test, long enough to look like a day's load.
PERIOD = 600.0


@dataclass(frozen=True)
class Moment:
    """When the product started and what time it is, both Unix time in seconds."""

    started: float
    now: float

    @property
    def age(self) -> float:
        return self.now - self.started


def series(metric: Mapping[str, Any]) -> Iterator[tuple[Labels, Mapping[str, Any]]]:
    """Label sets of a metric, each with what it is worth (`value`, and `api` where there is one)."""
    if "series" in metric:
        for one in metric["series"]:
            yield {name: str(value) for name, value in one.get("labels", {}).items()}, one
        return
    labels = metric.get("labels", {})
    for values in product(*labels.values()):
        yield dict(zip(labels, map(str, values), strict=True)), metric


def label_names(metric: Mapping[str, Any]) -> set[str]:
    """Every label that a series of the metric bears."""
    return {name for labels, _ in series(metric) for name in labels}


def number(name: str, labels: Labels, value: Any, at: Moment) -> float:
    """What one series is worth. `value` as metrics.yml explains it."""
    if isinstance(value, int | float):
        return value
    phase = _phase(name, labels)
    turn = 2 * math.pi * at.age / PERIOD
    if "wave" in value:
        low, high = value["wave"]
        height = 0.5 + 0.35 * math.sin(turn + phase) + 0.15 * math.sin(3.7 * turn + 2 * phase)
        moving = low + (high - low) * height
        return round(moving) if isinstance(low, int) and isinstance(high, int) else moving
    if "in" in value:
        return math.floor(at.started) + value["in"]
    if "now" in value:
        return math.floor(at.now) + value["now"]
    total = value["rate"] * _busy_seconds(at.age, phase)
    # Times are measured in parts of a second, everything else is counted.
    return total if "seconds" in name.lower() else math.floor(total)


def samples(name: str, metric: Mapping[str, Any], at: Moment) -> Iterator[Sample]:
    """All samples of a metric, those of a histogram or summary with their suffixes."""
    for labels, one in series(metric):
        value = one["value"]
        if metric["type"] in ("counter", "gauge"):
            yield name, labels, number(name, labels, value, at)
            continue
        mean = value["mean"]
        phase = _phase(name, labels)
        count = math.floor(value["rate"] * _busy_seconds(at.age, phase))
        if metric["type"] == "histogram":
            for bound in metric["buckets"]:
                # Waiting times: exponentially distributed.
                below = math.floor(count * (1 - math.exp(-bound / mean)))
                yield f"{name}_bucket", {**labels, "le": f"{bound:g}"}, below
            yield f"{name}_bucket", {**labels, "le": "+Inf"}, count
        else:
            sway = 1 + 0.2 * math.sin(2 * math.pi * at.age / PERIOD + phase)
            for quantile in metric["quantiles"]:
                yield name, {**labels, "quantile": f"{quantile:g}"}, -mean * sway * math.log(1 - quantile)
        yield f"{name}_sum", labels, count * mean
        yield f"{name}_count", labels, count


def exposition(metrics: Mapping[str, Any], at: Moment, changed: Mapping[str, float | None] | None = None) -> str:
    """The text of /metrics. `changed` puts a number in place of every sample of a name, or None to leave it out."""
    changed = changed or {}
    lines = []
    for name, metric in metrics.items():
        if name in changed and changed[name] is None:
            continue
        lines.append(f"# TYPE {name} {metric['type']}")
        for sample, labels, value in samples(name, metric, at):
            told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
            lines.append(f"{sample}{{{told}}} {changed.get(name, value)!r}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _phase(name: str, labels: Labels) -> float:
    """Where in its period a series is at the start: each somewhere else, and the same in every Pod."""
    digest = hashlib.sha256(f"{name}{sorted(labels.items())}".encode()).digest()
    return 2 * math.pi * digest[0] / 256


def _busy_seconds(age: float, phase: float) -> float:
    """Seconds of average load in `age` seconds of a load that sways by 40 %; never falls."""
    turns = 2 * math.pi / PERIOD
    return age + 0.4 / turns * (math.sin(turns * age + phase) - math.sin(phase))
