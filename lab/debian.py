# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Debian software for images: packages with what they depend on, unpacked by mmdebstrap, kept in the cache.

The packages come from the sources this machine itself uses, whatever they are; none is named here.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from .errors import LabError
from .paths import CACHE
from .progress import step
from .run import run

#: Never read in a container: documentation, translations, and PostgreSQL's JIT with the 110 MB compiler behind it.
LEFT_OUT = (
    "./usr/share/doc/", "./usr/share/man/", "./usr/share/locale/", "./usr/share/info/", "./usr/share/lintian/",
    "./usr/lib/postgresql/15/lib/bitcode/", "./usr/lib/postgresql/15/lib/llvmjit", "./dev/",
)  # fmt: skip
LEFT_OUT_LIBRARIES = ("libLLVM", "libz3")

#: What the folders begin with in which mmdebstrap works.
WORK = "debian-"


def codename() -> str:
    """This machine's Debian release, as apt knows it."""
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    raise LabError("/etc/os-release has no VERSION_CODENAME: the lab needs Debian 12 or a system made from it")


def sources(folder: Path = Path("/etc/apt")) -> str:
    """The machine's apt sources as one deb822 text, those of other vendors left out.

    A source counts as Debian's own when one of its suites is this release (`bookworm`, `bookworm-updates`, ...).
    """
    release = codename()
    stanzas = []
    for file in [folder / "sources.list", *sorted(folder.glob("sources.list.d/*.list"))]:
        if file.exists():
            stanzas += [stanza for line in file.read_text().splitlines() if (stanza := _from_one_line(line))]
    for file in sorted(folder.glob("sources.list.d/*.sources")):
        lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
        stanzas += [stanza.strip() for stanza in "\n".join(lines).split("\n\n") if stanza.strip()]
    ours = [stanza for stanza in stanzas if _is_of(stanza, release)]
    if not ours:
        raise LabError(f"{folder}: no source of {release} is configured: add Debian's own to {folder}/sources.list.d")
    return "\n\n".join(ours) + "\n"


def _from_one_line(line: str) -> str | None:
    """`deb [signed-by=x] uri suite component...` as a deb822 stanza; None for anything else."""
    words = line.partition("#")[0].split()
    if not words or words[0] != "deb":
        return None
    options = []
    if words[1].startswith("["):
        end = next(i for i, word in enumerate(words) if word.endswith("]"))
        options = " ".join(words[1 : end + 1]).strip("[]").split()
        words = [words[0], *words[end + 1 :]]
    signed = [f"Signed-By: {o.partition('=')[2]}" for o in options if o.startswith("signed-by=")]
    address, suite, *components = words[1:]
    fields = ["Types: deb", f"URIs: {address}", f"Suites: {suite}", f"Components: {' '.join(components)}"]
    return "\n".join([*fields, *signed])


def _is_of(stanza: str, release: str) -> bool:
    fields = dict(line.split(":", 1) for line in stanza.splitlines() if ":" in line and not line.startswith(" "))
    enabled = fields.get("Enabled", "yes").strip().lower() != "no"
    return (
        enabled
        and "main" in fields.get("Components", "").split()
        and any(suite == release or suite.startswith(f"{release}-") for suite in fields.get("Suites", "").split())
    )


def target(names: Sequence[str]) -> Path:
    """Where the tar of these packages is in the cache, once it is made."""
    key = hashlib.sha256(" ".join([codename(), *names]).encode()).hexdigest()[:12]
    return CACHE / "debian" / f"{names[0]}-{key}.tar"


def unpacked(names: Sequence[str]) -> Path:
    """The cached tar of these packages and what they depend on; made when missing."""
    made = target(names)
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        work = CACHE / "work"
        work.mkdir(exist_ok=True)
        # mmdebstrap unpacks a whole system below TMPDIR, and leaves it there when it is killed.
        for left in work.glob(f"{WORK}*"):
            shutil.rmtree(left)
        with step(f"unpacking Debian's {names[0]}"), TemporaryDirectory(prefix=WORK, dir=work) as folder:
            unfinished = Path(folder, "unfinished.tar")
            run(
                ["mmdebstrap", "--variant=extract", f"--include={','.join(names)}", codename(), unfinished, "-"],
                doing=f"unpacking {', '.join(names)}",
                stdin=sources(),
                env={"TMPDIR": folder},
            )
            unfinished.rename(made)
    return made


def packages(names: Sequence[str]) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """The entries of an image layer with these packages."""
    with tarfile.open(unpacked(names)) as tar:
        for entry in tar:
            if _wanted(entry.name):
                yield entry, tar.extractfile(entry) if entry.isreg() else None


def _wanted(name: str) -> bool:
    return not f"{name}/".startswith(LEFT_OUT) and not Path(name).name.startswith(LEFT_OUT_LIBRARIES)
