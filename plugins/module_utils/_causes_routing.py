# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Causes of the alert routing verdict. This module util is PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.dataplatform.monitoring.plugins.module_utils._cause import Cause

CAUSES: dict[str, Cause] = {
    "route_takes_it_elsewhere": Cause(
        "routing",
        "The alert ends in other receivers than expected",
        "The tree sends the alert somewhere else. The message names the route that is in the way: a matcher that the "
        "alert does not fulfil, a sibling that takes it first and does not continue, or a parent that counts only "
        "when none of its children takes the alert.",
    ),
    "receiver_undefined": Cause(
        "routing",
        "An expected receiver is not in the configuration",
        "The expectation names a receiver that the configuration does not define, or defines under another name. The "
        "operator prefixes receivers of AlertmanagerConfig objects with namespace and name of the object.",
    ),
    "receiver_without_integration": Cause(
        "routing",
        "The alert ends in a receiver that notifies nobody",
        "A receiver without any integration is accepted and silent. The operator falls back to such a receiver when "
        "the Secret it reads is missing or has another key, and reports no error.",
    ),
    "receiver_order_differs": Cause(
        "routing",
        "The same receivers, in another order or number",
        "The alert reaches the expected receivers, but one of them twice, or in another order. Two routes to one "
        "receiver are two groups and two notifications.",
    ),
    "grouping_differs": Cause(
        "routing",
        "The alert is grouped by other labels than expected",
        "group_by is inherited from the parent unless the route has its own; an own list replaces the inherited one.",
    ),
    "timing_differs": Cause(
        "routing",
        "The route waits or repeats otherwise than expected",
        "group_wait, group_interval and repeat_interval are inherited from the parent unless the route has its own.",
    ),
    "route_muted": Cause(
        "routing",
        "The route does not notify at that time",
        "A time interval of the route mutes it, or none of its active intervals contains the moment. Time intervals "
        "are not inherited: a child of a muted route notifies.",
    ),
    "alert_inhibited": Cause(
        "routing",
        "Another alert keeps this one from being sent",
        "An inhibition rule has a source among the active alerts. A label of equal that is missing on both sides "
        "counts as equal.",
    ),
    "not_silent_as_expected": Cause(
        "routing",
        "The alert is sent although it should not be",
        "Neither an inhibition rule nor a time interval keeps the alert from its receivers.",
    ),
    "configuration_refused": Cause(
        "routing",
        "Alertmanager would refuse this configuration",
        "The configuration breaks a rule of the server's loader. A server that runs already keeps its old one; the "
        "operator keeps the old Secret and sets Reconciled to False.",
    ),
    "configuration_unreadable": Cause(
        "routing",
        "The configuration could not be read",
        "No source of the configuration could be read. The generated Secret is the truth; the server's own status "
        "leaves out credentials and an empty group_by.",
    ),
    "configuration_not_loaded": Cause(
        "routing",
        "A replica does not run the configuration that is wanted",
        "What the server runs is not what its Secret says. The operator has not taken it up (Reconciled False), the "
        "volume is not updated yet (up to two minutes), or the reload failed and the old configuration stays.",
    ),
    "route_unreachable": Cause(
        "routing",
        "A route that no alert can reach",
        "Its matchers exclude each other, or an earlier sibling takes every alert it could take and does not continue.",
    ),
    "continue_without_effect": Cause(
        "routing",
        "continue that changes nothing",
        "No later sibling can take the same alert, so the alert ends here all the same. The parent's own receiver is "
        "not added: it counts only when no child takes the alert.",
    ),
    "parsers_disagree": Cause(
        "routing",
        "A matcher that is not read as it looks",
        "Alertmanager's two matcher parsers read the text differently, and the older one wins. A regular expression "
        "with braces or commas must be quoted.",
    ),
    "pattern_not_judged": Cause(
        "routing",
        "A regular expression cannot be judged here",
        "Patterns are RE2. Without google-re2 on the controller only simple ones mean the same in Python, and nothing "
        "is guessed about the others.",
    ),
    "server_routes_otherwise": Cause(
        "routing",
        "The server's own answer differs from the configuration",
        "A synthetic alert was routed by the running server, and its answer is not what its configuration says. "
        "Either it has not loaded that configuration, or this verdict is wrong: please report it.",
    ),
    "literal_credential": Cause(
        "routing",
        "A credential stands in the configuration itself",
        "Whoever reads the configuration, a backup of it or a diff then has the credential. Every integration can read "
        "it from a file instead, which the operator mounts from the Secret of the receivers.",
    ),
    "service_key_used": Cause(
        "routing",
        "PagerDuty by service_key",
        "service_key speaks the older Events API v1 with an integration of type Prometheus. A key of the other type is "
        "refused by PagerDuty only when the first alert is sent.",
    ),
    "deprecated_match": Cause(
        "routing",
        "match and match_re instead of matchers",
        "Both still work and are announced to go. matchers say the same, with the operators != and !~ besides.",
    ),
    "secret_not_read": Cause(
        "routing",
        "The operator reads another Secret",
        "The operator reads the Secret alertmanager-<name of the Alertmanager>, or the one in spec.configSecret, and "
        "there the key alertmanager.yaml. Without it, it runs a receiver that tells nobody, and reports no error.",
    ),
    "secret_not_mounted": Cause(
        "routing",
        "The Secret with the receivers' credentials is not mounted",
        "Credentials are files below /etc/alertmanager/secrets. Without the Secret in spec.secrets of the Alertmanager "
        "they are not there, and each notification fails.",
    ),
    "credential_missing": Cause(
        "routing",
        "A credential that a receiver needs is not in the Secret",
        "The configuration names a file that does not exist. It loads all the same, and each notification fails.",
    ),
    "template_label_empty": Cause(
        "routing",
        "A text uses a label that is always empty",
        "GroupLabels has the labels of group_by and no others. CommonLabels has every label that all alerts of the "
        "group share.",
    ),
    "critical_not_mailed": Cause(
        "routing",
        "What is critical never reaches the mailbox",
        "The receiver of the first route gets only what none of its children takes, continue or not. A last child "
        "without matchers is needed for e-mail that gets everything.",
    ),
    "operator_refuses_configuration": Cause(
        "routing",
        "The operator refuses the configuration",
        "The operator reads the Secret more strictly than Alertmanager itself. It keeps the old configuration running "
        "and says why in the condition Reconciled of the Alertmanager object.",
    ),
    "configuration_not_generated": Cause(
        "routing",
        "The operator has not generated what was written",
        "The generated Secret is not what the written one says, apart from what AlertmanagerConfig objects add. Either "
        "the operator has not taken it up, or it reads another Secret, or it dropped a field that the version of "
        "Alertmanager does not know.",
    ),
    "replicas_apart": Cause(
        "routing",
        "The replicas do not form one cluster",
        "Replicas that do not see each other do not share silences and what was sent already: each notifies on its "
        "own. They talk on port 9094, by TCP and UDP.",
    ),
}
