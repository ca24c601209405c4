# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""An Alertmanager configuration as text, and as text that may be shown. PRIVATE to the collection."""

from __future__ import annotations

import copy
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _alertmanager_credentials,
    _alertmanager_yaml,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

try:
    import yaml

    _Dumper: t.Any = type(
        "_Dumper",
        (getattr(yaml, "CSafeDumper", yaml.SafeDumper),),
        # An anchor says nothing to who reads the text.
        {"ignore_aliases": lambda self, data: True},
    )
except ImportError:  # pragma: no cover - ansible-core itself needs it on the controller
    yaml = None  # type: ignore[assignment]


_WHOLE = re.compile(r"0|[1-9][0-9]{0,17}")


def dump(config: t.Mapping[str, t.Any]) -> str:
    """YAML in the order given; the same data always gives the same text.

    :param config: plain data, see C(_catalogue.plain).
    """
    return yaml.dump(
        config, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=100_000
    )


def typed(value: t.Any) -> t.Any:
    """What C(_alertmanager_yaml.load) gave, with truth values and whole numbers as such.

    Written without quotes they fit a field of either kind, as the server keeps the text for a string.
    """
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    if value in ("true", "false"):
        return value == "true"
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else value


def shown(text: str) -> str | None:
    """A configuration's text with every literal credential hidden; None when it cannot be read, and so not be shown."""
    try:
        config = _alertmanager_yaml.load(text)
        redacted = copy.deepcopy(config)
        for item in _alertmanager_credentials.literals(config, templates=True):
            item.hide(redacted)
        return dump(typed(redacted))
    except (ConfigError, AttributeError, TypeError):
        return None
