# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No credential of the lab shows in what a play prints at its most talkative, in its evidence, or on a command line.

The canaries are the values that the lab generated. They are searched for as they are, as base64 (whatever stands before
them), and URL-encoded; and the search must first find a leak that was planted.
"""

from __future__ import annotations

import base64
import json
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab_fixture import Lab

SECRETS = {
    "monitoring/alertmanager-receivers": None,
    "monitoring/postgresql-monitoring": ("password",),
    "monitoring/kube-prometheus-stack-grafana-admin": ("admin-password",),
    "data-platform/minio-root": ("password",),
}


def forms(value: str) -> set[str]:
    """How a value may show: plain, JSON-escaped, URL-encoded, and base64 at each of the three alignments."""
    found = {value, json.dumps(value)[1:-1], urllib.parse.quote(value, safe=""), urllib.parse.quote_plus(value)}
    for before in range(3):
        encoded = base64.b64encode(b"x" * before + value.encode() + b"xxx").decode()
        # The characters that neither what stands before nor what stands behind has a part in.
        start = (before * 8 + 5) // 6
        end = (before + len(value.encode())) * 8 // 6
        found.add(encoded[start:end])
    return {form for form in found if len(form) >= 8}


def leaks(text: str, canaries: dict[str, str]) -> list[str]:
    """Names of the canaries that show in a text; never their values."""
    return sorted(name for name, value in canaries.items() if any(form in text for form in forms(value)))


@pytest.mark.parametrize(
    "show",
    [
        lambda value: f"--password={value}",
        lambda value: base64.b64encode(value.encode()).decode(),
        lambda value: base64.b64encode(f"a{value}b".encode()).decode(),
        lambda value: base64.b64encode(f"user:{value}".encode()).decode(),
        lambda value: f"https://u:{urllib.parse.quote(value, safe='')}@host",
    ],
)
def test_a_planted_leak_is_found(show) -> None:
    canaries = {"planted": "p4ss/w+rd=with&all?", "other": "nowhere-to-be-seen"}
    assert leaks(f"text before {show(canaries['planted'])} and after", canaries) == ["planted"]
    assert leaks("nothing of that", canaries) == []


@pytest.fixture(scope="module")
def canaries(lab: Lab) -> dict[str, str]:
    # Day 1 makes some of them; day 2 is seen to write its Secrets, unless it was played before.
    if lab.kubectl("-n", "monitoring", "get", "secret", "kube-prometheus-stack-grafana-admin", check=False).returncode:
        lab.playbook("day1")
    found: dict[str, str] = {}
    for place, keys in SECRETS.items():
        namespace, name = place.split("/")
        data = json.loads(lab.kubectl("-n", namespace, "get", "secret", name, "-o", "json").stdout)["data"]
        for key in keys or data:
            value = base64.b64decode(data[key]).decode()
            # What a reader may know anyway is no canary: of an address, only its path is a secret.
            found[f"{place}/{key}"] = value.rpartition("/")[2] if "://" in value else value
    assert len(found) >= 6 and all(len(value) >= 8 for value in found.values()), sorted(found)
    return found


class CommandLines:
    """Every command line on this machine while it runs, the lab's own containers included."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
                except OSError:
                    continue

    def __enter__(self) -> CommandLines:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.mark.parametrize("play", ["day1", "day2", "day3", "verify"])
def test_no_credential_shows(lab: Lab, canaries: dict[str, str], tmp_path: Path, play: str) -> None:
    with CommandLines() as lines:
        # Whether the verdict is green is not the question here.
        done = lab.playbook(play, "-vvv", "--diff", "-e", f"monitoring_evidence_dir={tmp_path}", check=False)
    assert leaks(done.stdout + done.stderr, canaries) == []
    written = list(_texts(tmp_path))
    assert written and leaks("\n".join(written), canaries) == []
    assert any(f"{play}.yml" in line for line in lines.seen), "the watch saw nothing"
    assert leaks("\n".join(lines.seen), canaries) == []


def test_no_credential_stands_in_an_object_that_is_no_secret(lab: Lab, canaries: dict[str, str]) -> None:
    kinds = "configmaps,deployments,statefulsets,daemonsets,pods,alertmanagers,prometheuses,servicemonitors"
    text = lab.kubectl("get", kinds, "-A", "-o", "json").stdout
    assert leaks(text, canaries) == []


def _texts(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.read_text()
