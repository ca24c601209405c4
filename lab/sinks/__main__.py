# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`python -m lab.sinks [--last N] [--contains WORDS] [SINK ...]`: read what the lab's receivers got."""

from __future__ import annotations

import argparse
import json
import sys

from ..cluster import kubectl
from ..errors import LabError
from .show import SINKS, page

PLACE = "/api/v1/namespaces/lab-sinks/services/{}:control/proxy/messages"


def main(arguments: list[str]) -> int:
    """Print them; 0 when every sink answered."""
    parser = argparse.ArgumentParser(prog="python -m lab.sinks", description="What the lab's receivers got.")
    parser.add_argument("sinks", metavar="SINK", nargs="*", help=f"some of {', '.join(SINKS)}; all by default")
    parser.add_argument("--last", type=int, default=3, help="so many of each, the newest (3)")
    parser.add_argument("--contains", default="", help="only messages with these words")
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.sinks) - set(SINKS))
    if unknown:
        parser.error(f"there is no sink {unknown[0]}: choose from {', '.join(SINKS)}")
    try:
        for sink in given.sinks or SINKS:
            text = kubectl("get", "--raw", PLACE.format(sink), doing=f"reading what {sink} got", timeout=30)
            print(page(sink, json.loads(text), given.contains, max(1, given.last)))
    except LabError as error:
        print(f"lab.sinks: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
