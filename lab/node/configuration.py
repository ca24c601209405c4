# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writing the node's configuration files from their templates in config/."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import LabError
from ..paths import LOGS, STATE
from . import ADDRESS, NAME, NODE_POD_NETWORK, POD_NETWORK, SERVICE_NETWORK

TEMPLATES = Path(__file__).parent / "config"

#: Where distributions put the standard CNI plugins.
CNI_PROGRAMS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))

#: kubeadm asks for 650m CPU for the control plane, a third of a small machine; here it takes what is left over.
REQUESTS = {"kube-apiserver": "100m", "kube-controller-manager": "50m", "kube-scheduler": "25m", "etcd": "50m"}


def values(kubernetes: str, pause: str, coredns: str) -> dict[str, str]:
    """What the placeholders stand for. `pause` and `coredns` are image names."""
    return {
        "state": str(STATE),
        "logs": str(LOGS),
        "name": NAME,
        "address": ADDRESS,
        "pod_network": POD_NETWORK,
        "node_pod_network": NODE_POD_NETWORK,
        "service_network": SERVICE_NETWORK,
        "kubernetes": kubernetes,
        "pause": pause,
        "coredns_tag": coredns.rpartition(":")[2],
        "cni_programs": str(cni_programs()),
    }


def cni_programs() -> Path:
    """The folder with the CNI plugins."""
    for folder in CNI_PROGRAMS:
        if (folder / "ptp").exists():
            return folder
    raise LabError(f"no CNI plugins in {CNI_PROGRAMS[0]}: apt-get install containernetworking-plugins")


def fill(template: str, known: dict[str, str]) -> str:
    """Replace `{name}` for every known name; other braces are the format's own."""
    return re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], found[0]), template)


def write(known: dict[str, str]) -> None:
    """Write every file where its program looks for it."""
    node = STATE / "node"
    places = {
        "supervisord.conf": node / "supervisord.conf",
        "containerd.toml": node / "containerd.toml",
        "hosts.toml": node / "registries" / "_default" / "hosts.toml",
        "cni.conflist": node / "etc" / "cni" / "net.d" / "10-lab.conflist",
        "kube-proxy.yaml": node / "kube-proxy.yaml",
        "kubeadm.yaml": node / "kubeadm.yaml",
    }
    for template, place in places.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(fill((TEMPLATES / template).read_text(), known))
    # For Pods that use the node's own resolver (CoreDNS): there is none to ask.
    (node / "resolv.conf").write_text("# The lab asks no name server outside of it.\n")
    patches = node / "patches"
    patches.mkdir(exist_ok=True)
    for component, cpu in REQUESTS.items():
        patch = f"spec: {{containers: [{{name: {component}, resources: {{requests: {{cpu: {cpu}}}}}}}]}}\n"
        (patches / f"{component}0+strategic.yaml").write_text(patch)
