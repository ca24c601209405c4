# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be true of every board and every panel, whatever they show."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _boards_files,
    _boards_schema,
    _boards_style,
    _boards_text,
    _packs,
    _promql,
)

ROOT = Path(__file__).resolve().parents[3]
GLOBAL = {"__from", "__to", "__url_time_range", "__all_variables"}
KEYS = _boards_files.ORDER


@pytest.fixture(params=KEYS)
def board(request: pytest.FixtureRequest, full: dict[str, Any]) -> dict[str, Any]:
    return full[request.param]


def panels_of(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def exprs(board: dict[str, Any], source: str) -> list[str]:
    return [
        target["expr"]
        for panel in panels_of(board)
        for target in panel["targets"]
        if target["datasource"]["type"] == source
    ]


def test_there_are_nine_subjects_and_a_detail_of_two_of_them(full: dict[str, Any]) -> None:
    assert list(full) == list(KEYS)


def test_every_file_of_the_role_can_be_meant() -> None:
    faults = [
        fault
        for one in _boards_files.boards()
        for fault in _boards_schema.board_faults(one, f"board {one['key']}", KEYS)
    ]
    rows = _boards_files.shared()
    faults += [
        fault
        for row in rows.values()
        for fault in _boards_schema.faults(row["panels"], "shared", KEYS, own_board=False)
    ]
    assert faults == []
    assert {path.stem for path in (ROOT / "roles/dashboards/files").glob("*.yml")} == {*KEYS, "shared"}


@pytest.mark.parametrize("kind", _packs.shipped_kinds())
def test_every_pack_has_panels_that_can_be_meant(kind: str) -> None:
    panels = _packs.read_shipped(kind).get("panels", [])
    assert _boards_schema.faults(panels, f"pack {kind}", KEYS) == []
    # of `generic` nothing is known that could be shown
    assert panels or kind == "generic"


def test_ids_are_unique_and_titles_too(board: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in board["panels"]]
    assert ids == list(range(1, len(ids) + 1))
    row, titles = "", []
    for panel in board["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
        titles.append((panel["type"] == "row", row, panel["title"]))
    assert len(set(titles)) == len(titles)


def test_nothing_overlaps_and_nothing_leaves_the_grid(board: dict[str, Any]) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for cell in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        ):
            assert cell not in taken, f"{panel['title']} lies on {taken[cell]}"
            taken[cell] = panel["title"]


def test_every_row_has_a_panel(board: dict[str, Any]) -> None:
    kinds = [panel["type"] for panel in board["panels"]]
    assert kinds[0] == "row"
    assert kinds[-1] != "row"
    assert ("row", "row") not in set(itertools.pairwise(kinds))


def test_every_panel_says_what_good_looks_like(board: dict[str, Any]) -> None:
    silent = [
        panel["title"]
        for panel in panels_of(board)
        if not re.search(r"\bgood is\b|promised", panel["description"], re.I)
    ]
    # what it is for is told by whoever declares it
    assert [title for title in silent if board["uid"] != "dataplatform-business"] == []


def test_every_number_has_a_unit(board: dict[str, Any]) -> None:
    for panel in panels_of(board):
        if panel["type"] == "logs":
            continue
        if panel["type"] == "table":
            units = {
                o["matcher"]["options"]
                for o in panel["fieldConfig"]["overrides"]
                for p in o["properties"]
                if p["id"] == "unit"
            }
            columns = next(t for t in panel["transformations"] if t["id"] == "organize")["options"]["renameByName"]
            assert {title for name, title in columns.items() if name.startswith("Value")} <= units, panel["title"]
        else:
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]


def test_every_panel_leads_somewhere(board: dict[str, Any]) -> None:
    assert [panel["title"] for panel in panels_of(board) if not panel["links"]] == []


def test_every_link_to_a_board_finds_one(full: dict[str, Any]) -> None:
    uids = {board["uid"] for board in full.values()}
    said = re.findall(r'"/d/([^?"]+)', json.dumps(full))
    assert set(said) <= uids
    assert set(said) >= {"dataplatform-overview", "dataplatform-logs", "dataplatform-slo-detail"}


def test_every_runbook_is_there(full: dict[str, Any]) -> None:
    pages = set(re.findall(r'"https://example\.org/runbooks/(\w+)\.md"', json.dumps(full)))
    assert pages
    assert sorted(page for page in pages if not (ROOT / "docs/runbooks" / f"{page}.md").exists()) == []


def test_links_to_logs_keep_the_time_and_are_what_explore_reads(board: dict[str, Any]) -> None:
    for url in re.findall(r'"(/explore[^"]+)"', json.dumps(board)):
        panes = json.loads(parse_qs(urlsplit(url).query)["panes"][0])["logs"]
        assert panes["range"] == {"from": "${__from}", "to": "${__to}"}
        assert panes["datasource"] == "${logs}"
        assert re.fullmatch(r'\{namespace=~?"[^"]+"(,pod="[^"]+")?\}', panes["queries"][0]["expr"]), unquote(url)


def test_every_variable_that_is_used_is_there_and_every_one_that_is_there_is_used(board: dict[str, Any]) -> None:
    there = {one["name"] for one in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps([board["panels"], board["templating"]])))
    used -= {name for name in used if name.startswith("__") or name.isdigit()}
    assert used == there
    assert {"datasource", "cluster"} <= there


def test_variables_are_asked_of_the_datasource_that_was_chosen(board: dict[str, Any]) -> None:
    for one in board["templating"]["list"]:
        if one["type"] == "query":
            assert one["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert one["query"]["query"].startswith("label_values(")
            # Loki refuses a pattern that matches nothing at all
            assert one["name"] == "cluster" or not re.fullmatch(one["allValue"], "")
    for panel in panels_of(board):
        assert panel["datasource"]["uid"] in ("${datasource}", "${logs}")


def test_every_expression_is_promql_and_asks_for_the_cluster(board: dict[str, Any]) -> None:
    for expr in exprs(board, "prometheus"):
        for selector in _promql.selectors(_boards_text.tree_of(expr)):
            assert ("cluster", "=~", "$cluster") in {(one.name, one.op, one.value) for one in selector.matchers}, expr


def test_no_token_is_left(board: dict[str, Any]) -> None:
    allowed = _boards_schema.GRAFANA_TOKENS | {"cluster"}
    for source in ("prometheus", "loki"):
        for expr in exprs(board, source):
            assert set(re.findall(r"\$([a-z_]+)", expr)) <= allowed, expr


def test_no_colour_is_used_that_means_nothing(board: dict[str, Any]) -> None:
    colours = set(re.findall(r'"(?:color|fixedColor)": "([^"]+)"', json.dumps(board)))
    assert colours <= set(_boards_style.MEANINGS.values())


def test_the_same_state_has_the_same_words_and_colour_everywhere(full: dict[str, Any]) -> None:
    words: dict[str, set[str]] = {}
    for board in full.values():
        for panel in panels_of(board):
            for mapping in panel["fieldConfig"]["defaults"].get("mappings", []):
                for value in mapping["options"].values():
                    words.setdefault(value["text"], set()).add(value["color"])
    assert words
    assert {text: colours for text, colours in words.items() if len(colours) > 1} == {}


def test_boards_are_small_enough_for_a_config_map(board: dict[str, Any]) -> None:
    assert len(json.dumps(board, indent=1)) < 600_000


def test_no_expression_divides_by_nothing(full: dict[str, Any]) -> None:
    """Without requests the part that fails is 0 and not NaN; without errors it is 0 and not empty."""
    for board in full.values():
        for panel in panels_of(board):
            if "mayBeEmpty" in panel or not re.search(r"fail|errors", panel["title"], re.I):
                continue
            for target in panel["targets"]:
                if "/" in target["expr"] and target["datasource"]["type"] == "prometheus":
                    assert "0 *" in target["expr"], panel["title"]
