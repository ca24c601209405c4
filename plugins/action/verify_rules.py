# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Every rule is evaluated and can fire, or why not. Documented in the module of the same name."""

from __future__ import annotations

from ansible_collections.dataplatform.monitoring.plugins.modules import verify_rules
from ansible_collections.dataplatform.monitoring.plugins.plugin_utils._verdict_action import VerdictAction


class ActionModule(VerdictAction):
    """Judges."""

    MODULE = verify_rules
