# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: dataplatform.monitoring contributors

"""python -m lab.charts CRD_DIR OUT_DIR: assemble the charts by hand, without the rest of the lab."""

from __future__ import annotations

import sys
from pathlib import Path

from . import prepare

if len(sys.argv) != 3:
    sys.exit(__doc__)
prepare(Path(sys.argv[1]), Path(sys.argv[2]))
