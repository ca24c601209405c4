# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a fix ends in something that can be pasted: a command, or one line of YAML."""

from __future__ import annotations

import shlex

import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_fixes import fix_line

PROGRAMS = ("kubectl", "ansible-playbook", "curl", "promtool", "openssl", "getent")


def pastable(fix: str) -> str:
    """The command or line.

    :raises AssertionError: it is neither.
    """
    line = fix_line(fix)
    assert line, f"no command or line in: {fix}"
    assert "\n" not in line
    if line.split()[0] in PROGRAMS:
        words = shlex.split(line)
        assert "None" not in words and "" not in words, line
        return line
    loaded = yaml.safe_load(line)
    assert isinstance(loaded, (dict, list)), f"neither a command nor YAML: {line}"
    assert "None" not in line, line
    return line
