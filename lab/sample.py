# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sample platform in platform/ and the receivers in sinks/, applied to the lab and waited for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import yaml

from .cluster import kubectl
from .node import wait_for
from .paths import LAB
from .platform import secrets
from .progress import Step, say, step
from .sinks import receivers

#: What to apply, and what makes the Secrets that its Pods need.
PARTS = {"platform": secrets.ensure, "sinks": receivers.ensure}

#: Seconds until every Pod of a part must be ready.
DEADLINE = 300


def apply(parts: dict[str, Callable[[], list[str]]] = PARTS) -> bool:
    """Every part, where it differs. True when anything changed."""
    changed = [apply_part(name, ensure) for name, ensure in parts.items()]
    return any(changed)


def apply_part(name: str, ensure: Callable[[], list[str]]) -> bool:
    """`kubectl apply -k lab/NAME` where it differs, then until its Pods are ready. True when anything changed."""
    folder = LAB / name
    if not (folder / "kustomization.yaml").exists():
        say(f"no lab/{name} here: skipped")
        return False
    made = ensure()
    rendered = kubectl("kustomize", str(folder), doing=f"rendering lab/{name}")
    output = kubectl("apply", "--filename", "-", doing=f"applying lab/{name}", stdin=rendered)
    changed = [line for line in output.splitlines() if not line.endswith("unchanged")]
    wanted = namespaces(rendered)
    if changed or unready(wanted):
        with step(f"lab/{name}") as progress:
            what = f"the Pods in {', '.join(sorted(wanted))} (`kubectl get pods -A` tells which)"
            wait_for(what, lambda: not unready(wanted, progress), DEADLINE)
            progress.result(f"{len(changed)} objects changed, ready")
    return bool(made or changed)


def namespaces(rendered: str) -> set[str]:
    """The namespaces that rendered objects are in."""
    documents = (document for document in yaml.safe_load_all(rendered) if document)
    return {namespace for document in documents if (namespace := document["metadata"].get("namespace"))}


def unready(wanted: set[str], progress: Step | None = None) -> list[str]:
    """The Pods of these namespaces that are not ready yet."""
    listing = json.loads(kubectl("get", "pods", "--all-namespaces", "--output=json", doing="reading Pods"))
    pods = [pod["metadata"] for pod in listing["items"] if pod["metadata"]["namespace"] in wanted and not ready(pod)]
    waiting = [f"{pod['namespace']}/{pod['name']}" for pod in pods]
    if progress and waiting:
        progress.note(f"waiting for {len(waiting)} Pods, {waiting[0]} among them")
    return waiting


def ready(pod: dict[str, Any]) -> bool:
    """Whether a Pod is Ready, or ended well."""
    if pod["status"].get("phase") == "Succeeded":
        return True
    conditions = pod["status"].get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
