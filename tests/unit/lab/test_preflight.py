# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before anything is started, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import node, preflight
from lab.errors import LabError

GIB = 1024**3


def test_too_little_memory_is_told_in_numbers() -> None:
    with pytest.raises(LabError, match=r"too little memory: 2\.0 GiB available, the lab needs 6: "):
        preflight.check_memory("MemTotal: 4194304 kB\nMemAvailable: 2097152 kB\n")


def test_enough_memory() -> None:
    preflight.check_memory("MemTotal: 16777216 kB\nMemAvailable: 12582912 kB\n")


def test_too_little_disk_names_folder_and_remedy(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=rf"GiB free for {tmp_path}/not/yet, the lab needs .*: free some$"):
        preflight.check_disk(tmp_path / "not" / "yet", 10**9 * GIB, "free some")


@pytest.mark.parametrize(
    "line", ["10.96.0.0/12 dev vpn0 scope link", "10.244.1.0/24 via 192.0.2.7 dev eth0", "blackhole 10.243.0.0/24"]
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
    )


def test_not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(LabError, match="needs root .*sudo make lab"):
        preflight.check_root("lab")


def test_a_need_is_met_by_a_path_or_a_program() -> None:
    assert preflight.Need("coreutils", ("ls",)).present()
    assert preflight.Need("base-files", ("/nowhere", "/etc")).present()
    assert not preflight.Need("unheard-of", ("unheard-of-program", "/nowhere")).present()
