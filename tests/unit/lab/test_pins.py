# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pins agree with each other: programs.yml, images.yml, and the go.mod files."""

from __future__ import annotations

import re

import pytest

from lab import images, programs
from lab.paths import LAB

MODULES = {module.name: module for module in programs.modules()}
IMAGES = {image.name: image for image in images.images()}


def required(module: str) -> dict[str, str]:
    """Module path -> version, from a go.mod."""
    text = (LAB / "go" / module / "go.mod").read_text()
    return dict(re.findall(r"^\s*(?:require )?(\S+) (v\S+)(?: // indirect)?$", text, re.MULTILINE))


def version_of(program: str) -> str:
    """The pinned version of the module a program is built from."""
    for module in MODULES.values():
        for candidate in module.programs:
            if candidate.name == program:
                pins = required(module.name)
                owner = max((path for path in pins if f"{candidate.package}/".startswith(f"{path}/")), key=len)
                return pins[owner]
    raise AssertionError(f"{program} is built from nothing")


@pytest.mark.parametrize("module", MODULES)
def test_every_program_is_a_tool_of_its_go_mod(module: str) -> None:
    text = (LAB / "go" / module / "go.mod").read_text()
    tools = set(re.findall(r"^\s*(?:tool )?([a-z0-9.]+\.[a-z]+/\S+)$", text, re.MULTILINE))
    assert {program.package for program in MODULES[module].programs} == tools


@pytest.mark.parametrize("module", MODULES)
def test_every_go_mod_has_its_sums(module: str) -> None:
    assert (LAB / "go" / module / "go.sum").stat().st_size > 0


def test_every_go_mod_is_built() -> None:
    assert {folder.name for folder in (LAB / "go").iterdir()} == set(MODULES)


@pytest.mark.parametrize("name", [name for name, image in IMAGES.items() if image.programs])
def test_a_tag_is_the_version_that_is_built(name: str) -> None:
    tag = name.rpartition(":")[2].removeprefix("v")
    for program in IMAGES[name].programs:
        version = version_of(program).removeprefix("v")
        # etcd's images carry a revision; Prometheus 3.14.0 is the module's 0.314.0; MinIO is pinned by commit time.
        minor = re.fullmatch(r"0\.(\d)(\d\d)\.(\d+)", version)
        spelt = {version, f"{version}-0"} | ({f"{minor[1]}.{int(minor[2])}.{minor[3]}"} if minor else set())
        if time := re.search(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)-", version):
            spelt.add("DEVELOPMENT.{}-{}-{}T{}-{}-{}Z".format(*time.groups()))
        assert tag in spelt, program


def test_programs_tell_the_version_they_are_built_from() -> None:
    for module in MODULES.values():
        for program in module.programs:
            told = {value.removeprefix("v") for name, value in program.link.items() if name.lower().endswith("version")}
            version = version_of(program.name).removeprefix("v")
            if program.name in ("prometheus", "promtool"):
                version = "3.14.0"
            if program.name == "minio":
                version = "2026-02-12T20:18:48Z"
            assert told <= {version}, program.name


def test_images_are_made_of_programs_that_are_built() -> None:
    built = {program.name for module in MODULES.values() for program in module.programs}
    assert {program for image in IMAGES.values() for program in image.programs} <= built


def test_image_names_are_complete() -> None:
    for name in IMAGES:
        registry, _, rest = name.partition("/")
        assert "." in registry and ":" in rest, f"{name}: containerd stores registry/name:tag"


def test_one_changed_pin_changes_the_key_of_its_module_only() -> None:
    text = (LAB / "programs.yml").read_text()
    before = {module.name: module.key() for module in programs.read(text)}
    after = {module.name: module.key() for module in programs.read(text.replace("Version: 3.6.4", "Version: 3.6.5"))}
    assert {name for name in before if before[name] != after[name]} == {"loki"}
