# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real elasticsearch_exporter in front of the stand-in makes exactly the metrics that metrics.yml promises."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import yaml

from lab.platform import series, stand_in
from tests.integration.programs import Program, free_port, status, wait_for
from tests.lab_fixture import BIN

PLATFORM = Path(stand_in.__file__).parent
SPEC = yaml.safe_load((PLATFORM / "metrics.yml").read_text())["elasticsearch"]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What the exporter answers."""
    behaviour = yaml.safe_load((PLATFORM / "behaviour.yml").read_text())["elasticsearch"]
    product = stand_in.Product(SPEC["metrics"], behaviour, started=0)
    server = stand_in.Server(("127.0.0.1", 0), product)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{free_port()}"
    arguments = [
        f"{BIN / 'elasticsearch_exporter'}",
        f"--es.uri=http://127.0.0.1:{server.server_address[1]}",
        f"--web.listen-address={address}",
    ]
    exporter = Program(arguments, tmp_path_factory.mktemp("exporter") / "log")
    try:
        wait_for(lambda: status(f"http://{address}/healthz") == 200, "the exporter answers")
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
            yield answer.read().decode()
    finally:
        exporter.stop()
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("name", SPEC["metrics"])
def test_type_and_labels(page: str, name: str) -> None:
    metric = SPEC["metrics"][name]
    labels = series.label_names(metric)
    if any("api" in one and one["api"]["request"] == "node" for _, one in series.series(metric)):
        labels |= set(SPEC["node_labels"])
    assert re.findall(rf"^# TYPE {name} (\w+)$", page, re.MULTILINE) == [metric["type"]]
    samples = re.findall(rf"^{name}(?:{{(.*)}})? ", page, re.MULTILINE)
    assert samples
    assert {frozenset(re.findall(r'(\w+)="', sample)) for sample in samples} == {frozenset(labels)}


def test_a_time_has_the_unit_of_its_name(page: str) -> None:
    (seconds,) = re.findall(r"^elasticsearch_indices_search_query_time_seconds{.*} (\S+)$", page, re.MULTILINE)
    (queries,) = re.findall(r"^elasticsearch_indices_search_query_total{.*} (\S+)$", page, re.MULTILINE)
    # 0.16 s and 7 queries a second
    assert 0.01 < float(seconds) / float(queries) < 0.1
