# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Attributes of modules that only read and judge."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the same as without.
    support: full
    details: [This module only reads.]
  diff_mode:
    description: Returns details on what has changed when in diff mode.
    support: none
    details: [This module only reads.]
  idempotent:
    description: A second run changes nothing.
    support: full
    details: [This module only reads.]
  action_group:
    description: Use C(group/dataplatform.monitoring.all) in C(module_defaults) to set options for this module.
    support: full
    membership: [dataplatform.monitoring.all]
options: {}
"""
