# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The execution environment: its build context is created, and its collections resolve from a Galaxy on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import programs
from tests.awx import definitions

DEFINITION = definitions.AWX / "execution-environment.yml"
REQUIREMENTS = definitions.PROJECT / "collections" / "requirements.yml"
INSTALLED = Path(sys.prefix) / "collections" / "ansible_collections"


def _run(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=definitions.ROOT, env={**os.environ, **environment},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build context."""
    folder = tmp_path_factory.mktemp("ee")
    _run(
        "ansible-builder",
        "create",
        "--file",
        str(DEFINITION),
        "--context",
        str(folder),
        "--output-filename",
        "Containerfile",
    )
    return folder


def test_the_build_context_holds_what_the_definition_asks_for(context: Path) -> None:
    asked = definitions.load(DEFINITION)
    text = (context / "Containerfile").read_text()
    assert asked["version"] == 3
    assert f'ARG EE_BASE_IMAGE="{asked["images"]["base_image"]["name"]}"' in text
    assert (context / "_build" / "requirements.yml").read_text().strip() == REQUIREMENTS.read_text().strip()
    assert (context / "_build" / "requirements.txt").read_text().split("\n") == asked["dependencies"]["python"]
    for program in ("helm", "promtool", "amtool"):
        assert re.search(rf"^COPY --from=\S+:\S+ \S+ /usr/local/bin/{program}$", text, re.MULTILINE)


def test_images_are_named_by_a_tag(context: Path) -> None:
    """And none is called latest: a rebuild gives the same programs."""
    text = (context / "Containerfile").read_text()
    images = [definitions.load(DEFINITION)["images"]["base_image"]["name"]]
    images += [name for name in re.findall(r"--from=(\S+)", text) if "/" in name]
    assert len(images) == 4
    assert [name for name in images if not re.search(r":[\w.-]+$", name) or name.endswith(":latest")] == []


def test_programs_are_those_of_the_lab() -> None:
    """Built from Go modules there, which tell their version by the variables set at link time."""
    steps = " ".join(definitions.load(DEFINITION)["additional_build_steps"]["append_final"])
    copied = re.findall(r"--from=\S+:v?([\d.]+) \S+ /usr/local/bin/(\w+)", steps)
    assert {name for _version, name in copied} == {"helm", "promtool", "amtool"}
    lab = {program.name: program for module in programs.modules() for program in module.programs}
    for version, name in copied:
        told = [value for variable, value in lab[name].link.items() if variable.lower().endswith("version.version")]
        assert told[0].removeprefix("v") == version, name


class Galaxy(BaseHTTPRequestHandler):
    """As much of Galaxy's API, version 3, as a resolver asks for."""

    archives: dict[str, tuple[Path, dict[str, Any]]]

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        body = self._document(self.path.partition("?")[0].strip("/"))
        self.send_response(200 if body is not None else 404)
        self.end_headers()
        self.wfile.write(body or b"{}")

    def _document(self, path: str) -> bytes | None:
        if path == "api":
            return json.dumps({"available_versions": {"v3": "v3/"}}).encode()
        if path.startswith("files/"):
            return next(archive.read_bytes() for archive, _info in self.archives.values() if archive.name == path[6:])
        place = re.fullmatch(r"api/v3/(?:.*index|collections)/(\w+)/(\w+)(?:/versions(?:/([\w.]+))?)?", path)
        if not place or f"{place[1]}.{place[2]}" not in self.archives:
            return None
        archive, info = self.archives[f"{place[1]}.{place[2]}"]
        address = f"http://{self.headers['Host']}"
        version = {
            "version": info["version"],
            "href": f"{address}/{path}/{info['version']}/",
            "namespace": {"name": place[1]},
            "collection": {"name": place[2]},
            "name": place[2],
            "download_url": f"{address}/files/{archive.name}",
            "artifact": {"sha256": hashlib.sha256(archive.read_bytes()).hexdigest(), "filename": archive.name},
            "metadata": {"dependencies": info["dependencies"]},
            "signatures": [],
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
            "requires_ansible": ">=2.19.0",
        }
        if place[3]:
            return json.dumps(version).encode()
        if path.endswith("/versions"):
            return json.dumps({"meta": {"count": 1}, "links": {"next": None}, "data": [version]}).encode()
        return json.dumps({"name": place[2], "highest_version": version, **version}).encode()


@pytest.fixture(scope="module")
def galaxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Galaxy that has this collection and the kubernetes.core that the environment has."""
    folder = tmp_path_factory.mktemp("galaxy")
    _run("ansible-galaxy", "collection", "build", "--output-path", str(folder))
    (ours,) = folder.glob("dataplatform-monitoring-*.tar.gz")
    theirs = folder / "kubernetes-core.tar.gz"
    with tarfile.open(theirs, "w:gz") as archive:
        archive.add(INSTALLED / "kubernetes" / "core", arcname=".")
    info = yaml.safe_load((definitions.ROOT / "galaxy.yml").read_text())
    manifest = json.loads((INSTALLED / "kubernetes" / "core" / "MANIFEST.json").read_text())["collection_info"]
    archives = {"dataplatform.monitoring": (ours, info), "kubernetes.core": (theirs, manifest)}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Ours", (Galaxy,), {"archives": archives}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_the_collections_resolve(context: Path, galaxy: str, tmp_path: Path) -> None:
    """What AWX and the image's build ask Galaxy for exists, in versions that go together."""
    requirements = str(context / "_build" / "requirements.yml")
    _run(
        "ansible-galaxy", "collection", "download", "-r", requirements, "-p", str(tmp_path), "-s", galaxy, "--no-cache",
        HOME=str(tmp_path),
    )  # fmt: skip
    got = yaml.safe_load((tmp_path / "requirements.yml").read_text())["collections"]
    names = sorted(item["name"] for item in got)
    version = yaml.safe_load((definitions.ROOT / "galaxy.yml").read_text())["version"]
    assert names == [f"dataplatform-monitoring-{version}.tar.gz", "kubernetes-core.tar.gz"]
