# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The data of the role dashboards: boards, in their order, and the rows that several of them share.

This module util is PRIVATE to the collection. Only the controller reads these files.
"""

from __future__ import annotations

import functools
import typing as t
from pathlib import Path

from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import plain
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

FOLDER = Path(__file__).resolve().parents[2] / "roles" / "dashboards" / "files"
# The order in which a person would look at them.
ORDER = (
    "overview",
    "slo",
    "slo-detail",
    "cluster",
    "kubernetes",
    "data-platform",
    "metadata",
    "stores",
    "logs",
    "monitoring",
    "business",
)


@functools.cache
def _read(name: str) -> t.Any:
    # only the controller reads these, and it has PyYAML
    from ansible.module_utils.common.yaml import yaml_load

    path = FOLDER / f"{name}.yml"
    try:
        return plain(yaml_load(path.read_text(encoding="utf-8")))
    except Exception as error:
        raise ConfigError(f"{path} cannot be read ({error}); reinstall the collection.") from error


def boards() -> list[dict[str, t.Any]]:
    """Every board's file, with its key. :raises ConfigError: a file is damaged."""
    return [{"key": key, **_read(key)} for key in ORDER]


def shared() -> dict[str, dict[str, t.Any]]:
    """Rows that a board may name. :raises ConfigError: the file is damaged."""
    return _read("shared")
