# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Is anybody told? What can be judged of the delivery without posting anything. PRIVATE to the collection.

Pure functions: readings of the replicas, what Prometheus counted over a window, the last fire drill; one check each.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _checks
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import cause
from ansible_collections.dataplatform.monitoring.plugins.module_utils._delivery_counters import Counters, Replica, Way
from ansible_collections.dataplatform.monitoring.plugins.module_utils._delivery_reasons import apart, failure

#: A drill is due every so many days, and so many days after the installation.
DRILL_DAYS = 90


class Place(t.NamedTuple):
    """Names for fixes.

    :param url: address of an Alertmanager that is not known to be in Kubernetes. :param credentials_in: the Secret
        that holds the credentials of its receivers. :param prometheus: the same address of its Prometheus.
    """

    namespace: str
    alertmanager: str
    url: str = ""
    credentials_in: str = "alertmanager-receivers"
    prometheus: str = ""

    @property
    def log(self) -> str:
        """The command that shows the last hour of its log."""
        if self.url:
            return "journalctl -t alertmanager --since=-1h"
        return f"kubectl logs -n {self.namespace} alertmanager-{self.alertmanager}-0 -c alertmanager --since=1h"

    @property
    def state(self) -> str:
        """What tells which configuration is meant to be loaded."""
        if self.url:
            return f"see what it has loaded: amtool config show --alertmanager.url={self.url}"
        return (
            "see which Secret the operator reads and what it says of it: "
            f"kubectl get alertmanager -n {self.namespace} {self.alertmanager} "
            "-o jsonpath='{.spec.configSecret}{.status.conditions}'"
        )

    @property
    def credentials(self) -> str:
        """Where the credentials of a receiver are written."""
        if self.url:
            return f"its configuration: amtool config show --alertmanager.url={self.url}"
        return f"its Secret: kubectl describe secret -n {self.namespace} {self.credentials_in}"


class Window(t.NamedTuple):
    """What was counted over a span.

    :param text: the span, "15m". :param ways: None when Prometheus does not know; then C(since_start) counts.
    """

    text: str
    ways: t.Mapping[Way, Counters] | None


def somebody(replicas: t.Sequence[Replica], place: Place) -> _checks.Check:
    """Whether there is an integration at all."""
    expected = "at least one integration on every replica"
    empty = [replica for replica in replicas if replica.integrations == 0]
    if empty:
        causes = [
            cause(
                "nobody_notified",
                f"{replica.name} has no integration: whatever fires, nobody is notified.",
                place.state,
            )
            for replica in empty
        ]
        return _checks.failed("somebody is told", expected, f"none on {len(empty)} of {len(replicas)}", causes)
    counts = sorted({int(replica.integrations or 0) for replica in replicas})
    return _checks.ok("somebody is told", expected, f"{' and '.join(map(str, counts))} integrations")


def configuration(replicas: t.Sequence[Replica], place: Place) -> _checks.Check:
    """Whether every replica took its newest configuration, and the same one."""
    expected = "the newest configuration, the same on every replica"
    causes = [
        cause(
            "configuration_rejected",
            f"{replica.name} could not load its newest configuration and keeps the one before.",
            f"read why: {place.log}",
        )
        for replica in replicas
        if replica.reload_ok == 0
    ]
    by_hash: dict[float | None, list[str]] = {}
    for replica in replicas:
        by_hash.setdefault(replica.config_hash, []).append(replica.name)
    if len(by_hash) > 1:
        groups = "; ".join(", ".join(names) for names in by_hash.values())
        causes.append(
            cause(
                "alertmanagers_disagree",
                f"{len(by_hash)} configurations are loaded: {groups}.",
                f"if it lasts longer than two minutes, start the stale one anew: "
                f"kubectl delete pod -n {place.namespace} {list(by_hash.values())[-1][0].rpartition('/')[2]}",
            )
        )
    if causes:
        return _checks.failed("configuration", expected, f"{len(causes)} faults", causes)
    return _checks.ok("configuration", expected, f"{len(replicas)} of {len(replicas)}")


def cluster(replicas: t.Sequence[Replica], wanted: int, place: Place) -> _checks.Check:
    """Whether the replicas see each other. C(wanted) is the number that there should be."""
    if place.url:
        members = int(replicas[0].members or 0)
        reason = f"one address is known; the replica behind it sees {members} member{'s' * (members != 1)}"
        return _checks.not_applicable("cluster", "replicas form one cluster", reason)
    if wanted <= 1 and len(replicas) == 1:
        return _checks.not_applicable("cluster", "replicas form one cluster", "there is one replica by design")
    expected = f"{wanted} replicas in one cluster"
    causes = []
    if len(replicas) < wanted:
        causes.append(
            cause(
                "cluster_incomplete",
                f"{len(replicas)} of {wanted} replicas are ready.",
                f"see why: kubectl get pods -n {place.namespace} -l app.kubernetes.io/name=alertmanager",
            )
        )
    for replica in replicas:
        members = int(replica.members or 0)
        if members != wanted:
            causes.append(
                cause(
                    "cluster_incomplete",
                    f"{replica.name} sees {members} of {wanted} members; lost: {int(replica.failed_peers or 0)}.",
                    f"let the Pods reach each other on 9094 (TCP and UDP): {place.log}",
                )
            )
    if causes:
        return _checks.failed("cluster", expected, f"{len(causes)} faults", causes)
    return _checks.ok("cluster", expected, f"{len(replicas)} that see {wanted} members")


def since_start(replicas: t.Sequence[Replica]) -> dict[Way, Counters]:
    """Counters of all replicas since they started."""
    ways: dict[Way, Counters] = {}
    for replica in replicas:
        for way, counters in replica.ways.items():
            ways[way] = ways.get(way, Counters()).plus(counters)
    return ways


def failures(
    receivers: t.Mapping[str, t.Sequence[str]],
    replicas: t.Sequence[Replica],
    window: Window,
    errors: t.Mapping[str, t.Sequence[str]],
    place: Place,
) -> list[_checks.Check]:
    """One check of each receiver that has an integration: did a notification fail within the window?

    :param receivers: kinds of integrations by receiver. :param errors: from the log, by receiver, oldest first.
    """
    names = {name: sorted(set(kinds)) for name, kinds in receivers.items() if kinds}
    apart = any(replica.tells_receivers for replica in replicas)
    ways = window.ways if window.ways is not None else since_start(replicas)
    span = f"within {window.text}" if window.ways is not None else "since Alertmanager started"
    checks = []
    if apart:
        for name, kinds in names.items():
            found = {kind: ways.get((kind, name), Counters()) for kind in kinds}
            checks.append(_failures_of(name, found, span, window, list(errors.get(name, [])), place))
        return checks
    for kind in sorted({kind for kinds in names.values() for kind in kinds}):
        users = [name for name, kinds in names.items() if kind in kinds]
        said = [text for name in users for text in errors.get(name, [])]
        title = users[0] if len(users) == 1 else f"{kind} ({', '.join(users)})"
        found = {kind: ways.get((kind, ""), Counters())}
        checks.append(_failures_of(title, found, span, window, said, place))
    return checks


def _failures_of(
    name: str, found: t.Mapping[str, Counters], span: str, window: Window, errors: list[str], place: Place
) -> _checks.Check:
    expected = f"no failed notification within {window.text}"
    attempts = sum(item.attempts for item in found.values())
    bad = [kind for kind, item in found.items() if item.failures > 0]
    details = {
        kind: {"attempts": round(item.attempts, 1), "failed": {k: round(v, 1) for k, v in item.failed.items() if v}}
        for kind, item in found.items()
    }
    if bad:
        where = {"credentials": place.credentials, "log": place.log}
        causes = []
        for kind in bad:
            for reasons, said in apart(found[kind].failed, errors):
                count = sum(reasons.values()) or found[kind].failures
                told = f"{count:.0f} of {found[kind].attempts:.0f} notifications failed {span}"
                server = f"Alertmanager {place.url or place.alertmanager}"
                causes.append(failure(name, server, kind, reasons, said, where, told))
        if window.ways is not None:
            return _checks.failed(
                name, expected, f"{sum(found[k].failures for k in bad):.0f} failed", causes, (), details
            )
        asked = cause(
            "delivery_window_unknown",
            f"{causes[0]['message']} When that was is not known without Prometheus.",
            "name a Prometheus that scrapes it: prometheus: {namespace: monitoring, service: prometheus-operated}",
        )
        return _checks.unknown(name, expected, "failures, but not known when", [asked, *causes], (), details)
    if not attempts:
        reason = f"no notification was due {span}; a test alert or a fire drill would prove the way"
        return _checks.not_applicable(name, expected, reason)
    observed = f"{attempts:.0f} accepted by the provider {span}, which is not read by a person"
    return _checks.ok(name, expected, observed, (), details)


def prometheus_leg(
    discovered: t.Sequence[str],
    pods: t.Mapping[str, str],
    lost: t.Mapping[str, float] | None,
    window: str,
    label: str,
    place: Place | None = None,
) -> _checks.Check:
    """Whether alerts get from Prometheus to every Alertmanager.

    :param discovered: addresses it sends to. :param pods: name of each Alertmanager's Pod and its IP; empty without
        Kubernetes. :param lost: dropped and errors within the window; None when Prometheus does not scrape itself.
    :param label: the Prometheus that was asked. :param place: of the Alertmanager that is meant.
    """
    url = place.url if place else ""
    asked = place.prometheus if place else ""
    see = "kubectl get prometheus -A -o jsonpath='{.items[*].spec.alerting}'"
    log = "kubectl logs -n monitoring -l app.kubernetes.io/name=prometheus -c prometheus"
    if asked:
        see = f"curl -sS {asked.rstrip('/')}/api/v1/alertmanagers"
        log = "journalctl -t prometheus --since=-1h"
    name, expected = "Prometheus to Alertmanager", f"sends to {len(pods) or 1} Alertmanager, loses nothing"
    causes = []
    if not discovered:
        causes.append(
            cause(
                "alertmanager_not_discovered",
                f"{label} knows no Alertmanager: no alert ever leaves it.",
                f"give it one, what it has is told by: {see}",
            )
        )
    hosts = {_host(address) for address in discovered}
    for pod, address in pods.items() if discovered else ():
        if address not in hosts:
            causes.append(
                cause(
                    "alertmanager_not_discovered",
                    f"{label} does not send to {pod} ({address}): that replica knows no alert.",
                    "see whether its Service has it: kubectl get endpointslices -A -l "
                    "kubernetes.io/service-name=alertmanager-operated",
                )
            )
    for what, count in (lost or {}).items():
        if count > 0:
            causes.append(
                cause(
                    "notifications_dropped",
                    f"{label} counted {count:.0f} {what} within {window} while sending to Alertmanager.",
                    f"read why: {log}",
                )
            )
    if causes:
        return _checks.failed(name, expected, f"{len(causes)} faults", causes)
    notes = ["Prometheus does not scrape itself: what it lost is not known"] if lost is None else []
    if url and _authority(url) not in {_authority(address) for address in discovered}:
        told = ", ".join(sorted({_authority(address) for address in discovered}))
        notes.append(f"{label} sends to {told}; whether that is {_authority(url)} by another name is not known")
    return _checks.ok(name, expected, f"sends to {len(discovered)}", notes)


def _authority(address: str) -> str:
    return address.partition("//")[2].partition("/")[0].rpartition("@")[2]


def _host(address: str) -> str:
    return address.partition("//")[2].partition("/")[0].rpartition(":")[0].strip("[]")


def drill(
    last: datetime.datetime | None,
    code: str,
    installed: datetime.datetime | None,
    now: datetime.datetime,
    every: int = DRILL_DAYS,
) -> _checks.Check:
    """How long ago the last fire drill passed; never is no fault in the first days.

    :param every: days between two drills; 0 where none are expected, as beside somebody else's installation.
    """
    if every <= 0:
        return _checks.not_applicable("fire drill", "a fire drill now and then", "no drills are expected here")
    expected = f"a fire drill within {every} days"
    run = "page somebody on purpose: ansible-playbook dataplatform.monitoring.fire_drill"
    if last is not None:
        days = (now - last).days
        if days <= every:
            return _checks.ok("fire drill", expected, f"{days} days ago, code {code}")
        message = f"The last fire drill that passed was {days} days ago."
        return _checks.failed("fire drill", expected, f"{days} days ago", [cause("drill_overdue", message, run)])
    if installed is None or (now - installed).days <= every:
        return _checks.not_applicable("fire drill", expected, f"never yet; due within {every} days of installing")
    message = f"There was none in the {(now - installed).days} days since Alertmanager was installed."
    return _checks.failed("fire drill", expected, "never", [cause("drill_overdue", message, run)])
