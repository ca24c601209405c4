# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Causes of the scrape verdict, from the most upstream to the last. This module util is PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.dataplatform.monitoring.plugins.module_utils._cause import Cause

CAUSES: dict[str, Cause] = {
    "no_monitor": Cause(
        "scrape",
        "The monitor does not exist",
        "The entry's ServiceMonitor, PodMonitor, Probe or ScrapeConfig is not in the cluster: it was never "
        "written, or somebody deleted it. Running day 1 again writes it.",
    ),
    "no_prometheus": Cause(
        "scrape",
        "No Prometheus object takes monitors in",
        "Monitors exist, but the cluster has no Prometheus object of prometheus-operator whose configuration they "
        "could become part of.",
    ),
    "monitor_not_selected": Cause(
        "scrape",
        "No Prometheus selects the monitor",
        "The Prometheus object chooses monitors by their labels and by the labels of their namespace; a selector "
        "that is not set selects nothing. The operator's own --namespaces can leave a namespace out too. The "
        "message names what is asked for and what the monitor lacks.",
    ),
    "monitor_rejected": Cause(
        "scrape",
        "The operator rejects the monitor",
        "prometheus-operator leaves a monitor out of the configuration when it is invalid: a Secret or key that "
        "does not exist, a timeout longer than the interval, a broken relabeling rule. It says so in an Event, and "
        "in the monitor's status where that feature is switched on.",
    ),
    "prometheus_paused": Cause(
        "scrape",
        "The Prometheus object is paused",
        "spec.paused is true: the operator leaves the configuration as it was, so that changed monitors have no "
        "effect.",
    ),
    "operator_not_running": Cause(
        "scrape",
        "prometheus-operator does not run",
        "Nobody turns monitors into configuration. What was loaded before is still scraped; changes have no effect.",
    ),
    "prometheus_not_reconciled": Cause(
        "scrape",
        "The operator cannot bring about the Prometheus object",
        "The condition Reconciled of the Prometheus object is False; its message says why. Until that is "
        "corrected, no change of any monitor has an effect.",
    ),
    "reload_failed": Cause(
        "scrape",
        "Prometheus could not load its new configuration",
        "Prometheus was given a configuration that it refuses and keeps the old one. Often another object than the "
        "one judged is at fault; Prometheus' log names it.",
    ),
    "config_not_loaded": Cause(
        "scrape",
        "Prometheus does not run the monitor yet",
        "The scrape pool of the monitor is not in the running configuration. A change takes up to two minutes: "
        "operator, Secret propagation by the kubelet, reloader. It is waited for; what does not arrive by then is "
        "a fault on that way.",
    ),
    "config_stale": Cause(
        "scrape",
        "Prometheus still runs the monitor's older version",
        "The scrape pool exists, but the running configuration says something else than the monitor does now. "
        "Targets that are up then prove nothing about the change.",
    ),
    "exporter_missing": Cause(
        "scrape",
        "The exporter is not there",
        "The entry is scraped through an exporter, and no Service of that exporter exists.",
    ),
    "no_service_matches": Cause(
        "scrape",
        "No Service matches the selector",
        "A ServiceMonitor selects Services by the labels of the Service, not of its Pods, in the namespaces it "
        "names. The message names the nearest Service and the labels that differ.",
    ),
    "no_pod_matches": Cause(
        "scrape",
        "No Pod matches the selector",
        "A PodMonitor selects Pods by their labels, in the namespaces it names. The message names the nearest Pod "
        "and the labels that differ.",
    ),
    "no_such_port": Cause(
        "scrape",
        "No port of that name",
        "The selected Services, or for targetPort the containers behind them, have no port of that name or number. "
        "A targetPort needs a port that is declared in the Pod.",
    ),
    "port_is_number": Cause(
        "scrape",
        "A number where only the name of a port works",
        "The field port of an endpoint takes the name of a Service port. A number in quotes is accepted by the API "
        "server and then matches nothing.",
    ),
    "no_ready_endpoints": Cause(
        "scrape",
        "No Pod runs behind the Service",
        "The Service is right, but its Pods do not run, or there are none. The message names the Pods and their "
        "containers' state, or the workload that runs none.",
    ),
    "prometheus_rbac": Cause(
        "scrape",
        "Prometheus may not discover the targets",
        "Service discovery lists and watches Services, EndpointSlices (or Endpoints) and Pods of a namespace. "
        "Prometheus' ServiceAccount lacks that permission; in its log stands 'forbidden'.",
    ),
    "not_discovered": Cause(
        "scrape",
        "Prometheus discovers nothing although there is something",
        "The scrape pool is loaded and the addresses exist, its permissions are right, but service discovery "
        "brings nothing.",
    ),
    "dropped_by_relabeling": Cause(
        "scrape",
        "A relabeling rule drops the target",
        "The target was discovered, and a keep or drop rule removed it. The message names the rule.",
    ),
    "no_such_job": Cause(
        "scrape",
        "No target of that job",
        "Nobody scrapes what is expected to be scraped by a monitor, or a configuration, that is not the "
        "catalogue's own.",
    ),
    "pod_not_ready": Cause(
        "scrape",
        "The target's Pod is not ready",
        "The target is down because its Pod is not ready: starting, crashing, waiting for an image. While a "
        "rollout is under way this is unknown, not failed.",
    ),
    "control_plane_loopback": Cause(
        "scrape",
        "A component of the control plane listens on 127.0.0.1 only",
        "kube-controller-manager (10257), kube-scheduler (10259), etcd (2381) and kube-proxy (10249) listen on the "
        "loopback address unless told otherwise, and Prometheus cannot reach them. Managed clusters hide them "
        "altogether: switch their monitors off there.",
    ),
    "target_down_dns": Cause(
        "scrape",
        "The target's name does not resolve",
        "The scrape failed at the name: no such host, or the name server did not answer.",
    ),
    "target_down_unreachable": Cause(
        "scrape",
        "No route to the target",
        "Packets to the target's address are answered by no route or host unreachable: the Pod has gone, or the "
        "network between the nodes is broken.",
    ),
    "target_down_refused": Cause(
        "scrape",
        "The target refuses the connection",
        "Nothing listens on that port at that address: the process has ended, listens on another port, or on "
        "127.0.0.1 only.",
    ),
    "target_down_timeout": Cause(
        "scrape",
        "The target does not answer in time",
        "The connection could not be made (a NetworkPolicy or firewall drops packets), or the answer took longer "
        "than scrapeTimeout.",
    ),
    "target_down_tls": Cause(
        "scrape",
        "TLS with the target fails",
        "The certificate is not trusted or has another name, a client certificate is asked for, or one side speaks "
        "plain http.",
    ),
    "target_down_credentials": Cause(
        "scrape",
        "Prometheus cannot read the credentials for the target",
        "The file or Secret with the password, token or certificate is missing, or the token could not be fetched.",
    ),
    "target_down_unauthorized": Cause(
        "scrape",
        "The target refuses the credentials",
        "It answers 401, 403 or 407: credentials are missing, wrong or expired.",
    ),
    "target_down_not_found": Cause(
        "scrape",
        "The target has no such path",
        "It answers 404, 405 or 410: metrics are published under another path.",
    ),
    "target_down_server_error": Cause(
        "scrape",
        "The target fails while it collects its metrics",
        "It answers 500 or another 5xx.",
    ),
    "target_down_http": Cause(
        "scrape",
        "The target answers with another HTTP status",
        "For example 400, which a TLS port answers to plain http, 429, or a redirect that is not followed.",
    ),
    "target_down_closed": Cause(
        "scrape",
        "The target closes the connection",
        "The connection was reset or ended in the middle of the answer.",
    ),
    "target_down": Cause(
        "scrape",
        "The target is down",
        "The scrape failed with an error that is none of the known ones; the message carries it.",
    ),
    "not_metrics": Cause(
        "scrape",
        "The target's answer is not metrics",
        "A web page, an empty Content-Type (which Prometheus 3 refuses unless fallbackScrapeProtocol is set), or "
        "text that does not parse.",
    ),
    "sample_limit": Cause(
        "scrape",
        "The target has more samples than sampleLimit",
        "Prometheus throws the whole scrape away, and the target is down. Raise the limit or drop metrics.",
    ),
    "scrape_limit": Cause(
        "scrape",
        "The target exceeds another limit of the scrape",
        "Body size, number of targets, number or length of labels, buckets of a histogram: the whole scrape is "
        "thrown away.",
    ),
    "wrong_job": Cause(
        "scrape",
        "The targets have another job label",
        "Everything that is derived from the entry selects by the job label; with another one it selects nothing.",
    ),
    "not_healthy": Cause(
        "scrape",
        "Up, but not healthy",
        "The target answers, but what the pack says must be true of the product is not: an exporter without its "
        "database, a cluster without nodes. The message names the offending instance and value.",
    ),
    "prober_missing": Cause(
        "scrape",
        "Nobody makes the probe",
        "A Probe is carried out by the blackbox exporter that it names. That one's Service is gone, or no Pod of it "
        "runs: nothing is known about the services it should ask.",
    ),
    "probe_failed": Cause(
        "scrape",
        "The service does not answer its probe as it should",
        "The prober runs and has asked the service as its users do: no answer came, or one with another status. The "
        "fix makes the same probe once more and prints how it went.",
    ),
    "must_have_missing": Cause(
        "scrape",
        "Metrics that must be there are missing",
        "The target answers, but without metrics that the pack's alerts and panels are made of: another version, "
        "another exporter, or a collector switched off.",
    ),
    "too_few_samples": Cause(
        "scrape",
        "The target gives too few samples",
        "The target answers with next to nothing, as products do whose collection is broken or still starting.",
    ),
    "fewer_targets": Cause(
        "scrape",
        "Fewer targets than expected",
        "Pods behind the Service are not scraped, or fewer targets are up than min_targets or min_targets_total "
        "ask for.",
    ),
    "more_targets": Cause(
        "scrape",
        "One URL is scraped more than once by the same monitor",
        "Two Services (a headless and a normal one) or two endpoints lead to the same port: every sum over the job "
        "is a multiple of the truth.",
    ),
    "scraped_twice": Cause(
        "scrape",
        "Two monitors scrape the same URL",
        "Another monitor, often one that the product's own chart brings, scrapes it too. Adopt that one, or remove it.",
    ),
    "flapping": Cause(
        "scrape",
        "The target comes and goes",
        "It is up at this moment perhaps, but was down at least twice within ten minutes, the last time less than "
        "five minutes ago.",
    ),
    "replicas_disagree": Cause(
        "scrape",
        "The replicas of Prometheus do not see the same",
        "A target is up on one replica and not on another; which answer a panel or an alert gets is then a matter "
        "of chance.",
    ),
    "target_vanished": Cause(
        "scrape",
        "The target was there and is gone",
        "Prometheus has samples of it from the last hours, but it is no target any more. Usually the consequence "
        "of another cause that is told with it.",
    ),
    "not_scraped_yet": Cause(
        "scrape",
        "The target was not scraped often enough yet",
        "It was never scraped, or not since the configuration was loaded, or only once. That is waited for, by the "
        "target's own interval, and is unknown when the time is over.",
    ),
}
