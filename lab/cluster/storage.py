# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Storage: a default StorageClass and ready-made `local` volumes.

Local volumes, and not hostPath ones, because only they have kubelet_volume_stats_* metrics, which alerts and panels
about full disks read. Nothing provisions them, so they are made beforehand and cleaned for the next claim by `up`.
"""

from __future__ import annotations

import json
import shutil
from typing import Any

from .. import node
from ..paths import STATE
from . import apply, kubectl

CLASS = "local"

#: Nominal sizes: nothing enforces them, the disk below is the machine's own.
SIZES = {"100Gi": 4, "50Gi": 2, "10Gi": 5, "5Gi": 3}


def names() -> dict[str, str]:
    """Volume name -> size."""
    return {f"local-{size.lower()}-{i}": size for size, count in SIZES.items() for i in range(1, count + 1)}


def storage_class() -> dict[str, Any]:
    """The default class; a claim is bound when its first Pod is placed."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def volume(name: str, size: str) -> dict[str, Any]:
    """One PersistentVolume on the node."""
    expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node.NAME]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": CLASS,
            "local": {"path": str(STATE / "volumes" / name)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}},
        },
    }


def create() -> None:
    """The class, the folders, the volumes."""
    for name in names():
        _empty_folder(name)
    apply([storage_class(), *(volume(name, size) for name, size in names().items())], doing="creating volumes")


def recycle() -> list[str]:
    """Empty the volumes whose claim was deleted and make them available again; return their names."""
    listing = json.loads(kubectl("get", "persistentvolumes", "--output=json", doing="reading volumes"))
    released = [
        item["metadata"]["name"]
        for item in listing["items"]
        if item["status"].get("phase") == "Released" and item["metadata"]["name"] in names()
    ]
    for name in released:
        _empty_folder(name)
        kubectl("patch", f"persistentvolume/{name}", "--type=merge", '--patch={"spec":{"claimRef":null}}',
                doing=f"making {name} available")  # fmt: skip
    return released


def _empty_folder(name: str) -> None:
    folder = STATE / "volumes" / name
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    # Programs run as many different users, and local volumes are not handed over to them.
    folder.chmod(0o777)
