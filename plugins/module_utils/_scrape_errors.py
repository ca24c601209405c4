# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the C(lastError) of a target means. This module util is PRIVATE to the collection.

The words are Go's (net, net/http, crypto/tls, crypto/x509) and Prometheus' own: scrape/scrape.go, scrape/target.go and
model/textparse/interface.go of 2.40 to 3.14.
"""

from __future__ import annotations

import re

# Ports of the control plane's components; what listens on 127.0.0.1 unless told otherwise.
CONTROL_PLANE_PORTS = {
    "10257": ("kube-controller-manager", "bind-address"),
    "10259": ("kube-scheduler", "bind-address"),
    "2381": ("etcd", "listen-metrics-urls"),
    "10249": ("kube-proxy", "metricsBindAddress"),
}

_PATTERNS = [
    ("sample_limit", r"sample limit exceeded"),
    ("scrape_limit", r"(label|label_name_length|label_value_length|target)_limit exceeded"),
    ("scrape_limit", r"(histogram bucket|body size) limit exceeded"),
    ("target_down_unauthorized", r"server returned HTTP status (401|403|407)"),
    ("target_down_not_found", r"server returned HTTP status (404|405|410)"),
    ("target_down_server_error", r"server returned HTTP status 5\d\d"),
    ("target_down_http", r"server returned HTTP status \d+|stopped after \d+ redirects"),
    ("not_metrics", r"Content-Type"),
    ("target_down_credentials", r"unable to (read|load|use) |oauth2: |cannot fetch token|authorization credentials"),
    ("target_down_tls", r"tls: |x509: |HTTP response to HTTPS client|certificate|does not look like a TLS handshake"),
    (
        "target_down_dns",
        r"no such host|server misbehaving|lookup .*(timeout|timed out)|name resolution|no suitable address",
    ),
    ("target_down_refused", r"connection refused|actively refused"),
    ("target_down_unreachable", r"no route to host|network is unreachable|host is down|host is unreachable"),
    ("target_down_timeout", r"context deadline exceeded|i/o timeout|Client\.Timeout|timed out|TLS handshake timeout"),
    (
        "not_metrics",
        r"expected .*(token|label|value|timestamp|equal)|while parsing|invalid metric|strconv\.|parse error",
    ),
    ("not_metrics", r"unexpected end of|data does not end with|invalid UTF-8|INVALID"),
    ("target_down_closed", r"\bEOF\b|connection reset|broken pipe|malformed HTTP|server closed|unexpected newline"),
]


def classify(error: str) -> str:
    """The cause code of a scrape error; C(target_down) when it is none that is known."""
    for code, pattern in _PATTERNS:
        if re.search(pattern, error):
            return code
    return "target_down"


def brief(error: str) -> str:
    """The error without the URL that led it, at most 160 characters."""
    text = re.sub(r'^(Get|Post) "[^"]*": ', "", " ".join(error.split()))
    return text if len(text) <= 160 else text[:157] + "..."


def dialled(error: str) -> str | None:
    """The host that did not resolve."""
    found = re.search(r"lookup (\S+?)(?: on \S+)?: ", error)
    return found.group(1) if found else None
