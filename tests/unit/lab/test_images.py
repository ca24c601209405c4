# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images are written as `ctr images import` reads them, and always the same."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from lab import images
from lab.images import Image


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder as programs.gather() makes it, with one program."""
    (tmp_path / "tool-1234").write_bytes(b"\x7fELF tool")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tool").symlink_to("../tool-1234")
    return tmp_path


def archive(image: Image, programs: Path) -> dict[str, bytes]:
    target = io.BytesIO()
    images.write(image, programs, target)
    target.seek(0)
    with tarfile.open(fileobj=target) as tar:
        return {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]


def layer_entries(content: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {entry.name: entry for entry in tar}


TOOL = Image(
    "quay.io/example/tool:1", programs={"tool": "/usr/bin/tool"}, entrypoint=("/usr/bin/tool",), command=("--help",),
    environment={"HOME": "/data"}, users={"tool": 1000}, folders={"/data": 1000}, user="1000", workdir="/data",
)  # fmt: skip


def test_manifest_names_every_part(programs: Path) -> None:
    files = archive(TOOL, programs)
    (manifest,) = json.loads(files["manifest.json"])
    assert manifest["RepoTags"] == ["quay.io/example/tool:1"]
    assert {manifest["Config"], "manifest.json", *manifest["Layers"]} == set(files)
    for layer in manifest["Layers"]:
        assert f"{hashlib.sha256(files[layer]).hexdigest()}.tar" == layer


def test_config_says_how_it_starts(programs: Path) -> None:
    files = archive(TOOL, programs)
    document = json.loads(files[json.loads(files["manifest.json"])[0]["Config"]])
    assert document["config"]["Entrypoint"] == ["/usr/bin/tool"]
    assert document["config"]["Cmd"] == ["--help"]
    assert document["config"]["User"] == "1000"
    assert "HOME=/data" in document["config"]["Env"]
    assert any(variable.startswith("PATH=") and "/bin" in variable for variable in document["config"]["Env"])


def test_layers_hold_program_users_and_folders(programs: Path) -> None:
    files = archive(TOOL, programs)
    layers = [files[name] for name in json.loads(files["manifest.json"])[0]["Layers"]]
    entries = {name: entry for layer in layers for name, entry in layer_entries(layer).items()}
    assert entries["usr/bin/tool"].mode == 0o755
    assert entries["data"].uid == 1000 and entries["data"].isdir()
    assert entries["tmp"].mode == 0o1777
    with tarfile.open(fileobj=io.BytesIO(layers[0])) as tar:
        passwd = tar.extractfile("etc/passwd").read().decode()  # type: ignore[union-attr]
    assert [line.split(":")[0] for line in passwd.splitlines()] == ["root", "tool", "nobody"]


def test_the_same_content_makes_the_same_image(programs: Path) -> None:
    assert archive(TOOL, programs) == archive(TOOL, programs)


def test_key_follows_the_pins_and_the_recipe(programs: Path) -> None:
    before = TOOL.key(programs)
    assert Image(**{**TOOL.__dict__, "user": "0"}).key(programs) != before
    (programs / "bin" / "tool").unlink()
    (programs / "bin" / "tool").symlink_to("../tool-5678")
    assert TOOL.key(programs) != before


def test_an_image_without_command_has_none(programs: Path) -> None:
    document = images.config(Image("quay.io/example/tool:1"), [])
    assert document["config"]["Entrypoint"] is None and document["config"]["Cmd"] is None
