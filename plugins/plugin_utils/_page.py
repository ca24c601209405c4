# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The page of evidence as one HTML file. This plugin util is PRIVATE to the collection.

It runs on the controller, which has Jinja2. The page holds no script and refers to nothing outside of itself, and says
so to the browser: whatever a cluster managed to put into it could neither run nor ask anybody.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import typing as t
from pathlib import Path

import jinja2
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _report_page

_FOLDER = Path(__file__).parent / "page"


@functools.cache
def style() -> str:
    """The style sheet, without comments and indentation."""
    text = (_FOLDER / "page.css").read_text(encoding="utf-8")
    while "/*" in text:
        head, _open, rest = text.partition("/*")
        text = head + rest.partition("*/")[2]
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def policy(sheet: str) -> str:
    """Content Security Policy: this one style sheet, by its digest, and nothing else whatever."""
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2")


def page(document: t.Mapping[str, t.Any], boards: t.Sequence[t.Mapping[str, t.Any]] | None = None) -> str:
    """The whole page.

    :param document: of C(_report.document), with C(comparison) where there is a run to compare with.
    :param boards: of M(dataplatform.monitoring.verify_dashboards), with their points.
    """
    sheet = style()
    text = _template().render(
        **_report_page.view(document, boards), sheet=jinja2.utils.markupsafe.Markup(sheet), policy=policy(sheet)
    )
    return "\n".join(line for line in text.splitlines() if line.strip()) + "\n"
