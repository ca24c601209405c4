# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modes of failure of the lab's receivers, and as what the verdict on delivery has to tell each."""

from __future__ import annotations

MODES = {
    "403": "credentials_refused",
    "404": "receiver_refuses",
    "429": "receiver_rate_limits",
    "500": "receiver_server_error",
    "refuse": "receiver_unreachable",
    "slow": "receiver_too_slow",
}
