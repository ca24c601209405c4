# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The oracle: Alertmanager's own packages behind a pipe, built from the pins in C(oracle/go.mod)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from lab import golang, programs

SOURCE = Path(__file__).parent / "oracle"


class Oracle:
    """Asks one question a line. Counts what came back, so that a run can say what it covered."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def ask(self, questions: list[dict]) -> list[dict]:
        """Answers in the same order. Questions are written one by one, as neither pipe may fill up."""
        answers = []
        for question in questions:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            answers.append(json.loads(self._process.stdout.readline()))
        return answers

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(10)


@pytest.fixture(scope="session")
def oracle() -> Oracle:
    go = golang.find()
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "dataplatform-monitoring"
    cache.mkdir(parents=True, exist_ok=True)
    program = cache / "routing-oracle"
    subprocess.run(
        # With the flags of the lab's programs, whose packages are in Go's cache already.
        [go, "build", *programs.COMPILER_FLAGS, "-o", program, "."],
        cwd=SOURCE,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"},
        check=True,
    )
    asked = Oracle(program)
    yield asked
    asked.close()
