# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Options and return values that every verdict has. Options are 1:1 with C(_argspec.VERDICT_SPEC)."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  timeout:
    description:
      - Seconds that the verdict may take in all.
      - It ends at once when nothing can change any more; what is not known by then is V(unknown), never a guess.
    type: int
    default: 180
  query_timeout:
    description: Seconds that a single call to a server may take.
    type: float
    default: 10.0
  report_only:
    description:
      - Whether failed and unknown checks are only reported.
      - The module then succeeds, for a later task to judge.
    type: bool
    default: false
  accept:
    description:
      - Known exceptions. Each is a mapping with C(name) of the check, optionally the one C(code) of its cause,
        C(reason), C(owner) and C(until), a date like V(2026-12-31).
      - An expired or incomplete exception does not count, and is told.
    type: list
    elements: dict
    default: []
notes:
  - Where the host is the machine that Ansible runs on, it is judged in Ansible's own process, with Ansible's Python,
    which is quicker. On any other host, and with C(async), it runs as every module does.
"""
