# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Causes of the alert delivery verdict. This module util is PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.dataplatform.monitoring.plugins.module_utils._cause import Cause

CAUSES: dict[str, Cause] = {
    "nobody_notified": Cause(
        "delivery",
        "Alertmanager has no integration at all",
        "No receiver of the loaded configuration has an integration. The operator falls back to such a configuration, "
        "without an error, when the Secret it reads is missing or has another key.",
    ),
    "configuration_rejected": Cause(
        "delivery",
        "A replica could not load its newest configuration",
        "The last reload failed and the configuration before it is still in force, until the process is restarted: "
        "then it does not start at all.",
    ),
    "alertmanagers_disagree": Cause(
        "delivery",
        "Replicas run different configurations",
        "The hashes of the loaded configurations differ. The volume of a Secret takes up to two minutes to follow; "
        "after that a replica is stale, and alerts that only it gets go elsewhere.",
    ),
    "cluster_incomplete": Cause(
        "delivery",
        "The replicas do not form one cluster",
        "A replica that does not see the others sends every notification a second time, and does not know the silences "
        "that were made elsewhere.",
    ),
    "alertmanager_not_discovered": Cause(
        "delivery",
        "Prometheus does not send to every Alertmanager",
        "Alerts are not passed on among replicas: Prometheus has to post to each of them. One that is missing from its "
        "list knows no alert.",
    ),
    "notifications_dropped": Cause(
        "delivery",
        "Alerts are lost between Prometheus and Alertmanager",
        "Prometheus counted dropped alerts (its queue was full or no Alertmanager took them) or errors while sending.",
    ),
    "delivery_window_unknown": Cause(
        "delivery",
        "Failures have been counted, but not when",
        "Without Prometheus a counter tells only what happened since the process started.",
    ),
    "credentials_refused": Cause(
        "delivery",
        "The receiver refuses our credentials",
        "401 or 403 of the provider, or a mail server that does not accept user and password. Alertmanager does not "
        "retry it (mail: it does, in vain).",
    ),
    "receiver_rate_limits": Cause(
        "delivery",
        "The receiver takes no more messages for now",
        "429 of the provider, or a mail server that says so. Too many notifications: look at grouping and "
        "repeat_interval.",
    ),
    "receiver_refuses": Cause(
        "delivery",
        "The receiver refuses the message",
        "Another 4xx of the provider: the address, the channel or the content is wrong. It is not retried.",
    ),
    "receiver_server_error": Cause(
        "delivery",
        "The receiver answers with an error of its own",
        "5xx of the provider, or a temporary failure of a mail server. It is retried until the group's next turn.",
    ),
    "receiver_unreachable": Cause(
        "delivery",
        "The receiver cannot be reached from Alertmanager",
        "Connection refused, no route, no such host, or TLS that does not match: egress of the Pod, DNS, or a wrong "
        "address.",
    ),
    "receiver_too_slow": Cause(
        "delivery",
        "The receiver does not answer in time",
        "The request was given up when the group's next turn came (group_interval, at least ten seconds), or no answer "
        "came while this verdict looked.",
    ),
    "notification_interrupted": Cause(
        "delivery",
        "Alertmanager gave the notification up itself",
        "It loaded a configuration, or was stopped, while the receiver had not answered yet. What still fires is sent "
        "again with the group's next turn.",
    ),
    "notification_not_built": Cause(
        "delivery",
        "Alertmanager cannot build or sign the message",
        "A template fails, or a file with a credential is not there: nothing was sent to anybody.",
    ),
    "failure_without_reason": Cause(
        "delivery",
        "The notification failed, and Alertmanager counts no reason",
        "The reason is C(other): e-mail always, and what fails before an answer. It is in the log of Alertmanager.",
    ),
    "notification_not_attempted": Cause(
        "delivery",
        "No notification left although the wait is over",
        "The alert was taken, group_wait and the wait for other replicas are over, nothing silences it, and yet the "
        "replica did not even try.",
    ),
    "alert_silenced": Cause(
        "delivery",
        "A silence keeps the alert from being sent",
        "A silence matches the test alert, and with it every real alert with such labels. The message names its id, "
        "its author, its comment and its end.",
    ),
    "message_not_seen": Cause(
        "delivery",
        "Accepted, but not shown where it should arrive",
        "Alertmanager counts the notification as accepted, and the place that shows the receiver's messages has none "
        "with this run's code: another address, or a template without the alert's name and summary.",
    ),
    "counters_without_receiver": Cause(
        "delivery",
        "Counters do not tell the receivers apart",
        "Several receivers use the same kind of integration, and without the feature receiver-name-in-metrics their "
        "notifications are counted together: what was counted may be anybody's.",
    ),
    "receiver_not_reached": Cause(
        "delivery",
        "No alert that is expected reaches this receiver",
        "A receiver is tested with the labels of an expectation; there is none that the routes lead to it.",
    ),
    "verdict_too_short": Cause(
        "delivery",
        "The verdict ended before the notification was due",
        "group_wait of the route, or the group's next turn where it is active already, is longer than the time given.",
    ),
    "drill_overdue": Cause(
        "delivery",
        "The last fire drill is too long ago",
        "Counters say what a provider accepted. That a page is read and understood by the person on call is proven by "
        "a drill only.",
    ),
    "drill_not_noticed": Cause(
        "delivery",
        "Prometheus did not notice the fault of a drill",
        "The target is still scraped, or the temporary rule was not loaded: the operator did not take it up, or the "
        "reload takes longer than the time given.",
    ),
    "drill_not_firing": Cause(
        "delivery",
        "The alert of a drill does not fire, or does not end",
        "Prometheus knows of the fault, but the expression of the rule does not become true (or false again), or does "
        "not stay so for the time the rule demands.",
    ),
    "drill_not_silent": Cause(
        "delivery",
        "A notification left although its alert was silenced for a drill",
        "The silence does not match, is not known to every replica, or another alert goes to the same receiver: the "
        "service that watches for the heartbeat's silence was not tried.",
    ),
    "drill_not_received": Cause(
        "delivery",
        "The alert of a drill does not get to Alertmanager",
        "It fires in Prometheus and Alertmanager does not know it: the way between the two is broken, or relabelling "
        "of alerts drops it.",
    ),
}
