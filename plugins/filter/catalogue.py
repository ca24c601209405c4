# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The catalogue as filters: validate, resolve, and derive. Each is documented in the .yml file of its name."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _catalogue_resolve as _resolve
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _catalogue_state as _state
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _catalogue_validate as _validate
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _expectations, _monitors, _packs
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import plain
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import MonitoringError

_CRD_PLURALS = {"servicemonitors": "ServiceMonitor", "podmonitors": "PodMonitor"}


def _schemas(cluster: Any, endpoint_schema: Any) -> dict[str, Any]:
    """Monitor kind -> endpoint schema: the live CRDs' first, else those given (by kind or by plural)."""
    found: dict[str, Any] = {}
    given = plain(endpoint_schema) if isinstance(endpoint_schema, Mapping) else {}
    for plural, kind in _CRD_PLURALS.items():
        schema = given.get(kind) or given.get(plural)
        if schema is None and kind == "ServiceMonitor" and "properties" in given:
            schema = given
        if isinstance(schema, Mapping) and isinstance(schema.get("endpoint_schema"), Mapping):
            schema = schema["endpoint_schema"]
        if schema:
            found[kind] = schema
    crds = cluster.get("crds") if isinstance(cluster, Mapping) else None
    for plural, kind in _CRD_PLURALS.items():
        crd = crds.get(plural) if isinstance(crds, Mapping) else None
        if isinstance(crd, Mapping) and isinstance(crd.get("endpoint_schema"), Mapping):
            found[kind] = plain(crd["endpoint_schema"])
    return found


def catalogue_validate(
    services: Any,
    packs: Any = None,
    cluster: Any = None,
    endpoint_schema: Any = None,
    kubernetes: bool = True,
    scrape_interval: str = "30s",
    allow_empty: bool = False,
) -> list[str]:
    """See catalogue_validate.yml."""
    schemas = _schemas(cluster, endpoint_schema)
    return _validate.validate(
        services,
        _packs.load(packs),
        endpoint_schemas=schemas,
        kubernetes=bool(kubernetes),
        scrape_interval=str(scrape_interval),
        allow_empty=bool(allow_empty),
    )


def catalogue_resolve(
    services: Any,
    packs: Any = None,
    cluster: Any = None,
    namespace: str = "monitoring",
    *,
    cluster_name: str = "",
    exporters: Any = False,
    forget: Any = (),
    kubernetes: bool = True,
    monitor_labels: Any = None,
    endpoint_schema: Any = None,
    scrape_interval: str = "30s",
    notes: Any = (),
    now: str | None = None,
    allow_empty: bool = False,
) -> dict[str, Any]:
    """See catalogue_resolve.yml."""
    loaded = _packs.load(packs)
    schemas = _schemas(cluster, endpoint_schema)
    given = {
        "kubernetes": bool(kubernetes),
        "scrape_interval": str(scrape_interval),
        "allow_empty": bool(allow_empty),
    }
    faults = _validate.validate(services, loaded, **given)
    if faults:
        raise MonitoringError(" ".join(faults))
    # what only the CRD's schema can tell is reported beside what only the cluster can tell
    unknown_keys = _validate.validate(services, loaded, endpoint_schemas=schemas, **given)
    result = _resolve.resolve(
        services,
        loaded,
        cluster,
        str(namespace),
        now=now or datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        cluster_name=str(cluster_name),
        exporters=exporters if isinstance(exporters, bool) else plain(exporters or []),
        forget=plain(forget or []),
        kubernetes=bool(kubernetes),
        monitor_labels=plain(monitor_labels or {}),
    )
    result["faults"] = unknown_keys + result["faults"]
    result["notes"] = plain(notes or []) + result["notes"]
    if kubernetes and "ServiceMonitor" not in schemas:
        result["notes"].append(
            "No schema of the ServiceMonitor CRD was at hand: keys of endpoints are left to the API server's dry run."
        )
    return plain(result)


def catalogue_monitors(catalogue: Any, prober_url: str | None = None) -> list[dict[str, Any]]:
    """See catalogue_monitors.yml."""
    return _monitors.monitors(plain(catalogue), prober_url)


def catalogue_decisions(catalogue: Any) -> dict[str, Any]:
    """See catalogue_decisions.yml."""
    return _state.decisions(plain(catalogue))


def scrape_expectations(catalogue: Any) -> list[dict[str, Any]]:
    """See scrape_expectations.yml."""
    return _expectations.scrape_expectations(plain(catalogue))


def log_expectations(catalogue: Any) -> list[dict[str, Any]]:
    """See log_expectations.yml."""
    return _expectations.log_expectations(plain(catalogue))


def workload_expectations(catalogue: Any) -> list[dict[str, Any]]:
    """See workload_expectations.yml."""
    return _expectations.workload_expectations(plain(catalogue))


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The one place where an error of ours, or an input that is no catalogue, becomes Ansible's."""

    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except MonitoringError as error:
            raise AnsibleFilterError(str(error)) from error
        except (KeyError, TypeError) as error:
            raise AnsibleFilterError(
                f"the input is not what {function.__name__} takes; "
                "the filters that derive take the result of dataplatform.monitoring.catalogue_resolve."
            ) from error

    return run


class FilterModule:
    """Filters of the catalogue."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name -> function."""
        functions = (
            catalogue_validate,
            catalogue_resolve,
            catalogue_monitors,
            catalogue_decisions,
            scrape_expectations,
            log_expectations,
            workload_expectations,
        )
        return {function.__name__: _guarded(function) for function in functions}
