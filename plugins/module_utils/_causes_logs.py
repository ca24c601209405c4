# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Causes of the logs verdict. This module util is PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.dataplatform.monitoring.plugins.module_utils._cause import Cause


def _logs(title: str, explanation: str) -> Cause:
    return Cause("logs", title, explanation)


def _discarded(reason: str, explanation: str) -> tuple[str, Cause]:
    return f"discarded_{reason}", _logs(f"Loki discards lines: {reason}", explanation)


CAUSES: dict[str, Cause] = {
    # Loki itself
    "loki_unreachable": _logs(
        "Loki does not answer",
        "A Pod of Loki exists, or an address was given, and nothing answers there: it is down, or still pulling its "
        "image, or a network policy is in the way.",
    ),
    "loki_starting": _logs(
        "Loki is still starting",
        "A fresh ingester reports itself ready 15 seconds after it could serve. It was waited for; the time ran out.",
    ),
    "loki_not_ready": _logs(
        "Loki is not ready",
        "The page /ready answers with another status than 200 and says which part is not running.",
    ),
    "loki_ring_unhealthy": _logs(
        "Loki's ring of ingesters is unhealthy",
        "An ingester left without saying so, or none is there. Lines for its part of the ring are refused when "
        "nobody else holds a copy (replication_factor 1).",
    ),
    "loki_tenant_missing": _logs(
        "Loki has tenants and was asked without one",
        "With auth_enabled: true, the chart's default, every request needs the header X-Scope-OrgID; without it the "
        'answer is 401 "no org id".',
    ),
    "loki_wrong_tenant": _logs(
        "Nobody sends as the tenant that was asked for",
        "Loki answers 200 and no data for any tenant it has never heard of: a misspelt tenant looks like silence.",
    ),
    "loki_empty": _logs("Loki holds nothing at all", "It is ready, but no line has arrived: no agent sends to it."),
    # the agent
    "agent_missing": _logs(
        "The log agent is not installed",
        "There is no DaemonSet of that name, or none that runs a known agent's image.",
    ),
    "agent_pod_security": _logs(
        "Pod Security refuses the agent's Pods",
        "The namespace enforces a level under which Pods may not mount the node's log folder. The DaemonSet only "
        "shows no Pods; the reason stands in its Events.",
    ),
    "agent_pod_refused": _logs(
        "The API server refuses the agent's Pods",
        "A quota or an admission webhook rejects them. The reason stands in the DaemonSet's Events.",
    ),
    "agent_untolerated_taint": _logs(
        "A node has a taint that the agent does not tolerate",
        "Often the control plane. Nothing that runs on such a node is logged.",
    ),
    "agent_node_selector": _logs(
        "The agent's node selector leaves a node out",
        "A nodeSelector or a required affinity of the DaemonSet does not match the node's labels.",
    ),
    "agent_node_not_ready": _logs(
        "A node is not Ready", "Its kubelet has stopped reporting: nothing there can be read."
    ),
    "agent_pod_absent": _logs(
        "The agent has no Pod on a node where it may run",
        "Nothing forbids it; the DaemonSet controller has not made one. Usually it only needs a moment.",
    ),
    "agent_pod_pending": _logs(
        "The agent's Pod is not scheduled", "Its requests do not fit on the node; the scheduler says what lacks."
    ),
    "agent_image": _logs("A node cannot get the agent's image", "Wrong name or tag, or no way to the registry."),
    "agent_pod_not_ready": _logs(
        "The agent's Pod is not Ready",
        "It crashes, or it runs and finds no log to read: Promtail reports Ready only once it follows a file.",
    ),
    "agent_starting": _logs("The agent is still starting", "Its Pods are younger than two minutes."),
    "agent_no_files": _logs(
        "The agent reads no file",
        "Its discovery yields no path: a scrape job without __path__, or the log folder is not mounted.",
    ),
    "agent_dropped_lines": _logs(
        "The agent gave up lines",
        "After all retries, or because Loki refused them for good, the agent threw lines away. They are lost.",
    ),
    "agent_rate_limited": _logs(
        "Loki takes no more from the agent", "Every request is answered 429: the tenant's ingestion limit is used up."
    ),
    "agent_without_tenant": _logs(
        "The agent sends without a tenant", "Loki has tenants (auth_enabled: true) and answers the agent 401."
    ),
    "agent_cannot_send": _logs(
        "The agent cannot send",
        "Every request fails: wrong address, no name resolution, a network policy, or Loki's errors.",
    ),
    # namespaces
    "logs_missing": _logs(
        "Lines of containers are not in Loki",
        "The kubelet holds lines older than the tolerance, Loki has none of that container, and nothing else "
        "explains it: the agent leaves these Pods out.",
    ),
    "logs_late": _logs(
        "Newest lines of containers are not in Loki",
        "Loki has older lines of the container, but not those the kubelet has had for longer than the tolerance: the "
        "agent is behind, or stopped.",
    ),
    "static_pod_logs_missing": _logs(
        "Lines of static Pods are not in Loki",
        "The log folder of a Pod that the kubelet runs from a file is named by an annotation, not by the Pod's uid. "
        "An agent without a rule for it leaves out the whole control plane.",
    ),
    "stream_label_missing": _logs(
        "Streams lack a promised label",
        "namespace, pod and container are promised of every stream, others where the Pod carries the label they are "
        "made from.",
    ),
    "stream_label_wrong": _logs(
        "A stream's label differs from the Pod's",
        "The agent makes the label from something else than the Pod label it is promised to come from.",
    ),
    "kubelet_log_unreadable": _logs(
        "Whether containers wrote anything cannot be read",
        "Only the kubelet tells silence from loss. Reading it needs get on pods/log, and a kubelet that answers.",
    ),
    "logs_too_young": _logs(
        "It is too early to tell",
        "Containers have written for less than the tolerance, and nothing of their node and namespace has arrived.",
    ),
    "pods_unreadable": _logs(
        "The Pods of the cluster cannot be read",
        "Which namespaces should log is known from the Pods. Without them nothing can be judged.",
    ),
    # newest line
    "loki_no_recent_lines": _logs("Loki has no recent line", "Not one line has arrived from anywhere in the window."),
    "loki_newest_line_old": _logs(
        "Loki's newest line is old", "Lines did arrive in the window, but none within the tolerance."
    ),
    # retention
    "retention_disabled": _logs(
        "Retention is switched off", "Without compactor.retention_enabled lines are kept until the volume is full."
    ),
    "retention_period_differs": _logs(
        "Loki keeps lines for another time than promised", "limits_config.retention_period is not what was promised."
    ),
    "retention_not_running": _logs(
        "Retention is not being applied", "The compactor has not finished a run for a day; nothing is deleted."
    ),
    "retention_not_applied": _logs(
        "Lines are kept longer than promised", "Lines older than the promise, with more than a day of grace, are there."
    ),
    "retention_lines_lost": _logs(
        "Lines were lost before their time",
        "Loki has run for longer than its oldest line is old, and that is younger than the promise.",
    ),
    "retention_unreadable": _logs(
        "Retention cannot be judged",
        "A gateway passes neither the configuration nor the metrics on, and no Prometheus was given.",
    ),
    # discarded lines
    "discard_counters_unreadable": _logs(
        "Discarded lines cannot be counted", "Loki's metrics cannot be read from its Pods, and no Prometheus was given."
    ),
    "discarded_other": _logs("Loki discards lines", "For a reason this collection has no advice for; it is named."),
    **dict(
        [
            _discarded("rate_limited", "The tenant sends more than its rate and burst limits allow."),
            _discarded("per_stream_rate_limit", "One stream sends more than a single stream may."),
            _discarded("stream_limit", "The tenant has more active streams than it may have."),
            _discarded("line_too_long", "Lines are longer than max_line_size and are not cut."),
            _discarded("too_far_behind", "Lines are more than an hour older than the newest of their stream."),
            _discarded("out_of_order", "Lines are out of order and unordered writes are switched off."),
            _discarded("greater_than_max_sample_age", "Lines are older than reject_old_samples_max_age."),
            _discarded("too_far_in_future", "Lines carry a time more than creation_grace_period ahead."),
            _discarded("max_label_names_per_series", "Streams carry too many labels."),
            _discarded("label_name_too_long", "A label's name is too long."),
            _discarded("label_value_too_long", "A label's value is too long: it should not be a label."),
            _discarded("duplicate_label_names", "A stream carries a label twice."),
            _discarded("missing_labels", "Lines came without labels."),
            _discarded("invalid_labels", "Labels cannot be parsed."),
            _discarded("missing_enforced_labels", "A label that Loki is told to demand is absent."),
            _discarded("blocked_ingestion", "An operator blocked ingestion for the tenant."),
            _discarded("blocked_ingestion_policy", "An operator blocked ingestion for a policy."),
            _discarded("disallowed_structured_metadata", "Structured metadata is sent, but not allowed."),
            _discarded("structured_metadata_too_large", "Structured metadata is too large."),
            _discarded("structured_metadata_too_many", "There are too many entries of structured metadata."),
        ]
    ),
}
