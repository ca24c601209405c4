# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before anything is started, and in which words."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from lab import native, node, preflight
from lab.errors import LabError

GIB = 1024**3


def test_too_little_memory_is_told_in_numbers() -> None:
    with pytest.raises(LabError, match=r"too little memory: 2\.0 GiB available, the lab needs 6: "):
        preflight.check_memory("MemTotal: 4194304 kB\nMemAvailable: 2097152 kB\n")


def test_enough_memory() -> None:
    preflight.check_memory("MemTotal: 16777216 kB\nMemAvailable: 12582912 kB\n")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """A machine with a lab that is built; the list fills with `cold` of every look at memory and disk."""
    asked: list[bool] = []
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(native.ownership, "lock", contextlib.nullcontext)
    monkeypatch.setattr(native.ownership, "refuse_foreign", lambda _what: None)
    monkeypatch.setattr(native.preflight, "check", lambda cold: asked.append(cold))
    monkeypatch.setattr(native.programs, "built", lambda _module: True)
    monkeypatch.setattr(native.debian, "target", lambda _names: Path("/"))
    monkeypatch.setattr(native, "_build", lambda: Path("/"))
    for name in ("_start", "_adopt"):
        monkeypatch.setattr(native, name, lambda: False)
    monkeypatch.setattr(native.storage, "recycle", list)
    monkeypatch.setattr(native.charts, "prepare", lambda *_folders: False)
    monkeypatch.setattr(native.sample, "apply", lambda: False)
    return asked


def test_room_is_asked_for_only_when_something_is_started(
    asked: list[bool], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(native, "running", lambda: True)
    native.up()
    assert "was ready, nothing changed" in capsys.readouterr().out
    assert asked == [], "a lab that runs takes what is no longer available"
    monkeypatch.setattr(native, "running", lambda: False)
    native.up()
    assert asked == [False]


def test_room_is_asked_for_only_when_something_is_built(asked: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    native.build()
    assert asked == []
    monkeypatch.setattr(native.debian, "target", lambda names: Path("/nowhere", names[0]))
    native.build()
    monkeypatch.setattr(native.programs, "built", lambda _module: False)
    native.build()
    assert asked == [False, True]


def test_the_manuals_name_the_memory_that_is_asked_for() -> None:
    words = f"{preflight.MEMORY // GIB} GiB of memory that nothing else uses"
    assert [name for name in ("README.md", "lab/README.md") if words not in (native.CHECKOUT / name).read_text()] == []


def test_too_little_disk_names_folder_and_remedy(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=rf"GiB free for {tmp_path}/not/yet, the lab needs .*: free some$"):
        preflight.check_disk(tmp_path / "not" / "yet", 10**9 * GIB, "free some")


@pytest.mark.parametrize(
    "line",
    [
        "10.96.0.0/12 dev vpn0 scope link",
        "10.244.1.0/24 via 192.0.2.7 dev eth0",
        "blackhole 10.243.0.0/24",
        "prohibit 10.244.0.0/24",
        "throw 10.96.1.0/24 table 7",
        "multicast 10.96.0.0/16 dev eth0",
    ],
)
def test_a_taken_network_is_refused_with_the_route(line: str) -> None:
    with pytest.raises(LabError, match=rf"is taken by the route `{line}`"):
        preflight.check_networks(f"default via 192.0.2.1 dev eth0\n{line}\n")


def test_the_labs_own_and_other_routes_are_fine() -> None:
    preflight.check_networks(
        "default via 192.0.2.1 dev eth0\n192.0.2.0/24 dev eth0 scope link\n"
        f"10.96.0.0/16 via 10.243.0.2 dev {node.LINK}\nunreachable 10.96.0.0/16 metric 9999\n"
        f"local 10.243.0.1 dev {node.LINK} table local\nlocal 127.0.0.0/8 dev lo table local\n"
        "broadcast 192.0.2.255 dev eth0 table local\n"
        "prohibit 198.51.100.0/24\nthrow default table 7\nmulticast 224.0.0.0/4 dev eth0\n\n"
        "203.0.113.0/24 proto static \n\tnexthop via 192.0.2.8 dev eth0 weight 1 \n"
    )


def test_not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(LabError, match="needs root .*sudo make lab"):
        preflight.check_root("lab")


def test_a_need_is_met_by_a_path_or_a_program() -> None:
    assert preflight.Need("coreutils", ("ls",)).present()
    assert preflight.Need("base-files", ("/nowhere", "/etc")).present()
    assert not preflight.Need("unheard-of", ("unheard-of-program", "/nowhere")).present()
