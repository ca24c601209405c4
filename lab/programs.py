# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Building the programs that programs.yml names, from the modules that go/*/go.mod pin, into the cache.

A module's programs are kept under a name that holds a hash of its pins: what did not change is never built again. What
an interrupted build had compiled is in Go's own build cache, so the next one goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, cast

import yaml

from . import golang
from .errors import BUILD_ON, LabError
from .paths import CACHE, LAB
from .progress import Step, step
from .run import environment, last_words, run

#: No tables for debuggers: the linker drops them anyway, and making them is a twelfth of a cold build's processor time.
#: Stack traces stay whole.
COMPILER_FLAGS = ("-trimpath", "-gcflags=all=-dwarf=false")
#: Two links at a time: linking the API server alone takes 1.5 GB.
LINKS_AT_ONCE = 2


@dataclass(frozen=True)
class Program:
    """One executable: the package it is made from, and the variables set at link time."""

    name: str
    package: str
    link: Mapping[str, str] = field(default_factory=dict)

    def linker_flags(self) -> str:
        """For `go build -ldflags`; -s -w leave out what only a debugger reads (a third of the size)."""
        return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in self.link.items())])


@dataclass(frozen=True)
class Module:
    """One go.mod and what is built from it."""

    name: str
    programs: tuple[Program, ...]
    tags: tuple[str, ...] = ()
    share: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    patched: Mapping[str, Any] | None = None

    @property
    def source(self) -> Path:
        """Its folder in the checkout."""
        return LAB / "go" / self.name

    def key(self) -> str:
        """A hash of everything that decides what comes out."""
        digest = hashlib.sha256(json.dumps([self.tags, dict(self.share)], sort_keys=True).encode())
        for program in self.programs:
            digest.update(f"{program.name} {program.package} {program.linker_flags()}\n".encode())
        for file in sorted(self.source.iterdir()):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
        return digest.hexdigest()[:12]

    @property
    def target(self) -> Path:
        """Where its programs are, once built."""
        return CACHE / "programs" / f"{self.name}-{self.key()}"


def read(text: str) -> list[Module]:
    """Modules out of the text of programs.yml."""
    modules = []
    for name, entry in yaml.safe_load(text)["modules"].items():
        programs = tuple(Program(key, p["package"], p.get("link", {})) for key, p in entry["programs"].items())
        tags = tuple(entry.get("tags", ()))
        modules.append(Module(name, programs, tags, entry.get("share", {}), entry.get("patched")))
    return modules


def modules() -> list[Module]:
    """The modules of this checkout."""
    return read((LAB / "programs.yml").read_text())


def built(module: Module) -> bool:
    """Whether all of it is in the cache. A target folder is renamed into place when complete."""
    return module.target.is_dir()


def build_all() -> Path:
    """Build what is missing; return a folder with every program."""
    for module in modules():
        if not built(module):
            build(module)
    return gather()


def build_only(*names: str) -> Path:
    """A folder with these programs, which one module has: all of its programs if they are built already, else these."""
    (module,) = [module for module in modules() if set(names) <= {program.name for program in module.programs}]
    if not built(module):
        module = replace(module, programs=tuple(p for p in module.programs if p.name in names), share={})
    if not built(module):
        build(module)
    return module.target / "bin"


def build(module: Module) -> None:
    """Compile and link one module's programs into its target folder."""
    go = golang.find()
    work = _work_folder(module, go)
    unfinished = module.target.with_name(module.target.name + ".unfinished")
    (unfinished / "bin").mkdir(parents=True, exist_ok=True)
    flags = [*COMPILER_FLAGS, *(["-tags", ",".join(module.tags)] if module.tags else [])]
    with step(f"compiling {module.name}") as progress:
        _compile(module, go, work, flags, progress)
    with step(f"linking {module.name}") as progress:
        missing = [program for program in module.programs if not (unfinished / "bin" / program.name).exists()]
        done = len(module.programs) - len(missing)
        with ThreadPoolExecutor(LINKS_AT_ONCE) as pool:
            links = [pool.submit(_link, program, go, work, flags, unfinished / "bin") for program in missing]
            for link in as_completed(links):
                link.result()
                done += 1
                progress.update(done, len(module.programs), "programs")
        progress.result(f"{done} programs")
    for name, carried in module.share.items():
        _share(carried["module"], carried["folder"], go, work, unfinished / "share" / name)
    shutil.rmtree(work)
    unfinished.rename(module.target)


def gather() -> Path:
    """One folder of links to every module's programs (bin/) and shared files (share/), named by the sum of the pins."""
    parts = modules()
    key = hashlib.sha256("".join(module.key() for module in parts).encode()).hexdigest()[:12]
    target = CACHE / "programs" / f"all-{key}"
    if target.is_dir():
        return target
    unfinished = target.with_name(target.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    for kind in ("bin", "share"):
        (unfinished / kind).mkdir(parents=True)
        for module in parts:
            folder = module.target / kind
            for file in sorted(folder.iterdir()) if folder.is_dir() else []:
                (unfinished / kind / file.name).symlink_to(Path("../..") / module.target.name / kind / file.name)
    unfinished.rename(target)
    return target


def _go_environment() -> dict[str, str]:
    # Static programs run in images that hold nothing else. The machine's own GOFLAGS could change what comes out.
    return environment({"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off", "GOTOOLCHAIN": "local"})


def _work_folder(module: Module, go: Path) -> Path:
    """A copy of the module's files, so that nothing is ever written into the checkout."""
    work = CACHE / "work" / module.name
    if work.exists():
        shutil.rmtree(work)
    work.mkdir(parents=True)
    for name in ("go.mod", "go.sum"):
        shutil.copy(module.source / name, work)
    if module.patched:
        name = module.patched["module"]
        found = json.loads(_go(go, work, "mod", "download", "-json", f"{name}@{_selected_version(go, work, name)}"))
        copy = work / "patched"
        # The module cache is read-only, so its modes are not copied.
        shutil.copytree(found["Dir"], copy, copy_function=shutil.copyfile)
        for folder in [copy, *(path for path in copy.rglob("*") if path.is_dir())]:
            folder.chmod(0o755)
        for place, ours in module.patched["files"].items():
            (copy / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(module.source / ours, copy / place)
        _go(go, work, "mod", "edit", f"-replace={name}=./patched")
    return work


def _selected_version(go: Path, work: Path, module: str) -> str:
    return json.loads(_go(go, work, "list", "-m", "-json", module))["Version"]


def _go(go: Path, work: Path, *arguments: str) -> str:
    return run(
        [go, *arguments], doing=f"go {arguments[0]} for the lab", env=_go_environment(), cwd=work, timeout=1800,
        remedy=BUILD_ON,
    )  # fmt: skip


def _compile(module: Module, go: Path, work: Path, flags: list[str], progress: Step) -> None:
    """Compile every package into Go's build cache, without linking: `go list -export` does just that."""
    progress.note("downloading modules")
    packages = [program.package for program in module.programs]
    total = len(_go(go, work, "list", "-deps", *flags, *packages).splitlines())
    command = [str(go), "list", "-export", "-deps", "-v", *flags, "-f", "{{/* nothing */}}", *packages]
    done, errors = 0, []
    with subprocess.Popen(
        command, cwd=work, env=_go_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as compiler:
        for line in cast(IO[str], compiler.stderr):
            if line.startswith("go: downloading"):
                continue
            if " " in line.strip() or line.startswith("#"):
                errors.append(line)
                continue
            done += 1
            progress.update(done, total, "packages")
    if compiler.returncode:
        raise LabError(f"compiling lab/go/{module.name}: {last_words(''.join(errors))}: {BUILD_ON}")
    progress.result(f"{done} packages" + (f", {total - done} were in Go's cache" if done < total else ""))


def _link(program: Program, go: Path, work: Path, flags: list[str], folder: Path) -> None:
    unfinished = folder / f".{program.name}"
    _go(go, work, "build", *flags, "-ldflags", program.linker_flags(), "-o", str(unfinished), program.package)
    unfinished.rename(folder / program.name)


def _share(module: str, folder: str, go: Path, work: Path, target: Path) -> None:
    """Copy a folder that a module carries; modules are read-only, the copy is not."""
    _go(go, work, "mod", "download", module)
    carried = Path(json.loads(_go(go, work, "list", "-m", "-json", module))["Dir"]) / folder
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted(carried.iterdir()):
        if file.is_file():
            shutil.copyfile(file, target / file.name)
