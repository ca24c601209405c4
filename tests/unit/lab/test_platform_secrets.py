# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the platform's passwords are made anew, and which stay."""

from __future__ import annotations

from lab.platform import secrets
from lab.platform.secrets import COPIES, MADE, Data, Name

COPY, ORIGINAL = next(iter(COPIES.items()))


def there(*names: Name) -> dict[Name, Data]:
    return {name: {"username": name.name, "password": "kept"} for name in names}


def test_all_are_made_in_an_empty_cluster() -> None:
    made = secrets.missing(lambda name: None)
    assert set(made) == {*MADE, *COPIES}
    assert made[COPY] == made[ORIGINAL]
    passwords = {data["password"] for name, data in made.items() if name != COPY}
    assert len(passwords) == len(MADE) and all(len(password) >= 32 for password in passwords)


def test_none_is_made_where_all_are() -> None:
    cluster = there(*MADE) | {COPY: there(ORIGINAL)[ORIGINAL]}
    assert secrets.missing(cluster.get) == {}


def test_a_lost_or_outdated_copy_is_made_after_the_original() -> None:
    for copy in ({}, {COPY: {"username": "monitoring", "password": "old"}}):
        cluster = there(*MADE) | copy
        assert secrets.missing(cluster.get) == {COPY: cluster[ORIGINAL]}


def test_a_secret_is_an_opaque_object_of_its_namespace() -> None:
    made = secrets.secret(ORIGINAL, {"password": "x"})
    assert made["metadata"] == {"name": "postgresql-monitoring", "namespace": "data-platform"}
    assert made["stringData"] == {"password": "x"}
