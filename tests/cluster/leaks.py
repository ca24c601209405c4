# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for credentials where none may be.

The canaries are the values that the lab generated. They are searched for as they are, as base64 (whatever stands before
them), and URL-encoded.
"""

from __future__ import annotations

import base64
import json
import threading
import urllib.parse
from pathlib import Path

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


def canaries(lab: Lab) -> dict[str, str]:
    """Name -> value of every credential in the lab."""
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


#: Looks at a process after which it is no longer young.
OLD = 20


class CommandLines:
    """Every command line on this machine while it runs, the lab's own containers included."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        # Young ones change into what they are to be; the others are looked at now and then.
        looks: dict[Path, int] = {}
        while not self._stop.wait(0.05):
            looks = {process: looks.get(process, -1) + 1 for process in Path("/proc").glob("[0-9]*")}
            for process, times in looks.items():
                if times > OLD and times % OLD:
                    continue
                try:
                    line = (process / "cmdline").read_bytes()
                except OSError:
                    continue
                self.seen.add(line.replace(b"\0", b" ").decode("utf-8", "replace"))

    def __enter__(self) -> CommandLines:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._stop.set()
        self._thread.join()
