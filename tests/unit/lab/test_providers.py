# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which provider a command goes to, and that each answers all of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from lab import __main__ as command
from lab import kind, native, node, ownership, programs
from lab.errors import LabError
from lab.images import images
from lab.paths import KUBECONFIG, LAB


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A machine without any lab, and without Docker."""
    monkeypatch.setattr(kind, "COMPLETE", tmp_path / "kind")
    # A lab that another test starts just now is not this one.
    monkeypatch.setattr(ownership, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(ownership, "owner", lambda: None)
    monkeypatch.setattr(kind, "has_docker", lambda: False)
    return monkeypatch


def test_every_provider_answers_every_command() -> None:
    for name, module in command.PROVIDERS.items():
        assert [word for word in command.COMMANDS if not callable(getattr(module, word, None))] == [], name


def test_without_docker_the_lab_is_native(bare: pytest.MonkeyPatch) -> None:
    assert command.provider({}) == "native"


def test_with_docker_it_is_kind(bare: pytest.MonkeyPatch) -> None:
    bare.setattr(kind, "has_docker", lambda: True)
    assert command.provider({}) == "kind"


def test_a_lab_that_is_set_up_stays_what_it_is(bare: pytest.MonkeyPatch) -> None:
    bare.setattr(kind, "has_docker", lambda: True)
    bare.setattr(ownership, "owner", lambda: {"checkout": "/elsewhere", "pins": "x"})
    assert command.provider({}) == "native"
    kind.COMPLETE.touch()
    assert command.provider({}) == "kind"


@pytest.mark.parametrize("supervisor", ["is dead", "refused connection", "no such file"])
def test_a_lab_whose_node_crashed_says_how_to_go_on(bare: pytest.MonkeyPatch, supervisor: str) -> None:
    def no_answer(*_words: str) -> str:
        raise LabError(f"supervisorctl status: {supervisor}")

    bare.setattr(native.preflight, "check_root", lambda _what: None)
    bare.setattr(ownership, "owner", lambda: {"checkout": "/here", "pins": "x"})
    bare.setattr(node, "pid", lambda: None if supervisor == "is dead" else 1)
    bare.setattr(node, "supervisor", no_answer)
    with pytest.raises(LabError, match=r"the lab's node is not running .*: `make lab` starts it anew$"):
        native.status()


def test_a_cluster_of_ones_own_comes_before_both(bare: pytest.MonkeyPatch) -> None:
    assert command.provider({"KUBECONFIG": "/home/me/.kube/config"}) == "existing"
    assert command.provider({"KUBECONFIG": str(KUBECONFIG)}) == "native"


def test_the_user_has_the_last_word(bare: pytest.MonkeyPatch) -> None:
    assert command.provider({"LAB_PROVIDER": "kind", "KUBECONFIG": "/home/me/.kube/config"}) == "kind"
    with pytest.raises(
        LabError, match="LAB_PROVIDER=minikube: there is no such provider: set it to existing, kind, native"
    ):
        command.provider({"LAB_PROVIDER": "minikube"})


def test_kind_without_docker_says_what_to_do(bare: pytest.MonkeyPatch) -> None:
    bare.setattr(kind.preflight, "check_root", lambda _command: None)
    with pytest.raises(LabError, match="needs Docker: start it .*, or set LAB_PROVIDER=native"):
        kind.build()


def test_kind_replaces_no_native_lab(bare: pytest.MonkeyPatch) -> None:
    bare.setattr(kind.preflight, "check_root", lambda _command: None)
    bare.setattr(kind, "has_docker", lambda: True)
    bare.setattr(ownership, "owner", lambda: {"checkout": "/elsewhere", "pins": "x"})
    with pytest.raises(LabError, match="remove it with LAB_PROVIDER=native make lab-down"):
        kind.build()


def test_a_docker_that_does_not_answer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], **_options: object) -> None:
        raise subprocess.TimeoutExpired(command, 30)

    monkeypatch.setattr(kind.shutil, "which", lambda _name: "/usr/bin/docker")
    monkeypatch.setattr(kind.subprocess, "run", hang)
    assert not kind.has_docker()


def test_kind_builds_no_more_than_it_calls(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where kubectl and helm are not installed: those two, not the whole of the native lab."""
    made = []
    bare.setattr(programs, "CACHE", tmp_path)
    bare.setattr(programs, "build", made.append)
    folder = programs.build_only(*kind.PROGRAMS)
    (module,) = made
    assert {program.name for program in module.programs} == {"kubectl", "helm"}
    assert not module.share
    assert folder == module.target / "bin"


def test_what_the_native_lab_has_built_is_not_built_again(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare.setattr(programs, "CACHE", tmp_path)
    bare.setattr(programs, "build", lambda _module: pytest.fail("built"))
    (main,) = [module for module in programs.modules() if module.name == "main"]
    main.target.mkdir(parents=True)
    assert programs.build_only(*kind.PROGRAMS) == main.target / "bin"


@pytest.mark.parametrize(
    ("output", "expected"), [("", set()), ("No kind clusters found.\n", set()), ("one\ntwo\n", {"one", "two"})]
)
def test_the_clusters_that_kind_prints(output: str, expected: set[str]) -> None:
    assert kind.clusters(output) == expected


def test_its_image_has_the_packages_of_the_native_one() -> None:
    (native,) = (image for image in images() if image.name == kind.STAND_IN)
    built = (LAB / "kind" / "Dockerfile").read_text()
    assert [package for package in native.debian if f" {package}" not in built] == []


def test_the_overlay_replaces_what_only_the_native_lab_builds() -> None:
    overlay = yaml.safe_load((LAB / "kind" / "platform" / "kustomization.yaml").read_text())
    replaced = {item["name"] for item in overlay["images"]}
    assert {image.name.partition(":")[0] for image in images() if ":DEVELOPMENT." in image.name} == replaced
