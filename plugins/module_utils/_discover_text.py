# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Proposals as YAML that can be pasted into an inventory. This module util is PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils._discover import Proposal
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_fixes import flow


def as_yaml(proposals: t.Sequence[Proposal], servers: t.Mapping[str, t.Any]) -> str:
    """Variables with a comment on each: why, and what is left to do.

    :param servers: C(monitoring_prometheus) and the like, for servers that have other names than ours.
    """
    lines = []
    if servers:
        lines.append("# servers that are there already")
        lines += [f"{name}: {flow(value)}" for name, value in servers.items()]
    lines.append("monitoring_services:" if proposals else "monitoring_services: []")
    for proposal in proposals:
        lines.append(f"  # {_line(proposal.why)}")
        if proposal.to_do:
            lines.append(f"  # left to do: {_line(proposal.to_do)}")
        lines.append(f"  - {flow(proposal.entry)}")
    return "\n".join(lines) + "\n"


def _line(text: str) -> str:
    return " ".join(text.split())
