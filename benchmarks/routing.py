#!/usr/bin/env python3
# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long 1,000 routes x 10,000 alerts take, beside amtool on a sample of the same.

    python benchmarks/routing.py [--routes 1000] [--alerts 10000] [--sample 20]

amtool reads the configuration anew for every alert and has no list of cases, so it is asked about a sample, its answers
are compared with ours, and the ratio is per alert. One run, both sides, nothing is asserted about time.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _routing

SERVICES, TEAMS = 1500, 40


def configuration(rng: random.Random, routes: int) -> dict:
    """Half of the routes demand a service by name, half by a pattern; a tenth continue; teams have children."""
    children = []
    for number in range(routes):
        kind = f'service="s{number}"' if number % 2 else f'service=~"s{number}|s{number + routes}"'
        route = {"matchers": [kind, 'severity=~"critical|warning"'], "receiver": f"r{number % 20}"}
        if rng.random() < 0.1:
            route["continue"] = True
        if rng.random() < 0.2:
            route["routes"] = [{"matchers": [f'team="t{rng.randrange(TEAMS)}"'], "receiver": "r0"}]
        children.append(route)
    return {
        "route": {"receiver": "r0", "group_by": ["alertname"], "routes": children},
        "receivers": [{"name": f"r{number}"} for number in range(20)],
    }


def alert(rng: random.Random) -> dict[str, str]:
    """Labels as a rule of the platform has them."""
    return {
        "alertname": f"A{rng.randrange(200)}",
        "service": f"s{rng.randrange(SERVICES)}",
        "team": f"t{rng.randrange(TEAMS)}",
        "severity": rng.choice(("critical", "warning", "info")),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--routes", type=int, default=1000)
    parser.add_argument("--alerts", type=int, default=10000)
    parser.add_argument("--sample", type=int, default=20)
    options = parser.parse_args()
    rng = random.Random(20261123)  # noqa: S311 - inputs of a benchmark
    config = configuration(rng, options.routes)
    alerts = [alert(rng) for _number in range(options.alerts)]

    start = time.perf_counter()
    root, _warnings = _routing.build(config)
    built = time.perf_counter()
    answers = [[route.receiver for route in _routing.match(root, labels)] for labels in alerts]
    ours = time.perf_counter() - built
    print(f"ours: tree of {options.routes} routes in {built - start:.3f} s, {len(alerts)} alerts in {ours:.3f} s")

    amtool = shutil.which("amtool")
    if amtool is None:
        print("amtool is not on the PATH: nothing to compare with")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "alertmanager.yml"
        path.write_text(json.dumps(config))
        spent = 0.0
        for labels, answer in list(zip(alerts, answers, strict=True))[: options.sample]:
            words = [f"{name}={value}" for name, value in labels.items()]
            start = time.perf_counter()
            found = subprocess.run(  # noqa: S603 - fixed arguments
                [amtool, "config", "routes", "test", f"--config.file={path}", *words],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
            spent += time.perf_counter() - start
            if found != ",".join(answer):
                raise SystemExit(f"amtool disagrees about {labels}: {found}, ours {','.join(answer)}")
    each, own = spent / options.sample, ours / len(alerts)
    print(f"amtool: {options.sample} alerts in {spent:.3f} s, {each * 1000:.1f} ms each, same answers")
    print(f"per alert: amtool / ours = {each / own:.0f}")


if __name__ == "__main__":
    main()
