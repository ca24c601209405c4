# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an entry of ``monitoring_services`` may say, in the language of _endpoint_schema.

Private keywords beside those of OpenAPI: ``x-check`` names a function of _catalogue_checks.CHECKS, ``x-missing`` is the
remedy when a required key is absent, ``x-remedy`` the remedy for a wrong value, ``x-moved`` maps a key people try
to the remedy for it, ``x-types`` is a list of types. Endpoints are left out: their schema is the CRD's.
This module util is private to the collection.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import SEVERITIES

_NAME = {"type": "string", "x-check": "dns-label"}
_TEXT = {"type": "string", "minLength": 1}
_DURATION = {"x-types": ["string", "integer"], "x-check": "duration"}
_NUMBER = {"type": "number"}
_FLAG = {"type": "boolean"}
_LABELS = {"type": "object", "additionalProperties": {"type": "string", "x-remedy": "quote it: labels are texts"}}
_METRIC = {
    "type": "string",
    "pattern": "^[a-zA-Z_:][a-zA-Z0-9_:]*$",
    "x-remedy": "write the metric's name alone, without labels or operators",
}

SELECTOR: dict[str, Any] = {
    "type": "object",
    "minProperties": 1,
    "x-remedy": "write at least one label; an empty selector selects every Service of the namespace",
    "properties": {
        "matchLabels": _LABELS,
        "matchExpressions": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["key", "operator"],
                "properties": {
                    "key": _TEXT,
                    "operator": {"type": "string", "enum": ["In", "NotIn", "Exists", "DoesNotExist"]},
                    "values": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
    },
    # the short form {app: trino}
    "additionalProperties": {"type": "string", "x-remedy": "quote it: labels are texts"},
}

HEALTH: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["expr", "means"],
        "properties": {
            "expr": _TEXT,
            "equals": _NUMBER,
            "min": _NUMBER,
            "max": _NUMBER,
            "means": _TEXT,
            "fix": _TEXT,
        },
    },
}
MUST_HAVE: dict[str, Any] = {"type": "array", "items": _METRIC}
DROP: dict[str, Any] = {"type": "array", "items": _TEXT}

_TEXTS = {"type": "array", "items": _TEXT}
_HEADER_MATCHES = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["header", "regexp"],
        "properties": {"header": _TEXT, "regexp": _TEXT, "allow_missing": _FLAG},
    },
}
_NO_LOGIN = "name a path that needs no login: a probe's configuration is no place for credentials"
# What blackbox_exporter takes in a module's `http`, without what it would have to log in with: an unknown key stops it,
# and with it the probes of all others.
PROBE_HTTP: dict[str, Any] = {
    "type": "object",
    "properties": {
        "valid_status_codes": {
            "type": "array",
            "items": {"type": "integer", "minimum": 100, "maximum": 599, "x-remedy": "status codes are 100 to 599"},
        },
        "valid_http_versions": {"type": "array", "items": {"type": "string", "x-remedy": 'write "HTTP/1.1", quoted'}},
        "method": {"type": "string", "enum": ["GET", "HEAD", "POST", "PUT", "OPTIONS"]},
        "headers": {"type": "object", "x-check": "probe-headers", "additionalProperties": {"type": "string"}},
        "body": {"type": "string"},
        "follow_redirects": _FLAG,
        "fail_if_ssl": _FLAG,
        "fail_if_not_ssl": _FLAG,
        "fail_if_body_matches_regexp": _TEXTS,
        "fail_if_body_not_matches_regexp": _TEXTS,
        "fail_if_header_matches": _HEADER_MATCHES,
        "fail_if_header_not_matches": _HEADER_MATCHES,
        "preferred_ip_protocol": {"type": "string", "enum": ["ip4", "ip6"]},
        "ip_protocol_fallback": _FLAG,
        "compression": {"type": "string", "enum": ["gzip", "br", "deflate", "identity"]},
        "tls_config": {
            "type": "object",
            "properties": {
                "insecure_skip_verify": _FLAG,
                "server_name": _TEXT,
                "min_version": {"type": "string", "enum": ["TLS10", "TLS11", "TLS12", "TLS13"]},
            },
        },
    },
    "x-moved": {
        **dict.fromkeys(("basic_auth", "authorization", "oauth2", "bearer_token", "bearer_token_file"), _NO_LOGIN),
        "status": "did you mean valid_status_codes?",
        "no_follow_redirects": "write follow_redirects: false",
    },
}

PROBE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "enabled": _FLAG,
        "path": {"type": "string", "pattern": "^/", "x-remedy": "begin it with /"},
        "port": {"x-types": ["integer", "string"], "x-check": "port"},
        "scheme": {"type": "string", "enum": ["http", "https"]},
        "module": _TEXT,
        "url": {
            "type": "string",
            "pattern": r"^(https?://[^/@\s]+(/\S*)?|[^/@:\s]+:\d+)$",
            "x-remedy": "write scheme://host:port/path, without user or password",
        },
        "interval": _DURATION,
        "http": PROBE_HTTP,
    },
    "x-moved": {
        "valid_status_codes": "write it inside probe: {http: {valid_status_codes: [...]}}",
        "accepted_status_codes": "write probe: {http: {valid_status_codes: [...]}}",
    },
}

# Keys of one alert, in a pack (where expr is required) and as an override in an entry.
ALERT_KEYS: dict[str, Any] = {
    "enabled": _FLAG,
    "expr": _TEXT,
    "for": {"x-types": ["string", "integer"], "x-check": "duration-or-zero"},
    "keep_firing_for": _DURATION,
    "severity": {"type": "string", "enum": [*SEVERITIES, "$severity"]},
    "threshold": _NUMBER,
    "summary": _TEXT,
    "description": _TEXT,
    "runbook_url": {"type": "string", "pattern": "^https?://", "x-remedy": "write a full address, https://..."},
    "labels": _LABELS,
    "annotations": _LABELS,
    # what must happen before its metric exists: until then nothing is wrong with an alert that selects nothing
    "absent_until": _TEXT,
    # of no use where fewer targets than this are expected
    "min_targets": {"type": "integer", "minimum": 1},
    # it may fire on a healthy cluster
    "fires_at_rest": _FLAG,
}

SLO: dict[str, Any] = {
    "type": "object",
    "required": ["objective"],
    "properties": {
        "objective": {"type": "number", "x-check": "objective"},
        "window": {"x-types": ["string", "integer"], "x-check": "window"},
        "sli": {"type": "string", "enum": ["any", "fraction", "requests", "probe"]},
        # expressions: 1 while it works; failed and all events a second
        "up": _TEXT,
        "errors": _TEXT,
        "total": _TEXT,
        "min_events": {"type": "number", "minimum": 1},
        "latency": {
            "type": "object",
            "required": ["objective", "threshold"],
            "properties": {
                "objective": {"type": "number", "x-check": "objective"},
                "threshold": _DURATION,
                "histogram": _METRIC,
            },
        },
        "description": _TEXT,
    },
    "x-moved": {
        "target": "write objective: 99.9",
        "type": "did you mean sli?",
        "threshold": "write it inside latency: {threshold: 500ms, objective: 99}",
    },
}
# What a pack knows of a product's indicators; an entry says in `slo` what is promised.
SLI: dict[str, Any] = {
    "type": "object",
    "properties": {
        "availability": {
            "type": "object",
            "properties": {"up": _TEXT, "errors": _TEXT, "total": _TEXT},
        },
        "latency": {
            "type": "object",
            "properties": {
                # without _bucket; its upper bounds in seconds, where the product does not leave them to people
                "histogram": _METRIC,
                "matchers": _TEXT,
                "buckets": {"type": "array", "minItems": 1, "items": _NUMBER},
                # seconds, where there is no histogram
                "value": _TEXT,
            },
        },
    },
}

BUSINESS_METRICS: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["title", "expr", "unit"],
        "properties": {
            "title": _TEXT,
            "expr": _TEXT,
            "unit": _TEXT,
            "target": _NUMBER,
            "description": _TEXT,
            # what must happen before its metric exists, as in alerts
            "absent_until": _TEXT,
        },
    },
}

IMAGE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "repository": _TEXT,
        "tag": {
            "type": "string",
            "pattern": "^(?!latest$).+",
            "x-remedy": "pin a version; latest changes under you, and a version is a text: quote it",
        },
        "digest": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$", "x-remedy": "write sha256: and 64 hex digits"},
    },
}

ARGS: dict[str, Any] = {"type": "array", "x-check": "exporter-args", "items": {"type": "string"}}
# Configuration by file name: a text as it stands, or data, which is written as JSON (and so as YAML).
FILES: dict[str, Any] = {
    "type": "object",
    "x-check": "file-names",
    "additionalProperties": {"x-types": ["string", "object", "array"]},
}
# Keys of `exporter:` in an entry that every pack understands; a pack adds its own under exporter.settings.
EXPORTER_KEYS: dict[str, Any] = {
    "host": {
        "type": "string",
        "pattern": r"^[^/@:\s]+$",
        "x-remedy": "write the host alone, for example postgresql.data-platform.svc",
    },
    "port": {"type": "integer", "minimum": 1, "maximum": 65535, "x-remedy": "ports are 1 to 65535"},
    "credentials_secret": {**_NAME, "x-remedy": "write the name of a Secret in the monitoring namespace"},
    "credentials_keys": {"type": "object", "additionalProperties": _TEXT},
    "image": IMAGE,
    "args": ARGS,
    "env": {
        "type": "object",
        "x-check": "exporter-env",
        "additionalProperties": {"type": "string", "x-remedy": "quote it: environment variables are texts"},
    },
    "files": FILES,
    "resources": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}
_REFERENCED = "put it into a Secret of the monitoring namespace and name that Secret in credentials_secret"
EXPORTER_MOVED = {
    "password": _REFERENCED,
    "user": _REFERENCED,
    "username": _REFERENCED,
    "dsn": "write host, port and database; user and password belong into the Secret named in credentials_secret",
    "secret": "the key is called credentials_secret",
}

ENTRY: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {**_NAME, "x-missing": "give the entry a unique name; it becomes the job label"},
        "kind": _TEXT,
        "description": _TEXT,
        "namespace": _NAME,
        "selector": SELECTOR,
        # checked by _catalogue_endpoints, against the CRD
        "endpoints": {"nullable": True},
        "targets": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "pattern": r"^[^/@\s]+:\d+$", "x-remedy": "write host:port"},
        },
        "monitor": {"type": "string", "enum": ["ServiceMonitor", "PodMonitor", "ScrapeConfig"]},
        "monitor_namespace": _NAME,
        "labels": _LABELS,
        "spec": {"type": "object"},
        "job": {"type": "string", "minLength": 1},
        "adopt": _FLAG,
        "optional": _FLAG,
        "team": _NAME,
        "severity": {"type": "string", "enum": list(SEVERITIES)},
        "min_targets": {"type": "integer", "minimum": 1},
        "health": HEALTH,
        "must_have": MUST_HAVE,
        "min_samples": {"type": "integer", "minimum": 1},
        "drop": DROP,
        "probe": PROBE,
        "exporter": {"type": "object", "additionalProperties": True},
        "alerts": {"type": "object", "additionalProperties": True},
        "slo": SLO,
        "business_metrics": BUSINESS_METRICS,
        "panels": {"type": "array"},
        "logs": _FLAG,
        "previous_names": {"type": "array", "items": _NAME},
    },
    "x-moved": {
        "port": "write it inside endpoints: [{port: ...}]",
        "path": "write it inside endpoints: [{port: ..., path: ...}]",
        "interval": "write it inside endpoints: [{port: ..., interval: ...}]",
        "basicAuth": "write it inside endpoints: [{port: ..., basicAuth: ...}]",
        "namespaceSelector": "write namespace: NAME",
        "objective": "write it inside slo: {objective: ...}",
    },
}
# What stays of an entry when Prometheus runs without Kubernetes: nothing is created, only judged.
PLAIN_KEYS = (
    "name",
    "kind",
    "description",
    "job",
    "team",
    "severity",
    "min_targets",
    "health",
    "must_have",
    "min_samples",
    "alerts",
    "slo",
    "business_metrics",
    "panels",
    "optional",
    "previous_names",
    "logs",
)
