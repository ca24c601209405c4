# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A play's results as data, and what plays of ours have left in the cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.lab_fixture import Lab

# Whoever makes objects on behalf of a play: applyset, the verdict modules and the report; and helm.
OURS = ("dataplatform.monitoring", "helm")
# Records of the plays themselves: a check run judges nothing, so it keeps none.
RECORDS = {
    "ConfigMap monitoring/dataplatform-monitoring-baseline",
    "ConfigMap monitoring/dataplatform-monitoring-verdict",
}
VOLATILE = ("Event", "Lease", "Pod", "PodMetrics", "EndpointSlice", "Endpoints", "ReplicaSet", "ControllerRevision")


class Play:
    """A playbook's results as data."""

    def __init__(self, lab: Lab, folder: Path, name: str, *options: str, check: bool = True) -> None:
        done = lab.playbook(
            name, "-e", f"monitoring_evidence_dir={folder}", *options, check=check,
            ANSIBLE_STDOUT_CALLBACK="ansible.posix.json", ANSIBLE_NOCOLOR="1",
        )  # fmt: skip
        self.returncode = done.returncode
        self.text = done.stdout + done.stderr
        # The report prints its table to the terminal too, before the document begins.
        document = json.loads(done.stdout[done.stdout.index('{\n    "custom_stats"') :])
        self.changed = document["stats"]["lab"]["changed"]
        self.tasks: list[dict[str, Any]] = [
            {"task": task["task"]["name"], **task["hosts"]["lab"]}
            for play in document["plays"]
            for task in play["tasks"]
            if "lab" in task["hosts"]
        ]

    def _named(self, *keys: str) -> set[str]:
        found: set[str] = set()
        for task in self.tasks:
            for result in (task, task.get("objects") or {}):
                # `changed` is also what every task says of itself.
                found |= {name for key in keys if isinstance(result.get(key), list) for name in result[key]}
        return found

    @property
    def created(self) -> set[str]:
        return self._named("created")

    @property
    def touched(self) -> set[str]:
        return self._named("updated", "changed") if self.changed else set()

    @property
    def removed(self) -> set[str]:
        return self._named("removed")

    @property
    def releases(self) -> set[str]:
        """Releases that are announced, by the head of their diff."""
        heads = [str(diff["after_header"]) for task in self.tasks for diff in task.get("diff") or []]
        return {head.split(" ")[1] for head in heads if head.startswith("Release ")}


def label(item: dict[str, Any]) -> str:
    metadata = item["metadata"]
    where = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{item['kind']} {where}{metadata['name']}"


def ours(lab: Lab) -> set[str]:
    """Every object in the cluster that a play of ours wrote, whatever its kind; releases' own Secrets left out."""
    kinds = lab.kubectl("api-resources", "--verbs=list", "-o", "name").stdout.split()
    kinds = [kind for kind in kinds if kind.partition(".")[0] not in ("events", "componentstatuses")]
    listed = lab.kubectl(
        "get", ",".join(kinds), "-A", "-o", "json", "--show-managed-fields", "--ignore-not-found"
    ).stdout
    found = set()
    for item in json.loads(listed)["items"] if listed.strip() else []:
        managers = {entry.get("manager") for entry in item["metadata"].get("managedFields") or []}
        if item["kind"] in VOLATILE or item.get("type") == "helm.sh/release.v1":
            continue
        if managers & set(OURS):
            found.add(label(item))
    return found - RECORDS


def releases(lab: Lab) -> set[str]:
    listed = json.loads(lab.kubectl("get", "secret", "-A", "-l", "owner=helm", "-o", "json").stdout)["items"]
    return {f"{item['metadata']['namespace']}/{item['metadata']['labels']['name']}" for item in listed}
