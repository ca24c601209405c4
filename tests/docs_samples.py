# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code samples of the manuals, by language."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: The manuals; runbooks have tests of their own.
PAGES = sorted((ROOT / "docs").glob("*.md"))
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Sample:
    """One fenced block of a page."""

    page: str
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.number}:{self.language or 'text'}"

    @property
    def lines(self) -> list[str]:
        """What can be run or asked line by line."""
        return [line for line in self.text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def samples(*languages: str) -> list[Sample]:
    """Every sample of these languages, in the order of the pages."""
    return [
        Sample(page.name, number, found[1], found[2])
        for page in PAGES
        for number, found in enumerate(_BLOCK.finditer(page.read_text()), 1)
        if found[1] in languages
    ]
