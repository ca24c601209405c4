# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Black-box probes: what of an entry is asked, by which module, and by which prober.

The prober is an entry like any other, of kind ``blackbox``: written by the user, or added here as soon as one entry
has a probe. Its pack holds the modules; an entry with ``probe.http`` gets a module of its own, made from the one it
names. Sources: blackbox_exporter's CONFIGURATION.md, prometheus-operator's Probe.
This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _catalogue_ports as ports
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import Entry, Faults, merge
from ansible_collections.dataplatform.monitoring.plugins.module_utils._endpoint_schema import suggest

KIND = "blackbox"
# Its objects are called blackbox-exporter, as the program is.
NAME = "blackbox"
CONFIG = "config.yml"


def check_probe(
    entry: Mapping[str, Any],
    pack: Mapping[str, Any] | None,
    prober: Mapping[str, Any],
    where: str,
    faults: Faults,
) -> None:
    """That the prober's pack has the module which an entry's probe names, and that the prober's name is free."""
    asked = [one.get("probe") for one in (entry, pack or {})]
    named = [one["module"] for one in asked if isinstance(one, Mapping) and isinstance(one.get("module"), str)]
    known = modules_of(prober)
    if named and known and named[0] not in known:
        faults.add(where, "probe.module", f"the prober has no module {named[0]}", suggest(named[0], known, "modules"))
    if entry.get("name") == NAME and entry.get("kind") != KIND:
        faults.add(where, "name", "is the name of the prober that is deployed here", f"choose another, or kind: {KIND}")


def wanted_probe(entry: Entry, pack: Mapping[str, Any]) -> dict[str, Any] | None:
    """The pack's probe with the entry's over it; None without one."""
    merged = merge(pack.get("probe") or {}, entry.get("probe") or {})
    if not merged or merged.pop("enabled", True) is False:
        return None
    return {"module": "http_2xx", "scheme": "http", "path": "/", **merged}


def modules_of(pack: Mapping[str, Any]) -> dict[str, Any]:
    """The modules that a pack of kind blackbox has."""
    config = ((pack.get("exporter") or {}).get("files") or {}).get(CONFIG)
    modules = config.get("modules") if isinstance(config, Mapping) else None
    return dict(modules) if isinstance(modules, Mapping) else {}


def find_url(resolved: Entry, cluster: Mapping[str, Any], modules: Mapping[str, Any]) -> str | None:
    """The address a probe asks: the first Service selected that has the wanted port."""
    probe = resolved["probe"]
    if probe.get("url") or resolved["exporter"] is not None or resolved["monitor"] == "ScrapeConfig":
        return probe.get("url")
    found = _service_port(resolved, cluster, probe.get("port"))
    if found is None:
        return None
    # only http has a path; the others are told host and port
    if (modules.get(probe["module"]) or {"prober": "http"}).get("prober") != "http":
        return found
    return f"{probe['scheme']}://{found}{probe['path']}"


def _service_port(resolved: Entry, cluster: Mapping[str, Any], wanted: Any) -> str | None:
    for service in ports.matching(cluster.get("services"), resolved["namespaces"], resolved["selector"]):
        for port in service.get("ports") or ():
            if wanted in (None, port.get("name"), port.get("port"), port.get("targetPort")):
                return f"{service['name']}.{service['namespace']}.svc:{port['port']}"
    return None


def probed(entries: list[Entry]) -> list[Entry]:
    """The entries that are there and have a probe with an address."""
    return [entry for entry in entries if _asks(entry) and entry["probe"].get("url")]


def _asks(entry: Entry) -> bool:
    return entry["state"] in ("present", "adopted") and bool(entry["probe"])


def connect(entries: list[Entry], cluster: Mapping[str, Any], pack: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """Give the probes their module and the prober its configuration.

    :returns: the prober as C({name, namespace, service, url, deployed}), None as long as none is there; and notes.
    """
    prober, notes = _prober(entries, cluster), []
    if prober is None:
        return None, notes
    modules = modules_of(pack)
    for entry in entries:
        if not _asks(entry):
            continue
        probe = entry["probe"]
        if not probe.get("url"):
            notes.append(_without_url(entry, cluster))
            continue
        base = modules.get(probe["module"]) or {"prober": "http"}
        accepted = {**(base.get("http") or {}), **(probe.get("http") or {})}.get("valid_status_codes")
        probe["accepts"] = _accepts(base, accepted)
        if not probe.get("http"):
            continue
        if prober["deployed"]:
            own = f"{probe['module']}.{entry['name']}"
            modules[own] = merge(base, {"http": probe["http"]})
            probe["module"] = own
        else:
            notes.append(
                f"{entry['name']}: probe.http means nothing to a prober that is not deployed here: name one of its "
                "modules in probe.module."
            )
    for entry in entries:
        if prober["deployed"] and entry["name"] == prober["name"]:
            entry["exporter"]["files"] = merge(entry["exporter"]["files"], {CONFIG: {"modules": modules}})
    return prober, notes


def _prober(entries: list[Entry], cluster: Mapping[str, Any]) -> dict[str, Any] | None:
    for entry in entries:
        if entry["kind"] != KIND or entry["state"] not in ("present", "adopted"):
            continue
        if entry["exporter"] is not None:
            service, namespace = entry["exporter"]["name"], entry["exporter"]["namespace"]
            url = f"{service}.{namespace}.svc:{entry['exporter']['port']}"
        else:
            found = _service_port(entry, cluster, (entry["endpoints"] or [{}])[0].get("port"))
            if found is None:
                continue
            url, (service, namespace) = found, tuple(found.split(".")[:2])
        deployed = entry["exporter"] is not None
        return {
            "name": entry["name"],
            "namespace": namespace,
            "service": service,
            "url": url,
            "deployed": deployed,
        }
    return None


def _accepts(module: Mapping[str, Any], codes: Any) -> str:
    """What counts as an answer, for people."""
    if module.get("prober") != "http":
        return "a connection"
    if not codes:
        return "status 2xx"
    texts = [str(code) for code in codes]
    return "status " + (f"{', '.join(texts[:-1])} or {texts[-1]}" if len(texts) > 1 else texts[0])


def _without_url(entry: Entry, cluster: Mapping[str, Any]) -> str:
    """Why nothing is probed, with what is there."""
    services = ports.matching(cluster.get("services"), entry["namespaces"], entry["selector"])
    there = sorted({str(port.get("name") or port.get("port")) for one in services for port in one.get("ports") or ()})
    wanted, found = entry["probe"].get("port"), f"there are {', '.join(there)}" if there else "there is none"
    return (
        f"{entry['name']}: nothing is probed, for no selected Service has the port {wanted or 'of the probe'} "
        f"({found}): name it in probe.port or the whole address in probe.url, or write probe: {{enabled: false}}."
    )
