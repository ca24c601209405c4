# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Where an object lives in the Kubernetes API, as the API says. This module util is PRIVATE to the collection."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube


class Resources:
    """The resources a cluster serves; one call per group and version, remembered."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._known: dict[str, dict[str, tuple[str, bool]]] = {}

    def find(self, api_version: str, kind: str) -> tuple[str, bool] | None:
        """Plural name and whether it lives in a namespace; None when the cluster does not serve the kind.

        :raises ApiError: discovery was refused or failed.
        """
        if api_version not in self._known:
            root = "/apis/" if "/" in api_version else "/api/"
            listed = self._kube.get(root + api_version) or {}
            self._known[api_version] = {
                item["kind"]: (item["name"], bool(item.get("namespaced")))
                for item in listed.get("resources") or []
                if "/" not in item["name"]
            }
        return self._known[api_version].get(kind)

    def namespaced(self, item: dict[str, t.Any]) -> bool:
        """Whether an object's kind lives in a namespace; an unknown kind is taken to."""
        found = self.find(item.get("apiVersion", ""), item.get("kind", ""))
        return found is None or found[1]

    def path(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> str | None:
        """The API path of an object; None when the cluster does not serve its kind."""
        found = self.find(api_version, kind)
        if found is None:
            return None
        root = "/apis/" if "/" in api_version else "/api/"
        where = f"/namespaces/{namespace}" if found[1] and namespace else ""
        return f"{root}{api_version}{where}/{found[0]}/{name}"
