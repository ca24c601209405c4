# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a row of a cause table is. This module util is PRIVATE to the collection."""

from __future__ import annotations

import typing as t


class Cause(t.NamedTuple):
    """One documented cause.

    :param subject: the verdict it belongs to: scrape, logs, workloads, access.
    :param title: a few words, as a heading.
    :param explanation: what it means and how it comes about, for the troubleshooting page.
    """

    subject: str
    title: str
    explanation: str
