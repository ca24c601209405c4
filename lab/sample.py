# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sample platform in platform/, applied to the lab and waited for."""

from __future__ import annotations

import json
from typing import Any

from .cluster import kubectl
from .node import wait_for
from .paths import LAB
from .progress import Step, say, step

FOLDER = LAB / "platform"

#: Seconds until every Pod of the platform must be ready.
DEADLINE = 300


def apply() -> bool:
    """`kubectl apply -k lab/platform` where it differs, then until its Pods are ready. True when anything changed."""
    if not (FOLDER / "kustomization.yaml").exists():
        say("no sample platform here (lab/platform): skipped")
        return False
    output = kubectl("apply", "--kustomize", str(FOLDER), doing="applying lab/platform")
    changed = [line for line in output.splitlines() if not line.endswith("unchanged")]
    with step("sample platform") as progress:
        what = "the sample platform's Pods (`kubectl get pods -A` tells which)"
        wait_for(what, lambda: not unready(progress), DEADLINE)
        progress.result(f"{len(changed)} objects changed" if changed else "unchanged")
    return bool(changed)


def unready(progress: Step) -> list[str]:
    """The Pods that are not ready yet."""
    listing = json.loads(kubectl("get", "pods", "--all-namespaces", "--output=json", doing="reading Pods"))
    waiting = [pod["metadata"]["name"] for pod in listing["items"] if not ready(pod)]
    progress.note(f"waiting for {len(waiting)} Pods")
    return waiting


def ready(pod: dict[str, Any]) -> bool:
    """Whether a Pod is Ready, or ended well."""
    if pod["status"].get("phase") == "Succeeded":
        return True
    conditions = pod["status"].get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
