# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Container images out of the programs we built and out of Debian packages, written as docker-archives.

An image here is a few files in a tar with a JSON document beside it, and is read by one program, `ctr images import`.
So it is written directly: byte for byte the same from the same content, without a builder's store, mounts or daemon.
Format: https://github.com/moby/docker-image-spec (`docker save`).
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import yaml

from . import debian
from .paths import LAB

#: uname's word for the machine -> the one of images and of Debian.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

#: From the Debian package busybox-static.
BUSYBOX = (Path("/bin/busybox"), Path("/usr/bin/busybox"))


@dataclass(frozen=True)
class Image:
    """One entry of images.yml; the keys are explained there."""

    name: str
    programs: Mapping[str, str] = field(default_factory=dict)
    debian: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    shell: bool = False
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, int] = field(default_factory=dict)
    folders: Mapping[str, int] = field(default_factory=dict)
    user: str = "0"
    workdir: str = "/"

    def key(self, programs: Path) -> str:
        """A hash of what decides the content. `programs` is the folder of links that programs.gather() made."""
        digest = hashlib.sha256(repr(self).encode())
        for name in self.programs:
            # The link's target is named after the pins.
            digest.update(str((programs / "bin" / name).readlink()).encode())
        for source in self.files:
            digest.update((LAB / source).read_bytes())
        return digest.hexdigest()[:16]


def read(text: str) -> list[Image]:
    """Images out of the text of images.yml."""
    lists = ("debian", "entrypoint", "command")
    return [
        Image(**{key: tuple(value) if key in lists else value for key, value in entry.items()})
        for entry in yaml.safe_load(text)["images"]
    ]


def images() -> list[Image]:
    """The images of this checkout."""
    return read((LAB / "images.yml").read_text())


def architecture() -> str:
    """This machine's, in the words of images."""
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def config(image: Image, layer_digests: list[str]) -> dict[str, Any]:
    """The JSON document beside the layers."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", **image.environment}
    return {
        "architecture": architecture(),
        "os": "linux",
        "config": {
            "Entrypoint": list(image.entrypoint) or None,
            "Cmd": list(image.command) or None,
            "Env": [f"{name}={value}" for name, value in environment.items()],
            "User": image.user,
            "WorkingDir": image.workdir,
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in layer_digests]},
    }


def write(image: Image, programs: Path, target: IO[bytes]) -> None:
    """Write the docker-archive of one image."""
    with ExitStack() as stack, tarfile.open(fileobj=target, mode="w|") as archive:
        digests: list[str] = []
        for fill in _layers(image, programs):
            layer = stack.enter_context(TemporaryFile())
            with tarfile.open(fileobj=layer, mode="w") as tar:
                for entry, content in fill:
                    tar.addfile(entry, content)
            layer.seek(0)
            digests.append(hashlib.file_digest(layer, "sha256").hexdigest())
            entry = tarfile.TarInfo(f"{digests[-1]}.tar")
            entry.size = layer.tell()
            layer.seek(0)
            archive.addfile(entry, layer)
        document = json.dumps(config(image, digests), sort_keys=True).encode()
        config_name = f"{hashlib.sha256(document).hexdigest()}.json"
        manifest = [{"Config": config_name, "RepoTags": [image.name], "Layers": [f"{d}.tar" for d in digests]}]
        for name, content in ((config_name, document), ("manifest.json", json.dumps(manifest).encode())):
            archive.addfile(*_file(name, content, 0o644))


Entry = tuple[tarfile.TarInfo, IO[bytes] | None]


def _layers(image: Image, programs: Path) -> Iterator[Iterator[Entry]]:
    if image.debian:
        yield debian.packages(image.debian)
    yield _base(image)
    if image.shell:
        yield _busybox(with_program="busybox" not in image.debian)
    yield _own(image, programs)


def _base(image: Image) -> Iterator[Entry]:
    """What any program may look for: users, certificates, a place for temporary files."""
    users = {"root": 0, **image.users, "nobody": 65534}
    yield _folder("etc", 0)
    yield _file("etc/passwd", "".join(f"{n}:x:{i}:{i}:{n}:/:/bin/sh\n" for n, i in users.items()).encode(), 0o644)
    yield _file("etc/group", "".join(f"{n}:x:{i}:\n" for n, i in users.items()).encode(), 0o644)
    yield _folder("tmp", 0, 0o1777)
    if CERTIFICATES.exists():
        yield _file("etc/ssl/certs/ca-certificates.crt", CERTIFICATES.read_bytes(), 0o644)


def _busybox(with_program: bool) -> Iterator[Entry]:
    program = next(path for path in BUSYBOX if path.exists())
    if with_program:
        yield _file("bin/busybox", program.read_bytes(), 0o755)
    applets = subprocess.run([str(program), "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in applets:
        if applet != "busybox":
            yield _link(f"bin/{applet}", "busybox")


def _own(image: Image, programs: Path) -> Iterator[Entry]:
    for path, owner in image.folders.items():
        yield _folder(path.lstrip("/"), owner)
    for name, path in image.programs.items():
        yield _file(path.lstrip("/"), (programs / "bin" / name).read_bytes(), 0o755)
    for source, path in image.files.items():
        yield _file(path.lstrip("/"), (LAB / source).read_bytes(), 0o755)


def _file(name: str, content: bytes, mode: int) -> Entry:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    return entry, io.BytesIO(content)


def _folder(name: str, owner: int, mode: int = 0o755) -> Entry:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, mode, owner, owner
    return entry, None


def _link(name: str, target: str) -> Entry:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
    return entry, None
