# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's smaller pure parts: providers, apt sources, templates, progress, processes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from configparser import RawConfigParser
from pathlib import Path

import pytest
import yaml

from lab import __main__ as command
from lab import cluster, debian, golang, images, node, processes, programs, progress, sample
from lab.cluster import storage
from lab.errors import LabError
from lab.node import configuration
from lab.paths import KUBECONFIG
from lab.run import MARK, last_words, run


class TestProvider:
    def test_native_by_default_and_for_the_labs_own_kubeconfig(self) -> None:
        assert command.provider({}) == "native"
        assert command.provider({"KUBECONFIG": str(KUBECONFIG)}) == "native"
        assert command.provider({"KUBECONFIG": ""}) == "native"

    def test_existing_where_kubeconfig_names_another_cluster(self) -> None:
        assert command.provider({"KUBECONFIG": "/root/.kube/config"}) == "existing"

    def test_chosen_by_name(self) -> None:
        assert command.provider({"KUBECONFIG": "/root/.kube/config", "LAB_PROVIDER": "native"}) == "native"
        with pytest.raises(LabError, match="LAB_PROVIDER=docker: .* set it to existing, kind, native"):
            command.provider({"LAB_PROVIDER": "docker"})

    def test_every_provider_has_every_command(self) -> None:
        for module in command.PROVIDERS.values():
            assert all(callable(getattr(module, name)) for name in command.COMMANDS)

    def test_an_unknown_command_is_a_usage_error(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert command.main(["start"]) == 2
        assert "usage: python -m lab up|down|status|logs|build" in capsys.readouterr().err


class TestAptSources:
    @pytest.fixture(autouse=True)
    def release(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(debian, "codename", lambda: "bookworm")

    def write(self, folder: Path, name: str, text: str) -> None:
        (folder / "sources.list.d").mkdir(exist_ok=True)
        (folder / name).write_text(text)

    def test_both_formats_become_one(self, tmp_path: Path) -> None:
        line = "deb [arch=amd64 signed-by=/k.gpg] http://m.example/debian bookworm main contrib\n"
        self.write(tmp_path, "sources.list", line)
        stanza = "# x\nTypes: deb\nURIs: http://s.example\nSuites: bookworm-security\nComponents: main\n"
        self.write(tmp_path, "sources.list.d/b.sources", stanza)
        assert debian.sources(tmp_path) == (
            "Types: deb\nURIs: http://m.example/debian\nSuites: bookworm\nComponents: main contrib\n"
            "Signed-By: /k.gpg\n\n"
            "Types: deb\nURIs: http://s.example\nSuites: bookworm-security\nComponents: main\n"
        )

    def test_other_vendors_and_switched_off_sources_are_left_out(self, tmp_path: Path) -> None:
        lines = "# deb http://m.example bookworm main\ndeb-src http://m.example bookworm main\n"
        self.write(tmp_path, "sources.list", lines)
        self.write(tmp_path, "sources.list.d/vendor.list", "deb https://vendor.example/apt stable main\n")
        off = "Types: deb\nEnabled: no\nURIs: http://s.example\nSuites: bookworm\nComponents: main\n"
        self.write(tmp_path, "sources.list.d/off.sources", off)
        with pytest.raises(LabError, match="no source of bookworm is configured"):
            debian.sources(tmp_path)


class TestUnpacking:
    def test_nothing_is_left_of_a_run_that_was_killed(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(debian, "CACHE", tmp_path)
        monkeypatch.setattr(debian, "codename", lambda: "bookworm")
        monkeypatch.setattr(debian, "sources", lambda: "")
        left = tmp_path / "work" / "debian-killed" / "mmdebstrap.x" / "usr"
        left.mkdir(parents=True)
        (tmp_path / "work" / "kubernetes").mkdir()

        def mmdebstrap(command: list[str | Path], *, env: dict[str, str], **_rest: object) -> None:
            # TMPDIR is all that mmdebstrap knows of where it may leave something.
            assert Path(env["TMPDIR"]).parent == tmp_path / "work" and not left.exists()
            Path(command[-2]).write_text("tar")

        monkeypatch.setattr(debian, "run", mmdebstrap)
        assert debian.unpacked(["postgresql"]).read_text() == "tar"
        assert debian.unpacked(["postgresql"]) == debian.target(["postgresql"])
        assert [path.name for path in (tmp_path / "work").iterdir()] == ["kubernetes"], "a build's own is kept"


class TestConfiguration:
    KNOWN = {
        "state": "/s", "logs": "/l", "name": "lab", "address": "10.0.0.1", "pod_network": "10.1.0.0/16",
        "node_pod_network": "10.1.0.0/24", "service_network": "10.2.0.0/16", "kubernetes": "v1.36.3", "pause": "p:1",
        "coredns_tag": "v1", "cni_programs": "/c",
    }  # fmt: skip

    def filled(self, name: str) -> str:
        return configuration.fill((configuration.TEMPLATES / name).read_text(), self.KNOWN)

    def test_known_names_are_filled_other_braces_stay(self) -> None:
        assert configuration.fill("{a} {b} {c: 1} {}", {"a": "x"}) == "x {b} {c: 1} {}"

    def test_every_file_is_well_formed_and_holds_no_placeholder(self) -> None:
        tomllib.loads(self.filled("containerd.toml"))
        tomllib.loads(self.filled("hosts.toml"))
        json.loads(self.filled("cni.conflist"))
        kinds = [document["kind"] for document in yaml.safe_load_all(self.filled("kubeadm.yaml"))]
        assert kinds == ["InitConfiguration", "ClusterConfiguration", "KubeletConfiguration"]
        assert yaml.safe_load(self.filled("kube-proxy.yaml"))["clusterCIDR"] == "10.1.0.0/16"
        RawConfigParser().read_string(self.filled("supervisord.conf"))
        for file in configuration.TEMPLATES.iterdir():
            for name in self.KNOWN:
                assert f"{{{name}}}" not in self.filled(file.name)

    def test_no_registry_is_ever_asked(self) -> None:
        assert tomllib.loads(self.filled("hosts.toml"))["server"].startswith("http://127.0.0.1")


class TestStorage:
    def test_volumes_are_local_and_of_the_default_class(self) -> None:
        storage_class = storage.storage_class()
        for name, size in storage.names().items():
            volume = storage.volume(name, size)
            assert volume["spec"]["storageClassName"] == storage_class["metadata"]["name"]
            assert volume["spec"]["local"]["path"].endswith(name)
        assert sum(size == "100Gi" for size in storage.names().values()) >= 2


class TestProcesses:
    def test_start_time_tells_a_process_from_none(self) -> None:
        assert processes.start_time(os.getpid()) == processes.start_time(os.getpid())
        gone = subprocess.Popen(["true"])
        gone.wait()
        assert processes.start_time(gone.pid) is None

    def test_children_and_mark(self) -> None:
        child = subprocess.Popen(["sleep", "60"], env={**os.environ, "NOT_" + MARK: "1"})
        try:
            assert child.pid in processes.children(os.getpid())
            assert child.pid not in processes.marked()
        finally:
            child.kill()
            child.wait()


class TestRun:
    def test_a_failure_names_what_program_and_last_words(self) -> None:
        with pytest.raises(
            LabError, match=r"^making tea: sh ended with 3: no \| water: .*`make lab-down`, then `make lab`"
        ):
            run(["sh", "-c", "echo no >&2; echo water >&2; exit 3"], doing="making tea")

    def test_a_missing_program(self) -> None:
        with pytest.raises(LabError, match="making tea: kettle-of-nobody is not installed: put it in PATH"):
            run(["kettle-of-nobody"], doing="making tea")

    def test_a_program_that_hangs(self) -> None:
        with pytest.raises(LabError, match="sleep did not end within 0 s: drink water$"):
            run(["sleep", "5"], doing="making tea", timeout=0.1, remedy="drink water")

    def test_log_lines_give_way_to_plain_words(self) -> None:
        assert last_words('E1123 17:20:52.1 1 x.go:1] "e"\nrefused\nrefused') == "refused"
        assert last_words("E1123 17:20:52.1 1 x.go:1] e") == "E1123 17:20:52.1 1 x.go:1] e"

    def test_last_words_of_silence(self) -> None:
        assert last_words("\n \n") == "it said nothing"


class TestWhatToDoNext:
    """After a failure that explains itself no further."""

    ANEW = r"`\.venv/bin/python -m lab logs` tells more; `make lab-down`, then `make lab`, starts anew$"

    def test_a_wait_in_vain(self) -> None:
        with pytest.raises(LabError, match=f"waited -1 s in vain for tea: {self.ANEW}"):
            node.wait_for("tea", lambda: False, -1)

    def test_processes_that_do_not_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        nobody = 2**22 + 1
        monkeypatch.setattr(processes, "marked", lambda: [nobody])
        with pytest.raises(LabError, match=rf"do not end: \[{nobody}\]: restart the machine, then `make lab-down`$"):
            processes.end_marked(-1)

    def test_an_image_that_containerd_does_not_take(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        image = images.images()[0]
        monkeypatch.setattr(node, "entering", lambda: ["sh", "-c", "echo no space >&2; exit 1"])
        monkeypatch.setattr(images, "write", lambda *_arguments: None)
        monkeypatch.setattr(images.Image, "key", lambda *_arguments: "x")
        monkeypatch.setattr(cluster, "IMPORTED", tmp_path / "images.json")
        with pytest.raises(LabError, match=f"^importing {re.escape(image.name)}: no space: {self.ANEW}"):
            cluster.import_images([image], tmp_path)

    def test_a_program_that_does_not_compile(self, tmp_path: Path) -> None:
        go = tmp_path / "go"
        go.write_text("#!/bin/sh\ncase \"$*\" in *-export*) echo 'x.go:1: undefined: y' >&2; exit 1;; esac\necho a\n")
        go.chmod(0o755)
        (module,) = [module for module in programs.modules() if module.name == "minio"]
        words = r"^compiling lab/go/minio: x\.go:1: undefined: y: `\.venv/bin/python -m lab build` goes on from there$"
        with pytest.raises(LabError, match=words), progress.step("compiling") as step:
            programs._compile(module, go, tmp_path, [], step)


class TestSamplePlatform:
    def test_namespaces_of_what_is_rendered(self) -> None:
        rendered = (
            "kind: Namespace\nmetadata: {name: a}\n---\nkind: Pod\nmetadata: {name: x, namespace: a}\n---\n"
            "kind: Pod\nmetadata: {name: y, namespace: b}\n---\n"
        )
        assert sample.namespaces(rendered) == {"a", "b"}

    def test_ready_is_ready_or_ended_well(self) -> None:
        assert sample.ready({"status": {"phase": "Succeeded"}})
        assert sample.ready({"status": {"conditions": [{"type": "Ready", "status": "True"}]}})
        assert not sample.ready({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}})
        assert not sample.ready({"status": {}})


@pytest.mark.parametrize(("seconds", "words"), [(0, "0s"), (59.9, "59s"), (60, "1m00s"), (125, "2m05s")])
def test_elapsed(seconds: float, words: str) -> None:
    assert progress.elapsed(seconds) == words


@pytest.mark.parametrize(
    ("printed", "version"), [("go1.26.8\n", (1, 26)), ("go version go1.27.0 linux/amd64", (1, 27)), ("devel", (0, 0))]
)
def test_go_version(printed: str, version: tuple[int, int]) -> None:
    assert golang.version_of(printed) == version


def test_a_plain_step_ends_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.step("boiling") as current:
        current.update(1, 2, "cups")
        current.result("2 cups")
    assert capsys.readouterr().out == "boiling: 2 cups, 0s\n"


def test_a_failed_step_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LabError), progress.step("boiling"):
        raise LabError("dry")
    assert capsys.readouterr().out == "boiling: FAILED, 0s\n"
