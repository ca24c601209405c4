# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cluster on the node: images into containerd, `kubeadm init`, then what a fresh cluster lacks (DNS settings, the
marker by which fault tests know that they may break it).
"""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, cast

from .. import images, node
from ..errors import ANEW, LabError
from ..images import Image
from ..node import configuration
from ..paths import BIN, KUBECONFIG, LAB, STATE
from ..progress import step
from ..run import environment, last_words, run

IMPORTED = STATE / "images.json"
MARKER = "dataplatform-monitoring-lab"


def kubectl(*words: str, doing: str, stdin: str | None = None, timeout: float = 300) -> str:
    """Run kubectl against the lab and return its output."""
    # kubectl keeps what it learned about an API server in the home folder otherwise.
    env = {"KUBECONFIG": str(KUBECONFIG), "KUBECACHEDIR": str(STATE / "kubectl-cache")}
    return run([BIN / "kubectl", *words], doing=doing, env=env, stdin=stdin, timeout=timeout)


def apply(objects: list[dict[str, Any]] | str, *, doing: str) -> None:
    """`kubectl apply` of objects, or of YAML."""
    text = objects if isinstance(objects, str) else json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    kubectl("apply", "--server-side", "--force-conflicts", "--filename", "-", doing=doing, stdin=text)


def configure(wanted: list[Image]) -> None:
    """Write the node's configuration, with the image names that Kubernetes has to know."""
    by_program = {Path(path).name: image.name for image in wanted for path in image.programs.values()}
    pause = next(image.name for image in wanted if "/pause:" in image.name)
    kubernetes = by_program["kube-apiserver"].rpartition(":")[2]
    configuration.write(configuration.values(kubernetes, pause, by_program["coredns"]))


def import_images(wanted: list[Image], programs: Path, what: str = "importing images") -> int:
    """Put into containerd what is not there yet in this version; return how many that were."""
    known: dict[str, str] = json.loads(IMPORTED.read_text()) if IMPORTED.exists() else {}
    missing = [image for image in wanted if known.get(image.name) != image.key(programs)]
    if not missing:
        return 0
    with step(what) as progress, ThreadPoolExecutor(2) as pool:
        imports = {pool.submit(_import, image, programs): image for image in missing}
        for done, finished in enumerate(as_completed(imports), start=1):
            finished.result()
            image = imports[finished]
            known[image.name] = image.key(programs)
            IMPORTED.write_text(json.dumps(known, indent=1, sort_keys=True))
            progress.update(done, len(missing), "images")
        progress.result(f"{len(missing)} images")
    return len(missing)


def _import(image: Image, programs: Path) -> None:
    command = [*node.entering(), "ctr", "--namespace", "k8s.io", "images", "import", "-"]
    with (
        TemporaryFile() as errors,
        subprocess.Popen(
            command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors
        ) as importer,
    ):
        # An importer that ended early says why itself, below.
        with suppress(BrokenPipeError), cast(IO[bytes], importer.stdin) as archive:
            images.write(image, programs, archive)
        importer.wait()
        errors.seek(0)
        if importer.returncode:
            raise LabError(f"importing {image.name}: {last_words(errors.read().decode(errors='replace'))}: {ANEW}")


def needed_first(wanted: list[Image]) -> list[Image]:
    """Those of the images that this kubeadm asks for; images.yml must hold all of them."""
    listing = node.inside(["kubeadm", "config", "images", "list", "--config", STATE / "node" / "kubeadm.yaml"],
                          doing="asking kubeadm for its images")  # fmt: skip
    asked = set(listing.split()) - _as_host_process(listing)
    missing = sorted(asked - {image.name for image in wanted})
    if missing:
        raise LabError(f"lab/images.yml lacks images that kubeadm needs: add {', '.join(missing)}")
    # What holds a Pod's namespaces is the container runtime's to name.
    return [image for image in wanted if image.name in asked or "/pause:" in image.name]


def _as_host_process(listing: str) -> set[str]:
    return {name for name in listing.split() if "/kube-proxy:" in name}


def initialise() -> None:
    """`kubeadm init`, and what it leaves to others."""
    config = STATE / "node" / "kubeadm.yaml"
    with step("kubeadm init"):
        node.supervisor("start", "kubelet")
        node.inside(
            ["kubeadm", "init", "--config", config, "--skip-phases=addon/kube-proxy"],
            doing="kubeadm init (see the logs below /var/lib/dataplatform-monitoring-lab/logs)",
        )
    proxy = node.inside(
        ["kubeadm", "kubeconfig", "user", "--config", config, "--client-name", "system:kube-proxy"],
        doing="making kube-proxy's kubeconfig",
    )
    _write_secret(STATE / "node" / "kube-proxy.kubeconfig", proxy)
    node.supervisor("start", "kube-proxy")
    _write_secret(KUBECONFIG, (STATE / "node" / "etc" / "kubernetes" / "admin.conf").read_text())
    with step("node and DNS"):
        _finish()


def _write_secret(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def _finish() -> None:
    corefile = (LAB / "cluster" / "Corefile").read_text()
    apply(
        [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "coredns", "namespace": "kube-system"},
                "data": {"Corefile": corefile},
            }
        ],
        doing="configuring CoreDNS",
    )
    kubectl("--namespace=kube-system", "scale", "deployment/coredns", "--replicas=1", doing="scaling CoreDNS")
    kubectl("wait", "--for=condition=Ready", f"node/{node.NAME}", "--timeout=120s", doing="waiting for the node")
    kubectl("--namespace=kube-system", "rollout", "status", "deployment/coredns", "--timeout=120s",
            doing="waiting for CoreDNS")  # fmt: skip


def mark(checkout: Path, provider: str = "native") -> None:
    """The ConfigMap without which fault tests refuse a cluster."""
    apply(
        [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": MARKER, "namespace": "kube-system"},
                "data": {"provider": provider, "checkout": str(checkout)},
            }
        ],
        doing="marking the cluster as the lab",
    )
