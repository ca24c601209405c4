# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code samples of the manuals, and how each of them is executed.

Commands and tasks run on the lab (tests/cluster/test_manuals.py), line by line; what is data is deployed by pure
functions and checked by promtool (tests/promtool/test_samples.py). tests/docs_samples.yml lists what is an outline,
and what another test plays.
"""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
#: The manuals themselves, whose samples are of few languages.
MANUALS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "lab" / "README.md", *MANUALS, *RUNBOOKS]
FATES: dict[str, Any] = yaml.safe_load((ROOT / "tests" / "docs_samples.yml").read_text())
COMMANDS = ("sh", "console", "")
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Sample:
    """One fenced block of a page, which is named relative to the checkout."""

    page: str
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.number}:{self.language or 'text'}"

    @property
    def lines(self) -> list[str]:
        """What can be run or asked line by line."""
        text = re.sub(r"^# ", "", self.text, flags=re.MULTILINE) if self.language == "console" else self.text
        return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def samples(*languages: str, pages: list[Path] | None = None) -> list[Sample]:
    """Every sample of these languages (of any, if none is named), in the order of the pages."""
    return [
        Sample(page.relative_to(ROOT).as_posix(), number, found[2], textwrap.dedent(found[3]))
        for page in pages or PAGES
        for number, found in enumerate(_BLOCK.finditer(page.read_text()), 1)
        if found[2] in languages or not languages
    ]


def is_outline(sample: Sample) -> bool:
    """Whether it only shows a shape."""
    return str(sample) in FATES["outlines"]


def played(sample: Sample, line: str = "") -> str | None:
    """The test that plays a line of a sample, or the whole of it, if it does not run by itself."""
    for entry in FATES["played"]:
        of_page = entry.get("page") in (None, sample.page)
        if of_page and re.search(entry["sample"], line or sample.text, re.MULTILINE):
            return entry["test"]
    return None


def commands() -> Iterator[tuple[Sample, str]]:
    """Every line of shell that runs on the lab."""
    for sample in samples(*COMMANDS):
        if not is_outline(sample):
            yield from ((sample, line) for line in sample.lines if played(sample, line) is None)


def tasks(sample: Sample) -> bool:
    """Whether a sample of YAML is a list of tasks; otherwise it is variables, or an inventory."""
    return isinstance(yaml.safe_load(sample.text), list)


def variables(sample: Sample) -> dict[str, Any]:
    """What a sample of YAML sets, in an inventory or by itself."""
    document = yaml.safe_load(sample.text)
    hosts = (document.get("all") or {}).get("hosts")
    return next(iter(hosts.values())) if hosts else document
