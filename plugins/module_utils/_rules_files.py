# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The data of the role rules: alerts about no product, and which alerts of the chart ours replace.

This module util is PRIVATE to the collection. Only the controller reads these files.
"""

from __future__ import annotations

import functools
import typing as t
from pathlib import Path

from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import plain
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

FOLDER = Path(__file__).resolve().parents[2] / "roles" / "rules" / "files"


@functools.cache
def _read(name: str) -> t.Any:
    # only the controller reads these, and it has PyYAML
    from ansible.module_utils.common.yaml import yaml_load

    try:
        return plain(yaml_load((FOLDER / name).read_text(encoding="utf-8")))
    except Exception as error:
        raise ConfigError(f"{FOLDER / name} cannot be read ({error}); reinstall the collection.") from error


def groups(each: str) -> list[dict[str, t.Any]]:
    """Groups made once per C(cluster), per C(probe) or per C(slo). :raises ConfigError: the file is damaged."""
    return [group for group in _read("general.yml") if group["each"] == each]


def alerts() -> dict[str, dict[str, t.Any]]:
    """Every alert of the file by its name."""
    return {name: alert for group in _read("general.yml") for name, alert in group["alerts"].items()}


def replaced() -> dict[str, dict[str, list[str]]]:
    """Kind -> our alert -> alerts of kube-prometheus-stack. :raises ConfigError: the file is damaged."""
    return _read("chart_alerts.yml")["replaced"]


def kept() -> set[str]:
    """Alerts of kube-prometheus-stack that none of ours replaces. :raises ConfigError: the file is damaged."""
    return {name for names in _read("chart_alerts.yml")["kept"].values() for name in names}
