# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A play's results as data, and what plays of ours have left in the cluster."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.lab_fixture import Lab

# Whoever makes objects on behalf of a play: applyset, the verdict modules and the report; and helm.
OURS = ("dataplatform.monitoring", "helm")
# Records of the plays themselves: a check run judges nothing, so it keeps none.
RECORDS = {
    "ConfigMap monitoring/dataplatform-monitoring-baseline",
    "ConfigMap monitoring/dataplatform-monitoring-drill",
    "ConfigMap monitoring/dataplatform-monitoring-verdict",
}
VOLATILE = (
    "Event", "Lease", "Pod", "PodMetrics", "EndpointSlice", "Endpoints", "IPAddress", "ReplicaSet",
    "ControllerRevision",
)  # fmt: skip


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


def objects(lab: Lab) -> list[dict[str, Any]]:
    """Every object in the cluster, whatever its kind."""
    kinds = lab.kubectl("api-resources", "--verbs=list", "-o", "name").stdout.split()
    kinds = [kind for kind in kinds if kind.partition(".")[0] not in ("events", "componentstatuses")]
    listed = lab.kubectl(
        "get", ",".join(kinds), "-A", "-o", "json", "--show-managed-fields", "--ignore-not-found"
    ).stdout
    return json.loads(listed)["items"] if listed.strip() else []


def written_by_us(item: dict[str, Any]) -> bool:
    """Whether a play of ours wrote it; Helm keeps its records under another name than it applies objects."""
    if is_release(item):
        return item["metadata"]["namespace"] == "monitoring"
    return any(entry.get("manager") in OURS for entry in item["metadata"].get("managedFields") or [])


def is_release(item: dict[str, Any]) -> bool:
    return item.get("type") == "helm.sh/release.v1"


def ours(lab: Lab) -> set[str]:
    """Every object in the cluster that a play of ours wrote; releases' own Secrets left out."""
    return snapshot(lab).names


#: Which object it is, and what stands in it.
State = dict[str, tuple[str, str]]


class Snapshot:
    """The cluster at a moment: what plays of ours wrote, and what is strange to them; told by uid and content.

    Neither of both is what controllers make of an object of ours (by its owners; the operator's Service of the kubelets
    has none), what they write all the time, and volumes, which the cluster binds to whoever claims them.
    """

    def __init__(self, items: list[dict[str, Any]]) -> None:
        by_uid = {item["metadata"]["uid"]: item for item in items}

        def made_of_ours(item: dict[str, Any]) -> bool:
            if item["metadata"].get("labels", {}).get("app.kubernetes.io/managed-by") == "prometheus-operator":
                return True
            owners = [by_uid.get(owner["uid"]) for owner in item["metadata"].get("ownerReferences") or []]
            return any(owner and (written_by_us(owner) or made_of_ours(owner)) for owner in owners)

        self.ours: State = {}
        #: Of ours, releases' own Secrets left out.
        self.names: set[str] = set()
        self.strangers: State = {}
        for item in items:
            if item["kind"] in VOLATILE or label(item) in RECORDS:
                continue
            if written_by_us(item):
                self.ours[_place(item)] = _state(item)
                self.names |= set() if is_release(item) else {label(item)}
            elif item["kind"] != "PersistentVolume" and not made_of_ours(item):
                self.strangers[_place(item)] = _state(item)

    def touched_strangers(self, before: Snapshot) -> list[str]:
        """Strangers of before that are gone, others of the same name, or changed; new ones are others' business."""
        return sorted(place for place, state in before.strangers.items() if self.strangers.get(place) != state)


def snapshot(lab: Lab) -> Snapshot:
    return Snapshot(objects(lab))


def _place(item: dict[str, Any]) -> str:
    return f"{item['apiVersion']} {label(item)}"


def _state(item: dict[str, Any]) -> tuple[str, str]:
    metadata = {k: v for k, v in item["metadata"].items() if k not in ("managedFields", "resourceVersion")}
    content = {**{key: value for key, value in item.items() if key != "status"}, "metadata": metadata}
    return metadata["uid"], hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@contextmanager
def stranger(lab: Lab) -> Iterator[None]:
    """Somebody else's object in our namespace, with a name and labels as ours have them."""
    name = "dataplatform-monitoring-of-somebody-else"
    meta = {"name": name, "namespace": "monitoring", "labels": {"app.kubernetes.io/part-of": "kube-prometheus-stack"}}
    text = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"theirs": "1"}})
    delete = ("delete", "configmap", name, "-n", "monitoring", "--ignore-not-found")
    lab.kubectl(*delete)
    lab.kubectl("create", "-f", "-", stdin=text)
    try:
        yield
    finally:
        lab.kubectl(*delete)


def releases(lab: Lab) -> set[str]:
    listed = json.loads(lab.kubectl("get", "secret", "-A", "-l", "owner=helm", "-o", "json").stdout)["items"]
    return {f"{item['metadata']['namespace']}/{item['metadata']['labels']['name']}" for item in listed}
