# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Objects of an exporter: ConfigMap, Deployment, Service, NetworkPolicy. This module util is PRIVATE to the collection.

One shape for every product; what differs (image, arguments, environment) is data of its pack. Pure functions.
"""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue_exporters import CREDENTIALS, FILES

Object = dict[str, t.Any]

_LABELS = {"app.kubernetes.io/managed-by": "dataplatform.monitoring", "app.kubernetes.io/part-of": "monitoring"}
_ENTRY = "dataplatform.monitoring/entry"
# Changes with the configuration, so that the Pods are replaced by such as have read it.
_CONFIGURATION = "dataplatform.monitoring/configuration"
# Changes with the Secret, since what is read into the environment is read once. Of its version, never of its values.
_LOGIN = "dataplatform.monitoring/credentials"
# The user `nobody` of the distroless and busybox images that exporters come in.
_USER = 65534


def deployed(catalogue: t.Mapping[str, t.Any], kinds: t.Sequence[str] = ()) -> list[Object]:
    """Entries whose exporter is to run: those that are present and bring one.

    :param kinds: only these kinds, all of them when empty. What an earlier run deployed stays: a run of day 1 must not
        take away what day 2 has brought.
    """
    return [
        entry
        for entry in catalogue.get("entries") or []
        if entry.get("exporter")
        and entry.get("state") == "present"
        and (not kinds or entry.get("kind") in kinds or entry["exporter"].get("deployed"))
    ]


def exporter_decisions(catalogue: t.Mapping[str, t.Any], settings: t.Mapping[str, t.Any]) -> list[str]:
    """One line per entry with an exporter: what was decided, and why."""
    running = [entry["name"] for entry in deployed(catalogue, settings.get("kinds") or ())]
    lines = []
    for entry in catalogue.get("entries") or []:
        exporter = entry.get("exporter")
        if not exporter:
            continue
        if entry["name"] in running:
            asks = f", which asks {exporter['host']}" if exporter.get("host") else ""
            why = " (optional, and there)" if entry.get("optional") else ""
            lines.append(f"{entry['name']}: {exporter['name']} is deployed{asks}{why}.")
        else:
            why = entry.get("reason") or "its kind is not in exporters_kinds"
            lines.append(f"{entry['name']}: {entry['state']}: {why}.")
    return lines


def exporter_objects(catalogue: t.Mapping[str, t.Any], settings: t.Mapping[str, t.Any]) -> list[Object]:
    """Every object of every exporter of the catalogue, in its order.

    :param settings: C({kinds, resources, node_selector, tolerations, pull_secrets, registry, network_policy}), and
        C(secret_versions) by C(namespace/name), as C(cluster_info) tells them.
    """
    found: list[Object] = []
    for entry in deployed(catalogue, settings.get("kinds") or ()):
        if entry["exporter"].get("files"):
            found.append(_config_map(entry))
        found += [_deployment(entry, settings), _service(entry)]
        if settings.get("network_policy", True):
            found.append(_network_policy(entry))
    return found


def exporter_workloads(catalogue: t.Mapping[str, t.Any], settings: t.Mapping[str, t.Any]) -> list[dict[str, str]]:
    """The Deployments to wait for."""
    return [
        {"kind": "Deployment", "name": entry["exporter"]["name"], "namespace": entry["exporter"]["namespace"]}
        for entry in deployed(catalogue, settings.get("kinds") or ())
    ]


def exporter_secrets(catalogue: t.Mapping[str, t.Any], settings: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """The Secrets that exporters log in with, as C({entry, namespace, name, keys})."""
    return [
        {
            "entry": entry["name"],
            "namespace": entry["exporter"]["namespace"],
            "name": entry["exporter"]["credentials_secret"],
            "keys": list(entry["exporter"].get("secret_keys") or []),
        }
        for entry in deployed(catalogue, settings.get("kinds") or ())
        if entry["exporter"].get("credentials_secret")
    ]


def _metadata(entry: Object) -> Object:
    exporter = entry["exporter"]
    return {
        "name": exporter["name"],
        "namespace": exporter["namespace"],
        "labels": {**exporter["labels"], **_LABELS, _ENTRY: entry["name"]},
    }


def _image(image: str, registry: str) -> str:
    """The image, taken from another registry when there is one; its path stays, as with the charts' own switches."""
    if not registry:
        return image
    first, slash, rest = image.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return f"{registry.rstrip('/')}/{rest if named else image}"


def _contents(exporter: Object) -> dict[str, str]:
    """The files as texts; data is written as JSON, which is YAML as well."""
    return {
        name: held if isinstance(held, str) else json.dumps(held, indent=2, sort_keys=True) + "\n"
        for name, held in (exporter.get("files") or {}).items()
    }


def _config_map(entry: Object) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(entry), "data": _contents(entry["exporter"])}


def _mounts(exporter: Object) -> tuple[list[Object], list[Object]]:
    """Volumes and where they are mounted: configuration, and the keys of the Secret that are wanted as files."""
    volumes: list[Object] = []
    mounts: list[Object] = []
    if exporter.get("files"):
        volumes.append({"name": "files", "configMap": {"name": exporter["name"]}})
        mounts.append({"name": "files", "mountPath": FILES, "readOnly": True})
    if exporter.get("secret_files"):
        items = [{"key": key, "path": key} for key in exporter["secret_files"]]
        # for the group of the Pod alone
        secret = {"secretName": exporter["credentials_secret"], "items": items, "defaultMode": 0o440}
        volumes.append({"name": "credentials", "secret": secret})
        mounts.append({"name": "credentials", "mountPath": CREDENTIALS, "readOnly": True})
    return volumes, mounts


def _deployment(entry: Object, settings: t.Mapping[str, t.Any]) -> Object:
    exporter = entry["exporter"]
    volumes, mounts = _mounts(exporter)
    probe = {"tcpSocket": {"port": exporter["port_name"]}, "periodSeconds": 10, "timeoutSeconds": 3}
    container = {
        "name": "exporter",
        "image": _image(exporter["image"], str(settings.get("registry") or "")),
        "imagePullPolicy": "IfNotPresent",
        "args": list(exporter["args"]),
        "env": list(exporter["env"]),
        "ports": [{"name": exporter["port_name"], "containerPort": int(exporter["port"]), "protocol": "TCP"}],
        "resources": exporter.get("resources") or settings.get("resources") or {},
        "volumeMounts": mounts,
        # The port alone: what an exporter says about its product is judged by the verdict, not by the kubelet.
        "readinessProbe": probe,
        "livenessProbe": {**probe, "periodSeconds": 30, "failureThreshold": 4},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
    pod: Object = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "containers": [{key: value for key, value in container.items() if value not in ([], {})}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            **({"fsGroup": _USER} if exporter.get("secret_files") else {}),
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    if volumes:
        pod["volumes"] = volumes
    metadata: Object = {"labels": {**exporter["labels"], _ENTRY: entry["name"]}}
    noted = {}
    if exporter.get("files"):
        noted[_CONFIGURATION] = _digest(json.dumps(_contents(exporter), sort_keys=True))
    version = (settings.get("secret_versions") or {}).get(
        f"{exporter['namespace']}/{exporter.get('credentials_secret')}"
    )
    if version:
        noted[_LOGIN] = _digest(version)
    if noted:
        metadata["annotations"] = noted
    for key, name in (("node_selector", "nodeSelector"), ("tolerations", "tolerations")):
        if settings.get(key):
            pod[name] = settings[key]
    if settings.get("pull_secrets"):
        pod["imagePullSecrets"] = [{"name": name} for name in settings["pull_secrets"]]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(entry),
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 2,
            "selector": {"matchLabels": dict(exporter["selector"])},
            # A second exporter beside the first would be a target twice.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "template": {"metadata": metadata, "spec": pod},
        },
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _service(entry: Object) -> Object:
    exporter = entry["exporter"]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(entry),
        "spec": {
            "type": "ClusterIP",
            "selector": dict(exporter["selector"]),
            "ports": [
                {
                    "name": exporter["port_name"],
                    "port": int(exporter["port"]),
                    "targetPort": exporter["port_name"],
                    "protocol": "TCP",
                }
            ],
        },
    }


def _network_policy(entry: Object) -> Object:
    """Only Prometheus gets in. What goes out stays open: a policy sees the target's Pod port, which nobody told us."""
    exporter = entry["exporter"]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(entry),
        "spec": {
            "podSelector": {"matchLabels": dict(exporter["selector"])},
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}}],
                    "ports": [{"port": exporter["port_name"], "protocol": "TCP"}],
                }
            ],
        },
    }
