# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""From what runs in a cluster to entries for the catalogue, each with the reason. PRIVATE to the collection.

Pure functions. Proposed is what looks like a product that a pack knows, what answers with metrics that nobody scrapes,
and what somebody else scrapes already; never what the catalogue has.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _discover_endpoints as endpoints
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _discover_products as products
from ansible_collections.dataplatform.monitoring.plugins.module_utils._catalogue import selects
from ansible_collections.dataplatform.monitoring.plugins.module_utils._discover_facts import Facts, Page, Workload
from ansible_collections.dataplatform.monitoring.plugins.module_utils._discover_products import Pack, Product
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_model import Object, pool_monitor, some
from ansible_collections.dataplatform.monitoring.plugins.module_utils._scrape_services import (
    labels_of,
    namespace_of,
    place,
)

_PLAIN = "generic"


class Proposal(t.NamedTuple):
    """One entry. C(why) it is proposed, and what is left C(to_do) before it works."""

    entry: dict[str, t.Any]
    why: str
    to_do: str = ""


def propose(
    facts: Facts, packs: t.Mapping[str, Pack], declared: t.Sequence[Object]
) -> tuple[list[Proposal], list[str]]:
    """Every entry that the catalogue could have besides, and notes about what is not clear enough for one.

    :param packs: by kind. :param declared: resolved entries of the catalogue.
    """
    names = {str(entry["name"]) for entry in declared}
    found, notes = _monitored(facts, packs, declared, names)
    # Whatever is about this kind already: an exporter is needed once.
    kinds = {str(entry.get("kind")) for entry in declared} | {str(one.entry.get("kind")) for one in found}
    kinds |= {products.by_metrics(page.names, packs) or "" for pages in facts.pages.values() for page in pages}
    own: list[Proposal] = []
    for workload in facts.workloads:
        if _is_declared(workload, declared, facts.namespace) or workload.covered_by(facts.targets):
            continue
        proposal, note = _unmonitored(workload, facts, packs, names, kinds)
        notes += [note] if note else []
        if proposal is None or any(_same(proposal, other) for other in own):
            continue
        names.add(proposal.entry["name"])
        own.append(proposal)
    return [*own, *found], notes


def _same(one: Proposal, other: Proposal) -> bool:
    """Whether both mean the same Service: coordinator and workers of a product often share one."""
    return all(one.entry.get(key) == other.entry.get(key) for key in ("namespace", "selector", "kind", "exporter"))


# --- what somebody scrapes already ---


def _monitored(
    facts: Facts, packs: t.Mapping[str, Pack], declared: t.Sequence[Object], names: set[str]
) -> tuple[list[Proposal], list[str]]:
    jobs: dict[str, list[Object]] = {}
    for target in facts.targets:
        # Of a probe the service is the entry, not the prober's answer.
        if not str(target.get("scrapePool")).startswith("probe/"):
            jobs.setdefault(str((target.get("labels") or {}).get("job")), []).append(target)
    known = {str(entry.get("job") or entry["name"]) for entry in declared}
    found = []
    for job, targets in sorted(jobs.items()):
        if job in known:
            continue
        kind = _kind_of_job(job, facts, packs)
        entry: dict[str, t.Any] = {"name": name_for(job, "", names)}
        names.add(entry["name"])
        if kind:
            entry["kind"] = kind
        pack = packs.get(kind or _PLAIN) or {}
        if facts.kubernetes:
            entry["adopt"] = True
        if not (facts.kubernetes and kind and pack.get("adopt") and pack.get("job") == job) and (
            facts.kubernetes or job != entry["name"]
        ):
            entry["job"] = job
        if not facts.kubernetes and len(targets) > 1:
            entry["min_targets"] = len(targets)
        monitors = some(dict.fromkeys(pool_monitor(str(target.get("scrapePool"))) for target in targets))
        many = f"{len(targets)} target{'s' * (len(targets) != 1)}"
        why = f"{many} of {monitors}, scraped already"
        down = sum(target.get("health") == "down" for target in targets)
        found.append(Proposal(entry, why, f"{down} of them down" if down else ""))
    return found, []


def _kind_of_job(job: str, facts: Facts, packs: t.Mapping[str, Pack]) -> str | None:
    # The control plane's components have each other's metrics; their jobs have names of their own.
    usual = (name for name, pack in packs.items() if pack.get("job") == job or (name == job and name != _PLAIN))
    return next(usual, None) or products.by_metrics(facts.series.get(job, frozenset()), packs)


# --- what nobody scrapes ---


def _is_declared(workload: Workload, declared: t.Sequence[Object], namespace: str) -> bool:
    """Whether an entry selects it, or names it as what its exporter asks."""
    labels = [labels_of(item) for item in [*workload.services, *workload.pods]]
    for entry in declared:
        host = str((entry.get("exporter") or {}).get("host") or "").split(".")
        asked = (host[1] if len(host) > 1 else namespace, host[0])
        if host[0] and any((namespace_of(item), _name(item)) == asked for item in workload.services):
            return True
        spaces = entry.get("namespaces") or [entry.get("namespace")]
        selector = entry.get("selector") or {}
        if workload.namespace in spaces and selector and any(selects(selector, item) for item in labels):
            return True
    return False


def _name(item: Object) -> str:
    return str((item.get("metadata") or {}).get("name"))


def recognise(workload: Workload, pages: t.Sequence[Page], packs: t.Mapping[str, Pack]) -> Product | None:
    """The product, by the most trustworthy sign there is."""
    for page in pages:
        kind = products.by_metrics(page.names, packs)
        if kind:
            return Product(kind, f"the metrics of {kind}")
    found = products.by_image(workload.images)
    for item in [*workload.services, *workload.pods]:
        found = found or products.by_labels(labels_of(item), packs, workload.containers)
    return found if found and found.kind in packs else None


def _unmonitored(
    workload: Workload, facts: Facts, packs: t.Mapping[str, Pack], names: set[str], kinds: set[str]
) -> tuple[Proposal | None, str]:
    pages = facts.pages.get(workload.key, [])
    product = recognise(workload, pages, packs)
    who = f"{workload.namespace}/{workload.owner}"
    if product is not None and product.needs_exporter and not any(page.names for page in pages):
        return _with_exporter(workload, product, packs[product.kind], names, kinds)
    pack = packs.get(product.kind) if product else None
    page = endpoints.best_page(pages, pack)
    if page is None and product is None:
        if workload.wants_to_be_scraped:
            return None, f"{who} is annotated prometheus.io/scrape, but no port answers with metrics."
        return None, ""
    if pack is not None and pack.get("adopt"):
        return None, f"{who} is {product.kind if product else ''}, and nobody scrapes it: its chart brings the monitor."
    made = endpoints.make(workload, page, pack)
    if made is None:
        return None, f"{who} ({product.why if product else 'answers with metrics'}) has no labels to select it by."
    entry: dict[str, t.Any] = {"name": name_for(workload.owner, workload.namespace, names)}
    if product is not None:
        entry["kind"] = product.kind
    entry |= {"namespace": workload.namespace, **made}
    why = [product.why] if product else []
    to_do = ""
    if page is None:
        to_do = "no port answered with metrics: see whether they are switched on, and where"
    elif page.status != 200:
        why.append(f"port {page.port} asks for credentials")
        to_do = f"{page.path} answers {page.status}: give the endpoint basicAuth or authorization"
    else:
        why.append(f"port {page.port} answers with metrics that nobody scrapes")
    return Proposal(entry, f"{who}: {', '.join(why)}", to_do), ""


def _with_exporter(
    workload: Workload, product: Product, pack: Pack, names: set[str], kinds: set[str]
) -> tuple[Proposal | None, str]:
    """A product that does not speak Prometheus itself."""
    who = f"{workload.namespace}/{workload.owner}"
    if product.kind in kinds:
        return None, f"{who} ({product.why}) may be what the exporter of {product.kind} is for that is there already."
    usual = ((pack["exporter"].get("settings") or {}).get("port") or {}).get("default")
    service = endpoints.service_with(workload, usual)
    if service is None:
        return None, f"{who} ({product.why}) has no Service that an exporter could ask."
    name = name_for(_name(service), workload.namespace, names)
    exporter: dict[str, t.Any] = {"host": f"{_name(service)}.{workload.namespace}.svc"}
    numbers = [port["port"] for port in service["spec"].get("ports") or []]
    if usual not in numbers and numbers:
        exporter["port"] = numbers[0]
    to_do = ""
    credentials = pack["exporter"].get("credentials") or {}
    if credentials.get("required"):
        exporter["credentials_secret"] = f"{name}-monitoring"
        keys = " ".join(f"--from-literal={key}=..." for key in (credentials.get("env") or {}).values())
        role = f" ({credentials['description']})" if credentials.get("description") else ""
        to_do = f"first{role}: kubectl -n monitoring create secret generic {name}-monitoring {keys}"
    entry = {"name": name, "kind": product.kind, "namespace": workload.namespace, "exporter": exporter}
    return Proposal(entry, f"{who}: {product.why}, which needs an exporter; Service {place(service)}", to_do), ""


def name_for(text: str, namespace: str, taken: t.Collection[str]) -> str:
    """A name for an entry: a DNS label that nobody has, with the namespace or a number where it must."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:50].strip("-") or "service"
    candidates = [plain, *([f"{plain}-{namespace}"[:63].strip("-")] if namespace else [])]
    candidates += [f"{plain}-{number}" for number in range(2, 100)]
    return next(name for name in candidates if name not in taken)
