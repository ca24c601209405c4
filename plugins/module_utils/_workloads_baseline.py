# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The baselines that runs leave in the cluster: one per run, taken before its first change, closed by its verdict.

Pure functions over a ConfigMap. They live in the cluster because the three days are played from different controllers,
and a controller may die in between. This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

NAME = "dataplatform-monitoring-baseline"
# etcd takes 1.5 MB of an object, the API server 1 MiB of a ConfigMap's data.
MOST_BYTES = 900_000
KEEP = 5
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,200}")

Object = dict[str, t.Any]


class Run(t.TypedDict):
    """One run's record. C(closed) and C(checks) are None until its verdict was given."""

    run_id: str
    snapshot: Object
    closed: float | None
    checks: list[Object] | None


def check_run_id(run_id: str) -> str:
    """Return a run id that can be a key of a ConfigMap.

    :raises ConfigError: it cannot.
    """
    if not _KEY.fullmatch(run_id):
        raise ConfigError(
            f"run_id: '{run_id}' cannot be a key of a ConfigMap; use up to 200 letters, digits, '-', '_' and '.', for "
            'example run_id: "2026-11-23T170000Z"'
        )
    return run_id


def read(config_map: Object | None) -> list[Run]:
    """Return the runs of a ConfigMap, the newest first; entries that are not ours, or broken, are passed over."""
    found: list[Run] = []
    entries = [(key, text, False) for key, text in ((config_map or {}).get("data") or {}).items()]
    entries += [(key, text, True) for key, text in ((config_map or {}).get("binaryData") or {}).items()]
    for _key, text, packed in entries:
        try:
            run = json.loads(gzip.decompress(base64.b64decode(text)) if packed else text)
            if isinstance(run, dict) and isinstance(run["snapshot"]["members"], dict):
                found.append(t.cast(Run, run))
        except (ValueError, OSError, KeyError, TypeError):
            continue
    return sorted(found, key=lambda run: -float(run["snapshot"]["taken"]))


def find(runs: t.Sequence[Run], run_id: str) -> Run | None:
    """Return the run of that id; the newest one for an empty id."""
    return next((run for run in runs if not run_id or run["run_id"] == run_id), None)


def write(runs: t.Sequence[Run], config_map: Object | None, namespace: str) -> Object:
    """Return the ConfigMap that holds the newest runs: as many as fit, C(KEEP) at most.

    Large ones are packed; what else the ConfigMap holds of metadata is kept, its resourceVersion above all, so that
    a run that wrote in between is noticed.
    """
    metadata = dict((config_map or {}).get("metadata") or {})
    metadata.pop("managedFields", None)
    metadata.update({"name": NAME, "namespace": namespace})
    metadata["labels"] = {
        **(metadata.get("labels") or {}),
        "app.kubernetes.io/managed-by": "dataplatform.monitoring",
        "app.kubernetes.io/component": "baseline",
    }
    result: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {}, "binaryData": {}}
    size = 0
    for run in sorted(runs, key=lambda item: -float(item["snapshot"]["taken"]))[:KEEP]:
        text = json.dumps(run, separators=(",", ":"), sort_keys=True)
        packed = len(text) > MOST_BYTES // 6
        if packed:
            text = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
        if size and size + len(text) > MOST_BYTES:
            break
        size += len(text)
        result["binaryData" if packed else "data"][run["run_id"]] = text
    return result


def record(runs: t.Sequence[Run], run_id: str, snapshot: Object) -> tuple[list[Run], bool]:
    """Add a run's baseline; one that is there stays as it is, because it was taken before the run's first change.

    :returns: the runs, and whether one was added.
    """
    if find(runs, run_id) is not None:
        return list(runs), False
    return [{"run_id": run_id, "snapshot": snapshot, "closed": None, "checks": None}, *runs], True


def close(runs: t.Sequence[Run], run_id: str, checks: list[Object], now: float) -> list[Run]:
    """Put a run's verdict into its record."""
    closed: Run
    result = []
    for run in runs:
        if run["run_id"] == run_id:
            closed = {**run, "closed": now, "checks": checks}
            result.append(closed)
        else:
            result.append(run)
    return result
