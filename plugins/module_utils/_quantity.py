# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Kubernetes quantities as numbers and back. This module util is PRIVATE to the collection.

Grammar: k8s.io/apimachinery pkg/api/resource/quantity.go.
"""

from __future__ import annotations

import re
import typing as t

_QUANTITY = re.compile(r"^([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)|[eE]([-+]?[0-9]+))?$")
_FACTOR = {
    "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip


def number(value: t.Any) -> float | None:
    """A quantity as a number (CPUs, bytes), None when it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value)
    match = _QUANTITY.match(value) if isinstance(value, str) else None
    if match is None:
        return None
    exponent = float(match.group(3)) if match.group(3) else 0.0
    return float(match.group(1)) * _FACTOR.get(match.group(2) or "", 1.0) * 10.0**exponent


def cpu_text(cpus: float) -> str:
    """CPUs as people write them: 2 or 300m."""
    return f"{cpus:g}" if cpus >= 1 and round(cpus, 2) == round(cpus, 3) else f"{round(cpus * 1000)}m"


def bytes_text(amount: float) -> str:
    """Bytes as people write them: 2Gi, 1.5Gi, 300Mi."""
    for unit in ("Ti", "Gi", "Mi", "Ki"):
        if amount >= _FACTOR[unit]:
            return f"{round(amount / _FACTOR[unit], 1):g}{unit}"
    return f"{amount:g}"
