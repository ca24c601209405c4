# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The port that a monitor names is not there: which one is meant? This module util is PRIVATE to the collection.

Pure functions over what a monitor leads to.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_fixes import endpoint_line, restore
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import (
    Expectation,
    Finding,
    Object,
    Snapshot,
    some,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_monitor import drifted
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_services import (
    container_ports,
    declares,
    full_match,
    place,
    port_names,
    ports_of,
    target_port,
)


class Objects(t.NamedTuple):
    """Services, EndpointSlices and Pods of the namespaces a monitor looks at."""

    services: list[Object]
    slices: list[Object]
    pods: list[Object]


class Context(t.NamedTuple):
    """A monitor, what it asks for, and the objects in the namespaces it looks at.

    :param item: the live monitor, None when there is none. :param where: the namespaces, as a person names them.
    :param pods: Pods by UID.
    """

    expectation: Expectation
    item: Object | None
    snapshot: Snapshot
    selector: Object
    endpoints: list[Object]
    where: str
    objects: Objects
    pods: dict[str, Object]
    now: float

    def remedy(self, ours: str) -> str:
        """The fix in the catalogue, unless somebody changed the live monitor: then the catalogue is right."""
        return restore(self.expectation) if self.item and drifted(self.expectation, self.item) else ours


def no_port(c: Context, index: int, endpoint: Object, services: list[Object], behind: list[Object]) -> Finding:
    """The endpoint's port is on none of the selected Services, or on none of their Pods."""
    wanted = target_port(endpoint)
    which = some(place(service) for service in services)
    if wanted is not None:
        declared = sorted(
            {f"{name} ({number})" if name else str(number) for pod in behind for name, number in container_ports(pod)}
        )
        message = (
            f"No container behind Service {which} declares port {wanted}, so that targetPort {wanted} selects nothing; "
            f"declared: {', '.join(declared) or 'none'}."
        )
        matching = next(
            (p for s in services for p in ports_of(s) if str(wanted) in (str(p.get("port")), str(p.get("targetPort")))),
            None,
        )
        if matching and matching.get("name"):
            change: Object = {"port": matching["name"]}
        else:
            change = {"targetPort": _first_port(behind)}
        code = "no_such_port"
        return Finding(
            code, message, c.remedy(endpoint_line(c.expectation, index, change, "name a port that is there", _DROP))
        )
    name = str(endpoint.get("port"))
    there = "; ".join(f"{place(s)} has {', '.join(port_names(s)) or 'no port'}" for s in services[:3])
    numbered = [p for s in services for p in ports_of(s) if name in (str(p.get("port")), str(p.get("targetPort")))]
    if name.isdigit():
        message = (
            f'The endpoint\'s port is "{name}", a number in quotes: port takes the NAME of a Service port, and none is '
            f"called {name}. {there}."
        )
        if numbered and numbered[0].get("name"):
            change = {"port": numbered[0]["name"]}
        elif any(declares(pod, int(name)) for pod in behind):
            change = {"targetPort": int(name)}
        else:
            change = _likely_port(services, behind)
        line = endpoint_line(c.expectation, index, change, "give the name of the port", _DROP)
        return Finding("port_is_number", message, c.remedy(line))
    message = f"No selected Service has a port named {name}: {there}."
    line = endpoint_line(c.expectation, index, _likely_port(services, behind), "name a port that is there", _DROP)
    return Finding("no_such_port", message, c.remedy(line))


_DROP = ("port", "targetPort")


def _likely_port(services: list[Object], behind: list[Object]) -> Object:
    """The port most likely meant: named as metrics ports are, else the only or first one with a name."""
    named = [str(port["name"]) for service in services for port in ports_of(service) if port.get("name")]
    for word in ("metrics", "prom", "monitor", "http", ""):
        for name in named:
            if word in name:
                return {"port": name}
    return {"targetPort": _first_port(behind) or next((p.get("port") for s in services for p in ports_of(s)), None)}


def _first_port(pods: list[Object]) -> int | str | None:
    ports = [(name, number) for pod in pods for name, number in container_ports(pod)]
    for word in ("metrics", "prom", "http"):
        for name, number in ports:
            if word in name:
                return name or number
    return next((name or number for name, number in ports), None)


def no_container_port(c: Context, index: int, wanted: t.Any, selected: list[Object]) -> Finding:
    declared = sorted(
        {f"{name or '(unnamed)'} ({number})" for pod in selected for name, number in container_ports(pod)}
    )
    message = f"No container of the selected Pods declares port {wanted}; declared: {', '.join(declared) or 'none'}."
    numbered = [name for pod in selected for name, number in container_ports(pod) if full_match(wanted, str(number))]
    code = "port_is_number" if str(wanted).isdigit() and isinstance(wanted, str) else "no_such_port"
    change: Object = {"port": numbered[0]} if numbered and numbered[0] else {"port": _first_port(selected)}
    line = endpoint_line(c.expectation, index, change, "name a port that is there", (*_DROP, "portNumber"))
    return Finding(code, message, c.remedy(line))
