# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the lab keeps things: the checkout, the cache that outlives everything, the state that `down` removes."""

from __future__ import annotations

import os
from pathlib import Path

LAB = Path(__file__).resolve().parent
CHECKOUT = LAB.parent

#: Built programs and unpacked Debian software; safe to delete at any time when no lab runs.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dataplatform-monitoring"

#: Everything a running lab owns. One per machine, whatever checkout started it.
STATE = Path("/var/lib/dataplatform-monitoring-lab")

#: Outside STATE, because `down` removes STATE while it holds the lock.
LOCK = Path("/run/dataplatform-monitoring-lab.lock")

KUBECONFIG = STATE / "kubeconfig"
BIN = STATE / "bin"
LOGS = STATE / "logs"
