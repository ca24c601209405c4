# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Where boards and datasources come from: options, files, ConfigMaps. This module util is PRIVATE to the collection."""

from __future__ import annotations

import json
import pathlib
import shlex
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _dashboards_intervals as _intervals
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_model import (
    Board,
    BoardError,
    read_board,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._dashboards_sources import (
    Source,
    Sources,
    from_provisioning,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ConfigError

try:
    import yaml

    HAS_YAML = True
except ImportError:
    HAS_YAML = False

if t.TYPE_CHECKING:
    from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube

Json = dict[str, t.Any]
_MANUAL = "ansible-doc -t module dataplatform.monitoring.verify_dashboards"


class Given(t.NamedTuple):
    """Something that should be a board: its JSON, or the text of it. C(look) is the command that shows it.

    C(loaded): it is what Grafana made of a board that may stand elsewhere too.
    """

    content: t.Any
    source: str
    folder: str
    look: str
    loaded: bool = False


class Broken(t.NamedTuple):
    """What is no board that can be judged."""

    name: str
    cause: dict[str, str]


def inline(items: t.Sequence[t.Any]) -> list[Given]:
    """Boards that stand in the options."""
    found = []
    for number, item in enumerate(items):
        name = item.get("file") or item.get("uid") or item.get("title") if isinstance(item, dict) else None
        folder = str(item.get("folder") or "") if isinstance(item, dict) else ""
        found.append(Given(item, f"board {name or number + 1}", folder, _MANUAL))
    return found


def from_files(paths: t.Sequence[str]) -> list[Given]:
    """Boards in files; a folder stands for every C(.json) below it.

    :raises ConfigError: a path that does not exist.
    """
    found = []
    for path in map(pathlib.Path, paths):
        if not path.exists():
            raise ConfigError(f"files: {path} does not exist. Name a file or a folder.")
        for one in sorted(path.rglob("*.json")) if path.is_dir() else [path]:
            text = one.read_text(encoding="utf-8", errors="replace")
            found.append(Given(text, f"file {one}", "", f"python3 -m json.tool {shlex.quote(str(one))}"))
    return found


def from_config_maps(kube: Kube, namespace: str | None, selector: str, annotation: str) -> list[Given]:
    """Boards that Grafana's sidecar would find.

    :raises ApiError: they cannot be read.
    """
    found = []
    for item in kube.list(_path(namespace), label_selector=selector):
        meta = item["metadata"]
        place = f"{meta['namespace']}/{meta['name']}"
        folder = str((meta.get("annotations") or {}).get(annotation) or "")
        look = f"kubectl -n {meta['namespace']} get configmap {meta['name']} -o yaml"
        for key, text in sorted((item.get("data") or {}).items()):
            if key.endswith(".json"):
                found.append(Given(text, f"{key} of ConfigMap {place}", folder, look))
    return found


def _path(namespace: str | None) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps" if namespace else "/api/v1/configmaps"


def read_all(given: t.Sequence[Given]) -> tuple[list[Board], list[Broken]]:
    """Boards, and what is none. The same board from two places counts once; two boards with one uid are a fault."""
    boards: list[Board] = []
    broken: list[Broken] = []
    seen: dict[str, tuple[Given, t.Any]] = {}
    for item in given:
        try:
            content = json.loads(item.content) if isinstance(item.content, (str, bytes)) else item.content
            board = read_board(content, item.source, item.folder)
        except ValueError as exc:
            code = exc.code if isinstance(exc, BoardError) else "dashboard_unreadable"
            told = str(exc) if isinstance(exc, BoardError) else f"{item.source} is not JSON: {exc}."
            fix = "See what it says: " if code == "dashboard_unreadable" else "Export it in the classic model: "
            broken.append(Broken(item.source, cause(code, told, fix + item.look)))
            continue
        if board.uid and board.uid in seen:
            first, before = seen[board.uid]
            if not item.loaded and _plain(before) != _plain(content):
                told = f"{first.source} and {item.source} both have the uid {board.uid}, and differ."
                fix = f"Give one of them another uid, or remove it: {item.look}"
                broken.append(Broken(item.source, cause("dashboard_uid_twice", told, fix)))
            continue
        seen[board.uid or item.source] = (item, content)
        boards.append(board)
    return boards, broken


def _plain(content: t.Any) -> t.Any:
    """A board without what Grafana itself counts."""
    inner = content.get("dashboard") or content.get("board") or content if isinstance(content, dict) else content
    return {key: item for key, item in inner.items() if key not in ("id", "version")}


def given_sources(items: t.Sequence[Json]) -> list[Source]:
    """Datasources that stand in the options.

    :raises ConfigError: one without uid or type.
    """
    found = []
    for item in items:
        if not item.get("uid") or not item.get("type"):
            raise ConfigError(f"datasources: {item!r} needs uid and type, for example {{uid: loki, type: loki}}")
        interval = _intervals.seconds(str(item.get("interval") or ""))
        name = str(item.get("name") or item["uid"])
        found.append(Source(str(item["uid"]), name, str(item["type"]), item.get("default") is True, interval))
    return found


def sources_of_config_maps(kube: Kube, namespace: str | None, selector: str) -> list[Source]:
    """Datasources that Grafana's sidecar would find.

    :raises ApiError: they cannot be read.
    """
    if not HAS_YAML:
        raise ConfigError("Datasources in ConfigMaps need the Python package PyYAML: pip install pyyaml")
    found: dict[str, Source] = {}
    for item in kube.list(_path(namespace), label_selector=selector):
        for key, text in sorted((item.get("data") or {}).items()):
            if key.endswith((".yaml", ".yml")):
                try:
                    parsed = yaml.safe_load(text)
                except yaml.YAMLError:
                    continue
                found.update({one.uid: one for one in from_provisioning(parsed)})
    return list(found.values())


def known_sources(found: t.Sequence[Source]) -> Sources:
    """What is known; without any, nothing can be missing."""
    return Sources(tuple(found), known=bool(found))
