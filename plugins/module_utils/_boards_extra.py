# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Boards that the user brings, as they were exported from Grafana. This module util is PRIVATE to the collection."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

# What Grafana takes as a uid, and Kubernetes as the end of a ConfigMap's name
_UID = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")


def items(given: t.Any, texts: t.Mapping[str, str]) -> list[dict[str, t.Any]]:
    """C(dashboards_extra) as people write it, to C({name, board, folder}).

    :param texts: path -> content of the files that it names.
    :raises ConfigError: an item that is neither a path nor says where its board is.
    """
    found = []
    for number, item in enumerate(given):
        one = {"file": item} if isinstance(item, str) else item
        if isinstance(one, dict) and "panels" in one:
            one = {"board": one}
        if not isinstance(one, dict) or ("file" in one) == ("board" in one) or set(one) - {"file", "board", "folder"}:
            raise ConfigError(
                f"dashboards_extra[{number}]: must be a path, {{file: path, folder: name}} or "
                "{board: JSON, folder: name}."
            )
        board = one["board"] if "board" in one else texts[one["file"]]
        found.append({"name": one.get("file", ""), "board": board, "folder": one.get("folder")})
    return found


def extra_boards(
    given: t.Sequence[t.Mapping[str, t.Any]],
    folder: str,
    datasources: t.Mapping[str, str],
    ours: t.Sequence[t.Mapping[str, t.Any]],
) -> list[dict[str, t.Any]]:
    """Like C(_boards.dashboards). C(given): C({name, board, folder}); C(board) is a mapping, or JSON as a text.

    Datasources that an export for sharing leaves open (C(__inputs)) are filled in: provisioning would not ask.
    :raises ConfigError: no board, no uid, or a uid or file that another board has.
    """
    found: list[dict[str, t.Any]] = []
    taken = {item["uid"]: f"the board {item['title']!r}" for item in ours}
    for number, item in enumerate(given):
        where = f"dashboards_extra[{number}]" + (f" ({item['name']})" if item.get("name") else "")
        board = _filled(_read(item.get("board"), where), datasources, where)
        uid = str(board["uid"])
        if uid in taken:
            raise ConfigError(f"{where}: its uid {uid} is that of {taken[uid]}; give it another one.")
        taken[uid] = where
        wanted = item.get("folder")
        found.append(
            {
                "uid": uid,
                "title": board["title"],
                "folder": folder if wanted is None else wanted,
                "file": f"{uid}.json",
                "board": board,
            }
        )
    return found


def _read(board: t.Any, where: str) -> dict[str, t.Any]:
    if isinstance(board, str):
        try:
            board = json.loads(board)
        except ValueError as error:
            raise ConfigError(f"{where}: is no JSON ({error}); export the board with `Export as JSON`.") from error
    if isinstance(board, dict) and isinstance(board.get("dashboard"), dict):
        # as Grafana's API gives it
        board = board["dashboard"]
    if not isinstance(board, dict) or not isinstance(board.get("panels"), list):
        raise ConfigError(f"{where}: is no dashboard: it has no list of panels; export it with `Export as JSON`.")
    if not board.get("title"):
        raise ConfigError(f"{where}: has no title.")
    if not isinstance(board.get("uid"), str) or not _UID.fullmatch(board["uid"]):
        raise ConfigError(
            f"{where}: its uid is {board.get('uid')!r}; write one of at most 40 lower-case letters, digits and dashes."
        )
    # a number of another Grafana's database: provisioning refuses it
    return {**board, "id": None}


def _filled(board: dict[str, t.Any], datasources: t.Mapping[str, str], where: str) -> dict[str, t.Any]:
    inputs = board.get("__inputs") or []
    said = json.dumps({key: value for key, value in board.items() if not key.startswith("__")})
    for one in inputs:
        if one.get("type") == "datasource":
            uid = datasources.get(str(one.get("pluginId")))
            if uid is None:
                raise ConfigError(
                    f"{where}: wants a datasource of type {one.get('pluginId')}; write its uid where the board says "
                    f"${{{one.get('name')}}}."
                )
        else:
            uid = str(one.get("value") or "")
        said = said.replace(f"${{{one.get('name')}}}", uid)
    return json.loads(said)
