# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The YAML that docs/existing.md shows, so that what is documented is what runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

PAGE = Path(__file__).resolve().parents[3] / "docs" / "existing.md"


def variables(name: str) -> dict[str, Any]:
    """The block that begins with the comment of that name."""
    for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL):
        if block.startswith(f"# {name}\n"):
            return yaml.safe_load(block)
    raise AssertionError(f"{PAGE} has no block of YAML that begins with '# {name}'")


def inventory(name: str) -> dict[str, Any]:
    """An inventory of that name."""
    found = variables(name)
    assert list(found) == ["all"]
    return found
