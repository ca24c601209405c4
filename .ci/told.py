# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of day 2 proved, in a few lines: rules, who is told, and how long each notification took.

Arguments: its verdict.json, one for each cluster.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _criteria, _report
from ansible_collections.dataplatform.monitoring.plugins.module_utils._report_text import flat


def lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Each routing expectation, each delivery with its seconds, and how many rules are healthy."""
    checks = {verdict["name"]: verdict["checks"] for verdict in document["verdicts"]}
    yield f"{document['cluster']}:"
    for verdict in ("routing", "delivery"):
        for check in checks.get(verdict, []):
            yield f"  {verdict:8}  {_report.WORDS[check['status']]}  {flat(check['name'])}: {flat(check['observed'])}"
    healthy, total = _criteria.rules_healthy(checks.get("rules", []))
    yield f"  rules     healthy {healthy} of {total}"


if __name__ == "__main__":
    for path in sys.argv[1:]:
        print("\n".join(lines(json.loads(Path(path).read_text()))))
