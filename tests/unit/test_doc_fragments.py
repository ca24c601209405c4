# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A doc fragment and the spec that goes with it name the same options, of the same type, with the same defaults."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.doc_fragments import connection, prometheus, verdict
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _argspec

PAIRS = {
    "connection": (connection.ModuleDocFragment.DOCUMENTATION, _argspec.CONNECTION_SPEC),
    "verdict": (verdict.ModuleDocFragment.DOCUMENTATION, _argspec.VERDICT_SPEC),
    "prometheus": (prometheus.ModuleDocFragment.DOCUMENTATION, _argspec.prometheus_spec()),
    "prometheus.required": (prometheus.ModuleDocFragment.REQUIRED, _argspec.prometheus_spec(required=True)),
}


def said(options: dict[str, Any], below: str) -> dict[str, Any]:
    """What both sides have to say of every option, those below it included."""
    kept = ("type", "elements", "choices", "default", "required")
    return {
        name: {
            **{key: option[key] for key in kept if key in option},
            "below": said(option.get(below) or {}, below),
        }
        for name, option in options.items()
    }


@pytest.mark.parametrize("fragment", sorted(PAIRS))
def test_fragment_and_spec_say_the_same(fragment: str) -> None:
    text, spec = PAIRS[fragment]
    assert said(yaml.safe_load(text)["options"], "suboptions") == said(spec, "options")
