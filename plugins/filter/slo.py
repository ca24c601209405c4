# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""SLOs of the catalogue as filters. Each is documented in the .yml file of its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _slo
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import plain
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import MonitoringError


def slo_expectations(catalogue: Any, namespace: Any = "") -> list[dict[str, Any]]:
    """See slo_expectations.yml."""
    try:
        return _slo.expectations(plain(catalogue), str(namespace or ""))
    except MonitoringError as error:
        raise AnsibleFilterError(str(error)) from error
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(
            f"the input is not what slo_expectations takes ({error!r}); it takes the result of "
            "dataplatform.monitoring.catalogue_resolve."
        ) from error


class FilterModule:
    """Filters of the SLOs."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name -> function."""
        return {"slo_expectations": slo_expectations}
