# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/slo.md: its samples are taken, its numbers are computed, and what it says of the packs is so."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _catalogue_resolve,
    _catalogue_validate,
    _packs,
    _promql,
    _slo,
    _slo_burn,
    _slo_rules,
)

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "slo.md").read_text()
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)]


def test_the_entry_is_taken_and_both_slos_are_made() -> None:
    entries = BLOCKS[0]["monitoring_services"]
    assert _catalogue_validate.validate(entries, _packs.load()) == []
    found = _catalogue_resolve.resolve(entries, _packs.load(), {}, "monitoring", now="2026-01-01T00:00:00Z")
    made = _slo.slos(found)
    assert [(slo.name, slo.kind) for slo in made] == [("shop-availability", "requests"), ("shop-latency", "histogram")]
    for rule in (rule for slo in made for rule in _slo_rules.records(slo)):
        assert _promql.parse(rule["expr"])


def test_the_numbers_of_the_table() -> None:
    rows = re.findall(r"\| (\w+) and (\w+) \| (\d+) % \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", PAGE)
    assert len(rows) == len(_slo_burn.PAIRS)
    for row, pair in zip(rows, _slo_burn.PAIRS, strict=True):
        numbers = [round(_slo_burn.factor(pair, days * _slo_burn.DAY, 0.001), 6) for days in (30, 28, 7)]
        assert (pair.long, pair.short, round(100 * pair.share)) == (row[0], row[1], int(row[2]))
        assert numbers == [float(one) for one in row[3:]]


def test_what_is_said_of_the_packs() -> None:
    packs = _packs.load()
    known = {kind: (packs.own(kind).get("sli") or {}).get("availability") or {} for kind in packs.kinds()}
    text = re.search(r"^Packs say.*?\n\n", PAGE, flags=re.MULTILINE | re.DOTALL)[0]
    counted, works = text.split("what works for")
    assert {kind for kind, one in known.items() if "errors" in one} == set(re.findall(r"[\w-]+", counted)) & set(known)
    only = {kind for kind, one in known.items() if "up" in one and "errors" not in one}
    assert only == set(re.findall(r"[\w-]+", works)) & set(known)


def test_every_metric_of_the_page_is_recorded() -> None:
    names = set(re.findall(r"`(slo:[\w:]+)`", PAGE))
    assert names <= set(_slo_rules.names(True))
