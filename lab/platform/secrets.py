# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: dataplatform.monitoring contributors

"""Passwords of the lab's platform: made in the cluster when they are missing, and nowhere else."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ..cluster import apply, kubectl

Data = dict[str, str]


class Name(NamedTuple):
    namespace: str
    name: str


#: Secret -> the user name in it. The second is the one that a user of the collection makes by hand for the exporter.
MADE = {
    Name("data-platform", "postgresql-superuser"): "postgres",
    Name("data-platform", "postgresql-monitoring"): "monitoring",
    Name("data-platform", "minio-root"): "root",
}

#: Secret -> the one that it has to equal: an exporter beside Prometheus reads its own namespace only.
COPIES = {Name("monitoring", "postgresql-monitoring"): Name("data-platform", "postgresql-monitoring")}


def ensure() -> list[str]:
    """Make the Secrets that are missing, and their namespaces; return their names. Existing ones stay as they are."""
    wanted = missing(read)
    if wanted:
        # as the kustomization applies them, so that it finds nothing changed
        namespaces = Path(__file__).with_name("namespaces.yaml")
        kubectl("apply", "--filename", str(namespaces), doing="making the platform's namespaces")
        apply(
            [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}}], doing="making a namespace"
        )
        apply([secret(name, data) for name, data in wanted.items()], doing="making the platform's passwords")
    return [f"{name.namespace}/{name.name}" for name in wanted]


def missing(read: Callable[[Name], Data | None]) -> dict[Name, Data]:
    """The Secrets to be made, given how to read those that are there."""
    made: dict[Name, Data] = {}
    for name, user in MADE.items():
        if read(name) is None:
            made[name] = {"username": user, "password": secrets.token_urlsafe(24)}
    for name, original in COPIES.items():
        data = made.get(original) or read(original)
        if data is not None and read(name) != data:
            made[name] = data
    return made


def secret(name: Name, data: Data) -> dict[str, Any]:
    """The Secret object."""
    metadata = {"name": name.name, "namespace": name.namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "stringData": data}


def read(name: Name) -> Data | None:
    """What a Secret holds, None when there is none."""
    text = kubectl(
        "get", "secret", name.name, f"--namespace={name.namespace}", "--ignore-not-found", "--output=json",
        doing=f"reading Secret {name.namespace}/{name.name}",
    )  # fmt: skip
    if not text.strip():
        return None
    return {key: base64.b64decode(value).decode() for key, value in json.loads(text).get("data", {}).items()}
